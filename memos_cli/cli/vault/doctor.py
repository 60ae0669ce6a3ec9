"""``memos doctor``: check whether memos works on this machine."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from memos_cli.cli.context import State

if TYPE_CHECKING:
    from pathlib import Path

    from memos_cli.interface.doctor.report import Line


def doctor(state: State) -> None:
    """Check the installation, the models and the vault.

    Each line says ok, warn (something is missing or slow) or fail (something does not work). It looks at
    packages, settings, vault, disk, models, llama.cpp, the processor, agents and cron. Nothing is
    written or downloaded. With --quiet, only warnings and failures are printed. `memos check` verifies the
    whole vault.

    Exit code 1 if a check fails.

    Example:
      memos doctor
      memos doctor --json
    """
    output = state.output
    lines = list(_examine(state.flags))
    shown = [each for each in lines if not (output.quiet and each.state == "ok")]
    if output.on_terminal and not output.json:
        output.lines(_lay_out(shown, shutil.get_terminal_size().columns))
    else:
        output.listing(
            shown,
            asdict,
            "state, check, found, try",
            lambda each: (each.state, each.check, each.message, each.hint),
        )
    if any(each.state == "fail" for each in lines):
        raise typer.Exit(1)


def _examine(flags: dict[str, object]) -> Iterator[Line]:
    """Run all checks. llama.cpp loads in another process meanwhile."""
    from memos_cli.models.llama.probe import start_probe

    process = start_probe()
    from memos_cli.interface.doctor import client_checks, model_checks, package_checks, report, vault_checks

    settings, about_settings = vault_checks.read_settings(flags)
    folder, identity = vault_checks.find_vault(settings)
    named = (identity.reader, identity.embedder) if identity else ("", None)
    yield from report.run(
        {
            "python": package_checks.check_python,
            "packages": package_checks.check_packages,
            "settings": lambda: [about_settings],
            "vault": lambda: vault_checks.check_vault(settings),
            "database": lambda: vault_checks.check_database(settings, folder, identity),
            "disk": lambda: vault_checks.check_disk(folder),
            "models": lambda: model_checks.check_models(settings, *named),
            "llama.cpp": lambda: model_checks.check_llama(process),
            "mcp": client_checks.check_clients,
            "hooks": client_checks.check_hooks,
            "cron": lambda: _check_cron(folder),
        }
    )


def _check_cron(folder: Path | None) -> Iterator[Line]:
    """Check that the nightly maintenance of the vault is set up, and that its program exists."""
    from memos_cli.cli.vault import crontab
    from memos_cli.interface.doctor.report import Line

    if folder is None or not (folder / "VAULT.toml").exists():
        return
    found = crontab.installed(folder)
    if not found:
        hint = f"memos cron --install{'' if shutil.which('crontab') else ', or memos cron --systemd'}"
        yield Line("cron", "ok", "no nightly maintenance of this vault", hint)
        return
    words: list[str] = []
    if not found.endswith(".timer"):  # the sixth field of a line of crontab is the command
        with suppress(ValueError):
            words = shlex.split(found.split(maxsplit=5)[-1].replace(r"\%", "%"))
    if words and not shutil.which(words[0]):
        yield Line("cron", "warn", f"the nightly maintenance starts {words[0]}, which does not exist",
                   "memos cron --install", {"line": found})  # fmt: skip
    else:
        yield Line("cron", "ok", f"nightly maintenance: {found}", "", {"line": found})


def _lay_out(lines: Sequence[Line], width: int) -> Iterator[str]:
    """Yield the lines for a terminal, each with what to type below it."""
    import textwrap

    names = max((len(each.check) for each in lines), default=0)
    indent = min(names + 8, max(2, width // 4))
    for each in lines:
        start = f"{each.state:<4}  {each.check:<{names}}  "
        if len(start) > indent:  # a narrow terminal
            start = f"{each.state} {each.check}: "
        yield textwrap.fill(
            each.message, max(width, 20), initial_indent=start, subsequent_indent=" " * indent,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
        if each.hint:
            yield f"{' ' * indent}try: {each.hint}"
