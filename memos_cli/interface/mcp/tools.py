"""The seven tools: their names and schemas, and the functions of those that write or report the status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from memos_cli import __version__
from memos_cli.counts import counted
from memos_cli.cube import SEMANTIC_TYPES, Filter
from memos_cli.errors import Conflict, Refused, UsageError
from memos_cli.interface.mcp import list_tools, read_tools
from memos_cli.interface.mcp import schemas as of
from memos_cli.interface.mcp.tool_results import Answer, Asker, make_filter, readable
from memos_cli.interface.recalled import without_recalled
from memos_cli.interface.selection import promptable
from memos_cli.interface.time.typed_times import read_end

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool: its texts, its schemas, its effect on the vault, and its function."""

    name: str
    title: str
    about: str
    arguments: type[of.Arguments]
    result: type[BaseModel]
    run: Callable[[Memos, Any, Asker], Answer]
    reads_only: bool = True
    is_destructive: bool = False
    is_always_loaded: bool = False


def save(memos: Memos, asked: of.SaveArguments, asker: Asker) -> Answer:
    ends, uses = read_end(asked.expires, memos.now()) if asked.expires else (None, None)
    if ends is not None and ends <= memos.now():
        raise UsageError(f"{asked.expires!r} is past", "give a later time")
    saved = memos.save(
        asked.text, source=asker.source, type=asked.type, title=asked.title, tags=asked.tags, expires=ends,
        uses=uses, task=asked.for_task,
    )  # fmt: skip
    notes = [*saved.notes]
    if saved.quarantined:
        notes.append("it waits until the user approves it with `memos quarantine`")
    result = of.SaveResult(
        id=saved.id, saved=saved.is_new, waits_for_review=saved.quarantined, source=asker.source, notes=notes
    )
    said = "Saved as" if saved.is_new else "The vault has this text already, as"
    return result, "\n".join([f"{said} {saved.id}.", *notes])


def edit(memos: Memos, asked: of.EditArguments, asker: Asker) -> Answer:
    if (bool(asked.text.strip()) + asked.archive + asked.restore) != 1:
        raise UsageError("give one of text, archive and restore", 'for example {"id": "…", "archive": true}')
    cube = readable(memos, asked.id)
    if asked.if_version not in (0, cube.version):
        raise Conflict(
            f"{cube.id} has version {cube.version}, not {asked.if_version}", "read it with memory_get"
        )
    if asked.text:
        if memos.settings.ingest_quarantine == "always":
            raise Refused(
                "here a user must approve what agents write, which is not possible for a new version",
                "save the new text with memory_save",
            )
        edited = memos.edit(cube.id, text=without_recalled(asked.text), seen=asked.if_version)
        changed, notes = edited.changed, [*edited.notes]
    else:
        moved = (memos.archive if asked.archive else memos.restore)([cube.id])
        changed = bool(moved.changed)
        notes = ["it waits until the user approves it with `memos quarantine`"] if moved.waiting else []
    (now,) = memos.access.get_many([cube.id])
    result = of.EditResult(id=now.id, version=now.version, state=now.state, changed=changed, notes=notes)
    done = "Changed" if changed else "Nothing changed in"
    return result, "\n".join([f"{done} {now.id}: version {now.version}, {now.state}.", *notes])


def status(memos: Memos, asked: of.StatusArguments, asker: Asker) -> Answer:
    readable_all, seen = promptable(memos, Filter()), promptable(memos, make_filter(memos, asker))
    count = memos.count(seen)
    by_type = {type: memos.count(replace(seen, types=(type,))) for type in seen.types or SEMANTIC_TYPES}
    hidden = of.Hidden(
        quarantined=memos.count(Filter(states=("quarantined",))),
        withheld=memos.count(Filter()) - memos.count(readable_all),
        archived=memos.count(Filter(states=("archived",))),
        expired=memos.count(Filter(states=("expired",))),
        outside_view=memos.count(readable_all) - count,
    )
    caller = memos.access.caller
    granted = [
        f"{rule.right} on {rule.kind}{f' {rule.target}' if rule.target else ''} of {rule.owner}"
        for rule in memos.access.rules()
        if caller.is_meant(rule.principal)
    ]
    rights = f"{caller.principal} reads its own memories" + (
        f" and has {'; '.join(granted[:10])}" * bool(granted)
    )
    result = of.StatusResult(
        vault=str(memos.folder), principal=caller.principal, may_write="write" in caller.most,
        memories=count, types={type: n for type, n in by_type.items() if n},
        without_vector=memos.count_missing_vectors(), hidden=hidden,
        rights=f"{rights}. Memories of others are neither listed nor counted.", version=__version__,
    )  # fmt: skip
    left = ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in hidden.model_dump().items() if n)
    number = counted(count, "memory", "memories")
    text = f"{number} in {memos.folder} for {caller.principal}. Left out: {left or 'none'}."
    return result, f"{text} {result.rights}"


TOOLS = {
    spec.name: spec
    for spec in (
        ToolSpec(
            "memory_search", "Search memories",
            "Find memories of the user by words and meaning: facts, preferences, decisions, notes and past"
            " conversations. Use it before you answer from what the user said or wrote earlier. Gives ids and"
            " excerpts; memory_get gives whole texts.",
            of.SearchArguments, of.Listing, list_tools.search, is_always_loaded=True,
        ),
        ToolSpec(
            "memory_context", "Context for a question",
            "Choose the memories for a question or task, as quoted text within max_tokens, and say"
            " what was left out and why. No language model is run. Use it at the start of a task.",
            of.ContextArguments, of.ContextResult, read_tools.context,
        ),
        ToolSpec(
            "memory_get", "Read memories",
            "Read memories in full by their ids, with their source, version and dates.",
            of.GetArguments, of.GetResult, read_tools.get,
        ),
        ToolSpec(
            "memory_save", "Save a memory",
            "Store one memory word for word. Use it when the user asks to remember something, or states a"
            " lasting fact, preference or decision. Write a complete sentence that is clear without this"
            " conversation. A text that the vault has already is not stored twice.",
            of.SaveArguments, of.SaveResult, save, reads_only=False, is_always_loaded=True,
        ),
        ToolSpec(
            "memory_edit", "Change a memory",
            "Give a memory a new text, archive it, or restore it. The old version stays in its history. Give"
            " if_version so that nothing newer is overwritten. Only the user can delete: memos forget.",
            of.EditArguments, of.EditResult, edit, reads_only=False, is_destructive=True,
        ),
        ToolSpec(
            "memory_recent", "Recent memories",
            "List the memories that were stored last, newest first.",
            of.RecentArguments, of.Listing, list_tools.recent,
        ),
        ToolSpec(
            "memory_status", "Status of the vault",
            "Say where the vault is, who you are in it, how many memories you can find, and what is left out"
            " and why.",
            of.StatusArguments, of.StatusResult, status,
        ),
    )
}  # fmt: skip
"""The tools by name, in the order in which clients list them."""
