"""Sources: every kind becomes drafts whose spans read as they say, and nothing hostile crashes it."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.cube import Draft
from memos_cli.errors import MemosError, UsageError
from memos_cli.interface.ingest.sources.kinds import kind_of_text
from memos_cli.interface.ingest.sources.pieces import cut, date_in, read_time
from memos_cli.interface.ingest.sources.reading import Reading, read, read_bytes
from memos_cli.interface.ingest.sources.walk import Found, Unreadable, find
from memos_cli.interface.options import ReadOptions
from memos_cli.moments import parse_time

LIMIT = 1_000_000


def reading(data: bytes | str, name: str = "", **hints: object) -> Reading:
    raw = data.encode() if isinstance(data, str) else data
    return read_bytes(raw, "stdin:", name, ReadOptions(**hints))  # type: ignore[arg-type]


def slices(result: Reading) -> list[str]:
    return [source_of(result, draft) for draft in result.drafts]


def source_of(result: Reading, draft: Draft) -> str:
    return result.data[draft.span.start : draft.span.end].decode(result.origin.encoding)


def texts(result: Reading) -> list[str]:
    return [draft.text for draft in result.drafts]


def found(paths: list[Path]) -> list[str]:
    return [item.path.name for item in find(paths, max_bytes=LIMIT) if isinstance(item, Found)]


def refused(paths: list[Path], max_bytes: int = LIMIT) -> list[str]:
    return [item.reason for item in find(paths, max_bytes=max_bytes) if isinstance(item, Unreadable)]


def tree(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


# --- spans -----------------------------------------------------------------------------------------

UNICODE = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        st.sampled_from("# \n\r\t`-=|字é😀."),
    ),
    max_size=400,
)


@given(
    UNICODE,
    st.sampled_from(["a.txt", "a.md", "a.py"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.integers(1, 60),
)
def test_prose_and_code_read_exactly_as_their_span(text: str, name: str, encoding: str, size: int) -> None:
    data = text.encode(encoding)
    try:
        result = reading(data, name, chunk_chars=size)
    except MemosError as error:
        assert "binary" in str(error)
        return
    assert slices(result) == texts(result)
    ends = [0, *(draft.span.end for draft in result.drafts)]
    assert all(before <= draft.span.start for before, draft in zip(ends, result.drafts, strict=False))
    assert all(text.strip() for text in texts(result))


@given(UNICODE, st.integers(1, 50))
def test_cutting_loses_no_character_but_white_space(text: str, size: int) -> None:
    assert "".join("".join(text[start:end] for start, end in cut(text, size)).split()) == "".join(
        text.split()
    )


@given(UNICODE)
def test_each_line_is_a_draft_that_reads_as_its_span(text: str) -> None:
    data = ("ok\n" + text).encode()
    try:
        result = reading(data, lines=True)
    except MemosError as error:
        assert "binary" in str(error)
        return
    assert (
        slices(result)
        == texts(result)
        == [line.strip() for line in data.decode().split("\n") if line.strip()]
    )


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\r\n\t,;"), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["id", "role", "name", "content", "text", "time", "tags", "type", "x"]), JSON
        )
    ),
    st.booleans(),
)
def test_a_jsonl_span_holds_its_record_and_any_record_is_taken_or_silent(
    records: list[dict[str, object]], ascii: bool
) -> None:
    lines = [json.dumps(record, ensure_ascii=ascii).encode("utf-8", "replace") for record in records]
    result = reading(b"\r\n".join(lines), "a.jsonl")
    assert result.failed == ()
    spans = {result.data[draft.span.start : draft.span.end] for draft in result.drafts}
    assert spans <= set(lines)
    for draft in result.drafts:
        assert draft.text.encode() and "\0" not in draft.text
        draft.digest()


@given(st.lists(JSON, max_size=5))
def test_a_json_span_holds_its_element(values: list[object]) -> None:
    result = reading(" " + json.dumps(values, indent=1, ensure_ascii=True), "a.json")
    assert result.failed == ()
    for text in slices(result):
        assert json.loads(text) in values


@given(st.lists(st.tuples(CELL, CELL), max_size=6))
def test_a_csv_span_holds_its_row(rows: list[tuple[str, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("head", "é"), *rows])
    data = out.getvalue().encode()
    result = reading(data, "a.csv")
    cells = [list(row) for row in csv.reader(io.StringIO(data.decode(), newline=""))]
    kept = [row for row in cells[1:] if any(cell.strip() for cell in row)]
    assert [next(csv.reader(io.StringIO(text, newline=""))) for text in slices(result)] == kept


# --- prose -----------------------------------------------------------------------------------------


def test_a_short_text_is_one_draft_titled_by_its_file() -> None:
    result = reading("\r\nOne thought.\r\nAnother.\r\n", "2025-06-12-minutes.txt")
    (draft,) = result.drafts
    assert (draft.text, draft.title) == ("One thought.\r\nAnother.", "2025-06-12-minutes")
    assert draft.time == parse_time("2025-06-12")
    assert (result.origin.kind, draft.type, draft.span.start) == ("text", "document", 2)


def test_long_text_is_cut_between_sentences_to_about_the_size() -> None:
    result = reading("A sentence of some words is here. " * 200, "a.txt", chunk_chars=300)
    assert len(result.drafts) > 20
    assert all(len(text) <= 300 and text.endswith(".") for text in texts(result))


def test_chinese_pieces_are_a_third_as_long() -> None:
    result = reading("今天天气很好,我们去公园散步。" * 100, "a.txt", chunk_chars=300)
    assert max(map(len, texts(result))) <= 100


def test_a_vault_in_a_folder_is_no_source(tmp_path: Path) -> None:
    tree(tmp_path, {"a.txt": "A.", "vault/VAULT.toml": "format = 1", "vault/memos.db": "rows"})
    assert found([tmp_path]) == ["a.txt"]


def test_a_number_of_thousands_of_digits_is_kept_as_it_is_written() -> None:
    digits = "7" * 5000
    for name in ("n.json", "n.jsonl"):
        result = reading(f'{{"text": "one", "n": {digits}}}', name)
        assert (texts(result), result.failed) == ([f"one\nn: {digits}"], ())


def test_one_huge_line_is_cut() -> None:
    for name, hints in (("a.txt", {}), ("a.md", {}), ("a.py", {}), ("", {"lines": True})):
        result = reading("x" * 100_000, name, **hints)
        assert "".join(texts(result)) == "x" * 100_000
        assert max(map(len, texts(result))) <= 900


def test_a_type_that_the_user_names_is_every_drafts_type() -> None:
    for name, data in (
        ("a.txt", "x"),
        ("a.md", "# x"),
        ("a.json", '[{"type": "fact", "text": "x"}]'),
        ("a.html", "<p>x"),
    ):
        assert [draft.type for draft in reading(data, name, type="skill").drafts] == ["skill"]


MARKDOWN = """---
title: "Garden notes"
date: 2024-03-01
type: fact
tags: [plants, "home/garden"]
---
Intro: what grows here, where, and since when.

# Spring

```sh
# not a heading, but a comment in the shell
```

## Beds

### North

Peas and beans, sown on the first day of March.

Autumn
------

Leaves: rake them before the first frost comes.
"""


def test_markdown_sections_are_titled_by_their_headings() -> None:
    result = reading(MARKDOWN, "garden.md")
    assert [(draft.title, draft.text.split("\n")[0]) for draft in result.drafts] == [
        ("Garden notes", "Intro: what grows here, where, and since when."),
        ("Garden notes › Spring", "# Spring"),
        ("Garden notes › Spring › Beds › North", "## Beds"),
        ("Garden notes › Spring › Autumn", "Autumn"),
    ]
    assert {(draft.time, draft.type, draft.tags) for draft in result.drafts} == {
        (parse_time("2024-03-01"), "fact", ("plants", "home/garden"))
    }
    assert slices(result) == texts(result)


def test_the_only_top_heading_is_the_documents_title() -> None:
    pond = "# Pond\nFrogs that were there before us, and fish.\n"
    pond += "## Depth\nTwo metres, but three at the old spring.\n"
    assert [d.title for d in reading(pond, "x.md").drafts] == ["Pond", "Pond › Depth"]
    assert [d.title for d in reading("# A\na\n# B\nb\n", "x.md").drafts] == ["x › A", "x › B"]


def test_front_matter_lists_may_stand_on_lines_of_their_own() -> None:
    (draft,) = reading("---\r\ntags:\r\n  - one\r\n  - '#two'\r\nother: x\r\n---\r\nText.\r\n", "a.md").drafts
    assert (draft.text, draft.tags) == ("Text.", ("one", "two"))


def test_front_matter_alone_is_kept_as_text() -> None:
    assert texts(reading("---\ntitle: only\n---\n", "a.md")) == ["---\ntitle: only\n---"]


# --- code ------------------------------------------------------------------------------------------

PYTHON = '''"""A module."""

import os


@decorated
def first(a):
    x = 1

    return x


# about Second
class Second:
    def method(self):
        return os.name
'''


def test_code_is_cut_before_definitions_and_titled_by_them() -> None:
    result = reading(PYTHON, "tool.py", chunk_chars=77)
    assert [(draft.title, draft.text.split("\n")[0]) for draft in result.drafts] == [
        ("tool.py", '"""A module."""'),
        ("tool.py › first", "@decorated"),
        ("tool.py › Second", "# about Second"),
    ]
    assert [draft.title for draft in reading(PYTHON, "tool.py").drafts] == ["tool.py › first"]


def test_a_long_definition_is_cut_at_lines_and_keeps_its_name() -> None:
    body = "".join(f"    step_{number}()\n" for number in range(50))
    result = reading("def long():\n" + body, "a.py", chunk_chars=200)
    assert len(result.drafts) > 3
    assert {draft.title for draft in result.drafts} == {"a.py › long"}
    assert all(text.endswith("()") or text.endswith(":") for text in texts(result))
    assert texts(result)[1].startswith("    step_")  # indentation is part of the code


@pytest.mark.parametrize(
    ("name", "line", "title"),
    [
        ("a.rs", "pub(crate) fn run(x: u8) {", "run"),
        ("a.go", "func (s *Server) Start() error {", "Start"),
        ("a.ts", "export const load = async () => {", "load"),
        ("a.c", "static int parse_line(char *p) {", "parse_line"),
        ("a.java", "public final class Store {", "Store"),
        ("a.sql", "CREATE TABLE IF NOT EXISTS cube (", "cube"),
        ("a.sh", "deploy() {", "deploy"),
    ],
)
def test_definitions_of_many_languages_are_named(name: str, line: str, title: str) -> None:
    assert [draft.title for draft in reading(f"{line}\n  x\n}}\n", name).drafts] == [f"{name} › {title}"]


# --- HTML ------------------------------------------------------------------------------------------

PAGE = """<!doctype html><html><head><title>Tea &amp; water</title><meta name="author" content="Ann">
<meta content='2024-02-03' property='article:published_time'><style>p {}</style></head>
<body><nav><a href="/">Home</a></nav><h1>Brewing</h1><p>Use <b>hot</b>
water &lt; 96&nbsp;°C.</p><script>if (a < b) alert("</p>")</script>
<h2>Time</h2><ul><li>Green: 2 min<li>Black: 4 min</ul><!-- <p>no</p> --></body>"""


def test_html_gives_the_visible_text_under_its_headings() -> None:
    result = reading(PAGE, "tea.html")
    assert [(draft.title, draft.text) for draft in result.drafts] == [
        ("Tea & water › Brewing", "Brewing\nUse hot water < 96 °C."),
        ("Tea & water › Brewing › Time", "Time\nGreen: 2 min\nBlack: 4 min"),
    ]
    assert slices(result) == [
        "Brewing</h1><p>Use <b>hot</b>\nwater &lt; 96&nbsp;°C.",
        "Time</h2><ul><li>Green: 2 min<li>Black: 4 min",
    ]
    assert {(draft.author, draft.time) for draft in result.drafts} == {("Ann", parse_time("2024-02-03"))}


def test_preformatted_text_keeps_its_lines() -> None:
    assert texts(reading("<pre>a\n  b</pre>", "a.html")) == ["a\n  b"]


def test_an_element_that_is_never_closed_does_not_hide_the_page() -> None:
    assert texts(reading("<nav><p>All there is", "a.html")) == ["All there is"]


@pytest.mark.parametrize(
    "broken", ["<", "<a ", "<a b='", "<!--", "<p a=\"'>x", "<svg></p>", "<![CDATA[", "&", "</"]
)
def test_broken_html_ends(broken: str) -> None:
    result = reading(broken * 20_000, "a.html")
    assert result.failed == ()
    assert result.drafts or result.origin.notes == ("empty",)


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b>",
                "text",
                "é",
                "字 ",
                "<pre>",
                "<h2>",
                "\n",
                "<nav>",
                "</nav>",
                "&amp;",
                "<",
                ">",
                "'",
                '"',
                "<!--",
                "-->",
                "<br>",
            ]
        )
    )
)
def test_any_html_gives_text_inside_its_bounds(parts: list[str]) -> None:
    result = reading("".join(parts), "a.html", chunk_chars=10)
    for draft in result.drafts:
        assert 0 <= draft.span.start < draft.span.end <= len(result.data)
        assert draft.text.strip()


# --- records ---------------------------------------------------------------------------------------


def test_a_dialogue_line_is_a_turn_that_keeps_its_id_time_and_speaker() -> None:
    turn = {"id": "D1:3", "role": "user", "name": "Ann", "time": "2023-05-08T13:56:00Z", "content": "Hi 你好"}
    result = reading(json.dumps(turn, ensure_ascii=False) + "\n", "chat.jsonl")
    (draft,) = result.drafts
    assert (draft.type, draft.ref, draft.author, draft.role) == ("dialogue", "D1:3", "Ann", "user")
    assert (draft.text, draft.time, draft.title) == ("Hi 你好", parse_time("2023-05-08T13:56:00Z"), "")
    assert json.loads(slices(result)[0]) == turn


def test_a_turn_may_have_parts_a_role_only_or_nothing_said() -> None:
    lines = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}],
        },
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": [{"f": 1}]},
    ]
    result = reading("\n".join(map(json.dumps, lines)), "chat.jsonl")
    assert [(d.author, d.text) for d in result.drafts if d.type == "dialogue"] == [("user", "a\nb")]
    assert texts(result)[1:] == ['role: assistant\ntool_calls: [{"f": 1}]']


def test_a_bad_line_is_told_and_the_rest_is_taken() -> None:
    result = reading('{"text": "one"}\n{oops\n\n[[[\n"two"\n42\nnull\n', "a.jsonl")
    assert texts(result) == ["one", "two", "42"]
    assert [failure.reason.split(":")[0] for failure in result.failed] == ["line 2", "line 4"]
    assert result.origin.notes[0].startswith("line 2: not JSON: ")


def test_many_bad_lines_are_counted_but_not_all_told() -> None:
    result = reading("{\n" * 500, "a.jsonl")
    assert len(result.failed) == 500
    assert len(result.origin.notes) == 11
    assert result.origin.notes[-1] == "and 490 more that could not be read"


def test_fields_of_a_record_become_fields_of_the_draft() -> None:
    record = {
        "ref": 7,
        "title": "T",
        "created_at": 1686000000,
        "type": "fact",
        "tags": "a, b",
        "author": "Bo",
        "memory": " m ",
    }
    (draft,) = reading(json.dumps([record]), "a.json").drafts
    assert draft == Draft("m", draft.span, "fact", "T", "7", 1686000000000, "Bo", "", ("a", "b"))


def test_a_record_without_a_text_field_is_told_by_its_fields() -> None:
    (draft,) = reading('{"city": "Oslo", "at": {"lat": 59.9}, "none": null}', "places.json").drafts
    assert (draft.text, draft.title) == ('city: Oslo\nat: {"lat": 59.9}', "places")


def test_the_one_list_of_objects_in_an_object_is_what_it_holds() -> None:
    data = '{"a": "[{", "messages" : [ {"role": "user", "content": "é"} ,\n {"role": "x", "content": "y"}]}'
    result = reading(data, "a.json")
    assert slices(result) == ['{"role": "user", "content": "é"}', '{"role": "x", "content": "y"}']
    assert texts(result) == ["é", "y"]
    assert len(reading('{"text": "t", "links": [{"a": 1}]}', "a.json").drafts) == 1
    assert len(reading('{"a": [{"x": 1}], "b": [{"x": 1}]}', "a.json").drafts) == 1


def test_json_values_after_one_another_are_all_taken() -> None:
    assert texts(reading('{"text": "a"}\n{"text":\n "b"} ["c"] []', "a.json")) == ["a", "b", "c"]


def test_what_comes_before_a_mistake_in_json_is_kept() -> None:
    result = reading('[{"text": "a"}, {"text": "b"} {', "a.json")
    assert texts(result) == ["a", "b"]
    assert [failure.reason.split(":")[0] for failure in result.failed] == ["value 1, after element 2"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_deep_nesting_fails_in_words(name: str) -> None:
    for data in ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000):
        result = reading(data, name)
        assert result.drafts == ()
        assert "nested too deeply" in result.failed[0].reason


def test_what_cannot_be_stored_is_taken_out_of_json_strings() -> None:
    data = (
        r'{"id": "\u0000i", "name": "\udc00", "content": "a\u0000b \ud800 \ud83d\ude00", "tags": ["\ud800"]}'
    )
    (draft,) = reading(data, "a.jsonl").drafts
    assert (draft.text, draft.ref, draft.author, draft.tags) == ("ab \ufffd 😀", "i", "\ufffd", ("\ufffd",))


def test_a_record_too_long_to_be_read_at_once_is_cut() -> None:
    result = reading(json.dumps({"id": "x", "role": "user", "content": "word " * 10_000}), "a.jsonl")
    assert [draft.ref for draft in result.drafts[:3]] == ["x", "x#2", "x#3"]
    assert len({draft.span for draft in result.drafts}) == 1
    assert len(reading(json.dumps({"role": "user", "content": "word " * 3000}), "a.jsonl").drafts) == 1


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z"),
        (1686000000, "2023-06-05T21:20:00Z"),
        ("1686000000", "2023-06-05T21:20:00Z"),
        (1686000000.5, "2023-06-05T21:20:00.500Z"),
        (1686000000000, "2023-06-05T21:20:00Z"),
        (1686000000000000, "2023-06-05T21:20:00Z"),
    ],
)
def test_times_are_read_in_the_forms_that_exports_use(given_time: object, expected: str) -> None:
    assert read_time(given_time) == parse_time(expected)


@pytest.mark.parametrize(
    "nonsense",
    ["", "soon", "9" * 5000, 10**400, float("nan"), float("inf"), True, None, [], "0001-01-01T00:00+14:00"],
)
def test_a_time_that_says_nothing_is_none(nonsense: object) -> None:
    assert read_time(nonsense) is None


def test_csv_rows_are_told_by_column_or_by_their_text_column() -> None:
    result = reading('id;Author;Note\r\n1;Ann;"two\r\nlines; ""x"""\r\n;;\r\n2;Bo;b;extra\r\n', "a.csv")
    assert [(draft.ref, draft.author, draft.text) for draft in result.drafts] == [
        ("1", "Ann", 'two\r\nlines; "x"'),
        ("2", "Bo", "b\nid: 2\nAuthor: Bo\ncolumn 4: extra"),
    ]
    assert slices(result)[0] == '1;Ann;"two\r\nlines; ""x"""'
    assert texts(reading("City\tSize\nOslo\t7\n", "a.tsv")) == ["City: Oslo\nSize: 7"]


def test_a_csv_cell_of_any_length_is_cut_as_other_texts_are() -> None:
    long = "word " * 40_000
    result = reading(f'a,text\n1,2\n3,"{long}"\n', "a.csv")
    assert " ".join(texts(result)[1:]).split()[:40_000] == ["word"] * 40_000
    assert result.failed == ()


# --- kinds and encodings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": 1}\n{"a": 2}\n', "jsonl"),
        ('{"a":\n 1}\n', "json"),
        ("[1, 2]", "json"),
        ("{not json}", "text"),
        ("<!DOCTYPE html><p>x", "html"),
        ("\n<html lang=en>", "html"),
        ("a < b", "text"),
        ("# Title\n\ntext", "markdown"),
        ("---\ntitle: x\n---\n", "markdown"),
        ("#!/bin/sh\n# Title\n", "code"),
        ("Just words, #tagged.\n", "text"),
    ],
)
def test_text_without_a_name_is_recognised_by_how_it_looks(text: str, kind: str) -> None:
    assert kind_of_text(text) == kind
    assert reading(text).origin.kind == kind


def test_a_kind_that_the_user_names_wins_and_an_unknown_one_is_refused() -> None:
    assert reading("# x", "a.md", kind="text").origin.kind == "text"
    assert texts(reading('{"a":1}\n\n# b', "a.jsonl", lines=True)) == ['{"a":1}', "# b"]
    with pytest.raises(UsageError, match="kind of source 'poem'") as caught:
        reading("x", kind="poem")
    assert "markdown" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_unicode_is_read_with_any_mark(encoding: str) -> None:
    text = "Zoë\r\n\r\n你好 😀"
    data = ("\ufeff" + text).encode(encoding) if encoding == "utf-16-be" else text.encode(encoding)
    result = reading(data, "a.txt")
    assert texts(result) == slices(result) == [text]
    assert result.origin.notes == ()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "café crème – naïve"),
        ("cp1251", "Привет, как дела? Сегодня хорошая погода, и мы гуляем в парке."),
        ("gb18030", "今天天气很好,我们去公园散步。晚上一起吃饭,然后看电影。"),
        ("cp932", "今日は天気がいいですね。公園へ行きましょう。夜は映画を見ます。"),
    ],
)
def test_other_encodings_are_guessed_with_a_note(encoding: str, text: str) -> None:
    result = reading((text + "\n") * 3, "a.txt") and reading(((text + "\n") * 3).encode(encoding), "a.txt")
    assert result.origin.encoding == encoding
    assert result.origin.notes == (f"not UTF-8: read as {encoding}",)
    assert texts(result) == slices(result)
    assert text in texts(result)[0]


def test_a_few_broken_bytes_do_not_make_utf8_something_else() -> None:
    data = "né 你好 ".encode() + b"\xff\n\n" + "Zoë".encode()
    result = reading(data, "a.txt", lines=True)
    assert texts(result) == ["né 你好 \ufffd", "Zoë"]
    assert source_of(result, result.drafts[1]) == "Zoë"
    assert "not valid UTF-8" in result.origin.notes[0]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_in_words(data: bytes) -> None:
    for name in ("a.txt", "a.md", "a.csv", "a.html", "a.jsonl", ""):
        for mark in (b"", b"\xff\xfe", b"\xef\xbb\xbf"):
            try:
                result = reading(mark + data, name, chunk_chars=20)
            except MemosError as error:
                assert "binary" in str(error)
                continue
            for draft in result.drafts:
                assert draft.text.encode()
                assert 0 <= draft.span.start < draft.span.end <= len(mark + data)


@pytest.mark.parametrize("data", [b"", b" \r\n\t", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py", "a.html", "a.json", "a.jsonl", "a.csv", ""])
def test_nothing_gives_no_draft_and_a_note(data: bytes, name: str) -> None:
    result = reading(data, name)
    assert (result.drafts, result.failed, result.origin.notes) == ((), (), ("empty",))


def test_binary_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    (item,) = find([path], max_bytes=LIMIT)
    assert isinstance(item, Found)
    with pytest.raises(MemosError, match=r"^this is binary data") as caught:
        read(item, ReadOptions())
    assert caught.value.hint


def test_a_file_that_went_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(MemosError, match=r"^no such file"):
        read(Found(tmp_path / "gone.txt", "file:///gone.txt"), ReadOptions())


def test_the_origin_says_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a b.txt"
    path.write_bytes(b"hello")
    (item,) = find([path], max_bytes=LIMIT)
    assert isinstance(item, Found)
    origin = read(item, ReadOptions()).origin
    assert (origin.uri, origin.size) == (path.resolve().as_uri(), 5)
    assert origin.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.mark.parametrize(
    ("name", "date"), [("2025-06-12-minutes.md", "2025-06-12"), ("log_20240229.txt", "2024-02-29")]
)
def test_a_date_in_a_name_is_a_time(name: str, date: str) -> None:
    assert date_in(name) == parse_time(date)


@pytest.mark.parametrize(
    "name", ["2025-13-01.md", "2023-02-30.md", "120250612.txt", "v1.2.3.md", "minutes.md"]
)
def test_other_numbers_in_a_name_are_not(name: str) -> None:
    assert date_in(name) is None


# --- walking ---------------------------------------------------------------------------------------


def test_a_folder_gives_its_text_files_in_order(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "b.txt": "b",
            "a/z.md": "z",
            "a/y.py": "y",
            ".hid/x.txt": "x",
            ".env": "s",
            "p.png": b"\x89\0",
            "e.txt": "",
            "d.pdf": b"%PDF-\0",
        },
    )
    assert found([tmp_path]) == ["y.py", "z.md", "b.txt", "d.pdf"]
    assert refused([tmp_path]) == []


def test_gitignore_is_honoured_at_every_level(tmp_path: Path) -> None:
    files = {
        ".gitignore": "*.log\nbuild/\n/only-top.txt\n!keep.log\n!\n",
        ".git/info/exclude": "private*\n",
        "a.log": "x",
        "keep.log": "x",
        "only-top.txt": "x",
        "private.txt": "x",
        "build/out.txt": "x",
        "sub/.gitignore": "!special.log\nlocal.txt\n",
        "sub/special.log": "x",
        "sub/other.log": "x",
        "sub/local.txt": "x",
        "sub/only-top.txt": "x",
    }
    tree(tmp_path, dict(files))
    assert found([tmp_path]) == ["keep.log", "only-top.txt", "special.log"]
    assert found([tmp_path / "sub"]) == ["only-top.txt", "special.log"]
    assert found([tmp_path / "a.log"]) == ["a.log"]


def test_a_loop_of_links_ends_and_each_file_comes_once(tmp_path: Path) -> None:
    tree(tmp_path, {"in/a.txt": "a", "b.txt": "b"})
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "self").symlink_to("self")
    (tmp_path / "in" / "nowhere").symlink_to("missing")
    (tmp_path / "in" / "same.txt").symlink_to("a.txt")
    assert sorted(found([tmp_path, tmp_path / "b.txt"])) == ["a.txt", "b.txt"]
    assert refused([tmp_path]) == []
    (reason,) = refused([tmp_path / "in" / "self"])
    assert "symbolic link" in reason or "symlink loop" in reason


def test_what_is_named_but_cannot_be_taken_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    tree(tmp_path, {"big.txt": "x" * 100})
    paths = [tmp_path / "none", tmp_path / "pipe", tmp_path / "big.txt", tmp_path / "x\0y"]
    missing, pipe, big, nul = refused(paths, max_bytes=10)
    assert missing == "no such file or folder"
    assert "pipe" in pipe
    assert big == "100 bytes, more than the limit of 10"
    assert "null" in nul
    assert refused([tmp_path], max_bytes=10) == [big]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    tree(tmp_path, {"shut/a.txt": "a", "b.txt": "b"})
    (tmp_path / "shut").chmod(0)
    (tmp_path / "b.txt").chmod(0)
    assert refused([tmp_path]) == ["permission denied", "permission denied"]
    (tmp_path / "shut").chmod(0o700)


def test_a_name_that_is_not_utf8_is_no_obstacle(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.txt"
    try:
        with open(raw, "wb") as stream:
            stream.write(b"text")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (item,) = find([tmp_path], max_bytes=LIMIT)
    assert isinstance(item, Found)
    assert item.uri.endswith("%FF.txt")
    assert [draft.title for draft in read(item, ReadOptions()).drafts] == ["\ufffd"]


# --- documents -------------------------------------------------------------------------------------


def test_a_word_document_is_read_as_markdown_with_spans_into_it() -> None:
    pytest.importorskip("markitdown")
    docx = pytest.importorskip("mammoth") and _docx("Plan", "Plant 12 trées.")
    result = reading(docx, "plan.docx")
    assert result.origin.kind == "document"
    assert result.origin.converted == result.data
    assert "Plant 12 trées." in " ".join(texts(result))
    assert texts(result) == slices(result)
    assert result.origin.size == len(docx)


def test_a_broken_document_is_refused_in_words() -> None:
    pytest.importorskip("markitdown")
    with pytest.raises(MemosError, match=r"not a complete \.docx file"):
        reading(b"PK\x03\x04 not a zip", "plan.docx")


def test_a_document_without_a_converter_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "markitdown", None)
    with pytest.raises(MemosError, match=r"\.pdf files needs markitdown") as caught:
        reading(b"%PDF-1.7", "a.pdf")
    assert caught.value.hint == "pip install 'memos-cli[documents]'"


def _docx(*paragraphs: str) -> bytes:
    import zipfile

    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    package = "http://schemas.openxmlformats.org/package/2006"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}" '
            'Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/document.xml", f'<w:document xmlns:w="{word}"><w:body>{body}</w:body></w:document>'
        )
    return out.getvalue()
