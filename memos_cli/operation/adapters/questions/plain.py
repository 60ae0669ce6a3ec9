# ruff: noqa: E501  (tables)
"""Questions that need no grammar, in any language: cloze and keywords; and simple frames of German and
Chinese, in which a question word replaces the answer. Pure.
"""

from __future__ import annotations

import re

from memos_cli.operation.adapters.questions.frames import Draft
from memos_cli.operation.adapters.questions.spans import find_spans, kind_of

_ABOUT = {
    "en": ("Tell me about {}.", "What do you know about {}?"),
    "de": ("Was weißt du über {}?",),
    "fr": ("Que sais-tu de {} ?",),
    "es": ("¿Qué sabes de {}?",),
    "zh": ("关于{}，你知道什么？",),
}
"""Questions on all that is known of a thing."""

_WHICH = {
    "de": {"": "was", "date": "wann", "time": "wann", "often": "wie oft", "amount": "wie viel", "place": "wo"},
    "fr": {"": "quoi", "date": "quand", "time": "quand", "amount": "combien", "place": "où"},
    "es": {"": "qué", "date": "cuándo", "time": "cuándo", "amount": "cuánto", "place": "dónde"},
    "zh": {"": "什么", "date": "什么时候", "time": "什么时候", "often": "什么时候", "amount": "多少", "number": "多少",
           "code": "多少", "place": "哪里"},
}  # fmt: skip
"""Question words by the shape of the answer; ``place`` after a preposition of place."""
_OF = {"de": ("von", "Sag mir:"), "fr": ("de", "Dis-moi :"), "es": ("de", "Dime:")}
_PLACES = {
    "de": "in im am an auf unter hinter neben bei über vor zwischen",
    "fr": "dans sur sous derrière chez devant près",
    "es": "en sobre bajo detrás junto",
}
_TOLD = {
    "de": "unsere eure unser euer meine deine mein dein",
    "fr": "mon ton ma ta mes tes notre votre nos vos",
    "es": "mi tu mis tus",
}
"""The user's "my", and "your" after it."""
_SMALL = frozenset(
    "der die das den dem des ein eine einen und ist sind war hat mein meine unser unsere sein seine ihr ihre le la les un"
    " une des est mon ma mes notre son sa el los las una es mi mis su nuestro nuestra de del du".split()
)
_GERMAN_VERBS, _GERMAN_LINKS = {"ist", "sind", "war", "hat"}, "mit von für zum zur aus und seit".split()
_CHINESE = re.compile(
    r"(?P<subject>[^，。：]{1,16}?)(?P<verb>叫做?|名叫|(?:就?是)(?=\S)|姓|等于|[放住坐位存]?在|[到至]|喜欢|需要|有)(?P<rest>[^，。]{1,24})\Z"
)


def ask_about(thing: str, language: str) -> list[str]:
    """Ask for everything about a thing: "Was weißt du über den Schlüssel?"."""
    thing = re.sub(r"\Ader ", "den ", thing) if language == "de" else thing
    return [ask.format(thing) for ask in _ABOUT.get(language, ())]


def draft_of_value(name: str, value: str, topic: str, language: str) -> Draft:
    """Return the fact of ``Port: 5433`` under a topic, in a language without frames."""
    same = not topic or topic.casefold() in name.casefold()
    colon, end, asks = ("：", "。", "？") if language == "zh" else (": ", ".", "?")
    of, tell = _OF.get(language, ("", ""))
    of_topic = f"{topic}的{name}" if language == "zh" else f"{name} {of} {topic}"
    about = name if same else of_topic
    draft = Draft(value, f"{about}{colon}{value}{end}", about, single=True)
    draft.keywords = [f"{about}{asks}" if same else f"{name}{'' if language == 'zh' else ' '}{topic}"]
    draft.cloze = [f"{about}{colon}…"]
    if language == "zh":
        which = "谁" if name[-1] in "人者师员长东" else _wh(language, kind_of(value))
        draft.frames = [
            f"{about}是{which}？",
            f"请问{about}是{which}？",
            f"告诉我{about}。",
            f"{about}你记得吗？",
        ]
    else:
        draft.frames = [f"{about}?", f"{tell} {about}."]
    return draft


def _wh(language: str, kind: str) -> str:
    words = _WHICH.get(language, {})
    return words.get(kind, words.get("", ""))


def drafts_of_sentence(text: str, topic: str, language: str) -> list[Draft]:
    """Return the facts of a sentence in a language without grammar here."""
    text = text.strip().rstrip(".。！!")
    if language == "zh":
        return [draft for part in re.split("[，；]", text) for draft in _chinese(part, topic)][:3]
    if language == "de" and (found := _german(text)):
        return [found]
    spans = [(each.start, each.end) for each in find_spans(text) if each.start and each.kind != "name"]
    words = text.split(" ")
    if not spans and len(words) >= 3:  # the news comes last
        last = words[-2:] if words[-2].casefold() in _SMALL else words[-1:]
        spans = [(len(text) - len(" ".join(last)), len(text))]
    return [_cut(text, start, end, topic, language) for start, end in spans[:3]]


def _cut(text: str, start: int, end: int, topic: str, language: str) -> Draft:
    """Return the fact whose answer is at ``start`` to ``end``: the question is the text before it, and a
    gap.
    """
    before, answer, after = text[:start].rstrip(), text[start:end], text[end:].strip()
    draft = Draft(answer, _to_second_person(text, language), topic or before)
    draft.cloze = [f"{before} … {after}"]
    content = _content(before) or before
    draft.keywords = [content, f"{topic} {content}".strip()]
    is_place = before.split(" ")[-1].casefold() in _PLACES.get(language, "").split()
    if which := _wh(language, "place" if is_place else kind_of(answer)):
        draft.frames = [f"{before} {which}?"]
    return draft


def _content(text: str) -> str:
    return " ".join(word for word in re.findall(r"[^\W_]+", text) if word.casefold() not in _SMALL)


def _to_second_person(text: str, language: str) -> str:
    """Change possessives of the first person to the second."""
    words = _TOLD.get(language, "").split()
    for mine, yours in zip(words[::2], words[1::2], strict=True):
        ending = "([nrms]?)" if mine.endswith("e") else "()"
        text = re.sub(rf"\b{mine}{ending}\b", rf"{yours}\1", text)
        text = re.sub(rf"\b{mine.capitalize()}{ending}\b", rf"{yours.capitalize()}\1", text)
    return text + "."


def _german(text: str) -> Draft | None:
    """Return a German main clause: subject, verb, rest. The verb is the first lower-case word after a
    noun.
    """
    words = text.split(" ")
    nouns = [at for at, word in enumerate(words) if word[:1].isupper() and word.casefold() not in _SMALL]
    small = _SMALL - _GERMAN_VERBS
    behind = range(nouns[0] + 1, len(words)) if nouns else ()
    at = next((at for at in behind if words[at][:1].islower() and words[at] not in small), len(words))
    if not 1 < len(words) - at <= 9 or words[at] in (*_PLACES["de"].split(), *_GERMAN_LINKS):
        return None
    subject, verb, rest = " ".join(words[:at]), words[at], words[at + 1 :]
    subject = subject[0].lower() + subject[1:] if words[0].casefold() in _SMALL else subject
    after, first = " ".join(rest), rest[0].casefold()
    shaped = [span for span in find_spans(after) if span.kind != "name"]
    is_place = first in _PLACES["de"].split()
    which = _wh("de", shaped[0].kind if shaped else "place" if is_place else "")
    if not shaped and not is_place:
        which = "wie" if verb.startswith(("heiß", "lautet")) else "wer oder was" if verb == "ist" else which
    which = f"bis {which}" if first == "bis" and which == "wann" else which
    strip = int(is_place or first in ("bis", "um", "zu", *_GERMAN_LINKS))
    strip += len(rest) > strip + 1 and rest[strip].casefold() in _SMALL
    answer = after[shaped[0].start : shaped[0].end] if shaped else " ".join(rest[strip:])
    told = _to_second_person(text, "de")
    draft = Draft(answer, told[:1].upper() + told[1:], subject, single=bool(shaped))
    clause = f"{which} {subject} {verb}"
    upper = subject[:1].upper() + subject[1:]
    draft.frames = [
        f"{which.capitalize()} {verb} {subject}?", f"{which.capitalize()} {verb} {subject} noch mal?", f"Weißt du, {clause}?",
        f"Sag mir, {clause}.", f"Ich habe vergessen, {clause}.", f"Kannst du mir sagen, {clause}?", f"Weißt du noch, {clause}?",
    ]  # fmt: skip
    draft.cloze = [f"{upper} {verb} {after[: after.find(answer)]}…"]
    draft.keywords = [f"{_content(subject)} {verb}", f"{which} {_content(subject)}"]
    return draft


def _chinese(text: str, topic: str) -> list[Draft]:
    """Return a Chinese clause, with the question word in the place of the answer."""
    spans = [span for span in find_spans(text) if span.start and span.kind != "name"]
    if found := _CHINESE.match(text):
        subject, verb, answer, after = found["subject"].rstrip("的"), found["verb"], found["rest"], ""
        kind = "place" if verb.endswith("在") else kind_of(answer)
    elif spans:
        start, end, kind = spans[-1].start, spans[-1].end, spans[-1].kind
        subject, verb, answer, after = text[:start], "", text[start:end], text[end:]
    else:
        return []
    which = "什么名字" if verb.endswith("叫") else _wh("zh", kind)
    about = topic if topic and len(subject) < 2 else subject
    single = kind not in ("", "place") or verb in ("叫", "姓")
    draft = Draft(answer, text.replace("我", "你") + "。", about, single)
    asks = ("{}？", "请问{}？", "你知道{}吗？", "告诉我{}。", "我忘了{}。", "{}来着？")
    draft.frames = [ask.format(f"{subject}{verb}{which}{after}") for ask in asks]
    draft.cloze = [f"{subject}{verb}……{after}"]
    thing = subject.removeprefix("我的")
    draft.keywords = [f"{thing}{which}", *([thing] if single and verb != "叫" else [])]
    return [draft]
