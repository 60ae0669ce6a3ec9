"""MemReader: parse a question into a search of memory. Pure, and without a model.

Rules over words, so that the same question always becomes the same call, in well under a millisecond. The
result guides a search (a time range restricts it, types and topics only rank); a question that no rule
matches is still searched by its words and its meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, tzinfo

from memos_cli.cube import MemoryCall
from memos_cli.infrastructure.storage.fulltext import content_words
from memos_cli.interface.time.event_phrases import Anchor, read_anchor
from memos_cli.interface.time.times import TimeRange, find_range

_QUOTED = re.compile(
    r"“([^“”]{1,200})”|\"([^\"\n]{1,200})\"|「([^「」]{1,200})」|『([^『』]{1,200})』|《([^《》]{1,200})》"
)
_BLANK = "\ufffc"  # neither a letter nor a space: replaces text that was parsed already

_SUMMARIZE = re.compile(
    r"\bsummar(?:y|ies|i[sz](?:e|ed|es|ing))\b|\boverview\b|\brecap\b|\bsum up\b|\btl;?dr\b"
    r"|总结|總結|概括|概述|摘要|综述|小结|归纳|梳理|要約|まとめ",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"^\s{0,9}(?:please )?(?:list|enumerate)\b|\b(?:list|show|give|tell|find|get|name) (?:me |us )?"
    r"(?:all|every|everything|the list|a list)\b"
    r"|\b(?:what|which) (?:are|were) all\b|\ball (?:of )?(?:the|my|our|his|her|their) \w+"
    # "Which books did she read": a plural after which; not "what is his status", "what does".
    r"|\b(?:which|what) (?:\w{1,30} )?(?!(?:does|was|has|is)\b)\w{2,30}(?<![sui])s"
    r" (?:are|were|do|does|did|have|has|had|can|could|should|would|will)\b"
    r"|列出|列举|列舉|列一下|哪些|所有|全部|一覧|すべて|全て",
    re.IGNORECASE,
)

# What kind of memory the question is about, by clear cues only.
_TYPES = (
    (
        re.compile(
            r"\bprefer(?:s|red|ences?)?\b|\bfavou?rites?\b|\b(?:dis)?likes\b|\b(?:enjoys?|loves?|hates?|dislike)\b"
            r"|\b(?:do|does|did)\s(?:\w{1,30}\s){1,4}(?<!look )(?<!feel )(?<!sound )(?<!seem )like\b"
            r"|喜欢|喜歡|偏好|最爱|爱吃|爱喝|讨厌|好き|嫌い",
            re.IGNORECASE,
        ),
        ("preference",),
    ),
    (
        re.compile(
            r"\bhow to\b|\bhow (?:do|can|should|could|would) (?:i|we|one)\b"
            r"|怎么(?:做|用|装|写|办|弄|安装|配置|设置|使用)|如何|怎样|やり方",
            re.IGNORECASE,
        ),
        ("skill", "instruction"),
    ),
    (
        re.compile(
            r"\b(?:said|told|talk(?:ed|ing)? (?:to|with|about)|mention(?:ed)?|chat(?:ted|s)?)\b"
            r"|\b(?:conversations?|dialogues?)\b"
            r"|聊|说过|說過|提到|提过|谈到|谈过|对话|對話|告诉过|話し|言った",
            re.IGNORECASE,
        ),
        ("dialogue",),
    ),
    (
        re.compile(
            r"\b(?:meetings?|events?|appointments?|conferences?|weddings?|part(?:y|ies))\b"
            r"|会议(?!纪要|记录)|會議(?!紀要|記錄)|活动|聚会|约会|婚礼|開会|会議(?!録|の議事録)",
            re.IGNORECASE,
        ),
        ("event",),
    ),
    (
        re.compile(
            r"\b(?:documents?|docs|files?|reports?|papers?|articles?|pdfs?|slides)\b"
            r"|\b(?:meeting|the) minutes\b|\bminutes of\b"
            r"|文档|文件|纪要|報告|报告|论文|文章|会议记录|资料|議事録|資料",
            re.IGNORECASE,
        ),
        ("document",),
    ),
)

# Words of the request itself, and vague times: no topics.
_REQUEST = """
list show find enumerate summarize summarise summary summaries overview recap tldr sum name remember all
everything anything recall know many much long often happen happened happens time recently lately currently
ago now today say says said told mentioned talk talked talking mention topic topics subject subjects discuss
discussed conversation lot chat chatted like kind kinds sort sorts type types
way else
"""
_REQUEST_WORDS = frozenset(_REQUEST.split())
_CJK_REQUEST_WORDS = re.compile(
    "总结|總結|概括|概述|归纳|梳理|列出|列举|列舉|列一下|列表|找出|找到|查找|说说|记得|還記得|还记得|知道|最近|近来|全部"
    "|的时候|时候|有哪些|之间|之間|期间|期間|说[了过]|喜欢|喜歡|教えて|要約して|要約|まとめて|まとめ|すべて|全て"
    f"|话题|聊了很多|聊了|聊|讨论了|谈了|(?<={_BLANK})[的のはがをにで]"
)


# Nouns for a kind of memory. If the question asks for all of a kind, they are no topics.
_KIND_NOUNS = re.compile(
    r"^(?:meetings?|minutes|notes?|documents?|docs|files?|reports?|records?|entries)$"
    r"|会议(?:纪要|记录)|會議(?:紀要|記錄)|纪要|紀要|笔记|筆記|文档|文件|議事録|資料",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event that a question names instead of a time."""

    anchor: Anchor
    call: MemoryCall
    """The search for the event in memory."""
    dated: MemoryCall
    """What the question asks for once the event is dated; without its times yet."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A question, parsed. ``call`` is what it asks for if ``event`` is None or cannot be dated."""

    call: MemoryCall
    event: Event | None = None


def parse(question: str, *, now: int, zone: tzinfo = UTC) -> Parsed:
    """Parse ``question``, and the event that it names instead of a time. Never raises."""
    call = read_question(question, now=now, zone=zone)
    anchor = None if call.when else read_anchor(question)
    if anchor is None:
        return Parsed(call)
    time = TimeRange(None, None, anchor.start, anchor.end)
    dated = read_question(question, now=now, zone=zone, time=time)
    return Parsed(call, Event(anchor, read_question(anchor.event, now=now, zone=zone), dated))


def read_question(
    question: str, *, now: int, zone: tzinfo = UTC, time: TimeRange | None = None
) -> MemoryCall:
    """Parse intent, time range, topics and types of memory from ``question``. Never raises.

    ``now`` is in milliseconds; "yesterday" is a calendar day in ``zone``. A quoted phrase is one topic, and
    never a time phrase. ``time`` is the time in it, if that is known.
    """
    unquoted = _QUOTED.sub(lambda match: _BLANK * len(match[0]), question)
    time = time or find_range(unquoted, now=now, zone=zone)
    rest = (
        unquoted[: time.start] + _BLANK * (time.end - time.start) + unquoted[time.end :] if time else unquoted
    )
    intent = "summarize" if _SUMMARIZE.search(rest) else "list" if _LIST.search(rest) else "recall"
    topics = _topics(question, rest)
    if intent != "recall":
        topics = tuple(filter(None, (_KIND_NOUNS.sub("", topic) for topic in topics))) or topics
    return MemoryCall(
        question=question,
        intent=intent,
        topics=topics,
        quoted=tuple(match[match.lastindex or 0].strip() for match in _QUOTED.finditer(question)),
        types=tuple(kind for cue, kinds in _TYPES if cue.search(rest) for kind in kinds),
        after=time.after if time else None,
        before=time.before if time else None,
        when=question[time.start : time.end].strip() if time else "",
        forward=bool(time and time.forward),
    )


def _topics(question: str, rest: str) -> tuple[str, ...]:
    """Return the quoted phrases of ``question`` and the content words of ``rest`` (its quotes are blank)."""
    topics: list[str] = []
    end = 0
    for quote in [*_QUOTED.finditer(question), None]:
        between = _CJK_REQUEST_WORDS.sub(" ", rest[end : quote.start() if quote else len(rest)])
        topics += [word for word in content_words(between) if word.lower() not in _REQUEST_WORDS]
        if quote:
            topics.append((quote[quote.lastindex or 0]).strip())
            end = quote.end()
    return tuple({topic.lower(): topic for topic in reversed(topics) if topic}.values())[::-1]
