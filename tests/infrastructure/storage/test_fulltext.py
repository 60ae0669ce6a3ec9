"""Words for full-text search, against a real FTS5 table without content of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.infrastructure.storage import schema
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.storage.fulltext import (
    STOP_WORDS,
    TOKENIZER,
    fts_query,
    index_text,
    query_terms,
)

OPERATORS = [*"*\"'^:{}()-+\x00", "AND", "OR", "NOT", "NEAR(", "a", "字"]


def table(texts: Iterable[str]) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.execute(f"create virtual table t using fts5(x, content='', tokenize=\"{TOKENIZER}\")")
    db.executemany("insert into t(x) values (?)", [(index_text(text),) for text in texts])
    return db


def found(query: str, *texts: str) -> list[str]:
    db = table(texts)
    rows = db.execute("select rowid from t where t match ? order by rowid", [fts_query(query_terms(query))])
    result = [texts[n - 1] for (n,) in rows]
    db.close()
    return result


def words(query: str) -> list[str]:
    return [term.text for term in query_terms(query)]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("气候", "我们讨论了气候政策"),
        ("政策", "我们讨论了气候政策"),
        ("茶", "她每天喝绿茶"),
        ("茶", "茶很贵"),
        ("茶", "喝茶吗"),
        ("東京タワー", "昨日、東京タワーへ行きました"),
        ("カタカナ", "ｶﾀｶﾅで書く"),
        ("すし", "おすしを食べた"),
        ("서울", "나는 서울에서 산다"),
        ("서울에서", "서울은 크다"),
        ("ภาษา", "เรียนภาษาไทย"),
        ("हिन्दी", "मैं हिन्दी बोलता हूँ"),
        ("cafe", "the café on the corner"),
        ("CAFÉ", "the cafe on the corner"),
        ("cafe\u0301", "the café on the corner"),
        ("running", "she runs every day"),
        ("run", "running shoes"),
        ("python 3.11", "it needs Python 3.11 or later"),
        ("config.toml", "edit config.toml first"),
        ("who wrote fts_query", "fts_query joins terms"),
        ("Caroline's", "Caroline plays the violin"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("5月8日", "会议在5月8日举行"),
        ("GPT模型", "训练GPT模型"),
        ("the who", "the who"),
        ("什么", "这是什么意思"),
        ("naïve AND (NOT simple)", "a naive approach"),
        ('say "hello world"', "hello there"),
        ("party 🎉", "a party 🎉"),
    ],
)
def test_a_query_finds_its_text_and_not_another(query: str, text: str) -> None:
    assert found(query, "unrelated 无关文字 関係ない 관계없는 ไม่เกี่ยว", text) == [text]


def test_two_characters_match_only_as_neighbours() -> None:
    assert found("候政", "气候政策") == ["气候政策"]
    assert found("气策", "气候政策") == []


def test_plain_ascii_is_indexed_unchanged() -> None:
    assert index_text("Plain  text, (unchanged).") == "Plain  text, (unchanged)."


def test_an_unspaced_stretch_becomes_pairs_and_its_last_character() -> None:
    assert index_text("ab气候政策cd").split() == ["ab", "气候", "候政", "政策", "策", "cd"]
    assert index_text("字").split() == ["字"]


def test_the_index_holds_folded_text() -> None:
    assert index_text("Café Łódź") == "cafe lodz"
    assert index_text("a party🎉") == "a party🎉".replace("🎉", " u127881 ")


def test_the_tables_have_the_tokenizer_that_questions_expect() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    schema.migrate(db)
    (statement,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'words'").fetchone()
    assert TOKENIZER in statement
    db.close()


def test_stop_words_are_dropped_where_something_else_remains() -> None:
    assert words("What is the capital of France?") == ["capital", "france"]
    assert words("to be or not to be") == ["to", "be", "or", "not"]


def test_contractions_are_stop_words_too() -> None:
    assert words("Why doesn't Caroline’s dog bark?") == ["caroline", "dog", "bark"]


def test_chinese_function_words_are_dropped_where_something_else_remains() -> None:
    assert words("我们的气候政策是什么？") == ["气候", "候政", "政策"]
    assert words("这次旅行的目的是什么") == ["次旅", "旅行", "目的"]
    assert words("你是谁") == ["你是", "是谁"]


def test_japanese_particles_are_dropped_after_kanji_and_katakana() -> None:
    assert words("東京の天気は") == ["東京", "天気"]


def test_korean_particles_are_dropped_at_the_end_of_a_word() -> None:
    assert words("서울에서 학교를") == ["서울", "학교"]


IN_SHORT_RUNS = """
都柏林 也门 吗啡 都江堰 请柬 和田 的士 呢绒 吧台 与会 也许 那曲 在野 是非 他乡 很快 的黎波里 那不勒斯
呼和浩特 了望塔 斯里兰卡 乌兰巴托 安提瓜 佛得角 都灵 和歌山 也先 請柬 都靈
"""


@pytest.mark.parametrize(
    ("query", "whole"),
    [
        *((word, word) for word in IN_SHORT_RUNS.split()),
        ("去都柏林", "都柏林"),
        ("和田在哪里", "和田"),
        ("都柏林的天气怎么样", "都柏林"),
        ("的黎波里有什么好吃的", "的黎波里"),
        ("Dublin 都柏林", "都柏林"),
    ],
)
def test_function_characters_stay_in_a_word_of_a_short_run(query: str, whole: str) -> None:
    """A word that is asked for by itself, or that starts the question, keeps all its pairs."""
    wanted = {a + b for a, b in pairwise(whole)}
    assert wanted <= {*words(query)}


@pytest.mark.parametrize(
    ("query", "text", "other"),
    [
        ("都柏林", "都柏林的酒店很贵", "柏林的酒店很贵"),
        ("也门", "也门的签证", "了望塔周一关门"),
        ("吗啡", "吗啡要锁在药柜里", "我家楼下的咖啡馆"),
        ("我想知道都柏林的酒店", "都柏林的酒店", "柏林的酒店"),
        ("我住在也门", "也门的签证", "门口的钥匙"),
        ("所有权", "房子的所有权", "权力的游戏"),
    ],
)
def test_the_word_that_is_asked_for_comes_first(query: str, text: str, other: str) -> None:
    db = table([other, text])
    terms = fts_query(query_terms(query, across=True))
    rows = db.execute("select rowid from t where t match ? order by bm25(t)", [terms]).fetchall()
    assert rows[0] == (2,)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("我的猫", "猫"),
        ("他们的猫", "猫"),
        ("茶在哪里", "茶"),
        ("喝茶吗", "喝茶"),
        ("GPT的模型", "gpt 模型"),
        ("猫はどこ", "猫"),
        ("的", "的"),
    ],
)
def test_function_words_beside_each_other_cut_a_short_run(query: str, left: str) -> None:
    assert words(query) == left.split()


def test_a_lone_character_is_asked_for_as_a_prefix() -> None:
    (term,) = query_terms("茶")
    assert (term.fts, term.cjk, term.words) == ('"茶"*', True, ("茶",))


def test_a_compound_name_is_one_phrase() -> None:
    (term,) = query_terms("mail_box@example.org")
    assert (term.cjk, term.words) == (False, ("mail", "box", "example", "org"))
    assert found("2023-05-08", "on 2023-05-08 at noon", "on 2023-08-05 at noon") == ["on 2023-05-08 at noon"]


def test_duplicates_are_asked_for_once() -> None:
    assert words("tea Tea TEA 茶 茶") == ["tea", "茶"]


@pytest.mark.parametrize("query", ["", "   ", "?!", "· – ₽", '"', "* ^ : ( )", "\x00"])
def test_a_query_without_words_finds_nothing(query: str) -> None:
    assert query_terms(query) == []
    assert found(query, "some text 🎉") == []


def test_stop_words_are_lower_case() -> None:
    assert all(word == word.lower() for word in STOP_WORDS)
    assert {"the", "what", "don't"} <= STOP_WORDS


PIECES = st.lists(st.sampled_from(OPERATORS))


@given(st.one_of(st.text(), PIECES.map(" ".join), PIECES.map("".join)))
def test_no_query_is_a_syntax_error(query: str) -> None:
    found(query, "some text", query)


LETTERS = st.text(st.sampled_from("abcéößжबどカ漢字气候서울에ไท๏ 0123.-_'\n"), min_size=1)


@given(LETTERS)
def test_every_text_with_a_word_is_found_by_itself(text: str) -> None:
    if query_terms(text):
        assert found(text, text) == [text]


@given(st.text())
def test_every_term_is_whole_and_distinct(query: str) -> None:
    terms = query_terms(query)
    assert len({term.fts for term in terms}) == len(terms)
    assert all(term.text and term.words for term in terms)
