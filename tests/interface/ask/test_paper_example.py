"""The example of the MemOS paper: all minutes of last month on climate policy, and nothing else."""

from __future__ import annotations

import pytest
from cli_harness import Shell, with_models

ASKED = "帮我总结一下上个月关于“气候政策”的所有会议纪要"
MINUTES = {
    "2026-03-11": ("气候政策会议纪要", "会议讨论了气候政策的年度目标。同意四月前提交碳排放清单。"),
    "2026-04-08": ("预算会议纪要", "会议讨论了下一季度的预算。差旅费减少百分之十。"),
    "2026-04-15": ("气候政策会议纪要", "会议通过了气候政策草案的第一部分。王芳负责公开征求意见。"),
    "2026-05-06": ("气候政策会议纪要", "会议讨论了碳税。李雷反对气候政策中的税率，建议推迟到明年。"),
    "2026-05-13": ("人事会议纪要", "会议讨论了招聘。两名工程师将于七月入职。"),
    "2026-05-20": ("气候政策会议纪要", "会议决定在气候政策中加入建筑节能标准。韩梅梅起草条文。"),
    "2026-05-21": ("Product meeting", "We talked about the release of the reader. The launch moves to July."),
    "2026-05-27": ("气候政策工作组会议纪要", "工作组汇报了公众意见:八成支持气候政策。下次会议定在六月十日。"),
    "2026-06-03": ("气候政策会议纪要", "会议讨论了气候政策的实施细则。九月开始试点。"),
}
WANTED = {"2026-05-06", "2026-05-20", "2026-05-27", "2026-05-07", "2026-05-28"}
"""In both languages: the embedder reads them."""
ENGLISH = {
    "2026-04-16": ("Climate policy: minutes", "The climate policy draft passed. Ann asks for comments."),
    "2026-05-07": ("Climate policy: minutes", "We discussed the carbon tax. Bob is against the rate."),
    "2026-05-14": ("Hiring: minutes", "Two engineers start in July. Ann writes the advertisement."),
    "2026-05-28": (
        "Climate policy: minutes",
        "The working group reported: most comments support the policy.",
    ),
    "2026-06-04": ("Climate policy: minutes", "We discussed how to put the climate policy into practice."),
}


@pytest.fixture
def minutes(memos: Shell) -> Shell:
    for day, (title, text) in (MINUTES | ENGLISH).items():
        head = f"---\ntitle: {title}\ndate: {day}\n---\n"
        memos.write(f"minutes/{day}.md", f"{head}\n# {title}\n\n{text}\n")
    memos("ingest", "minutes", "--type", "document")
    return memos


def days(shell: Shell, question: str) -> list[str]:
    plan = shell("query", question, "--explain", "--json", "--now", "2026-06-15").record["plan"]
    times = {each["id"]: each["time"][:10] for each in shell("list", "--json").records}
    return sorted(times[item["id"]] for item in plan["chosen"])


@with_models
def test_all_minutes_of_last_month_on_the_topic_and_no_others(minutes: Shell) -> None:
    assert set(days(minutes, ASKED)) == WANTED


@with_models
def test_in_english_too(minutes: Shell) -> None:
    asked = 'Summarize all meeting minutes on "climate policy" of last month.'
    assert set(days(minutes, asked)) == WANTED
    decided = days(minutes, "What did we decide last month about climate policy?")
    assert "2026-05-07" in decided
    assert all(day.startswith("2026-05") for day in decided)


@with_models
@pytest.mark.parametrize(
    "asked",
    [
        "总结一下上个月关于气候政策的会议纪要",
        "上个月有哪些关于气候政策的会议?",
        "列出上个月所有气候政策会议纪要",
    ],
)
def test_without_quotation_marks(minutes: Shell, asked: str) -> None:
    assert set(days(minutes, asked)) == WANTED


@with_models
@pytest.mark.parametrize(
    "asked",
    [
        "Summarize last month's meeting minutes on climate policy.",
        "List all minutes about climate policy in May.",
    ],
)
def test_in_english_without(minutes: Shell, asked: str) -> None:
    assert set(days(minutes, asked)) == WANTED
