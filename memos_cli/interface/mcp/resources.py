"""Resources (``memos://…``) and prompts, which the user, not the model, selects in a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import mcp_types as types

from memos_cli.errors import UsageError
from memos_cli.interface.mcp import list_tools, read_tools, schemas
from memos_cli.interface.mcp.tool_results import Asker

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

_SCHEME = "memos://"
_TOKENS = 4000
"""Most tokens of a resource, and of the memories in a prompt."""
TEMPLATES = [
    types.ResourceTemplate(
        name="memory",
        title="Memory",
        uri_template="memos://memory/{id}",
        mime_type="text/plain",
        description="A memory in full, by its id",
    ),
    types.ResourceTemplate(
        name="view",
        title="View",
        uri_template="memos://view/{name}",
        mime_type="text/plain",
        description="The newest memories of a saved filter",
    ),
]
_RECENT = types.Resource(
    name="recent",
    title="Recent memories",
    uri="memos://recent",
    mime_type="text/plain",
    description="The memories of the last seven days",
)
PROMPTS = [
    types.Prompt(
        name="recall",
        title="Recall",
        description="Bring what the vault knows on a topic into the conversation",
        arguments=[types.PromptArgument(name="topic", description="Topic or question", required=True)],
    ),
    types.Prompt(
        name="remember",
        title="Remember",
        description="Save a text as a memory",
        arguments=[types.PromptArgument(name="text", description="What to remember", required=True)],
    ),
    types.Prompt(
        name="review",
        title="Review",
        description="Look over the memories of the last days, and correct them",
        arguments=[
            types.PromptArgument(name="since", description="How far back; default 7d", required=False)
        ],
    ),
]


def list_all(memos: Memos | None) -> list[types.Resource]:
    """Return the resources; ``memos`` is None if there is no vault."""
    views = [
        types.Resource(
            name=f"view {name}",
            uri=f"{_SCHEME}view/{quote(name, safe='')}",
            mime_type="text/plain",
            description=f"The newest memories of the view {name}",
        )
        for name in (memos.views() if memos else ())
    ]
    return [_RECENT, *views]


def read(memos: Memos, uri: str, asker: Asker) -> str:
    """Return the text of a resource. Raises UsageError for an unknown address."""
    kind, _, name = uri.removeprefix(_SCHEME).partition("/")
    name = unquote(name)
    if uri.startswith(_SCHEME) and kind == "recent" and not name:
        return _list_recent(memos, "7d", asker)
    if uri.startswith(_SCHEME) and kind == "memory" and name:
        result, text = read_tools.get(
            memos, schemas.GetArguments(ids=[name[:200]], max_tokens=4 * _TOKENS), asker
        )
        missing = getattr(result, "missing", ())
        if missing:
            raise UsageError(missing[0].reason, "memory_search gives the ids")
        return text
    if uri.startswith(_SCHEME) and kind == "view" and name:
        if asker.view and asker.view != name:
            raise UsageError(f"this server shows only the view {asker.view!r}", f"memos://view/{asker.view}")
        return _list_recent(memos, "", Asker(asker.program, name))
    raise UsageError(
        f"there is no resource {uri[:200]!r}", "memos://recent, memos://memory/ID, memos://view/NAME"
    )


def _list_recent(memos: Memos, since: str, asker: Asker) -> str:
    return list_tools.recent(memos, schemas.RecentArguments(since=since, k=50, max_tokens=_TOKENS), asker)[1]


def write_prompt(memos: Memos, name: str, given: Mapping[str, str], asker: Asker) -> str:
    """Return the text of a prompt. Raises UsageError for an unknown one, or a missing argument."""
    known = {prompt.name: prompt for prompt in PROMPTS}
    if name not in known:
        raise UsageError(f"there is no prompt {name[:100]!r}", f"there are: {', '.join(known)}")
    for argument in known[name].arguments or ():
        if argument.required and not given.get(argument.name, "").strip():
            raise UsageError(f"the prompt {name} needs the argument {argument.name}", "give it")
    if name == "remember":
        return (
            "Save the text below with memory_save, word for word. Choose a fitting type and tags. Then say"
            f" what you saved, with its id.\n\n{given['text']}"
        )
    if name == "recall":
        topic = given["topic"][:4000]
        _, text = read_tools.context(
            memos, schemas.ContextArguments(question=topic, max_tokens=_TOKENS), asker
        )
        return f"Say what my memories tell about this, and name their ids: {topic}\n\n{text}"
    since = given.get("since", "").strip()[:200] or "7d"
    look = (
        f"Look over these memories, stored since {since}. Name those that are wrong, out of date, unclear"
        f" or said twice, and propose a change for each. Change one with memory_edit only when I agree."
    )
    return f"{look}\n\n{_list_recent(memos, since, asker)}"
