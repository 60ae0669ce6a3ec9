"""Choose memories for a prompt, lay it out, and check the answer (MemScheduler)."""
