"""memos search, query."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cli_harness import Shell, with_models
from tiny_models import write_model

from memos_cli.errors import ModelUnfit
from memos_cli.interface.results import NOTHING
from memos_cli.interface.session import Session
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.model_files import resolve_reader


@pytest.fixture
def kept(memos: Shell) -> Shell:
    """A user with a few memories, without vectors."""
    memos.keep("The staging database listens on port 5433.", options=("--tag", "work/db", "--type", "fact"))
    memos.keep("Backups are made at two in the night.", options=("--tag", "work", "--time", "2026-05-01"))
    memos.keep("My cat likes the backup disk: it is warm.", options=("--tag", "home", "--time", "2023-01-01"))
    memos.keep("我们的气候政策会议在星期三举行。", options=("--source", "notes/climate"))
    return memos


STAGING = "Which port does the staging database use?"
ANSWER = "The staging database listens on port 5433."


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


# --- query: a quoted answer ------------------------------------------------------------------------


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model's weights can be opened: what is quoted needs none."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a model was opened")

    monkeypatch.setattr(Engine, "__init__", refuse)


def test_a_quoted_answer_lists_its_sources(kept: Shell, no_model: None) -> None:
    assert kept("query", STAGING).lines == [ANSWER, "", "From:", f"[1] {ANSWER} — stdin:0-42"]


def test_a_quoted_answer_names_author_and_time(kept: Shell, no_model: None) -> None:
    turn = {"id": "d1", "role": "user", "name": "Ann", "time": "2026-05-01T10:00:00Z",
            "content": "The red bicycle has a flat tyre."}  # fmt: skip
    line = json.dumps(turn)
    kept.write("chat.jsonl", line + "\n")
    kept("ingest", "chat.jsonl", "--no-embed")
    assert kept("query", "What is wrong with the red bicycle?").lines == [
        "Ann: The red bicycle has a flat tyre.",
        "",
        "From:",
        f"[1] Ann, 2026-05-01 — chat.jsonl:0-{len(line)} d1",
    ]


def test_the_json_of_a_quoted_answer(kept: Shell, no_model: None) -> None:
    told = kept("query", STAGING, "--json").record
    assert (told["answered"], told["mode"], told["answer"]) == (True, "quote", ANSWER)
    assert (told["model"], told["nearest"]) == ("", None)
    assert told["support"] == {"unsupported": [], "stopped": "end"}
    assert told["timings"].keys() == {"start", "search", "total"}
    (quote,) = told["quotes"]
    (cube,) = (row for row in kept("list", "--json").records if row["text"] == ANSWER)
    assert (quote["id"], quote["text"], quote["span"]) == (cube["id"], ANSWER, [0, 42])
    assert quote["characters"] == [0, len(ANSWER)]
    assert told["sources"][0]["label"] == quote["label"] == 1
    (chosen,) = (item for item in told["plan"]["chosen"] if item["label"] == 1)
    assert [(each["text"], each["cosine"]) for each in chosen["sentences"]] == [(ANSWER, None)]


def test_the_answering_sentence_of_a_long_memory_is_quoted(kept: Shell, no_model: None) -> None:
    filler = "The kitchen of the old farm has a large window towards the orchard and its many trees. "
    answer = "The lighthouse keeper paints the railing green every second summer."
    kept.keep(filler * 8 + answer + " " + filler * 8)
    told = kept("query", "What does the lighthouse keeper paint?", "--json").record
    assert answer in told["answer"]
    first = told["quotes"][0]
    start, end = first["characters"]
    (cube,) = (row for row in kept("list", "--json").records if row["id"] == first["id"])
    assert cube["text"][start:end] == first["text"] == answer
    assert len(told["quotes"]) <= 3
    assert len(told["answer"].split()) <= 60


def test_the_words_of_a_quoted_answer_are_limited_by_a_setting(kept: Shell, no_model: None) -> None:
    lines = [f"The harbour pilot keeps the {thing} in the blue shed." for thing in ("rope", "lamp", "flag")]
    kept.keep(*lines)
    question = "What does the harbour pilot keep in the blue shed?"
    assert len(kept("query", question, "--json").record["quotes"]) == 3
    few = kept("query", question, "--json", env={"MEMOS_QUERY_WORDS": "12"}).record
    assert len(few["quotes"]) == 1


@pytest.mark.parametrize(
    "question", ["Who won the chess world championship in 1972?", "zeppelin", "谁写了红楼梦？"]
)
def test_a_question_without_an_answer_in_memory_is_refused(
    kept: Shell, no_model: None, question: str
) -> None:
    told = kept("query", question, "--json").record
    assert (told["answered"], told["answer"], told["quotes"]) == (False, NOTHING, [])
    assert (told["sources"], told["nearest"]) == ([], None)
    assert kept("query", question).lines == [NOTHING]


def test_the_nearest_memory_is_named_if_it_is_close(kept: Shell, no_model: None) -> None:
    # All of the words are asked for: with this relevance the same memory is near, and no answer.
    near = {"MEMOS_QUERY_RELEVANCE": "1"}
    told = kept("query", STAGING, "--json", env=near).record
    assert (told["answered"], told["answer"], told["quotes"]) == (False, NOTHING, [])
    assert (told["nearest"]["text"], told["nearest"]["sentences"]) == (ANSWER, [ANSWER])
    assert kept("query", STAGING, env=near).lines == [
        NOTHING, f"The nearest memory: {ANSWER} — stdin:0-42",
    ]  # fmt: skip


def test_one_word_is_a_question(kept: Shell, no_model: None) -> None:
    assert kept("query", "staging").lines[0] == ANSWER
    assert kept("query", "气候政策").lines[0] == "我们的气候政策会议在星期三举行。"


def test_a_question_of_thousands_of_words_is_answered_from_memory(kept: Shell, no_model: None) -> None:
    assert kept("query", "word " * 3000, env={"MEMOS_QUERY_CONTEXT": "512"}).lines == [NOTHING]
    long = "staging database port " * 1000
    assert kept("query", long).lines[0] == ANSWER


def test_an_empty_question_is_refused(kept: Shell) -> None:
    for way in ("--quote", "--generate"):
        kept("query", "", way, code=2)
        kept("query", " \n", way, code=2)


def test_a_filter_restricts_a_quoted_answer(kept: Shell, no_model: None) -> None:
    assert kept("query", STAGING, "--tag", "work").lines[0] == ANSWER
    assert kept("query", STAGING, "--tag", "home").lines == [NOTHING]


def test_a_quoted_answer_heats_the_quoted_memories(kept: Shell, no_model: None) -> None:
    kept("query", STAGING)
    (hot,) = (row for row in kept("list", "--json").records if row["hits"])
    assert (hot["text"], hot["hits"], hot["state"]) == (ANSWER, 1, "activated")


def test_a_batch_of_questions_is_quoted(kept: Shell, no_model: None) -> None:
    requests = [STAGING, "zeppelin", "{broken", json.dumps({"query": "backup disk", "tag": "home"})]
    first, far, bad, cat = kept("query", "--batch", "-", stdin="\n".join(requests).encode(), code=3).records
    assert (first["query"], first["mode"], first["answer"]) == (STAGING, "quote", ANSWER)
    assert (far["answered"], far["answer"]) == (False, NOTHING)
    assert bad["error"]["code"] == 2
    assert cat["answer"].startswith("My cat")


def test_explain_shows_the_sentences_that_would_be_quoted(kept: Shell, no_model: None) -> None:
    told = kept("query", STAGING, "--explain")
    assert any(line.startswith("    ") and line.endswith(f"  {ANSWER}") for line in told.lines)
    plan = kept("query", STAGING, "--explain", "--json").record
    assert plan.keys() == {"question", "plan", "sources"}
    assert plan["plan"]["chosen"][0]["sentences"][0]["text"] == ANSWER
    assert not [row for row in kept("list", "--json").records if row["hits"]]


def test_without_an_embedder_quotes_are_found_by_words(kept: Shell, no_model: None) -> None:
    assert kept("query", STAGING, env={"MEMOS_EMBEDDER": "/nowhere"}).lines[0] == ANSWER


@with_models
def test_a_missing_embedder_is_reported_and_words_are_used(kept: Shell) -> None:
    kept("embed")
    done = kept("query", STAGING, env={"MEMOS_EMBEDDER": "/nowhere"})
    assert done.lines[0] == ANSWER
    assert "searched by words alone" in done.err


@with_models
def test_with_vectors_quotes_are_found_by_meaning(kept: Shell) -> None:
    kept("embed")
    asked = ("query", "At what hour are copies of the data made?", "--json")
    told = kept(*asked, env={"MEMOS_QUERY_RELEVANCE": "0.02"}).record
    assert told["answer"].splitlines()[0] == "Backups are made at two in the night."
    assert told["plan"]["chosen"][0]["sentences"][0]["cosine"] > 0.1
    far = kept("query", "Who won the chess world championship in 1972?", "--json").record
    assert (far["answered"], far["sources"], far["nearest"]) == (False, [], None)


# --- query: who answers ----------------------------------------------------------------------------


@pytest.fixture
def tiny(kept: Shell) -> dict[str, str]:
    """The environment of a user whose reader is a tiny model."""
    path = write_model(kept.folder / "tiny.gguf", "llama", context=4096)
    return {"MEMOS_READER": str(path), "MEMOS_THREADS": "1"}


def test_quote_and_generate_do_not_go_together(kept: Shell) -> None:
    error = kept("query", STAGING, "--quote", "--generate", "--json", code=2).error
    assert error["message"] == "--quote and --generate do not go together"


def test_a_small_model_writes_only_with_generate(kept: Shell, tiny: dict[str, str]) -> None:
    def mode(*options: str, **extra: str) -> str:
        ask = ("query", STAGING, "--max-tokens", "2", "--json", *options)
        return str(kept(*ask, env={**tiny, **extra}).record["mode"])

    assert mode() == mode("--quote") == "quote"
    assert mode("--generate") == mode(MEMOS_QUERY_ANSWER="model") == "model"
    assert mode("--quote", MEMOS_QUERY_ANSWER="model") == "quote"
    assert mode("--generate", MEMOS_QUERY_ANSWER="quote") == "model"
    kept("query", STAGING, env={**tiny, "MEMOS_QUERY_ANSWER": "both"}, code=2)


@pytest.mark.parametrize(("parameters", "mode"), [(10**9 - 1, "quote"), (10**9, "model")])
def test_a_model_of_a_billion_parameters_writes_the_answer(
    kept: Shell, tiny: dict[str, str], monkeypatch: pytest.MonkeyPatch, parameters: int, mode: str
) -> None:
    large = replace(resolve_reader(tiny["MEMOS_READER"]), parameters=parameters)
    monkeypatch.setattr(Session, "reader", property(lambda session: large))
    told = kept("query", STAGING, "--max-tokens", "2", "--json", env=tiny).record
    assert (told["mode"], bool(told["model"])) == (mode, mode == "model")
    quoted = kept("query", STAGING, "--quote", "--json", env=tiny).record
    assert quoted["mode"] == "quote"


def test_without_a_reader_a_query_quotes(kept: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import memos_cli.models.model_files as models

    def not_installed(*arguments: object) -> None:
        raise ModelUnfit("no model is installed", "pip install 'memos-cli[models]'")

    monkeypatch.setattr(models, "resolve_reader", not_installed)
    assert kept("query", STAGING).lines[0] == ANSWER
    assert kept("query", STAGING, "--explain", "--json").record["plan"]["chosen"]
    assert "no model is installed" in kept("query", STAGING, "--generate", code=15).err


def test_query_without_its_model_says_which(kept: Shell) -> None:
    for way in ((), ("--generate",)):
        assert "/nowhere" in kept("query", "Which port?", "--model", "/nowhere/m.gguf", *way, code=15).err
        environment = {"MEMOS_READER": "/nowhere/m.gguf"}
        assert "/nowhere" in kept("query", "Which port?", *way, env=environment, code=15).err
    assert kept("query", "Which port?", "--quote", "--model", "/nowhere/m.gguf").lines[0] == ANSWER


@pytest.mark.parametrize("content", [b"", b"GGUF", b"dear diary", b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_query_refuses_a_file_that_is_no_model(kept: Shell, content: bytes) -> None:
    path = kept.write("model.gguf", content)
    kept("query", "Which port?", "--model", path, code=15)
    kept("query", "Which port?", "--generate", "--model", path, code=15)


# --- query: an answer that a model writes ----------------------------------------------------------


def test_a_written_answer_is_streamed_by_sentence(
    kept: Shell, tiny: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from memos_cli.cli.output import Output

    shown: list[str] = []
    before_each: list[str] = []

    def generate(engine: Engine, **options: Any) -> Iterator[str]:
        for piece in ("The port", " is 5433.", " It was", " chosen", " in May.", " Ask", " Ann."):
            before_each.append("".join(shown))
            yield piece
        engine.ended = True

    write = Output.text

    def watched(output: Output, text: str, **options: Any) -> None:
        shown.append(text)
        write(output, text, **options)

    monkeypatch.setattr(Engine, "generate", generate)
    monkeypatch.setattr(Output, "text", watched)
    lines = kept("query", STAGING, "--generate", env=tiny).lines
    assert lines[0] == "The port is 5433. It was chosen in May. Ask Ann."
    assert before_each[0] == ""
    assert before_each[-1].startswith("The port is 5433.")


def test_unsupported_statements_are_reported(
    kept: Shell, tiny: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def generate(engine: Engine, **options: Any) -> Iterator[str]:
        yield "The staging database uses port 6544."
        engine.ended = True

    monkeypatch.setattr(Engine, "generate", generate)
    told = kept("query", STAGING, "--generate", "--json", env=tiny).record
    assert (told["mode"], told["answered"], told["quotes"]) == ("model", True, [])
    assert told["support"] == {"unsupported": ["6544"], "stopped": "end"}
    assert "6544" in kept("query", STAGING, "--generate", env=tiny).err


@with_models
def test_a_model_answers_and_names_its_sources(kept: Shell) -> None:
    lines = kept("query", STAGING, "--generate").lines
    assert "5433" in lines[0]
    assert lines[lines.index("Sources:") + 1].startswith(f"[1] {ANSWER}")


@with_models
def test_the_model_is_not_run_if_no_memory_answers(kept: Shell) -> None:
    answered = kept("query", "Who won the chess world championship in 1972?", "--generate", "--json").record
    assert (answered["answered"], answered["mode"], answered["answer"]) == (False, "model", NOTHING)
    assert answered["sources"] == []


@with_models
def test_explain_shows_the_plan_and_asks_no_model(kept: Shell) -> None:
    ask = ("query", "When are backups made?", "--generate", "--explain")
    told = kept(*ask, env={"MEMOS_QUERY_SOURCES": "1"}).out
    assert "[1] as text" in told
    assert "left out:" in told and "not relevant enough" in told
    plan = kept(*ask, "--json").record
    assert "answer" not in plan
    assert plan["plan"]["chosen"][0]["form"] == "text"


@with_models
@pytest.mark.parametrize("way", ["--quote", "--generate"])
def test_the_time_in_a_question_restricts_the_search(kept: Shell, way: str) -> None:
    ask = ("query", "What about the backup in January 2023?", "--explain", "--json", way)
    told = kept(*ask).record
    call = told["plan"]["call"]
    assert (call["after"], call["before"]) == ("2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z")
    assert all(source["time"] != "2026-05-01T00:00:00Z" for source in told["sources"])


@with_models
def test_a_batch_of_questions_starts_the_model_once(kept: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bool] = []
    make = Engine.__init__

    def watched(engine: Engine, *arguments: Any, **options: Any) -> None:
        opened.append(options.get("vocabulary_only", False))
        make(engine, *arguments, **options)

    monkeypatch.setattr(Engine, "__init__", watched)
    requests = f"{STAGING}\n{{broken\n{STAGING}\n"
    options = ("--generate", "--max-tokens", "24")
    first, bad, again = kept("query", "--batch", "-", *options, stdin=requests.encode(), code=3).records
    assert "5433" in first["answer"]
    assert (first["mode"], again["answer"]) == ("model", first["answer"])
    assert bad["error"]["code"] == 2
    assert opened.count(False) == 1


@with_models
def test_a_use_warms_a_memory(kept: Shell) -> None:
    kept("query", STAGING, "--generate", "--max-tokens", "1")
    (hot,) = (row for row in kept("list", "--json").records if row["hits"])
    assert (hot["hits"], hot["heat"], hot["state"]) == (1, 1.0, "activated")


@with_models
def test_a_question_that_does_not_fit_is_refused(kept: Shell) -> None:
    kept("query", "word " * 3000, "--generate", env={"MEMOS_QUERY_CONTEXT": "512"}, code=2)


# --- embed -----------------------------------------------------------------------------------------


@with_models
def test_a_vault_changes_to_another_embedder(kept: Shell) -> None:
    def name() -> str:
        lines = (kept.vault / "VAULT.toml").read_text().splitlines()
        return next(line for line in lines if line.startswith("embedder"))

    assert kept("embed", "--json").record == {"embedded": 4, "without_vector": 0}
    kept("embed", "--embedder", "no-such-embedder", code=15)
    question = ("search", "hour of the nightly copies", "-k", "1", "--json")
    assert "cosine" in kept(*question).record["why"]
    for wanted in ("all-MiniLM-L6-v2", "multilingual-e5-small"):
        changed = kept("embed", "--embedder", wanted, "--json").record
        assert changed["without_vector"] == 0
        assert wanted in name()
        assert "cosine" in kept(*question).record["why"]
        assert kept("embed", "--embedder", wanted, "--json").record["embedded"] == 0
    assert kept("embed", "--json").record["embedded"] == 0
