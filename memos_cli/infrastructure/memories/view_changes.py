"""Writes of views and pins."""

from __future__ import annotations

from memos_cli.infrastructure.memories.row_writer import RowWriter
from memos_cli.letters import nfc


class ViewChanges(RowWriter):
    """Writes that save and delete views, and pin memories to them."""

    def set_view(self, name: str, filter: str) -> None:
        """Save a view under its name, replacing an older one."""
        self.db.execute(
            """INSERT INTO view (name, filter, created, owner) VALUES (?, ?, ?, ?)
               ON CONFLICT (name) DO UPDATE SET filter = excluded.filter""",
            (nfc(name), filter, self.now, self.principal),
        )
        self.insert_audit([(self.now, self.principal, "view", None, None, name)])

    def remove_view(self, name: str) -> bool:
        """Delete a view. Returns whether there was one."""
        name = nfc(name)
        gone = self.db.execute("DELETE FROM view WHERE name = ?", (name,)).rowcount > 0
        if gone:
            self.db.execute("DELETE FROM pin WHERE view = ?", (name,))
            self.insert_audit([(self.now, self.principal, "view-remove", None, None, name)])
        return gone

    def pin(self, view: str, cube: int) -> bool:
        """Pin a memory to every prompt of a view, after the others. Returns whether it is newly pinned."""
        statement = """INSERT OR IGNORE INTO pin (view, cube, position)
          SELECT ?1, ?2, 1 + coalesce(max(position), 0) FROM pin WHERE view = ?1"""
        if new := self.db.execute(statement, (nfc(view), cube)).rowcount > 0:
            self.tell(cube, "pin", view)
        return new

    def unpin(self, view: str, cube: int) -> bool:
        """Unpin a memory. Returns whether it was pinned."""
        statement = "DELETE FROM pin WHERE view = ? AND cube = ?"
        if was := self.db.execute(statement, (nfc(view), cube)).rowcount > 0:
            self.tell(cube, "unpin", view)
        return was
