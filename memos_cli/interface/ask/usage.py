"""Record the use of memories in an answer: their heat, the usage log, and the audit of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memos_cli.cube import Cube
from memos_cli.infrastructure.derived import saved_states
from memos_cli.infrastructure.derived.adapters import Adapter
from memos_cli.interface.session import Session
from memos_cli.operation.lifecycle.states import heat_after_use
from memos_cli.operation.states import throughput
from memos_cli.operation.states.activation import Restored


def record_use(
    session: Session,
    cubes: Sequence[Cube],
    restored: Restored,
    *,
    adapters: Sequence[Adapter] = (),
    question: str = "",
    forms: Mapping[int, str] | None = None,
) -> None:
    """Raise the heat of the memories that a model has read, of the saved state that it used, and of
    ``adapters``.

    A ``question`` goes into the usage log, with the form in which the plan used each memory (by its row
    number: ``text``, ``state`` or ``adapter``). Does nothing if the vault cannot be written now.
    """
    now, half_life, state = session.now(), session.settings.heat_half_life, restored.cube
    heats = {c.n: heat_after_use(c.heat, c.last_hit, now=now, half_life=half_life) for c in cubes}
    heats |= {a.cube: heat_after_use(a.heat, a.last_hit, now=now, half_life=half_life) for a in adapters}
    with session.vault.if_writable(), session.vault.change(session.principal, now) as change:
        if state and restored.loaded:
            heats[state.cube] = heat_after_use(state.heat, state.last_hit, now=now, half_life=half_life)
            saved_states.count_saving(change, state.cube, restored.saved)
            throughput.keep_restoring(change, state.state, restored.seconds)
        change.use(heats)
        made = {adapter.cube: "adapter" for adapter in adapters}
        made |= {state.cube: "state"} if state and restored.loaded else {}
        change.audit_prompt_reads({**(forms or {}), **made})
        if question:
            from memos_cli.interface.redaction.redaction import find_secrets, mask

            masked = mask(question, find_secrets(question))
            change.log_question(masked, forms or {}, session.settings.query_log)
