"""Bundles, feeds and signing keys: what leaves the vault, and what comes from others."""
