"""Variants of a letter match, different letters do not, in the full-text index and in questions."""

from __future__ import annotations

import re
import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos_cli.infrastructure.storage.fulltext import (
    TOKENIZER,
    content_words,
    fts_query,
    index_text,
    query_terms,
)
from memos_cli.letters import fold, nfc


def finds(query: str, text: str) -> bool:
    """Whether ``text`` has all that is asked for."""
    db = sqlite3.connect(":memory:")
    db.execute(f'create virtual table t using fts5(x, content="", tokenize="{TOKENIZER}")')
    db.execute("insert into t(x) values (?)", [index_text(text)])
    terms = query_terms(query)
    held = [db.execute("select 1 from t where t match ?", [fts_query([term])]).fetchone() for term in terms]
    db.close()
    return bool(held) and all(held)


ONE = {
    "case": (
        "GROSS groß | GROẞ gross | ΣΙΣΥΦΟΣ Σίσυφος | οδος ὁδός| İstanbul istanbul | ISPARTA ısparta | ЙОД йод"
    ),
    "accents": (
        "cafe café | da-nang Đà-Nẵng | Nunez Núñez | zurich Zürich| αθηνα Αθήνα | ωδη ᾠδή | стоит сто́ит"
    ),
    "letters with a stroke": (
        "Lodz Łódź | smorrebrod smørrebrød | Hafoss Háfoss| hal Ħal | bangis ɓangis | Tromso Tromsø"
    ),
    "two letters in one": (
        "Aero Ærø | oeuvre œuvre | strasse Straße | Thordur Þórður| find ﬁnd | ffi ﬃ | ijs ĳs | njega ǌega"
    ),
    "Nordic and Turkish": ("Reydarfjordur Reyðarfjörður | diyarbakir Diyarbakır| enare eŋare"),
    "Cyrillic": "елка ёлка | ЁЛКА елка | еще ещё",
    "Hebrew points": 'שלום שָׁלוֹם | ישראל יִשְׂרָאֵל | צה"ל צה״ל',
    "Arabic": (
        "مدرسة مَدْرَسَةٌ | مدرسه مدرسة | الاسكندرية الإسكندرية | كتاب كتـــاب"
        "| احمد أحمد | القران القرآن | على علي | لا ﻻ"
    ),
    "Persian and Urdu": (
        "کتاب كتاب | فارسی فارسي | می\u200cخواهم میخواهم| ۱۴۰۳ 1403 | پاکستان پاكستان | ہم هم"
    ),
    "width": (
        "full ｆｕｌｌ | ガギグ ｶﾞｷﾞｸﾞ | カタカナ ｶﾀｶﾅ| 2026 ２０２６ | ２０２６ 2026 | 한국 ᄒ\u1161ᆫᄀ\u116eᆨ"
    ),
    "decomposed": (
        "café cafe\u0301 | が か\u3099 | プール フ\u309aール | 서울 서울"
        "| Đà-Nẵng Đà-Nẵng | й и\u0306 | हिन्दी हिन्दी"
    ),
    "what shows nothing": (
        "hyphen hy\u00adphen | zero ze\u200bro | word wo\u2060rd| क्ष क्\u200dष | ශ්‍රී ශ්රී | mark \ufeffmark"
    ),
    "apostrophes": ("o'brien O’Brien | l'été l’été | п'ять пʼять| okina's okina‘s | dou't dou´t"),
    "one sign, two codes": ("क़लम क\u093cलम | അവന് അവൻ | ഹൃത് ഹൃത്| ཀྲ ཀ\u0fb2 | न\u0929 नऩ | উৎসব উত্\u200dসব"),
    "signs beside": "500 500₽ | 5 ₿5 | word ‹word› | note ⹀note⹀",
    "digits": "٢٠٢٦ 2026 | २०२६ 2026 | ๒๕๖๙ 2569 | 10 １０",
}
OTHER = {
    "Devanagari": (
        "काला केला | कोला केला | किला केला | मीत माता"
        "| कमल कमला | दिन दीन | बल बाल"
    ),
    "Bengali": "সীনা সোনা | কাল কলা | মালা মেলা | দিন দান",
    "Tamil": "சோலை சேலை | பல் பால் | கலை காலை | மலை மாலை",
    "Telugu, Kannada, Malayalam": (
        "కల కాల | మల మాల | ಕಲ ಕಾಲ"
        "| ಮರ ಮಾರ | കര കാര | പണം പാണം"
    ),
    "Gujarati, Gurmukhi, Odia": "કલ કાલ | દિન દાન | ਕਲ ਕਾਲ | ਦਿਨ ਦਾਨ | କଳା କଳ",
    "Sinhala, Tibetan": "මල මාල | කල කාල | බල බැල | བོད བད | ཆོས ཆས | མི མེ",
    "Thai, Lao, Khmer, Burmese": (
        "มา มี | ปู ปา | ไม้ ไม | ขาว ข่าว | ລາວ ລິວ"
        "| កា កី | មាន មួន | ကာ ကီ | ကောင်း ကင်း"
    ),
    "other scripts with vowel signs": "ދިވެހި ދަވަހަ | ᬓᬶ ᬓᬸ | ꦏꦶ ꦏꦸ | ᨠᩥ ᨠᩩ",
    "Cyrillic": "мой мои | бой бои | їм ім | ўсе усе | ќе ке",
    "Japanese": "かき がき | ハラ バラ | はは ぱぱ | びょう ひょう | か カ",
    "Hebrew and Arabic": (
        "שלום שלומי | كتاب كتب | مسئول مسول"
        "| گل كل | پا با | سؤال سوال"
    ),
    "Latin": "cat cut | Müller Mueller | lodz lodge | 10 100",
    "Korean": "서울 서을 | 가 까",
}  # fmt: skip


def pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(pair.split()[0], pair.split()[1]) for row in table.values() for pair in row.split("|")]


@pytest.mark.parametrize(("query", "text"), pairs(ONE))
def test_variants_of_a_letter_match(query: str, text: str) -> None:
    assert finds(query, f"x {text} y")
    assert finds(text, f"x {query} y")
    assert finds(unicodedata.normalize("NFD", query), f"x {text} y")  # as macOS types it
    assert finds(text, unicodedata.normalize("NFD", f"x {query} y"))


@pytest.mark.parametrize(("query", "text"), pairs(OTHER))
def test_words_that_differ_in_a_letter_do_not_match(query: str, text: str) -> None:
    assert finds(query, query)
    assert not finds(query, f"x {text} y")
    assert not finds(text, f"x {query} y")


@pytest.mark.parametrize(
    ("query", "text", "is_found"),
    [
        ("🔴", "🔴 Pay the fee.", True),
        ("🔴", "🟢 Pay the fee.", False),
        ("🎉", "A party🎉today", True),
        ("party", "A party🎉today", True),
        ("👍", "👍🏽 fine", True),
        ("👍🏿", "👍 fine", True),
        ("👍", "👎🏽 no", False),
        ("❤️", "with ❤", True),
        ("❤", "with ❤️", True),
        ("❤", "on ❤️‍🔥", False),
        ("🇳🇴", "to 🇳🇴 in May", True),
        ("🇳🇴", "to 🇸🇪🇳🇴", True),
        ("🇳🇴", "to 🇴🇳 in May", False),
        ("🇪🇳", "to 🇸🇪🇳🇴", False),
        ("🇳", "to 🇳🇴 in May", False),
        ("👨‍👩‍👧", "the 👨‍👩‍👧 came", True),
        ("👨‍👩‍👧", "the 👨‍👩‍👦 came", False),
        ("👩🏽‍💻", "a 👩‍💻 works", True),
        ("🏳️‍🌈", "a 🏳️ waved", False),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "from 🏴󠁧󠁢󠁥󠁮󠁧󠁿", True),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "from 🏴󠁧󠁢󠁳󠁣󠁴󠁿", False),
        ("1️⃣", "1️⃣ First", True),
        ("1️⃣", "2️⃣ Second", False),
        ("1️⃣", "1 First", False),
        ("✅", "[✅] done", True),
        ("☑️", "☑ done", True),
        ("✓", "✓ done", True),
        ("★★★", "★★★ of five", True),
        ("⚠️ boiler", "⚠ The boiler leaks", True),
        ("🩷", "🩷 new in Unicode 15", True),
        ("©", "© 2026", True),
        ("茶🍵", "喝🍵绿茶", True),
    ],
)
def test_an_emoji_is_a_word(query: str, text: str, is_found: bool) -> None:
    assert finds(query, text) is is_found


def test_a_name_of_a_topic_is_shown_as_it_was_written() -> None:
    assert content_words("Where is Łódź, and مَدْرَسَة?") == ["Łódź", "مَدْرَسَة"]
    assert content_words("🎉 party") == ["party"]


def test_names_are_compared_in_nfc() -> None:
    assert nfc("Cafe\u0301") == "Café"
    assert nfc("plain") == "plain"


def test_each_character_folds_once() -> None:
    characters = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    changed = [c for c in re.findall(".", characters, re.DOTALL) if fold(f"x{c}x") != fold(fold(f"x{c}x"))]
    assert changed == []


ALPHABET = (
    "aBéßıİøÆœđþŁǆﬁ’ʼё йЙїΣςῷאָׁ״مَّأةىیکـ۱हिन्क़ािंதோமலােৎശ්‍රབོད་ไม้ำกាោះမြန်中文字漢かがカﾞｶﾊﾟ한글ᄒ\u1161"
    "🔴👍🏽❤\ufe0f🇳🇴1\u20e3👩\u200d💻🏴\U000e0067\U000e007f"
    "\u00ad\u200b\u200c\u0301\u0323\u0308\u3099\u0345 .,-'_"
)
TEXTS = st.one_of(st.text(st.sampled_from(ALPHABET)), st.text())


@given(TEXTS)
def test_folding_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(TEXTS)
def test_the_form_of_the_letters_does_not_matter(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(text) == fold(unicodedata.normalize("NFC", text))


@given(TEXTS, st.data())
def test_a_text_is_found_by_any_piece_of_it(text: str, data: st.DataObject) -> None:
    """By any of its words; by any stretch of a script without spaces that does not cut a letter in two."""
    folded = fold(text)
    pieces = [term.text for term in query_terms(folded)]
    if pieces:
        assert finds(data.draw(st.sampled_from(pieces)), text)
        assert finds(text, text)
