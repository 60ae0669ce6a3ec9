"""Who may do what: the pure decision, the narrowed database, and a slow oracle give one answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from vault_harness import NOW, draft

from memos_cli.cube import Filter, new_ulids
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import RIGHTS, Caller, Header, Rule, decide
from memos_cli.infrastructure.access.row_access import Scope
from memos_cli.infrastructure.memories import filters
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.infrastructure.storage.database import connect
from memos_cli.infrastructure.vault.vault import Vault

PRINCIPALS = ("user:ann", "user:bo", "agent:coder")
GROUPS = {"group:team": ("user:bo", "agent:coder"), "group:bots": ("agent:coder",)}
TAGS = ("work", "work/x", "work/x/deep", "workshop", "home", "home/x")
VIEWS = {"w": ("user:ann", "work"), "h": ("user:bo", "home/x")}
CASES = 10_000


@dataclass
class Memory:
    n: int
    owner: str
    tags: set[str]
    id: str
    payload: str
    sources: list[Memory]
    audience: str


def oracle(who: str, right: str, memory: Memory, granted: list[Rule]) -> bool:
    """As a person would check it, rule by rule, word by word."""
    names = [who, "everyone"]
    for group, members in GROUPS.items():
        if who in members:
            names.append(group)
    allowed = memory.owner == who or (right == "read" and memory.audience == who)
    for rule in granted:
        if rule.principal not in names or rule.owner != memory.owner:
            continue
        if rule.expires is not None and rule.expires <= NOW:
            continue
        if rule.right != "admin" and rule.right != right and right != "read":
            continue
        if rule.kind == "vault":
            allowed = True
        if rule.kind == "cube" and rule.target == memory.id:
            allowed = True
        if rule.kind == "tag":
            for tag in memory.tags:
                if (tag + "/").startswith(rule.target + "/"):
                    allowed = True
        if rule.kind == "view":
            maker, wanted = VIEWS[rule.target]
            if maker == rule.owner and any((tag + "/").startswith(wanted + "/") for tag in memory.tags):
                allowed = memory.payload == "plaintext" or allowed
    if memory.payload == "activation" and memory.sources and right == "read":
        allowed = True
    for source in memory.sources:
        if not oracle(who, "read", source, granted):
            allowed = False
    return allowed


def test_the_decision_the_narrowed_database_and_the_oracle_agree(vault: Vault) -> None:
    draw = random.Random(7)
    with vault.change("user:ann", NOW) as change:
        for group, members in GROUPS.items():
            rules.join(change, group, members, remove=False)
    for name, (owner, tag) in VIEWS.items():
        with vault.change(owner, NOW) as change:
            change.set_view(name, filters.filter_to_json(Filter(tags=(tag,))))
    memories = list(_memories(vault, draw))
    cases = allowed = 0
    while cases < CASES:
        granted = _new_rules(vault, memories, draw)
        for who in PRINCIPALS:
            caller = Caller(who, rules.groups_of(vault.unrestricted, who))
            seen = _seen(vault, who)
            for memory in memories:
                header = rules.header_of(vault.unrestricted, memory.n, granted, NOW)
                assert header.id == memory.id
                for right in RIGHTS:
                    expected = oracle(who, right, memory, granted)
                    decision = decide(caller, right, header, granted, NOW)
                    assert decision.allowed == expected, (who, right, memory, granted, decision.why)
                    cases += 1
                    allowed += expected
                assert (memory.n in seen) == oracle(who, "read", memory, granted), (who, memory, granted)
    assert 0.2 * cases < allowed < 0.8 * cases  # else it would prove little


def _memories(vault: Vault, draw: random.Random) -> Iterator[Memory]:
    made: list[Memory] = []
    for at in range(14):
        owner, tags = draw.choice(PRINCIPALS), set(draw.sample(TAGS, draw.randint(0, 2)))
        with vault.change(owner, NOW) as change:
            source = change.unread_source("stdin:")
            each = draft(f"Memory {at}.", at)
            (kept,) = change.add(
                source, [(each, each.digest(), bytes(32))], NewMemoryFields(tags=tuple(tags))
            )
            audience = draw.choice((*PRINCIPALS, "", "", ""))
            if audience:
                change.db.execute("INSERT INTO bound VALUES (?, ?, 'T')", (kept.cube, audience))
        made.append(Memory(kept.cube, owner, tags, kept.id, "plaintext", [], audience))
    yield from made
    # Rows such as a promotion writes, without their blobs: what they say is not asked here.
    db = vault.unrestricted
    derived = []
    for at, id in enumerate(new_ulids(NOW, 10)):
        owner, payload = draw.choice(PRINCIPALS), draw.choice(("activation", "parametric"))
        sources = draw.sample(made, draw.randint(1, 3))
        (n,) = db.execute(
            """INSERT INTO cube (id, payload, type, state, version, digest, author, role, owner, created,
                 updated, priority, frozen, hits, heat)
               VALUES (?, ?, 'document', 'activated', 1, ?, '', '', ?, 1, 1, 0, 0, 0, 0) RETURNING n""",
            (id, payload, bytes([at] * 32), owner),
        ).fetchone()
        for position, source in enumerate(sources):
            db.execute("INSERT INTO derived VALUES (?, ?, ?, 1, 'document')", (n, position, source.n))
        tags = set(draw.sample(TAGS, draw.randint(0, 1)))
        for tag in tags:
            db.execute("INSERT INTO tag VALUES (?, ?)", (n, tag))
        derived.append(n)
        yield Memory(n, owner, tags, id, payload, sources, "")


def _new_rules(vault: Vault, memories: list[Memory], draw: random.Random) -> list[Rule]:
    with vault.change("user:ann", NOW) as change:
        change.db.execute("DELETE FROM rule")
        for _ in range(draw.randint(0, 8)):
            kind = draw.choice(("cube", "tag", "tag", "view", "vault"))
            owner = draw.choice(PRINCIPALS)
            if kind == "view":
                target = draw.choice([*VIEWS])
            else:
                target = {"cube": draw.choice(memories).id, "tag": draw.choice(TAGS), "vault": ""}[kind]
            who = draw.choice((*PRINCIPALS, *GROUPS, "everyone"))
            ends = draw.choice((None, None, NOW, NOW + 1, NOW - 1))
            rules.grant(change, Rule(owner, kind, target, who, draw.choice(RIGHTS), owner, NOW, ends))  # type: ignore[arg-type]
    return rules.all_rules(vault.unrestricted)


def _seen(vault: Vault, who: str) -> set[int]:
    connection = connect(vault.folder / "memos.db", 5.0)
    try:
        scope = Scope(connection, who, lambda: NOW)
        scope.refresh()
        assert scope.is_restricted
        return {n for (n,) in connection.execute("SELECT n FROM cube")}
    finally:
        connection.close()


@pytest.fixture
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder = tmp_path_factory.mktemp("vault") / "v"
    with Vault.create(folder, principal="user:ann", now=NOW, timeout=5.0) as opened:
        yield opened  # the rows of derived cubes are not whole: no check


def test_a_reason_names_the_rule_or_the_owner() -> None:
    mine = Header("ID", "user:ann", frozenset({"work/x"}))
    rule = Rule("user:ann", "tag", "work", "group:team", "write", "user:bo")
    bo = Caller("user:bo", frozenset({"group:team"}))
    assert decide(Caller("user:ann"), "admin", mine, [], NOW).why == "user:ann owns it"
    decision = decide(bo, "read", mine, [rule], NOW)
    assert (decision.allowed, decision.rule) == (True, rule)
    assert decision.why == "write on tag:work, granted by user:bo"
    assert "no rule lets user:bo share it" in decide(bo, "share", mine, [rule], NOW).why


def test_a_token_takes_from_its_holder_what_it_owns() -> None:
    reader = Caller("user:ann", most=frozenset({"read"}))
    mine = Header("ID", "user:ann")
    assert decide(reader, "read", mine, [], NOW).allowed
    assert not decide(reader, "write", mine, [], NOW).allowed


def test_what_was_made_from_a_hidden_memory_does_not_say_which() -> None:
    hidden = Header("SECRET", "user:bo")
    made = Header("MADE", "user:ann", payload="parametric", sources=(Header("MINE", "user:ann"), hidden))
    decision = decide(Caller("user:ann"), "read", made, [], NOW)
    assert not decision.allowed
    assert decision.why == "user:ann may not read all that it was made from"
