"""Copies of a vault in a folder of backups."""
