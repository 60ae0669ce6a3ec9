"""Questions close to the facts that none of them answers: "What is my dog called?" beside a cat. Pure.

Made by changing one thing of a real question: whom or what it asks about, the property, the person, the
deed; by asking one fact's question of another's subject; and general questions that need no memory ("What
is a good name for a cat?"). A candidate whose content words all stand in one fact and its questions is
taken for answered. Deterministic: the order is a hash of seed and text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from zlib import crc32

from memos_cli.operation.wording.answers import said_words
from memos_cli.operation.wording.facts import Fact
from memos_cli.operation.wording.foreign_misses import foreign_candidates
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.near_templates import (
    ABOUT_ANIMALS,
    ABOUT_EVENTS,
    ABOUT_FOOD,
    ABOUT_PAPERS,
    ABOUT_PEOPLE,
    ABOUT_PLACES,
    ABOUT_SOFTWARE,
    ABOUT_THINGS,
    ABOUT_WORK,
    ANIMAL_GROUPS,
    DEEDS,
    EVENT_GROUPS,
    FOOD_GROUPS,
    OPEN_BY_GROUP,
    OPEN_BY_WORD,
    OTHER_THINGS,
    PAPER_GROUPS,
    PERSON_GROUPS,
    SOFTWARE_GROUPS,
)
from memos_cli.operation.wording.nouns import (
    NAMES,
    an,
    head_of,
    is_name,
    is_plural,
    kind_of_noun,
    plural,
    singular,
)
from memos_cli.operation.wording.other_things import (
    SMALL,
    changed_in_part,
    elsewhere,
    renamed,
    thing_of,
    tidy,
)
from memos_cli.operation.wording.posing import compose, pose
from memos_cli.operation.wording.siblings import groups, groups_of, siblings_of
from memos_cli.operation.wording.splits import copy_key

EACH = 20
"""Near misses for one fact, where there are so many."""
_SHARES = (
    ("swap", 4), ("part", 5), ("far", 3), ("property", 3), ("asker", 1), ("cross", 1), ("deed", 1),
    ("open", 2),
)  # fmt: skip


# Words of the groups that mean something else too often.
_AMBIGUOUS = word_set(
    """will call minutes second run training review old new left right ring watch go can first third fourth
    last rows eye back hand foot name date time place host make order sign little small large big low
    lead cover kid like medicine address in top bus class game play note notes book film light"""
)


def near_misses(facts: Sequence[Fact], *, seed: int) -> list[tuple[int, str]]:
    """Questions close to the facts that none of them answers: (source of the fact it came from, question).

    About ten for each fact, of mixed kinds; fewer only where nearly everything is answered by another fact.
    """
    spoken_of: dict[str, set[int]] = {}
    for at, fact in enumerate(facts):
        for word in _words_of_fact(fact):
            spoken_of.setdefault(word, set()).add(at)
    taken = {copy_key(question) for fact in facts for question in fact.questions}
    out: list[tuple[int, str]] = []
    for at, fact in enumerate(facts):
        pools: dict[str, list[str]] = {}
        for sort, question in _candidates(fact, facts, at, seed):
            pools.setdefault(sort, []).append(question)
        for texts in pools.values():
            texts.sort(key=lambda text: crc32(f"{seed} {at} {text}".encode()))

        def is_new(sort: str, question: str, fact: Fact = fact) -> bool:
            if copy_key(question) in taken or question.count(" ") > 16:
                return False
            if sort == "open":
                return not _gives_answer(question, fact)
            return not _is_answered(question, spoken_of)

        for question in _chosen(pools, is_new):
            taken.add(copy_key(question))
            out.append((fact.source, question))
    return out


def _chosen(pools: dict[str, list[str]], is_new: Callable[[str, str], bool]) -> list[str]:
    """Some of every sort, then more of any, up to ten."""
    chosen: list[str] = []
    keys: set[tuple[str, ...]] = set()
    rest = {sort: iter(dict.fromkeys(texts)) for sort, texts in pools.items()}

    def take(sort: str, count: int) -> None:
        for text in rest.get(sort, iter(())):
            if count <= 0:
                return
            if copy_key(text) not in keys and is_new(sort, text):
                chosen.append(text)
                keys.add(copy_key(text))
                count -= 1

    for sort, share in _SHARES:
        take(sort, share)
    for sort in ("property", "swap", "cross", "open", "asker"):
        take(sort, EACH - len(chosen))
    return chosen


def _content(text: str) -> set[str]:
    """Content words with the possessives that tell whose it is, plurals taken off."""
    low = text.lower().replace("’", "'")
    words = {_stem(word) for word in said_words(text) if word not in SMALL}
    words |= {f"<{word}>" for word in re.findall(r"\b(?:your|his|her|their)\b", low)}
    if (
        re.search(r"\b(?:my|mine|i)\b(?! (?:forgot|need|can))", low)
        and not re.fullmatch(r".*\b(?:i forgot|i need|i can't)\b.*", low)
    ) or re.search(r"\bmy\b", low):
        words.add("<my>")
    return words


def _stem(word: str) -> str:
    return re.sub(r"(?:ies|s|ing|ed|e)$", "", word) if len(word) > 3 and not re.search(r"\d", word) else word


def _words_of_fact(fact: Fact) -> set[str]:
    found = _content(fact.sentence)
    for question in fact.questions:
        found |= _content(question)
    return found - {"<your>"}


def _is_answered(question: str, spoken_of: Mapping[str, set[int]]) -> bool:
    """Whether all its content words stand in one fact and its questions."""
    words = _content(question)
    if not words - {"<my>"}:
        return True
    facts = set.intersection(*(spoken_of.get(word, set()) for word in words if word != "<my>"))
    if re.search(r"\bmy\b", question, re.IGNORECASE):
        facts &= spoken_of.get("<my>", set())
    return bool(facts)


def _gives_answer(question: str, fact: Fact) -> bool:
    wanted = said_words(fact.answer)
    return bool(wanted) and " ".join(wanted) in " ".join(said_words(question))


def _candidates(fact: Fact, facts: Sequence[Fact], at: int, seed: int) -> Iterator[tuple[str, str]]:
    """(sort, question); many more than are needed."""
    if re.search(r"[\u3040-\u30ff\u3400-\u9fff]", "".join(fact.questions)) or _foreign(fact):
        yield from foreign_candidates(fact, facts)
        return
    for question in fact.questions:
        for swapped in _swapped(question, seed):
            yield "swap", swapped
        yield from (("asker", text) for text in _other_asker(question, seed))
        yield from (("deed", text) for text in _other_deed(question))
    yield from (("swap", text) for text in _other_entity(fact, seed))
    yield from (("far", text) for text in elsewhere(fact, seed))
    yield from (("part", text) for text in changed_in_part(fact, seed))
    for question in _properties(fact, seed):
        yield "property", question
    for other in facts:
        if other.about and fact.about and other.about.lower() != fact.about.lower() and len(facts) > 1:
            for question in fact.questions[:4]:
                text = renamed(question, fact.about, other.about)
                if (
                    text
                    and not _clash(fact.about, other.about)
                    and _templates_for(fact.about) is _templates_for(other.about)
                ):
                    yield "cross", text
    yield from (("open", text) for text in _open(fact))


def _foreign(fact: Fact) -> bool:
    return (
        bool(fact.questions)
        and bool(
            re.match(
                r"(?:Wie|Wo|Was|Wer|Wann|Wei\u00dft|Comment|O\u00f9|Quel|Qu['e]|Sais|\u00bf)",
                fact.questions[0],
            )
        )
        and not re.match(r"(?:Was|Who) ", fact.questions[0])
    ) or bool(
        fact.questions and re.match(r"Was (?:ist|wei\u00dft|trinkt|isst|mag|nutzt|spielt)", fact.questions[0])
    )


def _clash(one: str, other: str) -> bool:
    """A cross question must stay sensible: people for people, things for things; and numbers must agree."""
    return (
        (one == "I") != (other == "I")
        or is_plural(one) != is_plural(other)
        or (kind_of_noun(one) == "person") != (kind_of_noun(other) == "person")
    )


# Where any property fits; after "when is" or "who is" only some would.
_NOUN_ASKED = re.compile(
    r"(?:what(?:'s| is| was)|tell me|i forgot|remind me of|do you (?:know|remember)|can you tell me"
    r"|please tell me) (?:the|my|our|\w+'s) ",
    re.IGNORECASE,
)


_PERSON_ASKED = re.compile(r"\bwho\b", re.IGNORECASE)


def _swapped(question: str, seed: int) -> Iterator[str]:
    """Each word of a sibling group changed to a sibling: my cat -> my dog, Monday -> Thursday."""
    for match in re.finditer(r"[^\W\d_][\w-]*(?: [a-z][\w-]*){0,2}", question):
        words = match[0].split()
        start = 0
        while start < len(words):
            size = next((size for size in (3, 2, 1) if groups_of(" ".join(words[start : start + size]))), 1)
            phrase = " ".join(words[start : start + size])
            start += size
            yield from _with_sibling(question, phrase, seed)


def _with_sibling(question: str, phrase: str, seed: int) -> Iterator[str]:
    found = groups_of(phrase)
    low = phrase.lower()
    if not found or {low, low.removesuffix("s")} & _AMBIGUOUS:
        return
    typed_small = question == question.lower()
    named = any(other[0].isupper() for other in groups()[found[0]][1][:2])
    if named != phrase[0].isupper() and not (named and typed_small):
        return
    if found[0].startswith("properties") and not _NOUN_ASKED.match(question):
        return
    if any(name.startswith("properties") for name in found) and _PERSON_ASKED.search(question):
        return
    many = low.endswith("s") and low not in {word.lower() for word in groups()[found[0]][1]}
    others = sorted(
        siblings_of(phrase[:-1] if many else phrase),
        key=lambda text: crc32(f"{seed} {question} {text}".encode()),
    )
    # Green tea is tea, and a "payment payment service" is nothing.
    others = [other for other in others if not {*other.lower().split()} & {*low.split()}]
    for other in others[:4]:
        if set(other.lower().split()) & set(question.lower().split()):
            continue
        new = plural(other) if many else other
        new = new.lower() if typed_small else new
        yield tidy(re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", new, question, count=1))


def _other_entity(fact: Fact, seed: int) -> Iterator[str]:
    """Whom or what it is about changed as a whole: Ines -> Marta, the frobnicator -> the printer."""
    about = fact.about
    if not about or about == "I":
        return
    if is_name(about) or about.split()[0].lower() in NAMES:
        people = kind_of_noun(about) in {"person", "unknown"}
        pool = [*groups()["women's names"][1], *groups()["men's names"][1]] if people else []
    elif groups_of(head_of(about)):
        pool = (
            [f"{about[: -len(head_of(about))]}{other}" for other in siblings_of(head_of(about))]
            if about.lower().endswith(head_of(about))
            else []
        )
    else:
        pool = [f"the {other}" for other in OTHER_THINGS]
    pool = sorted(pool, key=lambda text: crc32(f"{seed} {about} {text}".encode()))
    for place, question in enumerate(fact.questions):
        for other in pool[place % 3 : 9 : 3]:
            if is_plural(about) == is_plural(other):
                text = renamed(question, about, other)
                if text:
                    yield text


def _properties(fact: Fact, seed: int) -> Iterator[str]:
    """Other questions about the same: how old is my cat, what is Ines's phone number."""
    # Who maintains the scheduler: it is the scheduler that is asked about.
    about = thing_of(fact) if said_words(fact.about) == said_words(fact.answer) else fact.about
    if not about or len(about.split()) > 5:
        return
    for templates in [_templates_for(about)]:
        ordered = sorted(templates, key=lambda text: crc32(f"{seed} {about} {text}".encode()))
        for place in range(0, len(ordered), 2):
            asks = [pose(template, about) for template in ordered[place : place + 2]]
            forms = compose(asks, (), f"{seed}{about}{place}")
            for step in (0, 1, 2, 3, 5):
                if step < len(forms):
                    yield forms[step]


def _templates_for(about: str) -> Sequence[str]:
    found = set(groups_of(head_of(about)))
    kind = kind_of_noun(about)
    if about == "I" or kind == "person" or found & PERSON_GROUPS:
        return ABOUT_PEOPLE
    if kind == "animal" or found & ANIMAL_GROUPS:
        return ABOUT_ANIMALS
    if found & SOFTWARE_GROUPS:
        return ABOUT_SOFTWARE
    if found & EVENT_GROUPS:
        return ABOUT_EVENTS
    for names, templates in (
        (PAPER_GROUPS, ABOUT_PAPERS),
        (FOOD_GROUPS, ABOUT_FOOD),
        ({"work units"}, ABOUT_WORK),
    ):
        if found & names:
            return templates
    if kind == "place":
        return ABOUT_PLACES
    if kind == "unknown" and is_name(about):
        return (
            *ABOUT_SOFTWARE[:5],
            *ABOUT_THINGS[:8],
            "when [was] * started",
            "who came up with *",
            "how big [be] *",
        )
    return ABOUT_THINGS


def _other_asker(question: str, seed: int) -> Iterator[str]:
    """My cat -> your cat, Marta's cat."""
    if re.search(r"\b[Mm]y\b", question):
        yield re.sub(r"\b([Mm])y\b", lambda match: "Your" if match[1] == "M" else "your", question, count=1)
        names = [*groups()["women's names"][1], *groups()["men's names"][1]]
        name = names[crc32(f"{seed}{question}".encode()) % len(names)]
        name = name.lower() if question == question.lower() else name
        yield re.sub(r"\b[Mm]y\b", f"{name}'s", question, count=1)
        yield re.sub(r"\b([Mm])y\b", "my neighbour's", question, count=1)
    elif re.search(r"\b(?:do|did|should|can|will) I\b", question):
        yield re.sub(
            r"\b(do|did|should|can|will) I\b", r"\1 you", re.sub(r"\bmy\b", "your", question), count=1
        )


def _other_deed(question: str) -> Iterator[str]:
    for word, others in DEEDS.items():
        if re.search(rf"(?<!\w)(?<![Ww]hich )(?<![Ww]hat ){word}(?!\w)", question):
            for other in others:
                yield re.sub(rf"(?<!\w){word}(?!\w)", other, question, count=1)


def _open(fact: Fact) -> Iterator[str]:
    """General questions in the neighbourhood; nobody's memory is needed for them."""
    text = f"{' '.join(fact.questions)} {fact.about}"
    for token in [head_of(fact.about)] if fact.about else []:
        low = token.lower()
        if (
            low in _AMBIGUOUS
            or low in NAMES
            or said_words(token) == said_words(fact.answer)
            or not groups_of(low)
        ):
            continue
        found = set(groups_of(token))
        family = (
            "animals"
            if found & ANIMAL_GROUPS
            else "family"
            if found & {"close family", "parents", "grandparents", "wider family", "partners", "children"}
            else "people"
            if found & PERSON_GROUPS
            else "software"
            if found & SOFTWARE_GROUPS - {"environments", "network names"} and token[0].islower()
            else "events"
            if found & EVENT_GROUPS
            else "places"
            if found & {"european cities", "far cities", "countries"}
            else "things"
            if found
            & {
                "furniture",
                "containers",
                "household",
                "devices",
                "vehicles",
                "documents",
                "contracts",
                "clothes",
                "small things",
                "valuables",
                "keys",
                "doors",
                "rooms",
            }
            else ""
        )
        if not family:
            continue
        one = token if family == "places" else singular(low)
        for form in OPEN_BY_GROUP[family]:
            yield form.format(x=one, xs=plural(one), a=an(one))
    for pattern, questions in OPEN_BY_WORD:
        if re.search(pattern, text, re.IGNORECASE):
            yield from questions
