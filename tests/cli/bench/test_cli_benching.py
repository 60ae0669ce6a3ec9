"""memos bench ttft."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial

import pytest
from cli_harness import Result, Shell
from tiny_models import write_model

SPREADS = {"text", "state", "again", "resident", "floor", "restore", "read"}
RATIOS = {
    "speed_up", "speed_up_again",
    "state_to_resident", "again_to_resident", "state_to_floor", "restore_to_read",
}  # fmt: skip
SPREAD = {"median", "least", "most", "rounds"}


@pytest.fixture
def bench(shell: Shell) -> Callable[..., Result]:
    """A quick run: a tiny model, one short length, and no embedder."""
    path = write_model(shell.folder / "tiny.gguf", "llama")
    usual = ("--model", path, "--tokens", "448", "--question", "60", "--rounds", "1")
    return partial(shell, "bench", "ttft", *usual, env={"MEMOS_EMBEDDER": str(shell.folder / "none")})


def test_the_json_of_a_length_has_these_keys(bench: Callable[..., Result]) -> None:
    record = bench("--cold-rounds", "1", "--json").record
    counts = {"model", "asked", "tokens", "held", "question", "decoded", "bytes", "build"}
    assert record.keys() == counts | SPREADS | RATIOS | {"cold"}
    assert all(record[name].keys() == SPREAD for name in SPREADS)
    assert record["cold"].keys() == {"text", "state", "text_wall", "state_wall", "speed_up"}
    assert all(record["cold"][name].keys() == SPREAD for name in record["cold"].keys() - {"speed_up"})
    assert (record["asked"], record["held"], record["decoded"]) == (448, 448, 60)


def test_lengths_are_columns_and_progress_is_not_part_of_the_result(bench: Callable[..., Result]) -> None:
    done = bench("--tokens", "512,448,512", "--no-cold")
    rows = {row[0]: row[1:] for row in done.rows}
    assert rows["tokens in the state"] == ["512", "448"]
    assert rows["tokens read after it"] == ["60", "60"]
    assert "text / state" in rows
    assert "command: text / state" not in rows
    assert "512 tokens: " in done.err and "448 tokens: " in done.err
    assert bench("--no-cold", "--quiet").err == ""


def test_whole_commands_add_rows(bench: Callable[..., Result]) -> None:
    names = [row[0] for row in bench("--cold-rounds", "1").rows]
    assert "command: text / state" in names


def test_no_vault_is_made_and_none_is_needed(shell: Shell, bench: Callable[..., Result]) -> None:
    bench("--no-cold")
    assert not shell.vault.exists()


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")
@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("PNG", b"\x89PNG")])
def test_a_plot_is_drawn_in_the_form_of_its_suffix(
    shell: Shell, bench: Callable[..., Result], suffix: str, start: bytes
) -> None:
    bench("--no-cold", "--plot", f"speed.{suffix}")
    assert (shell.work / f"speed.{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["speed.pdf", "speed", "no/such/folder/speed.svg"])
def test_a_plot_that_cannot_be_drawn_is_refused_before_measuring(
    bench: Callable[..., Result], name: str
) -> None:
    assert "tokens" not in bench("--plot", name, code=2).err


def test_without_matplotlib_a_plot_is_refused_with_what_to_install(
    shell: Shell, bench: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "matplotlib" else found(name, *more)
    )
    assert "pip install 'memos-cli[plot]'" in bench("--plot", "speed.svg", code=2).err
    assert not (shell.work / "speed.svg").exists()


@pytest.mark.parametrize("lengths", ["", "many", "512,", "0", "-5"])
def test_lengths_that_are_none_are_refused(shell: Shell, lengths: str) -> None:
    assert "--tokens 512,2048" in shell("bench", "ttft", f"--tokens={lengths}", code=2).err


def test_a_model_that_was_trained_for_none_of_the_lengths_is_said_so(bench: Callable[..., Result]) -> None:
    done = bench("--tokens", "9000", "--no-cold", code=2)
    assert "left out, the model was trained for 2,048" in done.err
    assert "shorter" in done.err
