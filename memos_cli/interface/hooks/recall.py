"""Memories for an agent's model: those relevant to a prompt, and those of a project.

The text goes to a model that often runs on somebody else's machine. So it contains only memories that the
settings allow in prompts, and the audit records it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Thread
from typing import TYPE_CHECKING

from memos_cli.cube import SEMANTIC_TYPES, Cube, Filter, Hit, Plan
from memos_cli.errors import Locked, MemosError
from memos_cli.interface.hooks.agents import MOST_LETTERS
from memos_cli.interface.mcp.budget import cut, tokens_of
from memos_cli.interface.projects import TAG
from memos_cli.interface.recalled import fence
from memos_cli.interface.selection import pinned, promptable, select
from memos_cli.operation.search.sentences import split_sentences
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos

_EACH = 250
"""Maximum tokens of one memory's text."""
_SHORT = 600
"""Maximum characters of a text that is always shown from its beginning."""
_MOST = 8
"""Maximum memories for one prompt."""
_ENDS, _PROSE = 2, ("sentence", "item")
"""Sentences at each end of a prompt that are searched separately; the kinds that count as sentences."""
_RECENT = 12
"""Maximum memories of a project at the start of a session; maximum turns and passages beside them."""
_PASSAGES = 4
_LARGE = 100_000
"""Tokens of a plan without a limit: this module decides how many memories fit."""
_RECORDING = 0.3
"""Time to search with an open embedder and to record the memories, as a share of the time of the search by
words: a busy machine slows all of these alike."""
_SPOKEN_TYPES = ("dialogue", "document")
"""Types with many memories, which are seldom useful without a question."""
_HIDDEN: dict[int, str | None] = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x2029], " "
)
_HIDDEN |= dict.fromkeys(
    [0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF, *range(0xE0000, 0xE0080)]
)
"""Control characters, and invisible characters or those that reorder a text."""


@dataclass(frozen=True, slots=True)
class Times:
    """The seconds that a call has used, and those that are left."""

    used: Callable[[], float]
    left: Callable[[], float]


def for_prompt(memos: Memos, prompt: str, view: str, tokens: int, times: Times) -> str:
    """Return the memories that are relevant to a prompt, marked, and at most ``tokens``; "" if none are.

    With enough time left it also searches by meaning. No language model is opened.
    """
    if not prompt:
        return ""
    filter = memos.view(view) if view else Filter()

    def search() -> list[Hit]:
        best: dict[int, Hit] = {}
        for number, asked in enumerate(_parts(prompt)):
            if number and times.left() < _RECORDING * times.used():
                break
            plan = memos.context(asked, filter=filter, tokens=_LARGE, view=view)
            for hit in _relevant(memos, plan):
                known = best.get(hit.cube.n)
                best[hit.cube.n] = hit if known is None or hit.relevance > known.relevance else known
        return sorted(best.values(), key=lambda hit: -hit.relevance)[:_MOST]

    memos.by_words = True
    hits = search()
    if _open_embedder(memos, prompt, times):
        memos.by_words = False
        hits = search()
    return _mark_memories(memos, ((hit.cube, _best(hit)) for hit in hits), tokens)


def for_project(memos: Memos, project: str, view: str, tokens: int) -> str:
    """Return the memories of a project, marked, in at most ``tokens``: pinned ones, then the newest.

    ``project`` is its tag, "" for none. Memories pinned for another project are left out.
    """
    base = memos.view(view) if view else Filter()
    found = [cube for cube in pinned(memos, view) if _belongs(cube, project)]
    known = [type for type in SEMANTIC_TYPES if type not in _SPOKEN_TYPES]
    for types, most in ((known, _RECENT), (_SPOKEN_TYPES, _PASSAGES)) if project else ():
        wanted = replace(base, tags=(*base.tags, project), types=_both(base.types, types))
        found += select(memos, promptable(memos, wanted), limit=most) if wanted.types else ()
    return _mark_memories(
        memos, ((cube, cube.text) for cube in {each.n: each for each in found}.values()), tokens
    )


def _parts(prompt: str) -> list[str]:
    """Return a prompt, and if it has several sentences, also the first and the last ones by themselves.

    Each sentence may be about something else, so a memory may match one of them and not the whole prompt.
    """
    said = [prompt[each.start : each.end] for each in split_sentences(prompt) if each.kind in _PROSE]
    few = said if len(said) <= 2 * _ENDS else [*said[:_ENDS], *said[-_ENDS:]]
    return [prompt, *few] if len(said) > 1 else [prompt]


def _open_embedder(memos: Memos, prompt: str, times: Times) -> bool:
    """Open the embedder, if the vault has vectors and there is time; return whether it is ready in time."""
    from memos_cli.interface.ask.retrieval import has_vectors

    used = times.used()
    if times.left() < used or not has_vectors(memos):
        return False
    ready = []

    def open_now() -> None:
        with suppress(MemosError, OSError, ImportError):
            memos.embedder.embed([prompt], query=True)
            ready.append(True)

    opening = Thread(target=open_now, daemon=True)
    opening.start()
    opening.join(max(0.0, times.left() - _RECORDING * used))
    return bool(ready)


def _relevant(memos: Memos, plan: Plan) -> list[Hit]:
    """Return the memories of a plan that reach query.relevance."""
    hits = [item.hit for item in plan.chosen if item.part != "pinned"]
    return [hit for hit in hits if hit.relevance >= memos.settings.query_relevance]


def _best(hit: Hit) -> str:
    """Return the text of a hit; a long one begins with the sentence that matches best."""
    start = hit.sentences[0].start if hit.sentences else 0
    return f"… {hit.cube.text[start:]}" if start and len(hit.cube.text) > _SHORT else hit.cube.text


def _belongs(cube: Cube, project: str) -> bool:
    """Return whether a memory belongs to no project, or to this one."""
    projects = [tag for tag in cube.tags if tag.startswith(f"{TAG}/")]
    return not projects or any(tag == project or tag.startswith(f"{project}/") for tag in projects)


def _both(some: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return the types that both allow; no types allow all."""
    return tuple(each for each in others if not some or each in some)


def _mark_memories(memos: Memos, found: Iterable[tuple[Cube, str]], tokens: int) -> str:
    """Record as many memories as fit in the audit, and return them marked; "" for none. Raises Locked."""
    blocks, recorded, letters = list[str](), list[Cube](), 0
    tokens -= tokens_of(fence(""))
    for cube, text in found:
        block = f"{_heading(cube)}\n{_quoted(cut(text.strip(), _EACH))}"
        cost = tokens_of(block)
        if cost > tokens or letters + len(block) > MOST_LETTERS:
            continue
        tokens, letters = tokens - cost, letters + len(block)
        blocks.append(block)
        recorded.append(cube)
    if not recorded:
        return ""
    memos.record_use(recorded)
    if memos.vault.unaudited:
        raise Locked(f"the audit cannot record what is recalled: {memos.vault.unaudited}")
    return fence("\n".join(blocks))


def _heading(cube: Cube) -> str:
    """Return the date, the type, the source and the tags on one line."""
    day = show_time(cube.created if cube.time is None else cube.time)[:10]
    title = f'"{_line(cube.title)}"' if cube.title else ""
    said_by = f"said by {_line(cube.author)}" if cube.author else ""
    source = _line((cube.source or "").rpartition("/")[2])
    tags = " ".join(f"#{_line(tag)}" for tag in cube.tags[:5])
    return ", ".join(filter(None, (f"[{cube.id}] {day}", cube.type, said_by, title, source, tags)))


def _line(text: str) -> str:
    return cut(" ".join(text.translate(_HIDDEN).split()), 30)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line.rstrip()}" for line in text.translate(_HIDDEN).splitlines() if line.strip())
