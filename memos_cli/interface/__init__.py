"""The top layer: the Memory API, and the use cases below it."""
