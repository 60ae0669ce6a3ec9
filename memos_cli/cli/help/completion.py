"""Completion with TAB on a command line of ``memos``: commands, options, ids, tags, views and models.

A shell runs this at every TAB, so nothing here loads Typer: the commands are in ``completion.json``, which
``scripts/docs`` writes. The vault is only read, as the principal of this command line, and only what this
principal may read is offered. No text of a memory is shown, so nothing is recorded in the audit. On an error,
or if it would have to wait or ask, it prints nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memos_cli.cli.commands import OLD

REQUEST = "_MEMOS_COMPLETE"
"""The variable that asks for completion; its value is the name of the shell. The argument is the line."""
BREAKS = "_MEMOS_BREAKS"
"""The variable with bash's COMP_WORDBREAKS."""
TABLE = Path(__file__).with_name("completion.json")
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
"""Characters that need a backslash in bash; below, those that are special within its quotes."""
_QUOTED_SPECIAL = re.compile(r"['\"\\$`!]")

Offer = tuple[str, str]
"""A value and its short description."""


@dataclass(slots=True)
class _Line:
    """The words before the cursor."""

    path: str = ""
    """The command."""
    arguments: int = 0
    """The number of arguments so far."""
    values: dict[str, str] = field(default_factory=dict)
    """The values of options."""
    pending: str = ""
    """The option whose value comes next."""
    is_plain: bool = False
    """Whether "--" was typed: what follows are arguments."""


def main() -> None:
    """Print the completions for a shell, one on each line: the value, a tab, and its description."""
    try:
        offers = complete(sys.argv[1], os.environ[REQUEST], os.environ.get(BREAKS, ""))
        text = "".join(f"{value}\t{about}\n" for value, about in offers)
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001, S110 (a message would end up in what the user types)
        pass
    # Skip the cleanup of Python: nothing is left to be written.
    os._exit(0)


def complete(line: str, shell: str, breaks: str = "") -> list[Offer]:
    """Return the completions at the end of ``line``, as ``shell`` (bash, zsh or fish) inserts them."""
    words, last, quote = split(line)
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    typed = _read(words[1:], table)
    prefix = ""
    if not typed.pending and last.startswith("--") and "=" in last and not typed.is_plain:
        typed.pending, _, last = last.partition("=")
        prefix = f"{typed.pending}="
    found = [*_offers(typed, last, table)]
    if shell != "bash":
        return [(prefix + value, about) for value, about in found]
    # Bash replaces only the text after the last character at which it breaks words.
    cut = max((last.rfind(sign) + 1 for sign in ":=" if sign in breaks), default=0)
    start = "" if not prefix or "=" in breaks else prefix
    if quote:  # no values that end the quotes, or that bash expands in them
        return [(start + value[cut:], about) for value, about in found if not _QUOTED_SPECIAL.search(value)]
    return [(start + _SPECIAL.sub(r"\\\g<0>", value[cut:]), about) for value, about in found]


def split(line: str) -> tuple[list[str], str, str]:
    """Return the words of a shell's line, the last of them, which may be incomplete, and its open quote."""
    words: list[str] = []
    word, quote, is_open = "", "", False
    at = 0
    while at < len(line):
        sign = line[at]
        if quote:
            if sign == quote:
                quote = ""
            elif sign == "\\" and quote == '"' and line[at + 1 : at + 2] in ('"', "\\", "$", "`"):
                at += 1
                word += line[at]
            else:
                word += sign
        elif sign in "'\"":
            quote, is_open = sign, True
        elif sign == "\\":
            at += 1
            word, is_open = word + line[at : at + 1], True
        elif sign.isspace():
            if is_open:
                words.append(word)
            word, is_open = "", False
        else:
            word, is_open = word + sign, True
        at += 1
    return words, word, quote


def _read(words: Iterable[str], table: Mapping[str, Any]) -> _Line:
    """Parse the words of an incomplete command line."""
    line = _Line()
    for word in words:
        if line.pending:
            line.values[line.pending], line.pending = word, ""
        elif word == "--":
            line.is_plain = True
        elif word.startswith("-") and len(word) > 1 and not line.is_plain:
            name, sign, value = word.partition("=")
            if _kind(table, line.path, name):
                line.values[name] = value
                line.pending = "" if sign else name
        else:
            step = f"{line.path} {word}".strip() if line.path else " ".join(OLD.get(word, (word,)))
            if not line.arguments and step in table:
                line.path = step
            else:
                line.arguments += 1
    return line


def _kind(table: Mapping[str, Any], path: str, option: str) -> str:
    """Return what the value of an option is, such as TAG; "" for an option without a value."""
    for place in (path, ""):
        if option in table.get(place, {}).get("options", {}):
            return str(table[place]["options"][option][0])
    return ""


def _offers(line: _Line, last: str, table: Mapping[str, Any]) -> Iterator[Offer]:
    command = table.get(line.path, {})
    if line.pending:
        yield from _values(line, _kind(table, line.path, line.pending), last)
        return
    if last.startswith("-") and not line.is_plain:
        options = {**command.get("options", {}), **table[""]["options"]}
        yield from ((name, about) for name, (_, about) in options.items() if name.startswith(last))
        return
    if not line.arguments:
        start = f"{line.path} " if line.path else ""
        for path, each in table.items():
            name = path.removeprefix(start)
            is_next = path.startswith(start) and name and " " not in name
            if is_next and name.startswith(last) and each["summary"]:
                yield name, each["summary"]
    arguments = command.get("arguments", [])
    if arguments:
        at = min(line.arguments, len(arguments) - 1)
        if line.arguments < len(arguments) or arguments[at].endswith("…"):
            yield from _values(line, arguments[at].rstrip("…"), last)


def _values(line: _Line, kind: str, last: str) -> Iterator[Offer]:
    """Yield the values of a kind that begin with ``last``."""
    from memos_cli.interface import completion_values

    flags = {"vault": line.values.get("--vault"), "principal": line.values.get("--as")}
    for value, about in completion_values.find_values(kind, last, flags):
        if value.isprintable():
            yield value, " ".join(about.split())
