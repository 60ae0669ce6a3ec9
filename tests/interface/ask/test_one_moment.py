"""What a command shows is of one moment, whatever other processes do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from access_harness import ANN, enter, learn
from vault_harness import NOW

from memos_cli.cube import Filter
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.storage import audit
from memos_cli.infrastructure.vault import as_of
from memos_cli.interface.lifecycle import versions
from memos_cli.interface.memory import Memos

LOOKS: dict[str, tuple[Any, str, Callable[[Memos, str], Any]]] = {
    # In which function another process forgets the memory, and what is shown.
    "show": (queries, "places_of", lambda memos, id: memos.show(id)),
    "history": (audit, "rows", lambda memos, id: memos.history(id)),
    "diff": (versions, "version_of", lambda memos, id: memos.diff(id)),
    "stats": (queries, "count_without_vector", lambda memos, id: memos.stats().embedded),
    "list --as-of": (as_of, "_tags", lambda memos, id: memos.cubes_at(NOW, filter=Filter())),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_memory_is_shown_whole_or_not_at_all(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, function, look = LOOKS[name]
    with enter(tmp_path / "vault", ANN) as ann, enter(tmp_path / "vault", ANN) as other:
        ann.create_vault()
        id = learn(ann, "The heron nests in May.", "birds")
        ann.edit(id, text="The heron nests in June.")
        learn(ann, "The otter sleeps.")
        expected = look(ann, id)
        real = getattr(where, function)

        def overtaken(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(where, function, real)
            with other.vault.change(ANN, NOW) as change:
                forget(change, queries.by_ids(change.db, [id])[id])
            return real(*arguments, **named)

        monkeypatch.setattr(where, function, overtaken)
        if name == "stats":  # counts before it is called, and looks at what is there after
            monkeypatch.setattr(where, function, lambda *given: (real(*given), overtaken(*given))[0])
        assert look(ann, id) == expected
