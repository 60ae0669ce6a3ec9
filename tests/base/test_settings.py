"""Settings: which of flag, environment, file and default wins, and what a wrong value says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memos_cli.errors import UsageError
from memos_cli.folders import cache_folder, config_file
from memos_cli.settings import Settings, load_settings, principal_of, vault_folder


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    file = written(tmp_path, "[search]\nk = 7\nbalance = 1\n[lock]\ntimeout = 2.5\n")
    environment = {"MEMOS_SEARCH_K": "8", "MEMOS_SEARCH_BALANCE": "0.25"}
    settings, origins = load_settings({"search_k": 9, "reader": None}, environment, file)
    assert (settings.search_k, settings.search_balance, settings.lock_timeout) == (9, 0.25, 2.5)
    came_from = {origin.key: origin.origin for origin in origins}
    assert came_from["search.k"] == "flag"
    assert came_from["search.balance"] == "MEMOS_SEARCH_BALANCE"
    assert came_from["lock.timeout"] == str(file)
    assert came_from["model"] == "default"


def test_every_setting_is_told_with_its_help(tmp_path: Path) -> None:
    settings, origins = load_settings({}, {}, tmp_path / "missing.toml")
    assert settings == Settings()
    assert len({origin.key for origin in origins}) == len(origins)
    assert all(origin.about for origin in origins)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serach.k = 3", "unknown setting 'serach.k'"),
        ("search.k = 'many'", "is not a number"),
        ("search.k = true", "is not a number"),
        ("search.k = nan", "is not a number"),
        ("search.k = inf", "is not a number"),
        ("search.k = 2.5", "is not a number"),
        ("lock.timeout = nan", "is not a number"),
        ("lock.timeout = -1", "is below 0"),
        ("search.k = 0", "is below 1"),
        ("search.balance = 1.5", "is above 1"),
        ("heat.half_life = 0", "is below 0.01"),
        ("threads = 99999", "is above 512"),
        ("reader = 3", "is not text"),
        ("reader = [", "not TOML"),
        ("activation.kv_type = 'f32'", "none of f16, q8_0"),
        ("activation.kv_type = ''", "none of f16, q8_0"),
        ("activation.kv_type = 16", "is not text"),
    ],
)
def test_a_wrong_file_is_refused_and_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_settings({}, {}, written(tmp_path, text))
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_is_not_utf8_or_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"reader = '\xff'")
    for path in (tmp_path / "config.toml", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            load_settings({}, {}, path)


def test_a_wrong_value_in_the_environment_names_the_variable() -> None:
    with pytest.raises(UsageError, match="MEMOS_LOCK_TIMEOUT"):
        load_settings({}, {"MEMOS_LOCK_TIMEOUT": "soon"}, Path("/missing"))


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_how_the_reader_keeps_what_it_has_read_is_one_of_two(tmp_path: Path, kind: str) -> None:
    settings, _ = load_settings({}, {"MEMOS_ACTIVATION_KV_TYPE": kind}, tmp_path / "missing.toml")
    assert settings.activation_kv_type == kind


def test_folders_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vault_folder(Settings(vault="~/v")) == Path.home() / "v"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("MEMOS_CACHE")
    monkeypatch.delenv("MEMOS_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Path.home() == tmp_path
    for folder in (vault_folder(Settings()), cache_folder(), config_file()):
        assert "memos" in folder.parts
    monkeypatch.setenv("MEMOS_CACHE", str(tmp_path / "c"))
    monkeypatch.setenv("MEMOS_CONFIG", str(tmp_path / "c.toml"))
    assert (cache_folder(), config_file()) == (tmp_path / "c", tmp_path / "c.toml")


def test_a_principal_is_a_user_or_an_agent() -> None:
    assert principal_of(Settings(principal="agent:bot")) == "agent:bot"
    assert principal_of(Settings()).startswith("user:")
    for wrong in ("ann", "user:", "root:ann"):
        with pytest.raises(UsageError, match=repr(wrong)):
            principal_of(Settings(principal=wrong))


def test_the_library_loads_what_is_used_of_it() -> None:
    """`memos --version` imports the package, and none of the library."""
    program = """
import sys, memos_cli
assert [name for name in sys.modules if name.startswith("memos_cli.")] == []
for name in memos_cli.__all__:
    assert getattr(memos_cli, name).__name__ == name
from memos_cli import Filter, Memos
try:
    memos_cli.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "module 'memos_cli' has no attribute 'nothing'\n"


def test_an_old_name_of_a_setting_still_works(tmp_path: Path) -> None:
    old, new = {"MEMOS_READER": "a"}, {"MEMOS_MODEL": "b"}
    file = written(tmp_path, 'reader = "c"\n')
    assert load_settings(environment={}, file=file)[0].reader == "c"
    assert load_settings(environment=old, file=file)[0].reader == "a"
    assert load_settings(environment=old | new, file=file)[0].reader == "b"
    file = written(tmp_path, 'reader = "c"\nmodel = "d"\n')
    assert load_settings(environment={}, file=file)[0].reader == "d"


def test_a_setting_may_be_a_list(tmp_path: Path) -> None:
    file = written(tmp_path, '[network]\nallow = ["a.example", "b.example:80"]\n')
    assert load_settings(environment={}, file=file)[0].network_allow == ("a.example", "b.example:80")
    environment = {"MEMOS_NETWORK_ALLOW": "c.example, d.example,"}
    assert load_settings(environment=environment, file=file)[0].network_allow == ("c.example", "d.example")
    for wrong in ('"a" = 1', "allow = 3", "allow = [1]", "allow = {x = 1}"):
        with pytest.raises(UsageError):
            load_settings(environment={}, file=written(tmp_path, f"[network]\n{wrong}\n"))
