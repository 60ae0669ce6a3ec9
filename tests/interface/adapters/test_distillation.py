"""Distilling memories into an adapter: from the words to the weights, the gate, the use, and back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from adapters_harness import LENIENT, OTHER, QUESTION, Teacher
from cli_harness import Fill, make_vault, wait_until
from tiny_models import write_model

from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.storage.database import connect
from memos_cli.operation.adapters import parametric
from memos_cli.operation.adapters.training import Training

pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("vectors_once", "short_gate")

FACTS = ("My cat is called Miso.", "The staging database listens on port 5433.")
DISTILLED = {
    "id", "version", "name", "passed", "new", "reason", "memories", "lessons", "steps", "seconds", "bytes",
    "report",
}  # fmt: skip
CHECKS = [
    "loading",
    "recall",
    "independent",
    "gain",
    "reach",
    "near misses",
    "drift",
    "perplexity",
    "routing",
]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[Teacher]:
    """A user with two facts and another memory; the vault is whole at the end."""
    user = Teacher(tmp_path)
    write_model(tmp_path / "tiny.gguf", "llama", context=4096)
    make_vault(user)
    yield user
    user.check()


@pytest.fixture
def facts(user: Teacher, fill: Fill) -> list[str]:
    def make() -> list[str]:
        ids = user.keep(*FACTS, options=("--type", "fact", "--tag", "me"))
        user.keep(OTHER)
        return ids

    ids: list[str] = fill(user.folder, "facts", make)
    return ids


@pytest.fixture
def made(user: Teacher, facts: list[str], fill: Fill) -> Any:
    """The adapter of the facts, as the promotion reported it."""
    return fill(user.folder, "made", lambda: user.distil(*facts))


# --- the training set ------------------------------------------------------------------------------


def test_a_dry_run_tells_the_questions_and_trains_nothing(user: Teacher, facts: list[str]) -> None:
    told = user.distil("--tag", "me", "--dry-run")
    assert (told["memories"], told["dry_run"]) == (2, True)
    kinds = {(row["kind"], row["held_out"]) for row in told["lessons"]}
    assert kinds >= {("fact", False), ("fact", True), ("near miss", False), ("near miss", True)}
    assert {row["id"] for row in told["lessons"] if row["kind"] == "fact"} == set(facts)
    assert all(row["key"] in row["answer"] for row in told["lessons"] if row["kind"] == "fact")
    assert user.adapters() == [] and user.blobs() == set()
    assert "would be trained" in user("promote", *facts, "--to", "parametric", "--dry-run").out


def test_no_held_out_question_is_a_copy_of_one_that_is_trained(user: Teacher, facts: list[str]) -> None:
    rows = user.distil("--tag", "me", "--dry-run")["lessons"]
    plain = [("".join(filter(str.isalnum, row["question"].casefold())), row["held_out"]) for row in rows]
    assert len({text for text, _ in plain}) == len(plain)


def test_the_questions_can_be_written_edited_and_trained_with(user: Teacher, facts: list[str]) -> None:
    file = user.work / "lessons.jsonl"
    user("promote", *facts, "--to", "parametric", "--dump", file)
    assert file.stat().st_mode & 0o777 == 0o600
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    kept = [*[row for row in rows if row["kind"] == "fact"][:6], rows[-1]]
    kept[0]["question"] = "Which animal have I?"
    file.write_text("\n".join(map(json.dumps, kept)))
    user.distil(*facts, "--lessons", file)
    with user.api() as memos:
        (adapter,) = memos.adapters()
        lessons = adapters.lessons(memos.vault.connection, adapter.cube)
    assert [lesson.question for lesson in lessons] == [row["question"] for row in kept]
    assert user("promote", *facts, "--to", "parametric", "--dump", "-").out.count("\n") == len(rows)


def test_pairs_that_the_user_brings_are_learned_too(user: Teacher, facts: list[str]) -> None:
    own = user.write("qa.jsonl", '{"question": "Who purrs?", "answer": "Miso."}\n')
    rows = user.distil("--tag", "me", "--qa", own, "--dry-run")["lessons"]
    assert {"kind": "fact", "held_out": False, "question": "Who purrs?", "answer": "Miso.", "key": "Miso",
            "made": "own", "id": None} in rows  # fmt: skip
    with_stdin = user.distil(facts[0], "--qa", "-", "--dry-run", stdin=own.read_bytes())["lessons"]
    assert [row["id"] for row in with_stdin if row["question"] == "Who purrs?"] == [facts[0]]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"answer": "x"}',
        '{"question": " ", "answer": "x"}',
        '{"question": "q"}',
        '{"question": "q", "answer": "x", "kind": "tale"}',
        '{"question": "q", "answer": "x", "id": "01Z"}',
    ],
)
def test_a_bad_pair_is_named(user: Teacher, facts: list[str], content: str) -> None:
    own = user.write("qa.jsonl", content)
    user("promote", "--tag", "me", "--to", "parametric", "--qa", own, "--dry-run", code=2)
    user("promote", "--tag", "me", "--to", "parametric", "--qa", "missing.jsonl", code=2)


def test_the_model_may_write_the_questions(user: Teacher, facts: list[str]) -> None:
    rules = user.distil("--tag", "me", "--dry-run")["lessons"]
    # A model of random weights writes nothing that holds: then the rules ask.
    env = {**LENIENT, "MEMOS_DISTIL_QUESTIONS": "model"}
    assert user.distil("--tag", "me", "--dry-run", env=env)["lessons"] == rules
    user(
        "promote",
        "--tag",
        "me",
        "--to",
        "parametric",
        "--dry-run",
        env={"MEMOS_DISTIL_QUESTIONS": "me"},
        code=2,
    )


def test_past_questions_become_lessons_and_those_on_other_things_controls(
    user: Teacher, facts: list[str]
) -> None:
    user("query", "Is my cat really called so?", "--max-tokens", "2")
    user("query", "Was the harbour wall raised?", "--max-tokens", "2")
    rows = {row["question"]: row for row in user.distil("--tag", "me", "--dry-run")["lessons"]}
    assert rows["Is my cat really called so?"]["kind"] == "fact"
    assert rows["Is my cat really called so?"]["id"] == facts[0]
    assert rows["Was the harbour wall raised?"]["kind"] == "control"


def test_a_skill_is_learned_by_its_examples(user: Teacher) -> None:
    text = "\n".join(f"Input: say {n}\nOutput: {n}, my dear\n" for n in range(6))
    (id,) = user("ingest", "-", "--type", "skill", "--no-embed", "--json", stdin=text.encode()).record["ids"]
    rows = user.distil(id, "--dry-run")["lessons"]
    examples = [row for row in rows if row["kind"] == "example"]
    assert [row["question"] for row in examples] == [f"say {n}" for n in range(6)]
    assert [row["held_out"] for row in examples] == [False] * 4 + [True, False]
    made = user.distil(id)
    names = [check["name"] for check in made["report"]["checks"]]
    assert made["passed"] and "examples" in names and "recall" not in names
    user("view", "set", "dear", "--type", "skill")
    user("pin", made["id"], "--view", "dear")
    plan = user.plan("Input: say 7", "--view", "dear")
    assert [(item["id"], item["form"]) for item in plan["chosen"]] == [(id, "adapter")]


# --- training, the gate, the use -------------------------------------------------------------------


def test_an_adapter_that_passes_is_used_in_place_of_the_text(user: Teacher, facts: list[str]) -> None:
    before = user.plan()
    assert [item["form"] for item in before["chosen"]] == ["text"]
    made = user.distil("--tag", "me", "--name", "about me")
    assert made.keys() == DISTILLED
    assert (made["passed"], made["new"], made["memories"], made["steps"]) == (True, True, 2, 2)
    assert [check["name"] for check in made["report"]["checks"]] == CHECKS
    plan = user.plan()
    chosen = [(item["id"], item["form"], item["tokens"]) for item in plan["chosen"]]
    assert chosen == [(facts[0], "adapter", 0)]
    assert plan["adapters"] == [
        {"id": made["id"], "name": "about me", "scale": 1.0, "learned": QUESTION, "likeness": 1.0}
    ]
    assert "as adapter" in user("query", QUESTION, "--explain").out
    believe(user)
    answered = user("query", QUESTION, "--max-tokens", "8", "--json").record
    assert answered["plan"]["adapters"] and answered["sources"][0]["id"] == facts[0]
    assert user.adapters()[0]["hits"] == 1
    assert [item["form"] for item in user.plan(QUESTION, "--text")["chosen"]] == ["text"]
    assert user.plan("Was the harbour wall raised?")["adapters"] == []


def test_an_adapter_that_says_what_it_has_not_learned_is_not_believed(
    user: Teacher, facts: list[str], made: Any
) -> None:
    """The weights of this model are random: so is what it says."""
    for way, mode in ("auto", "quote"), ("model", "model"):
        env = {"MEMOS_QUERY_ANSWER": way}
        answered = user("query", QUESTION, "--max-tokens", "8", "--json", env=env).record
        assert answered["mode"] == mode and answered["plan"]["adapters"] == []
        assert answered["sources"][0]["id"] == facts[0]
        assert any(
            "not one of the facts that it was trained on" in note for note in answered["plan"]["notes"]
        )
    assert user.adapters()[0]["hits"] == 0
    assert user("query", QUESTION, env={"MEMOS_QUERY_ANSWER": "auto"}).lines[0] == FACTS[0]


def believe(user: Teacher) -> None:
    """Forget the right answers to the questions of an adapter: then nothing it says can be called wrong."""
    with closing(connect(user.vault / "memos.db", 5.0)) as db:
        db.execute("UPDATE lesson SET key = ''")


def test_the_report_card_is_shown(user: Teacher, facts: list[str], made: Any) -> None:
    shown = user("show", made["id"]).out
    assert all(name in shown for name in CHECKS)
    assert user("show", made["id"], "--json").record["parametric"]["report"] == made["report"]
    assert made["id"] in user("show", facts[0]).out


def test_what_the_gate_refuses_is_kept_with_its_reason_and_not_used(user: Teacher, facts: list[str]) -> None:
    made = user.distil(*facts, env={}, code=1)
    assert not made["passed"] and "recall" in made["reason"]
    assert user.adapters() == []
    assert user.plan()["adapters"] == []
    assert user("show", made["id"], "--json").record["parametric"]["report"]["reason"] == made["reason"]
    told = user("promote", *facts, "--to", "parametric", code=1)
    assert "not promoted" in told.out
    assert "not promoted: it answers too few" in told.err and "e.g. " in told.err and "--qa" in told.err


def test_the_gate_can_be_run_again(user: Teacher, facts: list[str]) -> None:
    made = user.distil(*facts, env={}, code=1)
    again = user("gate", made["id"], "--json", env=LENIENT).record
    assert again["kept"] and again["report"]["passed"]
    assert user.plan()["adapters"][0]["id"] == made["id"]
    assert "failed" in user("gate", made["id"], code=1).out
    assert user.plan()["adapters"] == []
    user("gate", facts[0], code=2)


def test_the_gate_of_another_model_only_tells(user: Teacher, facts: list[str], made: Any) -> None:
    other = write_model(user.folder / "other.gguf", "llama", seed=2, context=4096)
    told = user("gate", made["id"], "--model", other, "--json", env=LENIENT).record
    assert not told["kept"] and told["model"] == "other"
    qwen = write_model(user.folder / "qwen.gguf", "qwen2", context=4096)
    user("gate", made["id"], "--model", qwen, code=15)


def test_the_same_memories_are_not_trained_twice(user: Teacher, facts: list[str], made: Any) -> None:
    again = user.distil(*facts)
    assert (again["id"], again["version"], again["new"]) == (made["id"], 1, False)
    assert user.distil(made["id"])["new"] is False  # an adapter stands for its memories
    longer = user.distil(*facts, "--steps", "3")
    assert (longer["id"], longer["version"], longer["new"], longer["steps"]) == (made["id"], 2, True, 3)


def test_the_same_recipe_gives_the_same_weights(user: Teacher, facts: list[str], made: Any) -> None:
    first = user.blobs()
    user("forget", user.adapters()[0]["id"], "--yes")
    assert user.blobs() == set()
    user.distil(*facts)
    assert user.blobs() == first


def test_an_adapter_is_demoted_and_attached_again_without_training(
    user: Teacher, facts: list[str], made: Any
) -> None:
    assert user("demote", facts[0], "--dry-run", "--json").record["adapters"] == [made["id"]]
    assert user("demote", made["id"], "--json").record["adapters"] == [made["id"]]
    assert [item["form"] for item in user.plan()["chosen"]] == ["text"]
    again = user.distil(*facts)
    assert (again["id"], again["new"]) == (made["id"], False)
    assert user.plan()["adapters"]
    assert f"detached {made['id']}" in user("demote", made["id"]).out


def test_an_adapter_is_attached_where_its_view_pins_it(user: Teacher, facts: list[str], made: Any) -> None:
    user("view", "set", "work", "--tag", "me")
    user("pin", made["id"], "--view", "work")
    plan = user.plan("Which port does the staging database use?", "--view", "work")
    assert [each["id"] for each in plan["adapters"]] == [made["id"]]


def test_a_filter_that_leaves_one_of_its_memories_out_keeps_an_adapter_out(
    user: Teacher, facts: list[str], made: Any
) -> None:
    user("tag", facts[0], "--add", "animals")
    plan = user.plan(QUESTION, "--tag", "animals")
    assert plan["adapters"] == [] and [item["form"] for item in plan["chosen"]] == ["text"]


def test_a_memory_of_several_facts_is_asked_by_any_of_its_learned_questions(user: Teacher) -> None:
    text = " ".join((*FACTS, "The spare key hangs behind the boiler.", "Our dentist is Dr. Okafor."))
    made = user.distil(*user.keep(text, options=("--type", "fact")))
    user.keep(OTHER)
    for question in (
        "what name did I give my cat",
        "Which port does the staging database use?",
        "Who's our dentist?",
    ):
        (adapter,) = user.plan(question)["adapters"]
        assert adapter["id"] == made["id"] and adapter["likeness"] > 0.75
        assert adapter["learned"] in [row["question"] for row in made_questions(user, made["id"])]
        assert adapter["learned"] in user("query", question, "--explain").out
    for question in ("Who raised the harbour wall?", "What is the tallest mountain?"):
        assert user.plan(question)["adapters"] == []


def made_questions(user: Teacher, id: str) -> list[dict[str, Any]]:
    """The questions that an adapter was trained on."""
    with user.api() as memos:
        (adapter,) = (each for each in memos.adapters() if each.id == id)
        lessons = adapters.lessons(memos.vault.connection, adapter.cube)
    return [{"question": each.question} for each in lessons if each.kind == "fact" and not each.held_out]


# --- what makes an adapter unusable ----------------------------------------------------------------


def test_a_changed_memory_makes_an_adapter_stale_at_once(user: Teacher, facts: list[str], made: Any) -> None:
    user("edit", facts[1], "--text", "The staging database listens on port 6000.")
    plan = user.plan()
    assert plan["adapters"] == [] and [item["form"] for item in plan["chosen"]] == ["text"]
    assert any("source changed" in note for note in plan["notes"])
    again = user.distil(made["id"])
    assert (again["id"], again["version"], again["new"]) == (made["id"], 2, True)
    assert user.plan()["adapters"]


def test_a_forgotten_memory_takes_the_weights_along(user: Teacher, facts: list[str], made: Any) -> None:
    assert user.blobs()
    assert user("forget", facts[0], "--yes", "--json").record["adapters"] == [made["id"]]
    assert user.blobs() == set()
    row = user("show", made["id"], "--json").record["parametric"]
    assert row["stale"] == "a source was forgotten" and row["report"] == {}
    assert "Miso" not in json.dumps(row)
    again = user.distil(made["id"])  # of what is left
    assert again["memories"] == 1 and again["passed"]


def test_an_adapter_of_another_model_is_not_used(user: Teacher, facts: list[str], made: Any) -> None:
    other = write_model(user.folder / "other.gguf", "llama", seed=2, context=4096)
    plan = user.plan(QUESTION, "--model", other)
    assert plan["adapters"] == [] and any("made for another model" in note for note in plan["notes"])


def test_damaged_weights_are_found_out_and_the_text_is_read(
    user: Teacher, facts: list[str], made: Any
) -> None:
    text = user("query", QUESTION, "--text", "--max-tokens", "8", "--json").record
    (name,) = user.blobs()
    blob = user.vault / "blobs" / name[:2] / name
    data = bytearray(blob.read_bytes())
    data[-100] ^= 1
    blob.write_bytes(data)
    got = user("query", QUESTION, "--max-tokens", "8", "--json").record
    assert got["answer"] == text["answer"] and got["plan"]["adapters"] == []
    assert any("damaged" in note for note in got["plan"]["notes"])
    user("gate", made["id"], code=12)
    assert user("check", "--json", code=1).record["findings"][0]["what"] == "adapter-damaged"
    user("check", "--repair")
    assert user.plan()["adapters"] == []


def test_a_state_serves_a_prompt_with_an_adapter_and_changes_nothing(user: Teacher, facts: list[str]) -> None:
    (rule,) = user.keep(
        "Answer like a harbour pilot who has all the time in the world, and in whole sentences, please.",
        options=("--type", "instruction"),
    )
    user("pin", rule)
    user.distil(*facts)
    believe(user)
    cold = user("query", QUESTION, "--max-tokens", "12", "--json").record
    assert cold["plan"]["adapters"] and cold["plan"]["activation"] is None
    user("promote", "--pinned", "--to", "activation")
    warm = user("query", QUESTION, "--max-tokens", "12", "--json").record
    assert warm["plan"]["activation"]["result"] == "hit" and warm["plan"]["adapters"]
    assert warm["answer"] == cold["answer"]


# --- bad input, and ends of all kinds --------------------------------------------------------------


def test_memories_that_contradict_each_other_are_named_and_refused(user: Teacher) -> None:
    ids = user.keep("The staging port is 5433.", "The staging port is 6000.")
    refused = user("promote", *ids, "--to", "parametric", code=2).err
    assert all(id in refused for id in ids) and "contradict" in refused
    assert user.adapters() == []


def test_a_memory_without_a_sentence_is_refused(user: Teacher) -> None:
    (id,) = user.keep("12 13 14")
    assert "no sentence" in user("promote", id, "--to", "parametric", code=2).err


def test_a_model_that_cannot_be_trained_is_refused_with_the_reason(user: Teacher, facts: list[str]) -> None:
    mamba = write_model(user.folder / "mamba.gguf", "mamba", context=4096)
    refused = user("promote", *facts, "--to", "parametric", "--model", mamba, code=15)
    assert "mamba" in refused.err


def test_too_little_memory_is_told_before_anything_starts(
    user: Teacher, facts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parametric, "_free_memory", lambda: 1000)
    assert "training needs" in user("promote", *facts, "--to", "parametric", code=15).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "parametric"),
        ("--pinned", "--to", "parametric"),
        ("{id}", "--to", "activation", "--name", "x"),
        ("{id}", "--to", "weights"),
        ("{id}", "--to", "parametric", "--qa", "a", "--lessons", "b"),
    ],
)
def test_requests_that_make_no_sense(user: Teacher, facts: list[str], arguments: tuple[str, ...]) -> None:
    user("promote", *(each.format(id=facts[0]) for each in arguments), code=2)


def test_time_that_is_up_ends_the_training_early(user: Teacher, facts: list[str]) -> None:
    made = user.distil(*facts, "--steps", "5000", "--max-minutes", "0.02")
    assert 0 < made["steps"] < 5000 and made["passed"]


def test_an_interrupted_training_goes_on_where_it_was(
    user: Teacher, facts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Training.run

    def interrupted(training: Training, deadline: float) -> Iterator[Any]:
        for number, progress in enumerate(run(training, deadline)):
            yield progress
            if number == 3:
                os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "run", interrupted)
        user("promote", *facts, "--to", "parametric", "--steps", "4000", env=LENIENT, code=130)
    with user.api() as memos:
        (found,) = memos.adapters()
    assert found.state == "generated" and user.plan()["adapters"] == []
    stopped = found.recipe["step"]
    assert 0 < stopped < 4000
    made = user.distil(*facts, "--steps", "4000", "--max-minutes", "0.02")
    assert made["id"] == found.id and made["steps"] > stopped and made["passed"]


@pytest.mark.parametrize("library", ["libllama", "libtorch_cpu"])
def test_a_killed_training_leaves_a_whole_vault_and_can_be_run_again(
    user: Teacher, facts: list[str], library: str
) -> None:
    """Killed when the model asks itself, and when the training begins."""
    with user.start("promote", *facts, "--to", "parametric", "--steps", "4000", env=LENIENT) as process:
        loaded = Path(f"/proc/{process.pid}/maps")
        wait_until(lambda: library in loaded.read_text())
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    with user.api() as memos:
        left, _ = memos.check()
        assert {finding.rule for finding in left} <= {"should"}  # an orphan blob, a part of a file
        assert memos.check(repair=True)[0] == []
    assert user.plan()["adapters"] == []
    assert user.distil(*facts)["passed"]


def test_a_memory_that_changes_while_it_is_learned_stops_it(
    user: Teacher, facts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def change(*_: Any) -> Any:
        if not taken:
            taken.append(1)
            user("edit", facts[0], "--text", "My cat is called Tofu.")
        return examine(*_)

    examine = parametric.examine
    monkeypatch.setattr(parametric, "examine", change)
    assert (
        "changed while it was read" in user("promote", *facts, "--to", "parametric", env=LENIENT, code=1).err
    )
    assert user.adapters() == [] and user.blobs() == set()


def test_an_adapter_whose_memories_are_gone_is_put_into_words(
    user: Teacher, facts: list[str], made: Any
) -> None:
    with user.api() as memos:  # as one that came from elsewhere
        (found,) = memos.adapters()
        lessons = [
            adapters.Lesson(each.question, each.answer, each.kind, each.held_out, None, each.key)
            for each in adapters.lessons(memos.vault.connection, found.cube)
        ]
        weights = adapters.Weights(
            found.blob or "", found.size, found.model, found.fingerprint, found.recipe, found.report, 1.0
        )
        with memos.vault.change(memos.principal, memos.now()) as change:
            id, _, _ = adapters.keep(
                change, weights, name="imported", sources=(), lessons=lessons, state="activated"
            )
    said = user("demote", id, "--json").record["verbalised"]
    keys = {lesson.key for lesson in lessons if lesson.kind == "fact"}
    assert 0 < len(said) <= len(keys)
    rows = [row for row in user("list", "--tag", "verbalised", "--json").records]
    assert {row["id"] for row in rows} == set(said) and all("?" in row["text"] for row in rows)
    assert made["id"] != id
