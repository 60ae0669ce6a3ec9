"""Rows of memories: queries, and the writes of a transaction."""
