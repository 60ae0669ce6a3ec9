#!/usr/bin/env python3
"""Saved states beside those of llama-cpp-python, in one run on the same model and the same tokens.

    scripts/bench/states.py [--tokens 2048] [--rounds 5] [--model NAME] [--kv-type f16] [--json FILE]

ours        Engine.save and Blobs.put (hashed, durable); Blobs.read (verified) and Engine.restore
save_state  Llama.save_state and pickle into a file; pickle from the file and Llama.load_state
disk cache  Llama.save_state into LlamaDiskCache; out of it and Llama.load_state

Takes turns, and prints medians: bytes on disk, seconds to save, seconds to load; then the ratios to ours,
and that of verifying and restoring ours to a plain read of the same bytes. llama-cpp-python as it comes:
its states are not verified, and not flushed to the disk. It brings diskcache with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import pickle
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for both, and before either loads

import llama_cpp  # first: memos_cli would load only its low-level part
import numpy as np
from bench_tools import command_line, write_json
from llama_cpp.llama_cache import LlamaDiskCache

from memos_cli.infrastructure.storage.blobs import Blobs, piece_digests
from memos_cli.models.llama.llama_engine import KV_TYPES, Engine
from memos_cli.models.model_files import resolve_reader

ROOM = 64
"""Tokens of context beside those of the state."""


def seconds(do: Callable[[], Any]) -> tuple[float, Any]:
    """How long it takes, and what it gives. Freed memory is given back first: fresh memory costs as much
    as reading into it, and a new process has no other."""
    with contextlib.suppress(AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)
    start = time.perf_counter()
    result = do()
    return time.perf_counter() - start, result


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Ours:
    def __init__(self, folder: Path, engine: Engine, tokens: list[int]) -> None:
        self.folder, self.engine, self.tokens = folder, engine, tokens
        self.blobs = Blobs(folder / "blobs", folder)
        self.name, self.size, self.pieces = "", 0, b""
        engine.read(tokens)

    def save(self) -> None:
        data = self.engine.save()
        self.name, self.size, self.pieces = self.blobs.put(data), len(data), piece_digests(data)

    def load(self) -> None:
        self.engine.restore(self.blobs.read(self.name, self.size, self.pieces), self.tokens)

    def read(self) -> None:
        with self.blobs.path(self.name).open("rb", buffering=0) as file:
            file.readinto(np.empty(self.size, np.uint8).data)

    def first(self) -> str:
        self.engine.read(self.tokens)
        return next(self.engine.generate(limit=1), "")


class Pickled:
    def __init__(self, folder: Path, llama: llama_cpp.Llama) -> None:
        self.folder, self.llama, self.path = folder, llama, folder / "state.pickle"

    def save(self) -> None:
        with self.path.open("wb") as file:
            pickle.dump(self.llama.save_state(), file, pickle.HIGHEST_PROTOCOL)

    def load(self) -> None:
        with self.path.open("rb") as file:
            self.llama.load_state(pickle.load(file))


class Cached:
    def __init__(self, folder: Path, llama: llama_cpp.Llama, tokens: list[int]) -> None:
        self.folder, self.llama, self.tokens = folder, llama, tokens
        self.cache = LlamaDiskCache(str(folder), capacity_bytes=8 << 30)

    def save(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):  # it says what it does
            self.cache[self.tokens] = self.llama.save_state()

    def load(self) -> None:
        self.llama.load_state(self.cache[self.tokens])


def measure(folder: Path, model: Path, count: int, rounds: int, kv_type: str) -> dict[str, Any]:
    chance = random.Random(1)
    context = count + ROOM
    peer = llama_cpp.Llama(
        str(model), n_ctx=context, type_k=KV_TYPES[kv_type], type_v=KV_TYPES[kv_type], verbose=False
    )
    with Engine(model, context=context, kv_type=kv_type) as engine:
        tokens = [chance.randrange(100, peer.n_vocab() - 100) for _ in range(count)]
        folders = {name: folder / name for name in ("ours", "save_state", "disk cache")}
        for each in folders.values():
            each.mkdir()
        ours = Ours(folders["ours"], engine, tokens)
        peer.eval(tokens)
        cached = Cached(folders["disk cache"], peer, tokens)
        ways: dict[str, Ours | Pickled | Cached] = {
            "ours": ours,
            "save_state": Pickled(folders["save_state"], peer),
            "disk cache": cached,
        }
        saves: dict[str, list[float]] = {name: [] for name in ways}
        loads: dict[str, list[float]] = {name: [] for name in ways}
        size: dict[str, int] = {}
        reads: list[float] = []
        expected = None
        for _ in range(rounds):
            for name, way in ways.items():
                if name == "ours" and ours.name:
                    ours.blobs.remove(ours.name)  # what is there already is not written again
                saves[name].append(seconds(way.save)[0])
                size[name] = disk_bytes(folders[name])
                if name == "ours":
                    reads.append(seconds(ours.read)[0])
                    engine.clear()
                loads[name].append(seconds(way.load)[0])
            first = ours.first()
            assert expected in (None, first)
            expected = first
        peer.close()
        cached.cache.cache.close()
        return {
            "tokens": count,
            "kv_type": kv_type,
            "bytes": size,
            "save_s": {name: round(statistics.median(values), 5) for name, values in saves.items()},
            "load_s": {name: round(statistics.median(values), 5) for name, values in loads.items()},
            "read_s": round(statistics.median(reads), 5),
            "restore_to_read": round(statistics.median(loads["ours"]) / statistics.median(reads), 3),
        }


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="")
    parser.add_argument("--kv-type", default="f16", choices=sorted(KV_TYPES))
    options = parser.parse_args()
    model = resolve_reader(options.model)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if (free := shutil.disk_usage(folder).free) < 4 << 30:
            parser.error(f"only {free >> 20} MiB are free in {folder}; save_state takes gigabytes")
        report = measure(folder, model.path, options.tokens, options.rounds, options.kv_type)
    report |= {"model": model.name, "rounds": options.rounds, "load_before": load}
    print(f"{model.name}, {options.tokens:,} tokens, {options.kv_type}, medians of {options.rounds} rounds")
    print(f"{'':11} {'bytes':>13} {'save s':>8} {'load s':>8}   {'bytes':>7} {'save':>6} {'load':>6}  x ours")
    for way in report["bytes"]:
        figures = [report[kind][way] for kind in ("bytes", "save_s", "load_s")]
        size, save, restore = (
            figure / report[kind]["ours"]
            for figure, kind in zip(figures, ("bytes", "save_s", "load_s"), strict=True)
        )
        print(f"{way:11} {figures[0]:>13,} {figures[1]:>8.3f} {figures[2]:>8.4f}", end="   ")
        print(f"{size:>7.2f} {save:>6.2f} {restore:>6.2f}")
    print(f"plain read  {'':13} {'':8} {report['read_s']:>7.4f}", end="   ")
    print(f"verify and restore: {report['restore_to_read']:.2f} of it   (at most 2.5)")
    write_json(options.json, report)


if __name__ == "__main__":
    main()
