"""States of a memory, and what is kept for how long (MemLifecycle)."""
