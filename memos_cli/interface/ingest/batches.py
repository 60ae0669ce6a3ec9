"""The transactions of an ingest: small sources share one, a large source needs several."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from memos_cli.cube import Origin
from memos_cli.errors import Locked
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.vault.vault import Vault

PART = 2000
"""Drafts that are committed together."""
SHARED = 1.0
"""Seconds for which small sources share a transaction: as long as another writer waits."""


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Disable garbage collection in this block: it would walk the many values of a large source again and
    again, none of which is garbage (6 % of an ingest of 100,000)."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


class SharedTransaction:
    """One transaction for several sources, each of which would wait for the disk."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._begin_one, self._stack, self._since = begin, ExitStack(), 0.0
        self._change: Transaction | None = None

    @contextmanager
    def enter(self) -> Iterator[Transaction]:
        if self._change is None:
            self._change, self._since = self._stack.enter_context(self._begin_one()), time.monotonic()
        try:
            yield self._change
        except BaseException:
            self.drop()
            raise
        if time.monotonic() - self._since > SHARED:
            self.flush()

    def flush(self) -> None:
        """Commit the pending sources."""
        self._change = None
        self._stack.close()

    def drop(self) -> None:
        """Roll back the pending sources."""
        if self._change is not None:
            self._change = None
            with suppress(_Undone):
                self._stack.__exit__(_Undone, _Undone(), None)


class _Undone(Exception):
    """Signal that a transaction must be rolled back."""


class Parts:
    """The transactions of one source: each takes about PART drafts, and a short source just one."""

    def __init__(
        self,
        vault: Vault,
        begin: Callable[[], AbstractContextManager[Transaction]],
        origin: Origin,
        on_drafts: Callable[[int], None],
        stack: ExitStack,
        blobs: set[str],
    ) -> None:
        self._begin, self._uri, self._on_drafts, self._stack = begin, origin.uri, on_drafts, stack
        self._change = stack.enter_context(begin())
        known = queries.source(self._change.db, origin.uri, self._change.principal)
        blobs.update({known.blob or ""} if known else ())
        text = origin.converted
        blob = None if text is None else vault.blobs.put(vault.blobs.seal(text), blobs)
        self.source, self._claim = self._change.claim_source(origin, blob)
        self.known = queries.places(self._change.db, self.source)
        self._count = 0

    def next(self, count: int) -> Transaction:
        """Return the transaction for the next ``count`` drafts; commit a full one first."""
        if self._count and self._count + count > PART:
            self._stack.close()
            self._change = self._stack.enter_context(self._begin())
            if not self._change.holds_claim(self.source, self._claim):
                raise Locked(f"another memos ingests {self._uri} now", "it stores this source")
            self._count = 0
        self._count += count
        self._on_drafts(count)
        return self._change
