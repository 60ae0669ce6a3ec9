"""Records of JSON and tables: every field of a record is kept, whatever wrote the file."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from cli_harness import no_hang
from hypothesis import assume, given
from hypothesis import strategies as st

from memos_cli.interface.ingest.sources.reading import Reading, read_bytes
from memos_cli.interface.options import ReadOptions
from memos_cli.interface.redaction.redaction import find_secrets


def reading(data: str | bytes, name: str) -> Reading:
    return read_bytes(data.encode() if isinstance(data, str) else data, "x", name, ReadOptions())


def texts(result: Reading) -> list[str]:
    return [draft.text for draft in result.drafts]


TABLES: dict[str, tuple[str, list[str]]] = {
    "sep line": ("sep=;\r\nName;Price\r\nTea;1,50\r\n", ["Name: Tea\nPrice: 1,50"]),
    "sep line, quoted tab": ('"sep=\t"\nName\tPrice\nTea; hot\t1\n', ["Name: Tea; hot\nPrice: 1"]),
    "decimal commas": ("A;B\n1,5;2,5\n3,5;4,5\n", ["A: 1,5\nB: 2,5", "A: 3,5\nB: 4,5"]),
    "commas in every cell": ("Name, first;City\nBerg, Ana;Bonn\n", ["Name, first: Berg, Ana\nCity: Bonn"]),
    "quoted delimiters": ('a,b;c\n"1;2","x;y\nz"\n', ["a: 1;2\nb;c: x;y\nz"]),
    "doubled quotes": ('a;b\n"say ""hi""";2\n', ['a: say "hi"\nb: 2']),
    "title above": ("Report\n\nA;B\n1,5;x\n2,5;y\n", ["A: 1,5\nB: x", "A: 2,5\nB: y"]),
    "title padded": ("Report;;\n;;\nA;B;C\n1;x;z\nTotal;;9\n", ["A: 1\nB: x\nC: z", "A: Total\nC: 9"]),
    "statement": (
        "Account:;DE12\nMonth:;May\n\nDay;Payee;Sum;Unit\nMon;Ana;1,0;EUR\nTue;Ben;2,0;EUR\n",
        ["Account: DE12\nMonth: May", "Day: Mon\nPayee: Ana\nSum: 1,0\nUnit: EUR",
         "Day: Tue\nPayee: Ben\nSum: 2,0\nUnit: EUR"],
    ),
    "no names, blank columns": (
        ";Q1;;Q2;\nTea;1;;2;\nPie;x;;;9\n",
        ["column 1: Tea\nQ1: 1\nQ2: 2", "column 1: Pie\nQ1: x\ncolumn 5: 9"],
    ),
    "one column": ("note\nHello, world\nBye, all, friends\n", ["Hello, world", "Bye, all, friends"]),
    "one column, no header": ("The boat is red.\nIt is old.\n", ["The boat is red.", "It is old."]),
    "no header": ("Ana,42\nBen,17\n", ["column 1: Ana\ncolumn 2: 42", "column 1: Ben\ncolumn 2: 17"]),
    "years as names": ("Region;2024;2025\nNorth;500;700\n", ["Region: North\n2024: 500\n2025: 700"]),
    "days as names": ("Name;1;2;3\nAna;8;8;0\n", ["Name: Ana\n1: 8\n2: 8\n3: 0"]),
    "repeated names": ("n,p,p,p 2\nAna,1,2,3\n", ["n: Ana\np: 1\np 3: 2\np 2: 3"]),
    "names in two cases": ("Key,note,Note\nA,one,two\n", ["one\nKey: A\nNote: two"]),
    "longer rows": ("a,b\n1,2,3\n4\n", ["a: 1\nb: 2\ncolumn 3: 3", "a: 4"]),
    "a quote without an end": ('a\tb\n1\t"x\n2\ty\n3\tz\n', ['a: 1\nb: "x', "a: 2\nb: y", "a: 3\nb: z"]),
    "pipes": ("a|b\n1|x, y\n", ["a: 1\nb: x, y"]),
    "spaces after commas": ("name, phone\nAna, 44\n", ["name: Ana\nphone: 44"]),
    "text beside others": (
        "day,sum,note\nMo,1,lunch\nTu,2,\nWe,3,lunch\n",
        ["lunch\nday: Mo\nsum: 1", "day: Tu\nsum: 2", "lunch\nday: We\nsum: 3"],
    ),
    "only a time differs": ("text,time\nfed,2026-05-01\nfed,2026-05-02\n", ["fed", "fed\ntime: 2026-05-02"]),
    "a thing, not a speaker": ("name,content,price\nKettle,steel,30\n", ["steel\nname: Kettle\nprice: 30"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables(case: str, encoding: str) -> None:
    data, expected = TABLES[case]
    result = reading(data.encode(encoding), "t.csv")
    assert (texts(result), result.failed) == (expected, ())


def test_the_title_of_a_table_titles_its_rows() -> None:
    assert {draft.title for draft in reading("Report\n\nA;B\n1;2\n3;4\n", "t.csv").drafts} == {"Report"}


def test_unicode_text_of_excel_is_a_table() -> None:
    data = 'Thing\tNote\r\nTea\t"two\r\nlines"\r\n'
    assert texts(reading(data.encode("utf-16"), "t.txt")) == ["two\r\nlines\nThing: Tea"]
    assert reading(data.encode("utf-16"), "t.txt").origin.kind == "csv"
    assert reading("Some\ttext\nwithout a table".encode("utf-16"), "t.txt").origin.kind == "text"


JSONS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "beside a list": (
        '{"name": "Oslo", "hotel": "Rio", "days": [{"plan": "boat"}]}',
        [("t", "name: Oslo\nhotel: Rio"), ("Oslo: days", "plan: boat")],
    ),
    "only a title beside": ('{"title": "Q", "messages": [{"role": "user", "content": "hi"}]}', [("Q", "hi")]),
    "paging": ('{"count": 1, "next": null, "results": [{"a": 1}], "ok": true}', [("t", "a: 1")]),
    "nested wrappers": ('{"response": {"data": {"docs": [{"a": 1}]}, "took": 3}}', [("t: docs", "a: 1")]),
    "two lists": ('{"a": [{"x": 1}], "b": [{"x": 2}]}', [("t", 'a: [{"x": 1}]\nb: [{"x": 2}]')]),
    "a text of its own": ('{"text": "t", "links": [{"a": 1}]}', [("t", 't\nlinks: [{"a": 1}]')]),
    "repeated keys": ('{"a": 1, "a": 2, "a 2": 3}', [("t", "a: 1\na 3: 2\na 2: 3")]),
    "repeated list": ('{"a": 1, "a": [{"x": 2}]}', [("t", "a: 1"), ("t: a 2", "x: 2")]),
    "scalars": ('"x" 4 null true', [("t", "x"), ("t", "4"), ("t", "true")]),
    "numbers": ('{"a": 1e999, "b": NaN, "c": 123456789012345678901234567890}',
                [("t", "a: 1e999\nb: NaN\nc: 123456789012345678901234567890")]),
    "parts with more than text": ('[{"text": [{"text": "a", "u": 1}]}]', 
                                 [("t", 'text: [{"text": "a", "u": 1}]')]),
    "tags with more than words": ('{"text": "a", "tags": [{"n": 1}]}', [("t", 'a\ntags: [{"n": 1}]')]),
}  # fmt: skip


@pytest.mark.parametrize("case", JSONS)
def test_json(case: str) -> None:
    data, expected = JSONS[case]
    result = reading(data, "t.json")
    assert ([(draft.title, draft.text) for draft in result.drafts], result.failed) == (expected, ())
    for draft in result.drafts:
        json.loads(result.data[draft.span.start : draft.span.end])


@pytest.mark.parametrize(
    ("data", "expected", "failed"),
    [
        ('\ufeff{"text": "a"}\n\ufeff{"text": "b"}', ["a", "b"], []),
        ('{"text": "a"}{"text": "b"},\n{"text": "c"},\n', ["a", "b", "c"], []),
        ('{\n "text": "a"\n}\n{\n "text": "b"\n}\n', ["a", "b"], []),
        ('[\n {"text": "a"},\n {"text": "b"}\n]\n', ["a", "b"], []),
        ('{"text": "a"} oops\n{"text": "b"}', ["a", "b"], ["line 1"]),
        ('{"text": "a\u2028b\u0085c"}\n', ["a\u2028b\u0085c"], []),
        ('{"a": [1,\n{"text": "b"}\n{"a":\n{"text": "c"}\n', ["b", "c"], ["line 1", "line 3"]),
    ],
)
def test_lines(data: str, expected: list[str], failed: list[str]) -> None:
    result = reading(data, "t.jsonl")
    assert texts(result) == expected
    assert [each.reason.split(":")[0] for each in result.failed] == failed


WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


@given(st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=2, max_size=6), st.sampled_from(",;\t|"))
def test_every_cell_is_found_and_rows_that_differ_are_two(rows: list[list[str]], delimiter: str) -> None:
    import csv

    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["one", "note", "time"], *rows])
    assume(not find_secrets(out.getvalue()))  # a column may be called Password
    drafts = reading(out.getvalue(), "t.csv").drafts
    assert len({draft.digest() for draft in drafts}) == len({tuple(row) for row in rows})
    for row, draft in zip(rows, drafts, strict=True):
        assert all(cell in draft.text for cell in row)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "columns"])
def test_long_records_are_read(kind: str) -> None:
    def make(size: int) -> tuple[str, str]:
        long = "Sentence of a report. " * size
        if kind == "jsonl":
            return json.dumps({"content": long}), "t.jsonl"
        if kind == "csv":
            return f'a,text\n1,"{long}"\n', "t.csv"
        row = ",".join(map(str, range(4 * size)))
        return f"{row}\n{row.replace('1', 'x')}\n", "t.csv"

    data, name = make(400_000)
    with no_hang():
        reading(data, name)


@pytest.mark.parametrize("value", ['{"a":', "["])
def test_depth(value: str) -> None:
    for name in ("t.json", "t.jsonl"):
        failed: Any = reading(value * 100_000, name).failed
        assert len(failed) == 1


@pytest.mark.parametrize("wrong", [None, 1, "x", [1, None], {"a": 1}, [{"data": [1], "text": {"a": 1}}]])
def test_a_cell_of_another_form_is_read_as_far_as_it_is_text(wrong: object) -> None:
    cells = [{"cell_type": "code", "source": "print()", "outputs": wrong}]
    (text,) = texts(reading(json.dumps({"cells": cells, "nbformat": 4}), "study.ipynb"))
    assert "print()" in text
