"""How text files, web pages and folders are read: one table for each kind of input."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.errors import UsageError
from memos_cli.interface.importing.formats.note_exports import read_notes
from memos_cli.interface.importing.importers import open_export
from memos_cli.interface.ingest.sources.decoding import decode, find_codec, looks_binary, ruler
from memos_cli.interface.ingest.sources.reading import Reading, read_bytes
from memos_cli.interface.ingest.sources.walk import Found, find
from memos_cli.interface.options import ReadOptions
from memos_cli.moments import parse_time


def reading(data: bytes | str, name: str = "a.md", **hints: object) -> Reading:
    raw = data.encode() if isinstance(data, str) else data
    return read_bytes(raw, "file:", name, ReadOptions(**hints))  # type: ignore[arg-type]


def texts(data: bytes | str, name: str = "a.md", **hints: object) -> list[str]:
    return [draft.text for draft in reading(data, name, **hints).drafts]


# --- web pages -------------------------------------------------------------------------------------

SHOWN = [
    # closed by themselves, as in XHTML, or never
    ("<p>a</p><svg/><p>b</p>", "a\nb"),
    ("<h1>a <svg class='i' viewBox='0 0 4 4'/></h1><p>b", "a\nb"),
    ("<p>a</p><iframe src='x'/><p>b</p>", "a\nb"),
    ("<p>a</p><iframe src=x><p>b</p>", "a\nb"),
    ("<head><title/><script src='a.js'/><style/></head><p>a</p>", "a"),
    ("<p>a<textarea/>b<select/>c<template/>d<noscript/>e", "abcde"),
    ("<script src='a.js' /></script><p>a", "a"),
    ("<p>a</p><p><button>go</p><p>b</p>", "a\ngo\nb"),
    ("<p>a</p><nav><a href=x>menu</a><p>b</p>", "a\nmenu\nb"),
    ("<nav>menu<p>a</p><nav>foot</nav>", "menu\na"),
    ("<p>a<button>go<p>b<button>next</button>", "a\ngo\nb"),
    ("<p>a<template><p>b</p>", "a\nb"),
    ("<p>a<!-- never closed <p>b", "a never closed\nb"),
    ("<div hidden>a<p>b</p>", "a\nb"),
    ("<section><div hidden>a</section><p>b", "b"),
    ("<p>a <a href=http://example.org/>b</a> c", "a b c"),
    ("<p>a</p><![CDATA[b < c]]>", "a\nb < c"),
    ("<script>'<script src=\"x\"/>'</script><p>a", "a"),
    # hidden
    ("<p>a</p><p hidden>b</p><p hidden='until-found'>c</p>", "a\nc"),
    ("<p>a</p><p style='color:red; DISPLAY : none !important'>b</p>", "a"),
    ("<p style='display:none;display:block'>a</p>", "a"),
    ("<p style='/* display:none */'>a</p>", "a"),
    ("<div style='visibility:hidden'>a <b style='visibility:visible'>b</b> c</div>", "b"),
    ("<p>a<span style='font-size:0px'>b <i style='font-size:12px'>c</i></span></p>", "ac"),
    ("<p>a<span style='font-size:0.5em'>b</span><span style='opacity:0'>c</span></p>", "ab"),
    ("<span style='display:none'>a <b>b</b> c</span><p>d", "d"),
    ("<dialog>a</dialog><dialog open>b</dialog><div popover>c</div>", "b"),
    ("<i class='material-icons' aria-hidden='true'>home</i> a <p aria-hidden='true'>b", "a\nb"),
    ("<p>a</p><p style='position:absolute; left:-9999px'>b</p><p style='margin-left:-12px'>c</p>", "a\nc"),
    ("<h1 style='text-indent:-999em'>a</h1><p style='text-indent:-2em'>b</p>", "b"),
    ("<template><p>a</template><noscript>b</noscript><!-- c --><p>d", "d"),
    ("<ul><li>a<li hidden>b<li>c</ul>", "a\nc"),
    ("<input type=hidden value=a><datalist><option>b</datalist><p>c", "c"),
    # what a tree builder puts right
    ("<table>a<tr><td>b<td>c</table>d", "a\nb | c\nd"),
    ("<table><tr><th>A<th>B<tr><th>x<td>1<tr><td>y<td>2</table>", "A | B\n---|---|\nx | 1\ny | 2"),
    ("<table><tr><td><td>1<br>2<tr><td>a<td>b</table>", "1 2\na | b"),
    ("<p>z<table><tr><td><td>1<tr><td>2<td><td>3</table>", "z\n| 1\n2 |  | 3"),
    ("<table><tr><td><h1>T</h1><p>nav<p>menu<td><p>x<p>y</table>", "T\nnav\nmenu\nx\ny"),
    ("<table><tr><td>a<table><tr><td>b<td>c</table>d</table>", "a\nb | c\nd"),
    ("<p title='x > y'>a</p><p title='<b>'>b</p>", "a\nb"),
    ("<b><p>a</b>b</p>c", "ab\nc"),
    ("a < b & c &lt; d", "a < b & c < d"),
    ("<textarea>a<b>b</textarea>", "a<b>b"),
    ("<p title='<b> <p>'>a</p><p title='it's>b</p>", "a\nb"),
    ("<pre>a\n  b</pre>", "a\n  b"),
]


@pytest.mark.parametrize(("page", "shown"), SHOWN)
def test_only_visible_text_of_a_page_is_read(page: str, shown: str) -> None:
    result = reading(page, "a.html")
    assert [draft.text for draft in result.drafts] == [shown]
    (draft,) = result.drafts
    source = result.data[draft.span.start : draft.span.end].decode()
    assert source.startswith(shown[0]) or source.startswith("<![CDATA[")


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 60_000,
        "".join(f"<p><b id={n}>x" for n in range(5_000)),
        "".join(f"<p><font style='a:{n}'>x" for n in range(5_000)),
        "<ul><li>" * 20_000,
        "<table><tr><td>x" * 5_000,
        "<!--" * 50_000,
        "<script>" * 50_000,
        "<script></script " * 20_000,
        "<![CDATA[" * 20_000,
        "<!" * 50_000,
        "<p " + "hidden " * 50_000 + ">x",
        "<optgroup>" * 30_000,
    ],
    ids=lambda page: page[:12],
)
def test_no_page_takes_time_out_of_proportion(page: str) -> None:
    assert reading(page, "a.html").failed == ()


def test_forged_marks_in_a_page_are_ignored() -> None:
    (draft,) = reading("<p>x &#xfdd0;7&#xfdd1; y \ufdd00\ufdd1 z</p>", "a.html").drafts
    assert draft.text.split()[0] == "x"
    assert draft.text.split()[-1] == "z"
    assert draft.span.start == 3


# --- encodings -------------------------------------------------------------------------------------

DECLARED = [
    ("gb2312", "gb2312", "港口收费"),
    ("gbk", "gbk", "会议九点"),
    ("euc-kr", "cp949", "항구 요금"),
    ("ks_c_5601-1987", "cp949", "항구"),
    ("iso-8859-2", "iso8859-2", "Łódź odpływa o dziewiątej."),
    ("windows-1250", "cp1250", "Příští středa."),
    ("ISO-8859-1", "cp1252", "Zoë’s café – 25 €"),
    ("euc-jp", "euc_jp", "会議は九時"),
    ("x-sjis", "cp932", "会議は九時①"),
    ("iso-2022-jp", "iso2022_jp", "会議は九時"),
    ("big5", "big5", "會議九點"),
    ("windows-1255", "cp1255", "הספינה יוצאת"),
    ("ibm866", "cp866", "Паром в девять."),
    ("koi8-r", "koi8_r", "Паром"),
    ("hz-gb-2312", "hz", "会议九点"),
    ("utf-16", "utf-8", "Zoë"),
    ("nonsense", "utf-8", "Zoë"),
    ("iso-8859-1", "utf-8", "Zoë"),
    ("gb2312", "utf-8", "会议九点"),
]


@pytest.mark.parametrize(("label", "codec", "text"), DECLARED)
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.html", "<!-- <meta charset=koi8-u> --><meta charset={}><p>", "</p>"),
        ("a.html", "<meta http-equiv=Content-Type content='text/html; charset={}'><p>", ""),
        ("a.xhtml", "<?xml version='1.0' encoding='{}'?><html><p>", "</p></html>"),
        ("a.css", '@charset "{}";\n/* ', " */"),
        ("a.py", "#!/usr/bin/python\n# -*- coding: {} -*-\n# ", "\n"),
        ("a.tex", "% -*- mode: latex; coding: {} -*-\n", "\n"),
    ],
)
def test_a_declared_encoding_is_used(
    label: str, codec: str, text: str, name: str, before: str, after: str
) -> None:
    data = (before.format(label) + text + after).encode(codec)
    assert text in " ".join(texts(data, name))
    assert reading(data, name).origin.notes == ()


GUESSED = [
    ("euc_jp", "来週の水曜日に会議があります。"),
    ("euc_jp", "会議は九時"),
    ("shift_jis", "来週の水曜日に会議があります。"),
    ("gbk", "我们下周三开会讨论预算。"),
    ("big5", "下週三我們要開會討論預算。"),
    ("euc_kr", "다음 주 수요일에 회의가 있습니다."),
    ("cp1251", "Паром отходит в девять часов."),
    ("koi8_r", "Паром отходит в девять часов."),
    ("cp866", "Паром отходит в девять часов."),
    ("iso8859_5", "Паром отходит в девять часов."),
    ("cp1250", "Łódź odpływa o dziewiątej z przystani."),
    ("iso8859_2", "W przyszłą środę mamy zebranie. Opłata wynosi dwadzieścia pięć euro."),
    ("cp1250", "Jövő szerdán értekezlet lesz. A kikötői díj huszonöt euró."),
    ("cp1255", "הספינה יוצאת בתשע"),
    ("iso8859_6", "تغادر العبارة في التاسعة"),
    ("cp1253", "Το πλοίο φεύγει στις εννέα."),
    ("cp1254", "Gemi saat dokuzda İstanbul'dan ayrılıyor."),
    ("cp874", "เรือข้ามฟากออกเวลาเก้าโมง"),
    ("cp1252", "Le café est fermé jusqu’à lundi."),
    ("cp1252", "La città è bella"),
    ("cp1252", "Señor Núñez llegó mañana"),
    ("cp850", "Die Fähre fährt um neun ab. Größe: 5 m."),
]


@pytest.mark.parametrize(("codec", "text"), GUESSED)
@pytest.mark.parametrize("times", [1, 10])
def test_one_sentence_is_enough_for_a_guess(codec: str, text: str, times: int) -> None:
    decoded = decode((text + "\n").encode(codec) * times)
    assert decoded.text == (text + "\n") * times
    assert decoded.notes == (f"not UTF-8: read as {decoded.encoding}",)


UNMARKED = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
STATEFUL = ["iso2022_jp", "hz", "iso2022_kr"]
SENTENCES = {"hz": "我们下周\n三~开会 and so on\n", "iso2022_kr": "회의 시간 and so on\n"}


@pytest.mark.parametrize("codec", [*UNMARKED, *STATEFUL, "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_without_a_mark_and_codes_with_escapes_are_read_with_places(codec: str) -> None:
    text = SENTENCES.get(codec, "会議は九時 and so on\nどう\n")
    data = text.encode(codec)
    assert not looks_binary(data)
    decoded = decode(data)
    assert (decoded.text, decoded.notes) == (text, ())
    span = ruler(decoded)(text.index("and"), text.index("\n", text.index("and")))
    part = data[span.start : span.end]
    assert part.decode(decoded.encoding if codec not in STATEFUL else "ascii") == "and so on"


@pytest.mark.parametrize("codec", UNMARKED)
@pytest.mark.parametrize(
    "text", ["会議は九時、資料を忘れないで", "會議在九點\n開始", "항구 회의\n", "Паром в девять", "hello"]
)
def test_unicode_without_a_mark_is_told_by_its_letters(text: str, codec: str) -> None:
    data = text.encode(codec)
    if b"\0" in data:  # else nothing tells it from an encoding of one byte
        assert (decode(data).text, decode(data).encoding) == (text, codec)


@given(st.text("aé字あ~\n {}", min_size=1), st.sampled_from(STATEFUL[:1]), st.data())
def test_places_in_a_stateful_code_cover_the_text(text: str, codec: str, data: st.DataObject) -> None:
    text = text.replace("é", "e")
    source = text.encode(codec)
    decoded = decode(source, encoding=codec)
    assert decoded.text == text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    measure = ruler(decoded)
    assert measure(0, start).end <= measure(start, end).end
    assert source[: measure(0, end).end].decode(codec) == text[:end]


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"SQLite format 3\0\x10\0\x01\x01",
        b"\0\0\0\0",
        b"\x7fELF\x02\x01\x01\0",
        b"\x41\x0e\0\0\x80\x3f\0\0\0\0\xc8\x42",
        bytes(range(1, 64)) * 2 + b"\0",
        b"a\0b\1\2",
        b"x\0y\0z",
    ],
)
def test_binary_data_is_not_taken_for_utf_16(data: bytes) -> None:
    assert looks_binary(data)


def test_the_users_encoding_overrides_all_others() -> None:
    data = "Die Fähre".encode("cp437")
    assert texts(data, "a.txt", encoding="ibm437") == ["Die Fähre"]
    assert texts(data, "a.txt", fallback="cp850") == ["Die Fähre"]
    assert texts("Zoë", "a.txt", fallback="cp850") == ["Zoë"]
    assert texts("\ufeffZoë".encode("utf-16-be"), "a.txt", encoding="utf-16") == ["Zoë"]
    assert texts("<meta charset=utf-8><p>Ж".encode("koi8-r"), "a.html", encoding="koi8-r") == ["Ж"]
    (note,) = reading(b"ok \xff", "a.txt", encoding="euc-jp").origin.notes
    assert "not valid EUC_JP" in note
    for unknown in ("nonsense", "base64", "rot13"):
        with pytest.raises(UsageError, match=f"no encoding called '{unknown}'"):
            find_codec(unknown)


# --- front matter ----------------------------------------------------------------------------------

RULES = [
    "---\n\nThe ferry leaves at nine: be there.\n\n---\n\nBody.",
    "---\nAn opening remark without a colon\n---\nBody text.",
    "---\nNote: the ferry leaves at nine.\n---\nBody.",
    "---\nAna: I go.\nBob: I stay.\n---\nBody.",
    "---\nWe met on the quay...\nand then\n...\nThe end.",
    "---\n- one\n- two\n---\nBody.",
    "---\n" + "[" * 300 + "\n---\nBody.",
    "---\n---\nBody.",
]


@pytest.mark.parametrize("text", RULES)
def test_text_between_two_rules_is_text(text: str) -> None:
    assert "".join("".join(texts(text)).split()) == "".join(text.split())


FRONT = [
    ("title: >-\n  Folded title\n  goes on", "Folded title goes on", ()),
    ("title: |\n  Two\n  lines", "Two lines", ()),
    ("title: Harbour # the main one", "Harbour", ()),
    ('title: "Ana: the second"\ntags: [one, "two, three"]', "Ana: the second", ("one", "two, three")),
    ("title: Foo: bar\ntags: [a, b]", "Foo: bar", ("a", "b")),
    ("title: {{title}}\ntags:\n  - x\n  - '#y'", "{{title}}", ("x", "y")),
    ("title: 2024\ntags: [yes, 007]", "2024", ("yes", "007")),
    ("Title: T\ntags: harbour fees", "T", ("harbour", "fees")),
    ("title: T\ntag: a, b c", "T", ("a", "b c")),
    ("title: T\ntags: [\n  a,\n  b,\n]", "T", ("a", "b")),
    ("# a comment\ntitle: T\n\nrating: 5", "T", ()),
    ("x: &x [a]\ntitle: T\ntags: *x", "T", ("a",)),
    ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntags: [*c, z]\ntitle: T", "T", ("z",)),
    ("title: null\ntags: ~\nid: 1", "a", ()),
]


@pytest.mark.parametrize(("block", "title", "tags"), FRONT)
@pytest.mark.parametrize("end", ["---", "..."])
def test_front_matter_is_yaml(block: str, title: str, tags: tuple[str, ...], end: str) -> None:
    (draft,) = reading(f"---\n{block}\n{end}\nBody.").drafts
    assert (draft.text, draft.title, draft.tags) == ("Body.", title, tags)


def test_front_matter_has_date_and_author() -> None:
    (draft,) = reading("---\ncreated: 2026-05-01T10:00:00+09:00\nauthors: [Ana, Bo]\n---\nBody.").drafts
    assert (draft.time, draft.author) == (parse_time("2026-05-01T01:00:00Z"), "Ana, Bo")


def test_an_alias_and_a_permalink_name_a_note_in_links(tmp_path: Path) -> None:
    (tmp_path / "harbour.md").write_text(
        "---\ntitle: H\naliases: [Port, The Quay]\npermalink: x/h\n---\nNine."
    )
    for name, link in (("a", "Port"), ("b", "the quay"), ("c", "x/h"), ("d", "harbour"), ("e", "nowhere")):
        (tmp_path / f"{name}.md").write_text(f"It lies at the [[{link}]].")
    with open_export(tmp_path) as export:
        links = [link for bundle in read_notes(export) for link in bundle.relations]
    assert [(link.source, link.target) for link in links] == [(f"{name}.md", "harbour.md") for name in "abcd"]


# --- Markdown --------------------------------------------------------------------------------------


def test_code_in_a_line_opens_no_fence_and_comments_hold_no_headings() -> None:
    for text in (
        "# A\n\n```npm install```\n\n# B\n\nb",
        "# A\n\n``` x`y\n\n# B\n\nb",
        "# A\r\ra\r\r# B\r\rb",
    ):
        assert [draft.title for draft in reading(text).drafts] == ["a › A", "a › B"]
    (draft,) = reading("# A\n\na\n\n<!--\n# old\n-->\n\nb").drafts
    assert draft.title == "A"


# --- base64 ----------------------------------------------------------------------------------------

DATA = base64.b64encode(random.Random(1).randbytes(6000)).decode()
FOLDED = "\n".join(DATA[at : at + 76] for at in range(0, len(DATA), 76))


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        (
            "a.md",
            f"See\n\n![p](data:image/png;base64,{DATA})\n\nhere.",
            "See\n\n![p](data:image/png)\n\nhere.",
        ),
        ("a.md", f"See\n\n{FOLDED}\n\nhere.", "See\n\n(base64)\n\nhere."),
        ("a.css", f"a {{b: url('data:image/svg+xml,{'%3Cg%3E' * 50}')}}", "a {b: url('data:image/svg+xml')}"),
        ("a.json", json.dumps({"a": "b", "p": DATA + "\n"}), "a: b\np: (base64)"),
        ("a.json", json.dumps({"a": "b", "p": FOLDED}), "a: b\np: (base64)"),
        ("a.jsonl", json.dumps({"a": "b", "p": DATA}).replace("/", "\\/"), "a: b\np: (base64)"),
        ("a.csv", f"a,p\nb,{DATA}\n", "a: b\np: (base64)"),
        ("a.txt", f"{DATA[:700]} is a key", f"{DATA[:700]} is a key"),
        ("a.txt", "ACGT" * 200, "ACGT" * 200),
        ("a.txt", "0af3" * 200, "0af3" * 200),
    ],
)
def test_embedded_files_are_left_out_of_the_text(name: str, source: str, text: str) -> None:
    result = reading(source, name)
    assert [draft.text for draft in result.drafts] == [text]
    (draft,) = result.drafts
    is_changed = text not in source and "base64" in text + source
    assert any("embedded as base64: 1," in note for note in result.origin.notes) == (
        is_changed or "%3C" in source
    )
    if name in ("a.md", "a.txt", "a.css"):
        assert result.data[draft.span.start : draft.span.end].decode() == source


def test_what_follows_an_embedded_file_keeps_its_place() -> None:
    result = reading(f"é ![p](data:image/png;base64,{DATA}) two é\n\nthree é", "a.txt", lines=True)
    assert [draft.text for draft in result.drafts] == ["é ![p](data:image/png) two é", "three é"]
    assert result.data[result.drafts[1].span.start : result.drafts[1].span.end].decode() == "three é"


# --- notebooks -------------------------------------------------------------------------------------


def notebook(*cells: tuple[str, object, object], **more: object) -> str:
    kept = [
        {"cell_type": kind, "execution_count": 3, "metadata": {"collapsed": True}, "source": source}
        | ({"outputs": outputs} if kind == "code" else {})
        for kind, source, outputs in cells
    ]
    language = {"language_info": {"name": "python", "version": "3.11"}}
    return json.dumps({"cells": kept, "metadata": language, "nbformat": 4, "nbformat_minor": 5} | more)


STREAM = {"output_type": "stream", "name": "stdout", "text": ["total\n", "\x1b[1m1250\x1b[0m\n"]}
PLOT = {"output_type": "display_data", "data": {"image/png": DATA, "text/plain": ["<Figure size 640x480>"]}}
RESULT = {"output_type": "execute_result", "data": {"text/html": "<b>7</b>", "text/plain": "7"}}
FAILED = {"output_type": "error", "ename": "KeyError", "evalue": "'fee'", "traceback": ["\x1b[31mat"]}


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([("markdown", ["# Study\n", "At nine."], None)], "# Study\nAt nine."),
        ([("markdown", "A note.", None), ("raw", "Raw words.", None)], "A note.\n\nRaw words."),
        ([("code", ["x = 1\n", "x"], [])], "```python\nx = 1\nx\n```"),
        ([("code", "x.plot()", [PLOT])], "```python\nx.plot()\n```"),
        ([("code", "f()", [STREAM, RESULT])], "```python\nf()\n```\n\nOutput:\n\n```\ntotal\n1250\n7\n```"),
        ([("code", "f()", [FAILED])], "```python\nf()\n```\n\nOutput:\n\n```\nKeyError: 'fee'\n```"),
        ([("code", "'```'", [])], "````python\n'```'\n````"),
        ([("code", "", [STREAM])], "Output:\n\n```\ntotal\n1250\n```"),
        ([("markdown", None, None), ("code", 7, {"no": "list"}), ("markdown", "Left.", 0)], "Left."),
    ],
)
@pytest.mark.parametrize("name", ["study.ipynb", "study.json", ""])
def test_a_notebook_is_its_cells(cells: list[tuple[str, object, object]], text: str, name: str) -> None:
    found = reading(notebook(*cells), name)
    assert [draft.text for draft in found.drafts] == [text]
    assert not found.failed


def test_a_memory_of_a_notebook_spans_its_cells_and_is_titled_by_headings() -> None:
    cells = [("markdown", f"## Part {n}\n\n{'The harbour opens at nine. ' * 30}", None) for n in range(3)]
    found = reading(notebook(("markdown", "# Study", None), *cells), "x.ipynb")
    assert [draft.title for draft in found.drafts] == [f"Study › Part {n}" for n in range(3)]
    for number, draft in enumerate(found.drafts):
        covered = found.data[draft.span.start : draft.span.end]
        assert covered.count(b"## Part") == 1 and f"## Part {number}".encode() in covered
        assert covered.startswith(b'{"cell_type"') and covered.endswith(b"}")


def test_secrets_in_a_notebook_are_covered() -> None:
    found = reading(notebook(("code", ["PASSWORD = 'Tr0ub4dor-3'\n", "go()"], [])), "x.ipynb")
    assert "Tr0ub" not in found.drafts[0].text and found.drafts[0].masked


@pytest.mark.parametrize("more", [{"nbformat": "4"}, {"cells": 7}, {"cells": [1]}, {"cells": []}])
def test_what_only_looks_like_a_notebook_is_read_as_records(more: dict[str, object]) -> None:
    assert reading(notebook(("markdown", "At nine.", None), **more), "x.ipynb").failed == ()


# --- .gitignore ------------------------------------------------------------------------------------

IGNORED = [
    ("*.log\n", {"a.log"}),
    ("build/\n", {"build/x.txt", "sub/build/y.txt"}),
    ("/build\n", {"build/x.txt"}),
    ("*.log\n!a.log\n", set()),
    ("build/\n!build/x.txt\n", {"build/x.txt", "sub/build/y.txt"}),  # a folder that is out stays out
    ("build/*\n!build/x.txt\n", set()),
    ("*\n!*/\n!*.txt\n", {"a.log"}),
    ("sub/**\n", {"sub/build/y.txt"}),
    ("résumé.txt\n", {"résumé.txt"}),
    ("# build\n\n\\#x.txt\n", {"#x.txt"}),
]


@pytest.mark.parametrize(("rules", "ignored"), IGNORED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_gitignore_files_of_windows_are_read(
    tmp_path: Path, rules: str, ignored: set[str], end: str, encoding: str
) -> None:
    names = {"a.log", "build/x.txt", "sub/build/y.txt", "résumé.txt", "#x.txt", "z.txt"}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_bytes(rules.replace("\n", end).encode(encoding))
    found = {item.path for item in find([tmp_path], max_bytes=100) if isinstance(item, Found)}
    assert names - {path.relative_to(tmp_path).as_posix() for path in found} == ignored


def test_a_rule_for_the_content_of_a_folder_applies_inside_it(tmp_path: Path) -> None:
    for name, text in {
        ".gitignore": "*.txt\n",
        "in/.gitignore": "!keep.txt\n/in\n",
        "in/keep.txt": "x",
        "in/other.txt": "x",
        "in/in/x.md": "x",
        "keep.txt": "x",
        "x.md": "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [item.path.name for item in find([tmp_path], max_bytes=100) if isinstance(item, Found)]
    assert found == ["keep.txt", "x.md"]
