"""Help beyond `--help`: guides, manual pages, and completion with TAB."""
