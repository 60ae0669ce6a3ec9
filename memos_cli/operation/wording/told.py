"""Sentences whose meaning hangs on their setting: when they were said, and the recipe they are part of."""

from __future__ import annotations

import re

from memos_cli.operation.wording.clauses import Clause
from memos_cli.operation.wording.drafts import Draft, draft, trim
from memos_cli.operation.wording.moments import dated
from memos_cli.operation.wording.nouns import is_plural
from memos_cli.operation.wording.phrasings import drafts_of

_RELATIVE = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|last night|(?:last|next) (?:week|weekend|month|year|(?:Mon"
    r"|Tues|Wednes|Thurs|Fri|Satur|Sun)day)"
    r"|this (?:month|year)|(?:\d+|an?|two|three|four|five|six|seven) (?:day|week|month|year)s? ago)\b",
    re.IGNORECASE,
)
_AMOUNT = (
    r"(?P<n>(?:about )?\d[\d.,]* ?(?:g|kg|ml|l|cl|grams?|litres?|cups?)|an? (?:teaspoon|tablespoon|cup"
    r"|pinch|spoonful|litre|kilogram|glass|stick|bottle|handful)(?: and a half)?"
    r"|half an? [a-z]+|\d+ (?:teaspoons?|tablespoons?|cups?)) of (?P<what>(?!it|the\b)[a-z]+(?: (?!and"
    r"|with|in|into|then|to|for|at|until|or)[a-z]+)?)"
)
_COUNT = (
    r"\b(?P<n>\d+|two|three|four|five|six|seven|eight|nine|ten|twelve) (?P<what>(?!minutes|hours|times"
    r"|days|parts|degrees)[a-z]+s)\b"
)


def at_its_time(text: str, time: int | None) -> str:
    """ "yesterday" as the day it was; left as it is where nobody knows when that was said."""

    def day(match: re.Match[str]) -> str:
        found = dated(match[0], time)
        if found is None:
            return match[0]
        if re.fullmatch(r"\d{4}|[A-Z][a-z]+ \d{4}", found):
            return f"in {found}"
        return f"in {found}" if found.startswith("the week ") else f"on {found}"

    changed = _RELATIVE.sub(day, text) if time is not None else text
    return re.sub(r"\b(?:on|in) (?=(?:on|in) )", "", changed)


def in_recipe(clause: Clause, text: str, topic: str) -> list[Draft]:
    """What an instruction says of amounts, times and heat; its object too where the rest makes it clear."""
    out: list[Draft | None] = []
    subject = f"the {topic.removeprefix('the ')}" if topic and topic[0].islower() else topic
    full = text[0].upper() + text[1:]
    for pattern, word in ((_AMOUNT, "much"), (_COUNT, "many")):
        for match in re.finditer(pattern, text):
            what = match["what"]
            many = word == "many" or is_plural(f"the {what}")
            lead = f"how many {what}" if many else f"how much {what}"
            amount = match["n"] if re.search(r"\d", match["n"]) else trim(match["n"])
            if subject:
                templates = [
                    f"{lead} do I need for *",
                    f"{lead} {'go' if many else 'goes'} into *",
                    f"{lead} should I take for *",
                    f"what amount of {what} do I need for *",
                    f"{lead} {'are' if many else 'is'} in *",
                ]
                told = f"I need {match['n']} {'of ' if word == 'much' else ''}{what} for {subject}"
                noun = f"the {'number' if word == 'many' else 'amount'} of {what} for {subject}"
                out.append(draft(amount, told, templates, subject, nominals=[noun], single=True, weight=1.2))
    for item in drafts_of(clause):
        asks_object = any(
            re.match(r"(?:what|who|which \w+) (?:exactly )?should", ask.direct) for ask in item.asks
        )
        vague = clause.object in {"", "it", "them"} or re.search(r"\b(?:it|them)\b", clause.object)
        if vague and asks_object:
            continue
        if vague and subject and clause.object in {"", "it", "them"}:
            continue
        if asks_object and not clause.phrases:
            continue
        if any(one and one.answer == item.answer for one in out):
            continue
        out.append(item)
    if clause.object in {"", "it", "the cake", "the bread"} and subject and not clause.negated:
        for phrase in clause.phrases:
            if phrase.moment == "long":
                out.append(
                    draft(
                        trim(phrase.noun),
                        full,
                        [
                            f"how long [should] <I> {clause.base} {subject}",
                            f"for how long [do] <I> {clause.base} {subject}",
                            f"how long [do] <I> have to {clause.base} {subject}",
                        ],
                        subject,
                        single=True,
                        weight=1.4,
                    )
                )
            elif re.search(r"\d+ ?(?:degrees|°)", phrase.noun):
                out.append(
                    draft(
                        trim(phrase.noun),
                        full,
                        [
                            f"at what temperature [should] <I> {clause.base} {subject}",
                            "how hot [should] <the oven> be for *",
                            f"at how many degrees [do] <I> {clause.base} {subject}",
                        ],
                        subject,
                        single=True,
                        weight=1.4,
                    )
                )
    return [item for item in out if item]
