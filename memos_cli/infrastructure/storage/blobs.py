"""Blobs: files named by the sha256 of their bytes, written once and never changed.

Bytes first, row second, delete last: a row may name a blob only after ``put`` has returned.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from memos_cli.errors import Damaged
from memos_cli.files import make_folder, remove, write_whole
from memos_cli.infrastructure.storage.encryption import Cipher

_PIECE = 1 << 20
"""Bytes that are hashed together."""
_NAME = re.compile("[0-9a-f]{64}")
_ADVICE = "`memos check` shows what names it"
_READERS = min(4, os.cpu_count() or 1)


def piece_digests(data: bytes | memoryview) -> bytes:
    """Return the sha256 of each MiB of ``data``, so that several threads can verify it at once."""
    return b"".join(
        hashlib.sha256(data[start : start + _PIECE]).digest() for start in range(0, len(data), _PIECE)
    )


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs under ``folder``; unfinished ones are in ``scratch``, on the same file system."""

    folder: Path
    scratch: Path
    cipher: Cipher | None = None

    def path(self, sha256: str) -> Path:
        """Return the path of a blob. Raises Damaged for any other name: no other file is ever touched."""
        if not _NAME.fullmatch(sha256):
            raise Damaged(f"{sha256!r} names no blob", "`memos check` shows where it is used")
        return self.folder / sha256[:2] / sha256

    def seal(self, data: bytes | memoryview) -> bytes | memoryview:
        """Return ``data`` as the vault stores it: encrypted, if the vault is."""
        return data if self.cipher is None else self.cipher.seal(data)

    def unseal(self, data: bytes | memoryview) -> memoryview:
        """Decrypt what ``seal`` returned; writable if ``data`` is. Raises Damaged."""
        if self.cipher is None:
            return memoryview(data)
        return memoryview(bytearray(self.cipher.unseal(data)))

    @contextmanager
    def file(self, sha256: str) -> Iterator[Path]:
        """Yield a file with the content of a blob, for a library; of an encrypted vault, in memory."""
        if self.cipher is None:
            yield self.path(sha256)
            return
        with _plain_file(self.unseal(self.get(sha256))) as path:
            yield path

    def put(self, data: bytes | memoryview, names: set[str] | None = None) -> str:
        """Store ``data``, durable when this returns. Returns its sha256 in hexadecimal.

        The name is in ``names`` before the file exists: see ``Vault.blob_changes``.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if names is not None:
            names.add(sha256)
        if not self.intact(sha256):
            make_folder(path.parent)
            write_whole(path, data, scratch=self.scratch)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the verified bytes of a blob. Raises Damaged if they are missing or altered."""
        try:
            with os.fdopen(self._open(sha256), "rb") as file:
                data = file.read()
        except OSError as error:
            raise Damaged(f"blob {sha256} cannot be read: {error.strerror}", _ADVICE) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Damaged(f"blob {sha256} is damaged", _ADVICE)
        return data

    def read(self, sha256: str, size: int, pieces: bytes) -> memoryview:
        """Return the bytes of a large blob, writable, verified by several threads.

        ``pieces`` are its ``piece_digests``. Raises Damaged, like ``get``; a file whose length is not
        ``size`` is not read at all.
        """
        import numpy as np

        try:
            descriptor = self._open(sha256)
        except OSError as error:
            raise Damaged(f"blob {sha256} cannot be read: {error.strerror}", _ADVICE) from error
        try:
            if os.fstat(descriptor).st_size != size:
                raise Damaged(f"blob {sha256} has another length", _ADVICE)
            # bytearray would write zeros first: to touch fresh memory costs more than to hash it.
            data = np.empty(size, np.uint8).data

            def digest_from(start: int) -> bytes:
                part = data[start : start + _PIECE]
                return hashlib.sha256(part[: os.preadv(descriptor, [part], start)]).digest()

            with ThreadPoolExecutor(_READERS) as readers:
                digests = b"".join(readers.map(digest_from, range(0, size, _PIECE)))
        except OSError as error:  # a failing disk
            raise Damaged(f"blob {sha256} cannot be read: {error.strerror}", _ADVICE) from error
        finally:
            os.close(descriptor)
        if digests != pieces:
            raise Damaged(f"blob {sha256} is damaged", _ADVICE)
        return data

    def _open(self, sha256: str) -> int:
        """Open a blob. Raises Damaged if it is missing or a link."""
        try:
            return os.open(self.path(sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise Damaged(f"blob {sha256} is missing", _ADVICE) from None
            if error.errno == errno.ELOOP:
                raise Damaged(f"blob {sha256} cannot be read: {error.strerror}", _ADVICE) from error
            raise

    def problem(self, sha256: str, size: int) -> str:
        """Return the reason why a blob cannot be read, judged by its metadata; "" if it can."""
        try:
            return "" if self.path(sha256).lstat().st_size == size else "blob of another length"
        except (OSError, Damaged):
            return "blob missing"

    def intact(self, sha256: str) -> bool:
        """Return whether a blob exists and its bytes match its name."""
        try:
            with os.fdopen(self._open(sha256), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except Damaged:
            return False

    def names(self) -> Iterator[str]:
        """Return the names of all files in the folders of blobs, sorted."""
        return iter(sorted(path.name for path in self.folder.glob("??/*") if path.is_file()))

    def remove(self, sha256: str) -> None:
        """Delete a blob. The caller has made sure that no row names it."""
        remove(self.path(sha256))


@contextmanager
def _plain_file(data: memoryview) -> Iterator[Path]:
    """Yield a file in memory with ``data``; on systems without such files, a temporary file."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("memos"), "wb") as file:
            file.write(data)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")
        return
    with tempfile.NamedTemporaryFile(prefix="memos-") as file:  # 0600
        file.write(data)
        file.flush()
        yield Path(file.name)
