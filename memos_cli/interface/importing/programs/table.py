"""The programs whose conversations can be imported, with their files: places, patterns and readers.

A file is known by its path, where no other program uses such a path, or by its first lines, its first object,
or the tables of its database.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import Bundle, mapping
from memos_cli.interface.importing.json_streaming import first_record
from memos_cli.interface.importing.programs.databases import is_database, open_database
from memos_cli.interface.importing.programs.json_lines import first_lines
from memos_cli.interface.importing.programs.readers import (
    agent_databases,
    aider,
    chat_files,
    claude_code,
    codex,
    cursor,
    gemini,
    llm_logs,
    open_webui,
)

_SNIFFED = 200
"""Files of a folder that are opened to recognise it; those that are known by their paths do not count."""
_OPENED = {".jsonl", ".json", ".zst", ".db", ".sqlite", ".sqlite3", ".vscdb", ".md", ""}
"""Extensions of files that may be conversations, whatever their names are."""
_HEAD = 1 << 20
"""Bytes in which a history of aider has its first start of a chat."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The list of conversations in a database: its table, the time of the last change, and a condition on
    rows.
    """

    table: str
    time: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, with the patterns and the reader of its files."""

    label: str
    read: Callable[[Export, list[str]], Iterator[Bundle]]
    places: tuple[str, ...]
    """The usual paths; see ``discovery``."""
    paths: str
    """A regular expression for the end of the path of one of its files."""
    lines: Callable[[list[dict[str, Any]]], bool] | None = None
    record: Callable[[Mapping[str, Any]], bool] | None = None
    tables: tuple[str, ...] = ()
    """Tables of which its database has one: the name, and some of its columns."""
    stored: tuple[Stored, ...] = ()
    part: str = r"(?!)"
    """A regular expression for paths that are not separate conversations, such as those of subagents."""
    starts: bytes = b""
    """The bytes that begin each conversation in a file with several."""


_EDITORS = "{Code,Code - Insiders,VSCodium,Cursor,Windsurf}/User/globalStorage"
_TASKS = "{saoudrizwan.claude-dev,rooveterinaryinc.roo-cline,kilocode.kilo-code}"
_WEBUI = "lib/python*/site-packages/open_webui/data/webui.db"

PROGRAMS: dict[str, Program] = {
    claude_code.KIND: Program(
        "Claude Code", claude_code.read_claude_code,
        ("{$CLAUDE_CONFIG_DIR,~/.claude}/projects", "CONFIG/claude/projects"),
        r"/projects/(?:-|[A-Za-z]--)[^/]*/(?:[0-9a-f-]{36}\.jsonl|[^/]+/subagents/agent-[^/]+\.jsonl|memory/[^/]+\.md)",
        lines=claude_code.is_session, part=r"/agent-[^/]+$|/memory/[^/]+$",
    ),
    codex.KIND: Program(
        "Codex CLI", codex.read_codex, ("{$CODEX_HOME,~/.codex}",),
        r"/rollout-[^/]+\.jsonl(?:\.zst)?", lines=codex.is_rollout,
    ),
    gemini.KIND: Program(
        "Gemini CLI", gemini.read_gemini, ("~/.gemini/tmp",),
        r"/\.gemini/tmp/[^/]+/chats/(?:[^/]+/)?[^/]+\.jsonl?",
        lines=gemini.is_chat, record=lambda record: gemini.is_chat([dict(record)]),
        part=r"/chats/[^/]+/[^/]+$",
    ),
    cursor.KIND: Program(
        "Cursor", cursor.read_cursor, ("~/.cursor/projects", "CONFIG/Cursor/User"),
        r"/state\.vscdb|/agent-transcripts/(?:[^/]+/)*[^/]+\.jsonl",
        lines=cursor.is_transcript, tables=("cursorDiskKV key value", "ItemTable key value"),
        part=r"/subagents/[^/]+$",
        stored=(Stored("cursorDiskKV", where="key >= 'composerData:' AND key < 'composerData;'"),),
    ),
    llm_logs.KIND: Program(
        "llm", llm_logs.read_llm, ("{$LLM_USER_PATH,CONFIG/io.datasette.llm}/logs.db",),
        r"/io\.datasette\.llm/logs\.db",
        tables=("responses prompt response", "turns thread_id tip_message_hash"),
        stored=(
            Stored("conversations"), Stored("threads", where="id NOT IN (SELECT id FROM conversations)"),
            Stored("responses", "datetime_utc", "0"), Stored("turns", "datetime_utc", "0"),
        ),
    ),
    open_webui.KIND: Program(
        "Open WebUI", open_webui.read_open_webui,
        (
            "$DATA_DIR/webui.db", "~/.open-webui/webui.db", f"~/.local/{_WEBUI}", f"PYTHON/{_WEBUI}",
            f"~/.local/share/{{pipx/venvs,uv/tools}}/open-webui/{_WEBUI}",
            "/var/lib/docker/volumes/open-webui/_data/webui.db",
        ),
        r"/webui\.db", record=open_webui.is_chat, tables=("chat id user_id chat",),
        stored=(Stored("chat", "updated_at"),),
    ),
    "lm-studio": Program(
        "LM Studio", chat_files.read_lm_studio, ("~/{.lmstudio,.cache/lm-studio}/conversations",),
        r"/[^/]+\.conversation\.json", record=chat_files.is_lm_studio,
    ),
    aider.KIND: Program(
        "aider", aider.read_aider, (f"{{.,~,~/*,~/*/*}}/{aider.NAME}",), r"/\.aider\.chat\.history\.md",
        starts=b"# aider chat started at ",
    ),
    "continue": Program(
        "Continue", chat_files.read_continue, ("{$CONTINUE_GLOBAL_DIR,~/.continue}/sessions",),
        r"/\.continue/sessions/(?!sessions\.)[^/]+\.json", record=chat_files.is_continue,
    ),
    "cline": Program(
        "Cline, Roo Code, Kilo Code", chat_files.read_cline,
        (f"CONFIG/{_EDITORS}/{_TASKS}", "{$CLINE_DATA_DIR,~/.cline/data}"),
        r"/(?:ui_messages|api_conversation_history)\.json", part=r"/api_conversation_history\.json$",
    ),
    "goose": Program(
        "Goose", agent_databases.read_goose,
        ("{DATA,~/.local/share}/goose/sessions", "DATA/Block/goose/data/sessions"),
        r"/goose/(?:data/)?sessions/(?:sessions\.db|[^/]+\.jsonl)",
        lines=chat_files.is_goose_file, tables=("messages session_id content_json",),
        stored=(Stored("sessions", "created_at"),),
    ),
    "opencode": Program(
        "OpenCode", agent_databases.read_opencode, ("{DATA,~/.local/share}/opencode",),
        r"/opencode\.db|/session/[^/]+/ses_[^/]+\.json",
        tables=("part id session_id message_id data",), stored=(Stored("session", "time_updated"),),
    ),
    "zed": Program(
        "Zed", agent_databases.read_zed, ("DATA/{zed,Zed}/threads",), r"/threads/threads\.db",
        tables=("threads id summary data data_type",), stored=(Stored("threads", "updated_at"),),
    ),
    "jan": Program(
        "Jan", chat_files.read_jan, ("{CONFIG,DATA}/Jan/data/threads",),
        r"/threads/[^/]+/messages\.jsonl", lines=chat_files.is_jan,
    ),
}  # fmt: skip
_PATHS = {kind: re.compile(program.paths + r"\Z") for kind, program in PROGRAMS.items()}


def recognise_program(export: Export) -> str:
    """Return the program whose conversations an export contains, one of PROGRAMS; "" if it is none.

    If there are several, that with the most files.
    """
    counts = Counter(filter(None, (_by_path(export, name) for name in export.names)))
    if counts:
        return counts.most_common(1)[0][0]
    opened = [name for name in export.names if _is_opened(name)][:_SNIFFED]
    return next((kind for name in opened if (kind := _by_content(export, name))), "")


def read_program(export: Export, kind: str) -> Iterator[Bundle]:
    """Read the conversations of a program in an export. A single file is read whatever its name is."""
    program = PROGRAMS[kind]
    names = [name for name in export.names if _by_path(export, name) == kind]
    if not names:
        names = [name for name in export.names if _is_opened(name) and _by_content(export, name) == kind]
    elif len(export.names) > len(names):
        # In addition to files with the usual names there may be others: copies, exports.
        rest = [name for name in export.names if not _by_path(export, name) and _is_opened(name)][:_SNIFFED]
        names = sorted({*names, *(name for name in rest if _by_content(export, name) == kind)})
    if not names and len(export.names) == 1:
        names = [*export.names]
    if not names:
        yield Bundle(
            "",
            faults=[f"no conversations of {program.label} found; to list others: memos import --discover"],
        )
    yield from program.read(export, names)


def conversation_files(export: Export, kind: str) -> list[str]:
    """Return the files of a program, by their paths, that are conversations of their own."""
    part = re.compile(PROGRAMS[kind].part)
    return [
        name for name in export.names
        if _by_path(export, name) == kind and not part.search(_whole(export, name))
    ]  # fmt: skip


def _whole(export: Export, name: str) -> str:
    """Return the path of a file with a slash at the beginning, as the patterns expect."""
    return f"/{export.place(name).as_posix()}"


def _by_path(export: Export, name: str) -> str:
    whole = _whole(export, name)
    return next((kind for kind, pattern in _PATHS.items() if pattern.search(whole)), "")


def _is_opened(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _OPENED


def _by_content(export: Export, name: str) -> str:
    """Return the program of a file by its content."""
    ending = PurePosixPath(name).suffix.lower()
    if ending in (".jsonl", ".zst"):
        records = first_lines(export, name)
        return next((kind for kind, each in PROGRAMS.items() if each.lines and each.lines(records)), "")
    if ending == ".json":
        record = mapping(first_record(export, name))
        return next((kind for kind, each in PROGRAMS.items() if each.record and each.record(record)), "")
    if ending == ".md":
        is_alone = len(export.names) == 1
        return aider.KIND if is_alone and aider.is_history(export.head(name, _HEAD)) else ""
    if not is_database(export, name):
        return ""
    try:
        with open_database(export, name) as db:
            found = (kind for kind, each in PROGRAMS.items() if any(db.has(*t.split()) for t in each.tables))
            return next(found, "")
    except MemosError:
        if len(export.names) == 1:
            raise
        return ""
