"""Memories that may contradict each other: both are shown with their dates; only the user hides one."""

from __future__ import annotations

import json

import pytest
from cli_harness import Shell, with_models

from memos_cli.interface.share import bundle

PAIR = ("The ferry leaves at 9:00.", "The ferry leaves at 10:00.")
QUESTION = "When does the ferry leave?"


def keep(memos: Shell, *texts: str) -> list[str]:
    """Ingest each text by itself, as a user types them, and return their ids."""
    return [
        memos("ingest", "-", "--time", f"2026-05-0{day}", "--json", stdin=text.encode()).record["ids"][0]
        for day, text in enumerate(texts, 1)
    ]


@with_models
def test_both_are_quoted_the_newer_first_with_their_dates(memos: Shell) -> None:
    old, new = keep(memos, *PAIR)
    memos("ingest", "-", stdin=b"The harbour office opens at eight.")
    done = memos("query", QUESTION, "--quote")
    assert done.lines[:2] == [f"{PAIR[1]} (2026-05-02)", f"{PAIR[0]} (2026-05-01)"]
    assert "[1] (2026-05-02) and [2] (2026-05-01) may contradict each other" in done.err
    plan = memos("query", QUESTION, "--explain", "--json").record["plan"]
    assert [item["id"] for item in plan["chosen"][:2]] == [new, old]
    assert any("may contradict" in note for note in plan["notes"])
    memos("conflicts", "--resolve", "keep-both")
    assert "contradict" not in memos("query", QUESTION, "--quote").err
    memos("archive", old)
    assert PAIR[0] not in memos("query", QUESTION, "--quote").out


@with_models
def test_a_resolved_conflict_is_not_shown(memos: Shell) -> None:
    keep(memos, *PAIR)
    memos("conflicts", "--resolve", "keep-newest")
    done = memos("query", QUESTION, "--quote")
    assert PAIR[1] in done.out
    assert PAIR[0] not in done.out


LISTS = {
    "a timetable": [f"The ferry leaves at {hour}:00." for hour in (8, 9, 10, 11)],
    "buses": [f"Bus {n} leaves Main Square at 7:{n}." for n in (21, 22, 23)],
    "people": ["Ann was born on 3 May 1990.", "Ben was born on 4 May 1991.", "Cleo was born on 5 May."],
    "prices": ["Coffee is 3.50 euros.", "Tea is 3.00 euros.", "Cake is 4.20 euros."],
    "a log": [f"Disk usage is {n} %." for n in (81, 82, 83)],
}


@with_models
@pytest.mark.parametrize("what", LISTS)
def test_entries_of_one_list_do_not_contradict(memos: Shell, what: str) -> None:
    memos("ingest", memos.write("list.txt", "\n".join(LISTS[what])), "--lines")
    assert memos("conflicts", "--json").records == []


@with_models
def test_rows_headings_and_speakers_separate_subjects(memos: Shell) -> None:
    memos("ingest", memos.write("ports.csv", "kind,port\nserver,5433\nserver,5434\n"))
    sections = "# Heron\n\nThe server listens on port 71.\n\n# Stork\n\nThe server listens on port 72.\n"
    memos("ingest", memos.write("servers.md", sections))
    cats = (("Ann", "Mo"), ("Ben", "Tofu"))
    lines = [{"text": f"My cat is called {cat}.", "author": who} for who, cat in cats]
    memos("ingest", memos.write("cats.jsonl", "\n".join(map(json.dumps, lines))))
    assert memos("conflicts", "--json").records == []


@with_models
def test_a_link_in_a_bundle_removes_nothing(memos: Shell) -> None:
    """W2: a bundle says of one's own memory that it is contradicted, by something of the year 2030."""
    (own,) = keep(memos, "The harbour fee is 20 euros.")
    there = memos.folder / "other"
    memos("init", "--vault", there)
    other = ("--vault", str(there))
    memos("ingest", "-", "--time", "2030-01-01", *other, stdin=b"The moon is made of cheese.")
    memos("export", "-o", "evil.mip", *other)
    with (memos.work / "evil.mip").open("rb") as stream:
        parts = bundle.read(stream).parts
    (cheese,) = parts["cubes.jsonl"]
    link = {"source": own, "kind": "contradicts", "target": cheese["id"]}
    with (memos.work / "evil.mip").open("wb") as stream:
        bundle.write(stream, {**parts, "cubes.jsonl": [cheese, {**cheese, "id": own}], "links.jsonl": [link]})
    memos("import", "evil.mip", code=3)
    answer = memos("query", "What is the harbour fee?", "--quote")
    assert answer.lines[0].startswith("The harbour fee is 20 euros.")
    assert "cheese" not in answer.lines[0]
