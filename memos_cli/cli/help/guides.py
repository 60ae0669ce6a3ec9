"""The command ``memos help``: the guides in ``memos_cli/guides``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.shared_options import arg
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 100
"""Most columns of a guide on a terminal: longer lines are hard to read."""


def show_guide(
    state: State, topic: Annotated[str, arg("[TOPIC]", "Guide to show. Default: list them.")] = ""
) -> None:
    """Show a guide, or list the guides. For the options of a command: memos COMMAND --help.

    Example:
      memos help
      memos help importing
    """
    output = state.output
    guides = read_guides()
    if not topic:
        output.listing(
            [(name, summarize(text)) for name, text in guides.items()],
            lambda each: {"topic": each[0], "summary": each[1]},
            "topic, summary",
            lambda each: each,
            empty="the guides are not installed; install memos-cli again",
        )
        return
    name = topic.casefold().removesuffix(".md")
    if name not in guides:
        raise UsageError(f"there is no guide {topic!r}", find_nearest(name, guides))
    text = guides[name]
    if output.json:
        output.record({"topic": name, "summary": summarize(text), "text": text})
    elif output.on_terminal:
        show_pages(text)
    else:
        output.text(text, end="")


def read_guides() -> dict[str, str]:
    """Return the Markdown text of each guide by its topic, in alphabetical order."""
    from importlib.resources import files

    folder = files("memos_cli") / "guides"
    texts = {
        file.name.removesuffix(".md"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".md")
    }
    # Comments mark what scripts/docs writes; they are of no use to a reader.
    return {name: re.sub(r"<!--.*?-->\n+", "", texts[name], flags=re.DOTALL) for name in sorted(texts)}


def summarize(text: str) -> str:
    """Return the first paragraph of a guide, which summarizes it in one line."""
    return text.split("\n\n")[1].replace("\n", " ")


def find_nearest(name: str, guides: Mapping[str, str]) -> str:
    """Return the command that shows what a user who typed ``name`` most likely looks for.

    That is the help of the command of this name, or the guide with a similar name, or the guide that mentions
    ``name`` most often. If there is none, it is the list of guides.
    """
    from difflib import get_close_matches

    from memos_cli.cli.commands import COMMANDS

    for path in (path for commands in COMMANDS.values() for path in commands):
        if name in (words := path.split()):
            return f"memos {' '.join(words[: words.index(name) + 1])} --help"
    if similar := get_close_matches(name, guides, n=1):
        return f"memos help {similar[0]}"
    mentions = {topic: text.casefold().count(name) for topic, text in guides.items()}
    nearest = max(mentions, key=lambda topic: mentions[topic])
    return f"memos help {nearest}" if mentions[nearest] else "memos help"


def show_pages(text: str) -> None:
    """Show Markdown on the terminal, through the user's pager ($PAGER, else less)."""
    import os
    import signal

    from rich.console import Console
    from rich.markdown import Markdown

    os.environ.setdefault("LESS", "-FRX")  # as git does: colours, and no pager for a text that fits
    # ^C belongs to the pager. A handler, unlike SIG_IGN, is not inherited by it.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    console = Console(width=min(WIDTH, Console().width))
    try:
        with console.pager(styles=True):
            console.print(Markdown(text, hyperlinks=False))
    finally:
        signal.signal(signal.SIGINT, before)
