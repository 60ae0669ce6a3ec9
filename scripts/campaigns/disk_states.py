"""What a power cut could leave of a folder: the recorded writes of a command, and the disk states between.

As ALICE (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018) do. What POSIX promises, and no
more: the bytes of a file last once the file was synced, and a name once its folder was. What was not synced
may last or not, each for itself: names without bytes, bytes without names, a file of the right length full of
zeros. One promise more, which file systems with a journal keep: a rename happens as a whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("recorder.c")
IGNORED = "-shm"
"""SQLite writes it through a mapping, never syncs it, and makes it again after a crash."""

Name = tuple[int, str]
"""A folder, as a number of a node, and a name in it."""
Content = tuple[str, int, int]
"""Which writes of a file there are: how they are picked, and two numbers for that."""


@dataclass(frozen=True)
class Event:
    """One record of ``recorder.c``."""

    kind: str
    path: str
    other: str
    number: int
    data: bytes

    def __str__(self) -> str:
        names = "/".join(Path(self.path).parts[-2:]) + (f" {self.other[-60:]}" if self.other != "-" else "")
        return f"{self.kind} {names} {self.number} ({len(self.data)} bytes)"


@dataclass(frozen=True)
class Entry:
    """A file or folder of a disk state."""

    path: str
    node: int
    content: Content


@dataclass(frozen=True)
class State:
    """A disk state: what there is by path, sorted."""

    entries: tuple[Entry, ...]


@dataclass
class Node:
    """A file, with all that was ever written to it, or a folder."""

    mode: int
    is_folder: bool = False
    base: bytes = b""
    writes: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Offset and bytes; or a new length, and None."""
    synced: int = 0
    """How many of the writes last."""

    def read(self, content: Content) -> bytes:
        """Return the bytes of the file with the writes that ``content`` picks."""
        how, first, second = content
        data = bytearray(self.base)
        picked = self.writes[:second] if how == "without" else self.writes[:first]
        for number, (at, written) in enumerate(picked):
            if how == "without" and number == first:
                continue
            _apply(data, at, written)
        if how == "zeros":
            for at, written in self.writes[first:second]:
                _apply(data, at, None if written is None else bytes(len(written)))
        return bytes(data)


def _apply(data: bytearray, at: int, written: bytes | None) -> None:
    end = at if written is None else at + len(written)
    if written is None:
        del data[end:]
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    if written is not None:
        data[at:end] = written


@dataclass(frozen=True, eq=False)
class NameChange:
    """A change of names, which happens as a whole: what stands under each name then; None: nothing."""

    names: dict[Name, int | None]


class Disk:
    """The files below ``root``: as all see them, and what of it lasts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nodes: list[Node] = []
        self._seen: dict[Name, int] = {}
        self._lasting: dict[Name, int] = {}
        self._pending: list[NameChange] = []
        self._files: dict[str, int] = {}
        """Nodes by inode."""
        self._new(Node(0o700, is_folder=True))
        self._load(root, 0)

    def _load(self, folder: Path, number: int) -> None:
        for path in sorted(folder.iterdir()):
            status = path.lstat()
            is_folder = path.is_dir()
            node = Node(status.st_mode & 0o7777, is_folder, b"" if is_folder else path.read_bytes())
            made = self._new(node)
            self._files[str(status.st_ino)] = made
            self._seen[number, path.name] = self._lasting[number, path.name] = made
            if is_folder:
                self._load(path, made)

    def _new(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _name(self, path: str) -> Name:
        """The name of a path; its folders must be there."""
        at = 0
        *folders, name = Path(path).relative_to(self.root).parts
        for part in folders:
            at = self._seen[at, part]
        return at, name

    def _change(self, names: dict[Name, int | None]) -> None:
        _rename(self._seen, names)
        self._pending.append(NameChange(names))

    def run(self, event: Event) -> bool:
        """Take an event over. Returns whether other disk states can be left from now on."""
        match event.kind:
            case "create":
                made = self._new(Node(event.number))
                self._files[event.other] = made
                self._change({self._name(event.path): made})
            case "mkdir":
                self._change({self._name(event.path): self._new(Node(event.number, is_folder=True))})
            case "remove":
                self._change({self._name(event.path): None})
            case "rename":
                old, new = self._name(event.path), self._name(event.other)
                self._change({new: self._seen[old], old: None})
            case "link":
                self._change({self._name(event.other): self._seen[self._name(event.path)]})
            case "write":
                self.nodes[self._files[event.other]].writes.append((event.number, event.data))
            case "size":
                self.nodes[self._files[event.other]].writes.append((event.number, None))
            case "sync":
                node = self.nodes[self._files[event.other]]
                node.synced = len(node.writes)
            case "folder":
                is_root = Path(event.path) == self.root
                self._sync_names(0 if is_root else self._seen[self._name(event.path)])
            case "mode":
                self.nodes[self._seen[self._name(event.path)]].mode = event.number
                return False
        return True

    def _sync_names(self, folder: int) -> None:
        kept = self._with_earlier(
            [each for each in self._pending if any(at == folder for at, _ in each.names)]
        )
        for change in kept:
            _rename(self._lasting, change.names)
        self._pending = [each for each in self._pending if each not in kept]

    def _with_earlier(self, changes: Sequence[NameChange]) -> list[NameChange]:
        """``changes`` and the earlier ones of the same names, in order."""
        names = {name for change in changes for name in change.names}
        kept: list[NameChange] = []
        for change in reversed(self._pending):
            if change in changes or (kept and not names.isdisjoint(change.names)):
                kept.append(change)
                names.update(change.names)
        return kept[::-1]

    def _without_later(self, change: NameChange) -> list[NameChange]:
        """All changes but this one and the later ones of the same names."""
        names = set(change.names)
        kept = self._pending[: self._pending.index(change)]
        for later in self._pending[len(kept) + 1 :]:
            if names.isdisjoint(later.names):
                kept.append(later)
            else:
                names.update(later.names)
        return kept

    def states(self) -> Iterator[State]:
        """Yield what a power cut now could leave: nothing unsynced, all of it, each part alone or lost."""
        dirty = {number: node for number, node in enumerate(self.nodes) if node.synced < len(node.writes)}
        lost: dict[int, Content] = {number: ("first", node.synced, 0) for number, node in dirty.items()}
        yield self._state([], lost)
        yield self._state(self._pending, {})
        yield self._state(self._pending, lost)
        yield self._state([], {})
        for change in self._pending:
            yield self._state(self._with_earlier([change]), lost)
            yield self._state(self._without_later(change), {})
        for number, node in dirty.items():
            first, end = node.synced, len(node.writes)
            picks = (("first", first), ("first", (first + end) // 2), ("zeros", first), ("without", first))
            for how, pick in picks:
                content = (how, pick, 0 if how == "first" else end)
                yield self._state(self._pending, {number: content})

    def _state(self, changes: Iterable[NameChange], contents: dict[int, Content]) -> State:
        names = dict(self._lasting)
        for change in changes:
            _rename(names, change.names)
        below: dict[int, list[tuple[str, int]]] = {}
        for (folder, name), number in names.items():
            below.setdefault(folder, []).append((name, number))
        entries: list[Entry] = []
        waiting = [("", 0)]
        while waiting:
            path, folder = waiting.pop()
            for name, number in below.get(folder, ()):
                node = self.nodes[number]
                if node.is_folder:
                    waiting.append((f"{path}{name}/", number))
                if not name.endswith(IGNORED):
                    content = contents.get(number, ("first", len(node.writes), 0))
                    entries.append(Entry(path + name, number, content))
        return State(tuple(sorted(entries, key=lambda entry: entry.path)))

    def full(self) -> State:
        """What all see: a disk without a power cut."""
        return self._state(self._pending, {})

    def files(self, state: State) -> dict[str, bytes]:
        """The bytes of the files of a state, by path."""
        return {
            entry.path: self.nodes[entry.node].read(entry.content)
            for entry in state.entries
            if not self.nodes[entry.node].is_folder
        }

    def restore(self, state: State) -> None:
        """Put ``root`` into a state."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(mode=0o700)
        files = self.files(state)
        for entry in state.entries:  # a folder comes before what is in it
            path = self.root / entry.path
            path.write_bytes(files[entry.path]) if entry.path in files else path.mkdir()
            path.chmod(self.nodes[entry.node].mode)


def _rename(names: dict[Name, int], change: dict[Name, int | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def snapshot(root: Path) -> dict[str, bytes]:
    """The bytes of all files below ``root``, by path."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(IGNORED)
    }


def build(folder: Path) -> Path:
    """Compile the recorder. Raises FileNotFoundError where there is no C compiler."""
    library = folder / "recorder.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def preload(library: Path, root: Path | None = None, log: Path | None = None) -> dict[str, str]:
    """Return the environment of a program whose writes below ``root`` are to be recorded in ``log``.

    Without these it can start recording itself, see ``record_below`` in ``recorder.c``.
    """
    named = {} if root is None else {"RECORD_ROOT": str(root), "RECORD_LOG": str(log)}
    return {**os.environ, "LD_PRELOAD": str(library), **named}


def read_log(log: Path) -> list[Event]:
    """Return the events that were recorded."""
    events: list[Event] = []
    if not log.exists():
        return events
    with log.open("rb") as file:
        while head := file.readline():
            kind, path, other, number, length = head.decode().rstrip("\n").split("\0")
            events.append(Event(kind, path, other, int(number), file.read(int(length))))
    return events
