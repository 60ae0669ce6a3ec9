"""Prompts that are unrelated to anyone's memories: a trained adapter must not change their answers.

The first 100 of controls.txt are for training, the rest for the gate. Both halves have the same kinds in
about the same numbers, and no prompt of one is a rewording of a prompt of the other. A few ask for a note
that does not exist; the caller leaves out those that a user's own memories answer.
"""

from __future__ import annotations

from pathlib import Path

CONTROLS: tuple[str, ...] = tuple(
    Path(__file__).with_name("controls.txt").read_text(encoding="utf-8").splitlines()
)
"""General prompts: 100 for training, then 100 for the gate."""
