"""memos init, ingest, embed."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_harness import Shell, has_open, make_vault, wait_until, with_models

TURNS = [
    {"id": "d1", "role": "user", "name": "Ann", "time": "2026-05-01T10:00:00Z", "content": "Thanks!"},
    {"id": "d2", "role": "assistant", "name": "Bo", "time": "2026-05-01T10:00:05Z", "content": "Gladly."},
    {"id": "d3", "role": "user", "name": "Ann", "time": "2026-05-02T09:00:00Z", "content": "Thanks!"},
]
NO_EMBEDDER = {"MEMOS_EMBEDDER": "/nowhere"}


def counts(record: dict[str, int]) -> tuple[int, int, int, int]:
    return record["added"], record["versions"], record["unchanged"], record["archived"]


def ingest(memos: Shell, *arguments: object, stdin: bytes = b"", code: int = 0) -> dict[str, object]:
    return memos("ingest", *arguments, "--no-embed", "--json", stdin=stdin, code=code).record


# --- init ----------------------------------------------------------------------------------------


def test_init_twice_is_init_once(shell: Shell) -> None:
    first = shell("init", "--json", env=NO_EMBEDDER).record
    second = shell("init", "--json", env=NO_EMBEDDER).record
    assert first == second
    assert (shell.vault / "VAULT.toml").exists()
    shell.check()


def test_init_makes_the_vault_in_the_data_folder_by_default(shell: Shell) -> None:
    made = shell("init", "--json", env={"MEMOS_VAULT": "", **NO_EMBEDDER}).record
    assert Path(made["vault"]).is_relative_to(shell.folder / "home")


def test_init_leaves_a_folder_of_other_things_alone(shell: Shell) -> None:
    shell.vault.mkdir()
    (shell.vault / "thesis.tex").write_text("…")
    failed = shell("init", code=2)
    assert "thesis.tex" in failed.err
    assert os.listdir(shell.vault) == ["thesis.tex"]


def test_init_refuses_models_that_are_none(shell: Shell) -> None:
    not_a_model = shell.write("notes.gguf", "dear diary")
    shell("init", "--model", not_a_model, code=15)
    shell("init", "--embedder", shell.folder / "missing", code=15)


# --- ingest: what is new, and only that ------------------------------------------------------------


def test_a_text_is_found_right_after_it_was_ingested(memos: Shell) -> None:
    memos.write("cat.txt", "My cat is called Miso.")
    memos("ingest", "cat.txt", "--no-embed")
    assert [row[2] for row in memos("search", "cat").rows] == ["My cat is called Miso."]


def test_unchanged_input_adds_nothing(memos: Shell) -> None:
    memos.write("notes/a.md", "# A\n\nAlpha.\n\n# B\n\nBeta.\n")
    assert counts(ingest(memos, "notes")) == (2, 0, 0, 0)
    assert counts(ingest(memos, "notes")) == (0, 0, 2, 0)


def test_changed_input_makes_a_version_of_what_it_was(memos: Shell) -> None:
    memos.write("a.md", "# A\n\nAlpha.\n\n# B\n\nBeta.\n")
    before = ingest(memos, "a.md")["ids"]
    memos.write("a.md", "# A\n\nAlpha.\n\n# B\n\nGamma.\n")
    again = ingest(memos, "a.md")
    assert counts(again) == (0, 1, 1, 0)
    assert set(again["ids"]) < set(before)
    assert memos("search", "beta").out == ""
    assert memos("search", "gamma", "--json").record["version"] == 2


def test_prune_archives_what_is_gone_from_a_file_and_from_a_folder(memos: Shell) -> None:
    memos.write("notes/a.md", "# A\n\nAlpha.\n\n# B\n\nBeta.\n")
    memos.write("notes/b.txt", "Gone tomorrow.")
    ingest(memos, "notes")
    memos.write("notes/a.md", "# A\n\nAlpha.\n")
    (memos.work / "notes/b.txt").unlink()
    assert ingest(memos, "notes")["archived"] == 0
    memos.write("notes/a.md", "# A\n\nAlpha.\n\n")
    assert ingest(memos, "notes", "--prune", "--reread")["archived"] == 2
    assert {row["text"] for row in memos("list", "--state", "archived", "--json").records} == {
        "# B\n\nBeta.",
        "Gone tomorrow.",
    }
    assert memos("search", "beta").out == ""


def test_what_was_archived_lives_again_when_it_comes_back(memos: Shell) -> None:
    file = memos.write("notes/b.txt", "Here again.")
    (id,) = ingest(memos, "notes")["ids"]
    file.unlink()
    assert ingest(memos, "notes", "--prune-all")["archived"] == 1
    memos.write("notes/b.txt", "Here again.")
    ingest(memos, "notes")
    assert memos.ids() == {id}
    assert memos("search", "again", "--json").record["id"] == id


def test_reread_brings_back_what_was_forgotten(memos: Shell) -> None:
    memos.write("a.txt", "Once more.")
    (id,) = ingest(memos, "a.txt")["ids"]
    memos("forget", id, "--yes")
    assert counts(ingest(memos, "a.txt")) == (0, 0, 0, 0)
    assert counts(ingest(memos, "a.txt", "--reread")) == (1, 0, 0, 0)


def test_an_exact_duplicate_is_stored_once_and_stands_in_both_files(memos: Shell) -> None:
    memos.write("one.txt", "The same words.")
    memos.write("two.txt", "The same words.")
    kept = ingest(memos, "one.txt", "two.txt")
    assert counts(kept) == (1, 0, 1, 0)
    places = memos("show", kept["ids"][0], "--json").record["places"]
    assert [Path(place["source"]).name for place in places] == ["one.txt", "two.txt"]
    assert [place["reads"] for place in places] == ["same", "same"]


def test_pruning_one_of_two_files_keeps_what_both_said(memos: Shell) -> None:
    memos.write("notes/one.txt", "The same words.")
    memos.write("notes/two.txt", "The same words.")
    (id,) = ingest(memos, "notes")["ids"]
    (memos.work / "notes/two.txt").unlink()
    assert ingest(memos, "notes", "--prune")["archived"] == 0
    assert len(memos("show", id, "--json").record["places"]) == 1


def test_turns_of_a_dialogue_keep_id_time_speaker_and_order(memos: Shell) -> None:
    memos.write("chat.jsonl", "".join(json.dumps(turn) + "\n" for turn in TURNS))
    assert ingest(memos, "chat.jsonl")["added"] == 3
    rows = memos("list", "--oldest", "--json").records
    assert [(r["ref"], r["author"], r["role"], r["time"], r["text"], r["type"]) for r in rows] == [
        (t["id"], t["name"], t["role"], t["time"], t["content"], "dialogue") for t in TURNS
    ]


def test_a_corrected_turn_is_a_version_of_that_turn(memos: Shell) -> None:
    memos.write("chat.jsonl", "".join(json.dumps(turn) + "\n" for turn in TURNS))
    ingest(memos, "chat.jsonl")
    moved = [TURNS[2], {**TURNS[1], "content": "My pleasure."}, TURNS[0]]
    memos.write("chat.jsonl", "".join(json.dumps(turn) + "\n" for turn in moved))
    assert counts(ingest(memos, "chat.jsonl")) == (0, 1, 2, 0)
    shown = memos("show", "d2", "--json").record
    assert (shown["text"], shown["version"]) == ("My pleasure.", 2)


def test_words_edited_away_are_stored_again_from_another_source(memos: Shell) -> None:
    memos.write("one.txt", "The port is 5433.")
    (id,) = ingest(memos, "one.txt")["ids"]
    memos("edit", id, "--text", "The port is 5434.")
    memos.write("two.txt", "The port is 5433.")
    assert counts(ingest(memos, "two.txt")) == (1, 0, 0, 0)
    assert {row["text"] for row in memos("list", "--json").records} == {
        "The port is 5433.", "The port is 5434.",
    }  # fmt: skip


# --- ingest: what the user says of it ---------------------------------------------------------------


def test_standard_input_is_a_source(memos: Shell) -> None:
    kept = ingest(memos, "-", stdin=b"Plant 12 likes shade.")
    assert kept["added"] == 1
    assert memos("list", "--json").record["source"] == "stdin"


def test_a_named_standard_input_follows_its_changes(memos: Shell) -> None:
    ingest(memos, "-", "--source", "motd", stdin=b"Backups at two.")
    assert counts(ingest(memos, "-", "--source", "motd", stdin=b"Backups at three.")) == (0, 1, 0, 0)
    assert memos("list", "--json").record["source"] == "motd"


def test_options_of_ingest_are_kept_with_the_memories(memos: Shell) -> None:
    ingest(
        memos, "-", "--lines", "--tag", "home", "-t", "work/net", "--type", "fact", "--time", "2026-05-01",
        "--expires", "2036-01-01", "--priority", "3", stdin=b"One.\n\nTwo.\n",
    )  # fmt: skip
    for row in memos("list", "--json").records:
        assert row["tags"] == ["home", "work/net"]
        assert (row["type"], row["time"]) == ("fact", "2026-05-01T00:00:00Z")
        assert (row["expires"], row["priority"]) == ("2036-01-02T00:00:00Z", 3)


def test_an_expired_memory_is_no_longer_found(memos: Shell) -> None:
    ended = memos("ingest", "-", "--expires", "2020-01-01", "--no-embed", stdin=b"The guest code is 1234.")
    assert "--expires is past" in ended.err
    assert len(memos("list", "--state", "expired").rows) == 1
    assert memos("search", "guest code").out == ""
    assert memos("list").out == ""


def test_a_longer_life_is_given_by_a_second_ingest(memos: Shell) -> None:
    ingest(memos, "-", "--expires", "2020-01-01", stdin=b"The guest code is 1234.")
    ingest(memos, "-", "--expires", "2036-01-01", stdin=b"The guest code is 1234.")
    assert memos("list", "--json").record["expires"] == "2036-01-02T00:00:00Z"


@pytest.mark.parametrize(
    "options",
    [
        ("--type", "wish"),
        ("--time", "when pigs fly"),
        ("--expires", "soonish"),
        ("--format", "runes"),
        ("--source", "two", "other.txt"),
        ("--priority", "high"),
        ("",),
    ],
)
def test_options_that_make_no_sense_are_refused(memos: Shell, options: tuple[str, ...]) -> None:
    memos.write("a.txt", "Alpha.")
    memos("ingest", "a.txt", *options, "--no-embed", code=2)
    assert memos.ids() == set()


# --- ingest: what cannot be read --------------------------------------------------------------------


def test_unreadable_input_is_reported_and_stops_nothing_else(memos: Shell) -> None:
    memos.write("good.txt", "Readable.")
    memos.write("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    result = memos("ingest", "missing.txt", "picture.png", "good.txt", "--no-embed", "--json", code=3)
    assert result.record["added"] == 1
    assert [Path(f["source"]).name for f in result.record["failed"]] == ["missing.txt", "picture.png"]
    assert "missing.txt" in result.err


def test_nothing_readable_at_all_is_a_failure(memos: Shell) -> None:
    memos("ingest", "missing.txt", "--no-embed", code=1)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_file_that_breaks_while_it_is_read_is_reported(memos: Shell) -> None:
    failed = ingest(memos, "/proc/self/mem", code=1)["failed"]
    assert "input/output error" in failed[0]["reason"]


def test_an_empty_file_is_no_failure(memos: Shell) -> None:
    memos.write("empty.txt", "")
    result = ingest(memos, "empty.txt")
    assert counts(result) == (0, 0, 0, 0)
    assert "empty" in result["notes"][0]


def test_text_that_is_not_utf8_is_decoded_with_a_note(memos: Shell) -> None:
    memos.write("old.txt", "Der Schlüssel liegt über der Tür. Größe: fünf Äpfel.".encode("latin-1"))
    result = ingest(memos, "old.txt")
    assert result["added"] == 1
    assert result["notes"]
    assert memos("search", "Schlüssel", "--json").record["text"].startswith("Der Schlüssel")
    assert memos("show", result["ids"][0], "--json").record["places"][0]["reads"] == "same"


def test_a_source_that_is_too_large_is_not_read(memos: Shell) -> None:
    memos.write("large.txt", b"x" * 1_000_001)
    small = {"MEMOS_INGEST_MAX_MB": "1"}
    result = memos("ingest", "large.txt", "--no-embed", "--json", env=small, code=1)
    assert "large.txt" in result.record["failed"][0]["source"]
    memos("ingest", "-", "--no-embed", stdin=b"x" * 1_000_001, env=small, code=2)
    assert memos.ids() == set()


def test_folders_that_hold_themselves_end(memos: Shell) -> None:
    memos.write("notes/a.txt", "Alpha.")
    (memos.work / "notes/loop").symlink_to(memos.work / "notes", target_is_directory=True)
    assert ingest(memos, "notes")["added"] == 1


def test_gitignore_is_honoured(memos: Shell) -> None:
    memos.write("notes/.gitignore", "*.log\n")
    memos.write("notes/a.txt", "Alpha.")
    memos.write("notes/a.log", "Noise.")
    assert ingest(memos, "notes")["added"] == 1


def test_broken_lines_of_a_dialogue_are_reported_and_read_again_next_time(memos: Shell) -> None:
    memos.write("chat.jsonl", json.dumps(TURNS[0]) + "\n{broken\n")
    assert ingest(memos, "chat.jsonl", code=3)["added"] == 1
    again = memos("ingest", "chat.jsonl", "--no-embed", code=3)
    assert "unchanged 1" in again.out
    assert again.err.count("line 2") == 1


# --- interrupted, or out of room ---------------------------------------------------------------------


def count_cubes(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder / 'memos.db'}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM cube").fetchone()[0])


def test_interrupted_in_the_middle_what_was_committed_stays_and_the_rest_follows(memos: Shell) -> None:
    lines = 20_000
    memos.write("log.txt", "".join(f"Event number {n} of the long night.\n" for n in range(lines)))
    with memos.start("ingest", "log.txt", "--lines", "--no-embed") as process:
        wait_until(lambda: count_cubes(memos.vault) > 0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err
    committed = count_cubes(memos.vault)
    assert 0 < committed < lines
    again = ingest(memos, "log.txt", "--lines")
    assert counts(again) == (lines - committed, 0, committed, 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_waiting_for_input_ends_with_its_code(memos: Shell, number: int, code: int) -> None:
    with memos.start("ingest", "-") as process:
        assert process.stdin is not None
        process.stdin.write(b"half a th")
        process.stdin.flush()
        # The vault is opened just before standard input is waited for.
        wait_until(lambda: has_open(process, memos.vault / "memos.db"))
        process.send_signal(number)
        assert process.wait(timeout=60) == code
    assert memos.ids() == set()


def test_a_full_disk_changes_nothing_that_is_stored(shell: Shell) -> None:
    make_vault(shell)
    shell.keep("Kept before.")
    shell.write("much.txt", "".join(f"Line {n} {'x' * 200}\n" for n in range(5000)))

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    with shell.start("ingest", "much.txt", "--lines", "--no-embed", preexec_fn=limit_files) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"memos:" in err
    assert b"Traceback" not in err
    assert shell("search", "before", "--json").record["text"] == "Kept before."
    shell.check()
    assert ingest(shell, "much.txt", "--lines")["added"] == 5000


# --- vectors -----------------------------------------------------------------------------------------


def test_without_an_embedder_text_is_stored_and_the_reason_reported(memos: Shell) -> None:
    kept = memos("ingest", "-", "--json", stdin=b"Kept.", env=NO_EMBEDDER).record
    assert (kept["added"], kept["embedded"], kept["without_vector"]) == (1, 0, 1)
    assert "no vectors" in kept["notes"][0]


def test_embed_without_an_embedder_fails(memos: Shell) -> None:
    memos.keep("Kept.")
    memos("embed", env=NO_EMBEDDER, code=15)


def test_embed_of_an_empty_vault_has_nothing_to_do(memos: Shell) -> None:
    assert memos("embed", "--json").record == {"embedded": 0, "without_vector": 0}


@with_models
def test_vectors_follow_later(memos: Shell) -> None:
    memos.keep("My cat is called Miso.", "The server listens on port 5433.")
    assert memos("stats", "--json").record["without_vector"] == 2
    assert memos("search", "kitten", "--json").out == ""
    assert memos("embed", "--json").record == {"embedded": 2, "without_vector": 0}
    assert memos("search", "kitten", "--json").records[0]["text"] == "My cat is called Miso."
    assert memos("embed", "--json").record["embedded"] == 0


@with_models
def test_ingest_makes_the_vectors_that_an_earlier_one_left(memos: Shell) -> None:
    memos.keep("Left without a vector.")
    kept = memos("ingest", "-", "--json", stdin=b"With a vector.").record
    assert (kept["embedded"], kept["without_vector"]) == (2, 0)


@with_models
def test_an_edit_makes_the_vector_of_the_new_version(memos: Shell) -> None:
    kept = memos("ingest", "-", "--json", stdin=b"My cat is called Miso.").record
    memos("edit", kept["ids"][0], "--text", "The dog barks.")
    assert memos("stats", "--json").record["without_vector"] == 0
    assert memos("search", "puppy", "--json").records[0]["why"]["cosine"] > 0.3
