# ruff: noqa: E501  (tables)
"""Near misses: questions that are similar to the facts but answered by none: "What is my dog called?" for a
cat. Pure.

They are made by changing one part of a real question: its subject (to another subject of the memories, or a
word of the same kind), a part of its name, its owner, or the requested property; and by general questions on
such a subject. Deterministic: the order is a hash of seed and text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from zlib import crc32

from memos_cli.operation.adapters.questions.answer_check import said_words
from memos_cli.operation.adapters.questions.english import DETERMINERS, tags_of
from memos_cli.operation.adapters.questions.facts import Fact
from memos_cli.operation.adapters.questions.frames import bare
from memos_cli.operation.adapters.questions.spans import kind_of
from memos_cli.operation.adapters.questions.splits import copy_key

EACH = 20
"""Near misses for one fact, where there are so many."""
_STOCK = tuple(
    line.split(", ")
    for line in (
        "cat, dog, parrot, rabbit, hamster, goldfish, horse, turtle",
        "mother, father, sister, brother, cousin, uncle, aunt, daughter, son, neighbour, grandmother",
        "doctor, dentist, plumber, gardener, teacher, lawyer, electrician, hairdresser, accountant, landlord",
        "manager, designer, tester, intern, secretary, developer, colleague, client, boss",
        "key, ladder, drill, umbrella, suitcase, tent, blanket, toolbox, lamp, candle",
        "kitchen, garage, cellar, balcony, attic, garden, office, hallway, bathroom, shed",
        "car, bicycle, van, boat, scooter, trailer, motorbike, tram",
        "server, database, router, printer, laptop, camera, phone, monitor, gateway, cluster",
        "search, mail, chat, payment, login, report, archive, production, test, image",
        "script, backup, import, deployment, build, release, dashboard, scheduler, queue, cache",
        "passport, lease, insurance, invoice, warranty, visa, permit, contract, ticket, subscription",
        "school, library, gym, museum, pharmacy, bakery, hotel, theatre, pool, market",
        "meeting, concert, wedding, course, exam, party, trip, interview, rehearsal, appointment",
        "coffee, soup, bread, salad, breakfast, dinner, cake, juice, rice",
        "password, port, address, colour, size, price, weight, age, version, brand, number",
    )
)
_NAMES = (
    "Alice Boris Carmen Dieter Elif Frank Greta Hiro Ivan Julia Karim Laura Mehmet Nora Otto Paula".split()
)
_LINKS = frozenset("of in on for at to".split())
_OF_PEOPLE = (
    "How old is {}?", "When is the birthday of {}?", "What is the phone number of {}?", "What is the job of {}?",
    "Where was {} born?", "Which car does {} drive?", "What does {} eat for breakfast?", "Who is the boss of {}?",
    "Which language does {} speak?", "What is the favourite film of {}?", "How tall is {}?", "{} shoe size?",
    "Where did {} spend the summer?", "Who is married to {}?", "Which sport does {} do?",
)  # fmt: skip
_OF_THINGS = (
    "How old is {}?", "What colour is {}?", "Who bought {}?", "How much did {} cost?", "How heavy is {}?",
    "Which company made {}?", "What is {} made of?", "Who is allowed to use {}?", "How often is {} cleaned?",
    "What is wrong with {}?", "Who complained about {}?", "Which version of {} is the newest?", "{} size?",
    "When was {} replaced?", "What do people think of {}?", "How many people know {}?", "password of {}?",
    "Where was {} made?", "How long did {} take?", "Who gave us {}?", "Where is {}?", "When does {} start?",
    "Who looks after {}?", "Which language is used for {}?",
)  # fmt: skip
_GENERAL = (
    "What is a {}?", "What should I know before I buy a {}?", "How do I choose a {}?", "Why do people need a {}?",
    "Where can I find a good {}?", "Write a sentence about a {}.", "What is the best {} in the world?",
)  # fmt: skip
_PLAIN_STOCK = {
    "de": ["Hund", "Bruder", "Nachbarin", "Auto", "Büro", "Drucker", "Vertrag", "Schule", "Fahrrad", "Keller", "Arzt",
           "Passwort", "Kaffeemaschine", "Konzert", "Bibliothek"],
    "zh": ["小狗", "表哥", "邻居", "汽车", "办公室", "打印机", "合同", "学校", "手机", "牙医", "冰箱", "图书馆", "同事", "雨伞"],
}  # fmt: skip
_PLAIN_ASKS = {
    "de": ("Wie alt ist {}?", "Was kostet {}?", "Welche Farbe hat {}?", "Wem gehört {}?", "Wie groß ist {}?",
           "Wer hat {} gekauft?", "Was ist {}?", "Wo ist {}?", "Wann ist {}?"),
    "zh": ("{}在哪里？", "{}是什么时候？", "{}多大了？", "{}多少钱？", "{}是什么颜色的？", "{}是谁买的？", "{}有多大？", "为什么需要{}？", "什么样的{}最好？"),
}  # fmt: skip
_ASKED = "who_ where when how_much how_many how_often how_long wer_ wo_ wann wie_viel wie_oft 哪里 什么时候 多少 谁"
"""What questions ask for, by which two on one thing differ."""


def near_misses(facts: Sequence[Fact], *, seed: int) -> list[tuple[int, str]]:
    """Return (source of the fact, question), up to ``EACH`` for each fact."""
    known = {" ".join(said_words(text)) for fact in facts for text in fact.questions}
    texts = [(*fact.questions, fact.answer) for fact in facts]
    answered = [{word for text in each for word in copy_key(text)} for each in texts]
    subjects = list(dict.fromkeys(fact.about for fact in facts if fact.about.strip()))
    found: list[tuple[int, str]] = []
    for at, fact in enumerate(facts):
        others = [about for about in subjects if about != fact.about]
        sorts = _candidates(fact, others) if fact.about.strip() else ()
        kinds = [_shuffled(kind, f"{seed} {at}") for kind in sorts]
        chosen: list[str] = []
        for text in (text for round in zip_longest(*kinds) for text in round if text):
            key, content = " ".join(said_words(text)), set(copy_key(text))
            is_new = key and key not in known and not any(content <= words for words in answered)
            if is_new and len(chosen) < EACH:
                known.add(key)
                chosen.append(text)
        found += [(fact.source, text) for text in chosen]
    return found


def _shuffled(texts: Iterator[str], seed: str) -> list[str]:
    return sorted(dict.fromkeys(texts), key=lambda text: crc32(f"{seed} {text}".encode()))


def _candidates(fact: Fact, others: Sequence[str]) -> Iterator[Iterator[str]]:
    """Yield candidates by kind; each kind contributes its share."""
    if fact.language == "en":
        yield _swapped(fact, _siblings(fact.about.split()))
        yield _swapped(fact, _altered(fact.about.split()))
        yield _asked_else(fact)
        yield _swapped(fact, others)
        yield _general(fact.about.split())
    else:
        stock, asks = _PLAIN_STOCK.get(fact.language, _NAMES), _PLAIN_ASKS.get(fact.language, ())
        yield _swapped(fact, stock)
        yield _swapped(fact, others)
        yield (text.format(fact.about) for text in asks if _asks_else(text, fact))
        yield (text.format(word) for word in stock for text in asks)


def _swapped(fact: Fact, others: Sequence[str]) -> Iterator[str]:
    """Return the questions of a fact with another subject: a sample, because all combinations would be too
    many.
    """
    forms: dict[str, Callable[[str], str]] = {fact.about: str, bare(fact.about): bare}
    for number, question in enumerate(fact.questions):
        for other in (other for other in others if (number + len(other)) % 3 == 0):
            for form, cut in forms.items():
                edges = (r"(?<!\w)", r"(?!\w)") if form.isascii() else ("", "")
                new = re.sub(re.escape(form).join(edges), lambda _: cut(other), question, count=1, flags=re.I)  # noqa: B023
                if new != question:
                    yield new[:1].upper() + new[1:] if question[:1].isupper() else new
                    break


def _head_at(words: Sequence[str]) -> int:
    """Return which word of a phrase names the thing: the last, or that before "of"."""
    cuts = [at for at, word in enumerate(words) if at and word.casefold() in _LINKS]
    return min([*cuts, len(words)]) - 1


def _siblings(words: list[str]) -> list[str]:
    """Return the subject with another head: words of the same kind, and a few of each other kind."""
    at = _head_at(words)
    head = words[at].casefold()
    if head[:1].isalpha() and (words[at][0].isupper() or not tags_of(head)) and at == len(words) - 1:
        front = words[:1] if words[0].casefold() in DETERMINERS else []
        return [" ".join([*front, name]) for name in _NAMES]
    same = next((group for group in _STOCK if head in group), [])
    others = [word for group in _STOCK for word in group if word not in same]
    start = crc32(" ".join(words).encode()) % len(others)
    picked = [*same, *others[start::9], *others[start % 9 :: 13]]
    return [" ".join([*words[:at], word, *words[at + 1 :]]) for word in picked if word != head]


def _altered(words: list[str]) -> list[str]:
    """Return the subject with another word before or after it, or with another owner."""
    head, found = _head_at(words), []
    parts = [word for group in _STOCK for word in group[:4]]
    for at, word in enumerate(words):
        if at != head and word.casefold() not in DETERMINERS | _LINKS:
            some = parts[crc32(word.encode()) % 7 :: 7]
            found += [
                " ".join([*words[:at], new, *words[at + 1 :]]) for new in some if new != word.casefold()
            ]
    if words[0].casefold() in DETERMINERS:
        owners = [*(f"{name}'s" for name in _NAMES[::3]), "your", "the neighbour's", "the old", "the other"]
        found += [" ".join([owner, *words[1:]]) for owner in owners]
    return found


def _asked_else(fact: Fact) -> Iterator[str]:
    """Return questions on other properties of the subject, which no question of the fact mentions."""
    words = fact.about.split()
    is_name = fact.about[:1].isupper()
    is_person = any(words[_head_at(words)].casefold() in group for group in _STOCK[1:4])
    known = {word for text in fact.questions for word in said_words(text)}
    for text in (*(_OF_PEOPLE if is_name or is_person else ()), *(() if is_name else _OF_THINGS)):
        if not known & {word for word in said_words(text)[1:] if len(word) > 3} and _asks_else(text, fact):
            yield text.format(fact.about) if text[0] != "{" else text.format(bare(fact.about))
    for noun in () if is_name or is_person else _STOCK[-1]:
        if noun not in known:
            yield f"What is the {noun} of {fact.about}?"
            yield f"{bare(fact.about)} {noun}"


def _asks_else(text: str, fact: Fact) -> bool:
    """Return whether a question asks for another kind of answer than the first question of a fact, such as a
    place.
    """
    first, other = (each.casefold().replace(" ", "_") for each in (fact.questions[0], text))
    first += "who_" if kind_of(fact.answer) == "name" else ""
    return not any(word in first and word in other for word in _ASKED.split())


def _general(words: list[str]) -> Iterator[str]:
    head = words[_head_at(words)]
    if head.islower() and "NN" in tags_of(head):
        yield from (re.sub(r"\ba (?=[aeiou])", "an ", text.format(head)) for text in _GENERAL)
