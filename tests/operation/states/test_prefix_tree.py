"""States that build on each other: of pinned memories, of documents, and of what a process holds already."""

from __future__ import annotations

from dataclasses import replace

import pytest
from states_harness import HARBOUR, QUESTION, START, Desk

from memos_cli.cube import Filter
from memos_cli.models.llama import llama_engine as engine_module


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
            memos.query(question, filter=desk.filter, options=desk.manner)
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
    desk.execute("UPDATE activation SET seconds = 5.0")
    other = "When is the harbour lantern of the keeper lit?"
    texts = [desk.ask(question, text=True).answer for question in (QUESTION, other)]
    with desk.open() as memos:
        first = memos.query(QUESTION, filter=desk.filter, options=desk.manner)
        saved = desk.state(made.id).saved
        assert saved > 0
        desk.reads.clear()
        second = memos.query(other, filter=desk.filter, options=desk.manner)
        held = len(memos.engine.tokens) - sum(desk.reads)
        assert desk.loads == [made.held]
        assert held >= made.held
        assert held % engine_module.BATCH == 0
        assert [first.answer, second.answer] == texts
        assert second.plan.reuse == first.plan.reuse
        third = memos.query(QUESTION, filter=desk.filter, options=desk.manner)
        assert third.answer == texts[0]
        assert third.plan.reuse == first.plan.reuse
        assert desk.loads == [made.held]
    assert desk.state(made.id).hits == 1  # it was loaded once; since then the model held its tokens
    assert desk.state(made.id).saved == saved


def test_text_is_read_even_where_the_process_holds_it(desk: Desk, harbour: list[str]) -> None:
    desk.promote(*harbour)
    with desk.open() as memos:
        got = memos.query(QUESTION, filter=desk.filter, options=desk.manner)
        desk.reads.clear()
        text = memos.query(QUESTION, filter=desk.filter, options=replace(desk.manner, text_only=True))
        assert sum(desk.reads) == len(memos.engine.tokens)
    assert text.answer == got.answer


@pytest.mark.parametrize("times", [1, 2])
def test_a_state_that_was_verified_once_is_looked_at_again(
    desk: Desk, harbour: list[str], times: int
) -> None:
    """Within one process bytes are kept; not longer than the blob is there."""
    desk.promote(*harbour)
    with desk.open() as memos:
        for _ in range(times):
            memos.engine.clear()
            assert memos.query(QUESTION, filter=desk.filter, options=desk.manner).plan.reuse.miss == ""
        assert len(desk.loads) == times
        desk.blob().unlink()
        memos.engine.clear()
        got = memos.query(QUESTION, filter=desk.filter, options=desk.manner)
        assert got.plan.reuse.miss == "blob missing"
        assert len(desk.loads) == times


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
    desk.edit(harbour[0], HARBOUR[0] + " So it is.")
    assert desk.promote(made.id).version == 2
    assert (desk.state(made.id).hits, desk.state(made.id).saved) == (1, saved)
