"""Subscribe to publications of others, update them, and unsubscribe.

Each update is one transaction: afterwards the vault has the memories of the index, or is unchanged. Refused
are an index that is older than the previous one, a different one with the same serial (the host of the files
could hide later changes from this vault), and one of another signer.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from memos_cli.errors import Damaged, MemosError, Refused, UsageError
from memos_cli.folders import cache_folder
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.share import feeds
from memos_cli.infrastructure.share.feeds import Feed, Item
from memos_cli.interface.lifecycle.conflict_resolution import link_new
from memos_cli.interface.missing_vectors import count_missing, embed_if_possible
from memos_cli.interface.share import adapter_files, bundle, signing
from memos_cli.interface.share.bundle import Bundle
from memos_cli.interface.share.bundle_import import covered
from memos_cli.interface.share.bundle_records import IdRecord, read_link, read_memory
from memos_cli.interface.share.exporting import PORTABLE
from memos_cli.interface.share.feeds import feed_index as indexes
from memos_cli.interface.share.feeds.feed_files import WITHDRAWN
from memos_cli.interface.share.feeds.feed_index import Delta, Signed, Stored
from memos_cli.interface.share.feeds.remote import Missing, Registry, normal
from memos_cli.interface.share.trust import require_trust
from memos_cli.validation import convert_record

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

_UNPACKED = 64
"""The maximum ratio of a delta's unpacked size to its file's."""


@dataclass(frozen=True, slots=True)
class Updated:
    """The result of an update of one feed."""

    name: str
    url: str
    signer: str
    licence: str
    serial: int
    current: bool
    """Whether there was nothing new."""
    added: int = 0
    versions: int = 0
    withdrawn: int = 0
    quarantined: int = 0
    received: int = 0
    """Bytes of bundles and deltas."""
    ids: tuple[str, ...] = ()
    """The ids of new and changed memories."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """A feed that was unsubscribed, and how many memories it had here."""

    name: str
    memories: int
    kept: bool


def subscriptions(session: Session) -> list[Feed]:
    """Return the feeds that the caller subscribes to."""
    return [feed for feed in feeds.feeds(session.vault.connection) if feed.principal == session.principal]


def subscribe(
    session: Session,
    url: str,
    name: str,
    *,
    quarantine: bool | None,
    trust: bool,
    on_bytes: Callable[[int], None],
) -> Updated:
    """Subscribe to the publication at ``url`` as ``name`` ("": its own), and import its memories.

    ``quarantine`` None does not change it; for a new feed it means False. Raises Refused for an unknown
    signer, unless ``trust`` is set.
    """
    session.access.require_writer()
    registry = Registry(url)
    found = indexes.read(registry.read_index(), registry.url)
    called = name or found.index.name
    if not indexes.NAME.fullmatch(called):
        raise UsageError(
            f"{called!r} is not a valid name for a feed", "--as NAME: letters, digits, dots and dashes"
        )
    if (there := feeds.by_name(session.vault.unrestricted, called)) is not None:
        if (there.principal, there.url) != (session.principal, registry.url):
            raise UsageError(
                f"there is a feed named {called!r} already", f"memos feed subscribe {url} --as NAME"
            )
        if quarantine is not None:
            with session.vault.change(session.principal, session.now()) as change:
                feeds.set_quarantine(change, there, quarantine)
        return update(session, called, on_bytes)
    require_trust(session, found.signer, trust=trust, hint=f"memos feed subscribe {url} --trust")
    with session.vault.change(session.principal, session.now()) as change:
        feeds.follow(
            change, called, registry.url, found.index.name, found.signer, quarantine=bool(quarantine)
        )
    try:
        return update(session, called, on_bytes)
    except BaseException:
        # Nothing was received. A killed process leaves the feed empty, and the next update fills it.
        with session.vault.change(session.principal, session.now()) as change:
            if (now := feeds.by_name(change.db, called)) is not None and now.serial == 0:
                feeds.leave(change, now, keep=False)
        raise


def update(session: Session, name: str, on_bytes: Callable[[int], None]) -> Updated:
    """Update a feed to the present publication. Raises Refused, Damaged, or MemosError if unreachable."""
    session.access.require_writer()
    try:
        return _update(session, named(session, name), on_bytes)
    except (Missing, _Overtaken):  # it was published again after its index was read, or updated meanwhile
        return _update(session, named(session, name), on_bytes)


def _update(session: Session, feed: Feed, on_bytes: Callable[[int], None]) -> Updated:
    registry = Registry(feed.url)
    found = _accepted(feed, indexes.read(registry.read_index(), registry.url))
    is_here = found.sha256 == feed.sha256
    done = Updated(feed.name, feed.url, found.signer, found.index.licence, found.index.serial, is_here)
    if found.index.expires is not None and found.index.expires <= session.now():
        done = replace(done, notes=("the publication has expired, and was not published again",))
    fetch = partial(_fetch, registry, feed=feed, on_bytes=on_bytes)
    if not is_here:
        done = _bring(session, feed, found, fetch, done)
    if done.withdrawn:
        session.vault.scrub()
    # Also what an update that was cut off has left.
    unembedded = embed_if_possible(session) if count_missing(session) else ()
    rivals = link_new(session, done.ids)
    more, adapter_notes = _take_adapters(session, feed, found, fetch, is_new=not is_here)
    return replace(
        done, received=done.received + sum(each.bytes for each in more),
        notes=(*done.notes, *unembedded, *rivals, *adapter_notes),
    )  # fmt: skip


def _bring(
    session: Session, feed: Feed, found: Signed, fetch: Callable[[Stored], Bundle], done: Updated
) -> Updated:
    """Import a delta or, if there is none or it is damaged, the whole bundle."""
    received, delta = 0, _best_delta(feed, found)
    if delta is not None:
        received = delta.bytes
        try:
            return _take(session, feed, found, fetch(delta), replace(done, received=received), whole=False)
        except (Damaged, Missing):
            pass
    received += found.index.bundle.bytes
    came = fetch(found.index.bundle)
    return _take(session, feed, found, came, replace(done, received=received), whole=True)


def unsubscribe(session: Session, name: str, *, keep: bool) -> Unsubscribed:
    """Unsubscribe from a feed and delete its memories; with ``keep``, they become the caller's own.

    Raises Refused for a token that does not allow you to forget.
    """
    if "admin" not in session.access.caller.most:
        raise Refused(f"the token of {session.principal} does not allow you to forget", "use an owner's")
    feed = named(session, name)
    with (
        session.vault.blob_changes() as blobs,
        session.vault.change(session.principal, session.now()) as change,
    ):
        count, left = feeds.leave(change, feed, keep=keep)
        blobs.update(left)
    if not keep and count:
        session.vault.scrub()
    return Unsubscribed(feed.name, count, keep)


def named(session: Session, name: str) -> Feed:
    """Return a feed of the caller. Raises UsageError if there is none of this name."""
    mine = subscriptions(session)
    found = [feed for feed in mine if feed.name == name] or [
        feed for feed in mine if feed.url == normal(name)
    ]
    if not found:
        raise UsageError(f"no feed is named {name!r}", "`memos feed list` shows them")
    return found[0]


class _Overtaken(MemosError):
    """Signal that another process has updated the feed meanwhile."""


# --- what is accepted ------------------------------------------------------------------------------


def _accepted(feed: Feed, found: Signed) -> Signed:
    """Return an index that may follow the one before. Raises Refused."""
    hint = f"memos feed unsubscribe {feed.name}, then memos feed subscribe {feed.url} --trust"
    if found.index.name != feed.publication:
        raise Refused(
            f"{feed.url} is the publication {found.index.name} now, not {feed.publication}",
            "nothing was changed; ask its publisher",
        )
    if found.signer != feed.signer:
        raise Refused(
            f"{feed.url} is signed by {found.signer} now, not by {feed.signer}",
            f"ask its publisher whether their key has changed; if so: {hint}",
        )
    if found.index.serial < feed.serial:
        raise Refused(
            f"{feed.url} has serial {found.index.serial}, older than the {feed.serial} that was here before",
            "nothing was changed; a cache may lag: try again later, or ask its publisher",
        )
    if found.index.serial == feed.serial and found.sha256 != feed.sha256:
        raise Refused(
            f"{feed.url} has two different publications of serial {feed.serial}", "ask its publisher"
        )
    return found


def _best_delta(feed: Feed, found: Signed) -> Delta | None:
    """Return the shortest delta from the present state of the feed; None: the whole bundle is needed."""
    fitting = [each for each in found.index.deltas if each.since <= feed.serial] if feed.serial else []
    best = min(fitting, key=lambda each: each.bytes, default=None)
    return best if best and best.bytes < found.index.bundle.bytes else None


def _fetch(registry: Registry, stored: Stored, *, feed: Feed, on_bytes: Callable[[int], None]) -> Bundle:
    """Return a bundle of the feed's signer. Raises Damaged."""
    folder = cache_folder() / "feeds"
    data = registry.fetch(stored.name, stored.sha256, stored.bytes, folder, on_bytes)
    if isinstance(stored, Delta):
        data = _unpacked(data, f"{registry.url}/{stored.name}")
    made = bundle.read(io.BytesIO(data))
    if made.signature is None or signing.verify(made.manifest, made.signature) != feed.signer:
        raise Damaged(f"{registry.url}/{stored.name} is not signed by its publisher", "tell its publisher")
    return made


def _unpacked(data: bytes, where: str) -> bytes:
    most = max(_UNPACKED * len(data), 1 << 20)
    try:
        with gzip.open(io.BytesIO(data)) as file:
            plain = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Damaged(f"{where} is damaged: {error}", "tell its publisher") from error
    if len(plain) > most:
        raise Damaged(f"{where} unpacks to more than its publisher says", "tell its publisher")
    return plain


# --- taking in -------------------------------------------------------------------------------------


def _take(
    session: Session, feed: Feed, found: Signed, came: Bundle, done: Updated, *, whole: bool
) -> Updated:
    """Update the vault to the bundle ``came``, all or nothing. Raises Damaged if the index differs."""
    items = _items(came)
    counts = {"added": 0, "versions": 0, "header": 0, "unchanged": 0}
    index = found.index
    with session.vault.blob_changes() as blobs, session.vault.change(feed.owner, session.now()) as change:
        now = feeds.by_name(change.db, feed.name)
        if now is not None and now.sha256 == found.sha256:  # another update came first
            return replace(done, current=True)
        if now is None or now.serial != feed.serial:
            raise _Overtaken(f"another update of {feed.name} came first", f"memos feed update {feed.name}")
        changed = []
        for item in items:
            what = feeds.put(change, feed, item)
            counts[what] += 1
            if what in ("added", "versions") or (what == "header" and feed.quarantine):
                changed.append(feeds.local_id(feed, item.memory.id))
        here = feeds.held(change.db, feed.n)
        gone = here.keys() - {item.memory.id for item in items} if whole else _withdrawn(came)
        withdrawn, left = feeds.withdraw(change, feed, sorted(gone))
        blobs.update(left)
        feeds.link(change, feed, items)
        here = feeds.held(change.db, feed.n)
        if feeds.root({id: seal for id, (_, seal) in here.items()}) != index.root:
            raise Damaged(f"the memories from {feed.url} are not those of its index", "tell its publisher")
        feeds.settle(
            change, feed, serial=index.serial, sha256=found.sha256, licence=index.licence,
            expires=index.expires,
        )  # fmt: skip
    live = [] if feed.quarantine else changed
    return replace(
        done, added=counts["added"], versions=counts["versions"], withdrawn=withdrawn,
        quarantined=len(changed) - len(live), ids=tuple(live),
    )  # fmt: skip


def _items(came: Bundle) -> list[Item]:
    """Return the memories of a bundle. Raises Damaged for an invalid record: its publisher has signed it."""
    linked: dict[str, list[dict[str, Any]]] = {}
    for each in came.parts.get("links.jsonl", ()):
        linked.setdefault(str(each.get("source")), []).append(each)
    items = []
    for number, each in enumerate(came.parts.get("cubes.jsonl", ()), 1):
        try:
            memory = covered(read_memory(each), "allow")  # its hash is signed
            mine = linked.get(memory.id, [])
            seal = feeds.seal(bundle.to_line(each), map(bundle.to_line, mine))
            ends = tuple((kind, target) for _, kind, target in map(read_link, mine) if kind in PORTABLE)
        except (ValueError, RecursionError) as error:
            raise Damaged(f"memory {number} is not valid: {error}", "tell its publisher") from error
        # A publisher may not decide these in somebody else's vault.
        memory = replace(memory, state="generated", priority=0, frozen=False, uses_left=None)
        items.append(Item(memory, ends, seal))
    return items


def _withdrawn(came: Bundle) -> set[str]:
    try:
        return {convert_record(each, IdRecord).id for each in came.parts.get(WITHDRAWN, ())}
    except ValueError as error:
        raise Damaged(f"a withdrawal is damaged: {error}", "tell its publisher") from error


def _take_adapters(
    session: Session, feed: Feed, found: Signed, fetch: Callable[[Stored], Bundle], *, is_new: bool
) -> tuple[list[Stored], list[str]]:
    """Fetch and test new adapters for this reader; drop those that are withdrawn.

    Adapters for other models are not fetched: their memories are read as text. The next update tries again
    what cannot be fetched now. Returns what was fetched, and notes for the user.
    """
    published = {each.sha256: each for each in found.index.adapters}
    known = feeds.adapters(session.vault.connection, feed.n)
    if known.keys() - published.keys():
        with session.vault.blob_changes() as blobs, session.vault.change(feed.owner, session.now()) as change:
            blobs.update(feeds.withdraw_adapters(change, feed, published))
    new = [each for sha256, each in published.items() if sha256 not in known]
    if not new or feed.quarantine:
        return [], []
    model = adapter_files.model_of(session)
    mine = [each for each in new if each.model == model]
    notes = []
    if (more := len(new) - len(mine)) and is_new:
        notes.append(f"adapters there for other models than the one here: {more}; their text serves")
    here = feeds.held(session.vault.connection, feed.n)
    cubes = queries.by_rowid(session.vault.connection, [cube for cube, _ in here.values()] if mine else [])
    numbers = {id: cube for id, (cube, _) in here.items() if cube in cubes}
    versions = {id: cubes[cube].version for id, cube in numbers.items()}
    fetched: list[Stored] = []
    for stored in mine:
        try:
            came = fetch(stored)
        except MemosError as error:
            notes.append(f"an adapter is left for the next update: {error}")
            continue
        fetched.append(stored)
        kept = adapter_files.keep(
            session, came.parts.get(adapter_files.MEMBER, ())[:1], came.files, numbers, versions=versions,
            principal=feed.owner,
        )  # fmt: skip
        notes += [*kept.notes, *adapter_files.examine(session, kept.ids)]
        if kept.again:
            continue
        cube = session.access.get(kept.ids[0]).n if kept.ids else None
        with session.vault.change(feed.owner, session.now()) as change:
            feeds.put_adapter(change, feed, stored.sha256, cube)
    return fetched, notes
