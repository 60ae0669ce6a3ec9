"""Files from elsewhere: what their classes accept, and what they refuse with the name of the field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memos_cli.cube import Filter
from memos_cli.infrastructure.backup import backup_format
from memos_cli.infrastructure.vault import vault_file
from memos_cli.interface.adapters import distillation
from memos_cli.interface.share import bundle, bundle_records, memory_lines, signing
from memos_cli.interface.share.feeds import feed_index
from memos_cli.models import model_files
from memos_cli.models.embed import bert
from memos_cli.validation import convert, convert_record, parse_json

CLASSES = (
    backup_format._ManifestFile, backup_format._Mark, vault_file._VaultFile, distillation.QuestionRow,
    bundle._Manifest, memory_lines._ListedMemory, signing.Signature, feed_index.Index,
    model_files._Fingerprint, model_files._OllamaManifest, bert._Config, Filter,
    bundle_records.MemoryRecord, bundle_records.LinkRecord,
    bundle_records.GrantRecord, bundle_records.StateRecord, bundle_records.IdRecord,
    bundle_records.AdapterRecord,
)  # fmt: skip

MEMORY: dict[str, Any] = {
    "id": "01J00000000000000000000000", "type": "fact", "state": "generated", "ref": None, "author": "",
    "role": "", "time": None, "created": 1, "updated": 1, "expires": None, "uses_left": None, "priority": 0,
    "frozen": False, "sensitivity": "open", "tags": ["a"],
    "versions": [{"version": 1, "title": "", "text": "Larks nest low.", "created": 1, "principal": "user:a"}],
    "places": [{"uri": "file:///a", "kind": "text", "start": 0, "end": 4, "sha256": "ab" * 32}],
}  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_is_one_that_msgspec_can_check(kind: Any) -> None:
    for check in (convert, convert_record):
        with pytest.raises(ValueError, match="Expected `object`, got `array`"):
            check([], kind)


def test_deep_nesting_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 100_000, list[Any])
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json('{"fingerprint": {}, "recipe": ' + '{"a": ' * 100_000, bundle_records.AdapterRecord)


def test_a_memory_of_a_bundle_is_read() -> None:
    memory = bundle_records.read_memory({**MEMORY, "a field of a newer program": 1})
    assert (memory.id, memory.sensitivity, memory.tags) == (MEMORY["id"], 0, ("a",))
    assert memory.places[0].sha256 == bytes.fromhex("ab" * 32)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("id", "../../../../../../../../..", "$.id"),
        ("id", "01J", "$.id"),
        ("type", "truth", "$.type"),
        ("state", "quarantined", "$.state"),
        ("priority", True, "$.priority"),
        ("priority", 1 << 63, "$.priority"),
        ("created", 253_402_300_800_000, "$.created"),
        ("created", "1", "$.created"),
        ("frozen", 1, "$.frozen"),
        ("author", "half \ud83d", "surrogates"),
        ("tags", "a", "$.tags"),
        ("versions", [], "$.versions"),
        ("versions", [{**MEMORY["versions"][0], "version": 2}], "count from 1"),
        ("versions", [{**MEMORY["versions"][0], "text": None}], "$.versions[0].text"),
        ("places", [{**MEMORY["places"][0], "end": -1}], "$.places[0].end"),
        ("places", [{**MEMORY["places"][0], "start": 9}], "ends before it starts"),
        ("places", [{**MEMORY["places"][0], "sha256": "ab"}], "$.places[0].sha256"),
    ],
)  # fmt: skip
def test_a_damaged_memory_is_refused_with_the_field(field: str, value: object, named: str) -> None:
    with pytest.raises(ValueError) as caught:
        bundle_records.read_memory({**MEMORY, field: value})
    assert named in str(caught.value)


def test_a_missing_field_is_named() -> None:
    memory = {name: value for name, value in MEMORY.items() if name != "tags"}
    with pytest.raises(ValueError, match="missing required field `tags`"):
        bundle_records.read_memory(memory)


@pytest.mark.parametrize("value", [0, -1, 1 << 63, True, "1", None])
def test_the_serial_of_a_feed_counts_from_1(value: object) -> None:
    index = {
        "name": "a", "serial": 1, "time": 1, "expires": None, "licence": "", "memories": 1, "root": "",
        "bundle": {"sha256": "ab" * 32, "bytes": 1}, "deltas": [], "adapters": [],
    }  # fmt: skip
    assert parse_json(json.dumps(index), feed_index.Index).serial == 1
    with pytest.raises(ValueError, match=r"\$\.serial"):
        parse_json(json.dumps({**index, "serial": value}), feed_index.Index)
