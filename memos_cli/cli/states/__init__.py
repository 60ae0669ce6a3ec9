"""Saved states of the model: promote, demote, pin."""
