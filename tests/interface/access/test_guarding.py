"""What keeps a memory from going where it should not: secrets, sensitivity, quarantine."""

from __future__ import annotations

import json

import pytest
from cli_harness import Shell
from secret_lines import AWS, GITHUB, HEX, KEY
from states_harness import QUESTION, Desk
from vault_harness import WHO, all_bytes

from memos_cli.cube import Filter
from memos_cli.errors import UsageError
from memos_cli.interface.options import TrainOptions
from memos_cli.interface.redaction.redaction import knows_personal

NOTES = f"""# Server

The staging server is called Heron.

It is reached with the key {AWS} by everybody.

The office cat is called Miso.
"""
SECRET = "The keeper of the harbour lantern has a second clock, and the code of the safe is on its back."
PAGE = "<html><title>Tea</title><body><p>Green tea steeps for two minutes.</p></body></html>"


# --- secrets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "secret"),
    [
        ("notes.md", NOTES, AWS),
        ("notes.txt", f"api_key: {HEX}\n", HEX),
        ("chat.jsonl", json.dumps({"role": "user", "content": f"my token is {GITHUB}"}), GITHUB),
        ("key.json", json.dumps([{"text": f"keep this\n{KEY}"}]), "b3BlbnNzaC1rZXktdjEA"),
        ("page.html", f"<p>export TOKEN=x and {GITHUB} too</p>", GITHUB),
        ("code.py", f'client = connect(password="{HEX}")\n', HEX),
        ("table.csv", f"name,value\nkey,{AWS}\n", AWS),
    ],
)
def test_a_secret_is_nowhere_in_the_vault(memos: Shell, name: str, content: str, secret: str) -> None:
    memos.write(name, content)
    done = memos("ingest", name, "--no-embed", "--json")
    assert done.record["added"] >= 1
    assert not done.record["failed"]
    assert "masked" in done.err
    assert secret.encode() not in all_bytes(memos.vault)
    again = memos("ingest", name, "--no-embed", "--json").record
    assert (again["added"], again["versions"]) == (0, 0)


def test_nothing_that_would_prove_a_guess_is_kept(memos: Shell) -> None:
    """With all but the secret known, a hash of the bytes around it would tell when a guess is right."""
    import hashlib

    memos.write("notes.md", NOTES)
    memos("ingest", "notes.md", "--no-embed")
    (id,) = [row["id"] for row in memos("list", "--json").records if "****" in row["text"]]
    (place,) = memos("show", id, "--json").record["places"]
    assert place["reads"] == "masked"
    start, end = place["span"]
    everything = all_bytes(memos.vault)
    for data in (NOTES.encode(), NOTES.encode()[start:end]):
        digest = hashlib.sha256(data)
        assert digest.digest() not in everything
        assert digest.hexdigest().encode() not in everything


def test_refused_pieces_are_told_and_the_others_are_kept(memos: Shell) -> None:
    memos.write("notes.txt", f"The cat is called Miso.\n{AWS}\nThe dog is called Bento.\n")
    done = memos("ingest", "notes.txt", "--lines", "--no-embed", "--secrets", "refuse", "--json", code=3)
    assert done.record["added"] == 2
    assert "line 2: AWS key" in done.err
    assert AWS not in done.out + done.err
    assert AWS.encode() not in all_bytes(memos.vault)


def test_an_allowed_secret_is_marked(memos: Shell) -> None:
    secret, other = memos.keep(
        f"The key is {AWS}.", "The cat is called Miso.", options=("--secrets", "allow")
    )
    levels = {row["id"]: row["sensitivity"] for row in memos("list", "--json").records}
    assert levels == {secret: "secret", other: "open"}
    assert AWS in memos("show", secret).out


def test_a_question_is_logged_without_its_secret(desk: Desk) -> None:
    desk.ask(f"Does the keeper of the harbour lantern use {AWS}?")
    with desk.open() as memos:
        (text,) = [row[0] for row in memos.vault.connection.execute("SELECT text FROM question")]
    assert text.startswith("Does the keeper of the harbour lantern use ***")


def test_an_edit_is_looked_through_too(memos: Shell) -> None:
    (id,) = memos.keep("The key of the shed hangs by the door.")
    assert "masked" in memos("edit", id, "--text", f"The key is {AWS}.").err
    assert AWS not in memos("show", id).out
    memos("edit", id, "--text", f"The key is {AWS}!", env={"MEMOS_INGEST_SECRETS": "refuse"}, code=2)
    memos("edit", id, "--text", f"The key is {AWS}?", env={"MEMOS_INGEST_SECRETS": "allow"})
    assert memos("show", id, "--json").record["sensitivity"] == "secret"


@pytest.mark.skipif(not knows_personal(), reason="needs phonenumbers and python-stdnum")
def test_personal_data_marks_its_memory_and_no_other(memos: Shell) -> None:
    mine, other = memos.keep("Ann's number is +44 20 7946 0958.", "The office is on the third floor.")
    levels = {row["id"]: row["sensitivity"] for row in memos("list", "--json").records}
    assert levels == {mine: "personal", other: "open"}


# --- sensitivity -----------------------------------------------------------------------------------------


def test_what_is_said_of_a_memory_later_only_raises_it(memos: Shell) -> None:
    (id,) = memos.keep("The safe is behind the painting.", options=("--sensitivity", "confidential"))
    memos.keep("The safe is behind the painting.")
    assert memos("show", id, "--json").record["sensitivity"] == "confidential"
    memos.keep("The safe is behind the painting.", options=("--sensitivity", "secret"))
    assert memos("show", id, "--json").record["sensitivity"] == "secret"
    assert memos("mark", "open", id, "--json").record == {"cubes": 1, "changed": 1}
    assert memos("show", id, "--json").record["sensitivity"] == "open"
    assert "secrets" in memos("mark", "secrets", id, code=2).err
    actions = [row["action"] for row in memos("audit", "--json", "--cube", id).records]
    assert actions.count("mark") == 2


def told(desk: Desk) -> set[str]:
    """What would stand before the model."""
    return {item.hit.cube.text for item in desk.explain().chosen}


def mark(desk: Desk, level: str, *ids: str) -> None:
    with desk.open() as memos:
        memos.mark(ids, level)


def test_a_secret_memory_is_found_but_no_model_is_told(desk: Desk) -> None:
    (id,) = desk.keep(SECRET)
    assert SECRET in told(desk)
    mark(desk, "secret", id)
    assert SECRET not in told(desk)
    with desk.open() as memos:
        assert SECRET in {hit.cube.text for hit in memos.search(QUESTION, filter=Filter()).hits}
    mark(desk, "confidential", id)
    assert SECRET in told(desk)
    desk.settings["sensitivity_prompt"] = "open"
    assert SECRET not in told(desk)


def test_no_state_and_no_pin_brings_in_what_is_secret(desk: Desk) -> None:
    (id,) = desk.keep(SECRET)
    desk.promote(id)
    assert desk.ask().plan.reuse
    mark(desk, "secret", id)
    plan = desk.ask().plan
    assert SECRET not in {item.hit.cube.text for item in plan.chosen}
    assert not (plan.reuse and plan.reuse.tokens and id in {each.id for each in plan.document.cubes})
    with pytest.raises(UsageError, match="secret"):
        desk.promote(id)
    with desk.open() as memos:
        memos.pin([id])
        assert memos.pinned("") == []


def test_no_adapter_learns_what_is_confidential(desk: Desk) -> None:
    (id,) = desk.keep(SECRET)
    mark(desk, "confidential", id)
    with desk.open() as memos, pytest.raises(UsageError, match="confidential"):
        memos.prepare([id], options=TrainOptions())
    with desk.open() as memos, pytest.raises(UsageError, match="no memory to promote"):
        memos.prepare([], filter=Filter(tags=("none",)), options=TrainOptions())


# --- quarantine ------------------------------------------------------------------------------------------


def test_what_waits_is_found_by_nothing_until_it_is_approved(memos: Shell) -> None:
    memos.write("tea.html", PAGE)
    done = memos("ingest", "tea.html", "--quarantine", "--no-embed", "--json")
    assert done.record["quarantined"] == done.record["added"] == 1
    assert "memos quarantine" in done.err
    (row,) = memos("review", "--json").records
    assert (row["state"], row["suspicions"]) == ("quarantined", [])
    assert memos("search", "green tea", "--json").records == []
    assert memos("list", "--json").records == []
    assert memos("stats", "--json").record["cubes"] == {"quarantined": 1}
    memos("promote", row["id"], "--to", "activation", code=2)
    assert memos("review", row["id"], "--approve", "--json").record == {"approved": [row["id"]]}
    assert [hit["id"] for hit in memos("search", "green tea", "--json").records] == [row["id"]]
    assert memos("review", "--json").records == []
    assert "not in quarantine" in memos("review", row["id"], "--approve", code=2).err


def test_what_was_rejected_or_waits_is_not_let_in_by_another_ingest(memos: Shell) -> None:
    page = memos.write("tea.html", PAGE)
    memos("ingest", page, "--quarantine", "--no-embed")
    memos("ingest", page, "--quarantine", "--no-embed", "--reread")
    memos.keep("Green tea steeps for two minutes.")
    assert memos("search", "green tea", "--json").records == []
    memos("review", "--source", "tea.html", "--reject")
    assert memos("list", "--json", "--state", "archived").records
    memos.write("other.html", PAGE)
    memos("ingest", "other.html", "--quarantine", "--no-embed")
    assert memos("search", "green tea", "--json").records == []
    assert len(memos("review", "--json").records) == 1


def test_a_new_version_from_outside_waits_again(memos: Shell) -> None:
    page = memos.write("tea.html", PAGE)
    memos("ingest", page, "--quarantine", "--no-embed")
    memos("review", "--source", "tea.html", "--approve")
    memos.write("tea.html", PAGE.replace("two", "ninety"))
    done = memos("ingest", page, "--quarantine", "--no-embed", "--json").record
    assert (done["versions"], done["quarantined"]) == (1, 1)
    assert memos("search", "green tea", "--json").records == []


def test_the_setting_holds_web_pages_and_nothing_else(memos: Shell) -> None:
    web = {"MEMOS_INGEST_QUARANTINE": "web"}
    memos.write("tea.html", PAGE)
    memos.write("tea.md", "Black tea steeps for four minutes.\n")
    assert memos("ingest", ".", "--no-embed", "--json", env=web).record["quarantined"] == 1
    named = memos(
        "ingest", "-", "--source", "https://example.org/tea", "--no-embed", "--json", stdin=b"Mint.", env=web
    )
    assert named.record["quarantined"] == 1
    assert (
        memos("ingest", "tea.html", "--no-quarantine", "--no-embed", "--json", env=web).record["quarantined"]
        == 0
    )


def test_a_restored_rejected_memory_is_quarantined(memos: Shell) -> None:
    (id,) = memos.keep("Green tea steeps for two minutes.", options=("--quarantine",))
    memos("review", id, "--reject")
    assert "1 memory is in quarantine" in memos("restore", id).err
    assert memos("search", "green tea", "--json").records == []
    memos("review", id, "--approve")
    memos("archive", id)
    assert "review" not in memos("restore", id).err
    assert memos("search", "green tea", "--json").records


def test_an_agent_lets_nothing_in(memos: Shell) -> None:
    agent = {"MEMOS_AS": "agent:scraper"}
    page = memos.write("tea.html", PAGE)
    memos("ingest", page, "--quarantine", "--no-embed", env=agent)
    memos("grant", "vault", WHO, "admin", env=agent)
    assert memos("review", "--source", "tea", "--approve", env=agent, code=14)
    assert memos("review", "--source", "tea", "--approve", "--json").record["approved"]
