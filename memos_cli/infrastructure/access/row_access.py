"""Row-level access: a database connection that shows a principal only what it may read.

``governance.decide`` judges one memory. For all of them at once, its rules become a few small tables, and
temporary views with the names ``cube``, ``question`` and ``audit`` hide the tables, because SQLite looks them
up first. So no query can miss the check. Writes use another connection, which sees everything;
``Transaction`` asks the vault about each memory that it changes.

Nothing is hidden for the creator of the vault while nobody else has anything: then access checks cost
nothing. Everyone else is restricted from the start: a search weighs words differently in a restricted vault,
which would reveal that somebody else has stored something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from memos_cli.infrastructure.access.governance import EVERYONE
from memos_cli.infrastructure.access.rules import view_of
from memos_cli.infrastructure.memories import filters
from memos_cli.infrastructure.storage.audit import LOOKS
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.schema import LIVE_TEXT

_NEVER = 1 << 62
_READABLE = """({c}.owner = (SELECT name FROM temp.asker) OR {c}.owner IN (SELECT owner FROM temp.reach_owner)
  OR {c}.n IN (SELECT cube FROM temp.reach_cube)
  OR EXISTS (SELECT 1 FROM main.tag t CROSS JOIN temp.reach_tag r ON r.owner = {c}.owner AND r.tag = t.tag
    WHERE t.cube = {c}.n))"""
_MADE_OF_READABLE = f"""NOT EXISTS (SELECT 1 FROM main.derived d JOIN main.cube s ON s.n = d.source
  WHERE d.cube = c.n AND NOT {_READABLE.format(c="s")})"""
_NAMING = "'link', 'unlink', 'promote', 'checkpoint', 'refuse', 'unlearn'"
"""The actions whose detail contains ids of other memories."""
_NAMES_HIDDEN = """EXISTS (SELECT 1 FROM json_tree(CASE WHEN json_valid(a.detail) THEN a.detail END) j
  WHERE j.type = 'text' AND length(j.atom) = 26
    AND NOT EXISTS (SELECT 1 FROM temp.cube c WHERE c.id = j.atom))"""
_SHADOWS = (
    "CREATE TEMP TABLE asker (name TEXT NOT NULL)",
    "CREATE TEMP TABLE rule_of_asker (owner TEXT, kind TEXT, target TEXT, expires INTEGER)",
    "CREATE TEMP TABLE reach_owner (owner TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE reach_tag (owner TEXT, tag TEXT, PRIMARY KEY (owner, tag)) WITHOUT ROWID",
    "CREATE TEMP TABLE reach_cube (cube INTEGER PRIMARY KEY)",
    f"""CREATE TEMP VIEW cube AS SELECT * FROM main.cube c WHERE
          c.payload = 'plaintext' AND {_READABLE.format(c="c")}
          OR c.payload = 'parametric' AND {_READABLE.format(c="c")} AND {_MADE_OF_READABLE}
          OR c.payload = 'activation' AND {_MADE_OF_READABLE}""",
    """CREATE TEMP VIEW question AS SELECT * FROM main.question
         WHERE principal = (SELECT name FROM temp.asker)""",
    f"""CREATE TEMP VIEW audit AS SELECT * FROM main.audit a WHERE
          (principal = (SELECT name FROM temp.asker) AND action <> 'refused'
            OR EXISTS (SELECT 1 FROM temp.cube c WHERE c.id = a.cube))
          AND (principal = (SELECT name FROM temp.asker) OR action NOT IN ({_NAMING})
            OR NOT {_NAMES_HIDDEN})""",
)
_LAID_OUT = (
    "INSERT OR IGNORE INTO temp.reach_owner SELECT owner FROM temp.rule_of_asker WHERE kind = 'vault'",
    """INSERT OR IGNORE INTO temp.reach_cube SELECT c.n FROM temp.rule_of_asker r
         CROSS JOIN main.cube c ON c.id = r.target AND c.owner = r.owner WHERE r.kind = 'cube'""",
    """INSERT OR IGNORE INTO temp.reach_cube SELECT cube FROM main.bound
         WHERE principal = (SELECT name FROM temp.asker)""",
)
# A few, found one after the other in the index of a hundred thousand.
_USED_TAGS = """WITH RECURSIVE each (tag) AS (SELECT min(tag) FROM main.tag UNION ALL
    SELECT (SELECT min(tag) FROM main.tag WHERE tag > each.tag) FROM each WHERE each.tag NOT NULL)
  SELECT tag FROM each WHERE tag NOT NULL"""
_LOOKS = ", ".join(f"'{action}'" for action in sorted({*LOOKS, "read", "use", "refused"}))
_WHOLLY = "SELECT name FROM temp.asker UNION SELECT owner FROM temp.reach_owner"
_TEXTS = f"""SELECT (SELECT count(*) FROM main.cube c WHERE c.owner IN ({_WHOLLY}) AND {LIVE_TEXT}) + (
    SELECT count(*) FROM (
      SELECT cube FROM temp.reach_cube UNION SELECT t.cube FROM temp.reach_tag r
        JOIN main.tag t ON t.tag = r.tag JOIN main.cube o ON o.n = t.cube AND o.owner = r.owner
    ) x JOIN main.cube c ON c.n = x.cube WHERE c.owner NOT IN ({_WHOLLY}) AND {LIVE_TEXT})"""


class Scope:
    """A connection restricted to the rows that ``principal`` may read: at once, or once there are other
    rows.
    """

    def __init__(
        self, connection: Connection, principal: str, clock: Callable[[], int], *, at_once: bool = False
    ) -> None:
        self._connection, self._principal, self._clock = connection, principal, clock
        self._at_once = at_once
        self._seen: int | None = None
        self._audited = 0
        self._until = _NEVER
        self._texts: int | None = None
        self.is_restricted = False

    def refresh(self) -> None:
        """Apply changes of the vault since the last call: rules, tags, other principals."""
        (seen,) = self._connection.execute("PRAGMA data_version").fetchone()
        now = self._clock()
        if now < self._until and (seen == self._seen or (self.is_restricted and self._only_looks())):
            self._seen = seen
            return
        last = "SELECT coalesce(max(n), 0) FROM main.audit"
        (self._audited,) = self._connection.execute(last).fetchone()
        if self.is_restricted or self._at_once or not _is_alone(self._connection, self._principal):
            self._narrow(now)
        self._seen = seen

    def _only_looks(self) -> bool:
        """Return whether only reads were audited since. Every other change has an audit row, too."""
        last, others = self._connection.execute(
            f"SELECT max(n), total(action NOT IN ({_LOOKS})) FROM main.audit WHERE n > ?", (self._audited,)
        ).fetchone()
        if not others:
            self._audited = last or self._audited
        return not others

    @property
    def texts(self) -> int:
        """Count the live memories that the principal may read."""
        if self._texts is None:
            (self._texts,) = self._connection.execute(_TEXTS).fetchone()
        return int(self._texts)

    def _narrow(self, now: int) -> None:
        db = self._connection
        if not self.is_restricted:
            for statement in _SHADOWS:
                db.execute(statement)
            db.execute("INSERT INTO temp.asker VALUES (?)", (self._principal,))
            self.is_restricted = True
        for table in ("rule_of_asker", "reach_owner", "reach_tag", "reach_cube"):
            db.execute(f"DELETE FROM temp.{table}")
        db.execute(
            """INSERT INTO temp.rule_of_asker SELECT owner, kind, target, expires FROM main.rule
               WHERE (principal IN (?1, ?2)
                   OR principal IN (SELECT circle FROM main.member WHERE principal = ?1))
                 AND (expires IS NULL OR expires > ?3)""",
            (self._principal, EVERYONE, now),
        )
        (until,) = db.execute("SELECT min(expires) FROM temp.rule_of_asker").fetchone()
        self._until = _NEVER if until is None else until
        self._texts = None
        for statement in _LAID_OUT:
            db.execute(statement)
        db.executemany("INSERT OR IGNORE INTO temp.reach_tag VALUES (?, ?)", _tags(db))
        opened = [(n,) for n in _in_views(db, now)]
        db.executemany("INSERT OR IGNORE INTO temp.reach_cube VALUES (?)", opened)


def _is_alone(db: Connection, principal: str) -> bool:
    """Return whether the vault has no memories and questions of other principals."""
    others = """SELECT EXISTS (SELECT 1 FROM main.cube WHERE owner < ?1 OR owner > ?1)
      OR EXISTS (SELECT 1 FROM main.question WHERE principal <> ?1)"""
    return not db.execute(others, (principal,)).fetchone()[0]


def _tags(db: Connection) -> list[tuple[str, str]]:
    """Return the tags in use that the rules cover, each with the owner whose memories it makes readable."""
    paths: dict[str, set[str]] = {}
    for owner, path in db.execute(
        "SELECT owner, target FROM temp.rule_of_asker WHERE kind = 'tag'"
    ).fetchall():
        paths.setdefault(path, set()).add(owner)
    used = db.execute(_USED_TAGS).fetchall() if paths else []
    return [(owner, tag) for (tag,) in used for path in _above(tag) for owner in paths.get(path, ())]


def _above(tag: str) -> list[str]:
    """Return a tag and all tags above it: "a/b" and "a"."""
    parts = tag.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _in_views(db: Connection, now: int) -> Iterable[int]:
    """Return the memories that are readable through views."""
    for owner, name in db.execute(
        "SELECT owner, target FROM temp.rule_of_asker WHERE kind = 'view'"
    ).fetchall():
        if view := view_of(db, name, owner):
            where, values = filters.condition(view, now)
            statement = f"SELECT c.n FROM main.cube c WHERE c.owner = ? AND {where}"
            yield from (n for (n,) in db.execute(statement, (owner, *values)).fetchall())
