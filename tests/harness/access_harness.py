"""Users and agents of one vault, and what they remember."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vault_harness import NOW

from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.settings import Settings

ANN, BO, CODER = "user:ann", "user:bo", "agent:coder"


SECRET = "The swan's vault lies under the fjord."


LINES = ReadOptions(lines=True)


def enter(folder: Path, who: str = "", *, token: str = "", clock: Callable[[], int] = lambda: NOW) -> Memos:
    settings = Settings(vault=str(folder), principal=who, token=token, lock_timeout=5.0)
    return Memos(settings, clock=clock)


def learn(memos: Memos, text: str, *tags: str) -> str:
    from memos_cli.infrastructure.memories.transaction import NewMemoryFields

    done = memos.ingest(
        options=IngestOptions(hints=LINES, terms=NewMemoryFields(tags=tags)), text=text.encode(), embed=False
    )
    return done.ids[0] if done.ids else ""
