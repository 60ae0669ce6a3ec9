"""Write and read adapters in bundles: weights, training set, report, and their base model.

A bundle may come from anybody. Its adapters are checked before llama.cpp reads them, and are used only once
they have passed their gate here; the reports of their makers are stored, but not trusted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memos_cli.errors import Damaged, MemosError, ModelUnfit
from memos_cli.folders import cache_folder
from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.derived.adapters import Adapter, Lesson, Weights
from memos_cli.infrastructure.memories import queries
from memos_cli.interface.redaction.redaction import find_personal, find_secrets, mask
from memos_cli.interface.share.bundle_records import AdapterRecord, ExampleRecord
from memos_cli.operation.adapters.training_set import is_private
from memos_cli.validation import convert_record

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

MEMBER = "adapters.jsonl"
_SUMMARY = ("passed", "reason", "checks", "recall")
"""The parts of a report that quote nothing."""
ORIGINAL = "told"
"""The key of the report that came with an adapter from elsewhere."""


def outgoing(session: Session, numbers: Collection[int]) -> list[Adapter]:
    """Return the caller's adapters that passed a gate and were made only from the present versions of these
    memories.
    """
    found = adapters.adapters(
        session.vault.connection, now=session.now(), where="c.owner = ?", values=(session.principal,)
    )
    return [
        each
        for each in found
        if each.sources
        and not each.stale
        and not each.expired
        and each.state != "generated"
        and _card(each).get("passed") is True
        and all(source.cube in numbers for source in each.sources)
    ]


def to_member(
    session: Session, adapter: Adapter, *, public: bool = False
) -> tuple[dict[str, Any], str, bytes]:
    """Return an adapter as a bundle contains it: its record, the name of its file, and the file.

    The user's own questions are left out; so are, if it is ``public``, quotations in the report, and examples
    with a secret or personal data. Raises Damaged if the weights have changed.
    """
    assert adapter.blob is not None, "without weights it is stale"
    data = bytes(session.vault.blobs.unseal(session.vault.blobs.get(adapter.blob)))
    sha256 = hashlib.sha256(data).hexdigest()
    lessons = [
        each
        for each in adapters.lessons(session.vault.connection, adapter.cube)
        if not is_private(each) and not (public and _is_telling(each))
    ]
    asked = {each.question for each in lessons}
    ids = {each.cube: each.id for each in adapter.sources}
    report = {name: value for name, value in _card(adapter).items() if not public or name in _SUMMARY}
    if "astray" in report:
        report["astray"] = [question for question in report["astray"] if question in asked]
    title = adapter.title
    if public:
        title = mask(title, find_secrets(title) + find_personal(title))
    record = {
        "title": title, "model": adapter.model, "fingerprint": dict(adapter.fingerprint),
        "recipe": dict(adapter.recipe), "report": report, "seconds": adapter.seconds,
        "sha256": sha256, "bytes": len(data),
        "sources": [{"id": ids[each.cube], "version": each.version} for each in adapter.sources],
        "lessons": [
            {
                "kind": each.kind, "held_out": each.held_out, "question": each.question,
                "answer": each.answer, "key": each.key,
                "source": None if each.source is None else ids[each.source], "made": each.made,
            }
            for each in lessons
        ],
    }  # fmt: skip
    return record, f"{sha256}.gguf", data


def _is_telling(lesson: Lesson) -> bool:
    said = f"{lesson.question}\n{lesson.answer}\n{lesson.key}"
    return bool(find_secrets(said) or find_personal(said))


def _card(adapter: Adapter) -> Mapping[str, Any]:
    """Return the report of an adapter: its maker's report, if it was imported."""
    original = adapter.report.get(ORIGINAL)
    return original if isinstance(original, dict) else adapter.report


@dataclass(frozen=True, slots=True)
class AddedAdapters:
    """The adapters of a bundle that were added, and notes on the others."""

    ids: list[str]
    notes: list[str]
    """Why others are left."""
    again: bool
    """Whether one was left out because its memories are not live here: it can be added once they are."""


def keep(
    session: Session,
    records: Sequence[Mapping[str, Any]],
    files: Mapping[str, bytes],
    numbers: Mapping[str, int],
    *,
    versions: Mapping[str, int] | None = None,
    principal: str = "",
    brought: Collection[str] | None = None,
) -> AddedAdapters:
    """Store the adapters of a bundle for ``principal``; none of them is used yet.

    ``numbers`` has the memories by their ids there; ``versions`` those that they have here, where these are
    not counted as there. An adapter is kept only if all its memories are ``brought`` with it.
    """
    kept, notes, again = [], [], False
    for number, each in enumerate(records, 1):
        try:
            record = convert_record(each, AdapterRecord)
            id = _keep(session, record, files, numbers, versions, principal or session.principal, brought)
        except ValueError as error:
            notes.append(f"adapter {number} is left: {error}")
        except MemosError as error:
            notes.append(f"adapter {number} is left: {error}")
            again = again or not isinstance(error, (ModelUnfit, Damaged))
        else:
            kept.append(id)
    return AddedAdapters(kept, notes, again)


def _keep(
    session: Session,
    record: AdapterRecord,
    files: Mapping[str, bytes],
    numbers: Mapping[str, int],
    versions: Mapping[str, int] | None,
    principal: str,
    brought: Collection[str] | None,
) -> str:
    """Store one adapter, unless it exists already. Returns its id."""
    from memos_cli.models.gguf.adapter_format import read_adapter

    data = files.get(f"{record.sha256}.gguf", b"")
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise ValueError("its file is missing or another one")
    ids = [each.id for each in record.sources]
    if not ids or not numbers.keys() >= {*ids}:
        raise MemosError("its memories are not all here")
    sources = [
        (numbers[each.id], each.version if versions is None else versions[each.id]) for each in record.sources
    ]
    lessons = [_lesson(each, numbers, {*ids}) for each in record.lessons]
    fingerprint, recipe, title, vault = record.fingerprint, record.recipe, record.title, session.vault
    if "model" not in fingerprint:
        raise ValueError("its fingerprint does not name the model")
    here = queries.by_rowid(vault.connection, [n for n, _ in sources])
    digest = adapters.digest_of(fingerprint["model"], title, [here[n].id for n, _ in sources if n in here])
    known = adapters.adapters(
        vault.connection, now=session.now(), where="c.digest = ? AND c.owner = ?", values=(digest, principal)
    )
    for each in known:
        if not each.stale and (each.recipe == recipe or each.good):
            return each.id
    if brought is not None and not {*ids} <= {*brought}:
        raise MemosError("not all of its memories are new from this bundle")
    with vault.blob_changes() as blobs:
        blob = vault.blobs.put(vault.blobs.seal(data), blobs)
        with vault.blobs.file(blob) as path:
            read_adapter(path)
        weights = Weights(
            blob, len(data), record.model, fingerprint, recipe, {"passed": False, ORIGINAL: record.report},
            record.seconds,
        )  # fmt: skip
        with vault.change(principal, session.now()) as change:
            id, _, old = adapters.keep(
                change, weights, name=title, sources=sources, lessons=lessons, state="archived",
                action="import",
            )  # fmt: skip
            blobs.update(old)
    return id


def model_of(session: Session) -> str:
    """Return the sha256 of the reader, by which adapters name their base; "" without a reader."""
    from memos_cli.models.model_files import fingerprint

    try:
        return fingerprint(session.reader.path, cache_folder() / "models.json")
    except ModelUnfit:
        return ""


def examine(session: Session, ids: Sequence[str]) -> list[str]:
    """Test imported adapters, if they are for this vault's reader: those that pass are used from now on.

    Returns notes for the user.
    """
    from memos_cli.interface.adapters.distillation import examine_again

    notes = []
    model = model_of(session) if ids else ""
    for cube in session.access.get_many(ids):
        adapter = adapters.by_cube(session.vault.connection, cube.n, now=session.now())
        assert adapter is not None
        if "checks" in adapter.report:  # it was examined here before
            continue
        if adapter.fingerprint["model"] != model:
            notes.append(
                f"{adapter.title!r} is for {adapter.model}, which is not the model here: its memories are "
                f"used as text. With that model: memos gate {adapter.id}"
            )
            continue
        try:
            report = examine_again(session, adapter, cube.owner, lambda count: None)["report"]
        except ModelUnfit as error:
            notes.append(f"{adapter.title!r} is not used: {error}")
            continue
        verdict = "passed its gate here, and is used" if report["passed"] else "did not pass its gate here"
        notes.append(f"{adapter.title!r} {verdict}")
    return notes


def _lesson(record: ExampleRecord, numbers: Mapping[str, int], sources: set[str]) -> Lesson:
    if record.source is not None and record.source not in sources:
        raise ValueError("a question is from a memory that the adapter was not made from")
    at = None if record.source is None else numbers[record.source]
    return Lesson(record.question, record.answer, record.kind, record.held_out, at, record.key, record.made)
