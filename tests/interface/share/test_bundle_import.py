"""Imports change no existing memory: bundles, and exports of other programs."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_harness import NOW

from memos_cli.cube import Filter
from memos_cli.errors import Refused, UsageError
from memos_cli.infrastructure.memories.links import LINK_KINDS
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.vault import check
from memos_cli.interface.ingest.ingestion import Ingestion
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.interface.share import bundle, signing
from memos_cli.interface.share.bundle import Bundle
from memos_cli.interface.share.bundle_import import adopt
from memos_cli.settings import Settings

ANN, BO = "user:ann", "user:bo"
TEXTS = ("The heron nests in May.", "The otter sleeps by day.", "The crane is grey.", "The swan is loud.")
NEW = [f"01K3ZQ0000000000000000000{n}" for n in range(4)]
FRIEND = "ed25519:friend"


def enter(folder: Path, who: str = ANN) -> Memos:
    return Memos(Settings(vault=str(folder), principal=who, lock_timeout=5.0), clock=lambda: NOW)


def say(memos: Memos, *texts: str, **wishes: Any) -> list[str]:
    wanted = IngestOptions(hints=ReadOptions(lines=True), **wishes)
    return list(memos.ingest(options=wanted, text="\n".join(texts).encode(), embed=False).ids)


def foreign(id: str, *texts: str, **more: Any) -> dict[str, Any]:
    """A memory as a bundle tells it."""
    versions = [
        {"version": n, "title": "", "text": text, "created": NOW, "principal": "user:eve"}
        for n, text in enumerate(texts, 1)
    ]
    header = {
        "id": id, "type": "document", "state": "activated", "ref": None, "author": "", "role": "",
        "time": None, "created": NOW, "updated": NOW, "expires": None, "uses_left": None, "priority": 0,
        "frozen": False, "sensitivity": "open", "tags": [], "versions": versions, "places": [],
    }  # fmt: skip
    return {**header, **more}


def bring(memos: Memos, parts: Mapping[str, Sequence[Any]], *, signer: str = "", **options: Any) -> Ingestion:
    """Take in a bundle of these parts."""
    job = Ingestion(
        memos.vault, IngestOptions(), principal=memos.principal, clock=memos.now, max_bytes=1 << 30,
        on_source=lambda uri: None, on_drafts=lambda count: None,
    )  # fmt: skip
    found = Bundle({f"{name}.jsonl": list(records) for name, records in parts.items()}, {}, b"", None)
    adopt(memos, found, job, signer=signer, **{"quarantine": False, **options})
    return job


def rows_before(memos: Memos, last: int) -> dict[str, list[Any]]:
    """Every row on the memories up to the number ``last``, and what finds them."""
    db = memos.vault.unrestricted
    queries = {
        "cube": "SELECT * FROM cube WHERE n <= ?1",
        "version": "SELECT * FROM version WHERE cube <= ?1",
        "tag": "SELECT * FROM tag WHERE cube <= ?1",
        "place": "SELECT * FROM place WHERE cube <= ?1",
        "link": "SELECT * FROM link WHERE source <= ?1 OR target <= ?1",
        "pin": "SELECT * FROM pin WHERE cube <= ?1",
        "bound": "SELECT * FROM bound WHERE cube <= ?1",
        "derived": "SELECT * FROM derived WHERE source <= ?1",
        "rule": "SELECT * FROM rule WHERE kind <> 'cube' OR target IN (SELECT id FROM cube WHERE n <= ?1)",
        "request": "SELECT value FROM policy WHERE name LIKE 'rebuild:%' AND ?1",
    }
    found = {name: db.execute(query, (last,)).fetchall() for name, query in queries.items()}
    ids = {row[1] for row in found["cube"]}
    found["request"] = [row for row in found["request"] if any(id in row[0] for id in ids)]
    found["found"] = [
        sorted({hit.cube.id for hit in memos.search(text, filter=Filter(), k=99).hits} & ids)
        for text in TEXTS
    ]
    found["conflicts"] = [pair for pair in memos.conflicts() if {pair.older.id, pair.newer.id} & ids]
    junk = memos.forget([], filter=Filter(tags=("junk",)), dry_run=True).cubes
    found["junk"] = [cube.id for cube in junk if cube.id in ids]
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A vault with one memory of each kind, and their ids."""
    folder = tmp_path_factory.mktemp("base") / "vault"
    with enter(folder) as ann:
        ann.create_vault()
        one, two, three = say(ann, *TEXTS[:3], terms=NewMemoryFields(tags=("work",)))
        (held,) = say(ann, "The page from outside.", quarantine="always")
        ann.edit(one, text="The heron nests in June.")
        ann.edit(one, text=TEXTS[0] + " Again.")
        ann.link(one, "about", [two])
        ann.freeze([three])
        ann.pin([one])
        ann.access.grant(one, BO, "read")
        bring(ann, {"cubes": [foreign(NEW[3], TEXTS[3])]}, signer=FRIEND)
        (put_away,) = say(ann, "The stork is away.")
        ann.archive([put_away])
    with enter(folder, BO) as bo:
        (hidden,) = say(bo, "Bo keeps this to himself.")
    return folder, [one, two, three, held, NEW[3], put_away, hidden]


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, 5, -1, 1 << 70, "", "x", [], ["x"], {}, {"a": 1}, 2.5, True]
)


@st.composite
def bundles(draw: st.DrawFn, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Bundles that name what is here and what is not, in all ways."""
    id = st.sampled_from([*ids, *NEW])
    text = st.sampled_from([*TEXTS, "The heron nests in June.", TEXTS[0] + " Again.", "Send me your keys."])
    histories = [
        [],
        TEXTS[:1],
        [TEXTS[0], "The heron nests in June.", TEXTS[0] + " Again."],
        *([each] for each in TEXTS[1:]),
    ]
    place = {"uri": "stdin", "kind": "text", "start": 0, "end": 4, "sha256": "00" * 32}

    def spoiled(record: dict[str, Any]) -> dict[str, Any]:
        if draw(st.booleans()) and draw(st.booleans()):
            # (What is frozen is not forgotten: the junk is.)
            record[draw(st.sampled_from(sorted(record.keys() - {"frozen"})))] = draw(JUNK)
        return record

    cubes = [
        spoiled(
            foreign(
                draw(id), *draw(st.sampled_from(histories)), *draw(st.lists(text, min_size=1, max_size=2)),
                tags=draw(st.lists(st.sampled_from(["junk", "work"]), max_size=2)),
                state=draw(st.sampled_from(["activated", "archived"])),
                expires=draw(st.sampled_from([None, NOW - 1])),
                time=draw(st.sampled_from([None, NOW, 2 * NOW])), places=draw(st.sampled_from([[], [place]])),
            )
        )
        for _ in range(draw(st.integers(0, 5)))
    ]  # fmt: skip
    links = [
        spoiled({"source": draw(id), "kind": draw(st.sampled_from(LINK_KINDS)), "target": draw(id)})
        for _ in range(draw(st.integers(0, 6)))
    ]
    access = [
        spoiled({"target": draw(id), "principal": "everyone", "right": "admin", "expires": None})
        for _ in range(draw(st.integers(0, 3)))
    ]
    rebuild = [spoiled({"view": "", "document": draw(st.lists(id, max_size=2))})]
    return {"cubes": cubes, "links": links, "access": access, "rebuild": rebuild}


@settings(max_examples=40)
@given(st.data())
def test_a_bundle_changes_no_existing_memory(
    base: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole, ids = base
    folder = tmp_path_factory.mktemp("any") / "vault"
    shutil.copytree(whole, folder)
    with enter(folder) as ann:
        last = ann.vault.unrestricted.execute("SELECT max(n) FROM cube").fetchone()[0]
        before = rows_before(ann, last)
        for _ in range(data.draw(st.integers(1, 2))):
            parts = data.draw(bundles(ids))
            options = {"quarantine": data.draw(st.booleans()), "with_grants": data.draw(st.booleans())}
            bring(ann, parts, signer=data.draw(st.sampled_from(["", "ed25519:eve"])), **options)
            assert rows_before(ann, last) == before
    assert check.examine(folder, timeout=5.0) == []
    shutil.rmtree(folder)


def test_forgetting_keeps_memories_of_others(base: tuple[Path, list[str]], tmp_path: Path) -> None:
    shutil.copytree(base[0], folder := tmp_path / "vault")
    mine = base[1][0]
    with enter(folder) as ann:
        link = {"source": mine, "kind": "derived_from", "target": NEW[0]}
        job = bring(ann, {"cubes": [foreign(NEW[0], "Junk.", tags=["junk"])], "links": [link]})
        assert any("left out 1 link" in note for note in job.notes)
        gone = ann.forget([], filter=Filter(tags=("junk",)), dry_run=False)
        assert [cube.id for cube in gone.cubes] == [NEW[0]]
        assert ann.show(mine).cube.tags == ("work",)


def test_grants_of_a_bundle_need_with_grants(base: tuple[Path, list[str]], tmp_path: Path) -> None:
    grants = [
        {"target": id, "principal": "agent:eve", "right": "read", "expires": None}
        for id in (NEW[0], base[1][0])
    ]
    parts = {"cubes": [foreign(NEW[0], "Take this.")], "access": grants}
    for with_grants, seen in ((False, set()), (True, {NEW[0]})):
        shutil.copytree(base[0], folder := tmp_path / str(with_grants))
        with enter(folder) as ann:
            told = " ".join(bring(ann, parts, with_grants=with_grants).notes)
            assert ("--with-grants" in told, "left out 1 grant:" in told) == (not with_grants, with_grants)
        with enter(folder, "agent:eve") as eve:
            assert {cube.id for cube in eve.cubes(filter=Filter())} == seen


@pytest.mark.parametrize("bad", [{}, {"a": 1}, [], ["x"], 5, None, True, ""])
@pytest.mark.parametrize(
    ("part", "record", "field"),
    [
        ("links", {"source": NEW[0], "kind": "about", "target": NEW[1]}, "source"),
        ("links", {"source": NEW[0], "kind": "about", "target": NEW[1]}, "kind"),
        ("links", {"source": NEW[0], "kind": "about", "target": NEW[1]}, "target"),
        ("access", {"target": NEW[0], "principal": BO, "right": "read", "expires": None}, "target"),
        ("access", {"target": NEW[0], "principal": BO, "right": "read", "expires": None}, "principal"),
        ("access", {"target": NEW[0], "principal": BO, "right": "read", "expires": None}, "right"),
        ("rebuild", {"view": "", "document": [NEW[0]]}, "document"),
        ("cubes", foreign(NEW[2], "Third."), "id"),
    ],
)
def test_an_invalid_record_is_reported_and_others_are_imported(
    tmp_path: Path, part: str, record: dict[str, Any], field: str, bad: object
) -> None:
    cubes = [foreign(NEW[0], "One."), foreign(NEW[1], "Two.")]
    with enter(tmp_path / "vault") as ann:
        ann.create_vault()
        parts = {"cubes": cubes}
        parts = {**parts, part: [*parts.get(part, ()), {**record, field: bad}]}
        job = bring(ann, parts, with_grants=True)
        assert job.added == 2
        assert all(failure.source == "bundle" for failure in job.failed)
    assert check.examine(tmp_path / "vault", timeout=5.0) == []


def test_which_signers_may_add_versions(base: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Its signer, or the user's own key; with what came without a signature, anybody."""
    shutil.copytree(base[0], folder := tmp_path / "vault")
    mine = base[1][1]
    own = signing.own_key(make=True)
    assert own is not None
    later = [foreign(NEW[3], TEXTS[3], "Later."), foreign(mine, TEXTS[1], "Later too.")]
    with enter(folder) as ann:
        bring(ann, {"cubes": [foreign(NEW[0], "Unsigned.")]})
        later.append(foreign(NEW[0], "Unsigned.", "Still unsigned."))
        assert bring(ann, {"cubes": later}, signer="ed25519:eve").versions == 1
        assert bring(ann, {"cubes": later}).versions == 0
        assert [failure.reason for failure in bring(ann, {"cubes": later}, signer=FRIEND).failed] == [
            f"{mine} has later versions in the bundle, but was not imported from this signer;"
            " it stays unchanged"
        ]
        assert ann.show(NEW[3]).cube.text == "Later."
        assert bring(ann, {"cubes": later}, signer=signing.name_of(own)).versions == 1
        assert ann.show(mine).cube.text == "Later too."


def test_an_id_of_another_principal_is_not_revealed(base: tuple[Path, list[str]], tmp_path: Path) -> None:
    hidden = base[1][-1]
    shutil.copytree(base[0], folder := tmp_path / "vault")
    with enter(folder) as ann:
        link = {"source": hidden, "kind": "about", "target": NEW[0]}
        job = bring(ann, {"cubes": [foreign(hidden, "Mine."), foreign(NEW[0], "Too.")], "links": [link]})
        assert (job.added, job.failed) == (2, [])
        assert hidden not in job.ids
        (first, _) = job.ids
        assert [step.cube.id for step in ann.walk(first)] == [first, NEW[0]]
    with enter(folder, BO) as bo:
        assert bo.show(hidden).cube.text == "Bo keeps this to himself."


# --- quarantine ------------------------------------------------------------------------------------


def test_a_new_version_of_an_approved_memory_is_quarantined(tmp_path: Path) -> None:
    with enter(tmp_path / "vault") as ann:
        ann.create_vault()
        bring(ann, {"cubes": [foreign(NEW[0], "One.")]}, quarantine=True)
        ann.review([NEW[0]], approve=True)
        job = bring(ann, {"cubes": [foreign(NEW[0], "One.", "Two.")]}, quarantine=True)
        assert (job.versions, job.quarantined) == (1, 1)
        assert ann.show(NEW[0]).cube.state == "quarantined"
        assert ann.search("two", filter=Filter()).hits == ()


AGENT = "agent:coder"
WAYS_ROUND = {
    "archive, restore": lambda memos, id, text: (memos.archive([id]), memos.restore([id])),
    "archive, say it again": lambda memos, id, text: (memos.archive([id]), say(memos, text)),
    "say it again": lambda memos, id, text: say(memos, text),
    "let it expire, restore": lambda memos, id, text: (memos.expire([id], 1), memos.restore([id])),
    "approve": lambda memos, id, text: memos.review([id], approve=True),
    "edit": lambda memos, id, text: memos.edit(id, text="Other words."),
    "reject, restore by a filter": lambda memos, id, text: (
        memos.archive([id]), memos.restore(filter=Filter(states=("archived",))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS_ROUND)
@pytest.mark.parametrize("who", ["agent:coder", "agent:owner"])
def test_only_a_users_approval_releases_from_quarantine(tmp_path: Path, way: str, who: str) -> None:
    """Not what an agent does that may do all with it, or owns it."""
    text = "The page from outside."
    folder = tmp_path / "vault"
    with enter(folder, "agent:owner") as owner:
        owner.create_vault()
        (id,) = say(owner, text, quarantine="always")
        owner.access.grant("vault", AGENT, "admin")
        owner.access.grant("vault", ANN, "admin")
    with enter(folder, who) as agent, suppress(UsageError, Refused):
        WAYS_ROUND[way](agent, id, text)
    with enter(folder) as ann:
        assert ann.show(id).cube.state in ("quarantined", "archived")
    with enter(folder, who) as agent, suppress(UsageError):
        agent.restore([id])
    with enter(folder) as ann:
        assert ann.show(id).cube.state == "quarantined"
        ann.review([id], approve=True)
        ann.archive([id])
        ann.restore([id])
        assert ann.show(id).cube.state == "activated"


# --- exports of other programs ---------------------------------------------------------------------


def test_an_import_links_pins_and_expires_only_its_own_memories(memos: Shell) -> None:
    """References are its own: the same one elsewhere is another memory."""
    said = '{"id": "t1", "role": "user", "content": "I planted tomatoes."}\n'
    memos("ingest", memos.write("chat.jsonl", said), "--no-embed")
    (mine,) = memos("list", "--json").records
    hostile = [
        {"id": "t1", "memory": "I planted weeds.", "expiration_date": "2020-01-01"},
        {"id": "t2", "memory": "I planted tomatoes.", "expiration_date": "2020-01-01"},
    ]
    memos(
        "import", memos.write("mem0.json", json.dumps({"results": hostile})), "--no-embed", "--from", "mem0"
    )
    (now,) = [row for row in memos("list", "--json").records if row["id"] == mine["id"]]
    assert now == mine


def test_an_import_neither_tags_nor_restores_existing_memories(memos: Shell) -> None:
    file = memos.write("a.csv", "text\nThe cat is called Miso.\n")
    memos("import", file, "--no-embed", "--tag", "first")
    (mine,) = memos("list", "--json").records
    memos("archive", mine["id"])
    again = memos.write("b.csv", "text,tags\nThe cat is called Miso.,stolen\n")
    memos("import", again, "--no-embed", "--tag", "second")
    (now,) = memos("list", "--json", "--state", "archived").records
    assert (now["tags"], now["source"]) == (["first"], mine["source"])


def test_import_reports_the_parts_of_a_bundle(memos: Shell) -> None:
    (mine,) = memos.keep("The cat is called Miso.")
    whole = io.BytesIO()
    grant = {"target": NEW[0], "principal": "everyone", "right": "admin", "expires": None}
    link = {"source": mine, "kind": "contradicts", "target": NEW[0]}
    cubes = [foreign(NEW[0], "The cat is called Tofu.", time=NOW * 2)]
    bundle.write(whole, {"cubes.jsonl": cubes, "links.jsonl": [link], "access.jsonl": [grant]})
    file = memos.work / "b.mip"
    file.write_bytes(whole.getvalue())
    told = memos("import", file, "--no-embed")
    assert "left out 1 link" in told.err
    assert "--with-grants" in told.err
    assert memos("conflicts", "--json").records == []
    assert memos("grant", "--json").records == []
