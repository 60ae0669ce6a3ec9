"""Cues: words and signs that can be found quickly. Each line with a secret has at least one.

Most texts contain no secret. ``redaction`` examines only the characters around a cue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache


def split_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CUES = {" key", "docker login", "podman login"} | split_words(
    "akia asia abia acca a3t accountkey= ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glft- "
    "glsoat- glrt- gr1348941 glcbt- glimt- glptt- glagent- gloas- eyj sk- k_live_ k_test_ xox "
    "hooks.slack.com sg. :aa pypi-age _authtoken sq0csp- hf_ aiza age-secret-key memos_ bearer "
    "authorization -us passw passphrase passcode passord pass: pass= pass* _pass psk pwd pw: pw= pw* "
    "secret apikey _key -key token accesskey privatekey requirepass identified phrase mnemonic "
    "kennwort passe mdp contrase senha wachtwoord haslo heslo adgangskode salasana parola sandi schl "
    "api -u --auth --user sshpass mysql mariadb redis-cli ldap sqlcmd mongo"
)
_WIDER_CUES = split_words(
    "密 令 トークン パスワード apiキー 비밀 암호 토큰 كلمة סיסמ รหัส पासवर्ड парол ключ κωδικ hasło lösen "
    "jelsz şifre khẩu clé contraseñ"
)
"""More cues, for texts that are not ASCII. In lower case: a line without a cue, and without a match of
``_LOGIN``, contains no secret."""
_LOGIN = re.compile(r"://[^\s/:@]{0,100}:[^\s/@]{1,200}@")
_RARE = ("_", "-", "j", "x", "z", "3", "k", "w", "pa", "p", "b", "m", "c", "h")
"""Parts of cues, roughly the rarest first. Looking for a rare letter and then around it is quicker than
looking for each of the cues that have it."""
_BEFORE, _AFTER = 300, 3000
"""Characters around a cue that are examined, within its line."""
_ALIKE = str.maketrans("İıſ\u0345\u1fbeϰςᲂ", "iisιικσо")
_UNLIKE = re.compile("[İıſ\u0345\u1fbeϰςᲂ]")


def lower(text: str) -> str:
    """Return ``text`` in lower case, with as many characters.

    Letters of the cues and names that match each other under ``re.IGNORECASE`` become the same letter.
    """
    small = text.lower()
    if len(small) != len(text):  # "İ" becomes two
        small = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return small if small.isascii() or not _UNLIKE.search(small) else small.translate(_ALIKE)


def find_suspects(text: str) -> list[tuple[int, int]]:
    """Return the ranges of ``text`` that may contain a secret: around each cue, within its line."""
    stretches: list[tuple[int, int]] = []
    for place in sorted({*(match.start() for match in _LOGIN.finditer(text)), *_find_cues(lower(text))}):
        start = max(text.rfind("\n", max(0, place - _BEFORE), place) + 1, place - _BEFORE)
        end = text.find("\n", place, place + _AFTER)
        end = min(len(text), place + _AFTER) if end < 0 else end
        if stretches and start < stretches[-1][1]:
            start, end = stretches[-1][0], max(end, stretches.pop()[1])
        stretches.append((start, end))
    return stretches


def _find_cues(small: str) -> Iterator[int]:
    for pattern, cues in _seekers(small.isascii()):
        for match in pattern.finditer(small):
            for cue, offset in cues:
                if small.startswith(cue, match.start() - offset):
                    yield match.start() - offset


@cache
def _seekers(is_ascii: bool) -> list[tuple[re.Pattern[str], list[tuple[str, int]]]]:
    """Return patterns that each find some cues by a part of them, with the place of the part in each cue."""
    groups, left = [], {*_CUES}
    for rare in _RARE:
        groups.append([(cue, cue.index(rare), rare) for cue in left if rare in cue])
        left = {cue for cue in left if rare not in cue}
    groups += [[(cue, 0, cue)] for cue in left]
    if not is_ascii:
        rarest = [next((c for c in cue if not c.isascii()), cue[0]) for cue in _WIDER_CUES]
        groups.append([(cue, cue.index(c), c) for cue, c in zip(_WIDER_CUES, rarest, strict=True)])
    return [(_around(group), [(cue, at) for cue, at, _ in group]) for group in groups]


def _around(group: Iterable[tuple[str, int, str]]) -> re.Pattern[str]:
    """Return a pattern of the given parts of cues, each with the rest of its cue around it."""
    parts = (
        f"{re.escape(part)}(?<={re.escape(cue[: at + len(part)])})(?={re.escape(cue[at + len(part) :])})"
        for cue, at, part in group
    )
    return re.compile("|".join(parts))
