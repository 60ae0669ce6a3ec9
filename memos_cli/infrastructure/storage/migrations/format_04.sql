-- A hash chain over the audit (sealed by format_4 in __init__.py).
        CREATE TABLE seal (n INTEGER PRIMARY KEY REFERENCES audit (n), hash BLOB NOT NULL);
