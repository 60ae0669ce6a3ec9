"""Passages of documents: nothing is lost, split badly or left without context."""

from __future__ import annotations

import pytest
from cli_harness import no_hang
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.cube import Draft, Span
from memos_cli.interface.ingest.sources.pieces import Setting, read_time
from memos_cli.interface.ingest.sources.reading import Reading, read_bytes
from memos_cli.interface.ingest.sources.text import markdown, prose
from memos_cli.interface.ingest.sources.text.markdown import parse_blocks
from memos_cli.interface.options import ReadOptions

SENTENCE = "Water the beds in the evening, never at noon. "
CODE = "".join(f"step_{number:02}()\n" for number in range(30))
ROWS = "".join(f"| pump {number:02} | {number} bar |\n" for number in range(20))
HEADER = "| a | b |\n|---|---|\n"
OPEN, CLOSED = "```py\n", "```"


def reading(text: str, size: int = 900, name: str = "doc.md", secrets: str = "mask") -> Reading:
    return read_bytes(text.encode(), "stdin:", name, ReadOptions(chunk_chars=size, secrets=secrets))


def titled(text: str, size: int = 900, name: str = "doc.md") -> list[tuple[str, str]]:
    return [(draft.title, draft.text) for draft in reading(text, size, name).drafts]


def passages(text: str, size: int = 900, name: str = "doc.md") -> list[str]:
    return [draft.text for draft in reading(text, size, name).drafts]


def source_of(result: Reading, draft: Draft) -> str:
    return result.data[draft.span.start : draft.span.end].decode()


# --- sections and headings -------------------------------------------------------------------------

LONG_A = "Alpha is the first letter of the Greek alphabet."
LONG_B = "Beta is the second letter of the Greek alphabet."
LONG_C = "Gamma is the third letter of the Greek alphabet."

SECTIONS = {
    "a section keeps its heading": (
        f"# D\n{LONG_A}\n## B\n{LONG_B}",
        [("D", f"# D\n{LONG_A}"), ("D › B", f"## B\n{LONG_B}")],
    ),
    "a heading with nothing under it opens the next section": (
        f"# D\n## A\n### B\n{LONG_B}\n## E\n## C\n{LONG_C}",
        [("D › A › B", f"# D\n## A\n### B\n{LONG_B}"), ("D › C", f"## E\n## C\n{LONG_C}")],
    ),
    "a heading at the end joins the passage before it": (
        f"# D\n{LONG_A}\n## A\n{LONG_B}\n## C\n### E",
        [("D", f"# D\n{LONG_A}"), ("D", f"## A\n{LONG_B}\n## C\n### E")],
    ),
    "headings alone are one memory": ("# D\n## A\n## B\n", [("D", "# D\n## A\n## B")]),
    "a rule or a comment is no body": (
        f"# D\n{LONG_A}\n## A\n---\n<!-- to do -->\n## B\n{LONG_B}",
        [("D", f"# D\n{LONG_A}"), ("D › B", f"## A\n---\n<!-- to do -->\n## B\n{LONG_B}")],
    ),
    "a line of introduction joins the first subsection": (
        f"# D\nRead on.\n## A\n{LONG_A}\n## B\n{LONG_B}",
        [("D", f"# D\nRead on.\n## A\n{LONG_A}"), ("D › B", f"## B\n{LONG_B}")],
    ),
    "text before the first heading joins it if it is short": (
        f"[TOC]\n# D\n{LONG_A}",
        [("D", f"[TOC]\n# D\n{LONG_A}")],
    ),
    "short sections of one heading stand together": (
        f"# D\n{LONG_A}\n## Host\nlocalhost\n## Port\n8080\n## B\n{LONG_B}\n## C\n{LONG_C}",
        [
            ("D", f"# D\n{LONG_A}\n## Host\nlocalhost\n## Port\n8080"),
            ("D › B", f"## B\n{LONG_B}"),
            ("D › C", f"## C\n{LONG_C}"),
        ],
    ),
    "a short section joins the section after it": (
        f"# D\n## A\n{LONG_A}\n## Port\n8080\n## B\n{LONG_B}",
        [("D › A", f"# D\n## A\n{LONG_A}"), ("D", f"## Port\n8080\n## B\n{LONG_B}")],
    ),
    "a short last section joins the section before it": (
        f"# D\n## A\n{LONG_A}\n## Port\n8080\n",
        [("D", f"# D\n## A\n{LONG_A}\n## Port\n8080")],
    ),
    "short sections without a common heading stay apart": (
        "# Wifi\nlavender\n# Alarm\n1234\n",
        [("doc › Wifi", "# Wifi\nlavender"), ("doc › Alarm", "# Alarm\n1234")],
    ),
    "a short section of another heading stays apart": (
        f"# D\n## A\n### B\n{LONG_B}\n## Port\n8080\n",
        [("D › A › B", f"# D\n## A\n### B\n{LONG_B}"), ("D › Port", "## Port\n8080")],
    ),
    "underlined headings, also of two lines": (
        f"D\n=\n{LONG_A}\n\nBeds\nand rows\n---\n{LONG_B}",
        [("D", f"D\n=\n{LONG_A}"), ("D › Beds and rows", f"Beds\nand rows\n---\n{LONG_B}")],
    ),
    "headings in code, quotes, lists and HTML are none": (
        f"# D\n```\n# a\n```\n> # b\n\n- # c\n\n<pre>\n# d\n</pre>\n\n    # e\n\n{LONG_A}",
        [("D", f"# D\n```\n# a\n```\n> # b\n\n- # c\n\n<pre>\n# d\n</pre>\n\n    # e\n\n{LONG_A}")],
    ),
    "link definitions alone are text": ("[a]: /one\n[b]: /two\n", [("doc", "[a]: /one\n[b]: /two")]),
    "link definitions at the end stay": (
        f"# D\n{LONG_A}\n\n[a]: /one 'x'\n",
        [("D", f"# D\n{LONG_A}\n\n[a]: /one 'x'")],
    ),
    "front matter alone": ("---\ntags: [a]\n---\n", [("doc", "---\ntags: [a]\n---")]),
    "Windows line ends": (
        f"# D\r\n{LONG_A}\r\n## B\r\n{LONG_B}\r\n",
        [("D", f"# D\r\n{LONG_A}"), ("D › B", f"## B\r\n{LONG_B}")],
    ),
    "old Mac line ends": (
        f"# D\r{LONG_A}\r## B\r{LONG_B}\r",
        [("D", f"# D\r{LONG_A}"), ("D › B", f"## B\r{LONG_B}")],
    ),
    "a byte order mark": (f"\ufeff# D\n{LONG_A}", [("D", f"# D\n{LONG_A}")]),
}


@pytest.mark.parametrize(("text", "expected"), SECTIONS.values(), ids=list(SECTIONS))
def test_sections(text: str, expected: list[tuple[str, str]]) -> None:
    assert titled(text) == expected


# --- blocks ----------------------------------------------------------------------------------------

BLOCKS = {
    "a fence of up to twice the size is whole, with its heading": (
        f"# D\n\n{OPEN}{CODE}{CLOSED}\n",
        200,
        [f"# D\n\n{OPEN}{CODE}{CLOSED}"],
    ),
    "parts of a longer fence are fences": (
        f"# D\n\n{OPEN}{CODE}{CLOSED}\n",
        100,
        [
            f"# D\n\n{OPEN}{CODE[:70]}{CLOSED}",
            *(f"{OPEN}{CODE[at:end]}{CLOSED}" for at, end in ((70, 150), (150, 220), (220, 300))),
        ],
    ),
    "the last part of a fence that is never closed is closed": (
        f"{OPEN}{CODE}",
        150,
        [f"{OPEN}{CODE[at : at + 100]}{CLOSED}" for at in (0, 100, 200)],
    ),
    "a fence in a list": (
        "- " + OPEN + "".join(f"  {line}\n" for line in CODE.splitlines()) + f"  {CLOSED}\n",
        150,
        [
            "- " + OPEN + "".join(f"  {line}\n" for line in CODE.splitlines()[at : at + 10]) + f"  {CLOSED}"
            for at in (0, 10, 20)
        ],
    ),
    "a fence in a quote": (
        "> Run:\n>\n> " + OPEN + "".join(f"> {line}\n" for line in CODE.splitlines()) + f"> {CLOSED}\n",
        300,
        [
            "> Run:\n>\n> " + OPEN + "".join(f"> {line}\n" for line in CODE.splitlines()) + f"> {CLOSED}",
        ],
    ),
    "tildes and a longer mark": (
        f"~~~~ py\n{CODE}~~~\n~~~~\n",
        120,
        [f"~~~~ py\n{CODE[at : at + 100]}~~~~" for at in (0, 100)] + [f"~~~~ py\n{CODE[200:]}~~~\n~~~~"],
    ),
    "a fence with Windows line ends": (
        f"{OPEN}{CODE}{CLOSED}".replace("\n", "\r\n"),
        160,
        [f"{OPEN}{CODE[at : at + 100]}{CLOSED}".replace("\n", "\r\n") for at in (0, 100, 200)],
    ),
    "a table of up to twice the size is whole": (
        f"| a | b |\n|---|---|\n{ROWS}",
        220,
        [f"| a | b |\n|---|---|\n{ROWS}".rstrip()],
    ),
    "parts of a longer table repeat its header": (
        f"# D\n\n{HEADER}{ROWS}",
        160,
        [
            f"# D\n\n{HEADER}{ROWS[:140]}".rstrip(),
            f"{HEADER}{ROWS[140:263]}".rstrip(),
            f"{HEADER}{ROWS[263:]}".rstrip(),
        ],
    ),
    "indented code keeps its margin and is cut at line ends": (
        "Run.\n\n" + "".join(f"    {line}\n" for line in CODE.splitlines()),
        150,
        [
            "Run.\n\n" + "".join(f"    {line}\n" for line in CODE.splitlines()[:10]).rstrip(),
            *(
                "".join(f"    {line}\n" for line in CODE.splitlines()[at : at + 10]).rstrip()
                for at in (10, 20)
            ),
        ],
    ),
    "a list is cut between its items": (
        "- one two three four five six\n  and seven\n" * 6,
        100,
        ["\n".join(["- one two three four five six\n  and seven"] * 2)] * 3,
    ),
    "an item that is too long is cut between its blocks": (
        f"1. {SENTENCE * 2}\n\n   {OPEN}   go()\n   {CLOSED}\n\n   {SENTENCE * 3}\n",
        140,
        [
            f"1. {SENTENCE * 2}\n\n   {OPEN}   go()\n   {CLOSED}",
            (SENTENCE * 3).strip(),
        ],
    ),
    "a paragraph that ends in a colon stays with the list after it": (
        f"{SENTENCE * 2}\n\n{SENTENCE}This is what you need, in this order:\n\n- a\n- b\n",
        120,
        [
            (SENTENCE * 2).strip(),
            f"{SENTENCE}This is what you need, in this order:\n\n- a\n- b",
        ],
    ),
    "a long paragraph is cut at sentences, not at the ends of its lines": (
        "One sentence that\nruns on for two lines. Another one that\ndoes so too, and is longer. "
        "A third sentence that\nends here. A fourth that\nhas some more words than needed.",
        100,
        [
            "One sentence that\nruns on for two lines. Another one that\ndoes so too, and is longer.",
            "A third sentence that\nends here. A fourth that\nhas some more words than needed.",
        ],
    ),
    "a rest of a few words joins the passage before it": (
        f"{SENTENCE * 6}\n\nThat is all.",
        280,
        [f"{SENTENCE * 6}\n\nThat is all."],
    ),
    "a few words join the code after them": (
        f"# D\n\nRun this.\n\n{OPEN}{CODE}{CLOSED}",
        170,
        [f"# D\n\nRun this.\n\n{OPEN}{CODE}{CLOSED}"],
    ),
    "blocks of one section are packed": (
        f"# D\n{SENTENCE}\n\n{SENTENCE}\n\n{SENTENCE}\n\n{SENTENCE}\n",
        110,
        [f"# D\n{SENTENCE}\n\n{SENTENCE}".strip(), f"{SENTENCE}\n\n{SENTENCE}".strip()],
    ),
    "Chinese passages are a third as long": (
        "# 花\n\n" + "傍晚浇水,不要在中午浇水。" * 20,
        300,
        [
            "# 花\n\n" + "傍晚浇水,不要在中午浇水。" * 7,
            "傍晚浇水,不要在中午浇水。" * 7,
            "傍晚浇水,不要在中午浇水。" * 6,
        ],
    ),
}


@pytest.mark.parametrize(("text", "size", "expected"), BLOCKS.values(), ids=list(BLOCKS))
def test_blocks(text: str, size: int, expected: list[str]) -> None:
    assert passages(text, size) == expected


def test_a_part_of_a_fence_spans_its_own_lines_only() -> None:
    result = reading(f"{SENTENCE}\n\n{OPEN}{CODE}{CLOSED}\n\n{SENTENCE}\n", 150)
    assert [source_of(result, draft) for draft in result.drafts] == [
        f"{SENTENCE}\n\n{OPEN}{CODE[:99]}",
        CODE[100:199],
        f"{CODE[200:]}{CLOSED}\n\n{SENTENCE}".rstrip(),
    ]
    assert [draft.text for draft in result.drafts] == [
        f"{SENTENCE}\n\n{OPEN}{CODE[:100]}{CLOSED}",
        f"{OPEN}{CODE[100:200]}{CLOSED}",
        f"{OPEN}{CODE[200:]}{CLOSED}\n\n{SENTENCE}".rstrip(),
    ]


def test_a_header_with_a_secret_is_not_repeated() -> None:
    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    table = f"| a | {secret} |\n|---|---|\n{ROWS}"
    result = reading(table, 100, secrets="refuse")
    assert result.failed
    assert len(result.drafts) > 2
    assert secret not in "".join(draft.text for draft in result.drafts)
    assert sum(secret in draft.text for draft in reading(table, 100, secrets="allow").drafts) == 1


@pytest.mark.parametrize(
    "text",
    [
        "| " + "a" * 400 + " |\n|---|\n" + "| b |\n" * 200,
        "```" + "a" * 400 + "\n" + CODE * 9,
        "`" * 400 + "\n" + CODE,
    ],
    ids=["header", "fence words", "fence"],
)
def test_a_long_opening_is_not_repeated(text: str) -> None:
    assert sum(map(len, passages(text, 100))) < 1.2 * len(text)


# --- plain text and HTML ---------------------------------------------------------------------------

PLAIN = {
    "paragraphs stay whole and are packed": (
        f"{SENTENCE}\n\n{SENTENCE * 2}\n \t\n{SENTENCE * 2}",
        150,
        [f"{SENTENCE}\n\n{SENTENCE * 2}".strip(), (SENTENCE * 2).strip()],
    ),
    "lines of a list stay whole": (
        "To do:\n" + f"- {SENTENCE}\n  {SENTENCE}\n" * 4,
        210,
        [
            f"To do:\n- {SENTENCE}\n  {SENTENCE}\n- {SENTENCE}\n  {SENTENCE}".strip(),
            f"- {SENTENCE}\n  {SENTENCE}\n- {SENTENCE}\n  {SENTENCE}".strip(),
        ],
    ),
    "a wrapped paragraph is cut at sentences": (
        "One sentence that\nruns on for two lines. Another one that\ndoes so too, and is longer. "
        "A third sentence that\nends here. A fourth that\nhas some more words than needed.",
        100,
        [
            "One sentence that\nruns on for two lines. Another one that\ndoes so too, and is longer.",
            "A third sentence that\nends here. A fourth that\nhas some more words than needed.",
        ],
    ),
    "a log is cut at lines": (
        "".join(f"07:{minute} Pump 1 started. Pressure 3 bar\n" for minute in range(10, 18)),
        160,
        [
            "\n".join(f"07:{minute} Pump 1 started. Pressure 3 bar" for minute in minutes)
            for minutes in (range(10, 14), range(14, 18))
        ],
    ),
}


@pytest.mark.parametrize(("text", "size", "expected"), PLAIN.values(), ids=list(PLAIN))
def test_plain_text(text: str, size: int, expected: list[str]) -> None:
    assert passages(text, size, "doc.txt") == expected


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("# Log\n\n## 2026-11-09\n\n- Ran.\n\n## 2026-11-13\n\n- Swam.\n", ["2026-11-09", "2026-11-13"]),
        ("# 19 November 2026\n\nSwam.\n\n## Evening\n\nSlept long and well, until noon.\n", ["2026-11-19"]),
        ("# Tagebuch\n\n## Donnerstag, 19. November 2026\n\nRegen.\n", ["2026-11-19"]),
        ("# 2026-11-19: Retro\n\nNo deploys on Fridays.\n", ["2026-11-19"]),
        ("---\ndate: 2026-01-02\n---\n# Log\n\nText.\n\n# 2026-11-19\n\nMore text.\n",
         ["2026-01-02", "2026-11-19"]),
        ("# Version 2026\n\nText.\n\n# Due by 2026-11-19\n\nMore text.\n", [None, None]),
    ],
)  # fmt: skip
def test_a_heading_that_is_a_date_says_when(text: str, times: list[str | None]) -> None:
    expected = [None if day is None else read_time(day) for day in times]
    assert [draft.time for draft in reading(text).drafts] == expected


def test_html_has_no_heading_alone_and_keeps_code_and_tables_whole() -> None:
    rows = "".join(f"<tr><td>pump {number}<td>{number} bar" for number in range(10))
    page = (
        f"<h1>D</h1><h2>A</h2><p>{SENTENCE * 5}</p><pre>{CODE}</pre><h2>B</h2><p>{SENTENCE}</p>"
        f"<table>{rows}</table><p>{SENTENCE * 2}</p><h2>C</h2>"
    )
    table = "\n".join(f"pump {number} | {number} bar" for number in range(10))
    assert titled(page, 160, "doc.html") == [
        ("doc › D › A", f"D\nA\n{SENTENCE * 3}".strip()),
        ("doc › D › A", (SENTENCE * 2).strip()),
        ("doc › D › A", CODE.strip()),
        ("doc › D › B", f"B\n{SENTENCE.strip()}\n{table}"),
        ("doc › D › B", f"{SENTENCE * 2}".strip() + "\nC"),
    ]


# --- any input -------------------------------------------------------------------------------------

LINES = st.sampled_from(
    [
        "",
        "",
        "# One",
        "## Two ##",
        "### Three",
        "###",
        "Setext",
        "===",
        "---",
        "text of a few words",
        "A sentence. And another one; it is longer than the first.",
        "ends with a colon:",
        "傍晚浇水,不要在中午浇水。",
        "- item",
        "  - inner",
        "    - innermost",
        "1. one",
        "  continued",
        "    indented",
        "\tcode",
        "> quote",
        "> > deeper",
        "> ```",
        "- ```py",
        "  ```",
        "```sh",
        "```",
        "~~~",
        "| a | b |",
        "|---|---|",
        "| 1 | 2 |",
        "<div>",
        "</div>",
        "<!-- note -->",
        "<!--",
        "-->",
        "<pre>",
        "[a]: /url 'title'",
        "***",
        "\f",
        "x" * 90,
        "word " * 30,
    ]
)
MARKDOWN = st.lists(st.tuples(LINES, st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])), max_size=40).map(
    lambda lines: "".join(line + end for line, end in lines)
)


def check(text: str, size: int, name: str = "doc.md") -> list[Draft]:
    """Check what holds for all passages: nothing lost, in order, and the text of each that of its span."""
    result = reading(text, size, name)
    at = 0
    data = result.data
    for draft in result.drafts:
        assert not data[at : draft.span.start].decode().strip()
        assert draft.text.strip()
        own = source_of(result, draft)
        if draft.text != own:  # a part of a fence or table, with lines that it lacks
            added = draft.text.splitlines()
            assert all(any(line in other for other in added) for line in own.splitlines())
            assert len(draft.text) < len(own) + 2 * size + 200
        at = draft.span.end
    assert not data[at:].decode().strip()
    return list(result.drafts)


@given(MARKDOWN, st.sampled_from([1, 10, 40, 100, 300, 900]))
def test_nothing_is_lost_and_every_span_is_exact(text: str, size: int) -> None:
    if not text.startswith("---"):
        check(text, size)
    check(text, size, "doc.txt")


@given(MARKDOWN)
def test_no_passage_is_a_heading_alone(text: str) -> None:
    drafts = reading("intro words\n\n" + text, 300).drafts
    for draft in drafts:
        assert not all(line.startswith(("# ", "## ", "### ")) for line in draft.text.splitlines())


@given(MARKDOWN, st.integers(1, 200))
def test_windows_of_the_parser_do_not_show(text: str, width: int) -> None:
    whole = list(parse_blocks(text))
    original = markdown._WINDOW
    markdown._WINDOW = width
    try:
        assert list(parse_blocks(text)) == whole
    finally:
        markdown._WINDOW = original


N = 20_000
HOSTILE = {
    "quotes": ">" * N + " x",
    "quoted lines": "> a\n" * N,
    "lists in lists": "- " * N + "x",
    "deeper lists": "".join("  " * depth + "- a\n" for depth in range(300)),
    "deeper quotes": "".join(">" * depth + " a\n" for depth in range(300)),
    "brackets": "[" * N,
    "definitions": "".join(f"[a{number}]: /u\n" for number in range(N // 4)),
    "open definitions": "[a]:\n" * N,
    "pipes": "|" * N + "\n" + "|-" * N,
    "wide table": "|" + "a|" * N + "\n|" + "-|" * N + "\n|1|2|\n",
    "table": "|a|b|\n|-|-|\n" + "|1|2|\n" * N,
    "headings": "# a\n" * N,
    "a heading": "# " + "x " * N,
    "underlines": "a\n=\n" * (N // 2),
    "rules": "a\n---\n" * (N // 2),
    "open fence": "```\n" + "x\n" * N,
    "fences": "```\n" * N,
    "fences in quotes": "> ```\n" * N,
    "fences in lists": "- ```\n" * (N // 2),
    "open comment": "<!--\n" * N,
    "tags": "<a \n" * N,
    "angles": "<" * N,
    "backticks": "`" * N,
    "tabs": "\t" * N + "x",
    "spaces": " " * N + "\n" + " " * N + "x",
    "blank lines": "- a\n" + "\n" * N + "- b\n",
    "old line ends": "# a\rb\r\r" * (N // 4),
    "long line": "x" * 1_000_000,
    "long line in a fence": "```\n" + "x" * 500_000 + "\n```\n",
    "long line in a table": "| a |\n|---|\n| " + "x" * 500_000 + " |\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_markdown_is_cut_in_time(text: str) -> None:
    with no_hang():
        drafts = check(text, 900)
    assert max(len(draft.text) for draft in drafts) <= 4 * 900
    assert sum(len(draft.text) for draft in drafts) <= 3 * len(text) + 100


def test_what_the_parser_cannot_read_is_cut_as_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(prose, "parse_blocks", fail)
    drafts = list(prose.read_markdown(f"# D\n\n{SENTENCE * 4}", Span, Setting("doc", "doc", None, "", 100)))
    assert [(draft.title, draft.text) for draft in drafts] == [
        ("doc", f"# D\n\n{SENTENCE * 2}".strip()),
        ("doc", (SENTENCE * 2).strip()),
    ]
