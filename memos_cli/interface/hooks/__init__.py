"""Hooks of coding agents: memories at the start of a session and at a prompt, without being asked."""
