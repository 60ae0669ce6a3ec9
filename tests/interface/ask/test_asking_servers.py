"""Questions to models in servers: what they get, what is recorded, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asked_servers import ALL, BOX, OPEN, PERSONAL, QUESTION, enter
from model_servers import ANSWER, ModelServer

from memos_cli.errors import ModelUnfit, Refused
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, IngestOptions, ReadOptions

pytest.importorskip("httpx2")


def rows(memos: Memos, action: str) -> list[tuple[str | None, Any]]:
    return [(row.cube, row.detail) for row in memos.audit(action=action)]


def questions(memos: Memos) -> int:
    count: int = memos.vault.connection.execute("SELECT count(*) FROM question").fetchone()[0]
    return count


def test_a_server_of_this_machine_is_asked_like_a_model(folder: Path, server: ModelServer) -> None:
    warned: list[str] = []
    with enter(folder, warned.append, reader=server.url) as memos:
        text: list[str] = []
        answer = memos.query(QUESTION, filter=ALL, on_text=text.append)
        assert answer.answer == "".join(text).strip() == "".join(ANSWER)
        assert (answer.mode, answer.model, answer.stopped) == ("model", "tiny:1b", "end")
        assert OPEN in server.sent and PERSONAL in server.sent, "as much as a model file gets"
        assert rows(memos, "send") == [] and len(rows(memos, "read")) == 2
        assert questions(memos) == 1
        assert {item.hit.cube.text for item in answer.plan.chosen} == {OPEN, PERSONAL}
    assert warned == []


def test_quotes_need_no_server(folder: Path) -> None:
    with enter(folder, reader="http://127.0.0.1:9") as memos:
        answer = memos.query(QUESTION, filter=ALL, options=AnswerOptions(answer="quote"))
        assert OPEN in answer.answer
        with pytest.raises(ModelUnfit, match="no server answers"):
            memos.query(QUESTION, filter=ALL)


def test_another_machine_is_refused_before_anything_is_sent(folder: Path, server: ModelServer) -> None:
    with enter(folder, reader=f"http://{BOX}:{server.port}", network_allow=("other.example",)) as memos:
        for ask in (memos.query, memos.plan):
            with pytest.raises(Refused, match="is another machine") as error:
                ask(QUESTION, filter=ALL)
            assert f'network.allow = ["{BOX}"]' in error.value.hint
        assert rows(memos, "send") == rows(memos, "read") == []
    assert server.asked == []


def test_another_machine_gets_less_and_it_is_recorded(folder: Path, server: ModelServer) -> None:
    warned: list[str] = []
    there = {"reader": f"http://{BOX}:{server.port}", "network_allow": (BOX,)}
    with enter(folder, warned.append, **there) as memos:
        (private,) = [cube.id for cube in memos.cubes(filter=ALL) if cube.text == PERSONAL]
        memos.pin([private])
        plan = memos.plan(QUESTION, filter=ALL)
        assert [item.hit.cube.text for item in plan.chosen] == [OPEN]
        assert f"engine: {BOX} gets memories up to open" in plan.notes
        assert OPEN not in server.sent and QUESTION not in server.sent, "to explain sends nothing"
        answer = memos.query(QUESTION, filter=ALL)
        assert [item.hit.cube.text for item in answer.plan.chosen] == [OPEN]
        assert rows(memos, "send") == [(answer.plan.chosen[0].hit.cube.id, BOX)]
        memos.query(QUESTION, filter=ALL)
    assert OPEN in server.sent and "Anna" not in server.sent
    (said,) = warned
    assert BOX in said and "up to the sensitivity open, unencrypted" in said
    with enter(folder, **there, sensitivity_remote="personal") as memos:
        memos.query(QUESTION, filter=ALL)
    assert "Anna" in server.sent


def test_nothing_is_sent_that_cannot_be_recorded(
    folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memos_cli.errors import Unwritable
    from memos_cli.infrastructure.vault.vault import Vault

    def refuse(*args: Any) -> Any:
        raise Unwritable("read-only")

    with enter(folder, reader=f"http://{BOX}:{server.port}", network_allow=(BOX,)) as memos:
        memos.plan(QUESTION, filter=ALL)
        monkeypatch.setattr(Vault, "change", refuse)
        with pytest.raises(Unwritable):
            memos.query(QUESTION, filter=ALL)
    assert OPEN not in server.sent


@pytest.mark.parametrize("fault", [{"end_after": 2}, {"status": 500, "body": b"x"}, {"body": b"<html>"}])
def test_a_failed_answer_is_not_recorded_as_used(
    folder: Path, server: ModelServer, fault: dict[str, Any]
) -> None:
    with enter(folder, reader=server.url) as memos:
        server.__dict__.update(fault)
        with pytest.raises(ModelUnfit):
            memos.query(QUESTION, filter=ALL)
        assert questions(memos) == 0 and rows(memos, "read") == []
        assert {cube.hits for cube in memos.cubes(filter=ALL)} == {0}
        server.__dict__.update(end_after=-1, status=200, body=b"")
        assert memos.query(QUESTION, filter=ALL).answered
        assert questions(memos) == 1


def test_a_prompt_stays_within_the_context(folder: Path, server: ModelServer) -> None:
    with enter(folder) as memos:
        lines = "\n".join(f"The staging database number {n} listens on port {n}." for n in range(40))
        memos.ingest(options=IngestOptions(hints=ReadOptions(lines=True)), text=lines.encode(), embed=False)
    with enter(folder, reader=server.url, query_context=512, query_memory=4000) as memos:
        plan = memos.query(QUESTION, filter=ALL, options=AnswerOptions(max_tokens=100)).plan
        assert 100 < plan.tokens <= 412
        assert any("room" in left.reason or "fit" in left.reason for left in plan.left_out)


def test_explaining_says_what_is_lost(folder: Path, server: ModelServer) -> None:
    with enter(folder, reader=server.url) as memos:
        notes = " ".join(memos.plan(QUESTION, filter=ALL).notes)
    assert "estimated" in notes and "adapters and saved states are not used" in notes
    assert server.prompts == []


def test_what_needs_a_file_says_so(folder: Path, server: ModelServer) -> None:
    with enter(folder, reader=server.url) as memos:
        ids = [cube.id for cube in memos.cubes(filter=ALL)]
        with pytest.raises(ModelUnfit, match="only llama-server can save states"):
            memos.promote(ids)
        with pytest.raises(ModelUnfit, match="a model file, not the server"):
            _ = memos.reader


def test_the_command_line_says_what_is_wrong(memos: Any, server: ModelServer) -> None:
    memos("ingest", "-", stdin=OPEN.encode())
    ask = ("query", QUESTION, "--model")
    assert memos(*ask, server.url).out.startswith("".join(ANSWER))
    assert memos(*ask, server.url, "--json").record["model"] == "tiny:1b"
    explained = memos(*ask, server.url, "--explain")
    assert "note: engine: tokens are estimated" in explained.out
    assert "try: start it" in memos(*ask, "http://127.0.0.1:9", code=15).err
    assert "network.allow" in memos(*ask, f"http://{BOX}:{server.port}", code=14).err
    said = memos(*ask, "http://ann:secret@127.0.0.1", code=2).err
    assert "password" in said and "secret" not in said
    server.status = 429
    assert memos(*ask, server.url, "--json", code=15).error["code"] == 15
    server.status = 200
    config = memos.folder / "config.toml"
    config.write_text(f'model = "http://{BOX}:{server.port}"\nnetwork.allow = ["{BOX}"]\n')
    asked = memos("query", QUESTION, env={"MEMOS_CONFIG": str(config)})
    assert asked.out.startswith("".join(ANSWER)) and "is another machine" in asked.err
    shown = memos("audit", "--action", "send", "--json").record
    assert shown["detail"] == BOX
    config.write_text(f'reader = "{server.url}"\n')  # the old name of the setting
    assert memos("query", QUESTION, env={"MEMOS_CONFIG": str(config)}).err == ""


def test_a_vault_remembers_its_server(tmp_path: Path, server: ModelServer) -> None:
    with enter(tmp_path / "new") as memos:
        made = memos.init(reader=f"{server.kind}+{server.url}#tiny:1b")
        assert made.reader == f"{server.kind}+{server.url}#tiny:1b"
    assert server.asked == [], "it need not run"
    with enter(tmp_path / "new") as memos:
        memos.ingest(options=IngestOptions(), text=OPEN.encode(), embed=False)
        assert memos.query(QUESTION, filter=ALL).answer == "".join(ANSWER)


def test_a_context_for_others_does_not_need_the_server(folder: Path) -> None:
    warned: list[str] = []
    with enter(folder, warned.append, reader="http://127.0.0.1:9") as memos:
        plans = [memos.context(QUESTION, filter=ALL, tokens=200) for _ in range(2)]
    assert [len(plan.chosen) for plan in plans] == [2, 2]
    assert len(warned) == 1 and "tokens are estimated" in warned[0]
