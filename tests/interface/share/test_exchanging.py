"""Memories from vault to vault: the same bytes again, nothing that may not go, nothing that is lost here."""

from __future__ import annotations

import io
import json
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell
from hypothesis import given
from hypothesis import strategies as st
from states_harness import Desk

from memos_cli.cube import Filter
from memos_cli.errors import Damaged, MemosError
from memos_cli.infrastructure.derived import saved_states
from memos_cli.interface.options import IngestOptions
from memos_cli.interface.share import bundle

CHAT = "".join(
    json.dumps({"id": f"t{n}", "role": "user", "name": "Ann", "time": f"2026-05-0{n}", "content": text})
    + "\n"
    for n, text in enumerate(("Hello, 你好!", "I planted tomatoes.", "They grow."), 1)
)


@pytest.fixture
def full(memos: Shell) -> Shell:
    """A vault with versions, tags, links, an end, and what is archived."""
    memos("ingest", memos.write("chat.jsonl", CHAT), "--no-embed", "--tag", "garden/beds")
    memos(
        "ingest",
        memos.write("notes.md", "# Boat\n\nThe hull is of oak.\n"),
        "--no-embed",
        "--expires",
        "2099-01-01",
    )
    (boat,) = [each for each in memos("list", "--json").records if each["title"] == "Boat"]
    memos("edit", boat["id"], "--text", "The hull is of ash.")
    memos("edit", boat["id"], "--text", "The hull is of pine.")
    memos("link", "t2", "follows", "t1")
    memos("freeze", "t3")
    memos("grant", "t2", "agent:gardener")
    return memos


def other(shell: Shell, name: str = "other") -> tuple[str, ...]:
    """The options that name another vault, which is made."""
    vault = shell.folder / name
    shell("init", "--vault", vault)
    return ("--vault", str(vault))


def test_out_in_and_out_again_are_the_same_bytes(full: Shell) -> None:
    made = full("export", "-o", "one.mip", "--json").record
    assert (made["memories"], made["held_back"]) == (4, {})
    there = other(full)
    came = full("import", "one.mip", "--no-embed", "--with-grants", "--json", *there).record
    assert (came["kind"], came["added"], came["links"]) == ("mip", 4, 1)
    assert full("export", "-o", "two.mip", "--json", *there).record["sha256"] == made["sha256"]
    assert (full.work / "one.mip").read_bytes() == (full.work / "two.mip").read_bytes()
    again = full("import", "one.mip", "--no-embed", "--json", *there).record
    assert (again["added"], again["versions"], again["unchanged"]) == (0, 0, 4)
    full("check", *there)
    (hit,) = full("search", "pine", "--json", *there).records
    history = full("history", hit["id"], "--json", *there).record["versions"]
    assert [each["text"] for each in history] == [
        "The hull is of pine.", "The hull is of ash.", "# Boat\n\nThe hull is of oak.",
    ]  # fmt: skip
    assert full("show", "t3", "--json", *there).record["frozen"] is True


def test_a_bundle_goes_through_a_pipe(full: Shell) -> None:
    full("export", "-o", "one.mip")
    piped = (full.work / "one.mip").read_bytes()
    came = full("import", "-", "--no-embed", "--json", *other(full), stdin=piped).record
    assert (came["kind"], came["added"]) == ("mip", 4)


def test_what_went_on_there_gets_its_versions_here(full: Shell) -> None:
    full("export", "-o", "one.mip")
    there = other(full)
    full("import", "one.mip", "--no-embed", *there)
    hit = full("search", "pine", "--json").records[0]
    full("edit", hit["id"], "--text", "The hull is of steel.")
    full("export", "-o", "two.mip")
    assert full("import", "two.mip", "--no-embed", "--json", *there).record["versions"] == 1
    assert full("search", "steel", "--json", *there).records
    full("edit", hit["id"], "--text", "My hull is of reed.", *there)
    full("edit", hit["id"], "--text", "The hull is of tin.")
    full("export", "-o", "three.mip")
    came = full("import", "three.mip", "--no-embed", "--json", *there, code=3).record
    assert "other text here" in came["failed"][0]["reason"]
    assert full("search", "reed", "--json", *there).records
    full("check", *there)


def test_what_may_not_go_stays_and_is_counted(full: Shell) -> None:
    full("mark", "confidential", "t1")
    full("mark", "personal", "t2")
    made = full("export", "-o", "one.mip", "--json").record
    assert (made["memories"], made["held_back"]) == (3, {"confidential": 1})
    assert full("export", "--up-to", "open", "-o", "two.mip", "--json").record["held_back"] == {
        "confidential": 1, "personal": 1,
    }  # fmt: skip
    assert full("export", "--up-to", "secret", "-o", "three.mip", "--json").record["memories"] == 4
    assert b"Hello" not in (full.work / "one.mip").read_bytes()
    note = full("export", "t1", "-o", "four.mip").err
    assert "1 memory is not exported: confidential" in note


def test_what_is_anothers_goes_only_where_it_may_be_shared(full: Shell) -> None:
    gardener = ("--as", "agent:gardener")
    assert full("export", "-o", "g.mip", "--json", *gardener).record["held_back"] == {"not yours to share": 1}
    full("grant", "t2", "agent:gardener", "share")
    assert full("export", "-o", "g.mip", "--json", *gardener).record["memories"] == 1


def test_quarantined_imports_have_links_and_are_not_found(full: Shell) -> None:
    full("export", "-o", "one.mip")
    there = other(full)
    came = full("import", "one.mip", "--quarantine", "--no-embed", "--json", *there).record
    assert (came["added"], came["quarantined"], came["links"]) == (4, 4, 1)
    assert full("list", "--json", *there).records == []
    assert len(full("list", "--state", "quarantined", "--json", *there).records) == 4


def test_the_other_formats_lose_no_text(full: Shell) -> None:
    known = {each["text"] for each in full("list", "--json").records}
    markdown = full("export", "--format", "markdown").out
    assert all(text in markdown for text in known)
    (full.work / "all.md").write_text(markdown)
    full("ingest", "all.md", "--no-embed", *(there := other(full)))
    held = "\n".join(each["text"] for each in full("list", "--json", *there).records)
    assert all(text in held for text in known)
    for format in ("mem0", "memos", "letta"):
        name = "sam.af" if format == "letta" else f"{format}.json"
        (full.work / name).write_text(full("export", "--format", format).out)
        there = other(full, format)
        came = full("import", name, "--no-embed", "--json", *there).record
        assert (came["kind"], came["added"]) == (format, 4)
        assert {each["text"] for each in full("list", "--json", *there).records} == known
    lines = full("export", "--format", "jsonl").out.splitlines()
    assert {json.loads(line)["versions"][-1]["text"] for line in lines} == known
    assert "no format 'fax'" in full("export", "--format", "fax", code=2).err


HEADER = ("id", "ref", "type", "title", "author", "role", "time", "tags", "expires")
LOSSES = {
    "mip": set(),
    "jsonl": {"links"},
    "mem0": {"id", "ref", "tags", "expires", "links"},
    "memos": {"id", "ref", "expires"},
    "letta": {"id", "ref", "type", "title", "time", "tags", "expires", "links"},
}
"""What of a memory is not as it was after an export and an import: see `memos help sharing`."""


@pytest.mark.parametrize("format", LOSSES)
def test_what_a_format_loses_is_known(full: Shell, format: str) -> None:
    names = {"memos": "textual_memory.json", "letta": "x.af", "jsonl": "x.jsonl"}
    name = names.get(format, "x.json")
    full.keep("It rained.", options=("--type", "fact", "--time", "2026-04-01"))
    full("expire", full("list", "--json").records[0]["id"], "--at", "2098-07-01T12:30:00Z")
    full("export", "--format", format, "-o", name)
    there = other(full)
    full("import", name, "--no-embed", *there)

    def known(*options: str) -> dict[str, Any]:
        rows = {row["text"]: row for row in full("list", "--json", *options).records}
        steps = full("show", rows["I planted tomatoes."]["id"], "--graph", "--json", *options).records
        return {**rows, "links": [step["link"]["kind"] for step in steps if step["depth"]]}

    here, came = known(), known(*there)
    lost = {"links"} if came.pop("links") != here.pop("links") else set()
    assert came.keys() == here.keys()
    lost |= {key for text, row in here.items() for key in HEADER if came[text][key] != row[key]}
    assert lost == LOSSES[format]


def test_a_state_that_was_there_is_made_here_at_night(desk: Desk, harbour: list[str], tmp_path: Path) -> None:
    desk.promote(*harbour)
    with desk.open() as memos:
        first = io.BytesIO()
        memos.export(stream=first, filter=Filter())
    (tmp_path / "one.mip").write_bytes(first.getvalue())
    there = Desk(tmp_path / "there", desk.settings, desk.loads, desk.reads, desk.written)
    with there.open() as memos:
        memos.create_vault()
        memos.import_export(tmp_path / "one.mip", options=IngestOptions(), embed=False)
        second = io.BytesIO()
        memos.export(stream=second, filter=Filter())
        assert second.getvalue() == first.getvalue()
        (deed,) = memos.maintain(steps=("states",)).deeds
        assert deed.reason == "it came with an import"
    assert [each.cubes("document") for each in there.states()] != []
    with there.open() as memos:
        assert saved_states.requests(memos.vault.connection) == []


# --- signed, and for some eyes only ------------------------------------------------------------------------


def test_who_signed_must_be_known(full: Shell) -> None:
    pytest.importorskip("cryptography")
    assert "memos key new" in full("export", "--sign", "-o", "one.mip", code=2).err
    signer = full("key", "new").out.strip()
    assert full("key", "show", "--json").record["signer"] == signer
    assert full("key", "new").out.strip() == signer
    (key,) = full.folder.rglob("signing.key")
    assert key.stat().st_mode & 0o777 == 0o600
    first = full("export", "--sign", "-o", "one.mip", "--json").record["sha256"]
    assert full("export", "--sign", "-o", "two.mip", "--json").record["sha256"] == first
    assert signer in full("import", "one.mip", "--no-embed").err  # one's own
    key.unlink()
    there = other(full)
    assert "does not trust the signer" in full("import", "one.mip", "--no-embed", *there, code=14).err
    assert full("list", "--json", *there).records == []
    full("import", "one.mip", "--trust", "--dry-run", "--no-embed", *there, code=14)
    assert full("import", "one.mip", "--trust", "--no-embed", "--json", *there).record["added"] == 4
    assert full("key", "list", "--json", *there).records == [{"signer": signer}]
    full("import", "one.mip", "--no-embed", *there)
    full("key", "distrust", signer, *there)
    full("import", "one.mip", "--no-embed", *there, code=14)
    full("key", "trust", signer, *there)
    full("import", "one.mip", "--no-embed", *there)
    assert "not a public key" in full("key", "trust", "ed25519:x", *there, code=2).err


def members_of(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        return [(each.name, archive.extractfile(each).read()) for each in archive]  # type: ignore[union-attr]


def test_a_signature_of_something_else_is_refused(full: Shell) -> None:
    pytest.importorskip("cryptography")
    full("key", "new")
    full("export", "t1", "--sign", "-o", "one.mip")
    full("export", "t2", "--sign", "-o", "two.mip")
    one, two = (members_of(full.work / name) for name in ("one.mip", "two.mip"))
    forged = packed(*one[:-1], two[-1])
    (full.work / "forged.mip").write_bytes(forged)
    assert "signature" in full("import", "forged.mip", "--trust", "--no-embed", code=12).err


def test_only_who_it_is_for_can_read_it(full: Shell) -> None:
    pyrage = pytest.importorskip("pyrage")
    mine, others = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, identity in (("mine.key", mine), ("others.key", others)):
        (full.work / name).write_text(f"# created: today\n{identity}\n")
    full("export", "--to", mine.to_public(), "-o", "sealed.mip")
    assert b"tomatoes" not in (full.work / "sealed.mip").read_bytes()
    there = other(full)
    assert "--identity" in full("import", "sealed.mip", "--no-embed", *there, code=14).err
    full("import", "sealed.mip", "--identity", "others.key", "--no-embed", *there, code=14)
    came = full("import", "sealed.mip", "--identity", "mine.key", "--no-embed", "--json", *there).record
    assert came["added"] == 4
    assert "not an age recipient" in full("export", "--to", "age1nobody", "-o", "x.mip", code=2).err


# --- bundles that are none ----------------------------------------------------------------------------


def packed(*members: tuple[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def test_a_bundle_is_what_its_manifest_says() -> None:
    whole = io.BytesIO()
    bundle.write(whole, {"cubes.jsonl": [{"a": 1}]})
    assert bundle.read(io.BytesIO(whole.getvalue())).parts["cubes.jsonl"] == [{"a": 1}]
    changed = whole.getvalue().replace(b'{"a":1}', b'{"a":2}')
    with pytest.raises(Damaged, match="does not match the manifest"):
        bundle.read(io.BytesIO(changed))
    future = packed((bundle.MANIFEST, b'{"format":"mip","version":9,"members":{}}'))
    with pytest.raises(MemosError, match="newer"):
        bundle.read(io.BytesIO(future))
    lacking = packed((bundle.MANIFEST, b'{"format":"mip","version":1,"members":{"cubes.jsonl":{}}}'))
    with pytest.raises(Damaged, match="missing"):
        bundle.read(io.BytesIO(lacking))


def test_a_sparse_member_is_refused_before_its_zeros_are_read() -> None:
    entry = tarfile.TarInfo("zeros.jsonl")
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % (1 << 30)  # what it claims; the file has none of them
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    whole = packed((bundle.MANIFEST, b'{"format":"mip","version":1,"members":{}}')).rstrip(b"\0")
    with pytest.raises(Damaged, match="not a bundle: zeros"):
        bundle.read(io.BytesIO(whole + bytes(-len(whole) % 512) + header + bytes(1024)))


@given(st.data())
def test_a_damaged_bundle_is_refused(data: st.DataObject) -> None:
    whole = io.BytesIO()
    bundle.write(whole, {"cubes.jsonl": [{"a": "text " * 20}]})
    content = bytearray(whole.getvalue())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with suppress(MemosError):
        assert bundle.read(io.BytesIO(bytes(content[: data.draw(st.integers(0, len(content)))])))


def test_a_record_that_is_none_stops_no_other(full: Shell) -> None:
    full("export", "-o", "one.mip")
    parts: Any = bundle.read(io.BytesIO((full.work / "one.mip").read_bytes())).parts
    first, second, third, fourth = parts["cubes.jsonl"]
    first["id"] = "../../etc/passwd"
    second["versions"] = []
    third["type"] = "virus"
    parts["links.jsonl"].append({"source": fourth["id"], "kind": "merged_into", "target": fourth["id"]})
    parts["access.jsonl"].append({"target": "nobody", "principal": "agent:x", "right": "admin"})
    whole = io.BytesIO()
    bundle.write(whole, parts)
    (full.work / "bad.mip").write_bytes(whole.getvalue())
    came = full("import", "bad.mip", "--no-embed", "--json", *(there := other(full)), code=3).record
    assert (came["added"], len(came["failed"])) == (1, 3)
    full("check", *there)
