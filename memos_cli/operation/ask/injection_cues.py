"""Detect cues of prompt injection: text in a memory that addresses the model. Pure.

A memory is data. A text that orders the model to forget its instructions is only quoted in the prompt; but
people who review it, or read a plan with it, should see it. These cues are for people and no protection: a
new wording is not detected.
"""

from __future__ import annotations

import re

_CUES = (
    (
        r"\b(?:ignore|disregard|forget|override|bypass) (?:all|any|every|the|your|these|those|previous|prior"
        r"|above|earlier|everything)\b.{0,40}\b(?:instructions?|prompts?|rules|directions"
        r"|guidelines|above|before|context)\b"
        r"|\bignor(?:iere?|ez|a|ate)\b.{0,40}\b(?:anweisung|instrucci|instruction|istruzion|regeln)\w*"
        r"|(?:忽略|无视|忘记|無視).{0,12}(?:指令|指示|提示|规则|說明|说明)|(?:指示|命令).{0,6}無視",
        "tells the model to ignore its instructions",
    ),
    (
        r"\b(?:you are now|from now on,? you|you must now|pretend (?:to be|you are)|act as (?:an?|the|if)"
        r"|your new (?:task|role|instructions))\b|\bnew instructions?:|你现在是|从现在起你",
        "gives the model a role or a task",
    ),
    (
        r"\b(?:system prompt|developer mode|jailbreak|prompt injection)\b"
        r"|^\s*(?:system|assistant)\s*:|系统提示",
        "speaks of the prompt itself",
    ),
    (
        r"\b(?:do not|don't|never|without) (?:tell|mention|reveal|inform|alert)\w*\b"
        r".{0,40}\b(?:user|human|owner|anyone|them)\b",
        "wants something kept from the user",
    ),
    (
        r"\b(?:reveal|print|repeat|output|send|leak|post|forward|exfiltrate)\b.{0,60}"
        r"\b(?:system prompt|instructions|api keys?|passwords?|secrets|credentials)\b",
        "asks for what others must not have",
    ),
    (
        r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>"
        r"|^#{2,3} ?(?:instruction|response|system):?\s*$",
        "holds marks of a chat template",
    ),
    (
        "[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\U000e0000-\U000e007f]",
        "holds characters that cannot be seen",
    ),
    (r"!\[[^\]]*\]\(\s*https?://[^)\s]*[?=][^)]*\)", "has an image whose address can carry data out"),
)
_COMPILED = tuple((re.compile(cue, re.IGNORECASE | re.MULTILINE), reason) for cue, reason in _CUES)


def suspicions(text: str) -> tuple[str, ...]:
    """Return the reasons why ``text`` seems to address a model; empty if it does not."""
    return tuple(reason for cue, reason in _COMPILED if cue.search(text))
