"""``memos doctor``: what it says of a sound installation, and of each thing that can be wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cli_harness import REPOSITORY, Shell, make_vault, with_models

from memos_cli.interface.doctor import model_checks, package_checks, vault_checks

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")


def examine(
    shell: Shell, *, env: Mapping[str, str] | None = None, options: tuple[str, ...] = (), code: int = 0
) -> dict[str, Any]:
    """The lines by check; of several with one name, the one that says most."""
    lines = shell("doctor", "--json", *options, env=env, code=code).records
    assert code == any(line["state"] == "fail" for line in lines)
    assert all(line["hint"] for line in lines if line["state"] != "ok")
    worst = sorted(lines, key=lambda line: ("ok", "warn", "fail").index(line["state"]))
    return {line["check"]: line for line in worst}


def state_of_files(folder: Path) -> dict[str, tuple[int, str]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
    }


# --- nothing is wrong ------------------------------------------------------------------------------


@with_models
def test_each_part_of_a_sound_installation_is_ok(memos: Shell) -> None:
    memos.keep("The boiler was serviced in May.")
    found = examine(memos)
    assert found.keys() >= {
        "python", "packages", "extra", "settings", "vault", "database", "disk", "model", "embedder",
        "models", "llama.cpp", "processor", "mcp", "cron",
    }  # fmt: skip
    assert {line["state"] for line in found.values()} == {"ok"}
    assert found["vault"]["details"]["folder"] == str(memos.vault)
    assert found["vault"]["details"]["size"] >= (memos.vault / "memos.db").stat().st_size
    assert found["model"]["details"]["size"] == Path(found["model"]["details"]["path"]).stat().st_size
    assert Path(found["llama.cpp"]["details"]["library"]).exists()


def test_nothing_is_written(memos: Shell) -> None:
    memos.keep("The boiler was serviced in May.")
    before = state_of_files(memos.folder)
    examine(memos, env={"XDG_CACHE_HOME": str(memos.folder / "none"), "MEMOS_CACHE": ""})
    assert state_of_files(memos.folder) == before


def test_a_vault_in_use_is_read_and_left_as_it_is(memos: Shell) -> None:
    memos.keep("The boiler was serviced in May.")
    writer = sqlite3.connect(memos.vault / "memos.db", isolation_level=None)
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("UPDATE cube SET n = n")
    before = state_of_files(memos.vault)
    # As a process of its own: connections of one process share what they open.
    found = {line["check"]: line for line in memos.process("doctor", "--json").records}
    assert found["database"]["message"].startswith("sound")
    assert state_of_files(memos.vault) == before
    writer.close()


def test_a_check_that_would_take_long_ends(memos: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_checks, "_LONGEST", -1.0)
    monkeypatch.setattr(vault_checks, "_STEPS", 1)
    found = examine(memos)
    assert found["database"]["details"] == {"complete": False} and found["database"]["hint"] == "memos check"
    assert "more than" in found["vault"]["message"]


def test_there_is_no_vault_yet(shell: Shell) -> None:
    found = examine(shell)
    assert found["vault"]["state"] == "warn" and found["vault"]["hint"] == "memos init"
    assert "cron" not in found and not shell.vault.exists()


def test_without_a_place_for_a_vault_one_line_fails(shell: Shell) -> None:
    (shell.folder / "file").write_text("")
    for place in (shell.folder / "file" / "vault", "~nobody42/vault"):
        found = examine(shell, options=("--vault", str(place)), code=1)
        assert [name for name, line in found.items() if line["state"] == "fail"] == ["vault"]


def test_a_name_that_is_no_principal_fails(memos: Shell) -> None:
    found = examine(memos, options=("--as", "ann"), code=1)
    assert found["settings"]["state"] == "fail" and found["database"]["state"] == "ok"


def test_quiet_prints_warnings_and_failures_only(memos: Shell, shell: Shell) -> None:
    assert not [row for row in memos("doctor", "--quiet").rows if row[0] == "ok"]


@pytest.mark.parametrize("columns", [20, 40, 200])
def test_what_to_type_is_whole_on_every_terminal(shell: Shell, columns: int) -> None:
    out = shell.terminal("doctor", env={"COLUMNS": str(columns)}).out.replace("\r\n", "\n")
    assert "try: memos init\n" in out and "try: memos mcp install claude-code\n" in out


# --- something is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["reader = [", "redaer = 'x'", "threads = 'many'", "\0\xff"])
def test_damaged_settings_leave_the_other_checks(memos: Shell, content: str) -> None:
    file = memos.write("config.toml", content)
    found = examine(memos, env={"MEMOS_CONFIG": str(file)}, code=1)
    assert found["settings"]["state"] == "fail" and str(file) in found["settings"]["message"]
    assert found["vault"]["details"]["folder"] == str(memos.vault)


def test_a_bad_variable_leaves_the_other_checks(memos: Shell) -> None:
    found = examine(memos, env={"MEMOS_THREADS": "many"}, options=("--vault", str(memos.vault)), code=1)
    assert "MEMOS_THREADS" in found["settings"]["message"]
    assert found["database"]["state"] == "ok"


def damage_identity(vault: Path) -> None:
    (vault / "VAULT.toml").write_text("format = [")


def make_newer(vault: Path) -> None:
    file = vault / "VAULT.toml"
    file.write_text(file.read_text().replace("format = ", "format = 9"))


def drop_database(vault: Path) -> None:
    (vault / "memos.db").unlink()


def lose_identity(vault: Path) -> None:
    (vault / "VAULT.toml").unlink()


def replace_database(vault: Path) -> None:
    (vault / "memos.db").unlink()
    with sqlite3.connect(vault / "memos.db") as other:
        other.execute("CREATE TABLE t (x)")
    other.close()


def damage_database(vault: Path) -> None:
    database = vault / "memos.db"
    with database.open("r+b") as file:
        for page in range(2, database.stat().st_size // 4096):
            file.seek(4096 * page)
            file.write(b"\xff" * 4096)


def cut_database(vault: Path) -> None:
    os.truncate(vault / "memos.db", 4096)


def open_to_all(vault: Path) -> None:
    vault.chmod(0o777)


@pytest.mark.parametrize(
    ("damage", "check", "said"),
    [
        (damage_identity, "vault", "VAULT.toml is damaged"),
        (make_newer, "vault", "this program knows"),
        (drop_database, "vault", "memos.db is missing"),
        (lose_identity, "vault", "no VAULT.toml"),
        (replace_database, "database", "not the database of a vault"),
        (damage_database, "database", "damaged"),
        (cut_database, "database", "damaged"),
        (open_to_all, "vault", "everybody may write"),
    ],
)
def test_a_damaged_vault_fails(shell: Shell, damage: Any, check: str, said: str) -> None:
    make_vault(shell)
    shell.keep("The boiler was serviced in May.")
    damage(shell.vault)
    before = state_of_files(shell.vault)
    found = examine(shell, code=1)
    assert found[check]["state"] == "fail" and said in found[check]["message"], found[check]
    assert state_of_files(shell.vault) == before


def test_an_encrypted_vault_is_opened_with_its_key_file(shell: Shell) -> None:
    pytest.importorskip("sqlcipher3")
    key = shell.folder / "vault.key"
    shell("init", "--encrypt", "--key-file", key, env={"MEMOS_READER": "/none.gguf"})
    found = examine(shell)
    assert found["vault"]["details"]["encrypted"] and found["database"]["message"].startswith("sound")
    key.unlink()
    found = examine(shell, code=1)
    assert found["key"]["state"] == "fail" and "database" not in found


def test_a_key_for_a_vault_that_is_not_encrypted_fails(memos: Shell) -> None:
    found = examine(memos, env={"MEMOS_KEY_FILE": "/none"}, code=1)
    assert "is not encrypted" in found["key"]["message"]


# --- llama.cpp -------------------------------------------------------------------------------------


def test_without_llama_cpp_the_other_checks_run(memos: Shell) -> None:
    links = memos.folder / "packages"
    links.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith("llama_cpp") and entry.suffix != ".pth":
            (links / entry.name).symlink_to(entry)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "memos_cli", "doctor", "--json"],
        env={**memos.environment(), "PYTHONPATH": f"{REPOSITORY}:{links}"},
        cwd=memos.work, capture_output=True, timeout=60,
    )  # fmt: skip
    found = {line["check"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1 and not done.stderr
    assert "not installed" in found["llama.cpp"]["message"] and "pip install" in found["llama.cpp"]["hint"]
    assert found["database"]["state"] == "ok"
    assert "llama-cpp-python" in found["packages"]["message"]


@with_models
@needs_compiler
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("int llama;", "does not load"),
        ('__attribute__((constructor)) void end(void) { __asm__("ud2"); }', "ends the process that loads it"),
        ("#include <stdlib.h>\n__attribute__((constructor)) void end(void) { exit(0); }", "ends the process"),
    ],
)
def test_a_library_that_does_not_run_here_fails(shell: Shell, source: str, said: str) -> None:
    if "ud2" in source and os.uname().machine != "x86_64":
        pytest.skip("an instruction of x86-64")
    file = shell.write("library.c", source)
    command = ["cc", "-shared", "-fPIC", "-o", shell.work / "libllama.so", file]
    subprocess.run(command, check=True, timeout=60)
    found = examine(shell, env={"LLAMA_CPP_LIB_PATH": str(shell.work)}, code=1)
    assert said in found["llama.cpp"]["message"]
    assert found["llama.cpp"]["hint"] == "unset LLAMA_CPP_LIB_PATH"


@pytest.mark.parametrize(
    ("features", "flags", "state", "said"),
    [
        ("CPU : SSE3 = 1 | AVX2 = 1 | OPENMP = 1 |", "pni avx2", "ok", "uses AVX2, SSE3"),
        ("CPU : SSE3 = 1 | AVX2 = 1 | ", "pni avx2 avx512f", "ok", "not AVX512"),
        ("CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 1 | ", "pni avx2", "fail", "lacks AVX512"),
        ("CPU : AVX512 = 1 | AVX512_BF16 = 1 | ", "pni avx512f avx512_bf16", "ok", "AVX512_BF16"),
        ("CPU : SSE3 = 1 | AVX2 = 0 |", "pni avx2", "warn", "slow"),
        ("CPU : NEON = 1 | ARM_FMA = 1 |", "", "ok", "NEON"),
        ("", "", "ok", ""),
    ],
)
def test_llama_cpp_is_compared_with_the_processor(
    tmp_path: Path, features: str, flags: str, state: str, said: str
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n" if flags else "Features : neon\n")
    line = model_checks._judge_processor(features, "a processor", cpuinfo)
    assert line.state == state and said in line.message


def test_missing_models_are_warnings(shell: Shell) -> None:
    found = examine(shell, env={"MEMOS_READER": "/none.gguf", "MEMOS_EMBEDDER": "nobody/nothing"})
    assert found["model"]["state"] == found["embedder"]["state"] == "warn"


# --- packages, agents, cron ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "problem"),
    [
        ("", False), (">=1", False), (">=1,<99", False), (">=99", True), ("<1", True), ("==0.0.1", True),
        ("<=1", True), (">1.0", False),
    ],
)  # fmt: skip
def test_versions_are_compared(bounds: str, problem: bool) -> None:
    assert bool(package_checks._problem("pytest", bounds)) == problem
    assert package_checks._problem("no-such-package", bounds) == "no-such-package"


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.13.0+cpu", (2, 13)), ("1.0", (1,)), ("10.20.30", (10, 20, 30)), ("3.0.0rc1", (3,)), ("x", ())],
)
def test_numbers_of_a_version(version: str, numbers: tuple[int, ...]) -> None:
    assert package_checks._numbers(version) == numbers


def test_entries_of_clients_are_compared_with_this_program(memos: Shell) -> None:
    pytest.importorskip("tomlkit")
    memos("mcp", "install", "cursor")
    assert examine(memos)["mcp"]["details"]["state"] == "installed"
    file = memos.folder / "home" / ".cursor" / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"memos": {"command": "/gone/memos", "args": ["mcp"]}}}))
    line = examine(memos)["mcp"]
    assert line["state"] == "warn" and line["hint"] == "memos mcp install cursor"
    file.write_text("{")
    assert "not" in examine(memos)["mcp"]["message"]


def test_hooks_of_agents_are_checked(memos: Shell) -> None:
    pytest.importorskip("memos_cli.interface.hooks")
    assert examine(memos)["hook"]["hint"] == "memos hook install claude"
    memos("hook", "install", "claude")
    assert examine(memos)["hook"]["details"]["state"] == "installed"


def test_the_line_of_cron_and_its_program(memos: Shell) -> None:
    tab, crontab = memos.folder / "tab", memos.folder / "bin" / "crontab"
    tab.write_text("")
    crontab.parent.mkdir()
    crontab.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat "{tab}"; else cat > "{tab}"; fi\n')
    crontab.chmod(0o755)
    env = {"PATH": f"{crontab.parent}:/usr/bin:/bin"}
    assert examine(memos, env=env)["cron"]["hint"] == "memos cron --install"
    memos("cron", "--install", env=env)
    assert "maintain" in examine(memos, env=env)["cron"]["message"]
    line = tab.read_text()
    tab.write_text(f"#{line}")
    assert examine(memos, env=env)["cron"]["message"].startswith("no nightly")
    tab.write_text(line.replace(line.split()[5], "/gone/memos"))
    found = examine(memos, env=env)["cron"]
    assert found["state"] == "warn" and "/gone/memos" in found["message"]
