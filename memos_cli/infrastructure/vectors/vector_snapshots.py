"""The files of vector snapshots; ``vector_index.py`` defines their content. Loads no NumPy by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.errors import Damaged
from memos_cli.files import open_regular, write_whole
from memos_cli.infrastructure.storage.encryption import Cipher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The files ``vectors-E.bin`` of a folder, encrypted if the vault is."""

    folder: Path
    cipher: Cipher | None = None
    known: dict[int, tuple[object, Any]] = field(default_factory=dict, compare=False, repr=False)
    """What ``index`` has made of each file, and which file that was."""

    def path(self, embedder: int) -> Path:
        return self.folder / f"vectors-{embedder}.bin"

    def stamp(self, embedder: int) -> tuple[int, ...]:
        """Return a stamp that changes with the file; it is the same for all missing files."""
        try:
            found = self.path(embedder).stat()
        except OSError:
            return ()
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def read(self, embedder: int) -> NDArray[np.uint8] | None:
        """Return the bytes, mapped into memory or decrypted; None if there is no file."""
        import numpy as np

        try:
            with open_regular(self.path(embedder)) as file:
                if self.cipher is not None:
                    return np.frombuffer(self.cipher.unseal(file.read()), np.uint8)
                # A plain array: a memmap's own slices cost more than what is read.
                return np.memmap(file, np.uint8, mode="r").view(np.ndarray)
        except (OSError, ValueError, Damaged):  # ValueError: an empty file cannot be mapped
            return None

    def write(self, embedder: int, data: bytes | memoryview) -> None:
        sealed = data if self.cipher is None else self.cipher.seal(data)
        write_whole(self.path(embedder), sealed, scratch=self.folder)
