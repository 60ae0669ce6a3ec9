"""The kind of a source: by its name, or else by its first bytes."""

from __future__ import annotations

import json
import re
from pathlib import PurePath

_SUFFIXES = {
    "text": "txt text log rst org tex adoc srt vtt",
    "markdown": "md markdown mdown mkd mdx qmd rmd",
    "html": "html htm xhtml",
    "json": "json geojson ipynb",
    "jsonl": "jsonl ndjson",
    "csv": "csv tsv tab",
    "mbox": "mbox mbx",
    "document": "pdf docx pptx xlsx xls epub msg eml",
    "code": "py pyi pyx js jsx mjs cjs ts tsx go rs c h cc cpp cxx hpp hh cs java kt kts scala swift m mm rb"
    " php pl pm lua r jl hs ml mli ex exs erl clj cljs el lisp scm dart zig nim v sv vhd sh bash zsh fish ps1"
    " bat sql css scss less vue svelte proto graphql tf nix cmake mk gradle yaml yml toml ini cfg conf"
    " properties xml",
}
_BY_SUFFIX = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
_CODE_NAMES = frozenset(("makefile", "dockerfile", "jenkinsfile", "vagrantfile", "rakefile", "gemfile"))
_MARKDOWN = re.compile(r"^#{1,6} \S|^(?:```|~~~)|^\[[^\]\n]+\]: |^\S.*\n=+[ \t]*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n[\w-]+:")
_MBOX = re.compile(rb"\s*From [^\n]{0,500}\n(?:>From [^\n]*\n)?[!-9;-~]{1,80}[ \t]*:")
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I | re.DOTALL
)

KINDS = tuple(_SUFFIXES)
"""Every kind that a source can be."""


def kind_of_name(name: str) -> str:
    """Return the kind of a file by its name, or ''."""
    suffix = PurePath(name).suffix[1:].lower()
    return _BY_SUFFIX.get(suffix, "code" if name.lower() in _CODE_NAMES else "")


def kind_of_bytes(head: bytes) -> str:
    """Return ``document`` for the bytes of a PDF file, ``mbox`` for those of a mailbox, else ''."""
    return "document" if head.startswith(b"%PDF-") else "mbox" if is_mbox(head) else ""


def is_mbox(head: bytes) -> bool:
    """Return whether a file that begins so is a mailbox: a line `From …`, then a header."""
    return _MBOX.match(head) is not None


def kind_of_text(text: str) -> str:
    """Return the kind that a text looks like; plain ``text`` if nothing else."""
    head = text[:4000]
    opening = head.lstrip()
    if opening.startswith("#!"):
        return "code"
    if opening.startswith(("{", "[")):
        return _json_kind(text)
    if _HTML.match(head):
        return "html"
    return "markdown" if _FRONT_MATTER.match(head) or _MARKDOWN.search(head) else "text"


def _json_kind(text: str) -> str:
    """Return ``jsonl`` for an object on the first line and more after it, ``json`` for another value."""
    text = text.lstrip()
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return "text"
    except RecursionError:
        return "json"
    first, _, rest = text.partition("\n")
    is_line = isinstance(value, dict) and len(first.rstrip()) == end
    return "jsonl" if is_line and rest.strip() else "json"
