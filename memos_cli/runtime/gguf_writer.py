"""Write a GGUF file into the cache atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memos_cli.files import PRIVATE_FILE, make_folder, sync, sync_folder


@contextmanager
def write_gguf(target: Path, architecture: str) -> Iterator[Any]:
    """Yield a ``gguf.GGUFWriter``; when the block ends, its content is written to ``target``.

    The file is private and durable. If the block raises, or the disk is full, there is nothing of it.
    Several processes may write the same file at once: each replaces it whole.
    """
    import gguf

    make_folder(target.parent)
    part = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    writer = gguf.GGUFWriter(part, architecture)
    try:
        yield writer
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.chmod(PRIVATE_FILE)
        with part.open("rb") as file:
            sync(file.fileno())
        part.replace(target)
    except BaseException:
        writer.close()
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
