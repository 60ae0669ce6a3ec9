"""Checks of the rows of ``memos.db``, which yield findings. Only reads; ``check.py`` runs them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from memos_cli.counts import counted
from memos_cli.cube import LIVE_STATES, SEMANTIC_TYPES, Draft, Span
from memos_cli.errors import Damaged, Locked, MemosError
from memos_cli.infrastructure.derived import adapters, lineage
from memos_cli.infrastructure.memories import filters
from memos_cli.infrastructure.memories.repairs import BAD_LESSON_VECTORS, BAD_VECTORS, WITHOUT_VECTOR
from memos_cli.infrastructure.storage import audit, schema
from memos_cli.infrastructure.storage.blobs import Blobs, piece_digests
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.schema import LIVE_TEXT
from memos_cli.infrastructure.vault import fulltext_sums
from memos_cli.infrastructure.vault.vault_file import read_identity
from memos_cli.moments import FIRST_TIME, LAST_TIME

_KINDS = {"INTEGER": "'integer'", "TEXT": "'text'", "BLOB": "'blob'", "REAL": "'real', 'integer'"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a vault."""

    rule: str
    """``must`` or ``should``."""
    what: str
    """A stable name in kebab case."""
    where: str
    """A path in the vault, a cube's id, or a table with a row number."""
    message: str
    repairable: bool


def must(what: str, where: str, message: str) -> Finding:
    """Return a finding about lost or altered data."""
    return Finding("must", what, where, message, False)


def should(what: str, where: str, message: str, *, repairable: bool = True) -> Finding:
    """Return a finding about something that can be rebuilt."""
    return Finding("should", what, where, message, repairable)


def expected() -> Connection:
    """Return an empty database of the newest format, in memory: a full disk does not stop a check."""
    fresh = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    schema.migrate(fresh)
    return fresh


def pages(db: Connection, full: bool) -> Iterator[Finding]:
    """Run SQLite's own integrity check, and find rows without their parent."""
    for (message,) in db.execute(f"PRAGMA {'integrity_check' if full else 'quick_check'}"):
        if message != "ok":
            yield must("database-damaged", "memos.db", message.replace("\n", " "))
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check"):
        yield must("row-without-parent", f"{table} {row}", f"it refers to a missing row of {parent}")


def definitions(db: Connection, fresh: Connection) -> Iterator[Finding]:
    """Check that the tables are defined as this program defines them."""
    there, wanted = (
        dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE substr(name, 1, 7) <> 'sqlite_'"))
        for connection in (db, fresh)
    )
    for name in sorted(there.keys() | wanted.keys()):
        if there.get(name) != wanted.get(name):
            problem = "missing" if name not in there else "not ours" if name not in wanted else "altered"
            yield must("schema-differs", name, f"this part of the schema is {problem}")
    if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        yield must("application-id", "memos.db", "its header does not mark it as a vault's database")


def identity(folder: Path, db: Connection) -> Iterator[Finding]:
    """Check that VAULT.toml and the database belong to the same vault."""
    known = db.execute("SELECT detail FROM audit WHERE action = 'init' ORDER BY n").fetchone()
    if known is None:
        yield must("audit-missing", "audit", "the row of the vault's creation is missing")
        return
    try:
        id = read_identity(folder).id
    except MemosError:
        return  # a finding of its own
    if known[0] != id:
        yield must("identity-differs", "VAULT.toml", f"it says {id}, but memos.db is of vault {known[0]}")


def kinds(db: Connection, fresh: Connection) -> Iterator[Finding]:
    """Check the type of every value: SQLite accepts any type in any column."""
    for table in schema.tables(fresh):
        nulls = ["" if column.notnull or column.is_pk else ", 'null'" for column in table.columns]
        wrong = [
            f"typeof({column.name}) NOT IN ({_KINDS[column.type]}{null})"
            for column, null in zip(table.columns, nulls, strict=True)
        ]
        first = table.columns[0].name
        for (row,) in db.execute(f"SELECT {first} FROM {table.name} WHERE {' OR '.join(wrong)}"):
            yield must("row-damaged", f"{table.name} {row!r}", "a value has a type that its column never has")


def versions(db: Connection) -> Iterator[Finding]:
    """Check that each memory has all its versions, and each version its audit row."""
    for id, wanted, count in db.execute(
        """SELECT c.id, c.version, count(v.n) FROM cube c LEFT JOIN version v ON v.cube = c.n GROUP BY c.n
           HAVING count(v.n) <> c.version OR min(v.version) <> 1 OR max(v.version) <> c.version"""
    ):
        yield must("version-missing", id, f"it has {count} of {counted(wanted, 'version')}")
    for id, version in db.execute(
        """SELECT c.id, v.version FROM version v JOIN cube c ON c.n = v.cube WHERE NOT EXISTS (
             SELECT 1 FROM audit a WHERE a.cube = c.id AND a.version = v.version)"""
    ):
        yield must("audit-missing", id, f"version {version} has no audit row")


def chain(db: Connection) -> Iterator[Finding]:
    """Check that the audit is unchanged."""
    for found in audit.verify(db):
        yield must("audit-altered", f"audit {found.n}", found.problem)


def values(db: Connection) -> Iterator[Finding]:
    """Find values that no write of this program leaves."""
    types = ",".join(f"'{type}'" for type in SEMANTIC_TYPES)
    times = " OR ".join(
        f"{column} NOT BETWEEN {FIRST_TIME} AND {LAST_TIME}"
        for column in ("time", "created", "updated", "expires", "last_hit")
    )
    for (id,) in db.execute(
        f"""SELECT id FROM cube WHERE length(id) <> 26 OR type NOT IN ({types}) OR length(digest) <> 32
              OR frozen NOT IN (0, 1) OR sensitivity NOT IN (0, 1, 2, 3) OR hits < 0 OR heat < 0 OR {times}"""
    ):
        yield must("row-damaged", id, "its header has an invalid value")
    for (n,) in db.execute(
        """SELECT n FROM place WHERE start < 0 OR end < start OR length(digest) <> 32
             OR length(bytes_sha256) <> 32"""
    ):
        yield must("row-damaged", f"place {n}", "it is not a range of bytes")
    for (n,) in db.execute(f"SELECT n FROM question WHERE time NOT BETWEEN {FIRST_TIME} AND {LAST_TIME}"):
        yield must("row-damaged", f"question {n}", "its time is invalid")
    for name, text in db.execute("SELECT name, filter FROM view"):
        try:
            filters.filter_from_json(text)
        except (ValueError, TypeError, AttributeError):
            yield should("view-damaged", f"view {name}", "its filter cannot be read", repairable=False)


def texts(db: Connection) -> Iterator[Finding]:
    """Check the hash of the text of each version."""
    for n, version, text, sha256 in db.execute(
        "SELECT cube, version, CAST(text AS BLOB), sha256 FROM version"
    ):
        if hashlib.sha256(text).digest() != sha256:
            yield must(
                "text-damaged", _id(db, n), f"the text of version {version} differs from what was stored"
            )


def _id(db: Connection, n: int) -> str:
    row = db.execute("SELECT id FROM cube WHERE n = ?", (n,)).fetchone()
    return str(row[0]) if row else f"memory {n}"


def digests(db: Connection) -> Iterator[Finding]:
    """Check that each memory that never changed still has the digest of its draft."""
    for id, digest, text, type, ref, time, author, role in db.execute(
        """SELECT c.id, c.digest, v.text, c.type, c.ref, c.time, c.author, c.role
           FROM cube c JOIN version v ON v.cube = c.n AND v.version = 1
           WHERE c.version = 1 AND c.payload = 'plaintext'"""
    ):
        draft = Draft(text, Span(0, 0), type=type, ref=ref, time=time, author=author, role=role)
        if draft.digest() != digest:
            yield must("header-damaged", id, "its text, type, time or speaker differs from what was stored")


def words(db: Connection, fresh: Connection, full: bool) -> Iterator[Finding]:
    """Check that the full-text table has the live memories, and (``full``) exactly their words."""
    wanted = fulltext_sums.of_cubes(db, fresh) if full else []
    try:
        same = fulltext_sums.of_table(db) == wanted and _are_found(db) if full else _same_rows(db)
    except Locked:
        raise
    except MemosError:  # the cubes could be read, so it is the full-text table that could not
        same = False
    if not same:
        yield should("words-differ", "words", "the full-text table does not match the memories")


def _are_found(db: Connection) -> bool:
    """Return whether a search for each word finds all its places: a search does not read them in order."""
    lost = """SELECT 1 FROM (SELECT term, count(*) AS places FROM words_seen GROUP BY term) t
      WHERE places <> (SELECT count(*) FROM words_seen s WHERE s.term = t.term) LIMIT 1"""
    return db.execute(lost).fetchone() is None


def _same_rows(db: Connection) -> bool:
    live, entered, both = db.execute(
        f"""SELECT (SELECT count(*) FROM cube c WHERE {LIVE_TEXT}),
             (SELECT count(*) FROM words_docsize),
             (SELECT count(*) FROM words_docsize w JOIN cube c ON c.n = w.id WHERE {LIVE_TEXT})"""
    ).fetchone()
    return bool(live == entered == both)


def vectors(db: Connection) -> Iterator[Finding]:
    """Find unusable vectors, and live cubes that no run of an embedder would reach."""
    (count,) = db.execute(f"SELECT count(*) FROM ({BAD_VECTORS})").fetchone()
    if count:
        yield should("vectors-useless", "vector", f"{count} are broken, or of memories that are not live")
    (broken,) = db.execute(f"SELECT count(*) FROM ({BAD_LESSON_VECTORS})").fetchone()
    if broken:
        yield should("vectors-useless", "lesson_vector", f"{broken} are broken")
    (lost,) = db.execute(
        f"""SELECT count(*) FROM ({WITHOUT_VECTOR}) m WHERE NOT EXISTS (
              SELECT 1 FROM waiting w WHERE w.cube = m.cube AND w.embedder = m.embedder)"""
    ).fetchone()
    (vain,) = db.execute(
        f"""SELECT count(*) FROM waiting w JOIN cube c ON c.n = w.cube
           WHERE NOT ({LIVE_TEXT}) OR EXISTS (
             SELECT 1 FROM vector x WHERE x.cube = w.cube AND x.embedder = w.embedder)"""
    ).fetchone()
    if lost or vain:
        missing, needless = (counted(each, "memory", "memories") for each in (lost, vain))
        message = f"{missing} without a vector missing from the list, {needless} on it needlessly"
        yield should("waiting-differs", "waiting", message)


STATE_FINDINGS = frozenset(("state-broken", "state-missing", "state-damaged"))


def states(db: Connection, blobs: Blobs, full: bool) -> Iterator[Finding]:
    """Find unusable activation cubes. No memory is lost with a state: its text exists."""
    for cube, what, problem in broken_states(db, blobs, full):
        id = _id(db, cube)
        yield should(
            what, id, f"{problem}; memos promote {id} --to activation creates it again, repair drops it"
        )


def broken_states(db: Connection, blobs: Blobs, full: bool = True) -> Iterator[tuple[int, str, str]]:
    """Yield the saved states that a repair deletes: (cube, name of the finding, problem)."""
    rows = db.execute(
        """SELECT c.n, CAST(a.blob AS TEXT), a.bytes, a.pieces, CAST(a.tokens AS BLOB), a.prompt,
             CAST(a.fingerprint AS TEXT), a.key,
             (SELECT count(*) = 1 + max(d.position) FROM derived d WHERE d.cube = c.n)
           FROM cube c LEFT JOIN activation a ON a.cube = c.n WHERE c.payload = 'activation'"""
    ).fetchall()
    for cube, blob, size, pieces, tokens, prompt, fingerprint, key, has_sources in rows:
        digest = hashlib.sha256((fingerprint or "").encode() + b"\0" + (tokens or b"")).digest()
        if key != digest or len(tokens) % 4 or prompt < len(tokens) // 4 or not has_sources:
            yield cube, "state-broken", "the fields of its state contradict each other"
        elif problem := blobs.problem(blob, size):
            yield cube, "state-missing", problem
        elif full and not _is_whole(blobs, blob, pieces):
            yield cube, "state-damaged", "its bytes are not those that were kept"


def _is_whole(blobs: Blobs, blob: str, pieces: bytes) -> bool:
    try:
        return piece_digests(blobs.get(blob)) == pieces
    except Damaged:
        return False


ADAPTER_FINDINGS = frozenset(("adapter-broken", "adapter-missing", "adapter-damaged"))


def trained(db: Connection, blobs: Blobs, full: bool) -> Iterator[Finding]:
    """Find adapter cubes with unusable weights. No memory is lost with them, but a training is."""
    again = "repair drops its weights and keeps its lessons, so that it can be trained again"
    for cube, what, problem in broken_adapters(db, blobs, full):
        yield should(what, _id(db, cube), f"{problem}; {again}")


def broken_adapters(db: Connection, blobs: Blobs, full: bool = True) -> Iterator[tuple[int, str, str]]:
    """Yield the adapters that a repair sets aside: (cube, name of the finding, problem)."""
    rows = db.execute(
        """SELECT c.n, c.state, c.digest, v.title, p.cube, CAST(p.blob AS TEXT), CAST(p.lost AS TEXT),
             p.bytes, CAST(p.seconds AS REAL), CAST(p.fingerprint AS TEXT), CAST(p.recipe AS TEXT),
             CAST(p.report AS TEXT)
           FROM cube c JOIN version v ON v.cube = c.n AND v.version = c.version
           LEFT JOIN parametric p ON p.cube = c.n WHERE c.payload = 'parametric'"""
    ).fetchall()
    for cube, state, digest, name, known, blob, lost, size, seconds, *objects in rows:
        fits = known is not None and size >= 0 and seconds >= 0 and _are_objects(objects)
        if not fits or (blob is None) != (lost in adapters.LOST) or (blob is not None and lost):
            yield cube, "adapter-broken", "the fields of its weights contradict each other"
        elif blob is None:
            if state in LIVE_STATES:
                yield cube, "adapter-broken", "it is to be used, but its weights are gone"
        elif not _is_of(db, cube, digest, name, objects[0]):
            yield cube, "adapter-broken", "it is not of the memories that it names"
        elif problem := blobs.problem(blob, size):
            yield cube, "adapter-missing", problem
        elif full and not blobs.intact(blob):
            yield cube, "adapter-damaged", "its bytes are not those that were kept"


def _are_objects(texts: Sequence[str]) -> bool:
    """Return whether these texts are JSON objects."""
    return all(lineage.to_json(lineage.from_json(text)) == text for text in texts)


def _is_of(db: Connection, cube: int, digest: bytes, name: str, fingerprint: str) -> bool:
    """Return whether the base, name and memories of an adapter match its digest.

    Forgetting a memory relies on it: the weights are found by the memories that they were trained on.
    """
    ids = [source.id for source in lineage.sources_of(db, cube, 0)]
    model = str(lineage.from_json(fingerprint).get("model"))
    (strange,) = db.execute(
        """SELECT count(*) FROM lesson l WHERE l.cube = ?1 AND l.source IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM derived d WHERE d.cube = ?1 AND d.source = l.source)""",
        (cube,),
    ).fetchone()
    return not strange and digest in {
        adapters.digest_of(model, name, ids, attempt=attempt) for attempt in (False, True)
    }
