"""What is made from memories: saved states and adapters, and their sources."""
