"""Properties: "the A of B", "B's A", "my A", told apart and asked for. Pure."""

from __future__ import annotations

import re

from memos_cli.operation.wording.attributes import is_attribute, split_compound, ways_to_ask
from memos_cli.operation.wording.drafts import is_price
from memos_cli.operation.wording.lists import word_set
from memos_cli.operation.wording.moments import kind_of
from memos_cli.operation.wording.nouns import PEOPLE, head_of, is_name, is_plural, kind_of_noun, possessive


def property_asks(attribute: str, owner: str, answer: str) -> tuple[list[str], list[str]]:
    """Templates and names for "the A of B is C": (templates about the owner, noun phrases)."""
    moment = kind_of(answer)
    person = kind_of_noun(answer) == "person" or attribute in PEOPLE or attribute.split()[-1] in PEOPLE
    if attribute.startswith(("favourite ", "favorite ")) and kind_of_noun(answer) != "person":
        person = False
    person = person and attribute not in _NO_PERSON and not attribute.endswith("name")
    plain_wh = "who" if person else "what"
    if (
        moment in {"day", "month", "year", "clock", "often"}
        and plain_wh == "what"
        and attribute not in {"frequency", "interval"}
    ):
        plain_wh = "when"
    elif is_price(answer):
        plain_wh = "how much"
    ways = ways_to_ask(attribute)
    if kind_of_noun(owner) == "person":
        ways = [
            way
            for way in ways
            if not (attribute in {"address", "location", "place", "position"} and "[be] *" in way)
        ]
    elif re.match(r"(?:ip )?address|location", attribute):
        ways = [way for way in ways if "live" not in way]
    if person:
        ways = [way.replace("what [be]", "who [be]") for way in ways]
    templates = [f"{plain_wh} [be] <{{s}} {attribute}>"]
    of = f"the {attribute} of *" if owner != "I" else f"{{s}} {attribute}"
    templates += ways[:2]
    if owner not in {"I", "we"}:
        templates.append(f"{plain_wh} [be] <{of}>")
    templates += ways[2:6]
    if plain_wh == "when":
        templates.append(f"what [be] <{{s}} {attribute}>")
    elif plain_wh == "what" and not moment and not attribute.startswith(("favourite", "favorite")):
        templates.append(f"which {attribute} [do] * have")
    elif plain_wh == "how much":
        templates.append(f"what [be] <{{s}} {attribute}>")
        templates.append(f"how high [be] <{{s}} {attribute}>")
    own = f"{possessive(owner)} {attribute}"
    if person:  # "do you know my dentist" asks for something else
        return templates, [f"the {'names' if is_plural(f'the {attribute}') else 'name'} of {own}"]
    nominals = [own] if owner in {"I", "we"} else [f"the {attribute} of {owner}", own]
    return templates, nominals


_NO_PERSON = word_set(
    """role job position profession occupation title team company group family staff guest host user client
    agent"""
)


def split_property(subject: str) -> tuple[str, str] | None:
    """Property and owner of "the A of B", "B's A", "my A", or a compound; None where nothing owns it."""
    match = re.match(r"^(?:the |our )?(?P<a>[\w /-]+?) (?:of|for) (?P<b>.+)$", subject, re.IGNORECASE)
    if match and head_of(match["a"]) not in {
        "one",
        "all",
        "some",
        "most",
        "piece",
        "kind",
        "bottle",
        "cup",
        "list",
        "set",
        "pair",
        "number",
    }:
        return match["a"].lower() if not is_name(match["a"]) else match["a"], match["b"]
    match = re.match(r"^(?P<b>.+?(?:'s|s'))\s(?P<a>[^']+)$", subject)
    if match and re.match(r"[a-z\"“]|[A-Z]{2}", match["a"]):
        owner = match["b"].removesuffix("'s")
        return match["a"], owner.removesuffix("'") if owner.endswith("s'") else owner
    match = re.match(r"^(?P<b>my|our|your|his|her|its|their) (?P<a>.+)$", subject, re.IGNORECASE)
    if match and match["b"].lower() in {"my", "our"}:
        owner = {"my": "I", "our": "we"}[match["b"].lower()]
        compound = split_compound(match["a"])
        if compound and not is_attribute(match["a"]):
            return compound[1], f"{match['b'].lower()} {compound[0]}"
        return match["a"], owner
    match = re.match(
        r"^the (?P<a>[a-z][\w -]+?) (?:on|to|in|at|from) (?P<b>(?:the|my|our) .+)$", subject, re.IGNORECASE
    )
    if match and is_attribute(match["a"]):
        return match["a"], match["b"]
    match = re.match(r"^(?:the )(?P<c>.+)$", subject, re.IGNORECASE)
    compound = split_compound(match["c"]) if match else None
    return (compound[1], f"the {compound[0]}") if compound else None
