"""Demote memories: drop saved states and detach adapters. The text of the memories stays."""

from __future__ import annotations

from collections.abc import Sequence

from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.infrastructure.derived.saved_states import Activation
from memos_cli.infrastructure.memories import queries
from memos_cli.interface.results import Demoted
from memos_cli.interface.session import Session


def demote(session: Session, ids: Sequence[str], *, dry_run: bool = False) -> Demoted:
    """Drop the states and detach the adapters of these ids, or of these memories.

    An adapter is kept with its report, so that attaching it again needs no training. One whose memories are
    gone is asked its questions first, and its answers become memories.
    """
    session.access.require_writer()
    states, learned = _derived_from(session, ids)
    said: list[str] = []
    if not dry_run:
        for adapter in learned:
            if not adapter.sources:
                from memos_cli.interface.adapters.distillation import verbalise

                said += verbalise(session, adapter)
        _detach(session, states, learned)
    return Demoted(tuple(states), tuple(learned), tuple(said))


def _derived_from(session: Session, ids: Sequence[str]) -> tuple[list[Activation], list[Adapter]]:
    """Return the states and adapters of these ids, or those that contain memories of these ids."""
    db, now = session.vault.connection, session.now()
    states: dict[int, Activation] = {}
    learned: dict[int, Adapter] = {}
    for cube in session.access.get_many(ids):
        own, adapter = saved_states.by_cube(db, cube.n, now=now), adapters.by_cube(db, cube.n, now=now)
        if cube.payload == "plaintext":
            states |= {each.cube: each for each in saved_states.covering(db, [cube.n], now=now)}
            learned |= {each.cube: each for each in adapters.covering(db, [cube.n], now=now)}
        elif own:
            states[cube.n] = own
        elif adapter:
            learned[cube.n] = adapter
    session.access.require([*queries.by_rowid(db, [*states, *learned]).values()], "write")
    return list(states.values()), list(learned.values())


def _detach(session: Session, states: Sequence[Activation], learned: Sequence[Adapter]) -> None:
    vault = session.vault
    with vault.blob_changes() as blobs, session.change() as change:
        known = [each for each in states if saved_states.by_cube(vault.connection, each.cube, now=change.now)]
        blobs.update(saved_states.drop(change, each.cube) for each in known)
        for adapter in learned:
            if adapters.by_cube(vault.connection, adapter.cube, now=change.now):
                adapters.detach(change, adapter.cube)
