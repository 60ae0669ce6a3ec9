"""States of a memory, and retention of snapshots (MemLifecycle)."""
