"""memos search, query."""

from __future__ import annotations

import json

import pytest
from command import Shell, with_models


@pytest.fixture
def kept(memos: Shell) -> Shell:
    """A user with a few memories, without vectors."""
    memos.keep("The staging database listens on port 5433.", options=("--tag", "work/db", "--type", "fact"))
    memos.keep("Backups are made at two in the night.", options=("--tag", "work", "--time", "2026-05-01"))
    memos.keep("My cat likes the backup disk: it is warm.", options=("--tag", "home", "--time", "2023-01-01"))
    memos.keep("我们的气候政策会议在星期三举行。", options=("--source", "notes/climate"))
    return memos


def texts(shell: Shell, *arguments: object) -> list[str]:
    return [row["text"] for row in shell("search", *arguments, "--json").records]


# --- search ----------------------------------------------------------------------------------------


def test_search_puts_the_best_first_and_says_why(kept: Shell) -> None:
    rows = kept("search", "backup disk", "--json").records
    assert [row["text"][:8] for row in rows] == ["My cat l", "Backups "]
    assert rows[0]["score"] == 1.0 > rows[1]["score"]
    assert rows[0]["why"]["terms"] == "backup disk"


def test_search_finds_chinese(kept: Shell) -> None:
    assert texts(kept, "气候政策") == ["我们的气候政策会议在星期三举行。"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--tag", "work"), ["Backups"]),
        (("--tag", "home"), ["My cat"]),
        (("--tag", "home", "--tag", "work"), []),
        (("--after", "2026-01-01"), ["Backups"]),
        (("--before", "2026-01-01"), ["My cat"]),
        (("--after", "2023-01-01", "--before", "2026-05-01"), ["My cat"]),
        (("--type", "fact"), []),
        (("--source", "climate"), []),
        (("-k", "1"), ["My cat"]),
    ],
)
def test_search_is_narrowed_by_filters(kept: Shell, options: tuple[str, ...], found: list[str]) -> None:
    rows = texts(kept, "backup disk", *options)
    assert len(rows) == len(found)
    assert all(text.startswith(start) for text, start in zip(rows, found, strict=True))


def test_types_widen_and_tags_reach_below(kept: Shell) -> None:
    assert len(texts(kept, "port", "--type", "fact", "--type", "event", "--tag", "work")) == 1


def test_the_query_may_come_from_standard_input(kept: Shell) -> None:
    assert "5433" in kept("search", "-", stdin=b"staging port\n").out


def test_search_without_words_is_refused(kept: Shell) -> None:
    kept("search", code=2)
    kept("search", "  ", code=2)
    kept("search", "x", "-k", "-1", code=2)


def test_nothing_found_is_no_failure(kept: Shell) -> None:
    result = kept("search", "zeppelin")
    assert (result.out, result.err) == ("", "nothing found\n")
    assert kept("-q", "search", "zeppelin").err == ""


@pytest.mark.parametrize(
    "query", ['"', "AND OR NOT", "a* (b", "NEAR(x,", "-", "'; DROP TABLE cube", "!?…", "😀"]
)
def test_search_takes_any_text_as_words(kept: Shell, query: str) -> None:
    kept("search", "--", query, stdin=query.encode())


# --- batch -----------------------------------------------------------------------------------------


def test_a_batch_answers_line_by_line(kept: Shell) -> None:
    requests = [
        "staging port",
        json.dumps({"query": "backup", "k": 1}),
        json.dumps({"query": "backup", "tag": "home"}),
        json.dumps({"query": "backup", "before": "2024-01-01", "type": []}),
        "zeppelin",
    ]
    answers = kept("search", "--batch", "-", stdin="\n\n".join(requests).encode()).records
    assert [answer["query"] for answer in answers] == [
        "staging port",
        "backup",
        "backup",
        "backup",
        "zeppelin",
    ]
    assert [len(answer["results"]) for answer in answers] == [1, 1, 1, 1, 0]
    assert answers[2]["results"][0]["tags"] == ["home"]


def test_a_bad_line_of_a_batch_is_answered_and_the_others_too(kept: Shell) -> None:
    requests = [
        "{broken",
        json.dumps({"question": "port"}),
        json.dumps({"query": "port", "k": "many"}),
        json.dumps({"query": "port", "type": "wish"}),
        json.dumps({"query": "port", "after": "whenever"}),
        json.dumps({"query": "port", "view": "unknown"}),
        json.dumps({"query": "port", "tag": 7}),
        json.dumps({"query": "port", "k": -1}),
        json.dumps({"query": "port", "k": 10**30}),
        json.dumps({"query": "  "}),
        "staging port",
    ]
    answers = kept("search", "--batch", "-", stdin="\n".join(requests).encode(), code=3).records
    assert len(answers) == len(requests)
    assert all(answer["error"]["code"] == 2 and answer["error"]["message"] for answer in answers[:-1])
    assert len(answers[-1]["results"]) == 1


def test_a_batch_may_be_a_file(kept: Shell) -> None:
    kept.write("questions.txt", "port\n")
    assert len(kept("search", "--batch", "questions.txt").records) == 1
    kept("search", "--batch", "missing.txt", code=2)


def test_a_batch_and_a_question_do_not_go_together(kept: Shell) -> None:
    for command in ("search", "query"):
        assert "do not go together" in kept(command, "port", "--batch", "-", code=2, stdin=b"port\n").err


def test_filters_of_the_command_hold_for_each_line(kept: Shell) -> None:
    answers = kept("search", "--batch", "-", "--tag", "home", "-k", "5", stdin=b"backup\nport\n").records
    assert [len(answer["results"]) for answer in answers] == [1, 0]


# --- query -----------------------------------------------------------------------------------------


def test_query_without_its_model_says_which(kept: Shell) -> None:
    assert "/nowhere" in kept("query", "Which port?", "--model", "/nowhere/m.gguf", code=15).err
    assert "/nowhere" in kept("query", "Which port?", env={"MEMOS_READER": "/nowhere/m.gguf"}, code=15).err


@pytest.mark.parametrize("content", [b"", b"GGUF", b"dear diary", b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_query_refuses_a_file_that_is_no_model(kept: Shell, content: bytes) -> None:
    path = kept.write("model.gguf", content)
    kept("query", "Which port?", "--model", path, code=15)


@with_models
def test_query_answers_and_names_its_sources(kept: Shell) -> None:
    lines = kept("query", "Which port does the staging database use?").lines
    assert "5433" in lines[0]
    assert lines[lines.index("Sources:") + 1].startswith("[1] The staging database listens on port 5433.")


@with_models
def test_query_answers_nothing_that_memory_does_not_hold(kept: Shell) -> None:
    answered = kept("query", "Who won the chess world championship in 1972?", "--json").record
    assert answered["answer"] == "Nothing in memory answers this."
    assert answered["sources"] == []


@with_models
def test_explain_shows_the_plan_and_asks_no_model(kept: Shell) -> None:
    told = kept("query", "When are backups made?", "--explain").out
    assert "[1] as text" in told
    assert "left out:" in told
    plan = kept("query", "When are backups made?", "--explain", "--json").record
    assert "answer" not in plan
    assert plan["plan"]["chosen"][0]["form"] == "text"


@with_models
def test_the_time_in_a_question_counts(kept: Shell) -> None:
    plan = kept("query", "What about the backup in January 2023?", "--explain", "--json").record["plan"]
    assert (plan["call"]["after"], plan["call"]["before"]) == ("2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z")
    shown = kept("query", "What about the backup in January 2023?", "--explain", "--json").record["sources"]
    assert all(source["time"] != "2026-05-01T00:00:00Z" for source in shown)


@with_models
def test_a_batch_of_questions_starts_the_model_once(kept: Shell) -> None:
    requests = "Which port does the staging database use?\n{broken\n"
    options = ("--max-tokens", "24")
    first, second = kept("query", "--batch", "-", *options, stdin=requests.encode(), code=3).records
    assert "5433" in first["answer"]
    assert second["error"]["code"] == 2


@with_models
def test_a_use_warms_a_memory(kept: Shell) -> None:
    kept("query", "Which port does the staging database use?", "--max-tokens", "1")
    (hot,) = (row for row in kept("list", "--json").records if row["hits"])
    assert (hot["hits"], hot["heat"], hot["state"]) == (1, 1.0, "activated")


@with_models
def test_a_question_that_does_not_fit_is_refused(kept: Shell) -> None:
    kept("query", "word " * 3000, env={"MEMOS_QUERY_CONTEXT": "512"}, code=2)
    kept("query", "", code=2)
