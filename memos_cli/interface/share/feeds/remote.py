"""Read and write publications in folders, on web servers, git hosts and object stores (``fsspec``).

The host of the files is not trusted: the index is signed, and names every other file by its sha256.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from memos_cli.errors import Damaged, MemosError, UsageError
from memos_cli.files import PRIVATE_FILE, forbid_vault, hold, make_folder, open_regular, remove, write_whole
from memos_cli.folders import expand_home
from memos_cli.interface.share.signing import INSTALL, require_module

INDEX = "index.jsonl"
LONGEST_INDEX = 1 << 20
"""Bytes of an index that is read."""
KEPT = 7 * 86_400
"""Seconds for which a part of a file waits for the rest."""
_PIECE = 1 << 20
_FREE, _WRITABLE = "free some space there, and run the command again", "make that folder writable by you"
_ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FREE)
_ADVICE |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _WRITABLE)


class Missing(MemosError):
    """A missing file."""


class Registry:
    """One folder of a publication, at an address."""

    def __init__(self, url: str) -> None:
        """Open the folder at ``url``: a path on this machine, or an address that fsspec knows. Raises
        UsageError.
        """
        if not url.strip():
            raise UsageError("the address is empty", "a folder, https://…, s3://bucket/folder")
        self.url = normal(url)
        self._files, self._root = _open(self.url)

    def read_index(self) -> bytes:
        """Return the bytes of the index. Raises MemosError if there is none, or it cannot be read."""
        data = b""
        with self._reaching(INDEX):
            self._files.invalidate_cache()
            for piece in self._pieces(INDEX, 0):
                data += piece
                if len(data) > LONGEST_INDEX:
                    break
        if len(data) > LONGEST_INDEX:
            raise Damaged(f"{self.url}/{INDEX} is too long for an index")
        return data

    def has_index(self) -> bool:
        """Return whether something is published there."""
        with self._reaching(INDEX):
            self._files.invalidate_cache()
            return bool(self._files.exists(self._path(INDEX)))

    def fetch(
        self, name: str, sha256: str, size: int, folder: Path, on_bytes: Callable[[int], None]
    ) -> bytes:
        """Return a file of ``size`` bytes with this sha256. Raises Damaged if the bytes differ.

        The part of it that was fetched before is in ``folder``, and is not transferred again.
        """
        make_folder(folder)
        _sweep(folder)
        part = folder / f"{sha256}.part"
        with hold(part.with_suffix(".lock"), timeout=600.0):
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
            with os.fdopen(descriptor, "r+b") as kept:
                at = min(kept.seek(0, os.SEEK_END), size)
                on_bytes(at)
                with self._reaching(name):
                    try:
                        self._append(name, kept, at, size, on_bytes)
                    except ValueError:  # of fsspec: this server gives no parts of a file
                        if not at:
                            raise
                        self._append(name, kept, 0, size, on_bytes)
                kept.seek(0)
                whole = kept.read()
            if len(whole) < size:
                raise MemosError(f"{self.url}/{name} ended early", "run it again: it continues from there")
            part.unlink()
            part.with_suffix(".lock").unlink(missing_ok=True)
        if hashlib.sha256(whole).hexdigest() != sha256:
            raise Damaged(f"{self.url}/{name} does not match its index", "tell its publisher")
        return whole

    def _append(
        self, name: str, kept: IO[bytes], at: int, size: int, on_bytes: Callable[[int], None]
    ) -> None:
        """Append the bytes from ``at`` up to ``size`` to ``kept``."""
        kept.seek(at)
        kept.truncate()
        if at == size:
            return
        for piece in self._pieces(name, at):
            kept.write(piece[: size - at])
            kept.flush()
            at += len(piece)
            on_bytes(len(piece))
            if at >= size:
                break

    def _pieces(self, name: str, at: int) -> Iterator[bytes]:
        """Yield a file from ``at`` on. Raises ValueError if the server sends it only from its beginning."""
        path, whole = self._path(name), {"block_size": 0} if not at and _is(self._files, "http") else {}
        is_local = _is(self._files, "file")  # opening a pipe would block
        with open_regular(Path(path)) if is_local else self._files.open(path, "rb", **whole) as file:
            if at:
                file.seek(at)
            while piece := file.read(_PIECE):
                yield piece

    def write(self, name: str, data: bytes) -> None:
        """Write a file; on a disk of this machine, whole or not at all."""
        with self._reaching(name):
            path = self._path(name)
            if _is(self._files, "file"):
                forbid_vault(Path(path))
                make_folder(Path(path).parent, 0o777)
                write_whole(Path(path), data)
                Path(path).chmod(0o644)  # it is published
            else:
                self._files.pipe_file(path, data)

    def sizes(self) -> dict[str, int]:
        """Return the files there, with their sizes in bytes."""
        with self._reaching(""):
            self._files.invalidate_cache()
            if not self._files.exists(self._root):
                return {}
            listed = self._files.ls(self._root, detail=True)
            return {str(each["name"]).rsplit("/", 1)[-1]: int(each["size"] or 0) for each in listed}

    def remove(self, name: str) -> None:
        """Delete a file."""
        with self._reaching(name):
            if _is(self._files, "file"):
                remove(Path(self._path(name)))
            else:
                self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        """Add the address to errors of the network, a disk or a server."""
        where = f"{self.url}/{name}" if name else self.url
        try:
            yield
        except MemosError:
            raise
        except FileNotFoundError as error:
            raise Missing(f"{where} is not there", "look at the address") from error
        except Exception as error:  # each kind of store raises its own
            said = str(error) or type(error).__name__
            advice = _ADVICE.get(
                getattr(error, "errno", None) or 0, "check that the address is right and reachable"
            )
            raise MemosError(f"{where}: {said}", advice) from error


def _sweep(folder: Path) -> None:
    """Delete old parts of files that were never fetched completely."""
    for path in folder.glob("*.part"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink()


def normal(url: str) -> str:
    """Return an address in one form, without the name of the index; a path becomes absolute."""
    url = url.strip().removesuffix(INDEX)
    if "://" not in url:
        return os.path.abspath(expand_home(url))  # noqa: PTH100 (resolve() would follow links)
    return url.rstrip("/")


def _open(url: str) -> tuple[Any, str]:
    fsspec = require_module("fsspec", "publishing needs")
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MemosError(f"{url}: {error}", _hint(url)) from error
    except Exception as error:
        raise UsageError(f"{url}: {error}", "a folder, https://…, s3://bucket/folder") from error
    return files, str(root).rstrip("/")


def _hint(url: str) -> str:
    package = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
    scheme = url.partition("://")[0]
    return f"pip install {package[scheme]}" if scheme in package else INSTALL


def _is(files: Any, protocol: str) -> bool:
    return protocol in ((files.protocol,) if isinstance(files.protocol, str) else files.protocol)
