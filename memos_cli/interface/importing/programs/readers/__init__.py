"""Readers of the conversations that programs keep on this machine: one module for each program or family."""
