"""Who speaks: the "I" of a dialogue by name, and "the user" of an agent's notes as I. Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.complements import expand
from memos_cli.operation.wording.nouns import gender_of, possessive, to_first_person
from memos_cli.operation.wording.verbs import forms_of, third_person


def as_said(text: str, author: str) -> str:
    """Who speaks is named: "I moved" said by Tomas is "Tomas moved"; of an agent's notes "the user" is I."""
    text = text.replace("’", "'").strip()
    if author and author.lower() in {"assistant", "system", "bot", "ai"}:
        return "" if re.search(r"\b(?:I|my|me|we|our)\b", text) else text
    if author and author.lower() not in {"user", "me", "human", "you"}:
        if re.search(r"\b(?:you|your|yours|yourself)\b", text, re.IGNORECASE):
            return ""
        return _said_by(expand(text), author)
    text = re.sub(
        r"\b(?:[Tt]he )?[Uu]ser's (?=[a-z])", lambda match: "My " if match[0][0].isupper() else "my ", text
    )
    text = _user_is_me(text)
    return to_first_person(text) if re.search(r"\b[Yy]our? ", text) else text


def _user_is_me(text: str) -> str:
    """ "The user likes tea" -> "I like tea"."""
    match = re.match(r"^(?:The )?[Uu]ser (?P<verb>is|was|has|\w+)\b", text)
    if not match:
        return text
    verb = match["verb"]
    forms = forms_of(verb)
    if verb == "is":
        changed = "am"
    elif verb == "has":
        changed = "have"
    elif "s" in forms:
        changed = forms["s"]
    elif (
        "base" in forms or "past" in forms or verb in {"was", "will", "can", "should"}
    ):  # "they have", told of the user
        changed = verb
    elif verb == "does":
        changed = "do"
    else:
        return text
    rest = re.sub(r"\b(?:their|his|her) ", "my ", text[match.end() :])
    rest = re.sub(r"(?<=\band )([a-z]+s)\b", lambda found: _first_form(found[1]), rest)
    return f"I {changed}{rest}"


def _first_form(verb: str) -> str:
    return {"is": "am", "has": "have", "does": "do"}.get(verb) or forms_of(verb).get("s", verb)


def _said_by(text: str, author: str) -> str:
    own = possessive(author)
    text = re.sub(r"\bI am\b", f"{author} is", text)
    text = re.sub(r"\bam I\b", f"is {author}", text)
    text = re.sub(r"\bI have\b", f"{author} has", text)

    def third(match: re.Match[str]) -> str:
        adverb, verb = match[1] or "", match[2]
        if verb in {"do", "am"}:
            return f"{author} {adverb}{'does' if verb == 'do' else 'is'}"
        forms = forms_of(verb)
        if "base" in forms and "past" not in forms:
            verb = third_person(verb)
        return f"{author} {adverb}{verb}"

    text = re.sub(
        r"\bI ((?:also|really|still|usually|always|often|never|just|already) )?([a-z]+)\b", third, text
    )
    text = re.sub(r"\bMy\b", own[0].upper() + own[1:], text)
    if text.startswith(author):
        theirs = {"f": "her", "m": "his"}.get(gender_of(author), "their")
        text = re.sub(r"(?<!and )(?<!but )(?<!; )\bmy\b", theirs, text)
    text = re.sub(r"\bmy\b", own, text)
    text = re.sub(r"\bmine\b", own, text)
    text = re.sub(r"\b(?:me|I)\b", author, text)
    text = re.sub(r"\bmyself\b", "themselves", text)
    return re.sub(rf"\b({re.escape(author)}) (?=(?:and|or) )", r"\1 ", text)
