"""Arguments and results of the tools, as pydantic models: they check what comes in and give the JSON schemas.

Models of agents guess names of arguments, write lists as "a,b" and send null for missing arguments; all of
that is accepted. Other unknown arguments are refused: a silently ignored filter gives wrong answers.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from memos_cli.cube import SemanticType

MOST_TEXT = 100_000
"""Characters of a memory that an agent saves: about 25,000 tokens."""


def _as_list(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _field(description: str, *names: str, **limits: Any) -> Any:
    """Return a field with the name of an argument, and the ``names`` by which models call it, too."""
    return Field(description=description, validation_alias=AliasChoices(*names), **limits)


_Short = Annotated[str, Field(max_length=4_000)]
_Names = Annotated[list[Annotated[str, Field(max_length=200)]], BeforeValidator(_as_list)]
_Tokens = Annotated[
    int,
    _field(
        "Most tokens of the answer.", "max_tokens", "max_response_tokens", "token_budget", ge=300, le=20_000
    ),
]
_PAGE = "next_cursor of the page before, with the same arguments."
_Cursor = Annotated[str, _field(_PAGE, "cursor", "next_cursor", "page_token", max_length=400)]
_TAGS = 'Tags; all must match. "work" also matches "work/climate".'
_Tags = Annotated[_Names, _field(_TAGS, "tags", "tag", "labels", max_length=50)]
_Type = Annotated[Literal["", SemanticType], _field("Only this type.", "type", "memory_type", "kind")]
_SINCE = 'Not before this time: "2026-05-01", "30d", "last week".'
_After = Annotated[_Short, _field(_SINCE, "after", "since", "after_date", "from", "start_date")]
_UNTIL = "Earlier than this time."
_Before = Annotated[_Short, _field(_UNTIL, "before", "until", "before_date", "to", "end_date")]


class Arguments(BaseModel):
    """Arguments of a tool."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, values: Any) -> Any:
        """Treat null as a missing argument."""
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value is not None}
        return values


class SearchArguments(Arguments):
    query: Annotated[
        _Short,
        _field(
            "What to look for, in words or as a question. Times such as 'last May' are read.",
            "query", "q", "search", "text", "question",
        ),
    ]  # fmt: skip
    k: Annotated[
        int,
        _field(
            "Most memories of a page.", "k", "limit", "n", "top_k", "page_size", "max_results", ge=1, le=50
        ),
    ] = 8
    after: _After = ""
    before: _Before = ""
    tags: _Tags = []
    type: _Type = ""
    max_tokens: _Tokens = 1500
    cursor: _Cursor = ""


class ContextArguments(Arguments):
    question: Annotated[
        _Short,
        _field(
            "The question or task that the memories should serve.",
            "question", "query", "q", "prompt", "text",
        ),
    ]  # fmt: skip
    tags: _Tags = []
    max_tokens: _Tokens = 2000


class GetArguments(Arguments):
    ids: Annotated[
        _Names,
        _field(
            "Ids of memories, from the other tools.", "ids", "id", "memory_id", "memory_ids",
            min_length=1, max_length=50,
        ),
    ]  # fmt: skip
    versions: Annotated[bool, _field("Also list the older versions.", "versions", "history")] = False
    max_tokens: _Tokens = 4000
    cursor: _Cursor = ""


class SaveArguments(Arguments):
    text: Annotated[
        str,
        _field(
            "The words to remember. They are stored exactly; include names and dates.",
            "text", "content", "memory", "observation", "fact", "body", max_length=MOST_TEXT,
        ),
    ]  # fmt: skip
    type: Annotated[SemanticType, _field("What kind of memory.", "type", "memory_type", "kind")] = "fact"
    tags: Annotated[_Names, _field("Tags to add.", "tags", "tag", "labels", max_length=50)] = []
    title: Annotated[
        str, _field("A short title; not needed.", "title", "name", "subject", max_length=300)
    ] = ""
    expires: Annotated[
        str,
        _field(
            'When it expires: "2026-12-31", "30d", "after 3 uses"; empty: never.',
            "expires", "expires_at", "expiry", "ttl", max_length=200,
        ),
    ] = ""  # fmt: skip
    for_task: Annotated[
        str,
        _field(
            "Keep it for this task only, until `memos task done TASK`.", "for_task", "task", max_length=200
        ),
    ] = ""


class EditArguments(Arguments):
    id: Annotated[str, _field("Id of the memory.", "id", "memory_id", "ids", max_length=200)]
    text: Annotated[
        str,
        _field(
            "The new text; the old one stays as an older version.",
            "text", "content", "new_text", "memory", max_length=MOST_TEXT,
        ),
    ] = ""  # fmt: skip
    archive: Annotated[bool, Field(description="Archive it: it is no longer found; nothing is deleted.")] = (
        False
    )
    restore: Annotated[bool, Field(description="Bring an archived or expired memory back.")] = False
    if_version: Annotated[
        int,
        _field(
            "Change it only if this is its version; 0: any.",
            "if_version", "version", "expected_version", ge=0, le=1 << 40,
        ),
    ] = 0  # fmt: skip


class RecentArguments(Arguments):
    since: Annotated[
        _Short,
        _field(
            'Not before this time: "7d", "2026-05-01", "last week".',
            "since", "after", "timeframe", "after_date",
        ),
    ] = "7d"  # fmt: skip
    k: Annotated[
        int, _field("Most memories of a page.", "k", "limit", "n", "page_size", "max_results", ge=1, le=50)
    ] = 10
    tags: _Tags = []
    type: _Type = ""
    max_tokens: _Tokens = 1500
    cursor: _Cursor = ""


class StatusArguments(Arguments):
    pass


# --- results -----------------------------------------------------------------------------------------


class Memory(BaseModel):
    """A memory in a list: as much of its text as fits."""

    id: str
    text: str
    cut: Annotated[bool, Field(description="Whether text is only a part; memory_get gives all.")] = False
    type: str
    date: Annotated[str, Field(description="Its own time, or when it was stored.")]
    title: str = ""
    author: str = ""
    tags: list[str] = []
    source: str = ""
    score: Annotated[float, Field(description="How well it matches, 0 to 1.")] = 0.0


class Listing(BaseModel):
    """A page of memories."""

    ids: Annotated[list[str], Field(description="The ids of this page, best or newest first.")]
    memories: list[Memory]
    next_cursor: Annotated[str, Field(description="For the next page; empty on the last one.")] = ""
    notes: list[str] = []


class Used(BaseModel):
    """A memory that is in the context."""

    label: int
    id: str
    tokens: int


class LeftOut(BaseModel):
    """A memory that is not in the context, and why."""

    id: str
    reason: str


class ContextResult(BaseModel):
    context: Annotated[str, Field(description="The memories as quoted text; empty if none is relevant.")]
    memories: list[Used]
    left_out: list[LeftOut] = []
    notes: list[str] = []


class VersionRow(BaseModel):
    version: int
    date: str
    by: str
    text: str


class FullMemory(Memory):
    """A memory in full."""

    version: int
    state: str
    owner: str
    sensitivity: str
    expires: str = ""
    offset: Annotated[int, Field(description="Where in the memory text begins, in characters.")] = 0
    versions: list[VersionRow] = []


class Missing(BaseModel):
    id: str
    reason: str


class GetResult(BaseModel):
    ids: list[str]
    memories: list[FullMemory]
    missing: list[Missing] = []
    next_cursor: str = ""
    notes: list[str] = []


class SaveResult(BaseModel):
    id: str
    saved: Annotated[bool, Field(description="False: the vault had this text already.")]
    waits_for_review: bool
    source: str
    notes: list[str] = []


class EditResult(BaseModel):
    id: str
    version: int
    state: str
    changed: bool
    notes: list[str] = []


class Hidden(BaseModel):
    """The caller's memories that the tools leave out, by reason."""

    quarantined: Annotated[int, Field(description="Wait for `memos quarantine`.")]
    withheld: Annotated[
        int, Field(description="Above the setting sensitivity.prompt, or kept for another agent.")
    ]
    archived: int
    expired: int
    outside_view: Annotated[int, Field(description="Outside the view that this server was started with.")]


class StatusResult(BaseModel):
    vault: str
    principal: str
    may_write: bool
    memories: Annotated[int, Field(description="Memories that the tools can find.")]
    types: dict[str, int]
    without_vector: Annotated[int, Field(description="Found by words only, until `memos embed`.")]
    hidden: Hidden
    rights: str
    version: str


def portable_schema(model: type[BaseModel], *, result: bool = False) -> dict[str, Any]:
    """Return the JSON schema of a model without references and titles, which some clients do not read."""
    schema = model.model_json_schema(mode="serialization" if result else "validation")
    defined = schema.pop("$defs", {})

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            own = {name: each for name, each in node.items() if name != "$ref"}
            return plain({**defined[node["$ref"].rpartition("/")[2]], **own})
        is_named = isinstance(node.get("title"), str)
        return {name: plain(each) for name, each in node.items() if not (name == "title" and is_named)}

    found: dict[str, Any] = plain(schema)
    if not result:
        found.pop("description", None)
        found.pop("additionalProperties")  # a client that checks must let other names of arguments through
    return found
