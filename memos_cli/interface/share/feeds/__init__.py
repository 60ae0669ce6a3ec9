"""MemStore: publish memories as files anywhere, and subscribe to them. It needs no server of its own.

A publication is a folder with a signed index, a bundle of all its memories, and the changes since a few
earlier releases. It is specified in store_format.md.
"""
