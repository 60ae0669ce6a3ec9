"""Numbers with their nouns: one memory, two memories, and no message that does this by itself."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

import memos_cli
from memos_cli.counts import counted, sized

NOUNS = (
    "memor|version|source|link|grant|adapter|state|vector|date|hit|token|row|record|file|note|day|snapshot"
    "|question|conflict|step|place|object|try"
)


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, ("memory",), "0 memories"),
        (1, ("memory",), "1 memory"),
        (2, ("memory",), "2 memories"),
        (1, ("day",), "1 day"),
        (3, ("day",), "3 days"),
        (1, ("memory is", "memories are"), "1 memory is"),
        (12345, ("memory is", "memories are"), "12,345 memories are"),
    ],
)
def test_a_noun_follows_its_number(number: int, noun: tuple[str, ...], said: str) -> None:
    assert counted(number, *noun) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (40_960, "41 kB"),
        (3_100_000, "3.1 MB"),
        (98_000_000, "98 MB"),
        (4_680_000_000, "4.7 GB"),
    ],
)
def test_a_size_is_never_rounded_to_nothing(size: int, said: str) -> None:
    assert sized(size) == said


def test_no_message_forms_a_plural_by_itself() -> None:
    """Only a number that cannot be one (as of tokens that do not fit) may stand before a plural."""
    plural = re.compile(rf"^ (?:{NOUNS})(?:s|ies)\b(?!/s)")
    known = {
        "activation.py",
        "prompt_layout.py",
        "llama_engine.py",
        "llama_server.py",
        "bench_corpus.py",
        "first_token.py",
        "ttft.py",
        "office.py",
        "splits.py",
    }
    found = []
    for path in Path(memos_cli.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else []
            for number, noun in pairwise(parts):
                is_number = isinstance(number, ast.FormattedValue) and isinstance(noun, ast.Constant)
                if is_number and plural.search(str(noun.value)) and path.name not in known:  # type: ignore[attr-defined]
                    found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert not found


def test_no_message_says_cube() -> None:
    """A cube is the name of a memory in the code, in tables and in the option ``--cube``."""
    sql = re.compile(r"\b(?:SELECT|FROM|INTO|UPDATE|TABLE|INDEX|ORDER BY|WHERE|JOIN)\b")
    found = []
    for path in Path(memos_cli.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in docs else ""
            if (
                isinstance(text, str)
                and re.search(r"(?<![.-])\bcubes?\b", text)
                and " " in text
                and not sql.search(text)
            ):
                found.append(f"{path.name}:{node.lineno}: {text}")  # type: ignore[attr-defined]
    assert not found
    commands = Path(memos_cli.__file__).parent / "cli"
    helps = [
        ast.get_docstring(node) or ""
        for path in commands.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and "Example:" in (ast.get_docstring(node) or "")
    ]
    assert len(helps) > 50
    assert not [each for each in helps if re.search(r"\bcubes?\b", each)]
