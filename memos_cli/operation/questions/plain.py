# ruff: noqa: E501  (tables)
"""Questions that need no grammar, in any language: cloze, keywords, topic; and the plainest frames of German
and Chinese, in which a question word stands in for the answer. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memos_cli.operation.questions.frames import Draft
from memos_cli.operation.questions.spans import find_spans, kind_of


@dataclass(frozen=True, slots=True)
class Words:
    """The few words that a language needs here."""

    what: str
    which: dict[str, str]
    """Question words by the shape of the answer; ``place`` after a preposition of place."""
    places: str
    about: str
    """Asks for all that is known of a thing."""
    told: dict[str, str]
    """The user's "my" as "your"."""


WORDS = {
    "de": Words(
        "was",
        {"date": "wann", "time": "wann", "often": "wie oft", "amount": "wie viel", "place": "wo"},
        "in im am an auf unter hinter neben bei über vor zwischen",
        "Was weißt du über {}?",
        {"mein": "dein", "unser": "euer"},
    ),
    "fr": Words(
        "quoi",
        {"date": "quand", "time": "quand", "amount": "combien", "place": "où"},
        "dans sur sous derrière chez devant près",
        "Que sais-tu de {} ?",
        {"mon": "ton", "ma": "ta", "mes": "tes", "notre": "votre", "nos": "vos"},
    ),
    "es": Words(
        "qué",
        {"date": "cuándo", "time": "cuándo", "amount": "cuánto", "place": "dónde"},
        "en sobre bajo detrás junto",
        "¿Qué sabes de {}?",
        {"mi": "tu", "mis": "tus"},
    ),
    "zh": Words(
        "什么",
        {"date": "什么时候", "time": "什么时候", "often": "什么时候", "amount": "多少", "number": "多少", "code": "多少", "place": "哪里"},
        "在",
        "关于{}，你知道什么？",
        {"我": "你"},
    ),
}  # fmt: skip
_SMALL = frozenset(
    "der die das den dem des ein eine einen und ist sind war hat mein meine unser unsere sein seine ihr ihre le la les un"
    " une des est mon ma mes notre son sa el los las una es mi mis su nuestro nuestra de del du".split()
)
_CHINESE = re.compile(
    r"(?P<subject>[^，。：]{1,16}?)(?P<verb>叫做?|名叫|(?:就?是)(?=\S)|姓|等于|[放住坐位存]?在|[到至]|喜欢|为|用|要|需要)(?P<rest>[^，。]{1,24})\Z"
)


def draft_of_value(name: str, value: str, topic: str, language: str) -> Draft:
    """The fact of ``Port: 5433`` under a topic, in a language without frames."""
    words = WORDS.get(language)
    same = not topic or topic.casefold() in name.casefold()
    joint = "的" if language == "zh" else ", "
    about = name if same else f"{topic}{joint}{name}"
    colon = "：" if language == "zh" else ": "
    draft = Draft(
        value, f"{about}{colon}{value}" + ("。" if language == "zh" else "."), topic or name, single=True
    )
    space = "" if language == "zh" else " "
    draft.keywords = [
        f"{name}{space}{'' if same else topic}".strip(),
        f"{about}？" if language == "zh" else f"{about}?",
    ]
    draft.cloze = [f"{about}{colon}…", f"{about} = ?"]
    if words and language == "zh":
        which = "谁" if name[-1] in "人者师员长东" else words.which.get(kind_of(value), words.what)
        draft.frames = [
            f"{about}是{which}？",
            f"请问{about}是{which}？",
            f"告诉我{about}。",
            f"{about}你记得吗？",
        ]
    elif words:
        which = words.which.get(kind_of(value), words.what)
        draft.frames = [f"{about}: {which}?", words.about.format(about), f"{which.capitalize()}: {about}?"]
    draft.topic = [words.about.format(about)] if words else []
    return draft


def drafts_of_sentence(text: str, topic: str, language: str) -> list[Draft]:
    """The facts of a sentence in a language without grammar here."""
    text = text.strip().rstrip(".。！!")
    if language == "zh":
        return [draft for part in re.split("[，；]", text) for draft in _chinese(part, topic)][:3]
    found = _german(text) if language == "de" else None
    if found is None:
        spans = [span for span in find_spans(text) if span.start and span.kind != "name"]
        if not spans:
            words = text.split(" ")
            if len(words) < 3:
                return []
            start = len(text) - len(" ".join(words[-2 if words[-2].casefold() in _SMALL else -1 :]))
            return [_cut(text, start, len(text), topic, language)]
        return [_cut(text, span.start, span.end, topic, language) for span in spans[:3]]
    return [found]


def _cut(text: str, start: int, end: int, topic: str, language: str) -> Draft:
    """The fact whose answer stands from ``start`` to ``end``: what stands before it, and a gap."""
    before, answer, after = text[:start].rstrip(), text[start:end], text[end:].strip()
    words = WORDS.get(language)
    about = topic or before
    draft = Draft(answer, _told(text, words) + ".", about)
    draft.cloze = [f"{before} …{' ' + after if after else ''}"]
    content = [word for word in re.findall(r"[^\W_]+", before) if word.casefold() not in _SMALL]
    draft.keywords = [" ".join(content) or before, f"{topic} {' '.join(content)}".strip()]
    if words:
        is_place = bool(before) and before.split(" ")[-1].casefold() in words.places.split()
        which = words.which.get("place" if is_place else kind_of(answer), words.what)
        draft.frames = [f"{before} {which}?", f"{which.capitalize()}: {before}?"]
    return draft


def _told(text: str, words: Words | None) -> str:
    if words is None:
        return text

    def other(found: re.Match[str]) -> str:
        word = found[0]
        for mine, yours in words.told.items():
            if word.casefold().startswith(mine) and len(word) <= len(mine) + 2:
                new = yours + word[len(mine) :]
                new = new.replace("euere", "eure")
                return new.capitalize() if word[0].isupper() else new
        return word

    return re.sub(r"[^\W\d_]+", other, text)


def _german(text: str) -> Draft | None:
    """A German main clause: subject, verb, rest. The verb is the first small word behind a noun."""
    words = text.split(" ")
    noun = False
    at = 0
    for at, word in enumerate(words):  # noqa: B007
        if noun and word[:1].islower() and word.casefold() not in _SMALL - {"ist", "sind", "war", "hat"}:
            if word.casefold() in WORDS["de"].places.split() or word in (
                "mit",
                "von",
                "für",
                "zum",
                "zur",
                "aus",
                "und",
                "seit",
            ):
                return None
            break
        noun = noun or (word[:1].isupper() and word.casefold() not in _SMALL)
    else:
        return None
    subject, verb, rest = " ".join(words[:at]), words[at], words[at + 1 :]
    if not rest or len(rest) > 8:
        return None
    words_ = WORDS["de"]
    subject = subject[0].lower() + subject[1:] if words[0].casefold() in _SMALL else subject
    after = " ".join(rest)
    shaped = [span for span in find_spans(after) if span.kind != "name"]
    kind = shaped[0].kind if shaped else ""
    first = rest[0].casefold()
    if kind:
        which = words_.which.get(kind, words_.what)
    else:
        which = (
            "wo"
            if first in words_.places.split()
            else "wie"
            if verb.startswith(("heiß", "lautet"))
            else "wer oder was"
            if verb == "ist"
            else "was"
        )
    which = f"bis {which}" if first == "bis" and which == "wann" else which
    strip = 1 if first in (*words_.places.split(), "bis", "um", "für", "seit", "von", "aus", "zu") else 0
    strip += len(rest) > strip + 1 and rest[strip].casefold() in _SMALL
    answer = after[shaped[0].start : shaped[0].end] if kind else " ".join(rest[strip:])
    draft = Draft(
        answer, _told(text, words_)[:1].upper() + _told(text, words_)[1:] + ".", subject, single=bool(kind)
    )
    whole = f"{verb} {subject}"
    draft.frames = [
        f"{which.capitalize()} {whole}?", f"{subject[:1].upper()}{subject[1:]} {verb} {which}?",
        f"Weißt du, {which} {subject} {verb}?", f"Sag mir, {which} {subject} {verb}.", f"Ich habe vergessen, {which} {subject} {verb}.",
        f"Kannst du mir sagen, {which} {subject} {verb}?", f"{subject[:1].upper()}{subject[1:]}: {which}?",
    ]  # fmt: skip
    lead = after[: after.find(answer)].strip()
    draft.cloze = [f"{text[: text.find(after)]}{lead} …".replace("  ", " ")]
    content = " ".join(word for word in subject.split(" ") if word.casefold() not in _SMALL)
    draft.keywords = [f"{content} {verb}", f"{which} {content}"]
    draft.topic = [words_.about.format(content)]
    return draft


def _chinese(text: str, topic: str) -> list[Draft]:
    """A Chinese clause: the question word stands where the answer stood."""
    words = WORDS["zh"]
    found = _CHINESE.match(text)
    spans = [span for span in find_spans(text) if span.start and span.kind != "name"]
    if found:
        subject, verb, answer = found["subject"].rstrip("的"), found["verb"], found["rest"]
        kind = "place" if verb.endswith("在") else kind_of(answer)
        after = ""
    elif spans:
        span = spans[-1]
        subject, verb, answer, after = text[: span.start], "", text[span.start : span.end], text[span.end :]
        kind = span.kind
    else:
        return []
    which = words.which.get(kind, words.what)
    which = "什么名字" if verb.endswith("叫") else which
    about = topic if topic and len(subject) < 2 else subject
    told = text.replace("我", "你")
    draft = Draft(answer, f"{told}。", about, single=bool(kind and kind != "place") or verb in ("叫", "姓"))
    core = f"{subject}{verb}{which}{after}"
    draft.frames = [
        f"{core}？",
        f"请问{core}？",
        f"你知道{core}吗？",
        f"告诉我{core}。",
        f"我忘了{core}。",
        f"{core}来着？",
    ]
    draft.cloze = [f"{subject}{verb}……{after}"]
    draft.keywords = [f"{subject}{which}", f"{which}，{subject}"]
    draft.topic = [words.about.format(about)]
    return [draft]
