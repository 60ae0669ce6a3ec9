"""What memories become: facts and their questions, near misses, held-out phrasings, judged answers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memos_cli.operation.lessons import (
    CONTROLS,
    Fact,
    contradictions,
    facts_of,
    is_right,
    near_misses,
    says_any,
    split_phrasings,
)
from memos_cli.operation.wording.leaks import Learned, leak_of
from memos_cli.operation.wording.other_things import changed_in_part, elsewhere, thing_of
from memos_cli.operation.wording.posing import reframed

from memos_cli.cube import Cube
from memos_cli.operation.training_set import make_lessons

# A sentence, the answer that comes first or anywhere, and questions that must be among its own.
TAUGHT: dict[str, tuple[str, tuple[str, ...]]] = {
    "My cat is called Miso.": ("Miso", ("What is my cat called?", "What's my cat's name?")),
    "The name of the project is Larkspur.": ("Larkspur", ("What's the project called?",)),
    "My sister's phone number is 0171 555 239.": ("0171 555 239", ("How can I call my sister?",)),
    "The staging database listens on port 5433.": (
        "5433",
        ("Which port does the staging database listen on?", "Which port does the staging db listen on?"),
    ),
    "The spare key is under the blue flowerpot behind the shed.": (
        "blue flowerpot",
        ("Where is the spare key?", "Where did I put the spare key?"),
    ),
    "Ines takes her tea without sugar.": ("without sugar", ("How does Ines take her tea?",)),
    "Marta maintains the scheduler.": (
        "Marta",
        ("Who maintains the scheduler?", "Who's responsible for the scheduler?"),
    ),
    "The lease ends on 31 March 2027.": ("31 March 2027", ("When does the lease end?",)),
    "The bin collection is every second Tuesday.": (
        "every second Tuesday",
        ("On which days is the bin collection?", "When's the bin collection?"),
    ),
    "My dentist is Dr. Weber.": ("Dr. Weber", ("Who is my dentist?", "Which dentist do I go to?")),
    "I work at a bookshop.": ("bookshop", ("Where do I work?",)),
    "I have two dogs.": ("two", ("How many dogs do I have?",)),
    "The rent is 950 euros a month.": ("950 euros a month", ("How much is the rent?",)),
    "The CI pipeline takes 25 minutes.": ("25 minutes", ("How long does the CI pipeline take?",)),
    "The tower is 85 metres tall.": ("85 metres", ("How tall is the tower?",)),
    "My mother is 72 years old.": ("72", ("How old is my mother?",)),
    "The kitchen was painted by Ines in 2019.": (
        "Ines",
        ("Who painted the kitchen?", "Who was the kitchen painted by?"),
    ),
    "Elena was born in Valencia in 1988.": ("1988", ("When was Elena born?",)),
    "Dad's birthday is 3 May.": ("3 May", ("When is Dad's birthday?", "When was Dad born?")),
    "I am allergic to penicillin.": ("penicillin", ("What am I allergic to?",)),
    "Olga is the treasurer of the club.": ("Olga", ("Who is the club's treasurer?",)),
    "Joanna likes to climb on weekends.": ("climb", ("What does Joanna like to do?",)),
    "I put the key in the drawer.": ("drawer", ("Where did I put the key?",)),
    "Felix gave me the green armchair.": ("Felix", ("Who gave the green armchair to me?",)),
    "The uploads were slow because the cable was bent.": (
        "the cable was bent",
        ("Why were the uploads slow?",),
    ),
    "To restart the router, hold the button for ten seconds.": (
        "hold the button for ten seconds",
        ("How do I restart the router?",),
    ),
    "If the alarm rings, call Ana.": ("call Ana", ("What should I do if the alarm rings?",)),
    "The user prefers dark mode.": ("dark mode", ("What do I prefer?",)),
    "Your flight leaves at 9:15.": ("9:15", ("When does my flight leave?",)),
    "我的猫叫米索。": ("米索", ("我的猫叫什么名字？",)),
    "测试数据库的端口是5433。": ("5433", ("测试数据库的端口是多少？",)),
    "备用钥匙在花盆下面。": ("花盆下面", ("备用钥匙在哪里？",)),
    "Meine Katze heißt Miso.": ("Miso", ("Wie heißt meine Katze?",)),
    "Mon chat s'appelle Miso.": ("Miso", ("Comment s'appelle mon chat ?",)),
    "Mi gato se llama Miso.": ("Miso", ("¿Cómo se llama mi gato?",)),
}


def taught(text: str, **more: str) -> list[Fact]:
    return facts_of(text, source=7, **more)  # type: ignore[arg-type]


def answers(text: str, **more: str) -> list[str]:
    return [fact.answer for fact in taught(text, **more)]


@pytest.mark.parametrize("sentence", TAUGHT)
def test_a_sentence_becomes_questions_as_people_put_them(sentence: str) -> None:
    answer, wanted = TAUGHT[sentence]
    fact = next(fact for fact in taught(sentence) if fact.answer == answer)
    for question in wanted:
        assert question in fact.questions
    assert fact.source == 7


@pytest.mark.parametrize("sentence", TAUGHT)
def test_every_fact_is_sound(sentence: str) -> None:
    for fact in taught(sentence):
        assert fact.answer in fact.full
        assert is_right(fact.full, fact)
        assert 2 <= len(fact.questions) <= 14
        assert len({*fact.questions}) == len(fact.questions)
        assert not re.search(r"\[|\]|<|>|\{|\*", " ".join(fact.questions))
        for question in fact.questions:
            assert not re.search(rf"(?<!\w){re.escape(fact.answer)}(?!\w)", question)


def test_the_user_is_called_you_in_answers() -> None:
    assert taught("My cat is called Miso.")[0].full == "Your cat is called Miso."
    assert taught("I moved to Berlin in May.")[0].full == "You moved to Berlin in May."
    assert taught("We use PostgreSQL.")[0].full == "You use PostgreSQL."


def test_who_speaks_is_named() -> None:
    facts = taught("I moved to Berlin in May.", author="Tomas")
    assert "Where did Tomas move?" in facts[0].questions
    assert taught("You should call the vet.", author="Tomas") == []


def test_yesterday_is_dated_by_when_it_was_said() -> None:
    said = 1_683_504_000_000  # 8 May 2023
    facts = facts_of("I signed up for a pottery class yesterday.", source=1, author="Mel", time=said)
    assert "7 May 2023" in [fact.answer for fact in facts]
    assert "yesterday" not in " ".join(
        fact.answer for fact in facts_of("I signed up for a class yesterday.", source=1)
    )


def test_a_list_stands_under_its_heading() -> None:
    facts = taught("## Staging database\n\n- Port: 5433\n- Owner: Priya\n")
    assert [fact.answer for fact in facts] == ["5433", "Priya"]
    assert "Which port does the staging database listen on?" in facts[0].questions
    assert facts[0].sentence == "The port of the staging database is 5433."


def test_a_table_is_read_by_its_columns() -> None:
    facts = taught("| Person | Phone |\n|---|---|\n| Ana | 0171 22 |\n| Bob | 0171 33 |")
    assert [(fact.about, fact.answer) for fact in facts] == [("Ana", "0171 22"), ("Bob", "0171 33")]


def test_numbered_steps_become_one_instruction() -> None:
    facts = taught("Release process:\n1. Run the tests.\n2. Tag the commit.\n3. Push the tag to GitHub.\n")
    assert facts[0].answer == "Run the tests, tag the commit and push the tag to GitHub"


def test_one_sentence_may_say_two_things() -> None:
    found = answers("Ana has a cat called Miso and a dog called Rex.")
    assert {"Miso", "Rex"} <= {*found}
    assert {"Bergen", "bakery", "Ana"} <= {*answers("My sister Ana lives in Bergen and works at a bakery.")}


def test_pronouns_are_resolved_or_left_out() -> None:
    facts = taught("My brother Erik lives in Trondheim. He works as a nurse.")
    nurse = next(fact for fact in facts if fact.answer == "nurse")
    assert "What does Erik work as?" in nurse.questions
    assert answers("She lives in Graz.") == []


def test_what_no_rule_understands_is_taught_whole() -> None:
    facts = taught("Whatever the weather, onwards with the garden wall!", title="Plans › Garden wall")
    assert facts[0].questions[0] == "What do you know about the garden wall?"
    assert is_right(facts[0].full, facts[0])


@pytest.mark.parametrize("text", ["", "12345 67890\n\n42", "Did you book the train?", "```\nx = 1\n```", "—"])
def test_a_text_without_a_statement_teaches_nothing(text: str) -> None:
    assert taught(text) == []


def test_source_code_teaches_nothing() -> None:
    assert taught("import re\n\ndef double(x):\n    return x * 2\n\nprint(double(4))\n") == []


def test_a_long_memory_gives_a_dozen_facts_at_most() -> None:
    rooms = ["kitchen", "cellar", "attic", "garage", "hallway", "bathroom", "nursery", "pantry", "study"]
    text = " ".join(f"The {room} was painted by Ana in {2000 + at}." for at, room in enumerate(rooms))
    assert len(taught(text)) == 12


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_survived(text: str) -> None:
    facts = taught(text)
    for fact in facts:
        assert fact.questions and fact.answer
    near_misses(facts[:2], seed=1)


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
    fact = taught("To restart the router, hold the button for ten seconds.")[0]
    assert is_right("You hold down the button for 10 seconds.", fact)
    assert not is_right("You hold the button for 20 seconds.", fact)


def test_a_near_miss_gives_a_fact_away_only_by_answering() -> None:
    facts = [MISO, PORT]
    assert says_any("Your dog is called Miso.", facts)
    assert not says_any("I don't know your dog's name.", facts)
    assert not says_any("Miso is a Japanese paste.", facts, question="What is miso?")
    assert not says_any("1. Salt\n2. Pepper", taught("I have two dogs."))


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
    questions = " ".join(
        question for _, question in near_misses(taught("My cat is called Miso.")[:1], seed=1)
    )
    assert re.search(
        r"my (?:dog|rabbit|gecko|parrot|hamster|goldfish|turtle|horse|guinea pig|canary)", questions
    )
    assert re.search(r"(?:your|neighbour's|\w+'s) cat", questions, re.IGNORECASE)
    assert re.search(r"How (?:old|much)|colour|vet|born|sleep|eat", questions)


def test_near_misses_name_other_things_in_whole_and_in_part() -> None:
    fact = next(each for each in taught("Tomás maintains the payment scheduler.") if each.answer == "Tomás")
    assert thing_of(fact) == "the payment scheduler"
    found = " ".join([*elsewhere(fact, 1), *changed_in_part(fact, 1)])
    assert re.search(r"maintain\w* the (?!payment)\w+", found)
    assert re.search(r"the payment (?!scheduler)\w+", found)
    assert re.search(r"the (?!payment)\w+ scheduler", found)
    assert "the payment scheduler" not in found
    assert thing_of(taught("Ines takes her tea without sugar.")[0]) == ""


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
        Learned("What is my cat called?", "Your cat is called Miso.", "Miso"),
        Learned("How do people call my cat?", "Your cat is called Miso.", "Miso"),
        Learned("Which port does the database listen on?", "The database listens on port 5433.", "5433"),
    ]
    assert leak_of(question, learned) == answer


def test_few_ways_to_ask_are_put_into_more_frames() -> None:
    more = reframed(["Which editor do I use?", "Tell me which editor I use."], 8)
    assert len({*more}) == 8
    assert more[:2] == ("Which editor do I use?", "Tell me which editor I use.")
    assert "Do you know which editor I use?" in more
    assert reframed(more, 4) == more


# Phrasings for training and for the gate.


def vectors_of(questions: Sequence[str]) -> list[list[float]]:
    """Unit vectors by letters: near for near spellings, which is enough here."""
    rows = []
    for question in questions:
        row = [float(question.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz'"]
        length = math.sqrt(sum(value * value for value in row))
        rows.append([value / length for value in row])
    return rows


def test_about_a_fifth_is_held_out_and_the_plainest_is_trained() -> None:
    train, held = split_phrasings(MISO, vectors_of(MISO.questions), limit=0.995)
    assert sorted([*train, *held]) == sorted(MISO.questions)
    assert train[0] == MISO.questions[0]
    assert len(held) == round(len(MISO.questions) / 5)


def test_no_held_out_phrasing_is_a_copy_of_a_trained_one() -> None:
    questions = (
        "What is it called?",
        "What's its name?",
        "what is it called",
        "How do you call it?",
        "Name it.",
    )
    fact = Fact("It is X.", "X", "It is X.", questions, 1)
    identity = [[float(row == column) for column in range(5)] for row in range(5)]
    _, held = split_phrasings(fact, identity)
    assert len(held) == 1
    assert held[0] not in {"What is it called?", "what is it called"}
    near = [[1.0, 0.0] for _ in questions]
    assert split_phrasings(fact, near) == (questions, ())


def test_few_phrasings_are_all_trained_on() -> None:
    fact = Fact("s", "a", "a", ("One?", "Two?", "Three?"), 1)
    assert split_phrasings(fact, [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]) == (("One?", "Two?", "Three?"), ())


def test_vectors_must_fit_the_phrasings() -> None:
    with pytest.raises(ValueError, match="14 phrasings and 1 vectors"):
        split_phrasings(MISO, [[1.0]])


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


# What of a sentence is asked.


def memory(text: str) -> Cube:
    return Cube(
        n=1, id="ID", payload="plaintext", type="fact", state="generated", version=1, text=text, title="",
        ref=None, author="", role="", owner="user:ann", time=None, created=0, updated=0, expires=None,
        priority=0, frozen=False, hits=0, last_hit=None, heat=0.0, source=None, span=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("My sister lives in Ghent.", "Ghent"),
        ("Lena drives a green Volvo.", "green Volvo"),
        ("Tomás maintains the payment scheduler.", "Tomás"),
        ("Priya wrote the import script.", "Priya"),
        ("The spare key is hidden under the blue flowerpot.", "blue flowerpot"),
        ("Backups run every night at 2:30.", "2:30"),
        ("Mateo speaks Catalan at home.", "Catalan"),
        ("The team meets in room Magnolia.", "room Magnolia"),
    ],
)
def test_a_sentence_is_asked_for_its_news(text: str, key: str) -> None:
    lessons = make_lessons([memory(text)], embed=None, seed=1)
    facts = [lesson for lesson in lessons if lesson.kind == "fact"]
    assert {lesson.key for lesson in facts} == {key}
    assert len(facts) >= 6
    missed = [lesson for lesson in lessons if lesson.kind == "near miss"]
    assert missed
    assert not {lesson.question for lesson in missed} & {lesson.question for lesson in facts}
