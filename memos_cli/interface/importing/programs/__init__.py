"""Conversations that other programs on this machine store: coding agents and local chat programs."""
