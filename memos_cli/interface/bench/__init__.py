"""Measure what the forms of memory gain on this machine."""
