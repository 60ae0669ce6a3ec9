"""Scheduled maintenance.

Each step can be run alone, and loses nothing if it is killed: it changes the vault like the other commands,
with a transaction for each change, so the next run continues.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from memos_cli.counts import counted
from memos_cli.cube import SEMANTIC_TYPES, Cube, Filter
from memos_cli.errors import Locked, MemosError, ModelUnfit, UsageError, require_known
from memos_cli.files import hold
from memos_cli.infrastructure.derived import adapters, saved_states
from memos_cli.infrastructure.memories import filters, key_values, queries
from memos_cli.infrastructure.vault import check
from memos_cli.infrastructure.vault.vault import ASKING, MAINTAINED
from memos_cli.infrastructure.vectors import vector_index
from memos_cli.interface.adapters.demotion import demote
from memos_cli.interface.lifecycle.conflict_resolution import link_conflicts
from memos_cli.interface.missing_vectors import count_missing, embed_missing
from memos_cli.interface.selection import promptable, select
from memos_cli.interface.states.promotion import promote
from memos_cli.models.llama.state_conditions import PROMPT_DAY
from memos_cli.operation.lifecycle.states import DAY, heat_now, next_state
from memos_cli.operation.states import throughput
from memos_cli.operation.states.eviction import Choice, Policy, Verdict, decide
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.interface.session import Session

STEPS = ("expire", "archive", "embed", "rivals", "states", "adapters", "sweep", "optimize")
WORTHWHILE = 1200
"""Characters from which a memory may get a state of its own."""
TRIED = 100
"""Maximum memories whose states a run considers: those that would save most reading."""
COMPARED = "compared:"
"""Prefix of the key of the last vector of a principal that was compared."""
TAUGHT, STEADY = 32, 7 * DAY
"""Maximum memories that a run trains an adapter on, and the time for which they have not changed."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a run, or (``dry_run``) a planned one, with its reason."""

    step: str
    what: str
    id: str
    reason: str


@dataclass(slots=True)
class Report:
    """The result of a run. ``left`` are the steps that it had no time for."""

    deeds: list[Action] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    dry_run: bool = False


class OutOfTime(Exception):
    """The time of the run is over; the next one continues."""


def maintain(
    session: Session,
    *,
    steps: Sequence[str],
    distil: bool,
    dry_run: bool,
    minutes: float,
    on_step: Callable[[str], None],
) -> Report:
    """Run ``steps`` in their order. Raises Locked while another run is active."""
    for step in steps:
        require_known("step", step, STEPS)
    session.access.require_writer()
    with nullcontext() if dry_run else hold(session.vault.folder / MAINTAINED):
        run = _Run(session, dry_run, time.monotonic() + 60 * minutes if minutes else None, distil)
        report = run.report
        for step in (each for each in STEPS if each in steps):
            on_step(step)
            start = time.monotonic()
            try:
                for deed in getattr(run, step)():
                    report.deeds.append(deed)
                    run.breathe()
            except OutOfTime:
                report.left = [each for each in STEPS[STEPS.index(step) :] if each in steps]
                break
            except MemosError as error:  # a step that fails keeps no other from its work
                report.failed[step] = error.with_hint
            finally:
                report.seconds[step] = round(time.monotonic() - start, 3)
        if not dry_run and (report.deeds or report.failed):
            with session.vault.change(session.principal, session.now()) as change:
                counts = Counter(deed.what for deed in report.deeds)
                change.note("maintain", {"did": counts, "failed": report.failed, "left": report.left})
    return report


class _Run:
    """One run of maintenance. Each step yields its actions."""

    def __init__(self, session: Session, dry_run: bool, deadline: float | None, distil: bool) -> None:
        self._session, self._dry_run, self._deadline, self._distil = session, dry_run, deadline, distil
        self.report = Report(dry_run=dry_run)

    def breathe(self, *_: object) -> None:
        """Wait while a query uses a model. Raises OutOfTime when the time of the run is over."""
        while not self._dry_run:
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise OutOfTime
            try:
                with hold(self._session.vault.folder / ASKING):
                    return
            except Locked:
                time.sleep(0.05)

    # --- memories ----------------------------------------------------------------------------------

    def expire(self) -> Iterator[Action]:
        """Set the state of memories whose time is over."""
        session, now = self._session, self._session.now()
        over = session.vault.connection.execute(
            """SELECT n, id, state FROM cube WHERE expires <= ? AND payload = 'plaintext'
               AND state IN ('generated', 'activated') ORDER BY n""",
            (now,),
        ).fetchall()
        yield from self._move([(n, id, state, "its time is over") for n, id, state in over], "expire")

    def archive(self) -> Iterator[Action]:
        """Archive the caller's memories that were not used for the days of ``maintain.archive_after`` (0:
        never).
        """
        session, days = self._session, self._session.settings.maintain_archive_after
        if not days:
            return
        before = session.now() - round(days * DAY)
        cold = session.vault.connection.execute(
            """SELECT n, id, state FROM cube c WHERE payload = 'plaintext'
               AND state IN ('generated', 'activated') AND NOT frozen AND priority <= 0 AND owner = ?2
               AND coalesce(last_hit, updated) < ?1 AND updated < ?1
               AND NOT EXISTS (SELECT 1 FROM pin WHERE pin.cube = c.n) ORDER BY n""",
            (before, session.principal),
        ).fetchall()
        yield from self._move(
            [(n, id, s, f"not used for {days:g} day{'s' * (days != 1)}") for n, id, s in cold], "archive"
        )

    def _move(self, rows: Sequence[tuple[int, str, str, str]], action: str) -> Iterator[Action]:
        """Set states in parts, so that no writer waits long."""
        session = self._session
        for start in range(0, len(rows), 500):
            part = rows[start : start + 500]
            if not self._dry_run:
                with session.vault.change(session.principal, session.now()) as change:
                    for n, _, state, _ in part:
                        standing = queries.status(change.db, n)
                        if standing == (state, False):  # unless somebody was quicker
                            change.set_state(n, next_state(state, action), action)
            yield from (Action(action, action, id, reason) for _, id, _, reason in part)

    def embed(self) -> Iterator[Action]:
        """Compute missing vectors."""
        session = self._session
        waiting = count_missing(session)
        if not waiting:
            return
        done = waiting if self._dry_run else embed_missing(session, on_vectors=self.breathe)
        yield Action("embed", "embed", "", f"{counted(done, 'memory')} had no vector")

    def rivals(self) -> Iterator[Action]:
        """Link memories that are duplicates or contradict each other."""
        session, db = self._session, self._session.vault.connection
        embedder = queries.embedder_in_use(db)
        mark = COMPARED + session.principal
        last = int(key_values.get(db, mark) or 0)
        rows = db.execute(
            "SELECT max(n), cube FROM vector WHERE embedder = ? AND n > ? GROUP BY cube ORDER BY 1",
            (embedder, last),
        ).fetchall()
        for n, cube in rows:
            for kind, mine, other in link_conflicts(session, cube, embedder, dry_run=self._dry_run):
                yield Action("rivals", "link", mine.id, f"{kind} {other.id}")
            last = n
            self.breathe()
        if rows and not self._dry_run:
            with session.vault.change(session.principal, session.now()) as change:
                key_values.put(change, mark, str(last))

    # --- other forms --------------------------------------------------------------------------------

    def states(self) -> Iterator[Action]:
        """Drop the caller's states that are stale or do not pay, and make those that do."""
        session = self._session
        known = saved_states.activations(
            session.vault.connection, now=session.now(), where="c.owner = ?", values=(session.principal,)
        )
        for each in known:
            if each.stale:
                if not self._dry_run:
                    demote(session, [each.id])
                yield Action("states", "drop", each.id, f"stale: {each.stale}")
        yield from self._asked_for()
        fresh = [each for each in known if not each.stale]  # those just made have a day to be of use
        settings, today = session.settings, date.today().isoformat()
        policy: Policy = settings.maintain_policy  # type: ignore[assignment]
        choices = [self._there(each) for each in fresh]
        if policy == "economy":
            choices += self._possible(fresh)
        budget = round(settings.activation_disk_mb * 1e6)
        verdicts = decide(choices, budget=budget, policy=policy)
        # A state whose prompt contains yesterday's date is made again with today's.
        of_old_days = {each.id for each in fresh if each.state.fingerprint.get(PROMPT_DAY, today) != today}
        verdicts = [
            replace(v, action="make", reason="the date in its prompt has passed")
            if v.action == "keep" and v.choice.id in of_old_days
            else v
            for v in verdicts
        ]
        for verdict in sorted(verdicts, key=lambda v: v.action != "drop"):  # free space first
            if verdict.action in ("drop", "make"):
                yield from self._carry_out(verdict)

    def _asked_for(self) -> Iterator[Action]:
        """Make the states that imported bundles requested."""
        session = self._session
        for wanted in saved_states.requests(session.vault.connection):
            document = [str(id) for id in wanted.get("document", ())]
            if session.vault.visible(document) < {*document}:
                continue  # another principal's: its own run makes the state
            yield Action("states", "make", document[0] if document else "", "it came with an import")
            if self._dry_run:
                continue
            with suppress(MemosError):  # what cannot be made is not asked for again
                promote(session, document, None, view=str(wanted.get("view", "")), on_tokens=self.breathe)
            with session.vault.change(session.principal, session.now()) as change:
                saved_states.settle_request(change, wanted)

    def _carry_out(self, verdict: Verdict) -> Iterator[Action]:
        session, choice = self._session, verdict.choice
        if not self._dry_run:
            if verdict.action == "drop":
                demote(session, [choice.id])
            else:
                promote(session, [choice.id], None, on_tokens=self.breathe)
        yield Action("states", verdict.action, choice.id, verdict.reason)

    def _there(self, each: saved_states.Activation) -> Choice:
        numbers = [source.cube for source in each.sources]
        cubes = queries.by_rowid(self._session.vault.connection, numbers).values()
        # It is used when its memories are: they may have been so before it was made.
        known = throughput.kept(self._session.vault.connection, each.state.fingerprint)
        restore = known.restore if known else throughput.RESTORE
        heat = max([self._cooled(each.heat, each.last_hit), *map(self._heat, cubes)])
        return Choice(
            each.id, each.state.size, each.state.seconds - each.state.size / restore, 0.0, heat,
            last_use=each.last_hit or 0, exists=True, pinned=not each.cubes("document"),
        )  # fmt: skip

    def _possible(self, fresh: Sequence[saved_states.Activation]) -> Iterator[Choice]:
        """Return the long memories in use that have no state, with the cost of making one."""
        session = self._session
        held = {source.cube for each in fresh for source in each.sources}
        wanted = promptable(session, Filter(types=SEMANTIC_TYPES))
        where, values = filters.condition(wanted, session.now())
        rows = session.vault.connection.execute(
            f"""SELECT c.n, c.heat, c.last_hit, length(v.text) FROM cube c
                JOIN version v ON v.cube = c.n AND v.version = c.version
                WHERE {where} AND c.hits > 1 AND length(v.text) >= ?""",
            (*values, WORTHWHILE),
        ).fetchall()
        warm = [(self._cooled(heat, last), length, n) for n, heat, last, length in rows if n not in held]
        best = sorted((heat * length, n) for heat, length, n in warm if heat >= 1.0)[-TRIED:]
        cubes = queries.by_rowid(session.vault.connection, [n for _, n in reversed(best)])
        for cube in cubes.values():
            self.breathe()
            with suppress(UsageError, ModelUnfit):  # too long for the context, or no reader: no state
                price = promote(session, [cube.id], None, dry_run=True)
                yield Choice(
                    cube.id, price.bytes, price.saved, price.seconds, self._heat(cube), cube.last_hit or 0
                )

    def _heat(self, cube: Cube) -> float:
        return self._cooled(cube.heat, cube.last_hit)

    def _cooled(self, heat: float, last_hit: int | None) -> float:
        half_life = self._session.settings.heat_half_life
        return heat_now(heat, last_hit, now=self._session.now(), half_life=half_life)

    def adapters(self) -> Iterator[Action]:
        """Detach stale adapters; with ``--distil``, train one on memories that are used often and do not
        change.
        """
        session = self._session
        for each in adapters.adapters(session.vault.connection, now=session.now()):
            if each.state == "activated" and each.stale and each.sources:
                if not self._dry_run:
                    demote(session, [each.id])
                yield Action("adapters", "detach", each.id, f"stale: {each.stale}")
        if self._distil:
            yield from self._learn()

    def _learn(self) -> Iterator[Action]:
        from memos_cli.interface.adapters.distillation import distil, prepare
        from memos_cli.interface.options import TrainOptions
        from memos_cli.operation.adapters.parametric import Watch

        session, now = self._session, self._session.now()
        learned = {
            s.cube for each in adapters.adapters(session.vault.connection, now=now) for s in each.sources
        }
        wanted = promptable(session, Filter(types=("fact", "preference")))
        wanted = wanted.up_to(session.settings.sensitivity_adapter)
        hot = [
            cube
            for cube in select(session, wanted)
            if cube.n not in learned and cube.updated < now - STEADY and self._heat(cube) >= 1.0
        ]
        hot = sorted(hot, key=lambda cube: (-self._heat(cube), cube.n))[:TAUGHT]
        if len(hot) < 4:
            return
        ids = [cube.id for cube in hot]
        reason = f"{counted(len(hot), 'memory')} in use have not changed for a week"
        if self._dry_run:
            yield Action("adapters", "learn", ids[0], reason)
            return
        named = TrainOptions(name=f"night of {show_time(now)[:10]}")
        watch = Watch(on_part=self.breathe, on_step=self.breathe)
        done = distil(session, prepare(session, ids, options=named), named, watch)
        yield Action("adapters", "learn" if done.passed else "refuse", done.id, done.reason or reason)

    # --- files ---------------------------------------------------------------------------------------

    def sweep(self) -> Iterator[Action]:
        """Delete files that no row names."""
        for found in check.sweep(self._session.vault, dry_run=self._dry_run):
            yield Action("sweep", "sweep", found.where, found.message)

    def optimize(self) -> Iterator[Action]:
        """Optimize the full-text table, the planner's statistics, the log and the index."""
        session = self._session
        if self._dry_run:
            return
        db = session.vault.unrestricted
        with session.vault.change(session.principal, session.now()) as change:
            change.db.execute("INSERT INTO words (words, rank) VALUES ('merge', 200)")
            # Here, because SQLite does not wait for another writer once a statement has begun to read.
            change.db.execute("PRAGMA optimize")
        with suppress(Locked):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for row, dimension in db.execute("SELECT n, dimension FROM embedder").fetchall():
            vector_index.refresh(db, session.vault.snapshots, row, dimension)
        yield from ()
