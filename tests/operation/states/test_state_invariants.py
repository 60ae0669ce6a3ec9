"""What saved states promise, whatever befalls them: nothing outside is touched, nothing changes an answer."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from states_harness import DAY, ORCHARD, QUESTION, START, Desk
from tiny_models import write_model

from memos_cli.errors import ModelUnfit
from memos_cli.infrastructure.vault.row_checks import STATE_FINDINGS

# --- the end of a life -----------------------------------------------------------------------------


def expiry(desk: Desk) -> int | None:
    """When the only state expires."""
    (state,) = desk.states()
    with desk.open() as memos:
        return memos.show(state.id).cube.expires


def test_a_state_lives_again_when_the_expiry_of_its_memory_is_lifted(desk: Desk, harbour: list[str]) -> None:
    desk.renew(harbour[1], START + DAY)
    made = desk.promote(*harbour)
    assert expiry(desk) == START + DAY
    desk.now += 2 * DAY
    gone = desk.ask()
    assert desk.loads == []
    assert "activation: miss (a source is archived, expired or merged)" in gone.plan.notes
    desk.renew(harbour[1], None)
    assert expiry(desk) is None
    for _ in range(2):
        desk.loads.clear()
        got = desk.ask()
        assert got.plan.reuse is not None
        assert (got.plan.reuse.id, got.plan.reuse.miss, desk.loads) == (made.id, "", [made.held])
        assert got.answer == desk.ask(text=True).answer
        assert desk.promote(*harbour).id == made.id
        assert expiry(desk) is None


def test_a_state_ends_with_the_first_of_its_memories(desk: Desk, harbour: list[str]) -> None:
    desk.promote(*harbour)
    ends = []
    for id, end in (
        (harbour[0], START + 3 * DAY), (harbour[2], START + 2 * DAY), (harbour[2], START + 5 * DAY),
        (harbour[0], None), (harbour[2], None),
    ):  # fmt: skip
        desk.renew(id, end)
        ends.append(expiry(desk))
    assert ends == [START + 3 * DAY, START + 2 * DAY, START + 3 * DAY, START + 5 * DAY, None]


def test_a_state_with_an_end_that_its_memories_do_not_have_is_made_anew(
    desk: Desk, harbour: list[str]
) -> None:
    made = desk.promote(*harbour)
    desk.execute("UPDATE cube SET expires = ? WHERE payload = 'activation'", START + DAY)
    desk.now += 2 * DAY
    assert desk.ask().plan.reuse.miss == "expired"  # type: ignore[union-attr]
    again = desk.promote(*harbour)
    assert (again.id, again.version, again.new, expiry(desk)) == (made.id, 2, True, None)
    hit = desk.ask()
    assert hit.plan.reuse is not None
    assert (hit.plan.reuse.tokens, hit.plan.reuse.miss) == (made.held, "")


# --- names that lead elsewhere ---------------------------------------------------------------------

NAMES = ("{outside}/victim", "../../outside/victim", "../outside/victim", "../VAULT.toml", "..", "", ".")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["demote", "forget", "repair"])
def test_a_name_that_is_a_path_is_neither_read_nor_deleted(
    desk: Desk, harbour: list[str], end: str, name: str
) -> None:
    outside = desk.folder.parent / "outside"
    outside.mkdir()
    victim = outside / "victim"
    victim.write_bytes(b"kept")
    made = desk.promote(*harbour)
    blob = desk.blob()
    desk.execute("UPDATE activation SET blob = ?", name.format(outside=outside))
    # As long as the row says, and its bytes are those of the state: only the name is wrong.
    victim.write_bytes(blob.read_bytes())
    before = victim.read_bytes()

    got = desk.ask()
    assert desk.loads == []
    assert got.answer == desk.ask(text=True).answer
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.miss) == (made.id, "blob missing")
    with desk.open() as memos:
        findings, _ = memos.check()
        assert {each.where: each.what for each in findings}[made.id] in {"state-missing", "state-broken"}
        if end == "demote":
            assert [each.id for each in memos.demote([made.id]).states] == [made.id]
        elif end == "forget":
            memos.forget(harbour[:1], dry_run=False)
        else:
            left, repaired = memos.check(repair=True)
            assert left == []
            assert made.id in {each.where for each in repaired}
    assert desk.states() == []
    assert victim.read_bytes() == before
    assert (desk.folder / "VAULT.toml").is_file()


def test_promoted_again_a_state_with_such_a_name_is_mended(desk: Desk, harbour: list[str]) -> None:
    made = desk.promote(*harbour)
    victim = desk.folder.parent / "victim"
    victim.write_bytes(b"kept")
    desk.execute("UPDATE activation SET blob = ?", str(victim))
    again = desk.promote(made.id)
    assert (again.id, again.version, again.new) == (made.id, 2, True)
    assert desk.ask().plan.reuse.miss == ""  # type: ignore[union-attr]
    assert victim.read_bytes() == b"kept"


# --- values of another kind ------------------------------------------------------------------------

VALUES = (
    "blob = CAST(blob AS BLOB)", "blob = x'00'",
    "tokens = CAST(tokens AS TEXT)", "tokens = 'words'", "tokens = 7",
    "fingerprint = CAST(fingerprint AS BLOB)", "fingerprint = x'00'",
    "bytes = CAST(bytes AS BLOB)", "bytes = 'many'",
    "seconds = CAST(seconds AS BLOB)", "seconds = 'many'",
    "saved = 'many'", "pieces = 'words'", "pieces = 7", "prompt = 'many'", "key = 'words'",
)  # fmt: skip


@pytest.mark.parametrize("change", VALUES)
def test_a_value_of_another_kind_is_found_and_changes_no_answer(
    desk: Desk, harbour: list[str], change: str
) -> None:
    text = desk.ask(text=True)
    made = desk.promote(*harbour)
    desk.execute(f"UPDATE activation SET {change}")
    with desk.open() as memos:
        findings, _ = memos.check()
        assert {each.what for each in findings} & {"row-damaged", *STATE_FINDINGS}
    foreseen, got = desk.explain(), desk.ask()
    assert got.answer == desk.ask(text=True).answer
    assert [item.hit.cube.id for item in foreseen.chosen] == [item.hit.cube.id for item in got.plan.chosen]
    desk.demote(made.id)  # text is all that is needed to be rid of it
    assert desk.states() == []
    assert desk.ask().answer == text.answer


@pytest.mark.parametrize("change", VALUES)
def test_memories_of_a_state_with_a_value_of_another_kind_are_forgotten_all_the_same(
    desk: Desk, harbour: list[str], change: str
) -> None:
    desk.promote(*harbour)
    desk.execute(f"UPDATE activation SET {change}")
    with desk.open() as memos:
        assert len(memos.forget(harbour, dry_run=False).cubes) == 3
    assert desk.states() == []


@pytest.mark.parametrize("change", VALUES)
def test_a_state_with_a_value_of_another_kind_is_made_anew(
    desk: Desk, harbour: list[str], change: str
) -> None:
    made = desk.promote(*harbour)
    desk.execute(f"UPDATE activation SET {change}")
    again = desk.promote(*harbour)
    assert (again.id, again.held) == (made.id, made.held)
    got = desk.ask()
    assert got.answer == desk.ask(text=True).answer
    desk.demote(made.id)


@pytest.mark.parametrize("way", ["forget", "demote", "repair"])
def test_a_state_whose_row_is_gone_goes_with_its_memories(desk: Desk, harbour: list[str], way: str) -> None:
    made = desk.promote(*harbour)
    desk.execute("DELETE FROM activation")
    assert desk.ask().answer == desk.ask(text=True).answer
    assert desk.loads == []
    with desk.open() as memos:
        if way == "forget":
            memos.forget(harbour[:1], dry_run=False)
        elif way == "demote":
            memos.forget([made.id], dry_run=False)
        else:
            assert memos.check(repair=True)[0] == []
        db = memos.vault.connection
        assert db.execute("SELECT 1 FROM cube WHERE payload = 'activation'").fetchall() == []
        assert db.execute("SELECT 1 FROM derived").fetchall() == []


# --- another model meanwhile -----------------------------------------------------------------------


def test_where_the_file_of_an_open_model_is_replaced_no_state_is_used_or_made(
    desk: Desk, harbour: list[str]
) -> None:
    path = write_model(desk.folder.parent / "own.gguf", "llama", context=4096)
    other = write_model(desk.folder.parent / "other.gguf", "llama", seed=2, context=4096)
    desk.settings["reader"] = str(path)
    desk.promote(*harbour)
    with desk.open() as memos:
        text = desk.ask(text=True).answer  # of the model that stays open here
        assert memos.query(QUESTION, filter=desk.filter, options=desk.manner).answer == text
        assert len(desk.loads) == 1
        os.replace(other, path)
        memos.engine.clear()
        got = memos.query(QUESTION, filter=desk.filter, options=desk.manner)
        assert len(desk.loads) == 1
        assert {item.form for item in got.plan.chosen} == {"text"}
        assert "activation: miss (the model's file was replaced)" in got.plan.notes
        blobs = desk.files()
        with pytest.raises(ModelUnfit, match="replaced"):
            memos.promote(harbour[:2])
        assert len(memos.activations()) == 1
    assert desk.files() == blobs
    assert "activation: miss (made with another model)" in desk.ask().plan.notes
    assert len(desk.loads) == 1
    again = desk.promote(*harbour)
    assert desk.ask().plan.reuse.id == again.id  # type: ignore[union-attr]


# --- what is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [("flip", "blob damaged"), ("cut", "blob of another length"), ("lose", "blob missing")],
)
def test_a_damaged_state_of_the_pinned_memories_is_told(
    desk: Desk, harbour: list[str], spoil: str, reason: str
) -> None:
    with desk.open() as memos:
        memos.pin(desk.keep(*ORCHARD[:2]))
    made = desk.promote(pinned=True)
    blob = desk.blob()
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.unlink()
    if spoil != "lose":
        blob.write_bytes(data[:-1] if spoil == "cut" else data)
    got = desk.ask()
    assert got.plan.document is None
    assert desk.loads == []
    assert [note for note in got.plan.notes if "activation" in note] == [f"activation: miss ({reason})"]
    assert got.plan.reuse is not None
    assert (got.plan.reuse.id, got.plan.reuse.tokens, got.plan.reuse.miss) == (made.id, 0, reason)
    assert got.answer == desk.ask(text=True).answer


# --- what a promotion does not change --------------------------------------------------------------


def outcome(desk: Desk, question: str) -> tuple[Sequence[int], str, list[str]]:
    """Every token that the model had in the end, the answer, and the memories before it."""
    with desk.open() as memos:
        got = memos.query(question, filter=desk.filter, options=desk.manner)
        return memos.engine.tokens[:], got.answer, [item.hit.cube.id for item in got.plan.chosen]


QUESTIONS = (
    "Who is the keeper of the harbour wall and of the office?",
    "What is at the harbour: lantern, wall, office, keys, keeper?",
    "Summarize the harbour lantern and wall and office.",
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("is_pinned", [False, True])
@pytest.mark.parametrize("nth", range(3))
def test_to_promote_a_single_memory_changes_no_prompt_and_no_answer(
    desk: Desk, harbour: list[str], nth: int, question: str, is_pinned: bool
) -> None:
    if is_pinned:
        with desk.open() as memos:
            memos.pin(desk.keep("The reader of these notes lives in the house behind the harbour."))
    before = outcome(desk, question)
    assert len(before[2]) >= 3
    assert len(before[1]) > 10
    made = desk.promote(harbour[nth])
    assert desk.loads == []
    assert outcome(desk, question) == before
    best = before[2][int(is_pinned)] == harbour[nth]
    assert desk.loads == ([made.held] if best else [])
    desk.demote(made.id)
    assert outcome(desk, question) == before
