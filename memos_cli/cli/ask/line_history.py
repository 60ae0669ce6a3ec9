"""The lines that a user has typed in ``memos chat``: for the arrow keys, and for the next chat.

The file is in the state folder, and only its user can read it. It does not contain lines with ``/remember``
or with secrets.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from memos_cli.files import write_whole

NAME = "chat_history"
MOST = 1000
"""Maximum lines in the file."""
_SHORTEST = 8
"""Minimum characters of a match: a line may contain a shorter text by chance."""


class LineHistory:
    """Line editing and history by readline, where Python has it; and the file, unless ``path`` is None."""

    def __init__(self, path: Path | None, words: Sequence[str]) -> None:
        """Open the history; TAB completes ``words``."""
        self._path = path
        self._readline = _open_readline(words)
        lines = _read(path)
        if path and len(lines) > MOST:
            _write(path, lines[-MOST:])
        for line in lines[-MOST:]:
            self._show(line)

    def add(self, line: str, *, is_private: bool) -> None:
        """Add a line; a private one is not written to the file."""
        text = " ".join(line.split())
        self._show(text)
        if self._path is None or is_private:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(f"{text}\n")

    def _show(self, line: str) -> None:
        if self._readline is not None:
            self._readline.add_history(line)

    def drop(self, lines: Collection[str], texts: Collection[str]) -> None:
        """Remove these lines, and those that contain a text or are in one."""
        gone = {" ".join(line.split()) for line in lines}
        parts = {" ".join(text.split()) for text in texts}

        def is_gone(line: str) -> bool:
            return line in gone or any(
                (len(part) >= _SHORTEST and part in line) or (len(line) >= _SHORTEST and line in part)
                for part in parts
            )

        if self._readline is not None:
            for at in range(self._readline.get_current_history_length(), 0, -1):
                if is_gone(self._readline.get_history_item(at) or ""):
                    self._readline.remove_history_item(at - 1)
        lines = _read(self._path)
        kept = [line for line in lines if not is_gone(line)]
        if self._path and len(kept) < len(lines):
            _write(self._path, kept)


def _open_readline(words: Sequence[str]) -> ModuleType | None:
    try:
        import readline
    except ImportError:  # a Python without it: the terminal's own line editing remains
        return None

    def complete(begun: str, number: int) -> str | None:
        found = [word for word in words if begun and word.startswith(begun)]
        return found[number] if number < len(found) else None

    readline.set_auto_history(False)
    readline.set_completer_delims(" ")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    readline.clear_history()
    return readline


def _read(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _write(path: Path, lines: Sequence[str]) -> None:
    with suppress(OSError):
        write_whole(path, "".join(f"{line}\n" for line in lines).encode())
