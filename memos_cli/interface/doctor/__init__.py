"""Check whether memos works on this machine. Only reads: nothing is created, changed or sent."""
