"""An export as named streams of bytes: a file, a folder, or a zip archive that is read and never unpacked."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memos_cli.errors import MemosError, UsageError
from memos_cli.interface.sources.decoding import decode

MOST = 32 << 30
"""Bytes that an archive may hold in all, unpacked."""
RATIO, SLIGHT = 200, 64 << 20
"""How many times larger than in the archive a file may be, beyond the first so many bytes."""
_UNPACKING = (zlib.error, lzma.LZMAError, struct.error, IndexError)
"""What a damaged archive raises, beside what is the system's: zipfile unpacks headers unguarded."""
WHOLE = 256 << 20
"""Bytes of a file that is read as a whole."""


@dataclass(slots=True)
class Export:
    """What is imported. ``names`` are paths within it, with ``/``."""

    path: Path
    names: tuple[str, ...] = ()
    archive: zipfile.ZipFile | None = None
    encoding: str = ""
    """The encoding of the texts in it, over what they say themselves; '' finds it out."""
    fallback: str = ""
    """The encoding of texts that are not Unicode and do not say what they are; '' guesses."""

    def named(self, *endings: str) -> list[str]:
        """The names whose last part fits one of these: ``a.json``, or ``*.md``."""
        found = []
        for name in self.names:
            last = name.rsplit("/", 1)[-1].lower()
            if any(last.endswith(each[1:]) if each.startswith("*") else last == each for each in endings):
                found.append(name)
        return found

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A file of the export. Raises MemosError where it cannot be read."""
        try:
            if self.archive is not None:
                with _entry(self.archive, name) as stream:
                    yield stream
            else:
                with (self.path / name if self.path.is_dir() else self.path).open("rb") as stream:
                    yield stream
        except UnicodeError:  # a ValueError, of who reads what this gives
            raise
        except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, *_UNPACKING) as error:
            raise MemosError(f"{self.path}: {name}: {error}") from error

    def read(self, name: str) -> bytes:
        """A whole file. Raises MemosError where it is too long, or cannot be read."""
        with self.open(name) as stream:
            data = stream.read(WHOLE + 1)
        if len(data) > WHOLE:
            raise MemosError(f"{self.path}: {name} has more than {WHOLE >> 20} MiB")
        return data

    def text(self, name: str) -> str:
        """A whole file as text. Raises MemosError where it is none."""
        return decode(self.read(name), encoding=self.encoding, fallback=self.fallback).text


@contextmanager
def open_export(path: Path) -> Iterator[Export]:
    """Open what is to be imported. Raises UsageError where there is nothing, MemosError for a bad archive."""
    if path.is_dir():
        yield Export(path, tuple(_below(path)))
    elif not path.is_file():
        raise UsageError(f"{path}: no such file or folder", "memos import PATH")
    elif zipfile.is_zipfile(path):
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, *_UNPACKING) as error:
            raise MemosError(f"{path}: a damaged archive: {error}") from error
        with archive:
            yield _examined(path, archive)
    else:
        yield Export(path, (path.name,))


def _entry(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """One file of an archive. Raises BadZipFile for a name that is no text, beside what zipfile raises."""
    try:
        return archive.open(name)
    except UnicodeError as error:
        raise zipfile.BadZipFile(f"a name that is no text: {error}") from error


def _below(folder: Path) -> Iterator[str]:
    """The regular files below a folder; symbolic links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            if any(parent.is_symlink() for parent in path.relative_to(folder).parents if parent.name):
                continue
            yield path.relative_to(folder).as_posix()


def _examined(path: Path, archive: zipfile.ZipFile) -> Export:
    """An archive whose files are of believable sizes. Raises MemosError for one that is not."""
    total, names = 0, []
    for each in archive.infolist():
        if not each.filename or each.is_dir():
            continue
        total += each.file_size
        if each.file_size > SLIGHT + RATIO * max(1, each.compress_size) or total > MOST:
            raise MemosError(
                f"{path}: {each.filename} unpacks to {each.file_size:,} bytes: that is no export"
            )
        if each.flag_bits & 1:
            raise MemosError(
                f"{path}: {each.filename} is encrypted", "unpack it yourself, then import the folder"
            )
        names.append(each.filename)
    return Export(path, tuple(sorted(names)), archive)
