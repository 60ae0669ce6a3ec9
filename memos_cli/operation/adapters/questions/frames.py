"""Questions in English, made from a clause or a named value. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from memos_cli.operation.adapters.questions.english import (
    BE,
    DETERMINERS,
    POSSESSIVE,
    PREPOSITIONS,
    PRONOUNS,
    SMALL,
    TIME_UNITS,
    Chunk,
    Clause,
    inflect,
    lower_first,
    tags_of,
)
from memos_cli.operation.adapters.questions.spans import joined, kind_of, part_spans

MOST = 3
"""Parts of a clause that are asked for."""
_PLACES = frozenset(
    "in on at under behind near above below between beside inside outside opposite into onto from to over"
    " around next\ue000to".split()
)
_INSIDE = _PLACES - frozenset("on at into onto from to over around".split())
_UNTIL = {word: f"{word.capitalize()} when" for word in ("until", "by", "since", "from")} | {
    "till": "Until when"
}
_TELLS = {"i": "you", "me": "you", "my": "your", "mine": "yours", "we": "you", "us": "you", "our": "your",
          "am": "are", "myself": "yourself"}  # fmt: skip
_ASKS = {"your": "my", "you": "I", "yours": "mine"}
_SHORT = ("What", "Where", "Who", "When")
"""Question words that are drawn together with "is"."""
_MONEY = re.compile(r"[€$£¥]|\b(?:euros?|dollars?|pounds?|francs?|cents?|EUR|USD|GBP|CHF)\b")
_PEOPLE = re.compile(r"(?:er|or|ist|ian|ant|man|woman|person|wife|doctor|boss|nurse|coach|owner|lead)\Z")
_THINGS = re.compile(
    r"(?:printer|server|router|computer|number|paper|letter|order|water|folder|floor|door|color|user|restaurant|plant|grant)\Z"
)
_TITLED = re.compile(r"(?:Dr|Mrs?|Ms|Prof)\.?\s")
_LEADS = ("Do you know {}?", "Tell me {}.", "I forgot {}.", "Can you remind me {}?", "Any idea {}?")
"""Frames around a question in the order of a statement: "where the ladder is stored"."""


@dataclass(slots=True)
class Draft:
    """A fact before it is complete."""

    answer: str
    full: str
    about: str
    single: bool = False
    frames: list[str] = field(default_factory=list)
    cloze: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)


def as_told(text: str) -> str:
    """Change the first person to the second: "I use my bike" -> "You use your bike"."""
    text = re.sub(r"\b(I|We|we) was\b", "you were", text)
    text = re.sub(r"[^\W\d_]+(?!['’]\w|\.\w)", lambda found: _like(found[0], _TELLS), text)
    return text[:1].upper() + text[1:]


def as_asked(text: str) -> str:
    """Change the second person to the first: "your flight" -> "my flight"."""
    return re.sub(r"[^\W\d_]+", lambda found: _like(found[0], _ASKS), text)


def _like(word: str, table: dict[str, str]) -> str:
    new = table.get(word.casefold())
    if new is None or (word.isupper() and len(word) > 1):
        return word
    return new.capitalize() if word[0].isupper() and word != "I" else new


def bare(phrase: str) -> str:
    """Return a phrase without its article or possessive."""
    first, _, rest = phrase.partition(" ")
    return rest if rest and first.casefold() in DETERMINERS else phrase


def with_article(phrase: str) -> str:
    """Return a heading or column as a thing: "Build server" -> "the build server"; a name stays as it is."""
    phrase = lower_first(phrase)
    first = phrase.split(" ")[0]
    is_whole = first.casefold() in DETERMINERS or first[:1].isupper() or "'s " in phrase
    return phrase if is_whole or not tags_of(first.lower()) else f"the {phrase}"


def names_of(phrase: str) -> list[str]:
    """Return the names of a thing: the insurance of the van, the van's insurance, the van insurance."""
    head, of, owner = phrase.partition(" of ")
    article = head.split(" ")[0].casefold()
    if not of or " of " in owner or article != "the":
        return [phrase]
    possessive = f"{owner}' {bare(head)}" if owner.endswith("s") else f"{owner}'s {bare(head)}"
    is_compound = bare(owner).islower() and owner.split(" ")[0].casefold() not in DETERMINERS - {"the"}
    return [phrase, possessive, *([f"the {bare(owner)} {bare(head)}"] if is_compound else [])]


def nominal(noun: str, owner: str) -> str:
    """Return the noun of an owner: "my name", "Ana's port", "the port of the server"."""
    if owner.casefold() in POSSESSIVE:
        return f"{POSSESSIVE[owner.casefold()]} {noun}"
    if owner[:1].isupper() and " " not in owner:
        return f"{owner}'s {noun}"
    return f"the {noun} of {owner}"


# --- named values ----------------------------------------------------------------------------------


def draft_of_value(name: str, value: str, topic: str) -> Draft:
    """Return the fact of ``Port: 5433`` under a topic, or without one."""
    name, topic = name.strip(" ,-"), topic.strip()
    noun = lower_first(name)
    lead, _, last = noun.rpartition(" ")
    preposition = last if last in PREPOSITIONS and lead else ""
    noun = lead if preposition else noun
    owner = with_article(topic) if topic and topic.casefold() not in noun.casefold() else ""
    thing = bare(noun)
    whole = as_asked(nominal(thing, owner) if owner else with_article(noun))
    said = f"{value}" if not preposition else f"{preposition} {value}"
    draft = Draft(value, as_told(f"{whole} is {said}."), owner or whole, single=True)
    wh = _wh_of_value(thing, value, preposition)
    other = f"the {bare(owner)} {thing}" if owner else whole
    draft.frames = [f"{wh} is {whole}?", *([f"{wh}'s {other}?"] if wh in _SHORT else [])]
    draft.frames += [
        lead.format(f"{wh.lower()} {name} is") for lead, name in zip(_LEADS, (other, whole) * 2, strict=False)
    ]
    draft.frames.append(f"{_upper(other)}, please.")
    if wh == "What":
        draft.frames += [f"I need {other}.", f"Can you give me {whole}?"]
        draft.frames += [f"What {thing} does {owner} have?"] if owner else []
    draft.cloze = [f"{_upper(whole)} is {preposition + ' ' if preposition else ''}…", f"{_upper(whole)}: …"]
    draft.keywords = [f"{bare(owner)} {thing}".strip(), f"{thing} {bare(owner)}" if owner else f"{thing}?"]
    return draft


def _wh_of_value(name: str, value: str, preposition: str) -> str:
    kind = kind_of(value)
    if preposition in _UNTIL and kind in ("date", "time"):
        return _UNTIL[preposition]
    if kind in ("date", "time"):
        return "When"
    if kind == "often":
        return "How often"
    if kind == "amount" and _MONEY.search(value):
        return "How much"
    if kind == "name" and (_TITLED.match(value) or _is_person(name)):
        return "Who"
    return "What"


def _is_person(noun: str) -> bool:
    head = noun.split(" of ")[0].split(" ")[-1].casefold()
    return bool(_PEOPLE.search(head)) and not _THINGS.search(head)


# --- clauses ---------------------------------------------------------------------------------------


def drafts_of_clause(clause: Clause) -> list[Draft]:
    """Return the facts of a clause: parts with the shape of an answer, else its last part, else its
    subject.
    """
    shaped = [
        at
        for at, each in enumerate(clause.chunks)
        if each.words and (each.kind or each.preposition in _INSIDE)
    ]
    if not shaped and clause.chunks:
        if _asks_for_subject(clause):
            return [_subject_draft(clause)]
        last = len(clause.chunks) - 1
        is_told = clause.chunks[last].words and clause.chunks[last].noun.casefold() not in PRONOUNS
        shaped = [last] if is_told else []
    return [_chunk_draft(clause, at, shaped) for at in shaped[:MOST]]


def _asks_for_subject(clause: Clause) -> bool:
    """Return whether the subject is the new information: "Wanda looks after the billing service"."""
    first = clause.chunks[0]
    is_name = kind_of(clause.subject) == "name" and not tags_of(clause.subject.split(" ")[0].lower())
    is_place = first.preposition in _PLACES - {"for", "to"} or (clause.predicate in BE and first.preposition)
    return bool(is_name and first.is_given and not is_place and len(clause.chunks) == 1)


def _subject_draft(clause: Clause) -> Draft:
    first = clause.chunks[0]
    thing = as_asked(joined(first.words))
    rest = as_asked(joined([clause.predicate, first.preposition, *first.words]))
    draft = Draft(clause.subject, as_told(f"{clause.subject} {rest}."), thing, single=True)
    draft.frames = [f"Who {rest}?", f"Which person {rest}?"]
    if clause.verb and not clause.auxiliary:
        passive = f"{inflect(clause.verb, 'VBN')} {first.preposition}".strip()
        be = "was" if "VBD" in tags_of(clause.verb) else "are" if thing.endswith("s") else "is"
        draft.frames.append(f"Who {be} {thing} {passive} by?")
    draft.frames += [
        *(lead.format(f"who {rest}") for lead in _LEADS),
        f"What's the name of the person who {rest}?",
    ]
    draft.cloze = [f"The person who {rest} is …"]
    draft.keywords = [f"who {bare(thing)}"]
    return draft


@dataclass(frozen=True, slots=True)
class _Ask:
    """The question words for a part: the words in front, the preposition at the end, and the noun, if any."""

    words: tuple[str, ...]
    behind: str = ""
    noun: str = ""
    answer: str = ""


def _chunk_draft(clause: Clause, at: int, shaped: Sequence[int]) -> Draft:
    chunk = clause.chunks[at]
    ask = _ask_for(clause, chunk)
    # Other news is left out, but for what the verb needs: "takes metoprolol".
    before = [
        each.text
        for n, each in enumerate(clause.chunks[:at])
        if each.words and (n not in shaped or not (n or each.preposition))
    ]
    others = [as_asked(text) for text in before]
    subject = as_asked(lower_first(clause.subject))
    is_named = _is_named(clause)
    single = chunk.kind not in ("", "name") or is_named or clause.predicate in BE
    told = as_told(joined([clause.subject, clause.predicate, *before, chunk.text]) + ".")
    draft = Draft(ask.answer or chunk.noun, told, subject, single)
    wh, names = ask.words[0].lower(), names_of(subject)
    for word in ask.words:
        draft.frames += _direct(clause, subject, word, others, ask.behind)
    for name in names[1:]:
        draft.frames += _direct(clause, name, ask.words[-1], others, ask.behind)[:1]
    draft.frames += _more(clause, chunk, ask, subject, others)
    for lead, name in zip(_LEADS, names[::-1] * len(_LEADS), strict=False):
        draft.frames.append(lead.format(joined([wh, name, clause.predicate, *others, ask.behind])))
    core = _upper(joined([subject, clause.predicate, *others]))
    before_answer = joined(chunk.words).partition(draft.answer)[0].split()  # "the editor" Helix
    draft.cloze = [f"{joined([core, chunk.preposition, *before_answer])} …"]
    thing = _content(joined([bare(names[-1]), *others]))
    noun = ask.noun or ("name" if is_named else "")
    first, last = (noun, "") if noun or wh == "what" else (wh, clause.verb)
    if thing:
        asks = [[thing, noun or clause.verb]] if noun or clause.verb or wh == "what" else []
        draft.keywords = [joined(words) for words in (*asks, *([[first, thing, last]] if first else []))]
    return draft


def _is_named(clause: Clause) -> bool:
    return clause.verb in ("called", "named") and clause.auxiliary in BE


def _content(text: str) -> str:
    """Return the content words of a text."""
    return " ".join(word for word in text.split() if word.casefold() not in SMALL | {"of", "and"})


def _direct(clause: Clause, subject: str, wh: str, others: Sequence[str], behind: str) -> list[str]:
    first, *more = clause.auxiliary.split() or [""]
    if first:
        middle = [subject, *more, clause.verb]
        short = f"{wh}'s" if first == "is" and wh in _SHORT else ""
    else:
        tags = tags_of(clause.verb.split(" ")[0])
        first = "did" if "VBD" in tags else "does" if "VBZ" in tags else "do"
        middle, short = [subject, inflect(clause.verb, "VB")], ""
    rest = joined([*middle, *others, "" if wh == "How" else behind])
    return [f"{wh} {first} {rest}?"] + ([f"{short} {rest}?"] if short else [])


def _more(clause: Clause, chunk: Chunk, ask: _Ask, subject: str, others: Sequence[str]) -> Iterator[str]:
    """Return other questions for a part, by its shape."""
    if ask.noun:
        yield f"What is {nominal(ask.noun, subject)}?"
        yield f"Tell me {nominal(ask.noun, subject)}."
    if _is_named(clause):
        yield f"What is {nominal('name', subject)}?"
        yield f"What name does {subject} have?"
    if clause.auxiliary in BE and not clause.verb and not chunk.preposition:
        yield f"{_upper(subject)}, please."
        head, of, owner = subject.partition(" of ")
        if of and bare(head) != head:
            yield f"What {bare(head)} does {owner} have?"
            yield f"What is the {bare(owner)} {bare(head)}?"
    if chunk.preposition == "by" and clause.auxiliary in BE and clause.verb and chunk.kind == "name":
        active = inflect(clause.verb, "VBD" if clause.auxiliary in ("was", "were") else "VBZ")
        yield f"Who {active} {subject}?"
        yield f"Tell me who {active} {subject}."
    if ask.words[0] in _UNTIL.values():
        yield from _direct(clause, subject, ask.words[0].replace("when", "which date"), others, "")
    if ask.words[0] == "How much" and (clause.verb.startswith("cost") or clause.predicate in BE):
        yield f"How expensive is {subject}?"
        yield f"What is the price of {subject}?"
        yield f"What do I have to pay for {subject}?"
    if ask.words[0] == "Where" and clause.auxiliary in BE and subject.casefold() not in POSSESSIVE:
        yield f"Where can I find {subject}?"
        yield f"Where should I look for {subject}?"
        yield f"What is {nominal('location', subject)}?"
        if clause.verb:
            yield f"Where {clause.auxiliary.split()[0]} {subject}?"


def _ask_for(clause: Clause, chunk: Chunk) -> _Ask:
    """Return the question words for a part."""
    texts, kind, preposition = [part_spans(word) for word in chunk.bare], chunk.kind, chunk.preposition
    first, last = texts[0], texts[-1]
    is_one = len(texts) == 1
    is_hour = kind == "number" and preposition in ("at", *_UNTIL) and not re.search(r"\d{3}", first)
    if kind == "often" or (kind == "date" and first.casefold().startswith("every")):
        return _Ask(("How often", "When"))
    if is_one and (kind in ("date", "time") or is_hour):
        until = _UNTIL.get(preposition)
        return _Ask((until,) if until else ("When", _wh_of_day(first, kind)))
    if is_one and kind == "amount":
        return _ask_amount(clause, first, preposition)
    if not is_one and kind_of(last) in ("code", "number", "name", "quoted") and _is_noun(texts[:-1]):
        return _which(" ".join(texts[:-1]), preposition, last)
    if not is_one and kind_of(first) == "name" and not kind_of(last) and _is_noun(texts[1:]):
        return _which(" ".join(texts[1:]), preposition, first)
    if kind == "name" and preposition in ("", "by", "with", "for", "to") and chunk.bare == chunk.words:
        is_person = clause.predicate in BE and not preposition and _is_person(clause.subject)
        is_given_to = preposition == "to" and not clause.chunks[0].preposition
        is_titled = _TITLED.match(last) and not clause.subject.casefold().endswith("name")
        if is_person or preposition == "by" or is_given_to or is_titled:
            return _Ask(("Who",), preposition)
    is_quality = clause.predicate in BE and not clause.chunks[0].preposition  # "allergic to"
    if preposition in _PLACES and kind not in ("amount", "number") and not is_quality:
        return _Ask(("Where",))
    if preposition == "without":
        return _Ask(("How", "What"), "", "", chunk.text)
    return _Ask(("What", "How") if preposition == "with" else ("What",), preposition)


def _is_noun(words: Sequence[str]) -> bool:
    """Return whether words before or after a name say what it is: "port", "S3 bucket"; not "used"."""
    last, tags = words[-1], tags_of(words[-1])
    is_word = last.isalpha() and last.islower() and not TIME_UNITS.search(last)
    return is_word and (not tags or bool(tags & {"NN", "NNS"}))


def _which(noun: str, preposition: str, answer: str) -> _Ask:
    return _Ask((f"Which {noun}", f"What {noun}"), preposition, noun, answer)


def _wh_of_day(text: str, kind: str) -> str:
    if kind != "date":
        return "At what time"
    if text.isdigit():
        return "In which year"
    return "On which date" if re.search(r"\d", text) else "On which day"


def _ask_amount(clause: Clause, text: str, preposition: str) -> _Ask:
    unit = text.partition(" ")[2]
    is_be = clause.predicate in BE
    if _MONEY.search(text):
        asks = ("How much", "What") if is_be or clause.verb.startswith("cost") else ("How much",)
        return _Ask(asks, preposition)
    if TIME_UNITS.search(unit) and not is_be:
        return _Ask(("For how long", "How long") if preposition else ("How long", "How much time"))
    head = unit.split(" ")[0]
    if "NNS" in tags_of(head):
        return _Ask((f"How many {head}",), preposition)
    if "°" in text:
        return _Ask(("What temperature",), preposition)
    return _Ask(("What",) if is_be or preposition else ("How much", "What"), preposition)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
