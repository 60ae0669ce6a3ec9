"""The part of the Memory API that changes memories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Filter
from memos_cli.interface.session import Session

if TYPE_CHECKING:
    from memos_cli.interface.lifecycle.conflict_resolution import Conflict
    from memos_cli.interface.lifecycle.linking import LinkStep, Merged
    from memos_cli.interface.lifecycle.quarantine_review import Quarantined
    from memos_cli.interface.results import Edited, Forgotten, Tagged

_ANY = Filter()


class Changes(Session):
    """Edit, archive, tag, link, merge and forget memories; see ``Memos``."""

    def edit(self, id: str, *, text: str | None = None, title: str | None = None, seen: int = 0) -> Edited:
        """Give a memory a new version. The old one stays in its history.

        ``seen`` is the version that was edited, 0 for any. Raises Conflict if there is a newer one.
        """
        from memos_cli.interface.lifecycle.editing import edit

        return edit(self, id, text, title, seen)

    def rollback(self, id: str, to: int) -> Edited:
        """Give a memory a new version with the text of an old one."""
        from memos_cli.interface.lifecycle.versions import rollback

        return rollback(self, id, to)

    def archive(self, ids: Sequence[str] = (), *, filter: Filter | None = None) -> Tagged:
        """Archive memories: searches and prompts leave them out. Nothing is deleted."""
        from memos_cli.interface.lifecycle import archiving

        return archiving.move(self, ids, filter, "archive")

    def restore(self, ids: Sequence[str] = (), *, filter: Filter | None = None) -> Tagged:
        """Restore archived and expired memories: searches and prompts use them again."""
        from memos_cli.interface.lifecycle import archiving

        return archiving.move(self, ids, filter, "restore")

    def expire(self, ids: Sequence[str], at: int | None, *, uses: int | None = None) -> Tagged:
        """Set when memories expire: at a time, or after so many uses; both None: never."""
        from memos_cli.interface.lifecycle import archiving

        return archiving.expire(self, ids, at, uses)

    def freeze(self, ids: Sequence[str], *, thaw: bool = False) -> Tagged:
        """Make memories read-only: they cannot be edited or forgotten; with ``thaw``, editable again."""
        from memos_cli.interface.lifecycle import archiving

        return archiving.freeze(self, ids, thaw=thaw)

    def tag(
        self, ids: Sequence[str], tags: Sequence[str], *, remove: bool = False, untag: Sequence[str] = ()
    ) -> Tagged:
        """Add ``tags`` to memories, or ``remove`` them; and remove the tags ``untag``. All or nothing."""
        from memos_cli.interface.lifecycle.editing import tag

        return tag(self, ids, tags, remove=remove, untag=untag)

    def pin(self, ids: Sequence[str], view: str = "", *, remove: bool = False) -> Tagged:
        """Put memories at the start of every prompt of a view, or ``remove`` them from there."""
        from memos_cli.interface.lifecycle.editing import pin

        return pin(self, ids, view, remove=remove)

    def mark(self, ids: Sequence[str], level: str) -> Tagged:
        """Set how sensitive memories are: one of ``cube.SENSITIVITIES``."""
        from memos_cli.interface.lifecycle.quarantine_review import mark

        return mark(self, ids, level)

    def quarantined(self, ids: Sequence[str] = (), *, filter: Filter = _ANY) -> list[Quarantined]:
        """Return the memories in quarantine that match ``filter``; with ``ids`` only those, oldest first."""
        from memos_cli.interface.lifecycle.quarantine_review import quarantined

        return quarantined(self, ids, filter)

    def review(self, ids: Sequence[str] = (), *, filter: Filter | None = None, approve: bool) -> list[Cube]:
        """Approve quarantined memories, or archive them. Returns them."""
        from memos_cli.interface.lifecycle.quarantine_review import review

        return review(self, ids, filter, approve=approve)

    def link(self, id: str, kind: str, others: Sequence[str], *, remove: bool = False) -> Tagged:
        """Link a memory to others, or ``remove`` these links."""
        from memos_cli.interface.lifecycle import linking

        return linking.link(self, id, kind, others, remove=remove)

    def walk(self, id: str, *, depth: int = 1) -> list[LinkStep]:
        """Return the memories that links lead to from one, the nearest first."""
        from memos_cli.interface.lifecycle import linking

        return linking.walk(self, id, depth)

    def merge(self, ids: Sequence[str], *, text: str | None = None, title: str | None = None) -> Merged:
        """Merge memories into one. They are kept, and ``part`` restores them."""
        from memos_cli.interface.lifecycle import linking

        return linking.merge(self, ids, text, title)

    def part(self, *ids: str) -> list[Merged]:
        """Undo merges, all or none."""
        from memos_cli.interface.lifecycle import linking

        return linking.part(self, ids)

    def slice(self, id: str, *, size: int) -> Merged:
        """Store the parts of a long memory, of about ``size`` characters, as memories of their own."""
        from memos_cli.interface.lifecycle import linking

        return linking.slice_up(self, id, size)

    def conflicts(self, ids: Sequence[str] = (), *, similar: bool = False) -> list[Conflict]:
        """Return pairs of memories that contradict each other; with ``similar``, also duplicates.

        With ``ids``, only the pairs of these memories.
        """
        from memos_cli.interface.lifecycle import conflict_resolution

        return conflict_resolution.conflicts(self, ids, similar=similar)

    def resolve(self, how: str, ids: Sequence[str] = ()) -> list[Conflict]:
        """Resolve conflicts: ``keep-newest``, ``keep-both``, or the id of the memory to keep."""
        from memos_cli.interface.lifecycle import conflict_resolution

        return conflict_resolution.resolve(self, how, ids)

    def forget(
        self, ids: Sequence[str], *, filter: Filter | None = None, dry_run: bool, exactly: bool = False
    ) -> Forgotten:
        """Delete memories with all their versions: those of ``ids``, or all that match ``filter``.

        Unless ``exactly``, memories that were merged or sliced from them are deleted too.
        """
        from memos_cli.interface.lifecycle.editing import forget

        return forget(self, ids, filter, dry_run=dry_run, exactly=exactly)
