"""Who imports whom, and what a command may load: heavy libraries cost seconds before anything happens."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli_harness import REPOSITORY, Shell, loaded, with_models

HEAVY = {"torch", "sentence_transformers", "transformers", "sqlite_utils", "gguf", "dateparser", "llm"}
SLOW = {*HEAVY, "numpy", "llama_cpp", "markitdown", "semantic_text_splitter", "jinja2", "rich.table"}
"""What help and version need none of."""


def test_imports_go_down_the_house_and_in_no_circle() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("search", "--help"), ("query", "--help")]
)
def test_help_and_version_load_nothing_slow(shell: Shell, arguments: tuple[str, ...]) -> None:
    assert not loaded(shell, *arguments) & SLOW


def test_version_alone_loads_no_command_line(shell: Shell) -> None:
    assert "typer" not in loaded(shell, "--version")


def test_an_ingest_of_text_and_a_search_by_words_load_no_model(memos: Shell) -> None:
    memos.write("a.txt", "The port is 5433.")
    modules = loaded(memos, "ingest", "a.txt", "--no-embed") | loaded(memos, "search", "port")
    assert not modules & {*HEAVY, "llama_cpp"}


@with_models
def test_search_and_query_with_real_models_load_nothing_heavy(memos: Shell) -> None:
    memos("ingest", "-", stdin=b"The staging port is 5433.")  # the embedder is compiled here, once
    assert "memos_cli.models.embed.embedder" in loaded(memos, "search", "port")
    for arguments in (
        ("ingest", "-"),
        ("search", "port"),
        ("query", "Which port does staging use?", "--max-tokens", "2"),
        ("query", "Which port does staging use?", "--explain"),
    ):
        assert not loaded(memos, *arguments) & HEAVY
