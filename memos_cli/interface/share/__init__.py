"""Memories between vaults and programs: what an export holds, in which formats, and how a bundle comes in.

The interchange bundle ("mip") is specified in store_format.md.
"""
