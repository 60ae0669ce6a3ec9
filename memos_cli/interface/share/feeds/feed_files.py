"""The files of a publication: the bundle of all its memories, the changes since, and adapters.

Deltas contain the changes since an earlier serial, and are written again each time from the current memories:
they contain neither withdrawn memories nor earlier texts.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from memos_cli.infrastructure.share import feeds
from memos_cli.interface.share import adapter_files, bundle, signing
from memos_cli.interface.share.feeds.feed_index import Delta, Stored, StoredAdapter

if TYPE_CHECKING:
    from memos_cli.infrastructure.derived.adapters import Adapter
    from memos_cli.interface.session import Session

WITHDRAWN = "withdrawn.jsonl"
SPANS = (1, 2, 4, 8, 16, 32)
"""The maximum number of serials that a delta covers."""
REMEMBERED = 64
"""The number of serials for which withdrawals are recorded."""
Past = Mapping[str, tuple[int, bytes | None]]
"""See ``publications.published``."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A memory in a bundle: its line, and the sorted lines of its links."""

    memory: bytes
    links: tuple[bytes, ...]

    @property
    def sha256(self) -> bytes:
        return feeds.seal(self.memory, self.links)


def remember(before: Past, items: Mapping[str, Lines], serial: int) -> dict[str, tuple[int, bytes | None]]:
    """Return the serial of the last change of each memory, and the serials of withdrawals."""
    now: dict[str, tuple[int, bytes | None]] = {}
    for id, lines in items.items():
        known = before.get(id)
        now[id] = known if known is not None and known[1] == lines.sha256 else (serial, lines.sha256)
    for id, (since, last) in before.items():
        if id not in items:
            withdrawn = serial if last is not None else since
            if withdrawn > serial - REMEMBERED:
                now[id] = (withdrawn, None)
    return now


def write_deltas(items: Mapping[str, Lines], now: Past, serial: int, most: int) -> list[tuple[Delta, bytes]]:
    """Return the changes up to ``serial`` from a few earlier serials, as far as they have at most ``most``
    bytes.
    """
    made: list[tuple[Delta, bytes]] = []
    # Before the oldest of them nothing is known: what was withdrawn then would be missing.
    oldest = min((at for at, _ in now.values()), default=serial)
    for span in SPANS:
        since = serial - span
        if since < oldest:
            break
        changed = [id for id, (at, seal) in now.items() if at > since and seal is not None]
        gone = sorted(id for id, (at, seal) in now.items() if at > since and seal is None)
        data = gzip.compress(write_bundle(items, changed, gone), mtime=0)
        if len(data) > most:
            break
        made.append((Delta(**asdict(stored(data)), since=since), data))
    return made


def write_bundle(
    items: Mapping[str, Lines], ids: Iterable[str] | None = None, gone: Sequence[str] = ()
) -> bytes:
    """Return the signed bundle of the memories ``ids`` (None: all), and of the ids of withdrawn ones."""
    stream = io.BytesIO()
    chosen = sorted(items if ids is None else ids)
    bundle.write_lines(
        stream,
        {
            "cubes.jsonl": [items[id].memory for id in chosen],
            "links.jsonl": [line for id in chosen for line in items[id].links],
            **({WITHDRAWN: [bundle.to_line({"id": id}) for id in gone]} if gone else {}),
        },
        signing.sign,
    )
    return stream.getvalue()


def carry(session: Session, adapter: Adapter) -> tuple[str, StoredAdapter, bytes]:
    """Return an adapter of memories that need no masking, as a bundle of its own, with its name."""
    record, name, data = adapter_files.to_member(session, adapter, public=True)
    for source in record["sources"]:
        source["version"] = 1  # a publication has one version of each
    stream = io.BytesIO()
    bundle.write(stream, {adapter_files.MEMBER: [record]}, signing.sign, {name: data})
    whole = stream.getvalue()
    held = StoredAdapter(**asdict(stored(whole)), id=adapter.id, model=adapter.fingerprint["model"])
    return record["title"], held, whole


def stored(data: bytes) -> Stored:
    """Return a file as an index names it."""
    return Stored(hashlib.sha256(data).hexdigest(), len(data))
