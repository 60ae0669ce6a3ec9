"""Choose and redact the memories of a publication, and write their lines.

A published memory has only its current text: no earlier versions, references or places in files, and no
access rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from memos_cli.cube import LIVE_STATES, Cube
from memos_cli.infrastructure.memories import links, queries
from memos_cli.interface.options import PublishOptions
from memos_cli.interface.redaction.redaction import find_personal, find_secrets, mask
from memos_cli.interface.selection import select
from memos_cli.interface.share import bundle
from memos_cli.interface.share.exporting import PORTABLE, why_held
from memos_cli.interface.share.feeds.feed_files import Lines

if TYPE_CHECKING:
    from memos_cli.interface.session import Session


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One memory as it is published."""

    id: str
    title: str
    text: str
    author: str
    tags: tuple[str, ...]
    covered: int
    """The number of masked or omitted ranges: secrets and personal data."""
    change: str = "new"
    """``new``, ``changed`` or ``same``, compared with what was published before."""

    def beside(self, known: bytes | None, now: bytes) -> Outgoing:
        """Return it with its difference from the previous release."""
        return replace(self, change="new" if known is None else "same" if known == now else "changed")


def choose(session: Session, wanted: PublishOptions) -> tuple[list[Cube], dict[str, int]]:
    """Return the memories that may be published, by id, and why others are not."""
    up_to = wanted.up_to or session.settings.sensitivity_publish
    if wanted.filter is None:
        here = queries.by_ids(session.vault.connection, wanted.ids)  # those that are still there
        cubes = session.access.get_many(list(here))
    else:
        cubes = [*select(session, wanted.filter)]
    held_back: dict[str, int] = {}
    chosen = []
    for cube in cubes:
        if cube.payload != "plaintext" or cube.state not in LIVE_STATES:
            continue
        why = why_held(session, cube, up_to)
        said = "\n".join((cube.title, cube.author, *cube.tags, cube.text))
        if not why and up_to == "open" and not wanted.redact and find_personal(said):
            why = "personal data in it (--redact covers it)"
        if why:
            held_back[why] = held_back.get(why, 0) + 1
        else:
            chosen.append(cube)
    return sorted(chosen, key=lambda cube: cube.id), held_back


def cover(cube: Cube, *, redact: bool) -> Outgoing:
    """Return a memory to publish: without secrets and, to ``redact``, without personal data and author.

    A tag that holds any of it is left out.
    """
    text, count = _covered(cube.text, redact)
    title, more = _covered(cube.title, redact)
    author, said = ("", int(bool(cube.author))) if redact else _covered(cube.author, redact)
    tags = tuple(sorted(tag for tag in cube.tags if not _covered(tag, redact)[1]))
    return Outgoing(cube.id, title, text, author, tags, count + more + said + len(cube.tags) - len(tags))


def _covered(text: str, redact: bool) -> tuple[str, int]:
    """Return ``text`` with secrets and personal data masked, and how many ranges were masked."""
    found = find_secrets(text)
    text = mask(text, found)
    personal = find_personal(text) if redact else []
    return mask(text, personal), len(found) + len(personal)


def lines_of(session: Session, cubes: Sequence[Cube], leaving: Sequence[Outgoing]) -> dict[str, Lines]:
    """Return the lines of memories and of the links among them, by id."""
    ids = {cube.n: cube.id for cube in cubes}
    linked: dict[str, list[bytes]] = {}
    for link in links.links_among(session.vault.connection, ids.keys()):
        if link.kind in PORTABLE:
            source, target = links.in_order(link.source_id, link.kind, link.target_id)
            line = bundle.to_line({"source": source, "kind": link.kind, "target": target})
            linked.setdefault(source, []).append(line)
    return {
        cube.id: Lines(bundle.to_line(_record(cube, out)), tuple(sorted(linked.get(cube.id, ()))))
        for cube, out in zip(cubes, leaving, strict=True)
    }


def _record(cube: Cube, out: Outgoing) -> dict[str, Any]:
    """Return a memory as it is published: its current text as its only version.

    Its reference stays here: it may be the path of a file, or a name.
    """
    version = {
        "version": 1, "title": out.title, "text": out.text, "created": cube.created, "principal": "",
    }  # fmt: skip
    return {
        "id": cube.id, "type": cube.type, "state": "generated", "ref": None, "author": out.author,
        "role": cube.role, "time": cube.time, "created": cube.created, "updated": cube.created,
        "expires": cube.expires, "uses_left": None, "priority": 0, "frozen": False,
        "sensitivity": cube.sensitivity, "tags": list(out.tags), "versions": [version], "places": [],
    }  # fmt: skip
