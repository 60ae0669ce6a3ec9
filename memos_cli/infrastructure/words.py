"""Words for full-text search: what is put into the index, and what is asked of it. No I/O.

The FTS5 table's tokenizer (``porter unicode61 remove_diacritics 2``) folds case and accents and stems
English, but takes a stretch of Chinese, Japanese, Korean or Thai for one word. So such stretches are
written into the index as overlapping pairs of characters, and asked for in the same way: any two
neighbouring characters of a text find it, wherever its words begin. The last character of a stretch
stands alone as well, so that every character begins some token and a prefix query finds it.

The index sees NFKC text (full-width letters and ligatures become plain ones). Emoji are separators to
the tokenizer and cannot be found by full text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from memos_cli.cube import utc

_ENGLISH = """
a about above after again against all also am an and any anybody anyone anything are aren't as at be
because been before being below between both but by can can't cannot could couldn't did didn't do does
doesn't doing don't down during each ever every few for from further get give got had hadn't has hasn't
have haven't having he he'd he'll he's her here here's hers herself him himself his how how's i i'd i'll
i'm i've if in into is isn't it it's its itself just let's me more most mustn't my myself no nor not of
off on once only or other ought our ours ourselves out over own please same shall shan't she she'd she'll
she's should shouldn't so some somebody someone something such tell than that that's the their theirs
them themselves then there there's these they they'd they'll they're they've this those through to too
under until up upon us very was wasn't we we'd we'll we're we've were weren't what what's when when's
where where's which while who who's whom whose why why's will with won't would wouldn't you you'd you'll
you're you've your yours yourself yourselves
d ll m re s t ve
"""
STOP_WORDS: frozenset[str] = frozenset(_ENGLISH.split())
"""English words that carry no topic. Asking for them costs seconds on a large index and finds nothing."""

# Scripts written without spaces, and Hangul, whose particles stick to the word before them.
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf"  # Thai, Lao
    "\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17d7\u17dc\u17dd"  # Burmese, Khmer
    "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"  # Hangul
    # Han
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    # kana, bopomofo
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3105-\u312f\u31a0-\u31bf"
)
# Vowel signs and tone marks belong to the letter before them.
_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    "\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d"
    "\u17b4-\u17d3\u17dd"
)
_RUN = re.compile(f"[{_UNSPACED}]+")
_MARK = re.compile(f"[{_MARKS}]")
_LETTER = re.compile(f"[^{_MARKS}][{_MARKS}]*|[{_MARKS}]+")

# Letters and digits, with the combining marks that Python's \w leaves out (accents, Hebrew, Arabic, Indic).
_COMBINING = r"\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0d7f\u0f35-\u0fbc"
_WORD_CHARACTER = rf"(?:[^\W_]|[{_COMBINING}])"
# A name such as config.toml, snake_case or a@b.org, and a number such as 3.11 or 2023-05-08, is one phrase.
_WORD = re.compile(rf"{_WORD_CHARACTER}+(?:(?:['’._@]|(?<=\d)[-:/](?=\d)){_WORD_CHARACTER}+)*")
_CONTRACTION = re.compile(r"['’](?:s|d|m|t|ll|re|ve)$", re.IGNORECASE)
_SEPARATOR = re.compile(r"['’._@:/-]")

# Group 1: words that hold a function character and mean something; the rest: function words, longest first.
_FUNCTION_WORDS = re.compile(
    "(目的|的确|标的|了解|现在|存在|正在|所在|在线|实在|内在|潜在|和平|和谐|共和|饱和|温和|和解|缓和|和服|平和|昭和|和食"
    "|参与|首都|成都|都市|京都|东京都|東京都|请求|申请|邀请|请假|请客|申請|自我|吉他|他人|是非|联系我们)"
    "|为什么|為什麼|怎么样|怎麼樣|有没有|有沒有|是不是|告诉我|告訴我|什么时候|什麼時候"
    "|叫什么名字|叫什麼名字|什么名字|什麼名字|叫什么|叫什麼|什么|什麼|怎么|怎麼|怎样|如何|为何|哪些|哪个|哪里|哪儿|多少|是否|请问|請問|帮我|幫我|帮忙|一下|关于|關於|对于|對於"
    "|以及|还是|还有|就是|但是|因为|所以|如果|虽然|我们|我們|你们|你們|他们|他們|她们|它们|咱们|这个|這個|那个|那個|这些|這些|那些"
    "|所有|一些|可以|其他|[的了吗嗎呢吧呀是我你您他她它谁誰很也在和与與都请請这這那]"
    "|ください|について|とは|でした|ました|ません|です|ます|している|していた|している|という|どこ|いつ|なに|なぜ|どの|何"
    "|(?<=[一-鿿々ァ-ヶー])(?:から|まで|[のはがをにでともへや])"
    "|を"
)
_KOREAN_PARTICLE = re.compile(
    "(?<=[가-힣][가-힣])(?:에서|에게|으로|까지|부터|하고|이랑|[은는이가을를의에도와과로])$"
)
# Characters that mean little when they are all that is left between two function words.
_EMPTY_ALONE = frozenset(
    "去到有不就还個个上下中里为為从從向让又再才会會要能可把被给給对對等啊着過过得地之其"
    "のにではがともへやかだた"
)
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to look for: a word, a phrase, or one or two characters of an unspaced script."""

    text: str
    """As asked, in NFKC and lower case."""
    fts: str
    """The FTS5 expression that finds it: one quoted string, with a ``*`` where it is a prefix."""
    cjk: bool
    """Whether it is a piece of an unspaced script rather than a word."""
    words: tuple[str, ...]
    """The words of the phrase, before stemming; one word, mostly."""


def index_text(text: str) -> str:
    """The text to put into the full-text table for ``text``; plain ASCII comes back as it is."""
    if text.isascii():
        return text
    return _RUN.sub(_spaced_pairs, unicodedata.normalize("NFKC", text))


def word_row(title: str, author: str, time: int | None, text: str) -> tuple[str, str]:
    """What the full-text table holds of a cube: (head, body). The head names title, speaker and day."""
    head = [title, author]
    if time is not None:
        head.append(_day(time))
    return index_text(" ".join(filter(None, head))), index_text(text)


def query_terms(text: str) -> list[Term]:
    """What to look for when somebody asks for ``text``, in order and without duplicates.

    Stop words and function words are left out, unless the text holds nothing else. Text without a
    letter or digit gives no terms.
    """
    normal = unicodedata.normalize("NFKC", text)
    return _distinct(_terms(normal, keep_all=False)) or _distinct(_terms(normal, keep_all=True))


def fts_query(terms: Sequence[Term]) -> str:
    """The FTS5 expression that finds any of ``terms``; of no terms, one that finds nothing."""
    return " OR ".join(term.fts for term in terms) or '""'


def script_of(text: str) -> str:
    """The script of most letters of a text: ``latin``, ``cyrillic``, ``wide`` (Chinese, Japanese, Korean)
    and so on, as Unicode names it; "" where there is no letter."""
    counts = Counter(_script(letter) for letter in text[:400] if letter.isalpha())
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    name = "wide" if _RUN.match(letter) else unicodedata.name(letter, "").partition(" ")[0].lower()
    return "wide" if name in ("cjk", "hiragana", "katakana", "hangul") else name


def content_words(text: str) -> list[str]:
    """The words of ``text`` that carry its topic, as written and in order, without duplicates.

    Unspaced scripts are cut at their function words only: of 我们的气候政策 remains 气候政策.
    """
    normal = unicodedata.normalize("NFKC", text)
    found: list[str] = []
    end = 0
    for run in [*_RUN.finditer(normal), None]:
        for match in _WORD.finditer(normal, end, run.start() if run else len(normal)):
            word = _CONTRACTION.sub("", match[0])
            if not {match[0].lower().replace("’", "'"), word.lower()} & STOP_WORDS:
                found.append(word)
        if run:
            pieces = _without_function_words(run[0])
            found += [piece for piece in pieces if piece not in _EMPTY_ALONE]
            end = run.end()
    return list({word.lower(): word for word in reversed(found)}.values())[::-1]


def _day(time: int) -> str:
    day = utc(time)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"  # not strftime: its names follow the locale


def _spaced_pairs(run: re.Match[str]) -> str:
    letters = _letters(run[0])
    pairs = [first + second for first, second in pairwise(letters)]
    return f" {' '.join(pairs)} {letters[-1]} "


def _letters(run: str) -> Sequence[str]:
    return _LETTER.findall(run) if _MARK.search(run) else run


def _distinct(terms: Iterator[Term]) -> list[Term]:
    return list({term.fts: term for term in terms}.values())


def _terms(text: str, *, keep_all: bool) -> Iterator[Term]:
    end = 0
    for run in _RUN.finditer(text):
        yield from _word_terms(text[end : run.start()], keep_all=keep_all)
        yield from _pair_terms(run[0], keep_all=keep_all)
        end = run.end()
    yield from _word_terms(text[end:], keep_all=keep_all)


def _word_terms(text: str, *, keep_all: bool) -> Iterator[Term]:
    for match in _WORD.finditer(text):
        word = match[0].lower().replace("’", "'")
        stem = _CONTRACTION.sub("", word)
        if keep_all or (word not in STOP_WORDS and stem not in STOP_WORDS):
            yield Term(stem, f'"{stem}"', False, tuple(filter(None, _SEPARATOR.split(stem))))


def _pair_terms(run: str, *, keep_all: bool) -> Iterator[Term]:
    pieces = [run] if keep_all else _without_function_words(run)
    for piece in pieces:
        letters = _letters(piece)
        if len(letters) == 1:
            if keep_all or piece not in _EMPTY_ALONE:
                yield Term(piece, f'"{piece}"*', True, (piece,))
            continue
        for first, second in pairwise(letters):
            yield Term(first + second, f'"{first}{second}"', True, (first + second,))


def _without_function_words(run: str) -> list[str]:
    kept = _FUNCTION_WORDS.sub(lambda match: match[1] or " ", run)
    return [_KOREAN_PARTICLE.sub("", piece) for piece in kept.split()]
