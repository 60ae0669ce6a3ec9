"""Runs a command again and again, and kills it before one more write each time.

    python crash_runner.py PLAN.json    writes what it found to standard output, as JSON

A fresh process (no threads, so that it may fork) imports everything once. For each point it copies the
prepared vault, forks, and the child kills itself by SIGKILL before its n-th write. Then the vault is
examined, the command is run again to its end, and the vault must hold what it holds without the kill.

Writes are: files opened for writing, made, renamed, cut or removed; ``os.write`` and ``os.fsync``; each
SQLite statement that is not a question, COMMIT and closing (a checkpoint) included. What a kill inside a
system call leaves is SQLite's and the file system's affair.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

FILE_EVENTS = frozenset(
    ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link")
)
QUESTIONS = ("SELECT", "PRAGMA")


def watch_writes(before_write: Callable[[str], None]) -> None:
    """Call ``before_write`` with a description before each write of this process, from now on."""
    from memos_cli.infrastructure.storage.database import Connection, Cursor

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                before_write("open")
        elif event in FILE_EVENTS:
            before_write(event)

    def announced(function: Any, name: Callable[[Any], str]) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if described := name(arguments):
                before_write(described)
            return function(*arguments, **options)

        return call

    def statement(arguments: Any) -> str:
        first = str(arguments[1]).split(None, 1)[0].upper()
        return "" if first in QUESTIONS else first

    sys.addaudithook(audit)
    os.write = announced(os.write, lambda _: "os.write")
    os.fsync = announced(os.fsync, lambda _: "os.fsync")
    for kind in ("execute", "executemany"):
        setattr(Cursor, kind, announced(getattr(Cursor, kind), statement))
    Connection.close = announced(sqlite3.Connection.close, lambda _: "close")  # type: ignore[method-assign]


def in_child(work: Callable[[], int]) -> tuple[int, int]:
    """Do ``work`` in a fork. Returns (exit code, signal that ended it); 99 for an exception."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        except BaseException as error:  # noqa: BLE001 (the child must never return into this loop)
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return (0, os.WTERMSIG(status)) if os.WIFSIGNALED(status) else (os.WEXITSTATUS(status), 0)


def run(arguments: list[str]) -> int:
    """``memos`` with these arguments, silently. Its standard input is ``CRASH_STDIN`` of the environment."""
    from memos_cli.cli.app import main

    sys.argv = ["memos", *arguments]
    sys.stdin = io.TextIOWrapper(io.BytesIO(os.environ.get("CRASH_STDIN", "").encode()))
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # type: ignore[assignment]
    return 0


def list_writes(arguments: list[str], log: Path) -> list[str]:
    """The writes of a command that runs to its end. What it imports, this process imports, too."""

    def work() -> int:
        writes: list[str] = []
        watch_writes(writes.append)
        code = run(arguments)
        log.write_text(json.dumps({"writes": writes[:], "modules": [*sys.modules]}))
        return code

    code, signalled = in_child(work)
    assert (code, signalled) == (0, 0), f"memos {arguments} ended with {code}, signal {signalled}"
    found = json.loads(log.read_text())
    import_once(found["modules"])
    writes: list[str] = found["writes"]
    return writes


def import_once(names: list[str]) -> None:
    """Import modules here, so that no fork needs to. Those of models stay out, as they may start threads."""
    for name in names:
        if name not in sys.modules and name.split(".")[0] not in ("torch",):
            with suppress(ImportError):
                importlib.import_module(name)
    gc.freeze()  # else the collector of a fork writes to, and so copies, all that is shared
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads may not fork"


def end_at(point: int, arguments: list[str], number: int = signal.SIGKILL) -> tuple[int, int]:
    """Run a command and send it a signal before its write number ``point``, counted from 0."""

    def work() -> int:
        left = point

        def count(_: str) -> None:
            nonlocal left
            if left == 0:
                left -= 1  # what cleans up writes, too
                os.kill(os.getpid(), number)
            left -= 1

        watch_writes(count)
        return run(arguments)

    return in_child(work)


def read_content(folder: Path) -> dict[str, Any]:
    """What a vault holds, as far as a user can tell: not ids, times, hits, nor where a row stands."""
    if not (folder / "VAULT.toml").exists():
        return {}
    with closing(sqlite3.connect(f"file:{folder / 'memos.db'}?mode=ro", uri=True)) as db:
        cubes = db.execute(
            """SELECT v.text, replace(c.state, 'activated', 'generated'), c.version, c.ref, c.time, c.expires,
                 (SELECT group_concat(tag) FROM (SELECT tag FROM tag WHERE cube = c.n ORDER BY tag)),
                 (SELECT count(*) FROM place WHERE cube = c.n), EXISTS (SELECT 1 FROM vector WHERE cube = c.n)
               FROM cube c JOIN version v ON v.cube = c.n AND v.version = c.version
               ORDER BY v.text, c.ref"""
        ).fetchall()
        sources = db.execute("SELECT uri, sha256, blob FROM source ORDER BY uri").fetchall()
        views = db.execute("SELECT name, filter FROM view ORDER BY name").fetchall()
        states = db.execute(
            """SELECT a.view, a.blob, a.bytes, a.prompt, hex(a.key),
                 (SELECT group_concat(part || ' ' || version || ' ' || text, char(10)) FROM (
                    SELECT d.part, d.version, v.text FROM derived d
                    JOIN version v ON v.cube = d.source AND v.version = d.version
                    WHERE d.cube = a.cube ORDER BY d.position))
               FROM activation a ORDER BY a.key, a.view"""
        ).fetchall()
        links = db.execute(
            """SELECT l.kind, v.text, w.text FROM link l
               JOIN cube c ON c.n = l.source JOIN version v ON v.cube = c.n AND v.version = c.version
               JOIN cube d ON d.n = l.target JOIN version w ON w.cube = d.n AND w.version = d.version
               ORDER BY l.kind, v.text, w.text"""
        ).fetchall()
        pins = db.execute(
            """SELECT p.view, v.text FROM pin p JOIN cube c ON c.n = p.cube
               JOIN version v ON v.cube = c.n AND v.version = c.version ORDER BY p.view, p.position"""
        ).fetchall()
        adapters = db.execute(
            """SELECT c.state, p.blob, p.lost, p.recipe, p.report,
                 (SELECT group_concat(text, char(10)) FROM (
                    SELECT v.text FROM derived d JOIN version v ON v.cube = d.source AND v.version = d.version
                    WHERE d.cube = c.n ORDER BY d.position)),
                 (SELECT group_concat(line, char(10)) FROM (
                    SELECT l.kind || l.question || l.answer AS line FROM lesson l
                    WHERE l.cube = c.n ORDER BY l.position))
               FROM parametric p JOIN cube c ON c.n = p.cube ORDER BY p.model, p.recipe, c.n"""
        ).fetchall()
        asked = db.execute("SELECT DISTINCT text FROM question ORDER BY text").fetchall()
    content = {
        "cubes": cubes, "sources": sources, "views": views, "states": states, "pins": pins,
        "adapters": adapters, "asked": asked, "links": links,
    }  # fmt: skip
    return json.loads(json.dumps(content))


def find_broken(folder: Path) -> list[str]:
    """The broken musts of a vault; none where there is no vault yet.

    VAULT.toml comes last: a folder without it, and without a memory, has nothing that could be lost.
    """
    from memos_cli.errors import NoVault
    from memos_cli.infrastructure.vault import check

    if not (folder / "VAULT.toml").exists() and not _has_cubes(folder / "memos.db"):
        return []
    try:
        findings = check.examine(folder, timeout=1.0)
    except NoVault:
        return []
    return [f"{f.what} {f.where}: {f.message}" for f in findings if f.rule == "must"]


def find_wrong(command: list[str]) -> list[str]:
    """What is wrong outside the vault, by a command that says so; none without one."""
    code, signalled = in_child(lambda: run(command)) if command else (0, 0)
    return (
        [f"memos {command} ended with {code}, signal {signalled}"] if code not in (0, 2) or signalled else []
    )


def find_left(folder: Path) -> list[str]:
    """The files in a vault that nothing names: who is interrupted has the time to remove them."""
    from memos_cli.infrastructure.vault import check

    if not (folder / "VAULT.toml").exists():
        return []
    left = ("blob-orphan", "file-unfinished")
    return [f"{f.what} {f.where}" for f in check.examine(folder, timeout=1.0) if f.what in left]


def _has_cubes(database: Path) -> bool:
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'cube'").fetchone():
            return False
        return db.execute("SELECT 1 FROM cube").fetchone() is not None


def choose_points(writes: list[str], limit: int, number: int) -> list[int]:
    """Of so many points those that differ most; all of them, if there are few.

    Chosen are the first point of each kind (a write, and the one before it), then evenly spread ones of the
    rest. What an interruption may leave is decided around the deeds that others see: those points are chosen.
    """
    count = len(writes)
    if number == signal.SIGINT:
        seen = [at for at, write in enumerate(writes) if write in ("os.rename", "os.remove", "COMMIT")]
        return sorted({at + step for at in seen for step in (0, 1, 2) if at + step < count})[-limit:]
    kinds: dict[tuple[str, str], int] = {}
    for at, pair in enumerate(zip(["", *writes], writes, strict=False)):
        kinds.setdefault(pair, at)
    chosen = spread([*kinds.values()], limit)
    return sorted([*chosen, *spread(sorted({*range(count)} - {*chosen}), limit - len(chosen))])


def spread(points: list[int], limit: int) -> list[int]:
    """``limit`` of ``points``, evenly spread, and the last one always; all of them, if there are few."""
    if len(points) <= limit:
        return points
    return [points[(len(points) - 1) * (step + 1) // limit] for step in range(limit)]


def examine_command(plan: dict[str, Any]) -> dict[str, Any]:
    """Kill the command of ``plan`` at every point; what went wrong, and what was tried."""
    prepared, arguments = Path(plan["prepared"]), plan["command"]
    vault = Path(plan["vault"])

    beside = Path(plan["beside"]) if plan["beside"] else None
    kept = prepared.with_name("prepared-beside")
    if beside:
        shutil.copytree(beside, kept)

    def prepare() -> None:
        shutil.rmtree(vault, ignore_errors=True)
        if prepared.exists():
            shutil.copytree(prepared, vault)
        if beside:
            shutil.rmtree(beside)
            shutil.copytree(kept, beside)

    prepare()
    list_writes(arguments, Path(plan["log"]))  # the first run fills the cache, which is no part of the vault
    prepare()
    writes = list_writes(arguments, Path(plan["log"]))
    wanted = read_content(vault)
    problems: list[str] = []
    points = choose_points(writes, plan["limit"], plan["signal"])
    for point in points:
        where = f"before write {point} ({writes[point]})"
        prepare()
        code, signalled = end_at(point, arguments, plan["signal"])
        if (code, signalled) not in ((0, signal.SIGKILL), (128 + signal.SIGINT, 0)):
            problems.append(f"{where}: not killed, it ended with {code}, signal {signalled}")
            continue
        if plan["signal"] == signal.SIGINT:
            problems += [f"{where}: {left}" for left in find_left(vault)]
        problems += [f"{where}: {broken}" for broken in find_broken(vault)]
        problems += [f"{where}: {wrong}" for wrong in find_wrong(plan["verify"])]
        code, signalled = in_child(lambda: run(arguments))
        if code not in plan["codes"] or signalled:
            problems.append(f"{where}: the retry ended with {code}, signal {signalled}")
        problems += [f"{where}, after the retry: {broken}" for broken in find_broken(vault)]
        problems += [f"{where}, after the retry: {wrong}" for wrong in find_wrong(plan["verify"])]
        if (content := read_content(vault)) != wanted:
            problems.append(f"{where}: the retry left {content}, not {wanted}")
        code, _ = in_child(lambda: run(["check", "--repair"]))
        if code != 0:
            problems.append(f"{where}: what the kill left could not be repaired")
    return {"points": len(points), "writes": Counter(writes), "problems": problems}


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    sys.dont_write_bytecode = True
    import numpy  # noqa: F401 (imported before the fork, once)
    import sqlite_utils  # noqa: F401
    import typer.main
    from vault_harness import expect_schema_once

    from memos_cli.cli import app
    from memos_cli.infrastructure.derived import adapters  # noqa: F401
    from memos_cli.infrastructure.vault import check  # noqa: F401
    from memos_cli.interface import memory  # noqa: F401
    from memos_cli.interface.ingest import batches, ingest  # noqa: F401
    from memos_cli.interface.states import promotion  # noqa: F401
    from memos_cli.interface.vault import inspection  # noqa: F401
    from memos_cli.models import model_files  # noqa: F401
    from memos_cli.models.embed import bert, embedder  # noqa: F401
    from memos_cli.models.llama import llama_engine, prompt  # noqa: F401
    from memos_cli.operation.search import embedding, hybrid_search  # noqa: F401
    from memos_cli.operation.states import activation  # noqa: F401

    expect_schema_once()
    built = typer.main.get_command(app.build())
    app.build = lambda _=(): built  # type: ignore[assignment,misc]  # made once, not in each child
    run(["config"])  # for what a command line imports on its way
    batches.PART = embedding.PART = plan["part"]  # several commits for little input
    json.dump(examine_command(plan), sys.stdout)


if __name__ == "__main__":
    main()
