-- Feeds: what this vault subscribes to, and what it publishes.
        CREATE TABLE feed (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          name TEXT NOT NULL UNIQUE,
          url TEXT NOT NULL,
          publication TEXT NOT NULL,
          signer TEXT NOT NULL,
          principal TEXT NOT NULL,
          quarantine INTEGER NOT NULL CHECK (quarantine IN (0, 1)),
          serial INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          licence TEXT NOT NULL,
          expires INTEGER,
          updated INTEGER NOT NULL
        );
        CREATE TABLE feed_cube (
          feed INTEGER NOT NULL REFERENCES feed (n) ON DELETE CASCADE,
          id TEXT NOT NULL,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          sha256 BLOB NOT NULL,
          expires INTEGER,
          PRIMARY KEY (feed, id)
        ) WITHOUT ROWID;
        CREATE INDEX feed_cube_cube ON feed_cube (cube);
        CREATE TABLE feed_adapter (
          feed INTEGER NOT NULL REFERENCES feed (n) ON DELETE CASCADE,
          sha256 TEXT NOT NULL,
          cube INTEGER REFERENCES cube (n) ON DELETE CASCADE,
          PRIMARY KEY (feed, sha256)
        ) WITHOUT ROWID;
        CREATE INDEX feed_adapter_cube ON feed_adapter (cube);
        CREATE TABLE publication (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          name TEXT NOT NULL,
          owner TEXT NOT NULL,
          target TEXT NOT NULL,
          wanted TEXT NOT NULL,
          serial INTEGER NOT NULL,
          sha256 TEXT NOT NULL,
          replaces TEXT NOT NULL,
          updated INTEGER NOT NULL,
          UNIQUE (owner, name)
        );
        CREATE TABLE published (
          publication INTEGER NOT NULL REFERENCES publication (n) ON DELETE CASCADE,
          id TEXT NOT NULL,
          serial INTEGER NOT NULL,
          sha256 BLOB,
          PRIMARY KEY (publication, id)
        ) WITHOUT ROWID;
