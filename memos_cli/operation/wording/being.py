"""Questions about what something is, has or is called: from clauses with "be", "have", "call". Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.attributes import ways_to_ask
from memos_cli.operation.wording.clauses import Clause
from memos_cli.operation.wording.complements import PLACES_BEFORE, Phrase
from memos_cli.operation.wording.drafts import (
    Draft,
    counted,
    draft,
    full_of,
    in_sentence,
    is_price,
    measure_way,
    phrases_text,
    trim,
    who_or_what,
)
from memos_cli.operation.wording.identities import (
    SYMBOLIC,
    bearer_drafts,
    class_drafts,
    identity_drafts,
    keep,
    naming,
    state_drafts,
    trait_draft,
)
from memos_cli.operation.wording.moments import NUMBER, bare, kind_of
from memos_cli.operation.wording.nouns import (
    PEOPLE,
    head_of,
    is_name,
    kind_of_noun,
    possessive,
)
from memos_cli.operation.wording.properties import property_asks, split_property
from memos_cli.operation.wording.siblings import kind_word
from memos_cli.operation.wording.verbs import forms_of
from memos_cli.operation.wording.whens import place_drafts, time_drafts

_ADJECTIVE_WORDS = re.compile(
    r"^(?:allergic|afraid|scared|proud|fond|good|bad|responsible|interested|married|engaged|related"
    r"|similar|known"
    r"|famous|addicted|available|open|closed|named|made|full|based|due|valid|free|good|great|suitable|missing"
    r"|in charge|in love|tired|short|immune|sensitive|connected|used|busy|angry|happy|best|jealous|short)$"
)
# What is felt or praised in passing; nobody asks for it later.
_MOODS = re.compile(
    r"^(?:so |very |really |super |pretty |too |not |quite |also |all |totally |truly |always "
    r"|just )*(?:glad|happy|excited|proud|sorry|sure|curious|passionate"
    r"|determined|thrilled|grateful|thankful|stoked|pumped|awesome|great|amazing|nice|cool|wonderful"
    r"|incredible|important|good|fun|rewarding|beautiful"
    r"|interesting|lucky|true|right|okay|ok|fine|here|there|ready|perfect|fantastic|lovely|cute|crazy"
    r"|hard|easy|tough|special|inspiring|impressive|worth"
    r"|gonna|going|able|looking|trying|welcome|blessed|honou?red|relieved|nervous|surprised|pleased"
    r"|delighted|yummy|delicious)\b",
    re.IGNORECASE,
)
_DIMENSION = re.compile(
    r"^(?P<amount>.+?) (?P<way>old|tall|long|high|wide|deep|thick|heavy|away|big|large|strong|fast)$"
)


def copula(clause: Clause) -> list[Draft]:
    """X is C, by what C is: a place, a time, a number, a class, a person, a property's value."""
    subject, value = in_sentence(clause.subject), clause.object.strip()
    if not value and clause.times() and (owned := split_property(subject)) and ways_to_ask(owned[0]):
        asked = _property(clause, subject, owned, clause.times()[0].noun, clause.times()[0].noun)
        return [*keep(asked[:1]), *time_drafts(clause, subject, clause.times()[1:])]
    if not value:
        return [*place_drafts(clause, subject), *time_drafts(clause, subject), *_related(clause, subject)]
    if subject.lower() in {"this", "that", "it", "these", "those", "here", "everything", "all", "what"}:
        return []
    whole = f"{value} {phrases_text(clause.others())}".strip()
    sized = _DIMENSION.match(value)
    if sized and (
        measure_way(sized["amount"]) or counted(sized["amount"]) or re.match(r"^\S*\d", sized["amount"])
    ):
        return keep([_dimension(clause, subject, sized["amount"], sized["way"])])
    if _ADJECTIVE_WORDS.match(value) and clause.phrases:
        return keep([*_adjective(clause, subject, value), *time_drafts(clause, subject)])
    owned = split_property(subject)
    moment = kind_of(value)
    if owned:
        # "The owner of the shop is Ana" says who the owner is; of Ana it says that she is the owner.
        first = _property(clause, subject, owned, value, whole)
        return keep([*first, *bearer_drafts(clause, subject, value)])
    if moment:
        time = Phrase("", value, moment)
        return time_drafts(clause, subject, [time, *clause.times()])
    if kind_word(value.split()[-1]) == "colour":
        return keep([_colour(clause, subject, value)])
    if measure_way(value) or counted(value) or SYMBOLIC.match(value):
        return keep([_value(clause, subject, value)])
    if re.match(r"^(?:an?|one of) ", value, re.IGNORECASE):
        return keep([*class_drafts(clause, subject, whole, value), *time_drafts(clause, subject)])
    if re.match(r"^(?:the|my|our|your|his|her|their) |^[\w .]+'s ", value, re.IGNORECASE):
        return keep(
            [
                *bearer_drafts(clause, subject, whole),
                *identity_drafts(clause, subject, whole),
                *time_drafts(clause, subject),
            ]
        )
    if is_name(value) or kind_of_noun(value) == "person":
        return keep([_value(clause, subject, whole)])
    if _MOODS.match(whole):
        return keep(list(time_drafts(clause, subject)))
    if kind_of_noun(subject) in {"person", "animal"} or is_name(subject):
        return keep([trait_draft(clause, subject, whole), *time_drafts(clause, subject)])
    if re.fullmatch(r"[a-z][\w-]+", whole) and not _ADJECTIVE_LIKE.match(whole) and not forms_of(whole):
        return keep([_value(clause, subject, whole)])
    return keep([*state_drafts(clause, subject, whole), *time_drafts(clause, subject)])


def _dimension(clause: Clause, subject: str, amount: str, way: str) -> Draft | None:
    nouns = {
        "old": "age",
        "tall": "height",
        "high": "height",
        "long": "length",
        "wide": "width",
        "deep": "depth",
        "heavy": "weight",
        "fast": "speed",
        "big": "size",
        "large": "size",
        "away": "distance",
    }
    noun = nouns.get(way, "")
    templates = [f"how {way} [be] *" if way != "away" else "how far away [be] *"]
    if noun:
        templates += [f"what [be] <{{s}} {noun}>", f"what [be] <the {noun} of *>"]
        templates += [other for other in ways_to_ask(noun) if other not in templates]
    nominals = [f"{possessive(subject)} {noun}"] if noun else []
    years = re.fullmatch(rf"(?:about |almost |nearly )?(?P<n>{NUMBER}) years", amount)
    if way == "old" and years:
        amount = years["n"]
    return draft(
        amount, full_of(clause), templates, subject, nominals=nominals, clause=clause, single=True, weight=1.6
    )


def _adjective(clause: Clause, subject: str, value: str) -> list[Draft | None]:
    """Ana is allergic to nuts: to what, and who."""
    out: list[Draft | None] = []
    for phrase in clause.others()[:1]:
        words = ("who",) if kind_of_noun(phrase.noun) == "person" else ("what",)
        if phrase.verbal:
            templates = [f"what [be] * {value} to do"]
        else:
            templates = [f"{word} [be] * {value} {phrase.word}" for word in words]
            kind = kind_word(head_of(phrase.noun))
            if kind:
                templates.append(f"which {kind} [be] * {value} {phrase.word}")
        if value == "allergic":
            templates += [
                "which allergy [do] * have",
                "what can * not eat or touch",
                "what [be] <{s} allergy>",
                "what should * avoid",
                "what makes * ill",
            ]
        elif value == "married":
            templates += ["who [be] <{s} spouse>", "who did * marry"]
        elif value == "responsible" or value == "in charge":
            templates += ["what [be] <{s} responsibility>", "what [do] * take care of"]
        elif value == "interested":
            templates += ["what interests *", "what [do] * like"]
        elif value in {"afraid", "scared"}:
            templates += ["what [do] * fear", "what frightens *", "what [be] <{s} fear>"]
        else:
            templates.append(f"{words[0]} exactly [be] * {value} {phrase.word}")
        if phrase.word in PLACES_BEFORE - {"to", "from", "on", "at"} | {"in"} and value in {
            "based",
            "available",
            "open",
            "used",
        }:
            templates = [f"where [be] * {value}", "where can I find *"]
        out.append(
            draft(
                trim(phrase.noun), full_of(clause, keep=phrase), templates, subject, clause=clause, weight=1.5
            )
        )
        tail = f"{value} {phrase.text}"
        if subject != "I" and not clause.negated:
            wh = who_or_what(subject)
            back = [
                f"{wh} is {tail}",
                f"{wh} of us is {tail}" if wh == "who" else "",
                f"{wh} do we know that is {tail}",
            ]
            if value == "responsible":
                back += [f"who takes care of {phrase.noun}", f"who looks after {phrase.noun}"]
            out.append(
                draft(trim(subject), full_of(clause), [text for text in back if text], subject, weight=0.8)
            )
    return out


def _property(
    clause: Clause, subject: str, owned: tuple[str, str], value: str, whole: str
) -> list[Draft | None]:
    attribute, owner = owned
    owner = in_sentence(owner)
    if (
        re.match(r"^an? ", value)
        and kind_of_noun(f"my {attribute}") in {"person", "animal", "thing"}
        and not ways_to_ask(attribute)
    ):
        return [*class_drafts(clause, subject, whole, value), *time_drafts(clause, subject)]
    if _ADJECTIVE_LIKE.match(value) and not ways_to_ask(attribute):
        if kind_word(value) == "colour":
            return [_colour(clause, subject, value)]
        return [trait_draft(clause, subject, whole)]
    answer = bare(value) if kind_of(value) else value
    templates, nominals = property_asks(attribute, owner, answer)
    if attribute in PEOPLE or kind_of_noun(answer) == "person":
        templates = [text for text in templates if text != f"which {attribute} [do] * have"]
    if measure_way(answer) == "how long" and not ways_to_ask(attribute):
        templates.insert(1, "how long [be] <{s} " + attribute + ">")
    elif measure_way(answer) and measure_way(answer) not in {"how much"}:
        templates.append(f"{measure_way(answer)} [be] <{{s}} {attribute}>")
    given = [subject] if subject not in nominals and " of " not in subject and "'s " not in subject else []
    if given and not subject.startswith(("my ", "our ")):
        wh = (
            "who" if templates[0].startswith("who") else "when" if templates[0].startswith("when") else "what"
        )
        templates = [f"{wh} [be] <{subject}>", *templates]
        if re.search(r" (?:on|to|in|at|for|from) ", subject):
            templates = [text for text in templates if "{s}" not in text]
            nominals = []
    if kind_of_noun(subject) == "animal" and is_name(answer):
        return list(naming(subject, trim(answer), full_of(clause)))
    if attribute in {"hobby", "hobbies"} and re.match(r"\w+ing\b", answer):
        templates.append("what [do] * like doing in {s} free time")
    return [
        draft(
            trim(answer),
            full_of(clause),
            templates,
            owner,
            nominals=nominals if templates[0].startswith("who") else [*given, *nominals],
            clause=clause,
            single=True,
            weight=2,
        ),
        *time_drafts(clause, subject),
    ]


_ADJECTIVE_LIKE = re.compile(
    r"^(?:very |quite |really |too |rather )?(?:[a-z]{2,}(?:ful|ous|ive|able|ible|ial|ish|less|ic|y|ed"
    r"|ing)|good|bad|big|small|old|new|short"
    r"|long|tall|high|low|warm|cold|hot|wet|dry|open|full|slow|fast|loud|quiet|soft|hard|rough|dark"
    r"|light|sick|late|early|free|sweet|sour"
    r"|red|blue|green|yellow|black|white|grey|brown|pink|purple|orange)$"
)


def _value(clause: Clause, subject: str, value: str) -> Draft | None:
    """The code word is swordfish; the rent is 950 euros: the value of a thing that nobody owns."""
    way = measure_way(value)
    count = counted(value)
    person = kind_of_noun(value) == "person" or subject.split()[-1].lower() in PEOPLE
    if kind_of_noun(subject) in {"person", "animal"} and count is None and way == "":
        templates = ["who [be] *", "what [be] <{s} name>", "what [be] * called", "what name [do] * have"]
        return draft(trim(value), full_of(clause), templates, subject, clause=clause, single=True, weight=1.5)
    if is_price(value):
        templates = [
            "how much [be] *",
            "how high [be] *",
            "how much money [be] *",
            "what amount [be] *",
            "what [be] <the amount of *>",
            "how much do I have to pay for *",
        ]
    elif way:
        templates = [
            f"{way} [be] *",
            "what [be] *",
            "how much [be] *" if way != "how long" else "what [be] <the duration of *>",
        ]
    elif count and not value.isdigit():
        return draft(
            count[0],
            full_of(clause),
            [f"how many {count[1]} [be] *", f"how many {count[1]} are there"],
            subject,
            clause=clause,
        )
    else:
        templates = (
            ["who [be] *", "what [be] <the name of *>", "what [be] * called", "who exactly [be] *"]
            if person
            else ["what [be] *", "what exactly [be] *", "which one [be] *"]
        )
    return draft(
        trim(value),
        full_of(clause),
        templates,
        subject,
        nominals=[subject],
        clause=clause,
        single=True,
        weight=1.6,
    )


def _colour(clause: Clause, subject: str, value: str) -> Draft | None:
    templates = [
        "what colour [be] *",
        "which colour [do] * have",
        "what color [be] *",
        "what [be] <the colour of *>",
        "what [be] <{s} colour>",
    ]
    return draft(
        value,
        full_of(clause),
        templates,
        subject,
        nominals=[f"the colour of {subject}"],
        clause=clause,
        single=True,
        weight=1.6,
    )


def _related(clause: Clause, subject: str) -> list[Draft]:
    """The letter is from Ana, the gift is for Tom, the talk is about birds."""
    out: list[Draft | None] = []
    for phrase in clause.others()[:1]:
        if (
            phrase.word in {"from", "for", "about", "with", "by", "like", "without", "of"}
            and not phrase.verbal
        ):
            word = (
                "who"
                if kind_of_noun(phrase.noun) == "person"
                or (is_name(phrase.noun) and phrase.word in {"for", "by", "with"})
                else "what"
            )
            if phrase.word == "from" and word == "what":
                templates = [
                    "where [be] * from",
                    "where [do] * come from",
                    "what place [be] * from",
                    "what [be] <the origin of *>",
                ]
            else:
                templates = [f"{word} [be] * {phrase.word}", f"{word} exactly [be] * {phrase.word}"]
                if phrase.word == "about":
                    templates += [
                        "what [be] <the topic of *>",
                        "what [be] <the subject of *>",
                        "what [do] * deal with",
                    ]
                if phrase.word == "by":
                    templates += ["who wrote *", "who made *", "who [be] <the author of *>"]
                if phrase.word == "for":
                    templates += [f"{word} [be] * meant for", f"{word} [be] * intended for"]
            out.append(
                draft(
                    trim(phrase.noun),
                    full_of(clause, keep=phrase),
                    templates,
                    subject,
                    clause=clause,
                    weight=1.2,
                )
            )
        elif phrase.verbal:
            templates = [
                "what [be] <the aim of *>",
                "what [be] <the plan for *>",
                "what [be] *",
                "what [be] <the point of *>",
            ]
            out.append(draft(phrase.text, full_of(clause, keep=phrase), templates, subject, clause=clause))
    return keep(out)
