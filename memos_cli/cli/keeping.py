"""Commands that put memories in: init, ingest, embed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import read_end, read_time, state_of, with_global_options
from memos_cli.cli.inputs import read_stdin
from memos_cli.counts import counted
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cli.output import Output
    from memos_cli.infrastructure.storage.encryption import Keeper
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.results import Ingested

NewTags = Annotated[list[str] | None, typer.Option("--tag", "-t", metavar="TAG", help="Tag the memories.")]
Secrets = Annotated[
    str, typer.Option(metavar="WAY", help="Keys and passwords: mask, refuse or allow. Default: mask.")
]
Encoding = Annotated[
    str,
    typer.Option(metavar="NAME", help="Encoding of the texts, such as gbk; overrides what they declare."),
]
Quarantine = Annotated[
    bool | None,
    typer.Option("--quarantine/--no-quarantine", help="Keep new memories unused until `memos review`."),
]
Embed = Annotated[bool, typer.Option("--embed/--no-embed", help="Compute the vectors now.")]


def register(app: typer.Typer) -> None:
    for command in (init, ingest, embed):
        app.command()(with_global_options(command))


def init(
    ctx: typer.Context,
    reader: Annotated[
        str, typer.Option("--model", "-m", metavar="NAME", help="GGUF model that will answer.")
    ] = "",
    embedder: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="multilingual-e5-small, a GGUF, or a sentence-transformers folder."
        ),
    ] = "",
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Encrypt it; asks for a passphrase.")] = False,
    key_file: Annotated[
        str, typer.Option(metavar="FILE", help="With --encrypt: the key is in this file, made if missing.")
    ] = "",
    keyring: Annotated[
        bool, typer.Option("--keyring", help="With --encrypt: the key is in the system's keyring.")
    ] = False,
) -> None:
    """Create a vault and choose its models. Running it again changes nothing.

    Without its key, nobody can read an encrypted vault, not even you: keep a copy of the key.

    \b
    Example:
      memos init
      memos init --encrypt --key-file ~/.config/memos/vault.key
      memos init --vault ~/work-memory --model ~/models/qwen2.5-7b-instruct-q4_k_m.gguf
    """
    if (key_file or keyring) and not encrypt:
        raise UsageError("--key-file and --keyring are for an encrypted vault", "memos init --encrypt …")
    if key_file and keyring:
        raise UsageError("a key is in a file or in the keyring", "use --key-file FILE, or --keyring")
    keeper: Keeper = "file" if key_file else "keyring" if keyring else "passphrase"
    output = state_of(ctx).output
    with state_of(ctx).open(key_file=key_file or None) as memos:
        made = memos.init(reader=reader, embedder=embedder, encrypt=keeper if encrypt else None)
    if output.json:
        output.record(asdict(made))
        return
    output.text(f"vault     {made.vault}")
    output.text(f"reader    {made.reader or 'none'}")
    output.text(f"embedder  {made.embedder or 'none'}")
    for note in made.notes:
        output.note(f"note: {note}")


def ingest(
    ctx: typer.Context,
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE…", help="Files, folders, or - for stdin.")],
    tag: NewTags = None,
    type: Annotated[str, typer.Option(metavar="TYPE", help="fact, preference, instruction, event, …")] = "",
    time: Annotated[
        str, typer.Option(metavar="TIME", help="Time of memories that have none of their own.")
    ] = "",
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="Not used after: 30d, 2026-12-31, 'after 3 uses'.")
    ] = "",
    priority: Annotated[int, typer.Option(help="Higher is kept cheaper and longer.")] = 0,
    source: Annotated[str, typer.Option(metavar="NAME", help="Name of the source, for - or one file.")] = "",
    format: Annotated[
        str, typer.Option("--format", metavar="KIND", help="text, markdown, code, html, json, jsonl, csv.")
    ] = "",
    audience: Annotated[
        str, typer.Option("--for", metavar="PRINCIPAL", help="Only for agent:NAME, and only with --task.")
    ] = "",
    task: Annotated[
        str, typer.Option(metavar="TASK", help="Archived by `memos task done TASK`; with --for.")
    ] = "",
    sensitivity: Annotated[
        str, typer.Option(metavar="LEVEL", help="open, personal, confidential or secret: how far it may go.")
    ] = "open",
    secrets: Secrets = "",
    encoding: Encoding = "",
    quarantine: Quarantine = None,
    lines: Annotated[bool, typer.Option("--lines", help="Each line is one memory.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Archive memories that are gone from the source.")
    ] = False,
    prune_all: Annotated[
        bool, typer.Option("--prune-all", help="Like --prune, even if a whole folder is gone.")
    ] = False,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read unchanged files too; bring back what you forgot.")
    ] = False,
    embed: Embed = True,
) -> None:
    """Store memories from text, Markdown, code, HTML, JSON, JSONL, CSV, folders and dialogues.

    Text is stored and searchable first; vectors follow. ^C leaves them to the next ingest or `memos embed`.
    Unchanged text is not stored again; changed text becomes a new version.

    \b
    Example:
      memos ingest notes/ chat.jsonl --tag home
      echo "My cat is called Miso." | memos ingest - --type fact
    """
    from memos_cli.infrastructure.memories.transaction import NewMemoryFields
    from memos_cli.interface.options import IngestOptions, ReadOptions

    if "" in sources:
        raise UsageError("a source is empty", "name files or folders; the current folder is .")
    files = [Path(name) for name in sources if name != "-"]
    if source and (len(sources) > 1 or any(path.is_dir() for path in files)):
        raise UsageError("--source names one source", "ingest this input by itself")
    check_encoding(encoding)
    state = state_of(ctx)
    output = state.output
    with state.open() as memos, output.progress("memories", "vectors") as (count_drafts, count_vectors):
        ends, uses = read_end(memos, expires) if expires else (None, None)
        wishes = IngestOptions(
            hints=ReadOptions(
                kind=format,
                type=type,
                lines=lines,
                chunk_chars=memos.settings.ingest_chunk,
                encoding=encoding,
                fallback=memos.settings.ingest_encoding,
                secrets=secrets or memos.settings.ingest_secrets,
            ),
            terms=NewMemoryFields(
                tags=tuple(tag or ()),
                expires=ends,
                uses=uses,
                priority=priority,
                sensitivity=sensitivity,
            ),
            quarantine=whose_wait(memos, quarantine),
            time=read_time(memos, time) if time else None,
            prune=prune,
            prune_all=prune_all,
            reread=reread,
            audience=audience,
            task=task,
        )
        memos.vault  # noqa: B018 (no vault is said before standard input is waited for)
        result = memos.ingest(
            files, options=wishes, text=read_stdin() if "-" in sources else None, name=source,
            embed=embed, on_drafts=count_drafts, on_vectors=count_vectors,
            on_source=output.note if output.verbose else lambda uri: None,
        )  # fmt: skip
    if ends is not None and ends <= memos.now():
        output.note("note: --expires is past: these memories are not found; memos list --state expired")
    if output.json:
        output.record(asdict(result))
    else:
        parts = ("added", "versions", "unchanged", "archived", "embedded")
        output.text("  ".join(f"{part} {getattr(result, part)}" for part in parts))
    done = result.added or result.versions or result.unchanged or result.unpruned
    if not (done or result.failed or result.notes):
        output.note(f"note: there is nothing to read in {', '.join(sources)}")
    tell_taken(output, result, partly=bool(done))


def check_encoding(name: str) -> None:
    """Raise UsageError for an --encoding that does not exist."""
    from memos_cli.interface.ingest.sources.decoding import find_codec

    if name:
        find_codec(name)


def whose_wait(memos: Memos, wanted: bool | None) -> str:
    """Whose memories wait for a review, by --quarantine or else by the settings."""
    if wanted is None:
        return memos.settings.ingest_quarantine
    return "always" if wanted else "never"


def tell_taken(output: Output, taken: Ingested, *, partly: bool) -> None:
    """What else there is to say of what was taken in. Where some failed, it ends: with 3 if ``partly``."""
    output.note_quarantine(taken.quarantined)
    for note in taken.notes:
        output.note(f"note: {note}")
    for failure in taken.failed:
        output.failure(
            f"failed: {failure.source}: {failure.reason}" + (f" ({failure.hint})" if failure.hint else "")
        )
    if taken.without_vector and not output.json:
        waiting = counted(taken.without_vector, "memory has", "memories have")
        output.note(f"note: {waiting} no vector yet; run `memos embed`")
    if taken.failed:
        raise typer.Exit(3 if partly else 1)


def embed(
    ctx: typer.Context,
    embedder: Annotated[
        str, typer.Option("--embedder", metavar="NAME", help="Change the vault to this embedding model.")
    ] = "",
) -> None:
    """Compute missing vectors, one for each sentence of a memory.

    You can stop it; the next run continues. In a vault of memos 0.1.0, vectors of sentences replace those of
    whole memories. With --embedder, the vault changes to another model; searches use the old vectors until
    the new ones are complete.

    \b
    Example:
      memos embed
      memos embed --embedder multilingual-e5-small
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos, output.progress("vectors") as (count,):
        done = memos.embed(embedder, on_vectors=count)
        missing = memos.count_missing_vectors()
    if output.json:
        output.record({"embedded": done, "without_vector": missing})
    else:
        output.text(f"embedded {done}")
