"""A bundle into a vault: each memory with its id, its times and all its versions, as it was there.

What is here already stays: a memory that has gone on since gets the versions that it lacks, and one that says
something else here is told and left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memos_cli.cube import SEMANTIC_TYPES, SENSITIVITIES, Draft, Span, parse_time
from memos_cli.errors import UsageError
from memos_cli.infrastructure import adoption, catalogue, derived, forgotten, links, rules
from memos_cli.infrastructure.adoption import Foreign, ForeignPlace, ForeignVersion
from memos_cli.infrastructure.governance import Rule
from memos_cli.interface.access import principal_named
from memos_cli.interface.exchange import adapters
from memos_cli.interface.exchange.bundle import Bundle
from memos_cli.interface.exchange.exporting import PORTABLE
from memos_cli.interface.ingestion import PART, Ingestion
from memos_cli.interface.results import Failure
from memos_cli.interface.secrecy import cover, find_secrets

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

_FIRST, _LAST = parse_time("0001-01-01"), parse_time("9999-12-31T23:59:59.999")
RIGHTS = ("read", "write", "share", "admin")


def adopt(memos: Memos, found: Bundle, job: Ingestion, *, quarantine: bool, reread: bool) -> int:
    """Take in what a bundle holds. Returns how many links came."""
    parts = found.parts
    cubes = []
    for number, each in enumerate(parts.get("cubes.jsonl", ()), 1):
        try:
            cubes.append(covered(to_foreign(each), job.secrets))
        except (KeyError, TypeError, ValueError, UsageError) as error:
            job.failed.append(Failure("bundle", f"memory {number}: {type(error).__name__} {error}"))
    for start in range(0, len(cubes), PART):
        left = _forgotten(memos, cubes[start : start + PART])
        job.forgotten += 0 if reread else len(left)
        with memos.vault.change(memos.principal, memos.now()) as change:
            for cube in cubes[start : start + PART]:
                if cube.id in left and not reread:
                    continue
                forgotten.lift(change, left.get(cube.id, ()))
                what = adoption.adopt(change, cube, quarantine=quarantine)
                job.count(what, cube.id)
                if what == "differs":
                    job.failed.append(Failure("bundle", f"{cube.id} says something else here, and is left"))
    if quarantine:
        return 0  # what is made of memories waits with them: import it again after the review
    with memos.vault.change(memos.principal, memos.now()) as change:
        known = catalogue.by_ids(change.db, [cube.id for cube in cubes], memos.principal)
        made = sum(
            links.add(change, known[each["source"]], each["kind"], known[each["target"]])
            for each in parts.get("links.jsonl", ())
            if each.get("kind") in PORTABLE
            and each.get("source") in known
            and each.get("target") in known
            and each["source"] != each["target"]
        )
        for each in parts.get("access.jsonl", ()):
            if each.get("target") in known and each.get("right") in RIGHTS:
                who = principal_named(str(each.get("principal")), "group")
                expires = each.get("expires")
                rules.grant(
                    change,
                    Rule(
                        memos.principal, "cube", each["target"], who, each["right"], memos.principal,
                        change.now, expires if isinstance(expires, int) else None,
                    ),
                )  # fmt: skip
        for each in parts.get("rebuild.jsonl", ()):
            document = each.get("document")
            if isinstance(document, list) and document and all(id in known for id in document):
                derived.request(change, {"view": str(each.get("view", "")), "document": document})
    if records := parts.get(adapters.MEMBER):
        kept = adapters.keep(memos, records, found.files, known)
        job.notes += [*kept.told, *adapters.examine(memos, kept.ids)]
    return made


def covered(cube: Foreign, policy: str) -> Foreign:
    """A memory with what looks like a secret covered in all its versions, tags and names."""
    versions = [replace(v, title=cover(v.title, policy), text=cover(v.text, policy)) for v in cube.versions]
    has_secret = any(find_secrets(each.text) for each in versions)
    return replace(
        cube,
        author=cover(cube.author, policy),
        tags=tuple(cover(tag, policy) for tag in cube.tags),
        versions=tuple(versions),
        places=tuple(replace(place, uri=cover(place.uri, policy)) for place in cube.places),
        sensitivity=SENSITIVITIES.index("secret") if has_secret else cube.sensitivity,
    )


def _forgotten(memos: Memos, cubes: Sequence[Foreign]) -> dict[str, list[bytes]]:
    """Those that were forgotten here, by id with their digests: themselves, or what they say in a source."""
    db = memos.vault.connection
    found = forgotten.find_ids(db, memos.principal, [cube.id for cube in cubes])
    for cube in cubes:
        draft = Draft(cube.versions[-1].text, Span(0, 0), ref=cube.ref, role=cube.role)
        for place in cube.places:
            for digests in forgotten.find(db, memos.principal, place.uri, [draft]).values():
                found[cube.id] = [*found.get(cube.id, ()), *digests]
    return found


def to_foreign(value: dict[str, Any]) -> Foreign:
    """A record that is what it should be. Raises KeyError, TypeError or ValueError."""
    versions = [
        ForeignVersion(
            _number(v["version"]), _text(v["title"]), _text(v["text"]), _time(v["created"]),
            _text(v["principal"]),
        )
        for v in value["versions"]
    ]  # fmt: skip
    if not versions or [v.version for v in versions] != list(range(1, len(versions) + 1)):
        raise ValueError("versions that do not count from 1")
    places = [
        ForeignPlace(
            _text(p["uri"]), _text(p["kind"]), _number(p["start"]), _number(p["end"]),
            bytes.fromhex(p["sha256"]) or catalogue.MASKED,
        )
        for p in value["places"]
    ]  # fmt: skip
    id = _text(value["id"])
    if len(id) != 26 or not id.isalnum() or not id.isascii() or id != id.upper():
        raise ValueError(f"{id!r} is no id")
    if any(place.end < place.start or place.start < 0 or len(place.sha256) != 32 for place in places):
        raise ValueError("a place that is none")
    return Foreign(
        id=id,
        type=_one_of(value["type"], SEMANTIC_TYPES),
        state=_one_of(value["state"], ("generated", "activated", "archived", "expired")),
        ref=None if value["ref"] is None else _text(value["ref"]),
        author=_text(value["author"]),
        role=_text(value["role"]),
        time=None if value["time"] is None else _time(value["time"]),
        created=_time(value["created"]),
        updated=_time(value["updated"]),
        expires=None if value["expires"] is None else _time(value["expires"]),
        uses_left=None if value["uses_left"] is None else _number(value["uses_left"]),
        priority=_number(value["priority"]),
        frozen=bool(value["frozen"]),
        sensitivity=SENSITIVITIES.index(_one_of(value["sensitivity"], SENSITIVITIES)),
        tags=tuple(_text(tag) for tag in value["tags"]),
        versions=tuple(versions),
        places=tuple(places),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text where one should be")
    value.encode()  # UnicodeEncodeError, a ValueError, for half a character
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 1 << 62:
        raise TypeError("no number where one should be")
    return value


def _time(value: object) -> int:
    """A moment that can be told: in the years 1 to 9999."""
    if not _FIRST <= (time := _number(value)) <= _LAST:
        raise ValueError("no time that can be told")
    return time


def _one_of(value: object, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is not known")
    return _text(value)
