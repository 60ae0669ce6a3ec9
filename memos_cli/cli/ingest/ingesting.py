"""``memos ingest`` and ``memos embed``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from memos_cli.cli.context import State
from memos_cli.cli.ingest.source_options import (
    READING,
    STORING,
    Embed,
    Encoding,
    NewTags,
    Quarantine,
    Secrets,
    quarantine_policy,
    read_options,
    report_rest,
)
from memos_cli.cli.inputs import read_stdin, read_time
from memos_cli.cli.output import counts
from memos_cli.cli.shared_options import arg, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import IngestOptions
    from memos_cli.interface.results import Ingested


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of ``memos ingest``: fields of the memories, and ways to read their sources."""

    tag: NewTags = None
    type: Annotated[str, opt("--type TYPE", "fact, preference, instruction, event, …", STORING)] = ""
    time: Annotated[str, opt("--time TIME", "Time of memories that have none of their own.", STORING)] = ""
    expires: Annotated[str, opt("--expires WHEN", "Expiry: 30d, 2026-12-31, 'after 3 uses'.", STORING)] = ""
    priority: Annotated[int, opt("--priority N", "Higher: states and adapters stay longer.", STORING)] = 0
    sensitivity: Annotated[
        str, opt("--sensitivity LEVEL", "open, personal, confidential, secret.", STORING)
    ] = "open"
    audience: Annotated[str, opt("--for PRINCIPAL", "Only for agent:NAME; needs --task.", STORING)] = ""
    task: Annotated[str, opt("--task TASK", "`memos access task done TASK` archives them.", STORING)] = ""
    quarantine: Quarantine = None
    embed: Embed = True
    format: Annotated[str, opt("--format KIND", "text, markdown, code, html, json, jsonl, csv.", READING)] = (
        ""
    )
    source: Annotated[str, opt("--source NAME", "Name of the source, for - or one file.", READING)] = ""
    secrets: Secrets = ""
    encoding: Encoding = ""
    lines: Annotated[bool, opt("--lines", "Store each line as a memory.", READING)] = False

    def read(self, memos: Memos, **more: Any) -> IngestOptions:
        """Return these options and ``more`` of them. Raises UsageError for a bad value."""
        from memos_cli.infrastructure.memories.transaction import NewMemoryFields
        from memos_cli.interface.options import IngestOptions
        from memos_cli.interface.time.typed_times import read_end

        hints = read_options(
            memos, self.secrets, self.encoding, kind=self.format, type=self.type, lines=self.lines
        )
        ends, uses = read_end(self.expires, memos.now()) if self.expires else (None, None)
        return IngestOptions(
            hints=hints,
            terms=NewMemoryFields(tuple(self.tag or ()), ends, uses, self.priority, self.sensitivity),
            quarantine=quarantine_policy(memos, self.quarantine),
            time=read_time(memos, self.time),
            audience=self.audience,
            task=self.task,
            **more,
        )


def ingest(
    state: State,
    sources: Annotated[list[str], arg("SOURCE…", "Files, folders, or - for stdin.")],
    options: _Options,
    prune: Annotated[bool, opt("--prune", "Archive memories whose text the source no longer has.")] = False,
    prune_all: Annotated[bool, opt("--prune-all", "Like --prune, even if a whole folder is gone.")] = False,
    reread: Annotated[bool, opt("--reread", "Read unchanged files too; bring back what you forgot.")] = False,
) -> None:
    """Store memories from files, folders and dialogues.

    It reads text, Markdown, code, HTML, JSON, JSONL, CSV and mail; with memos-cli[documents], also PDF and
    Office files. Text is stored and searchable first; vectors follow. ^C leaves them to the next ingest or
    `memos embed`. Unchanged text is not stored again; changed text becomes a new version.

    Exit codes: 3 if some sources cannot be read, 1 if none can.

    Example:
      memos ingest notes/ chat.jsonl --tag home
      echo "My cat is called Miso." | memos ingest - --type fact
    """
    files = _files(sources, options.source)
    output = state.output
    with state.open() as memos, output.progress("memories", "vectors") as (count_drafts, count_vectors):
        wanted = options.read(memos, prune=prune, prune_all=prune_all, reread=reread)
        memos.vault  # noqa: B018 (fails without a vault before standard input is read)
        result = memos.ingest(
            files, options=wanted, text=read_stdin() if "-" in sources else None, name=options.source,
            embed=options.embed, on_drafts=count_drafts, on_vectors=count_vectors,
            on_source=output.detail,
        )  # fmt: skip
    if wanted.terms.expires is not None and wanted.terms.expires <= memos.now():
        output.note("note: --expires is past, so searches do not find them; memos list --state expired")
    _report(state, result, sources)


def _report(state: State, result: Ingested, sources: list[str]) -> None:
    state.output.result(result, counts(result, "added versions unchanged archived embedded"))
    done = result.added or result.versions or result.unchanged or result.unpruned
    if not (done or result.failed or result.notes):
        state.output.note(f"note: there is nothing to read in {', '.join(sources)}")
    report_rest(state, result, partly=bool(done))


def _files(sources: list[str], name: str) -> list[Path]:
    """Return the sources that are files and folders. Raises UsageError for a bad name."""
    if "" in sources:
        raise UsageError("a source is empty", "name files or folders; the current folder is .")
    files = [Path(each) for each in sources if each != "-"]
    if name and (len(sources) > 1 or any(path.is_dir() for path in files)):
        raise UsageError("--source needs exactly one source", "ingest this input by itself")
    return files


def embed(
    state: State,
    embedder: Annotated[str, opt("--embedder NAME", "Change the vault to this embedding model.")] = "",
) -> None:
    """Compute missing vectors, one for each sentence of a memory.

    You can stop it; the next run continues. In a vault of memos 0.1.0, vectors of sentences replace those of
    whole memories. With --embedder, the vault changes to another model; searches use the old vectors until
    the new ones are complete.

    Exit code 15 if there is no embedder.

    Example:
      memos embed
      memos embed --embedder multilingual-e5-small
    """
    with state.open() as memos, state.output.progress("vectors") as (count,):
        done = memos.embed(embedder, on_vectors=count)
        missing = memos.count_missing_vectors()
    state.output.result({"embedded": done, "without_vector": missing}, f"embedded {done}")
