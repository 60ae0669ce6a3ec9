"""Results as JSON objects, lines and pictures."""
