-- Quarantine, sensitivity, a limited number of uses, and links. A CHECK cannot be altered, so the table is
-- copied.
        CREATE TABLE cube_6 (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          payload TEXT NOT NULL CHECK (payload IN ('plaintext', 'activation', 'parametric')),
          type TEXT NOT NULL,
          state TEXT NOT NULL CHECK (
            state IN ('generated', 'activated', 'merged', 'archived', 'expired', 'quarantined')),
          version INTEGER NOT NULL CHECK (version >= 1),
          digest BLOB NOT NULL,
          ref TEXT,
          author TEXT NOT NULL,
          role TEXT NOT NULL,
          owner TEXT NOT NULL,
          time INTEGER,
          created INTEGER NOT NULL,
          updated INTEGER NOT NULL,
          expires INTEGER,
          priority INTEGER NOT NULL,
          frozen INTEGER NOT NULL,
          hits INTEGER NOT NULL,
          last_hit INTEGER,
          heat REAL NOT NULL,
          sensitivity INTEGER NOT NULL DEFAULT 0 CHECK (sensitivity BETWEEN 0 AND 3),
          uses_left INTEGER
        );
        INSERT INTO cube_6 (n, id, payload, type, state, version, digest, ref, author, role, owner, time, created,
            updated, expires, priority, frozen, hits, last_hit, heat)
          SELECT n, id, payload, type, state, version, digest, ref, author, role, owner, time, created,
            updated, expires, priority, frozen, hits, last_hit, heat FROM cube;
-- A row number is never used twice, not even that of a memory that is gone.
        DELETE FROM sqlite_sequence WHERE name = 'cube_6';
        INSERT INTO sqlite_sequence (name, seq) SELECT 'cube_6', seq FROM sqlite_sequence WHERE name = 'cube';
        DROP TABLE cube;
        ALTER TABLE cube_6 RENAME TO cube;
        CREATE INDEX cube_digest ON cube (digest);
        CREATE INDEX cube_time ON cube (coalesce(time, created));
        CREATE INDEX cube_ref ON cube (ref) WHERE ref IS NOT NULL;
        CREATE INDEX cube_expires ON cube (expires) WHERE expires IS NOT NULL;
        CREATE INDEX cube_owner ON cube (owner, payload, state);
        CREATE TABLE link (
          source INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          kind TEXT NOT NULL,
          target INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          created INTEGER NOT NULL,
          PRIMARY KEY (source, kind, target),
          CHECK (source <> target)
        ) WITHOUT ROWID;
        CREATE INDEX link_target ON link (target, kind);
