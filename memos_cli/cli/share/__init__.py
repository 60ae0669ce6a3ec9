"""Bundles, feeds and signing keys: share memories, and receive those of others."""
