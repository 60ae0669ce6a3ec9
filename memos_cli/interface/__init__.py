"""The top layer: the Memory API, the MemReader, and the sources that text comes from."""
