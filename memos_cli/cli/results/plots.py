"""Plots: checks of the file, and the heat of memories."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import UsageError
from memos_cli.files import forbid_vault, write_output

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PLOTS = (".svg", ".png")


def plot_file(name: str) -> Path:
    """Return the file to draw. Raises UsageError early, before minutes of measuring."""
    path = Path(name)
    if path.suffix.lower() not in _PLOTS:
        raise UsageError(f"{name} is neither a .svg nor a .png", "give it such a name: --plot speed-up.svg")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.absolute().parent}", "create it, or name another file")
    forbid_vault(path)
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("plots need matplotlib, which is not installed", "pip install 'memos-cli[plot]'")
    return path


def draw_heats(heats: Sequence[float], path: Path) -> None:
    """Draw the heat of memories, the hottest first."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="memories, the hottest first", ylabel="heat (uses, halved over time)")
    axes.bar(range(1, len(heats) + 1), heats, width=1.0)
    axes.grid(True, axis="y", alpha=0.3)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure to ``path``, in the format of its file ending."""
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:].lower())
    write_output(path, picture.getvalue())
