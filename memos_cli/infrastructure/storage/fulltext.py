"""Words of the full-text index and of queries to it. No I/O.

The index and queries use folded text (``letters.fold``). The FTS5 tokenizer (``TOKENIZER``) splits it into
words, marks included, and stems English; it treats a run of Chinese, Japanese, Korean or Thai as one word. So
such runs are indexed as overlapping pairs of characters, and queried in the same way: any two neighbouring
characters of a text find it, wherever its words begin. The last character of a run is also a token by itself,
so that every character begins a token and a prefix query finds it. An emoji, which the tokenizer treats as a
separator, is written as the numbers of its characters (``u127881``).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from memos_cli.letters import EMOJI, SYMBOLS, UNSPACED, UNSPACED_MARKS, fold
from memos_cli.moments import MONTHS, utc

TOKENIZER = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
"""The FTS5 tokenizer of every full-text table. ``categories``: marks are part of a word."""
NEW_WORDS = (
    # What FTS5 writes into a new table: one that is damaged here does not even open to be emptied.
    "DELETE FROM words_data",
    "INSERT INTO words_data (id, block) VALUES (1, x''), (10, zeroblob(7))",
    "INSERT OR REPLACE INTO words_config (k, v) VALUES ('version', 4)",
    "INSERT INTO words (words) VALUES ('delete-all')",
)

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

_RUN = re.compile(f"[{UNSPACED}]+")
_MARK = re.compile(f"[{UNSPACED_MARKS}]")
_LETTER = re.compile(f"[^{UNSPACED_MARKS}][{UNSPACED_MARKS}]*|[{UNSPACED_MARKS}]+")
_EMOJI = re.compile(EMOJI)
_APART = re.compile(f"[{UNSPACED}{SYMBOLS}]")
_WORD_CHARACTER = rf"(?!\d\u20e3)[^\W_{UNSPACED}{SYMBOLS}]"
_ITEM = re.compile(
    rf"(?P<emoji>{EMOJI})|(?P<run>[{UNSPACED}]+)"
    # A name such as config.toml, snake_case or a@b.org is one phrase, as is a number: 3.11, 2023-05-08
    rf"|(?P<word>(?:{_WORD_CHARACTER})+(?:(?:['’._@]|(?<=\d)[-:/](?=\d))(?:{_WORD_CHARACTER})+)*)"
)
"""The items of a text, matched in its ``_outline``."""
_CONTRACTION = re.compile(r"['’](?:s|d|m|t|ll|re|ve)$", re.IGNORECASE)
_SEPARATOR = re.compile(r"['._@:/-]")

# Function words, longest first. Group 1: not function words, but words with one of their characters;
# group 2: single characters, which may be part of a word as well.
_FUNCTION_WORDS = re.compile(
    "(目的|的确|标的|了解|现在|存在|正在|所在|在线|实在|内在|潜在|和平|和谐|共和|饱和|温和|和解|缓和|和服|平和|昭和|和食"
    "|参与|首都|成都|都市|京都|东京都|東京都|请求|申请|邀请|请假|请客|申請|自我|吉他|他人|是非|联系我们)"
    "|为什么|為什麼|怎么样|怎麼樣|有没有|有沒有|是不是|告诉我|告訴我|什么时候|什麼時候"
    "|叫什么名字|叫什麼名字|什么名字|什麼名字|叫什么|叫什麼|什么|什麼|怎么|怎麼|怎样|如何|为何|哪些|哪个|哪里|哪儿|多少|是否|请问|請問|帮我|幫我|帮忙|一下|关于|關於|对于|對於"
    "|以及|还是|还有|就是|但是|因为|所以|如果|虽然|我们|我們|你们|你們|他们|他們|她们|它们|咱们|这个|這個|那个|那個|这些|這些|那些"
    "|所有|一些|可以|其他|[吗嗎]$|([的了吗嗎呢吧呀是我你您他她它谁誰很也在和与與都请請这這那])"
    "|ください|について|とは|でした|ました|ません|です|ます|している|していた|している|という|どこ|いつ|なに|なぜ|どの|何"
    "|(?<=[一-鿿々ァ-ヶー])(?:から|まで|[のはがをにでともへや])"
    "|を"
)
_KOREAN_PARTICLE = re.compile(
    "(?<=[가-힣][가-힣])(?:에서|에게|으로|까지|부터|하고|이랑|[은는이가을를의에도와과로])$"
)
_SHORT = 4
"""Characters of a run in which a single function character is more likely part of a word: 都柏林, 和田."""
_FOLLOWING = frozenset("的了吗嗎呢吧呀很也都和与與")
"""Function characters that follow a word; with nothing before them, they are part of a word."""
# Characters that mean little when they are all that is left between two function words.
_EMPTY_ALONE = frozenset(
    "去到有不就还個个上下中里为為从從向让又再才会會要能可把被给給对對等啊着過过得地之其"
    "のにではがともへやかだた"
)


@dataclass(frozen=True, slots=True)
class Term:
    """One search term: a word, a phrase, or one or two characters of an unspaced script."""

    text: str
    """The term in the question, folded."""
    fts: str
    """The FTS5 expression that finds it: one quoted string, with a ``*`` where it is a prefix."""
    cjk: bool
    """Whether it is a piece of an unspaced script rather than a word."""
    words: tuple[str, ...]
    """The words of the phrase, before stemming; one word, mostly."""


def index_text(text: str) -> str:
    """Return the indexed form of ``text``; plain ASCII is returned unchanged."""
    if text.isascii():
        return text
    folded = fold(text)
    if folded.isascii():
        return folded
    return _RUN.sub(_spaced_pairs, _EMOJI.sub(lambda emoji: f" {_emoji_word(emoji[0])} ", folded))


def word_row(title: str, author: str, time: int | None, text: str) -> tuple[str, str]:
    """Return the full-text row of a memory: (head, body). The head has title, speaker and day."""
    head = [title, author]
    if time is not None:
        head.append(_day(time))
    return index_text(" ".join(filter(None, head))), index_text(text)


def query_terms(text: str, *, across: bool = False) -> list[Term]:
    """Return the terms to search for in a query ``text``, in order and without duplicates.

    Stop words and function words are left out, unless there are no others. With ``across``, pairs with a
    Chinese function character (的黎, of 林的黎波里) are included, because it may be part of a word; a
    text need not have them. Text without a letter, digit or emoji has no terms.
    """
    folded = fold(text)
    terms = _distinct(_terms(folded, keep_all=False)) or _distinct(_terms(folded, keep_all=True))
    return _distinct(iter([*terms, *_pairs_across(folded)])) if across and terms else terms


def fts_query(terms: Sequence[Term]) -> str:
    """Return the FTS5 expression that finds any of ``terms``; without terms, one that finds nothing."""
    return " OR ".join(term.fts for term in terms) or '""'


def script_of(text: str) -> str:
    """Return the script of most letters of a text: ``latin``, ``cyrillic``, ``wide`` (Chinese, Japanese,
    Korean) and so on, by Unicode's names; "" without letters."""
    text = text[:400]
    if text.isascii():  # a search looks at hundreds of texts
        return "latin" if any(map(str.isalpha, text)) else ""
    counts = Counter[str]()
    for letter, count in Counter(text).items():  # each letter once
        if letter.isalpha():
            counts[_script(letter)] += count
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    name = "wide" if _RUN.match(letter) else unicodedata.name(letter, "").partition(" ")[0].lower()
    return "wide" if name in ("cjk", "hiragana", "katakana", "hangul") else name


def content_words(text: str) -> list[str]:
    """Return the words of ``text`` that carry its topic, as written and in order, without duplicates.

    Unspaced scripts are cut at their function words only: of 我们的气候政策 remains 气候政策.
    """
    found: list[str] = []
    for kind, item, joined in _items(unicodedata.normalize("NFKC", text)):
        if kind == "run":
            found += [piece for piece in _without_function_words(item, joined) if piece not in _EMPTY_ALONE]
        elif kind == "word" and any(map(str.isalnum, item)):
            word = _CONTRACTION.sub("", item)
            if not {item.lower().replace("’", "'"), word.lower()} & STOP_WORDS:
                found.append(word)
    return list({word.lower(): word for word in reversed(found)}.values())[::-1]


def _day(time: int) -> str:
    day = utc(time)
    return f"{day.day} {MONTHS[day.month - 1].title()} {day.year}"  # strftime follows the locale


def _spaced_pairs(run: re.Match[str]) -> str:
    letters = _letters(run[0])
    pairs = [first + second for first, second in pairwise(letters)]
    return f" {' '.join(pairs)} {letters[-1]} "


def _letters(run: str) -> Sequence[str]:
    return _LETTER.findall(run) if _MARK.search(run) else run


def _distinct(terms: Iterator[Term]) -> list[Term]:
    return list({term.fts: term for term in terms}.values())


class _Outlines(dict[int, int | str]):
    """A table that replaces marks, and unassigned characters of Unicode, by letters: SQLite treats them as
    letters, and regular expressions have no class for them.
    """

    def __missing__(self, code: int) -> int | str:
        is_part = unicodedata.category(chr(code)) in ("Mn", "Mc", "Cn", "Co") and not _APART.match(chr(code))
        found = self[code] = "x" if is_part else code
        return found


_outlines = _Outlines()


def _items(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the words, emoji and unspaced runs of a text: (kind, text, whether it follows one directly)."""
    outline, end = text if text.isascii() else text.translate(_outlines), -1
    for match in _ITEM.finditer(outline):
        yield match.lastgroup or "", text[match.start() : match.end()], match.start() == end
        end = match.end()


def _emoji_word(emoji: str) -> str:
    """Return an emoji as a word; it ends in a digit, so that the stemmer does not shorten it."""
    return "".join(f"u{ord(character)}" for character in emoji)


def _terms(text: str, *, keep_all: bool) -> Iterator[Term]:
    for kind, item, joined in _items(text):
        if kind == "run":
            for piece in [item] if keep_all else _without_function_words(item, joined):
                yield from _pair_terms(piece, keep_all=keep_all)
        elif kind == "emoji":
            yield Term(item, f'"{_emoji_word(item)}"', False, (item,))
        else:
            stem = _CONTRACTION.sub("", item)
            if keep_all or (item not in STOP_WORDS and stem not in STOP_WORDS):
                yield Term(stem, f'"{stem}"', False, tuple(filter(None, _SEPARATOR.split(stem))))


def _pair_terms(piece: str, *, keep_all: bool) -> Iterator[Term]:
    letters = _letters(piece)
    if len(letters) > 1:
        yield from (_pair(first, second) for first, second in pairwise(letters))
    elif keep_all or piece not in _EMPTY_ALONE:
        yield Term(piece, f'"{piece}"*', True, (piece,))


def _pair(first: str, second: str) -> Term:
    return Term(first + second, f'"{first}{second}"', True, (first + second,))


def _pairs_across(text: str) -> Iterator[Term]:
    """Yield the pairs of a function character and its neighbours, if it cuts a run."""
    for kind, run, joined in _items(text):
        for start, end, is_word in _cuts(run, joined) if kind == "run" else ():
            for at in () if is_word and len(run) > _SHORT else (start - 1, end - 1):
                if 0 <= at < len(run) - 1:
                    yield _pair(run[at], run[at + 1])


def _without_function_words(run: str, joined: bool) -> list[str]:
    pieces, at = [], 0
    for start, end, _ in [*_cuts(run, joined), (len(run), len(run), True)]:
        pieces.append(run[at:start])
        at = end
    return [_KOREAN_PARTICLE.sub("", piece) for piece in pieces if piece]


def _cuts(run: str, joined: bool) -> list[tuple[int, int, bool]]:
    """Return the function words that cut a run: (start, end, whether it has several characters)."""
    found: list[tuple[int, int, bool]] = []
    for match in _FUNCTION_WORDS.finditer(run):
        start, end, is_word = *match.span(), match[2] is None
        if match[1]:
            continue
        if found and found[-1][1] == start:
            start, is_word = found[-1][0], found[-1][2] or is_word
            found.pop()
        found.append((start, end, is_word))
    return [cut for cut in found if cut[2] or cut[1] - cut[0] > 1 or _cuts_alone(run, cut[0], joined)]


def _cuts_alone(run: str, at: int, joined: bool) -> bool:
    """Return whether a function character is a word by itself, without a function word next to it.

    ``joined``: another word is right before the run ("GPT的模型").
    """
    if at == 0 and (joined or len(run) == 1):
        return True
    return len(run) > _SHORT and not (at == 0 and run[0] in _FOLLOWING)
