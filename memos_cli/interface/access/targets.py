"""The targets of rules: memories and rights."""

from __future__ import annotations

from dataclasses import dataclass

from memos_cli.errors import UsageError
from memos_cli.infrastructure.access.governance import RIGHTS, Kind, Right, Rule, is_below


@dataclass(frozen=True, slots=True)
class Target:
    """The memories that a rule is about, as typed: an id, ``tag:…``, ``view:…``, or ``vault``."""

    kind: Kind
    name: str
    owner: str
    """Whose memories: the caller's, or those of a principal that it may share for."""


def contains(rule: Rule, aim: Target) -> bool:
    """Return whether ``rule`` covers everything that ``aim`` names."""
    if rule.owner != aim.owner:
        return False
    if rule.kind == "tag" and aim.kind == "tag":
        return is_below(aim.name, rule.target)
    return rule.kind == "vault" or (rule.kind, rule.target) == (aim.kind, aim.name)


def read_right(text: str) -> Right:
    """Return the right named ``text``. Raises UsageError for an unknown one."""
    for right in RIGHTS:
        if right == text:
            return right
    raise UsageError(f"{text!r} is not a right", f"one of {', '.join(RIGHTS)}")
