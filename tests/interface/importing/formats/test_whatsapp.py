"""WhatsApp: dates of many phones, the order of day and month, and which words are a person's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell

from memos_cli.interface.importing.formats import whatsapp
from memos_cli.interface.importing.importers import IMPORTS, open_export
from memos_cli.zones import show_time, use_zone

MARCH = ["2016-03-01", "2016-03-02", "2016-03-03"]


def read(tmp_path: Path, text: str, name: str = "WhatsApp Chat with Bo.txt", order: str = "") -> Any:
    use_zone("UTC")
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with open_export(path) as export:
        export.date_order = order
        assert IMPORTS["whatsapp"].recognises(export)
        (bundle,) = IMPORTS["whatsapp"].read(export)
    return bundle


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("[15/04/16, 15:04:05] ", "2016-04-15T15:04:05Z"),
        ("15/04/2016, 15:04 - ", "2016-04-15T15:04:00Z"),
        ("4/15/16, 3:04 PM - ", "2016-04-15T15:04:00Z"),
        ("4/15/16, 3:04\u202fPM - ", "2016-04-15T15:04:00Z"),
        ("[4/15/16, 12:04:05 AM] ", "2016-04-15T00:04:05Z"),
        ("15/4/16 3:04 p. m. - ", "2016-04-15T15:04:00Z"),
        ("15/04/16, 3:04 pm - ", "2016-04-15T15:04:00Z"),
        ("15.04.16, 15:04 - ", "2016-04-15T15:04:00Z"),
        ("[15.04.16, 15:04:05] ", "2016-04-15T15:04:05Z"),
        ("15. 4. 2016 15:04 - ", "2016-04-15T15:04:00Z"),
        ("15.4.2016 klo 15.04 - ", "2016-04-15T15:04:00Z"),
        ("[15.4.2016 klo 15.04.05] ", "2016-04-15T15:04:05Z"),
        ("15-04-2016 15:04 - ", "2016-04-15T15:04:00Z"),
        ("2016-04-15 15:04 - ", "2016-04-15T15:04:00Z"),
        ("2016. 04. 15. 15:04 - ", "2016-04-15T15:04:00Z"),
        ("2016/04/15, 15:04 - ", "2016-04-15T15:04:00Z"),
        ("2016/4/15 下午3:04 - ", "2016-04-15T15:04:00Z"),
        ("[2016/4/15 上午3:04:05] ", "2016-04-15T03:04:05Z"),
        ("2016. 4. 15. 오후 3:04 - ", "2016-04-15T15:04:00Z"),
        ("2016년 4월 15일 오후 3:04 - ", "2016-04-15T15:04:00Z"),
        ("[١٥\u200f/٤\u200f/٢٠١٦، ٣:٠٤:٠٥ م] ", "2016-04-15T15:04:05Z"),
        ("15/4/16, 3:04 μ.μ. - ", "2016-04-15T15:04:00Z"),
        ("[15/4/2559 15:04:05] ", "2016-04-15T15:04:05Z"),
        ("\u200e[15/04/16, 15:04:05] ", "2016-04-15T15:04:05Z"),
    ],
)
def test_dates_of_many_phones(tmp_path: Path, stamp: str, time: str) -> None:
    bundle = read(tmp_path, f"{stamp}Bo: Tea at five: bring cake.\nAnd milk.\n{stamp}Ann: Yes\n")
    assert [(draft.author, draft.text, show_time(draft.time)) for draft in bundle.drafts] == [
        ("Bo", "Tea at five: bring cake.\nAnd milk.", time), ("Ann", "Yes", time)
    ]  # fmt: skip
    assert bundle.notes == []


@pytest.mark.parametrize(
    ("days", "dates", "note"),
    [
        # A day above 12 in any message decides for all of them.
        (["03/04/16", "15/04/16"], ["2016-04-03", "2016-04-15"], ""),
        (["4/3/16", "4/15/16"], ["2016-04-03", "2016-04-15"], ""),
        # The messages follow one another in only one order.
        (["11/04/16", "12/04/16", "01/05/16"], ["2016-04-11", "2016-04-12", "2016-05-01"], ""),
        (["4/11/16", "4/12/16", "5/1/16"], ["2016-04-11", "2016-04-12", "2016-05-01"], ""),
        # Dots are always day first; the same number is the same day.
        (["03.04.16", "04.04.16"], ["2016-04-03", "2016-04-04"], ""),
        (["04/04/16", "05/05/16"], ["2016-04-04", "2016-05-05"], ""),
        # Three days in a row are likelier than the third of three months.
        (["01/03/16", "02/03/16", "03/03/16"], MARCH, "probably day first"),
        (["3/1/16", "3/2/16", "3/3/16"], MARCH, "probably month first"),
        # Nothing decides.
        (["03/04/16"], [None], "may come first"),
        (["03/04/16", "05/06/16"], [None, None], "may come first"),
        (["99/99/16"], [None], "do not exist"),
        (["12/31/2399", "12/30/2399"], [None, None], "in the future; import it again with --date-order"),
    ],
)
def test_the_order_of_day_and_month(
    tmp_path: Path, days: list[str], dates: list[str | None], note: str
) -> None:
    bundle = read(tmp_path, "".join(f"{day}, 10:00 - Bo: on {day}\n" for day in days))
    read_dates = [None if each.time is None else show_time(each.time)[:10] for each in bundle.drafts]
    assert read_dates == dates
    assert note in "".join(bundle.notes)
    assert bool(note) == bool(bundle.notes)


def test_a_date_in_the_future_is_the_wrong_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whatsapp.time, "time", lambda: 1_457_000_000.0)  # 3 March 2016
    bundle = read(tmp_path, "02/03/16, 10:00 - Bo: x\n03/02/16, 10:00 - Bo: y\n")
    assert [show_time(draft.time)[:10] for draft in bundle.drafts] == ["2016-02-03", "2016-03-02"]
    bundle = read(tmp_path, "02/05/16, 10:00 - Bo: x\n")
    assert [show_time(draft.time)[:10] for draft in bundle.drafts] == ["2016-02-05"]
    assert bundle.notes == []


@pytest.mark.parametrize(
    "end", ["[15/0", "\u200e[15/04/16, 15:04", "15/04/16, 15:04 -", "[15/04/16, 15:04:05] Bo"]
)
def test_half_a_last_line_is_no_part_of_the_message_before(tmp_path: Path, end: str) -> None:
    start = "[15/04/16, 15:00:00] Bo: Hello\n" if "[" in end else "15/04/16, 15:00 - Bo: Hello\n"
    assert [draft.text for draft in read(tmp_path, start + end).drafts] == ["Hello"]


def test_the_notice_that_opens_a_chat_has_no_author(tmp_path: Path) -> None:
    notice = "Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt. Niemand außerhalb kann sie lesen."
    bundle = read(tmp_path, f"15.04.2016, 15:04 - Trip: {notice}\n15.04.2016, 15:05 - Bo: Hello\n")
    assert [draft.author for draft in bundle.drafts] == ["Bo"]


def test_the_user_can_say_the_order(memos: Shell) -> None:
    path = memos.write("WhatsApp Chat with Bo.txt", "03/04/16, 10:00 - Bo: Tea?\n")
    first = memos("import", path, "--no-embed", "--json").record
    assert "--date-order" in first["notes"][0]
    memos("import", path, "--no-embed", "--date-order", "mdy")
    (row,) = memos("list", "--json").records
    assert (row["time"][:10], row["text"]) == ("2016-03-04", "Tea?")
    assert "date order" in memos("import", path, "--date-order", "myd", code=2).err


@pytest.mark.parametrize(
    ("line", "turns"),
    [
        ("Bo created group \"Trip: Rome\"", []),
        ("Messages and calls are end-to-end encrypted. Learn more.", []),
        ("Bo: <Media omitted>", []),
        ("Bo: <Medien ausgeschlossen>", []),
        ("Bo: <省略多媒体文件>", []),
        ("Bo: IMG-20160415-WA0001.jpg (file attached)\nThe pier.", ["The pier."]),
        ("Bo: \u200eIMG-20160415-WA0001.jpg (Datei angehängt)", []),
        ("Bo: This message was deleted", []),
        ("Bo: Du hast diese Nachricht gelöscht.", []),
        ("Bo: Fine <This message was edited>", ["Fine"]),
        ("Bo: I love <3 and a<b", ["I love <3 and a<b"]),
        ("Bo: <b>", ["<b>"]),
        ("Bo: end-to-end tests failed", ["end-to-end tests failed"]),
        ("Bo: plan.txt (my notes)", ["plan.txt (my notes)"]),
        ("Bo: see 15/04/16, 15:04 - not a new message", ["see 15/04/16, 15:04 - not a new message"]),
        ("Bo: pasted:\n[15/04/16, 15:04:05] Cy: hi", ["pasted:\n[15/04/16, 15:04:05] Cy: hi"]),
        ("Bo:", []),
        ("~\u00a0Bo: unknown to me", ["unknown to me"]),
    ],
)  # fmt: skip
def test_only_what_people_wrote_comes(tmp_path: Path, line: str, turns: list[str]) -> None:
    bundle = read(tmp_path, f"15/04/16, 15:00 - Bo: Hello\n15/04/16, 15:01 - {line}\n")
    assert [draft.text for draft in bundle.drafts][1:] == turns
    assert {draft.author for draft in bundle.drafts} == {"Bo"}


def test_a_later_export_without_the_earlier_messages_changes_none(memos: Shell) -> None:
    path = memos.write("WhatsApp Chat with Bo.txt", 2 * "15/04/16, 15:00 - Bo: Hello\n")
    assert memos("import", path, "--no-embed", "--json").record["added"] == 2
    path.write_text("16/04/16, 15:00 - Bo: Bye\n")
    made = memos("import", path, "--no-embed", "--json").record
    assert (made["added"], made["versions"]) == (1, 0)
    copy = memos.write("WhatsApp Chat with Bo (1).txt", path.read_text() + "17/04/16, 9:00 - Ann: Back\n")
    made = memos("import", copy, "--no-embed", "--json").record
    assert (made["added"], made["unchanged"]) == (1, 1)
    assert len(memos.ids()) == 4


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("WhatsApp Chat with Ann Lee.txt", "Ann Lee"), ("WhatsApp Chat mit Ann.txt", "Ann"),
        ("Chat de WhatsApp con Ann.txt", "Ann"), ("Discussion WhatsApp avec Ann.txt", "Ann"),
        ("Conversa do WhatsApp com Ann.txt", "Ann"), ("WhatsApp Chat - Trip.txt", "Trip"),
        ("WhatsApp Chat with Ann (2).txt", "Ann"), ("my chat.txt", "my chat"),
        ("WhatsApp Chat - Rome/_chat.txt", "Rome"),
    ],
)  # fmt: skip
def test_the_name_of_a_chat(tmp_path: Path, name: str, title: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    assert read(tmp_path, "15/04/16, 15:00 - Bo: Hello\n", name).title == title


def test_a_log_is_no_chat_and_an_ingest_names_the_command(memos: Shell) -> None:
    path = memos.write("notes.txt", "2016-04-15 the pump was replaced\n")
    assert "not a known export" in memos("import", path, code=2).err
    chat = memos.write("WhatsApp Chat with Bo.txt", "15/04/16, 15:00 - Bo: Hello\n")
    assert f"memos import '{chat}'" in memos("ingest", chat, "--no-embed").err


def test_a_hostile_file_is_read_in_no_time(tmp_path: Path) -> None:
    stamp = "15/04/16" + ", x " * 5
    text = f"15/04/16, 15:00 - Bo: Hello\n{5_000 * (stamp * 3 + chr(10))}1/1/1{200_000 * '/ '}\n"
    (draft, *_) = read(tmp_path, text).drafts
    assert draft.text.startswith("Hello")
