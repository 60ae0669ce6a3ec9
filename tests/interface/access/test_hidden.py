"""What a principal may not read changes nothing that it is shown: see also scripts/campaigns/walls.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from access_harness import ANN, BO, CODER, enter, learn
from bag_of_words import BagOfWords
from cli_harness import Shell
from vault_harness import NOW

from memos_cli.cube import STATES, Filter
from memos_cli.errors import UsageError
from memos_cli.infrastructure.derived import saved_states
from memos_cli.interface.memory import Memos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A vault that ann made, without memories."""
    with enter(tmp_path / "vault", ANN) as ann:
        ann.create_vault()
    return tmp_path / "vault"


def with_embedder(memos: Memos) -> Memos:
    memos._embedder = BagOfWords()  # type: ignore[assignment]
    return memos


def test_a_first_memory_of_somebody_else_changes_no_score(folder: Path) -> None:
    """Words are weighed in another way in a vault of several principals: who is alone must not notice."""
    asked = ("swan lake", "swan", "湖 天鹅")
    with enter(folder, BO) as bo:
        for text in ("The swan, a swan, sleeps on the lake.", "The lake is cold.", "天鹅在湖上。"):
            learn(bo, text)
        before = [bo.search(words, filter=Filter()) for words in asked]
        numbers = bo.stats()
    with enter(folder, ANN) as ann, with_embedder(ann):
        learn(ann, "The heron nests in May.")
        ann.embed()
    with enter(folder, BO) as bo:
        assert [with_embedder(bo).search(words, filter=Filter()) for words in asked] == before
        assert bo.stats() == numbers
    with enter(folder, ANN) as ann:
        assert ann.stats().bytes["database"] > 0


def test_forgetting_shows_no_hidden_memory_that_goes_with_it(folder: Path) -> None:
    with enter(folder, ANN) as ann:
        mine, other = learn(ann, "The swan sleeps on the lake."), learn(ann, "The heron nests in May.")
        merged = ann.merge([mine, other]).id
        ann.access.grant(mine, CODER, "admin")
        ann.freeze([merged])
    with enter(folder, CODER) as coder:
        with pytest.raises(UsageError, match="made from these is frozen") as caught:
            coder.forget([mine], dry_run=True)
        assert merged not in str(caught.value)
        with enter(folder, ANN) as ann:
            ann.freeze([merged], thaw=True)
        for dry_run in (True, False):
            gone = coder.forget([mine], dry_run=dry_run)
            assert [cube.id for cube in gone.cubes] == [mine]
            assert (gone.versions, gone.states, gone.adapters) == (1, (), ())
    with enter(folder, ANN) as ann:
        left = {cube.id: cube.state for cube in ann.cubes(filter=Filter(states=STATES))}
        assert left == {other: "activated"}


def test_taking_a_merge_apart_names_no_hidden_memory(folder: Path) -> None:
    with enter(folder, ANN) as ann:
        mine, other = learn(ann, "The swan sleeps on the lake."), learn(ann, "The heron nests in May.")
        merged = ann.merge([mine, other]).id
        ann.access.grant(merged, CODER, "admin")
        ann.access.grant(mine, CODER, "read")
    with enter(folder, CODER) as coder:
        assert [each.of for each in coder.part(merged)] == [(mine,)]


def test_rivals_are_found_behind_many_hidden_memories(folder: Path) -> None:
    """A memory is compared with the nearest that the caller may read, however many others are nearer."""
    with enter(folder, ANN) as ann, with_embedder(ann):
        for minute in range(10, 30):
            learn(ann, f"The swan ferry leaves the northern harbour at 9:{minute}.")
        ann.embed()
    with enter(folder, BO) as bo, with_embedder(bo):
        ids = {learn(bo, f"The swan ferry leaves the northern harbour at {hour}:00.") for hour in (9, 10)}
        bo.embed()
        bo.maintain(steps=("rivals",))
        assert [{pair.older.id, pair.newer.id} for pair in bo.conflicts()] == [ids]


def test_maintenance_leaves_what_another_principal_asked_for(folder: Path) -> None:
    """A bundle that ann imported asks for a state of hers; an agent's run neither shows nor drops that."""
    with enter(folder, ANN) as ann:
        mine = learn(ann, "The heron nests in May.")
        with ann.vault.change(ANN, NOW) as change:
            saved_states.request(change, {"view": "", "document": [mine]})
    with enter(folder, CODER) as coder:
        learn(coder, "The swan sleeps.")
        for dry_run in (True, False):
            assert coder.maintain(steps=("states",), dry_run=dry_run).deeds == []
    with enter(folder, ANN) as ann:
        assert [each["document"] for each in saved_states.requests(ann.vault.connection)] == [[mine]]


def test_planner_statistics_are_made_in_a_transaction_that_waited(memos: Shell) -> None:
    """Outside of one SQLite reads first, and then fails at once if another process writes."""
    memos("ingest", "-", "--no-embed", stdin=b"The heron nests in May.")
    with enter(memos.vault, "user:ann") as ann:
        seen: list[bool] = []
        db = ann.vault.unrestricted

        def trace(statement: str) -> None:
            if "optimize" in statement.lower():
                seen.append(db.in_transaction)

        db.set_trace_callback(trace)
        ann.maintain(steps=("optimize",))
        assert seen == [True]


def test_revoking_does_not_count_grants_between_others(folder: Path) -> None:
    """What bo passed on ends with bo's own right; who revokes next cleans up, and is not told."""
    with enter(folder, ANN) as ann:
        learn(ann, "The heron nests in May.", "work")
        ann.access.grant("tag:work", BO, "share", expires=NOW + 10)
    with enter(folder, BO) as bo:
        bo.access.grant("tag:work", "user:zoe", "read", of=ANN)
    later = NOW + 20
    with enter(folder, CODER, clock=lambda: later) as coder:
        assert coder.access.revoke("vault", BO) == 0
    with enter(folder, ANN, clock=lambda: later) as ann:
        assert [rule.principal for rule in ann.access.rules()] == [BO]
