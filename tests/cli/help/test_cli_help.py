"""What --help shows, and that every old spelling of a command still runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_harness import Shell, make_vault

from memos_cli.cli.commands import COMMANDS, HIDDEN, OLD

LISTED = [path for paths in COMMANDS.values() for path in paths if path not in HIDDEN]
TOP = [*dict.fromkeys(path.split()[0] for path in LISTED)]
SHOWN = [
    *LISTED,
    *dict.fromkeys(path.rpartition(" ")[0] for path in LISTED if " " in path),
    *sorted(HIDDEN - {"view create"}),
]
STABLE = """
init ingest embed search query list show edit tag forget history diff rollback archive restore freeze unfreeze
link merge slice promote demote pin gate maintain conflicts stats check config models view grant revoke audit
export import cron bench backup restore-vault
""".split()
"""Names that scripts rely on."""


@pytest.mark.parametrize("columns", ["80", "60"])
def test_help_lists_every_command_with_its_whole_summary_below_a_heading(shell: Shell, columns: str) -> None:
    out = shell("--help", env={"COLUMNS": columns}).out
    headings = re.findall(r"^(\S.*):$", out, re.MULTILINE)
    assert headings == [*COMMANDS, "Options", "Exit codes"]
    assert re.findall(r"^  ([a-z][\w-]*)  ", out, re.MULTILINE) == TOP
    assert "..." not in out.replace("[ARGS]...", "")
    assert all(len(line) <= int(columns) for line in out.splitlines())
    assert set(STABLE) <= {*TOP}


def test_summaries_fit_on_one_line_of_80_columns(shell: Shell) -> None:
    lines = shell("--help", env={"COLUMNS": "80"}).out.split("Options:")[0].split("Everyday:")[1].splitlines()
    rows = [line for line in lines if line and not line.endswith(":")]
    assert len(rows) == len(TOP)
    assert all(row.endswith(".") for row in rows)


@pytest.mark.parametrize("command", SHOWN)
def test_the_options_of_a_command_are_in_sections_and_named_plainly(shell: Shell, command: str) -> None:
    out = shell(*command.split(), "--help", env={"COLUMNS": "80"}).out
    assert "<" not in re.sub(r"<(?=\()|work<|[<>]{2}", "", out)
    assert not any(part in out for part in ("x>=", "[default", " / --no-"))
    assert "{" not in out.splitlines()[0]
    assert "\nGeneral:\n" in out
    assert re.search(rf"memos {command}\b", out.split("Example:\n")[1])
    if "  --json" in out:
        assert out.index("\nOutput:\n") < out.index("  --json") < out.index("\nGeneral:\n")
    if "  -t, --tag TAG" in out and "Tag the memories" not in out:
        assert out.index("\nFilter:\n") < out.index("  -t, --tag TAG") < out.index("\nOutput:\n")


# --- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("serch port", "there is no command 'memos serch'", "memos search"),
        ("feed publsh x", "there is no command 'memos feed publsh'", "memos feed publish"),
        ("access tokn list", "there is no command 'memos access tokn'", "memos access token"),
        ("subscribbe x", "there is no command 'memos subscribbe'", "memos feed subscribe"),
        ("zzz", "there is no command 'memos zzz'", "memos --help"),
        ("list --tga x", "there is no option --tga", "memos list --tag"),
        ("list --frob", "there is no option --frob", "memos list --help"),
        ("list --zzz", "there is no option --zzz", "memos list --help"),
        ("list -n few", "'few' is not a whole number", "memos list --help"),
        ("query x --temperature warm", "'warm' is not a number", "memos query --help"),
        ("list -n -1", "-1 is not in the range", "memos list --help"),
        ("show", "missing argument 'ID'", "memos show --help"),
        ("archive", "no memories are selected", "--tag"),
        ("archive 01 --tag x", "ids and filters exclude each other", "--tag"),
        ("forget 01 --view x", "ids and filters exclude each other", "--tag"),
        ("export 01 --tag x", "ids and filters exclude each other", "--tag"),
        ("quarantine --approve", "no memories are selected", "--tag"),
        ("edit 01 02 --text x", "--text and --title change one memory at a time", "memos edit"),
        ("edit 01 --title x --expires never", "--expires and --sensitivity", "once for each"),
    ],
)
def test_a_mistake_is_explained_with_what_to_type(memos: Shell, typed: str, message: str, hint: str) -> None:
    error = memos(*typed.split(), "--json", code=2).error
    assert message in error["message"]
    assert hint in error["hint"]
    text = memos(*typed.split(), code=2).err
    assert text.startswith("memos: ") and f"\n  try: {error['hint']}" in text


# --- old spellings ---------------------------------------------------------------------------------

SAME = [
    ("publish", "feed publish"),
    ("subscribe", "feed subscribe"),
    ("subscribe", "feed list"),
    ("update", "feed update"),
    ("unsubscribe nobody", "feed unsubscribe nobody"),
    ("group list", "access group list"),
    ("token list", "access token list"),
    ("token create", "access token create"),
    ("task list", "access task list"),
    ("access ID", "access explain ID"),
    ("access --for agent:x ID", "access explain --for agent:x ID"),
    ("access --json ID", "access explain --json ID"),
    ("access unknown", "access explain unknown"),
    ("unlink ID about OTHER", "link ID about OTHER --remove"),
    ("unpin ID", "pin ID --remove"),
    ("review", "quarantine"),
    ("review ID --approve", "quarantine ID --approve"),
    ("expire ID --at 30d", "edit ID --expires 30d"),
    ("expire ID OTHER --at never", "edit ID OTHER --expires never"),
    ("mark secret ID OTHER", "edit ID OTHER --sensitivity secret"),
    ("view create x --tag a", "view set x --tag a"),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_an_old_spelling_does_what_the_new_one_does(tmp_path: Path, old: str, new: str) -> None:
    results = []
    for name, typed in (("old", old), ("new", new)):
        shell = Shell(tmp_path / name)
        make_vault(shell)
        id, other = shell.keep("The cat is called Miso.", "The dog is called Bento.")
        shell("link", id, "about", other)
        shell("pin", id)
        words = [{"ID": id, "OTHER": other}.get(word, word) for word in typed.split()]
        found = shell(*words, code=None)
        said = [found.code, found.out, found.err, shell("show", id, "--json").out, shell("pin").out]
        hidden = {id: "ID", other: "OTHER", str(tmp_path / name): "FOLDER"}
        for value, word in hidden.items():
            said = [str(each).replace(value, word) for each in said]
        results.append([re.sub(r"20\d\d-[\d:.TZ+ -]+|memos \w+ --help.*", "…", each) for each in said])
    assert results[0] == results[1]


def test_the_table_of_old_spellings_is_tested_whole() -> None:
    assert {old.split()[0] for old, _ in SAME} >= {*OLD, *(HIDDEN - {"view create"})}


def test_old_spellings_are_not_listed(shell: Shell) -> None:
    assert not {*OLD, *HIDDEN} & {*TOP}
    assert "view create" not in shell("view", "--help").out
