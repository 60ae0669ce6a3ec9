"""Memories with each other: links, merging and parting, slicing; and what forgetting takes of them."""

from __future__ import annotations

import pytest
from cli_harness import Shell
from vault_harness import all_bytes

MISO, NINE, DOG = "My cat is called Miso.", "Miso is nine years old.", "Our dog is called Bento."


@pytest.fixture
def cats(memos: Shell) -> list[str]:
    return memos.keep(MISO, NINE)


def live(memos: Shell) -> set[str]:
    return {row["text"] for row in memos("list", "--json").records}


def test_links_are_made_walked_and_taken_away(memos: Shell, cats: list[str]) -> None:
    (dog,) = memos.keep(DOG)
    assert memos("link", cats[1], "about", cats[0], "--json").record == {"cubes": 1, "changed": 1}
    assert memos("link", cats[1], "about", cats[0], "--json").record == {"cubes": 1, "changed": 0}
    memos("link", dog, "similar_to", cats[0])
    assert memos("link", cats[0], "similar_to", dog, "--json").record["changed"] == 0  # it holds both ways
    steps = memos("show", cats[1], "--graph", "--json").records
    assert [(step["depth"], step["id"]) for step in steps] == [(0, cats[1]), (1, cats[0]), (2, dog)]
    assert steps[1]["link"] | {"created": ""} == {
        "from": cats[1], "kind": "about", "to": cats[0], "created": "",
    }  # fmt: skip
    assert len(memos("show", cats[1], "--graph", "--depth", "1", "--json").records) == 2
    assert f"<- about {cats[1]}" in memos("show", cats[0], "--graph").out
    memos("unlink", dog, "similar_to", cats[0])
    assert len(memos("show", cats[1], "--graph", "--json").records) == 2


def test_links_that_make_no_sense_are_refused(memos: Shell, cats: list[str]) -> None:
    assert "to itself" in memos("link", cats[0], "about", cats[0], code=2).err
    assert "one of:" in memos("link", cats[0], "likes", cats[1], code=2).err
    for kind in ("merged_into", "derived_from"):
        assert "memos merge" in memos("link", cats[0], kind, cats[1], code=2).err
    memos("link", cats[0], "about", cats[1], "--as", "agent:coder", code=2)


def test_a_merge_says_what_they_said_and_can_be_undone(memos: Shell, cats: list[str]) -> None:
    memos("tag", cats[0], "--add", "pets")
    made = memos("merge", *cats, "--json").record
    assert made["of"] == cats
    shown = memos("show", made["id"], "--json").record
    assert (shown["text"], shown["tags"]) == (f"{MISO}\n\n{NINE}", ["pets"])
    assert live(memos) == {shown["text"]}
    assert [memos("show", id, "--json").record["state"] for id in cats] == ["merged", "merged"]
    links = {step["id"] for step in memos("show", made["id"], "--graph", "--json").records}
    assert links == {made["id"], *cats}
    assert memos("merge", "--undo", made["id"], "--json").record == {"id": made["id"], "of": cats}
    assert live(memos) == {MISO, NINE}
    assert memos("show", made["id"], "--json").record["state"] == "archived"
    assert "not a merged memory" in memos("merge", "--undo", cats[0], code=2).err
    again = memos("merge", *cats, "--json").record
    assert live(memos) == {f"{MISO}\n\n{NINE}"}
    assert again["id"] == made["id"]


def test_a_merge_with_words_of_ones_own(memos: Shell, cats: list[str]) -> None:
    text = "The cat is called Miso; she is nine."
    made = memos("merge", *cats, "--text", "-", "--title", "Pets", "--json", stdin=text.encode()).record
    shown = memos("show", made["id"], "--json").record
    assert (shown["text"], shown["title"]) == (text, "Pets")
    assert [hit["id"] for hit in memos("search", "Miso nine", "--json").records] == [made["id"]]


def test_what_cannot_be_merged(memos: Shell, cats: list[str]) -> None:
    assert "two memories or more" in memos("merge", cats[0], code=2).err
    assert "two memories or more" in memos("merge", cats[0], cats[0], code=2).err
    memos("freeze", cats[1])
    assert "frozen" in memos("merge", *cats, code=2).err
    memos("unfreeze", cats[1])
    memos("archive", cats[1])
    assert "archived" in memos("merge", *cats, code=2).err
    memos("restore", cats[1])
    theirs = memos("ingest", "-", "--as", "agent:coder", "--no-embed", "--json", stdin=DOG.encode()).record[
        "ids"
    ]
    memos("grant", "vault", "user:ann", "admin", "--as", "agent:coder")
    assert "agent:coder's" in memos("merge", cats[0], *theirs, code=2).err
    assert live(memos) == {MISO, NINE, DOG}


def test_forgetting_one_that_was_merged_leaves_the_others(memos: Shell, cats: list[str]) -> None:
    made = memos("merge", *cats, "--json").record["id"]
    gone = memos("forget", cats[1], "--dry-run", "--json").record
    assert made in str(gone)
    memos("forget", cats[1], "--yes")
    assert live(memos) == {MISO}
    assert b"nine years" not in all_bytes(memos.vault)


def test_forgetting_the_whole_forgets_what_it_was_merged_from(memos: Shell, cats: list[str]) -> None:
    made = memos("merge", *cats, "--json").record["id"]
    memos("forget", made, "--yes")
    assert memos("list", "--state", "all", "--json").records == []
    assert b"Miso" not in all_bytes(memos.vault)


def test_after_parting_each_is_a_memory_of_its_own(memos: Shell, cats: list[str]) -> None:
    made = memos("merge", *cats, "--json").record["id"]
    memos("merge", "--undo", made)
    memos("forget", made, "--yes")
    assert live(memos) == {MISO, NINE}
    made = memos("merge", *cats, "--json").record["id"]
    memos("merge", "--undo", made)
    memos("forget", cats[0], "--yes")
    assert live(memos) == {NINE}
    assert b"called Miso" not in all_bytes(memos.vault)


def test_a_long_memory_is_sliced_and_its_parts_follow_each_other(memos: Shell) -> None:
    parts = [f"Paragraph {n} tells of the {n}th day, and of the weather on it." for n in range(6)]
    memos.write("diary.txt", "\n\n".join(parts))
    id = memos("ingest", "diary.txt", "--no-embed", "--tag", "diary", "--json").record["ids"][0]
    done = memos("slice", id, "--size", "70", "--json").record
    assert live(memos) == set(parts)
    rows = {row["id"]: row for row in memos("list", "--json").records}
    assert [rows[part]["text"] for part in done["of"]] == parts
    assert all(row["tags"] == ["diary"] for row in rows.values())
    assert memos("show", id, "--json").record["state"] == "archived"
    graph = memos("show", done["of"][0], "--graph", "--json").records
    assert {step["link"]["kind"] for step in graph[1:]} >= {"part_of", "follows"}
    assert "one part" in memos("slice", done["of"][0], code=2).err
    memos("forget", done["of"][2], "--yes")
    assert live(memos) == {*parts} - {parts[2]}
    assert b"Paragraph 2" not in all_bytes(memos.vault)


def test_forgetting_the_whole_forgets_its_slices(memos: Shell) -> None:
    (id,) = memos.keep("One day was fine and bright. " * 5)
    memos("slice", id, "--size", "60")
    memos("forget", id, "--yes")
    assert memos("list", "--state", "all", "--json").records == []


def test_a_search_brings_what_the_best_is_linked_to_and_says_so(memos: Shell) -> None:
    cat, vet, dog = memos.keep(MISO, "The vet in Mill Street is open on Saturdays.", DOG)
    memos("link", vet, "about", cat)
    memos("link", dog, "contradicts", cat)
    first, second = memos("search", "Miso", "--json").records
    assert (first["id"], second["id"]) == (cat, vet)
    assert second["why"]["linked"] == f"about {cat}"
    assert second["score"] == first["score"] / 2
    assert [hit["id"] for hit in memos("search", "Miso", "-k", "1", "--json").records] == [cat]
    memos("tag", cat, "--add", "pets")
    assert [hit["id"] for hit in memos("search", "Miso", "--tag", "pets", "--json").records] == [cat]
    memos("archive", vet)
    assert [hit["id"] for hit in memos("search", "Miso", "--json").records] == [cat]
