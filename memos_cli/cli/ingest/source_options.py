"""Options of ``memos ingest`` and ``memos import``, and the end of their reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos_cli.cli.context import State
from memos_cli.cli.shared_options import opt
from memos_cli.counts import counted

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import IngestOptions, ReadOptions
    from memos_cli.interface.results import Ingested

READING, STORING = "Reading", "Storing"
"""Sections of options: how sources are read, and what is stored with the memories."""

NewTags = Annotated[list[str] | None, opt("--tag -t TAG", "Tag the memories.", STORING)]
Secrets = Annotated[
    str, opt("--secrets WAY", "Keys and passwords: mask, refuse or allow. Default: mask.", READING)
]
Encoding = Annotated[
    str, opt("--encoding NAME", "Encoding of the texts, such as gbk. Default: detect it.", READING)
]
Quarantine = Annotated[
    bool | None,
    opt("--quarantine/--no-quarantine", "Do not use new memories until you approve them.", STORING),
]
Embed = Annotated[bool, opt("--embed/--no-embed", "Compute the vectors now.", STORING)]


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The options with which ``memos import`` and ``memos watch`` store memories."""

    tag: NewTags = None
    secrets: Secrets = ""
    encoding: Encoding = ""
    quarantine: Quarantine = None
    embed: Embed = True

    def read(self, memos: Memos, **more: Any) -> IngestOptions:
        """Return these options and ``more`` of them. Raises UsageError for a bad value."""
        from memos_cli.infrastructure.memories.transaction import NewMemoryFields
        from memos_cli.interface.options import IngestOptions

        return IngestOptions(
            hints=read_options(memos, self.secrets, self.encoding),
            terms=NewMemoryFields(tags=tuple(self.tag or ())),
            quarantine=quarantine_policy(memos, self.quarantine),
            **more,
        )


def read_options(memos: Memos, secrets: str, encoding: str, **more: Any) -> ReadOptions:
    """Return how sources are read. Raises UsageError for an unknown encoding."""
    from memos_cli.interface.ingest.sources.decoding import find_codec
    from memos_cli.interface.options import ReadOptions

    if encoding:
        find_codec(encoding)
    settings = memos.settings
    return ReadOptions(
        encoding=encoding,
        fallback=settings.ingest_encoding,
        secrets=secrets or settings.ingest_secrets,
        chunk_chars=settings.ingest_chunk,
        **more,
    )


def quarantine_policy(memos: Memos, wanted: bool | None) -> str:
    """Return whose memories go into quarantine, by --quarantine or else by the settings."""
    if wanted is None:
        return memos.settings.ingest_quarantine
    return "always" if wanted else "never"


def report_rest(state: State, done: Ingested, *, partly: bool) -> None:
    """Print the notes and failures of an ingest. Exit with 1 if some failed, or with 3 if others did not."""
    output = state.output
    output.note_quarantine(done.quarantined)
    output.notes(done.notes)
    for failure in done.failed:
        hint = f" ({failure.hint})" if failure.hint else ""
        output.failure(f"failed: {failure.source}: {failure.reason}{hint}")
    if done.without_vector:
        waiting = counted(done.without_vector, "memory has", "memories have")
        output.hint(f"note: {waiting} no vector yet; run `memos embed`")
    if done.failed:
        raise typer.Exit(3 if partly else 1)
