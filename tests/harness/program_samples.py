"""Conversations as coding agents and local chat programs store them, in small.

NOISE marks what nobody said, UNDONE what was taken back or replaced later.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

Turn = tuple[str, str, str]
"""The role, the author and the text of a turn."""

ASK = "Which port does the staging database use?"
ANSWER = "It listens on port 5435."
MORE = "And who may restart it?"
LAST = "Only Ines, on weekdays."
TALK = (("user", ASK), ("assistant", ANSWER), ("user", MORE), ("assistant", LAST))
SESSION = "0a1b2c3d-4e5f-4061-8071-2a3b4c5d6e7f"
FOLDER = "/srv/work/harbour"
START = 1_764_000_000
"""Seconds; 2025-11-24T16:00:00Z."""


def lines(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path


def document(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def database(path: Path, script: str, **rows: list[tuple[Any, ...]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(script)
        for table, values in rows.items():
            marks = ", ".join("?" * len(values[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        db.commit()
    return path


def iso(second: int) -> str:
    return f"2025-11-24T16:00:{second:02}.000Z"


def claude_line(
    uuid: str, parent: str, role: str, content: Any, second: int = 0, **known: Any
) -> dict[str, Any]:
    message = {"role": role, "content": content} | ({"id": f"msg-{uuid}"} if role == "assistant" else {})
    return {
        "parentUuid": parent or None, "isSidechain": False, "type": role, "uuid": uuid, "sessionId": SESSION,
        "timestamp": iso(second), "cwd": FOLDER, "version": "2.1.239", "message": message, **known,
    }  # fmt: skip


def uuid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def said(value: str, kind: str = "text") -> list[dict[str, str]]:
    return [{"type": kind, "text": value}]


CLAUDE = [
    {"type": "mode", "mode": "normal", "sessionId": SESSION},
    claude_line(uuid(1), "", "user", "<command-name>NOISE</command-name>"),
    claude_line(uuid(2), uuid(1), "user", "Caveat: NOISE", isMeta=True),
    claude_line(uuid(3), uuid(2), "user", f"<system-reminder>NOISE</system-reminder>{ASK}", 1),
    claude_line(uuid(4), uuid(3), "assistant", [{"type": "thinking", "thinking": "NOISE"}], 2),
    claude_line(uuid(5), uuid(4), "assistant", said(ANSWER), 3),
    claude_line(uuid(6), uuid(5), "assistant", [{"type": "tool_use", "input": {"a": "NOISE"}}], 4),
    claude_line(uuid(7), uuid(6), "user", [{"type": "tool_result", "content": "NOISE"}], 5),
    claude_line(uuid(8), uuid(7), "user", "UNDONE prompt", 6),
    claude_line(uuid(9), uuid(8), "assistant", said("UNDONE answer"), 7),
    claude_line(uuid(10), uuid(7), "user", MORE, 8),
    claude_line(uuid(11), uuid(10), "assistant", said(LAST), 9),
    claude_line(uuid(12), uuid(11), "user", "NOISE summary", 10, isCompactSummary=True),
    {"type": "attachment", "uuid": uuid(13), "parentUuid": uuid(12), "sessionId": SESSION,
     "attachment": {"type": "hook_additional_context", "content": "NOISE"}},
    {"type": "ai-title", "sessionId": SESSION, "aiTitle": "Staging database"},
]  # fmt: skip


def claude_code(folder: Path) -> Path:
    base = folder / ".claude"
    project = base / "projects" / "-srv-work-harbour"
    lines(project / f"{SESSION}.jsonl", *CLAUDE)
    agent = {"isSidechain": True, "agentId": "a1"}
    lines(
        project / SESSION / "subagents" / "agent-a1.jsonl",
        claude_line(uuid(21), "", "user", "Find the port.", 3, **agent),
        claude_line(uuid(22), uuid(21), "assistant", said("Port 5435."), 4, **agent),
    )
    (project / "memory").mkdir()
    (project / "memory" / "MEMORY.md").write_text("# Harbour\n\nThe harbour master prefers short reports.\n")
    document(base / "settings.json", {"NOISE": True})
    lines(base / "history.jsonl", {"display": "NOISE", "timestamp": START * 1000, "project": FOLDER})
    return base


def codex_lines(id: str, talk: Any = TALK, second: int = 0, **known: Any) -> list[dict[str, Any]]:
    head = {
        "id": id,
        "timestamp": iso(0),
        "cwd": FOLDER,
        "originator": "codex_cli_rs",
        "source": "cli",
        **known,
    }
    found: list[dict[str, Any]] = [
        {"type": "session_meta", "payload": head},
        {"type": "response_item", "payload": {"type": "message", "role": "developer",
                                              "content": said("NOISE", "input_text")}},
        {"type": "response_item", "payload": {
            "type": "message", "role": "user",
            "content": said("<environment_context>NOISE</environment_context>", "input_text")}},
    ]  # fmt: skip
    for role, value in talk:
        kind = "input_text" if role == "user" else "output_text"
        event = "user_message" if role == "user" else "agent_message"
        found += [
            {"type": "response_item",
             "payload": {"type": "message", "role": role, "content": said(value, kind)}},
            {"type": "event_msg", "payload": {"type": event, "message": value}},
            {"type": "response_item", "payload": {"type": "reasoning", "summary": said("NOISE")}},
            {"type": "response_item", "payload": {"type": "function_call", "arguments": "NOISE"}},
            {"type": "response_item", "payload": {"type": "function_call_output", "output": "NOISE"}},
        ]  # fmt: skip
    return [{"timestamp": iso(second + at), **each} for at, each in enumerate(found)]


def codex(folder: Path) -> Path:
    base = folder / ".codex"
    undone = [
        {"timestamp": iso(50), "type": "event_msg", "payload": {"type": "user_message", "message": "UNDONE"}},
        {
            "timestamp": iso(51),
            "type": "event_msg",
            "payload": {"type": "agent_message", "message": "UNDONE"},
        },
        {
            "timestamp": iso(52),
            "type": "event_msg",
            "payload": {"type": "thread_rolled_back", "num_turns": 1},
        },
    ]
    name = f"rollout-2025-11-24T16-00-00-{SESSION}.jsonl"
    lines(base / "sessions" / "2025" / "11" / "24" / name, *codex_lines(SESSION), *undone)
    lines(base / "session_index.jsonl", {"id": SESSION, "thread_name": "Staging database"})
    return base


def gemini(folder: Path) -> Path:
    base = folder / ".gemini"
    kinds = {"user": "user", "assistant": "gemini"}
    found: list[dict[str, Any]] = [
        {"sessionId": SESSION, "projectHash": "0" * 64, "startTime": iso(0), "kind": "main"}
    ]
    found.append({"id": "m1", "timestamp": iso(1), "type": "gemini", "content": "UNDONE"})
    for at, (role, value) in enumerate(TALK):
        found.append({"id": f"m{at}", "timestamp": iso(at), "type": kinds[role], "content": [{"text": value}],
                      "thoughts": [{"description": "NOISE"}], "toolCalls": [{"name": "NOISE"}]})  # fmt: skip
    found += [
        {"id": "m9", "timestamp": iso(9), "type": "user", "content": "UNDONE"},
        {"id": "m10", "timestamp": iso(10), "type": "gemini", "content": "UNDONE"},
        {"$rewindTo": "m9"},
        {"id": "m11", "timestamp": iso(11), "type": "info", "content": "NOISE"},
        {"$set": {"summary": "Staging database", "directories": [FOLDER]}},
    ]
    found[1], found[2] = found[2], found[1]  # the answer that is replaced stands after the question
    lines(base / "tmp" / "harbour" / "chats" / "session-2025-11-24T16-00-0a1b2c3d.jsonl", *found)
    return base


def cursor(folder: Path) -> Path:
    base = folder / ".cursor" / "projects" / "srv-work-harbour" / "agent-transcripts" / SESSION
    found: list[dict[str, Any]] = []
    for role, value in TALK:
        text = f"<rules>NOISE</rules>\n<user_query>\n{value}\n</user_query>" if role == "user" else value
        parts = [*said(text), {"type": "tool_use", "name": "Shell", "input": {"command": "NOISE"}}]
        found.append({"role": role, "message": {"content": parts}})
    lines(base / f"{SESSION}.jsonl", *found, {"type": "turn_ended", "status": "NOISE"})
    bubbles, headers = [], []
    for at, (role, value) in enumerate(TALK):
        id, kind = f"b{9 - at}", 1 if role == "user" else 2
        headers.append({"bubbleId": id, "type": kind})
        bubble = {"type": kind, "text": f"{value} (editor)", "createdAt": iso(at),
                  "thinking": {"text": "NOISE"}, "workspaceProjectDir": FOLDER}  # fmt: skip
        bubbles.append((f"bubbleId:c-1:{id}", json.dumps(bubble)))
    bubbles.append(("bubbleId:c-1:b0", json.dumps({"type": 2, "text": "NOISE: in no header"})))
    composer = {"composerId": "c-1", "name": "Staging database", "createdAt": START * 1000,
                "fullConversationHeadersOnly": headers}  # fmt: skip
    database(
        folder / ".cursor" / "User" / "globalStorage" / "state.vscdb",
        "CREATE TABLE ItemTable (key TEXT, value BLOB); CREATE TABLE cursorDiskKV (key TEXT, value BLOB);",
        cursorDiskKV=[("composerData:c-1", json.dumps(composer)), *bubbles, ("agentKv:x", "NOISE")],
        ItemTable=[("secret", "NOISE")],
    )
    return folder / ".cursor"


LLM = """
CREATE TABLE conversations (id TEXT, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, response TEXT,
                        conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT, reasoning TEXT);
CREATE TABLE threads (id TEXT, name TEXT, tip_message_hash TEXT, forked_from TEXT, datetime_utc TEXT);
CREATE TABLE turns (id TEXT, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT,
                    resolved_model TEXT, datetime_utc TEXT);
CREATE TABLE messages (hash TEXT, parent_hash TEXT, role TEXT);
CREATE TABLE parts (id INTEGER, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT, text TEXT,
                    payload TEXT);
"""


def llm(folder: Path) -> Path:
    when = "2025-11-24T16:00:01.123456"
    return database(
        folder / "io.datasette.llm" / "logs.db", LLM,
        conversations=[("c1", "Staging database", "echo")],
        responses=[("r1", "echo", ASK, "NOISE", "NOISE", ANSWER, "c1", 5, when, "NOISE"),
                   ("t1", "echo", MORE, "NOISE", "NOISE", LAST, "c1", 5, when, "NOISE")],
        threads=[("c1", "Staging database", "h5", None, when)],
        turns=[("t1", "c1", "h3", "h5", "echo", "echo", when)],
        messages=[("h0", None, "system"), ("h1", "h0", "user"), ("h2", "h1", "assistant"),
                  ("h3", "h2", "user"), ("h4", "h3", "tool"), ("h5", "h4", "assistant")],
        parts=[(1, "h0", 0, "text", None, "NOISE", None), (2, "h1", 0, "text", None, ASK, None),
               (3, "h2", 0, "text", None, ANSWER, None),
               (4, "h3", 0, "text", None, None,
                json.dumps({"text_ref": [{"fragment": 1}, {"literal": MORE}]})),
               (5, "h4", 0, "tool_result", "x", "NOISE", None),
               (6, "h5", 0, "reasoning", None, "NOISE", None), (7, "h5", 1, "text", None, LAST, None)],
    )  # fmt: skip


def webui_chat() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    parent = None
    for at, (role, value) in enumerate(TALK):
        text = (
            f'<details type="reasoning" done="true">NOISE</details>\n{value}'
            if role == "assistant"
            else value
        )
        messages[f"m{at}"] = {"id": f"m{at}", "parentId": parent, "role": role, "content": text,
                              "timestamp": START + at, "model": "llama3"}  # fmt: skip
        parent = f"m{at}"
    messages["m9"] = {"id": "m9", "parentId": "m0", "role": "assistant", "content": "NOISE: regenerated"}
    return {
        "title": "Staging database",
        "history": {"messages": messages, "currentId": parent},
        "messages": [],
    }


def open_webui(folder: Path) -> Path:
    return database(
        folder / "webui.db",
        """CREATE TABLE user (id TEXT, name TEXT);
           CREATE TABLE chat (id TEXT, user_id TEXT, title TEXT, chat TEXT, created_at INTEGER,
                              updated_at INTEGER, meta TEXT);
           CREATE TABLE memory (id TEXT, user_id TEXT, content TEXT, created_at INTEGER,
                                updated_at INTEGER);""",
        user=[("u1", "Ann")],
        chat=[("w1", "u1", "Staging database", json.dumps(webui_chat()), START, START, '{"tags": ["ops"]}')],
        memory=[("n1", "u1", "Ann prefers tea.", START, START)],
    )


def lm_studio(folder: Path) -> Path:
    messages: list[dict[str, Any]] = []
    for role, value in TALK:
        if role == "user":
            version = {"type": "singleStep", "role": "user", "content": said(value)}
        else:
            steps = [
                {"type": "contentBlock", "style": {"type": "thinking"}, "content": said("NOISE")},
                {"type": "contentBlock", "content": [*said(value), *said("NOISE", "toolCallRequest")]},
                {"type": "debugInfoBlock", "debugInfo": "NOISE"},
            ]
            sender = {"senderName": "qwen3"}
            version = {"type": "multiStep", "role": "assistant", "senderInfo": sender, "steps": steps}
        messages.append(
            {"versions": [{"role": role, "content": said("NOISE")}, version], "currentlySelected": 1}
        )
    value = {"name": "Staging database", "createdAt": START * 1000, "messages": messages}
    document(folder / "conversations" / "work" / "1764000000000.conversation.json", value)
    return folder / "conversations"


def aider(folder: Path) -> Path:
    path = folder / "harbour" / ".aider.chat.history.md"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"\n# aider chat started at 2025-11-24 16:00:00\n\n> Aider v0.86 NOISE  \n> Model: NOISE  \n\n"
        f"#### /add NOISE  \n\n> Added NOISE  \n\n#### {ASK}  \n\n{ANSWER}\n\n> Tokens: NOISE  \n\n"
        f"# aider chat started at 2025-11-25 08:00:00\n\n#### /ask {MORE}  \n\n{LAST}\n\n#### A heading\n\n"
        "> Cited.\n"
    )
    return path


def continue_(folder: Path) -> Path:
    history = [
        {"message": {"role": role, "content": said(value) if role == "user" else value},
         "contextItems": [{"content": "NOISE"}], "reasoning": {"text": "NOISE"}}
        for role, value in TALK
    ]  # fmt: skip
    history.insert(2, {"message": {"role": "tool", "content": "NOISE"}})
    sessions = folder / ".continue" / "sessions"
    known = {"sessionId": SESSION, "title": "Staging database", "workspaceDirectory": f"file://{FOLDER}"}
    document(sessions / f"{SESSION}.json", {**known, "history": history})
    document(sessions / "sessions.json", [{**known, "dateCreated": str(START * 1000)}])
    return folder / ".continue"


def cline(folder: Path) -> Path:
    base = folder / "globalStorage" / "saoudrizwan.claude-dev"
    kinds = ("text", "text", "user_feedback", "completion_result")
    found: list[dict[str, Any]] = [
        {"ts": (START + at) * 1000, "type": "say", "say": kind, "text": value}
        for at, (kind, (_, value)) in enumerate(zip(kinds, TALK, strict=True))
    ]
    found.insert(1, {"ts": START * 1000 + 1, "type": "say", "say": "api_req_started", "text": "NOISE"})
    found.insert(2, {"ts": START * 1000 + 2, "type": "ask", "ask": "tool", "text": "NOISE"})
    found.insert(
        3, {"ts": START * 1000 + 3, "type": "say", "say": "text", "text": "NOISE: half", "partial": True}
    )
    task = base / "tasks" / str(START * 1000)
    document(task / "ui_messages.json", found)
    document(
        task / "api_conversation_history.json", [{"role": "user", "content": said("<task>NOISE</task>")}]
    )
    document(
        base / "state" / "taskHistory.json", [{"id": str(START * 1000), "cwdOnTaskInitialization": FOLDER}]
    )
    return base


def goose(folder: Path) -> Path:
    rows = []
    for at, (role, value) in enumerate(TALK):
        parts = [
            *said(value),
            {"type": "toolRequest", "text": "NOISE"},
            {"type": "thinking", "text": "NOISE"},
        ]
        if role == "user":
            parts = [*said("<info-msg>NOISE</info-msg>"), *parts]
        rows.append((at, "20251124_1", role, json.dumps(parts), START + at, "{}", f"m{at}"))
    hidden = (9, "20251124_1", "user", json.dumps(said("NOISE")), START, '{"userVisible": false}', "m9")
    return database(
        folder / "goose" / "sessions" / "sessions.db",
        """CREATE TABLE sessions (id TEXT, name TEXT, description TEXT, working_dir TEXT, created_at TEXT,
                                  session_type TEXT);
           CREATE TABLE messages (id INTEGER, session_id TEXT, role TEXT, content_json TEXT,
                                  created_timestamp INTEGER, metadata_json TEXT, message_id TEXT);""",
        sessions=[("20251124_1", "Staging database", "", FOLDER, "2025-11-24 16:00:00", "user")],
        messages=[*rows, hidden],
    )


def opencode(folder: Path) -> Path:
    messages, parts = [], []
    for at, (role, value) in enumerate(TALK):
        messages.append((f"msg{at}", "ses_1", (START + at) * 1000, json.dumps({"role": role})))
        parts += [
            (f"p{at}0", f"msg{at}", "ses_1", json.dumps({"type": "text", "text": value})),
            (
                f"p{at}1",
                f"msg{at}",
                "ses_1",
                json.dumps({"type": "text", "text": "NOISE", "synthetic": True}),
            ),
            (f"p{at}2", f"msg{at}", "ses_1", json.dumps({"type": "tool", "text": "NOISE"})),
        ]
    return database(
        folder / "opencode.db",
        """CREATE TABLE session (id TEXT, parent_id TEXT, directory TEXT, title TEXT, time_updated INTEGER);
           CREATE TABLE message (id TEXT, session_id TEXT, time_created INTEGER, data TEXT);
           CREATE TABLE part (id TEXT, message_id TEXT, session_id TEXT, data TEXT);""",
        session=[("ses_1", None, FOLDER, "Staging database", START * 1000)],
        message=messages,
        part=parts,
    )


def opencode_files(folder: Path) -> Path:
    base = folder / "storage"
    about = {
        "id": "ses_1",
        "directory": FOLDER,
        "title": "Staging database",
        "time": {"created": START * 1000},
    }
    document(base / "session" / "p1" / "ses_1.json", about)
    for at, (role, value) in enumerate(TALK):
        message = {"id": f"msg{at}", "role": role, "time": {"created": (START + at) * 1000}}
        document(base / "message" / "ses_1" / f"msg{at}.json", message)
        document(base / "part" / f"msg{at}" / "1.json", {"type": "text", "text": value})
        document(base / "part" / f"msg{at}" / "2.json", {"type": "reasoning", "text": "NOISE"})
    return base


def zed(folder: Path, kind: str = "json", pack: Callable[[bytes], bytes] = bytes) -> Path:
    messages: list[Any] = []
    for role, value in TALK:
        if role == "user":
            messages.append(
                {"User": {"id": "1", "content": [{"Text": value}, {"Mention": {"content": "NOISE"}}]}}
            )
        else:
            parts = [{"Thinking": {"text": "NOISE"}}, {"Text": value}, {"ToolUse": {"input": "NOISE"}}]
            messages.append({"Agent": {"content": parts, "tool_results": {"x": "NOISE"}}})
    messages.append("Resume")
    data = pack(json.dumps({"version": "0.3.0", "messages": messages}).encode())
    return database(
        folder / "threads" / "threads.db",
        """CREATE TABLE threads (id TEXT, summary TEXT, updated_at TEXT, data_type TEXT, data BLOB,
                                 parent_id TEXT, folder_paths TEXT, created_at TEXT);""",
        threads=[("z1", "Staging database", iso(9), kind, data, None, FOLDER, iso(0))],
    )


def jan(folder: Path) -> Path:
    thread = folder / "Jan" / "data" / "threads" / "j1"
    document(thread / "thread.json", {"id": "j1", "title": "Staging database"})
    found = [
        {"id": f"m{at}", "object": "thread.message", "thread_id": "j1", "role": role,
         "created_at": (START + at) * 1000,
         "content": [{"type": "text", "text": {"value": value}},
                     {"type": "reasoning", "text": {"value": "NOISE"}}]}
        for at, (role, value) in enumerate(TALK)
    ]  # fmt: skip
    lines(thread / "messages.jsonl", *found)
    return folder / "Jan"


WRITERS: dict[str, Callable[[Path], Path]] = {
    "claude-code": claude_code, "codex": codex, "gemini-cli": gemini, "cursor": cursor, "llm": llm,
    "open-webui": open_webui, "lm-studio": lm_studio, "aider": aider, "continue": continue_, "cline": cline,
    "goose": goose, "opencode": opencode, "zed": zed, "jan": jan,
}  # fmt: skip


def talk(author: str, *, user: str = "", ending: str = "") -> list[Turn]:
    return [(role, user if role == "user" else author, value + ending) for role, value in TALK]


TURNS: dict[str, list[Turn]] = {
    "claude-code": [
        *talk("Claude"),
        ("user", "Claude", "Find the port."),
        ("assistant", "Claude", "Port 5435."),
    ],
    "codex": talk("Codex"),
    "gemini-cli": talk("Gemini"),
    "cursor": [*talk("Cursor", ending=" (editor)"), *talk("Cursor")],
    "llm": talk("echo"),
    "open-webui": talk("llama3"),
    "lm-studio": talk("qwen3"),
    "aider": [*talk("aider")[:3], ("assistant", "aider", f"{LAST}\n\n#### A heading\n\n> Cited.")],
    "continue": talk("Continue"),
    "cline": talk("Cline"),
    "goose": talk("Goose"),
    "opencode": talk("OpenCode"),
    "zed": talk("Zed"),
    "jan": talk("Jan"),
}
"""What was said in each of them, in order."""


def write_all(folder: Path) -> dict[str, Path]:
    """Write a sample of each program in a folder of its own."""
    return {kind: write(folder / kind) for kind, write in WRITERS.items()}
