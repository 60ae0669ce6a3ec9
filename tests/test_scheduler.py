"""Plans: which memories a model reads, and why the others are left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memos_cli.cube import Cube, Hit, MemoryCall, Plan
from memos_cli.operation.scheduler import make_plan


def hit(text: str, score: float = 1.0, relevance: float = 1.0) -> Hit:
    cube = Cube(
        n=1, id="ID", payload="plaintext", type="fact", state="generated", version=1, text=text, title="",
        ref=None, author="", role="", owner="user:ann", time=None, created=0, updated=0, expires=None,
        priority=0, frozen=False, hits=0, last_hit=None, heat=0.0, source=None, span=None,
    )  # fmt: skip
    return Hit(cube, score, {"relevance": relevance})


def plan(
    hits: list[Hit], costs: list[int], *, intent: str = "recall", budget: int = 100, most: int = 5
) -> Plan:
    return make_plan(MemoryCall("?", intent), hits, costs, budget=budget, most=most, relevance=0.3)


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


def test_a_faint_memory_is_left_out_unless_everything_was_asked_for() -> None:
    hits = [hit("a"), hit("b", 0.4)]
    assert reasons(plan(hits, [1, 1])) == ["much fainter than the best (0.40)"]
    assert len(plan(hits, [1, 1], intent="list").chosen) == 2


def test_a_memory_that_another_one_contains_is_said_once() -> None:
    made = plan([hit("the lark sings at dawn"), hit("the lark sings")], [9, 5])
    assert reasons(made) == ["said by another memory"]


def test_one_that_is_too_long_does_not_keep_a_shorter_one_out() -> None:
    made = plan([hit("a"), hit("b", 0.9), hit("c", 0.8)], [60, 50, 40])
    assert [item.hit.cube.text for item in made.chosen] == ["a", "c"]
    assert reasons(made) == ["no room (50 tokens, 40 left)"]


def test_only_so_many_memories_are_put_before_a_model() -> None:
    hits = [hit(text) for text in "abcdefg"]
    assert len(plan(hits, [1] * 7, most=5).chosen) == 5
    assert len(plan(hits, [1] * 7, most=5, intent="summarize").chosen) == 7


@given(
    st.lists(st.tuples(st.text("abc", max_size=4), st.floats(0, 1), st.floats(0, 1), st.integers(1, 60))),
    st.sampled_from(["recall", "list"]),
)
def test_every_hit_is_either_chosen_or_left_out_with_a_reason_and_the_budget_holds(
    items: list[tuple[str, float, float, int]], intent: str
) -> None:
    hits = [hit(text, score, relevance) for text, score, relevance, _ in items]
    made = plan(hits, [cost for *_, cost in items], intent=intent)
    assert len(made.chosen) + len(made.left_out) == len(hits)
    assert made.tokens <= made.budget
    assert all(reasons(made))
    assert [item.label for item in made.chosen] == list(range(1, len(made.chosen) + 1))
