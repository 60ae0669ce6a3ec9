"""Search the vault, and answer questions from it."""
