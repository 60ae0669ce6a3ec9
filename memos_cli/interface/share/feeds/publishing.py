"""Publish memories: choose and redact them, show them to the publisher, then send them.

Meanwhile, readers of the folder find the previous publication or the new one. Files that the index no longer
names are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import TYPE_CHECKING

from memos_cli.cube import LIVE_STATES
from memos_cli.errors import Conflict, MemosError, Refused, UsageError
from memos_cli.files import hold, make_folder
from memos_cli.folders import cache_folder
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.share import feeds
from memos_cli.infrastructure.share import publications as records
from memos_cli.infrastructure.share.publications import Publication
from memos_cli.interface.options import PublishOptions
from memos_cli.interface.redaction.redaction import knows_personal
from memos_cli.interface.share import adapter_files, signing
from memos_cli.interface.share.feeds import feed_files
from memos_cli.interface.share.feeds import feed_index as indexes
from memos_cli.interface.share.feeds.feed_index import Index, Signed
from memos_cli.interface.share.feeds.outgoing import Outgoing, choose, cover, lines_of
from memos_cli.interface.share.feeds.remote import INDEX, Registry
from memos_cli.interface.time.typed_times import read_time

if TYPE_CHECKING:
    from memos_cli.infrastructure.memories.transaction import Transaction
    from memos_cli.interface.session import Session

_LICENCE = re.compile(r"[A-Za-z0-9.+() -]{1,200}")
_OURS = re.compile(r"[0-9a-f]{64}\.mip(\.gz)?|\..*\.part")
"""The files that a publication writes, or left behind when it was interrupted."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A publication before it is sent, to show to the publisher."""

    name: str
    url: str
    signer: str
    serial: int
    wanted: PublishOptions | None
    """None: all of it is withdrawn."""
    memories: tuple[Outgoing, ...]
    withdrawn: tuple[str, ...]
    """The ids of published memories that will be withdrawn."""
    held_back: Mapping[str, int]
    """The numbers of selected memories that are not published, by reason."""
    adapters: tuple[str, ...]
    """Their names."""
    notes: tuple[str, ...]
    current: bool
    """Whether the target has exactly this publication already."""
    _index: Index
    """What is published once it is sent; of what is ``current``, what is."""
    _files: Mapping[str, bytes]
    _items: Mapping[str, tuple[int, bytes | None]]
    """The records to store: see ``infrastructure.publications``."""
    _versions: Mapping[str, tuple[int, int]]
    """By id the version of each memory, and when it was changed last."""
    _known: Publication | None
    _seen: str
    """The sha256 of the index at the target; "": none."""


@dataclass(frozen=True, slots=True)
class Published:
    """The result of sending a publication."""

    name: str
    url: str
    serial: int
    memories: int
    bytes: int
    """Of the bundle."""
    sent: int
    """Bytes that were written."""
    changed: bool


def publications(session: Session) -> list[Publication]:
    """Return the caller's publications, as they were sent last."""
    return records.publications(session.vault.connection, session.principal)


def propose(
    session: Session,
    name: str,
    wanted: PublishOptions | None,
    target: str,
    *,
    withdraw: bool = False,
    replace: bool = False,
) -> Proposal:
    """Return the proposed publication. Without ``wanted`` or ``target``, those of the last time are used.

    ``withdraw`` withdraws all of it; ``replace`` replaces a publication that the same key put there from
    another vault. Raises UsageError, Refused.
    """
    signer = _signer(session, name)
    known = next((each for each in publications(session) if each.name == name), None)
    made = None if withdraw else _wanted(session, name, wanted, known)
    if known is None and not (target and (made or replace)):
        raise UsageError(
            f"nothing is published as {name} yet",
            f"name memories and a folder: memos feed publish {name} --tag TAG --to FOLDER",
        )
    registry = Registry(f"{target.rstrip('/')}/{name}" if target else known.target if known else "")
    there = _there(registry, signer)
    follows = _follows(known, registry, there, replace=replace)
    cubes, held_back = choose(session, made) if made else ([], {})
    session.audit_reads("list", cubes)  # they are shown to the publisher
    if made and not cubes and known is None:
        raise _nothing_to_publish(held_back)
    leaving = [cover(cube, redact=bool(made and made.redact)) for cube in cubes]
    items = lines_of(session, cubes, leaving)
    before = records.published(session.vault.connection, known.n) if known and follows else {}
    serial = 1 + max(known.serial if known else 0, there.index.serial if there else 0)
    now = feed_files.remember(before, items, serial)
    whole = feed_files.write_bundle(items)
    deltas = feed_files.write_deltas(items, now, serial, len(whole) // 2) if follows else []
    uncovered = {cube.n for cube, out in zip(cubes, leaving, strict=True) if not out.covered}
    carried = [feed_files.carry(session, each) for each in adapter_files.outgoing(session, uncovered)]
    index = Index(
        name=name, serial=serial, time=session.now(), licence=made.licence if made else "",
        expires=_end(session, made), memories=len(items),
        root=feeds.root({id: lines.sha256 for id, lines in items.items()}), bundle=feed_files.stored(whole),
        deltas=tuple(delta for delta, _ in deltas), adapters=tuple(held for _, held, _ in carried),
    )  # fmt: skip
    current = there.index if follows and there and _is_there(registry, there.index, index) else None
    return Proposal(
        name=name, url=registry.url, signer=signer, serial=serial, wanted=made,
        memories=tuple(
            out.beside(before.get(out.id, (0, None))[1], items[out.id].sha256) for out in leaving
        ),
        withdrawn=tuple(id for id, (_, seal) in before.items() if seal is not None and id not in items),
        held_back=held_back, adapters=tuple(title for title, _, _ in carried),
        notes=tuple(_notes(known, registry, is_empty=not items)),
        current=current is not None, _index=current or index, _items=now,
        _files={index.bundle.name: whole} | {delta.name: data for delta, data in deltas}
        | {held.name: data for _, held, data in carried},
        _versions={cube.id: (cube.version, cube.updated) for cube in cubes}, _known=known,
        _seen=there.sha256 if there else "",
    )  # fmt: skip


def _notes(known: Publication | None, registry: Registry, *, is_empty: bool) -> Iterator[str]:
    if known and known.target != registry.url:
        yield f"the files at {known.target} stay there; delete that folder to withdraw them"
    if not is_empty and not knows_personal():
        yield "personal data cannot be detected here: pip install 'memos-cli[personal]'"


def _nothing_to_publish(held_back: Mapping[str, int]) -> UsageError:
    if not held_back:
        return UsageError("no memory is selected", "memos list --tag TAG shows the memories of a filter")
    stay = ", ".join(f"{why}: {count}" for why, count in held_back.items())
    return UsageError(
        f"no memory can be published (held back: {stay})",
        "--redact --up-to personal masks and publishes personal data",
    )


def publish(session: Session, proposal: Proposal, on_bytes: Callable[[int], None]) -> Published:
    """Send a proposal: files first, then the index that names them; then delete files that it does not name.

    If it is interrupted, the previous publication stays. Raises Conflict if the memories or the target have
    changed since the proposal.
    """
    made, sent, registry = proposal._index, 0, Registry(proposal.url)
    make_folder(cache_folder())
    with hold(cache_folder() / "publish.lock", timeout=session.settings.lock_timeout):
        there = _there(registry, proposal.signer)
        if (there.sha256 if there else "") != proposal._seen:
            raise _changed(proposal)
        if not proposal.current:
            sizes = registry.sizes()
            for name, data in proposal._files.items():
                if sizes.get(name) != len(data):
                    registry.write(name, data)
                    sent += len(data)
                    on_bytes(len(data))
            line, sha256 = indexes.write(made)
            # Recorded before it is written: an unknown publication there then belongs to somebody else.
            with session.vault.change(session.principal, session.now()) as change:
                _require_same(session, change, proposal)
                wanted = proposal.wanted.to_json() if proposal.wanted else None
                records.record_release(
                    change, proposal.name, proposal.url, wanted, made.serial, sha256, proposal._seen,
                    proposal._items,
                )  # fmt: skip
            registry.write(INDEX, line)
            sent += len(line)
        for name in registry.sizes().keys() - {each.name for each in made.files()}:
            if _OURS.fullmatch(name):
                registry.remove(name)
    return Published(
        proposal.name, proposal.url, made.serial, made.memories, made.bundle.bytes, sent, not proposal.current
    )


def _signer(session: Session, name: str) -> str:
    """Return the name of the publisher's key. Raises UsageError, Refused."""
    if not indexes.NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid name for a publication", "letters, digits, dots and dashes"
        )
    if "share" not in session.access.caller.most:
        raise Refused(f"the token of {session.principal} does not allow you to share", "use an owner's")
    return signing.name_of(signing.signing_key())


def _wanted(
    session: Session, name: str, wanted: PublishOptions | None, known: Publication | None
) -> PublishOptions | None:
    """Return the options: ``wanted``, or those of the last time. Raises UsageError, MemosError."""
    made = wanted and replaced(wanted, ids=tuple(cube.id for cube in session.access.get_many(wanted.ids)))
    if made is None and known is not None:
        if known.wanted is None:
            raise UsageError(
                f"{name} was withdrawn", f"select memories again: memos feed publish {name} --tag TAG"
            )
        made = PublishOptions.of(known.wanted)
    if made and made.licence and not _LICENCE.fullmatch(made.licence):
        raise UsageError(f"{made.licence!r} is not an SPDX expression", "--licence CC-BY-4.0")
    if made and made.redact and not knows_personal():
        raise MemosError(
            "personal data cannot be detected here, so it cannot be masked",
            "pip install 'memos-cli[personal]'",
        )
    return made


def _end(session: Session, wanted: PublishOptions | None) -> int | None:
    if wanted is None or not wanted.expires:
        return None
    expires = read_time(wanted.expires, session.now(), end=True)
    if expires <= session.now():
        raise UsageError(f"it would have ended already: {wanted.expires}", "--expires 90d")
    return expires


# --- what lies there -------------------------------------------------------------------------------


def _there(registry: Registry, signer: str) -> Signed | None:
    """Return the index at the target, if it is the user's. Raises Refused if it is another's."""
    if not registry.has_index():
        return None
    found = indexes.read(registry.read_index(), registry.url)
    if found.signer != signer:
        raise Refused(f"{registry.url} is published by {found.signer}", "choose another name or folder")
    return found


def _follows(known: Publication | None, registry: Registry, there: Signed | None, *, replace: bool) -> bool:
    """Return whether the target has the last publication of this vault, so that a delta can follow it.

    An interrupted publication may be completed now. Raises Refused for any other publication, unless it may
    be replaced.
    """
    if there is None:
        return False
    if known and known.target == registry.url and there.sha256 in (known.sha256, known.replaces):
        return there.sha256 == known.sha256
    if replace:
        return False
    raise Refused(
        f"the publication at {registry.url} is by your key, but from another vault or another principal",
        "choose another name, or add --replace to withdraw that publication",
    )


def _is_there(registry: Registry, there: Index, wanted: Index) -> bool:
    """Return whether the target has all files already: then nothing is sent."""

    def described(index: Index) -> tuple[object, ...]:
        return index.root, index.licence, index.expires, index.adapters

    if wanted.expires or described(there) != described(wanted):
        return False
    sizes = registry.sizes()
    return all(sizes.get(each.name) == each.bytes for each in there.files())


def _require_same(session: Session, change: Transaction, proposal: Proposal) -> None:
    """Raise Conflict if the memories changed since the proposal, or another was published."""
    known = next((each for each in publications(session) if each.name == proposal.name), None)
    cubes = queries.by_rowid(change.db, list(queries.by_ids(change.db, list(proposal._versions)).values()))
    now = {
        cube.id: (cube.version, cube.updated)
        for cube in cubes.values()
        if cube.state in LIVE_STATES and (cube.expires is None or cube.expires > change.now)
    }
    if known != proposal._known or now != proposal._versions:
        raise _changed(proposal)


def _changed(proposal: Proposal) -> Conflict:
    return Conflict("something has changed since this was shown", f"memos feed publish {proposal.name}")
