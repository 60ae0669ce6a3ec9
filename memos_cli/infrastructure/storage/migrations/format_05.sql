-- Access rights. The address of a source was unique in the vault and becomes unique for each owner, so the
-- table is copied. Foreign keys are off meanwhile: see schema.migrate.
        CREATE TABLE source_5 (
          n INTEGER PRIMARY KEY,
          uri TEXT NOT NULL,
          owner TEXT NOT NULL,
          kind TEXT NOT NULL,
          encoding TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          recipe TEXT NOT NULL,
          blob TEXT,
          claim TEXT,
          read INTEGER NOT NULL,
          UNIQUE (uri, owner)
        );
        INSERT INTO source_5 (n, uri, owner, kind, encoding, bytes, sha256, recipe, blob, claim, read)
          SELECT s.n, uri, coalesce(
              (SELECT c.owner FROM place p JOIN cube c ON c.n = p.cube WHERE p.source = s.n ORDER BY p.n LIMIT 1),
              (SELECT principal FROM audit WHERE action = 'init' ORDER BY n LIMIT 1),
              ''),
            kind, encoding, bytes, sha256, recipe, blob, claim, read FROM source s;
        DROP TABLE source;
        ALTER TABLE source_5 RENAME TO source;
        CREATE INDEX cube_owner ON cube (owner, payload, state);
        ALTER TABLE view ADD COLUMN owner TEXT NOT NULL DEFAULT '';
        UPDATE view
          SET owner = coalesce((SELECT principal FROM audit WHERE action = 'init' ORDER BY n LIMIT 1), '');
        CREATE TABLE rule (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          owner TEXT NOT NULL,
          kind TEXT NOT NULL CHECK (kind IN ('cube', 'tag', 'view', 'vault')),
          target TEXT NOT NULL,
          principal TEXT NOT NULL,
          right TEXT NOT NULL CHECK (right IN ('read', 'write', 'share', 'admin')),
          giver TEXT NOT NULL,
          created INTEGER NOT NULL,
          expires INTEGER,
          UNIQUE (owner, kind, target, principal, right)
        );
        CREATE INDEX rule_principal ON rule (principal);
        CREATE TABLE member (
          circle TEXT NOT NULL,
          principal TEXT NOT NULL,
          PRIMARY KEY (circle, principal)
        ) WITHOUT ROWID;
        CREATE TABLE token (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          principal TEXT NOT NULL,
          role TEXT NOT NULL CHECK (role IN ('reader', 'writer', 'owner')),
          sha256 BLOB NOT NULL UNIQUE,
          created INTEGER NOT NULL,
          expires INTEGER
        );
        CREATE TABLE policy (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE bound (
          cube INTEGER PRIMARY KEY REFERENCES cube (n) ON DELETE CASCADE,
          principal TEXT NOT NULL,
          task TEXT NOT NULL
        );
        CREATE INDEX bound_task ON bound (task);
