#!/usr/bin/env python3
"""Damaged states: none is given to llama.cpp, none is accepted, none ends the process.

  scripts/bench/mutations.py [--count 10000] [--seed 1]

Makes a vault with two promoted documents of four lines, whose states are of one length. Then the file of the
first is changed N times in place, each time in another way: cut, bits flipped, fields of llama.cpp's header
edited, bytes appended, pieces swapped or zeroed, the other state's bytes under its name. Each time the usual
way tries to use it (``operation.states.activation.restore``, with nothing kept in memory), in this one
process: had llama.cpp aborted, there would be no last line. At last the right bytes are put back, and must be
accepted.
"""

from __future__ import annotations

import argparse
import os
import random
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from bench_tools import LINES, open_memos

from memos_cli.interface.memory import Memos
from memos_cli.operation.states.activation import Restored, StateCache, restore

HEADER = 16 + 64 * 12 + 8 + 12
"""Bytes before the first keys: magic, version, counts, position and sequence of each token, type and size."""
NUMBERS = (0, 1, 2, 63, 65, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1)

Mutation = Callable[[random.Random, bytearray, bytes], bytes | bytearray]


def cut(chance: random.Random, data: bytearray, other: bytes) -> bytes | bytearray:
    return data[: chance.choice((0, 3, HEADER, len(data) - 1, chance.randrange(len(data))))]


def flip_bits(chance: random.Random, data: bytearray, other: bytes) -> bytes | bytearray:
    for _ in range(chance.choice((1, 1, 2, 8, 100))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def edit_header(chance: random.Random, data: bytearray, other: bytes) -> bytes | bytearray:
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = 4 * chance.choice((*range(4), chance.randrange(HEADER // 4)))
        (number,) = struct.unpack_from("<I", data, at)
        new = chance.choice((*NUMBERS, number + 1, number - 1, chance.getrandbits(32)))
        struct.pack_into("<I", data, at, new % 2**32)
    return data


def append(chance: random.Random, data: bytearray, other: bytes) -> bytes | bytearray:
    return data + chance.randbytes(chance.choice((1, 4, 16, 4096)))


def swap_pieces(chance: random.Random, data: bytearray, other: bytes) -> bytes | bytearray:
    size = chance.choice((4, 64, 4096, 100_000))
    one = chance.randrange(len(data) - 2 * size)
    two = chance.randrange(one + size, len(data) - size)
    data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]
    return data


def zero(chance: random.Random, data: bytearray, other: bytes) -> bytes | bytearray:
    start = chance.choice((0, chance.randrange(len(data))))
    end = min(len(data), start + chance.choice((4, 512, 4096, len(data))))
    data[start:end] = bytes(end - start)
    return data


def exchange(chance: random.Random, data: bytearray, other: bytes) -> bytes | bytearray:
    """All of the other state, or what it has from one place on."""
    at = chance.choice((0, 0, chance.randrange(len(data))))
    data[at:] = other[at:]
    return data


CHANGES: tuple[Mutation, ...] = (cut, flip_bits, edit_header, append, swap_pieces, zero, exchange)


def promote(memos: Memos, name: str) -> None:
    """Keep the state of a document of four lines."""
    lines = "\n".join(f"The {name} in room {n} is looked after by Ada." for n in range(4))
    memos.promote(memos.ingest(options=LINES, text=lines.encode(), name=name, embed=False).ids)


def write_over(path: Path, data: bytes | bytearray) -> None:
    """Change a file in place: the disk need not see each of its contents."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEMOS_CACHE"] = str(Path(folder) / "cache")
        with open_memos(Path(folder) / "vault") as memos:
            run(memos, chance, options.count)


def run(memos: Memos, chance: random.Random, count: int) -> None:
    memos.create_vault()
    for name in ("heron", "otter"):
        promote(memos, name)
    state, second = (each.state for each in memos.activations())
    blobs, engine = memos.vault.blobs, memos.local_engine
    fingerprint = memos.fingerprint(engine)
    path, original, other = blobs.path(state.blob), blobs.get(state.blob), blobs.get(second.blob)
    assert len(original) == len(other)
    assert original != other

    def use() -> Restored:
        engine.clear()
        return restore(memos.vault, engine, StateCache(), fingerprint, [*state.tokens, 0], memos.now())

    def is_accepted() -> bool:
        return use().cube is not None and engine.tokens == list(state.tokens)

    assert is_accepted(), "the state as it was made"
    print(f"a state of {len(state.tokens)} tokens, {len(original):,} bytes")
    accepted, done, refused = 0, Counter[str](), Counter[str]()
    start = time.perf_counter()
    with mock.patch.object(engine, "restore", wraps=engine.restore) as given:
        while done.total() < count:
            change = chance.choice(CHANGES)
            data = change(chance, bytearray(original), other)
            if data == original:
                continue  # for instance a number set to what it was
            write_over(path, data)
            restored = use()
            accepted += restored.cube is not None or bool(engine.tokens)
            refused.update(restored.misses.values())
            done[change.__name__] += 1
    seconds = time.perf_counter() - start
    write_over(path, original)
    assert is_accepted(), "the state put back"
    print(", ".join(f"{number} {name}" for name, number in sorted(done.items())))
    print("refused: " + ", ".join(f"{number} {reason}" for reason, number in sorted(refused.items())))
    print(f"{given.call_count} given to llama.cpp; {seconds:.0f} s; the right bytes are accepted again")
    print(f"{done.total()} mutated, {accepted} accepted, 0 aborted")
    raise SystemExit(bool(accepted or given.call_count))


if __name__ == "__main__":
    main()
