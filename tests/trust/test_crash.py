"""Killed before any of its writes, a command loses nothing, and doing it again completes it."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import exports
import pytest
from adapters_harness import teach
from cli_harness import Shell, make_vault, with_models
from crash_harness import kill_everywhere
from tiny_models import write_model
from vault_harness import unpack

from memos_cli.infrastructure.vault.vault import Vault

NOTES = "# Server\n\nIt listens on port 5433.\n\n# Backup\n\nEvery night at two.\n"
NOTES_LATER = "# Server\n\nIt listens on port 5434.\n\n# Monitoring\n\nA mail at three failures.\n"
TURNS = [
    {"id": f"t{n}", "role": "user", "name": "Ann", "time": f"2026-05-0{n}T10:00:00Z", "content": text}
    for n, text in enumerate(("Hello!", "I planted tomatoes.", "Hello!"), 1)
]
CHAT = "".join(json.dumps(turn) + "\n" for turn in TURNS)


@pytest.fixture
def started(tmp_path: Path) -> Shell:
    """A user with a vault whose end is not examined here: the kills are."""
    shell = Shell(tmp_path)
    make_vault(shell)
    return shell


@pytest.fixture
def filled(started: Shell) -> Shell:
    """A user who has ingested a folder of notes."""
    started.write("notes/home.md", NOTES)
    started.write("notes/old.txt", "The old router is in the cellar.")
    started.write("notes/chat.jsonl", CHAT)
    started("ingest", "notes", "--no-embed", "--tag", "home")
    return started


def test_init_is_completed_by_a_second_one(tmp_path: Path) -> None:
    writes = kill_everywhere(Shell(tmp_path), "init", env={"MEMOS_EMBEDDER": "/nowhere"})
    assert writes["CREATE"] > 10
    assert writes["os.mkdir"] >= 4
    assert writes["os.rename"] == 3  # memos.db; VAULT.toml: of the new vault, and with its embedder


@with_models
def test_init_remembers_its_models_after_any_kill(started: Shell) -> None:
    writes = kill_everywhere(started, "init", "--model", "embedded", "--embedder", "embedded")
    assert writes["os.rename"] == 1


def test_ingest_of_a_folder_goes_on_where_it_was(started: Shell) -> None:
    started.write("notes/home.md", NOTES)
    started.write("notes/chat.jsonl", CHAT)
    options = ("--no-embed", "--tag", "home", "--expires", "2036-01-01")
    writes = kill_everywhere(started, "ingest", "notes", *options)
    assert writes["COMMIT"] >= 3


def test_ingest_of_standard_input_keeps_each_line_once(filled: Shell) -> None:
    lines = {"CRASH_STDIN": "One.\nTwo.\nThree.\nThe old router is in the cellar.\n"}
    kill_everywhere(filled, "ingest", "-", "--lines", "--no-embed", "--tag", "said", env=lines)


def test_ingest_of_a_document_keeps_its_text_before_it_is_named(started: Shell) -> None:
    started.write("report.pdf", b"%PDF-1.7 not really")
    writes = kill_everywhere(started, "ingest", "report.pdf", "--no-embed")
    assert writes["os.rename"] == 1


def test_ingest_of_changed_files_makes_each_version_once(filled: Shell) -> None:
    filled.write("notes/home.md", NOTES_LATER)
    filled.write("notes/chat.jsonl", CHAT.replace("tomatoes", "beans"))
    writes = kill_everywhere(filled, "ingest", "notes", "--no-embed", "--tag", "home")
    assert writes["UPDATE"] >= 6


def test_prune_archives_what_is_gone(filled: Shell) -> None:
    (filled.work / "notes/old.txt").unlink()
    filled.write("notes/home.md", "# Server\n\nIt listens on port 5433.\n")
    filled.write("notes/chat.jsonl", "".join(CHAT.splitlines(keepends=True)[1:]))
    writes = kill_everywhere(filled, "ingest", "notes", "--no-embed", "--prune")
    assert writes["DELETE"] >= 3


@with_models
def test_embed_goes_on_where_it_was(filled: Shell) -> None:
    writes = kill_everywhere(filled, "embed")
    assert writes["COMMIT"] >= 3


@with_models
def test_embedding_a_vault_of_format_7_survives_kills(tmp_path: Path) -> None:
    """Migration and embedding in one command: a second one completes both."""
    shell = Shell(tmp_path)
    unpack("minilm-7", tmp_path).rename(shell.vault)
    writes = kill_everywhere(shell, "embed", env={"MEMOS_PRINCIPAL": "user:ann"})
    assert writes["COMMIT"] >= 4
    with closing(sqlite3.connect(shell.vault / "memos.db")) as db:
        assert db.execute("SELECT substr(fingerprint, 65) FROM embedder").fetchall() == [("/sentences-2",)]
        counts = "SELECT count(DISTINCT cube), count(*) > 9 FROM vector"
        assert db.execute(counts).fetchone() == (9, 1)
        assert db.execute("SELECT count(*) FROM waiting").fetchone() == (0,)


def test_edit_makes_one_version(filled: Shell) -> None:
    id = filled("search", "router", "--json").record["id"]
    kill_everywhere(filled, "edit", id, "--text", "The old router is gone.")


def test_tag_adds_and_removes(filled: Shell) -> None:
    ids = sorted(filled.ids())
    kill_everywhere(filled, "tag", *ids, "--add", "work/net", "--remove", "home")


def test_forget_removes_all_or_nothing(filled: Shell) -> None:
    kill_everywhere(filled, "forget", "--source", "chat.jsonl", "--yes")


def test_views_are_saved_and_removed(filled: Shell) -> None:
    kill_everywhere(filled, "view", "set", "talk", "--type", "dialogue")


@pytest.fixture
def tiny(filled: Shell) -> dict[str, str]:
    """What lets a user read by a tiny model, so that states are made at once."""
    model = write_model(filled.folder / "tiny.gguf", "llama", context=4096)
    return {"MEMOS_READER": str(model), "MEMOS_QUERY_RELEVANCE": "0.1", "MEMOS_THREADS": "1"}


def test_promote_keeps_the_state_before_it_is_named(filled: Shell, tiny: dict[str, str]) -> None:
    writes = kill_everywhere(filled, "promote", "--tag", "home", "--to", "activation", env=tiny)
    assert writes["os.rename"] == 1
    assert writes["INSERT"] > 4


def test_promote_anew_drops_the_old_state_after_the_new_one_is_named(
    filled: Shell, tiny: dict[str, str]
) -> None:
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    first = filled("list", "--oldest", "--json").records[0]["id"]
    filled("edit", first, "--text", "It listens on port 5434.")
    writes = kill_everywhere(filled, "promote", "--tag", "home", "--to", "activation", env=tiny)
    assert writes["os.rename"] == 1
    assert writes["os.remove"] == 1


def test_demote_drops_the_row_before_the_state(filled: Shell, tiny: dict[str, str]) -> None:
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    id = filled("search", "router", "--json").record["id"]
    writes = kill_everywhere(filled, "demote", id, env=tiny)
    assert writes["os.remove"] == 1


def test_forget_takes_the_state_of_a_memory_with_it(filled: Shell, tiny: dict[str, str]) -> None:
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    writes = kill_everywhere(filled, "forget", "--source", "old.txt", "--yes", env=tiny)
    assert writes["os.remove"] == 1


@pytest.fixture
def taught(filled: Shell) -> Path:
    """The blob of an adapter that was made of two of the memories."""
    with Vault.open(filled.vault, timeout=1.0) as vault:
        (last,) = vault.connection.execute("SELECT max(n) FROM cube").fetchone()
        made, _ = teach(vault, 1, last)
        return vault.blobs.path(made.blob or "")


def test_forget_takes_the_weights_that_hold_a_memory_with_it(filled: Shell, taught: Path) -> None:
    writes = kill_everywhere(filled, "forget", "--source", "old.txt", "--yes")
    assert writes["os.remove"] == 1


def test_repair_sets_a_damaged_adapter_aside(filled: Shell, taught: Path) -> None:
    taught.write_bytes(b"damaged")
    writes = kill_everywhere(filled, "check", "--repair")
    assert writes["os.remove"] == 1


def test_pins_are_all_set_or_none(filled: Shell) -> None:
    kill_everywhere(filled, "pin", *sorted(filled.ids()))


def test_unpin_and_the_end_of_a_view_are_whole(filled: Shell) -> None:
    filled("view", "set", "talk", "--tag", "home")
    filled("pin", *sorted(filled.ids()), "--view", "talk")
    kill_everywhere(filled, "unpin", *sorted(filled.ids())[:2], "--view", "talk")


def test_query_notes_the_use_of_a_state(filled: Shell, tiny: dict[str, str]) -> None:
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    writes = kill_everywhere(filled, "query", "Where is the old router?", "--max-tokens", "1", env=tiny)
    assert writes["COMMIT"] == 1


def test_repair_drops_a_damaged_state(filled: Shell, tiny: dict[str, str]) -> None:
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    (blob,) = (path for path in (filled.vault / "blobs").rglob("*") if path.is_file())
    blob.write_bytes(b"damaged")
    writes = kill_everywhere(filled, "check", "--repair", env=tiny)
    assert writes["os.remove"] == 1


@with_models
def test_query_notes_the_use_of_memories(filled: Shell) -> None:
    writes = kill_everywhere(filled, "query", "Where is the old router?", "--max-tokens", "1", limit=20)
    assert writes["COMMIT"] == 1


def test_memories_are_put_away_and_brought_back(filled: Shell) -> None:
    kill_everywhere(filled, "archive", "--tag", "home")


def test_a_rollback_makes_one_version(filled: Shell) -> None:
    id = filled("search", "router", "--json").record["id"]
    filled("edit", id, "--text", "The old router is gone.")
    kill_everywhere(filled, "rollback", id, "--to", "1")


def test_links_are_all_made_or_none(filled: Shell) -> None:
    first, *others = sorted(filled.ids())
    kill_everywhere(filled, "link", first, "about", *others)


def test_a_conflict_is_settled_once(filled: Shell) -> None:
    first, second, *_ = sorted(filled.ids())
    filled("link", first, "contradicts", second)
    kill_everywhere(filled, "conflicts", "--resolve", "keep-newest")


def test_the_night_goes_on_where_it_was(filled: Shell, tiny: dict[str, str]) -> None:
    """Something to do for each step: what is over, what is cold, what is stale, what pays, what is left."""
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    long = " ".join(f"On day {n} the keeper wrote down the {n}th of many things." for n in range(50))
    (hot,) = filled.keep(long)
    (over,) = filled.keep("The milk is sour.", options=("--expires", "1h"))
    filled("edit", filled("search", "router", "--json").record["id"], "--text", "The old router is gone.")
    (filled.vault / "blobs" / "ab").mkdir(mode=0o700)
    orphan = filled.vault / f"blobs/ab/ab{'0' * 62}"
    orphan.write_bytes(b"left")
    orphan.chmod(0o600)
    with closing(sqlite3.connect(filled.vault / "memos.db")) as db:
        db.execute("UPDATE cube SET expires = 1 WHERE id = ?", (over,))
        db.execute("UPDATE cube SET updated = 1 WHERE n = 1")
        db.execute(
            "UPDATE cube SET hits = 50, heat = 50, last_hit = updated, state = 'activated' WHERE id = ?",
            (hot,),
        )
        db.commit()
    env = tiny | {"MEMOS_MAINTAIN_ARCHIVE_AFTER": "30"}
    planned = filled("maintain", "--dry-run", "--skip", "embed", "--json", env=env).record["deeds"]
    assert {deed["what"] for deed in planned} == {"expire", "archive", "drop", "make", "sweep"}
    writes = kill_everywhere(filled, "maintain", "--skip", "embed", env=env)
    assert writes["os.rename"] == 1
    assert writes["os.remove"] == 2


def test_an_import_goes_on_where_it_was(started: Shell) -> None:
    exports.write_zip(started.work / "chats.zip", {"conversations.json": json.dumps(exports.CHATS)})
    kill_everywhere(started, "import", "chats.zip", "--no-embed")


def test_an_import_with_links_and_pins_goes_on_where_it_was(started: Shell) -> None:
    exports.write_json(started.work / "sam.af", exports.LETTA)
    kill_everywhere(started, "import", "sam.af", "--no-embed")


def test_what_a_memory_said_before_comes_with_what_it_says(started: Shell) -> None:
    folder = started.work / "mem0"
    exports.write_json(folder / "memories.json", exports.MEM0["results"][:2])
    with closing(sqlite3.connect(folder / "history.db")) as db:
        db.execute("CREATE TABLE history (memory_id TEXT, old_memory TEXT, created_at TEXT)")
        db.execute("INSERT INTO history VALUES ('m-1', 'Ann likes coffee.', '1')")
        db.commit()
    kill_everywhere(started, "import", "mem0", "--no-embed")


def test_a_bundle_comes_in_whole_or_not(filled: Shell) -> None:
    filled("export", "-o", "one.mip")
    filled("forget", "--source", "chat.jsonl", "--yes")
    kill_everywhere(filled, "import", "one.mip", "--no-embed")


@pytest.fixture
def published(filled: Shell) -> Shell:
    """A publication, beside a vault that follows it as of its first serial."""
    publisher = Shell(filled.folder / "publisher")
    make_vault(publisher)
    publisher("key", "new")
    ids = publisher.keep(*(f"Station {n} reports." for n in range(6)), options=("--tag", "harbour"))
    publisher("link", ids[0], "follows", ids[1])
    command = ("publish", "harbour", "--tag", "harbour", "--to", filled.folder / "public", "--yes")
    publisher(*command)
    filled("subscribe", filled.folder / "public" / "harbour", "--trust")
    publisher("edit", ids[0], "--text", "Station 0 is closed.")
    publisher("forget", ids[1], "--yes")
    publisher.keep("Station 9 is new.", options=("--tag", "harbour"))
    publisher(*command)
    return filled


def test_an_update_comes_whole_or_not(published: Shell) -> None:
    assert kill_everywhere(published, "update")["COMMIT"] >= 1


def test_a_feed_is_begun_whole_or_not(published: Shell) -> None:
    published("unsubscribe", "harbour")
    kill_everywhere(published, "subscribe", published.folder / "public" / "harbour")


def test_a_feed_is_left_whole_or_not(published: Shell) -> None:
    kill_everywhere(published, "unsubscribe", "harbour", "--keep", codes=(0, 2))  # there is none any more


def test_a_publication_that_was_cut_off_is_the_one_before_or_the_new_one(published: Shell) -> None:
    """What is followed can be taken in whenever its publishing was killed, and the next one completes it."""
    published("key", "new")
    place = published.folder / "mine"
    published("publish", "all", "--type", "dialogue", "--to", place, "--yes")
    published("forget", "--source", "chat.jsonl", "--yes")
    published.keep("One more.", options=("--type", "dialogue"))
    kill_everywhere(published, "publish", "all", "--yes", beside=place)
    reader = Shell(published.folder / "reader")
    make_vault(reader)
    reader("subscribe", place / "all", "--trust")
    assert {row["text"] for row in reader("list", "--json").records} == {"One more."}
    reader.check()


# --- interrupted: there is time to clean up --------------------------------------------------------------


def test_an_interrupted_promotion_leaves_no_file(filled: Shell, tiny: dict[str, str]) -> None:
    """Promoting anew: a new blob is put, an old one is let go of."""
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    first = filled("list", "--oldest", "--json").records[0]["id"]
    filled("edit", first, "--text", "It listens on port 5434.")
    command = ("promote", "--tag", "home", "--to", "activation")
    assert kill_everywhere(filled, *command, env=tiny, by=signal.SIGINT)["os.remove"] == 1


def test_an_interrupted_demotion_leaves_no_state(filled: Shell, tiny: dict[str, str]) -> None:
    filled("promote", "--tag", "home", "--to", "activation", env=tiny)
    id = filled("search", "router", "--json").record["id"]
    assert kill_everywhere(filled, "demote", id, env=tiny, by=signal.SIGINT)["os.remove"] == 1


def test_an_interrupted_forgetting_leaves_no_weights(filled: Shell, taught: Path) -> None:
    command = ("forget", "--source", "old.txt", "--yes")
    assert kill_everywhere(filled, *command, by=signal.SIGINT)["os.remove"] == 1


def test_an_interrupted_ingest_leaves_no_document(started: Shell) -> None:
    started.write("report.pdf", b"%PDF-1.7 not really")
    writes = kill_everywhere(started, "ingest", "report.pdf", "--no-embed", by=signal.SIGINT)
    assert writes["os.rename"] == 1


def test_an_interrupted_import_leaves_no_weights(filled: Shell, taught: Path) -> None:
    filled("export", "-o", "one.mip")
    filled("forget", *sorted(filled.ids()), "--yes")
    kill_everywhere(filled, "import", "one.mip", "--no-embed", by=signal.SIGINT)


def test_an_interrupted_update_leaves_no_file(published: Shell) -> None:
    kill_everywhere(published, "update", by=signal.SIGINT)


def test_repair_is_completed_by_a_second_one(filled: Shell) -> None:
    with closing(sqlite3.connect(filled.vault / "memos.db")) as db:
        db.execute("INSERT INTO words (words) VALUES ('delete-all')")
        db.commit()
    (filled.vault / "blobs" / "ab").mkdir(mode=0o700)
    for name in (f"blobs/ab/ab{'0' * 62}", "tmp/.x.4194304.00000000.part"):
        (filled.vault / name).write_bytes(b"left")
        (filled.vault / name).chmod(0o600)
    (filled.vault / "VAULT.toml").chmod(0o644)
    writes = kill_everywhere(filled, "check", "--repair")
    assert writes["os.remove"] == 2
    assert writes["os.chmod"] == 1
