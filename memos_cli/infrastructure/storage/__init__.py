"""SQLite and files: connections, schema, encryption, blobs, the audit log."""
