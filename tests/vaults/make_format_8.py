"""Make format-8.tar.xz: the vault of format 7, brought up to date with format 8 (commit ab6f649).

git worktree add /tmp/old ab6f649
PYTHONPATH=/tmp/old python tests/vaults/make_format_8.py
"""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

from make_format_7 import HERE, pack

from memos_cli.infrastructure.vault.vault import Vault, read_identity

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "format-8"
        with tarfile.open(HERE / "format-7.tar.xz") as archive:
            archive.extractall(work, filter="tar")
        (Path(work) / "format-7").rename(folder)
        with Vault.open(folder, timeout=1.0):
            assert read_identity(folder).format == 8
        pack(folder)
