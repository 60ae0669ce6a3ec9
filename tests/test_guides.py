"""``memos help`` shows the guides; the README's examples print what the README says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from command import REPOSITORY, Shell, with_models

GUIDES = {
    path.stem: path.read_text(encoding="utf-8") for path in (REPOSITORY / "memos_cli/guides").glob("*.md")
}


def test_help_lists_each_guide_with_one_short_line(shell: Shell) -> None:
    rows = shell("help").rows
    assert [topic for topic, _ in rows] == sorted(GUIDES)
    assert all(summary.endswith(".") and len(summary) <= 66 for _, summary in rows)
    assert [[row["topic"], row["summary"]] for row in shell("help", "--json").records] == rows


@pytest.mark.parametrize("topic", GUIDES)
def test_a_guide_is_plain_in_a_pipe_and_an_object_as_json(shell: Shell, topic: str) -> None:
    shown = shell("help", topic).out
    assert shown == re.sub("<!--.*?-->\n+", "", GUIDES[topic])
    assert shell("help", topic.upper(), "--json").record == {
        "topic": topic,
        "summary": shown.split("\n\n")[1],
        "text": shown,
    }


def test_a_guide_is_formatted_and_paged_on_a_terminal(shell: Shell) -> None:
    env = {"PAGER": "sed s/^/PAGED:/", "COLUMNS": "60"}
    shown = shell.terminal("help", "states", env=env).out
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.splitlines()]
    assert all(line.startswith("PAGED:") for line in lines) and len(lines) > 50
    assert max(len(line.rstrip()) for line in lines) <= 60 + len("PAGED:")
    assert "## " not in shown and "The answer stays the same" in shown and "\x1b[" in shown


@pytest.mark.parametrize(
    ("topic", "hint"),
    [
        ("importin", "memos help importing"),
        ("Adaptors", "memos help adapters"),
        ("python", "memos help scripting"),
        ("quarantine", "memos help security"),
        ("qwen", "memos help models"),
        ("ingest", "memos ingest --help"),
        ("token", "memos token --help"),
        ("zzzz", "memos help"),
        ("../README", "memos help"),
    ],
)
def test_an_unknown_topic_names_the_nearest(shell: Shell, topic: str, hint: str) -> None:
    assert shell("help", topic, "--json", code=2).error["hint"] == hint
    assert f"there is no guide {topic!r}\n  try: {hint}\n" in shell("help", topic, code=2).err


def test_the_python_example_runs(memos: Shell) -> None:
    memos.keep("The staging database listens on port 5434.")
    (code,) = re.findall(r"```python\n(.*?)```", GUIDES["scripting"], re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code.replace("/path/to/vault", str(memos.vault))],
        env=memos.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert "The staging database listens on port 5434." in done.stdout, done.stderr


@with_models
def test_the_examples_of_the_readme_print_what_it_says(shell: Shell) -> None:
    blocks = re.findall(r"```console\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    examples = [
        re.split(r"\n", each, maxsplit=1) for block in blocks for each in re.split(r"(?m)^\$ ", block)[1:]
    ]
    assert len(examples) >= 8
    ids: dict[str, str] = {}  # those in the README, and those here
    for command, expected in examples:
        for written, real in ids.items():
            command = re.sub(rf"\b{written[:8]}\w*", real, command)
        script = f'memos() {{ "{sys.executable}" -m memos_cli "$@"; }}; {command}'
        done = subprocess.run(
            ["bash", "-c", script], cwd=REPOSITORY, env=shell.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        pattern = re.escape(" ".join(expected.split())).replace("…", ".*?")
        pattern = pattern.replace("/home/ana/\\.local/share/memos", re.escape(str(shell.vault)))
        pattern = re.sub(r"\b\d\\\.\d\d\b", r"\\d\\.\\d\\d", pattern)  # a score differs with the processor
        written_ids = re.findall(r"\b01[0-9A-Z]{24}\b", expected)
        pattern = re.sub(r"\b01[0-9A-Z]{24}\b", "([0-9A-Z]{26})", pattern)
        match = re.fullmatch(pattern, " ".join(done.stdout.split()))
        assert match, (command, expected, done.stdout)
        ids |= dict(zip(written_ids, match.groups(), strict=True))
