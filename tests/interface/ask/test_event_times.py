"""Times that are told by what happened then."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from types import FrameType

import pytest
from cli_harness import Shell, with_models
from vault_harness import WHO

from memos_cli.cube import Filter
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, IngestOptions, ReadOptions
from memos_cli.interface.time.event_phrases import read_anchor
from memos_cli.settings import Settings

NOW = ("--now", "2026-06-15")


@pytest.mark.parametrize(
    ("question", "event", "relation", "step"),
    [
        ("Where did I work before I moved to Berlin?", "I moved to Berlin", "before", ""),
        ("Before I moved to Berlin, where did I work?", "I moved to Berlin", "before", ""),
        ("What broke the Tuesday after the launch?", "the launch", "after", "tuesday"),
        ("What did we say the week before the launch about prices?", "the launch", "before", "week"),
        ("Who has called since Bo left?", "Bo left", "since", ""),
        ("我搬到柏林之前在哪里工作?", "我搬到柏林", "before", ""),
        ("产品发布之后的那个星期二出了什么问题?", "产品发布", "after", "tuesday"),
    ],
)
def test_events_are_read(question: str, event: str, relation: str, step: str) -> None:
    anchor = read_anchor(question)
    assert anchor is not None
    assert (anchor.event, anchor.relation, anchor.step) == (event, relation, step)


@pytest.mark.parametrize(
    "question",
    ["What is before?", "Is it before noon?", "A dog after all", "", "before", "what comes after?"],
)
def test_other_questions_tell_no_event(question: str) -> None:
    assert read_anchor(question) is None


@pytest.fixture
def life(memos: Shell) -> Shell:
    """Somebody who moved, worked, and launched something on a Thursday."""
    for time, text in (
        ("2022-02-01", "I work at the harbour office as a clerk."),
        ("2023-03-10", "I moved to Berlin, into the flat near the canal."),
        ("2024-02-01", "I work at the print shop as a bookbinder."),
        ("2026-05-14", "The launch of the reading app went well."),
        ("2026-05-19", "The login of the reading app broke and was repaired."),
        ("2026-06-02", "The login of the reading app got a new button."),
    ):
        turn = f'{{"role": "user", "name": "Ann", "time": "{time}T10:00:00Z", "content": "{text}"}}'
        memos("ingest", memos.write(f"{time}.jsonl", turn), "--no-embed")
    return memos


def chosen(shell: Shell, question: str) -> list[str]:
    plan = shell("query", question, "--explain", "--json", *NOW).record["plan"]
    texts = {each["id"]: each["text"] for each in shell("list", "--json").records}
    return [texts[item["id"]] for item in plan["chosen"]]


@with_models
def test_memory_tells_when_it_was(life: Shell) -> None:
    life("embed", "--embedder", "multilingual-e5-small")
    before = chosen(life, "Where did I work before I moved to Berlin?")
    assert before == ["I work at the harbour office as a clerk."]
    after = chosen(life, "Where do I work after I moved to Berlin?")
    assert after[0] == "I work at the print shop as a bookbinder."
    assert "I work at the harbour office as a clerk." not in after
    broke = chosen(life, "What about the login of the reading app the Tuesday after the launch?")
    assert broke == ["The login of the reading app broke and was repaired."]
    found = life("query", "Where did I work before I moved to Berlin?", "--explain", *NOW).out
    assert "before I moved to Berlin: … to 2023-03-10T00:00:00Z" in found
    note = life("search", "my work before I moved to Berlin", *NOW).err
    assert "'before I moved to Berlin' was dated from memory " in note


@with_models
def test_what_memory_does_not_know_is_no_time(life: Shell) -> None:
    life("embed", "--embedder", "multilingual-e5-small")
    found = life("query", "Where did I work as what before the elephant sang?", "--explain", *NOW).out
    assert "time " not in found


def test_a_word_of_time_is_read_as_of_then(life: Shell) -> None:
    last = chosen(life, "What was with the login of the reading app last month?")
    assert last[0] == "The login of the reading app broke and was repaired."
    assert "The login of the reading app got a new button." not in last


STAGES = ("memory", "request", "question_parser", "planning", "usage")
"""The modules of ``interface/ask`` that a question passes, in their order."""


@pytest.mark.parametrize(
    ("question", "passed"),
    [
        ("Which port does the database use?", {"event_times": 0, "retrieval": 1}),
        ("What did we do before Ana moved to Berlin?", {"event_times": 2, "retrieval": 3}),
    ],
)
def test_a_question_goes_one_way(tmp_path: Path, question: str, passed: dict[str, int]) -> None:
    """Parse, resolve times, retrieve, plan, answer; the API is entered once, and no stage calls one above."""
    calls: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        where = Path(frame.f_code.co_filename)
        is_stage = where.parent.name in ("ask", "interface") and where.stem != "session"
        if event == "call" and is_stage and frame.f_code.co_name[0] != "<":
            calls.append(where.stem)

    settings = Settings(vault=str(tmp_path / "vault"), principal=WHO, embedder="/nowhere")
    with Memos(settings, clock=lambda: 1_760_000_000_000) as memos:
        memos.create_vault()
        lines = IngestOptions(hints=ReadOptions(lines=True))
        text = b"Ana moved to Berlin on 2023-03-04.\nThe database listens on port 5434."
        memos.ingest(options=lines, text=text, embed=False)
        for profile in (None, note):  # the first time, modules are imported
            sys.setprofile(profile)
            try:
                memos.query(question, filter=Filter(), options=AnswerOptions(answer="quote"))
            finally:
                sys.setprofile(None)
    stays = [module for module, _ in groupby(calls)]
    assert stays.count("memory") == 1
    assert {name: stays.count(name) for name in passed} == passed
    firsts = [stays.index(name) for name in STAGES if name in stays]
    assert firsts == sorted(firsts)
    assert stays.index("planning") > max(at for at, name in enumerate(stays) if name == "question_parser")
