"""Options and output that ``memos mcp install`` and ``memos hook install`` share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.shared_options import opt

if TYPE_CHECKING:
    from memos_cli.interface.client_settings.program_files import FileChange

ShowOnly = Annotated[bool, opt("--dry-run", "Show the difference, and change nothing.")]


def options_given(state: State) -> list[str]:
    """Return the options with which another command opens this vault as this principal, in this view."""
    from memos_cli.settings import check_principal, load_settings, vault_folder

    settings, origins = load_settings(state.flags)
    given = {each.key for each in origins if each.origin == "flag" or each.origin.startswith("MEMOS_")}
    words = []
    if "vault" in given:
        words += ["--vault", str(vault_folder(settings).absolute())]
    if "as" in given and settings.principal:
        words += ["--as", check_principal(settings.principal)]
    return words + (["--view", state.view] if state.view else [])


def print_change(state: State, kind: str, name: str, change: FileChange, done: str, *, dry_run: bool) -> None:
    """Print how the settings file of ``name`` was changed; ``kind`` is client or agent."""
    output, changed = state.output, change.changed and not dry_run
    if output.json:
        output.record({kind: name, "file": str(change.file), "changed": changed, "diff": change.diff})
    elif not change.changed:
        output.text(f"nothing to change in {change.file}")
    elif dry_run:
        output.text(change.diff, end="")
    else:
        output.text(f"{done} memos in {change.file}")


def print_steps(state: State, next_step: str, environment: str, words: Sequence[str]) -> None:
    """Print the remaining steps for a person: ``next_step``, make a vault, add the token, grant memories."""
    from memos_cli.settings import vault_folder

    hint = state.output.hint
    if next_step:
        hint(next_step)
    if not (vault_folder(state.settings()) / "VAULT.toml").exists():
        hint("note: there is no vault yet; create one: memos init")
    if "MEMOS_TOKEN" in os.environ:
        hint(f"note: the token is not written; add MEMOS_TOKEN to {environment}")
    if "--as" in words:
        who = words[words.index("--as") + 1]
        hint(f"note: {who} sees what it saved and what you grant it: memos grant tag:TAG {who}")
