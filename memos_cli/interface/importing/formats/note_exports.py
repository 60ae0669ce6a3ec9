"""Import notes: Markdown that links to each other (basic-memory, Obsidian), and Google Keep's.

Markdown comes as `memos ingest` reads it; relations and wiki links become links between notes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from memos_cli.cube import Span
from memos_cli.errors import MemosError
from memos_cli.interface.importing.archives import Export
from memos_cli.interface.importing.entries import (
    Bundle,
    Importer,
    Relation,
    mapping,
    objects,
    read_document,
    text,
    time,
)
from memos_cli.interface.ingest.sources.text.front_matter import as_list, read_front_matter

_LINK = re.compile(r"\[\[([^\]\[|#]{1,200})(?:#[^\]\[|]{0,200})?(?:\|[^\]\[]{0,200})?\]\]")
_OBSERVATION = re.compile(r"\[([^\]\[ xX]{1,40}|[^\]\[]{2,40})\] +\S")
_TAG = re.compile(
    r"(?:^|(?<=[\s(\[{*_~,;|>\"'“‘]))#([^\s\0-,.:-@\[-^`{-~\u2000-\u200c\u200e-\u206f\u3000-\u303f\uff00-\uff20]{1,80})"
)
"""A tag in Obsidian: letters, digits, emoji, ``_``, ``-`` and ``/``, but not only digits."""
_NO_TAG = re.compile(
    r"[\d/_-]+|(?=.*\d)(?:[0-9a-f]{6}|[0-9a-f]{8})|(?=.*\d.*\d|\d)[0-9a-f]{3,4}|([a-f])\1{2,7}", re.IGNORECASE
)
"""Issue numbers and colours, which look like tags."""
_KEEP = re.compile(rb'"(?:userEdited|created)TimestampUsec"')
_KEYS = {"userEditedTimestampUsec", "createdTimestampUsec"}
_COMMENT = re.compile(r"%%.*?%%", re.DOTALL)


def read_notes(export: Export) -> Iterator[Bundle]:
    """Read Markdown files, each as a bundle. Links to a note lead to its first piece."""
    bundles: list[Bundle] = []
    named: dict[str, str] = {}
    for name in export.named("*.md", "*.markdown"):
        if any(part.startswith(".") for part in name.split("/")):
            continue
        bundle = Bundle(f"notes:{name}", name)
        bundles.append(bundle)
        for at, draft in enumerate(read_document(export, name, bundle, name)):
            ref = f"{name}#{at}" if at else name
            found_tags = {*draft.tags, *tags_of(draft.text)}
            bundle.drafts.append(replace(draft, span=Span(at, at), ref=ref, tags=tuple(sorted(found_tags))))
        if bundle.drafts:
            _, known = read_front_matter(export.text(name))
            others = (*as_list(known.get("aliases")), *as_list(known.get("permalink")))
            for label in (name, name.rsplit("/", 1)[-1], bundle.drafts[0].title, *others):
                named.setdefault(_label(label), name)
    for bundle in bundles:
        for draft in bundle.drafts:
            for match in _LINK.finditer("\n".join(said for said, _ in _prose(draft.text))):
                target = named.get(_label(match[1]))
                if target and target != bundle.title and draft.ref:
                    bundle.relations.append(Relation(draft.ref, "about", target))
        yield bundle


def tags_of(text: str) -> set[str]:
    """Return the #tags in Markdown outside code and comments, and ``observation/KIND`` for `- [KIND] …`."""
    tags = set()
    for said, is_item in _prose(text):
        found = (unicodedata.normalize("NFC", match[1]).rstrip("/") for match in _TAG.finditer(said))
        tags |= {tag for tag in found if tag and not _NO_TAG.fullmatch(tag)}
        if is_item and (match := _OBSERVATION.match(said)):
            tags.add(f"observation/{match[1]}")
    return tags


def _prose(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the paragraphs, headings and items of Markdown, and whether each starts an item. Code, HTML and
    comments become NUL."""
    is_item = False
    for token in _parser().parse(_COMMENT.sub("\0", text)):
        if token.type == "inline":
            parts = (_text_of(child) for child in token.children or ())
            yield "".join(parts), is_item
        is_item = token.type == "list_item_open" or (is_item and token.type == "paragraph_open")


def _text_of(token: Any) -> str:
    match token.type:
        case "text":
            return str(token.content)
        case "softbreak" | "hardbreak":
            return "\n"
        case "text_special":
            return "\0" if token.content == "#" else str(token.content)
        case "code_inline" | "html_inline" | "image":
            return "\0"
    return ""


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("text_join")  # it hides escaped characters


def _label(name: str) -> str:
    """Return a note's name as links use it: without the file ending, casefolded."""
    name = unicodedata.normalize("NFC", name.strip())
    return re.sub(r"\.(?:md|markdown)$", "", name, flags=re.IGNORECASE).casefold()


# --- Google Keep -------------------------------------------------------------------------------------------


def _keep_names(export: Export) -> list[str]:
    """Return the files of a folder Keep, or all: it may have another name, and files of other products."""
    names = export.named("*.json")
    return [name for name in names if "keep/" in name.lower()] or names


def _is_keep(export: Export) -> bool:
    return any(_KEEP.search(export.head(name)) for name in _keep_names(export)[:5])


def read_keep(export: Export) -> Iterator[Bundle]:
    """Read Google Keep's notes from Takeout: a JSON file for each. Notes in the trash stay out.

    The id of a note is its time of creation, in microseconds.
    """
    seen = set[object]()
    for name in _keep_names(export):
        try:
            note = json.loads(export.read(name))
        except (MemosError, ValueError, RecursionError) as error:
            yield Bundle("", faults=[str(error) if name in str(error) else f"{name}: {error}"])
            continue
        if not _KEYS & mapping(note).keys():
            continue  # of another product of Google
        if note.get("isTrashed") is True:
            continue
        made = note.get("createdTimestampUsec") or note.get("userEditedTimestampUsec")
        ref = f"keep:{name if str(made) in seen else made}"
        seen.add(str(made))
        title = " ".join(text(note.get("title")).split())
        bundle = Bundle(ref, title or name.rpartition("/")[2])
        rows = [
            f"- [{'x' if row.get('isChecked') is True else ' '}] {text(row.get('text'))}"
            for row in objects(note.get("listContent"))
            if text(row.get("text")).strip()
        ]
        links = [
            " ".join(filter(None, (text(each.get("title")), text(each.get("url")))))
            for each in objects(note.get("annotations"))
            if text(each.get("url")) not in text(note.get("textContent"))
        ]
        said = "\n".join([text(note.get("textContent")), *rows])
        bundle.add(
            "\n\n".join(filter(str.strip, [said, *links])) or title, title=title, ref=ref, time=time(made),
            tags=tuple(text(each.get("name")) for each in objects(note.get("labels"))),
        )  # fmt: skip
        bundle.pinned += [ref] if bundle.drafts and note.get("isPinned") is True else []
        yield bundle


KEEP = Importer(read_keep, _is_keep, "Google Keep: notes from Takeout")
