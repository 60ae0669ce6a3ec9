"""Times in options, questions and files, by the tables of ``times_tables``; and the zone they are in."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from cli_harness import Shell
from times_tables import DATES, NOW, PHRASES, QUESTIONS, ZONED, rows

from memos_cli.cube import Draft
from memos_cli.errors import UsageError
from memos_cli.interface.ask.question_parser import read_question
from memos_cli.interface.ingest.sources.pieces import count_unread, read_time
from memos_cli.interface.ingest.sources.reading import read_bytes
from memos_cli.interface.options import ReadOptions
from memos_cli.interface.time.times import parse_when
from memos_cli.zones import local_zone, show_time, use_zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str, zone: tzinfo = UTC) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=zone) - _EPOCH) // timedelta(milliseconds=1)


def when(text: str, way: str, now: int = NOW, zone: tzinfo = UTC) -> int | str:
    try:
        return parse_when(text, now=now, zone=zone, future=way != "past", end=way == "end")
    except UsageError:
        return "refused"


@pytest.mark.parametrize(("way", "text", "right"), rows(PHRASES))
def test_an_option_is_understood_as_a_whole_or_refused(way: str, text: str, right: str) -> None:
    assert when(text, way) == (right if right == "refused" else at(right))


@pytest.mark.parametrize(("zone", "now", "way", "text", "right"), rows(ZONED))
def test_a_time_is_of_its_zone(zone: str, now: str, way: str, text: str, right: str) -> None:
    assert when(text, way, at(now), ZoneInfo(zone)) == at(right)


@pytest.mark.parametrize(("zone", "question", "right"), rows(QUESTIONS))
def test_a_question_has_the_right_time_or_none(zone: str, question: str, right: str) -> None:
    call = read_question(question, now=NOW, zone=ZoneInfo(zone))
    if right == "none":
        assert (call.when, call.after, call.before) == ("", None, None)
        return
    after, _, before = right.removeprefix("~").partition("..")
    assert call.after == (at(after, ZoneInfo(zone)) if after else None)
    assert call.before == (at(before, ZoneInfo(zone)) if before else None)
    assert call.forward == right.startswith("~")


@pytest.mark.parametrize(("text", "right"), rows(DATES))
def test_a_date_of_a_file_is_read_or_counted(text: str, right: str) -> None:
    with count_unread() as unread:
        assert read_time(text) == (None if right == "unread" else at(right))
    assert unread.count == (right == "unread" and any(map(str.isdecimal, text)))


@pytest.mark.parametrize(("letter", "text"), [("m", "6m"), ("M", "6M"), ("m", "+12 m")])
def test_m_is_refused_with_both_readings(letter: str, text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_when(text, now=NOW)
    number = text.rstrip(f"{letter} ")
    assert f"{number}mo" in refusal.value.hint and f"{number}min" in refusal.value.hint


@pytest.mark.parametrize(
    ("variable", "shown"),
    [
        ("UTC", "2026-11-25T10:30:00Z"),
        ("", "2026-11-25T10:30:00Z"),
        ("Asia/Tokyo", "2026-11-25T19:30:00+09:00"),
        (":Asia/Kolkata", "2026-11-25T16:00:00+05:30"),
        ("JST-9", "2026-11-25T19:30:00+09:00"),
        ("<+0545>-5:45", "2026-11-25T16:15:00+05:45"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-25T11:30:00+01:00"),
        ("no such zone", "2026-11-25T10:30:00Z"),
        ("../../etc/passwd", "2026-11-25T10:30:00Z"),
        ("/etc/passwd", "2026-11-25T10:30:00Z"),
    ],
)
def test_the_zone_is_that_of_the_system(variable: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", variable)
    assert show_time(NOW) == shown


def test_a_rule_changes_its_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    assert show_time(at("2026-07-01T10:00")) == "2026-07-01T12:00:00+02:00"


def test_the_setting_is_over_the_system_and_must_exist() -> None:
    try:
        use_zone("Asia/Tokyo")
        assert show_time(NOW) == "2026-11-25T19:30:00+09:00"
        with pytest.raises(UsageError):
            use_zone("Mars/Base")
        assert local_zone() == ZoneInfo("Asia/Tokyo")
    finally:
        use_zone("")


def test_times_far_away_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert show_time(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"
    assert show_time(-62_135_596_800_000).startswith("0001-01-01T09:18:59")


def drafts(text: str, name: str) -> tuple[list[Draft], tuple[str, ...]]:
    reading = read_bytes(text.encode(), f"file:///{name}", name, ReadOptions())
    return list(reading.drafts), reading.origin.notes


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "text,date\nOne.,2026-05-10 08:00\n"),
        ("rows.jsonl", '{"text": "One.", "date": "2026-05-10 08:00"}\n'),
        ("note.md", "---\ndate: 2026-05-10 08:00\n---\nOne.\n"),
    ],
)
def test_dates_of_files_are_of_the_users_zone(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    (draft,), notes = drafts(text, name)
    assert draft.time == at("2026-05-10T02:30") and not notes
    (draft,), _ = drafts("One.", "2026-05-10-minutes.txt")
    assert draft.time == at("2026-05-09T18:30")


def test_unread_dates_are_reported_once_a_source() -> None:
    records = [{"text": f"Number {n}.", "date": f"05/{n:02}/2023"} for n in range(1, 13)]
    found, notes = drafts("\n".join(map(json.dumps, records)), "a.jsonl")
    assert [each.time for each in found] == [None] * 12
    assert notes == ("12 dates could not be read, first: 05/01/2023",)
    # What has another date is dated; what is no date is not counted.
    found, notes = drafts(
        '{"text": "a", "time": "10:30", "created": "2023-05-12", "x": "05/05/2023"}', "a.jsonl"
    )
    assert found[0].time == at("2023-05-12") and not notes
    assert drafts('{"text": "a", "date": "unknown"}', "a.jsonl")[1] == ()
    found, notes = drafts("Event,Date,Time\nRace,5/1/2026,10:00\nTea,5/2/2026,4 pm\n", "a.csv")
    assert notes == ("2 dates could not be read, first: 5/1/2026",)


def test_an_import_reports_unread_dates(memos: Shell) -> None:
    table = memos.write("b.csv", "text,created\nOne.,05/06/2023\nTwo.,7/8/2023\n")
    done = memos("import", table, "--no-embed")
    assert "2 dates could not be read, first: 05/06/2023" in done.err


def test_the_command_line_has_the_users_zone(memos: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    note = memos.write("a.txt", "The ferry leaves at nine.")
    memos("ingest", note, "--no-embed", "--time", "2026-05-10 01:00")
    assert "2026-05-10T01:00:00+05:30" in memos("list").out
    assert memos("list", "--json").record["time"] == "2026-05-09T19:30:00Z"
    id = memos("list", "--json").record["id"]
    assert "2026-05-10T01:00:00+05:30" in memos("show", id).out
    assert memos("list", "--after", "10.05.2026", "--before", "11.5.2026", "--json").records
    assert not memos("list", "--before", "2026-05-10", "--json").records
    memos("expire", id, "--at", "2030-05-10")
    assert memos("list", "--json").record["expires"] == "2030-05-10T18:30:00Z"
    memos("token", "create", "agent:coder", "--expires", "2030-05-10")
    assert "2030-05-11T00:00:00+05:30" in memos("token", "list").out
    assert memos("token", "list", "--json").record["expires"] == "2030-05-10T18:30:00Z"
    assert "2026-05-10T04:30:00+09:00" in memos("list", env={"MEMOS_TIME_ZONE": "Asia/Tokyo"}).out
    assert "time zone" in memos("list", env={"MEMOS_TIME_ZONE": "Mars/Base"}, code=2).err


def test_a_memory_that_expires_today_lasts_until_midnight(memos: Shell) -> None:
    memos("ingest", memos.write("a.txt", "The ticket is valid."), "--no-embed", "--expires", "today")
    assert len(memos("list", "--json").records) == 1


def test_dateparser_is_not_loaded_for_times_in_english_and_numbers() -> None:
    code = (
        "import sys; from memos_cli.interface.time.times import parse_when, find_range as f\n"
        f"for t in ('12.05.2023', '12 May 2023', 'yesterday', '30d'): parse_when(t, now={NOW})\n"
        f"f('Who paid on 12 May 2023 or by Friday?', now={NOW})\n"
        "sys.exit('dateparser' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
