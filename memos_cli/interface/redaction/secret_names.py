"""Secrets that are assigned to a name: ``password: …``, ``API_TOKEN=…``, ``| password | … |``.

``classify`` decides from a name whether its value is a secret; a notation defines where the value is. A name
*about* a secret (``token_file``, ``password_policy``) has no secret value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from memos_cli.interface.redaction.secret_cues import lower, split_words
from memos_cli.letters import CJK

Kind = Literal["password", "key", "secret", ""]
Stretch = tuple[int, int]


_PASSWORDS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "pw", "pass", "psk", "passwort", "kennwort",
    "mot de passe", "mdp", "contraseña", "contrasenya", "senha", "palavra-passe", "wachtwoord", "hasło",
    "haslo", "heslo", "lösenord", "adgangskode", "passord", "salasana", "parola", "jelszó", "şifre",
    "κωδικός", "пароль", "密码", "密碼", "口令", "パスワード", "비밀번호", "암호", "كلمة المرور", "كلمة السر",
    "סיסמה", "סיסמא", "mật khẩu", "kata sandi", "รหัสผ่าน", "पासवर्ड", "seed phrase", "recovery phrase",
    "mnemonic", "requirepass", "identified by",
)  # fmt: skip
_KEYS = (
    "token", "api key", "auth key", "access key", "private key", "secret key", "account key", "signing key",
    "encryption key", "client key", "master key", "deploy key", "storage key", "shared key", "api-schlüssel",
    "clave api", "clave de api", "clé api", "clé d'api", "chave api", "chave de api", "chiave api",
    "ключ api", "api-ключ", "密钥", "密鑰", "令牌", "トークン", "토큰", "apiキー", "api キー", "api 키",
)  # fmt: skip
_GLUED = split_words(
    "password passwd passwort passphrase kennwort wachtwoord salasana pwd token secret apikey accesskey"
)
"""Names that may follow other letters: PGPASSWORD, Zugangstoken."""
_ABOUT = split_words(
    "file path dir directory folder url uri link endpoint name type kind length len min max size "
    "policy rule rules rotation expiry expires expire expiration age ttl lifetime timeout count "
    "limit hint location store manager source format algorithm alg hash digest checksum sha256 md5 "
    "fingerprint prefix suffix header field column label title text prompt placeholder regex pattern "
    "strength score confirmation confirm reset changed updated created date at on version ref env "
    "var variable provider mode status state enabled disabled required optional valid validation "
    "check description comment note help example template config settings options history list less "
    "free menu santa garden index range budget window usage by in id ids"
)
"""Words after the name of a secret that make it a name about a secret."""
_ABOUT_BEFORE = split_words(
    "max min num no use has is reset forgot forgotten enable require requires show hide public "
    "primary next eos bos pad unk sep cls mask csrf"
)


def _patterns(words: Sequence[str]) -> list[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return [re.escape(lower(word)).replace(r"\ ", "[ _-]?").replace(r"\-", "[ _-]") for word in longest_first]


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern of alternatives, grouped by their first letter: tried one by one they take 15 times
    as long."""
    groups: dict[str, list[str]] = {}
    for pattern in patterns:
        groups.setdefault(pattern[0], []).append(pattern[1:])
    return re.compile("|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items()))


_NAMES = _any([*_patterns(_PASSWORDS), *_patterns(_KEYS), *sorted(_GLUED, reverse=True)])
"""The names, as a pattern for the result of ``lower``."""
_KEY = _any([*_patterns(_KEYS), "token", "apikey", "accesskey"])
_PART = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-zß-ÿ\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAME_LETTER = re.compile(r"[\w.$-]")
_WIDE = re.compile(f"[\u0e00-\u0e7f{CJK}]")

# --- notations: the text between a name and its value, from the end of the name ---------------------------

_UNQUOTED = r"(?:(?![&;,][\w .-]{1,40}=|[&;,)\]}]+(?:\s|$|[,;])|\\[nr]|</)[^\s\"'`|<>]){4,400}"
_QUOTED = r"(?:[^\s\"'`\\]|\\u[0-9a-f]{4}|\\/){4,400}"
_MARKS = r"[*_`]{0,3}"
_VALUE = rf"(?:\\{{0,3}}(?P<quote>[\"'`])(?P<quoted>{_QUOTED})(?:\\{{0,3}}(?P=quote))|(?P<bare>{_UNQUOTED}))"
_TAG = r"(?:</?[a-z]{1,10}>)?"
_ASSIGNED = re.compile(
    rf"(?:{_MARKS}|\\{{0,3}}[\"']\]?){_MARKS}{_TAG}[ \t]{{0,8}}(?P<sign>:=|=>|={{1,3}}(?!=)|[:：=](?!//)|\|)"
    rf"{_MARKS}{_TAG}[ \t]{{0,8}}{_MARKS}{_VALUE}",
    re.IGNORECASE,
)
_NEXT_LINE = re.compile(
    rf"{_MARKS}[:：]{_MARKS}[ \t]*\r?\n[ \t]*{_MARKS}(?P<bare>[^\s*`]{{6,200}}){_MARKS}[ \t]*$", re.MULTILINE
)
_LABEL = re.compile(
    # Password for the printer: x, Passwort (NAS): x, **Admin password** – x
    r"(?:[ \t](?:\([^()\n]{1,30}\)|[^\s:：=|,;.!?()]{1,15}(?:[ ][^\s:：=|,;.!?()]{1,15}){0,4}))?"
    rf"{_MARKS}(?:[ \t]?[:：]|[ \t][–—-][ \t]){_MARKS}[ \t]{{0,4}}{_MARKS}"
    rf"(?P<bare>[^\s`|]{{6,200}}?){_MARKS}[ \t]*\r?$",
    re.MULTILINE,
)
_WORDS = re.compile(
    rf"(?:[ \t][^\s:：=|,;.!?()]{{1,15}}){{0,5}}{_MARKS}[ \t]{{0,4}}[:：=]{_MARKS}[ \t]{{0,4}}"
    r"(?P<bare>[a-z]{3,12}(?:[ ][a-z]{3,12}){3,23})[ \t]*\r?$",
    re.MULTILINE,
)
_FLAG = re.compile(rf"[ =]{_VALUE}")
_SPACED = re.compile(r"[ \t]{1,8}(?P<bare>[^\s\"'`|]{6,200})[ \t]*\r?$", re.MULTILINE)
_SQL = re.compile(r"[ \t]{1,4}'(?P<quoted>[^'\n]{4,200})'")
_ELEMENT = re.compile(r"(?:\s[^<>\n]{0,80})?>\s{0,20}(?P<quoted>[^<>\s]{4,200})\s{0,20}</")
_CELL = re.compile(
    # <td><b>Password</b></td> <td>x</td>, <dt>Password</dt><dd>x</dd>
    r"(?:\s{0,20}</?[a-z]{1,10}>){0,2}\s{0,20}</(?:t[dh]|dt)>\s{0,40}<(?:td|dd)(?:\s[^<>]{0,80})?>"
    r"\s{0,20}(?:<[a-z]{1,10}>){0,2}(?P<quoted>[^<>\s]{4,200})\s{0,20}</",
    re.IGNORECASE,
)
_PAIR = re.compile(
    rf"[\"']?[\s,]{{1,40}}[\"']?value[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}{_VALUE}", re.IGNORECASE
)
_PARAMETER = re.compile(r"[\"']\s{0,4},\s{0,4}(?P<quote>[\"'])(?P<quoted>[^\s\"'`]{4,400})(?P=quote)")
_LOGIN = re.compile(r"\b(?:login|user|machine|account)\s", re.IGNORECASE)
_LINE_START = re.compile(
    r"[ \t>*+_`#|-]{0,20}(?:\d{1,3}[.)] )?(?:\[[ x]\] )?[*_`]{0,3}(?:<\w{1,6}>)?(?:\S{1,20} ){0,2}"
)
_COMMENT = re.compile(r"[*_`]{0,3}[\"'`)\]},;]*[ \t]*(?:\r?$|#|//|;|/\*|--|<!--|</|\||\(|,)", re.MULTILINE)

_STRANGE = 20
"""Lines of a table without the cells that its header has, after which it has ended."""
_BEFORE, _HEADER = 120, 1000
"""Most characters examined: of a line before a name, and of a table header."""

# --- values -----------------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(
    r"""^(?:\W*(?:x+|y+|none|null|nil|true|false|undefined|todo|tbd|example|dummy|redacted|masked|hidden|optional"""
    r"""|string\d*|str|text|required|changeme|change_me|placeholder|secret|token|password|passwd|pass|user|api_?key"""
    r"""|(?:var)?char\d*|int\d*|bool)\W*"""
    r"""|.*(?:\$\{|\$\(|\{\{|%\(|<[^>]*>|\byour[_-]).*|\$\w+|%\w+%|\*+.*|\.{3,}|!vault.*"""
    r"""|[\w.]*(?:getenv|environ|getpass|process\.env|settings\.|config\.|secrets\.|vault:|self\.|args\.)\S*"""
    r"""|[\w.]+\(.*\)?|[\w.]+\[.*\]?|file:.*|(?:sha\d+|md5)[:-].*|https?://\S*"""
    r"""|[.~]{0,2}/[\w./-]+|[A-Z]:[\\/].*|[\w.-]+(?:/[\w.-]+)*/[\w-]+\.[a-z]{1,5}|[A-Za-z_]\w*(?:\.[A-Za-z_]+)+)$""",
    re.IGNORECASE,
)
"""Placeholders, and values that say where a secret is stored."""
_PLAIN = re.compile(r"[^\W\d_]{2,}\d{0,2}|[^\W\d_]|v?\d{1,4}[^\W\d_]{0,6}|ed25519", re.IGNORECASE)
_NO_PHRASE = split_words(
    "the for and with from see ask stored not use has have was are our your his her its this that "
    "under when only must needs written kept set like old new none just press den der die das bei "
    "von aus mit frag siehe les des est dans voir los las está ver"
)


@lru_cache(maxsize=4096)
def classify(name: str) -> Kind:
    """Return what the value of ``name`` is: a password, a generated key, another secret, or "" for none."""
    words = " ".join(_PART.findall(_CAMEL.sub(" ", name)))
    found = [
        match
        for match in _NAMES.finditer(lower(words))
        if not words[match.end() : match.end() + 1].isalpha() or _WIDE.match(match[0])
        if match.start() == 0
        or not words[match.start() - 1].isalnum()
        or _WIDE.match(words[match.start()])
        or match[0] in _GLUED
    ]
    if not found:
        return ""
    last = found[-1]
    before, after = ({*part.lower().split()} for part in (words[: found[0].start()], words[last.end() :]))
    is_key = _KEY.fullmatch(last[0]) is not None
    # An access key id is not secret by itself, but secrets are often written in its place.
    about = _ABOUT - {"id"} if last[0].replace(" ", "") == "accesskey" else _ABOUT
    if before & _ABOUT_BEFORE or after & about:
        return ""
    return "key" if is_key else "secret" if last[0] == "secret" else "password"


def is_secret(value: str, kind: Kind, *, is_quoted: bool = False, is_alone: bool = True) -> bool:
    """Return whether the value of a secret's name is a secret: not a name, a setting or a location.

    ``is_alone``: only a comment follows it on its line; else it may be the beginning of a sentence.
    """
    if (
        len(value) < 6
        or _PLACEHOLDER.match(value)
        or (value.isalpha() and classify(value))
        or not value.strip("*")
    ):
        return False
    has_letter, has_digit = bool(re.search(r"[^\W\d_]", value)), any(map(str.isdigit, value))
    if not has_letter:
        return kind == "password" and is_alone and value.isdigit()
    is_wordy = all(_PLAIN.fullmatch(part) for part in re.split(r"[\W_]+", value) if part)
    if kind == "key":
        return len(value) >= 16 and has_digit and not is_wordy
    if kind == "secret":
        return has_digit and not is_wordy and len(value) >= 8
    if not is_alone:
        return has_digit and not is_wordy
    return bool(has_digit or re.search(r"[^\w.:/-]", value)) or (
        is_quoted and value.isalpha() and len(value) >= 8
    )


def find_named(text: str, start: int, end: int, lowered: str) -> Iterator[Stretch]:
    """Yield the ranges of secrets that have a name between ``start`` and ``end``: they are assigned to it, or
    below it in a table.

    ``lowered`` is what ``lower`` returns for ``text[start:end]``.
    """
    names = [(start + match.start(), start + match.end()) for match in _NAMES.finditer(lowered)]
    if names:
        yield from _find_assigned(text, names)
        yield from _find_in_tables(text, start, end, lowered)


def _find_assigned(text: str, names: Iterable[Stretch]) -> Iterator[Stretch]:
    for begin, stop in names:
        first, last = begin, stop
        while first > 0 and begin - first < 60 and _NAME_LETTER.match(text[first - 1]):
            first -= 1
        while last < len(text) and last - stop < 30 and _NAME_LETTER.match(text[last]):
            last += 1
        name = text[first:last].rstrip(".-")
        last = first + len(name)
        if kind := classify(name):
            yield from _values(text, first, last, kind)


def _values(text: str, first: int, last: int, kind: Kind) -> Iterator[Stretch]:
    """Yield the range of the value of the name from ``first`` to ``last``, by the first matching notation."""
    line = text[max(text.rfind("\n", max(0, first - _BEFORE), first) + 1, first - _BEFORE) : first]
    begins = len(line) < _BEFORE and _LINE_START.fullmatch(line) is not None
    before = text[first - 1 : first]
    name = text[first:last].lower()
    notations = [
        (_FLAG, name.startswith("--")),
        (_ASSIGNED, True),
        (_ELEMENT, before == "<"),
        (_CELL, True),
        (_PAIR, bool(re.search(r"(?:name|key)[\"']?\s{0,4}[:=]\s{0,4}[\"']?$", line))),
        (_PARAMETER, bool(re.search(r"\(\s{0,4}[\"']$", line))),
        (_SQL, True),
        (_SPACED, not line.strip() or bool(_LOGIN.search(line)) or name == "requirepass"),
        (_NEXT_LINE, begins),
        (_LABEL, begins),
        (_WORDS, begins and kind == "password"),
    ]
    for pattern, applies in notations:
        if not applies or not (match := pattern.match(text, last)):
            continue
        groups = match.groupdict()
        group = "quoted" if groups.get("quoted") else "bare"
        value = match[group]
        if pattern is _WORDS:
            if not _NO_PHRASE & {*value.split()}:
                yield match.span(group)
                return
            continue
        value = value.rstrip("*`") if group == "bare" else value
        if kind == "key" and group == "bare" and "#" in value:
            value = value[: value.index("#")]
        at = match.start(group)
        if name in ("pwd", "oldpwd") and re.search(r"[/\\]", value):
            return
        is_alone = (
            group == "quoted" or bool(_COMMENT.match(text, at + len(value))) or groups.get("sign") == "="
        )
        if pattern is _SPACED and not any(map(str.isdigit, value)):
            continue
        strict: Kind = "secret" if name == "pass" and not begins else kind
        if is_secret(value, strict, is_quoted=group == "quoted", is_alone=is_alone):
            yield at, at + len(value)
            return


def _find_in_tables(text: str, start: int, end: int, lowered: str) -> Iterator[Stretch]:
    """Yield the secrets in a table (Markdown, CSV) with a header between ``start`` and ``end``."""
    for match in re.finditer(rf"^.{{1,{_HEADER}}}$", text[start:end], re.MULTILINE):
        line = match[0]
        sign = next((sign for sign in "|;\t," if line.count(sign) >= 1), "")
        if not sign or not _NAMES.search(lowered, *match.span()):
            continue
        header = [_PART.findall(cell) for cell in line.split(sign)]
        columns = [at for at, words in enumerate(header) if words and len(words) <= 3]
        kinds = {at: classify(" ".join(header[at])) for at in columns}
        if any(kinds.values()) and len([words for words in header if words]) > 1:
            yield from _rows(text, start + match.end() + 1, sign, len(header), kinds)


def _rows(text: str, place: int, sign: str, width: int, kinds: dict[int, Kind]) -> Iterator[Stretch]:
    """Return the secrets in the rows from ``place`` on, up to a blank line or other text."""
    strange = 0  # lines of a cell of several lines
    while 0 < place < len(text) and strange <= (0 if sign == "|" else _STRANGE):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        cells = text[place:end].split(sign)
        if len(cells) != width and '"' in text[place:end]:
            cells = _split_quoted(text[place:end], sign)
        if len(cells) != width:
            strange = strange + 1 if text[place:end].strip() else _STRANGE + 1
            place = end + 1
            continue
        at, strange = place, 0
        for number, cell in enumerate(cells):
            value = cell.strip(" \t\r\"'*`")
            if (kind := kinds.get(number)) and is_secret(value, kind) and " " not in value:
                yield at + cell.index(value), at + cell.index(value) + len(value)
            at += len(cell) + 1
        place = end + 1


def _split_quoted(line: str, sign: str) -> list[str]:
    """Return the cells of a line, in which quotes may contain the delimiter."""
    between = re.escape(sign)
    cells = rf"""(?:^|{between})([ ]*"(?:[^"]|"")*"[ ]*|[^{between}]*)"""
    return [match[1] for match in re.finditer(cells, line)]
