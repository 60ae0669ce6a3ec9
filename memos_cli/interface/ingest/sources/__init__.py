"""Read one source: its encoding, its kind, its passages."""
