"""Promoting memories to a saved state, and taking them back: what is named, in which order, and why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from memos_cli.cube import Cube, Filter, most_sensitive
from memos_cli.errors import UsageError
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.infrastructure.derived.saved_states import Activation
from memos_cli.infrastructure.memories import queries
from memos_cli.operation.states import activation
from memos_cli.operation.states.activation import Promoted

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos


def promote(
    memos: Memos,
    ids: Sequence[str],
    filter: Filter | None,
    *,
    view: str,
    pinned: bool,
    dry_run: bool,
    on_tokens: Callable[[int], None],
) -> Promoted:
    """Keep the state of one document: the memories of ``ids`` in this order, or all that pass ``filter``.

    The id of an activation cube stands for its memories and its view: it is made anew. ``pinned`` makes the
    state of the view's pinned memories alone.
    """
    memos.access.require_writer()
    settings = memos.settings
    if view:
        memos.view(view)
    db, now = memos.vault.connection, memos.now()
    again = saved_states.by_cube(db, memos.access.one(ids[0]).n, now=now) if len(ids) == 1 else None
    if again is not None:
        view = again.state.view
        found = queries.by_rowid(db, again.cubes("document"))
        cubes = [found[n] for n in again.cubes("document")]
    elif filter is not None:
        cubes = [*memos.select(memos.told(filter), newest=False)]
    else:
        cubes = memos.several(ids)
    if not pinned and not cubes and again is None:
        raise UsageError("there is no memory to promote", "name memories by id, or by filters such as --tag")
    pins = memos.pinned(view)
    names = {cube.n for cube in pins}
    document = [cube for cube in cubes if cube.n not in names]
    if not document and cubes:
        raise UsageError("these memories are pinned", "memos promote --pinned --to activation")
    if not document and not pins:
        raise UsageError("no memory is pinned", f"memos pin ID{f' --view {view}' if view else ''}")
    check_text(memos, document, settings.sensitivity_prompt)
    engine = memos.engine
    fingerprint, answer = memos.fingerprint(engine), settings.query_max_tokens
    if dry_run:
        return activation.estimate(
            memos.vault, engine, fingerprint, memos.pace(engine, fingerprint),
            pinned=pins, document=document, answer=answer, now=now,
        )  # fmt: skip
    return activation.promote(
        memos.vault, engine, fingerprint,
        pinned=pins, document=document, view=view, answer=answer, model=memos.reader.name,
        principal=memos.principal, clock=memos.now, on_tokens=on_tokens,
    )  # fmt: skip


def check_text(memos: Memos, document: Sequence[Cube], most: str) -> None:
    """Raise UsageError unless all are live memories, in words, and none is more sensitive than ``most``."""
    now = memos.now()
    live = set(queries.filter_ids(memos.vault.connection, [cube.n for cube in document], now=now))
    for cube in document:
        if most_sensitive(cube.sensitivity, most) != most:
            raise UsageError(
                f"{cube.id} is {cube.sensitivity}: models may not see it",
                f"memos edit {cube.id} --sensitivity open",
            )
        if cube.payload != "plaintext":
            raise UsageError(f"{cube.id} is not text", "name the memories themselves")
        if cube.n not in live:
            is_over = cube.expires is not None and cube.expires <= now
            raise UsageError(f"{cube.id} is {'expired' if is_over else cube.state}", f"memos show {cube.id}")


def to_demote(memos: Memos, ids: Sequence[str]) -> tuple[list[Activation], list[Adapter]]:
    """The states and adapters of these ids: themselves, or those that memories of these ids stand in."""
    db, now = memos.vault.connection, memos.now()
    states: dict[int, Activation] = {}
    learned: dict[int, Adapter] = {}
    for cube in memos.several(ids):
        own, adapter = saved_states.by_cube(db, cube.n, now=now), adapters.by_cube(db, cube.n, now=now)
        if cube.payload == "plaintext":
            states |= {each.cube: each for each in saved_states.covering(db, [cube.n], now=now)}
            learned |= {each.cube: each for each in adapters.covering(db, [cube.n], now=now)}
        elif own:
            states[cube.n] = own
        elif adapter:
            learned[cube.n] = adapter
    memos.access.require([*queries.by_rowid(db, [*states, *learned]).values()], "write")
    return list(states.values()), list(learned.values())


def demote(memos: Memos, states: Sequence[Activation], learned: Sequence[Adapter]) -> None:
    """Drop states and detach adapters. The text of their memories stays, and is read from now on.

    An adapter is kept with its report, to be attached again; so it costs no second training.
    """
    vault = memos.vault
    with vault.blob_changes() as blobs, vault.change(memos.principal, memos.now()) as change:
        known = [each for each in states if saved_states.by_cube(vault.connection, each.cube, now=change.now)]
        blobs.update(saved_states.drop(change, each.cube) for each in known)
        for adapter in learned:
            if adapters.by_cube(vault.connection, adapter.cube, now=change.now):
                adapters.detach(change, adapter.cube)
