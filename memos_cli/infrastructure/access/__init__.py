"""Rules of access, and row-level access as SQL (MemGovernance)."""
