"""Read an export as named streams: a file, a folder, or a zip archive, which is never unpacked."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from memos_cli.errors import MemosError, UsageError
from memos_cli.interface.importing.zip_names import names_of
from memos_cli.interface.ingest.sources.decoding import decode

MOST = 32 << 30
"""Bytes that an archive may hold in all, unpacked."""
RATIO, SLIGHT = 200, 64 << 20
"""Largest compression ratio of a file in an archive, beyond its first SLIGHT bytes."""
DEEPEST = 3
"""How many levels of archives inside an archive are opened."""
_UNPACKING = (zlib.error, lzma.LZMAError, struct.error, IndexError)
"""Exceptions for a damaged archive, apart from OSError: zipfile unpacks headers unguarded."""
_UNPACK = "unpack it yourself, then import the folder"
WHOLE = 256 << 20
"""Bytes of a file that is read as a whole."""
HEAD = 16 << 10
"""Bytes of the start of a file that are read to recognise it."""


@dataclass(slots=True)
class Export:
    """An export. ``names`` are paths within it, with ``/``."""

    path: Path
    names: tuple[str, ...] = ()
    entries: Mapping[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]] | None = None
    """The files of an archive and of archives inside it, by name."""
    faults: list[str] = field(default_factory=list)
    """The files of an archive that cannot be read, and why."""
    encoding: str = ""
    """The encoding of its texts, whatever they declare; '' detects it."""
    fallback: str = ""
    """The encoding of texts that are not UTF-8 and declare none; '' guesses."""
    date_order: str = ""
    """The order of ambiguous dates: ``dmy``, ``mdy`` or ``ymd``; "" detects it."""
    kind: str | None = None
    """The result of ``recognise``, as a cache."""

    def named(self, *endings: str) -> list[str]:
        """Return the names whose last part matches one of these: ``a.json``, or ``*.md``."""
        found = []
        for name in self.names:
            last = name.rsplit("/", 1)[-1].lower()
            if any(last.endswith(each[1:]) if each.startswith("*") else last == each for each in endings):
                found.append(name)
        return found

    def file(self, name: str) -> Path:
        """Return the path on disk of a file that is in no archive."""
        return self.path / name if self.path.is_dir() else self.path

    def place(self, name: str) -> Path:
        """Return the place of a file: its absolute path on disk, or its path in the archive."""
        return Path(name) if self.entries is not None else self.file(name).absolute()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file of the export. Raises MemosError if it cannot be read."""
        try:
            if self.entries is not None:
                with _entry(*self.entries[name]) as stream:
                    yield stream
            else:
                with self.file(name).open("rb") as stream:
                    yield stream
        except UnicodeError:  # a ValueError, from the code that reads the stream
            raise
        except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, *_UNPACKING) as error:
            hint = _UNPACK if self.entries is not None else f"ls -l {self.path}"
            raise MemosError(f"{self.path}: {name}: {error}", hint) from error

    def head(self, name: str, size: int = HEAD) -> bytes:
        """Return the first bytes of a file, to recognise it; empty if it cannot be read."""
        try:
            with self.open(name) as stream:
                return stream.read(size)
        except MemosError:
            return b""

    def read(self, name: str) -> bytes:
        """Return a whole file. Raises MemosError if it is too long, or cannot be read."""
        with self.open(name) as stream:
            data = stream.read(WHOLE + 1)
        if len(data) > WHOLE:
            raise MemosError(f"{self.path}: {name} has more than {WHOLE >> 20} MiB")
        return data

    def text(self, name: str) -> str:
        """Read a whole file as text. Raises MemosError if it is not text."""
        return decode(self.read(name), encoding=self.encoding, fallback=self.fallback).text


@contextmanager
def open_export(path: Path) -> Iterator[Export]:
    """Open an export. Raises UsageError for a missing one, MemosError for a bad archive."""
    if path.is_dir():
        yield Export(path, tuple(_below(path)))
    elif not path.is_file():
        problem = "is a pipe, socket or device" if path.exists() else "does not exist"
        raise UsageError(f"{path} {problem}", "name a file or folder: memos import PATH")
    elif zipfile.is_zipfile(path):
        export = Export(path, entries={})
        with _archive(path, str(path)) as archive:
            found = _Archive(str(path), export.faults).files(archive)
            export.names, export.entries = tuple(sorted(found)), found
            yield export
    else:
        export = Export(path, (path.name,))
        if export.head(path.name).startswith(b"PK\3\4"):
            raise MemosError(f"{path}: damaged archive: its end is missing", "download or save it again")
        yield export


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    """Return one file of an archive. Raises BadZipFile for a name that is not text."""
    try:
        return archive.open(entry)
    except UnicodeError as error:
        raise zipfile.BadZipFile(f"a name is not text: {error}") from error


def _below(folder: Path) -> Iterator[str]:
    """Return the regular files below a folder; symbolic links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            if any(parent.is_symlink() for parent in path.relative_to(folder).parents if parent.name):
                continue
            if not is_shadow(name := path.relative_to(folder).as_posix()):
                yield name


def is_shadow(name: str) -> bool:
    """Return whether macOS made the file ``name`` to store attributes of another file."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._")


def _archive(file: Path | IO[bytes], name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, *_UNPACKING) as error:
        raise MemosError(f"{name}: a damaged archive: {error}", _UNPACK) from error


class _Archive:
    """List the files of an archive and of the archives inside it, within size limits."""

    def __init__(self, path: str, faults: list[str]) -> None:
        self._path, self._faults = path, faults
        self._total = self._held = 0

    def files(
        self, archive: zipfile.ZipFile, depth: int = 0
    ) -> dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]]:
        """Return the files by name. Raises MemosError for an encrypted archive, or one that is too large."""
        found: dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]] = {}
        inner = []
        for name, each in names_of(archive.infolist()):
            if not name or name.endswith("/") or is_shadow(name):
                continue
            self._total += each.file_size
            if each.file_size > SLIGHT + RATIO * max(1, each.compress_size) or self._total > MOST:
                raise MemosError(
                    f"{self._path}: {name} unpacks to {each.file_size:,} bytes: too large for an export",
                    _UNPACK,
                )
            if each.flag_bits & 1:
                raise MemosError(f"{self._path}: {name} is encrypted", _UNPACK)
            if name.lower().endswith(".zip"):
                inner.append((name, each))
            else:
                found[name] = archive, each
        for name, each in inner:
            try:
                for below, place in self._inside(archive, each, depth).items():
                    # Inner archives are named differently in each export: their names are left out.
                    found[f"{name}/{below}" if below in found else below] = place
            except (MemosError, OSError, ValueError, RuntimeError, zipfile.BadZipFile, *_UNPACKING) as error:
                self._faults.append(f"{name}: {error}; {_UNPACK}")
        return found

    def _inside(
        self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, depth: int
    ) -> dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]]:
        if depth == DEEPEST:
            raise MemosError(f"more than {DEEPEST} levels of archives inside archives")
        with _entry(archive, entry) as stream:
            data = stream.read(WHOLE + 1 - self._held)
        self._held += len(data)
        if self._held > WHOLE:
            raise MemosError(f"the archives inside it have more than {WHOLE >> 20} MiB")
        return self.files(_archive(io.BytesIO(data), "inside"), depth + 1)
