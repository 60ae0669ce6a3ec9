"""Write a GGUF file atomically."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memos_cli.files import replacing


@contextmanager
def write_gguf(target: Path, architecture: str) -> Iterator[Any]:
    """Yield a ``gguf.GGUFWriter``; when the block ends, its content is written to ``target``.

    The file is private and durable. If the block raises, or the disk is full, no file is left. Several
    processes may write the same file at once: each replaces it as a whole.
    """
    import gguf

    with replacing(target) as part:
        writer = gguf.GGUFWriter(part, architecture)
        try:
            yield writer
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
