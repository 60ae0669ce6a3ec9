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
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from memos_cli.cube import Cube, Filter
from memos_cli.errors import Conflict, MemosError, Refused, UsageError
from memos_cli.infrastructure import catalogue, feeds, links
from memos_cli.infrastructure import publications as records
from memos_cli.infrastructure.publications import Publication
from memos_cli.interface.exchange import adapters, bundle, signing
from memos_cli.interface.exchange.exporting import PORTABLE, why_held
from memos_cli.interface.market import index as indexes
from memos_cli.interface.market.index import Delta, Index, Signed, Stored, StoredAdapter
from memos_cli.interface.market.registry import INDEX, Registry
from memos_cli.interface.reader import parse_when
from memos_cli.interface.secrecy import find_personal, find_secrets, knows_personal, mask

if TYPE_CHECKING:
    from memos_cli.infrastructure.adapters import Adapter
    from memos_cli.infrastructure.changes import Change
    from memos_cli.interface.memory import Memos

WITHDRAWN = "withdrawn.jsonl"
SPANS = (1, 2, 4, 8, 16, 32)
"""How many serials a delta goes back."""
REMEMBERED = 64
"""For how many serials it is known what was withdrawn."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LICENCE = re.compile(r"[A-Za-z0-9.+() -]{1,200}")
_OURS = re.compile(r"[0-9a-f]{64}\.mip(\.gz)?|\..*\.part")
"""Files that a publication writes, or left behind when it was cut off."""


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
    author: str
    tags: tuple[str, ...]
    covered: int
    """Stretches of it that are covered, or left out: secrets, and personal data."""
    change: str = "new"
    """``new``, ``changed`` or ``same``, beside what was published before."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A publication before it is sent: what the publisher is shown."""

    name: str
    url: str
    signer: str
    serial: int
    wanted: Wanted | None
    """None: all of it is withdrawn."""
    memories: tuple[Outgoing, ...]
    withdrawn: tuple[str, ...]
    """Ids of memories that were published, and go."""
    held_back: Mapping[str, int]
    """Why memories that were chosen stay here: how many."""
    adapters: tuple[str, ...]
    """Their names."""
    notes: tuple[str, ...]
    current: bool
    """Whether just this lies there already."""
    _index: Index
    """What is published once it is sent; of what is ``current``, what is."""
    _files: Mapping[str, bytes]
    _items: Mapping[str, tuple[int, bytes | None]]
    """What is to be remembered of it: see ``infrastructure.publications``."""
    _versions: Mapping[str, int]
    _known: Publication | None
    _seen: str
    """The sha256 of the index that lay there; "": none."""


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
    return records.publications(memos.vault.connection, memos.principal)


def propose(
    memos: Memos,
    name: str,
    wanted: Wanted | None,
    target: str,
    *,
    withdraw: bool = False,
    replace: bool = False,
) -> Proposal:
    """What would go out. What is not ``wanted`` anew, and the ``target``, are those of the last time.

    ``withdraw`` takes all of it back; ``replace`` puts it in the place of what the same key has published
    there from elsewhere. Raises UsageError, Refused.
    """
    signer = _signer(memos, name)
    known = next((each for each in publications(memos) if each.name == name), None)
    made = None if withdraw else _wanted(memos, name, wanted, known)
    if known is None and (made is None or not target):
        raise UsageError(
            f"nothing is published as {name} yet",
            f"name memories, and where to: memos publish {name} --tag TAG --to FOLDER",
        )
    registry = Registry(f"{target.rstrip('/')}/{name}" if target else known.target if known else "")
    there = _there(registry, signer)
    follows = known is not None and there is not None and _follows(known, registry, there, replace=replace)
    if there is not None and known is None and not replace:
        raise _published_elsewhere(registry)
    cubes, held_back = _choose(memos, made) if made else ([], {})
    if not cubes and known is None:
        raise UsageError("no memory is to be published", "memos list --tag TAG shows what a filter chooses")
    leaving = [_cover(cube, redact=bool(made and made.redact)) for cube in cubes]
    items = _items(memos, cubes, leaving)
    before = records.published(memos.vault.connection, known.n) if known and follows else {}
    serial = 1 + max(known.serial if known else 0, there.index.serial if there else 0)
    now = _remember(before, items, serial)
    files, deltas = _bundles(items, now, serial if follows else 0)
    uncovered = {cube.n: cube.id for cube, out in zip(cubes, leaving, strict=True) if not out.covered}
    carried = [_carry(memos, each, uncovered) for each in adapters.outgoing(memos, uncovered)]
    index = Index(
        name=name, serial=serial, time=memos.now(), licence=made.licence if made else "",
        expires=_end(memos, made), memories=len(items),
        root=feeds.root({id: seal for id, (_, seal) in items.items()}),
        bundle=_stored(files[0]), deltas=tuple(deltas[data] for data in files[1:]),
        adapters=tuple(stored for _, stored, _ in carried),
    )  # fmt: skip
    is_current = follows and there is not None and _is_there(registry, there.index, index)
    named = zip([index.bundle, *index.deltas], files, strict=True)
    notes = []
    if known and known.target != registry.url:
        notes.append(f"what lies at {known.target} stays there; delete that folder to take it back")
    if items and not knows_personal():
        notes.append("personal data cannot be told here: pip install 'memos-cli[personal]'")
    return Proposal(
        name=name, url=registry.url, signer=signer, serial=serial, wanted=made,
        memories=tuple(_compared(out, before, items[out.id][1]) for out in leaving),
        withdrawn=tuple(id for id, (_, seal) in before.items() if seal is not None and id not in items),
        held_back=held_back, adapters=tuple(title for title, _, _ in carried), notes=tuple(notes),
        current=is_current, _index=there.index if is_current and there else index, _items=now,
        _files={stored.name: data for stored, data in named}
        | {stored.name: data for _, stored, data in carried},
        _versions={cube.id: cube.version for cube in cubes}, _known=known,
        _seen=there.sha256 if there else "",
    )  # fmt: skip


def publish(memos: Memos, proposal: Proposal, on_bytes: Callable[[int], None]) -> Published:
    """Send what was proposed: files first, the index that names them last, then what nothing names goes.

    Cut off in between, what lay there before is still what is published. Raises Conflict where the memories,
    or what lies there, are not those of the proposal any more.
    """
    made, registry = proposal._index, Registry(proposal.url)
    sent = 0
    if not proposal.current:
        there = registry.sizes()
        for name, data in proposal._files.items():
            if there.get(name) != len(data):
                registry.write(name, data)
                sent += len(data)
                on_bytes(len(data))
        line, sha256 = indexes.write(made)
        # Noted before it is there: what lies there then, and is not known here, is somebody else's.
        with memos.vault.change(memos.principal, memos.now()) as change:
            _require_unchanged(memos, change, proposal, registry)
            wanted = proposal.wanted.to_json() if proposal.wanted else None
            records.tell_published(
                change, proposal.name, proposal.url, wanted, made.serial, sha256, proposal._items
            )
        registry.write(INDEX, line)
        sent += len(line)
    named = {each.name for each in made.files()}
    for name in registry.sizes().keys() - named:
        if _OURS.fullmatch(name):
            registry.remove(name)
    return Published(
        proposal.name, proposal.url, made.serial, made.memories, made.bundle.bytes, sent, not proposal.current
    )


def _signer(memos: Memos, name: str) -> str:
    """The key of who publishes. Raises UsageError, Refused."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a publication", "letters, digits, dots and dashes")
    if "share" not in memos.access.caller.most:
        raise Refused(f"the token of {memos.principal} does not allow to share", "use an owner's")
    key = signing.own_key()
    if key is None:
        raise UsageError("there is no key to sign with", "memos key new")
    return signing.name_of(key)


def _wanted(memos: Memos, name: str, wanted: Wanted | None, known: Publication | None) -> Wanted | None:
    """What is to be published: anew, or as it was the last time. Raises UsageError, MemosError."""
    made = wanted and replaced(wanted, ids=tuple(cube.id for cube in memos.several(wanted.ids)))
    if made is None and known is not None:
        if known.wanted is None:
            raise UsageError(f"{name} was withdrawn", f"say again what: memos publish {name} --tag TAG")
        made = Wanted.of(known.wanted)
    if made and made.licence and not _LICENCE.fullmatch(made.licence):
        raise UsageError(f"{made.licence!r} is no SPDX expression", "--licence CC-BY-4.0")
    if made and made.redact and not knows_personal():
        raise MemosError(
            "personal data cannot be told here, so it cannot be covered", "pip install 'memos-cli[personal]'"
        )
    return made


def _end(memos: Memos, wanted: Wanted | None) -> int | None:
    if wanted is None or not wanted.expires:
        return None
    expires = parse_when(wanted.expires, now=memos.now(), future=True)
    if expires <= memos.now():
        raise UsageError(f"it would have ended already: {wanted.expires}", "--expires 90d")
    return expires


# --- what lies there -------------------------------------------------------------------------------


def _there(registry: Registry, signer: str) -> Signed | None:
    """What lies there now, if it is the user's. Raises Refused for what is another's."""
    if not registry.has_index():
        return None
    found = indexes.read(registry.read_index(), registry.url)
    if found.signer != signer:
        raise Refused(f"{registry.url} is published by {found.signer}", "choose another name, or place")
    return found


def _follows(known: Publication, registry: Registry, there: Signed, *, replace: bool) -> bool:
    """Whether what lies there is what went out last from here, so that a delta can follow it.

    An older one is what a publication that was cut off did not get to replace. Raises Refused for any other,
    unless it is to be replaced.
    """
    if known.target == registry.url and known.sha256 == there.sha256:
        return True
    if not replace and (known.target != registry.url or there.index.serial >= known.serial):
        raise _published_elsewhere(registry)
    return False


def _published_elsewhere(registry: Registry) -> Refused:
    return Refused(
        f"what lies at {registry.url} was published by your key from another vault, or by another principal",
        "choose another name; or --replace withdraws what is there",
    )


def _is_there(registry: Registry, there: Index, wanted: Index) -> bool:
    """Whether what lies there is all that would be written: then nothing has to be."""

    def told(index: Index) -> tuple[object, ...]:
        return index.root, index.licence, index.expires, index.adapters

    if wanted.expires or told(there) != told(wanted):
        return False
    sizes = registry.sizes()
    return all(sizes.get(each.name) == each.bytes for each in there.files())


def _require_unchanged(memos: Memos, change: Change, proposal: Proposal, registry: Registry) -> None:
    """Raise Conflict unless the memories, and what lies there, are as they were when it was proposed."""
    again = Conflict("something has changed since this was shown", f"memos publish {proposal.name}")
    known = next((each for each in publications(memos) if each.name == proposal.name), None)
    if known != proposal._known:
        raise again
    here = catalogue.by_ids(change.db, list(proposal._versions))
    cubes = catalogue.by_number(change.db, list(here.values()))
    now = {cube.id: cube.version for cube in cubes.values() if cube.state in Filter().states}
    if now != proposal._versions:
        raise again
    there = registry.read_index() if registry.has_index() else b""
    if (indexes.read(there, registry.url).sha256 if there else "") != proposal._seen:
        raise again


# --- choosing and covering -------------------------------------------------------------------------


def _choose(memos: Memos, wanted: Wanted) -> tuple[list[Cube], dict[str, int]]:
    """The memories that may go, by their ids, and why others stay."""
    up_to = wanted.up_to or memos.settings.sensitivity_publish
    if wanted.filter is None:
        here = catalogue.by_ids(memos.vault.connection, wanted.ids)  # those that are still there
        cubes = memos.several(list(here))
    else:
        cubes = [*memos.cubes(filter=wanted.filter)]
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
    return "\n".join((cube.title, cube.author, *cube.tags, cube.text))


def _cover(cube: Cube, *, redact: bool) -> Outgoing:
    """A memory as it leaves: without secrets and, to ``redact``, without personal data and who said it.

    A tag that holds any of it is left out.
    """
    text, count = _covered(cube.text, redact)
    title, more = _covered(cube.title, redact)
    author, said = ("", int(bool(cube.author))) if redact else _covered(cube.author, redact)
    tags = tuple(sorted(tag for tag in cube.tags if not _covered(tag, redact)[1]))
    return Outgoing(cube.id, title, text, author, tags, count + more + said + len(cube.tags) - len(tags))


def _covered(text: str, redact: bool) -> tuple[str, int]:
    """``text`` as it may leave, and how many stretches of it are covered."""
    found = find_secrets(text)
    text = mask(text, found)
    personal = find_personal(text) if redact else []
    return mask(text, personal), len(found) + len(personal)


def _compared(out: Outgoing, before: Mapping[str, tuple[int, bytes | None]], seal: bytes) -> Outgoing:
    known = before.get(out.id, (0, None))[1]
    return replaced(out, change="new" if known is None else "same" if known == seal else "changed")


def _items(
    memos: Memos, cubes: Sequence[Cube], leaving: Sequence[Outgoing]
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
    for cube, out in zip(cubes, leaving, strict=True):
        line = bundle.to_line(_record(cube, out))
        lines = sorted(linked.get(cube.id, ()))
        items[cube.id] = ((line, lines), hashlib.sha256(line + b"".join(lines)).digest())
    return items


def _record(cube: Cube, out: Outgoing) -> dict[str, Any]:
    """A memory as it is published: what it says now, as its only version.

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


def _carry(memos: Memos, adapter: Adapter, ids: Mapping[int, str]) -> tuple[str, StoredAdapter, bytes]:
    """An adapter of memories of which nothing is covered, as a bundle of its own."""
    record, name, data = adapters.to_member(memos, adapter, ids, public=True)
    for source in record["sources"]:
        source["version"] = 1  # a publication has one version of each
    stream = io.BytesIO()
    bundle.write(stream, {adapters.MEMBER: [record]}, signing.sign, {name: data})
    whole = stream.getvalue()
    stored = StoredAdapter(**asdict(_stored(whole)), id=adapter.id, model=adapter.fingerprint["model"])
    return record["title"], stored, whole


def _stored(data: bytes) -> Stored:
    return Stored(hashlib.sha256(data).hexdigest(), len(data))
