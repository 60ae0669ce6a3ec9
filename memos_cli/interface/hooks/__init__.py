"""Hooks of coding agents: memories at the start of a session and with each prompt."""
