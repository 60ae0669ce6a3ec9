"""Check a vault: ``examine`` only reads; ``repair`` rebuilds what can be rebuilt.

A broken *must* means lost or altered data, and only a backup helps. A broken *should* costs time, space or
privacy, and can be repaired. ``store_format.md`` lists both, with the commands that verify a vault by hand.

Not detected: a flipped bit in data without a hash or a rule, such as a tag, a title of an archived memory or
the codes of a vector; and a WAL that lost its end (SQLite treats it as a crash).
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from pathlib import Path

from memos_cli.errors import Damaged, Locked, MemosError, NoVault, TooNew
from memos_cli.files import PRIVATE_FILE, PRIVATE_FOLDER, hold, remove
from memos_cli.infrastructure.derived import adapters, saved_states, slot_states
from memos_cli.infrastructure.memories.repairs import rebuild_words, repair_vectors
from memos_cli.infrastructure.storage import schema
from memos_cli.infrastructure.storage.blobs import Blobs
from memos_cli.infrastructure.storage.database import Connection, connect
from memos_cli.infrastructure.storage.encryption import Cipher
from memos_cli.infrastructure.storage.scratch import is_in_use
from memos_cli.infrastructure.vault import fulltext_sums, row_checks
from memos_cli.infrastructure.vault.row_checks import Finding, must, should
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vault.vault_file import OWN_NAMES, Lock, open_lock, read_identity
from memos_cli.infrastructure.vectors import vector_index
from memos_cli.infrastructure.vectors.vector_snapshots import Snapshots

MANY = 10
"""Findings of one kind that are listed; the others are counted."""
YOUNG = 3600.0
"""Seconds that an unfinished file of a process that still runs is left alone."""

_SNAPSHOT = re.compile(r"vectors-(\d+)\.bin")
_UNFINISHED = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}\.part")


def examine(
    folder: Path, *, timeout: float, full: bool = True, cipher: Cipher | None = None
) -> list[Finding]:
    """Return all findings about the vault at ``folder``, the *musts* first.

    ``full`` reads every byte; without it, checks that take long on a large vault are left out: hashes of
    texts and blobs, the content of the full-text table and of the index. An encrypted vault needs its
    ``cipher``. Raises NoVault if there is no vault, TooNew, and Locked; damage is a finding, never an error.
    """
    findings = _limit(_identity(folder))
    if (folder / "memos.db").exists():
        try:
            with closing(connect(folder / "memos.db", timeout, cipher)) as db:
                findings += _database(folder, db, full, cipher)
        except (Locked, TooNew):
            raise
        except MemosError as error:
            findings.append(must("database-damaged", "memos.db", str(error)))
    else:
        findings.append(must("database-missing", "memos.db", "it is missing; restore a backup"))
    findings += _limit(_unfinished(folder)) + _limit(_permissions(folder))
    return sorted(findings, key=lambda finding: finding.rule != "must")


def cipher_of(folder: Path, lock: Lock) -> Cipher | None:
    """Return the cipher to examine an encrypted vault with. Raises Refused without its key.

    Returns None if the vault is not encrypted, or if its VAULT.toml cannot be read.
    """
    try:
        return open_lock(folder, read_identity(folder), lock)
    except (Damaged, NoVault):
        return None


def repair(vault: Vault, findings: Iterable[Finding], *, principal: str, now: int) -> list[Finding]:
    """Repair the vault as far as possible. Returns the repaired ``findings``.

    Never touches a memory or one of its versions: it deletes only unusable states, and sets aside unusable
    adapters; their lessons stay. Raises Locked while others use the vault.
    """
    wanted = [finding for finding in findings if finding.repairable]
    codes = {finding.what for finding in wanted}
    for names, find, drop in (
        (row_checks.STATE_FINDINGS, row_checks.broken_states, partial(saved_states.drop, action="repair")),
        (row_checks.ADAPTER_FINDINGS, row_checks.broken_adapters, adapters.set_aside),
    ):
        if codes & names:
            # Before the transaction, because it reads the blobs: no writer waits for it.
            broken = [cube for cube, _, _ in find(vault.unrestricted, vault.blobs)]
            with vault.change(principal, now) as change:
                for cube in broken:
                    drop(change, cube)
            codes.add("blob-orphan")
    if codes & {"words-differ", "vectors-useless", "waiting-differs"}:
        with vault.change(principal, now) as change:
            if "words-differ" in codes:
                rebuild_words(change)
            if codes & {"vectors-useless", "waiting-differs"}:
                repair_vectors(change)
    if codes & {"index-damaged", "index-missing"}:
        _remake_indexes(vault)
    if codes & {"blob-orphan", "file-unfinished"}:
        with vault.exclusive():
            _sweep(vault)
    if "permissions" in codes:
        for path in list(_open_to_others(vault.folder)):
            path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)
    return wanted


def sweep(vault: Vault, *, dry_run: bool = False) -> list[Finding]:
    """Delete files that no row names; none while others use the vault."""
    if dry_run:
        return [*_orphans(vault.folder, vault.unrestricted), *_unfinished(vault.folder)]
    with suppress(Locked), hold(vault.folder / "lock"):
        return _sweep(vault)
    return []


def _sweep(vault: Vault) -> list[Finding]:
    found = [*_unnamed(vault.folder, vault.unrestricted), *_unfinished(vault.folder)]
    for finding in found:
        if finding.what == "blob-orphan":
            name = Path(finding.where).name
            vault.remaining += slot_states.discard(vault.unrestricted, vault.blobs, name)
        remove(vault.folder / finding.where)
    return found


def _limit(findings: Iterator[Finding]) -> list[Finding]:
    """Return the first few findings of each kind, and a count of the others.

    A check that cannot run to its end is a finding too.
    """
    kept: list[Finding] = []
    seen: Counter[tuple[str, str, bool]] = Counter()
    try:
        for finding in findings:
            kind = (finding.rule, finding.what, finding.repairable)
            seen[kind] += 1
            if seen[kind] <= MANY:
                kept.append(finding)
    except (Locked, NoVault, TooNew):
        raise
    except MemosError as error:
        kept.append(must("database-damaged", "memos.db", str(error)))
    for (rule, what, repairable), count in seen.items():
        if count > MANY:
            kept.append(Finding(rule, what, "", f"and {count - MANY} more like this", repairable))
    return kept


def _identity(folder: Path) -> Iterator[Finding]:
    try:
        read_identity(folder)
    except NoVault as error:
        if not (folder / "memos.db").exists():
            raise
        yield should("identity-missing", "VAULT.toml", f"{error}: {error.hint}", repairable=False)
    except TooNew:
        raise
    except MemosError as error:
        yield must("identity-damaged", "VAULT.toml", f"{error}: {error.hint}")


def _database(folder: Path, db: Connection, full: bool, cipher: Cipher | None) -> list[Finding]:
    version = schema.version_of(db)
    if version > schema.FORMAT:
        raise TooNew(f"{folder} has tables of format {version}", "pip install --upgrade memos-cli")
    if version == 0:
        if not (folder / "VAULT.toml").exists():
            raise NoVault(f"the creation of {folder} was interrupted", "`memos init` completes it")
        return [must("database-empty", "memos.db", "it has no tables; restore a backup")]
    if version < schema.FORMAT:
        return [should("format-old", "memos.db", "any other command brings it up to date", repairable=False)]
    fulltext_sums.watch(db)
    db.execute("PRAGMA query_only = ON")
    db.execute("BEGIN")  # the rows of one moment
    findings: list[Finding] = []
    with closing(row_checks.expected()) as fresh:
        for found in (
            row_checks.pages(db, full),
            row_checks.definitions(db, fresh),
            row_checks.kinds(db, fresh),
            row_checks.identity(folder, db),
            row_checks.versions(db),
            row_checks.values(db),
        ):
            findings += _limit(found)
        readable = not any(finding.what in ("row-damaged", "schema-differs") for finding in findings)
        if full and readable:
            findings += (
                _limit(row_checks.texts(db)) + _limit(row_checks.digests(db)) + _limit(row_checks.chain(db))
            )
        if not findings:  # the full text can only be judged by cubes that are whole
            findings += _limit(row_checks.words(db, fresh, full))
    blobs = Blobs(folder / "blobs", folder / "tmp")
    findings += _limit(row_checks.vectors(db)) + _limit(_blobs(blobs, db, full))
    if readable:
        findings += _limit(row_checks.states(db, blobs, full)) + _limit(row_checks.trained(db, blobs, full))
    if db.in_transaction:
        db.execute("ROLLBACK")  # what follows looks at files that are newer than the transaction
    if readable:
        findings += _limit(_indexes(folder, db, full, cipher))
    return findings + _limit(_orphans(folder, db))


def _blobs(blobs: Blobs, db: Connection, full: bool) -> Iterator[Finding]:
    """Check that the blobs of sources exist and are intact."""
    for (name,) in db.execute("SELECT DISTINCT CAST(blob AS TEXT) FROM source WHERE blob IS NOT NULL"):
        where = f"blobs/{name[:2]}/{name}"
        try:
            if not re.fullmatch("[0-9a-f]{64}", name) or not blobs.path(name).is_file():
                yield must("blob-missing", where, "a source uses it, but it is missing")
            elif full and not blobs.intact(name):
                yield must("blob-damaged", where, "its bytes do not match its name")
        except OSError as error:
            yield must("blob-unreadable", where, str(error.strerror))


def _orphans(folder: Path, db: Connection) -> Iterator[Finding]:
    """Yield blobs without a row. While others write, blobs of the last hour may still get one."""
    try:
        with hold(folder / "lock"):
            found = list(_unnamed(folder, db))
    except MemosError:
        found = [finding for finding in _unnamed(folder, db) if not _is_young(folder / finding.where)]
    yield from found


def _unnamed(folder: Path, db: Connection) -> Iterator[Finding]:
    named = {row[0] for row in db.execute(schema.NAMED_BLOBS)}
    for path in _files(folder / "blobs"):
        if path.name not in named:
            yield should("blob-orphan", str(path.relative_to(folder)), "nothing uses it")


def _unfinished(folder: Path) -> Iterator[Finding]:
    """Yield files that killed processes left, and those of running processes that are older than an hour."""
    for path in chain(_files(folder / "tmp"), _files(folder / "index")):
        match = _UNFINISHED.fullmatch(path.name)
        if is_in_use(path) or (match is None and path.parent.name == "index"):
            continue
        if match is None or not (_runs(int(match[1])) and _is_young(path)):
            yield should(
                "file-unfinished", str(path.relative_to(folder)), "a process that ended left it behind"
            )


def _indexes(folder: Path, db: Connection, full: bool, cipher: Cipher | None) -> Iterator[Finding]:
    files = Snapshots(folder / "index", cipher)
    for path, embedder, dimension in _snapshots(folder, db):
        if dimension is None:
            yield should("index-damaged", f"index/{path.name}", "it is of an unknown embedder")
        elif not (
            vector_index.agrees(db, files, embedder, dimension)
            if full
            else vector_index.load(files, embedder, dimension)
        ):
            yield should("index-damaged", f"index/{path.name}", "it differs from the vectors")
    for embedder, _ in _lacking(folder, db):
        name = f"index/vectors-{embedder}.bin"
        yield should("index-missing", name, "it is missing: a search reads every vector")


def _lacking(folder: Path, db: Connection) -> list[tuple[int, int]]:
    """Return the embedders without an index that have more vectors than a search reads without one."""
    there = {embedder for _, embedder, _ in _snapshots(folder, db)}
    many = """SELECT n, dimension FROM embedder e
      WHERE (SELECT count(*) FROM vector WHERE embedder = e.n) > ?"""
    return [row for row in db.execute(many, (vector_index.FEW,)).fetchall() if row[0] not in there]


def _remake_indexes(vault: Vault) -> None:
    for path, embedder, dimension in _snapshots(vault.folder, vault.unrestricted):
        if dimension is None:
            path.unlink(missing_ok=True)
        else:
            vector_index.refresh(vault.unrestricted, vault.snapshots, embedder, dimension, force=True)
    for embedder, dimension in _lacking(vault.folder, vault.unrestricted):
        vector_index.refresh(vault.unrestricted, vault.snapshots, embedder, dimension, force=True)


def _snapshots(folder: Path, db: Connection) -> Iterator[tuple[Path, int, int | None]]:
    """Yield the files of the index: path, row of the embedder, its dimensions if it is known."""
    dimensions = dict(db.execute("SELECT n, dimension FROM embedder").fetchall())
    for path in _files(folder / "index"):
        if match := _SNAPSHOT.fullmatch(path.name):
            yield path, int(match[1]), dimensions.get(int(match[1]))


def _permissions(folder: Path) -> Iterator[Finding]:
    for path in _open_to_others(folder):
        mode = stat.S_IMODE(path.stat().st_mode)
        yield should("permissions", str(path.relative_to(folder)), f"other users may access it ({mode:o})")


def _open_to_others(folder: Path) -> Iterator[Path]:
    """Yield files that other users may read or write. They may list the top folder, but not write to it."""
    if folder.stat().st_mode & 0o022:
        yield folder
    for name in sorted(OWN_NAMES):
        top = folder / name
        for path in chain([top], top.rglob("*") if top.is_dir() else ()):
            if path.exists() and not path.is_symlink() and path.stat().st_mode & 0o077:
                yield path


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())


def _is_young(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < YOUNG
    except FileNotFoundError:
        return True


def _runs(process: int) -> bool:
    with suppress(PermissionError, OverflowError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
