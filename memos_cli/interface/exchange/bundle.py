"""The interchange bundle: a tar of a manifest and JSON lines, the same bytes for the same content.

The manifest comes first and names every other member with its length and its sha256, so that a reader knows
what it holds before it takes any of it in.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from memos_cli.errors import Damaged, MemosError

FORMAT, VERSION = "mip", 1
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
MOST = 1 << 30
"""Bytes of a member that is read."""
LINES = ".jsonl"
_AGAIN = "copy the whole file again, or export it again"
"""How the name of a member ends that holds records, one a line; others are files as they are."""
_PARTS = ("cubes.jsonl", "links.jsonl", "access.jsonl", "rebuild.jsonl")
"""Members that every bundle has."""


def to_line(record: Mapping[str, Any]) -> bytes:
    """A record as one line of JSON: keys sorted, no spaces, UTF-8."""
    text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle holds, verified against its manifest."""

    parts: dict[str, list[dict[str, Any]]]
    """Records by member."""
    files: dict[str, bytes]
    """What is no list of records, by member."""
    manifest: bytes
    signature: dict[str, Any] | None
    """What the signer says; nobody has verified it yet."""


Sign = Callable[[bytes], Mapping[str, str]]
"""Gives the signature of a manifest."""


def write(
    stream: IO[bytes],
    parts: Mapping[str, Iterable[Mapping[str, Any]]],
    sign: Sign | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Write a bundle of ``parts``, lists of records by the names of members, and of ``files``.

    Returns the sha256 of the bundle, in hexadecimal.
    """
    lines = {name: b"".join(map(to_line, records)) for name, records in parts.items()}
    return write_lines(stream, lines, sign, files)


def write_lines(
    stream: IO[bytes],
    parts: Mapping[str, bytes],
    sign: Sign | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """The same, of records that are lines already."""
    names = [*_PARTS, *sorted(name for name in parts if name not in _PARTS)]
    members = {name: parts.get(name, b"") for name in names}
    members |= {name: files[name] for name in sorted(files)} if files else {}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "members": {
            name: {
                "bytes": len(data),
                **({"records": data.count(b"\n")} if name.endswith(LINES) else {}),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
            for name, data in members.items()
        },
    }
    whole, head = io.BytesIO(), to_line(manifest)
    signed = [(SIGNATURE, to_line(sign(head)))] if sign else []
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in ((MANIFEST, head), *members.items(), *signed):
            entry = tarfile.TarInfo(name)  # no time, no owner: nothing but the content
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    stream.write(whole.getbuffer())
    return hashlib.sha256(whole.getbuffer()).hexdigest()


def is_bundle(head: bytes) -> bool:
    """Whether a file that begins so may be a bundle."""
    return head[:14] == MANIFEST.encode() + b"\0" and head[257:262] == b"ustar"


def read(stream: IO[bytes]) -> Bundle:
    """A bundle, once its members are those that its manifest names.

    Raises Damaged where it is not what its manifest says, MemosError for a version of the future.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for entry in archive:
                # A sparse member may claim any size: its zeros are not in the file.
                if not entry.isreg() or entry.issparse() or entry.size > MOST or entry.name in found:
                    raise Damaged(f"not a bundle: {entry.name}", _AGAIN)
                held = archive.extractfile(entry)
                found[entry.name] = held.read() if held else b""
        head = found.pop(MANIFEST)
        manifest = json.loads(head)
        signature = _record(found.pop(SIGNATURE)) if SIGNATURE in found else None
        version, told = manifest["version"], manifest["members"]
        if manifest["format"] != FORMAT or not isinstance(version, int):
            raise Damaged("not a bundle of memories", _AGAIN)
        if version > VERSION:
            raise MemosError(
                f"the bundle is of version {version}, newer than this program", "update memos-cli"
            )
        for name, data in found.items():
            if told[name]["sha256"] != hashlib.sha256(data).hexdigest():
                raise Damaged(f"{name} is not what the manifest says", _AGAIN)
        if missing := told.keys() - found.keys():
            raise Damaged(f"{min(missing)} is missing", _AGAIN)
        parts = {
            name: [_record(line) for line in found.pop(name).splitlines()]
            for name in [*found]
            if name.endswith(LINES)
        }
        return Bundle(parts, found, head, signature)
    except (
        tarfile.TarError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        EOFError,
    ) as error:
        raise Damaged(f"not a whole bundle: {error}", _AGAIN) from error


def _record(line: bytes) -> dict[str, Any]:
    found = json.loads(line.decode("utf-8", "surrogatepass"))
    if not isinstance(found, dict):
        raise ValueError("a record is no object")
    return found
