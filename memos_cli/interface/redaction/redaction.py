"""Find secrets and personal data in a text, so that they can be masked or marked.

Secrets are found by detect-secrets' detectors of tokens with a fixed format, by a few more formats, and as
values of names like ``password`` (``secret_names``). The detectors by entropy are not used: they flag
ordinary words. A password in a sentence ("the wifi password is …") is a memory, not a secret.

Personal data is detected if the extra ``personal`` is installed.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module

from memos_cli.cube import Draft
from memos_cli.errors import UsageError
from memos_cli.interface.redaction.secret_cues import find_suspects, lower, split_words
from memos_cli.interface.redaction.secret_names import find_named, is_secret

MASK = "*"
_ADDRESS = "password in an address"
_DETECTORS = (
    ("aws", "AWSKeyDetector", "AWS key", "a3t abia acca akia asia aws"),
    ("azure_storage_key", "AzureStorageKeyDetector", "Azure storage key", "accountkey="),
    ("discord", "DiscordBotTokenDetector", "Discord token", "."),
    ("github_token", "GitHubTokenDetector", "GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_"),
    (
        "gitlab_token", "GitLabTokenDetector", "GitLab token",
        "glpat- gldt- glft- glsoat- glrt- gr1348941 glcbt- glimt- glptt- glagent- gloas-",
    ),
    ("mailchimp", "MailchimpDetector", "Mailchimp key", "-us"),
    ("npm", "NpmDetector", "npm token", "_authtoken"),
    ("openai", "OpenAIDetector", "OpenAI key", "sk-"),
    ("pypi_token", "PypiTokenDetector", "PyPI token", "pypi-age"),
    ("sendgrid", "SendGridDetector", "SendGrid key", "sg."),
    ("slack", "SlackDetector", "Slack token", "xox hooks.slack.com"),
    ("square_oauth", "SquareOAuthDetector", "Square secret", "sq0csp-"),
    ("stripe", "StripeDetector", "Stripe key", "k_live_"),
    ("telegram_token", "TelegramBotTokenDetector", "Telegram token", ":"),
)  # fmt: skip
"""Module and class of detect-secrets, the name of its findings, and hints: in lower case, texts of which each
line with a finding has one. Not used: the Twilio detector flags names of accounts and keys (AC…, SK…), which
are not secret, and parts of hashes; the detector of passwords in URLs flags image digests."""

_FORMS = (
    (re.compile(r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]*"), "JSON web token", "eyj"),
    (re.compile(r"\bgithub_pat_[A-Za-z0-9_]{40,}"), "GitHub token", "github_pat_"),
    (re.compile(r"\bsk-(?:ant-|proj-|or-v1-|svcacct-)[A-Za-z0-9_-]{20,}"), "API key", "sk-"),
    (re.compile(r"\bsk-[A-Za-z0-9]{40,}\b"), "API key", "sk-"),
    (re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"), "Hugging Face token", "hf_"),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"), "Google API key", "aiza"),
    (re.compile(r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"), "age key", "age-secret-key"),
    (re.compile(r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{20,}"), "Stripe key", "k_live_ k_test_"),
    (re.compile(r"\bmemos_[A-Za-z0-9_-]{40,}"), "memos token", "memos_"),
    (re.compile(r"\bBearer\s+([A-Za-z0-9._~+/-]{24,}=*)"), "bearer token", "bearer"),
)
"""Forms that detect-secrets 1.5 lacks (a pattern, whose group is the secret), their name and hints."""

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
_COMMANDS = split_words("sshpass docker podman mongo redis-cli ldap sqlcmd mysql mariadb")
_GIVEN: tuple[tuple[re.Pattern[str], Collection[str], Callable[[re.Match[str]], bool]], ...] = (
    (_USER, ["://"], lambda match: _is_password(match["value"], match["user"], match["scheme"])),
    (_LOGIN, ["-u", "-auth"], lambda match: _is_password(match["value"], "", "")),
    (_COMMAND, _COMMANDS, lambda match: _is_password(match["value"], "", "")),
    (_AUTHORIZATION, ["authorization"], lambda match: bool(re.search(r"\d|[a-z][A-Z]", match["value"]))),
)
"""Notations of logins, their hints, and the test whether a match is a secret."""

_LETTER = re.compile(r"(?<!\\)(?!\\[rn])\S|(?<=\\)[^rn\s]")
"""The characters that a mask replaces: not line ends, nor the two characters of a line end in JSON."""
_ENDLESS = re.compile(r"\S{6000}")
_WINDOW, _OVERLAP = 6000, 2000
"""The characters of a text with a very long word that are examined together, and their overlap."""


@dataclass(frozen=True, slots=True, order=True)
class Sensitive:
    """A secret or personal data: ``[start, end)`` in characters, and its kind."""

    start: int
    end: int
    what: str


def find_secrets(text: str) -> list[Sensitive]:
    """Return the secrets found in ``text``, in order, without overlaps. Not every secret is found."""
    found: list[Sensitive] = []
    for start, end in find_suspects(text):
        line = lower(text[start:end])
        for first, last in _windows(text, start, end):
            found += _in_stretch(text[first:last], line[first - start : last - start], first)
        found += [Sensitive(*span, "password or key") for span in {*find_named(text, start, end, line)}]
    if "PRIVATE KEY" in text:
        found += [Sensitive(*match.span(), "private key") for match in _PRIVATE_KEY.finditer(text)]
    return _merged(found)


def find_personal(text: str) -> list[Sensitive]:
    """Return phone, card and bank account numbers, and mail addresses in ``text``, in order.

    Returns nothing if the extra ``personal`` is not installed.
    """
    return _merged(_personal(text)) if knows_personal() else []


@cache
def knows_personal() -> bool:
    """Return whether the libraries that detect personal data are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("phonenumbers", "stdnum"))


def mask(text: str, found: Iterable[Sensitive]) -> str:
    """Return ``text`` with each range replaced by as many asterisks; line breaks stay."""
    pieces, end = [], 0
    for each in found:
        pieces += [text[end : each.start], _LETTER.sub(MASK, text[each.start : each.end])]
        end = each.end
    return "".join([*pieces, text[end:]])


def guard(text: str, policy: str) -> tuple[str, str]:
    """Return ``text`` as the setting ``ingest.secrets`` allows to store it, and its sensitivity.

    Raises UsageError if it contains a secret and the setting refuses secrets.
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


def guard_draft(draft: Draft, policy: str) -> Draft:
    """Return a draft as ``guard`` and ``cover`` allow to store it. Raises UsageError as they do."""
    text, level = guard(draft.text, policy)
    title = cover(draft.title, policy)
    return replace(draft, text=text, title=title, sensitivity=level, masked=text != draft.text)


def note_masked(found: Sequence[Sensitive]) -> str:
    """Return the note on secrets that were masked in a source."""
    return f"masked {summary(found)}; --secrets allow keeps it"


def summary(found: Sequence[Sensitive]) -> str:
    """Count the findings: ``2 GitHub tokens, 1 private key``."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.what] = counts.get(each.what, 0) + 1
    return ", ".join(f"{count} × {what}" for what, count in sorted(counts.items()))


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a range; split it at very long words, on which some patterns take quadratic time."""
    if not _ENDLESS.search(text, start, end):
        yield start, end
        return
    for first in range(start, end, _WINDOW - _OVERLAP):
        yield first, min(end, first + _WINDOW)


def _in_stretch(line: str, lowered: str, offset: int) -> Iterator[Sensitive]:
    for form, what, hints in _forms():
        for pattern in _patterns(*form) if _has_one(lowered, hints) else ():
            for match in pattern.finditer(line):
                # Some patterns name the secret by a group, others only group their beginnings.
                longest = max(range(1, pattern.groups + 1), key=lambda n: len(match[n] or ""), default=0)
                start, end = match.span(longest if longest and len(match[longest] or "") >= 12 else 0)
                yield Sensitive(offset + start, offset + end, what)
    for pattern, hints, is_secret_match in _GIVEN:
        for match in pattern.finditer(line) if _has_one(lowered, hints) else ():
            if is_secret_match(match):
                start, end = match.span("value")
                what = _ADDRESS if pattern is _USER else "password or key"
                yield Sensitive(offset + start, offset + end, what)


def _has_one(line: str, hints: Collection[str]) -> bool:
    for hint in hints:  # noqa: SIM110 (any() takes three times as long)
        if hint in line:
            return True
    return False


def _is_password(value: str, user: str, scheme: str) -> bool:
    """Return whether the text after a user and a colon is a password: not a port, version or placeholder."""
    if value == user or not is_secret(value.ljust(6, "\0") if value else "", "password", is_quoted=True):
        return False
    return not value.isalpha() or (scheme not in ("ssh", "git") and len(value) >= 8)


@cache
def _forms() -> tuple[tuple[tuple[re.Pattern[str] | str, ...], str, Collection[str]], ...]:
    """Return each form with its name and hints: a pattern, or the module and class of a detector."""
    own = [((pattern,), what, split_words(hints)) for pattern, what, hints in _FORMS]
    return *own, *(((module, name), what, split_words(hints)) for module, name, what, hints in _DETECTORS)


@cache
def _patterns(form: re.Pattern[str] | str, name: str = "") -> Sequence[re.Pattern[str]]:
    """Return the patterns of a form. A detector of detect-secrets is loaded only here, the first in 40 ms.

    Its own ``analyze_string`` returns only the groups of a pattern, if it has some: of a GitHub token the
    first three letters.
    """
    if not isinstance(form, str):
        return (form,)
    return tuple(getattr(import_module(f"detect_secrets.plugins.{form}"), name).denylist)


_MAIL_NAME = re.compile(r"\b[\w.+-]{1,64}\Z")
_MAIL_HOST = re.compile(r"(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}\b")
_ACCOUNT = re.compile(
    r"[A-Z](?<!\w[A-Z])[A-Z]\d\d(?: ?[A-Z0-9]{2,4}){3,8}\b"
)  # begins with what is quick to find
_CARD = re.compile(r"\d(?<![\d.-]\d)(?:[ -]?\d){12,18}(?![\d-]|\.\d)")
_DIGITS = re.compile(r"\d\d\d")
_PLUS = re.compile(r"[+＋].{0,9}\d")
_APART = re.compile(r"[\nb-df-hj-mp-ru-wyzB-DF-HJ-MP-RU-WYZ]")
"""Characters that no phone number contains; other letters are in "extension" in several languages."""


def _personal(text: str) -> Iterator[Sensitive]:
    yield from _find_mail(text)
    if not _DIGITS.search(text):
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
    end = 0
    while "+" in text and (plus := _PLUS.search(text, end)):  # without its country it may be any number
        start, stop = plus.start(), _APART.search(text, plus.end())
        while start > end and not _APART.match(text, start - 1):
            start -= 1
        start, end = max(0, start - 1), stop.start() if stop else len(text)
        for number in phonenumbers.PhoneNumberMatcher(text[start : end + 1], None):
            yield Sensitive(start + number.start, start + number.end, "phone number")


def _find_mail(text: str) -> Iterator[Sensitive]:
    start = 0
    while (place := text.find("@", start)) >= 0:
        name = _MAIL_NAME.search(text, max(start, place - 64), place)
        start = place + 1
        if name and (host := _MAIL_HOST.match(text, start)):
            start = host.end()
            yield Sensitive(name.start(), start, "mail address")


def _merged(found: Iterable[Sensitive]) -> list[Sensitive]:
    """Return the ranges in order, overlapping ones merged under the name of the longest."""
    merged: list[Sensitive] = []
    for each in sorted(found):
        if merged and each.start < merged[-1].end:
            last = merged.pop()
            longer = max(last, each, key=lambda s: s.end - s.start)
            each = Sensitive(last.start, max(last.end, each.end), longer.what)
        merged.append(each)
    return merged
