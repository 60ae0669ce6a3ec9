"""Kinds of things in exports: what is said comes, what programs say to each other stays out."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import exports
import pytest

from memos_cli.errors import MemosError
from memos_cli.interface.importing.formats.note_exports import tags_of
from memos_cli.interface.importing.importers import IMPORTS, kind_of, open_export


def imported(path: Path, kind: str = "") -> tuple[list[str], list[str]]:
    """The texts of an export, and its faults."""
    with open_export(path) as export:
        bundles = [*IMPORTS[kind_of(export, kind)].read(export)]
        faults = [*export.faults, *(fault for bundle in bundles for fault in bundle.faults)]
    return [draft.text for bundle in bundles for draft in bundle.drafts], faults


def said(id: str, role: str, kind: str, **known: Any) -> dict[str, Any]:
    content = {
        key: known.pop(key) for key in ("parts", "text", "language", "thoughts", "result") if key in known
    }
    return exports.message(id, role, {"content_type": kind, **content}, kind=kind) | known | {
        "content": {"content_type": kind, **content}
    }  # fmt: skip


def answer(text: str) -> dict[str, Any]:
    return said("m1", "assistant", "text", parts=[text])


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (said("m1", "user", "text", parts=["Hi"]), "Hi"),
        (said("m1", "user", "text", parts=["\ue200x\ue202b\ue201【1†2】"]), "\ue200x\ue202b\ue201【1†2】"),
        (answer("At nine \ue200cite\ue202turn0search0\ue202turn1\ue201."), "At nine."),
        (answer("In \ue200entity\ue202[\"city\",\"Oslo\",\"x\"]\ue201."), "In Oslo."),
        (answer("See \ue200url\ue202A\ue202https://a.b\ue201."), "See [A](https://a.b)."),
        (answer("See【4:0†tides.pdf】, 【注】."), "See, 【注】."),
        (said("m1", "assistant", "code", text="x", language="python"), "```python\nx\n```"),
        (said("m1", "assistant", "code", text="{}", recipient="web"), ""),
        (said("m1", "assistant", "text", parts=["x"], recipient="bio"), ""),
        (said("m1", "assistant", "text", parts=["hm"], channel="analysis"), ""),
        (said("m1", "assistant", "thoughts", thoughts=[{"content": "hm"}]), ""),
        (said("m1", "assistant", "reasoning_recap", text="Thought for 3 s"), ""),
        (said("m1", "tool", "execution_output", text="4"), ""),
        (said("m1", "tool", "text", parts=["Model set context updated."]), ""),
        (said("m1", "tool", "tether_quote", text="a page"), ""),
        (said("m1", "system", "text", parts=["You are"]), ""),
        (said("m1", "user", "multimodal_text", parts=[{"text": "spoken"}, {"asset": "x"}]), "spoken"),
    ],
)  # fmt: skip
def test_visible_texts_of_chatgpt_are_imported(tmp_path: Path, message: dict[str, Any], text: str) -> None:
    path = exports.write_json(tmp_path / "conversations.json", [exports.chat("c", "C", message)])
    assert imported(path, "chatgpt") == ([text] if text else [], [])


PLACEHOLDER = "```\nThis block is not supported on your current device yet.\n```"


@pytest.mark.parametrize(
    ("sender", "content", "text", "expected"),
    [
        ("assistant", [{"type": "text", "text": "At six."}], "other", "At six."),
        ("assistant", [{"type": "tool_use", "input": {}}], f"{PLACEHOLDER}\n\n{PLACEHOLDER}", ""),
        ("assistant", [], f"At six.\n{PLACEHOLDER}", "At six."),
        ("assistant", [{"type": "text", "text": f"One.\n{PLACEHOLDER}\n\nTwo."}], "", "One.\n\n\nTwo."),
        ("assistant", [{"type": "thinking", "thinking": "Let me look."}], f"Let me look.{PLACEHOLDER}", ""),
        ("assistant", [{"type": "tool_result", "text": "raw"}, {"type": "text", "text": None}], None, ""),
        ("human", [{"type": "voice_note", "title": "Note", "text": "spoken"}], "", "spoken"),
        ("human", [{"type": "voice_note", "transcript": "spoken"}], "", "spoken"),
        ("human", None, f"What is {PLACEHOLDER}?", f"What is {PLACEHOLDER}?"),
        ("human", None, None, ""),
    ],
)
def test_visible_texts_of_claude_are_imported(
    tmp_path: Path, sender: str, content: Any, text: str | None, expected: str
) -> None:
    message = {"uuid": "a", "sender": sender, "text": text, "content": content}
    record = {"uuid": "u", "name": "N", "chat_messages": [message]}
    path = exports.write_json(tmp_path / "conversations.json", [record])
    assert imported(path) == ([expected] if expected else [], [])


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#123 #1984 #12-3 #ff0000 #FFF #0a0 #11223344 #", ""),
        ("#y2024 #e2e #facade #b2b #1a2b3", "y2024 e2e facade b2b 1a2b3"),
        ("#a/b/ #work-done, (#x) #日本。 #café! #📚b #cafe\u0301s", "a/b work-done x 日本 café 📚b cafés"),
        (r"\#no a#b https://a.b/#c `#d` ``#e`` [l](#f)", ""),
        ("```c\n#include <x>\n```\n\n~~~\n#define\n~~~\n\ntext\n\n    #indented\n", ""),
        ("<!-- #no -->\n\ntext <!-- #no --> %%#no%%", ""),
        ("# Heading #yes\n\n> #quoted\n\n| a |\n|---|\n| #cell |\n", "yes quoted cell"),
        ("- [hull] oak #wood\n- [ ] paint\n- [x] done\n\n```\n- [no] x\n```\n", "observation/hull wood"),
    ],
)  # fmt: skip
def test_tags_are_those_that_obsidian_shows(text: str, tags: str) -> None:
    assert tags_of(text) == set(tags.split())


def test_links_in_code_are_none(tmp_path: Path) -> None:
    (tmp_path / "boat.md").write_text("Blue.")
    (tmp_path / "a.md").write_text("```sh\nif [[ boat ]]; then\n```\n\nAnd `[[boat]]`.\n")
    (tmp_path / "b.md").write_text("See [[Boat|the boat]].")
    with open_export(tmp_path) as export:
        bundles = {bundle.uri: len(bundle.relations) for bundle in IMPORTS["notes"].read(export)}
    assert bundles == {"notes:a.md": 0, "notes:b.md": 1, "notes:boat.md": 0}


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_is_json_in_a_json_string_is_read(tmp_path: Path, times: int) -> None:
    data: Any = exports.LETTA
    for _ in range(times):
        data = json.dumps(data, indent=1)
    found, faults = imported(exports.write_json(tmp_path / "sam.json", data))
    assert ("You are Sam." in found, faults) == (True, [])


def test_lines_of_the_mcp_server_end_at_line_feeds_only(tmp_path: Path) -> None:
    odd = "one\u2028two\u2029three\u0085four\u000bfive"
    lines = [{"type": "entity", "name": "Ana", "entityType": "x", "observations": [odd]}] * 2
    path = tmp_path / "memory.jsonl"
    path.write_text(
        "\r\n".join(json.dumps(line, ensure_ascii=False).replace("\\u000b", "") for line in lines)
    )
    assert imported(path) == ([odd.replace("\u000b", "")] * 2, [])


# --- archives --------------------------------------------------------------------------------------


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def nested(depth: int) -> bytes:
    data = packed({"Harbour.md": b"The ferry leaves at nine."})
    for _ in range(depth):
        data = packed({"Export-Part-1.zip": data})
    return data


def test_files_added_by_macos_are_ignored(tmp_path: Path) -> None:
    files = {"mem0.json": json.dumps([{"id": "a", "memory": "Tea.", "hash": ""}]).encode()}
    shadows = {"__MACOSX/._mem0.json": b"\0\5\26\7", "._mem0.json": b"\0", ".DS_Store": b"\0\0\0\1Bud1"}
    (tmp_path / "a.zip").write_bytes(packed(files | shadows))
    assert imported(tmp_path / "a.zip") == (["Tea."], [])
    for name, data in (files | shadows).items():
        (tmp_path / "b" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "b" / name).write_bytes(data)
    assert imported(tmp_path / "b") == (["Tea."], [])


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_inner_archives_are_opened_or_reported(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "n.zip"
    path.write_bytes(packed({"a.md": b"Alone.", "deep.zip": nested(depth - 1), "bad.zip": b"PK\3\4no"}))
    found, faults = imported(path)
    assert found == (["The ferry leaves at nine.", "Alone."] if depth < 4 else ["Alone."])
    assert len(faults) == (1 if depth < 4 else 2)
    assert all("unpack it yourself" in fault for fault in faults)


def zip_named(names: list[bytes], extra: list[bytes] | None = None) -> bytes:
    """An archive of empty files whose names are these bytes, without the flag that says UTF-8."""
    body, directory = b"", b""
    for name, more in zip(names, extra or [b""] * len(names), strict=True):
        head = struct.pack("<HHHHHIII", 20, 0, 0, 0, 33, 0, 0, 0)
        directory += b"PK\1\2" + struct.pack("<H", 20) + head
        directory += struct.pack("<HHHHHII", len(name), len(more), 0, 0, 0, 0, len(body)) + name + more
        body += b"PK\3\4" + head + struct.pack("<HH", len(name), 0) + name
    end = struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gb18030", ["会议记录.md", "笔记/港口.md", "读书笔记 2026.md"]),
        ("gb18030", ["新建文件夹/新建文本文档.md"]),
        ("gb18030", ["日记.md"]),
        ("cp950", ["購物清單.md", "會議記錄.md"]),
        ("cp950", ["功課\\日記.md"]),
        ("cp932", ["会議メモ.md", "ノート/港.md"]),
        ("cp932", ["表示ソ能.md"]),
        ("cp932", ["東京.md"]),
        ("cp932", ["議事録.md"]),
        ("cp949", ["회의 기록.md", "항구 메모장.md"]),
        ("cp866", ["Отчёт.md", "Заметки/Порт.md"]),
        ("cp437", ["Müller.md", "Été.md"]),
        ("utf-8", ["café.md", "日本.md"]),
        ("ascii", ["plain.md"]),
    ],
)
def test_names_in_archives_are_decoded(tmp_path: Path, encoding: str, names: list[str]) -> None:
    path = tmp_path / "n.zip"
    path.write_bytes(zip_named([name.encode(encoding) for name in names]))
    with open_export(path) as export:
        assert set(export.names) == {name.replace("\\", "/") for name in names}
        assert [export.read(name) for name in export.names] == [b""] * len(names)


def test_the_unicode_path_of_info_zip_wins(tmp_path: Path) -> None:
    raw, name = b"caf?.md", "café 日.md"

    def field(crc: int) -> bytes:
        value = b"\1" + struct.pack("<I", crc) + name.encode()
        return struct.pack("<HH", 0x7075, len(value)) + value

    for crc, expected in ((zlib.crc32(raw), name), (1, raw.decode())):
        (tmp_path / "n.zip").write_bytes(zip_named([raw], [field(crc)]))
        with open_export(tmp_path / "n.zip") as export:
            assert export.names == (expected,)


SEEDS = {
    "chatgpt": exports.CHATS, "claude": [*exports.CLAUDE, *exports.PROJECTS, *exports.MEMORIES],
    "mem0": exports.MEM0, "letta": exports.LETTA, "memos": exports.TREE, "mcp": exports.MCP,
    "plain": [{"id": "l1", "role": "user", "text": "The pump runs."}],
}  # fmt: skip
NAMES = {
    "chatgpt": ("conversations.json",), "claude": ("conversations.json", "projects.json", "memories.json"),
    "mem0": ("mem0.json",), "letta": ("sam.af",), "memos": ("textual_memory.json",),
    "mcp": ("memory.jsonl",), "plain": ("log.jsonl",),
}  # fmt: skip
OTHERS = ({}, [], {"a": {}}, [[]], 7, -1e400, None, "", True, [None, "x", {"type": []}])


def with_each_part_replaced(whole: Any, other: Any) -> Iterator[Any]:
    """``whole`` with one of its parts, at any depth, replaced by ``other``."""
    yield other
    if isinstance(whole, (dict, list)):
        for key in [*whole] if isinstance(whole, dict) else range(len(whole)):
            for part in with_each_part_replaced(whole[key], other):
                changed = whole.copy()
                changed[key] = part
                yield changed


@pytest.mark.parametrize("kind", SEEDS)
def test_a_value_of_any_type_anywhere_is_no_more_than_a_fault(tmp_path: Path, kind: str) -> None:
    for other in OTHERS:
        for changed in with_each_part_replaced(SEEDS[kind], other):
            for name in NAMES[kind]:
                lines = isinstance(changed, list) and name.endswith("l")
                text = "\n".join(map(json.dumps, changed)) if lines else json.dumps(changed)
                (tmp_path / name).write_text(text)
            with suppress(MemosError):
                imported(tmp_path, kind)
