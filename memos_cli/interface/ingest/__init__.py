"""Store files, folders and standard input as memories."""
