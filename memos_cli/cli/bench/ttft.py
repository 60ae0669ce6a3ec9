"""``memos bench ttft``: how much faster this machine answers with saved states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.results.plots import plot_file, save
from memos_cli.cli.shared_options import Model, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.interface.bench.first_token import Measured, Spread


def ttft(
    state: State,
    model: Model = None,
    tokens: Annotated[str, opt("--tokens N,N…", "Lengths of the memories, in tokens.")] = "512,2048,6000",
    question: Annotated[int, opt("--question", "Length of the question, in tokens.", min=1)] = 16,
    rounds: Annotated[int, opt("--rounds", "Rounds; the median counts.", min=1)] = 5,
    text_rounds: Annotated[
        int, opt("--text-rounds", "Rounds with text. Default: as many, but 2 of long ones.", min=0)
    ] = 0,
    cold_rounds: Annotated[int, opt("--cold-rounds", "Rounds of whole commands.", min=1)] = 3,
    no_cold: Annotated[bool, opt("--no-cold", "Do not measure whole commands.")] = False,
    plot: Annotated[str, opt("--plot FILE", "Draw the speed-ups: a .svg or .png.")] = "",
) -> None:
    """Compare the time to first token with text and with states.

    It measures within one process and as whole commands, in turns, with generated memories in a temporary
    vault; your vaults are not touched. Seconds are medians, with minimum and maximum in brackets. The floor
    is the least time possible: reading the state's file and the question.

    Example:
      memos bench ttft
      memos bench ttft --tokens 512,1024 --no-cold --plot speed-up.svg
    """
    from memos_cli.interface.bench.first_token import measure_first_token

    lengths = _read_lengths(tokens)
    target = plot_file(plot) if plot else None
    output = state.output
    measured = []
    with state.open(reader=model) as memos, output.progress("measurements") as (count,):
        for one in measure_first_token(
            memos.settings, lengths,
            question=question, rounds=rounds, text_rounds=text_rounds,
            cold_rounds=0 if no_cold else cold_rounds, on_note=output.note, on_step=count,
        ):  # fmt: skip
            measured.append(one)
            if output.json:
                output.record(one)
    if not measured:
        raise UsageError(
            "the model was not trained for any of these lengths", "name shorter ones in --tokens"
        )
    if not output.json:
        output.table(("", *(f"{one.asked:,}" for one in measured)), _rows(measured))
    if target is not None:
        _draw(measured, target)
        output.note(f"wrote {target}")


def _read_lengths(text: str) -> list[int]:
    try:
        lengths = [int(part) for part in text.split(",")]
    except ValueError:
        lengths = []
    if not lengths or min(lengths) < 1:
        raise UsageError(f"{text!r} is not a list of lengths", "write --tokens 512,2048")
    return [*dict.fromkeys(lengths)]


def _rows(measured: Sequence[Measured]) -> list[list[str]]:
    """Return a row for each figure, with a column for each length."""
    rows = [
        ["tokens in the state", *(f"{one.held:,}" for one in measured)],
        ["tokens read after it", *(f"{one.decoded:,}" for one in measured)],
        ["bytes of the state", *(f"{one.bytes:,}" for one in measured)],
        ["s  to make it", *(f"{one.build:.2f}" for one in measured)],
        ["s  text", *(_seconds(one.text) for one in measured)],
        ["s  state, first use", *(_seconds(one.state) for one in measured)],
        ["s  state, again", *(_seconds(one.again) for one in measured)],
        ["s  still in the model", *(_seconds(one.resident) for one in measured)],
        ["s  floor", *(_seconds(one.floor) for one in measured)],
        ["s  verify and restore", *(_seconds(one.restore) for one in measured)],
        ["s  plain read", *(_seconds(one.read) for one in measured)],
        ["text / state", *(f"{one.speed_up:.1f}" for one in measured)],
        ["text / state, again", *(f"{one.speed_up_again:.1f}" for one in measured)],
        ["state / still in the model", *(f"{one.state_to_resident:.2f}" for one in measured)],
        ["again / still in the model", *(f"{one.again_to_resident:.2f}" for one in measured)],
        ["state / floor", *(f"{one.state_to_floor:.2f}" for one in measured)],
        ["restore / plain read", *(f"{one.restore_to_read:.2f}" for one in measured)],
    ]
    colds = [one.cold for one in measured if one.cold]
    if colds:
        rows += [
            ["s  command with text", *(_seconds(cold.text) for cold in colds)],
            ["s  command with state", *(_seconds(cold.state) for cold in colds)],
            ["s  to its end, text", *(_seconds(cold.text_wall) for cold in colds)],
            ["s  to its end, state", *(_seconds(cold.state_wall) for cold in colds)],
            ["command: text / state", *(f"{cold.speed_up:.1f}" for cold in colds)],
        ]
    return rows


def _seconds(spread: Spread) -> str:
    digits = 2 if spread.median >= 10 else 3 if spread.median >= 0.1 else 4
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f}–{spread.most:.{digits}f})"


def _draw(measured: Sequence[Measured], path: Path) -> None:
    """Draw the speed-up against the length of memory, in a file: without pyplot, no window opens."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    points = sorted(measured, key=lambda one: one.held)
    lines = {
        "in process, first use of the state": [(one.held, one.speed_up) for one in points],
        "in process, later uses": [(one.held, one.speed_up_again) for one in points],
        "whole command": [(one.held, one.cold.speed_up) for one in points if one.cold],
    }
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(
        xscale="log", yscale="log", xlabel="tokens of memory", ylabel="time to first token: text / state"
    )
    for (label, line), marker in zip(lines.items(), "os^", strict=True):
        if line:
            axes.plot(*zip(*line, strict=True), marker=marker, label=label)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.set_xticks([one.held for one in points])
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    axes.set_title(f"{points[0].model}, a question of {points[0].question} tokens", fontsize=10)
    save(figure, path)
