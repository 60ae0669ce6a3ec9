"""Pruning archives memories that are gone from a folder; an unmounted disk archives nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_harness import Shell

Ends = Callable[[Path], object]


def _instead(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


GONE: dict[str, Ends] = {
    "deleted": lambda notes: (notes / "a.md").unlink(),
    "emptied": lambda notes: (notes / "a.md").write_bytes(b""),
    "blank": lambda notes: (notes / "a.md").write_text(" \n\n"),
    "binary": lambda notes: (notes / "a.md").write_bytes(b"x\0y\0z"),
    "ignored": lambda notes: (notes / ".gitignore").write_text("a.*\n"),
    "ignored in Git": lambda notes: (
        (notes / ".git/info").mkdir(parents=True),
        (notes / ".git/info/exclude").write_text("/a.md\n"),
    ),
    "a folder": lambda notes: _instead(notes / "a.md", Path.mkdir),
    "a pipe": lambda notes: _instead(notes / "a.md", os.mkfifo),
    "a link to nowhere": lambda notes: _instead(notes / "a.md", lambda path: path.symlink_to("nowhere")),
    "renamed to a hidden name": lambda notes: (notes / "a.md").rename(notes / ".a.md"),
}


def texts(memos: Shell, state: str = "archived") -> set[str]:
    return {row["text"] for row in memos("list", "--state", state, "--json").records}


def prune(memos: Shell, *what: str, code: int = 0) -> int:
    return int(memos("ingest", *what, "--no-embed", "--prune", "--json", code=code).record["archived"])


@pytest.mark.parametrize("how", GONE)
def test_pieces_gone_from_a_file_are_archived(memos: Shell, how: str) -> None:
    memos.write("notes/a.md", "The ferry leaves at nine.")
    memos.write("notes/b.md", "Tea is at five.")
    memos("ingest", "notes", "--no-embed")
    GONE[how](memos.work / "notes")
    assert prune(memos, "notes") == 1
    assert texts(memos) == {"The ferry leaves at nine."}
    assert prune(memos, "notes") == 0


LINKS: dict[str, Ends] = {
    "the link to the folder": lambda work: (work / "notes/out").unlink(),
    "the folder behind the link": lambda work: (work / "out").rename(work / "elsewhere"),
    "the file behind the link": lambda work: (work / "out/a.md").unlink(),
    "the link leads elsewhere": lambda work: _instead(
        work / "notes/out", lambda path: path.symlink_to("../new")
    ),
    "a folder above the link": lambda work: (work / "notes/out").rename(work / "notes/.out"),
}


@pytest.mark.parametrize("how", LINKS)
def test_memories_reached_through_a_deleted_link_are_archived(memos: Shell, how: str) -> None:
    memos.write("out/a.md", "From outside.")
    memos.write("new/b.md", "New.")
    memos.write("notes/c.md", "Plain.")
    (memos.work / "notes/out").symlink_to("../out")
    memos("ingest", "notes", "--no-embed", "--prune")
    LINKS[how](memos.work)
    assert prune(memos, "notes") == 1
    assert texts(memos) == {"From outside."}


def test_a_link_to_the_folder_itself_that_leads_elsewhere(memos: Shell) -> None:
    memos.write("release-1/a.md", "Old release.")
    memos.write("release-2/a.md", "New release.")
    current = memos.work / "current"
    current.symlink_to("release-1")
    prune(memos, "current")
    _instead(current, lambda path: path.symlink_to("release-2"))
    assert prune(memos, "current") == 1
    assert texts(memos, "generated") == {"New release."}


def test_a_source_of_another_folder_stays(memos: Shell) -> None:
    memos.write("store/a.md", "Shared.")
    memos.write("notes/b.md", "Plain.")
    (memos.work / "notes/a.md").symlink_to("../store/a.md")
    prune(memos, "notes")
    prune(memos, "store")
    (memos.work / "notes/a.md").unlink()
    assert prune(memos, "notes") == 0
    (memos.work / "store/a.md").rename(memos.work / "a.md")
    assert prune(memos, "store", code=3) == 0
    assert int(memos("ingest", "store", "--prune-all", "--json", "--no-embed").record["archived"]) == 1


def test_a_file_that_was_named_stays_though_its_folder_ignores_it(memos: Shell) -> None:
    memos.write("notes/.gitignore", "own.md")
    memos.write("notes/own.md", "Named by hand.")
    memos.write("notes/b.md", "Plain.")
    memos("ingest", "notes/own.md", "--no-embed")
    assert prune(memos, "notes") == 0
    memos.write("notes/own.md", "")
    assert prune(memos, "notes") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_source_is_not_gone(memos: Shell) -> None:
    memos.write("notes/sub/a.md", "Kept.")
    memos.write("notes/b.md", "Plain.")
    prune(memos, "notes")
    (memos.work / "notes/sub").chmod(0)
    assert prune(memos, "notes", code=3) == 0
    (memos.work / "notes/sub").chmod(0o700)


@pytest.mark.parametrize("count", [1, 3, 12])
def test_an_empty_folder_is_refused_and_prune_all_does_it(memos: Shell, count: int) -> None:
    for n in range(count):
        memos.write(f"notes/deep/{n}.md", f"Note {n}.")
    prune(memos, "notes")
    (memos.work / "notes").rename(memos.work / "away")
    memos.write("notes/deep/.keep", "")
    done = memos("ingest", "notes", "--no-embed", "--prune", "-q", code=3)
    assert "--prune-all" in done.err
    assert texts(memos) == set()
    assert memos("ingest", "notes", "--no-embed", "--prune-all", "--json").record["archived"] == count


@pytest.mark.parametrize(("gone", "code"), [(5, 0), (6, 0), (7, 3), (11, 3)])
def test_no_more_than_half_of_many_sources_is_pruned(memos: Shell, gone: int, code: int) -> None:
    for n in range(12):
        memos.write(f"notes/{n}.md", f"Note {n}.")
    prune(memos, "notes")
    for n in range(gone):
        (memos.work / f"notes/{n}.md").unlink()
    assert prune(memos, "notes", code=code) == (0 if code else gone)
