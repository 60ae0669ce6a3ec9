"""Splitting the text of a memory into sentences, for any text."""

from __future__ import annotations

import re

import pytest
from cli_harness import no_hang
from hypothesis import example, given
from hypothesis import strategies as st

from memos_cli.cube import Sentence
from memos_cli.operation.search.sentences import LONGEST, split_sentences


def parts(text: str) -> list[str]:
    return [text[each.start : each.end] for each in split_sentences(text)]


def under(text: str) -> list[tuple[str, str, str, str]]:
    """What the sentences stand under: (kind, heading, columns, text)."""
    return [
        (each.kind, each.heading, each.columns, text[each.start : each.end]) for each in split_sentences(text)
    ]


# --- prose -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expected",
    [
        ["The lark nests on the ground.", "It sings high above the meadow!", "Who has ever seen it there?"],
        ["Dr. Varga has the key of the flat.", "Ask Mrs. Okafor on Monday, e.g. at noon."],
        ["I paid 3.50 for it at example.com, at last.", "It was version 1.2.3 of the thing."],
        ["Her address is in the U.S. embassy in Rome.", "It has not changed since then."],
        ['"Where is the key of the flat?" she asked.', '"It is there, with the neighbour," he said.'],
        ["See https://example.org/a.b?c=d for all of that.", "It is good to read before you start."],
        ["Сервер слушает на порту 5433 с прошлой недели.", "Пароль лежит в сейфе у директора!"],
        ["Der Schlüssel liegt bei der Nachbarin im dritten Stock.", "Sie ist ab sechs Uhr zu Hause."],
        ["😀 The party is on Friday at the harbour!", "🎉 Bring the cake with you, and two knives 🔪."],
        ["One thing is said in this line, and it ends. \t ", "  Another one is said after some space."],
    ],
)
def test_prose_is_split_where_sentences_end(expected: list[str]) -> None:
    assert parts(" ".join(expected)) == [each.strip() for each in expected]


@pytest.mark.parametrize(
    "expected",
    [
        ["今天我们讨论了服务器的迁移计划，决定下周一开始。", "负责人是李雷，他会联系大家。"],
        [
            "气候政策会议定于星期三在北京举行！",
            "会议将讨论碳税和森林的保护问题。",
            "你觉得应该派谁去参加呢？",
        ],
        ["ステージングのデータベースはポート5433を使います。", "パスワードは金庫にあります。"],
    ],
)
def test_chinese_and_japanese_are_split_without_spaces(expected: list[str]) -> None:
    assert parts("".join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes. I do not know what else to say about it.", 1),  # what says nothing by itself is no sentence
        ("I do not know what else to say about it. Yes.", 1),
        ("I do not know what else to say about it.\n\nYes.", 2),  # but it joins nothing of another paragraph
        ("I do not know what else to say about it.\r\n\r\nYes.", 2),
        ("I do not know what else to say about it.\n \nYes.", 2),
        ("猫在睡觉。狗在院子里跑来跑去。", 1),
        ("word", 1),
        ("😀🎉", 1),
        ("...", 1),
        ("?!", 1),
        ("", 0),
        (" \n\t\r\n ", 0),
    ],
)
def test_short_texts_are_not_split(text: str, expected: int) -> None:
    assert len(split_sentences(text)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        [
            "name: Mara Wolf\nphone: 555 0133",
            "The next visit is planned for the spring.",
        ],
        ["plumber:\n  name: Mara Wolf\n  phone: 555 0133", "doctor:\n  name: Ned Ash\n  hours: Mon to Thu"],
        [
            "insurance:\n  household: Nordstern, 88-104",
            "landlord: none, we are the owners",
        ],
        [
            "car: a grey estate, plate AB-CD 123, tyres 205/55 R16, next test in August",
            "phone: 15 GB a month for 12.99, ends on 30 June, cancel 3 months before",
        ],
    ],
)
def test_fields_stay_together_if_they_are_short_and_of_one_record(expected: list[str]) -> None:
    assert parts("\n".join(expected)) == expected


def test_sentences_of_several_scripts_are_told_apart() -> None:
    text = (
        "The meeting about the climate was on Wednesday. 会议讨论了碳税和森林的保护问题，没有结果。"
        "Следующая встреча будет в пятницу утром. Bring the papers with you, please!"
    )
    found = parts(text)
    assert len(found) == 4
    assert [part[0] for part in found] == ["T", "会", "С", "B"]


def test_a_wrapped_paragraph_is_read_as_one_and_short_lines_with_stops_are_not() -> None:
    wrapped = (
        "This paragraph was broken at some column, so that its\nfirst sentence goes on in the next line. "
        "And here is another\none that ends there."
    )
    assert parts(wrapped) == [
        "This paragraph was broken at some column, so that its\nfirst sentence goes on in the next line.",
        "And here is another\none that ends there.",
    ]
    lines = ["The lark nests on the ground in May.", "The owl nests in the old barn."]
    assert parts("\n".join(lines)) == lines
    assert parts("\r\n".join(lines)) == lines
    assert parts("\n\n".join(lines)) == lines


# --- lists, tables, code, records ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "items",
    [
        ["- eggs", "- two hundred grams of sugar", "- flour"],
        ["* eggs", "* sugar. Not brown. Not white.", "* flour"],
        ["1. Open the door.", "2) Close it again, and wait there.", "10. Leave."],
        ["• first of them", "• second of them"],
        ["一、打开门。", "二、关上门。"],
        ["> - quoted item", "> - another one"],
        ["- outer item", "  - inner item", "    - innermost item"],
        ["- [ ] to do", "- [x] done"],
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_an_item_is_a_sentence_however_short(items: list[str], end: str) -> None:
    assert under(end.join(items)) == [("item", "", "", item.strip(" ")) for item in items]


def test_a_long_item_is_split_into_its_sentences() -> None:
    sentence = "The lark nests on the ground, in a hollow of the grass, from March to July. "
    found = under("- " + sentence * 8)
    assert len(found) == 8
    assert {kind for kind, *_ in found} == {"item"}


@pytest.mark.parametrize(
    "sentences",
    [
        ["Hinfahrt ab Altona am 14. Januar 2027 um 20:05 Uhr.", "Rückfahrt am 19. März, Abfahrt 20:10 Uhr."],
        ["Die Übergabe ist am Samstag, 28. November, um 10:30 Uhr.", "Danach gibt es Kaffee im Büro."],
        ["Die Wohnung liegt im 2. Stock, gleich links.", "Der 1. Vorsitzende wohnt darüber, im 3. Stock."],
        ["Vlak jede 3. března 2027 v 10. hodin ráno.", "Potom bude oběd u babičky doma."],
        ["Toget går den 5. maj klokken otte.", "Vi mødes på banegården kl. syv."],
        ["Die Fritz!Box 7590 steht im Flur.", "Yahoo!News meldet es seit gestern."],
        ["All of my shoes are of size 42.", "The old ones were of size 41.", "Maybe I need a wider pair."],
        ["Wir sind in diesem Jahr 28. ", "Danach kam noch einer dazu, ganz spät."],
    ],
)
def test_a_day_of_the_month_or_a_name_with_a_mark_ends_no_sentence(sentences: list[str]) -> None:
    assert parts(" ".join(each.strip() for each in sentences)) == [each.strip() for each in sentences]


@pytest.mark.parametrize("outer", [True, False])
@pytest.mark.parametrize("delimiters", ["--- | ---", ":-- | --:", "-|-"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_of_a_table_is_a_sentence_under_its_columns(outer: bool, delimiters: str, end: str) -> None:
    def line(text: str) -> str:
        return f"| {text} |" if outer else text

    rows = ["lark | 8080", "owl | 9090", " | 1"]
    text = end.join(
        ["# Hosts", "", line("Host | Port"), line(delimiters), *map(line, rows), "", "And then it goes on."]
    )
    assert under(text) == [
        *(("row", "Hosts", "Host | Port", line(row).strip()) for row in rows),
        ("sentence", "Hosts", "", "And then it goes on."),
    ]


@pytest.mark.parametrize("delimiters", ["|---|---|", "---"])
def test_a_table_without_rows_is_its_columns(delimiters: str) -> None:
    assert under(f"| Host | Port |\n{delimiters}") == [("row", "", "", "| Host | Port |")]


def test_lines_with_a_pipe_are_no_table() -> None:
    text = "Run ls | grep lark to find it.\nThen run it again, until it is there."
    assert parts(text) == text.split("\n")


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_a_block_of_code_is_one_sentence_with_its_fences(fence: str) -> None:
    code = f"{fence}python\nfor each in all:\n\n    print(each)  # no. stop. here.\n{fence}"
    text = f"# Loops\n\nA loop looks like this, for example:\n\n{code}\n\nAnd that was it, for today."
    assert under(text) == [
        ("sentence", "Loops", "", "A loop looks like this, for example:"),
        ("code", "Loops", "", code),
        ("sentence", "Loops", "", "And that was it, for today."),
    ]


def test_text_that_is_code_only_is_code() -> None:
    for text in ("```\nmake all\n```", "```\nmake all", "~~~\nmake ``` all\n~~~"):
        assert under(text) == [("code", "", "", text)]


def test_no_heading_or_table_is_read_in_code() -> None:
    text = "```\n# no heading\n\n| no | table |\n|---|---|\n```\n\nThis stands under no heading."
    assert [heading for _, heading, *_ in under(text)] == ["", ""]


def test_long_code_is_cut_between_lines() -> None:
    text = "```\n" + "".join(f"line {n} of the program = {n}\n" for n in range(100)) + "```"
    found = parts(text)
    assert len(found) > 3
    assert all(len(part) <= 600 for part in found)
    assert "\n".join(found) in (text, text.removesuffix("\n```"))


def test_fields_stay_together() -> None:
    assert parts("name: Ann\nage: 42\ncity: Ghent") == ["name: Ann\nage: 42\ncity: Ghent"]
    assert parts("姓名：李雷\n城市：北京") == ["姓名：李雷\n城市：北京"]
    lines = [f"field {n}: the value of the field number {n} is this" for n in range(20)]
    found = parts("\n".join(lines))
    assert 1 < len(found) < 20
    assert [line for part in found for line in part.split("\n")] == lines


# --- headings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "# Title\n\nThis is about the title.\n\n## Part\n\nThis is about the part.",
        "# Title #\n\nThis is about the title.\n\n   ## Part ##\nThis is about the part.",
        "Title\n=====\n\nThis is about the title.\n\nPart\n----\nThis is about the part.",
        "# Title\r\n\r\nThis is about the title.\r\n\r\n## Part\r\n\r\nThis is about the part.\r\n",
    ],
)
def test_a_sentence_stands_under_its_heading(text: str) -> None:
    assert under(text) == [
        ("sentence", "Title", "", "This is about the title."),
        ("sentence", "Part", "", "This is about the part."),
    ]


@pytest.mark.parametrize("text", ["# Title", "# Title\n\n## Part", "Title\n=====", "# Title\n\n---\n\n***"])
def test_a_text_of_headings_only_is_a_sentence(text: str) -> None:
    assert parts(text) == [text]


def test_tags_and_rules_are_no_headings() -> None:
    text = "#lark is the tag of all that is said here.\n\n---\n\nThis stands under no heading, either."
    assert [heading for _, heading, *_ in under(text)] == ["", ""]


# --- what has no end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "word " * 10_000,
        "the lark, the owl, and " * 1000,
        "x" * 5000,
        "猫" * 5000,
        "猫在睡觉，" * 1000,
        "😀" * 5000 + "x",
        "The lark " + "nests and " * 500 + "sings.",
        "- " + "word " * 1000,
        "word\n" * 3000,
        ("word " * 14 + "\n") * 300,
    ],
)
def test_endless_sentences_are_cut(text: str) -> None:
    found = split_sentences(text)
    assert all(each.end - each.start <= LONGEST for each in found)
    assert len(found) < 4 * len(text) / LONGEST
    kept = "".join(text[each.start : each.end] for each in found)
    assert re.sub(r"\W", "", kept) == re.sub(r"\W", "", text)
    if " " in text.strip():
        ends = {text[each.end : each.end + 1] for each in found}
        assert ends <= {" ", "\n", "", ","}, "no word is cut in two"


def test_short_sentences_do_not_join_to_one_without_end() -> None:
    found = split_sentences("I like tea. " * 500)
    assert len(found) > 10
    assert all(each.end - each.start <= LONGEST for each in found)


@pytest.mark.parametrize(
    "unit",
    [
        "This is a sentence of some words. ",
        "word ",
        "x",
        "猫在睡觉，狗也在睡觉，大家都在睡觉。",
        "猫",
        "a line\n",
        "- item\n",
        "```\n",
        "name: value\n",
        "| a | b |\n|---|---|\n",
        "# heading\n",
        "'",
        '"Hello there." ',
        "Dr. ",
        "(a. b) ",
        "|",
        "-",
        ">",
        "😀",
        "\t",
    ],
)
@pytest.mark.parametrize("before", ["", "a\n", "a|b\n"])
def test_time_grows_with_the_length(unit: str, before: str) -> None:
    """A megabyte takes seconds. What grows with the square takes minutes for the short text already."""
    for size in (20_000, 300_000) if before else (20_000, 1_000_000):
        text = before + unit * (size // len(unit)) + "x"
        with no_hang():
            split_sentences(text)


@pytest.mark.parametrize("before", ["", "a\n", "a|b\n", "- ", "# ", "a. ", "```\n"])
def test_a_line_of_spaces_costs_nothing(before: str) -> None:
    for size in (10_000, 300_000):
        with no_hang():
            split_sentences(before + " " * size + "x")


# --- whatever is written ---------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "# ", "## ", "#", "- ", "* ", "1. ", "2) ", "> ", "| ", " | ", "|---|", "---", "===", ":-:", "```",
        "~~~", "\n", "\n\n", "\r\n", "\r", "    ", "\t", " ", ". ", "! ", "? ", "。", "，", "…", ": ", "Dr. ",
        "key: ", "e.g. ", "3.5", "lark", "The lark sings. ", "nests on the ground, in a hollow of the grass ",
        "猫在睡觉", "会议。", "一、", "привет ", "مرحبا", "é", "😀", "👩\u200d👧", "\u200b", "\u00a0",
        "\u2028", "\x0b", "_", "*", "`", '"', "“", "”", "(", "）", "\\", "x" * 450, "word " * 90,
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join) | st.text(max_size=200)
HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
UNDERLINE = re.compile(r"[-=:| \t]*[-=][-=:| \t]*\r*\Z")


@given(TEXTS)
@example("a\r\n\r\nb")
@example("```\n" + "x" * 700 + "\n```")
@example("a | b\n--|--\n | \n")
def test_sentences_are_ranges_in_order_and_leave_nothing_out(text: str) -> None:
    found = split_sentences(text)
    assert bool(found) is bool(text.strip())
    end = 0
    for each in found:
        assert end <= each.start < each.end <= len(text)
        assert text[each.start : each.end].strip()
        assert each.kind in ("sentence", "item", "row", "code")
        assert (each.score, each.cosine) == (0.0, None)
        end = each.end
    if any(each.kind != "sentence" or len(found) > 1 for each in found):
        assert all(re.search(r"[^\W_]", text[each.start : each.end]) for each in found)
    covered = {at for each in found for at in range(each.start, each.end)}
    at, lines = 0, text.split("\n")
    for line, follows in zip(lines, [*lines[1:], ""], strict=True):
        if not HEADING.match(line) and not UNDERLINE.match(follows):
            left = {n for n, letter in enumerate(line, at) if letter.isalnum() and letter != "_"} - covered
            assert not left, repr("".join(text[n] for n in sorted(left)))
        at += len(line) + 1


@given(TEXTS)
def test_the_same_text_has_the_same_sentences(text: str) -> None:
    assert split_sentences(text) == split_sentences(text)


WORDS = st.lists(
    st.sampled_from(["lark", "owl", "nests.", "sings!", "grass,", "狗叫。"]), min_size=1, max_size=40
)
LINES = st.lists(WORDS.map(" ".join), min_size=1, max_size=4)
BLOCKS = st.one_of(
    st.sampled_from(["# HEADING", "## HEADING", "HEADING\n===", "HEADING\n---", "***"]),
    LINES.map("\n".join),
    LINES.map(lambda lines: "\n".join(f"- {line}" for line in lines)),
    LINES.map(lambda lines: "\n".join(f"{n}. {line}" for n, line in enumerate(lines, 1))),
    LINES.map(lambda lines: "| HEAD | HEAD |\n|---|---|\n" + "\n".join(f"| {line} | x |" for line in lines)),
    LINES.map(lambda lines: "HEAD | HEAD\n---|---\n" + "\n".join(f"{line} | x" for line in lines)),
    LINES.map(lambda lines: "```\n" + "\n\n".join(lines) + "\n```"),
    LINES.map(lambda lines: "\n".join(f"key: {line}" for line in lines)),
)


@given(st.lists(BLOCKS, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_documents_are_read_whole_but_for_their_headings(blocks: list[str], end: str) -> None:
    text = "\n\n".join(blocks).replace("\n", end)
    found = split_sentences(text)
    covered = {at for each in found for at in range(each.start, each.end)}
    letters = {at for at, letter in enumerate(text) if letter.islower() or "\u4e00" <= letter <= "\u9fff"}
    assert letters <= covered
    if letters:
        heads = {at for at, letter in enumerate(text) if letter.isupper()}
        assert not heads & covered
        assert {each.heading for each in found} <= {"", "HEADING"}
        assert all((each.columns == "HEAD | HEAD") is (each.kind == "row") for each in found)


def test_a_sentence_is_a_value() -> None:
    assert split_sentences("The lark nests low.") == [Sentence(0, 19)]
