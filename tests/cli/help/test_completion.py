"""What TAB offers: in the shells themselves, by what a principal may read, and never an error."""

from __future__ import annotations

import hashlib
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli_harness import Shell, loaded

from memos_cli.cli.help.completion import complete, split


def ask(
    shell: Shell, line: str, *, kind: str = "fish", env: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What a process of its own offers, as a shell would ask it."""
    variables = {"_MEMOS_COMPLETE": kind, "_MEMOS_BREAKS": " \t\n\"'@><=;|&(:", **(env or {})}
    done = shell.process(line, env=variables)
    assert not done.err
    return dict(each.split("\t") for each in done.lines)


@pytest.fixture
def filled(memos: Shell) -> Shell:
    memos.keep("Cats sleep.", "Dogs bark.", options=("--tag", "board games", "--tag", "work/port"))
    memos.keep("Birds sing.", options=("--tag", "$(touch pwned)"))
    memos("view", "set", "my view", "--tag", "work")
    memos("view", "set", "a:b", "--tag", "work")
    return memos


# --- the words of a line ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words", "last", "quote"),
    [
        ("", [], "", ""), ("memos", [], "memos", ""), ("memos ", ["memos"], "", ""),
        ("memos  show\tx", ["memos", "show"], "x", ""), ("memos 'a b", ["memos"], "a b", "'"),
        (r"memos a\ b", ["memos"], "a b", ""), ('memos "a\\"b" c', ["memos", 'a"b'], "c", ""),
        ("memos '' x", ["memos", ""], "x", ""), ("memos a\\", ["memos"], "a", ""),
        ("memos a'b'c", ["memos"], "abc", ""),
    ],
)  # fmt: skip
def test_a_line_is_split_as_shells_do(line: str, words: list[str], last: str, quote: str) -> None:
    assert split(line) == (words, last, quote)


@pytest.mark.parametrize(
    ("line", "some", "none"),
    [
        ("memos ", {"init", "view", "doctor"}, {"expire", "view list", "publish"}),
        ("memos vi", {"view"}, {"init"}),
        ("memos view ", {"set", "list", "remove"}, {"create"}),
        ("memos access group ", {"add", "list"}, {"explain"}),
        ("memos token ", {"create", "revoke"}, {"group"}),
        ("memos --vault /x --json se", {"search"}, set()),
        ("memos search --ta", {"--tag"}, {"--type"}),
        ("memos search boat --", {"--tag", "--json", "--help"}, {"--encrypt"}),
        ("memos ingest --type d", {"document", "dialogue"}, {"fact"}),
        ("memos ingest --type=d", {"--type=document"}, {"document"}),
        ("memos edit 01 --sensitivity ", {"open", "secret"}, set()),
        ("memos config search.", {"search.k"}, {"query.words"}),
        ("memos config search.k ", set(), {"search.k"}),
        ("memos help st", {"states"}, {"models"}),
        ("memos mcp install c", {"codex", "cursor"}, {"zed"}),
        ("memos completion ", {"bash", "zsh", "fish"}, set()),
        ("memos maintain --only ", {"expire", "embed"}, set()),
        ("memos search -- --", set(), {"--tag"}),
        ("memos ingest ", set(), {"init"}),
        ("memos nonsense ", set(), {"init", "set"}),
    ],
)
def test_commands_options_and_fixed_words(line: str, some: set[str], none: set[str]) -> None:
    found = {value for value, _ in complete(line, "zsh")}
    assert some <= found and not none & found


# --- the vault -------------------------------------------------------------------------------------


def test_ids_tags_and_views_of_the_vault(filled: Shell) -> None:
    ids = filled.ids()
    assert ask(filled, "memos show ").keys() == ids
    first = min(ids)
    assert ask(filled, f"memos show {first[:-1].lower()}").keys() == {
        each for each in ids if each.startswith(first[:-1])
    }
    assert ask(filled, f"memos link {first} about ").keys() == ids
    assert ask(filled, "memos search --tag b") == {"board games": "2"}
    assert ask(filled, "memos list --view ").keys() == {"my view", "a:b"}
    assert ask(filled, "memos view remove m").keys() == {"my view"}


def test_the_text_of_memories_is_not_shown(filled: Shell) -> None:
    assert not any("sleep" in about for about in ask(filled, "memos show ").values())


def test_only_what_a_principal_may_read_is_offered(filled: Shell) -> None:
    assert not ask(filled, "memos show ", env={"MEMOS_AS": "user:bo"})
    assert not ask(filled, "memos show --as user:bo ") and not ask(filled, "memos list --as agent:x --tag ")
    filled("grant", "tag:work", "user:bo")
    assert len(ask(filled, "memos show --as user:bo ")) == 2
    assert ask(filled, "memos list --tag ", env={"MEMOS_AS": "user:bo"}).keys() == {
        "board games", "work/port"
    }  # fmt: skip
    token = filled("access", "token", "create", "user:bo", "--role", "reader").out.strip()
    owner = filled("access", "token", "create", "user:ann", "--role", "owner").out.strip()
    filled("access", "token", "require", env={"MEMOS_TOKEN": owner})
    assert not ask(filled, "memos show ")
    assert not ask(filled, "memos show ", env={"MEMOS_TOKEN": "memos_x"})
    assert len(ask(filled, "memos show ", env={"MEMOS_TOKEN": token, "MEMOS_AS": "user:bo"})) == 2
    filled("access", "token", "require", "--off", env={"MEMOS_TOKEN": owner})


def test_the_vault_is_only_read(filled: Shell) -> None:
    def files() -> dict[str, tuple[int, str]]:
        return {
            str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in filled.vault.rglob("*")
            if path.is_file()
        }

    before = files()
    for line in ("memos show ", "memos list --tag ", "memos view remove ", "memos show --as user:bo "):
        ask(filled, line)
    assert files() == before


def test_every_error_is_silent(shell: Shell, filled: Shell) -> None:
    file = filled.write("config.toml", "reader = [")
    assert not ask(filled, "memos show ", env={"MEMOS_CONFIG": str(file)})
    assert not ask(filled, "memos show ", env={"MEMOS_VAULT": "/none"})
    assert not ask(filled, "memos show --as nobody ")
    assert not ask(filled, "memos show ~nobody/", env={"MEMOS_AS": "x"})
    assert ask(filled, "memos sea", env={"MEMOS_CONFIG": str(file)}).keys() == {"search"}
    os.truncate(filled.vault / "VAULT.toml", 3)
    identity = filled.vault / "VAULT.toml"
    assert not ask(filled, "memos show ")
    identity.unlink()
    assert not ask(filled, "memos show ")
    filled("init")


def test_an_encrypted_vault_is_read_with_its_key_file_only(shell: Shell) -> None:
    pytest.importorskip("sqlcipher3")
    key = shell.folder / "vault.key"
    shell("init", "--encrypt", "--key-file", key, env={"MEMOS_READER": "/none.gguf"})
    ids = {*shell.keep("Cats sleep.")}
    assert ask(shell, "memos show ").keys() == ids
    key.rename(shell.folder / "moved.key")
    assert not ask(shell, "memos show ")
    assert ask(shell, "memos show ", env={"MEMOS_KEY_FILE": str(shell.folder / "moved.key")}).keys() == ids


def test_little_is_loaded(filled: Shell) -> None:
    asked = {**filled.environment(), "_MEMOS_COMPLETE": "bash"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shell, "environment", lambda self: asked)
        patch.setattr("cli_harness.LIST_MODULES", LIST_MODULES)
        modules = loaded(filled, "memos show ")
    assert "memos_cli.interface.completion_values" in modules
    heavy = {"typer", "rich", "numpy", "click", "llama_cpp", "memos_cli.infrastructure.storage.fulltext"}
    assert not heavy & modules


LIST_MODULES = """
import os, sys
from pathlib import Path
target = sys.argv.pop(1)
def leave(code):
    Path(target).write_text("\\n".join(sys.modules))
    raise SystemExit(code)
os._exit = leave
from memos_cli.__main__ import main
main()
"""
"""As cli_harness.LIST_MODULES, for a process that ends without Python's own end."""


# --- the shells ------------------------------------------------------------------------------------


@pytest.fixture
def program(filled: Shell) -> Mapping[str, str]:
    """Variables with which shells find ``memos``."""
    folder = filled.folder / "bin"
    folder.mkdir()
    (folder / "memos").write_text(f'#!/bin/sh\nexec {sys.executable} -m memos_cli "$@"\n')
    (folder / "memos").chmod(0o755)
    return {**filled.environment(), "PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb"}


def run(program: Mapping[str, str], filled: Shell, *command: str) -> list[str]:
    done = subprocess.run(command, env=program, cwd=filled.work, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("memos view remove my", [r"my\ view"]),
        ("memos view remove 'my", ["my view"]),
        ("memos search --tag=bo", [r"board\ games"]),
        ("memos search --tag $", [r"\$\(touch\ pwned\)"]),
        (r"memos search --tag \$", [r"\$\(touch\ pwned\)"]),
        ('memos search --tag "$', []),
        ("memos search --tag '$", []),
        ("memos view remove a:", ["b"]),
        ("memos feed publ", ["publish"]),
        ("memos ingest not", []),
    ],
)
def test_bash(program: Mapping[str, str], filled: Shell, line: str, replies: list[str]) -> None:
    script = filled.write("memos.bash", filled("completion", "bash").out)
    ask = f'source "{script}"; COMP_LINE=$1 COMP_POINT=${{#1}}; _memos_completion memos; '
    ask += "((${#COMPREPLY[@]})) && printf '%s\\n' \"${COMPREPLY[@]}\"; complete -p memos"
    *found, registered = run(program, filled, "bash", "--norc", "-c", ask, "bash", line)
    assert found == replies
    assert "_memos_completion" in registered


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish(program: Mapping[str, str], filled: Shell) -> None:
    script = filled.write("memos.fish", filled("completion", "fish").out)
    for line, wanted in (
        ("memos view remove my", ["my view"]),
        ("memos search --tag=bo", ["--tag=board games"]),
        ("memos view remove a:", ["a:b"]),
        ("memos feed publ", ["publish"]),
        ("memos ingest mem", ["memos.fish"]),
    ):
        ask = f"source '{script}'; complete -C '{line}'"
        found = run(program, filled, "fish", "--no-config", "-c", ask)
        assert [each.split("\t")[0] for each in found] == wanted, line


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_the_tab_key(program: Mapping[str, str], filled: Shell, name: str) -> None:
    """What TAB writes into a line is run: it removes a view whose name has a space."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    file = filled("completion", name, "--install", env=program).out.strip()
    assert Path(file).read_text() == filled("completion", name).out
    start = f"source '{file}'"
    if name == "zsh":
        start = f"fpath=('{Path(file).parent}' $fpath); autoload -Uz compinit; compinit -u -D"
    command = ["bash", "--norc", "--noprofile", "-i"] if name == "bash" else ["zsh", "-f", "-i"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=filled.work, start_new_session=True,
        env={**program, "PS1": "<ready>", "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    for keys, shown in (
        (b"", b"<ready>"),
        (f"{start}\n".encode(), b"<ready>"),
        (b"memos view remove my\t", b"view"),
        (b"\n", b"removed my view"),
        (b"exit\n", None),
    ):
        os.write(ours, keys)
        assert shown is None or shown in read_until(ours, shown), keys
    process.wait(timeout=30)
    os.close(ours)
    assert "my view" not in filled("view", "list").out


def read_until(descriptor: int, shown: bytes) -> bytes:
    """Read what a terminal shows up to ``shown``; what it echoes of the keys does not count."""
    out, end = b"", time.monotonic() + 30
    while shown not in out.replace(b"view remove", b"") and time.monotonic() < end:
        if select.select([descriptor], [], [], 0.5)[0]:
            out += os.read(descriptor, 65536)
    return out


def test_scripts_are_installed_where_shells_look(shell: Shell) -> None:
    home = shell.folder / "home"
    assert (
        shell("completion", "fish", "--install").out.strip() == f"{home}/.config/fish/completions/memos.fish"
    )
    env = {"SHELL": "/bin/zsh", "XDG_DATA_HOME": str(shell.folder / "data")}
    assert shell("completion", "--install", "--json", env=env).record == {
        "shell": "zsh", "file": str(shell.folder / "data/zsh/site-functions/_memos"),
    }  # fmt: skip
    shell("completion", "tcsh", code=2)
    shell("completion", env={"SHELL": ""}, code=2)
    (home / ".local").mkdir(exist_ok=True)
    (home / ".local" / "share").write_text("a file")
    assert "--install" in shell("completion", "bash", "--install", code=1).err
