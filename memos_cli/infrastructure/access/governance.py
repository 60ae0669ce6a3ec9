"""Access rights of a principal on a memory. Pure: uses headers and rules, no vault and no clock.

What a principal creates belongs to it, and to nobody else until it grants a right. A rule covers what its
owner owns: one memory, a tag with all tags below it, a view, or everything. A principal may use a saved state
or an adapter if it may read every memory that it was made from.

``row_access.py`` gives the same answer for a whole vault at once, as SQL; a test compares the two, and a
third, slow implementation, on random vaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from memos_cli.cube import PayloadType

Right = Literal["read", "write", "share", "admin"]
RIGHTS: tuple[Right, ...] = get_args(Right)
INCLUDED: dict[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "share": frozenset({"read", "share"}),
    "admin": frozenset(RIGHTS),
}
"""The rights that a right includes: write and share include read."""
Kind = Literal["cube", "tag", "view", "vault"]
EVERYONE = "everyone"
"""Stands for every principal, in a rule."""
FEED = "feed:"
"""The prefix of the principal of a feed, which owns the feed's memories. Nobody can use it."""


def is_feeds(principal: str) -> bool:
    """Return whether a principal is a feed, so that its memories came from a subscription."""
    return principal.startswith(FEED)


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal with its groups, and the rights that its token allows."""

    principal: str
    groups: frozenset[str] = frozenset()
    most: frozenset[str] = frozenset(RIGHTS)
    token: int | None = None
    """The number of the caller's token."""
    ends: int | None = None
    """When that token ends."""

    def is_meant(self, name: str) -> bool:
        """Return whether a rule for ``name`` applies to this caller."""
        return name in (self.principal, EVERYONE) or name in self.groups


@dataclass(frozen=True, slots=True)
class Rule:
    """One grant: some of what ``owner`` owns, to a principal, a group or everyone."""

    owner: str
    kind: Kind
    target: str
    """The id of a cube, a tag, the name of a view; "" for all that the owner owns."""
    principal: str
    right: Right
    giver: str = ""
    """The principal that granted it: the owner, or one that may share."""
    created: int = 0
    expires: int | None = None

    def holds(self, now: int) -> bool:
        return self.expires is None or self.expires > now

    def __str__(self) -> str:
        what = f"{self.kind}:{self.target}" if self.target else f"all of {self.owner}"
        return f"{self.right} on {what}, granted by {self.giver or self.owner}"


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a cube that access decisions depend on."""

    id: str
    owner: str
    tags: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    """The views with a rule that it matches."""
    payload: PayloadType = "plaintext"
    sources: tuple[Header, ...] = ()
    """The memories that a derived cube was made from."""
    audience: str = ""
    """The only agent that may read a task-bound memory."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of an access check, with the reason; ``rule`` is the rule that allows it, if any."""

    allowed: bool
    why: str
    rule: Rule | None = None


def decide(caller: Caller, right: str, header: Header, rules: Iterable[Rule], now: int) -> Decision:
    """Return whether ``caller`` has ``right`` on the memory of ``header``, with the reason in words."""
    rules = tuple(rules)
    if right not in caller.most:
        return Decision(False, f"the token of {caller.principal} does not allow to {right}")
    # A saved state holds the text of its sources and nothing else. An adapter holds more: its lessons.
    own = (
        Decision(True, "it may read all that the state was made from")
        if header.payload == "activation" and header.sources and right == "read"
        else _alone(caller, right, header, rules, now)
    )
    if not own.allowed:
        return own
    for source in header.sources:
        if not decide(caller, "read", source, rules, now).allowed:
            return Decision(False, f"{caller.principal} may not read all that it was made from")
    return own


def covers(rule: Rule, header: Header) -> bool:
    """Return whether a rule covers this memory, for any caller."""
    if rule.owner != header.owner:
        return False
    match rule.kind:
        case "vault":
            return True
        case "cube":
            return rule.target == header.id
        case "tag":
            return any(is_below(tag, rule.target) for tag in header.tags)
        case "view":
            return rule.target in header.views


def is_below(tag: str, path: str) -> bool:
    """Return whether ``tag`` is ``path`` or below it: "work/x" is below "work"."""
    return tag == path or tag.startswith(f"{path}/")


def _alone(caller: Caller, right: str, header: Header, rules: Sequence[Rule], now: int) -> Decision:
    if header.owner == caller.principal:
        return Decision(True, f"{caller.principal} owns it")
    if right == "read" and header.audience == caller.principal:
        return Decision(True, f"it is kept for {caller.principal}")
    for rule in rules:
        is_enough = right in INCLUDED[rule.right] and caller.is_meant(rule.principal) and rule.holds(now)
        if is_enough and covers(rule, header):
            return Decision(True, str(rule), rule)
    return Decision(False, f"{header.owner} owns it, and no rule lets {caller.principal} {right} it")
