"""Callers, their rights, tokens and keys."""
