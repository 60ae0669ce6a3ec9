"""Readers of exported files: one module for each kind of program."""
