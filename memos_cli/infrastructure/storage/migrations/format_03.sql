-- Parametric memory: adapters, their questions, and the log of questions.
        CREATE TABLE parametric (
          cube INTEGER PRIMARY KEY REFERENCES cube (n) ON DELETE CASCADE,
          blob TEXT,
          lost TEXT NOT NULL,
          bytes INTEGER NOT NULL,
          model TEXT NOT NULL,
          fingerprint TEXT NOT NULL,
          recipe TEXT NOT NULL,
          report TEXT NOT NULL,
          seconds REAL NOT NULL
        );
        CREATE TABLE lesson (
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          position INTEGER NOT NULL,
          source INTEGER REFERENCES cube (n) ON DELETE CASCADE,
          kind TEXT NOT NULL CHECK (kind IN ('fact', 'near miss', 'control', 'example')),
          held_out INTEGER NOT NULL CHECK (held_out IN (0, 1)),
          question TEXT NOT NULL,
          answer TEXT NOT NULL,
          key TEXT NOT NULL,
          PRIMARY KEY (cube, position)
        ) WITHOUT ROWID;
        CREATE INDEX lesson_source ON lesson (source) WHERE source IS NOT NULL;
        CREATE TABLE question (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          time INTEGER NOT NULL,
          principal TEXT NOT NULL,
          text TEXT NOT NULL
        );
        CREATE TABLE question_cube (
          question INTEGER NOT NULL REFERENCES question (n) ON DELETE CASCADE,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          form TEXT NOT NULL CHECK (form IN ('text', 'state', 'adapter')),
          PRIMARY KEY (question, cube)
        ) WITHOUT ROWID;
        CREATE INDEX question_cube_cube ON question_cube (cube);
