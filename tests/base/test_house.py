"""The shape of the code, as ``memos_cli/README.md`` promises it: names, short files."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import memos_cli

MODULES = [path for path in Path(memos_cli.__file__).parent.rglob("*.py") if path.name != "__init__.py"]


def test_no_two_modules_have_one_name() -> None:
    assert [name for name, count in Counter(path.name for path in MODULES).items() if count > 1] == []


def test_no_module_is_longer_than_400_lines() -> None:
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_a_folder_has_few_modules() -> None:
    folders = Counter(path.parent for path in MODULES)
    assert {folder.name: count for folder, count in folders.items() if count > 14} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    lengths = {
        f"{path.name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: count for name, count in lengths.items() if count > 60} == {}
