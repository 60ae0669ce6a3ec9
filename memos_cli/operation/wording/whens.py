"""Questions about when, how often, how long and where: from the phrases that follow a verb. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memos_cli.operation.wording.clauses import Clause
from memos_cli.operation.wording.complements import PLACES_BEFORE, Phrase
from memos_cli.operation.wording.drafts import Draft, draft, full_of, trim, typed, who_or_what
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.moments import MomentKind, bare
from memos_cli.operation.wording.nouns import head_of, is_name, kind_of_noun
from memos_cli.operation.wording.siblings import groups_of
from memos_cli.operation.wording.verb_ways import ways_of

_FEELINGS = word_set("like love prefer hate dislike enjoy want need wish hope fear")
_EVENTS = frozenset(("meetings", "celebrations", "appointments", "trips", "collections"))
_WAYS: dict[MomentKind, tuple[str, ...]] = {
    "clock": ("at what time", "when", "what time"),
    "day": ("when", "on what day", "on which day", "on which date"),
    "month": ("when", "in which month", "in what month"),
    "year": ("when", "in which year", "in what year"),
    "often": ("how often", "when", "how frequently"),
    "long": ("how long", "for how long"),
    "relative": ("when",),
}
_EVENT = {
    "clock": [
        "when [be] *",
        "at what time [be] *",
        "what time [be] *",
        "when [do] * start",
        "what [be] <the time of *>",
        "at what time [do] * begin",
    ],
    "day": [
        "when [be] *",
        "on what day [be] *",
        "what day [be] * on",
        "which day [be] *",
        "what [be] <the date of *>",
        "what date [be] *",
        "when [do] * take place",
    ],
    "month": ["when [be] *", "in which month [be] *", "what month [be] * in", "when [do] * take place"],
    "year": ["when [be] *", "in which year [be] *", "what year [be] *"],
    "often": [
        "how often [be] *",
        "when [be] *",
        "on which days [be] *",
        "when [do] * take place",
        "how often [do] * happen",
    ],
    "long": ["how long [be] *", "what [be] <the length of *>"],
    "relative": ["when [be] *"],
}
_NO_PLACE = word_set(
    """english german french spanish italian chinese japanese portuguese russian python rust java
    javascript go cash advance general particular total case order time person charge love touch private
    public progress danger addition bulk writing principle theory practice detail parallel pairs groups
    secret stock favour favor use way ways form colour size memory mind future past end beginning half
    pieces"""
)


def is_place(phrase: Phrase) -> bool:
    """Whether a phrase says where: in the kitchen, at Siemens; not in English, at 180 degrees, in May."""
    noun = phrase.noun.strip(" ,")
    return (
        (phrase.word in PLACES_BEFORE or phrase.word in {"next to", "close to", "out of", "up to", "down to"})
        and not phrase.moment
        and not phrase.verbal
        and bool(noun)
        and head_of(noun) not in _NO_PLACE
        and not re.search(r"\d+ ?(?:degrees|°|%|percent|km|euros?)|^\d", noun)
        and not re.search(r"\w+ing\b$", noun.split(" ")[0])
        and kind_of_noun(noun) != "person"
    )


def question_tail(clause: Clause, *without: Phrase, most: int = 1) -> str:
    """The other phrases of a clause as far as a question repeats them."""
    kept = [
        phrase.text
        for phrase in clause.phrases
        if phrase not in without
        and not phrase.moment
        and phrase.word != "without"
        and not (clause.passive and phrase.word == "by")
    ]
    return " ".join(kept[:most])


def time_drafts(clause: Clause, subject: str, times: Sequence[Phrase] | None = None) -> list[Draft]:
    """When, how often, how long: one draft for each kind of time that the clause gives."""
    out: list[Draft | None] = []
    seen: set[MomentKind] = set()
    phrases = list(times if times is not None else clause.times())
    kinds = {phrase.moment for phrase in phrases}
    for phrase in phrases:
        kind = phrase.moment
        if kind is None or kind in seen or kind == "relative":
            continue
        seen.add(kind)
        ways = list(_WAYS[kind])
        if (kind == "clock" and "day" in kinds) or (kind == "month" and "day" in kinds):
            ways = [way for way in ways if way != "when"]
        if (
            kind == "often"
            and re.match(r"(?:on |in |at )?(?:\w+days?|weekends|weekdays)\b", phrase.text)
            and not phrase.text.startswith("every")
        ):
            ways = (
                ["on which days", "on what days"]
                if "clock" in kinds
                else ["when", "on which days", "on what days"]
            )
        elif kind == "often" and "clock" in kinds:
            ways = ["how often", "how frequently"]
        if phrase.word in {"until", "till", "by", "since", "before", "after", "from"}:
            extra = {
                "until": "until when",
                "till": "until when",
                "by": "by when",
                "since": "since when",
                "from": "from when",
            }
            ways = [extra[phrase.word], *ways] if phrase.word in extra else ways
            if phrase.word in {"until", "till", "since"}:
                ways.append("how long")
        answer = bare(phrase.noun)
        full = full_of(clause, keep=phrase)
        if clause.copula:
            templates = list(_EVENT[kind])
            if kind == "often" and "on which days" in ways:
                templates = [
                    "when [be] *",
                    "on which day [be] *",
                    "what day of the week [be] *",
                    "which day [be] *",
                    "on what day [do] * take place",
                ]
            if phrase.word == "since":
                templates = ["since when [be] *", "how long [have] * been"]
            if "when" not in ways:
                templates = [text for text in templates if not text.startswith("when")]
            if clause.object and times is None:
                value = f"{clause.object} {question_tail(clause, phrase)}".strip()
                templates = [f"{way} [be] * {value}" for way in ways]
        else:
            templates = _verb_times(clause, phrase, ways, kind)
        out.append(
            draft(
                answer,
                full,
                templates,
                subject,
                object=clause.object,
                clause=clause,
                single=True,
                weight=1.7 if len(seen) == 1 else 1.1,
            )
        )
    return [item for item in out if item]


def _verb_times(clause: Clause, phrase: Phrase, ways: list[str], kind: MomentKind) -> list[str]:
    """Templates that ask when somebody does something, in the verb's own words and in others."""
    rest = " ".join(
        part for part in (clause.main, clause.object, question_tail(clause, phrase, most=2)) if part
    )
    needed = [
        other.text
        for other in clause.others()
        if other.word in {"to", "for", "with", "about", "as", "into", "by"} and other.word != "by"
    ]
    short = " ".join(part for part in (clause.main, clause.object or " ".join(needed[:1])) if part)
    if clause.main in {"be", "go", "work", "live"} and not needed and not clause.object:
        short = rest
    templates = [f"{ways[0]} [{clause.aux}] * {short}"]
    slot = {"often": "often", "long": "long"}.get(kind, "time")
    table = (
        ways_of(clause.base, slot) if not clause.passive and not clause.object and not clause.negated else []
    )
    if kind in {"day", "month", "year"}:
        table = [text for text in table if "time" not in text]
    if "when" not in ways:
        table = [text for text in table if not text.startswith("when")]
    templates += [f"{way} [{clause.aux}] * {short}" for way in ways[1:2]]
    templates += table[:5]
    templates += [f"{way} [{clause.aux}] * {short}" for way in ways[2:]]
    if rest != short:
        templates.append(f"{ways[0]} [{clause.aux}] * {rest}")
    if clause.passive and clause.base == "bear":
        templates += [text for text in ways_of("bear", "time") if kind == "day"]
    elif clause.passive and clause.main:
        templates.append(f"{ways[0]} did someone {clause.base} *" if clause.aux in {"was", "were"} else "")
    if kind in {"day", "month", "year"} and clause.aux == "did" and "when" in ways:
        templates.append(f"when was it that * {clause.finite} {clause.object}".strip())
    return [text for text in templates if text]


_GENERIC_PLACES = word_set(
    """school house office shop store cafe café restaurant church gym hotel bank station bakery flat
    building company university club hospital clinic pharmacy garage village town farm street park
    conference library"""
)


def _with_its_place(clause: Clause, place: Phrase, answer: str) -> str:
    """A place that many are like, with what tells it from them: "the school on Birch Street"."""
    at = clause.phrases.index(place) + 1
    if head_of(place.noun) in _GENERIC_PLACES and at < len(clause.phrases):
        following = clause.phrases[at]
        if following.word in {"on", "in", "near", "at", "opposite"} and not following.moment:
            return f"{answer} {following.text}"
    return answer


def place_drafts(clause: Clause, subject: str) -> list[Draft]:
    """Where: the first place that the clause names."""
    places = [phrase for phrase in clause.phrases if is_place(phrase)]
    if clause.base in {
        "move",
        "go",
        "travel",
        "fly",
        "drive",
        "walk",
        "run",
        "leave",
        "commute",
        "come",
        "return",
    }:
        places.sort(key=lambda phrase: phrase.word not in {"to", "into"})
    if not places or (clause.base in _FEELINGS and not clause.copula) or (subject == "I" and clause.copula):
        return []
    place = places[0]
    full = full_of(clause, keep=place)
    others = question_tail(clause, *clause.phrases[: clause.phrases.index(place) + 2])
    thing = clause.object
    answer = trim(place.noun)
    part = re.match(
        r"^((?:[\w-]+ )*(?:drawer|level|floor|shelf|row|pocket|compartment|page|room"
        r"|door)(?: \w*\d\w*)?) of ",
        answer,
    )
    answer = part[1] if part else answer
    answer = _with_its_place(clause, place, answer)
    if clause.copula and not clause.object and _EVENTS & set(groups_of(head_of(subject))):
        templates = [
            "where [be] *",
            "where [do] * take place",
            "at what place [be] *",
            "where do we meet for *",
            "what [be] <the place of *>",
        ]
        room = typed(trim(place.noun))
        if room:
            templates[1:1] = [f"which {room[0]} [be] * in", f"in which {room[0]} [be] *"]
            answer = room[1]
        item = draft(answer, full, templates, subject, clause=clause, single=True, weight=1.6)
        return [item] if item else []
    if clause.copula and not clause.object:
        if place.word == "from":
            return []
        templates = ["where [be] *", "where can I find *", "where do I find *"]
        kind = kind_of_noun(subject)
        if kind in {"person", "animal"} or is_name(subject):
            templates = [
                "where [be] *",
                "in which place [be] *",
                "where can I find *",
                "what place [be] * in",
            ]
        elif is_name(answer):
            templates = ["where [be] *", "where [be] * located", "in which place [be] *", "where do I find *"]
        else:
            templates += [
                "where [be] * kept",
                "where should I look for *",
                "where exactly [be] *",
                "where [be] * located",
            ]
            if subject.startswith(("my ", "our ")) or re.search(
                r"\bkeys?\b|glasses|passport|charger", subject
            ):
                templates.insert(3, f"where did {'we' if subject.startswith('our') else 'I'} put *")
        item = draft(answer, full, templates, subject, clause=clause, single=True, weight=1.8)
        return [item] if item else []
    templates = []
    if clause.passive:
        templates = [f"where [{clause.aux}] * {clause.main}"]
        if clause.base in {
            "keep",
            "store",
            "hide",
            "locate",
            "park",
            "put",
            "hang",
            "bury",
            "lock",
            "leave",
            "place",
            "stash",
            "save",
            "mount",
        }:
            templates += [
                "where [be] *",
                "where can I find *",
                "where do we keep *",
                "where should I look for *",
                "where do I find *",
                "where [be] * kept",
            ]
        elif clause.base in {"bear", "build", "make", "hold", "base"}:
            templates += [f"in which place [{clause.aux}] * {clause.main}"]
            if clause.base == "bear":
                templates += [
                    "where [does] * come from",
                    "what [is] <{s} birthplace>",
                    "which place [is] * from",
                ]
        else:
            templates += [f"at what place [{clause.aux}] * {clause.main}"]
    else:
        verb = " ".join(part for part in (clause.main, thing) if part)
        templates = [f"where [{clause.aux}] * {verb}"]
        table = (
            []
            if clause.negated
            else [
                text
                for text in ways_of(
                    "sit" if clause.base == "live" and who_or_what(subject, "run") == "what" else clause.base,
                    "place",
                )
                if bool(thing) == ("{o}" in text)
            ]
        )
        if clause.base in {"go", "drive"} and clause.aux == "do":
            table = []
        templates += [text for text in table if text != templates[0]][:6]
        if place.word == "from":
            templates = [f"where [{clause.aux}] * {verb} from", *table[:4]]
        elif place.word in {"to", "into"}:
            templates.append(f"where [{clause.aux}] * {verb} to")
        if others and not table:
            templates.append(f"where [{clause.aux}] * {verb} {others}")
        if is_name(trim(place.noun)) and place.word in {"in", "to"}:
            templates.append(f"which place [{clause.aux}] * {verb} {place.word}")
        elif head_of(place.noun) in _GENERIC_PLACES:
            templates.append(f"which {head_of(place.noun)} [{clause.aux}] * {verb} {place.word}")
        elif not table:
            templates.append(
                f"at what place [{clause.aux}] * {verb}" if place.word in {"at", "in", "on"} else ""
            )
            templates.append(
                f"what place [{clause.aux}] * {verb} {place.word}" if place.word in {"to", "in"} else ""
            )
    item = draft(
        answer,
        full,
        [text for text in templates if text],
        subject,
        object=thing,
        clause=clause,
        single=False,
        weight=1.7,
    )
    return [item] if item else []
