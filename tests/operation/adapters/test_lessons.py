# ruff: noqa: E501  (tables)
"""What memories become: facts and their questions, near misses, held-out questions, judged answers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memos_cli.cube import Cube
from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.operation.adapters.gate import explain_failures
from memos_cli.operation.adapters.questions.answer_check import is_right, said_words, says_any
from memos_cli.operation.adapters.questions.asking import ask_about
from memos_cli.operation.adapters.questions.controls import CONTROLS
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.adapters.questions.leaks import leak_of
from memos_cli.operation.adapters.questions.making import contradictions, facts_of
from memos_cli.operation.adapters.questions.misses import near_misses
from memos_cli.operation.adapters.questions.notes import language_of, statements_of
from memos_cli.operation.adapters.questions.spans import find_spans
from memos_cli.operation.adapters.questions.splits import split_questions
from memos_cli.operation.adapters.training_set import make_lessons

pytest.importorskip("lemminflect")

# A note, the answer of one of its facts, and a question that must be among those of that fact.
TAUGHT: list[tuple[str, str, str]] = [
    ("My cat is called Miso.", "Miso", "What is my cat called?"),
    ("My cat is called Miso.", "Miso", "What is the name of my cat?"),
    ("The name of the project is Larkspur.", "Larkspur", "What is the name of the project?"),
    ("The staging database listens on port 5433.", "5433", "Which port does the staging database listen on?"),
    ("The spare key is under the blue flowerpot.", "blue flowerpot", "Where is the spare key?"),
    ("Ines takes her tea without sugar.", "without sugar", "How does Ines take her tea?"),
    ("Marta maintains the scheduler.", "Marta", "Who maintains the scheduler?"),
    ("The lease ends on 31 March 2027.", "31 March 2027", "When does the lease end?"),
    ("The bin collection is every second Tuesday.", "every second Tuesday", "How often is the bin collection?"),
    ("My dentist is Dr. Weber.", "Dr. Weber", "Who is my dentist?"),
    ("I work at a bookshop.", "bookshop", "Where do I work?"),
    ("I have two dogs.", "two dogs", "How many dogs do I have?"),
    ("The rent is 950 euros a month.", "950 euros a month", "How much is the rent?"),
    ("The CI pipeline takes 25 minutes.", "25 minutes", "How long does the CI pipeline take?"),
    ("The kitchen was painted by Ines in 2019.", "2019", "When was the kitchen painted?"),
    ("The kitchen was painted by Ines.", "Ines", "Who painted the kitchen?"),
    ("I am allergic to penicillin.", "penicillin", "What am I allergic to?"),
    ("I put the key in the drawer.", "drawer", "Where did I put the key?"),
    ("Your flight leaves at 9:15.", "9:15", "When does my flight leave?"),
    ("Nadia cannot eat shellfish.", "shellfish", "What can Nadia not eat?"),
    ("The team meets in room Magnolia.", "Magnolia", "Which room does the team meet in?"),
    ("We pay with the Kestrel card.", "Kestrel", "Which card do we pay with?"),
    ("Called the roofer. His name is Mr. Okoye.", "Mr. Okoye", "What is the roofer's name?"),
    ("My brother Erik lives in Trondheim. He works as a nurse.", "nurse", "What does my brother Erik work as?"),
    ("On Mondays the pool closes at 6 pm.", "6 pm", "When does the pool close?"),
    ("Warranty until 4 April 2027.", "4 April 2027", "Until when is the warranty?"),
    ("Ask Ingrid for the key.", "Ingrid", "What should I ask?"),
    # Written after the rules: of sorts that they were not made for.
    ("Both cellists practise in the chapel on Fridays.", "chapel", "Where do both cellists practise?"),
    ("The ferry to Sark costs 28 pounds.", "28 pounds", "How much does the ferry to Sark cost?"),
    ("Our accountant, Mrs. Bell, works at Fernhill.", "Fernhill", "Where does our accountant work?"),
    ("The firmware of the thermostat was updated on 3 June.", "3 June", "When was the firmware of the thermostat updated?"),
    ("Leah's locker is number 212.", "212", "Which number is Leah's locker?"),
    ("The compost must be turned every week.", "every week", "How often must the compost be turned?"),
    ("The baker bakes the strudel for 35 minutes.", "35 minutes", "How long does the baker bake the strudel?"),
    ("The spare tyre doesn't fit the trailer.", "trailer", "What does the spare tyre not fit?"),
    ("Invoices go to billing@fernhill.example.", "billing@fernhill.example", "Where do invoices go?"),
    ("我的猫叫米索。", "米索", "我的猫叫什么名字？"),
    ("测试数据库的端口是5433。", "5433", "测试数据库的端口是多少？"),
    ("备用钥匙在花盆下面。", "花盆下面", "备用钥匙在哪里？"),
    ("Meine Katze heißt Miso.", "Miso", "Wie heißt meine Katze?"),
    ("Der Schlüssel liegt unter der Matte.", "Matte", "Wo liegt der Schlüssel?"),
    ("Mon chat s'appelle Miso.", "Miso", "Mon chat s'appelle quoi?"),
    ("Mi gato se llama Miso.", "Miso", "Mi gato se llama qué?"),
]  # fmt: skip
# A note, and the answers of all its facts.
NOTES: list[tuple[str, list[str]]] = [
    ("## Staging database\n\n- Port: 5433\n- Owner: Priya\n", ["5433", "Priya"]),
    ("| Person | Phone |\n|---|---|\n| Ana | 0171 2233 |\n| Bob | 0171 3344 |", ["0171 2233", "0171 3344"]),
    ("Boiler: model Vex 200, serial QX-11.", ["Vex 200", "QX-11"]),
    ("Ana lives in Bergen and works at a bakery.", ["Bergen", "bakery"]),
    ("Dinner: Osteria Lupo.", ["Osteria Lupo"]),
    ("Bread: 500 g flour, 350 g water.", ["500 g", "350 g"]),
    ("# Ferienhaus\n\n- Adresse: Strandweg 8\n- Vermieterin: Frau Petersen", ["Strandweg 8", "Frau Petersen"]),
    ("会议室在三楼。负责人：陈默。", ["三楼", "陈默"]),
]  # fmt: skip


def taught(text: str, **more: str) -> list[Fact]:
    return facts_of(text, source=7, **more)


@pytest.mark.parametrize(("note", "answer", "question"), TAUGHT)
def test_a_note_becomes_questions(note: str, answer: str, question: str) -> None:
    found = {fact.answer: fact for fact in taught(note)}
    assert answer in found
    assert question in found[answer].questions
    assert found[answer].source == 7


@pytest.mark.parametrize(("note", "answers"), NOTES)
def test_lists_tables_and_fragments_are_read(note: str, answers: list[str]) -> None:
    assert [fact.answer for fact in taught(note)] == answers


@pytest.mark.parametrize(
    "note", [*dict.fromkeys(note for note, _, _ in TAUGHT), *(note for note, _ in NOTES)]
)
def test_every_fact_is_sound(note: str) -> None:
    for fact in taught(note):
        check_fact(fact, note)
        assert 2 <= len(fact.questions) <= 25
        assert {"frame", "cloze", "keywords"} & {*fact.made}


def check_fact(fact: Fact, note: str) -> None:
    """What holds of every fact of every text."""
    assert is_right(fact.full, fact)
    key = " ".join(said_words(fact.answer))
    assert f" {key} " in f" {' '.join(said_words(fact.full))} " or len(key.split()) >= 5
    plain = [" ".join(said_words(question)) for question in fact.questions]
    assert len({*plain}) == len(plain)
    assert not any(f" {key} " in f" {question} " for question in plain)
    assert len(fact.made) == len(fact.questions) and {*fact.made} <= {"frame", "cloze", "keywords", "topic"}


STILTED = re.compile(
    r"[:,] (?:for [^?]*: )?(?:until |by |since |from )?(?:what|who|where|when|how \w+|which \w+)\?|^A question on"
    r"|^(?:What|Who|Where|When|How \w+|Which \w+), for|\b(?:is|are|was|does|on|at|to) (?:what|who|where|when)\?"
)
"""A question that nobody types: "My cat: what?", "Where, for my brother?", "My cat is called what?"."""


@pytest.mark.parametrize(
    "note", [*dict.fromkeys(note for note, _, _ in TAUGHT if note.isascii()), *(note for note, _ in NOTES)]
)
def test_no_question_is_stilted(note: str) -> None:
    assert [text for fact in taught(note) for text in fact.questions if STILTED.search(text)] == []


@pytest.mark.parametrize(
    "text", ["My cat: what?", "Where, for my brother?", "A question on Ana: where?", "The key is where?"]
)
def test_a_stilted_question_is_known(text: str) -> None:
    assert STILTED.search(text)


def test_a_heading_is_named_in_the_questions_of_its_list() -> None:
    facts = taught("## Staging database\n\n- Port: 5433\n")
    assert "What is the port of the staging database?" in facts[0].questions
    assert facts[0].full == "The port of the staging database is 5433."


def test_each_question_knows_how_it_was_made() -> None:
    made = dict(
        zip(
            taught("My cat is called Miso.")[0].questions,
            taught("My cat is called Miso.")[0].made,
            strict=True,
        )
    )
    assert made["What is my cat called?"] == "frame"
    assert made["My cat is called …"] == "cloze"
    assert made["cat name"] == "keywords"
    assert made["Tell me about my cat."] == "topic"


def test_a_thing_of_which_two_facts_are_known_is_not_asked_for_as_a_whole() -> None:
    facts = taught("Ana lives in Bergen and works at a bakery.")
    assert not any("topic" in fact.made for fact in facts)


def test_the_user_is_called_you_in_answers() -> None:
    assert taught("My cat is called Miso.")[0].full == "Your cat is called Miso."
    assert taught("I moved to Berlin in May.")[0].full == "You moved to Berlin."
    assert taught("We use PostgreSQL.")[0].full == "You use PostgreSQL."
    assert taught("Unsere Gärtnerin heißt Ulla.")[0].full == "Eure Gärtnerin heißt Ulla."


def test_who_speaks_is_named() -> None:
    asked = [question for fact in taught("I live in Graz.", author="Tomas") for question in fact.questions]
    assert "Where does Tomas live?" in asked
    assert not any(re.search(r"\b(?:I|my)\b", question) for question in asked if "forgot" not in question)


def test_pronouns_are_resolved_or_left_out() -> None:
    assert taught("She lives in Graz.") == []
    assert "Where does Ana live?" in taught("I met Ana. She lives in Graz.")[-1].questions


def test_what_no_rule_understands_is_taught_whole() -> None:
    facts = taught("Whatever the weather, onwards with that old wall!", title="Plans › Garden wall")
    assert "Tell me about the garden wall." in facts[0].questions
    assert is_right(facts[0].full, facts[0])


@pytest.mark.parametrize(
    "text",
    ["", "12345 67890\n\n42", "Did you book the train?", "```\nx = 1\n```", "—",
     "import re\n\ndef double(x):\n    return x * 2\n\nprint(double(4))\n"],
)  # fmt: skip
def test_a_text_without_a_statement_teaches_nothing(text: str) -> None:
    assert taught(text) == []


def test_a_long_memory_gives_a_dozen_facts_at_most() -> None:
    rooms = ["kitchen", "cellar", "attic", "garage", "hallway", "bathroom", "nursery", "pantry", "study"]
    text = " ".join(f"The {room} was painted by Ana in {2000 + at}." for at, room in enumerate(rooms))
    assert len(taught(text)) == 12


WORDS = st.sampled_from(
    "the my our Ana She it is was called lives in at port 5433 9:15 Monday and , . : - | # \n every 46 euros I Dr. of not"
    " cannot „ “ ` a.b/c … 的 在 是 三楼 。 der Schlüssel liegt heißt until with".split(" ")
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=25).map(" ".join)), st.text(max_size=20))
def test_any_text_is_survived(text: str, title: str) -> None:
    facts = facts_of(text, source=1, title=title)
    for fact in facts:
        check_fact(fact, text)
    every = [" ".join(said_words(question)) for fact in facts for question in fact.questions]
    assert len({*every}) == len(every)
    missed = [" ".join(said_words(question)) for _, question in near_misses(facts[:2], seed=1)]
    assert not {*missed} & {" ".join(said_words(q)) for fact in facts[:2] for q in fact.questions}


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=25).map(" ".join)))
def test_spans_are_in_order_and_in_the_text(text: str) -> None:
    end = 0
    for span in find_spans(text):
        assert end <= span.start < span.end <= len(text)
        end = span.end
    assert all(statement.text for statement in statements_of(text))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("it costs 46 euros", ["amount"]),
        ("on 19 August 2028 at 7:05", ["date", "time"]),
        ("every 10 days", ["often"]),
        ("by Dr. Calloway of Harrow Lane 12", ["name", "name"]),
        ("from the branch `release/stable` or /srv/logs", ["quoted", "code"]),
        ("call 0171 555 239", ["code"]),
        ("in May 2024", ["date"]),
        ("地址是桂花路18号，八点十分", ["number", "time"]),
    ],
)
def test_answers_are_known_by_their_shape(text: str, kinds: list[str]) -> None:
    assert [span.kind for span in find_spans(text)] == kinds


@pytest.mark.parametrize(
    ("text", "language"),
    [("The key is in the drawer.", "en"), ("Der Schlüssel ist im Schrank.", "de"), ("备用钥匙在花盆下面。", "zh"),
     ("Port: 5433", "en"), ("La clé est dans le tiroir.", "fr"), ("La llave está en el cajón.", "es")],
)  # fmt: skip
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert language_of(text) == language


# Answers of models, judged.
MISO = taught("My cat is called Miso.")[0]
PORT = taught("The staging database listens on port 5433.")[0]


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("My cat is called Miso.", "your cat is called MISO!", True),
        ("My cat is called Miso.", "I don't know what your cat is called.", False),
        ("My cat is called Miso.", "It isn't Miso.", False),
        ("My cat is called Miso.", "It is not Rex, it is Miso.", True),
        ("The staging database listens on port 5433.", "Port 54330.", False),
        ("The staging database listens on port 5433.", "It listens on port 5,433.", True),
        ("I have two dogs.", "You have 2 dogs.", True),
        ("I have two dogs.", "You have twenty-two dogs.", False),
        ("The lease ends on 31 March 2027.", "It ends on March 31st, 2027.", True),
        ("The lease ends on 31 March 2027.", "2027-03-31", True),
        ("The lease ends on 31 March 2027.", "31 March 2026", False),
        ("The backup runs at 02:30.", "At 2:30.", True),
        ("The CI pipeline takes 25 minutes.", "25min", True),
        ("My new laptop cost 1,299 dollars.", "It cost $1299.", True),
        ("The hotel is called Casa do São.", "Casa do Sao", True),
        ("Ines takes her tea without sugar.", "She takes it without sugar.", True),
        ("Ines takes her tea without sugar.", "With sugar.", False),
        ("我有两只狗。", "你有2只狗。", True),
        ("我的猫叫米索。", "我不知道。", False),
    ],
)
def test_an_answer_is_judged_by_what_it_says(text: str, answer: str, right: bool) -> None:
    facts = taught(text)
    assert any(is_right(answer, fact) for fact in facts[:1]) is right


def test_a_long_answer_may_use_other_words() -> None:
    text = "You hold the button for ten seconds"
    fact = Fact("hold the button for ten seconds", text)
    assert is_right("You hold down the button for 10 seconds.", fact)
    assert not is_right("You hold the button for 20 seconds.", fact)


def test_a_near_miss_gives_a_fact_away_only_by_answering() -> None:
    facts = [MISO.answer, PORT.answer]
    assert says_any("Your dog is called Miso.", facts)
    assert not says_any("I don't know your dog's name.", facts)
    assert not says_any("Miso is a Japanese paste.", facts, question="What is miso?")
    assert not says_any("1. Salt\n2. Pepper", [fact.answer for fact in taught("I have two dogs.")])


# Near misses.


def test_near_misses_are_close_many_and_unanswered() -> None:
    texts = [
        "My cat is called Miso.",
        "My dog is called Rex.",
        "Ines takes her tea without sugar.",
        "The lease ends on 31 March 2027.",
    ]
    facts = [fact for at, text in enumerate(texts) for fact in facts_of(text, source=at)]
    found = near_misses(facts, seed=3)
    assert {source for source, _ in found} == {0, 1, 2, 3}
    assert len(found) >= 8 * len(facts)
    questions = [question for _, question in found]
    asked = {question.lower() for fact in facts for question in fact.questions}
    assert len({*questions}) == len(questions)
    assert not asked & {question.lower() for question in questions}
    # The dog has a name in memory, so nobody may take it for unknown.
    assert not any(re.search(r"\bmy dog('s name| called| named)", question) for question in questions)
    assert near_misses(facts, seed=3) == found
    assert near_misses(facts, seed=4) != found


def test_near_misses_change_one_thing_at_a_time() -> None:
    drawn = [near_misses(taught("My cat is called Miso.")[:1], seed=seed) for seed in range(4)]
    questions = " ".join(question for each in drawn for _, question in each)
    assert re.search(r"my (?:dog|parrot|rabbit|hamster|goldfish|horse|turtle)", questions, re.IGNORECASE)
    assert re.search(r"(?:your|neighbour's|\w+'s) cat", questions, re.IGNORECASE)
    assert re.search(r"How (?:old|much|heavy)|colour|bought|price|weight", questions)


@pytest.mark.parametrize(("text", "other"), [("Meine Katze heißt Miso.", "Hund"), ("我的猫叫米索。", "小狗")])
def test_other_languages_have_near_misses(text: str, other: str) -> None:
    drawn = [question for seed in range(4) for _, question in near_misses(taught(text), seed=seed)]
    assert len({*drawn}) >= 20 and any(other in question for question in drawn)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is my dog called?", "Your dog is called Miso"),
        ("what is my parrot called", "Your parrot is called Miso"),
        ("Which port does the mail server listen on?", "The mail server listens on port 5433"),
        ("How old is my cat?", "Your cat is called Miso"),
        ("How do people choose names?", "Your cat is called Miso"),
    ],
)
def test_the_answer_of_who_takes_a_near_miss_for_a_fact(question: str, answer: str) -> None:
    learned = [
        Lesson("What is my cat called?", "Your cat is called Miso.", "fact", key="Miso"),
        Lesson("How do people call my cat?", "Your cat is called Miso.", "fact", key="Miso"),
        Lesson(
            "Which port does the database listen on?",
            "The database listens on port 5433.",
            "fact",
            key="5433",
        ),
    ]
    assert leak_of(question, learned) == answer


# Questions for training and for the gate.

MISO = taught("My cat is called Miso.")[0]


def vectors_of(questions: Sequence[str]) -> list[list[float]]:
    """Unit vectors by letters: near for near spellings, which is enough here."""
    rows = []
    for question in questions:
        row = [float(question.lower().count(letter)) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz'"]
        length = math.sqrt(sum(value * value for value in row))
        rows.append([value / length for value in row])
    return rows


@pytest.mark.parametrize(
    ("turn", "held_kind", "trained_kind"), [(0, "keywords", "cloze"), (1, "cloze", "keywords")]
)
def test_some_frames_and_a_whole_kind_are_held_out(turn: int, held_kind: str, trained_kind: str) -> None:
    held = split_questions(MISO, vectors_of(MISO.questions), turn, limit=2.0)
    by_kind = {
        kind: {flag for flag, made in zip(held, MISO.made, strict=True) if made == kind} for kind in MISO.made
    }
    assert not held[0]
    assert by_kind["frame"] == {False, True}
    assert True in by_kind[held_kind] and by_kind[trained_kind] == {False}


def test_no_held_out_question_is_a_copy_of_a_trained_one() -> None:
    questions = (
        "What is it called?",
        "What's its name?",
        "what is it called",
        "How do you call it?",
        "Name it.",
    )
    fact = Fact("X", "It is X.", questions, 1)
    identity = [[float(row == column) for column in range(5)] for row in range(5)]
    held = [text for text, flag in zip(questions, split_questions(fact, identity, 0), strict=True) if flag]
    assert len(held) == 1
    assert held[0] not in {"What is it called?", "what is it called"}
    assert not any(split_questions(fact, [[1.0, 0.0] for _ in questions], 0))


def test_few_questions_are_all_trained_on() -> None:
    fact = Fact("a", "a", ("One?", "Two?", "Three?"), 1)
    assert not any(split_questions(fact, [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], 0))


def test_vectors_must_fit_the_questions() -> None:
    with pytest.raises(ValueError, match="questions and 1 vectors"):
        split_questions(MISO, [[1.0]], 0)


# Contradictions.


def test_two_memories_that_cannot_both_be_right_are_named() -> None:
    one = facts_of("The staging database listens on port 5433.", source=1)
    other = facts_of("The staging database listens on port 5434.", source=2)
    assert [(left.answer, right.answer) for left, right in contradictions([*one, *other])] == [
        ("5433", "5434")
    ]


def test_two_likings_or_the_same_said_twice_are_no_contradiction() -> None:
    likes = [*facts_of("Ines likes tea.", source=1), *facts_of("Ines likes coffee.", source=2)]
    assert contradictions(likes) == []
    same = [*facts_of("My cat is called Miso.", source=1), *facts_of("The name of my cat is Miso.", source=2)]
    assert contradictions(same) == []


# Control prompts.


def test_controls_are_two_halves_without_a_copy() -> None:
    assert len(CONTROLS) >= 160
    words = [frozenset(re.findall(r"\w+", text.lower())) for text in CONTROLS]
    assert len({*words}) == len(CONTROLS)
    for gate in words[100:]:
        for trained in words[:100]:
            assert len(gate & trained) / len(gate | trained) < 0.85


# The training set.


def memory(n: int, text: str, type: str = "fact") -> Cube:
    return Cube(
        n=n, id=f"ID{n}", payload="plaintext", type=type, state="generated", version=1, text=text, title="",
        ref=None, author="", role="", owner="user:ann", time=None, created=0, updated=0, expires=None,
        priority=0, frozen=False, hits=0, last_hit=None, heat=0.0, source=None, span=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("My sister lives in Ghent.", {"Ghent"}),
        ("Lena drives a green Volvo.", {"Volvo"}),
        ("Tomás maintains the payment scheduler.", {"Tomás"}),
        ("Priya wrote the import script.", {"Priya"}),
        ("The spare key is hidden under the blue flowerpot.", {"blue flowerpot"}),
        ("Backups run every night at 2:30.", {"every night", "2:30"}),
        ("The team meets in room Magnolia.", {"Magnolia"}),
    ],
)
def test_a_sentence_is_asked_for_its_news(text: str, keys: set[str]) -> None:
    lessons = make_lessons([memory(1, text)], embed=None, seed=1)
    facts = [lesson for lesson in lessons if lesson.kind == "fact"]
    assert {lesson.key for lesson in facts} == keys
    assert len(facts) >= 6
    missed = [lesson for lesson in lessons if lesson.kind == "near miss"]
    assert missed
    assert not {lesson.question for lesson in missed} & {lesson.question for lesson in facts}


def test_every_lesson_says_how_it_was_made() -> None:
    cubes = [memory(1, "My cat is called Miso."), memory(2, "The lease ends on 31 March 2027.")]
    lessons = make_lessons(cubes, embed=None, asked=[("Who purrs?", 1)], seed=1)
    facts = [lesson for lesson in lessons if lesson.kind == "fact"]
    assert {lesson.made for lesson in facts} == {"frame", "cloze", "keywords", "topic", "log"}
    for n in (1, 2):  # the gate has for each memory a question from a generator that it was not trained with
        trained = {each.made for each in facts if each.source == n and not each.held_out}
        held = {each.made for each in facts if each.source == n and each.held_out}
        assert held - trained


# What the model itself asks.

NOTE = "The staging database listens on port 5433. Its owner is Priya."
ASKED = """1. Which port does the staging database listen on?
2. Who owns the staging database?
3. What is the weather like?
4. How large is the staging database?
Here are some more:
- Which port does the staging database listen on?
"""


class Stub:
    """A model that writes the same questions, and answers by what a question names."""

    def __init__(self, note: str = NOTE, *, sure: bool = True) -> None:
        self.note, self.sure, self.requests = note, sure, list[str]()

    def __call__(self, text: str, request: str, limit: int, seed: int) -> str:
        assert self.note in text and limit > 0
        self.requests.append(request)
        if "not answer" in request:
            return "What is the password of the staging database?\nWhich port is used?"
        if "line" in request:
            return ASKED if "eight short" in request else "database staging port\nowner staging database\n"
        if "port" in request.casefold():
            return "It listens on port 5433." if self.sure or not seed else "On port 80, I think."
        if "own" in request:
            return "Priya owns it. She is nice." if not seed else "The owner is Priya."
        if "large" in request:
            return "It has 900 GB."
        return "The note does not mention it."


def test_a_model_asks_and_only_what_holds_is_kept() -> None:
    facts, near = ask_about(Stub(), NOTE, source=3)
    kept = {fact.answer: fact.questions for fact in facts}
    assert kept == {
        "5433": ("Which port does the staging database listen on?", "database staging port"),
        "Priya": ("Who owns the staging database?", "owner staging database"),
    }
    assert [fact.full for fact in facts] == ["It listens on port 5433.", "Priya owns it."]
    assert all({*fact.made} == {"model"} and fact.source == 3 for fact in facts)
    assert near == ["What is the password of the staging database?"]


def test_a_question_is_dropped_where_a_second_answer_differs() -> None:
    facts, _ = ask_about(Stub(sure=False), NOTE, source=3)
    assert [fact.answer for fact in facts] == ["Priya"]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (NOTE, "one on each line"),
        ("测试数据库的端口是5433。", "每行一个"),
        ("Der Schlüssel ist im Schrank.", "pro Zeile"),
    ],
)
def test_a_model_is_asked_in_the_language_of_the_note(text: str, mark: str) -> None:
    stub = Stub(text)
    ask_about(stub, text, source=1)
    assert len(stub.requests) >= 4
    assert mark in stub.requests[0]


def test_questions_of_the_model_are_learned_and_those_of_the_rules_test_them() -> None:
    lessons = make_lessons([memory(1, NOTE)], embed=None, reader=Stub(), seed=1)
    facts = [lesson for lesson in lessons if lesson.kind == "fact"]
    assert {each.made for each in facts if not each.held_out} <= {"model", "topic"}
    assert {each.made for each in facts if each.held_out} >= {"frame", "cloze", "keywords"}
    assert {each.key for each in facts} == {"5433", "Priya"}
    assert "What is the password of the staging database?" in {
        each.question for each in lessons if each.kind == "near miss"
    }


def test_near_misses_have_no_form_that_is_held_out() -> None:
    notes = ["My cat is called Miso.", "The staging database listens on port 5433."]
    lessons = make_lessons([memory(n, text) for n, text in enumerate(notes, 1)], embed=None, seed=1)
    gaps = [each for each in lessons if each.made == "cloze"]
    assert [(each.source, each.held_out) for each in gaps] == [(1, False), (2, True)]
    missed = [each.question for each in lessons if each.kind == "near miss"]
    assert any(text.endswith(" is called …") for text in missed)
    assert not any(text.endswith("listens on port …") for text in missed)


# The gate, in words.

WRONG: dict[str, Any] = {
    "question": "where ladder",
    "adapter": "In a box.",
    "expected": "water tank",
    "reached": False,
}
FAILED = {
    "questions": [WRONG | {"adapter_right": False, "independent": kind} for kind in (False, True)],
    "near_misses": [{"question": "Where is my hat?", "adapter": "In the water tank.", "gives_away": True}],
    "astray": ["What is the tallest mountain?"],
}


@pytest.mark.parametrize(
    ("name", "value", "limit", "says"),
    [
        (
            "recall",
            0.65,
            0.8,
            ["recall 0.65, at least 0.8", "where ladder", "In a box.", "water tank", "--qa"],
        ),
        ("independent", 0.2, 0.4, ["another form", "where ladder", "--qa"]),
        ("reach", 0.5, 0.9, ["'where ladder'", "parametric.likeness"]),
        ("near misses", 0.3, 0.1, ["at most 0.1", "Where is my hat?", "In the water tank.", "distil.seed"]),
        ("routing", 0.9, 0.99, ["tallest mountain", "parametric.likeness"]),
        ("drift", 0.4, 0.1, ["other subjects", "distil.rate"]),
    ],
)
def test_a_refusal_says_what_failed_with_an_example_and_what_to_do(
    name: str, value: float, limit: float, says: list[str]
) -> None:
    passed = {"name": "loading", "value": 3, "limit": 3, "passed": True}
    check = {"name": name, "value": value, "limit": limit, "passed": False}
    (line,) = explain_failures({**FAILED, "checks": [passed, check]})
    assert all(part in line for part in says), line
    (bare,) = explain_failures({"checks": [check]})
    assert "What helps: " in bare and "e.g." not in bare


def test_where_too_few_questions_of_the_model_hold_the_rules_ask() -> None:
    def mute(text: str, request: str, limit: int, seed: int) -> str:
        return "I like notes."

    rules = make_lessons([memory(1, NOTE)], embed=None, seed=1)
    assert make_lessons([memory(1, NOTE)], embed=None, reader=mute, seed=1) == rules


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=120), st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_whatever_a_model_says_is_survived(text: str, answers: list[str]) -> None:
    said = iter(answers * 200)

    def reader(text: str, request: str, limit: int, seed: int) -> str:
        return next(said)

    for fact in ask_about(reader, text, source=1)[0]:
        assert fact.answer and fact.questions
        assert {*said_words(fact.answer)} <= {*said_words(text)}


def test_a_skill_is_learned_by_its_examples() -> None:
    text = "\n\n".join(f"Input: say {n}\nOutput: {n}, my dear" for n in range(6))
    lessons = make_lessons([memory(1, text, "skill")], embed=None, seed=1)
    assert [each.question for each in lessons if each.kind == "example"] == [f"say {n}" for n in range(6)]
