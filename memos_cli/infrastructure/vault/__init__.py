"""The vault: open, change, check (MemVault)."""
