"""Every entry point of a vault masks secrets, unless ``--secrets allow`` or the setting allows them."""

from __future__ import annotations

import sqlite3

import pytest
from cli_harness import Shell

from memos_cli.interface.share import bundle

SECRET = "hunter22x"
LINE = f"password={SECRET}"
WAYS = {
    "a text": (("ingest", "-", "--no-embed"), f"My password: {SECRET}"),
    "front matter": (("ingest", "-", "--no-embed"), f"---\ntitle: {LINE}\n---\n\nHello there.\n"),
    "a tag of an ingest": (("ingest", "-", "--no-embed", "--tag", LINE), "Hello."),
    "the name of a source": (("ingest", "-", "--no-embed", "--source", LINE), "Hello."),
    "edit --text": (("edit", "ID", "--text", f"Now {LINE}"), ""),
    "edit --title": (("edit", "ID", "--title", LINE), ""),
    "merge": (("merge", "ID", "OTHER", "--text", f"Both {LINE}", "--title", LINE), ""),
    "tag": (("tag", "ID", "--add", LINE), ""),
    "a view": (("view", "set", LINE, "--tag", "x"), ""),
}


def is_kept(memos: Shell) -> bool:
    with sqlite3.connect(memos.vault / "memos.db") as db:
        return any(SECRET in line for line in db.iterdump())


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_masked_at_every_entry_point(memos: Shell, way: str) -> None:
    one, two = memos.keep("The boat is blue.", "Tea is at five.")
    arguments, stdin = WAYS[way]
    named = [{"ID": one, "OTHER": two}.get(each, each) for each in arguments]
    memos(*named, stdin=stdin.encode())
    assert not is_kept(memos)


def test_no_secret_of_a_bundle_is_stored(memos: Shell) -> None:
    memos.keep("The boat is blue.")
    memos("export", "-o", "in.mip")
    with (memos.work / "in.mip").open("rb") as stream:
        parts = bundle.read(stream).parts
    (cube,) = parts["cubes.jsonl"]
    version = cube["versions"][0]
    versions = [version, {**version, "version": 2, "text": f"Now {LINE}", "title": LINE}]
    evil = {**cube, "versions": versions, "tags": [LINE], "author": LINE, "id": "0" + cube["id"][1:-1] + "Z"}
    with (memos.work / "in.mip").open("wb") as stream:
        bundle.write(stream, {**parts, "cubes.jsonl": [evil]})
    other = memos.folder / "other"
    memos("init", "--vault", other)
    memos("import", "in.mip", "--no-embed", "--vault", other)
    with sqlite3.connect(other / "memos.db") as db:
        assert not any(SECRET in line for line in db.iterdump())
    third = memos.folder / "third"
    memos("init", "--vault", third)
    memos("import", "in.mip", "--no-embed", "--secrets", "allow", "--vault", third)
    assert memos("list", "--json", "--vault", third).record["sensitivity"] == "secret"
