"""Following what others publish: the first time, again and again, and no longer.

Each update is one transaction: afterwards the vault holds what the index says, or what it held before. What
is refused: an index that is older than the one before, or another of the same serial (whoever keeps the files
could hide from this vault what has happened since), and one with another signer.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from memos_cli.errors import Damaged, MemosError, Refused, UsageError
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.share import feeds
from memos_cli.infrastructure.share.feeds import Feed, Item
from memos_cli.interface.share import adapter_files, bundle, signing
from memos_cli.interface.share.bundle import Bundle
from memos_cli.interface.share.bundle_import import covered, to_foreign
from memos_cli.interface.share.exporting import PORTABLE
from memos_cli.interface.share.feeds import feed_index as indexes
from memos_cli.interface.share.feeds.feed_files import WITHDRAWN
from memos_cli.interface.share.feeds.feed_index import Delta, Signed, Stored
from memos_cli.interface.share.feeds.remote import Missing, Registry, normal
from memos_cli.interface.share.trust import require_trust
from memos_cli.settings import cache_folder

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

_UNPACKED = 64
"""How many times larger than its file a delta may be."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update of one feed came to."""

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
    """What is new here, or says something new."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """A feed that is followed no longer, and how many memories it had here."""

    name: str
    memories: int
    kept: bool


def subscriptions(memos: Memos) -> list[Feed]:
    """What who asks follows."""
    return [feed for feed in feeds.feeds(memos.vault.connection) if feed.principal == memos.principal]


def subscribe(
    memos: Memos,
    url: str,
    name: str,
    *,
    quarantine: bool | None,
    trust: bool,
    on_bytes: Callable[[int], None],
) -> Updated:
    """Follow what is published at ``url``, as ``name`` ("": its own), and take it in.

    ``quarantine`` None: as it is, for a new one False. Raises Refused for a signer who is not known here,
    unless they are to be trusted from now on.
    """
    memos.access.require_writer()
    registry = Registry(url)
    found = indexes.read(registry.read_index(), registry.url)
    called = name or found.index.name
    if not indexes.NAME.fullmatch(called):
        raise UsageError(f"{called!r} is no name for a feed", "--as NAME: letters, digits, dots and dashes")
    if (there := feeds.by_name(memos.vault.whole, called)) is not None:
        if (there.principal, there.url) != (memos.principal, registry.url):
            raise UsageError(
                f"there is a feed named {called!r} already", f"memos feed subscribe {url} --as NAME"
            )
        if quarantine is not None:
            with memos.vault.change(memos.principal, memos.now()) as change:
                feeds.set_quarantine(change, there, quarantine)
        return update(memos, called, on_bytes)
    require_trust(memos, found.signer, trust=trust, hint=f"memos feed subscribe {url} --trust")
    with memos.vault.change(memos.principal, memos.now()) as change:
        feeds.follow(
            change, called, registry.url, found.index.name, found.signer, quarantine=bool(quarantine)
        )
    try:
        return update(memos, called, on_bytes)
    except BaseException:
        # Nothing of it has come. A killed process leaves the feed empty, and the next update fills it.
        with memos.vault.change(memos.principal, memos.now()) as change:
            if (now := feeds.by_name(change.db, called)) is not None and now.serial == 0:
                feeds.leave(change, now, keep=False)
        raise


def update(memos: Memos, name: str, on_bytes: Callable[[int], None]) -> Updated:
    """Bring a feed to what is published now. Raises Refused, Damaged; MemosError where it cannot be had."""
    memos.access.require_writer()
    try:
        return _update(memos, named(memos, name), on_bytes)
    except (Missing, _Overtaken):  # it was published anew after its index was read, or updated meanwhile
        return _update(memos, named(memos, name), on_bytes)


def _update(memos: Memos, feed: Feed, on_bytes: Callable[[int], None]) -> Updated:
    registry = Registry(feed.url)
    found = _accepted(feed, indexes.read(registry.read_index(), registry.url))
    is_here = found.sha256 == feed.sha256
    done = Updated(
        feed.name, feed.url, found.signer, found.index.licence, found.index.serial, is_here,
        notes=tuple(_ending(memos, found)),
    )  # fmt: skip
    fetch = partial(_fetch, registry, feed=feed, on_bytes=on_bytes)
    if not is_here:
        done = _bring(memos, feed, found, fetch, done)
    if done.withdrawn:
        memos.vault.settle()
    # Also what an update that was cut off has left.
    unembedded = memos.embed_if_possible() if memos.count_waiting() else ()
    rivals = _rivals(memos, done.ids)
    more, told = _take_adapters(memos, feed, found, fetch, is_new=not is_here)
    return replace(
        done, received=done.received + sum(each.bytes for each in more),
        notes=(*done.notes, *unembedded, *rivals, *told),
    )  # fmt: skip


def _bring(
    memos: Memos, feed: Feed, found: Signed, fetch: Callable[[Stored], Bundle], done: Updated
) -> Updated:
    """Take in a delta or, where there is none or it does not come out right, the whole bundle."""
    received, delta = 0, _best_delta(feed, found)
    if delta is not None:
        received = delta.bytes
        try:
            return _take(memos, feed, found, fetch(delta), replace(done, received=received), whole=False)
        except (Damaged, Missing):
            pass
    received += found.index.bundle.bytes
    came = fetch(found.index.bundle)
    return _take(memos, feed, found, came, replace(done, received=received), whole=True)


def unsubscribe(memos: Memos, name: str, *, keep: bool) -> Unsubscribed:
    """Follow a feed no longer. Its memories go; or, to ``keep``, they are one's own from now on.

    Raises Refused for a token that does not allow to forget.
    """
    if "admin" not in memos.access.caller.most:
        raise Refused(f"the token of {memos.principal} does not allow to forget", "use an owner's")
    feed = named(memos, name)
    with memos.vault.blob_changes() as blobs, memos.vault.change(memos.principal, memos.now()) as change:
        count, left = feeds.leave(change, feed, keep=keep)
        blobs.update(left)
    if not keep and count:
        memos.vault.settle()
    return Unsubscribed(feed.name, count, keep)


def named(memos: Memos, name: str) -> Feed:
    """A feed of who asks. Raises UsageError where there is none of this name."""
    mine = subscriptions(memos)
    for feed in mine:
        if feed.name == name:
            return feed
    for feed in mine:
        if feed.url == normal(name):
            return feed
    raise UsageError(f"no feed is named {name!r}", "`memos feed subscribe` lists them")


class _Overtaken(MemosError):
    """Another process has brought the feed to another publication meanwhile."""


# --- what is accepted ------------------------------------------------------------------------------


def _accepted(feed: Feed, found: Signed) -> Signed:
    """An index that may follow the one before. Raises Refused."""
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


def _ending(memos: Memos, found: Signed) -> list[str]:
    ends = found.index.expires
    if ends is not None and ends <= memos.now():
        return ["what is published there has ended, and was not published again"]
    return []


def _best_delta(feed: Feed, found: Signed) -> Delta | None:
    """The shortest way from what is here; None: the whole bundle."""
    fitting = [each for each in found.index.deltas if each.since <= feed.serial] if feed.serial else []
    best = min(fitting, key=lambda each: each.bytes, default=None)
    return best if best and best.bytes < found.index.bundle.bytes else None


def _fetch(registry: Registry, stored: Stored, *, feed: Feed, on_bytes: Callable[[int], None]) -> Bundle:
    """A bundle of the feed's signer. Raises Damaged."""
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
        raise Damaged(f"{where} is no whole file: {error}", "tell its publisher") from error
    if len(plain) > most:
        raise Damaged(f"{where} unpacks to more than can be", "tell its publisher")
    return plain


# --- taking in -------------------------------------------------------------------------------------


def _take(memos: Memos, feed: Feed, found: Signed, came: Bundle, done: Updated, *, whole: bool) -> Updated:
    """Bring the vault to what ``came`` says, all or nothing. Raises Damaged if the index says otherwise."""
    items = _items(came)
    counts = {"added": 0, "versions": 0, "header": 0, "unchanged": 0}
    index = found.index
    with memos.vault.blob_changes() as blobs, memos.vault.change(feed.owner, memos.now()) as change:
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
            raise Damaged(f"what came from {feed.url} is not what its index says", "tell its publisher")
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
    """The memories of a bundle. Raises Damaged for a record that is none: its publisher has signed that."""
    linked: dict[str, list[dict[str, Any]]] = {}
    for each in came.parts.get("links.jsonl", ()):
        linked.setdefault(str(each.get("source")), []).append(each)
    items = []
    for number, each in enumerate(came.parts.get("cubes.jsonl", ()), 1):
        try:
            memory = covered(to_foreign(each), "allow")  # its hash is signed
            mine = linked.get(memory.id, [])
            seal = feeds.seal(bundle.to_line(each), map(bundle.to_line, mine))
            ends = tuple(
                (str(link["kind"]), str(link["target"])) for link in mine if link["kind"] in PORTABLE
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise Damaged(
                f"memory {number} is none: {type(error).__name__} {error}", "tell its publisher"
            ) from error
        # What a publisher may not say of somebody else's vault.
        memory = replace(memory, state="generated", priority=0, frozen=False, uses_left=None)
        items.append(Item(memory, ends, seal))
    return items


def _withdrawn(came: Bundle) -> set[str]:
    return {str(each.get("id")) for each in came.parts.get(WITHDRAWN, ())}


def _take_adapters(
    memos: Memos, feed: Feed, found: Signed, fetch: Callable[[Stored], Bundle], *, is_new: bool
) -> tuple[list[Stored], list[str]]:
    """Fetch and examine the adapters for the reader here that are not here yet; let go of what is withdrawn.

    Of other models the text serves; their adapters are not fetched. What cannot be had is told, and tried
    again by the next update. Returns what was fetched, and what is to be told.
    """
    published = {each.sha256: each for each in found.index.adapters}
    known = feeds.adapters(memos.vault.connection, feed.n)
    if known.keys() - published.keys():
        with memos.vault.blob_changes() as blobs, memos.vault.change(feed.owner, memos.now()) as change:
            blobs.update(feeds.withdraw_adapters(change, feed, published))
    new = [each for sha256, each in published.items() if sha256 not in known]
    if not new or feed.quarantine:
        return [], []
    model = adapter_files.model_of(memos)
    mine = [each for each in new if each.model == model]
    told = []
    if (more := len(new) - len(mine)) and is_new:
        told.append(f"adapters there for other models than the reader here: {more}; their text serves")
    here = feeds.held(memos.vault.connection, feed.n)
    cubes = queries.by_rowid(memos.vault.connection, [cube for cube, _ in here.values()] if mine else [])
    numbers = {id: cube for id, (cube, _) in here.items() if cube in cubes}
    versions = {id: cubes[cube].version for id, cube in numbers.items()}
    fetched: list[Stored] = []
    for stored in mine:
        try:
            came = fetch(stored)
        except MemosError as error:
            told.append(f"an adapter is left for the next update: {error}")
            continue
        fetched.append(stored)
        kept = adapter_files.keep(
            memos, came.parts.get(adapter_files.MEMBER, ())[:1], came.files, numbers, versions=versions,
            principal=feed.owner,
        )  # fmt: skip
        told += [*kept.told, *adapter_files.examine(memos, kept.ids)]
        if kept.again:
            continue
        cube = memos.access.one(kept.ids[0]).n if kept.ids else None
        with memos.vault.change(feed.owner, memos.now()) as change:
            feeds.put_adapter(change, feed, stored.sha256, cube)
    return fetched, told


def _rivals(memos: Memos, ids: Sequence[str]) -> list[str]:
    """Link what is new with what of one's own it contradicts, where that is few; else the night does."""
    from memos_cli.interface.lifecycle.conflicts import link_new
    from memos_cli.interface.memory import FEW

    return link_new(memos, ids) if 0 < len(ids) <= FEW else []
