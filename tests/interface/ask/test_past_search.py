"""The vault as it was: against what was written down at each time."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell, wait_until
from vault_harness import NOW, WHO

from memos_cli.cube import STATES, Cube, Filter
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.moments import parse_time
from memos_cli.settings import Settings

EVERYTHING = Filter(states=STATES)
WORDS = ("heron", "lark", "otter", "miso", "tofu", "fjord", "lantern")


def seen(cubes: list[Cube]) -> dict[str, Any]:
    return {c.id: (c.version, c.text, c.title, c.state, c.tags, c.source, c.span) for c in cubes}


@pytest.mark.parametrize("seed", range(8))
def test_each_moment_reads_as_it_did(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    clock = [NOW]
    wrote: list[tuple[int, dict[str, Any], dict[str, set[str]]]] = []
    forgotten: set[str] = set()

    def words() -> str:
        return " ".join(draw.choices(WORDS, k=4)) + f" {draw.randrange(99)}"

    # Without vectors, because a search at a time uses words alone.
    settings = Settings(vault=str(tmp_path / "vault"), principal=WHO, embedder="/nowhere")
    with Memos(settings, clock=lambda: clock[0]) as memos:
        memos.create_vault()
        for _ in range(40):
            clock[0] += draw.randrange(1, 10_000)
            ids = [cube.id for cube in memos.cubes(filter=EVERYTHING)]
            action = draw.choice(
                ("add", "add", "edit", "tag", "untag", "archive", "restore", "forget", "back")
            )
            if action == "add" or not ids:
                terms = NewMemoryFields(tags=tuple(draw.sample(("a", "b/c", "d"), draw.randrange(3))))
                wishes = IngestOptions(hints=ReadOptions(lines=True), terms=terms)
                memos.ingest(options=wishes, text=words().encode(), name=f"note-{clock[0]}", embed=False)
            else:
                id = draw.choice(ids)
                cube = memos.show(id).cube
                if action == "edit":
                    memos.edit(id, text=words(), title=draw.choice(("", "Birds")))
                elif action in ("tag", "untag"):
                    memos.tag([id], draw.sample(("a", "b/c", "d"), 2), remove=action == "untag")
                elif action == "archive":
                    memos.archive([id])
                elif action == "restore":
                    memos.restore([id])
                elif action == "back":
                    memos.rollback(id, draw.randrange(1, cube.version + 1))
                elif draw.random() < 0.3:
                    memos.forget([id], dry_run=False)
                    forgotten.add(id)
            found = {
                word: {hit.cube.id for hit in memos.search(word, filter=Filter(), k=99).hits}
                for word in WORDS
            }
            wrote.append((clock[0], seen([*memos.cubes(filter=EVERYTHING)]), found))
        clock[0] += 1
        for time, then, found in wrote:
            kept = {id: facts for id, facts in then.items() if id not in forgotten}
            assert seen(memos.cubes_at(time, filter=EVERYTHING)) == kept
            tagged = memos.cubes_at(time, filter=Filter(tags=("b",)))
            assert {c.id for c in tagged} == {
                id
                for id, facts in kept.items()
                if "b/c" in facts[4] and facts[3] in ("generated", "activated")
            }
            for word in draw.sample(WORDS, 2):
                hits = memos.search(word, filter=Filter(), k=99, at=time).hits
                assert {hit.cube.id for hit in hits} == found[word] - forgotten
        assert memos.cubes_at(NOW - 1, filter=EVERYTHING) == []
        assert seen(memos.cubes_at(clock[0], filter=EVERYTHING)) == seen([*memos.cubes(filter=EVERYTHING)])


def test_the_commands_show_what_was(memos: Shell) -> None:
    (id,) = memos.keep("My cat is called Miso.")
    when = memos("show", id, "--json").record["created"]
    wait_until(lambda: time.time_ns() // 1_000_000 > parse_time(when))
    memos("edit", id, "--text", "My cat is called Tofu.")
    memos("archive", id)
    assert memos("list", "--json").records == []
    (row,) = memos("list", "--as-of", when, "--json").records
    assert (row["text"], row["version"], row["state"]) == ("My cat is called Miso.", 1, "generated")
    shown = memos("search", "Miso", "--as-of", when, "--json")
    assert [hit["id"] for hit in shown.records] == [id]
    assert "by words alone" in shown.err
    assert memos("list", "--as-of", "2001-01-01", "--json").out == ""
    assert memos("search", "Miso", "--as-of", when, "--batch", "-", code=2)
    assert memos("list", "--as-of", "nonsense", code=2)


def test_a_clock_that_was_ahead_leaves_nothing_in_the_future(tmp_path: Path) -> None:
    day, clock = 86_400_000, [NOW]
    settings = Settings(vault=str(tmp_path / "vault"), principal=WHO)
    with Memos(settings, clock=lambda: clock[0]) as memos:
        memos.create_vault()
        terms = NewMemoryFields(expires=NOW + 2 * day)
        memos.ingest(options=IngestOptions(terms=terms), text=b"Valid for two days.", name="a", embed=False)
        clock[0] = NOW + 300 * day
        memos.ingest(options=IngestOptions(), text=b"Noted while the clock was ahead.", name="b", embed=False)
        (ahead,) = (cube.id for cube in memos.cubes(filter=Filter()))
        assert memos.maintain(steps=("expire",)).deeds
    clock[0] = NOW + 1
    with Memos(settings, clock=lambda: clock[0]) as memos:
        hits = memos.search("valid two days", filter=Filter()).hits
        assert [hit.cube.state for hit in hits][:1] == ["activated"]
        memos.edit(ahead, text="Edited after the clock was put right.")
        then = {cube.text for cube in memos.cubes_at(NOW + 1, filter=Filter())}
        assert then == {"Valid for two days.", "Edited after the clock was put right."}
