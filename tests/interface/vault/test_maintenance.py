"""The night's run: each step does what it says, once, and loses nothing."""

from __future__ import annotations

import os
import sys
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell, wait_until, with_models
from states_harness import DAY, HARBOUR, KITCHEN, Desk
from vault_harness import make_due

from memos_cli.cube import Filter
from memos_cli.errors import Locked
from memos_cli.files import hold
from memos_cli.interface.vault import maintenance
from memos_cli.interface.vault.maintenance import STEPS, Action
from memos_cli.models.llama import llama_engine
from memos_cli.models.llama.llama_engine import Engine

LONG = " ".join(
    f"On day {n} the harbour keeper of the lantern wrote down the {n}th of many things, and slept."
    for n in range(14)
)


def run(desk: Desk, *steps: str, **options: Any) -> list[Action]:
    with desk.open() as memos:
        report = memos.maintain(steps=steps, **options)
        assert report.failed == {}
        return report.deeds


def test_nothing_to_do_changes_nothing(desk: Desk) -> None:
    desk.keep(KITCHEN)
    run(desk)
    with desk.open() as memos:
        before = len([*memos.audit()])
    assert run(desk) == []
    with desk.open() as memos:
        assert len([*memos.audit()]) == before


def test_what_is_over_expires(desk: Desk) -> None:
    over, other = desk.keep(KITCHEN, HARBOUR[0])
    desk.renew(over, desk.now + 1000)
    assert run(desk, "expire") == []
    desk.now += 2000
    assert [deed.id for deed in run(desk, "expire", dry_run=True)] == [over]
    assert [deed.id for deed in run(desk, "expire")] == [over]
    assert run(desk, "expire") == []
    with desk.open() as memos:
        assert [cube.state for cube in (memos.show(over).cube, memos.show(other).cube)] == [
            "expired",
            "generated",
        ]


def test_the_cold_is_archived_only_where_that_is_wished(desk: Desk) -> None:
    cold, pinned, frozen, used = desk.keep(KITCHEN, *HARBOUR)
    with desk.open() as memos:
        memos.pin([pinned])
        memos.freeze([frozen])
    desk.now += 40 * DAY
    with desk.open() as memos, memos.vault.change(memos.principal, desk.now) as change:
        change.use({memos.access.get(used).n: 1.0})
    assert run(desk, "archive") == []
    desk.settings["maintain_archive_after"] = 30.0
    assert [deed.id for deed in run(desk, "archive")] == [cold]
    assert run(desk, "archive") == []
    with desk.open() as memos:
        assert {cube.id for cube in memos.cubes(filter=Filter())} == {pinned, frozen, used}


def test_states_that_pay_are_made_and_those_that_do_not_go(desk: Desk) -> None:
    desk.settings["query_memory"] = 3000
    (id,) = desk.keep(LONG)
    assert run(desk, "states") == []
    for _ in range(4):
        desk.ask("What did the harbour keeper of the lantern write down?")
    (plan,) = run(desk, "states", dry_run=True)
    assert (plan.what, plan.id) == ("make", id)
    assert "uses to come" in plan.reason
    assert desk.states() == []
    assert [deed.what for deed in run(desk, "states")] == ["make"]
    (state,) = desk.states()
    assert run(desk, "states") == []
    assert desk.ask("What did the harbour keeper of the lantern write down?").plan.reuse
    desk.settings["activation_disk_mb"] = 0.001
    assert [(deed.what, deed.id) for deed in run(desk, "states")] == [("drop", state.id)]
    assert desk.states() == []


def test_what_reading_costs_is_measured_once_and_kept(desk: Desk) -> None:
    """No reading to tell a price, once a promotion has measured it; neither in another process."""
    first, second = desk.keep(LONG, LONG.replace("harbour", "orchard"))
    desk.promote(first)
    desk.reads.clear()
    told = desk.promote(second, dry_run=True)
    assert desk.reads == []
    made = desk.promote(second)
    assert (told.bytes, told.held) == (made.bytes, made.held)
    (row,) = desk.paces()
    assert row["second"] > 0
    desk.settings["activation_kv_type"] = "q8_0"  # other conditions, another pace
    assert desk.promote(second, dry_run=True).bytes < made.bytes
    assert desk.reads


@pytest.mark.parametrize("jump", [-400 * DAY, 400 * DAY])
def test_a_clock_that_jumps_loses_nothing(desk: Desk, jump: int) -> None:
    """Nothing expires, cools for ever or is put in another order by a clock that was wrong for a while."""
    desk.settings |= {"maintain_archive_after": 30.0, "query_memory": 3000}
    (id,) = desk.keep(LONG)
    desk.ask("What did the harbour keeper of the lantern write down?")
    desk.now += jump
    desk.ask("What did the harbour keeper of the lantern write down?")
    desk.edit(id, LONG + " And then?")
    run(desk)
    desk.now -= jump
    desk.ask("What did the harbour keeper of the lantern write down?")
    desk.edit(id, LONG)
    run(desk)
    with desk.open() as memos:
        shown = memos.show(id)
        assert [version.version for version in memos.history(id).versions] == [3, 2, 1]
        assert (shown.cube.state, shown.cube.version, shown.cube.hits) == ("activated", 3, 3)
        assert 0 < shown.cube.heat <= 3
        assert memos.search("harbour keeper", filter=Filter()).hits[0].cube.id == id
        assert memos.verify_audit() == []


def test_a_stale_state_goes(desk: Desk) -> None:
    ids = desk.keep(*HARBOUR)
    made = desk.promote(*ids).id
    desk.edit(ids[0], "The harbour lantern was sold.")
    assert [(deed.what, deed.id) for deed in run(desk, "states")] == [("drop", made)]


def test_a_state_with_the_date_in_its_prompt_is_made_again_each_day(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settings["query_memory"] = 3000
    template = "{{ strftime_now('%d %B %Y') }}{% for m in messages %}{{ m.content }}{% endfor %}"
    monkeypatch.setattr(Engine, "template", template)
    set_date(monkeypatch, date(2026, 6, 15))
    (id,) = desk.keep(LONG)
    made = desk.promote(id).id
    question = "What did the harbour keeper of the lantern write down?"
    assert [desk.ask(question).plan.reuse for _ in range(3)][-1]
    assert run(desk, "states") == []
    set_date(monkeypatch, date(2026, 6, 16))
    reuse = desk.ask(question).plan.reuse
    assert reuse
    assert reuse.miss == "day changed"
    assert [(deed.what, deed.id) for deed in run(desk, "states")] == [("make", made)]
    reuse = desk.ask(question).plan.reuse
    assert reuse
    assert not reuse.miss


def set_date(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    """Make ``day`` the date that prompts and maintenance see."""
    fixed = type("Fixed", (date,), {"today": staticmethod(lambda: day)})
    for module in (llama_engine, maintenance):
        monkeypatch.setattr(module, "date", fixed)


@pytest.mark.parametrize("policy", ["lru", "pinned"])
def test_the_other_policies_make_none(desk: Desk, policy: str) -> None:
    (id,) = desk.keep(LONG)
    for _ in range(4):
        desk.ask("What did the harbour keeper of the lantern write down?")
    desk.settings["maintain_policy"] = policy
    assert run(desk, "states") == []
    made = desk.promote(id).id
    deeds = [(deed.what, deed.id) for deed in run(desk, "states")]
    assert deeds == ([("drop", made)] if policy == "pinned" else [])


def test_files_that_nothing_names_are_swept(desk: Desk) -> None:
    with desk.open() as memos:
        name = memos.vault.blobs.put(b"an orphan")
    (deed,) = run(desk, "sweep", dry_run=True)
    assert name in deed.id
    assert [found.id for found in run(desk, "sweep")] == [deed.id]
    assert run(desk, "sweep") == []


def test_a_second_run_does_not_overlap(desk: Desk) -> None:
    desk.keep(KITCHEN)
    with hold(desk.folder / "maintain.lock"), desk.open() as memos, pytest.raises(Locked):
        memos.maintain()


def test_a_run_that_is_out_of_time_tells_what_is_left(desk: Desk) -> None:
    desk.keep(*HARBOUR)
    for id in desk.keep(KITCHEN):
        desk.renew(id, desk.now - 1)
    with desk.open() as memos:
        report = memos.maintain(minutes=1e-9)
        assert (report.left, len(report.deeds)) == (list(STEPS), 1)
        assert memos.maintain().left == []


def test_a_run_pauses_while_a_query_asks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for id in desk.keep(KITCHEN):
        desk.renew(id, desk.now - 1)
    began, paused, ended = threading.Event(), threading.Event(), []

    def ask() -> None:
        with hold(desk.folder / "asking", shared=True):
            began.set()
            assert paused.wait(60)
            ended.append(True)

    def pause(seconds: float) -> None:
        paused.set()
        sleep(seconds)

    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", pause)

    asking = threading.Thread(target=ask)
    asking.start()
    began.wait()
    run(desk, "expire")
    assert ended, "it did not wait"
    asking.join()


def test_a_killed_run_is_gone_on_with(memos: Shell) -> None:
    lines = "\n".join(f"Note {n} tells of {n * 7}." for n in range(4000))
    memos("ingest", "-", "--lines", "--no-embed", "--expires", "1h", stdin=lines.encode())
    make_due(memos.vault)
    process = memos.start("maintain", "--only", "expire")
    log = memos.vault / "memos.db-wal"
    wait_until(lambda: log.exists() and log.stat().st_size > 100_000)
    process.kill()
    process.communicate()
    memos.check()
    memos("maintain", "--only", "expire")
    assert memos("stats", "--json").record["cubes"] == {"expired": 4000}


# --- what is the same, and what contradicts ---------------------------------------------------------------


@with_models
def test_contradictions_are_found_told_used_and_settled(memos: Shell) -> None:
    old = "The staging database listens on port 5433."
    new = "The staging database listens on port 5434."
    ids = [*memos("ingest", "-", "--json", stdin=old.encode()).record["ids"]]
    done = memos("ingest", "-", "--json", stdin=new.encode())
    ids += done.record["ids"]
    assert f"{ids[1]} may contradict {ids[0]}" in done.err
    memos("ingest", "-", stdin=b"The harbour office opens at eight.")
    (pair,) = memos("conflicts", "--json").records
    assert (pair["kind"], pair["older"]["id"], pair["newer"]["id"]) == ("contradicts", *ids)
    plan = memos("query", "Which port does the staging database use?", "--explain", "--json").record["plan"]
    chosen = [item["id"] for item in plan["chosen"]]
    assert chosen[:2] == [ids[1], ids[0]], "both, the newer first"
    assert any("contradict" in note for note in plan["notes"])
    assert memos("conflicts", "--resolve", "keep-newest", "--json").records
    assert memos.ids("--state", "archived") == {ids[0]}
    assert memos("conflicts", "--json").records == []
    memos("restore", ids[0])
    memos("maintain", "--only", "rivals")
    assert memos("conflicts", "--json").records == []  # it was settled once
    assert "no such conflict" in memos("conflicts", ids[0], "--resolve", "keep-both", code=2).err


@with_models
def test_one_of_two_may_be_kept_or_both(memos: Shell) -> None:
    texts = ("My cat is called Miso.", "My cat is called Tofu.", "The office cat is called Bento.")
    lines = "\n".join((*texts, "My cat is called Miso!"))
    ids = memos("ingest", "-", "--lines", "--json", stdin=lines.encode()).record["ids"]
    memos("maintain", "--only", "rivals")
    pairs = {(p["older"]["id"], p["newer"]["id"]) for p in memos("conflicts", "--json").records}
    assert pairs == {(ids[0], ids[1]), (ids[1], ids[3])}
    similar = {
        (p["older"]["id"], p["newer"]["id"]) for p in memos("conflicts", "--similar", "--json").records
    }
    assert similar - pairs == {(ids[0], ids[3])}
    memos("conflicts", ids[3], "--resolve", "keep-both")
    memos("conflicts", "--resolve", ids[0])
    assert memos.ids("--state", "archived") == {ids[1]}
    assert memos("conflicts", "--json").records == []


# --- the command -----------------------------------------------------------------------------------------


def test_the_command_is_quiet_where_it_should_be(memos: Shell) -> None:
    assert memos("maintain").out == "nothing to do\n"
    assert memos("maintain", "--quiet").out == ""
    (id,) = memos.keep("One thing.", options=("--expires", "1h"))
    make_due(memos.vault)
    assert id in memos("maintain", "--dry-run").out
    report = memos("maintain", "--json").record
    assert [(deed["step"], deed["id"]) for deed in report["deeds"]] == [("expire", id)]
    (row,) = memos("maintain", "--history", "--json").records
    assert row["did"] == {"expire": 1}
    assert "no step 'dust'" in memos("maintain", "--only", "dust", code=2).err
    assert "no step is left" in memos("maintain", "--only", "embed", "--skip", "embed", code=2).err
    with hold(memos.vault / "maintain.lock"):
        assert memos("maintain", "--quiet").out == ""
        memos("maintain", code=11)


def test_cron_prints_and_installs_a_line(memos: Shell) -> None:
    line = memos("cron", "--at", "4:05").out.strip()
    assert line.startswith("5 4 * * * ")
    assert str(memos.vault) in line
    assert "OnCalendar=*-*-* 03:30:00" in memos("cron", "--systemd").out
    assert memos("cron", "--at", "25:00", code=2)
    tab = memos.folder / "tab"
    tab.write_text("0 1 * * * something else\n")
    crontab = memos.folder / "bin" / "crontab"
    crontab.parent.mkdir()
    crontab.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat "{tab}"; else cat > "{tab}"; fi\n')
    crontab.chmod(0o755)
    env = {"PATH": f"{crontab.parent}:{os.environ['PATH']}"}
    assert memos("cron", "--install", env=env).out == "installed\n"
    memos("cron", "--at", "05:00", "--install", env=env)
    first, second = tab.read_text().splitlines()
    assert (first, second[:9]) == ("0 1 * * * something else", "0 5 * * *")
    assert memos("cron", "--at", "05:00", "--install", env=env).out == "nothing to change\n"
    assert memos("cron", "--remove", env=env).out == "removed\n"
    assert tab.read_text() == "0 1 * * * something else\n"


def test_the_line_of_cron_runs(memos: Shell) -> None:
    import subprocess

    (id,) = memos.keep("One thing.", options=("--expires", "1h"))
    make_due(memos.vault)
    line = memos("cron").out.strip()
    command = line[len("30 3 * * * ") :].replace("\\%", "%")
    path = {"PATH": f"{Path(sys.executable).parent}:/bin:/usr/bin"}
    subprocess.run(["/bin/sh", "-c", command], env=memos.environment() | path, check=True, timeout=60)
    assert memos.ids("--state", "expired") == {id}
