-- One vector for each sentence. The old vector of a whole text becomes that of one sentence.
        CREATE TABLE vector_8 (
          n INTEGER PRIMARY KEY AUTOINCREMENT,
          cube INTEGER NOT NULL REFERENCES cube (n) ON DELETE CASCADE,
          embedder INTEGER NOT NULL REFERENCES embedder (n) ON DELETE CASCADE,
          start INTEGER NOT NULL,
          end INTEGER NOT NULL,
          data BLOB NOT NULL
        );
        INSERT INTO vector_8 (n, cube, embedder, start, end, data)
          SELECT x.n, x.cube, x.embedder, 0, length(v.text), x.data FROM vector x
          JOIN cube c ON c.n = x.cube JOIN version v ON v.cube = c.n AND v.version = c.version;
-- The vector index relies on row numbers that are never used twice.
        DELETE FROM sqlite_sequence WHERE name = 'vector_8';
        INSERT INTO sqlite_sequence (name, seq) SELECT 'vector_8', seq FROM sqlite_sequence WHERE name = 'vector';
        DROP TABLE vector;
        ALTER TABLE vector_8 RENAME TO vector;
        CREATE INDEX vector_cube ON vector (cube, embedder);
