#!/usr/bin/env python3
"""How fast a vault is backed up: the first time, when nothing or little has changed, beside `cp -r`.

    scripts/bench/backup.py [--gigabytes 1] [--encrypt] [--folder DIR] [--json FILE]

Makes a vault of N gigabytes, three quarters of them in memos.db (memories and vectors of random bytes) and
the rest in blobs. Each measurement is a command of its own, from its start to its end. `sync` runs before
each, and after `cp -r`, because a backup is durable when it ends.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_tools import MEMOS, command_line, open_memos, write_json

from memos_cli.cube import Draft, Origin, Span
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.vault.vault import Vault

REPOSITORY = Path(__file__).resolve().parents[2]
PART = 5_000
BLOB = 16 << 20
VECTOR = 772


def make(folder: Path, size: int, *, encrypt: bool) -> None:
    """A vault of about ``size`` bytes."""
    key = str(folder.with_suffix(".key")) if encrypt else ""
    with open_memos(folder, "user:ann", key_file=key) as memos:
        vault = memos.create_vault("file" if encrypt else None)
        fill(vault, size * 3 // 4)
        for start in range(0, size // 4, BLOB):
            add_blob(vault, start)
        vault.unrestricted.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def fill(vault: Vault, size: int) -> None:
    """Add memories of 500 bytes, each with three vectors, until memos.db has ``size`` bytes."""
    number = 0
    with vault.change("user:ann", 1_700_000_000_000) as change:
        change.db.execute(
            "INSERT INTO embedder (fingerprint, name, dimension) VALUES ('x/sentences-2', 'x', 768)"
        )
    while (vault.folder / "memos.db").stat().st_size < size:
        with vault.change("user:ann", 1_700_000_000_000) as change:
            source, _ = change.claim_source(Origin(f"file:///{number}", "text", "", 0), None)
            drafts = []
            for n in range(number, number + PART):
                draft = Draft(f"Memory {n}: {os.urandom(240).hex()}", Span(0, 500))
                drafts.append((draft, draft.digest(), bytes(32)))
            kept = change.add(source, drafts, NewMemoryFields())
            change.db.execute("DELETE FROM waiting")
            change.db.executemany(
                "INSERT INTO vector (cube, embedder, start, end, data) VALUES (?, 1, ?, ?, ?)",
                [(each.cube, at, at + 100, os.urandom(VECTOR)) for each in kept for at in (0, 100, 200)],
            )
        number += PART
        vault.unrestricted.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def add_blob(vault: Vault, number: int) -> None:
    with vault.blob_changes() as names:
        name = vault.blobs.put(os.urandom(BLOB), names)
        with vault.change("user:ann", 1_700_000_000_000) as change:
            change.claim_source(Origin(f"file:///{number}.pdf", "text", "", 0), name)


def run(vault: Path, *arguments: str) -> tuple[float, float, dict[str, Any], int]:
    """Run ``memos``. Returns its seconds, those of processors, its result, and its peak memory in bytes."""
    os.sync()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMOS_")}
    environment |= {"PYTHONPATH": str(REPOSITORY), "MEMOS_AS": "user:ann", "MEMOS_CONFIG": f"{vault}.toml"}
    command = [*MEMOS, *arguments, "--vault", str(vault), "--json"]
    begin = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    assert process.returncode == 0, (arguments, process.returncode)
    return seconds, used.ru_utime + used.ru_stime, json.loads(out or "{}"), used.ru_maxrss << 10


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--encrypt", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to work; default: the temporary folder")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as made:
        folder = Path(made)
        vault, backups = folder / "vault", str(folder / "backups")
        make(vault, round(wanted.gigabytes * 1e9), encrypt=wanted.encrypt)
        size = sum(path.stat().st_size for path in vault.rglob("*") if path.is_file())
        found: dict[str, object] = {"bytes": size}
        os.sync()
        begin = time.perf_counter()
        subprocess.run(["cp", "-r", str(vault), str(folder / "copy")], check=True)
        os.sync()
        seconds = time.perf_counter() - begin
        shutil.rmtree(folder / "copy")
        found |= {"cp -r and sync": round(seconds, 2), "cp -r, MB/s": round(size / seconds / 1e6)}
        for what in ("first", "unchanged", "again unchanged", "one memory edited"):
            if what.startswith("one"):
                _, _, newest, _ = run(vault, "list", "-n", "1")
                run(vault, "tag", str(newest["id"]), "--add", "x")
            seconds, used, done, memory = run(vault, "backup", backups)
            found |= {
                f"{what}, seconds": round(seconds, 2), f"{what}, of processors": round(used, 2),
                f"{what}, MiB of memory": memory >> 20,
                f"{what}, bytes written": done["written"],
            }  # fmt: skip
            if what == "first":
                found["first, MB/s"] = round(size / seconds / 1e6)
        seconds, _, _, _ = run(vault, "backup", backups, "--check")
        found |= {"--check, seconds": round(seconds, 2)}
        seconds, _, _, memory = run(folder / "new", "restore-vault", backups)
        found |= {"restore, seconds": round(seconds, 2), "restore, MiB of memory": memory >> 20}
    for name, value in found.items():
        print(f"{name:34} {value:>14,}")
    write_json(wanted.json, found)


if __name__ == "__main__":
    main()
