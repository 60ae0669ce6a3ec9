"""Every command with every role of a token: what each may do, and what is revealed to whom."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from access_harness import ANN, BO, CODER, enter, learn
from cli_harness import Shell, make_vault, with_models
from vault_harness import NOW

from memos_cli.cli.commands import COMMANDS as COMMAND_TABLE
from memos_cli.cube import Filter
from memos_cli.errors import Refused, UsageError
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, PublishOptions
from memos_cli.interface.share import signing

ROLES = ("nobody", "reader", "writer", "owner")
FREE, READ, WRITE, OWNER = ROLES
"""The least that a command needs, in a vault that wants tokens."""
COMMANDS: dict[str, tuple[str, str]] = {
    # The least role, and what is typed after the name: ID and OTHER are memories, KEY is a signer.
    "init": (READ, ""),
    "init --model": (OWNER, "--model MODEL"),
    "ingest": (WRITE, "note.txt --no-embed"),
    "watch": (WRITE, "no-folder"),
    "embed": (WRITE, ""),
    "embed --embedder": (OWNER, "--embedder MODEL"),
    "import": (WRITE, "note.csv --no-embed"),
    "import --with-grants": (OWNER, "grants.jsonl --with-grants --no-embed"),
    "import --trust": (OWNER, "signed.mip --trust --no-embed"),
    "export": (READ, "-o out.mip"),
    "feed publish": (READ, ""),
    "feed publish NAME": (OWNER, "x --tag a --to public --dry-run"),
    "feed subscribe": (READ, ""),
    "feed subscribe URL": (WRITE, "nowhere"),
    "feed list": (READ, ""),
    "feed update": (READ, ""),
    "feed unsubscribe": (OWNER, "x"),
    "search": (READ, "cat"),
    "query": (READ, "cat --quote"),
    "query --explain": (READ, "cat --explain"),
    "chat": (READ, "--quote"),
    "list": (READ, ""),
    "show": (READ, "ID"),
    "history": (READ, "ID"),
    "stats": (READ, ""),
    "config": (FREE, ""),
    "models": (FREE, ""),
    "plugins": (FREE, ""),
    "check": (READ, ""),
    "doctor": (FREE, ""),
    "completion": (FREE, "bash"),
    "man": (FREE, "pages"),
    "edit": (WRITE, "ID --title x"),
    "edit --expires": (WRITE, "ID --expires never"),
    "edit --sensitivity": (OWNER, "ID --sensitivity open"),
    "tag": (OWNER, "ID --add x"),
    "forget": (OWNER, "ID --yes"),
    "archive": (WRITE, "ID"),
    "restore": (WRITE, "ID"),
    "expire": (WRITE, "ID --at never"),
    "freeze": (WRITE, "ID"),
    "unfreeze": (WRITE, "ID"),
    "diff": (READ, "ID"),
    "rollback": (WRITE, "ID --to 1"),
    "link": (WRITE, "ID about OTHER"),
    "link --remove": (WRITE, "ID about OTHER --remove"),
    "merge": (OWNER, "ID OTHER"),
    "slice": (OWNER, "ID --size 50"),
    "promote": (WRITE, "ID --to activation --model MODEL"),
    "promote --dump": (WRITE, "ID --to parametric --model MODEL --dump out.jsonl"),
    "demote": (WRITE, "ID"),
    "pin": (WRITE, "ID"),
    "pin --remove": (WRITE, "ID --remove"),
    "gate": (WRITE, "ID --model MODEL"),
    "mark": (OWNER, "open ID"),
    "quarantine": (READ, ""),
    "quarantine --approve": (WRITE, "ID --approve"),
    "backup": (OWNER, "backups"),
    "backup --check": (FREE, "none --check"),
    "restore-vault": (FREE, "none"),
    "maintain": (WRITE, "--only expire"),
    "maintain --history": (READ, "--history"),
    "conflicts": (READ, ""),
    "conflicts --resolve": (WRITE, "--resolve keep-both"),
    "cron": (READ, ""),
    "grant": (READ, ""),
    "grant ID": (OWNER, "ID user:bo"),
    "revoke": (OWNER, "ID user:bo"),
    "access explain": (READ, "ID"),
    "access explain --for": (OWNER, "ID --for user:bo"),
    "access group add": (OWNER, "group:g user:bo"),
    "access group remove": (OWNER, "group:g user:bo"),
    "access group list": (READ, ""),
    "access task list": (READ, ""),
    "access task done": (WRITE, "none"),
    "access token create": (OWNER, "user:ann"),
    "access token list": (READ, ""),
    "access token revoke": (OWNER, "1"),
    "access token require": (OWNER, ""),
    "view set": (WRITE, "v --tag a"),
    "view create": (WRITE, "v --tag a"),
    "view list": (READ, ""),
    "view remove": (WRITE, "v"),
    "audit": (READ, ""),
    "audit verify": (READ, ""),
    "audit reads": (READ, ""),
    "audit reads WHICH": (OWNER, "all"),
    "key new": (FREE, ""),
    "key show": (FREE, ""),
    "key list": (READ, ""),
    "key trust": (OWNER, "KEY"),
    "key distrust": (OWNER, "KEY"),
}
ELSEWHERE = {"bench ttft", "help", "mcp", "mcp install", "mcp remove", "mcp status"} | {
    f"hook {name}" for name in ("install", "remove", "status", "start", "prompt", "stop", "end", "compact")
}
"""Makes a vault of its own; opens none; is tested in tests/interface/mcp and tests/interface/hooks."""
KEY = "ed25519:00RpurFMxtCRPN0hTCoHH0aM_xB_nDdMmQOrzM4GSWA"


def test_the_table_has_every_command() -> None:
    listed = {path for paths in COMMAND_TABLE.values() for path in paths}
    assert listed == {name.split(" -")[0] for name in COMMANDS if name == name.lower()} | ELSEWHERE


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path
) -> Iterator[tuple[Shell, dict[str, str]]]:
    """A vault that wants tokens, and one token of its maker's for each role."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMOS_CACHE", str(shared_cache))
        yield _guarded(tmp_path_factory)


def _guarded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, dict[str, str]]:
    shell = Shell(tmp_path_factory.mktemp("guarded"))
    make_vault(shell)
    signer = Shell(tmp_path_factory.mktemp("signer"))
    make_vault(signer)
    signer("key", "new")
    signer("export", "--sign", "-o", shell.work / "signed.mip")
    shell("key", "new")
    shell.write("note.txt", "The cat is called Miso.")
    shell.write("note.csv", "text\nThe dog is called Bento.\n")
    shell.write("grants.jsonl", shell("export", "--format", "jsonl").out or "{}")
    shell("token", "create", BO)
    tokens = {role: shell("token", "create", ANN, "--role", role).out.strip() for role in ROLES[1:]}
    shell("token", "require", env={"MEMOS_TOKEN": tokens["owner"]})
    return shell, tokens


@pytest.mark.parametrize("name", COMMANDS)
def test_a_token_has_exactly_the_rights_of_its_role(guarded: tuple[Shell, dict[str, str]], name: str) -> None:
    shell, tokens = guarded
    owner = {"MEMOS_TOKEN": tokens["owner"]}
    least, typed = COMMANDS[name]
    for role in ROLES:
        at = f"{name} {role} {time.monotonic_ns()}"
        lines = f"{at} is one long memory.\n{at} is another memory.".encode()
        said = shell("ingest", "-", "--lines", "--no-embed", "--json", "--tag", "a", stdin=lines, env=owner)
        id, other = said.record["ids"]
        words = {"ID": id, "OTHER": other, "KEY": KEY, "MODEL": str(shell.folder / "no.gguf")}
        command = [word for word in name.split() if not word.startswith("-") and word == word.lower()]
        command += [words.get(word, word) for word in typed.split()]
        token = {"MEMOS_TOKEN": tokens[role]} if role in tokens else {}
        code = shell(*command, env=token, code=None).code
        assert (code == 14) == (ROLES.index(role) < ROLES.index(least)), (command, role, code)


# --- tokens ----------------------------------------------------------------------------------------


def test_an_empty_token_is_no_token(shell: Shell) -> None:
    """A script whose command for a token failed does not act as the user."""
    make_vault(shell)
    assert "MEMOS_TOKEN is empty" in shell("list", env={"MEMOS_TOKEN": ""}, code=2).err


def test_no_grant_or_token_outlives_its_token(tmp_path: Path) -> None:
    folder, end = tmp_path / "vault", NOW + 1000
    with enter(folder, ANN) as ann:
        ann.create_vault()
        id = learn(ann, "The heron nests in May.")
        said = ann.access.create_token(ANN, "owner", end)[1]
    with enter(folder, token=said) as brief:
        for ends in (None, end + 1):
            with pytest.raises(Refused, match="outlive"):
                brief.access.create_token(BO, "reader", ends)
            with pytest.raises(Refused, match="outlive"):
                brief.access.grant(id, BO, "read", expires=ends)
        brief.access.create_token(BO, "reader", end)
        brief.access.grant(id, BO, "read", expires=end)
        for attempt in (
            lambda: brief.access.join("group:team", [BO]),
            lambda: brief.access.require_tokens(True),
            lambda: brief.access.set_audited_reads("prompts"),
        ):
            with pytest.raises(Refused, match="outlive"):
                attempt()


def test_a_token_revokes_only_itself(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    with enter(folder, ANN) as ann:
        ann.create_vault()
        made = {role: ann.access.create_token(ANN, role, None) for role in ("reader", "writer", "owner")}
    numbers = {role: token.n for role, (token, _) in made.items()}
    for role, others in (("reader", "writer"), ("writer", "owner")):
        with enter(folder, token=made[role][1]) as memos:
            with pytest.raises(Refused):
                memos.access.revoke_token(numbers[others])
            memos.access.revoke_token(numbers[role])
            with pytest.raises(Refused):
                memos.access.revoke("vault", BO)
    with enter(folder, token=made["owner"][1]) as ann:
        assert [token.n for token in ann.access.tokens()] == [numbers["owner"]]


def test_a_damaged_vault_is_checked_without_a_token(tmp_path: Path) -> None:
    """There is nothing that it could ask."""
    shell = Shell(tmp_path)
    make_vault(shell)
    said = shell("token", "create", ANN, "--role", "owner").out.strip()
    shell("token", "require", env={"MEMOS_TOKEN": said})
    assert "requires a token" in shell("check", code=14).err
    assert shell("check", env={"MEMOS_TOKEN": said}).out == "ok\n"
    for name in ("memos.db-wal", "memos.db-shm"):
        (shell.vault / name).unlink(missing_ok=True)
    (shell.vault / "memos.db").write_bytes(b"not a database" * 1000)
    assert "database-damaged" in shell("check", code=1).out


# --- what is not told ------------------------------------------------------------------------------


def test_hidden_and_missing_memories_look_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    with enter(folder, ANN) as ann:
        ann.create_vault()
        hidden = learn(ann, "The heron nests in May.")
    absent = hidden[:-4] + "0000"
    with enter(folder, CODER) as coder:
        for attempt in (
            coder.show, coder.history, coder.diff, coder.walk,
            lambda id: coder.edit(id, text="x"), lambda id: coder.forget([id], dry_run=True),
            lambda id: coder.access.explain(id, ""), lambda id: coder.access.grant(id, BO, "read"),
            lambda id: coder.archive([id]), lambda id: coder.tag([id], ["x"]), lambda id: coder.promote([id]),
        ):  # fmt: skip
            told = []
            for id in (hidden, absent):
                with pytest.raises(UsageError) as caught:
                    attempt(id)
                told.append((str(caught.value).replace(id, "ID"), caught.value.hint, caught.value.code))
            assert told[0] == told[1]
        assert [row.action for row in coder.audit()] == [], "nor by what was refused"
    with enter(folder, ANN) as ann:
        assert {row.cube for row in ann.audit(action="refused")} == {hidden, absent}


def test_the_audit_of_a_shared_memory_names_no_hidden_one(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    with enter(folder, ANN) as ann:
        ann.create_vault()
        shared, hidden = learn(ann, "The heron nests in May."), learn(ann, "The otter sleeps.")
        seen = learn(ann, "The crane is grey.")
        ann.access.grant(shared, CODER, "read")
        ann.access.grant(seen, CODER, "read")
        for kind, other in (("about", hidden), ("similar_to", hidden), ("about", seen)):
            ann.link(shared, kind, [other])
        ann.link(shared, "about", [hidden], remove=True)
        with enter(folder, CODER) as coder:
            told = [*coder.audit(), *coder.audit(cube=shared), *coder.history(shared).audit]
            assert hidden not in repr(told)
            assert [row.detail for row in told if row.action == "link"] == [f'["about", "{seen}"]'] * 3
            assert not [row for row in told if row.action == "unlink"]
            assert hidden not in repr(coder.walk(shared, depth=3))
        assert hidden in repr([*ann.history(shared).audit])


# --- every look ------------------------------------------------------------------------------------


def test_every_read_has_an_audit_row(tmp_path: Path) -> None:
    """Whichever way in; the Python API here."""
    folder = tmp_path / "vault"
    with enter(folder, ANN) as ann:
        ann.create_vault()
        id = learn(ann, "The heron nests in May.", "birds")
        signing.own_key(make=True)
        looks = {
            "cubes": lambda: ann.cubes(filter=Filter()),
            "cubes_at": lambda: ann.cubes_at(2 * NOW, filter=Filter()),
            "search": lambda: ann.search("heron", filter=Filter()),
            "search at": lambda: ann.search("heron", filter=Filter(), at=2 * NOW),
            "show": lambda: ann.show(id),
            "history": lambda: ann.history(id),
            "diff": lambda: ann.diff(id),
            "walk": lambda: ann.walk(id),
            "forget": lambda: ann.forget([id], dry_run=True),
            "export": lambda: export(ann),
            "export lines": lambda: export(ann, "jsonl"),
            "propose": lambda: propose(ann, folder),
        }
        for name, look in looks.items():
            before = ann.audit_head().n
            look()
            rows = [(row.principal, row.cube) for row in ann.audit() if row.n > before]
            assert (ANN, id) in rows, name


def export(memos: Memos, format: str = "mip") -> None:
    memos.export(stream=io.BytesIO(), filter=Filter(), format=format)


def propose(memos: Memos, folder: Path) -> None:
    wanted = PublishOptions(filter=Filter(tags=("birds",)))
    memos.publish(memos.propose("birds", wanted, target=f"{folder}-public"))


def test_forgetting_reports_publications_with_the_text(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    with enter(folder, ANN) as ann:
        ann.create_vault()
        id, other = learn(ann, "The heron nests in May.", "birds"), learn(ann, "The otter sleeps.")
        signing.own_key(make=True)
        propose(ann, folder)
        assert ann.forget([other], dry_run=False).published == ()
        assert ann.forget([id], dry_run=True).published == (f"birds of {ANN}",)
        assert ann.forget([id], dry_run=False).published == (f"birds of {ANN}",)
        ann.publish(ann.propose("birds", withdraw=True))


@with_models
def test_a_shown_plan_has_audit_rows(tmp_path: Path) -> None:
    with enter(tmp_path / "vault", ANN) as ann:
        ann.create_vault()
        id = learn(ann, "The heron nests in May.")
        before = ann.audit_head().n
        ann.plan("When does the heron nest?", filter=Filter(), options=AnswerOptions(answer="quote"))
        assert [(row.action, row.cube) for row in ann.audit() if row.n > before] == [("search", id)]
        for question in ("When does the heron nest?", "Who baked the heron's bread?"):
            before = ann.audit_head().n
            found = ann.query(question, filter=Filter(), options=AnswerOptions(answer="quote"))
            seen = {each.hit.cube.id for each in found.plan.chosen}
            seen |= {found.nearest.cube.id} if found.nearest else set()
            assert {row.cube for row in ann.audit() if row.n > before} == seen
