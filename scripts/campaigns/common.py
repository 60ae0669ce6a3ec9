"""What the campaigns share: a home of their own, quick runs of ``memos``, what a vault holds, and the report.

A campaign is drawn from ``--seed``, ends after ``--seconds`` or ``--count`` tries, prints its counts, and
exits with 1 if it found something. Commands run in forks of this process, which has imported everything once:
a command then costs tens of milliseconds. No campaign starts threads or loads a model before it forks.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import pkgutil
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

TESTS = Path(__file__).resolve().parents[2] / "tests" / "harness"
sys.path.insert(0, str(TESTS))  # whose helpers the campaigns use
LIBRARIES = (
    "cryptography.hazmat.primitives.asymmetric.ed25519", "detect_secrets.core.scan", "encodings.cp1252",
    "encodings.gb18030", "fsspec.implementations.chained", "fsspec.implementations.local", "jinja2.sandbox",
    "llama_cpp", "markdown_it", "msgspec", "numpy.ma", "phonenumbers.shortnumberinfo", "pyrage", "requests",
    "selectolax.lexbor", "semantic_text_splitter", "sentencex", "sqlcipher3.dbapi2", "sqlite_utils",
    "stdnum.iban", "stdnum.luhn", "sysconfig", "tomli", "typer._click.decorators", "yaml", "zoneinfo",
)  # fmt: skip
"""What commands import on their way, as far as it is installed."""
FAILED_TO_END = 99
"""The exit code of a fork that an exception has left: always a finding."""
_FRESH = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
sys.argv[0] = "memos"
from bag_of_words import BagOfWords
from memos_cli.models.embed import embedder
embedder.open_embedder = lambda *_, **__: BagOfWords()
from memos_cli.cli.app import main
main()
"""
"""A command in a process of its own; it embeds by words, as in a fork."""
SYLLABLES = tuple(first + vowel for first in "bcdfglmnprst" for vowel in "aeiou")


@dataclass(frozen=True)
class Run:
    """What a command left: its exit code or the signal that ended it (the other is 0), and what it wrote."""

    arguments: tuple[str, ...]
    code: int
    signal: int
    out: str
    err: str
    seconds: float
    hung: bool = False
    processor: float = 0.0
    """Seconds of processor that the command took."""

    @property
    def values(self) -> list[Any]:
        """The lines of JSON."""
        return [json.loads(line) for line in self.out.split("\n") if line.strip()]

    @property
    def broke(self) -> bool:
        """Whether the program itself went wrong: a traceback, an internal error, an abort, no end."""
        crashed = self.signal not in (0, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
        texts = ("Traceback (most recent call last)", "internal error")
        said = any(text in self.err or text in self.out for text in texts)
        return crashed or self.hung or said or self.code == FAILED_TO_END

    def __str__(self) -> str:
        end = f"signal {self.signal}" if self.signal else f"exit {self.code}"
        return f"memos {' '.join(self.arguments)[:300]}: {end}{', hung' * self.hung}: {self.err[-900:]}"


@dataclass
class Campaign:
    """One run of a campaign: its chance, its folder, its limits, and what it has counted and found."""

    name: str
    seed: int
    seconds: float
    count: int
    folder: Path
    chosen: tuple[str, ...] = ()
    """Which of its choices were named on the command line: none, to try all."""
    counts: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    chance: random.Random = field(init=False)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def tries(self) -> Iterator[int]:
        """The numbers of the tries, until time or count is up. Shows where it stands on a terminal."""
        for number in range(self.count):
            if time.monotonic() - self.started > self.seconds:
                return
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{self.name}: {number} tries, {len(self.found)} found\033[K")
            self.counts["tries"] += 1
            yield number

    def find(self, what: str, **details: object) -> None:
        """Record a finding, and print it at once: a campaign may be interrupted."""
        self.found.append(report(what, details))

    def sentence(self) -> str:
        """A sentence of invented words, which says nothing and is like no other."""
        words = ("".join(self.chance.choices(SYLLABLES, k=self.chance.randint(2, 4))) for _ in range(9))
        return f"{' '.join(words).capitalize()}."

    def end(self) -> int:
        """Print the counts and say how it ended. Returns the exit code."""
        seconds = time.monotonic() - self.started
        for name, number in sorted(self.counts.items()):
            print(f"{name}\t{number}")
        print(f"{self.name}: seed {self.seed}, {seconds:.0f} s, {len(self.found)} found")
        return 1 if self.found else 0


def report(what: str, details: Mapping[str, object]) -> str:
    """Print a finding with its details. Returns what was printed."""
    text = what + "".join(f"\n    {name}: {str(value)[:1200]}" for name, value in details.items())
    print(f"FOUND {text}", flush=True)
    return text


def main(
    name: str,
    help_text: str,
    work: Callable[[Campaign], None],
    *,
    count: int = 10**9,
    seconds: float = 60,
    choices: Collection[str] = (),
) -> None:
    """Run a campaign from the command line, in a folder of its own, and exit."""
    parser = argparse.ArgumentParser(description=help_text, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="what is tried is drawn from it (default 1)")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"longest run (default {seconds:g})")
    parser.add_argument("--count", type=int, default=count, help="most tries (default: no limit)")
    parser.add_argument("--keep", action="store_true", help="leave the folder it worked in, and name it")
    if choices:
        parser.add_argument("chosen", nargs="*", metavar="NAME", help=f"only these of {', '.join(choices)}")
    given = parser.parse_args()
    chosen = tuple(given.chosen) if choices else ()
    if unknown := set(chosen) - set(choices):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix=f"memos-{name}-"))
    settle(folder)
    campaign = Campaign(name, given.seed, given.seconds, given.count, folder, chosen)
    try:
        work(campaign)
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        if given.keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(campaign.end())


def settle(folder: Path) -> None:
    """Make ``folder`` the home of all commands from now on, and import what they may need."""
    for variable in [name for name in os.environ if name.startswith(("MEMOS_", "XDG_"))]:
        if variable != "MEMOS_CACHE":
            del os.environ[variable]
    home = folder / "home"
    home.mkdir(parents=True)
    os.environ.setdefault("MEMOS_CACHE", str(folder / "cache"))
    os.environ.update(HOME=str(home), TMPDIR=str(folder), TZ="UTC", OMP_NUM_THREADS="1")
    tempfile.tempdir = str(folder)
    _import_all()


def embed_by_words() -> None:
    """Let commands make vectors without a model, in milliseconds."""
    from bag_of_words import BagOfWords

    from memos_cli.models.embed import embedder

    embedder.open_embedder = lambda *_, **__: BagOfWords()


def copy_folder(source: Path, target: Path) -> Path:
    """Copy a folder, in place of what is at ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(source, target)


def _import_all() -> None:
    sys.modules["pandas"] = None  # type: ignore[assignment]  # sqlite_utils would load it: 30 MB to fork
    import typer.main

    from memos_cli.cli import app

    for package in ("cli", "infrastructure", "interface", "operation"):
        _import_package(f"memos_cli.{package}")
    for library in LIBRARIES:
        with suppress(ImportError):
            import_module(library)
    built = typer.main.get_command(app.build())
    app.build = lambda _=(): built  # type: ignore[assignment, return-value]
    _make_expected_once()
    gc.freeze()  # so that forks share what is imported


def _make_expected_once() -> None:
    """Make the empty database that ``memos check`` compares with only once: a third of the time it takes."""
    from memos_cli.infrastructure.storage import database
    from memos_cli.infrastructure.vault import row_checks

    with closing(row_checks.expected()) as made:
        empty = made.serialize()

    def expected() -> database.Connection:
        fresh = sqlite3.connect(":memory:", isolation_level=None, factory=database.Connection)
        fresh.deserialize(empty)
        return fresh

    row_checks.expected = expected


def _import_package(name: str) -> None:
    package = import_module(name)
    for module in pkgutil.iter_modules(package.__path__):
        if "training" in module.name:
            continue
        import_module(f"{name}.{module.name}")
        if module.ispkg:
            _import_package(f"{name}.{module.name}")


def memos(
    *arguments: object,
    stdin: str | bytes = b"",
    env: dict[str, str] | None = None,
    kill_after: float | None = None,
    timeout: float = 60.0,
    first: Callable[[], None] | None = None,
    fresh: bool = False,
) -> Run:
    """Run the command line in a fork. ``kill_after`` seconds it gets SIGKILL; ``first`` runs in the fork.

    A ``fresh`` command starts a Python interpreter of its own, as a user's command does. It has hung after
    ``timeout`` seconds, or more on a busy machine.
    """
    given = tuple(str(each) for each in arguments)
    data = stdin.encode() if isinstance(stdin, str) else stdin
    with tempfile.TemporaryFile() as typed, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        typed.write(data)
        typed.seek(0)
        sys.stdout.flush()
        sys.stderr.flush()
        start = time.monotonic()
        child = os.fork()
        if child == 0:
            _be_command(given, (typed, out, err), env or {}, first, fresh)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # processes that share a processor
        status, hung, processor = _wait(child, start + timeout * busy)
        seconds = time.monotonic() - start
        said, errors = (_read_all(stream) for stream in (out, err))
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = 0 if ended_by else os.WEXITSTATUS(status)
    return Run(given, code, ended_by, said, errors, seconds, hung, processor)


def succeeded(done: Run) -> Run:
    """Return a run that prepares a campaign. Raises RuntimeError if it failed."""
    if done.code or done.signal:
        raise RuntimeError(f"the campaign cannot prepare: {done}")
    return done


def _read_all(stream: BinaryIO) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _be_command(
    arguments: tuple[str, ...],
    streams: tuple[BinaryIO, BinaryIO, BinaryIO],
    env: dict[str, str],
    first: Callable[[], None] | None,
    fresh: bool,
) -> None:
    code = FAILED_TO_END
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream.fileno(), number)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False))
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        os.environ.update(env)
        sys.argv = ["memos", *arguments]
        if first is not None:
            first()
        if fresh:
            os.execv(sys.executable, [sys.executable, "-c", _FRESH, *arguments])
        from memos_cli.cli.app import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:  # noqa: BLE001 (the fork must never return into the campaign)
        import traceback

        traceback.print_exc()
    finally:
        for written in (sys.stdout, sys.stderr):
            written.flush()
        os._exit(code & 255)


def _wait(child: int, deadline: float) -> tuple[int, bool, float]:
    hung = False
    while True:
        ended, status, used = os.wait4(child, 0 if hung else os.WNOHANG)
        if ended:
            return status, hung, used.ru_utime + used.ru_stime
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            hung = True
        time.sleep(0.001)


def contents(vault: Path) -> dict[str, tuple[Any, ...]]:
    """What a plain vault holds, by id: all of a memory that a user put there, no hits and no dates of change.

    Returns:
        id → (state, version, expiry, frozen, ((version, title, text) …), (tag …), ((kind, target id) …)).
        Empty where there is no vault yet.
    """
    database = vault / "memos.db"
    if not database.exists():
        return {}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'cube'").fetchone():
            return {}
        db.execute("BEGIN")  # all of it as it stands at one moment
        held = {}
        for number, identifier, *header in db.execute(
            "SELECT n, id, state, version, expires, frozen FROM cube"
        ).fetchall():
            versions = db.execute(
                "SELECT version, title, text FROM version WHERE cube = ? ORDER BY version", (number,)
            ).fetchall()
            tags = db.execute("SELECT tag FROM tag WHERE cube = ? ORDER BY tag", (number,)).fetchall()
            links = db.execute(
                "SELECT l.kind, c.id FROM link l JOIN cube c ON c.n = l.target WHERE l.source = ?"
                " ORDER BY 1, 2",
                (number,),
            ).fetchall()
            held[identifier] = (*header, tuple(versions), tuple(tag for (tag,) in tags), tuple(links))
    return held


def findings(vault: Path, **options: Any) -> list[dict[str, Any]]:
    """What ``memos check`` says of a vault; a check that fails is a finding, too."""
    run = memos("--vault", vault, "check", "--json", **options)
    try:
        listed: list[dict[str, Any]] = run.values[0]["findings"]
    except (IndexError, KeyError, ValueError):
        return [{"rule": "must", "what": "check", "where": str(vault), "message": str(run)}]
    return listed


def broken(vault: Path, **options: Any) -> list[dict[str, Any]]:
    """The findings of ``memos check`` that break a *must* of store_format.md."""
    return [finding for finding in findings(vault, **options) if finding["rule"] == "must"]
