"""Saved states: used only where they give what the text gives; whatever is amiss, the text is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from command import with_models
from tiny_models import CHATML, write_model

from memos_cli.cube import Filter, Plan, parse_time
from memos_cli.infrastructure.blobs import piece_digests
from memos_cli.infrastructure.database import connect
from memos_cli.infrastructure.derived import Activation, key_of
from memos_cli.interface.ingestion import Wishes
from memos_cli.interface.memory import Manner, Memos
from memos_cli.interface.results import Answer
from memos_cli.interface.sources import Hints
from memos_cli.operation.activation import Promoted
from memos_cli.runtime import engine as engine_module
from memos_cli.runtime.engine import Engine
from memos_cli.settings import Settings

START = parse_time("2026-06-15T12:00:00Z")
DAY = 86_400_000
HARBOUR = (
    "The harbour lantern is lit by the keeper at dusk, and put out again when the first boat has left it.",
    "The harbour wall was raised by a metre in the year after the flood, with granite from the quarry.",
    "The harbour office keeps the other keys, and there the pilot signs for them when he takes them out.",
)
ORCHARD = (
    "The orchard lantern is lit by the keeper at dawn, and put out again when the first cart has left it.",
    "The orchard wall was raised by a metre in the year after the storm, with granite from the quarry.",
    "The orchard office keeps the other keys, and there the picker signs for them when he takes them out.",
)
KITCHEN = "The kitchen clock is ten minutes fast, and nobody in the house has ever wanted to set it right."
HOUSE = "The house is called Larkspur; it stands behind the harbour, and the other house beside it is empty."
QUESTION = "Does the keeper of the harbour lantern have a clock?"
STALE = "a source is archived, expired or merged"


@dataclass
class Desk:
    """A user whose clock can be set. Each ``open`` is what one command would be."""

    folder: Path
    settings: dict[str, Any]
    loads: list[int]
    """How many tokens each state had that was given to llama.cpp."""
    reads: list[int]
    """How many tokens llama.cpp has computed, batch by batch."""
    now: int = START
    filter: Filter = field(default_factory=Filter)
    manner: Manner = field(default_factory=lambda: Manner(max_tokens=24))

    def open(self) -> Memos:
        settings = Settings(vault=str(self.folder), principal="user:ann", **self.settings)
        return Memos(settings, clock=lambda: self.now)

    def keep(self, *texts: str, **wishes: Any) -> list[str]:
        with self.open() as memos:
            made = memos.ingest(
                wishes=Wishes(hints=Hints(lines=True), **wishes), text="\n".join(texts).encode(), embed=False
            )
        return list(made.ids)

    def promote(self, *ids: str, **options: Any) -> Promoted:
        with self.open() as memos:
            return memos.promote(ids, **options)

    def ask(self, question: str = QUESTION, *, text: bool = False) -> Answer:
        with self.open() as memos:
            return memos.query(question, filter=self.filter, manner=replace(self.manner, text_only=text))

    def explain(self, question: str = QUESTION) -> Plan:
        with self.open() as memos:
            return memos.plan(question, filter=self.filter, manner=self.manner)

    def states(self) -> list[Activation]:
        with self.open() as memos:
            return memos.activations()

    def state(self, id: str) -> Activation:
        return next(each for each in self.states() if each.id == id)

    def blob(self, id: str = "") -> Path:
        (found,) = [each.state.blob for each in self.states() if each.id == id or not id]
        return self.folder / "blobs" / found[:2] / found

    def files(self) -> set[str]:
        """What lies in the vault beside the database."""
        return {
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith("memos.db")
        }

    def execute(self, statement: str, *values: object) -> None:
        with closing(connect(self.folder / "memos.db", timeout=1.0)) as db:
            assert db.execute(statement, values).rowcount > 0


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny.gguf", "llama", context=4096)


@pytest.fixture
def desk(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A user with some memories. Whatever becomes of the states, the vault is whole at the end."""
    loads: list[int] = []
    reads: list[int] = []
    restore, decode = Engine.restore, Engine.decode

    def watched_restore(engine: Engine, state: memoryview, tokens: Sequence[int]) -> None:
        loads.append(len(tokens))
        restore(engine, state, tokens)

    def watched_decode(engine: Engine, tokens: Sequence[int]) -> None:
        reads.append(len(tokens))
        decode(engine, tokens)

    monkeypatch.setattr(Engine, "restore", watched_restore)
    monkeypatch.setattr(Engine, "decode", watched_decode)
    monkeypatch.setenv("MEMOS_CACHE", str(tmp_path / "cache"))
    settings = {"reader": str(model), "query_relevance": 0.1, "threads": 1}
    desk = Desk(tmp_path / "vault", settings, loads, reads)
    with desk.open() as memos:
        memos.vault_to_be()
    yield desk
    with desk.open() as memos:
        found, _ = memos.check(repair=True)
        assert found == []


@pytest.fixture
def harbour(desk: Desk) -> list[str]:
    desk.keep(KITCHEN, HOUSE)
    return desk.keep(*HARBOUR)


def injected(plan: Plan) -> list[tuple[str, str, int, int, str]]:
    """What a plan puts before the model, in order, without what changes with each use (heat and hits)."""
    return [(item.form, item.part, item.label, item.tokens, item.hit.cube.id) for item in plan.chosen]


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


@way("tokens of the row", "instructions changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    (state,) = desk.states()
    tokens = state.state.tokens[:]
    tokens[-1] += 1  # type: ignore[index]
    desk.execute(
        "UPDATE activation SET tokens = ?, key = ?",
        bytes(tokens),
        key_of(state.state.fingerprint, tokens),
    )


@way("key of the row", "instructions changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET key = zeroblob(32)")


@way("tokens of the row cut off", "instructions changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET tokens = substr(tokens, 1, 333)")


@way("fingerprint of the row damaged", "made with another model", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET fingerprint = substr(fingerprint, 2)")


@way("fingerprint of the row of another kind", "made with another model", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    desk.execute("UPDATE activation SET fingerprint = '[1]'")


def _edit(desk: Desk, id: str, text: str) -> None:
    with desk.open() as memos:
        assert memos.edit(id, text=text).changed


@way("source edited", "source changed")
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    _edit(desk, ids[0], HARBOUR[0].replace("dusk", "noon"))


def _set(desk: Desk, id: str, state: str, action: str) -> None:
    with desk.open() as memos, memos.vault.change(memos.principal, desk.now) as change:
        change.set_state(memos.show(id).cube.n, state, action)


@way("source archived", STALE, taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    _set(desk, ids[1], "archived", "archive")


@way("best source archived", "", taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    """What is found then is in no document: there is nothing to tell."""
    for id in ids:
        _set(desk, id, "archived", "archive")


def _renew(desk: Desk, id: str, expires: int | None) -> None:
    with desk.open() as memos, memos.vault.change(memos.principal, desk.now) as change:
        change.renew(memos.show(id).cube.n, expires)


@way("source expired", STALE, taken=False)
def _(desk: Desk, ids: list[str], patch: pytest.MonkeyPatch) -> None:
    _renew(desk, ids[1], START + DAY)
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


@way("a context that is too small for the document", "", taken=False)
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
    foreseen = desk.explain()
    got = desk.ask()
    text = desk.ask(text=True)
    assert desk.loads == []
    assert got.answer == text.answer
    assert len(got.answer) > 10
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


@pytest.mark.parametrize("times", [1, 2])
def test_a_state_that_was_verified_once_is_looked_at_again(
    desk: Desk, harbour: list[str], times: int
) -> None:
    """Within one process bytes are kept; not longer than the blob is there."""
    desk.promote(*harbour)
    with desk.open() as memos:
        for _ in range(times):
            memos.engine.clear()
            assert memos.query(QUESTION, filter=desk.filter, manner=desk.manner).plan.reuse.miss == ""
        assert len(desk.loads) == times
        desk.blob().unlink()
        memos.engine.clear()
        got = memos.query(QUESTION, filter=desk.filter, manner=desk.manner)
        assert got.plan.reuse.miss == "blob missing"
        assert len(desk.loads) == times


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
        _edit(desk, harbour[2], text)
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


# --- the tree of prefixes --------------------------------------------------------------------------


@pytest.fixture
def pinned(desk: Desk, harbour: list[str]) -> list[str]:
    """Two pinned memories; the second of them is of the harbour too."""
    ids = desk.keep(
        "Always answer like the old keeper would: in few words, and never about the weather at sea.",
        "The reader of these notes lives in the house behind the harbour and knows its people by name.",
    )
    with desk.open() as memos:
        memos.pin(ids)
    return ids


def test_pinned_memories_are_a_state_that_documents_build_on(
    desk: Desk, harbour: list[str], pinned: list[str]
) -> None:
    root = desk.promote(pinned=True)
    assert (root.memories, desk.loads) == (0, [])
    assert desk.state(root.id).sources[1].part == "pinned"
    desk.reads.clear()
    made = desk.promote(*harbour)
    assert desk.loads == [root.held]
    assert sum(desk.reads) == made.held - root.held > 0
    assert made.tokens > root.tokens
    state = desk.state(made.id)
    assert [source.part for source in state.sources] == ["pinned"] * 2 + ["document"] * 3
    assert state.state.seconds > made.seconds  # what the root took counts: without it all would be read

    desk.loads.clear()
    desk.reads.clear()
    got = desk.ask()
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.tokens, desk.loads) == (made.id, made.held, [made.held])
    assert desk.explain().reuse == got.plan.reuse
    assert got.answer == desk.ask(text=True).answer
    ids = [item.hit.cube.id for item in got.plan.chosen]
    assert ids[:5] == [*pinned, *harbour]
    assert len(ids) == len(set(ids))  # what a state covers is not read a second time as text
    assert [item.form for item in got.plan.chosen[:5]] == ["state"] * 5


def test_a_state_does_not_depend_on_the_one_that_it_was_built_on(
    desk: Desk, harbour: list[str], pinned: list[str]
) -> None:
    alone = desk.promote(*harbour)
    bytes_alone = desk.blob().read_bytes()
    root = desk.promote(pinned=True)
    with desk.open() as memos:
        memos.demote([alone.id])
    built = desk.promote(*harbour)
    assert desk.loads == [root.held]
    assert desk.blob(built.id).read_bytes() == bytes_alone
    with desk.open() as memos:
        memos.demote([root.id])
    assert desk.ask().plan.reuse.tokens == built.held  # type: ignore[union-attr]


def test_where_the_state_of_the_document_fails_that_of_the_pinned_memories_serves(
    desk: Desk, harbour: list[str], pinned: list[str]
) -> None:
    root = desk.promote(pinned=True)
    made = desk.promote(*harbour)
    text = desk.ask(text=True)
    for spoil, reason in (
        (lambda blob: blob.write_bytes(bytes(blob.stat().st_size)), "blob damaged"),
        (lambda blob: blob.unlink(), "blob missing"),
    ):
        spoil(desk.blob(made.id))
        desk.loads.clear()
        desk.reads.clear()
        got = desk.ask()
        assert got.answer == text.answer
        assert got.plan.reuse is not None
        assert (got.plan.reuse.id, got.plan.reuse.tokens, got.plan.reuse.miss) == (
            made.id, root.held, reason,
        )  # fmt: skip
        assert desk.loads == [root.held]
        assert f"activation: miss ({reason})" in got.plan.notes
        assert [item.form for item in got.plan.chosen[:5]] == ["state"] * 2 + ["text"] * 3
    assert desk.explain().reuse == got.plan.reuse


def test_where_the_state_of_the_document_fails_that_of_its_beginning_serves(
    desk: Desk, harbour: list[str]
) -> None:
    part = desk.promote(*harbour[:2])
    whole = desk.promote(*harbour)
    desk.blob(whole.id).unlink()
    question = "Who signs for the keys at the harbour office, and who lights the lantern?"
    desk.loads.clear()
    got = desk.ask(question)
    assert got.answer == desk.ask(question, text=True).answer
    assert desk.loads == [part.held]
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.tokens, got.plan.reuse.miss) == (
        whole.id, part.held, "blob missing",
    )  # fmt: skip
    assert desk.explain(question).reuse == got.plan.reuse
    assert (desk.state(part.id).hits, desk.state(whole.id).hits) == (1, 0)


def test_the_pinned_memories_alone_serve_where_no_document_fits(
    desk: Desk, harbour: list[str], pinned: list[str]
) -> None:
    root = desk.promote(pinned=True)
    got = desk.ask("What is wrong with the kitchen clock?")
    assert got.plan.document is None
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.tokens) == (root.id, root.held)
    assert got.answer == desk.ask("What is wrong with the kitchen clock?", text=True).answer
    assert desk.state(root.id).hits == 1


@pytest.mark.parametrize("spoil", ["unpin", "edit", "order"])
def test_other_pinned_memories_make_both_states_useless(
    desk: Desk, harbour: list[str], pinned: list[str], spoil: str
) -> None:
    desk.promote(pinned=True)
    desk.promote(*harbour)
    with desk.open() as memos:
        if spoil == "edit":
            memos.edit(pinned[0], text="Always answer in verse.")
        else:
            memos.pin(pinned[:1], remove=True)
        if spoil == "order":
            memos.pin(pinned[:1])
    desk.loads.clear()
    got = desk.ask()
    assert got.answer == desk.ask(text=True).answer
    assert desk.loads == []
    assert got.plan.reuse is not None
    assert got.plan.reuse.miss == ("source changed" if spoil == "edit" else "pinned memories changed")
    assert desk.explain().reuse == got.plan.reuse


def test_a_view_has_its_own_pinned_memories_and_states(
    desk: Desk, harbour: list[str], pinned: list[str]
) -> None:
    with desk.open() as memos:
        memos.tag(harbour, ["sea"])
        memos.set_view("sea", Filter(tags=("sea",)))
        memos.pin(pinned[1:], "sea")
    usual = desk.promote(*harbour)
    desk.manner, desk.filter = replace(desk.manner, view="sea"), Filter(tags=("sea",))
    missed = desk.ask()
    assert missed.plan.reuse is not None
    assert missed.plan.reuse.miss == "pinned memories changed"
    of_view = desk.promote(*harbour, view="sea")
    assert of_view.id != usual.id
    got = desk.ask()
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.miss) == (of_view.id, "")
    assert [item.hit.cube.id for item in got.plan.chosen] == [pinned[1], *harbour]
    assert got.answer == missed.answer == desk.ask(text=True).answer


def test_the_same_state_in_two_views_is_kept_once(desk: Desk, harbour: list[str]) -> None:
    with desk.open() as memos:
        memos.set_view("sea", Filter())
    first, second = desk.promote(*harbour), desk.promote(*harbour, view="sea")
    assert first.id != second.id
    assert desk.blob(first.id) == desk.blob(second.id)
    with desk.open() as memos:
        memos.demote([first.id])
    got = desk.ask()
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.tokens) == (second.id, second.held)


def test_a_hit_reads_only_what_no_state_holds(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(*harbour)
    for question in ("harbour lantern keeper?", QUESTION):
        desk.reads.clear()
        with desk.open() as memos:
            memos.query(question, filter=desk.filter, manner=desk.manner)
            assert sum(desk.reads) == len(memos.engine.tokens) - made.held


def test_of_several_states_the_one_that_spares_most_is_used(desk: Desk, harbour: list[str]) -> None:
    desk.promote(*harbour[:2])
    whole = desk.promote(*harbour)
    got = desk.ask("Who signs for the keys at the harbour office, and who lights the lantern?")
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.miss) == (whole.id, "")
    assert len({item.hit.cube.id for item in got.plan.chosen}) == len(got.plan.chosen)


def test_a_state_is_made_of_memories_that_are_not_next_to_each_other(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(harbour[2], harbour[0])
    got = desk.ask()
    assert [item.hit.cube.id for item in got.plan.chosen if item.part == "document"] == [
        harbour[2], harbour[0],
    ]  # fmt: skip
    assert got.plan.reuse is not None
    assert got.plan.reuse.tokens == made.held
    assert got.answer == desk.ask(text=True).answer


def test_what_a_process_has_read_it_does_not_read_again(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(*harbour)
    other = "When is the harbour lantern of the keeper lit?"
    texts = [desk.ask(question, text=True).answer for question in (QUESTION, other)]
    with desk.open() as memos:
        first = memos.query(QUESTION, filter=desk.filter, manner=desk.manner)
        desk.reads.clear()
        second = memos.query(other, filter=desk.filter, manner=desk.manner)
        held = len(memos.engine.tokens) - sum(desk.reads)
        assert desk.loads == [made.held]
        assert held >= made.held
        assert held % engine_module.BATCH == 0
        assert [first.answer, second.answer] == texts
        assert second.plan.reuse == first.plan.reuse
        third = memos.query(QUESTION, filter=desk.filter, manner=desk.manner)
        assert third.answer == texts[0]
    assert desk.state(made.id).hits == 3


def test_text_is_read_even_where_the_process_holds_it(desk: Desk, harbour: list[str]) -> None:
    desk.promote(*harbour)
    with desk.open() as memos:
        got = memos.query(QUESTION, filter=desk.filter, manner=desk.manner)
        desk.reads.clear()
        text = memos.query(QUESTION, filter=desk.filter, manner=replace(desk.manner, text_only=True))
        assert sum(desk.reads) == len(memos.engine.tokens)
    assert text.answer == got.answer


# --- what a use is worth ---------------------------------------------------------------------------


def test_a_hit_is_counted_with_the_seconds_that_it_saved(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(*harbour)
    desk.execute("UPDATE activation SET seconds = 5.0")
    assert (desk.state(made.id).hits, desk.state(made.id).saved, desk.state(made.id).heat) == (0, 0.0, 0.0)
    restores = []
    for hits in (1, 2):
        restores.append(desk.ask().timings["restore"])
        state = desk.state(made.id)
        assert state.hits == hits
        assert state.saved == pytest.approx(5.0 * hits - sum(restores), abs=1e-3)
        assert state.last_hit == desk.now
    heat = desk.state(made.id).heat
    assert heat > 1
    desk.explain()
    desk.ask(text=True)
    desk.blob().unlink()
    desk.ask()
    state = desk.state(made.id)
    assert (state.hits, state.heat, state.last_hit) == (2, heat, START)  # neither was a use of it


def test_a_use_never_costs_more_than_nothing(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(*harbour)
    desk.execute("UPDATE activation SET seconds = 0.0")
    desk.ask()
    assert (desk.state(made.id).hits, desk.state(made.id).saved) == (1, 0.0)


def test_what_was_saved_outlives_a_new_version(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(*harbour)
    desk.execute("UPDATE activation SET seconds = 5.0")
    desk.ask()
    saved = desk.state(made.id).saved
    _edit(desk, harbour[0], HARBOUR[0] + " So it is.")
    assert desk.promote(made.id).version == 2
    assert (desk.state(made.id).hits, desk.state(made.id).saved) == (1, saved)
