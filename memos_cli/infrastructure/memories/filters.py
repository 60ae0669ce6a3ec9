"""Filters as SQL conditions, and as the views that store them as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from urllib.parse import quote_from_bytes

from memos_cli.cube import CHAT, SENSITIVITIES, Filter
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.letters import nfc
from memos_cli.validation import parse_json


def filter_to_json(filter: Filter) -> str:
    """Write a filter as a view stores it."""
    return json.dumps(filter.as_saved(), ensure_ascii=False)


def filter_from_json(text: str) -> Filter:
    """Read a filter of a view. Raises ValueError."""
    return parse_json(text, Filter)


def condition(filter: Filter, now: int) -> tuple[str, list[object]]:
    """Return a filter as an SQL condition on ``cube c``, and its values."""
    parts: list[str] = []
    values: list[object] = []

    def one_of(column: str, wanted: Sequence[object]) -> None:
        parts.append(f"c.{column} IN ({','.join('?' * len(wanted))})")
        values.extend(wanted)

    if filter.states == ("expired",):
        parts.append("(c.state = 'expired' OR c.expires <= ?)")
        values.append(now)
    else:
        one_of("state", filter.states)
        if "expired" not in filter.states:  # past its time a cube counts as expired, whatever its row says
            parts.append("(c.expires IS NULL OR c.expires > ?)")
            values.append(now)
    for tag in filter.tags:
        # Compared as text, not with LIKE: "_" and "%" are common in tags.
        parts.append(
            "EXISTS (SELECT 1 FROM tag t WHERE t.cube = c.n AND (t.tag = ? OR substr(t.tag, 1, ?) = ?))"
        )
        values += [tag, len(tag) + 1, tag + "/"]
    if filter.payloads:
        one_of("payload", filter.payloads)
    if filter.types:
        one_of("type", filter.types)
    if filter.source:
        # Compare with the URI as stored and as displayed; for a name that is not UTF-8, with its bytes.
        parts.append(
            """EXISTS (SELECT 1 FROM place q WHERE q.cube = c.n AND q.source IN (SELECT o.n FROM source o
                 WHERE instr(o.uri, ?) OR instr(o.uri, ?) OR instr(readable(o.uri), ?)))"""
        )
        as_typed = filter.source.encode("utf-8", "replace").decode()
        values += [as_typed, quote_from_bytes(os.fsencode(filter.source)), nfc(as_typed)]
    if filter.stated:
        parts.append(
            f"""NOT EXISTS (
                  SELECT 1 FROM place q JOIN source o ON o.n = q.source
                  WHERE q.cube = c.n AND o.uri GLOB '{CHAT}*' AND (c.role = 'assistant' OR EXISTS (
                    SELECT 1 FROM version w WHERE w.cube = c.n AND w.version = c.version
                    AND substr(rtrim(w.text), -1) IN ('?', '？', '؟'))))"""
        )
    if filter.sensitivities:
        known = filter.sensitivities
        one_of("sensitivity", [number for number, level in enumerate(SENSITIVITIES) if level in known])
    if filter.asker:
        parts.append("NOT EXISTS (SELECT 1 FROM bound b WHERE b.cube = c.n AND b.principal <> ?)")
        values.append(filter.asker)
    moment = "coalesce(c.time, c.created)"
    for compare, time in ((">=", filter.after), ("<", filter.before)):
        if time is not None:
            parts.append(f"({moment} {compare} ?{' OR c.time IS NULL' if filter.undated else ''})")
            values.append(time)
    return " AND ".join(parts), values


def views(db: Connection) -> dict[str, Filter]:
    """Return the filters of all views, by name."""
    return {
        name: filter_from_json(text)
        for name, text in db.execute("SELECT name, filter FROM view ORDER BY name")
    }


def view_owner(db: Connection, name: str) -> str:
    """Return the owner of a view; "" if there is no such view."""
    row = db.execute("SELECT owner FROM view WHERE name = ?", (nfc(name),)).fetchone()
    return row[0] if row else ""
