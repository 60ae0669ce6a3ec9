-- The first release: memories, their versions, sources, tags, views, vectors, full text, audit.
        CREATE TABLE source (
          n INTEGER PRIMARY KEY,
          uri TEXT NOT NULL UNIQUE,
          kind TEXT NOT NULL,
          encoding TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          recipe TEXT NOT NULL,
          blob TEXT,
          claim TEXT,
          read INTEGER NOT NULL
        );
        CREATE TABLE cube (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          payload TEXT NOT NULL CHECK (payload IN ('plaintext', 'activation', 'parametric')),
          type TEXT NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('generated', 'activated', 'merged', 'archived', 'expired')),
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
          heat REAL NOT NULL
        );
        CREATE INDEX cube_digest ON cube (digest);
        CREATE INDEX cube_time ON cube (coalesce(time, created));
        CREATE INDEX cube_ref ON cube (ref) WHERE ref IS NOT NULL;
        CREATE INDEX cube_expires ON cube (expires) WHERE expires IS NOT NULL;
        CREATE TABLE version (
          n INTEGER PRIMARY KEY,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          version INTEGER NOT NULL,
          title TEXT NOT NULL,
          text TEXT NOT NULL,
          sha256 BLOB NOT NULL,
          created INTEGER NOT NULL,
          principal TEXT NOT NULL,
          UNIQUE (cube, version)
        );
        CREATE TABLE place (
          n INTEGER PRIMARY KEY,
          source INTEGER NOT NULL REFERENCES source (n) ON DELETE CASCADE,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          digest BLOB NOT NULL,
          start INTEGER NOT NULL,
          end INTEGER NOT NULL,
          bytes_sha256 BLOB NOT NULL
        );
        CREATE INDEX place_cube ON place (cube);
        CREATE INDEX place_source ON place (source, start);
        CREATE TABLE tag (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          tag TEXT NOT NULL,
          PRIMARY KEY (cube, tag)
        ) WITHOUT ROWID;
        CREATE INDEX tag_tag ON tag (tag);
        CREATE TABLE view (
          name TEXT PRIMARY KEY,
          filter TEXT NOT NULL,
          created INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE VIRTUAL TABLE words USING fts5 (
          head, body, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
        );
        CREATE TABLE embedder (
          n INTEGER PRIMARY KEY,
          fingerprint TEXT NOT NULL UNIQUE,
          name TEXT NOT NULL,
          dimension INTEGER NOT NULL
        );
        CREATE TABLE vector (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          data BLOB NOT NULL,
          UNIQUE (cube, embedder)
        );
        CREATE TABLE waiting (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          PRIMARY KEY (cube, embedder)
        ) WITHOUT ROWID;
        CREATE TABLE audit (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          time INTEGER NOT NULL,
          principal TEXT NOT NULL,
          action TEXT NOT NULL,
          cube TEXT,
          version INTEGER,
          detail TEXT
        );
        CREATE INDEX audit_cube ON audit (cube) WHERE cube IS NOT NULL;
