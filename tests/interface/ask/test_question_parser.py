"""MemReader: questions as calls. "Now" is Wednesday, 12 July 2023, 15:00 UTC, in every test."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.cube import MemoryCall
from memos_cli.errors import UsageError
from memos_cli.interface.ask.question_parser import read_question
from memos_cli.interface.time.times import parse_range, parse_when
from memos_cli.moments import format_time

NOW = int(datetime(2023, 7, 12, 15, tzinfo=UTC).timestamp() * 1000)


def read(question: str) -> MemoryCall:
    return read_question(question, now=NOW)


def short(time: int | None) -> str:
    """A time as 2023-05-08, with the hour only where it is not midnight; nothing where it is open."""
    return "" if time is None else format_time(time).removesuffix("T00:00:00Z")


def days(question: str) -> str:
    call = read(question)
    return f"{short(call.after)}..{short(call.before)}"


RANGES = {
    # relative
    "What did we do today?": "2023-07-12..2023-07-13",
    "Who called yesterday morning?": "2023-07-11..2023-07-12",
    "What is due tomorrow?": "2023-07-13..2023-07-14",
    "Where was I the day before yesterday?": "2023-07-10..2023-07-11",
    "3 days ago": "2023-07-09..2023-07-10",
    "a couple of weeks ago": "2023-06-26..2023-07-03",
    "two months ago": "2023-05-01..2023-06-01",
    "5 years ago": "2018-01-01..2019-01-01",
    "2 hours ago": "2023-07-12T12:00:00Z..2023-07-12T14:00:00Z",
    "this week": "2023-07-10..2023-07-17",
    "Last week's meeting": "2023-07-03..2023-07-10",
    "the week before last": "2023-06-26..2023-07-03",
    "next month": "2023-08-01..2023-09-01",
    "last quarter": "2023-04-01..2023-07-01",
    "this year": "2023-01-01..2024-01-01",
    "last monday": "2023-07-10..2023-07-11",
    "last Wednesday": "2023-07-05..2023-07-06",
    "next friday": "2023-07-14..2023-07-15",
    "on Thursday": "2023-07-06..2023-07-07",
    "last weekend": "2023-07-08..2023-07-10",
    "last summer": "2022-06-01..2022-09-01",
    "last 7 days": "2023-07-05..2023-07-13",
    "during the past month": "2023-06-12..2023-07-13",
    "in the next 2 weeks": "2023-07-12..2023-07-27",
    # dates
    "in May": "2023-05-01..2023-06-01",
    "in December": "2022-12-01..2023-01-01",
    "in May 2023": "2023-05-01..2023-06-01",
    "Early May, 2023": "2023-05-01..2023-06-01",
    "notes from October": "2022-10-01..2022-11-01",
    "May of last year": "2022-05-01..2022-06-01",
    "last year, in May": "2022-05-01..2022-06-01",
    "on 3 May 2023": "2023-05-03..2023-05-04",
    "the 3rd of May": "2023-05-03..2023-05-04",
    "May 5th": "2023-05-05..2023-05-06",
    "May 5, 2021": "2021-05-05..2021-05-06",
    "on feb 29": "2020-02-29..2020-03-01",
    "2023-05-08": "2023-05-08..2023-05-09",
    "2023-05-08T14:30": "2023-05-08..2023-05-09",
    "13/08/2022": "2022-08-13..2022-08-14",
    "in 2022": "2022-01-01..2023-01-01",
    "in the summer of 2022": "2022-06-01..2022-09-01",
    "winter 2022": "2022-12-01..2023-03-01",
    "Q3 2024": "2024-07-01..2024-10-01",
    "in Q2": "2023-04-01..2023-07-01",
    "in the 1990s": "1990-01-01..2000-01-01",
    # open and joined
    "since May": "2023-05-01..",
    "since last Friday": "2023-07-07..",
    "from 2021 onwards": "2021-01-01..",
    "before June 2023": "..2023-06-01",
    "Did we meet before June?": "..2023-06-01",
    "after 2023-05-08": "2023-05-09..",
    "until yesterday": "..2023-07-12",
    "between 3 May and 10 May 2023": "2023-05-03..2023-05-11",
    "between 3 and 10 May 2023": "2023-05-03..2023-05-11",
    "from May 3 to 10": "2023-05-03..2023-05-11",
    "from March to May": "2023-03-01..2023-06-01",
    "from November to February": "2022-11-01..2023-03-01",
    "from March to now": "2023-03-01..2023-07-13",
    "between 2020 and 2022": "2020-01-01..2023-01-01",
    "in 2020-2022": "2020-01-01..2023-01-01",
    "in May and June": "2023-05-01..2023-07-01",
    # Chinese
    "今天做了什么": "2023-07-12..2023-07-13",
    "昨天下午我和谁聊天": "2023-07-11..2023-07-12",
    "前天的会议": "2023-07-10..2023-07-11",
    "明天有什么安排": "2023-07-13..2023-07-14",
    "三天前": "2023-07-09..2023-07-10",
    "两年前": "2021-01-01..2022-01-01",
    "十二个月前": "2022-07-01..2022-08-01",
    "半年前": "2023-01-01..2023-02-01",
    "上周": "2023-07-03..2023-07-10",
    "上周五": "2023-07-07..2023-07-08",
    "这周末": "2023-07-15..2023-07-17",
    "下个月": "2023-08-01..2023-09-01",
    "上個月": "2023-06-01..2023-07-01",
    "本月": "2023-07-01..2023-08-01",
    "这个月花了多少钱": "2023-07-01..2023-08-01",
    "上个季度": "2023-04-01..2023-07-01",
    "去年": "2022-01-01..2023-01-01",
    "今年": "2023-01-01..2024-01-01",
    "前年": "2021-01-01..2022-01-01",
    "去年五月": "2022-05-01..2022-06-01",
    "今年三月以来的报告": "2023-03-01..",
    "4月23日到5月2日之间的对话": "2023-04-23..2023-05-03",
    "去年夏天": "2022-06-01..2022-09-01",
    "上个月5号": "2023-06-05..2023-06-06",
    "2023年5月": "2023-05-01..2023-06-01",
    "二〇二二年十一月": "2022-11-01..2022-12-01",
    "2024年第三季度": "2024-07-01..2024-10-01",
    "5月8日的活动": "2023-05-08..2023-05-09",
    "五月我去了哪里": "2023-05-01..2023-06-01",
    "最近7天": "2023-07-05..2023-07-13",
    "过去三个月": "2023-04-12..2023-07-13",
    "从三月到五月": "2023-03-01..2023-06-01",
    "从去年到现在": "2022-01-01..2023-07-13",
    "5月3日到10日": "2023-05-03..2023-05-11",
    "自从五月以来": "2023-05-01..",
    "2022年之前": "..2022-01-01",
    "2023年5月8日以后": "2023-05-09..",
    # Japanese
    "昨日の会議": "2023-07-11..2023-07-12",
    "先月": "2023-06-01..2023-07-01",
    "先週の金曜日": "2023-07-07..2023-07-08",
}


@pytest.mark.parametrize(("question", "expected"), RANGES.items())
def test_a_time_phrase_becomes_a_calendar_range(question: str, expected: str) -> None:
    assert days(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "What does April like?",
        "What happened after April left?",
        "Is this a gift for May?",
        "This may be wrong. May I march?",
        "The 10 may be late",
        "Does August march on?",
        "What is model 2022 about?",
        "How do I write an essay in 2000 words?",
        "Is version 2023.1.4 newer than Python 3.12?",
        "What is CVE-2023-12-01?",
        "What time is it in Sun City?",
        "the second meeting",
        "Where is my spring jacket, and in Spring Boot?",
        "What have I been doing recently?",
        "Who are the last two speakers?",
        "Is the song “Yesterday” about 'now'?",
        "目前天气怎么样",
        "日本年糕好吃吗",
        "一周三次",
        "30岁以上年轻人喜欢什么",
        "线上周会",
        "五月天的歌",
        "最近怎么样",
        "什么时候",
    ],
)
def test_words_that_only_look_like_a_time_make_no_range(question: str) -> None:
    assert days(question) == ".."
    assert read(question).when == ""


@pytest.mark.parametrize(
    ("question", "when"),
    [
        ("What did she say in May 2023 about tea?", "in May 2023"),
        ("What changed since last Friday?", "since last Friday"),
        ("Compare from March to May, please", "from March to May"),
        ("2022年之前的报告", "2022年之前"),
        ("我们从三月到五月做了什么", "从三月到五月"),
    ],
)
def test_the_words_of_the_time_are_kept_and_are_no_topic(question: str, when: str) -> None:
    call = read(question)
    assert call.when == when
    assert not {"May", "2023", "Friday", "March", "2022", "三月"} & set(call.topics)


def test_days_begin_where_the_user_lives() -> None:
    call = read_question("What did I do today?", now=NOW, zone=ZoneInfo("Asia/Shanghai"))
    assert (short(call.after), short(call.before)) == ("2023-07-11T16:00:00Z", "2023-07-12T16:00:00Z")


def test_a_day_with_a_clock_change_has_23_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    call = read_question("on 26 March 2023", now=NOW, zone=zone)
    assert call.after is not None and call.before is not None
    assert call.before - call.after == 23 * 3_600_000


def test_a_whole_question_in_chinese() -> None:
    call = read("帮我总结一下上个月关于“气候政策”的所有会议纪要")
    assert call.intent == "summarize"
    assert call.topics == ("气候政策",)
    assert call.types == ("document",)
    assert (call.when, short(call.after), short(call.before)) == ("上个月", "2023-06-01", "2023-07-01")


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("Where does Caroline live?", "recall"),
        ("Which city does she live in?", "recall"),
        ("What does she do?", "recall"),
        ("What was his status?", "recall"),
        ("他住在哪里", "recall"),
        ("Which books has Melanie read?", "list"),
        ("What outdoor activities does she like?", "list"),
        ("What are all the cities I visited?", "list"),
        ("list my appointments", "list"),
        ("Show me all notes on llama.cpp", "list"),
        ("列出我的爱好", "list"),
        ("我们有哪些计划", "list"),
        ("所有关于旅行的记录", "list"),
        ("Summarise the meeting", "summarize"),
        ("Give me an overview of the project", "summarize"),
        ("tl;dr of the minutes", "summarize"),
        ("概括这份报告", "summarize"),
    ],
)
def test_the_intent(question: str, intent: str) -> None:
    assert read(question).intent == intent


@pytest.mark.parametrize(
    ("question", "topics"),
    [
        ("What is the capital of France?", ("capital", "France")),
        (
            "What did Caroline's sister say about the support group?",
            ("Caroline", "sister", "support", "group"),
        ),
        ('What did he say about "Blue Moon" and 《红楼梦》?', ("Blue Moon", "红楼梦")),
        ("tea, Tea and TEA", ("tea",)),
        ("我喜欢喝什么茶？", ("喝", "茶")),
        ("我们的气候政策是什么", ("气候政策",)),
        ("先月の会議", ("会議",)),
        ("4月23日到5月2日之间有哪些对话", ("对话",)),
        ("", ()),
        ("???", ()),
    ],
)
def test_topics_are_the_content_words_and_whole_quotes(question: str, topics: tuple[str, ...]) -> None:
    assert read(question).topics == topics


@pytest.mark.parametrize(
    ("question", "types"),
    [
        ("What does April like?", ("preference",)),
        ("我喜欢喝什么茶？", ("preference",)),
        ("What is it like to live in Paris?", ()),
        ("What does it look like?", ()),
        ("How do I install llama.cpp?", ("skill", "instruction")),
        ("How do you feel?", ()),
        ("What has she told him?", ("dialogue",)),
        ("Tell me where the key is", ()),
        ("When is the meeting?", ("event",)),
        ("Where are the meeting minutes?", ("event", "document")),
        ("What happened 30 minutes ago?", ()),
        ("会议纪要在哪里", ("document",)),
    ],
)
def test_types_are_found_by_clear_cues_only(question: str, types: tuple[str, ...]) -> None:
    assert read(question).types == types


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-05-08", "2023-05-08"),
        ("2023-05", "2023-05-01"),
        ("2023", "2023-01-01"),
        ("2023-05-08T14:30", "2023-05-08T14:30:00Z"),
        ("2023-05-08T14:30+02:00", "2023-05-08T12:30:00Z"),
        ("30d", "2023-06-12T15:00:00Z"),
        ("2w", "2023-06-28T15:00:00Z"),
        ("12h", "2023-07-12T03:00:00Z"),
        ("+1d", "2023-07-13T15:00:00Z"),
        ("1mo", "2023-06-12T15:00:00Z"),
        ("in 3 days", "2023-07-15T15:00:00Z"),
        ("now", "2023-07-12T15:00:00Z"),
        ("2 hours ago", "2023-07-12T13:00:00Z"),
        ("Yesterday", "2023-07-11"),
        ("last monday", "2023-07-10"),
        ("monday", "2023-07-10"),
        ("May", "2023-05-01"),
        ("三天前", "2023-07-09"),
        ("昨天", "2023-07-11"),
        ("2023年5月8日", "2023-05-08"),
        ("yesterday at 3pm", "2023-07-11T15:00:00Z"),
    ],
)
def test_an_option_names_a_moment(text: str, expected: str) -> None:
    assert short(parse_when(text, now=NOW)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", "2023-08-11T15:00:00Z"),
        ("-1d", "2023-07-11T15:00:00Z"),
        ("1y", "2024-07-12T15:00:00Z"),
        ("monday", "2023-07-17"),
        ("May", "2024-05-01"),
        ("明年", "2024-01-01"),
    ],
)
def test_an_option_may_look_ahead(text: str, expected: str) -> None:
    assert short(parse_when(text, now=NOW, future=True)) == expected


def test_a_time_without_a_zone_is_the_users() -> None:
    zone = timezone(timedelta(hours=8))
    assert short(parse_when("2023-05-08", now=NOW, zone=zone)) == "2023-05-07T16:00:00Z"
    assert short(parse_when("2023-05-08T00:00Z", now=NOW, zone=zone)) == "2023-05-08"


@pytest.mark.parametrize("text", ["", "soon", "7", "2023-02-30", "999999y", "no such time", "?", "\x00"])
def test_an_unreadable_option_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_when(text, now=NOW)
    assert "2023-05-08" in refusal.value.hint


def test_a_range_on_its_own() -> None:
    assert parse_range("no time", now=NOW) is None
    assert parse_range("in 1970", now=NOW) == (0, 31_536_000_000)
    assert parse_range("since 1970", now=NOW) == (0, None)


def test_a_time_outside_every_calendar_makes_no_range() -> None:
    assert days("9999 years ago") == ".."
    assert days("on 30 February") == ".."


def test_dateparser_is_not_imported_for_ordinary_questions() -> None:
    code = (
        "import sys; from memos_cli.interface.ask.question_parser import read_question as r\n"
        f"for q in ('Who came last month?', 'in May 2023', '上个月', 'tea'): r(q, now={NOW})\n"
        "sys.exit('dateparser' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ENGLISH = (
    "in may May 31 30 2023 since between and to last monday ago days the 9999 years Q3 2023-02-30 feb 29"
)
CHINESE = "上 个 月 年 前 周五 从 到 五 十 的 二〇二三年 号 之前 去年 夏天"
WORDS = [*ENGLISH.split(), *CHINESE.split(), *'-/"“”0\n', "next", "of", "from", "now"]
PIECES = st.lists(st.sampled_from(WORDS), max_size=12)


@given(st.one_of(st.text(), PIECES.map(" ".join), PIECES.map("".join)), st.integers(0, 2**43))
def test_any_text_makes_a_call_and_always_the_same(question: str, now: int) -> None:
    call = read_question(question, now=now, zone=ZoneInfo("America/New_York"))
    assert call == read_question(question, now=now, zone=ZoneInfo("America/New_York"))
    assert call.after is None or call.before is None or call.after < call.before
    assert call.when in question
    assert (call.when == "") == (call.after is None and call.before is None)
    assert call.intent in ("recall", "summarize", "list")


@pytest.mark.parametrize(
    "question", ["2026年10月的会议通过了什么?", "上个月的会议通过了什么?", "昨天的会议通过了什么?"]
)
def test_the_particle_after_a_time_is_no_part_of_a_topic(question: str) -> None:
    assert read_question(question, now=1_795_000_000_000).topics == ("会议通过",)
