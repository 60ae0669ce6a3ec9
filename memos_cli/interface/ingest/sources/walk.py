"""Find the files in the paths that a user names, honouring .gitignore."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from memos_cli.errors import MemosError
from memos_cli.files import read_small
from memos_cli.interface.ingest.sources.decoding import HEAD, UNICODE_BOMS, decode, looks_binary
from memos_cli.interface.ingest.sources.kinds import kind_of_name

if TYPE_CHECKING:
    from pathspec.pattern import RegexPattern

    Rules = tuple[tuple[Path, list[RegexPattern]], ...]
    """Folders, from the outermost on, with the patterns for the paths below them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, and the URI that names it wherever it is read from."""

    path: Path
    uri: str
    given: str = ""
    """The path by which a folder reached it, as a URI with links unresolved; empty: the user named it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A source, or part of one, that could not be read, and why."""

    uri: str
    reason: str
    given: str = ""


def find(paths: Sequence[Path], *, max_bytes: int) -> Iterator[Found | Unreadable]:
    """Yield the files that the paths name, each once; folders with all below them, sorted by name.

    A file named directly is read whatever its name is. In a folder, files that .gitignore and
    .git/info/exclude leave out, hidden names, vaults, binary files, empty files, pipes and devices are
    skipped; a text file or a folder that cannot be read, or is longer than ``max_bytes``, is Unreadable.
    A folder is entered once, so a loop of symbolic links ends.
    """
    seen: set[str] = set()
    entered: set[tuple[int, int]] = set()
    for path in paths:
        try:
            uri, status = path.resolve().as_uri(), path.stat()
        except (OSError, RuntimeError, ValueError) as error:  # the latter two: a link loop, NUL in the name
            yield Unreadable(_unresolved_uri(path), _reason(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            named, folder = below(path), path.resolve()
            results: Iterator[Found | Unreadable] = (
                replace(result, given=(named / inner.relative_to(folder)).as_uri())
                for inner, result in _walk(folder, _outer_rules(folder), entered, max_bytes)
            )
        else:
            results = iter((_check_file(path, uri, status, max_bytes),))
        for result in results:
            if result.uri not in seen:
                seen.add(result.uri)
                yield result


def below(folder: Path) -> Path:
    """Return the path prefix of the files in a folder; a link to the folder is not resolved."""
    return folder.parent.resolve() / folder.name if folder.name not in ("", "..") else folder.resolve()


def _check_file(path: Path, uri: str, status: os.stat_result, max_bytes: int) -> Found | Unreadable:
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(uri, "not a file or folder, but a pipe, socket or device")
    if status.st_size > max_bytes:
        return Unreadable(uri, f"{status.st_size:,} bytes, more than the limit of {max_bytes:,}")
    if not os.access(path, os.R_OK):
        return Unreadable(uri, "permission denied")
    return Found(path, uri)


def _walk(
    folder: Path, outer: Rules, entered: set[tuple[int, int]], max_bytes: int
) -> Iterator[tuple[Path, Found | Unreadable]]:
    """Yield the files below a folder, depth first. A stack, not recursion: folders may be nested deeply."""
    stack: list[tuple[Path, Rules]] = [(folder, outer)]
    while stack:
        path, rules = stack.pop()
        try:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                found = _look_within(path, status, max_bytes)
                if found:
                    yield path, found
            elif stat.S_ISDIR(status.st_mode) and (status.st_dev, status.st_ino) not in entered:
                entered.add((status.st_dev, status.st_ino))
                if (path / "VAULT.toml").exists() and (path / "memos.db").exists():
                    continue  # a vault: its memories are none of their own sources
                rules = rules + _rules_in(path)
                shown = sorted((inner for inner in path.iterdir() if inner.name[0] != "."), reverse=True)
                stack.extend((inner, rules) for inner in shown if not _ignored(inner, rules))
        except (OSError, RuntimeError) as error:
            if not path.is_symlink():  # a link to nowhere loses nothing
                yield path, Unreadable(_unresolved_uri(path), _reason(error))


def _look_within(path: Path, status: os.stat_result, max_bytes: int) -> Found | Unreadable | None:
    """Return a file in a folder that the user did not name: None if it is empty or no text."""
    if status.st_size == 0:
        return None
    if kind_of_name(path.name) != "document":
        with path.open("rb") as stream:
            if looks_binary(stream.read(HEAD)):
                return None
    return _check_file(path, path.resolve().as_uri(), status, max_bytes)


def _ignored(path: Path, rules: Rules) -> bool:
    """Return whether the innermost rule about a path ignores it."""
    if not rules:
        return False
    suffix = "/" if path.is_dir() else ""
    for folder, patterns in reversed(rules):
        verdict = _judge(patterns, path.relative_to(folder).as_posix() + suffix)
        if verdict is not None:
            return verdict
    return False


def _judge(patterns: list[RegexPattern], path: str) -> bool | None:
    """Return what the last pattern that matches a path itself says, not a folder above it, as in git.

    A folder that is left out is never entered, so patterns for the folders above need no second look.
    """
    for pattern in reversed(patterns):
        matches = list(pattern.regex.finditer(path)) if pattern.regex else []  # of */ there are several
        found = matches[-1] if matches else None
        if not found or (found.lastgroup and found.end() < len(path)):
            continue
        if path.endswith("/") and found.end() == len(path) and not found.lastgroup:
            continue  # folder/** matches only what is in the folder
        return pattern.include
    return None


def _outer_rules(folder: Path) -> Rules:
    """Return the rules for a folder that are outside it in its Git repository."""
    for root in (folder, *folder.parents):
        if (root / ".git").exists():
            break
    else:
        return ()
    above = [root, *(parent for parent in reversed(folder.parents) if root in parent.parents)]
    rules = _rules_from(root, root / ".git" / "info" / "exclude")
    for parent in above if root != folder else ():
        rules += _rules_in(parent)
    return rules


def _rules_in(folder: Path) -> Rules:
    return _rules_from(folder, folder / ".gitignore")


def _rules_from(folder: Path, file: Path) -> Rules:
    """Return the patterns of one file, for paths below ``folder``, without invalid patterns."""
    try:
        data = read_small(file)
        if data.startswith(UNICODE_BOMS) or b"\0" in data:  # as editors and shells of Windows write it
            data = decode(data).text.encode()
    except (OSError, MemosError):
        return ()
    # Names are bytes to git. A carriage return before the line feed is no part of a pattern.
    lines = [line.removesuffix("\r") for line in os.fsdecode(data).split("\n")]
    from pathspec import GitIgnoreSpec

    patterns: list[RegexPattern] = []
    for line in lines:
        with suppress(ValueError):
            patterns += GitIgnoreSpec.from_lines([line]).patterns
    return ((folder, patterns),)


def _unresolved_uri(path: Path) -> str:
    return path.absolute().as_uri()


def _reason(error: OSError | RuntimeError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).lower()
