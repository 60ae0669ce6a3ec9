"""`memos watch`, with real files and real processes."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import exports
import pytest
from cli_harness import Shell

from memos_cli.files import hold

PATIENCE = 60.0
"""Seconds until a test gives up: machines differ, so nothing is timed."""
POLLED = ("--interval", "0.1", "--settle", "0.3")
WAYS = [
    pytest.param(POLLED, id="polling"),
    pytest.param(
        ("--settle", "0.3"),
        id="events",
        marks=pytest.mark.skipif(not importlib.util.find_spec("watchfiles"), reason="no watchfiles"),
    ),
]


class Watcher:
    """A `memos watch` that runs, and what it has said."""

    def __init__(self, memos: Shell, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.memos, self.process, self._out, self._err = memos, process, out, err

    @property
    def rounds(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._out.read_text().splitlines(keepends=True) if "\n" in line]

    @property
    def errors(self) -> str:
        return self._err.read_text()

    def until(self, test: Callable[[], object]) -> None:
        """Wait until ``test`` holds; fail if it never does, or if the watcher has ended."""
        end = time.monotonic() + PATIENCE
        while not test():
            assert self.process.poll() is None, self.errors
            assert time.monotonic() < end, (self.rounds, self.errors)
            time.sleep(0.05)

    def until_watching(self) -> None:
        self.until(lambda: (self.memos.vault / "watch.lock").exists())
        self.until(lambda: (self.memos.vault / "watch.lock").read_text().strip())

    def texts(self) -> set[str]:
        return {row["text"] for row in self.memos("list", "--json").records}

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def watching(memos: Shell, *arguments: object) -> Iterator[Watcher]:
    out, err = memos.folder / "out", memos.folder / "err"
    with out.open("wb") as standard, err.open("wb") as errors:
        process = memos.start(
            "watch", *arguments, "--no-embed", "--json", env={"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL, stdout=standard, stderr=errors,
        )  # fmt: skip
        try:
            yield Watcher(memos, process, out, err)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("way", WAYS)
def test_what_changes_comes_in(memos: Shell, way: tuple[str, ...]) -> None:
    memos.write("notes/a.md", "The port is 5433.")
    with watching(memos, memos.work / "notes", *way) as watcher:
        watcher.until(lambda: watcher.texts() == {"The port is 5433."})
        memos.write("notes/sub/deep/b.md", "The cat is Miso.")
        watcher.until(lambda: "The cat is Miso." in watcher.texts())
        memos.write("notes/a.md", "The port is 5434.")
        watcher.until(lambda: watcher.texts() == {"The port is 5434.", "The cat is Miso."})
        (memos.work / "notes" / "sub").rename(memos.work / "notes" / "moved")
        memos.write("notes/c.md", "The dog is Rex.")
        watcher.until(lambda: "The dog is Rex." in watcher.texts())
        assert watcher.stop() == 0
        assert "stopped" in watcher.errors
        assert "Traceback" not in watcher.errors
        assert (memos.vault / "watch.lock").read_text() == ""
    memos.check()
    assert sum(each["versions"] for each in watcher.rounds) == 1
    assert all(each["what"] == "ingest" for each in watcher.rounds)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_deleted_stays_unless_pruned(memos: Shell, way: tuple[str, ...]) -> None:
    for name in "abcd":
        memos.write(f"notes/{name}.md", f"This is {name}.")
    with watching(memos, memos.work / "notes", "--prune", *way) as watcher:
        watcher.until(lambda: len(watcher.texts()) == 4)
        (memos.work / "notes" / "a.md").unlink()
        watcher.until(lambda: len(watcher.texts()) == 3)
        (memos.work / "notes" / "b.md").rename(memos.work / "notes" / "bb.md")
        memos.write("notes/e.md", "This is e.")
        watcher.until(lambda: "This is e." in watcher.texts())
        assert "This is b." in watcher.texts()  # it moved
        memos.write("notes/.gitignore", "c.md\n")
        watcher.until(lambda: "This is c." not in watcher.texts())
        watcher.stop()
    with watching(memos, memos.work / "notes", *way) as watcher:
        watcher.until_watching()
        (memos.work / "notes" / "d.md").unlink()
        memos.write("notes/f.md", "This is f.")
        watcher.until(lambda: "This is f." in watcher.texts())
        assert "This is d." in watcher.texts()


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_being_written_waits_and_holds_up_no_other(memos: Shell, way: tuple[str, ...]) -> None:
    memos.write("notes/a.md", "The port is 5433.")
    with watching(memos, memos.work / "notes", *way, "--settle", "1") as watcher:
        watcher.until(lambda: watcher.texts())
        memos.write("notes/b.md", "The cat is Miso.")
        log = memos.work / "notes" / "log.txt"
        lines = 0

        def write_on() -> bool:
            nonlocal lines
            with log.open("a") as file:
                file.write(f"line {lines} of a log\n")
            lines += 1
            return "The cat is Miso." in watcher.texts()

        watcher.until(write_on)
        assert not any("of a log" in text for text in watcher.texts())
        watcher.until(lambda: any(f"line {lines - 1} of a log" in text for text in watcher.texts()))
        watcher.stop()
    assert sum(each["versions"] for each in watcher.rounds) == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_store_is_imported_when_it_changes(memos: Shell, way: tuple[str, ...]) -> None:
    chat = exports.TELEGRAM["chats"]["list"][0]  # type: ignore[index]
    path = exports.write_json(memos.work / "result.json", {**chat, "messages": chat["messages"][:2]})
    for name, rows in exports.SLACK.items():
        exports.write_json(memos.work / "slack" / name, rows)
    with watching(memos, "--store", path, "--store", memos.work / "slack", *way) as watcher:
        watcher.until(lambda: len(watcher.texts()) == 1 + 6)
        exports.write_json(path, chat)
        day = [{"user": "U1", "text": "A new day.", "ts": "1746190000.000000"}]
        exports.write_json(memos.work / "slack" / "general" / "2025-05-02.json", day)
        watcher.until(lambda: {"A new day.", "I am gone."} <= watcher.texts())
        watcher.stop()
    assert {each["what"] for each in watcher.rounds} == {"import"}
    assert memos("list", "--source", "telegram:22", "--json").records


def test_only_one_process_watches_for_a_vault(memos: Shell) -> None:
    (memos.work / "notes").mkdir()
    with watching(memos, memos.work / "notes", *POLLED) as watcher:
        watcher.until_watching()
        second = memos("watch", memos.work / "notes", "--once", code=11)
        assert str(watcher.process.pid) in second.err
        assert watcher.stop(signal.SIGINT) == 0
    assert memos("watch", memos.work / "notes", "--once", "--no-embed").out
    with watching(memos, memos.work / "notes", *POLLED) as watcher:
        watcher.until_watching()
        watcher.process.kill()
        watcher.process.wait()
    assert memos("watch", memos.work / "notes", "--once", "--no-embed").out  # its lock went with it


@pytest.mark.parametrize("way", WAYS)
def test_what_fails_is_reported_and_the_rest_goes_on(memos: Shell, way: tuple[str, ...]) -> None:
    memos.write("notes/a.md", "The port is 5433.")
    memos.write("notes/bad.jsonl", '{"text": "half')
    store = memos.write("result.json", '{"name": "Bo", "type": "personal_chat", "messages": [')
    with watching(memos, memos.work / "notes", "--store", store, *way) as watcher:
        watcher.until(lambda: "bad.jsonl" in watcher.errors and "result.json" in watcher.errors)
        exports.write_json(store, exports.TELEGRAM)
        memos.write("notes/bad.jsonl", '{"text": "The cat is Miso."}')
        watcher.until(lambda: {"The cat is Miso.", "I am gone."} <= watcher.texts())
        shutil.rmtree(memos.work / "notes")
        (memos.work / "notes").mkdir()
        memos.write("notes/new.md", "The dog is Rex.")
        watcher.until(lambda: "The dog is Rex." in watcher.texts())
        assert "Traceback" not in watcher.errors
        assert watcher.stop() == 0


def test_another_writer_only_delays_it(memos: Shell) -> None:
    memos.write("notes/a.md", "The port is 5433.")
    with hold(memos.vault / "lock"):
        done = memos.process(
            "watch", memos.work / "notes", "--once", "--no-embed", *POLLED, env={"MEMOS_LOCK_TIMEOUT": "0.1"},
            code=3,
        )  # fmt: skip
    assert "failed" in done.err
    assert "added 1" in memos("watch", memos.work / "notes", "--once", "--no-embed", *POLLED).out


def test_its_own_vault_in_the_folder_wakes_it_up_no_more(memos: Shell) -> None:
    memos.write("a.md", "The port is 5433.")
    with watching(memos, memos.folder, *POLLED) as watcher:
        watcher.until(lambda: watcher.texts())
        memos.write("b.md", "The cat is Miso.")
        watcher.until(lambda: "The cat is Miso." in watcher.texts())
        count = len(watcher.rounds)
        memos("ingest", "-", "--no-embed", stdin=b"Another one.")
        memos.write("c.md", "The dog is Rex.")
        watcher.until(lambda: "The dog is Rex." in watcher.texts())
        watcher.stop()
    assert len(watcher.rounds) <= count + 2  # `out` and `err` of this test lie there, too


def test_a_store_within_a_folder_is_imported_and_not_ingested(memos: Shell) -> None:
    memos.write("all/a.md", "The port is 5433.")
    path = exports.write_json(memos.work / "all" / "result.json", exports.TELEGRAM)
    memos("watch", memos.work / "all", "--store", path, "--once", "--no-embed", *POLLED)
    sources = {row["source"] for row in memos("list", "--json").records}
    assert {each.partition(":")[0] for each in sources if not each.endswith("a.md")} == {"telegram"}


def test_once_takes_everything_and_ends(memos: Shell) -> None:
    memos.write("notes/a.md", "The port is 5433.")
    rows = memos("watch", memos.work / "notes", "--once", "--no-embed", "--json", *POLLED).records
    assert [(row["what"], row["added"], row["error"]) for row in rows] == [("ingest", 1, "")]
    assert "added 0" in memos("watch", memos.work / "notes", "--once", "--no-embed", *POLLED).out
    memos.write("notes/bad.jsonl", '{"text": "half')
    memos("watch", memos.work / "notes", "--once", "--no-embed", *POLLED, code=3)


def test_paths_that_cannot_be_watched_are_refused(memos: Shell) -> None:
    assert "does not exist" in memos("watch", memos.work / "none", code=2).err
    file = memos.write("a.md", "x")
    assert f"--store {file}" in memos("watch", file, code=2).err
    assert "nothing to watch" in memos("watch", code=2).err


def test_a_unit_of_systemd_runs_it(memos: Shell) -> None:
    done = memos("cron", "--watch", "notes & 100%", "--store", "/x/result.json")
    assert str(memos.work / "notes & 100%%") in done.out
    assert f"--vault {memos.vault} watch --quiet '" in done.out
    assert "--store /x/result.json\nRestart=on-failure" in done.out
    assert "systemctl --user enable --now memos-watch-" in done.err
    (name,) = memos("cron", "--watch", "notes", "--json").record["units"]
    assert name.startswith("~/.config/systemd/user/memos-watch-")
    assert "crontab" in memos("cron", "--watch", "notes", "--install", code=2).err
    assert "line break" in memos("cron", "--watch", "a\nb", code=2).err
    if shutil.which("systemd-analyze"):
        unit = memos.write("memos-watch.service", memos("cron", "--watch", os.sep).out)
        runtime = memos.folder / "runtime"
        runtime.mkdir(mode=0o700)
        env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
        subprocess.run(["systemd-analyze", "--user", "verify", unit], check=True, env=env)
