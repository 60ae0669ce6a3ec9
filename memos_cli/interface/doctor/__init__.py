"""Find out what keeps memos from working on this machine. Only reads: nothing is created, changed or sent."""
