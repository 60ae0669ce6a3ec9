"""``memos help`` shows the guides; the README's examples print what the README says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys

import pytest
from cli_harness import REPOSITORY, Shell, with_models

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
        ("quarantine", "memos quarantine --help"),
        ("qwen", "memos help models"),
        ("ingest", "memos ingest --help"),
        ("token", "memos access token --help"),
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
@pytest.mark.parametrize("name", ["../../README", "access", "lifecycle"])
def test_examples_print_what_the_document_says(shell: Shell, name: str) -> None:
    text = (REPOSITORY / "memos_cli/guides" / f"{name}.md").read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    examples = [each.split("\n", 1) for block in blocks for each in re.split(r"(?m)^\$ ", block)[1:]]
    assert len(examples) >= 6
    shutil.copytree(REPOSITORY / "scripts" / "samples", shell.work / "scripts" / "samples")
    env = {"MEMOS_AS": "user:ana"}
    if "$ memos init" not in text:
        shell("init", env=env)
    ids: dict[str, str] = {}  # those in the document, and those here
    for command, expected in examples:
        for written, real in ids.items():
            command = re.sub(rf"\b{written[:8]}\w*", real, command)
        _, stdin, arguments = re.findall(r"^(echo (.*) \| )?memos (.*)", command)[0]
        done = shell(*shlex.split(arguments, comments=True), stdin=stdin.strip('"').encode() + b"\n", env=env)
        expected = expected.replace("/home/ana/.local/share/memos", str(shell.vault))
        match = re.fullmatch(make_pattern(expected), " ".join((done.out + done.err).split()))
        assert match, (command, expected, done)
        ids |= dict(zip(ID.findall(expected), match.groups(), strict=True))


ID = re.compile(r"\b01[0-9A-Z]{24}\b")
VARIABLE = (r"\b\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?", r"\b\d\.\d\d\b", r"\b[0-9a-f]{64}\b", ID.pattern)
"""Times, scores (they differ with the processor), hashes and ids."""


def make_pattern(expected: str) -> str:
    """Return a regex for the output ``expected``, in which an ellipsis and what varies may be anything alike.

    Each id is a group.
    """
    pieces = re.split("(" + "|".join(VARIABLE) + "|…)", " ".join(expected.split()))
    for n in range(1, len(pieces), 2):
        (kind,) = [each for each in (*VARIABLE, "…") if re.fullmatch(each, pieces[n])]
        pieces[n] = ".*?" if kind == "…" else f"({kind})" if kind == ID.pattern else kind
    pieces[::2] = [re.escape(piece) for piece in pieces[::2]]
    return "".join(pieces)
