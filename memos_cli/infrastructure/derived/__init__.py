"""Data derived from memories: saved states and adapters, and their sources."""
