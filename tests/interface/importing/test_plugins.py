"""Plug-ins: packages that are really installed (their metadata is on the path); what bad ones cannot do."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Result, Shell

from memos_cli.cli.help.guides import read_guides
from memos_cli.interface import plugins
from memos_cli.interface.importing import importers
from memos_cli.interface.share import exporting

GOOD = """
from memos_cli.interface.importing.importers import Bundle, Importer

def read(export):
    for name in export.named("*.diary"):
        bundle = Bundle(f"diary:{name}", name)
        for line in export.text(name).splitlines():
            bundle.add(line, type="event", author="Ann")
        yield bundle

DIARY = Importer(read, lambda export: bool(export.named("*.diary")), "diaries")
"""


class Site:
    """A folder on the path in which packages are installed, as pip leaves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self, package: str, code: str, *points: str, group: str = "memos.importers", version: str = "1.2"
    ) -> None:
        self.folder.mkdir(exist_ok=True)
        module = package.replace("-", "_")
        (self.folder / f"{module}.py").write_text(code)
        about = self.folder / f"{module}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        (about / "entry_points.txt").write_text("\n".join([f"[{group}]", *points, ""]))
        importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    before = {*sys.modules}
    _forget()
    yield Site(tmp_path / "site")
    for name in {*sys.modules} - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]
    _forget()


def _forget() -> None:
    plugins._points.cache_clear()
    importers._plugins.cache_clear()
    exporting._plugins.cache_clear()


def listed(memos: Shell) -> dict[tuple[str, str], dict[str, Any]]:
    rows = memos("plugins", "--json").records
    return {(row["name"], row["package"]): row for row in rows if row["package"] != "memos-cli"}


def test_the_example_of_the_guide_works(memos: Shell, site: Site) -> None:
    """As it is printed: the two files, installed as a package of its own, in a process of its own."""
    guide = read_guides()["plugins"]
    code = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    project = re.search(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert code and project
    assert code[1].count("\n") <= 60
    tomli = pytest.importorskip("tomli")
    about = tomli.loads(project[1])["project"]
    for group, points in about["entry-points"].items():
        ((name, value),) = points.items()
        package = f"{about['name']}-{name}" if group.endswith("exporters") else about["name"]
        site.install(package, code[1], f"{name} = {value}", group=group, version=about["version"])
    (site.folder / f"{about['name'].replace('-', '_')}.py").rename(site.folder / "recipes.py")
    memos.write("box/soup.recipe", "Onion soup\n2026-03-01\n\nTwo onions, butter, a litre of stock.\n")
    memos.write("box/empty.recipe", "")
    made = memos("import", memos.work / "box", "--no-embed", "--json", code=3).record
    assert (made["kind"], made["added"]) == ("recipes", 1)
    assert "empty.recipe" in made["failed"][0]["reason"]
    (row,) = memos("list", "--json").records
    assert (row["title"], row["time"][:10], row["tags"]) == ("Onion soup", "2026-03-01", ["recipe"])
    assert memos("import", memos.work / "box", "--no-embed", "--json", code=3).record["added"] == 0
    out = memos.work / "out.csv"
    memos("export", "--format", "recipes-csv", "-o", out)
    assert out.read_text().splitlines()[0] == "title,text"
    assert "Onion soup" in out.read_text()
    assert {status["status"] for status in listed(memos).values()} == {"loaded"}


def test_plugins_are_listed_with_the_built_in_ones(memos: Shell, site: Site) -> None:
    site.install("memos-diary", f"print('hello')\n{GOOD}", "diary = memos_diary:DIARY")
    rows = memos("plugins", "--json").records
    names = {(row["name"], row["kind"]) for row in rows if row["status"] == "built in"}
    assert {name for name, kind in names if kind == "importer"} == {*importers.IMPORTS}
    assert {name for name, kind in names if kind == "exporter"} == {*exporting.FORMATS}
    row = listed(memos)["diary", "memos-diary"]
    assert (row["kind"], row["version"], row["status"], row["about"]) == (
        "importer",
        "1.2",
        "loaded",
        "diaries",
    )
    assert any(
        line.startswith("diary\timporter\tmemos-diary\t1.2\tloaded") for line in memos("plugins").lines
    )


@pytest.mark.parametrize(
    ("code", "point", "status"),
    [
        ("import nothing_of_this_name", "bad = memos_bad:X", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "bad = memos_bad:X", "SystemExit: 3"),
        ("1 / 0", "bad = memos_bad:X", "ZeroDivisionError"),
        ("def f(:", "bad = memos_bad:X", "SyntaxError"),
        ("X = 3", "bad = memos_bad:Y", "AttributeError"),
        ("X = 3", "bad = memos_bad:X", "memos_bad:X is not an Importer"),
        (GOOD, "chatgpt = memos_bad:DIARY", "another importer has this name"),
        (GOOD, "mip = memos_bad:DIARY", "another importer has this name"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_and_skipped(
    memos: Shell, site: Site, code: str, point: str, status: str
) -> None:
    site.install("memos-bad", code, point)
    site.install("memos-diary", GOOD, "diary = memos_diary:DIARY")
    (row,) = [each for (_, package), each in listed(memos).items() if package == "memos-bad"]
    assert status in row["status"]
    memos.write("a.diary", "It rained.\n")
    done = memos("import", "a.diary", "--no-embed")
    assert "added 1" in done.out
    assert "memos-bad" in done.err
    assert "Traceback" not in done.err
    if row["name"] == "bad":
        assert status in memos("import", "a.diary", "--from", "bad", code=2).err


def test_damaged_metadata_of_a_package_disturbs_nothing(memos: Shell, site: Site) -> None:
    site.install("memos-diary", GOOD, "diary = memos_diary:DIARY")
    site.install("memos-odd", GOOD, "this is no entry point", "[", "x = 1 = 2")
    (site.folder / "memos_odd-1.2.dist-info" / "METADATA").write_bytes(b"\xff\xfe\0")
    assert listed(memos)["diary", "memos-diary"]["status"] == "loaded"


def hostile(memos: Shell, site: Site, body: str, *options: str, code: int | None = 0) -> Result:
    """Import a file with a plug-in whose reader is ``body``."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    site.install(
        "memos-evil",
        "from memos_cli.interface.importing.importers import Bundle, Importer\n"
        f"from memos_cli.cube import Draft, Span\ndef read(export):\n{lines}\n"
        "EVIL = Importer(read, lambda export: bool(export.named('*.evil')))\n",
        "evil = memos_evil:EVIL",
    )
    memos.write("a.evil", "x")
    return memos("import", "a.evil", "--no-embed", "--json", *options, code=code)


def test_what_a_plugin_yields_is_masked_cut_and_cleaned(memos: Shell, site: Site) -> None:
    made = hostile(
        memos, site,
        "bundle = Bundle('file:///etc/passwd', 'T\\x1b[31m')\n"
        "bundle.drafts.append(Draft('password = \"hunter2-very-long-9f8e7d\"\\0', Span(0, 0), 'no type',\n"
        "    role='root', sensitivity='none', time=10**40, tags=('a\\nb',), author='\\ud800'))\n"
        "bundle.drafts.append(Draft('y' * 70_000, Span(9, 1), ref='r' * 5000))\n"
        "bundle.drafts.append('no draft')\n"
        "bundle.pinned = ['nobody']\n"
        "yield bundle",
        code=3,
    ).record  # fmt: skip
    assert made["added"] == 4
    assert made["failed"][0]["reason"] == "not a memory: str"
    rows = memos("list", "--json").records
    assert all(row["source"] == "evil:file:///etc/passwd" for row in rows)
    (secret,) = [row for row in rows if row["text"].startswith("password")]
    assert "hunter2" not in json.dumps(rows)
    assert (secret["type"], secret["role"], secret["time"]) == ("document", "", None)
    assert secret["sensitivity"] == "personal"
    assert max(len(row["text"]) for row in rows) <= 30_000
    memos.check()


def test_a_plugin_cannot_change_memories_of_others(memos: Shell, site: Site) -> None:
    memos.write("mine.txt", "The port is 5433.")
    memos("ingest", "mine.txt", "--no-embed")
    uri = memos("list", "--json").record["source"]
    hostile(memos, site, f"bundle = Bundle({uri!r})\nbundle.add('The port is 1.')\nyield bundle")
    assert {row["text"] for row in memos("list", "--json").records} == {"The port is 5433.", "The port is 1."}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no such page')", "the plug-in 'evil' failed: ValueError: no such page"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("yield 7", "yields int, not a Bundle"),
        ("return 5", "TypeError"),
        ("bundle = Bundle('x')\nbundle.drafts = None\nyield bundle", ""),
        ("bundle = Bundle('x')\nbundle.ends = 7\nyield bundle", "AttributeError"),
    ],
)
def test_a_plugin_that_fails_is_named_without_a_traceback(
    memos: Shell, site: Site, body: str, said: str
) -> None:
    done = hostile(memos, site, body, code=1 if said else 0)
    assert "Traceback" not in done.err
    assert said in "".join(each["reason"] for each in done.record["failed"])


def test_a_plugin_that_fails_to_recognise_is_asked_no_more(memos: Shell, site: Site) -> None:
    code = (
        "from memos_cli.interface.importing.importers import Importer\nX = Importer(None, lambda e: 1 / 0)\n"
    )
    site.install("memos-a", code, "a = memos_a:X")
    site.install("memos-diary", GOOD, "diary = memos_diary:DIARY")
    memos.write("a.diary", "It rained.\n")
    assert memos("import", "a.diary", "--no-embed", "--json").record["kind"] == "diary"
    assert memos("import", "a.diary", "--from", "a", "--no-embed", code=1)
    assert "no kind of export" in memos("import", "a.diary", "--from", "fax", code=2).err


def test_a_signal_ends_memos_while_a_plugin_runs(memos: Shell, site: Site) -> None:
    hostile(memos, site, "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nyield 1", code=143)


def test_a_built_in_importer_is_the_same_kind_of_object(memos: Shell) -> None:
    assert {type(each) for each in importers.IMPORTS.values()} == {importers.Importer}
    assert {type(each) for each in exporting.FORMATS.values()} == {exporting.Exporter}


@pytest.mark.parametrize("value", ["1 / 0", "raise SystemExit(2)"])
def test_an_exporter_that_fails_leaves_the_file_as_it_was(memos: Shell, site: Site, value: str) -> None:
    code = (
        "from memos_cli.interface.share.exporting import Exporter\n"
        f"def write(session, memories, stream):\n    stream.write(b'half')\n    {value}\n"
        "X = Exporter(write)\n"
    )
    site.install("memos-out", code, "out = memos_out:X", group="memos.exporters")
    memos.keep("Miso is a cat.")
    out = memos.write("out.txt", "before")
    done = memos("export", "--format", "out", "-o", out, code=1)
    assert "the plug-in 'out' failed" in done.err
    assert out.read_text() == "before"
    site.install("memos-bad", "1 / 0", "bad = memos_bad:X", group="memos.exporters")
    _forget()
    assert "ZeroDivisionError" in memos("export", "--format", "bad", code=2).err


def test_a_search_looks_for_no_plugin(memos: Shell, site: Site) -> None:
    site.install("memos-bad", "raise SystemExit('loaded')", "bad = memos_bad:X")
    memos.keep("The port is 5433.")
    assert plugins._points.cache_info().currsize == 0
    memos("search", "port")
    memos("export", "--format", "jsonl")
    assert plugins._points.cache_info().currsize == 0
