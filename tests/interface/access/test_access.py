"""Walls between principals, through the Memory API: every way to a payload asks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from access_harness import ANN, BO, CODER, LINES, SECRET, enter, learn
from adapters_harness import teach
from cli_harness import with_models
from vault_harness import NOW, keep_state

from memos_cli.cube import Filter
from memos_cli.errors import Refused, UsageError
from memos_cli.infrastructure.derived.adapters import Lesson
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.vault import check
from memos_cli.interface import selection
from memos_cli.interface.access.access import Access
from memos_cli.interface.ask.usage import record_use
from memos_cli.interface.changes import Changes
from memos_cli.interface.exchange import Exchange
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import (
    AnswerOptions,
    IngestOptions,
    PublishOptions,
    TrainOptions,
)
from memos_cli.interface.share import signing
from memos_cli.operation.lifecycle.retention import Retention
from memos_cli.operation.states.activation import Restored

ALL = Filter(payloads=("plaintext", "activation", "parametric"))
QUOTE = AnswerOptions(answer="quote")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A vault in which Ann has kept a memory, a state and an adapter of it, a view and a pin."""
    with enter(tmp_path / "vault", ANN) as ann:
        ann.create_vault()
        learn(ann, SECRET, "work/swan")
        (cube,) = ann.cubes(filter=Filter())
        keep_state(ann.vault, cube.n)
        teach(
            ann.vault, cube.n, name="Swans", lessons=[Lesson(SECRET, SECRET, "fact", False, cube.n, "fjord")]
        )
        ann.set_view("swans", Filter(tags=("work",)))
        ann.pin([cube.id])
        record_use(
            ann,
            [cube],
            Restored(0, None, False, 0.0),
            question="Where is the swan's vault?",
            forms={cube.n: "text"},
        )
    yield tmp_path / "vault"
    assert check.examine(tmp_path / "vault", timeout=5.0) == []


def offer(memos: Memos, id: str) -> Any:
    signing.own_key(make=True)
    return memos.propose("x", PublishOptions(ids=(id,)), target=f"{memos.folder}-public")


def bring(memos: Memos, text: str) -> object:
    export = memos.vault.folder.parent / "memory.jsonl"
    entity = {"type": "entity", "name": "Swan", "entityType": "bird", "observations": [text]}
    export.write_text(json.dumps(entity))
    return memos.import_export(export, options=IngestOptions(), embed=False)


def send(memos: Memos, id: str) -> bytes:
    whole = io.BytesIO()
    memos.export(stream=whole, filter=ALL, format="jsonl", up_to="secret")
    with suppress(UsageError):
        memos.export([id], stream=whole, up_to="secret")
    return whole.getvalue()


def talk(memos: Memos, *questions: str) -> Any:
    with memos.chat(filter=Filter(), options=QUOTE) as chat:
        return [chat.ask(question) for question in questions]


def ids_of(folder: Path) -> list[str]:
    with enter(folder, ANN) as ann:
        return [cube.id for cube in ann.cubes(filter=ALL)]


def first(memos: Memos) -> str:
    return next(iter(memos.cubes(filter=Filter(), newest=False))).id


# What each public operation gives a stranger, to whom nothing is granted; ``id`` is one it happens to know.
OPERATIONS: dict[str, Callable[[Memos, str], Any]] = {
    "activations": lambda m, id: m.activations(),
    "adapters": lambda m, id: m.adapters(),
    "audit": lambda m, id: [*m.audit(), *m.audit(cube=id)],
    "audit_head": lambda m, id: m.audit_head(),
    "check": lambda m, id: m.check(),
    "count_missing_vectors": lambda m, id: m.count_missing_vectors(),
    "cubes_at": lambda m, id: m.cubes_at(2 * NOW, filter=ALL),
    "select": lambda m, id: [*selection.select(m, ALL)],
    "cubes": lambda m, id: [*m.cubes(filter=ALL), *m.cubes(filter=Filter(tags=("work",)))],
    "demote": lambda m, id: m.demote([id], dry_run=True),
    "backup": lambda m, id: m.backup(m.folder.parent / "backups", Retention()),
    "maintain": lambda m, id: m.maintain(),
    "conflicts": lambda m, id: m.conflicts(similar=True),
    "resolve": lambda m, id: m.resolve("keep-newest", [id]),
    "link": lambda m, id: m.link(id, "about", [id]),
    "walk": lambda m, id: m.walk(id),
    "merge": lambda m, id: m.merge([id, id]),
    "part": lambda m, id: m.part(id),
    "slice": lambda m, id: m.slice(id, size=50),
    "archive": lambda m, id: (m.archive(filter=ALL), m.archive([id])),
    "restore": lambda m, id: (m.restore(filter=ALL), m.restore([id])),
    "expire": lambda m, id: m.expire([id], None),
    "freeze": lambda m, id: m.freeze([id]),
    "rollback": lambda m, id: m.rollback(id, 1),
    "diff": lambda m, id: m.diff(id),
    "edit": lambda m, id: m.edit(id, text="mine now"),
    "forget": lambda m, id: (m.forget([], filter=ALL, dry_run=False), m.forget([id], dry_run=False)),
    "gate": lambda m, id: m.gate(id),
    "history": lambda m, id: m.history(id),
    "ingest": lambda m, id: learn(m, SECRET.replace("fjord", "lake")),
    "save": lambda m, id: m.save(SECRET.replace("fjord", "lake"), source="mcp:test"),
    "context": lambda m, id: m.context("Where is the swan?", filter=ALL, tokens=500),
    "count": lambda m, id: (m.count(ALL), m.count(Filter(tags=("work",)))),
    "export": lambda m, id: send(m, id),
    "import_export": lambda m, id: bring(m, SECRET.replace("fjord", "lake")),
    "propose": lambda m, id: offer(m, id),
    "pin": lambda m, id: m.pin([id], "swans"),
    "pinned": lambda m, id: [*m.pinned(""), *m.pinned("swans")],
    "pins": lambda m, id: m.pins(),
    "is_empty": lambda m, id: m.is_empty(),
    "prepare": lambda m, id: m.prepare([id], options=TrainOptions()),
    "promote": lambda m, id: m.promote([id]),
    "remove_view": lambda m, id: m.remove_view("swans"),
    "review": lambda m, id: m.review([id], approve=True),
    "quarantined": lambda m, id: (m.quarantined(filter=ALL), m.cubes(filter=ALL)),
    "search": lambda m, id: (m.search("swan vault", filter=Filter()), m.search("swan", filter=ALL)),
    "set_view": lambda m, id: m.set_view("swans", Filter()),
    "show": lambda m, id: m.show(id),
    "stats": lambda m, id: m.stats(),
    "tag": lambda m, id: m.tag([id], ["mine"]),
    "mark": lambda m, id: m.mark([id], "secret"),
    "verify_audit": lambda m, id: m.verify_audit(),
    "access.explain": lambda m, id: m.access.explain(id, CODER),
    "access.grant": lambda m, id: (m.access.grant("vault", BO, "read"), m.access.grant(id, BO, "read")),
    "access.get": lambda m, id: m.access.get(id),
    "access.get_many": lambda m, id: m.access.get_many([id]),
    "access.revoke": lambda m, id: m.access.revoke(id, BO),
    "access.rules": lambda m, id: m.access.rules(),
    "access.groups": lambda m, id: m.access.groups(),
    "access.join": lambda m, id: m.access.join("group:team", [CODER]),
    "access.tasks": lambda m, id: m.access.tasks(),
    "access.finish_task": lambda m, id: m.access.finish_task("T1"),
    "access.create_token": lambda m, id: m.access.create_token(ANN, "owner", None),
    "access.set_audited_reads": lambda m, id: m.access.set_audited_reads("prompts"),
    "access.tokens": lambda m, id: m.access.tokens(),
    "access.revoke_token": lambda m, id: m.access.revoke_token(1),
    "access.require_tokens": lambda m, id: m.access.require_tokens(True),
}
REFUSING = {
    "propose", "backup",
    "resolve", "link", "walk", "merge", "part", "slice", "archive", "restore", "expire", "freeze",
    "rollback", "diff", "edit", "history", "gate", "pin", "prepare", "promote", "demote",
    "show", "tag", "mark", "review", "set_view", "remove_view", "forget", "access.explain",
    "access.grant", "access.get", "access.get_many", "access.revoke", "access.join", "access.create_token",
    "access.finish_task", "access.set_audited_reads", "access.require_tokens", "access.revoke_token",
}  # fmt: skip
WITH_MODELS = {"plan", "query", "chat"}
NOT_ASKED = {
    # Make the vault, open models, tell the time: no memory is in what they give.
    "init", "create_vault", "now", "close", "principal", "access", "vault", "reader", "engine", "embedder",
    "keys", "identify_again", "open_embedder", "use_embedder", "use_reader", "clear_cache", "open_vocabulary",
    "fingerprint", "throughput", "server", "local_engine", "model_name", "parameters", "highest_sensitivity",
    "count_quoted", "change",
    "state_cache", "adapter_cache", "reranker", "embed",
    # Tell of one's own: what a caller follows and publishes itself (see test_market.py).
    "publications", "subscriptions", "subscribe", "update", "unsubscribe",
    # Take cubes that the caller was given.
    "publish", "audit_reads", "distil", "record_use", "access.require", "access.decide",
    # Say who asks, or what a saved filter is called.
    "access.require_writer", "access.require_sharing", "access.require_owner", "access.audited_reads",
    "access.require_lasting_grants", "access.require_maker", "restore_vault",
    "access.is_maker", "access.caller", "view", "views",
}  # fmt: skip


def test_all_public_operations_are_listed() -> None:
    public = {name for name in dir(Memos) if not name.startswith("_")}
    public |= {f"access.{name}" for name in dir(Access) if not name.startswith("_")}
    assert public <= {*OPERATIONS, *WITH_MODELS, *NOT_ASKED}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_gives_a_stranger_nothing(folder: Path, name: str) -> None:
    ids = ids_of(folder)
    with enter(folder, ANN) as ann:
        before = [ann.show(id) for id in ids]
    for id in ids:
        with enter(folder, CODER) as stranger:
            told = ""
            if name in REFUSING:
                with pytest.raises((Refused, UsageError)) as caught:
                    OPERATIONS[name](stranger, id)
                told = str(caught.value) + caught.value.hint
            else:
                told = repr(OPERATIONS[name](stranger, id))
        for hidden in ("fjord", "Swans", "work/swan", *(each for each in ids if each != id)):
            assert hidden not in told, (name, hidden)
    with enter(folder, ANN) as ann:
        assert [ann.show(id) for id in ids] == before
        assert "swans" in ann.views()
        assert [cube.text for cube in ann.pinned("")] == [SECRET]


class Stock:
    """A vault of Ann's with what each method of the Memory API needs; ids by what they are."""

    def __init__(self, ann: Memos) -> None:
        self.known = first(ann)
        self.may, self.june = (
            learn(ann, f"The heron nests in {month}.", "birds") for month in ("May", "June")
        )
        ann.link(self.may, "contradicts", [self.june])
        self.merged = ann.merge([learn(ann, "A goose sleeps."), learn(ann, "A duck swims.")]).id
        self.long = learn(ann, " ".join(f"The swan counts to {number}." for number in range(40)))
        self.archived = learn(ann, "The lake froze.")
        ann.archive([self.archived])
        wary = IngestOptions(hints=LINES, quarantine="always")
        (self.waiting,) = ann.ingest(options=wary, text=b"The web says so.", embed=False).ids
        ann.edit(self.known, title="Swan")
        ann.set_view("birds", Filter(tags=("birds",)))
        (state,) = ann.activations()
        self.state = state.id


AUDITED: dict[str, tuple[str, Callable[[Memos, Stock], Any]]] = {
    # Whoever reads memories leaves a row, whether it comes by the command line or by this API.
    "cubes": ("list", lambda m, s: m.cubes(filter=ALL)),
    "cubes_at": ("list", lambda m, s: m.cubes_at(NOW, filter=ALL)),
    "search": ("search", lambda m, s: m.search("heron", filter=Filter())),
    "plan": ("search", lambda m, s: m.plan("When does the heron nest?", filter=Filter(), options=QUOTE)),
    "query": ("read", lambda m, s: m.query("When does the heron nest?", filter=Filter(), options=QUOTE)),
    "chat": ("read", lambda m, s: talk(m, "When does the heron nest?")),
    "show": ("show", lambda m, s: m.show(s.known)),
    "history": ("show", lambda m, s: m.history(s.known)),
    "diff": ("show", lambda m, s: m.diff(s.known)),
    "walk": ("show", lambda m, s: m.walk(s.may)),
    "conflicts": ("list", lambda m, s: m.conflicts()),
    "quarantined": ("list", lambda m, s: m.quarantined()),
    "pins": ("list", lambda m, s: m.pins()),
    "pinned": ("list", lambda m, s: m.pinned("")),
    "stats": (
        "list",
        lambda m, s: (learn(m, "x"), record_use(m, [m.show(s.may).cube], Restored()), m.stats()),
    ),
    "propose": ("list", lambda m, s: offer(m, s.may)),
    "export": ("export", lambda m, s: m.export([s.may], stream=io.BytesIO())),
    # Whoever changes something, too.
    "ingest": ("add", lambda m, s: learn(m, "The otter dives.")),
    "save": ("add", lambda m, s: m.save("The otter dives.", source="mcp:test")),
    "record_use": ("read", lambda m, s: m.record_use(m.access.get_many([s.may]))),
    "import_export": ("add", lambda m, s: bring(m, "The otter dives.")),
    "edit": ("edit", lambda m, s: m.edit(s.may, text="The heron nests in April.")),
    "rollback": ("rollback", lambda m, s: (m.edit(s.may, text="Never."), m.rollback(s.may, 1))),
    "archive": ("archive", lambda m, s: m.archive([s.may])),
    "restore": ("restore", lambda m, s: m.restore([s.archived])),
    "expire": ("renew", lambda m, s: m.expire([s.may], 2 * NOW)),
    "freeze": ("freeze", lambda m, s: m.freeze([s.may])),
    "tag": ("tag", lambda m, s: m.tag([s.may], ["wet"])),
    "mark": ("mark", lambda m, s: m.mark([s.may], "personal")),
    "pin": ("pin", lambda m, s: m.pin([s.may])),
    "link": ("link", lambda m, s: m.link(s.may, "about", [s.long])),
    "merge": ("merge", lambda m, s: m.merge([s.may, s.june])),
    "part": ("part", lambda m, s: m.part(s.merged)),
    "slice": ("archive", lambda m, s: m.slice(s.long, size=100)),
    "resolve": ("archive", lambda m, s: m.resolve("keep-newest")),
    "review": ("approve", lambda m, s: m.review([s.waiting], approve=True)),
    "forget": ("forget", lambda m, s: m.forget([s.may], dry_run=False)),
    "demote": ("demote", lambda m, s: m.demote([s.state])),
    "maintain": ("maintain", lambda m, s: (m.expire([s.may], NOW - 1), m.maintain(steps=["expire"]))),
    "set_view": ("view", lambda m, s: m.set_view("lakes", Filter(tags=("lake",)))),
    "remove_view": ("view-remove", lambda m, s: m.remove_view("birds")),
    "backup": ("backup", lambda m, s: m.backup(m.folder.parent / "backups", Retention())),
}
NO_ROW = {
    # They read no memory: names, numbers, what is derived; or the audit itself.
    "activations", "adapters", "audit", "audit_head", "verify_audit", "check", "count_missing_vectors",
    "is_empty", "count",
    # Its memories have a row when a model reads them: ``record_use``.
    "context",
    "view", "views", "publications", "subscriptions",
    # Make vaults and vectors; followed in test_first_start.py, test_embedding.py and test_restoring.py.
    "init", "embed", "restore_vault",
    # Need a model or a feed; followed in test_cli_promoting.py, test_distilling.py and test_market.py.
    "promote", "prepare", "distil", "gate", "publish", "subscribe", "update", "unsubscribe",
}  # fmt: skip


def test_every_method_is_in_the_table_of_audit_rows() -> None:
    own = {name for kind in (Memos, Changes, Exchange) for name in vars(kind) if not name.startswith("_")}
    assert own == {*AUDITED, *NO_ROW}


@pytest.mark.parametrize("name", AUDITED)
def test_each_method_leaves_its_audit_row(folder: Path, name: str) -> None:
    action, call = AUDITED[name]
    with enter(folder, ANN) as ann:
        stock, last = Stock(ann), [*ann.audit()][-1].n
        result = call(ann, stock)
        assert result is None or result
        new = [(row.action, row.principal) for row in ann.audit() if row.n > last]
    assert (action, ANN) in new


def test_a_refused_attempt_is_in_the_audit(folder: Path) -> None:
    with enter(folder, ANN) as ann:
        id = first(ann)
    with enter(folder, CODER) as coder:
        for attempt in (
            lambda: coder.show(id),
            lambda: coder.edit(id, text="x"),
            lambda: coder.forget([id], dry_run=False),
        ):
            with pytest.raises(UsageError, match="no memory has an id"):
                attempt()
    with enter(folder, ANN) as ann:
        rows = [(row.principal, row.cube, row.detail) for row in ann.audit(action="refused")]
        assert rows == [(CODER, id, "read"), (CODER, id, "write"), (CODER, id, "admin")]
        assert ann.verify_audit() == []


def test_part_of_an_id_tells_a_stranger_nothing(folder: Path) -> None:
    (id, *_) = ids_of(folder)
    with enter(folder, CODER) as coder, pytest.raises(UsageError, match="no memory has an id"):
        coder.show(id[:20])


def test_two_who_keep_the_same_words_or_file_each_have_their_own(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("The heron nests in May.\n")
    for who in (ANN, BO):
        with enter(folder, who) as memos:
            assert memos.ingest([file], options=IngestOptions(), embed=False).added == 1
            assert learn(memos, "Both know this.") != ""
            assert memos.ingest([file], options=IngestOptions(), embed=False).unchanged == 1
    file.write_text("The heron nests in June.\n")
    with enter(folder, BO) as bo:
        assert bo.ingest([file], options=IngestOptions(), embed=False).versions == 1
        bo.forget([], filter=Filter(), dry_run=False)
        assert list(bo.cubes(filter=ALL)) == []
    with enter(folder, ANN) as ann:
        assert {cube.text for cube in ann.cubes(filter=Filter())} == {
            SECRET,
            "The heron nests in May.",
            "Both know this.",
        }


def test_what_is_hidden_changes_nothing_that_a_search_gives(folder: Path) -> None:
    """Neither scores nor counts: the answer before and after others have kept more is the same."""
    with enter(folder, BO) as bo:
        for text in ("The swan sleeps.", "A goose sleeps by the lake.", "The lake is cold."):
            learn(bo, text)
    asked = [
        ("swan lake", Filter()),
        ("fjord", Filter()),
        ("sleeps", Filter(after=0)),
        ("cold swan", Filter()),
    ]
    with enter(folder, BO) as bo:
        before = [bo.search(words, filter=filter) for words, filter in asked]
        numbers = bo.stats()
    with enter(folder, ANN) as ann:
        for at in range(40):
            learn(ann, f"Swan {at} swims on a cold lake, a fjord, far from goose {at}.")
    with enter(folder, BO) as bo:
        assert [bo.search(words, filter=filter) for words, filter in asked] == before
        after = bo.stats()
        assert (after.cubes, after.versions, after.sources, after.tags) == (
            numbers.cubes, numbers.versions, numbers.sources, numbers.tags,
        )  # fmt: skip


@pytest.mark.parametrize("target", ["cube", "tag:work", "tag:work/swan", "view:swans", "vault"])
def test_what_is_granted_is_there_and_what_is_revoked_is_not(folder: Path, target: str) -> None:
    with enter(folder, ANN) as ann, enter(folder, CODER) as coder:
        mine = first(ann)
        aim = mine if target == "cube" else target
        assert list(coder.cubes(filter=Filter())) == []
        ann.access.grant(aim, CODER, "read")
        # In the same process: a rule is followed from the moment that it is there.
        assert [cube.id for cube in coder.cubes(filter=Filter())] == [mine]
        assert [hit.cube.id for hit in coder.search("swan", filter=Filter()).hits] == [mine]
        assert [len(each.sources) for each in coder.activations()] == [1]
        with pytest.raises(Refused):
            coder.edit(mine, text="x")
        # The adapter holds lessons as well: it is used by whom it is granted to itself, or all of it.
        assert len(coder.adapters()) == (target == "vault")
        assert ann.access.revoke(aim, CODER) == 1
        assert list(coder.cubes(filter=ALL)) == []
        assert coder.activations() == []


def test_who_stays_follows_what_is_granted_and_revoked_meanwhile(folder: Path) -> None:
    """Also between looks, of its own and of others, which change nothing."""

    def sees(memos: Memos) -> bool:
        return bool(memos.search("swan", filter=Filter()).hits)

    with enter(folder, ANN) as ann, enter(folder, CODER) as coder:
        id = first(ann)
        assert not sees(coder)
        assert sees(ann)
        for _ in range(2):
            ann.access.grant("tag:work", CODER, "read")
            assert sees(coder)
            assert sees(ann)
            assert sees(coder)
            ann.tag([id], ["work/swan"], remove=True)
            assert not sees(coder)
            ann.tag([id], ["work/swan"])
            assert sees(coder)
            ann.access.revoke("tag:work", CODER)
            assert not sees(coder)


def test_a_grant_ends_by_itself(folder: Path) -> None:
    now = [NOW]
    with enter(folder, ANN) as ann, enter(folder, CODER, clock=lambda: now[0]) as coder:
        ann.access.grant("vault", CODER, "read", expires=NOW + 10)
        assert len(list(coder.cubes(filter=Filter()))) == 1
        now[0] = NOW + 10
        assert list(coder.cubes(filter=Filter())) == []


def test_everyone_and_groups(folder: Path) -> None:
    with enter(folder, ANN) as ann:
        id = first(ann)
        assert ann.access.join("group:team", [BO]) == 1
        ann.access.grant(id, "group:team", "write")
        with enter(folder, CODER) as coder, pytest.raises(UsageError):
            coder.show(id)
        with enter(folder, BO) as bo:
            assert bo.edit(id, text="The swan's vault is empty.").changed
        ann.access.grant(id, "everyone", "read")
        with enter(folder, CODER) as coder:
            assert coder.show(id).cube.text == "The swan's vault is empty."
        ann.access.join("group:team", [BO], remove=True)
        with enter(folder, BO) as bo, pytest.raises(Refused):
            bo.edit(id, text="x")


def test_who_may_share_passes_on_what_it_has_and_no_more(folder: Path) -> None:
    with enter(folder, ANN) as ann, enter(folder, BO) as bo:
        ann.access.grant("tag:work", BO, "share")
        with pytest.raises(Refused):
            bo.access.grant("tag:work", CODER, "write", of=ANN)
        with pytest.raises(Refused):
            bo.access.grant("tag:work", CODER, "share", of=ANN)
        with pytest.raises(Refused):
            bo.access.grant("vault", CODER, "read", of=ANN)
        bo.access.grant("tag:work/swan", CODER, "read", of=ANN)
        bo.access.grant(first(ann), CODER, "read")
        with enter(folder, CODER) as coder:
            assert len(list(coder.cubes(filter=Filter()))) == 1
            # What was passed on goes with the right to pass it on.
            assert ann.access.revoke("tag:work", BO) == 3
            assert list(coder.cubes(filter=Filter())) == []


def test_a_tag_is_no_way_in(folder: Path) -> None:
    """Who may write cannot move a memory to where others look, nor widen a view that was granted."""
    with enter(folder, ANN) as ann, enter(folder, BO) as bo:
        ann.access.grant(first(ann), BO, "write")
        with pytest.raises(Refused):
            bo.tag([first(ann)], ["public"])
        with pytest.raises(Refused):
            bo.set_view("swans", Filter())
        with pytest.raises(UsageError):
            bo.access.grant("view:swans", CODER, "read")


def test_what_was_made_from_two_needs_both(folder: Path) -> None:
    with enter(folder, ANN) as ann:
        learn(ann, "The goose is loud.")
        one, two = sorted(cube.n for cube in ann.cubes(filter=Filter()))
        keep_state(ann.vault, one, two, content=b"both")
        ann.access.grant(queries.by_rowid(ann.vault.unrestricted, [two])[two].id, CODER, "read")
        with enter(folder, CODER) as coder:
            assert coder.activations() == []
            ann.access.grant("tag:work", CODER, "read")
            assert sorted(len(each.sources) for each in coder.activations()) == [1, 2]


def test_a_token_is_who_it_says_and_no_more(folder: Path) -> None:
    now = [NOW]
    with enter(folder, ANN) as ann:
        id = first(ann)
        token, said = ann.access.create_token(ANN, "reader", NOW + 10)
        assert said not in (folder / "memos.db").read_bytes().decode("latin-1")
        writer = ann.access.create_token(CODER, "writer", None)[1]
    with enter(folder, token=said, clock=lambda: now[0]) as reader:
        assert reader.principal == ANN
        assert reader.show(id).cube.text == SECRET
        for attempt in (
            lambda: reader.edit(id, text="x"), lambda: reader.forget([id], dry_run=False),
            lambda: learn(reader, "New."), lambda: reader.access.grant("vault", CODER, "read"),
            lambda: reader.access.create_token(ANN, "owner", None), lambda: reader.set_view("v", Filter()),
            lambda: reader.promote([id]), lambda: reader.access.require_tokens(True),
        ):  # fmt: skip
            with pytest.raises(Refused):
                attempt()
    now[0] = NOW + 10
    for folder_, arguments in (
        (folder, {"token": said}),
        (folder, {"token": "memos_wrong"}),
        (folder, {"who": BO, "token": writer}),
    ):
        with enter(folder_, **arguments, clock=lambda: now[0]) as nobody, pytest.raises(Refused):
            nobody.stats()
    with enter(folder, CODER, token=writer) as coder:
        assert learn(coder, "A coder's own.") != ""
    with enter(folder, ANN) as ann:
        assert ann.access.revoke_token(token.n).n == token.n


def test_a_vault_that_wants_tokens_lets_nobody_in_without(folder: Path) -> None:
    with enter(folder, ANN) as ann:
        with pytest.raises(UsageError, match="lock yourself out"):
            ann.access.require_tokens(True)
        said = ann.access.create_token(ANN, "owner", None)[1]
        ann.access.require_tokens(True)
    for who in (ANN, CODER):
        with enter(folder, who) as nobody, pytest.raises(Refused, match="requires a token"):
            nobody.stats()
    with enter(folder, token=said) as ann:
        assert ann.stats().types == {"document": 1}
        ann.access.require_tokens(False)
    with enter(folder, CODER) as coder:
        coder.stats()


def test_forgetting_takes_what_others_made_of_it_and_its_rules(folder: Path) -> None:
    with enter(folder, ANN) as ann, enter(folder, BO) as bo:
        id = first(ann)
        ann.access.grant(id, BO, "read")
        n = ann.access.get_many([id])[0].n
        with closing(bo.vault):
            assert len(bo.activations()) == 1
        ann.forget([id], dry_run=False)
        assert ann.vault.unrestricted.execute("SELECT count(*) FROM rule").fetchone() == (0,)
        assert ann.vault.unrestricted.execute("SELECT count(*) FROM cube WHERE n = ?", (n,)).fetchone() == (
            0,
        )


def test_what_is_kept_for_a_task_is_for_its_agent_until_it_is_done(folder: Path) -> None:
    rule = "Commit messages of the swan are in English."
    with enter(folder, ANN) as ann, enter(folder, CODER) as coder, enter(folder, BO) as bo:
        wishes = IngestOptions(hints=LINES, audience=CODER, task="T2")
        (id,) = ann.ingest(options=wishes, text=rule.encode(), embed=False).ids
        ann.pin([id])

        def found(memos: Memos) -> set[str]:
            return {hit.cube.text for hit in memos.search("swan", filter=Filter()).hits}

        assert (found(coder), found(bo), found(ann)) == ({rule}, set(), {SECRET})
        assert [cube.text for cube in coder.pinned("")] == [rule]
        assert [cube.text for cube in ann.pinned("")] == [SECRET]
        assert (
            ann.show(id).cube.text == rule
        )  # it is Ann's, and she sees it, but it is not put before her model
        with pytest.raises(Refused):
            coder.edit(id, text="x")
        with pytest.raises(UsageError, match="no memory belongs"):
            bo.access.finish_task("T2")
        assert [(task.name, task.principal, task.live) for task in coder.access.tasks()] == [("T2", CODER, 1)]
        assert coder.access.finish_task("T2") == [id]
        assert coder.access.finish_task("T2") == []
        assert (found(coder), found(ann)) == (set(), {SECRET})
        assert ann.show(id).cube.state == "archived"


@with_models
def test_a_strangers_model_is_told_nothing(folder: Path) -> None:
    with enter(folder, ANN) as ann:
        ann.init()
        ann.embed()
    with enter(folder, CODER) as coder:
        question = "Where does the swan's vault lie?"
        for way in ("quote", "model"):
            manner = AnswerOptions(max_tokens=8, answer=way)
            assert "fjord" not in repr(coder.plan(question, filter=Filter(), options=manner))
            assert "fjord" not in repr(coder.query(question, filter=Filter(), options=manner))
            with coder.chat(filter=Filter(), options=manner) as chat:
                assert "fjord" not in repr([chat.ask(question), chat.ask("and where?"), chat.turns])
    with enter(folder, ANN) as ann:
        for way in ("quote", "model"):
            assert "fjord" in repr(ann.plan(question, filter=Filter(), options=AnswerOptions(answer=way)))
        assert "fjord" in repr(
            ann.query(question, filter=Filter(), options=AnswerOptions(answer="quote")).quotes
        )
