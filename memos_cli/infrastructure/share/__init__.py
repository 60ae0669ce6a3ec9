"""Memories from other vaults: bundles, feeds, publications."""
