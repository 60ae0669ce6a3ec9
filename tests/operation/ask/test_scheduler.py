"""Plans: which memories a model reads, and why the others are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_harness import memory

from memos_cli.cube import Cube, Document, Hit, Learned, Likeness, MemoryCall, Plan
from memos_cli.operation.ask.scheduler import make_plan

RELEVANCE = 0.3


def hit(text: str | Cube, score: float = 1.0, relevance: float = 1.0) -> Hit:
    cube = memory(text) if isinstance(text, str) else text
    return Hit(cube, score, {"relevance": relevance})


def document(*cubes: Cube, cost: int = 10, unfit: str = "") -> Document:
    return Document("STATE", cubes, (cost,) * len(cubes), unfit)


def plan(
    hits: list[Hit],
    costs: list[int],
    *,
    intent: str = "recall",
    room: int = 1000,
    budget: int = 100,
    most: int = 5,
    pinned: list[tuple[Cube, int]] | None = None,
    documents: list[Document] | None = None,
    adapters: list[Learned] | None = None,
    duplicates: dict[int, frozenset[int]] | None = None,
    is_small: bool = False,
    least_likeness: float = 0.0,
) -> Plan:
    return make_plan(
        MemoryCall("?", intent), hits, costs,
        room=room, budget=budget, most=most, relevance=RELEVANCE, pinned=pinned or (),
        documents=documents or (), adapters=adapters or (), scale=0.5, duplicates=duplicates or {},
        is_small=is_small, least_likeness=least_likeness,
    )  # fmt: skip


def parts(made: Plan) -> list[tuple[str, str]]:
    return [(item.part, item.hit.cube.text) for item in made.chosen]


def relevance_of(found: Hit) -> float:
    return float(found.why["relevance"])


def reasons(made: Plan) -> list[str]:
    return [left.reason for left in made.left_out]


def test_the_best_memories_are_chosen_in_order_and_numbered() -> None:
    made = plan([hit("a"), hit("b", 0.9)], [10, 20])
    assert [(item.hit.cube.text, item.label, item.tokens) for item in made.chosen] == [
        ("a", 1, 10),
        ("b", 2, 20),
    ]
    assert made.tokens == 30
    assert not made.left_out


def test_what_has_nothing_to_do_with_the_question_is_left_out_even_when_it_is_the_best() -> None:
    made = plan([hit("a", 1.0, 0.1)], [10])
    assert not made.chosen
    assert reasons(made) == ["not relevant enough (0.10 < 0.30)"]


@pytest.mark.parametrize("order", [1, -1])
def test_if_one_memory_answers_the_budget_is_filled_by_score(order: int) -> None:
    """What is below the relevance often holds the answer too; it need not stand after the one that is not."""
    hits = [hit("a", 1.0, 0.9), hit("b", 0.4, 0.1), hit("c", 0.1, 0.0)]
    relevances = [relevance_of(each) for each in hits][::order]
    hits = [hit(each.cube, each.score, relevance) for each, relevance in zip(hits, relevances, strict=True)]
    assert [item.hit.cube.text for item in plan(hits, [40, 40, 20]).chosen] == ["a", "b", "c"]
    made = plan(hits, [40, 70, 20])
    assert [item.hit.cube.text for item in made.chosen] == ["a", "c"]
    assert reasons(made) == ["no room (70 tokens, 60 left)"]


def test_if_no_memory_is_relevant_none_is_chosen() -> None:
    made = plan([hit("a", 1.0, 0.29), hit("b", 0.9, 0.2)], [1, 1])
    assert not made.chosen
    assert reasons(made) == ["not relevant enough (0.29 < 0.30)", "not relevant enough (0.20 < 0.30)"]


@pytest.mark.parametrize("intent", ["list", "summarize"])
def test_for_requests_of_everything_each_memory_must_be_relevant(intent: str) -> None:
    hits = [hit("a", 1.0, 0.9), hit("b", 0.4, 0.3), hit("c", 0.3, 0.3), hit("d", 0.2, 0.1)]
    made = plan(hits, [1] * 4, intent=intent)
    assert [item.hit.cube.text for item in made.chosen] == ["a", "b", "c"]
    assert reasons(made) == ["not relevant enough (0.10 < 0.30)"]
    assert len(plan(hits, [1] * 4).chosen) == 4
    assert not plan(hits[3:], [1], intent=intent).chosen


def test_a_small_model_reads_only_what_is_relevant_by_itself() -> None:
    hits = [hit("a", 1.0, 0.9), hit("b", 0.4, 0.3), hit("c", 0.2, 0.1)]
    made = plan(hits, [1] * 3, is_small=True)
    assert [item.hit.cube.text for item in made.chosen] == ["a", "b"]
    assert reasons(made) == ["not relevant enough (0.10 < 0.30)"]
    assert len(plan(hits, [1] * 3, is_small=True, most=1).chosen) == 1
    assert not plan(hits[2:], [1], is_small=True).chosen


def test_a_memory_that_another_one_contains_is_said_once() -> None:
    made = plan([hit("the lark sings at dawn"), hit("the lark sings")], [9, 5])
    assert reasons(made) == ["duplicate of another memory"]


def test_a_duplicate_is_chosen_once() -> None:
    one, other, same = memory("the lark sings at dawn"), memory("an owl"), memory("at dawn the lark sings")
    known = {same.n: frozenset((one.n,))}
    made = plan([hit(one), hit(other, 0.9), hit(same, 0.8)], [9, 9, 9], duplicates=known)
    assert [item.hit.cube for item in made.chosen] == [one, other]
    assert [(left.hit.cube, left.reason) for left in made.left_out] == [(same, "duplicate of another memory")]


def test_a_duplicate_of_what_is_not_chosen_is_chosen() -> None:
    one, same = memory("the lark sings at dawn, as all know"), memory("at dawn the lark sings")
    made = plan([hit(one), hit(same, 0.8)], [101, 9], duplicates={same.n: frozenset((one.n,))})
    assert [item.hit.cube for item in made.chosen] == [same]
    assert reasons(made) == ["no room (101 tokens, 100 left)"]


def test_a_duplicate_of_a_pinned_memory_or_one_of_a_document_is_said_once() -> None:
    one, same = memory("the lark sings at dawn"), memory("at dawn the lark sings")
    known = {same.n: frozenset((one.n,))}
    pinned = plan([hit(same)], [9], pinned=[(one, 9)], duplicates=known)
    assert (parts(pinned), reasons(pinned)) == ([("pinned", one.text)], ["duplicate of another memory"])
    promoted = plan([hit(one), hit(same, 0.9)], [9, 9], documents=[document(one)], duplicates=known)
    assert parts(promoted) == [("document", one.text)]
    assert reasons(promoted) == ["duplicate of another memory"]


def test_one_that_is_too_long_does_not_keep_a_shorter_one_out() -> None:
    made = plan([hit("a"), hit("b", 0.9), hit("c", 0.8)], [60, 50, 40])
    assert [item.hit.cube.text for item in made.chosen] == ["a", "c"]
    assert reasons(made) == ["no room (50 tokens, 40 left)"]


def test_only_so_many_memories_are_put_before_a_model() -> None:
    hits = [hit(text) for text in "abcdefg"]
    assert len(plan(hits, [1] * 7, most=5).chosen) == 5
    assert len(plan(hits, [1] * 7, most=5, intent="summarize").chosen) == 7
    assert reasons(plan(hits, [1] * 7, most=5)) == ["more than 5 memories"] * 2


def test_a_limit_of_0_is_none() -> None:
    assert len(plan([hit(text) for text in "abcdefg"], [1] * 7, most=0).chosen) == 7


def test_room_ends_before_the_budget_where_the_context_is_small() -> None:
    made = plan([hit("a"), hit("b", 0.9)], [60, 30], room=80)
    assert parts(made) == [("retrieved", "a")]
    assert reasons(made) == ["no room (30 tokens, 20 left)"]


# --- pinned memories ------------------------------------------------------------------------------------


def test_pinned_memories_stand_first_and_do_not_count_against_the_budget() -> None:
    who, how = memory("I am Ann."), memory("Answer in verse.")
    made = plan([hit("lark")], [100], pinned=[(who, 30), (how, 40)])
    assert parts(made) == [("pinned", "I am Ann."), ("pinned", "Answer in verse."), ("retrieved", "lark")]
    assert [item.label for item in made.chosen] == [1, 2, 3]
    assert {item.form for item in made.chosen} == {"text"}
    assert made.tokens == 170


def test_a_pinned_memory_that_was_found_stands_once_with_what_it_was_found_by() -> None:
    pin = memory("I am Ann.")
    found = hit(pin, 0.8, 0.9)
    made = plan([hit("lark"), found], [10, 30], pinned=[(pin, 30)])
    assert parts(made) == [("pinned", "I am Ann."), ("retrieved", "lark")]
    assert made.chosen[0].hit == found


def test_a_pinned_memory_alone_answers_where_it_is_relevant_and_only_there() -> None:
    pin = memory("I am Ann.")
    assert parts(plan([hit(pin)], [30], pinned=[(pin, 30)])) == [("pinned", "I am Ann.")]
    stray = plan([hit(pin, 1.0, 0.1)], [30], pinned=[(pin, 30)])
    assert (parts(stray), reasons(stray)) == ([], ["not relevant enough (0.10 < 0.30)"])
    assert parts(plan([], [], pinned=[(pin, 30)])) == []


def test_where_a_pinned_memory_answers_the_budget_is_filled_as_well() -> None:
    pin, lark = memory("I am Ann."), memory("lark")
    hits, costs = [hit(pin, 1.0, 0.9), hit(lark, 0.5, 0.1)], [30, 10]
    assert parts(plan(hits, costs, pinned=[(pin, 30)])) == [("pinned", "I am Ann."), ("retrieved", "lark")]


def test_what_a_pinned_memory_says_is_not_said_again_and_counts_as_found() -> None:
    pin = memory("I am Ann, and I live in Ghent.")
    made = plan([hit("I live in Ghent.")], [5], pinned=[(pin, 30)])
    assert parts(made) == [("pinned", "I am Ann, and I live in Ghent.")]
    assert reasons(made) == ["duplicate of another memory"]


def test_a_pinned_memory_that_does_not_fit_is_left_out_once_and_a_shorter_one_is_not() -> None:
    long, short = memory("long"), memory("short")
    made = plan([hit("lark"), hit(long, 0.9)], [10, 90], room=50, pinned=[(long, 90), (short, 30)])
    assert parts(made) == [("pinned", "short"), ("retrieved", "lark")]
    assert [(left.hit.cube.text, left.reason) for left in made.left_out] == [
        ("long", "no room (90 tokens, 50 left)")
    ]


# --- documents ------------------------------------------------------------------------------------------


def test_a_document_that_holds_the_best_memory_is_taken_whole_and_not_a_second_time() -> None:
    one, two, three = memory("one"), memory("two"), memory("three")
    made = plan(
        [hit(two), hit("a", 0.9), hit(one, 0.8)], [10, 10, 10], budget=20,
        documents=[document(one, two, three)],
    )  # fmt: skip
    assert parts(made) == [
        ("document", "one"),
        ("document", "two"),
        ("document", "three"),
        ("retrieved", "a"),
    ]
    assert [item.label for item in made.chosen] == [1, 2, 3, 4]
    assert made.chosen[1].hit.score == 1.0
    assert made.chosen[2].hit.why == {"document": "STATE"}
    assert made.document is not None
    assert made.document.id == "STATE"
    assert not made.left_out


def test_a_document_is_not_taken_for_a_memory_that_is_not_the_best() -> None:
    second = memory("second")
    made = plan([hit("best"), hit(second, 0.9)], [10, 10], documents=[document(second, memory("rest"))])
    assert parts(made) == [("retrieved", "best"), ("retrieved", "second")]
    assert made.document is None


def test_a_document_is_not_taken_for_what_is_not_chosen() -> None:
    stray = memory("stray")
    assert plan([hit(stray, 1.0, 0.1)], [10], documents=[document(stray)]).document is None
    assert plan([], [], documents=[document(stray)]).document is None


def test_a_document_is_not_taken_for_what_is_not_relevant_by_itself_where_everything_is_asked_for() -> None:
    stray = memory("stray")
    made = plan(
        [hit(stray, 1.0, 0.1), hit("best", 0.9)], [10, 10], intent="list", documents=[document(stray)]
    )
    assert parts(made) == [("retrieved", "best")]


def test_a_document_is_taken_for_the_best_memory_even_where_the_budget_has_no_room_for_it() -> None:
    best = memory("best")
    made = plan([hit(best), hit("second", 0.9)], [10, 5], budget=9, documents=[document(best)])
    assert parts(made) == [("document", "best"), ("retrieved", "second")]
    assert not made.left_out


def test_a_document_takes_no_room_from_what_it_does_not_hold() -> None:
    best = memory("best")
    hits, costs = [hit(best), hit("second", 0.9)], [10, 10]
    wide = document(best, memory("rest"))
    assert plan(hits, costs, room=30, documents=[wide]).document == wide
    made = plan(hits, costs, room=29, documents=[wide])
    assert parts(made) == [("retrieved", "best"), ("retrieved", "second")]


def test_a_document_without_room_leaves_its_memories_to_be_retrieved() -> None:
    one, two = memory("one"), memory("two")
    made = plan([hit(one)], [10], room=19, documents=[document(one, two)])
    assert parts(made) == [("retrieved", "one")]
    pinned = plan([hit(one)], [10], room=29, documents=[document(one, two)], pinned=[(memory("pin"), 10)])
    assert parts(pinned) == [("pinned", "pin"), ("retrieved", "one")]


def test_of_several_documents_the_one_that_spares_most_is_taken() -> None:
    one, two, three = memory("one"), memory("two"), memory("three")
    hits, costs = [hit(one), hit(two, 0.9)], [10, 10]
    narrow, wide = document(one, three), document(one, two, three)
    for documents in ([narrow, wide], [wide, narrow]):
        assert plan(hits, costs, documents=documents).document == wide
    stale = document(one, two, unfit="source changed")
    for documents in ([stale, wide], [wide, stale]):
        assert plan(hits, costs, documents=documents).document == wide
    assert plan(hits, costs, documents=[stale, narrow]).document == stale
    short = document(one, two)
    for documents in ([short, wide], [wide, short]):
        assert plan(hits, costs, documents=documents).document == short


def test_what_is_retrieved_beside_a_document_is_judged_by_the_best_memory_in_it() -> None:
    """That one answers: so there is room for what does not by itself."""
    best, faint = memory("best"), memory("faint")
    hits = [hit(best), hit(faint, 0.4, 0.1)]
    made = plan(hits, [10, 10], documents=[document(best)])
    assert parts(made) == [("document", "best"), ("retrieved", "faint")]
    made = plan(hits, [10, 10], documents=[document(best)], intent="list")
    assert (parts(made), reasons(made)) == (
        [("document", "best")],
        ["not relevant enough (0.10 < 0.30)"],
    )


# --- whatever there is ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Found, pinned and promoted memories out of the same few, each with the price that it has everywhere."""

    hits: list[Hit]
    costs: list[int]
    pinned: list[tuple[Cube, int]]
    documents: list[Document]
    room: int
    budget: int
    intent: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    texts = draw(st.lists(st.text("abc", max_size=4), max_size=8))
    cubes = [memory(text, n) for n, text in enumerate(texts, 1)]
    prices = {cube.n: draw(st.integers(1, 60)) for cube in cubes}
    some = st.lists(st.sampled_from(cubes), unique_by=lambda cube: cube.n) if cubes else st.just([])
    pinned, found = draw(some), draw(some)
    rest = [cube for cube in cubes if cube not in pinned]
    documents = []
    if rest:
        groups = st.lists(
            st.lists(st.sampled_from(rest), min_size=1, unique_by=lambda cube: cube.n), max_size=3
        )
        documents = [
            Document(f"D{n}", tuple(group), tuple(prices[cube.n] for cube in group), "")
            for n, group in enumerate(draw(groups))
        ]
    return Case(
        [hit(cube, draw(st.floats(0, 1)), draw(st.floats(0, 1))) for cube in found],
        [prices[cube.n] for cube in found],
        [(cube, prices[cube.n]) for cube in pinned],
        documents,
        draw(st.integers(1, 200)),
        draw(st.integers(1, 150)),
        draw(st.sampled_from(["recall", "list"])),
    )


def planned(case: Case) -> Plan:
    return plan(
        case.hits, case.costs, intent=case.intent, room=case.room, budget=case.budget, pinned=case.pinned,
        documents=case.documents,
    )  # fmt: skip


@given(cases())
def test_every_hit_is_either_chosen_or_left_out_with_a_reason(case: Case) -> None:
    made = planned(case)
    told = [item.hit.cube.n for item in (*made.chosen, *made.left_out)]
    assert len(told) == len(set(told))
    assert {found.cube.n for found in case.hits} <= set(told)
    assert all(reasons(made))


@given(cases())
def test_room_and_budget_are_never_exceeded(case: Case) -> None:
    made = planned(case)
    assert made.tokens <= case.room
    assert sum(item.tokens for item in made.chosen if item.part == "retrieved") <= made.budget == case.budget


@given(cases())
def test_labels_count_what_is_chosen_part_by_part(case: Case) -> None:
    made = planned(case)
    assert [item.label for item in made.chosen] == list(range(1, len(made.chosen) + 1))
    order = ["pinned", "document", "retrieved"]
    places = [order.index(item.part) for item in made.chosen]
    assert places == sorted(places)


@given(cases())
def test_a_document_is_taken_whole_or_not_at_all_and_only_for_the_best(case: Case) -> None:
    made = planned(case)
    taken = [item.hit.cube for item in made.chosen if item.part == "document"]
    if made.document is None:
        assert not taken
        return
    assert tuple(taken) == made.document.cubes
    pinned = [cube for cube, _ in case.pinned]
    standing = [item.hit.cube.text for item in made.chosen if item.part == "pinned"]
    stray = {
        left.hit.cube.n
        for left in planned(replace(case, documents=[])).left_out
        if left.reason.startswith("not relevant enough")
    }
    best = next(
        found
        for found in case.hits
        if found.cube.n not in stray
        and found.cube not in pinned
        and not any(found.cube.text in text for text in standing)  # said already
    )
    assert best.cube in taken


@given(cases())
def test_a_document_changes_nothing_in_what_else_is_retrieved(case: Case) -> None:
    made, alone = planned(case), planned(replace(case, documents=[]))
    covered = made.document.cubes if made.document else ()

    def retrieved(one: Plan) -> list[str]:
        return [
            item.hit.cube.text
            for item in one.chosen
            if item.part == "retrieved" and item.hit.cube not in covered
        ]

    assert retrieved(made) == retrieved(alone)


@given(cases())
def test_the_same_memories_give_the_same_plan(case: Case) -> None:
    assert planned(case) == planned(case)


# --- adapters --------------------------------------------------------------------------------------


def learned(*cubes: Cube, id: str = "ADAPTER", pinned: bool = False, value: float = 1.0) -> Learned:
    near = Likeness("What is it?", value)
    return Learned(id, "name", frozenset(cube.n for cube in cubes), pinned, near)


def forms(made: Plan) -> list[tuple[str, str, int]]:
    return [(item.form, item.hit.cube.text, item.tokens) for item in made.chosen]


def test_an_adapter_stands_in_for_the_texts_of_its_memories() -> None:
    cat, dog = memory("the cat"), memory("the dog")
    made = plan([hit(cat, 1.0), hit(dog, 0.9)], [10, 10], adapters=[learned(cat, dog)])
    assert forms(made) == [("adapter", "the cat", 0), ("adapter", "the dog", 0)]
    assert [(each.id, each.scale) for each in made.adapters] == [("ADAPTER", 0.5)]
    assert made.tokens == 0


@pytest.mark.parametrize(("value", "is_asked"), [(0.8, True), (0.79, False)])
def test_an_adapter_is_asked_what_is_like_what_it_has_learned(value: float, is_asked: bool) -> None:
    cat = memory("the cat")
    adapter = learned(cat, value=value)
    made = plan([hit(cat)], [10], adapters=[adapter], least_likeness=0.8)
    assert bool(made.adapters) == is_asked
    assert [each.likeness for each in made.adapters] == [adapter.likeness] * is_asked
    unknown = replace(adapter, likeness=None)
    assert plan([hit(cat)], [10], adapters=[unknown]).adapters == ()
    assert plan([hit(cat)], [10], adapters=[replace(unknown, pinned=True)]).adapters


def test_a_pinned_adapter_stands_in_for_the_skills_that_it_knows_and_not_for_facts() -> None:
    fact, skill = memory("the cat"), replace(memory("Input: hi. Output: ho."), type="skill")
    pin = learned(fact, skill, pinned=True, value=0.1)
    made = plan([hit(skill, 1.0), hit(fact, 0.9)], [10, 10], adapters=[pin], least_likeness=0.8)
    assert forms(made) == [("adapter", skill.text, 0), ("text", "the cat", 10)]
    assert forms(plan([hit(skill)], [10])) == [("text", skill.text, 10)]


def test_what_comes_close_and_is_in_no_adapter_brings_all_the_texts_back() -> None:
    cat, dog = memory("the cat"), memory("the dog")
    made = plan([hit(cat, 1.0), hit(dog, 0.9)], [10, 10], adapters=[learned(cat)])
    assert forms(made) == [("text", "the cat", 10), ("text", "the dog", 10)]
    assert made.adapters == ()


def test_what_is_fainter_than_an_adapters_memory_is_left_out() -> None:
    cat, dog = memory("the cat"), memory("the dog")
    made = plan([hit(cat, 1.0), hit(dog, 0.6)], [10, 10], adapters=[learned(cat)])
    assert forms(made) == [("adapter", "the cat", 0)]
    assert reasons(made) == ["scores below a memory that an adapter knows"]


def test_where_everything_is_asked_for_an_adapter_must_hold_it_all() -> None:
    cat, dog = memory("the cat"), memory("the dog")
    hits = [hit(cat, 1.0), hit(dog, 0.4)]
    assert plan(hits, [10, 10], intent="list", adapters=[learned(cat)]).adapters == ()
    assert plan(hits, [10, 10], intent="list", adapters=[learned(cat, dog)]).tokens == 0


def test_an_adapter_is_not_attached_for_what_it_does_not_hold() -> None:
    cat, dog = memory("the cat"), memory("the dog")
    made = plan([hit(dog, 1.0), hit(cat, 0.9)], [10, 10], adapters=[learned(cat)])
    assert made.adapters == () and {form for form, *_ in forms(made)} == {"text"}
    assert plan([hit(cat, 1.0, relevance=0.1)], [10], adapters=[learned(cat)]).adapters == ()


def test_the_smaller_of_two_adapters_that_hold_it_is_taken_and_two_where_one_is_not_enough() -> None:
    cat, dog, owl = memory("the cat"), memory("the dog"), memory("the owl")
    large, small = learned(cat, dog, owl, id="LARGE"), learned(cat, id="SMALL")
    assert [each.id for each in plan([hit(cat)], [10], adapters=[large, small]).adapters] == ["SMALL"]
    both = [learned(cat, id="CAT"), learned(dog, id="DOG")]
    made = plan([hit(cat, 1.0), hit(dog, 0.9)], [10, 10], adapters=both)
    assert {each.id for each in made.adapters} == {"CAT", "DOG"}


def test_an_adapter_goes_before_a_document_and_a_pinned_one_is_always_attached() -> None:
    cat, dog = memory("the cat"), memory("the dog")
    made = plan([hit(cat)], [10], adapters=[learned(cat)], documents=[document(cat, dog)])
    assert made.document is None and forms(made) == [("adapter", "the cat", 0)]
    pinned = plan([hit(cat)], [10], adapters=[learned(dog, pinned=True)])
    assert [each.id for each in pinned.adapters] == ["ADAPTER"] and forms(pinned) == [("text", "the cat", 10)]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=8),
    st.lists(st.sets(st.integers(0, 7)), max_size=3),
    st.sampled_from(["recall", "list"]),
)
def test_no_adapter_hides_what_comes_close(
    found: list[tuple[float, float, int]], sets: list[set[int]], intent: str
) -> None:
    found = sorted(found, reverse=True)
    cubes = [memory(f"memory {n}.") for n in range(len(found))]
    hits = [hit(cube, score, relevance) for cube, (score, relevance, _) in zip(cubes, found, strict=True)]
    costs = [cost for *_, cost in found]
    without = plan(hits, costs, intent=intent)
    adapters = [
        learned(*(cubes[n] for n in each if n < len(cubes)), id=str(at)) for at, each in enumerate(sets)
    ]
    made = plan(hits, costs, intent=intent, adapters=adapters)
    if not made.adapters:
        assert made == without
        return
    held = frozenset().union(*(each.cubes for each in adapters if each.id in {a.id for a in made.adapters}))
    best = without.chosen[0].hit
    assert best.cube.n in held
    for item in without.chosen:
        is_close = item.hit.score >= 0.75 * best.score and item.hit.relevance >= RELEVANCE
        if intent == "list" or is_close:
            assert item.hit.cube.n in held
    assert all(item.form == "adapter" and item.hit.cube.n in held for item in made.chosen)
