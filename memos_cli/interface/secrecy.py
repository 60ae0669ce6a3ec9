"""Secrets and personal data in a text: where they stand, so that they can be masked or marked.

Secrets are found by detect-secrets' detectors of tokens with a fixed format, by a few more formats, and as
values that are assigned to a name like ``password`` (``secret_names``). The detectors by entropy are not
used: they flag ordinary words. A password in a sentence ("the wifi password is …") is a memory, not a secret.

Personal data is looked for where the extra ``personal`` is installed.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from memos_cli.errors import UsageError
from memos_cli.interface.secret_names import find_assigned, find_in_tables, is_secret, split_words

MASK = "*"
_ADDRESS = "password in an address"
_DETECTORS = (
    ("aws", "AWSKeyDetector", "AWS key"),
    ("azure_storage_key", "AzureStorageKeyDetector", "Azure storage key"),
    ("discord", "DiscordBotTokenDetector", "Discord token"),
    ("github_token", "GitHubTokenDetector", "GitHub token"),
    ("gitlab_token", "GitLabTokenDetector", "GitLab token"),
    ("mailchimp", "MailchimpDetector", "Mailchimp key"),
    ("npm", "NpmDetector", "npm token"),
    ("openai", "OpenAIDetector", "OpenAI key"),
    ("pypi_token", "PypiTokenDetector", "PyPI token"),
    ("sendgrid", "SendGridDetector", "SendGrid key"),
    ("slack", "SlackDetector", "Slack token"),
    ("square_oauth", "SquareOAuthDetector", "Square secret"),
    ("stripe", "StripeDetector", "Stripe key"),
    ("telegram_token", "TelegramBotTokenDetector", "Telegram token"),
)
"""Module and class of detect-secrets, and the name of its findings. Not used: the Twilio detector flags names
of accounts and keys (AC…, SK…), which are not secret, and parts of hashes; the detector of passwords in URLs
flags image digests."""

_FORMS = (
    (re.compile(r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]*"), "JSON web token"),
    (re.compile(r"\bgithub_pat_[A-Za-z0-9_]{40,}"), "GitHub token"),
    (re.compile(r"\bsk-(?:ant-|proj-|or-v1-|svcacct-)[A-Za-z0-9_-]{20,}"), "API key"),
    (re.compile(r"\bsk-[A-Za-z0-9]{40,}\b"), "API key"),
    (re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"), "Hugging Face token"),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"), "Google API key"),
    (re.compile(r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"), "age key"),
    (re.compile(r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{20,}"), "Stripe key"),
    (re.compile(r"\bmemos_[A-Za-z0-9_-]{40,}"), "memos token"),
    (re.compile(r"\bBearer\s+([A-Za-z0-9._~+/-]{24,}=*)"), "bearer token"),
)
"""Forms that detect-secrets 1.5 does not know (a pattern, whose group is the secret), named."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:(?!-----BEGIN)[\s\S]){0,20000}?-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:\\[rn]|[A-Za-z0-9+/=:,\s-]){0,20000})"  # cut off: as far as it can be one
)
_USER = re.compile(
    # postgres://ann:PASSWORD@host; what follows "@" is a host, and no version or digest of an image.
    # (Without the boundary, a long word would take quadratic time.)
    r"""\b(?P<scheme>\w+)://(?P<user>[^\s/:@"'<>]{0,100}):(?P<value>[^\s/@"'<>]{1,200})@"""
    r"""(?!sha\d|md5|v?\d+(?:\.\d+){0,2}(?![\w.])|[a-z]+\d*:[0-9a-f]{8})[\w\[]"""
)
_LOGIN = re.compile(
    r"""(?:^|\s)(?:-u|-U|--user|--auth|--proxy-user)[ =]["']?[^\s:"'$]{1,64}:(?P<value>[^\s"'$]{4,200})"""
)
_COMMAND = re.compile(
    # The option of a command that takes a password; to mysql it is one only without a blank before it.
    r"""\b(?:(?:sshpass|(?:docker|podman)\s+login|mongo\w*)\b[^\n|;&]{0,200}?\s-p\s?"""
    r"""|redis-cli\b[^\n|;&]{0,200}?\s-a\s?|ldap\w+\b[^\n|;&]{0,200}?\s-w\s?"""
    r"""|sqlcmd\b[^\n|;&]{0,200}?\s-P\s?|(?:mysql|mariadb)[\w-]*\b[^\n|;&]{0,200}?\s-p)"""
    r"""["']?(?P<value>[^\s"'$]{4,200})"""
)
_AUTHORIZATION = re.compile(
    r"""Authorization\\{0,3}["']?[ \t]*[:=][ \t]*\\{0,3}["']?(?:[a-z][\w-]{1,20}[ \t]+)?"""
    r"""(?P<value>[a-z0-9+/._~:-]{8,}=*)""",
    re.IGNORECASE,
)
_GIVEN: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    (_USER, lambda match: _is_password(match["value"], match["user"], match["scheme"])),
    (_LOGIN, lambda match: _is_password(match["value"], "", "")),
    (_COMMAND, lambda match: _is_password(match["value"], "", "")),
    (_AUTHORIZATION, lambda match: bool(re.search(r"\d|[a-z][A-Z]", match["value"]))),
)
"""Notations of logins, each with the test whether a match is a secret."""

_CUES = (
    " key",
    "docker login",
    "podman login",
    *split_words(
        "akia asia abia acca a3t accountkey= ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glft- "
        "glsoat- glrt- gr1348941 glcbt- glimt- glptt- glagent- gloas- eyj sk- k_live_ k_test_ xox "
        "hooks.slack.com sg. :aa pypi-age _authtoken sq0csp- hf_ aiza age-secret-key memos_ bearer "
        "authorization -us passw passphrase passcode passord pass: pass= pass* _pass psk pwd pw: pw= pw* "
        "secret apikey _key -key token accesskey privatekey requirepass identified phrase mnemonic "
        "kennwort passe mdp contrase senha wachtwoord haslo heslo adgangskode salasana parola sandi schl "
        "api -u --auth --user sshpass mysql mariadb redis-cli ldap sqlcmd mongo"
    ),
)
_WIDER_CUES = split_words(
    "密 令 トークン パスワード apiキー 비밀 암호 토큰 كلمة סיסמ รหัส पासवर्ड парол ключ κωδικ hasło lösen "
    "jelsz şifre khẩu clé contraseñ"
)
"""More cues, for texts that are not ASCII. In lower case: a line without a cue, and without a match of
``_LOOKS``, contains no secret."""
_LOOKS = (re.compile(r"://[^\s/:@]{0,100}:[^\s/@]{1,200}@"),)
_LETTER = re.compile(r"(?<!\\)(?!\\[rn])\S|(?<=\\)[^rn\s]")
"""What a mask covers: not what ends a line, nor the two characters that stand for it within JSON."""
_ENDLESS = re.compile(r"\S{6000}")
_WINDOW, _OVERLAP = 6000, 2000
"""Characters of a text with an endless word that are looked at together, and twice."""
_BEFORE, _AFTER = 300, 3000
"""Characters around a cue that are looked at, within its line."""


@dataclass(frozen=True, slots=True, order=True)
class Sensitive:
    """A stretch of text, ``[start, end)`` in characters, that is a secret or personal, and what it is."""

    start: int
    end: int
    what: str


def find_secrets(text: str) -> list[Sensitive]:
    """The secrets in ``text``, in order, without overlaps. Not every secret is found."""
    found: list[Sensitive] = []
    for start, end in _suspected(text):
        for first, last in _windows(text, start, end):
            found += _in_stretch(text[first:last], first)
        spans = {*find_assigned(text, start, end), *find_in_tables(text, start, end)}
        found += [Sensitive(*span, "password or key") for span in spans]
    if "PRIVATE KEY" in text:
        found += [Sensitive(*match.span(), "private key") for match in _PRIVATE_KEY.finditer(text)]
    return _merged(found)


def find_personal(text: str) -> list[Sensitive]:
    """Phone numbers, card and bank account numbers, and mail addresses in ``text``, in order.

    Nothing where the extra ``personal`` is not installed.
    """
    return _merged(_personal(text)) if knows_personal() else []


@cache
def knows_personal() -> bool:
    """Whether the libraries that tell personal data are here."""
    return all(importlib.util.find_spec(name) is not None for name in ("phonenumbers", "stdnum"))


def mask(text: str, found: Iterable[Sensitive]) -> str:
    """``text`` with each stretch covered by as many asterisks; its lines stay lines."""
    pieces, end = [], 0
    for each in found:
        pieces += [text[end : each.start], _LETTER.sub(MASK, text[each.start : each.end])]
        end = each.end
    return "".join([*pieces, text[end:]])


def guard(text: str, policy: str) -> tuple[str, str]:
    """``text`` as it may be kept by the setting ``ingest.secrets``, and the sensitivity that it then has.

    Raises UsageError where it holds a secret and they are refused.
    """
    found = find_secrets(text)
    if found and policy == "refuse":
        raise UsageError(f"the text contains a secret ({summary(found)})", "remove it, or set ingest.secrets")
    if found and policy == "mask":
        return mask(text, found), "open"
    return text, "secret" if found else "personal" if find_personal(text) else "open"


def cover(text: str, policy: str) -> str:
    """Return a title, tag, author or name with its secrets treated by ``policy``; its level is not raised.

    Raises UsageError for a secret if the policy is ``refuse``.
    """
    return guard(text, policy)[0]


def summary(found: Sequence[Sensitive]) -> str:
    """What was found, counted: ``2 GitHub tokens, 1 private key``."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.what] = counts.get(each.what, 0) + 1
    return ", ".join(f"{count} × {what}" for what, count in sorted(counts.items()))


def _suspected(text: str) -> list[tuple[int, int]]:
    """The stretches that are worth a closer look: around each cue, within its line."""
    at = {match.start() for look in _LOOKS for match in look.finditer(text)}
    small = text.lower()
    cues = (*_CUES, *(() if text.isascii() else _WIDER_CUES))
    if len(small) != len(text):  # "İ" becomes two
        small = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    for cue in cues:
        place = small.find(cue)
        while place >= 0:
            at.add(place)
            place = small.find(cue, place + len(cue))
    stretches: list[tuple[int, int]] = []
    for place in sorted(at):
        start = max(text.rfind("\n", 0, place) + 1, place - _BEFORE)
        end = text.find("\n", place, place + _AFTER)
        end = min(len(text), place + _AFTER) if end < 0 else end
        if stretches and start < stretches[-1][1]:
            start, end = stretches[-1][0], max(end, stretches.pop()[1])
        stretches.append((start, end))
    return stretches


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a stretch; one with an endless word, on which some patterns take quadratic time, in parts."""
    if not _ENDLESS.search(text, start, end):
        yield start, end
        return
    for first in range(start, end, _WINDOW - _OVERLAP):
        yield first, min(end, first + _WINDOW)


def _in_stretch(line: str, offset: int) -> Iterator[Sensitive]:
    for form, what in (*_FORMS, *_known_forms()):
        for match in form.finditer(line):
            # Some patterns name the secret by a group, others only group their beginnings.
            longest = max(range(1, form.groups + 1), key=lambda n: len(match[n] or ""), default=0)
            is_named = longest and (len(match[longest] or "") >= 12 or what == _ADDRESS)
            start, end = match.span(longest if is_named else 0)
            yield Sensitive(offset + start, offset + end, what)
    for pattern, is_held in _GIVEN:
        for match in pattern.finditer(line):
            if is_held(match):
                start, end = match.span("value")
                yield Sensitive(
                    offset + start, offset + end, _ADDRESS if pattern is _USER else "password or key"
                )


def _is_password(value: str, user: str, scheme: str) -> bool:
    """Return whether the text after a user and a colon is a password: not a port, version or placeholder."""
    if value == user or not is_secret(value.ljust(6, "\0") if value else "", "password", is_quoted=True):
        return False
    return not value.isalpha() or (scheme not in ("ssh", "git") and len(value) >= 8)


@cache
def _known_forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The patterns of detect-secrets. (Its own ``analyze_string`` gives the groups of a pattern, where it has
    some: of a GitHub token the first three letters.)"""
    from importlib import import_module

    return tuple(
        (pattern, what)
        for module, name, what in _DETECTORS
        for pattern in getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist
    )


_MAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}\b")
_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-]|\.\d)")


def _personal(text: str) -> Iterator[Sensitive]:
    for match in _MAIL.finditer(text):
        yield Sensitive(*match.span(), "mail address")
    if not re.search(r"\d{3}", text):
        return
    import phonenumbers
    from stdnum import iban, luhn

    for match in _ACCOUNT.finditer(text):
        if iban.is_valid(match[0]):
            yield Sensitive(*match.span(), "bank account")
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if digits[0] in "3456" and luhn.is_valid(digits):
            yield Sensitive(*match.span(), "card number")
    if "+" in text:  # without its country a number cannot be told from another
        for number in phonenumbers.PhoneNumberMatcher(text, None):
            yield Sensitive(number.start, number.end, "phone number")


def _merged(found: Iterable[Sensitive]) -> list[Sensitive]:
    """In order; of those that overlap, one over all of them, called as the longest is."""
    merged: list[Sensitive] = []
    for each in sorted(found):
        if merged and each.start < merged[-1].end:
            last = merged.pop()
            longer = max(last, each, key=lambda s: s.end - s.start)
            each = Sensitive(last.start, max(last.end, each.end), longer.what)
        merged.append(each)
    return merged
