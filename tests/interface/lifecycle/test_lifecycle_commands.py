"""Archived and back, frozen and not, back to an older version; and two who edit at once."""

from __future__ import annotations

import pytest
from cli_harness import Shell
from states_harness import Desk

from memos_cli.cube import Filter
from memos_cli.errors import Conflict, UsageError
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.options import IngestOptions, ReadOptions

CAT = "My cat is called Miso."


@pytest.fixture
def cat(memos: Shell) -> str:
    return memos.keep(CAT)[0]


def found(memos: Shell) -> list[str]:
    return [hit["id"] for hit in memos("search", "cat", "--json").records]


def test_an_archived_memory_is_not_found_until_it_is_restored(memos: Shell, cat: str) -> None:
    assert memos("archive", cat, "--json").record == {"cubes": 1, "changed": 1}
    assert memos("archive", cat, "--json").record == {"cubes": 1, "changed": 0}
    assert found(memos) == []
    assert memos.ids("--state", "archived") == {cat}
    assert CAT in memos("show", cat).out
    assert memos("restore", cat, "--json").record == {"cubes": 1, "changed": 1}
    assert memos("restore", cat, "--json").record == {"cubes": 1, "changed": 0}
    assert found(memos) == [cat]
    actions = [row["action"] for row in memos("history", cat, "--json").record["audit"]]
    assert actions == ["restore", "archive", "add"]


def test_many_are_archived_and_restored_by_a_filter(memos: Shell) -> None:
    memos.keep("One cat.", "Two cats.", options=("--tag", "pets"))
    (other,) = memos.keep("A cat elsewhere.")
    assert memos("archive", "--tag", "pets", "--json").record == {"cubes": 2, "changed": 2}
    assert found(memos) == [other]
    assert memos("restore", "--tag", "pets", "--json").record == {"cubes": 2, "changed": 2}
    assert len(found(memos)) == 3
    assert "no memories are selected" in memos("archive", code=2).err
    assert "exclude" in memos("archive", other, "--tag", "pets", code=2).err


def test_a_restored_memory_no_longer_expires(desk: Desk) -> None:
    (id,) = desk.keep(CAT)
    desk.renew(id, desk.now + 1000)
    desk.now += 5000
    with desk.open() as memos:
        assert [*memos.cubes(filter=Filter())] == []
        assert memos.restore([id]).changed == 1
        (cube,) = memos.cubes(filter=Filter())
        assert (cube.expires, cube.state) == (None, "generated")


def test_what_waits_for_review_is_not_restored(memos: Shell) -> None:
    (id,) = memos.keep("A cat from outside.", options=("--quarantine",))
    assert "quarantined" in memos("restore", id, code=2).err
    assert found(memos) == []


def test_a_frozen_memory_refuses_every_change(memos: Shell, cat: str) -> None:
    memos("edit", cat, "--text", "My cat is called Tofu.")
    assert memos("freeze", cat, "--json").record == {"cubes": 1, "changed": 1}
    assert memos("freeze", cat, "--json").record == {"cubes": 1, "changed": 0}
    before = memos("show", cat, "--json").record
    assert before["frozen"]
    for command in (
        ["edit", cat, "--text", "Else."], ["forget", cat, "--yes"], ["archive", cat],
        ["rollback", cat, "--to", "1"], ["tag", cat, "--add", "pets"], ["mark", "secret", cat],
    ):  # fmt: skip
        assert f"memos unfreeze {cat}" in memos(*command, code=2).err
    assert memos("show", cat, "--json").record == before
    assert found(memos) == [cat]
    assert memos("unfreeze", cat, "--json").record == {"cubes": 1, "changed": 1}
    memos("rollback", cat, "--to", "1")


def test_a_rollback_is_a_new_version_that_says_the_old(memos: Shell, cat: str) -> None:
    memos("edit", cat, "--text", "My cat is called Tofu.", "--title", "pets")
    done = memos("rollback", cat, "--to", "1", "--json").record
    assert (done["version"], done["changed"]) == (3, True)
    shown = memos("show", cat, "--json").record
    assert (shown["text"], shown["title"], shown["version"]) == (CAT, "", 3)
    assert memos("rollback", cat, "--to", "1").out.strip().endswith("unchanged")
    assert [version["text"] for version in memos("history", cat, "--json").record["versions"]] == [
        CAT, "My cat is called Tofu.", CAT,
    ]  # fmt: skip
    assert [hit["id"] for hit in memos("search", "Miso", "--json").records] == [cat]
    assert "it has 1 to 3" in memos("rollback", cat, "--to", "4", code=2).err
    assert memos("rollback", cat, "--to", "0", code=2)


def test_a_diff_shows_what_changed(memos: Shell, cat: str) -> None:
    memos("edit", cat, "--text", f"{CAT}\nShe purrs.\n")
    memos("edit", cat, "--text", "My cat is called Tofu.\nShe purrs.\n")
    out = memos("diff", cat).out
    assert "-My cat is called Miso." in out
    assert "+My cat is called Tofu." in out
    assert "+She purrs." not in out
    lines = memos("diff", cat, "--from", "1", "--json").record["lines"]
    assert "+She purrs." in lines
    assert lines[0].startswith("--- version 1")
    assert memos("diff", cat, "--from", "3", "--to", "3").out == ""
    assert "no version 9" in memos("diff", cat, "--to", "9", code=2).err


def test_the_second_of_two_who_edit_gets_a_conflict(desk: Desk) -> None:
    (id,) = desk.keep(CAT)
    with desk.open() as one, desk.open() as other:
        seen = one.show(id).cube.version
        other.edit(id, text="My cat is called Tofu.", seen=seen)
        with pytest.raises(Conflict):
            one.edit(id, text="My cat is called Miro.", seen=seen)
        assert one.show(id).cube.text == "My cat is called Tofu."


def test_what_was_typed_in_an_editor_is_not_lost_in_a_conflict(memos: Shell, cat: str) -> None:
    editor = memos.write("editor", '#!/bin/sh\nmemos="$PYTHON -m memos_cli"\n'
        '$memos edit $CAT --text "The other edit." >/dev/null\necho "Typed by hand." > "$1"\n')  # fmt: skip
    editor.chmod(0o755)
    import sys

    env = {"EDITOR": str(editor), "PYTHON": sys.executable, "CAT": cat}
    shown = memos.terminal("edit", cat, env=env, code=1).out
    assert "Typed by hand." in shown
    assert "changed meanwhile" in shown
    assert memos("show", cat, "--json").record["text"] == "The other edit."


def test_only_who_may_write_moves_a_memory(memos: Shell, cat: str) -> None:
    memos("grant", cat, "agent:coder", "read")
    for command in (["archive"], ["freeze"], ["rollback", "--to", "1"]):
        memos(*command, cat, "--as", "agent:coder", code=14)
    assert memos("diff", cat, "--as", "agent:coder").out == ""


def test_what_is_made_from_memories_is_not_archived(desk: Desk) -> None:
    (id,) = desk.keep(CAT)
    made = desk.promote(id).id
    with desk.open() as memos, pytest.raises(UsageError, match="made from"):
        memos.archive([made])


def test_a_memory_expires_after_its_last_use(desk: Desk) -> None:
    text = "The keeper of the harbour lantern has a clock, but no key for it today."
    with desk.open() as memos:
        wishes = IngestOptions(hints=ReadOptions(lines=True), terms=NewMemoryFields(uses=2))
        (id,) = memos.ingest(options=wishes, text=text.encode(), embed=False).ids
    for left in (1, 0):
        assert text in {item.hit.cube.text for item in desk.ask().plan.chosen}
        with desk.open() as memos:
            assert memos.show(id).cube.uses_left == left
    assert text not in {item.hit.cube.text for item in desk.ask().plan.chosen}
    with desk.open() as memos:
        assert memos.show(id).cube.state == "expired"
        memos.restore([id])
        assert memos.show(id).cube.uses_left is None
    assert text in {item.hit.cube.text for item in desk.ask().plan.chosen}


def test_uses_are_given_in_words(memos: Shell) -> None:
    (id,) = memos.keep(CAT, options=("--expires", "after 3 uses"))
    row = memos("show", id, "--json").record
    assert (row["uses_left"], row["expires"]) == (3, None)
    memos.keep(CAT, options=("--expires", "2 uses"))
    assert memos("show", id, "--json").record["uses_left"] == 2


def test_the_end_of_a_memory_is_set_and_lifted(memos: Shell, cat: str) -> None:
    assert memos("expire", cat, "--at", "2999-01-01", "--json").record == {"cubes": 1, "changed": 1}
    assert memos("show", cat, "--json").record["expires"] == "2999-01-02T00:00:00Z"
    memos("expire", cat, "--at", "after 2 uses")
    row = memos("show", cat, "--json").record
    assert (row["expires"], row["uses_left"]) == (None, 2)
    memos("expire", cat, "--at", "never")
    row = memos("show", cat, "--json").record
    assert (row["expires"], row["uses_left"]) == (None, None)
    memos("expire", cat, "--at", "2001-01-01")
    assert found(memos) == []
    memos("restore", cat)
    assert found(memos) == [cat]
    memos("freeze", cat)
    assert "frozen" in memos("expire", cat, "--at", "30d", code=2).err
