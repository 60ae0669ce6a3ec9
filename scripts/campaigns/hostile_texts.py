"""Hostile texts of every kind that is read, drawn from small grammars: Markdown, YAML, HTML, tables, …"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from hostile import NUMBERS, ODD, Value, hurt, text

ELEMENTS = """
    div p table tr td ul li script style pre a b svg template select math textarea title nav h1 h9 br
    plaintext x-y form details
""".split()
ENCODINGS = """
    utf-8 utf-8 utf-8 utf-8-sig utf-16 utf-16-le utf-32 latin-1 cp1252 gbk shift_jis koi8-r utf-7
""".split()


def markdown(chance: Random) -> str:
    def block() -> str:
        deep = chance.choice((1, 2, 3, 10, 300))
        language, end = chance.choice(("", "py", "\x1b")), chance.choice(("\n```", "", "\n~~~"))
        return chance.choice(
            (
                "#" * chance.randint(1, 9) + " " + text(chance),
                text(chance),
                "".join("  " * n + "- " + text(chance, 50) + "\n" for n in range(deep)),
                "> " * deep + text(chance),
                f"```{language}\n{text(chance)}{end}",
                f"|{'a|' * deep}\n|{'-|' * chance.choice((deep, 1))}\n" + f"|{text(chance, 50)}|\n" * 3,
                "[" * deep + "x" + "](y)" * deep,
                "*" * deep + "a" + "_" * deep + "[[" + text(chance, 20) + "]]",
                "<div>" * deep + text(chance) + "<!-- " + "</div>" * chance.choice((0, deep)),
                "![](data:image/png;base64," + "A" * chance.choice((10, 5000)) + ")",
                "[^1]: " + text(chance) + "\n\n[a]: <" + text(chance, 20),
                "%%" + text(chance) + "\n" + "=" * 5 + "\n#tag #" + text(chance, 10),
            )
        )

    front = f"---\n{yaml(chance)}\n{chance.choice(('---', '...', ''))}\n" if chance.random() < 0.4 else ""
    return front + "\n\n".join(block() for _ in range(chance.randint(0, 8)))


def yaml(chance: Random) -> str:
    deep = chance.choice((3, 30, 2000))
    bomb = "\n".join(
        ["a0: &a0 [x,x]", *(f"a{n}: &a{n} [*a{n - 1},*a{n - 1},*a{n - 1},*a{n - 1}]" for n in range(1, 14))]
    )
    lines = (
        "title: " + json.dumps(chance.choice(ODD)),
        "tags: [a, b, [c, {d: e}]]",
        "tags: " + "[" * deep + "]" * deep,
        bomb,
        "date: 2026-13-45",
        "date: 2026-05-01",
        "date: 99999-01-01",
        "x: !!python/object/apply:os.system ['touch owned']",
        "type: fact",
        "author: &x {<<: *x}",
        "n: " + "9" * 5000,
        "? [a]\n: b",
        "title: |\n  " + text(chance).replace("\n", " "),
        "title: a\ntitle: b",
        "time: 1e400",
        "o: 0o" + "7" * 3000,
        "s: 1:2:3:4:5" + ":59" * 500,
        "!!binary x: y",
        "%YAML 9.9",
        "\tx: y",
        "k: 'open",
        "type: [x]",
        "date: 0001-01-01T00:00:00+14:00",
        "aliases: {a: 1}",
        "b: " + text(chance, 20),
    )
    return "\n".join(chance.choices(lines, k=chance.randint(1, 6)))


def html(chance: Random) -> str:
    def part(depth: int = 0) -> str:
        tag = chance.choice(ELEMENTS)
        inner = part(depth + 1) if depth < 6 and chance.random() < 0.6 else text(chance)
        title = f' title="{chance.choice(ODD)}"'
        styles = ("", " hidden", ' style="display:none"', ' href="javascript:x"', title, ' x="')
        attribute = chance.choice(styles)
        return f"<{tag}{attribute}>{inner}" + chance.choice((f"</{tag}>", f"</{tag}>", "", "</p>"))

    body = [part() for _ in range(chance.randint(0, 6))]
    deep = chance.choice((10, 300, 20_000))
    ends = (
        "", "<div>" * deep, "<b><i>" * deep + "x", "&#x110000;&#0;&nosuch;&#55296;", "<![CDATA[x]]>",
        "<!--" + "x" * deep, "<table>" * min(deep, 300) + "<tr><td colspan=999999999 rowspan=999999>x",
        "<!doctype x [<!ENTITY a 'b'>]>&a;",
    )  # fmt: skip
    title = f"<title>{text(chance)}</title>"
    heads = ("", '<meta charset="utf-7">', "<meta charset=gbk>", '<meta charset="\x00">', title)
    return f"<html><head>{chance.choice(heads)}</head><body>{''.join(body)}{chance.choice(ends)}"


def table(chance: Random) -> str:
    mark = chance.choice((",", ";", "\t", "|"))
    columns = chance.choice((1, 2, 3, 8, 2000))

    def cell() -> str:
        said = text(chance, 20) if chance.random() < 0.5 else str(chance.choice(NUMBERS))
        return chance.choice((said, '"' + said.replace('"', '""') + '"', '"' + said, said + '"', ""))

    head = mark.join(
        chance.choice(("id", "text", "time", "name", "", "a", chance.choice(ODD))) for _ in range(columns)
    )
    rows = [
        mark.join(cell() for _ in range(max(0, min(columns, 40) + chance.choice((0, 0, 0, -1, 1)))))
        for _ in range(chance.randint(0, 20))
    ]
    lines = [*chance.choice(([], ["sep=" + mark], ["A title", ""], ["\ufeff"])), head, *rows]
    return chance.choice(("\n", "\r\n", "\r")).join(lines)


def mail(chance: Random, depth: int = 0) -> str:
    kind = chance.choice((
        "text/plain", "text/html", "multipart/mixed", "multipart/alternative", "message/rfc822",
        "image/png", "x", "text/plain; charset=nosuch", "text/plain; charset=utf-7",
        'text/html; charset="gbk"', "multipart/mixed; boundary=",
    ))  # fmt: skip
    names = (
        "From", "To", "Subject", "Date", "Cc", "Content-Transfer-Encoding", "Content-Disposition", "X",
        "Message-ID", "Content-Type",
    )  # fmt: skip
    values = (
        "Ann <ann@example.org>", "=?utf-8?B?w6k=?=", "=?x?Q?=FF=?=", "=?utf-8?B?" + "A" * 3000 + "?=",
        "base64", "quoted-printable", "8bit", "attachment; filename*0*=utf-8''%1b%5b; filename*1=b",
        "Sat, 02 May 2026 10:00:00 GMT", "32 Foo 0", "(" * 3000, "<" * 50 + "a@b",
        text(chance).replace("\n", " "), chance.choice(ODD), "a@b, " * 500, "\x1b[2J",
    )  # fmt: skip
    head = "".join(f"{chance.choice(names)}: {chance.choice(values)}\n" for _ in range(chance.randint(0, 8)))
    head = (
        "From: a@b.c\nSubject: " + chance.choice(values) + "\n"
        if depth == 0 and chance.random() < 0.9
        else ""
    ) + head
    if kind.startswith("multipart") and depth < chance.choice((2, 5, 60)):
        parts = "".join(f"--b{depth}\n{mail(chance, depth + 1)}\n" for _ in range(chance.choice((1, 1, 2))))
        return f"{head}Content-Type: {kind}; boundary=b{depth}\n\n{parts}" + chance.choice(
            (f"--b{depth}--\n", "")
        )
    return (
        f"{head}Content-Type: {kind}\n\n{chance.choice((text(chance), 'w6k=' * 20, '=C3=A', html(chance)))}"
    )


def outline(chance: Random) -> str:
    deep = chance.choice((2, 30, 3000, 100_000))
    inner = "".join(
        f'<outline text="{json.dumps(text(chance))[1:-1]}" created="x"/>' for _ in range(5)
    ).replace("<script>", "")
    nested = '<outline text="a">' * deep + inner + "</outline>" * chance.choice((deep, 0))
    xml = [
        f"<?xml version={more}?>" for more in ('"1.0" encoding="utf-16"', '"1.0" encoding="nosuch"', '"1.1"')
    ]
    head, body = chance.choice(("", "<!DOCTYPE x>", *xml)), chance.choice((inner, nested))
    return f'{head}<opml version="2.0"><head><title>T</title></head><body>{body}</body></opml>'


def notebook(chance: Random) -> Value:
    cell = {
        "cell_type": "code",
        "source": ["print(1)\n", text(chance)],
        "metadata": {},
        "execution_count": 1,
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": [text(chance)]},
            {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["\x1b[31mred"]},
        ],
    }
    told = {"cell_type": "markdown", "source": markdown(chance), "metadata": {}}
    kernel = {"kernelspec": {"language": "python"}}
    whole = {"cells": [told, cell, told], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    return hurt(whole, chance)


def code(chance: Random) -> str:
    def line() -> str:
        indented = "    " * chance.randint(0, 200) + "x = 1"
        comment = "// " + text(chance)
        return chance.choice(
            ("def f():", indented, "}" * 50, comment, "/*", '"""', "#!/bin/sh", text(chance))
        )

    lines = [line() for _ in range(chance.randint(0, 40))]
    return "\n".join(lines) + chance.choice(("", "x" * 20_000, "{" * 5000, "a;" * 9000))


def encoded(said: str, chance: Random) -> bytes:
    """A text in some encoding, or in one and a half."""
    name = chance.choice(ENCODINGS)
    data = said.encode(name, "surrogatepass" if name.startswith("utf-") and name != "utf-7" else "replace")
    return data + said[:20].encode("gb18030", "replace") if chance.random() < 0.1 else data


TEXTS: dict[str, Callable[[Random], str]] = {
    "md": markdown,
    "html": html,
    "csv": table,
    "tsv": table,
    "eml": mail,
    "py": code,
    "txt": text,
    "yaml": yaml,
    "log": code,
}
