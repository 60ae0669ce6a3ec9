"""Memories that are published and followed: what leaves, what comes, what is refused, what is left."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any
from unittest import mock

import pytest
from cli_harness import Fill, Shell, make_vault, with_models
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.cube import Filter
from memos_cli.errors import Conflict, Damaged, MemosError, UsageError
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.share import feeds
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import PublishOptions
from memos_cli.interface.share import bundle
from memos_cli.interface.share.feeds import feed_index as indexes
from memos_cli.interface.share.feeds import publishing
from memos_cli.interface.share.feeds.feed_index import Index, Stored
from memos_cli.interface.share.feeds.remote import INDEX, Registry
from memos_cli.settings import Settings

pytestmark = pytest.mark.usefixtures("vectors_once")

FACTS = tuple(f"Station {n} of the harbour reports at {n % 24} o'clock." for n in range(40))
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture
def ann(tmp_path: Path, fill: Fill) -> Iterator[Shell]:
    """A publisher with a few memories, and a key."""
    shell = Shell(tmp_path / "ann")

    def make() -> None:
        make_vault(shell)
        shell("key", "new")
        shell.keep(*FACTS, options=("--tag", "harbour"))

    fill(shell.folder, "ann", make)
    yield shell
    shell.check()


@pytest.fixture
def bob(tmp_path: Path) -> Iterator[Shell]:
    """Somebody with a vault of their own."""
    shell = Shell(tmp_path / "bob")
    make_vault(shell)
    yield shell
    shell.check()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where Ann publishes."""
    return tmp_path / "public"


def publish(ann: Shell, place: Path | str, *options: object) -> Any:
    """Publish all of the harbour."""
    return ann("publish", "harbour", "--tag", "harbour", "--to", place, "--yes", "--json", *options).record


def again(ann: Shell, *options: object) -> Any:
    return ann("publish", "harbour", "--yes", "--json", *options).record


def follow(bob: Shell, place: Path | str, *options: object, **more: Any) -> Any:
    return bob("subscribe", f"{place}/harbour", "--trust", "--json", *options, **more).record


def texts(shell: Shell, *options: str) -> list[str]:
    return sorted(row["text"] for row in shell("list", "--json", *options).records)


def id_of(shell: Shell, text: str) -> str:
    (id,) = [row["id"] for row in shell("list", "--json").records if row["text"] == text]
    return str(id)


def bytes_of(folder: Path) -> bytes:
    """All that lies in a publication, unpacked."""
    parts = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        parts.append(gzip.decompress(data) if path.suffix == ".gz" else data)
    return b"".join(parts)


# --- publishing and following ----------------------------------------------------------------------


def test_what_is_published_comes_in_and_follows_what_changes(ann: Shell, bob: Shell, place: Path) -> None:
    bob.keep("Bob's own.")
    made = publish(ann, place, "--licence", "CC-BY-4.0")
    assert (made["serial"], len(made["memories"]), made["held_back"]) == (1, 40, {})
    came = follow(bob, place)
    assert (came["name"], came["added"], came["licence"]) == ("harbour", 40, "CC-BY-4.0")
    assert texts(bob) == sorted([*FACTS, "Bob's own."])
    assert texts(bob, "--tag", "feed/harbour/harbour") == sorted(FACTS)
    assert not {*ann.ids()} & {*bob.ids()}, "its own ids"

    ann("edit", id_of(ann, FACTS[0]), "--text", "Station 0 is closed.")
    ann("forget", id_of(ann, FACTS[1]), "--yes")
    ann.keep("Station 99 is new.", options=("--tag", "harbour"))
    sent = again(ann)
    assert [each["change"] for each in sent["memories"]].count("same") == 38
    assert len(sent["withdrawn"]) == 1
    changed = bob("update", "--json").record
    assert (changed["serial"], changed["added"], changed["versions"], changed["withdrawn"]) == (2, 1, 1, 1)
    assert changed["received"] < 3000 < (place / "harbour").stat().st_size + 10_000
    expected = {*FACTS[2:], "Station 0 is closed.", "Station 99 is new."}
    assert texts(bob) == sorted([*expected, "Bob's own."])
    history = bob("history", id_of(bob, "Station 0 is closed."), "--json").record["versions"]
    assert [each["text"] for each in history] == ["Station 0 is closed.", FACTS[0]]
    assert bob("update", "--json").record["current"] is True
    assert FACTS[1].encode() not in (bob.vault / "memos.db").read_bytes(), "withdrawn everywhere"
    for old in (FACTS[0], FACTS[1]):
        assert old.encode() not in bytes_of(place / "harbour"), "nor does it lie where it was published"


def test_a_late_follower_takes_one_delta_from_further_back(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    for n in range(5):
        ann("edit", id_of(ann, FACTS[n]), "--text", f"Closed {n}.")
        again(ann)
    index = indexes.read((place / "harbour" / INDEX).read_bytes(), "there").index
    assert (index.serial, [each.since for each in index.deltas]) == (6, [5, 4, 2])
    came = bob("update", "--json").record
    assert (came["versions"], came["received"]) == (5, index.bundle.bytes), "there is none from serial 1"
    ann("edit", id_of(ann, "Closed 4."), "--text", "Open 4.")
    again(ann)
    for n in (5, 6):
        ann("edit", id_of(ann, FACTS[n]), "--text", f"Closed {n}.")
        again(ann)
    came = bob("update", "--json").record
    assert came["versions"] == 3
    assert came["received"] < 3000
    assert texts(bob) == texts(ann)


def test_the_same_again_sends_nothing(ann: Shell, place: Path) -> None:
    publish(ann, place)
    before = {path: path.read_bytes() for path in (place / "harbour").iterdir()}
    assert again(ann)["sent"]["changed"] is False
    assert {path: path.read_bytes() for path in (place / "harbour").iterdir()} == before
    (listed,) = ann("publish", "--json").records
    assert (listed["name"], listed["serial"], listed["url"]) == ("harbour", 1, str(place / "harbour"))


def test_links_follow(ann: Shell, bob: Shell, place: Path) -> None:
    one, two, three = (id_of(ann, FACTS[n]) for n in range(3))
    ann("link", one, "follows", two)
    ann("link", three, "contradicts", one)
    publish(ann, place)
    follow(bob, place)

    def linked() -> set[tuple[str, str]]:
        steps = bob("show", id_of(bob, FACTS[0]), "--graph", "--json").records
        return {(step["link"]["kind"], step["text"]) for step in steps if step["depth"]}

    assert linked() == {("follows", FACTS[1]), ("contradicts", FACTS[2])}
    ann("unlink", three, "contradicts", one)
    ann("link", one, "about", three)
    again(ann)
    bob("update")
    assert linked() == {("follows", FACTS[1]), ("about", FACTS[2])}


def test_all_of_it_can_be_taken_back(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    assert len(again(ann, "--withdraw")["withdrawn"]) == 40
    assert bob("update", "--json").record["withdrawn"] == 40
    assert texts(bob) == []
    assert "was withdrawn" in ann("publish", "harbour", "--yes", code=2).err, "cron does not bring it back"
    publish(ann, place)
    assert bob("update", "--json").record["added"] == 40


def test_what_ends_there_ends_here_unless_it_is_published_again(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place, "--expires", "2099-01-01")
    follow(bob, place)
    (row, *_) = bob("list", "--json").records
    assert bob("show", row["id"], "--json").record["expires"] == "2099-01-02T00:00:00Z"
    assert again(ann)["serial"] == 2, "it says anew that it is of today"
    publish(ann, place)
    bob("update")
    assert bob("show", row["id"], "--json").record["expires"] is None
    said = ann("publish", "harbour", "--tag", "harbour", "--expires", "2001-01-01", "--yes", code=2)
    assert "ended already" in said.err


LATER = 4_400_000_000_000
"""In 2109."""


@contextmanager
def entered(shell: Shell, now: int = 0) -> Iterator[Memos]:
    """The Memory API of a user's vault, at a time."""
    clock = {"clock": lambda: now} if now else {}
    with (
        mock.patch.dict(os.environ, shell.environment(), clear=True),
        Memos(Settings(vault=str(shell.vault), principal="user:ann"), **clock) as memos,  # type: ignore[arg-type]
    ):
        yield memos


def test_what_is_over_can_be_withdrawn(ann: Shell, place: Path) -> None:
    publish(ann, place, "--expires", "2099-01-01")
    with entered(ann, LATER) as memos:
        with pytest.raises(UsageError, match="ended already"):
            memos.propose("harbour")
        assert len(memos.propose("harbour", withdraw=True).withdrawn) == 40


# --- what leaves -----------------------------------------------------------------------------------


def test_secrets_and_what_is_personal_do_not_leave(ann: Shell, place: Path) -> None:
    (ann.work / "notes").mkdir()
    path = ann.write(
        "notes/diary.jsonl", json.dumps({"id": "d1", "name": "Zoe Quill", "content": "It rains."})
    )
    ann("ingest", path, "--no-embed", "--tag", "harbour")
    secret = ann("ingest", "-", "--no-embed", "--secrets", "allow", "--json", stdin=f"key {TOKEN}".encode())
    (marked,) = secret.record["ids"]
    open_ids = ann.keep("Our address is ops@example.org, ring it.", options=("--tag", "harbour"))
    if find_spec("phonenumbers"):
        ann("mark", "open", open_ids[0])  # as it would be, had it come without the extra
    ann("tag", marked, "--add", "harbour")
    private = ann.keep("Ann is often ill.", options=("--tag", "harbour", "--sensitivity", "personal"))
    ann("edit", id_of(ann, FACTS[3]), "--text", "The old pier is shut.")
    made = publish(ann, place)
    personal = {"personal data in it (--redact covers it)": 1} if find_spec("phonenumbers") else {}
    assert made["held_back"] == {"secret": 1, "personal": 1, **personal}
    data = bytes_of(place / "harbour")
    for hidden in (TOKEN, "often ill", FACTS[3], "diary.jsonl", "user:ann", str(ann.folder)):
        assert hidden.encode() not in data, hidden
    assert b"Zoe Quill" in data
    assert private[0].encode() not in data


@pytest.mark.skipif(not find_spec("phonenumbers"), reason="the extra personal is not installed")
def test_redaction_covers_personal_data_and_who_said_it(ann: Shell, bob: Shell, place: Path) -> None:
    path = ann.write(
        "chat.jsonl",
        json.dumps({"id": "d1", "name": "Zoe Quill", "content": "Write to zoe@example.org today."}),
    )
    ann("ingest", path, "--no-embed", "--tag", "harbour")
    shown = ann(
        "publish", "harbour", "--tag", "harbour", "--to", place, "--redact", "--up-to", "personal",
        "--dry-run", "--json",
    ).record  # fmt: skip
    assert not place.exists(), "a dry run sends nothing"
    (covered,) = [each for each in shown["memories"] if each["covered"]]
    assert covered["text"] == f"Write to {'*' * 15} today."
    publish(ann, place, "--redact", "--up-to", "personal")
    data = bytes_of(place / "harbour")
    assert b"zoe@" not in data
    assert b"Zoe" not in data
    follow(bob, place)
    assert covered["text"] in texts(bob)


def test_a_publisher_is_shown_what_goes_out_and_asked(ann: Shell, place: Path) -> None:
    command = ("publish", "harbour", "--tag", "harbour", "--to", str(place))
    assert "add --yes" in ann(*command, code=2).err
    refused = ann.terminal(*command, answers=[(b"[y/N]", b"n\n")], code=2)
    assert "Station 1 of the harbour" in refused.out
    assert "40 memories" in refused.out
    assert not place.exists()
    ann.terminal(*command, answers=[(b"[y/N]", b"y\n")])
    assert (place / "harbour" / INDEX).exists()


def test_what_is_not_ones_own_to_share_stays(ann: Shell, bob: Shell, place: Path, tmp_path: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    bob("key", "new")
    bob.keep("Bob's own.", options=("--tag", "feed/harbour"))
    made = bob(
        "publish", "mine", "--tag", "feed/harbour", "--to", tmp_path / "bobs", "--yes", "--json"
    ).record
    assert (len(made["memories"]), made["held_back"]) == (1, {"from a feed": 40})
    out = bob("export", "-o", "all.mip", "--json").record
    assert (out["memories"], out["held_back"]) == (1, {"from a feed": 40})


def test_paths_names_and_tags_do_not_leave_uncovered(ann: Shell, place: Path) -> None:
    note = "---\ntags: [people/zoe@example.org, harbour]\n---\nThe pier.\n"
    ann.write("vault/Private/Dr Meier.md", note)
    ann("import", ann.work / "vault", "--from", "notes", "--no-embed", "--tag", "notes")
    assert b"Dr Meier" in ann("export", "--tag", "notes", "--up-to", "secret").out.encode()
    options = ("--up-to", "secret", *(("--redact",) if find_spec("phonenumbers") else ()))
    ann("publish", "notes", "--tag", "notes", "--to", place, "--yes", *options)
    data = bytes_of(place / "notes")
    assert b"The pier." in data
    assert b"Private/" not in data
    if find_spec("phonenumbers"):
        assert b"zoe@" not in data


def test_a_publication_of_ids_goes_on_without_those_that_are_forgotten(
    ann: Shell, bob: Shell, place: Path
) -> None:
    ids = [id_of(ann, FACTS[n]) for n in range(3)]
    ann("publish", "some", *ids, "--to", place, "--yes")
    bob("subscribe", place / "some", "--trust")
    ann("forget", ids[0], "--yes")
    assert ann("publish", "some", "--yes", "--json").record["withdrawn"] == ids[:1]
    bob("update")
    assert texts(bob) == sorted(FACTS[1:3])


def test_what_was_left_behind_or_lost_is_put_right_by_publishing_again(
    ann: Shell, bob: Shell, place: Path
) -> None:
    publish(ann, place)
    folder = place / "harbour"
    for name in (f"{'ab' * 32}.mip", f".{INDEX}.17.abcd.part"):
        (folder / name).write_bytes(b"withdrawn text")
    (folder / "README").write_text("not ours")
    assert again(ann)["sent"]["changed"] is False
    assert {path.name for path in folder.iterdir() if "README" not in path.name} == {
        INDEX, indexes.read((folder / INDEX).read_bytes(), "there").index.bundle.name,
    }  # fmt: skip
    assert (folder / "README").exists()
    (path,) = folder.glob("*.mip")
    path.unlink()
    assert again(ann)["sent"]["changed"] is True
    assert follow(bob, place)["added"] == 40


def test_one_key_in_two_vaults_does_not_replace_a_publication_unasked(
    ann: Shell, bob: Shell, place: Path
) -> None:
    publish(ann, place)
    follow(bob, place)
    ann("ingest", "-", "--no-embed", "--tag", "harbour", "--as", "agent:x", stdin=b"An agent's.")
    command = ("publish", "harbour", "--tag", "harbour", "--to", str(place), "--yes", "--as", "agent:x")
    assert "--replace" in ann(*command, code=14).err
    assert bob("update", "--json").record["current"] is True
    assert ann(*command, "--replace", "--json").record["serial"] == 2
    assert bob("update", "--json").record["withdrawn"] == 40
    assert "--replace" in ann("publish", "harbour", "--yes", code=14).err


def test_a_proposal_that_the_world_has_overtaken_is_not_sent(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    with entered(ann) as memos:
        memos.edit(id_of(ann, FACTS[1]), text="Closed.")
        old = memos.propose("harbour")
        ann("forget", id_of(ann, FACTS[0]), "--yes")
        with pytest.raises(Conflict):
            memos.publish(old)
        between = memos.propose("harbour")
        again(ann)
        with pytest.raises(Conflict):
            memos.publish(between)
    bob("update")
    assert FACTS[0] not in texts(bob)
    assert FACTS[0].encode() not in bytes_of(place / "harbour")


def test_a_cron_job_publishes_although_others_use_the_memories(
    ann: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first use of a memory changes its state. Without a person who was shown it, that is no conflict."""
    real, calls = publishing.publish, list[str]()

    def overtaken(memos: Memos, proposal: publishing.Proposal, on_bytes: Callable[[int], None]) -> Any:
        if len(calls) < 2:
            calls.append(id_of(ann, FACTS[len(calls)]))
            with memos.vault.change(memos.principal, memos.now() + 1) as change:
                change.use({n: 1.0 for n in queries.by_ids(change.db, calls).values()})
        return real(memos, proposal, on_bytes)

    monkeypatch.setattr(publishing, "publish", overtaken)
    assert publish(ann, place)["serial"] == 1
    assert len(calls) == 2


def test_what_has_become_sensitive_since_it_was_shown_stays(ann: Shell, place: Path) -> None:
    with entered(ann) as memos:
        memos.edit(id_of(ann, FACTS[1]), text="Closed.")
        shown = memos.propose("x", PublishOptions(ids=(id_of(ann, FACTS[0]),)), target=str(place))
        memos.mark([id_of(ann, FACTS[0])], "secret")
        with pytest.raises(Conflict):
            memos.publish(shown)
    assert not (place / "x" / INDEX).exists()


def test_nothing_of_a_newer_publication_is_cleaned_away(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    with entered(ann) as memos:
        unchanged = memos.propose("harbour")
        assert unchanged.current
        ann("edit", id_of(ann, FACTS[0]), "--text", "Closed.")
        again(ann)
        with pytest.raises(Conflict):
            memos.publish(unchanged)
    assert follow(bob, place)["added"] == 40


def test_another_vaults_publication_is_not_replaced_for_its_lower_serial(
    ann: Shell, bob: Shell, place: Path
) -> None:
    publish(ann, place)
    ann("edit", id_of(ann, FACTS[0]), "--text", "Closed.")
    again(ann)
    for path in (place / "harbour").iterdir():
        path.unlink()
    ann("ingest", "-", "--no-embed", "--tag", "harbour", "--as", "agent:x", stdin=b"An agent's.")
    ann("publish", "harbour", "--tag", "harbour", "--to", place, "--yes", "--as", "agent:x")
    assert "--replace" in ann("publish", "harbour", "--yes", code=14).err
    made = ann("publish", "harbour", "--withdraw", "--replace", "--yes", "--json").record
    assert (made["serial"], made["memories"]) == (3, [])


def test_what_has_no_end_that_anybody_meets_is_published(ann: Shell, bob: Shell, place: Path) -> None:
    for end in ("9999-12-31", "2999-01-01"):
        ann("expire", id_of(ann, FACTS[0]), "--at", end)
        publish(ann, place)
    assert follow(bob, place)["added"] == 40


def test_publishing_says_what_to_type(ann: Shell, bob: Shell, place: Path) -> None:
    assert "memos feed publish harbour --tag TAG --to" in ann("publish", "harbour", "--yes", code=2).err
    assert "memos feed publish ../x" not in ann("publish", "../x", "--tag", "a", "--to", place, code=2).err
    assert "memos key new" in bob("publish", "harbour", "--tag", "a", "--to", place, code=2).err
    assert "no memory" in ann("publish", "harbour", "--tag", "none", "--to", place, "--yes", code=2).err
    assert "SPDX" in publish_fails(ann, place, "--licence", "MIT\nGPL")
    publish(ann, place)
    bob("key", "new")
    bob.keep("Mine.", options=("--tag", "harbour"))
    said = bob("publish", "harbour", "--tag", "harbour", "--to", place, "--yes", code=14)
    assert "is published by ed25519:" in said.err, "nobody takes the place of another's publication"


def publish_fails(ann: Shell, place: Path, *options: str) -> str:
    return ann("publish", "harbour", "--tag", "harbour", "--to", place, "--yes", *options, code=2).err


# --- read-only, in a namespace of its own ----------------------------------------------------------


def test_what_a_feed_brings_stays_as_it_is_there(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    id = id_of(bob, FACTS[0])
    for command in (
        ("edit", id, "--text", "mine"), ("forget", id, "--yes"), ("tag", id, "--add", "x"),
        ("archive", id), ("expire", id, "--at", "30d"), ("mark", "secret", id), ("freeze", id),
    ):  # fmt: skip
        refused = bob(*command, code=14)
        assert "memos feed unsubscribe harbour --keep" in refused.err, command
    bob.keep("Bob's own.")
    bob("forget", "--type", "document", "--yes")
    assert texts(bob) == sorted(FACTS)
    assert bob("list", "--json", "--as", "agent:other").records == []
    bob("grant", "vault", "agent:other", "--of", "feed:harbour")
    assert len(bob("list", "--json", "--as", "agent:other").records) == 40


def test_no_publisher_writes_into_anybodys_namespace(
    ann: Shell, bob: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ids, tags, ranks and sensitivities a signed record gives itself."""
    own = bob.keep("Bob's own.", options=("--tag", "work"))
    publish(ann, place)

    def claim(record: dict[str, Any]) -> None:
        record |= {"id": own[0], "priority": 9, "frozen": True, "uses_left": 1, "tags": ["work", "work"]}
        record["state"] = "archived"
        record["versions"][0]["text"] = f"token {TOKEN}"

    forge(ann, place, monkeypatch, claim)
    follow(bob, place)
    mine = bob("show", own[0], "--json").record
    assert (mine["text"], mine["owner"]) == ("Bob's own.", "user:ann")
    assert [row["id"] for row in bob("list", "--tag", "work", "--json").records] == own
    (their,) = [row for row in bob("list", "--json").records if "token" in row["text"]]
    shown = bob("show", their["id"], "--json").record
    assert (shown["owner"], shown["frozen"], shown["priority"]) == ("feed:harbour", False, 0)
    assert shown["sensitivity"] == "secret"
    assert shown["tags"] == ["feed/harbour", "feed/harbour/work"]


def forge(
    ann: Shell,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], None] = lambda record: None,
    **fields: Any,
) -> Index:
    """What a publisher could write who does not use this program: signed, with another record or index."""
    monkeypatch.setenv(
        "MEMOS_CONFIG", str(next((ann.folder / "home").rglob("signing.key")).parent / "c.toml")
    )
    from memos_cli.interface.share import signing

    folder = place / "harbour"
    index = indexes.read((folder / INDEX).read_bytes(), "there").index
    found = bundle.read(io.BytesIO((folder / index.bundle.name).read_bytes()))
    records = found.parts["cubes.jsonl"]
    change(records[0])
    import hashlib

    seals = {each["id"]: hashlib.sha256(bundle.to_line(each)).digest() for each in records}
    stream = io.BytesIO()
    bundle.write(stream, {"cubes.jsonl": records}, signing.sign)
    data = stream.getvalue()
    stored = Stored(hashlib.sha256(data).hexdigest(), len(data))
    (folder / stored.name).write_bytes(data)
    made = replace(index, bundle=stored, root=feeds.root(seals), deltas=(), **fields)
    (folder / INDEX).write_bytes(indexes.write(made)[0])
    return made


def test_quarantined_until_somebody_looks(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    came = follow(bob, place, "--quarantine")
    assert (came["quarantined"], texts(bob)) == (40, [])
    waiting = bob("list", "--state", "quarantined", "--json").records
    first = next(row["id"] for row in waiting if row["text"] == FACTS[0])
    bob("review", first, "--approve")
    assert texts(bob) == [FACTS[0]]
    ann("edit", id_of(ann, FACTS[0]), "--text", "Station 0 wants your password.")
    again(ann)
    assert bob("update", "--json").record["quarantined"] == 1
    assert texts(bob) == [], "what it says now, nobody has seen"


def test_what_ends_and_comes_back_is_looked_at_again(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place, "--expires", "2099-01-01")
    follow(bob, place, "--quarantine")
    for row in bob("list", "--state", "quarantined", "--json").records:
        bob("review", row["id"], "--approve")
    with entered(bob, LATER) as memos:
        memos.maintain(steps=("expire",))
        assert not list(memos.cubes(filter=Filter()))
    ann("edit", id_of(ann, FACTS[0]), "--text", "Station 0 wants your password.")
    publish(ann, place)
    with entered(bob, LATER) as memos:
        memos.update("harbour")
    assert "Station 0 wants your password." not in texts(bob)
    assert texts(bob) == sorted(FACTS[1:]), "what says what was approved is back"


def test_a_new_kind_or_tag_is_looked_at_again(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    follow(bob, place, "--quarantine")
    for row in bob("list", "--state", "quarantined", "--json").records:
        bob("review", row["id"], "--approve")
    ann("tag", id_of(ann, FACTS[0]), "--add", "instructions")
    again(ann)
    assert bob("update", "--json").record["quarantined"] == 1
    assert texts(bob) == sorted(FACTS[1:])
    assert bob("subscribe", place / "harbour", "--no-quarantine", "--json").record["current"] is True
    ann("tag", id_of(ann, FACTS[1]), "--add", "instructions")
    again(ann)
    assert bob("update", "--json").record["quarantined"] == 0


def test_a_reader_may_neither_update_nor_leave(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    token = bob("token", "create", "user:ann", "--role", "reader").out.strip().split()[-1]
    for command in (("update",), ("unsubscribe", "harbour"), ("subscribe", place / "harbour")):
        bob(*command, env={"MEMOS_TOKEN": token}, code=14)
    assert texts(bob) == sorted(FACTS)


def test_a_feed_is_left_with_or_without_its_memories(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    bob.keep(FACTS[0], "Bob's own.")
    follow(bob, place)
    assert bob("unsubscribe", "harbour", "--json").record == {
        "name": "harbour", "memories": 40, "kept": False,
    }  # fmt: skip
    assert texts(bob) == sorted([FACTS[0], "Bob's own."])
    assert bob("grant", "--json").records == [], "no rule is left of what is not there"
    follow(bob, place)
    bob("unsubscribe", place / "harbour", "--keep")
    assert texts(bob) == sorted([*FACTS, "Bob's own."]), "what both have is there once"
    bob("edit", id_of(bob, FACTS[1]), "--text", "Mine now.")
    assert "no feed" in bob("update", "harbour", code=2).err
    assert follow(bob, place)["added"] == 40, "it can be followed anew"
    bob("unsubscribe", "harbour")
    assert len(texts(bob)) == 41


def test_what_is_kept_of_a_feed_is_live_and_does_not_end_with_it(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place, "--expires", "2099-01-01")
    (away,) = bob.keep(FACTS[0])
    bob("archive", away)
    follow(bob, place)
    bob("unsubscribe", "harbour", "--keep")
    rows = bob("list", "--json").records
    assert sorted(row["text"] for row in rows) == sorted(FACTS)
    assert {row["expires"] for row in rows} == {None}


def test_what_is_kept_of_a_feed_that_has_ended_is_live(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place, "--expires", "2099-01-01")
    follow(bob, place)
    with entered(bob, LATER) as memos:
        memos.maintain(steps=("expire",))
        assert not list(memos.cubes(filter=Filter()))
        memos.unsubscribe("harbour", keep=True)
    assert texts(bob) == sorted(FACTS)


def test_a_name_is_a_name_before_it_is_a_folder(ann: Shell, bob: Shell, place: Path) -> None:
    """Run in a folder where the name of one feed is the folder of another."""
    publish(ann, place)
    ann("publish", "other", id_of(ann, FACTS[7]), "--to", place, "--yes")
    bob("subscribe", place / "harbour", "--as", "first", "--trust")
    (bob.work / "other").symlink_to(place / "harbour")
    assert bob("subscribe", f"{place}/../public/other", "--json").record["added"] == 1
    (row,) = [row for row in bob("subscribe", "--json").records if row["name"] == "other"]
    assert row["url"] == str(place / "other")
    (bob.work / "harbour").mkdir()
    assert bob("unsubscribe", "other", "--json").record["memories"] == 1
    assert texts(bob) == sorted(FACTS)


def test_no_feed_is_left_to_follow(bob: Shell) -> None:
    assert bob("subscribe", "--json").records == []


# --- what is refused -------------------------------------------------------------------------------


def test_an_unknown_signer_needs_trust(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    refused = bob("subscribe", place / "harbour", code=14)
    assert "--trust" in refused.err
    assert bob("subscribe", "--json").records == []
    bob("key", "trust", ann("key", "show").out.strip())
    assert bob("subscribe", place / "harbour", "--json").record["added"] == 40


def test_an_older_index_and_a_second_one_are_refused(
    ann: Shell, bob: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ann, place)
    old = {path.name: path.read_bytes() for path in (place / "harbour").iterdir()}
    ann("forget", id_of(ann, FACTS[0]), "--yes")
    again(ann)
    follow(bob, place)
    for name, data in old.items():
        (place / "harbour" / name).write_bytes(data)
    assert "older than the 2" in bob("update", code=14).err
    forge(ann, place, monkeypatch, serial=2)
    assert "two different publications of serial 2" in bob("update", code=14).err
    assert FACTS[0] not in texts(bob)
    forge(ann, place, monkeypatch, serial=3, name="other")
    assert "is the publication other now" in bob("update", code=14).err
    forge(ann, place, monkeypatch, serial=3, name="harbour")
    assert bob("update", "--json").record["serial"] == 3


def test_another_key_is_refused(ann: Shell, bob: Shell, place: Path, tmp_path: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    eve = Shell(tmp_path / "eve")
    make_vault(eve)
    eve("key", "new")
    eve.keep("Send money.", options=("--tag", "harbour"))
    bob("key", "trust", eve("key", "show").out.strip())
    publish(eve, tmp_path / "eves")
    for path in (tmp_path / "eves" / "harbour").iterdir():
        (place / "harbour" / path.name).write_bytes(path.read_bytes())
    refused = bob("update", code=14)
    assert "is signed by" in refused.err, "also where the other signer is trusted elsewhere"
    assert texts(bob) == sorted(FACTS)


def test_a_changed_file_is_refused_and_nothing_of_it_comes(
    ann: Shell, bob: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ann, place)
    folder = place / "harbour"
    (path,) = folder.glob("*.mip")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Station 1 ", b"Station X "))
    assert "does not match its index" in bob("subscribe", folder, "--trust", code=12).err
    assert bob("subscribe", "--json").records == [], "nothing came, so nothing is followed"
    path.write_bytes(whole)
    follow(bob, place)
    index = (folder / INDEX).read_bytes()
    (folder / INDEX).write_bytes(index.replace(b'"serial":1', b'"serial":9'))
    assert bob("update", code=12).code == 12
    (folder / INDEX).write_bytes(b"<html>404</html>")
    assert "not a complete index" in bob("update", code=12).err
    (folder / INDEX).write_bytes(index)
    forge(ann, place, monkeypatch, lambda record: record["versions"].clear(), serial=2)
    assert "memory 1 is not valid" in bob("update", code=12).err
    for harm in (
        lambda record: record["versions"][0].update(text="half \ud800"),
        lambda record: record.update(time=1 << 61),
        lambda record: record.update(created=1 << 61),
    ):
        (folder / INDEX).write_bytes(index)
        forge(ann, place, monkeypatch, harm, serial=2)
        assert "memory 1 is not valid" in bob("update", code=12).err
    assert texts(bob) == sorted(FACTS)
    (folder / INDEX).unlink()
    assert "is not there" in bob("update", code=1).err


def test_what_does_not_make_what_the_index_says_is_fetched_anew(ann: Shell, bob: Shell, place: Path) -> None:
    """A row that is gone here: the delta alone does not bring it back, the bundle does."""
    publish(ann, place)
    follow(bob, place)
    with feeds_of(bob) as vault, vault.change("feed:harbour", 1_800_000_000_000) as change:
        forget(change, next(iter(feeds.held(change.db, 1).values()))[0])
    ann("edit", id_of(ann, FACTS[5]), "--text", "Closed.")
    again(ann)
    assert bob("update", "--json").record["received"] > 10_000
    assert texts(bob) == texts(ann)


def feeds_of(shell: Shell) -> Any:
    from memos_cli.infrastructure.vault.vault import Vault

    return Vault.open(shell.vault, timeout=5.0)


def test_a_delta_that_is_damaged_or_lost_is_no_harm(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    follow(bob, place)
    for n, harm in enumerate(
        (lambda path: path.unlink(), lambda path: path.write_bytes(b"x" * path.stat().st_size))
    ):
        ann("edit", id_of(ann, FACTS[n]), "--text", f"Closed {n}.")
        again(ann)
        for path in (place / "harbour").glob("*.gz"):
            harm(path)
        assert bob("update", "--json").record["versions"] == 1
        assert texts(bob) == texts(ann)


def test_one_feed_that_fails_stops_no_other(ann: Shell, bob: Shell, place: Path) -> None:
    publish(ann, place)
    ann("publish", "other", "--tag", "harbour", "--to", place, "--yes")
    follow(bob, place)
    bob("subscribe", place / "other")
    (place / "harbour" / INDEX).write_bytes(b"gone")
    again_other = ann.keep("One more.", options=("--tag", "harbour"))
    assert again_other
    ann("publish", "other", "--yes")
    done = bob("update", code=3)
    assert "failed: harbour" in done.err
    assert "other  serial 2  added 1" in done.out
    (place / "other" / INDEX).write_bytes(b"gone")
    assert bob("update", "--json", code=12).records[0]["name"] == "harbour"


def test_a_delta_that_unpacks_to_too_much_is_refused() -> None:
    from memos_cli.interface.share.feeds.subscribing import _unpacked

    assert _unpacked(gzip.compress(b"x" * 1000), "there") == b"x" * 1000
    with pytest.raises(Damaged, match="more than its publisher says"):
        _unpacked(gzip.compress(b"\0" * (8 << 20)), "there")
    with pytest.raises(Damaged, match="is damaged"):
        _unpacked(gzip.compress(b"x" * 1000)[:-9], "there")


@given(data=st.data())
def test_no_index_is_more_than_damaged(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Bytes changed, cut out and put in, and values of other kinds: refused, and nothing else is raised."""
    from memos_cli.interface.share import signing

    value: Any = {
        "format": "memos-feed", "version": 1, "name": "x", "serial": 1, "time": 0, "expires": None,
        "licence": "", "memories": 0, "root": "", "bundle": {"sha256": "0" * 64, "bytes": 1},
        "deltas": [{"sha256": "0" * 64, "bytes": 1, "since": 1}], "adapters": [],
    }  # fmt: skip
    odd = st.sampled_from([None, True, -1, 1 << 80, 1e999, "x", "../../x", [], {}, [1], "0" * 64])
    for _ in range(data.draw(st.integers(0, 3))):
        target = data.draw(st.sampled_from([value, value["bundle"], value["deltas"][0]]))
        target[data.draw(st.sampled_from(sorted(target)))] = data.draw(odd)
        if not isinstance(value["bundle"], dict) or not isinstance(value["deltas"], list):
            break
        if not value["deltas"] or not isinstance(value["deltas"][0], dict):
            break
    os.environ["MEMOS_CONFIG"] = str(tmp_path_factory.mktemp("key") / "c.toml")
    signing.own_key(make=True)
    line = bundle.to_line(value)
    whole = bytearray(line + bundle.to_line(signing.sign(line)))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        found = indexes.read(bytes(whole), "there")
    except MemosError:
        return
    assert all(len(each.sha256) == 64 and each.bytes <= indexes.LARGEST for each in found.index.files())


# --- places ----------------------------------------------------------------------------------------


class _Counting(SimpleHTTPRequestHandler):
    """Files over HTTP, with ranges; counts the bytes of bodies, and can break off in the midst of one."""

    sent = 0
    breaks_at: int | None = None
    ranges = True

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        start, end = 0, len(data)
        asked = self.headers.get("Range", "")
        if self.ranges and asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(len(data), int(last) + 1 if last else len(data))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        if self.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if body:
            part = data[start:end]
            limit = type(self).breaks_at
            if limit is not None and path.suffix == ".mip" and len(part) > limit:
                part = part[:limit]
                self.close_connection = True
            type(self).sent += len(part)
            self.wfile.write(part)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def web(place: Path) -> Iterator[tuple[str, type[_Counting]]]:
    """Ann's folder on a web server of this machine."""
    place.mkdir(parents=True)
    handler = type("Handler", (_Counting,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(place)))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("ranges", [True, False])
def test_from_a_web_server(
    ann: Shell, bob: Shell, place: Path, web: tuple[str, type[_Counting]], ranges: bool
) -> None:
    url, server = web
    server.ranges = ranges
    publish(ann, place)
    came = follow(bob, url)
    assert (came["added"], came["url"]) == (40, f"{url}/harbour")
    ann("edit", id_of(ann, FACTS[0]), "--text", "Closed.")
    again(ann)
    before = server.sent
    assert bob("update", "--json").record["versions"] == 1
    assert server.sent - before < 3000
    assert texts(bob) == texts(ann)
    assert "is not there" in bob("subscribe", f"{url}/none", code=1).err
    assert "http://127.0.0.1:9" in bob("subscribe", "http://127.0.0.1:9/none", code=1).err


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_that_was_cut_off_goes_on_where_it_was(
    ann: Shell, bob: Shell, place: Path, web: tuple[str, type[_Counting]], ranges: bool, tmp_path: Path
) -> None:
    url, server = web
    server.ranges = ranges
    publish(ann, place)
    cache = {"MEMOS_CACHE": str(tmp_path / "cache")}
    (whole,) = (place / "harbour").glob("*.mip")
    kept = tmp_path / "cache" / "feeds" / f"{whole.stem}.part"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(whole.read_bytes()[:-100])
    seen: list[int] = []
    registry = Registry(f"{url}/harbour")
    data = registry.fetch(whole.name, whole.stem, whole.stat().st_size, kept.parent, seen.append)
    assert data == whole.read_bytes()
    size = whole.stat().st_size
    assert seen == [size - 100, 100 if ranges else size], "a server without ranges gives all of it again"
    assert not [*kept.parent.iterdir()], "nothing is left behind"
    server.breaks_at = 5000
    bob("subscribe", f"{url}/harbour", "--trust", env=cache, code=1)
    server.breaks_at = None
    assert follow(bob, url, env=cache)["added"] == 40


@pytest.mark.skipif(not which("git"), reason="git is not installed")
def test_through_a_git_host(ann: Shell, bob: Shell, tmp_path: Path) -> None:
    """Published into a clone and pushed; followed in another."""

    def git(folder: Path, *arguments: str) -> None:
        name = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        done = subprocess.run(["git", *name, *arguments], cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    git(tmp_path, "init", "--bare", "-b", "main", "host.git")
    git(tmp_path, "clone", "host.git", "mine")

    def push() -> None:
        for command in (("add", "-A"), ("commit", "-m", "Publish"), ("push", "origin", "HEAD:main")):
            git(tmp_path / "mine", *command)

    publish(ann, tmp_path / "mine")
    push()
    git(tmp_path, "clone", "-b", "main", "host.git", "theirs")
    assert follow(bob, tmp_path / "theirs")["added"] == 40
    ann("edit", id_of(ann, FACTS[0]), "--text", "Closed.")
    again(ann)
    push()
    git(tmp_path / "theirs", "pull")
    assert bob("update", "--json").record["versions"] == 1


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """An object store that speaks S3, on this machine: what the environment says of it."""
    if not (find_spec("moto") and find_spec("s3fs")):
        pytest.skip("moto and s3fs are not installed")
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from moto.server import ThreadedMotoServer\n"
        "server = ThreadedMotoServer('127.0.0.1', port=0, verbose=False); server.start()\n"
        "print(server.get_host_and_port()[1], flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        where = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1", "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        made = "import s3fs; s3fs.S3FileSystem().mkdir('memories')"
        subprocess.run([sys.executable, "-c", made], env={**os.environ, **where}, check=True)
        yield where
        process.kill()


def test_through_an_object_store(ann: Shell, bob: Shell, bucket: dict[str, str]) -> None:
    url = "s3://memories/of/ann"
    publish = ("publish", "harbour", "--yes", "--json")
    ann.process(*publish, "--tag", "harbour", "--to", url, env=bucket)
    came = json.loads(bob.process("subscribe", f"{url}/harbour", "--trust", "--json", env=bucket).out)
    assert (came["added"], came["url"]) == (40, f"{url}/harbour")
    ann("edit", id_of(ann, FACTS[0]), "--text", "Closed.")
    ann("forget", id_of(ann, FACTS[1]), "--yes")
    ann.process(*publish, env=bucket)
    came = json.loads(bob.process("update", "--json", env=bucket).out)
    assert (came["versions"], came["withdrawn"]) == (1, 1)
    assert came["received"] < 3000
    assert texts(bob) == texts(ann)
    missing = bob.process("subscribe", "s3://memories/none", "--trust", env=bucket, code=1)
    assert "is not there" in missing.err


# --- beside one's own ------------------------------------------------------------------------------


@with_models
def test_what_contradicts_ones_own_is_linked_and_ones_own_stands(ann: Shell, bob: Shell, place: Path) -> None:
    fact = ("--type", "fact", "--tag", "harbour")
    ann.keep("The harbour fee for visitors is 25 euros.", options=fact)
    own = bob("ingest", "-", "--type", "fact", "--json", stdin=b"The harbour fee for visitors is 20 euros.")
    publish(ann, place)
    came = follow(bob, place)
    assert any("contradict" in note for note in came["notes"])
    (pair,) = bob("conflicts", "--json").records
    ids = {pair["older"]["id"], pair["newer"]["id"]}
    assert {*own.record["ids"]} < ids
    plan = bob("query", "What is the harbour fee for visitors?", "--explain", "--json").record
    left_out = json.dumps(plan)
    assert "20 euros" in left_out
    assert bob("conflicts", "--resolve", "keep-newest", "--json").records == [], "a person says which"
    assert "The harbour fee for visitors is 20 euros." in texts(bob)
    bob("conflicts", "--resolve", *(ids - {*own.record["ids"]}), "--json", code=14)
    bob("conflicts", "--resolve", "keep-both", *own.record["ids"])
    assert bob("conflicts", "--json").records == []
