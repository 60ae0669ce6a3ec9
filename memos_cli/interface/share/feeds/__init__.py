"""MemStore: memories that are published as files anywhere, and followed from there. No server of ours.

A publication is a folder with a signed index, a bundle of all that it holds, and what has changed since a few
earlier ones. It is specified in store_format.md.
"""
