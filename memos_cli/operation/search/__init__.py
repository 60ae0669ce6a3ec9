"""Find memories by words and by meaning."""
