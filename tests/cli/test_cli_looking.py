"""memos list, show, history, stats, config, models, check."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest
from adapters_harness import REFUSED, teach
from cli_harness import Shell, make_vault, with_models

from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.infrastructure.vault.vault import Vault

# --- list ------------------------------------------------------------------------------------------


def test_list_is_newest_first(memos: Shell) -> None:
    first, second, third = memos.keep("One.", "Two.", "Three.")
    assert [row[0] for row in memos("list").rows] == [third, second, first]
    assert [row[0] for row in memos("list", "--oldest", "-n", "2").rows] == [first, second]
    assert [row[0] for row in memos("list", "-n", "1").rows] == [third]


def test_list_is_filtered(memos: Shell) -> None:
    (id,) = memos.keep("One.", options=("--type", "fact", "--tag", "a/b", "--time", "2024-02-29"))
    memos.keep("Two.")
    for options in (
        ("--type", "fact"), ("--tag", "a"), ("--before", "2024-03-01"),
        ("--after", "2024-02-29", "--before", "2024-03-01"),
    ):  # fmt: skip
        assert memos.ids(*options) == {id}
    assert memos.ids("--source", "elsewhere") == set()


def test_list_shows_other_states_when_asked(memos: Shell) -> None:
    file = memos.write("notes/a.txt", "Alpha.")
    memos("ingest", "notes", "--no-embed")
    file.unlink()
    memos("ingest", "notes", "--prune-all", "--no-embed")
    assert memos.ids() == set()
    assert memos.ids("--state", "archived") == memos.ids("--state", "all") != set()
    memos("list", "--state", "lost", code=2)


def test_an_expired_memory_is_listed_among_all(memos: Shell) -> None:
    memos.keep("Old.", options=("--expires", "2020-01-01"))
    assert memos.ids() == set()


# --- show, history -----------------------------------------------------------------------------------


def test_show_proves_that_the_span_still_reads_so(memos: Shell) -> None:
    file = memos.write("a.md", "# Ä\n\nAlpha.\n\n# B\n\nBeta.\n")
    memos("ingest", "a.md", "--no-embed")
    row = memos("search", "beta", "--json").record
    start, end = row["span"]
    assert file.read_bytes()[start:end].decode() == row["text"]

    def reads() -> str:
        return str(memos("show", row["id"], "--json").record["places"][0]["reads"])

    assert reads() == "same"
    file.write_text("# Ä\n\nAlpha.\n\n# B\n\nBets.\n")
    assert reads() == "changed"
    file.unlink()
    assert reads() == "gone"
    file.mkdir()
    assert reads() == "unreadable"


def test_standard_input_is_not_kept_as_a_file(memos: Shell) -> None:
    (id,) = memos.keep("Said once.")
    assert "(not kept)" in memos("show", id).out


def test_show_takes_the_beginning_of_an_id_in_either_case(memos: Shell) -> None:
    ids = memos.keep("One.", "Two.")
    assert memos("show", ids[0][:24].lower(), "--json").record["id"] == ids[0]
    assert "more than one" in memos("show", "01", code=2).err
    memos("show", "", code=2)
    memos("show", "%", code=2)


def test_show_takes_the_id_that_a_turn_has_in_its_source(memos: Shell) -> None:
    memos.write("chat.jsonl", '{"id": "D1:3", "role": "user", "content": "Hello."}\n')
    memos("ingest", "chat.jsonl", "--no-embed")
    assert memos("show", "D1:3", "--json").record["text"] == "Hello."


def test_history_shows_each_event_and_its_principal(memos: Shell) -> None:
    (id,) = memos.keep("One.")
    memos("grant", id, "agent:cleaner", "write")
    memos("--as", "agent:cleaner", "edit", id, "--text", "Uno.")
    memos("tag", id, "--add", "home")
    past = memos("history", id, "--json").record
    assert [(row["action"], row["principal"]) for row in past["audit"]] == [
        ("tag", "user:ann"), ("edit", "agent:cleaner"), ("grant", "user:ann"), ("add", "user:ann"),
    ]  # fmt: skip
    assert [version["text"] for version in past["versions"]] == ["Uno.", "One."]
    shown = memos("history", id).out
    assert "--- version 2" in shown
    assert "agent:cleaner" in shown


# --- adapters ----------------------------------------------------------------------------------------


def teach_in(memos: Shell, *cubes: int, **options: Any) -> Adapter:
    with Vault.open(memos.vault, timeout=1.0) as vault:
        made, old = teach(vault, *cubes, **options)
        vault.discard_blobs(old)
    return made


def test_adapters_are_listed_beside_memories_and_alone(memos: Shell) -> None:
    one, two = memos.keep("One.", "Two.")
    made = teach_in(memos, 1, 2, name="Numbers")
    assert [row[0] for row in memos("list").rows] == [made.id, two, one]
    (row,) = memos("list", "--payload", "parametric").rows
    assert [row[0], *row[2:]] == [
        made.id, "adapter", f"Numbers: 2 memories, {made.size} bytes, 0 hits, used", "tiny",
    ]  # fmt: skip
    assert memos.ids("--payload", "plaintext") == {one, two}
    assert memos.ids("--payload", "activation") == set()
    assert "--payload parametric" in memos("list", "--payload", "parametric", "--tag", "a", code=2).err
    assert "parametric" in memos("list", "--payload", "wings", code=2).err


def test_what_is_not_used_is_listed_by_its_state(memos: Shell) -> None:
    memos.keep("One.")
    half = teach_in(memos, 1, name="Half", state="generated", content=b"1", report={})
    refused = teach_in(memos, 1, name="Refused", state="archived", content=b"2", report=REFUSED)
    assert memos.ids("--payload", "parametric") == {half.id}
    assert memos("list", "--payload", "parametric").rows[0][3].endswith("unfinished")
    (row,) = memos("list", "--payload", "parametric", "--state", "archived").rows
    assert (row[0], row[3].endswith("not used")) == (refused.id, True)


def test_show_prints_the_report_card_of_an_adapter(memos: Shell) -> None:
    (id,) = memos.keep("One.")
    made = teach_in(memos, 1, name="Numbers")
    lines = memos("show", made.id).lines
    for line in (
        "payload   parametric",
        "title     Numbers",
        "model     tiny",
        "bytes     7",
        "train seconds 12.5",
        "lessons   4 (1 control, 2 fact, 1 near miss, 2 held out)",
        "gate      passed",
        "  recall       passed  0.91 (limit 0.8)  10 of 11",
        "  near misses  passed  0.05 (limit 0.1)",
        "  recall.adapter  0.91",
        "  recall.base     0",
        "recipe",
        "  rank  8",
        f"document  {id} version 1",
    ):
        assert line in lines
    assert (
        f"adapter   {made.id}  Numbers: 1 memory, {made.size} bytes, 0 hits, used" in memos("show", id).lines
    )


def test_show_tells_why_an_adapter_is_not_used(memos: Shell) -> None:
    (one, two) = memos.keep("One.", "Two.")
    refused = teach_in(memos, 1, name="Refused", state="archived", report=REFUSED, content=b"refused")
    assert "gate      failed: recall 0.41 is below 0.8" in memos("show", refused.id).lines
    made = teach_in(memos, 1, 2, name="Numbers")
    memos("edit", one, "--text", "Uno.")
    assert "stale     source changed" in memos("show", made.id).lines
    assert memos("stats", "--json").record["adapters"]["stale"] == 1
    memos("forget", two, "--yes")
    left = memos("show", made.id).lines
    assert "stale     a source was forgotten" in left
    assert not any(line.startswith("gate") for line in left)
    assert memos("stats", "--json").record["adapters"] == {
        "count": 2, "used": 0, "bytes": refused.size, "hits": 0, "stale": 0,
    }  # fmt: skip


def test_only_a_finished_adapter_can_be_pinned(memos: Shell) -> None:
    memos.keep("One.")
    made = teach_in(memos, 1, name="Numbers")
    half = teach_in(memos, 1, name="Half", state="generated", content=b"1", report={})
    refused = teach_in(memos, 1, name="Refused", state="archived", content=b"2", report=REFUSED)
    assert memos("pin", made.id, "--json").record == {"changed": 1, "view": "", "pinned": []}
    assert "is not finished" in memos("pin", half.id, code=2).err
    assert "is archived" in memos("pin", refused.id, code=2).err
    assert memos("unpin", made.id, "--json").record["changed"] == 1


def test_a_report_of_another_shape_is_printed_too(memos: Shell) -> None:
    memos.keep("One.")
    odd = {"checks": [{"name": "speed", "value": "high"}, 7], "answers": [{"q": 1}], "seeds": [1, 2.5]}
    lines = memos("show", teach_in(memos, 1, report=odd).id).lines
    assert "  speed          high" in lines
    assert "  answers  1 (--json shows them)" in lines
    assert "  seeds    1, 2.5" in lines
    assert not any(line.startswith("gate") for line in lines)


# --- stats, config, models -----------------------------------------------------------------------------


def test_stats_count_what_there_is(memos: Shell) -> None:
    memos.keep("One.", "Two.", options=("--type", "fact", "--tag", "a"))
    numbers = memos("stats", "--json").record
    assert (numbers["cubes"], numbers["types"]) == ({"generated": 2}, {"fact": 2})
    assert [numbers[name] for name in ("versions", "sources", "tags", "without_vector")] == [2, 1, 1, 2]
    assert "memories        generated 2" in memos("stats").lines


def test_config_tells_where_each_value_comes_from(shell: Shell) -> None:
    file = shell.write("config.toml", "threads = 3\n[query]\nmemory = 700\nsources = 4\n")
    env = {"MEMOS_CONFIG": str(file), "MEMOS_QUERY_SOURCES": "2"}
    rows = {row["key"]: row for row in shell("--as", "user:eve", "config", "--json", env=env).records}
    assert [*rows.values()] == shell("config", "--json", "--as", "user:eve", env=env).records
    assert (rows["as"]["value"], rows["as"]["origin"]) == ("user:eve", "flag")
    assert (rows["query.sources"]["value"], rows["query.sources"]["origin"]) == (2, "MEMOS_QUERY_SOURCES")
    assert (rows["query.memory"]["value"], rows["query.memory"]["origin"]) == (700, str(file))
    assert (rows["search.k"]["value"], rows["search.k"]["origin"]) == (10, "default")


def test_config_shows_one_setting(shell: Shell) -> None:
    assert shell("config", "search.k").rows[0][:3] == ["search.k", "10", "default"]
    shell("config", "search.q", code=2)


@pytest.mark.parametrize("content", ["not = [toml", "serach.k = 3", 'search.k = "three"', "\xff\xfe"])
def test_a_broken_configuration_is_named(shell: Shell, content: str) -> None:
    file = shell.write("config.toml", content.encode("latin-1"))
    assert "config.toml" in shell("list", env={"MEMOS_CONFIG": str(file)}, code=2).err


@with_models
def test_models_lists_the_embedded_model_and_those_of_a_folder(shell: Shell) -> None:
    shell.write("models/broken.gguf", b"GGUF")
    rows = shell("models", shell.work / "models").rows
    assert rows[0][0].startswith("SmolLM2-135M")
    assert not any("broken" in row[0] for row in rows)


# --- check ---------------------------------------------------------------------------------------------


def test_a_whole_vault_is_ok(memos: Shell) -> None:
    memos.keep("One.")
    assert memos("check").out == "ok\n"
    assert memos("check", "--repair").out == "ok\n"


def test_what_can_be_rebuilt_is_reported_and_then_rebuilt(memos: Shell) -> None:
    memos.keep("One two three.")
    with closing(sqlite3.connect(memos.vault / "memos.db")) as db:
        db.execute("INSERT INTO words (words) VALUES ('delete-all')")
        db.commit()
    assert memos("search", "two").out == ""
    assert memos("check", code=1).lines[0].startswith("should")
    assert memos("check", "--repair").lines == ["repaired  words-differ  words", "ok"]
    assert "One two three." in memos("search", "two").out


def test_what_cannot_be_rebuilt_stays_a_failure(shell: Shell) -> None:
    make_vault(shell)
    (id,) = shell.keep("One.")
    with closing(sqlite3.connect(shell.vault / "memos.db")) as db:
        db.execute("UPDATE version SET text = 'Won.'")
        db.commit()
    found = shell("check", "--repair", "--json", code=1).record
    assert not found["ok"]
    assert [(f["rule"], f["what"], f["where"]) for f in found["findings"] if f["what"] == "text-damaged"] == [
        ("must", "text-damaged", id)
    ]


def test_stats_tell_the_hot_and_the_cold(memos: Shell) -> None:
    ids = memos.keep(*(f"Note {n} of many." for n in range(12)))
    now = time.time_ns() // 1_000_000
    with Vault.open(memos.vault, timeout=1.0) as vault, vault.change("user:ann", now) as change:
        for n in range(1, 11):
            change.use({n: float(n)})
    row = memos("stats", "--json").record
    assert [cube["id"] for cube in row["hottest"]] == [ids[n] for n in (9, 8, 7, 6, 5)]
    assert [cube["id"] for cube in row["coldest"]] == [ids[n] for n in (0, 1, 2, 3, 4)]
    assert row["heats"] == sorted(row["heats"], reverse=True)
    shown = memos.terminal("stats").out
    assert f"██████████  {ids[9]}" in shown
    assert "cold" in shown


def test_the_heats_are_drawn(memos: Shell) -> None:
    pytest.importorskip("matplotlib")
    memos("stats", "--plot", "heat.svg")
    assert (memos.work / "heat.svg").read_text().startswith("<?xml")
    assert memos("stats", "--plot", "heat.bmp", code=2)
