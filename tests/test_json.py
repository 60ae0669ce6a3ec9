"""The JSON contract: scripts read these keys. Keys are only ever added: a change here is a change of the API.

``search``      one hit a line: HIT
``search --batch``  one line a request: BATCH_ANSWER, or BATCH_ERROR
``query``       ANSWER: ``plan`` is PLAN, ``sources`` are HITs with their ``label``
``query --explain``  EXPLANATION
``list``        one cube a line: CUBE
``show``        CUBE with ``places``: PLACE
``history``     HISTORY: ``versions`` are VERSION, newest first; ``audit`` is AUDIT, newest first
others          as named below
a failure       on stderr, ``{"error": ERROR}``, with the exit code as ``code``

Times are RFC 3339 in UTC, or null. A span is ``[start, end]`` in bytes, or null.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from command import Shell, with_models

HIT = {
    "id", "ref", "score", "text", "title", "source", "span", "time", "tags", "why", "type", "author",
    "version",
}  # fmt: skip
WHY = {"words", "coverage", "terms", "relevance"}
"""And ``cosine``, where the memory and the question have vectors. ``terms`` only if any were found."""
CUBE = {
    "id", "ref", "payload", "type", "state", "version", "title", "text", "author", "role", "owner", "source",
    "span", "time", "created", "updated", "expires", "priority", "frozen", "hits", "last_hit", "heat", "tags",
}  # fmt: skip
PLACE = {"source", "span", "encoding", "reads"}
HISTORY = {"id", "versions", "audit"}
VERSION = {"version", "title", "text", "created", "principal"}
AUDIT = {"n", "time", "principal", "action", "cube", "version", "detail"}
INGESTED = {
    "added", "versions", "unchanged", "archived", "failed", "ids", "notes", "embedded", "without_vector",
}  # fmt: skip
FAILURE = {"source", "reason", "hint"}
ANSWER = {"question", "answer", "model", "plan", "sources", "timings"}
EXPLANATION = {"question", "plan", "sources"}
PLAN = {"call", "budget", "tokens", "chosen", "left_out", "notes"}
CALL = {"intent", "topics", "types", "after", "before", "when"}
CHOSEN = {"label", "id", "form", "tokens", "score", "why"}
LEFT_OUT = {"id", "score", "reason"}
TIMINGS = {"start", "search", "load", "inject", "first_token", "total"}
STATS = {
    "vault", "id", "cubes", "types", "versions", "sources", "tags", "embedded", "without_vector", "hits",
    "hottest", "bytes",
}  # fmt: skip
MADE = {"vault", "id", "reader", "embedder", "notes"}
EDITED = {"id", "version", "changed"}
TAGGED = {"cubes", "changed"}
FORGOTTEN = {"ids", "versions", "vectors", "dry_run"}
EMBEDDED = {"embedded", "without_vector"}
SETTING = {"key", "value", "origin", "about"}
MODEL = {
    "name", "path", "size", "architecture", "size_label", "context_length", "has_chat_template", "source",
    "kind",
}  # fmt: skip
VIEW = {"name", "filter"}
FILTER = {"tags", "types", "source", "after", "before", "undated", "states"}
CHECKED = {"ok", "findings", "repaired"}
FINDING = {"rule", "what", "where", "message", "repairable"}
BATCH_ANSWER = {"query", "results"}
BATCH_ERROR = {"query", "error"}
ERROR = {"message", "hint", "code"}

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
    assert keys(shown) == CUBE | {"places"}
    assert keys(*shown["places"]) == PLACE


def test_hits(kept: Shell) -> None:
    hit = kept("search", "port", "--json").record
    assert keys(hit) == HIT
    assert keys(hit["why"]) == WHY
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
    assert keys(kept("init", "--json", env={"MEMOS_EMBEDDER": "/nowhere"}).record) == MADE
    assert keys(*kept("config", "--json").records) == SETTING
    (kept.vault / "tmp" / "left").write_bytes(b"")
    checked = kept("check", "--json", code=1).record
    assert keys(checked) == CHECKED
    assert keys(*checked["findings"]) == FINDING
    assert keys(*kept("check", "--repair", "--json").record["repaired"]) == FINDING


def test_failures(shell: Shell) -> None:
    assert keys(shell("list", "--json", code=10).error) == ERROR


@with_models
def test_models(shell: Shell) -> None:
    assert keys(*shell("models", "--json").records) == MODEL


@with_models
def test_answers(kept: Shell) -> None:
    kept("embed", "--json")
    assert keys(kept("search", "port", "--json").record["why"]) == WHY | {"cosine"}
    kept("ingest", "-", "--no-embed", stdin=b"Bread needs two hours to rise.")
    answer = kept("query", "Which port does staging use?", "--max-tokens", "2", "--json").record
    assert keys(answer) == ANSWER
    assert keys(answer["timings"]) == TIMINGS
    assert keys(*answer["sources"]) == HIT | {"label"}
    plan = answer["plan"]
    assert keys(plan) == PLAN
    assert keys(plan["call"]) == CALL
    assert keys(*plan["chosen"]) == CHOSEN
    told = kept(
        "query", "Does bread use port 5433?", "--explain", "--json", env={"MEMOS_QUERY_SOURCES": "1"}
    ).record
    assert keys(told) == EXPLANATION
    assert keys(*told["plan"]["left_out"]) == LEFT_OUT
