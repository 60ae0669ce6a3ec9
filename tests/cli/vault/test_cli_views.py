"""memos view set, list, remove; --view elsewhere."""

from __future__ import annotations

import pytest
from cli_harness import Shell


@pytest.fixture
def kept(memos: Shell) -> Shell:
    memos.keep("The office is closed on Friday.", options=("--tag", "work"))
    memos.keep("The bakery is closed on Monday.", options=("--tag", "home"))
    memos("view", "set", "office", "--tag", "work")
    return memos


def test_a_view_restricts_search_and_list(kept: Shell) -> None:
    assert len(kept("search", "closed").rows) == 2
    assert [row[2] for row in kept("search", "closed", "--view", "office").rows] == [
        "The office is closed on Friday."
    ]
    assert len(kept("list", "--view", "office").rows) == 1
    assert len(kept("--view", "office", "list").rows) == 1


def test_filters_narrow_a_view_further(kept: Shell) -> None:
    assert kept("list", "--view", "office", "--tag", "home").out == ""


def test_views_are_listed_replaced_and_removed(kept: Shell) -> None:
    assert kept("view", "list").rows == [["office", "tags ('work',)"]]
    kept("view", "set", "office", "--type", "fact")
    assert kept("view", "list", "--json").record["filter"]["types"] == ["fact"]
    assert kept("view", "list").rows == [["office", "types ('fact',)"]]
    kept("view", "remove", "office")
    assert kept("view", "list").out == ""
    assert len(kept("list").rows) == 2


def test_what_is_pinned_in_a_view_is_pinned_in_no_other(kept: Shell) -> None:
    friday, _ = (row[0] for row in kept("list", "--oldest").rows)
    assert kept("pin", friday, "--view", "office").out == "pinned 1; 1 is pinned\n"
    assert kept("pin", friday, "--view", "office").out == "pinned 0; 1 is pinned\n"
    assert kept("--view", "office", "pin", friday, "--json").record["pinned"] == [friday]
    assert kept("unpin", friday, "--json").record == {"changed": 0, "view": "", "pinned": []}
    assert "office" in kept("pin", friday, "--view", "offic", code=2).err
    assert kept("unpin", friday, "--view", "office").out == "unpinned 1; 0 are pinned\n"


def test_a_view_that_is_removed_leaves_no_pins_to_a_later_one_of_its_name(kept: Shell) -> None:
    friday, _ = (row[0] for row in kept("list", "--oldest").rows)
    kept("pin", friday, "--view", "office")
    kept("view", "remove", "office")
    kept("view", "set", "office", "--tag", "work")
    assert kept("unpin", friday, "--view", "office", "--json").record["changed"] == 0


def test_a_view_of_views_keeps_its_times(kept: Shell) -> None:
    kept("view", "set", "spring", "--after", "2026-03-01", "--before", "2026-06-01")
    stored = [row["filter"] for row in kept("view", "list", "--json").records if row["name"] == "spring"]
    assert stored[0]["after"] < stored[0]["before"]


def test_unknown_views_and_views_of_everything_are_refused(kept: Shell) -> None:
    assert "office" in kept("search", "closed", "--view", "offic", code=2).err
    kept("view", "remove", "offic", code=2)
    kept("view", "set", "all", code=2)
    kept("view", "set", "odd", "--type", "wish", code=2)


def test_forget_takes_a_view(kept: Shell) -> None:
    kept("forget", "--view", "office", "--yes")
    assert [row[3] for row in kept("list").rows] == ["The bakery is closed on Monday."]


def test_a_view_may_be_created_with_its_pins(kept: Shell) -> None:
    (id,) = kept.keep("Answer in English.")
    kept("view", "create", "desk", "--tag", "work", "--pin", id)
    assert kept("pin", id, "--view", "desk", "--json").record == {
        "changed": 0,
        "view": "desk",
        "pinned": [id],
    }
