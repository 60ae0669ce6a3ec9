"""What of a vault a principal may read, as a narrower database: every statement on it sees that, and no more.

``governance.decide`` judges one cube. For all of them at once its rules are laid out as a few small tables,
and ``cube``, ``question`` and ``audit`` are shadowed by temporary views of the same names, which SQLite looks
up first. So no way to a payload can forget to ask. Writes go through another connection, which sees all:
``Change`` has the vault decide on each cube that it is to change.

Nothing is shadowed where nobody else has anything: then it costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from memos_cli.infrastructure import catalogue
from memos_cli.infrastructure.database import Connection
from memos_cli.infrastructure.governance import Caller, Rule
from memos_cli.infrastructure.rules import rules_for, view_of

_NEVER = 1 << 62
_READABLE = """({c}.owner = (SELECT name FROM temp.asker) OR {c}.owner IN (SELECT owner FROM temp.reach_owner)
  OR {c}.n IN (SELECT cube FROM temp.reach_cube)
  OR {c}.owner IN (SELECT owner FROM temp.reach_tag) AND EXISTS (SELECT 1 FROM main.tag t
    JOIN temp.reach_tag r ON r.owner = {c}.owner AND r.tag = t.tag WHERE t.cube = {c}.n))"""
_MADE_OF_READABLE = f"""NOT EXISTS (SELECT 1 FROM main.derived d JOIN main.cube s ON s.n = d.source
  WHERE d.cube = c.n AND NOT {_READABLE.format(c="s")})"""
_SHADOWS = (
    "PRAGMA temp_store = MEMORY",
    "CREATE TEMP TABLE asker (name TEXT NOT NULL)",
    "CREATE TEMP TABLE reach_owner (owner TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE reach_tag (owner TEXT, tag TEXT, PRIMARY KEY (owner, tag)) WITHOUT ROWID",
    "CREATE TEMP TABLE reach_cube (cube INTEGER PRIMARY KEY)",
    f"""CREATE TEMP VIEW cube AS SELECT * FROM main.cube c WHERE
          c.payload = 'plaintext' AND {_READABLE.format(c="c")}
          OR c.payload = 'parametric' AND {_READABLE.format(c="c")} AND {_MADE_OF_READABLE}
          OR c.payload = 'activation' AND {_MADE_OF_READABLE}""",
    """CREATE TEMP VIEW question AS SELECT * FROM main.question
         WHERE principal = (SELECT name FROM temp.asker)""",
    """CREATE TEMP VIEW audit AS SELECT * FROM main.audit a WHERE principal = (SELECT name FROM temp.asker)
         OR EXISTS (SELECT 1 FROM temp.cube c WHERE c.id = a.cube)""",
)


class Scope:
    """A connection that is narrowed to what ``caller`` may read, as soon as there is more in the vault."""

    def __init__(self, connection: Connection, caller: Caller, clock: Callable[[], int]) -> None:
        self._connection, self._caller, self._clock = connection, caller, clock
        self._seen: int | None = None
        self._until = _NEVER
        self.is_narrow = False

    def refresh(self) -> None:
        """Follow what has changed in the vault since the last call: rules, tags, other principals."""
        (seen,) = self._connection.execute("PRAGMA data_version").fetchone()
        now = self._clock()
        if seen == self._seen and now < self._until:
            return
        if not self.is_narrow and _is_alone(self._connection, self._caller.principal):
            self._seen = seen
            return
        self._narrow(now)
        self._seen = seen

    def _narrow(self, now: int) -> None:
        db = self._connection
        if not self.is_narrow:
            for statement in _SHADOWS:
                db.execute(statement)
            db.execute("INSERT INTO temp.asker VALUES (?)", (self._caller.principal,))
            self.is_narrow = True
        rules = [rule for rule in rules_for(db, self._caller) if rule.holds(now)]
        self._until = min((rule.expires for rule in rules if rule.expires is not None), default=_NEVER)
        owners = {rule.owner for rule in rules if rule.kind == "vault"}
        for table, values in (
            ("reach_owner", [(owner,) for owner in owners]),
            ("reach_tag", _tags(db, [rule for rule in rules if rule.kind == "tag"])),
            ("reach_cube", [(n,) for n in _cubes(db, rules, self._caller.principal, now)]),
        ):
            db.execute(f"DELETE FROM temp.{table}")
            marks = ", ".join("?" * (2 if table == "reach_tag" else 1))
            db.executemany(f"INSERT OR IGNORE INTO temp.{table} VALUES ({marks})", values)


def _is_alone(db: Connection, principal: str) -> bool:
    """Whether nobody else has anything here."""
    others = """SELECT EXISTS (SELECT 1 FROM main.cube WHERE owner < ?1 OR owner > ?1)
      OR EXISTS (SELECT 1 FROM main.question WHERE principal <> ?1)"""
    return not db.execute(others, (principal,)).fetchone()[0]


def _tags(db: Connection, rules: list[Rule]) -> list[tuple[str, str]]:
    """The tags in use that these rules cover, each with the owner whose cubes they open."""
    if not rules:
        return []
    # The tags that are in use: a few, found one after the other in the index of a hundred thousand.
    used = db.execute(
        """WITH RECURSIVE each (tag) AS (SELECT min(tag) FROM main.tag UNION ALL
             SELECT (SELECT min(tag) FROM main.tag WHERE tag > each.tag) FROM each WHERE each.tag NOT NULL)
           SELECT tag FROM each WHERE tag NOT NULL"""
    ).fetchall()
    paths: dict[str, set[str]] = {}
    for rule in rules:
        paths.setdefault(rule.target, set()).add(rule.owner)
    return [(owner, tag) for (tag,) in used for path in _above(tag) for owner in paths.get(path, ())]


def _above(tag: str) -> list[str]:
    """A tag and all that it lies below: "a/b" and "a"."""
    parts = tag.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _cubes(db: Connection, rules: list[Rule], principal: str, now: int) -> Iterable[int]:
    """The cubes that single rules, views, and tasks open."""
    for (n,) in db.execute("SELECT cube FROM main.bound WHERE principal = ?", (principal,)):
        yield n
    for rule in rules:
        if rule.kind == "cube":
            found = db.execute(
                "SELECT n FROM main.cube WHERE id = ? AND owner = ?", (rule.target, rule.owner)
            ).fetchall()
            yield from (n for (n,) in found)
        elif rule.kind == "view" and (view := view_of(db, rule.target, rule.owner)):
            where, values = catalogue.condition(view, now)
            statement = f"SELECT c.n FROM main.cube c WHERE c.owner = ? AND {where}"
            yield from (n for (n,) in db.execute(statement, (rule.owner, *values)))
