"""Adapters that leave a vault and come into another: with their memories, and examined where they arrive."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from adapters_harness import LENIENT, OTHER, QUESTION, Teacher
from cli_harness import Fill, make_vault
from tiny_models import write_model

from memos_cli.interface.share import bundle

pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("vectors_once", "short_gate")


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Teacher]:
    """Somebody who has an adapter, has asked about other things, and has a key."""
    yield from _teacher(tmp_path / "ann", seed=1)


@pytest.fixture
def bob(tmp_path: Path) -> Iterator[Teacher]:
    """Somebody with the same model, and a vault of their own."""
    yield from _teacher(tmp_path / "bob", seed=1)


@pytest.fixture
def eve(tmp_path: Path) -> Iterator[Teacher]:
    """Somebody with another model."""
    yield from _teacher(tmp_path / "eve", seed=2)


def _teacher(folder: Path, *, seed: int) -> Iterator[Teacher]:
    teacher = Teacher(folder)
    folder.mkdir()
    write_model(folder / "tiny.gguf", "llama", context=4096, seed=seed)
    make_vault(teacher)
    yield teacher
    teacher.check()


@pytest.fixture
def learned(ann: Teacher, fill: Fill) -> Teacher:
    def make() -> None:
        ann("key", "new")
        ann.keep(OTHER)
        ann("query", "When was the harbour wall raised?")
        ids = ann.keep("My cat is called Miso.", options=("--tag", "me"))
        made = ann.distil(*ids, "--name", "Miso")
        assert made["passed"], made

    fill(ann.folder, "learned", make)
    return ann


def export(teacher: Teacher) -> bundle.Bundle:
    teacher("export", "--tag", "me", "-o", "me.mip", "--json")
    return bundle.read(io.BytesIO((teacher.work / "me.mip").read_bytes()))


def change(teacher: Teacher, edit: Any) -> None:
    """Write the exported bundle anew, after ``edit`` of its record and its files."""
    found = export(teacher)
    files = dict(found.files)
    edit(found.parts["adapters.jsonl"][0], files)
    with (teacher.work / "me.mip").open("wb") as stream:
        bundle.write(stream, found.parts, files=files)


def take(teacher: Teacher, ann: Teacher, **options: Any) -> Any:
    return teacher("import", ann.work / "me.mip", "--no-embed", "--json", **options).record


def test_an_adapter_travels_with_its_memories_and_is_examined_where_it_arrives(
    learned: Teacher, bob: Teacher
) -> None:
    found = export(learned)
    (record,) = found.parts["adapters.jsonl"]
    assert record["report"]["passed"] is True
    assert set(record["fingerprint"]) >= {"model", "template"}
    asked = {each["question"] for each in record["lessons"]}
    assert QUESTION in asked
    assert "When was the harbour wall raised?" not in asked, "what its owner asks about other things"
    came = take(bob, learned, env=LENIENT)
    assert any("passed its gate here" in note for note in came["notes"]), came
    (adapter,) = bob.adapters()
    assert (adapter["title"], adapter["state"]) == ("Miso", "activated")
    assert bob.plan()["adapters"], "it is used"
    first = (learned.work / "me.mip").read_bytes()
    export(bob)
    assert (bob.work / "me.mip").read_bytes() == first, "out again, it is what came in"
    again = take(bob, learned, env=LENIENT)
    assert again["notes"] == []
    assert len(bob.adapters()) == 1


def test_what_it_says_of_its_own_examination_is_believed_by_nobody(learned: Teacher, bob: Teacher) -> None:
    export(learned)
    came = take(bob, learned)
    assert any("did not pass its gate here" in note for note in came["notes"]), came
    (adapter,) = bob.adapters("--state", "archived")
    assert bob.plan()["adapters"] == []
    shown = bob("show", adapter["id"], "--json").record
    assert shown["parametric"]["report"]["passed"] is False
    assert shown["parametric"]["report"]["told"]["passed"] is True


def test_with_another_model_the_text_serves(learned: Teacher, eve: Teacher) -> None:
    export(learned)
    came = take(eve, learned, env=LENIENT)
    assert any("is not the model here" in note for note in came["notes"]), came
    plan = eve.plan()
    assert plan["adapters"] == []
    assert [each["form"] for each in plan["chosen"]] == ["text"]


@pytest.mark.parametrize(
    "harm", ["no file", "other bytes", "no GGUF", "a model", "shapes", "source", "lesson"]
)
def test_a_hostile_adapter_is_left_and_its_memories_come(
    learned: Teacher, bob: Teacher, eve: Teacher, harm: str, tmp_path: Path
) -> None:
    import hashlib

    def edit(record: dict[str, Any], files: dict[str, bytes]) -> None:
        (name,) = files
        data = files[name]
        if harm == "no file":
            del files[name]
            return
        if harm == "other bytes":
            files[name] = data[:-1] + b"\0"
            return
        if harm == "source":
            record["sources"] = [{"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "version": 1}]
            return
        if harm == "lesson":
            record["lessons"][0] |= {"kind": "x" * 100}
            return
        bad = {
            "no GGUF": b"MZ" + data,
            "a model": (eve.folder / "tiny.gguf").read_bytes(),
            "shapes": _other_shape(tmp_path),
        }[harm]
        del files[name]
        record["sha256"] = hashlib.sha256(bad).hexdigest()
        files[f"{record['sha256']}.gguf"] = bad

    change(learned, edit)
    came = take(bob, learned, env=LENIENT)
    assert came["added"] == 1
    assert any("is left" in note or "is not used" in note for note in came["notes"]), came
    assert bob.adapters() == []
    assert bob.plan()["adapters"] == []


def _other_shape(folder: Path) -> bytes:
    """An adapter that is sound, and for a model of other measures."""
    import numpy as np

    from memos_cli.models.gguf.adapter_format import adapter_bytes

    pair = (np.zeros((2, 8), np.float32), np.zeros((8, 2), np.float32))
    return adapter_bytes({"blk.0.attn_q.weight": pair}, architecture="llama", alpha=2.0, name="x", extra={})


def test_a_published_adapter_serves_who_has_its_model(
    learned: Teacher, bob: Teacher, eve: Teacher, tmp_path: Path
) -> None:
    made = learned("publish", "me", "--tag", "me", "--to", tmp_path / "public", "--yes", "--json").record
    assert made["adapters"] == ["Miso"]
    subscribe = ("subscribe", str(tmp_path / "public" / "me"), "--trust", "--json")
    came = bob(*subscribe, env=LENIENT).record
    assert any("passed its gate here" in note for note in came["notes"]), came
    (adapter,) = bob.plan()["adapters"]
    assert bob("show", adapter["id"], "--json").record["owner"] == "feed:me"
    other = eve(*subscribe, env=LENIENT).record
    assert any("other models" in note for note in other["notes"])
    assert other["received"] < came["received"] - 1000, "what cannot be used is not fetched"
    assert eve.plan()["adapters"] == []
    learned.keep("Miso is three years old.", options=("--tag", "me"))
    learned("publish", "me", "--yes")
    again = bob("update", "--json", env=LENIENT).record
    assert (again["added"], again["notes"]) == (1, [])
    assert again["received"] < 5000, "an adapter that is here is not fetched again"
    assert len(bob.plan()["adapters"]) == 1
    for id in learned.ids("--tag", "me"):
        learned("forget", id, "--yes")
    learned("publish", "me", "--yes")
    bob("update", env=LENIENT)
    assert bob("list", "--payload", "parametric", "--state", "archived", "--json").records == []
    assert bob.adapters() == [], "withdrawn with its memories"
    assert bob.blobs() == set()


def test_an_adapter_of_covered_memories_is_not_published(learned: Teacher, tmp_path: Path) -> None:
    secret = learned.keep(
        "The key is ghp_abcdefghijklmnopqrstuvwxyz0123456789 today.",
        options=("--tag", "me", "--secrets", "allow", "--sensitivity", "open"),
    )
    learned("mark", "open", *secret)
    made = learned("publish", "me", "--tag", "me", "--to", tmp_path / "public", "--dry-run", "--json").record
    assert made["adapters"] == ["Miso"]
    learned("edit", *learned.ids("--tag", "me") - {*secret}, "--text", "My cat is called Mika.")
    made = learned("publish", "me", "--tag", "me", "--to", tmp_path / "public", "--dry-run", "--json").record
    assert made["adapters"] == [], "it does not hold what the memory says now"


def test_an_adapter_waits_for_its_memories(learned: Teacher, bob: Teacher, tmp_path: Path) -> None:
    learned("publish", "me", "--tag", "me", "--to", tmp_path / "public", "--yes")
    url = str(tmp_path / "public" / "me")
    bob("subscribe", url, "--trust", "--quarantine", env=LENIENT)
    came = bob("subscribe", url, "--no-quarantine", "--json", env=LENIENT).record
    assert any("is left" in note for note in came["notes"])
    for row in bob("list", "--state", "quarantined", "--json").records:
        bob("review", row["id"], "--approve")
    came = bob("update", "--json", env=LENIENT).record
    assert any("passed its gate here" in note for note in came["notes"]), came
    assert bob("update", "--json", env=LENIENT).record["received"] == 0
