"""Templates of questions, and the many ways to put one. Pure.

A template is written as "how much [do] * cost": ``*`` is whom or what it asks about, ``{s}`` the possessive
of that, and what follows the bracketed verb changes places with it in an indirect question. "where [be]
<the key of *>" brackets a longer phrase. ``be``, ``do`` and ``have`` agree with their subject.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from memos_cli.operation.wording.complements import agreed
from memos_cli.operation.wording.nouns import capital, is_plural, possessive
from memos_cli.operation.wording.verbs import past_of, third_person

MOST = 14
_TEMPLATE = re.compile(r"^(?P<lead>.*?)\[(?P<aux>\w+)\] (?:<(?P<phrase>[^<>]*)>|(?P<star>\*))(?P<rest>.*)$")
# "how can I reach *": the words change places as they do behind a bracket.
_BARE_AUX = re.compile(
    r"\b(can|do|did|does|should|would|could|was|is|are) (I|we|people|someone|you|\*|there)(?!\w)"
)
_OBJECTS = {"I": "me", "we": "us"}
_INDIRECT = (
    "Do you know {}?",
    "Can you tell me {}?",
    "Remind me {}.",
    "I forgot {}.",
    "Do you remember {}?",
    "Tell me {}.",
    "Could you remind me {}?",
    "I can't remember {}.",
    "Any idea {}?",
    "Please tell me {}.",
    "I need to know {}.",
)
_NOMINAL = (
    "Do you remember {}?",
    "Tell me {}.",
    "I forgot {}.",
    "Can you tell me {}?",
    "Remind me of {}.",
    "Do you know {}?",
    "What was {} again?",
    "Please tell me {}.",
)
_SHORT = (
    (r"^(What|Who|Where|When|How) is (?!(?:called|kept|it|he|she)\b)", r"\1's "),
    (r"^(What|Who|Where) are ", r"\1 are "),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question, and the same after "do you know"; both without capital and mark."""

    direct: str
    indirect: str


def pose(template: str, subject: str) -> Ask:
    """A template about ``subject``: "how much [do] * cost", "the bike" -> how much does the bike cost."""
    if template.startswith("!"):  # cannot follow "do you know"
        return Ask(_filled(template[1:], subject), "")
    template = _BARE_AUX.sub(r"[\1] <\2>", template, count=1) if "[" not in template else template
    match = _TEMPLATE.match(template)
    if not match:
        text = _filled(template, subject)
        return Ask(text, text)
    aux = {"be": "is", "have": "has"}.get(match["aux"], match["aux"])
    noun = _filled(match["phrase"] if match["phrase"] is not None else "*", subject)
    lead, rest = _filled(match["lead"], subject), _filled(match["rest"], subject)
    aux = agreed(aux, noun)
    return Ask(f"{lead}{aux} {noun}{rest}", f"{lead}{noun} {_conjugated(aux, rest.strip())}".rstrip())


def _filled(text: str, subject: str) -> str:
    return text.replace("{s}", possessive(subject)).replace("*", _object_form(subject, text))


def _object_form(subject: str, text: str) -> str:
    """Within a template that does not put the star first, "I" is an object: "who is responsible for me"."""
    if subject in _OBJECTS and text != "*" and not re.search(r"\b(?:that|come|if|when) \*", text):
        return _OBJECTS[subject]
    return subject


def _conjugated(aux: str, verb: str) -> str:
    """An auxiliary and its verb joined again: does, work at -> works at; did, keep -> kept."""
    if aux not in {"do", "does", "did"}:
        return f"{aux} {verb}".strip()
    head, _, rest = verb.partition(" ")
    if head == "not":
        return f"{aux} {verb}"
    if head in {"never", "ever", "usually", "normally", "always"}:
        lead, (head, _, rest) = f"{head} ", rest.partition(" ")
    else:
        lead = ""
    main = head if aux == "do" else third_person(head) if aux == "does" else past_of(head)
    return f"{lead}{main} {rest}".strip()


def asked(templates: Sequence[str], subject: str) -> list[Ask]:
    return [pose(template, subject) for template in templates]


def compose(asks: Sequence[Ask], nominals: Sequence[str], key: str) -> tuple[str, ...]:
    """Up to 14 different phrasings of one question, the plain ones first.

    Frames ("Do you know …") rotate with ``key``, so that the facts of one training set do not all share
    the same few.
    """
    asks = _distinct(asks)
    framed = [ask for ask in asks if ask.indirect and not re.search(r"\byou\b", ask.direct)]
    turn = crc32(key.encode())
    plain = [_mark(ask.direct) for ask in asks]
    for place in range(1, len(plain), 2):
        plain[place] = _contracted(plain[place])
    for place in (0, 2):
        other = _in_other_words(plain[place]) if place < len(plain) else ""
        if other and other not in plain:
            plain.insert(place + 3, other)
    indirect = [
        _frame(_INDIRECT[(turn + place * 4) % len(_INDIRECT)], ask.indirect)
        for place, ask in enumerate(framed)
    ]
    named = [
        _frame(_NOMINAL[(turn + place * 3) % len(_NOMINAL)], noun) for place, noun in enumerate(nominals)
    ]
    casual = [_casual(ask.direct) for ask in asks]
    out: list[str] = []
    out += plain[:2] + named[:1] + plain[2:3] + indirect[:1] + plain[3:5]
    out += casual[1:2] if len(casual) > 1 else casual[:1]
    out += indirect[1:2] + named[1:2] + plain[5:7] + indirect[2:3]
    out += plain[7:9] + indirect[3:4] + named[2:3]
    if len(asks) < 4:
        more = [
            _frame(_INDIRECT[(turn + 2 + place) % len(_INDIRECT)], framed[place % len(framed)].indirect)
            for place in range(6 - len(asks) if framed else 0)
        ]
        out += more
    return tuple(dict.fromkeys(out))[:MOST]


_FRAMED = [re.compile(re.escape(frame).replace(r"\{\}", "(.+)"), re.IGNORECASE) for frame in _INDIRECT]


def reframed(questions: Sequence[str], count: int) -> tuple[str, ...]:
    """The same questions, in other frames too ("Any idea …", in small letters) until there are ``count``."""
    out = dict.fromkeys(questions)
    clauses = [match[1] for text in questions for frame in _FRAMED if (match := frame.fullmatch(text))]
    more = [_casual(text.rstrip("?")) for text in questions if text.startswith("W")]
    more += [text.replace("Which ", "What ", 1) for text in questions if text.startswith("Which ")]
    more += [frame.format(clause) for frame in _INDIRECT for clause in clauses]
    for text in more:
        if len(out) < count:
            out.setdefault(text)
    return tuple(out)


# What people call the same thing; only where either word is right wherever the other is.
_SYNONYMS = {
    "database": "db",
    "children": "kids",
    "kids": "children",
    "wifi": "wi-fi",
    "mother": "mum",
    "mum": "mother",
    "father": "dad",
    "mom": "mother",
    "flat": "apartment",
    "apartment": "flat",
    "bike": "bicycle",
    "phone number": "number",
    "photos": "pictures",
    "fridge": "refrigerator",
    "holiday": "vacation",
    "television": "TV",
    "grandmother": "grandma",
    "grandma": "grandmother",
    "grandfather": "grandpa",
    "bins": "rubbish",
    "repository": "repo",
    "favourite": "favorite",
    "documents": "docs",
    "config": "configuration",
    "application": "app",
    "couch": "sofa",
    "sofa": "couch",
    "rubbish": "garbage",
    "laptop": "notebook",
    "colleague": "coworker",
    "cellar": "basement",
    "basement": "cellar",
    "film": "movie",
    "vacation": "holiday",
    "production": "prod",
    "spare": "extra",
}


def _in_other_words(question: str) -> str:
    for word, other in _SYNONYMS.items():
        if re.search(rf"(?<![\w'-]){word}(?![\w-])", question):
            changed = re.sub(rf"(?<![\w'-]){word}(?![\w-])", other, question, count=1)
            changed = re.sub(r"\b([Aa])n (?=[^aeiouAEIOU])", r"\1 ", changed)
            return re.sub(r"\b([Aa]) (?=[aeio])", r"\1n ", changed)
    return ""


def _distinct(asks: Sequence[Ask]) -> list[Ask]:
    seen: dict[str, Ask] = {}
    for ask in asks:
        seen.setdefault(ask.direct.lower(), ask)
    return list(seen.values())


def _mark(question: str) -> str:
    return capital(question.strip()) + "?"


def _frame(frame: str, text: str) -> str:
    if text.startswith("how to ") and frame.startswith(("What was", "Remind me of")):
        frame = "Tell me {}."
    if frame.startswith("What was") and is_plural(text):
        frame = "What were {} again?"
    return frame.format(text.strip())


def _contracted(question: str) -> str:
    for pattern, short in _SHORT:
        question = re.sub(pattern, short, question)
    return question


def _casual(question: str) -> str:
    """As typed in a hurry: small letters, no mark; "what is" as "whats" is left to the reader's typos."""
    return question.strip().lower()
