"""A chat with memory: each question gets its own plan, and can depend on earlier turns.

The conversation stays in the model's own cache, so that each turn reads only new tokens. While the user reads
an answer, the model reads it too, in the same batches as in the next prompt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from memos_cli.cube import CHAT, STATES, Draft, Filter, Span, new_ulids
from memos_cli.errors import MemosError, UsageError
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.transaction import NewMemoryFields
from memos_cli.interface.ask.answering import answer_request, is_quoted
from memos_cli.interface.ask.chat_turns import asks, store_turns
from memos_cli.interface.ask.read_ahead import ReadAhead
from memos_cli.interface.ask.request import Request, never, read_request
from memos_cli.interface.ingest.saving import Saved, save
from memos_cli.interface.lifecycle.editing import forget
from memos_cli.interface.options import AnswerOptions
from memos_cli.interface.results import Answer, Forgotten
from memos_cli.interface.selection import pinned, promptable, select, view
from memos_cli.interface.session import Session
from memos_cli.models.engine import Engine
from memos_cli.operation.ask.chat_prompt import Conversation, Turn
from memos_cli.operation.ask.grounding import cited_labels, used
from memos_cli.zones import show_time

_STATED = "stored as a statement, so later questions find it; end a question with ?"
"""The note for a line without an answer: it may have been no question."""


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """An answer in a chat. ``answer.tokens`` counts the tokens of the prompt that were read for it."""

    answer: Answer
    turn: int
    """Its number in the chat, from 1."""
    ids: tuple[str, ...] = ()
    """The ids of the memories that store the question and the answer."""
    read_ahead: int = 0
    """Tokens of the previous answer that were read while the user read it."""
    folded: int = 0
    """How many old turns were removed from the prompt because the context was full."""
    follows: bool = False
    """Whether the search also used earlier turns."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _PendingTurn:
    """A question or an answer that is not stored yet, and the number of its turn."""

    turn: int
    draft: Draft
    made_from: tuple[int, ...] = ()


@dataclass(slots=True)
class Chat:
    """One user's conversation with a vault. Close it before the vault. Not thread-safe."""

    session: Session
    filter: Filter
    options: AnswerOptions
    saves: bool = True
    """Whether each turn is stored at once."""
    id: str = ""
    turns: list[Turn] = field(default_factory=list)
    """All turns since the chat began, oldest first."""
    last: Answer | None = None
    _conversation: Conversation = field(default_factory=Conversation)
    _pending: list[_PendingTurn] = field(default_factory=list)
    _count: int = 0
    """Turns so far, also those that are forgotten."""
    _begun: int = 0
    _ahead: ReadAhead | None = None

    def __post_init__(self) -> None:
        self.session.before_close.append(self._stop_reading_ahead)
        self.new()

    @property
    def address(self) -> str:
        """The source that the turns are stored under."""
        return f"{CHAT}{self.id}"

    # --- asking ----------------------------------------------------------------------------------------

    def ask(
        self,
        question: str,
        *,
        started: float = 0.0,
        on_text: Callable[[str], None] = lambda text: None,
        is_stopped: Callable[[], bool] = never,
    ) -> ChatTurn:
        """Answer ``question`` as ``query`` does, with the turns before it, and store both.

        ``is_stopped`` is called during the answer. Once it returns True, the text so far is the answer.
        """
        session, begin, asked = self.session, time.perf_counter(), self.session.now()
        session.identify_again()
        ahead = self.wait(is_stopped)
        shown: list[str] = []

        def show(text: str) -> None:
            shown.append(text)
            on_text(text)

        try:
            with session.vault.model_in_use():
                self._drop_unusable()
                request, folded, quotes = self._request(question, is_stopped)
                request = replace(request, on_text=show, begin=begin, started=started)
                answer = answer_request(session, request, is_quoted=quotes)
        except BaseException:
            if text := "".join(shown).strip():  # ended in the middle of an answer: keep what was shown
                self._add_turn(Turn(question, text, request.call, (), self._used(text, request)), asked, "")
            raise
        if answer.mode == "quote":
            made_from = frozenset(quote.cube.n for quote in answer.quotes)
        else:
            answer = self._with_earlier_sources(answer) if answer.tokens else answer
            made_from = frozenset(item.hit.cube.n for item in answer.plan.chosen if item.found)
        before = request.follows.texts[:1] if request.follows else ()
        searched = " ".join([*before, question])
        turn = Turn(question, answer.answer, request.call, answer.plan.chosen, made_from, searched)
        self.last = answer
        notes = self._add_turn(turn, asked, answer.model)
        if answer.tokens and turn.answer and not self.options.text_only:
            self._read_ahead(session.engine)
        ids = self.turns[-1].ids
        if ids and not (answer.answered or asks(question)):
            notes.append(_STATED)
        return ChatTurn(answer, self._count, ids, ahead, folded, request.follows is not None, tuple(notes))

    def _request(self, question: str, is_stopped: Callable[[], bool]) -> tuple[Request, int, bool]:
        """Parse a question. Returns it, how many turns were folded for it, and whether quotes answer it."""
        session, options = self.session, replace(self.options, log=self.saves and self.options.log)
        last = self.turns[-1] if self.turns else None
        filter = promptable(session, self.filter)
        request = replace(read_request(session, question, filter, options, last), is_stopped=is_stopped)
        chat = self._conversation
        chat.pins = pinned(session, options.view, session.highest_sensitivity)
        in_prompt = replace(request, conversation=chat, own=self._stored_turns())
        if is_quoted(session, request):
            return request, 0, True
        engine, settings = session.engine, session.settings
        length = options.max_tokens or settings.query_max_tokens
        memory = min(options.memory_tokens or settings.query_memory, engine.context // 4)
        folded = chat.fold(engine, question, engine.context - length - memory, options.system)
        return replace(in_prompt, own=self._stored_turns()), folded, False

    def _with_earlier_sources(self, answer: Answer) -> Answer:
        """Return a written answer, with the memories of earlier turns that it cites or uses added to its
        own.
        """
        cited, chosen = cited_labels(answer.answer), answer.plan.chosen
        known = {item.hit.cube.n for item in chosen}
        more = tuple(
            replace(item, tokens=0, found=True)
            for n, item in self._conversation.memories.items()
            if n not in known and (item.label in cited or used(answer.answer, item.hit.cube.text))
        )
        order = (*answer.order, *(item.label for item in more))
        return replace(answer, plan=replace(answer.plan, chosen=(*chosen, *more)), order=order)

    def _used(self, text: str, request: Request) -> frozenset[int]:
        """Return the memories whose words a text uses, by row number."""
        found = [hit.cube for result in request.found.values() for hit in result.hits]
        found += [item.hit.cube for item in self._conversation.memories.values()]
        return frozenset(cube.n for cube in found if used(text, cube.text))

    def _stored_turns(self) -> frozenset[int]:
        """Return the stored turns in the prompt, by row number."""
        ids = [id for turn in self._conversation.turns for id in turn.ids]
        return frozenset(queries.by_ids(self.session.vault.connection, ids).values()) if ids else frozenset()

    def _drop_unusable(self) -> None:
        """Remove turns from the prompt if they were made from a memory that may no longer be used.

        The memory may have been forgotten, changed, hidden, quarantined or expired since, also by another
        process.
        """
        session, chat = self.session, self._conversation
        read = {n: item.hit.cube for n, item in chat.memories.items()}
        if not read and not any(turn.ids for turn in chat.turns):
            return
        db, ids = session.vault.connection, [id for turn in chat.turns for id in turn.ids]
        filter = promptable(session, Filter()).up_to(session.highest_sensitivity)
        fit = {*queries.filter_ids(db, [*read], now=session.now(), filter=filter)}
        now, there = queries.by_rowid(db, [*fit]), queries.by_ids(db, ids)
        fit = {n for n in fit if n in now and now[n].version == read[n].version}
        lost = {
            turn.number
            for turn in chat.turns
            if any(item.hit.cube.n not in fit for item in turn.chosen) or not there.keys() >= {*turn.ids}
        }
        if lost:
            self._remove_turns(lost)

    # --- the model's cache -----------------------------------------------------------------------------

    def _read_ahead(self, engine: Engine) -> None:
        """Start to read the last answer, for the next turn."""
        chat = self._conversation
        prompt = chat.prompt(engine, "", (), self.options.system)
        whole = len(prompt.prefix) - len(prompt.prefix) % engine.batch
        if engine.unfit or whole <= engine.held(prompt.prefix[: whole + 1]):
            return
        self._ahead = ReadAhead(engine, prompt.prefix[:whole])

    def wait(self, is_stopped: Callable[[], bool] = never) -> int:
        """Wait until the model has read the last answer; return how many tokens it has read for that."""
        if self._ahead is None:
            return 0
        while self._ahead.is_alive() and not is_stopped():
            self._ahead.join(0.1)
        count = self._ahead.count
        self._stop_reading_ahead()
        return count

    def _stop_reading_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.abandon()
            self._ahead = None

    def _clear_cache(self) -> None:
        self._stop_reading_ahead()
        self.session.clear_cache()

    # --- storing ---------------------------------------------------------------------------------------

    def _add_turn(self, turn: Turn, asked: int, model: str) -> list[str]:
        """Add a turn to the chat, and store it if the chat is stored. Returns notes."""
        self._count += 1
        turn = replace(turn, number=self._count)
        caller = self.session.principal.partition(":")[2]
        self._add_pending(turn, turn.question, asked, caller, "user")
        if turn.answer:
            self._add_pending(turn, turn.answer, self.session.now(), model or "memos", "assistant")
            self._conversation.turns.append(turn)
        self.turns.append(turn)
        return self._store() if self.saves else []

    def _add_pending(self, turn: Turn, text: str, time: int, author: str, role: str) -> None:
        is_answer = role == "assistant"
        at, title = 2 * (turn.number - 1) + is_answer, f"Chat {show_time(self._begun)[:16]}"
        draft = Draft(text, Span(at, at), "dialogue", title, f"{self.id}/{at}", time, author, role)
        self._pending.append(_PendingTurn(turn.number, draft, tuple(turn.made_from) if is_answer else ()))

    def _store(self) -> list[str]:
        """Store the pending turns; return notes. Turns that cannot be stored now stay pending."""
        pending = self._pending
        try:
            ids, notes = store_turns(
                self.session, self.address, [each.draft for each in pending],
                [each.made_from for each in pending],
            )  # fmt: skip
        except UsageError as error:  # a secret, where they are refused: it is never stored
            self._pending = []
            return [f"this turn is not stored: {error}"]
        except (MemosError, OSError) as error:
            return [f"this turn is not stored yet: {error}"]
        self._pending = []
        named: dict[int, tuple[str, ...]] = {}
        for each, id in zip(pending, ids, strict=True):
            named[each.turn] = (*named.get(each.turn, ()), id)
        for turns in (self.turns, self._conversation.turns):
            turns[:] = [replace(turn, ids=named.get(turn.number, turn.ids)) for turn in turns]
        return notes

    def save(self) -> int:
        """Store the chat so far and from now on. Returns how many turns are stored.

        Raises MemosError if they cannot be stored; then nothing changes."""
        self.session.access.require_writer()
        if self._pending and (notes := self._store()) and self._pending:
            raise MemosError(notes[0], "end the process that uses the vault, then type /save again")
        self.saves = True
        return sum(bool(turn.ids) for turn in self.turns)

    # --- commands --------------------------------------------------------------------------------------

    def new(self) -> None:
        """Start another chat. The model's cache keeps the instructions, which both start with."""
        self._stop_reading_ahead()
        self._begun = self.session.now()
        self.id = new_ulids(self._begun, 1)[0]
        self._conversation = Conversation()
        self.turns, self._pending, self._count, self.last = [], [], 0, None

    def remember(self, text: str) -> Saved:
        """Store ``text`` as a memory."""
        return save(self.session, text, "memos-chat", "fact", "", NewMemoryFields(), "")

    def find(self, what: str) -> tuple[str, ...]:
        """Return the ids that ``/forget`` names: by the last turn (""), this ``chat``, a source, or an id."""
        if what == "":
            return tuple(id for turn in self.turns[-1:] for id in turn.ids)
        if what == "chat":
            stored = select(self.session, Filter(source=self.address, states=STATES))
            return tuple(cube.id for cube in stored if cube.type == "dialogue")
        named = what.strip("[]")
        chosen = self.last.plan.chosen if self.last else ()
        found = tuple(item.hit.cube.id for item in chosen if named == str(item.label))
        if not found and named.isdecimal() and len(named) < 4:
            raise UsageError(f"the last answer has no source [{named}]", "/sources lists them")
        return found or (what,)

    def forget(self, what: str) -> tuple[tuple[Forgotten, ...], list[Turn]]:
        """Forget the last turn (""), this ``chat``, a source of the last answer by its number, or an id.

        Answers that were made from a forgotten memory are forgotten too. Their turns are removed from the
        chat and from the model's cache. Returns the deleted memories, and the removed turns.
        """
        ids = self.find(what)
        forgotten = [forget(self.session, ids, None, dry_run=False)] if ids else []
        cubes = [cube for each in forgotten for cube in each.cubes]
        numbers, lost = {cube.n for cube in cubes}, {cube.id for cube in cubes}
        removed = [turn for turn in self.turns if turn.made_from & numbers or lost & {*turn.ids}]
        if what in ("", "chat"):
            removed = self.turns[-1:] if not what else [*self.turns]
        rest = [id for turn in removed for id in turn.ids if id not in lost]
        if rest:  # the question reveals what was forgotten
            forgotten.append(forget(self.session, rest, None, dry_run=False))
        self._pending = [each for each in self._pending if each.turn not in {t.number for t in removed}]
        self._remove_turns({turn.number for turn in removed})
        self._clear_cache()
        return tuple(forgotten), removed

    def _remove_turns(self, numbers: set[int]) -> None:
        """Remove turns from the prompt, and from the searches of follow-up questions."""
        self.turns = [turn for turn in self.turns if turn.number not in numbers]
        if numbers:
            self._conversation.cut(numbers)
            self.last = None
            self._clear_cache()

    def use_model(self, name: str) -> str:
        """Change the model; return its name. If it raises ModelUnfit, the old model stays."""
        self._stop_reading_ahead()
        self.session.use_reader(name)
        if self.session.server and not self.session.server.is_local:
            self._conversation = Conversation()  # another machine does not get the earlier turns
        return self.session.model_name

    def use_view(self, name: str) -> None:
        """Search a view from now on; "" means no view. Raises UsageError for an unknown view."""
        self.filter = view(self.session, name) if name else Filter()
        self.options = replace(self.options, view=name)

    def close(self) -> None:
        """Stop the model, and store the pending turns."""
        self._stop_reading_ahead()
        if self.saves and self._pending:
            self._store()

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def may_save(session: Session) -> str:
    """Return the reason why a chat cannot be stored in a vault; "" if it can."""
    try:
        session.access.require_writer()
    except MemosError as error:
        return str(error)
    return "the vault is read-only" if session.vault.connection.is_immutable else ""
