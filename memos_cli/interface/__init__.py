"""The top layer: the Memory API, the MemReader, the sources that text comes from, exchange with others."""
