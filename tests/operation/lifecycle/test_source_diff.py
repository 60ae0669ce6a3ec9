"""What changed in a source: the same text is the same memory, an edited paragraph is its new version."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from memos_cli.cube import Span
from memos_cli.infrastructure.memories.queries import Place
from memos_cli.operation.lifecycle.source_diff import Alignment, align


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def known(texts: list[str], refs: list[str | None] | None = None, shared: str = "") -> list[Place]:
    return [
        Place(
            n,
            n,
            digest(text),
            Span(n, n + 1),
            b"",
            (refs or [None] * len(texts))[n],
            bool(text) and text in shared,
        )
        for n, text in enumerate(texts)
    ]


def told(old: str, new: str, *, shared: str = "") -> tuple[str, str, str, str]:
    """Sources as strings, each letter a paragraph: (same, changed as old>new, added, gone)."""
    found = align(known(list(old), shared=shared), [digest(text) for text in new], [None] * len(new))
    return (
        "".join(old[place.n] for place, _ in found.same),
        " ".join(f"{old[place.n]}>{new[at]}" for place, at in found.changed),
        "".join(new[at] for at in found.added),
        "".join(old[place.n] for place in found.gone),
    )


def test_an_edited_paragraph_is_a_new_version_of_what_stood_there() -> None:
    assert told("abcd", "aXcd") == ("acd", "b>X", "", "")
    assert told("abcd", "XbcY") == ("bc", "a>X d>Y", "", "")


def test_what_is_inserted_or_removed_changes_nothing_else() -> None:
    assert told("abc", "aXbc") == ("abc", "", "X", "")
    assert told("abc", "Xabc") == ("abc", "", "X", "")
    assert told("abc", "ac") == ("ac", "", "", "b")
    assert told("", "ab") == ("", "", "ab", "")
    assert told("ab", "") == ("", "", "", "ab")


def test_a_paragraph_that_moved_is_still_the_same() -> None:
    assert sorted(told("abc", "cab")[0]) == ["a", "b", "c"]


def test_a_repeated_paragraph_is_matched_as_often_as_it_stands_there() -> None:
    assert told("aab", "ab") == ("ab", "", "", "a")
    assert told("ab", "aab") == ("ab", "", "a", "")


def test_a_cube_that_stands_elsewhere_too_is_never_changed_from_here() -> None:
    assert told("abc", "aXc", shared="b") == ("ac", "", "X", "b")


def test_a_turn_keeps_its_cube_by_its_ref_wherever_it_stands() -> None:
    old = known(["hi", "yes", "bye"], ["1", "2", "3"])
    found = align(old, [digest(text) for text in ("bye!", "hi", "no")], ["3", "1", "2"])
    assert [(place.ref, at) for place, at in found.changed] == [("3", 0), ("2", 2)]
    assert [(place.ref, at) for place, at in found.same] == [("1", 1)]
    assert not found.added
    assert not found.gone


def test_turns_that_share_a_ref_change_in_their_order() -> None:
    old = known(["hi", "yes", "bye"], ["1", "1", "2"])
    found = align(old, [digest(text) for text in ("hi!", "yes!", "bye")], ["1", "1", "2"])
    assert [(place.n, at) for place, at in found.changed] == [(0, 0), (1, 1)]
    assert not found.added


def test_a_draft_with_a_ref_never_takes_the_cube_of_another_ref() -> None:
    found = align(known(["hi"], ["1"]), [digest("yes")], ["2"])
    assert (found.changed, found.added, len(found.gone)) == ((), (0,), 1)


_letters = st.lists(st.sampled_from("abcdef"), max_size=12)
_refs = st.lists(st.one_of(st.none(), st.sampled_from("xyz")), min_size=12, max_size=12)


def _check_partition(found: Alignment, old: list[Place], drafts: int) -> None:
    placed = [place.n for place, _ in (*found.same, *found.changed)] + [place.n for place in found.gone]
    assert sorted(placed) == [place.n for place in old]
    taken = [at for _, at in (*found.same, *found.changed)] + list(found.added)
    assert sorted(taken) == list(range(drafts))


@given(_letters, _letters, _refs, _refs, st.sets(st.sampled_from("abcdef")))
def test_every_draft_and_every_place_is_in_exactly_one_class(
    before: list[str], after: list[str], refs: list[str | None], new_refs: list[str | None], shared: set[str]
) -> None:
    old = known(before, refs, "".join(shared))
    digests = [digest(text) for text in after]
    found = align(old, digests, new_refs[: len(after)])
    _check_partition(found, old, len(after))
    assert all(place.digest == digests[at] for place, at in found.same)
    assert all(not place.shared and place.ref == new_refs[at] for place, at in found.changed)
    assert sorted(found.same, key=lambda pair: pair[1]) == list(found.same)


@given(_letters, _refs)
def test_unchanged_input_is_all_the_same(texts: list[str], refs: list[str | None]) -> None:
    found = align(known(texts, refs), [digest(text) for text in texts], refs[: len(texts)])
    assert [at for _, at in found.same] == list(range(len(texts)))
    assert (found.changed, found.added, found.gone) == ((), (), ())


@given(st.lists(st.integers(), unique=True, min_size=1, max_size=12), st.data())
def test_one_edit_in_distinct_paragraphs_is_one_change(numbers: list[int], data: st.DataObject) -> None:
    texts = [f"p{n}" for n in numbers]
    at = data.draw(st.integers(0, len(texts) - 1))
    edited = [*texts[:at], "edited", *texts[at + 1 :]]
    found = align(known(texts), [digest(text) for text in edited], [None] * len(edited))
    assert [(place.n, draft) for place, draft in found.changed] == [(at, at)]
    assert len(found.same) == len(texts) - 1
