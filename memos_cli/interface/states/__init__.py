"""Saved model states (activation memory)."""
