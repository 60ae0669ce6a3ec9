"""Cut the power while a command writes: what was acknowledged is there, and the command can be run again.

    scripts/campaigns/powercut.py --seconds 600        all commands
    scripts/campaigns/powercut.py --seconds 60 init forget

Each command runs once while its writes, syncs and renames are recorded (``recorder.c``). Then each disk state
that a power cut could leave (``disk_states.py``) is restored in turn, and must satisfy:

- ``memos check`` finds no broken *must*;
- every memory is there as before the command, or as after it; after its exit, as after it;
- so is every file outside the vault, and none is half written;
- what was forgotten is in no file once ``forget`` has ended;
- the command can be run again, and then the vault holds what it holds without the power cut.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import sqlite_utils  # noqa: F401 (imported before the forks, once)
from common import Campaign
from disk_states import Disk, State, build, preload, read_log, snapshot
from power_worlds import COMMANDS, World


@dataclass
class Recording:
    """A command that has run, and the disk states that a power cut could have left."""

    world: World
    arguments: tuple[object, ...]
    disk: Disk
    states: dict[State, tuple[str, bool]]
    """After which event, and whether the command had ended."""
    before: dict[str, tuple[Any, ...]]
    after: dict[str, tuple[Any, ...]]
    files_before: dict[str, bytes]
    files_after: dict[str, bytes]


def record_command(campaign: Campaign, name: str) -> Recording:
    """Prepare the world of a command and run it. Raises RuntimeError if the recording is not complete."""
    world = World(campaign, campaign.folder / "worlds" / name)
    (world.root / "home").mkdir(parents=True)
    arguments = COMMANDS[name].prepare(world)
    before = world.contents()
    disk, files_before = Disk(world.root), snapshot(world.root)
    log = campaign.folder / f"{name}.log"

    def start_recording() -> None:
        ctypes.CDLL(None).record_below(os.fsencode(world.root), os.fsencode(log))

    world.run(*arguments, first=start_recording)
    events = read_log(log)
    states: dict[State, tuple[str, bool]] = {}
    for number, event in enumerate(events):
        if disk.run(event):
            for state in disk.states():
                states.setdefault(state, (f"after {number} ({event})", False))
    for state in disk.states():
        states[state] = ("after its end", True)
    files_after = snapshot(world.root)
    if disk.files(disk.full()) != files_after:
        changed = {path for path in files_after if disk.files(disk.full()).get(path) != files_after[path]}
        raise RuntimeError(f"{name}: not all of its writes were recorded: {sorted(changed)}")
    campaign.counts[f"{name}: events"] = len(events)
    campaign.counts[f"{name}: states"] = len(states)
    return Recording(world, arguments, disk, states, before, world.contents(), files_before, files_after)


def examine(campaign: Campaign, name: str, recording: Recording, state: State) -> None:
    """Restore a disk state, and look whether all is as it must be."""
    where, ended = recording.states[state]
    world, command = recording.world, COMMANDS[name]
    recording.disk.restore(state)
    files = snapshot(world.root)

    def find(what: str, **details: object) -> None:
        campaign.find(f"{name}, power cut {where}: {what}", **details)

    if ended and command.gone:
        left = [path for path, data in files.items() if command.gone.encode() in data]
        if left:
            find("what was forgotten is still there", files=left)
    _examine_files(recording, files, ended, find)
    _examine_vault(recording, ended, find)
    again = world.try_(*recording.arguments)
    if again.broke or again.signal or again.code not in command.codes:
        find("it cannot be run again", run=again)
        return
    _examine_check(world, "after it was run again", find)
    if (held := _comparable(world.contents())) != (wanted := _comparable(recording.after)):
        find("run again, it leaves something else", held=held - wanted, wanted=wanted - held)


def _examine_files(
    recording: Recording, files: dict[str, bytes], ended: bool, find: Callable[..., None]
) -> None:
    """Compare all files but databases and locks. Before the end, a vault may have more than it names."""
    for path in recording.files_before.keys() | recording.files_after.keys():
        if "/memos.db" in path or (path.startswith(("vault/", "other/")) and not ended):
            continue
        was, now = recording.files_before.get(path), recording.files_after.get(path)
        held = files.get(path)
        if now != b"" and held not in ((now,) if ended else (was, now)):
            size = None if held is None else len(held)
            find("a file is neither the old nor the new one", file=path, held=size)


def _examine_vault(recording: Recording, ended: bool, find: Callable[..., None]) -> None:
    world = recording.world
    if not (world.vault / "VAULT.toml").exists():
        if ended or recording.before:
            find("there is no vault")
        return
    _examine_check(world, "at first", find)
    try:
        held = world.contents()
    except Exception as error:  # noqa: BLE001 (SQLite's, or a command that failed)
        find("the vault cannot be read", error=error)
        return
    for id in recording.before.keys() | recording.after.keys():
        was, now = recording.before.get(id), recording.after.get(id)
        if held.get(id) not in ((now,) if ended else (was, now)):
            find("a memory is neither the old nor the new one", id=id, held=held.get(id), was=was, now=now)


def _examine_check(world: World, when: str, find: Callable[..., None]) -> None:
    for finding in common.broken(world.vault, env={**world.env, "HOME": str(world.root / "home")}):
        find(f"check {when}", finding=finding)


def _comparable(contents: dict[str, tuple[Any, ...]]) -> Counter[str]:
    """Contents without the ids, which a second run draws anew."""
    return Counter(str(each[:-1]) for each in contents.values())


def choose(campaign: Campaign, recording: Recording) -> list[tuple[float, State]]:
    """Give each state a place in the order of trial: by chance, those after the end mixed into the others."""
    states = list(recording.states)
    campaign.chance.shuffle(states)
    ended = [state for state in states if recording.states[state][1]]
    others = [state for state in states if not recording.states[state][1]]
    return [*((2.0 * at, state) for at, state in enumerate(ended)), *enumerate(others)]


def cut_power(campaign: Campaign) -> None:
    """Record each command, then examine disk states of all in turn, until the time is up."""
    os.environ["MEMOS_EMBEDDER"] = "/nowhere"
    recordings = {name: record_command(campaign, name) for name in campaign.chosen or COMMANDS}
    waiting = [
        (at, name, state)
        for name, recording in recordings.items()
        for at, state in choose(campaign, recording)
    ]
    waiting.sort(key=lambda each: each[0])
    for number in campaign.tries():
        if number >= len(waiting):
            campaign.counts["tries"] -= 1
            return
        _, name, state = waiting[number]
        campaign.counts[f"{name}: examined"] += 1
        examine(campaign, name, recordings[name], state)


def main() -> None:
    if "recorder.so" not in os.environ.get("LD_PRELOAD", ""):
        with tempfile.TemporaryDirectory(prefix="memos-recorder-") as folder:
            command = [sys.executable, *sys.argv]
            sys.exit(subprocess.run(command, env=preload(build(Path(folder))), check=False).returncode)
    common.main("powercut", __doc__ or "", cut_power, seconds=300, choices=COMMANDS)


if __name__ == "__main__":
    main()
