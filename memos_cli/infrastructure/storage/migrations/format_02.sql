-- Activation memory: saved states, what they were made from, and pins.
        CREATE TABLE derived (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          source INTEGER NOT NULL REFERENCES cube (n),
          version INTEGER NOT NULL,
          part TEXT NOT NULL CHECK (part IN ('pinned', 'document')),
          PRIMARY KEY (cube, position)
        ) WITHOUT ROWID;
        CREATE INDEX derived_source ON derived (source);
        CREATE TABLE activation (
          cube INTEGER PRIMARY KEY REFERENCES cube (n) ON DELETE CASCADE,
          view TEXT NOT NULL,
          blob TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          pieces BLOB NOT NULL,
          tokens BLOB NOT NULL,
          prompt INTEGER NOT NULL,
          model TEXT NOT NULL,
          fingerprint TEXT NOT NULL,
          key BLOB NOT NULL,
          seconds REAL NOT NULL,
          saved REAL NOT NULL
        );
        CREATE INDEX activation_key ON activation (key);
        CREATE TABLE pin (
          view TEXT NOT NULL,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          PRIMARY KEY (view, cube)
        ) WITHOUT ROWID;
        CREATE INDEX pin_cube ON pin (cube);
