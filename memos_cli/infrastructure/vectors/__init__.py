"""The vector index and its snapshots."""
