"""An entry in another program's settings: it comes and goes, and nothing else moves."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from memos_cli.interface.client_settings.settings_files import (
    NotReadable,
    read_entry,
    remove_entry,
    set_entry,
)

ENTRY: dict[str, Any] = {"command": "/opt/memos", "args": ["mcp", "--as", "agent:ü"], "env": {"A": "1"}}
KEYS = ("servers", "memos")

JSON = [
    "{}",
    "{\n}\n",
    '{"a": 1}',
    '{"a": 1, "servers": {"x": {"command": "y"}}}',
    '{\n  // first\n  "a": 1, // one\n  "servers": {\n    "x": {"command": "y"}, // keep\n  },\n}\n',
    '{\n\t"servers": {},\n\t"b": [1, 2,], /* c, } */\n}\n',
    '{"servers": null, "a": "http://x, } // no"}',
    '{\n    "servers": {\n        "x": {} /* last */\n    }\n}',
    '// the settings\n{\n  "a": "\\"/* no */", // say "hi"\n}\n// end\n',
    '{"servers": {"a": {}}, "servers": {"b": {}}}',
    '{"servers": {"memos": {"command": "old", "disabled": true}, "z": {}}, "é": "気"}',
    "// only a comment\n",
    "",
]
TOML = [
    "",
    'model = "o3" # mine\n',
    'model = "o3"\n\n[servers.x]\ncommand = "y" # why\n\n[tui]\na = 1\n',
    '[servers]\nx = { command = "y" }\n',
    'servers = { x = { command = "y" } }\n',
    'servers.x.command = "y"\n',
    "[servers.memos]\ncommand = 'old' # mine\nstartup_timeout_sec = 20\n\n[servers.z]\ncommand = 'q'\n",
    '# end without a newline\na = "気"',
]
YAML = [
    "",
    "# mine\nGOOSE_MODEL: x\n",
    "servers:\nb: 1\n",
    "servers: {}  # none\nb: 1\n",
    "servers: {a: {b: 1}, c: {d: 2}}\n",
    "servers:\n  # about x\n  x:\n    enabled: true\n    args:\n    - a\n\n# end\nb: [1, 2]\n",
    "servers:\n    memos:\n        cmd: old\n\n    z:\n        x: 1\nlast: 気",
    "servers:\n  a:\n    text: |\n      one\n\n      two\n  b: 'q'\n",
    "---\na: &x 1\nb: *x\n",
]
CASES = [(kind, text) for kind, texts in (("json", JSON), ("toml", TOML), ("yaml", YAML)) for text in texts]


WITH_OTHERS = ('"servers": {', "[servers.x]", "servers:\n  ")


def letters(text: str) -> str:
    """A text without its layout."""
    return "".join(text.split()).replace(",", "")


@pytest.mark.parametrize(("kind", "text"), CASES)
def test_an_entry_comes_changes_and_goes(kind: str, text: str) -> None:
    added = set_entry(kind, text, KEYS, ENTRY)
    assert read_entry(kind, added, KEYS) == ENTRY
    assert set_entry(kind, added, KEYS, ENTRY) == added
    changed = set_entry(kind, added, KEYS, {"command": "/other"})
    assert read_entry(kind, changed, KEYS) == {"command": "/other"}
    removed = remove_entry(kind, changed, KEYS)
    assert read_entry(kind, removed, KEYS) is None
    assert remove_entry(kind, removed, KEYS) == removed
    for comment in ("// one", "// keep", "/* c, } */", "/* last */", "# why", "# about x", "# end", "# mine"):
        assert (comment in text) <= (comment in removed or "old" in text)


@pytest.mark.parametrize(
    ("kind", "text"), [case for case in CASES if any(sign in case[1] for sign in WITH_OTHERS)]
)
def test_a_table_that_was_there_is_as_before_in_the_end(kind: str, text: str) -> None:
    if read_entry(kind, text, KEYS) is None:
        removed = remove_entry(kind, set_entry(kind, text, KEYS, ENTRY), KEYS)
        assert letters(removed) == letters(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", "["), ("json", "[1]"), ("json", '{"servers": []}'), ("json", '{"servers": {"memos": 3}}'),
        ("json", "{'a': 1}"), ("json", '{"a": 1,,}'), ("json", "/* open"), ("json", "[" * 100_000),
        ("toml", "a ="), ("toml", "servers = 3"), ("toml", "[a]\n[a]\n"),
        ("yaml", "a: ["), ("yaml", "servers: 3"), ("yaml", "- a"), ("yaml", "a: !!python/object:os.x {}"),
        ("yaml", "\tservers:\n"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_understood_is_refused(kind: str, text: str) -> None:
    for change in (lambda: set_entry(kind, text, KEYS, ENTRY), lambda: read_entry(kind, text, KEYS)):
        with pytest.raises(NotReadable):
            change()


names = st.text(string.ascii_letters + ' ,{}"\\/*:#気', max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
tables = st.dictionaries(
    names.filter(lambda name: name != "memos"), st.dictionaries(names, values, max_size=2)
)


@settings(max_examples=20)
@given(st.dictionaries(names.filter(lambda name: name != "servers"), values, max_size=3), tables, st.data())
def test_any_settings_stay_as_they_are(
    stored: dict[str, Any], servers: dict[str, Any], data: st.DataObject
) -> None:
    stored = {**stored, "servers": servers} if data.draw(st.booleans()) else stored
    flow = data.draw(st.booleans())
    texts = {
        "json": json.dumps(stored, indent=data.draw(st.sampled_from([None, 2, "\t"])), ensure_ascii=False),
        "yaml": yaml.safe_dump(stored, default_flow_style=flow, allow_unicode=True, width=10_000),
    }
    for kind, text in texts.items():
        added = set_entry(kind, text, KEYS, ENTRY)
        assert read_entry(kind, added, KEYS) == ENTRY
        removed = remove_entry(kind, added, KEYS)
        found = json.loads(removed) if kind == "json" else yaml.safe_load(removed)
        assert {**(found or {}), "servers": (found or {}).get("servers") or {}} == {
            **stored, "servers": stored.get("servers") or {},
        }  # fmt: skip
