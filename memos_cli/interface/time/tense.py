"""Decide whether a question asks about the past or the future."""

from __future__ import annotations

import re

# Verbs that show the tense; a deadline or a plan is in the future, unless its verb is in the past.
_VERBS = re.compile(
    r"\b(?:(?P<past>did(?:\W+\w+){1,3}?\W+(?:do|have|need)|was|were|did|had|said|told|happened)"
    r"|(?P<present>is|are|am|(?<!to )do|does)|will|shall|must|should|has|needs?)\b"
    r"|(?P<short>['’](?:s|re))\b|['’]ll\b",
    re.IGNORECASE,
)
_DUE = re.compile(
    r"\b(?:due|deadlines?|will|shall|should|must|going to|ha(?:ve|s) to|needs?|plan(?:s|ned)?|scheduled"
    r"|upcoming|by|until|till)\b|['’]ll\b",
    re.IGNORECASE,
)
_CJK_DUE = re.compile(
    r"(?:我们?|你们?|他们?|她们?|大家)?(?:需要|要|将|將|必须|必須|应该|應該|打算|计划|計劃|到期|截止)(?![求点素])"
)


def is_ahead(text: str, start: int, end: int) -> bool | None:
    """Return whether a question with a time at ``start`` to ``end`` is about the future; None if unclear."""
    if _CJK_DUE.match(text, end):
        return True
    verbs = list(_VERBS.finditer(text))
    before = [verb for verb in verbs if verb.start() < start]
    verb = before[-1] if before else verbs[0] if verbs else None
    if verb is None or verb["past"]:
        return False if verb else None
    # "What is on Friday?" asks for the next one, "Who is Ana, from May?" for none.
    is_now = (verb["present"] or verb["short"]) and re.match(r"on\s", text[start:], re.IGNORECASE)
    return bool(is_now or _DUE.search(text)) or None
