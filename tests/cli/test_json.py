"""The JSON contract: scripts read these keys. Keys are only ever added: a change here is a change of the API.

``search``      one hit a line: HIT
``search --batch``  one line a request: BATCH_ANSWER, or BATCH_ERROR
``query``       ANSWER: ``plan`` is PLAN, ``sources`` are HITs with their ``label``, ``quotes`` are QUOTE,
                ``support`` is SUPPORT, ``nearest`` a HIT with ``sentences`` or null; ``mode`` quote or model
``query --explain``  EXPLANATION
``list``        one cube a line: CUBE
``list --payload activation``  CUBE with ``activation``: ACTIVATION
``list --payload parametric``  CUBE with ``parametric``: PARAMETRIC
``show``        CUBE with ``places``: PLACE; ``states`` and ``adapters``: the ids of those that the memory
                is in; of a state, with its ``activation`` too, of an adapter with its ``parametric``
``promote``     PROMOTED; ``break_even`` is null where it never pays
``history``     HISTORY: ``versions`` are VERSION, newest first; ``audit`` is AUDIT, newest first
others          as named below
a failure       on stderr, ``{"error": ERROR}``, with the exit code as ``code``

Times are RFC 3339 in UTC, or null. A span is ``[start, end]`` in bytes, or null.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from adapters_harness import REPORT, teach
from cli_harness import Shell, with_models
from tiny_models import write_model

from memos_cli.infrastructure.vault.vault import Vault

HIT = {
    "id", "ref", "score", "text", "title", "source", "span", "time", "tags", "why", "type", "author",
    "version", "weak",
}  # fmt: skip
WHY = {"words", "coverage", "terms", "relevance"}
TURN = {"session"}
"""What a turn's place in its talk adds."""
MEANING = {"cosine", "gap"}
"""And these, where the memory and the question have vectors. ``terms`` only if any were found."""
CUBE = {
    "id", "ref", "payload", "type", "state", "version", "title", "text", "author", "role", "owner", "source",
    "span", "time", "created", "updated", "expires", "priority", "frozen", "hits", "last_hit", "heat", "tags",
    "sensitivity", "uses_left",
}  # fmt: skip
ACTIVATION = {
    "model", "view", "tokens", "held", "bytes", "blob", "build_seconds", "saved_seconds", "hits", "stale",
    "sources", "fingerprint",
}  # fmt: skip
PARAMETRIC = {
    "model", "bytes", "blob", "train_seconds", "hits", "stale", "lessons", "sources", "recipe", "report",
    "fingerprint",
}  # fmt: skip
"""``blob`` is null when the weights are gone; ``lessons`` counts them by kind; ``report`` is of any shape."""
SOURCE = {"id", "version", "part"}
FINGERPRINT = {
    "model", "llama.cpp", "processor", "state version", "KV type", "flash attention", "batch", "RoPE",
    "adapters", "template",
}  # fmt: skip
PROMOTED = {
    "id", "version", "new", "memories", "tokens", "held", "bytes", "seconds", "saved", "dry_run",
    "break_even",
}  # fmt: skip
DEMOTED = {"ids", "bytes", "dry_run", "adapters", "verbalised"}
PINNED = {"changed", "view", "pinned"}
PLACE = {"source", "span", "encoding", "reads", "version"}
HISTORY = {"id", "versions", "audit"}
VERSION = {"version", "title", "text", "created", "principal"}
AUDIT = {"n", "time", "principal", "action", "cube", "version", "detail"}
INGESTED = {
    "added", "versions", "unchanged", "archived", "failed", "ids", "notes", "embedded", "without_vector",
    "quarantined", "unpruned",
}  # fmt: skip
FAILURE = {"source", "reason", "hint"}
ANSWER = {
    "question", "answer", "answered", "mode", "quotes", "support", "nearest", "model", "plan", "sources",
    "timings",
}  # fmt: skip
QUOTE = {
    "label", "id", "text", "author", "title", "heading", "columns", "time", "source", "span", "characters",
    "score",
}  # fmt: skip
"""``characters`` is where it stands in the memory's text."""
SUPPORT = {"unsupported", "stopped"}
EXPLANATION = {"question", "plan", "sources"}
PLAN = {"call", "budget", "tokens", "chosen", "left_out", "notes", "activation", "adapters"}
"""``activation`` is null where no state is used or missed."""
REUSE = {"result", "reason", "id", "tokens"}
CALL = {"intent", "topics", "types", "after", "before", "when", "forward"}
CHOSEN = {"label", "id", "form", "found", "part", "tokens", "score", "why", "sentences"}
SENTENCE = {"text", "score", "cosine"}
LEFT_OUT = {"id", "score", "reason"}
TIMINGS = {"start", "search", "load", "restore", "inject", "first_token", "total"}
QUOTE_TIMINGS = {"start", "search", "total"}
STATS = {
    "vault", "id", "cubes", "types", "versions", "sources", "tags", "embedded", "without_vector", "hits",
    "hottest", "coldest", "heats", "bytes", "states", "adapters", "questions",
}  # fmt: skip
STATES = {"count", "bytes", "hits", "seconds_saved", "stale"}
ADAPTERS = {"count", "used", "bytes", "hits", "stale"}
MADE = {"vault", "id", "reader", "embedder", "notes"}
EDITED = {"id", "version", "changed", "notes"}
TAGGED = {"cubes", "changed"}
FORGOTTEN = {"ids", "states", "adapters", "versions", "vectors", "dry_run", "settled"}
EMBEDDED = {"embedded", "without_vector"}
SETTING = {"key", "value", "origin", "about"}
MODEL = {
    "name", "path", "size", "architecture", "size_label", "context_length", "has_chat_template", "source",
    "kind", "parameters", "ready",
}  # fmt: skip
VIEW = {"name", "filter"}
FILTER = {"tags", "types", "source", "after", "before", "undated", "states", "payloads", "sensitivities"}
CHECKED = {"ok", "findings", "repaired"}
FINDING = {"rule", "what", "where", "message", "repairable"}
BATCH_ANSWER = {"query", "results"}
BATCH_ERROR = {"query", "error"}
ERROR = {"message", "hint", "code"}

with_llama = pytest.mark.skipif(
    not importlib.util.find_spec("llama_cpp"), reason="llama.cpp is not installed"
)
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z")


@pytest.fixture
def kept(memos: Shell) -> Shell:
    memos.write("chat.jsonl", '{"id": "d1", "role": "user", "name": "Ann", "time": "2026-05-01T10:00:00Z", '
                              '"content": "The staging port is 5433."}\n')  # fmt: skip
    memos("ingest", "chat.jsonl", "--no-embed", "--tag", "work")
    return memos


def keys(*objects: dict[str, Any]) -> set[str]:
    """The keys that all of these objects have; they must not differ."""
    assert objects
    assert all(set(each) == set(objects[0]) for each in objects)
    return set(objects[0])


def test_cubes(kept: Shell) -> None:
    cube = kept("list", "--json").record
    assert keys(cube) == CUBE
    assert all(TIME.fullmatch(cube[name]) for name in ("time", "created", "updated"))
    assert cube["expires"] is cube["last_hit"] is None
    assert (cube["span"], cube["tags"], cube["frozen"], cube["heat"]) == ([0, 115], ["work"], False, 0.0)
    shown = kept("show", cube["id"], "--json").record
    assert keys(shown) == CUBE | {"places", "states", "adapters"}
    assert shown["states"] == shown["adapters"] == []
    assert keys(*shown["places"]) == PLACE


def test_hits(kept: Shell) -> None:
    hit = kept("search", "port", "--json").record
    assert keys(hit) == HIT
    assert keys(hit["why"]) == WHY | TURN
    assert TIME.fullmatch(hit["time"])


def test_batches(kept: Shell) -> None:
    good, bad = kept("search", "--batch", "-", stdin=b"port\n{", code=3).records
    assert keys(good) == BATCH_ANSWER
    assert keys(*good["results"]) == HIT
    assert keys(bad) == BATCH_ERROR
    assert keys(bad["error"]) == ERROR


def test_history(kept: Shell) -> None:
    past = kept("history", "d1", "--json").record
    assert keys(past) == HISTORY
    assert keys(*past["versions"]) == VERSION
    assert keys(*past["audit"]) == AUDIT
    assert TIME.fullmatch(past["audit"][0]["time"])


def test_ingest(kept: Shell) -> None:
    result = kept("ingest", "missing", "--no-embed", "--json", code=1).record
    assert keys(result) == INGESTED
    assert keys(*result["failed"]) == FAILURE


def test_changes(kept: Shell) -> None:
    assert keys(kept("edit", "d1", "--title", "Ports", "--json").record) == EDITED
    assert keys(kept("tag", "d1", "--add", "x", "--json").record) == TAGGED
    assert keys(kept("forget", "d1", "--dry-run", "--json").record) == FORGOTTEN
    assert keys(kept("embed", "--json", env={"MEMOS_EMBEDDER": "/nowhere"}, code=15).error) == ERROR


def test_views(kept: Shell) -> None:
    saved = kept("view", "set", "office", "--tag", "work", "--json").record
    listed = kept("view", "list", "--json").record
    assert keys(saved, listed) == VIEW
    assert keys(saved["filter"], listed["filter"]) == FILTER
    assert kept("view", "remove", "office", "--json").record == {"name": "office", "removed": True}


def test_the_vault(kept: Shell) -> None:
    stats = kept("stats", "--json").record
    assert keys(stats) == STATS
    assert keys(stats["bytes"]) == {"database", "blobs", "index"}
    assert keys(stats["states"]) == STATES
    assert keys(stats["adapters"]) == ADAPTERS
    assert keys(kept("init", "--json", env={"MEMOS_EMBEDDER": "/nowhere"}).record) == MADE
    assert keys(*kept("config", "--json").records) == SETTING
    (kept.vault / "tmp" / "left").write_bytes(b"")
    checked = kept("check", "--json", code=1).record
    assert keys(checked) == CHECKED
    assert keys(*checked["findings"]) == FINDING
    assert keys(*kept("check", "--repair", "--json").record["repaired"]) == FINDING


def test_failures(shell: Shell) -> None:
    assert keys(shell("list", "--json", code=10).error) == ERROR


@pytest.fixture
def tiny(kept: Shell, tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose reader is a tiny model."""
    return {"MEMOS_READER": str(write_model(tmp_path / "tiny.gguf", "llama"))}


def test_pins(kept: Shell) -> None:
    kept("view", "set", "office", "--tag", "work")
    pinned = kept("pin", "d1", "--view", "office", "--json").record
    assert keys(pinned) == PINNED
    (id,) = kept.ids()
    assert pinned == {"changed": 1, "view": "office", "pinned": [id]}
    assert kept("unpin", "d1", "--json").record == {"changed": 0, "view": "", "pinned": []}


@with_llama
def test_states(kept: Shell, tiny: dict[str, str]) -> None:
    dry = kept("promote", "d1", "--to", "activation", "--dry-run", "--json", env=tiny).record
    made = kept("promote", "d1", "--to", "activation", "--json", env=tiny).record
    assert keys(dry, made) == PROMOTED
    assert (dry["id"], dry["dry_run"], made["dry_run"], made["new"]) == ("", True, False, True)
    listed = kept("list", "--payload", "activation", "--json").record
    assert keys(listed) == CUBE | {"activation"}
    assert (listed["id"], listed["payload"], listed["text"]) == (made["id"], "activation", "")
    shown = kept("show", made["id"], "--json").record
    assert keys(shown) == CUBE | {"places", "states", "adapters", "activation"}
    activation = shown["activation"]
    assert activation == listed["activation"]
    assert keys(activation) == ACTIVATION
    assert keys(*activation["sources"]) == SOURCE
    assert keys(activation["fingerprint"]) == FINGERPRINT
    assert activation["stale"] is None
    assert kept("show", "d1", "--json").record["states"] == [made["id"]]
    assert [set(row) - CUBE for row in kept("list", "--json").records] == [{"activation"}, set()]
    assert kept("stats", "--json").record["states"]["count"] == 1
    dropped = kept("demote", "d1", "--json").record
    assert keys(dropped) == DEMOTED
    assert dropped == {
        "ids": [made["id"]], "bytes": made["bytes"], "dry_run": False, "adapters": [], "verbalised": []
    }  # fmt: skip


def test_adapters(kept: Shell) -> None:
    with Vault.open(kept.vault, timeout=1.0) as vault:
        made, _ = teach(vault, 1, name="Ports")
    listed = kept("list", "--payload", "parametric", "--json").record
    assert keys(listed) == CUBE | {"parametric"}
    assert (listed["id"], listed["title"], listed["text"]) == (made.id, "Ports", "")
    shown = kept("show", made.id, "--json").record
    assert keys(shown) == CUBE | {"places", "states", "adapters", "parametric"}
    adapter = shown["parametric"]
    assert adapter == listed["parametric"]
    assert keys(adapter) == PARAMETRIC
    assert keys(*adapter["sources"]) == SOURCE
    assert adapter["report"] == REPORT
    assert adapter["lessons"] == {"control": 1, "fact": 2, "near miss": 1, "held out": 2}
    assert adapter["stale"] is None
    assert kept("show", "d1", "--json").record["adapters"] == [made.id]
    assert [set(row) - CUBE for row in kept("list", "--json").records] == [{"parametric"}, set()]
    assert kept("stats", "--json").record["adapters"] == {
        "count": 1, "used": 1, "bytes": made.size, "hits": 0, "stale": 0,
    }  # fmt: skip
    kept.keep("Bread needs two hours to rise.")
    with Vault.open(kept.vault, timeout=1.0) as vault:
        teach(vault, 1, 3, name="Both", content=b"other")
    gone = kept("forget", "d1", "--yes", "--json").record
    assert keys(gone) == FORGOTTEN
    assert len(gone["adapters"]) == 2
    (left,) = kept("list", "--payload", "parametric", "--state", "all", "--json").records
    assert keys(left["parametric"]) == PARAMETRIC
    assert (left["parametric"]["blob"], left["parametric"]["stale"]) == (None, "a source was forgotten")


@with_llama
def test_what_a_state_was_good_for(kept: Shell, tiny: dict[str, str]) -> None:
    text = "The staging port is 5433, as all who were there in the spring remember, or so they say."
    kept("edit", "d1", "--text", text)
    kept("promote", "d1", "--to", "activation", env=tiny)
    ask = ("query", "What is the staging port?", "--generate", "--max-tokens", "2", "--json")
    plan = kept(*ask, env=tiny).record["plan"]
    assert keys(plan["activation"]) == REUSE
    assert (plan["activation"]["result"], plan["activation"]["reason"]) == ("hit", "")
    assert [(item["form"], item["part"]) for item in plan["chosen"]] == [("state", "document")]
    kept("edit", "d1", "--text", text.replace("5433", "5434"))
    plan = kept(*ask, env=tiny).record["plan"]
    assert keys(plan["activation"]) == REUSE
    assert (plan["activation"]["result"], plan["activation"]["reason"]) == ("miss", "source changed")
    assert "activation: miss (source changed)" in plan["notes"]
    explained = kept(*ask, "--explain", env=tiny).record["plan"]
    assert explained["activation"]["reason"] == "source changed"
    assert kept(*ask, "--text", env=tiny).record["plan"]["activation"] is None


@with_models
def test_models(shell: Shell) -> None:
    assert keys(*shell("models", "--json").records) == MODEL


@with_models
def test_answers(kept: Shell) -> None:
    kept("embed", "--json")
    assert keys(kept("search", "port", "--json").record["why"]) == WHY | TURN | MEANING
    kept("ingest", "-", "--no-embed", stdin=b"Bread needs two hours to rise.")
    ask = ("query", "Which port does staging use?", "--max-tokens", "2", "--json")
    answer = kept(*ask, "--generate").record
    assert keys(answer) == ANSWER
    assert (answer["answered"], answer["mode"]) == (True, "model")
    assert (answer["quotes"], answer["nearest"]) == ([], None)
    assert keys(answer["support"]) == SUPPORT
    assert keys(answer["timings"]) == TIMINGS
    assert keys(*answer["sources"]) == HIT | {"label"}
    plan = answer["plan"]
    assert keys(plan) == PLAN
    assert keys(plan["call"]) == CALL
    assert keys(*plan["chosen"]) == CHOSEN
    for item in plan["chosen"]:
        assert keys(*item["sentences"]) == SENTENCE
    for way in ("--quote", "--generate"):
        told = kept(
            "query", "Does bread use port 5433?", way, "--explain", "--json", env={"MEMOS_QUERY_SOURCES": "1"}
        ).record
        assert keys(told) == EXPLANATION
        assert keys(*told["plan"]["chosen"]) == CHOSEN
        assert keys(*told["plan"]["left_out"]) == LEFT_OUT


def test_quoted_answers(kept: Shell) -> None:
    answer = kept("query", "What is the staging port?", "--json").record
    assert keys(answer) == ANSWER
    assert (answer["answered"], answer["mode"]) == (True, "quote")
    assert (answer["model"], answer["nearest"]) == ("", None)
    assert answer["answer"] == "Ann: The staging port is 5433."
    assert keys(answer["support"]) == SUPPORT
    assert keys(answer["timings"]) == QUOTE_TIMINGS
    assert keys(*answer["sources"]) == HIT | {"label"}
    assert keys(answer["plan"]) == PLAN
    assert keys(*answer["plan"]["chosen"]) == CHOSEN
    assert keys(*answer["plan"]["chosen"][0]["sentences"]) == SENTENCE
    (quote,) = answer["quotes"]
    assert keys(quote) == QUOTE
    assert TIME.fullmatch(quote["time"])
    assert (quote["author"], quote["span"], quote["characters"]) == ("Ann", [0, 115], [0, 25])
    far = kept("query", "What is the staging port?", "--json", env={"MEMOS_QUERY_RELEVANCE": "1"}).record
    assert keys(far) == ANSWER
    assert (far["answered"], far["quotes"], far["sources"]) == (False, [], [])
    assert keys(far["nearest"]) == HIT | {"sentences"}
    (line,) = kept("query", "--batch", "-", stdin=b"staging port\n").records
    assert keys(line) == ANSWER | {"query"}


PROPOSAL = {
    "name", "url", "signer", "serial", "licence", "memories", "withdrawn", "held_back", "adapters",
    "notes", "unchanged", "dry_run", "sent",
}  # fmt: skip
OUTGOING = {"id", "title", "text", "author", "tags", "covered", "change"}
SENT = {"name", "url", "serial", "memories", "bytes", "sent", "changed"}
UPDATED = {
    "name", "url", "signer", "licence", "serial", "current", "added", "versions", "withdrawn",
    "quarantined", "received", "ids", "notes",
}  # fmt: skip
PUBLICATION = {"name", "serial", "url", "time"}
FEED = {*PUBLICATION, "signer", "licence", "expires", "quarantine"}


def test_publications_and_feeds(kept: Shell) -> None:
    kept("key", "new")
    command = ("publish", "all", "--tag", "work", "--to", "public", "--json")
    shown = kept(*command, "--dry-run").record
    assert (shown.keys(), shown["sent"]) == (PROPOSAL, None)
    made = kept(*command, "--yes").record
    assert (made.keys(), made["sent"].keys()) == (PROPOSAL, SENT)
    assert made["memories"][0].keys() == OUTGOING
    (listed,) = kept("publish", "--json").records
    assert listed.keys() == PUBLICATION and TIME.fullmatch(listed["time"])
    vault = ("--vault", str(kept.folder / "other"))
    kept("init", *vault)
    assert kept("subscribe", "public/all", "--json", *vault).record.keys() == UPDATED
    (feed,) = kept("subscribe", "--json", *vault).records
    assert feed.keys() == FEED and TIME.fullmatch(feed["time"])
    assert kept("update", "--json", *vault).record.keys() == UPDATED
    left = kept("unsubscribe", "all", "--json", *vault).record
    assert left.keys() == {"name", "memories", "kept"}
