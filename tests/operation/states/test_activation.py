"""Saved states: used only where they give what the text gives; whatever is amiss, the text is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_harness import with_models
from states_harness import DAY, HARBOUR, HOUSE, KITCHEN, ORCHARD, START, Desk, injected
from tiny_models import CHATML, write_model

from memos_cli.cube import Filter
from memos_cli.infrastructure.derived.saved_states import key_of
from memos_cli.infrastructure.storage.blobs import piece_digests
from memos_cli.models.llama import llama_engine as engine_module
from memos_cli.models.llama.llama_engine import Engine

STALE = "a source is archived, expired or merged"


# --- the hit ---------------------------------------------------------------------------------------


def test_a_state_gives_the_answer_of_the_text(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(*harbour)
    assert (made.version, made.new, made.memories) == (1, True, 3)
    text = desk.ask(text=True)
    desk.loads.clear()
    got = desk.ask()
    assert got.answer == text.answer
    assert len(got.answer) > 10
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.miss) == (made.id, "")
    assert got.plan.reuse.tokens == made.held == desk.loads[0] > 0
    assert made.held % engine_module.BATCH == 0
    assert [(item.form, item.part) for item in got.plan.chosen][:3] == [("state", "document")] * 3
    assert "activation" not in " ".join(got.plan.notes)
    assert text.plan.reuse is None
    assert {item.form for item in text.plan.chosen} == {"text"}
    assert [item[1:] for item in injected(text.plan)] == [item[1:] for item in injected(got.plan)]
    foreseen = desk.explain()
    assert (foreseen.reuse, injected(foreseen)) == (got.plan.reuse, injected(got.plan))


@pytest.mark.parametrize("options", [{"temperature": 0.8, "seed": 7}, {"max_tokens": 200}])
def test_a_long_answer_and_one_of_chance_are_the_same_too(
    desk: Desk, harbour: list[str], options: Mapping[str, Any]
) -> None:
    desk.promote(*harbour)
    desk.manner = replace(desk.manner, **options)
    assert desk.ask().answer == desk.ask(text=True).answer
    assert len(desk.loads) == 1


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma"])
@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_it_does_so_with_every_architecture_and_kind_of_cache(
    desk: Desk, harbour: list[str], architecture: str, kind: str, tmp_path: Path
) -> None:
    desk.settings |= {
        "reader": str(write_model(tmp_path / "other.gguf", architecture, context=4096)),
        "activation_kv_type": kind,
    }
    made = desk.promote(*harbour)
    got = desk.ask()
    assert got.answer == desk.ask(text=True).answer
    assert got.plan.reuse is not None
    assert (got.plan.reuse.tokens, got.plan.reuse.miss) == (made.held, "")


@with_models
def test_it_does_so_with_a_real_model(desk: Desk, harbour: list[str]) -> None:
    desk.settings |= {"reader": "embedded", "threads": 0}
    made = desk.promote(*harbour)
    question = "When is the harbour lantern lit?"
    got = desk.ask(question)
    assert got.answer == desk.ask(question, text=True).answer != ""
    assert got.plan.reuse is not None
    assert (got.plan.reuse.tokens, got.plan.reuse.miss) == (made.held, "")
    desk.blob().write_bytes(desk.blob().read_bytes()[:-1])
    assert desk.ask(question).answer == got.answer


# --- the misses ------------------------------------------------------------------------------------

Way = Callable[[Desk, list[str], pytest.MonkeyPatch], None]
WAYS: dict[str, tuple[Way, str, bool]] = {}
"""Ways in which a state becomes unfit, the reason that is told, and whether its document is taken still."""


def way(name: str, reason: str, *, taken: bool = True) -> Callable[[Way], Way]:
    def add(function: Way) -> Way:
        WAYS[name] = (function, reason, taken)
        return function

    return add


def change_of(part: str) -> Way:
    """The stored fingerprint is of another time, and the key fits it: an older state, not a broken one."""

    def spoil(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
        (state,) = desk.states()
        other = {**state.state.fingerprint, part: "another"}
        text = json.dumps(other, ensure_ascii=False, sort_keys=True)
        key = key_of(other, state.state.tokens)
        desk.execute("UPDATE activation SET fingerprint = ?, key = ?", text, key)

    return spoil


def conditions_with(part: str) -> Way:
    """What runs now is not what the state was made with."""

    def spoil(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
        usual = Engine.conditions.fget  # type: ignore[attr-defined]
        patch.setattr(Engine, "conditions", property(lambda engine: {**usual(engine), part: "another"}))

    return spoil


PARTS = (
    "llama.cpp", "processor", "state version", "KV type", "flash attention", "batch", "RoPE", "adapters",
    "template",
)  # fmt: skip
for part in PARTS:
    way(f"stored {part}", f"{part} changed")(change_of(part))
    way(f"current {part}", f"{part} changed")(conditions_with(part))
way("stored model", "made with another model", taken=False)(change_of("model"))
way("a condition that was not known then", "weather changed")(conditions_with("weather"))


@way("another model", "made with another model", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    other = write_model(desk.folder.parent / "other.gguf", "llama", seed=2, context=4096)
    desk.settings["reader"] = str(other)


@way("model replaced in place", "made with another model", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    path = Path(desk.settings["reader"])
    before = path.stat()
    write_model(path, "llama", seed=2, context=4096)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


@way("kind of cache", "KV type changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.settings["activation_kv_type"] = "q8_0"


@way("size of the batch", "batch changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine_module, "BATCH", 32)


@way("text of the template", "template changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "template", property(lambda engine: CHATML.replace("<|im_end|>", "")))


@way("blob missing", "blob missing")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.blob().unlink()


@way("blob empty", "blob of another length")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.blob().write_bytes(b"")


@way("blob truncated", "blob of another length")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    os.truncate(desk.blob(), desk.blob().stat().st_size - 1)


@way("blob longer", "blob of another length")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    with desk.blob().open("ab") as file:
        file.write(b"\0")


@way("blob flipped", "blob damaged")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    data = bytearray(desk.blob().read_bytes())
    data[len(data) // 2] ^= 1
    desk.blob().write_bytes(data)


@way("blob of another state", "blob damaged")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    mine = desk.blob()
    others = desk.keep(*ORCHARD)
    other = desk.promote(*others)
    theirs = desk.blob(other.id).read_bytes()
    assert len(theirs) == mine.stat().st_size
    mine.write_bytes(theirs)


@way("blob behind a link", "blob of another length")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    aside = desk.folder.parent / "aside"
    blob = desk.blob()
    blob.rename(aside)
    blob.symlink_to(aside)


@way("tokens of the row", "the prompt starts with other text")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    (state,) = desk.states()
    tokens = state.state.tokens[:]
    tokens[-1] += 1  # type: ignore[index]
    desk.execute(
        "UPDATE activation SET tokens = ?, key = ?",
        bytes(tokens),
        key_of(state.state.fingerprint, tokens),
    )


@way("key of the row", "the prompt starts with other text")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET key = zeroblob(32)")


@way("tokens of the row cut off", "the prompt starts with other text")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET tokens = substr(tokens, 1, 333)")


@way("fingerprint of the row damaged", "made with another model", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET fingerprint = substr(fingerprint, 2)")


@way("fingerprint of the row of another kind", "made with another model", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET fingerprint = '[1]'")


@way("source edited", "source changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.edit(ids[0], HARBOUR[0].replace("dusk", "noon"))


@way("source archived", STALE, taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.set(ids[1], "archived", "archive")


@way("best source archived", "", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    """What is found then is in no document: there is nothing to tell."""
    for id in ids:
        desk.set(id, "archived", "archive")


@way("source expired", STALE, taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.renew(ids[1], START + DAY)
    desk.now += 2 * DAY


@way("source forgotten", "", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    with desk.open() as memos:
        memos.forget([ids[1]], dry_run=False)
    assert desk.states() == []


@way("state expired", "expired")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    """Its sources were given a longer life since."""
    desk.execute("UPDATE cube SET expires = ? WHERE payload = 'activation'", START + DAY)
    desk.now += DAY


@way("state demoted", "", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    with desk.open() as memos:
        memos.demote(ids[:1])


@way("memory pinned", "pinned memories changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    with desk.open() as memos:
        memos.pin([next(memos.cubes(filter=Filter(), newest=False)).id])


@way("source pinned", "pinned memories changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    with desk.open() as memos:
        memos.pin(ids[1:2])


@way("other instructions", "instructions changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.manner = replace(desk.manner, system="Answer like a pirate.")


@way("a filter that keeps a source out", "", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    with desk.open() as memos:
        memos.tag([*ids[:2], next(memos.cubes(filter=Filter(), newest=False)).id], ["seen"])
    desk.filter = Filter(tags=("seen",))


@way("a context that is too small for the document", "no room for 257 tokens", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.settings["query_context"] = 400


@pytest.mark.parametrize("name", WAYS)
def test_an_unfit_state_is_not_loaded_and_the_text_answers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    desk.settings["reader"] = str(write_model(desk.folder.parent / "own.gguf", "llama", context=4096))
    desk.keep(KITCHEN, HOUSE)
    ids = desk.keep(*HARBOUR)
    made = desk.promote(*ids)
    before = desk.explain()
    assert before.reuse is not None
    assert (before.reuse.id, before.reuse.miss) == (made.id, "")
    spoil, reason, taken = WAYS[name]
    spoil(desk, ids, monkeypatch)
    desk.loads.clear()
    desk.written.clear()
    foreseen = desk.explain()
    got = desk.ask()
    text = desk.ask(text=True)
    assert desk.loads == []
    assert got.answer == text.answer
    first, second = desk.written
    assert first == second
    assert len(first) > 10
    assert injected(got.plan) == injected(text.plan)
    assert {item.form for item in got.plan.chosen} == {"text"}
    told = [note for note in got.plan.notes if "activation" in note]
    assert told == ([f"activation: miss ({reason})"] if reason else [])
    in_document = [item.hit.cube.id for item in got.plan.chosen if item.part == "document"]
    assert set(in_document) <= set(ids)
    assert bool(in_document) == taken
    if taken:
        assert got.plan.reuse is not None
        assert (got.plan.reuse.id, got.plan.reuse.tokens, got.plan.reuse.miss) == (made.id, 0, reason)
    else:
        assert got.plan.reuse is None
    if reason != "blob damaged":  # which is not seen before the blob is read
        assert (foreseen.reuse, foreseen.notes) == (got.plan.reuse, got.plan.notes)
        assert injected(foreseen) == injected(got.plan)


def test_a_state_that_llama_cpp_refuses_is_a_miss(
    desk: Desk, harbour: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are those that were kept, and it refuses them still (of a version it cannot read, say)."""
    desk.promote(*harbour)
    (state,) = desk.states()
    with desk.open() as memos:
        refused = memos.vault.blobs.put(b"state of yore")
    sizes = (len(b"state of yore"), piece_digests(b"state of yore"))
    desk.execute("UPDATE activation SET blob = ?, bytes = ?, pieces = ?", refused, *sizes)
    got = desk.ask()
    assert got.answer == desk.ask(text=True).answer
    assert got.plan.reuse is not None
    assert got.plan.reuse.tokens == 0
    assert got.plan.reuse.miss.startswith("llama.cpp refused a saved state")
    assert desk.blob(state.id).name == refused


def test_a_state_of_older_versions_is_not_used_even_where_its_tokens_fit(
    desk: Desk, harbour: list[str]
) -> None:
    made = desk.promote(*harbour)
    blob = desk.blob()
    for text in ("The harbour office is closed.", HARBOUR[2]):
        desk.edit(harbour[2], text)
        got = desk.ask()
        assert got.plan.reuse is not None
        assert (got.plan.reuse.tokens, got.plan.reuse.miss) == (0, "source changed")
        assert desk.explain().reuse == got.plan.reuse
        assert got.answer == desk.ask(text=True).answer
    assert desk.loads == []
    again = desk.promote(made.id)
    assert (again.version, again.new, desk.blob()) == (2, True, blob)
    hit = desk.ask()
    assert hit.plan.reuse is not None
    assert (hit.plan.reuse.tokens, hit.plan.reuse.miss) == (made.held, "")
    assert hit.answer == got.answer
