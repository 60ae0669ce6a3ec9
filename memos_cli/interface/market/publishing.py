"""What leaves a vault for everybody who follows it: chosen, covered, shown to its publisher, then sent.

A publication tells what its memories say now: no earlier versions, no places in files, no names of who may
read them here. What changed goes into deltas, each from an earlier serial to now, made anew each time; so
what was withdrawn, or said otherwise before, lies nowhere in the folder any more.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from memos_cli.cube import Cube, Filter
from memos_cli.errors import MemosError, Refused, UsageError
from memos_cli.infrastructure import catalogue, feeds, links
from memos_cli.infrastructure.feeds import Publication
from memos_cli.interface.exchange import adapters, bundle, signing
from memos_cli.interface.exchange.exporting import PORTABLE, why_held
from memos_cli.interface.market import index as indexes
from memos_cli.interface.market.index import Delta, Index, Signed, Stored, StoredAdapter
from memos_cli.interface.market.registry import INDEX, Registry
from memos_cli.interface.reader import parse_when
from memos_cli.interface.secrecy import Sensitive, find_personal, find_secrets, knows_personal, mask

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

WITHDRAWN = "withdrawn.jsonl"
SPANS = (1, 2, 4, 8, 16, 32)
"""How many serials a delta goes back."""
REMEMBERED = 64
"""For how many serials it is known what was withdrawn."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LICENCE = re.compile(r"[A-Za-z0-9.+() -]{1,200}")
_OURS = re.compile(r"[0-9a-f]{64}\.mip(\.gz)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a publication is made of, and how."""

    ids: tuple[str, ...] = ()
    filter: Filter | None = None
    redact: bool = False
    up_to: str = ""
    """The most sensitive that may go; "": as the settings say."""
    licence: str = ""
    expires: str = ""
    """When it ends if it is not published again, as it is typed: ``30d`` counts from each publication."""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "filter": self.filter and catalogue.filter_to_json(self.filter)}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Wanted:
        filter = value["filter"] and catalogue.filter_from_json(value["filter"])
        return cls(**{**value, "ids": tuple(value["ids"]), "filter": filter})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One memory as it leaves."""

    id: str
    title: str
    text: str
    covered: int
    """Stretches of it that are covered: secrets, and personal data."""
    change: str
    """``new``, ``changed`` or ``same``, beside what was published before."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A publication before it is sent: what the publisher is shown."""

    name: str
    url: str
    signer: str
    serial: int
    wanted: Wanted
    memories: tuple[Outgoing, ...]
    withdrawn: tuple[str, ...]
    """Ids of memories that were published, and go."""
    held_back: Mapping[str, int]
    """Why memories that were chosen stay here: how many."""
    adapters: tuple[str, ...]
    """Their names."""
    moved_from: str
    """Where it lay the last time, if that was elsewhere: it still does."""
    current: bool
    """Whether just this lies there already."""
    _index: Index
    _files: Mapping[str, bytes]
    _items: Mapping[str, tuple[int, bytes | None]]
    """What is to be remembered of it: see ``feeds.published``."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was sent."""

    name: str
    url: str
    serial: int
    memories: int
    bytes: int
    """Of the bundle."""
    sent: int
    """Bytes that were written."""
    changed: bool


def publications(memos: Memos) -> list[Publication]:
    """What who asks publishes, as it went out last."""
    return feeds.publications(memos.vault.connection, memos.principal)


def propose(
    memos: Memos, name: str, wanted: Wanted | None, target: str, *, withdraw: bool = False
) -> Proposal:
    """What would go out. What is not ``wanted`` anew, and the ``target``, are those of the last time.

    ``withdraw`` takes all of it back. Raises UsageError, Refused.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a publication", "letters, digits, dots and dashes")
    if "share" not in memos.access.caller.most:
        raise Refused(f"the token of {memos.principal} does not allow to share", "use an owner's")
    key = signing.own_key()
    if key is None:
        raise UsageError("there is no key to sign with", "memos key new")
    known = next((each for each in publications(memos) if each.name == name), None)
    if known is None and (wanted is None or not target):
        raise UsageError(
            f"nothing is published as {name} yet",
            f"name memories, and where to: memos publish {name} --tag TAG --to FOLDER",
        )
    made = wanted or Wanted.of(known.wanted if known else {})
    _check(made)
    registry = Registry(f"{target.rstrip('/')}/{name}" if target else known.target if known else "")
    there = _there(registry, signing.name_of(key))
    chosen, held_back = ([], {}) if withdraw else _choose(memos, made)
    covered = [_cover(cube, redact=made.redact) for cube in chosen]
    items = _items(memos, chosen, [text for text, _ in covered], made.redact)
    if not items and known is None:
        raise UsageError("no memory is to be published", "memos list --tag TAG shows what a filter chooses")
    before: dict[str, tuple[int, bytes | None]] = {}
    previous = None
    if known and there and (known.target, known.sha256) == (registry.url, there.sha256):
        before, previous = feeds.published(memos.vault.connection, known.n), there.index
    serial = 1 + max(known.serial if known else 0, there.index.serial if there else 0)
    now = _remember(before, items, serial)
    whole = {  # as an adapter of them has learned them
        cube.n: cube.id
        for cube, (_, found) in zip(chosen, covered, strict=True)
        if not found and not (made.redact and cube.author)
    }
    carried = [_carry(memos, each, whole) for each in adapters.outgoing(memos, whole)]
    files, deltas = _bundles(items, now, serial if previous else 0)
    expires = parse_when(made.expires, now=memos.now(), future=True) if made.expires else None
    if expires is not None and expires <= memos.now():
        raise UsageError(f"it would have ended already: {made.expires}", "--expires 90d")
    index = Index(
        name=name, serial=serial, time=memos.now(), licence=made.licence,
        expires=expires, memories=len(items), root=feeds.root({id: seal for id, (_, seal) in items.items()}),
        bundle=_stored(files[0]), deltas=tuple(deltas[data] for data in files[1:]),
        adapters=tuple(stored for _, stored, _ in carried),
    )  # fmt: skip
    is_same = previous is not None and not index.expires and _told(previous) == _told(index)
    named = zip([index.bundle, *index.deltas], files, strict=True)
    return Proposal(
        name=name, url=registry.url, signer=signing.name_of(key), serial=serial, wanted=made,
        memories=tuple(
            Outgoing(
                cube.id, _covered(cube.title, made.redact)[0], text, len(found),
                "new" if cube.id not in before or before[cube.id][1] is None
                else "same" if before[cube.id][1] == items[cube.id][1] else "changed",
            )
            for cube, (text, found) in zip(chosen, covered, strict=True)
        ),
        withdrawn=tuple(id for id, (_, seal) in before.items() if seal is not None and id not in items),
        held_back=held_back, adapters=tuple(name for name, _, _ in carried), current=is_same,
        moved_from=known.target if known and known.target != registry.url else "",
        _index=index, _items=now,
        _files={stored.name: data for stored, data in named}
        | {stored.name: data for _, stored, data in carried},
    )  # fmt: skip


def publish(memos: Memos, proposal: Proposal, on_bytes: Callable[[int], None]) -> Published:
    """Send what was proposed: files first, the index that names them last, then what nothing names goes.

    Cut off in between, what lay there before is still what is published.
    """
    made, registry = proposal._index, Registry(proposal.url)
    size = made.bundle.bytes
    if proposal.current:
        return Published(proposal.name, proposal.url, proposal.serial - 1, made.memories, size, 0, False)
    there = registry.names()
    sent = 0
    for name, data in proposal._files.items():
        if name not in there:
            registry.write(name, data)
            sent += len(data)
            on_bytes(len(data))
    line, sha256 = indexes.write(made)
    registry.write(INDEX, line)
    with memos.vault.change(memos.principal, memos.now()) as change:
        feeds.tell_published(
            change, proposal.name, proposal.url, proposal.wanted.to_json(), made.serial, sha256,
            proposal._items,
        )  # fmt: skip
    for name in there - proposal._files.keys():
        if _OURS.fullmatch(name):
            registry.remove(name)
    return Published(proposal.name, proposal.url, made.serial, made.memories, size, sent + len(line), True)


def _told(index: Index) -> tuple[object, ...]:
    return index.root, index.licence, index.expires, index.adapters


def _check(wanted: Wanted) -> None:
    if wanted.licence and not _LICENCE.fullmatch(wanted.licence):
        raise UsageError(f"{wanted.licence!r} is no SPDX expression", "--licence CC-BY-4.0")
    if wanted.redact and not knows_personal():
        raise MemosError(
            "personal data cannot be told here, so it cannot be covered", "pip install 'memos-cli[personal]'"
        )


def _there(registry: Registry, signer: str) -> Signed | None:
    """What lies there now, if it is the user's. Raises Refused for what is another's."""
    if not registry.has_index():
        return None
    found = indexes.read(registry.read_index(), registry.url)
    if found.signer != signer:
        raise Refused(f"{registry.url} is published by {found.signer}", "choose another name, or place")
    return found


# --- choosing and covering -------------------------------------------------------------------------


def _choose(memos: Memos, wanted: Wanted) -> tuple[list[Cube], dict[str, int]]:
    """The memories that may go, by their ids, and why others stay."""
    up_to = wanted.up_to or memos.settings.sensitivity_publish
    cubes = memos.several(wanted.ids) if wanted.filter is None else memos.cubes(filter=wanted.filter)
    held_back: dict[str, int] = {}
    chosen = []
    for cube in cubes:
        if cube.payload != "plaintext" or cube.state not in Filter().states:
            continue
        why = why_held(memos, cube, up_to)
        if not why and up_to == "open" and not wanted.redact and find_personal(_all_of(cube)):
            why = "personal data in it (--redact covers it)"
        if why:
            held_back[why] = held_back.get(why, 0) + 1
        else:
            chosen.append(cube)
    return sorted(chosen, key=lambda cube: cube.id), held_back


def _all_of(cube: Cube) -> str:
    return "\n".join((cube.title, cube.author, cube.text))


def _cover(cube: Cube, *, redact: bool) -> tuple[str, list[Sensitive]]:
    """The text of a memory as it leaves, and what of all that it says is covered."""
    text, found = _covered(cube.text, redact)
    more = [each for part in (cube.title, cube.author) for each in _covered(part, redact)[1]]
    return text, found + more


def _covered(text: str, redact: bool) -> tuple[str, list[Sensitive]]:
    """``text`` without secrets and, to ``redact``, without personal data; and what that was."""
    found = find_secrets(text)
    text = mask(text, found)
    personal = find_personal(text) if redact else []
    return mask(text, personal), found + personal


def _items(
    memos: Memos, cubes: Sequence[Cube], texts: Sequence[str], redact: bool
) -> dict[str, tuple[tuple[bytes, list[bytes]], bytes]]:
    """By id: the line of a memory and those of its links, and the sha256 of them all."""
    ids = {cube.n: cube.id for cube in cubes}
    linked: dict[str, list[bytes]] = {}
    for link in links.links_among(memos.vault.connection, ids.keys()):
        if link.kind in PORTABLE:
            source, target = links.in_order(link.source_id, link.kind, link.target_id)
            line = bundle.to_line({"source": source, "kind": link.kind, "target": target})
            linked.setdefault(source, []).append(line)
    items = {}
    for cube, text in zip(cubes, texts, strict=True):
        line = bundle.to_line(_record(cube, text, redact))
        lines = sorted(linked.get(cube.id, ()))
        items[cube.id] = ((line, lines), hashlib.sha256(line + b"".join(lines)).digest())
    return items


def _record(cube: Cube, text: str, redact: bool) -> dict[str, Any]:
    """A memory as it is published: what it says now, as its only version."""
    version = {
        "version": 1, "title": _covered(cube.title, redact)[0], "text": text, "created": cube.created,
        "principal": "",
    }  # fmt: skip
    return {
        "id": cube.id, "type": cube.type, "state": "generated", "ref": cube.ref,
        "author": "" if redact else cube.author, "role": cube.role, "time": cube.time,
        "created": cube.created, "updated": cube.created, "expires": cube.expires, "uses_left": None,
        "priority": 0, "frozen": False, "sensitivity": cube.sensitivity, "tags": sorted(cube.tags),
        "versions": [version], "places": [],
    }  # fmt: skip


# --- what is written -------------------------------------------------------------------------------


def _remember(
    before: Mapping[str, tuple[int, bytes | None]], items: Mapping[str, tuple[Any, bytes]], serial: int
) -> dict[str, tuple[int, bytes | None]]:
    """Since which serial each memory has been as it is, and since when others are withdrawn."""
    now: dict[str, tuple[int, bytes | None]] = {}
    for id, (_, seal) in items.items():
        known = before.get(id)
        now[id] = known if known is not None and known[1] == seal else (serial, seal)
    for id, (since, last) in before.items():
        if id not in items:
            withdrawn = serial if last is not None else since
            if withdrawn > serial - REMEMBERED:
                now[id] = (withdrawn, None)
    return now


def _bundles(
    items: Mapping[str, tuple[tuple[bytes, list[bytes]], bytes]],
    now: Mapping[str, tuple[int, bytes | None]],
    serial: int,
) -> tuple[list[bytes], dict[bytes, Delta]]:
    """The bundle of all, then the deltas that are worth their bytes; ``serial`` 0: without any."""
    whole = _write(items.keys(), items, ())
    files, deltas = [whole], dict[bytes, Delta]()
    for span in SPANS:
        since = serial - span
        if since < 1:
            break
        changed = [id for id, (at, seal) in now.items() if at > since and seal is not None]
        gone = sorted(id for id, (at, seal) in now.items() if at > since and seal is None)
        data = gzip.compress(_write(changed, items, gone), mtime=0)
        if len(data) > len(whole) // 2:
            break
        files.append(data)
        deltas[data] = Delta(**asdict(_stored(data)), since=since)
    return files, deltas


def _write(
    ids: Iterable[str], items: Mapping[str, tuple[tuple[bytes, list[bytes]], bytes]], gone: Sequence[str]
) -> bytes:
    stream = io.BytesIO()
    chosen = sorted(ids)
    bundle.write_lines(
        stream,
        {
            "cubes.jsonl": b"".join(items[id][0][0] for id in chosen),
            "links.jsonl": b"".join(line for id in chosen for line in items[id][0][1]),
            **({WITHDRAWN: b"".join(bundle.to_line({"id": id}) for id in gone)} if gone else {}),
        },
        signing.sign,
    )
    return stream.getvalue()


def _carry(memos: Memos, adapter: Any, ids: Mapping[int, str]) -> tuple[str, StoredAdapter, bytes]:
    """An adapter as a bundle of its own."""
    record, name, data = adapters.to_member(memos, adapter, ids)
    for source in record["sources"]:
        source["version"] = 1  # a publication has one version of each
    stream = io.BytesIO()
    bundle.write(stream, {adapters.MEMBER: [record]}, signing.sign, {name: data})
    whole = stream.getvalue()
    stored = StoredAdapter(**asdict(_stored(whole)), id=adapter.id, model=adapter.fingerprint["model"])
    return adapter.title, stored, whole


def _stored(data: bytes) -> Stored:
    return Stored(hashlib.sha256(data).hexdigest(), len(data))
