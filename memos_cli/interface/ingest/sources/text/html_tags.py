"""Mark text in HTML with its place in the source, and make it safe for a tree builder without places.

Each stretch of text gets a mark with its number. Elements that could hide the rest of the page are removed:
elements that are never closed, self-closed ones as in XHTML, nesting without end.
"""

from __future__ import annotations

import re
from html import escape

_CDATA = "<![CDATA["
_DEPTH = 256
"""Deepest nesting that is kept: the time of a tree builder grows with the square of the depth."""

_RAW = frozenset("script style title textarea iframe noframes noembed noscript xmp".split())
"""Elements whose text may look like tags. They are not nested; the text of three of them is kept."""
HIDDEN = frozenset("template svg select datalist button nav audio video canvas".split())
INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark nobr q rb rp rt rtc"
    " ruby s samp small span strike strong sub sup time tt u var wbr".split()
)
VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_OPEN_END = frozenset("html head body p li dt dd td th tr thead tbody tfoot colgroup caption option".split())
"""Elements whose closing tag may be omitted: they end with the next of their kind or with their parent."""
_UNPAIRED = VOID | _OPEN_END | {_CDATA}
_BOUNDS = frozenset("table template object marquee applet".split())
"""Elements that the closing tag of an element around them does not close."""
_TAG = (
    r"(?:<!--|<!\[CDATA\[|<[!?][^<>]*>?"
    r"""|<(/?)([a-zA-Z][^\s/><]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*+|[^<>]*)>)"""
)
# Group 1 of these ends where the tag starts.
_NEXT = re.compile(f"([^<]*+){_TAG}")
_MARKUP = re.compile(f"(){_TAG}")
_LONG_TAG = re.compile(r"""()<(/?)([a-zA-Z][^\s/><]*)((?:[^<>"']|"[^"]*"|'[^']*')*+)>""")
_OPENING = re.compile("<[a-zA-Z]")
_SELF_CLOSED = re.compile(r"""(?<!=)(?:["'\s]|^|\s[\w:-]+)/\s*$""")
_ENDS = {
    "<!--": re.compile("--!?>|(?<=<!--)-?>"),
    _CDATA: re.compile(r"\]\]>"),
    **{name: re.compile(f"</{name}[^<>]*>?", re.IGNORECASE) for name in _RAW},
}
_LONGEST = 2000
"""Most characters of a tag's attributes; longer attributes are ignored."""
_SHOWS = re.compile("hidden|style|open|popover|content")
_MARK, _MARK_END = "\ufdd0", "\ufdd1"
MARKS = re.compile(f"{_MARK}(\\d+){_MARK_END}|[{_MARK}{_MARK_END}]")

_Token = tuple[int, int, str, bool, str, bool]
"""A tag, text or CDATA: its start and end, its name in lower case (empty, or ``_CDATA``), whether it is a
closing tag, its attributes, and whether it closes itself."""
_TEXT = ("", False, "", False)


def mark(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return HTML that is safe to parse, with numbered marks before each stretch of text, and their places.

    Tags that only format are left out, with the attributes that hide nothing; so is the opening tag of an
    element that is never closed and would hide what follows.
    """
    tokens = _scan(text)
    unclosed = _find_unclosed(tokens)
    is_marked = MARKS.search(text) is not None
    parts: list[str] = []
    stretches: list[tuple[int, int]] = []
    opened: dict[str, list[str]] = {}
    depth = 0
    for start, end, name, is_closing, attributes, is_closed in tokens:
        if not name or name == _CDATA:
            words = escape(text[start + 9 : end - 3]) if name else text[start:end]
            if trimmed := words.lstrip():
                shown = MARKS.sub("\ufffd", trimmed) if is_marked else trimmed
                parts.append(f"{words[: -len(trimmed)]}{_MARK}{len(stretches)}{_MARK_END}{shown}")
                stretches.append((start, end) if name else (end - len(trimmed), start + len(words.rstrip())))
            else:
                parts.append(words)
            continue
        if name in VOID:
            parts.append(text[start:end] if name == "meta" and len(attributes) < _LONGEST else f"<{name}>")
            continue
        waiting = opened.setdefault(name, [])
        if is_closing:
            if waiting and (emitted := waiting.pop()):
                depth -= name not in _OPEN_END
                parts.append(f"</{emitted}>")
            continue
        if attributes and (len(attributes) >= _LONGEST or not _SHOWS.search(attributes.lower())):
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
            if is_closed:
                parts.append(f"</{emitted}>")
                continue
            depth += name not in _OPEN_END
        if not is_closed:
            waiting.append(emitted)
    return "".join(parts), stretches


def _scan(text: str) -> list[_Token]:
    """Return the tags of a page and the text between them.

    Comments, scripts and the like are left out, and what opens one that is never closed. No part of the page
    is looked at more than a few times.
    """
    tokens: list[_Token] = []
    at = 0
    missing: set[str] = set()
    while tag := _NEXT.match(text, at) or _find_tag(text, at, missing):
        start = tag.end(1)
        if start > at:
            tokens.append((at, start, *_TEXT))
        at = tag.end()
        about = name, is_closing, _, is_closed = _read_tag(tag)
        if name and name not in _RAW:
            tokens.append((start, at, *about))
            continue
        opens = name or text[start:at]
        if opens not in _ENDS or is_closing or is_closed:
            continue
        ending = None if opens in missing else _ENDS[opens].search(text, at)
        if not ending:
            missing.add(opens)
        elif opens == _CDATA:
            at = ending.end()
            tokens.append((start, at, _CDATA, *_TEXT[1:]))
        else:
            if name in ("title", "textarea", "xmp"):
                closing = _MARKUP.match(ending[0])
                tokens += [(start, at, *about), (at, ending.start(), *_TEXT)]
                tokens.append((*ending.span(), *(_read_tag(closing) if closing else _TEXT)))
            at = ending.end()
    if at < len(text):
        tokens.append((at, len(text), *_TEXT))
    return tokens


def _read_tag(tag: re.Match[str]) -> tuple[str, bool, str, bool]:
    """Parse a token as a tag: its name and so on."""
    _, slash, name, attributes = tag.groups("")
    # A slash at the end may be part of an attribute's value.
    is_closed = attributes.rstrip().endswith("/") and bool(_SELF_CLOSED.search(attributes))
    return name.lower(), slash != "", attributes, is_closed


def _find_tag(text: str, at: int, missing: set[str]) -> re.Match[str] | None:
    """Return the next tag after a "<" that does not start a tag."""
    if not (tag := _MARKUP.search(text, at)):
        return None
    if "quote" not in missing and (opening := _OPENING.search(text, at, tag.start())):  # "<" in an attribute
        tag = _LONG_TAG.match(text, opening.start()) or tag
        if tag.start() > opening.start():
            missing.add("quote")
    return tag


def _find_unclosed(tokens: list[_Token]) -> set[int]:
    """Return the starts of elements that neither a closing tag nor the end of their parent closes."""
    inline: dict[str, list[int]] = {}
    stack: list[tuple[str, int]] = []
    count: dict[str, int] = {}
    for start, _, name, is_closing, _, is_closed in tokens:
        if not name or name in _UNPAIRED or is_closed:
            continue
        if name in INLINE:
            waiting = inline.setdefault(name, [])
            if not is_closing:
                waiting.append(start)
            elif waiting:
                waiting.pop()
        elif not is_closing:
            stack.append((name, start))
            count[name] = count.get(name, 0) + 1
        else:
            while count.get(name) and (stack[-1][0] == name or stack[-1][0] not in _BOUNDS):
                inner, _ = stack.pop()
                count[inner] -= 1
                if inner == name:
                    break
    return {start for waiting in inline.values() for start in waiting} | {start for _, start in stack}
