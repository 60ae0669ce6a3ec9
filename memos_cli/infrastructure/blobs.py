"""Blobs: files named by the sha256 of their bytes, written once and never changed.

Bytes first, row second, delete last: a row may name a blob only after ``put`` has returned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memos_cli.errors import Damaged
from memos_cli.files import make_folder, write_whole


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs under ``folder``; unfinished ones lie in ``scratch``, on the same file system."""

    folder: Path
    scratch: Path

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def put(self, data: bytes) -> str:
        """Keep ``data``, durable when this returns. Returns its sha256 in hexadecimal."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not self.intact(sha256):
            make_folder(path.parent)
            write_whole(path, data, scratch=self.scratch)
        return sha256

    def get(self, sha256: str) -> bytes:
        """The bytes of a blob, verified. Raises Damaged when they are missing or others."""
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise Damaged(f"blob {sha256} is missing", "`memos check` tells what names it") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Damaged(f"blob {sha256} is damaged", "`memos check` tells what names it")
        return data

    def intact(self, sha256: str) -> bool:
        """Whether the blob is there and its bytes are still those of its name."""
        try:
            with self.path(sha256).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def names(self) -> Iterator[str]:
        """The names of all files in the blobs' folders, sorted."""
        return iter(sorted(path.name for path in self.folder.glob("??/*") if path.is_file()))

    def remove(self, sha256: str) -> None:
        """Delete a blob. The caller has made sure that no row names it."""
        self.path(sha256).unlink(missing_ok=True)
