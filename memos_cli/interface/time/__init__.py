"""Dates and times in questions, options and files."""
