"""Mark text in HTML with its place in the source, and make it safe for a tree builder without places.

Each stretch of text gets a mark with its number. What a tree builder would let swallow the page is taken out:
elements that are never closed, self-closed ones as in XHTML, nesting without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_DEPTH = 256
"""Deepest nesting that is kept: the time of a tree builder grows with the square of the depth."""

_NAMES = {
    name: frozenset(names.split())
    for name, names in {
        "raw": "script style title textarea iframe noframes noembed noscript xmp",
        "hidden": "template svg select datalist button nav audio video canvas",
        "inline": "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark nobr"
        " q rb rp rt rtc ruby s samp small span strike strong sub sup time tt u var wbr",
        "void": "area base br col embed hr img input link meta param source track wbr",
        "open end": "html head body p li dt dd td th tr thead tbody tfoot colgroup caption option",
        "bounds": "table template object marquee applet",
    }.items()
}
_RAW = _NAMES["raw"]
"""Elements whose text may look like tags. They are not nested; the text of three of them is kept."""
HIDDEN = _NAMES["hidden"]
INLINE = _NAMES["inline"]
VOID = _NAMES["void"]
_OPEN_END = _NAMES["open end"]
"""Elements whose closing tag may be omitted: they end with the next of their kind or with their parent."""
_BOUNDS = _NAMES["bounds"]
"""Elements that the closing tag of an element around them does not close."""
_MARKUP = re.compile(
    r"<!--|<!\[CDATA\[|<[!?][^<>]*>?"
    r"""|<(/?)([a-zA-Z][^\s/><]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*+|[^<>]*)>"""
)
_OPENING = re.compile("<[a-zA-Z]")
_LONG_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/><]*)((?:[^<>"']|"[^"]*"|'[^']*')*+)>""")
_SELF_CLOSED = re.compile(r"""(?<!=)(?:["'\s]|^|\s[\w:-]+)/\s*$""")
_ENDS = {
    "<!--": re.compile("--!?>|(?<=<!--)-?>"),
    "<![CDATA[": re.compile(r"\]\]>"),
    **{name: re.compile(f"</{name}[^<>]*>?", re.IGNORECASE) for name in _RAW},
}
_LONGEST = 2000
"""Most characters of a tag's attributes; longer attributes are ignored."""
_SHOWS = re.compile(r"hidden|style|open|popover|content", re.IGNORECASE)
_MARK, _MARK_END = "\ufdd0", "\ufdd1"
MARKS = re.compile(f"{_MARK}(\\d+){_MARK_END}|[{_MARK}{_MARK_END}]")


def mark(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return HTML that is safe to parse, with numbered marks before each stretch of text, and their places.

    Tags that only format are left out, with the attributes that hide nothing; so is the opening tag of an
    element that is never closed and would hide what follows.
    """
    tokens = list(_scan(text))
    unclosed = _find_unclosed(tokens)
    parts: list[str] = []
    stretches: list[tuple[int, int]] = []
    opened: dict[str, list[str]] = {}
    depth = 0
    for start, end, tag in tokens:
        if tag is None or not tag[2]:
            words = escape(text[start + 9 : end - 3]) if tag else text[start:end]
            trimmed = words.lstrip()
            if trimmed:
                shown = MARKS.sub("\ufffd", trimmed)
                parts.append(f"{words[: -len(trimmed)]}{_MARK}{len(stretches)}{_MARK_END}{shown}")
                stretches.append((start, end) if tag else (end - len(trimmed), start + len(words.rstrip())))
            else:
                parts.append(words)
            continue
        name, attributes = tag[2].lower(), tag[3]
        if name in VOID:
            parts.append(tag[0] if name == "meta" and len(attributes) < _LONGEST else f"<{name}>")
            continue
        waiting = opened.setdefault(name, [])
        if tag[1]:
            if waiting and (emitted := waiting.pop()):
                depth -= name not in _OPEN_END
                parts.append(f"</{emitted}>")
            continue
        if len(attributes) >= _LONGEST or not _SHOWS.search(attributes):
            attributes = ""
        emitted = "span" if name in INLINE else name
        if (start in unclosed and (attributes or name in HIDDEN)) or (
            depth >= _DEPTH and name not in _OPEN_END
        ):
            emitted = ""
            parts.append("" if name in INLINE else "<br>")
        elif name in INLINE and not attributes:
            emitted = ""
        else:
            parts.append(f"<{emitted} {attributes}>")
            if _closes_itself(tag):
                parts.append(f"</{emitted}>")
                continue
            depth += name not in _OPEN_END
        if not _closes_itself(tag):
            waiting.append(emitted)
    return "".join(parts), stretches


def _scan(text: str) -> Iterator[tuple[int, int, re.Match[str] | None]]:
    """Yield the places of the tags of a page and, with None, of the text between them.

    Comments, scripts and the like are left out, and what opens one that is never closed. No part of the page
    is looked at more than a few times.
    """
    at = 0
    missing: set[str] = set()
    while tag := _MARKUP.search(text, at):
        opening = _OPENING.search(text, at, tag.start()) if "quote" not in missing else None
        if opening:  # a "<" in an attribute
            tag = _LONG_TAG.match(text, opening.start()) or tag
            if tag.start() > opening.start():
                missing.add("quote")
        if tag.start() > at:
            yield at, tag.start(), None
        at = tag.end()
        name = (tag[2] or "").lower()
        opens = name or tag[0]
        if opens not in _ENDS or tag[1] or (name and _closes_itself(tag)):
            if name and name not in _RAW:
                yield tag.start(), at, tag
            continue
        ending = None if opens in missing else _ENDS[opens].search(text, at)
        if not ending:
            missing.add(opens)
        elif opens == "<![CDATA[":
            at = ending.end()
            yield tag.start(), at, tag
        else:
            if name in ("title", "textarea", "xmp"):
                yield tag.start(), at, tag
                yield at, ending.start(), None
                yield ending.start(), ending.end(), _MARKUP.match(ending[0])
            at = ending.end()
    if at < len(text):
        yield at, len(text), None


def _find_unclosed(tokens: list[tuple[int, int, re.Match[str] | None]]) -> set[int]:
    """Return the starts of elements that neither a closing tag nor the end of their parent closes."""
    inline: dict[str, list[int]] = {}
    stack: list[tuple[str, int]] = []
    count: dict[str, int] = {}
    for start, _, tag in tokens:
        if tag is None or not tag[2]:
            continue
        name = tag[2].lower()
        if name in VOID or name in _OPEN_END or _closes_itself(tag):
            continue
        if name in INLINE:
            waiting = inline.setdefault(name, [])
            if not tag[1]:
                waiting.append(start)
            elif waiting:
                waiting.pop()
        elif not tag[1]:
            stack.append((name, start))
            count[name] = count.get(name, 0) + 1
        else:
            while count.get(name) and (stack[-1][0] == name or stack[-1][0] not in _BOUNDS):
                inner, _ = stack.pop()
                count[inner] -= 1
                if inner == name:
                    break
    return {start for waiting in inline.values() for start in waiting} | {start for _, start in stack}


def _closes_itself(tag: re.Match[str]) -> bool:
    """Return whether a tag ends with a slash that is not part of an attribute's value."""
    return tag[3].rstrip().endswith("/") and bool(_SELF_CLOSED.search(tag[3]))
