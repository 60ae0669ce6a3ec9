"""MemStore: publish memories as files anywhere, and subscribe to them. It needs no server of its own.

A publication is a folder with a signed index, a bundle of all that it holds, and what has changed since a few
earlier ones. It is specified in store_format.md.
"""
