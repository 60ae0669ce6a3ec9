"""The migrations of ``memos.db``: one SQL script, or one function, for each format of the vault.

A migration never changes after its release; a new one is appended, and the tests bring a vault of every
format to the newest. SQLite stores the text of a definition, and ``memos check`` compares it: the
indentation of the scripts is part of the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.resources import files

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.migrations import format_9

Step = Callable[[Database], None]


def _script(number: int) -> Step:
    """Return a migration that runs ``format_NN.sql``."""

    def run(db: Database) -> None:
        script = files(__name__).joinpath(f"format_{number:02}.sql").read_text("utf-8")
        for statement in script.split(";\n"):
            if statement.strip():
                db.execute(statement)

    return run


def _format_4(db: Database) -> None:
    _script(4)(db)
    audit.seal(db.conn)


def _format_9(db: Database) -> None:
    """Rebuild the full-text table from folded text, and normalise names to NFC."""
    for step in (format_9.rebuild_words, format_9.compose_names, format_9.add_forgotten):
        step(db.conn)


MIGRATIONS: tuple[Step, ...] = (
    *(_script(number) for number in (1, 2, 3)), _format_4,
    *(_script(number) for number in (5, 6, 7, 8)), _format_9, _script(10),
)  # fmt: skip


class VaultMigrations(Migrations):
    """``MIGRATIONS`` as migrations of sqlite-utils.

    The header of the database counts those that were applied (``PRAGMA user_version``), as in every vault
    since memos 0.1.0, instead of a table; and all run in one transaction, which the caller has begun.
    """

    def __init__(self) -> None:
        super().__init__("memos")
        for number, step in enumerate(MIGRATIONS, 1):
            self(name=f"format_{number}")(step)

    def applied(self, db: Database) -> list[Migrations._AppliedMigration]:
        """Return the migrations that the database has seen; sqlite-utils runs the others."""
        (version,) = db.execute("PRAGMA user_version").fetchone()
        return [self._AppliedMigration(f"format_{number}", "") for number in range(1, version + 1)]

    def apply(self, db: Database, *, stop_before: str | Iterable[str] | None = None) -> None:
        """Run the pending migrations, up to and without the one named ``stop_before``."""
        for migration in self.pending(db):
            if migration.name == stop_before:
                return
            migration.fn(db)
            db.execute(f"PRAGMA user_version = {int(migration.name.removeprefix('format_'))}")
