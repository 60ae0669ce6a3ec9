"""Adapters in the vault: which is used, what replaces what, and what goes when a memory is forgotten."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from adapters_harness import MODEL, REFUSED, REPORT, lessons_of, teach, weights
from vault_harness import NOW, WHO, draft, keep

from memos_cli.cube import Filter
from memos_cli.errors import MemosError
from memos_cli.infrastructure.derived import adapters, lineage
from memos_cli.infrastructure.derived.adapters import Adapter, Lesson, digest_of
from memos_cli.infrastructure.memories import queries, question_log
from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.storage.audit import AuditRow
from memos_cli.infrastructure.vault.vault import Vault

ARCHIVED = "a source is archived, expired or merged"


@pytest.fixture
def birds(vault: Vault) -> list[int]:
    """Three memories."""
    return [each.cube for each in keep(vault, "Larks nest low.", "Owls nest high.", "Crows nest anywhere.")]


def again(vault: Vault, adapter: Adapter, *, now: int = NOW) -> Adapter:
    """The adapter as it is now."""
    found = adapters.by_cube(vault.connection, adapter.cube, now=now)
    assert found is not None
    return found


def every(vault: Vault) -> list[str]:
    return [each.id for each in adapters.adapters(vault.connection, now=NOW)]


def last(vault: Vault, id: str) -> AuditRow:
    """What happened to a cube in the end."""
    return next(audit.rows(vault.connection, cube=id, newest=True))


def detail(vault: Vault, id: str) -> object:
    return json.loads(last(vault, id).detail or "null")


def id_of(vault: Vault, cube: int) -> str:
    return queries.by_rowid(vault.connection, [cube])[cube].id


# --- keeping ---------------------------------------------------------------------------------------


def test_an_adapter_is_kept_with_all_that_it_is_made_of(vault: Vault, birds: list[int]) -> None:
    made, old = teach(vault, *birds[:2])
    assert old == []
    assert (made.version, made.title, made.state, made.stale, made.good) == (
        1,
        "Birds",
        "activated",
        "",
        True,
    )
    assert (made.size, made.model, made.seconds, made.hits) == (7, "tiny", 12.5, 0)
    assert made.fingerprint == {"model": MODEL, "template": "cd"}
    assert (made.recipe, made.report) == ({"rank": 8, "seed": 7}, REPORT)
    assert [(each.cube, each.version, each.part) for each in made.sources] == [
        (birds[0], 1, "document"), (birds[1], 1, "document"),
    ]  # fmt: skip
    assert made.blob is not None
    assert vault.blobs.get(made.blob) == b"weights"
    assert adapters.lessons(vault.connection, made.cube) == lessons_of(*birds[:2])
    assert made.lessons == {"control": 1, "fact": 4, "near miss": 2, "held out": 3}
    ids = [id_of(vault, n) for n in birds[:2]]
    assert last(vault, made.id).action == "promote"
    assert detail(vault, made.id) == {"to": "parametric", "from": ids, "state": "activated"}
    cube = queries.by_rowid(vault.connection, [made.cube])[made.cube]
    assert (cube.payload, cube.text, cube.owner) == ("parametric", "", WHO)
    states = [queries.status(vault.connection, n) for n in birds]
    assert states == [("activated", False), ("activated", False), ("generated", False)]
    # It has no words of its own, and is no memory.
    assert [each.n for each in queries.cubes(vault.connection, Filter(), now=NOW)] == birds
    assert (
        queries.matches(vault.connection, '"Birds"', Filter(payloads=("parametric",)), now=NOW, limit=9) == []
    )


def test_trained_again_it_is_the_same_cube_in_a_new_version(vault: Vault, birds: list[int]) -> None:
    first, _ = teach(vault, *birds)
    second, old = teach(vault, *birds, content=b"better weights", lessons=lessons_of(birds[0]))
    assert (second.id, second.version) == (first.id, 2)
    assert old == [first.blob]
    assert adapters.lessons(vault.connection, second.cube) == lessons_of(birds[0])
    vault.discard_blobs(old)
    assert list(vault.blobs.names()) == [second.blob]
    assert every(vault) == [first.id]


def test_the_same_weights_again_lose_no_blob(vault: Vault, birds: list[int]) -> None:
    teach(vault, *birds)
    made, old = teach(vault, *birds)
    vault.discard_blobs(old)
    assert list(vault.blobs.names()) == [made.blob]


@pytest.mark.parametrize("other", ["name", "memories", "order", "base"])
def test_another_name_base_or_set_of_memories_is_another_adapter(
    vault: Vault, birds: list[int], other: str
) -> None:
    first, _ = teach(vault, *birds)
    if other == "base":
        kept = weights(vault, b"weights", fingerprint={"model": "cd" * 32})
        with vault.change(WHO, NOW) as change:
            id, version, old = adapters.keep(
                change, kept, name="Birds", sources=[(n, 1) for n in birds], lessons=[], state="activated"
            )
    else:
        cubes = {"memories": birds[:2], "order": birds[::-1]}.get(other, birds)
        second, old = teach(vault, *cubes, name="Owls" if other == "name" else "Birds")
        id, version = second.id, second.version
    assert (id != first.id, version, old) == (True, 1, [])


def test_an_imported_adapter_has_no_memories(vault: Vault) -> None:
    made, _ = teach(vault, lessons=[Lesson("What is a lark?", "A bird.", "example", True)])
    assert (made.sources, made.stale, made.good) == ((), "", True)
    assert adapters.covering(vault.connection, [], now=NOW) == []


@pytest.mark.parametrize("change", ["edit", "forget", "archive", "expire"])
def test_memories_that_changed_while_it_was_trained_are_refused(
    vault: Vault, birds: list[int], change: str
) -> None:
    kept = weights(vault, b"weights")
    with vault.change(WHO, NOW) as changes:
        if change == "edit":
            changes.revise(birds[0], "Larks nest high.", "", "edit")
        elif change == "forget":
            forget(changes, birds[0])
        elif change == "archive":
            changes.set_state(birds[0], "archived", "archive")
        else:
            changes.renew(birds[0], NOW)
    with (
        pytest.raises(MemosError, match="a memory changed while it was read"),
        vault.change(WHO, NOW) as changes,
    ):
        adapters.keep(
            changes, kept, name="Birds", sources=[(n, 1) for n in birds], lessons=[], state="activated"
        )
    assert every(vault) == []
    vault.discard_blobs([kept.blob])
    assert list(vault.blobs.names()) == []


def test_a_lesson_may_only_be_from_a_memory_that_the_adapter_names(vault: Vault, birds: list[int]) -> None:
    with pytest.raises(AssertionError):
        teach(vault, birds[0], lessons=lessons_of(birds[1]))
    vault.discard_blobs(list(vault.blobs.names()))


# --- what stands beside what -------------------------------------------------------------------------


def test_a_checkpoint_is_found_again_and_becomes_the_adapter(vault: Vault, birds: list[int]) -> None:
    ids = [id_of(vault, n) for n in birds]
    half, _ = teach(vault, *birds, state="generated", content=b"half", report={})
    assert (half.state, half.good, last(vault, half.id).action) == ("generated", False, "checkpoint")
    assert {queries.status(vault.connection, n) for n in birds} == {("generated", False)}
    assert adapters.covering(vault.connection, birds, now=NOW) == []
    assert adapters.unfinished(vault.connection, MODEL, "Birds", ids, now=NOW) == half
    assert adapters.unfinished(vault.connection, MODEL, "Owls", ids, now=NOW) is None
    done, old = teach(vault, *birds)
    assert (done.id, done.version, done.state, old) == (half.id, 2, "activated", [half.blob])
    assert adapters.unfinished(vault.connection, MODEL, "Birds", ids, now=NOW) is None
    vault.discard_blobs(old)


@pytest.mark.parametrize(("state", "report"), [("generated", {}), ("archived", REFUSED)])
def test_a_checkpoint_or_a_refusal_replaces_no_good_adapter(
    vault: Vault, birds: list[int], state: str, report: dict[str, object]
) -> None:
    good, _ = teach(vault, *birds)
    for turn in (1, 2):
        beside, old = teach(vault, *birds, state=state, content=b"%d" % turn, report=report)
        assert (beside.version, beside.state) == (turn, state)
        assert beside.id != good.id
        vault.discard_blobs(old)
    assert again(vault, good) == good
    assert adapters.covering(vault.connection, birds[:1], now=NOW) == [good]
    ids = [id_of(vault, n) for n in birds]
    found = adapters.unfinished(vault.connection, MODEL, "Birds", ids, now=NOW)
    assert found == (beside if state == "generated" else None)
    # What passes the gate takes the place of both.
    better, old = teach(vault, *birds, content=b"better")
    assert (better.id, better.version) == (good.id, 2)
    assert set(old) == {good.blob, beside.blob}
    assert every(vault) == [good.id]
    assert last(vault, beside.id).action == "replace"
    vault.discard_blobs(old)
    assert list(vault.blobs.names()) == [better.blob]


def test_a_demoted_adapter_that_had_passed_is_not_replaced_by_a_refusal(
    vault: Vault, birds: list[int]
) -> None:
    good, _ = teach(vault, *birds)
    with vault.change(WHO, NOW) as change:
        assert adapters.detach(change, good.cube)
    refused, old = teach(vault, *birds, state="archived", content=b"worse", report=REFUSED)
    assert refused.id != good.id
    assert old == []


@pytest.mark.parametrize("state", ["generated", "archived"])
def test_a_stale_adapter_gives_way_to_any_later_one(vault: Vault, birds: list[int], state: str) -> None:
    good, _ = teach(vault, *birds)
    beside, _ = teach(vault, *birds, state="archived", content=b"worse", report=REFUSED)
    with vault.change(WHO, NOW) as change:
        change.revise(birds[0], "Larks nest high.", "", "edit")
    later, old = teach(vault, *birds, state=state, content=b"later", report=REFUSED)
    assert (later.id, later.version, later.state) == (good.id, 2, state)
    assert set(old) == {good.blob, beside.blob}
    assert every(vault) == [good.id]
    vault.discard_blobs(old)


# --- is it used ----------------------------------------------------------------------------------------


def test_only_what_passed_its_gate_covers_its_memories(vault: Vault, birds: list[int]) -> None:
    used, _ = teach(vault, *birds[:2])
    teach(vault, birds[0], name="Unfinished", state="generated", content=b"1", report={})
    refused, _ = teach(vault, birds[0], name="Refused", state="archived", content=b"2", report=REFUSED)
    assert last(vault, refused.id).action == "refuse"
    assert adapters.covering(vault.connection, birds, now=NOW) == [used]
    assert adapters.covering(vault.connection, birds[2:], now=NOW) == []
    assert [each.title for each in adapters.made_from(vault.connection, birds[0], now=NOW)] == [
        "Birds", "Unfinished", "Refused",
    ]  # fmt: skip
    assert (
        adapters.by_digest(
            vault.connection, digest_of(MODEL, "Birds", [id_of(vault, n) for n in birds[:2]]), now=NOW
        )
        == used
    )


def test_a_memory_that_changes_makes_it_stale_from_that_moment_on(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds)
    with vault.change(WHO, NOW) as change:
        change.set_state(birds[1], "archived", "archive")
    assert (again(vault, made).stale, again(vault, made).good) == (ARCHIVED, False)
    with vault.change(WHO, NOW) as change:
        change.set_state(birds[1], "activated", "restore")
    assert again(vault, made).stale == ""
    with vault.change(WHO, NOW) as change:
        change.edit(queries.by_rowid(vault.connection, birds)[birds[0]], "Larks nest high.", "")
    assert again(vault, made).stale == "source changed"
    assert again(vault, made).blob == made.blob


def test_it_ends_with_the_first_of_its_memories(vault: Vault, birds: list[int]) -> None:
    with vault.change(WHO, NOW) as change:
        change.renew(birds[0], NOW + 50)
    made, _ = teach(vault, *birds)
    ends = []
    for cube, end in ((birds[1], NOW + 20), (birds[1], NOW + 90), (birds[0], None), (birds[1], None)):
        with vault.change(WHO, NOW) as change:
            change.renew(cube, end)
        ends.append(queries.by_rowid(vault.connection, [made.cube])[made.cube].expires)
    assert ends == [NOW + 20, NOW + 50, NOW + 90, None]
    with vault.change(WHO, NOW) as change:
        change.renew(birds[1], NOW + 20)
    late = again(vault, made, now=NOW + 20)
    assert (late.expired, late.stale) == (True, ARCHIVED)
    assert not again(vault, made).expired


def test_demoted_it_stays_and_can_be_used_again(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds)
    with vault.change(WHO, NOW) as change:
        assert adapters.detach(change, made.cube)
        assert not adapters.detach(change, made.cube)
    gone = again(vault, made)
    assert gone == replace(made, state="archived")
    assert gone.good
    assert (last(vault, made.id).action, last(vault, made.id).detail) == ("demote", "activated to archived")
    assert adapters.covering(vault.connection, birds, now=NOW) == []
    with vault.change(WHO, NOW) as change:
        adapters.reattach(change, made.cube)
        adapters.reattach(change, made.cube)
    assert again(vault, made) == made
    actions = [row.action for row in audit.rows(vault.connection, cube=made.id, newest=True)]
    assert actions == ["promote", "demote", "promote"]


@pytest.mark.parametrize(
    ("state", "report", "stale", "problem"),
    [
        ("archived", REFUSED, False, "it has not passed its gate"),
        ("archived", {}, False, "it has not passed its gate"),
        ("generated", {}, False, "it has not passed its gate"),
        ("archived", REPORT, True, "source changed"),
    ],
)
def test_what_has_not_passed_is_never_attached(
    vault: Vault, birds: list[int], state: str, report: dict[str, object], stale: bool, problem: str
) -> None:
    made, _ = teach(vault, *birds, state=state, report=report)
    with vault.change(WHO, NOW) as change:
        if stale:
            change.revise(birds[0], "Larks nest high.", "", "edit")
    with pytest.raises(MemosError, match=problem), vault.change(WHO, NOW) as change:
        adapters.reattach(change, made.cube)
    assert again(vault, made).state == state


def test_a_memory_is_no_adapter(vault: Vault, birds: list[int]) -> None:
    with pytest.raises(MemosError, match="it is no adapter"), vault.change(WHO, NOW) as change:
        adapters.reattach(change, birds[0])
    with pytest.raises(MemosError, match="it is no adapter"), vault.change(WHO, NOW) as change:
        adapters.set_report(change, birds[0], REPORT, "activated")
    assert adapters.by_cube(vault.connection, birds[0], now=NOW) is None


def test_a_gate_that_is_run_again_decides_anew(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds)
    for report, state in ((REFUSED, "archived"), (REPORT, "activated")):
        with vault.change(WHO, NOW) as change:
            adapters.set_report(change, made.cube, report, state)
        assert (again(vault, made).report, again(vault, made).state) == (report, state)
        assert last(vault, made.id).action == "gate"
        assert detail(vault, made.id) == {"passed": report["passed"], "state": state}
    half, _ = teach(vault, *birds, state="generated", content=b"half", report={})
    with pytest.raises(MemosError, match="its training was interrupted"), vault.change(WHO, NOW) as change:
        adapters.set_report(change, half.cube, REPORT, "activated")


def test_a_view_pins_adapters_that_are_used(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds)
    other, _ = teach(vault, birds[0], name="Larks", state="archived", content=b"other")
    with vault.change(WHO, NOW) as change:
        change.pin("work", made.cube)
        change.pin("work", other.cube)
        change.pin("", other.cube)
    assert adapters.pinned(vault.connection, "work", now=NOW) == [made]
    assert adapters.pinned(vault.connection, "", now=NOW) == []
    assert queries.pinned(vault.connection, "work", now=NOW) == []


def test_use_warms_an_adapter_and_finishes_no_training(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds)
    half, _ = teach(vault, *birds, state="generated", content=b"half", report={})
    with vault.change(WHO, NOW + 5) as change:
        change.use({made.cube: 1.5, half.cube: 1.0})
    assert (again(vault, made).hits, again(vault, made).last_hit, again(vault, made).heat) == (
        1,
        NOW + 5,
        1.5,
    )
    assert again(vault, half).state == "generated"


# --- forgetting ------------------------------------------------------------------------------------------


def test_weights_that_hold_a_forgotten_memory_go_and_the_other_lessons_stay(
    vault: Vault, birds: list[int]
) -> None:
    made, _ = teach(vault, *birds)
    other, _ = teach(vault, birds[2], name="Crows", content=b"other weights")
    forgotten = id_of(vault, birds[0])
    with vault.change(WHO, NOW) as change:
        blobs = forget(change, birds[0])
    assert blobs == [made.blob]
    vault.discard_blobs(blobs)
    assert list(vault.blobs.names()) == [other.blob]
    left = again(vault, made)
    assert (left.blob, left.state, left.report, left.recipe) == (None, "archived", {}, made.recipe)
    assert (left.stale, left.good, left.version) == ("a source was forgotten", False, 1)
    assert [each.cube for each in left.sources] == birds[1:]
    kept = adapters.lessons(vault.connection, made.cube)
    assert kept == [each for each in lessons_of(*birds) if each.source != birds[0]]
    assert last(vault, made.id).action == "unlearn"
    assert detail(vault, made.id) == {"source": forgotten, "state": "archived"}
    assert again(vault, other) == other
    with pytest.raises(MemosError, match="a source was forgotten"), vault.change(WHO, NOW) as change:
        adapters.reattach(change, made.cube)
    with pytest.raises(MemosError, match="a source was forgotten"), vault.change(WHO, NOW) as change:
        adapters.set_report(change, made.cube, REPORT, "activated")


def test_an_adapter_goes_with_the_last_of_its_memories(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds[:2])
    with vault.change(WHO, NOW) as change:
        assert forget(change, birds[0]) == [made.blob]
        assert forget(change, birds[1]) == []
    vault.discard_blobs([made.blob or ""])
    assert every(vault) == []
    assert last(vault, made.id).action == "forget"
    for table in ("parametric", "lesson", "derived"):
        assert vault.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    assert vault.connection.execute("SELECT count(*) FROM version").fetchone() == (1,)


@pytest.mark.parametrize("state", ["generated", "archived"])
def test_a_checkpoint_and_a_refused_adapter_hold_their_memories_too(
    vault: Vault, birds: list[int], state: str
) -> None:
    made, _ = teach(vault, *birds, state=state, report=REFUSED)
    with vault.change(WHO, NOW) as change:
        assert forget(change, birds[2]) == [made.blob]
    assert (again(vault, made).state, again(vault, made).report) == ("archived", {})
    vault.discard_blobs([made.blob or ""])
    ids = [id_of(vault, n) for n in birds[:2]]
    assert adapters.unfinished(vault.connection, MODEL, "Birds", ids, now=NOW) is None


def test_what_is_left_ends_with_the_first_of_the_memories_that_are_left(
    vault: Vault, birds: list[int]
) -> None:
    with vault.change(WHO, NOW) as change:
        for cube, end in zip(birds, (NOW + 10, NOW + 30, NOW + 20), strict=True):
            change.renew(cube, end)
    made, _ = teach(vault, *birds)
    with vault.change(WHO, NOW) as change:
        vault_blobs = forget(change, birds[0])
    vault.discard_blobs(vault_blobs)
    assert queries.by_rowid(vault.connection, [made.cube])[made.cube].expires == NOW + 20


def test_a_forgotten_adapter_leaves_its_memories(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds)
    with vault.change(WHO, NOW) as change:
        assert forget(change, made.cube) == [made.blob]
    vault.discard_blobs([made.blob or ""])
    assert every(vault) == []
    assert len(queries.filter_ids(vault.connection, birds, now=NOW)) == 3
    assert vault.connection.execute("SELECT count(*) FROM lesson").fetchone() == (0,)


def test_an_adapter_whose_row_is_gone_goes_with_its_memories(vault: Vault, birds: list[int]) -> None:
    made, _ = teach(vault, *birds[:1])
    vault.connection.execute("DELETE FROM parametric")
    with vault.change(WHO, NOW) as change:
        forget(change, birds[0])
    assert vault.connection.execute("SELECT 1 FROM cube WHERE n = ?", (made.cube,)).fetchone() is None
    vault.discard_blobs([made.blob or ""])


# --- the usage log -----------------------------------------------------------------------------------------


def log(vault: Vault, text: str, forms: dict[int, str] | None = None, keep: int = 9, now: int = NOW) -> None:
    with vault.change(WHO, now) as change:
        change.log_question(text, forms or {}, keep)


def asked(vault: Vault) -> list[str]:
    return [each.text for each in question_log.questions(vault.connection)]


def test_questions_are_kept_newest_first_with_what_their_plans_used(vault: Vault, birds: list[int]) -> None:
    log(vault, "Where do larks nest?", {birds[0]: "text"})
    log(vault, "Who is the mayor?", now=NOW + 1)
    log(vault, "Where do birds nest?", {birds[0]: "state", birds[1]: "adapter"}, now=NOW + 2)
    newest, second, first = question_log.questions(vault.connection)
    assert (newest.text, newest.time, newest.principal) == ("Where do birds nest?", NOW + 2, WHO)
    assert newest.forms == {birds[0]: "state", birds[1]: "adapter"}
    assert (second.forms, first.forms) == ({}, {birds[0]: "text"})
    assert question_log.questions(vault.connection)[:1] == [newest]
    assert question_log.questions_on(vault.connection, birds[:1]) == [newest, first]
    assert question_log.questions_on(vault.connection, birds)[:1] == [newest]
    assert question_log.questions_on(vault.connection, birds[2:]) == []
    assert question_log.questions_on(vault.connection, []) == []


def test_only_the_newest_questions_are_kept(vault: Vault, birds: list[int]) -> None:
    for n in range(5):
        log(vault, f"{n}?", {birds[0]: "text"}, keep=3)
    assert asked(vault) == ["4?", "3?", "2?"]
    assert vault.connection.execute("SELECT count(*) FROM question_cube").fetchone() == (3,)
    log(vault, "5?", keep=0)
    assert asked(vault) == []
    log(vault, "6?", keep=1)
    assert asked(vault) == ["6?"]


def test_questions_on_a_forgotten_memory_go_and_so_do_the_controls_made_of_them(
    vault: Vault, birds: list[int]
) -> None:
    log(vault, "Where do larks nest?", {birds[0]: "text", birds[1]: "text"})
    log(vault, "Where do owls nest?", {birds[1]: "adapter"})
    controls = [
        Lesson("Where do larks nest?", "On the ground.", "control"),
        Lesson("Where do owls nest?", "In trees.", "control"),
    ]
    made, _ = teach(vault, birds[2], lessons=[*lessons_of(birds[2]), *controls])
    with vault.change(WHO, NOW) as change:
        forget(change, birds[0])
    assert asked(vault) == ["Where do owls nest?"]
    left = adapters.lessons(vault.connection, made.cube)
    assert left == [*lessons_of(birds[2]), controls[1]]
    assert again(vault, made).stale == ""


def test_a_question_on_a_memory_that_was_forgotten_meanwhile_is_not_kept(
    vault: Vault, birds: list[int]
) -> None:
    with vault.change(WHO, NOW) as change:
        forget(change, birds[0])
    log(vault, "Where do larks nest?", {birds[0]: "text", birds[1]: "text"})
    assert asked(vault) == []


# --- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        "fingerprint = 'words', recipe = '[]', report = 'x'", "fingerprint = x'00'", "bytes = 'many'",
        "seconds = 'many'", "lost = x'00'", "blob = CAST(blob AS BLOB)", "blob = x'00'", "blob = NULL",
    ],
)  # fmt: skip
def test_a_damaged_row_is_read_all_the_same_and_its_memories_can_be_forgotten(
    vault: Vault, birds: list[int], values: str
) -> None:
    made, _ = teach(vault, *birds)
    vault.connection.execute(f"UPDATE parametric SET {values}")
    read = again(vault, made)
    assert read.id == made.id
    if "fingerprint" in values:
        assert read.fingerprint == {}
    if "NULL" in values:
        assert read.stale == "its weights are gone"
    with vault.change(WHO, NOW) as change:
        blobs = [blob for cube in birds for blob in forget(change, cube)]
    vault.discard_blobs([*blobs, made.blob or ""])
    assert every(vault) == []


def test_an_object_is_kept_with_its_keys_in_order() -> None:
    assert lineage.to_json({"b": 1, "a": "é"}) == '{"a": "é", "b": 1}'
    assert lineage.from_json('{"a": [1]}') == {"a": [1]}
    assert lineage.from_json("[1]") == lineage.from_json("{") == lineage.from_json("") == {}


def test_an_expiring_memory_of_a_chat_is_a_source_like_any_other(vault: Vault) -> None:
    (kept,) = keep(vault, draft("Hello!", type="dialogue", ref="D1", author="Ann", time=NOW))
    made, _ = teach(vault, kept.cube)
    assert made.sources[0].id == kept.id
