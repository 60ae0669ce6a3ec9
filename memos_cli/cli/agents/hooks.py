"""Commands of ``memos hook``: what agents run during a session, and the settings that make them do so."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from memos_cli.cli.agents.hook_guard import detach, report, seconds_left, seconds_used
from memos_cli.cli.agents.program_settings import ShowOnly, options_given, print_change, print_steps
from memos_cli.cli.context import State
from memos_cli.cli.shared_options import View, arg, opt
from memos_cli.counts import counted
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.interface.client_settings.program_files import Status
    from memos_cli.interface.hooks.agents import Agent
    from memos_cli.interface.hooks.calls import Call
    from memos_cli.interface.memory import Memos
    from memos_cli.settings import Settings

Caller = Annotated[str, opt("--agent NAME", "claude, codex, gemini or cursor. Default: detect it (auto).")]
_LOCK_SHARE = 0.5
"""Maximum share of the remaining time to wait for a lock."""
AgentName = Annotated[str, arg("AGENT", "claude, codex, gemini or cursor.")]
SettingsFile = Annotated[
    str, opt("--file FILE", "Edit this file, such as a project's .claude/settings.json.")
]


def start(state: State, agent: Caller = "auto", view: View = None) -> None:
    """Print the memories of a project, for an agent.

    An agent runs it when a session starts; `memos hook install AGENT` adds it to the agent's settings. It
    reads the agent's JSON on stdin. It prints pinned memories, and the newest ones with the tag project/NAME,
    where NAME is the git repository. It always exits with 0. If it fails, it prints nothing.

    Example:
      cat input.json | memos hook start --agent claude
    """
    _print_memories(state, "start", agent)


def prompt(state: State, agent: Caller = "auto", view: View = None) -> None:
    """Print the memories that are relevant to a prompt, for an agent.

    An agent runs it at each prompt. It prints nothing if no memory reaches the setting query.relevance, or if
    it is not ready within hook.deadline seconds. No language model is loaded. It always exits with 0.

    Example:
      cat input.json | memos hook prompt --agent claude
    """
    _print_memories(state, "prompt", agent)


def stop(state: State, agent: Caller = "auto", view: View = None) -> None:
    """Import the new turns of a session, in the background.

    An agent runs it after each answer. It prints nothing and exits with 0. Set hook.transcripts to never
    if you do not want your sessions imported.

    Example:
      cat input.json | memos hook stop --agent codex
    """
    _import_session(state, "stop", agent)


def end(state: State, agent: Caller = "auto", view: View = None) -> None:
    """Import a session that has ended, in the background.

    Example:
      cat input.json | memos hook end --agent claude
    """
    _import_session(state, "end", agent)


def compact(state: State, agent: Caller = "auto", view: View = None) -> None:
    """Import a session before the agent shortens it, in the background.

    Example:
      cat input.json | memos hook compact --agent claude
    """
    _import_session(state, "compact", agent)


def install(
    state: State, agent: AgentName, file: SettingsFile = "", dry_run: ShowOnly = False, view: View = None
) -> None:
    """Add memos to the hooks of an agent, in its user settings.

    Only the hooks of memos are changed; comments, all other hooks and settings stay. The command contains the
    absolute path of this program, and --vault, --as and --view if you give them. Tokens are not written.

    Example:
      memos hook install claude --dry-run
      memos hook install codex --as agent:codex
    """
    from memos_cli.interface.hooks import installing
    from memos_cli.interface.hooks.agents import agent_named

    chosen, options = agent_named(agent), options_given(state)
    change = installing.install(chosen, options, _place(chosen, file), dry_run=dry_run)
    print_change(state, "agent", chosen.name, change, "installed", dry_run=dry_run)
    next_step = f"{chosen.title}: {chosen.next_step}" if change.changed and not dry_run else ""
    environment = f"the environment in which the agent starts, not in {change.file}"
    print_steps(state, next_step, environment, options)


def remove(state: State, agent: AgentName, file: SettingsFile = "", dry_run: ShowOnly = False) -> None:
    """Remove memos from the hooks of an agent.

    Example:
      memos hook remove claude
    """
    from memos_cli.interface.hooks import installing
    from memos_cli.interface.hooks.agents import agent_named

    chosen = agent_named(agent)
    change = installing.remove(chosen, _place(chosen, file), dry_run=dry_run)
    print_change(state, "agent", chosen.name, change, "removed", dry_run=dry_run)


def status(
    state: State,
    agent: Annotated[str, arg("[AGENT]", "Default: all agents.")] = "",
    file: SettingsFile = "",
) -> None:
    """Show which agents run memos, and their last calls.

    The state is installed, partly (some events are missing), other (another command, or one that does not
    exist), missing or unreadable.

    Example:
      memos hook status
      memos hook status claude --json
    """
    from memos_cli.interface.hooks import installing
    from memos_cli.interface.hooks.agents import AGENTS, agent_named

    if file and not agent:
        raise UsageError("--file needs an agent", f"memos hook status claude --file {file}")
    chosen = [agent_named(agent)] if agent else list(AGENTS.values())
    state.output.listing(
        [_as_row(installing.status(each, _place(each, file))) for each in chosen],
        lambda row: row,
        "agent, state, file, detail, last call",
        lambda row: (
            row["agent"],
            row["state"],
            row["file"],
            row["detail"],
            _describe_call(row["last_call"]),
        ),
    )


def _place(agent: Agent, file: str) -> Path:
    """Return the settings file of an agent: the one that the user named, or its usual one."""
    from memos_cli.interface.hooks.installing import settings_file

    return Path(file) if file else settings_file(agent)


def _as_row(found: Status[Agent]) -> dict[str, Any]:
    from memos_cli.interface.hooks.log import last_call

    return {
        "agent": found.program.name, "file": str(found.file), "state": found.state, "detail": found.detail,
        "last_call": last_call(found.program.name),
    }  # fmt: skip


def _describe_call(row: dict[str, Any]) -> str:
    if not row:
        return ""
    said = counted(row["characters"], "character") if row.get("characters") else "nothing"
    why = f": {row['reason']}" if row.get("reason") else ""
    return f"{row.get('time')} {row.get('event')}, {row.get('ms')} ms, {row.get('outcome')}, {said}{why}"


def _begin(state: State, event: str, name: str) -> tuple[Settings, Call]:
    """Read the call, report it to the guard, and return it with the settings. Raises MemosError."""
    from memos_cli.interface.hooks.calls import MOST_BYTES, read_call

    settings = state.settings()
    call = read_call(event, name, sys.stdin.buffer.read(MOST_BYTES + 1), os.environ)
    report(agent=call.agent.name)
    return settings, call


def _print_memories(state: State, event: str, name: str) -> None:
    from memos_cli.interface.hooks import recall

    settings, call = _begin(state, event, name)
    if event not in call.agent.context_events:
        return
    memos = _open(settings)
    try:
        if event == "prompt":
            times = recall.Times(seconds_used, seconds_left)
            text = recall.for_prompt(memos, call.prompt, state.view, settings.hook_tokens, times)
        else:
            text = recall.for_project(memos, call.project, state.view, settings.hook_tokens)
        if text:
            report(text=call.answer(text), is_done=True)
    finally:
        memos.vault.close()  # but not the embedder, which may still be opening


def _open(settings: Settings) -> Memos:
    """Open the vault without asking for a passphrase; wait for a lock only while there is time."""
    from memos_cli.interface.memory import Memos

    wait = min(settings.lock_timeout, max(0.0, _LOCK_SHARE * seconds_left()))
    memos = Memos(replace(settings, lock_timeout=wait))
    memos.vault  # noqa: B018 (opens it)
    return memos


def _import_session(state: State, event: str, name: str) -> None:
    """Import the session of a call, in a process that continues when this one ends."""
    settings, call = _begin(state, event, name)
    if settings.hook_transcripts == "never":
        return
    detach()  # the agent does not wait for the import, and may end at once
    from memos_cli.interface.client_settings.program_files import own_command
    from memos_cli.interface.hooks import transcripts

    state.view = ""  # the view limits what an agent reads, not what is imported
    arguments = transcripts.import_arguments(call)
    transcripts.start([*own_command(), *arguments, *options_given(state)])
