-- How each question of an adapter was made, and the vectors of those questions.
        ALTER TABLE lesson ADD COLUMN made TEXT NOT NULL DEFAULT '';
        CREATE TABLE lesson_vector (
          cube INTEGER NOT NULL,
          position INTEGER NOT NULL,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          data BLOB NOT NULL,
          PRIMARY KEY (cube, position, embedder),
          FOREIGN KEY (cube, position) REFERENCES lesson (cube, position) ON DELETE CASCADE
        ) WITHOUT ROWID;
        CREATE INDEX lesson_vector_embedder ON lesson_vector (embedder);
