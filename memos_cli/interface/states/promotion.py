"""Promote memories to a saved state of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memos_cli.cube import Cube, Filter, most_sensitive
from memos_cli.errors import Refused, UsageError
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.memories import queries
from memos_cli.interface import selection
from memos_cli.interface.session import Session
from memos_cli.operation.states import activation
from memos_cli.operation.states.activation import Promoted


def promote(
    session: Session,
    ids: Sequence[str],
    filter: Filter | None,
    *,
    view: str = "",
    pinned: bool = False,
    dry_run: bool = False,
    on_tokens: Callable[[int], None] = lambda count: None,
) -> Promoted:
    """Save the state of one document: the memories of ``ids`` in this order, or all that match ``filter``.

    The id of an activation cube stands for its memories and its view: it is made again. ``pinned`` makes the
    state of the view's pinned memories alone.
    """
    session.access.require_writer()
    settings = session.settings
    if view:
        selection.view(session, view)
    db, now = session.vault.connection, session.now()
    again = saved_states.by_cube(db, session.access.get(ids[0]).n, now=now) if len(ids) == 1 else None
    if again is not None:
        view = again.state.view
        found = queries.by_rowid(db, again.cubes("document"))
        cubes = [found[n] for n in again.cubes("document")]
    elif filter is not None:
        cubes = [*selection.select(session, selection.promptable(session, filter), newest=False)]
    else:
        cubes = session.access.get_many(ids)
    if not pinned and not cubes and again is None:
        raise UsageError("there is no memory to promote", "name memories by id, or by filters such as --tag")
    pins = selection.pinned(session, view)
    names = {cube.n for cube in pins}
    document = [cube for cube in cubes if cube.n not in names]
    if not document and cubes:
        raise UsageError("these memories are pinned", "memos promote --pinned --to activation")
    if not document and not pins:
        raise UsageError("no memory is pinned", f"memos pin ID{f' --view {view}' if view else ''}")
    check_text(session, document, settings.sensitivity_prompt)
    engine = session.engine
    if session.server is not None and session.vault.cipher is not None:
        raise Refused(
            "the vault is encrypted, and a llama-server saves states unencrypted",
            "name a model file: --model",
        )
    fingerprint, answer = session.fingerprint(engine), settings.query_max_tokens
    if dry_run:
        return activation.estimate(
            session.vault, engine, fingerprint, session.throughput(engine, fingerprint),
            pinned=pins, document=document, answer=answer, now=now,
        )  # fmt: skip
    return activation.promote(
        session.vault, engine, fingerprint,
        pinned=pins, document=document, view=view, answer=answer, model=session.model_name,
        principal=session.principal, clock=session.now, on_tokens=on_tokens,
    )  # fmt: skip


def check_text(session: Session, document: Sequence[Cube], most: str) -> None:
    """Raise UsageError unless all are live text memories, and none is more sensitive than ``most``."""
    now = session.now()
    live = set(queries.filter_ids(session.vault.connection, [cube.n for cube in document], now=now))
    for cube in document:
        if most_sensitive(cube.sensitivity, most) != most:
            raise UsageError(
                f"{cube.id} is {cube.sensitivity}: not allowed in a prompt or an adapter",
                f"memos edit {cube.id} --sensitivity open",
            )
        if cube.payload != "plaintext":
            raise UsageError(f"{cube.id} is not text", "name the memories themselves")
        if cube.n not in live:
            is_over = cube.expires is not None and cube.expires <= now
            raise UsageError(f"{cube.id} is {'expired' if is_over else cube.state}", f"memos show {cube.id}")
