"""Streams of model servers: lines, events and objects, whole and broken."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.models.remote import streams
from memos_cli.models.remote.counting import Counter, estimate_tokens
from memos_cli.models.remote.streams import ProtocolError, read_events, read_objects, split_lines

STREAM = (
    'data: {"a": "é\u2028x"}\r\n\r\n: ping\nevent: message\nid: 7\ndata:{"a":2}\n\ndata: [DONE]\n\ndata: {'
)


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=8))
def test_events_do_not_depend_on_how_they_are_cut(cuts: list[int]) -> None:
    data, places = STREAM.encode(), sorted({0, *cuts, len(STREAM.encode())})
    chunks = [data[start:end] for start, end in pairwise(places)]
    assert list(read_events(split_lines(chunks))) == [{"a": "é\u2028x"}, {"a": 2}]


@given(st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=5), st.integers(1, 9))
def test_objects_by_lines_are_read_as_they_were_written(objects: list[dict[str, str]], size: int) -> None:
    data = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects).encode()
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(read_objects(split_lines(chunks))) == objects


@pytest.mark.parametrize("text", ["<html>", "data: {", 'data: "x"', "[1]", "data: nul", "\x00\xff", "NaN"])
def test_garbage_is_not_pieced_together(text: str) -> None:
    with pytest.raises(ProtocolError):
        list(read_events([text]))
    with pytest.raises(ProtocolError):
        list(read_objects([text.removeprefix("data: ")]))


@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_garbage(data: bytes) -> None:
    try:
        list(read_events(split_lines([data])))
    except ProtocolError as error:
        assert len(str(error)) < 300


def test_a_line_without_end_is_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_LINE", 100)
    with pytest.raises(ProtocolError, match="a line of more than"):
        list(split_lines(b"x" * 30 for _ in range(10**9)))


# Tokens of SmolLM2's vocabulary, which is small: others need fewer.
TOKENS = {
    "": 0,
    "The staging database listens on port 5433.": 12,
    "def read(path: Path) -> list[str]: return path.read_text().splitlines()": 22,
    "灯台守は夕暮れに港の灯をともす。": 31,
    "The harbour lantern is lit by the keeper at dusk, and put out again when the first boat has left.": 22,
}


@pytest.mark.parametrize(("text", "tokens"), TOKENS.items())
def test_an_estimate_is_rarely_low_and_never_absurd(text: str, tokens: int) -> None:
    assert 0.7 * tokens <= estimate_tokens(text) <= 1.8 * tokens


def test_an_estimate_is_corrected_and_remembered(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "cache" / "counts.json"
    counter = Counter("ollama#tiny", file)
    before = counter.count("one two three four five six seven eight")
    counter.correct(before, 2 * before)
    again = Counter("ollama#tiny", file)
    assert again.count("one two three four five six seven eight") >= 2 * before
    assert Counter("other", file).factor == 1.0
    again.correct(1000, 3)  # it counted only what it had not cached
    assert Counter("ollama#tiny", file).factor == again.factor > 2
    for _ in range(9):
        again.correct(1000, 800)
    assert again.factor < 2
    file.write_text("no JSON")
    assert Counter("ollama#tiny", file).factor == 1.0
