"""Unsupported statements of an answer, and the sources that it used."""

from __future__ import annotations

import pytest
from cli_harness import no_hang
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.operation.ask.grounding import cited_labels, find_unsupported, order_by_use, used
from memos_cli.operation.ask.values import find_values

KILN = (
    "Kilns: The big kiln goes to 1,280 °C and takes eleven hours to cool down. Brandt replaced the element in"
    " May 2024 for 164 euros. Frau Oyelaran chairs the committee; Dr. Varga came on Thursday, not Dr. Hill."
)
VET = (
    'Jo said on 2025-10-03: "Second of December, 9:20, with Dr. Varga this time." Half a kilo. 2.5 kg, 45 %.'
)
SERVER = (
    "The server larkspur runs Debian 12 at 192.168.7.20; the web page is 10.0.0.1:4443. Backups run at 02:30"
    " and go to Falkenstein. Delete `/data/consume/.lock`, see config.toml, or write to ann@example.org. We"
    " use AdGuard."
)
MINUTES = (
    "会议决定把试点扩大到四十辆,比2020年减少百分之四十五。客栈四百二一晚。"
    "林晓梅说:「冬季续航缩短了」。下午三点半用AdGuard开会,10月21日。"
)
SOURCES = [KILN, VET, SERVER, MINUTES]

SUPPORTED = [
    # Numbers
    "It goes to 1280 degrees.", "It goes to 1 280 °C.", "1.280 °C", "1,280.00", "It takes 11 hours.",
    "It takes 11 h.", "It cost €164.", "It cost 164 EUR.", "45 percent", "45%", "百分之四十五",
    "45 per cent", "45 ％", "４５%", "2,5 kg", "2.5 kilos", "四十辆", "40 辆", "420 元", "四百二十",
    "Debian 12",
    # Dates and times
    "On 2 December at 9:20.", "On December 2nd.", "The 2nd of December 2025.", "2025-12-02", "12月2日",
    "十二月二日", "On 3 October 2025.", "In October 2025.", "On Friday, 3 October 2025.", "In December.",
    "At 09:20.", "At 9:20 am.", "9.20 a.m.", "At 2:30.", "2:30 am", "15:30", "下午3点30分", "3:30 pm",
    "10月21日", "2020年", "In May 2024.", "03.10.2025", "10/3/2025",
    # Names and quotations
    "Brandt replaced it.", "It was Brandt.", "the brother of Brandt's", "It was DR. VARGA.",
    "Ask Frau Oyelaran.", "It is in Falkenstein.", "They came on Thursdays.",
    "It says “the big kiln goes to”.", 'She said "with Dr Varga".', "他说「冬季续航缩短了」。",
    "用AdGuard。", "We use AdGuard.", "Delete `/data/consume/.lock`.", "Write to ann@example.org.",
    "192.168.7.20", "10.0.0.1:4443", "10.0.0.1", "See config.toml.", "Bjorn is asked.",
    "The Overcoat it is.",
    # What is not looked at
    "", "...", "Yes.", "No.", "One of the two kilns.", "I think that I know.", "However, it works.",
    "1. Open it\n2. Close it", "Open it.\nClose it.\n- Wait for it", "As [1] says, and [2, 3].",
    "The first thing.", "谁晕车?", "一些人十分高兴",
    "Der große Ofen ist heiß und die Platten liegen auf dem Boden.",
]  # fmt: skip


@pytest.mark.parametrize("answer", SUPPORTED)
def test_statements_of_a_source_are_supported(answer: str) -> None:
    assert find_unsupported(answer, SOURCES, "Who is Björn, who wrote The Overcoat?") == ()


UNSUPPORTED = [
    # Numbers
    ("It goes to 1,281 degrees.", ["1,281 degrees"]),
    ("It takes 13 hours.", ["13 hours"]),
    ("It takes thirteen hours.", ["thirteen hours"]),
    ("It costs 164 dollars.", ["164 dollars"]),
    ("It costs $164.", ["$164"]),
    ("46 %", ["46 %"]),
    ("2.6 kg and 25 kg", ["2.6 kg", "25 kg"]),
    ("四十一辆", ["四十一"]),
    ("百分之四十", ["百分之四十"]),
    ("1,280 million", ["1,280 million"]),
    ("It is -17 or 17.", ["17"]),
    # Dates and times
    ("On 3 December.", ["3 December"]),
    ("On 2 December 2027.", ["2 December 2027"]),
    ("On 2025-10-04.", ["2025-10-04"]),
    ("In June 2024.", ["June 2024"]),
    ("At 9:21.", ["9:21"]),
    ("At 14:30.", ["14:30"]),
    ("12月3日", ["12月3日"]),
    ("In January.", ["January"]),
    # Names
    ("It was Brand.", ["Brand"]),
    ("The vet is Dr. Hillary.", ["Dr. Hillary"]),
    ("It was Mikhail Bulgakov.", ["Mikhail Bulgakov"]),
    ("Mikhail Bulgakov wrote it.", ["Mikhail Bulgakov"]),
    ("It was Mikhail Bulgakov's.", ["Mikhail Bulgakov"]),
    ("It is at Casa do Rio.", ["Casa do Rio"]),
    ("the Bank of England", ["Bank of England"]),
    ("The answer is: Lionel", ["Lionel"]),
    ("Lionel", ["Lionel"]),
    ("- Flour\n- **Yeast**", ["Flour", "Yeast"]),
    ("**Lumo-Vacuum** it is", ["Lumo-Vacuum"]),
    ("It runs NextCloud.", ["NextCloud"]),
    ("用Nextcloud替换。", ["Nextcloud"]),
    # Quotations and identifiers
    ("It says “the kiln is small”.", ["the kiln is small"]),
    ('He said "go home" and "Go home".', ["go home"]),
    ("她说「夏季续航」。", ["夏季续航"]),
    ("Run `rm -r /data`.", ["rm -r /data"]),
    ("192.168.7.21", ["192.168.7.21"]),
    ("92.168.7.20", ["92.168.7.20"]),
    ("See config.json and c12.", ["config.json", "c12"]),
    ("https://example.org/x.", ["https://example.org/x"]),
    ("bob@example.org", ["bob@example.org"]),
    # In order, once each, as they stand
    ("Lima paid 99 euros to Lima, on 1 March: ９９ euros.", ["99 euros", "Lima", "1 March"]),
    ("We saw Lima, 99 euros, Quito, lima, Lima.", ["Lima", "99 euros", "Quito"]),
    ("Der Ofen ist heiß und die Frau im Haus ist Angela Merkel.", ["Angela Merkel"]),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "found"), UNSUPPORTED)
def test_statements_without_a_source_are_found(answer: str, found: list[str]) -> None:
    assert list(find_unsupported(answer, SOURCES, "What is it?")) == found


def test_statements_of_the_question_are_supported() -> None:
    assert find_unsupported("Lima has 99 of it.", [], "Has Lima 99?") == ()
    assert find_unsupported("It is Lima, with 99.", [], "Where?") == ("Lima", "99")


def test_a_name_stands_in_one_source() -> None:
    sources = ["Ann Hill lives here.", "Bob Dale lives there."]
    assert find_unsupported("It is Ann Hill.", sources, "Who?") == ()
    assert find_unsupported("It is Ann Dale.", sources, "Who?") == ("Ann Dale",)
    assert find_unsupported("It is Ann Dale.", sources, "Who is Mrs. Dale?") == ()


@given(st.text(), st.text(), st.text())
def test_any_text_can_be_checked(answer: str, source: str, question: str) -> None:
    for text in find_unsupported(answer, [source], question):
        assert text in answer
    order_by_use(answer, [source, question])
    cited_labels(answer)


PARTS = [
    "9" * 50,
    "٣",
    "12",
    "3rd",
    "十",
    "万",
    "月",
    "日",
    "2",
    ":",
    ".",
    ",",
    " ",
    "-",
    "/",
    "[",
    "]",
    '"',
    "Ab",
    "\n",
]
PARTS += [
    "May",
    "first",
    "half past",
    "pm",
    "twenty",
    "hundred",
    "€",
    "kg",
    "per cent",
    "\ud800",
    "点",
    "〇",
    "b@c.de",
]


@given(st.lists(st.sampled_from(PARTS), max_size=20))
def test_odd_values_can_be_checked(parts: list[str]) -> None:
    answer = "".join(parts)
    for value in find_values(answer):
        assert 0 <= value.start < value.end <= len(answer)
    for text in find_unsupported(answer, [], ""):
        assert text in answer
    assert find_unsupported(answer, [answer], "") == () or '"' in answer


def test_a_long_answer_is_checked_in_linear_time() -> None:
    for part in (
        "Ab 12 ",
        '"',
        "1,",
        "9",
        "a.",
        "“x",
        "- ",
        "Ab of ",
        "/a",
        "1:",
        "x@",
        "Ab\n",
        "[1,",
        "c{n} ",
    ):
        answer = "".join(part.format(n=n) for n in range(8_000 // len(part)))
        with no_hang(30):
            find_unsupported(answer, [answer[:4_000]], "")
            order_by_use(answer, [answer])


# --- what was used -------------------------------------------------------------------------------


def test_used_sources_come_first() -> None:
    answer = "It was Dr. Varga, on 2 December at 9:20."
    assert order_by_use(answer, [KILN, SERVER, VET]) == [2, 0, 1]
    assert order_by_use("Backups run at 02:30 and go to Falkenstein.", [KILN, VET, SERVER]) == [2, 0, 1]
    assert order_by_use("试点扩大到四十辆。", [KILN, VET, SERVER, MINUTES]) == [3, 0, 1, 2]
    assert order_by_use("I do not know.", [KILN, VET]) == [0, 1]
    assert order_by_use("", [KILN, VET]) == [0, 1]
    assert order_by_use("Anything", []) == []


@pytest.mark.parametrize(
    ("answer", "source", "is_used"),
    [
        ("The big kiln takes 11 hours.", KILN, True),
        ("A kiln is a thermally insulated chamber for pottery.", KILN, False),
        ("Somebody has to do it, and so Frau Oyelaran chairs the committee, so ask her.", KILN, True),
        ("164", KILN, True),
        ("165", KILN, False),
        ("百分之四十五", MINUTES, True),
        ("", KILN, False),
        ("of the", "of the", True),
    ],
)  # fmt: skip
def test_a_source_is_used_if_it_has_half_of_the_words_or_a_phrase(
    answer: str, source: str, is_used: bool
) -> None:
    assert used(answer, source) is is_used


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ("It was bent [1].", {1}),
        ("Bent [1][3], new [2, 4] and [ 6 - 8 ].", {1, 2, 3, 4, 6, 7, 8}),
        ("弯了【2】。", {2}),
        ("None, [a], [2025], [] or 1.", set()),
        ("[3-1]", {1, 3}),
    ],
)
def test_labels_are_read(answer: str, labels: set[int]) -> None:
    assert cited_labels(answer) == labels
