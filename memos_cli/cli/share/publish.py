"""``memos feed publish``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.output import Output, excerpt, local_time, time_of
from memos_cli.cli.results.memories import pick
from memos_cli.cli.shared_options import DryRun, Selection, Yes, arg, opt
from memos_cli.counts import counted
from memos_cli.errors import Conflict, UsageError

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.share.feeds.publishing import Proposal, Published

TRIES = 5
"""The maximum proposals after another process changed a memory."""
SHOWN = 20
"""Memories that a publisher is shown one by one."""


@dataclass(frozen=True, slots=True)
class _Content:
    """The options of ``memos feed publish`` for ``PublishOptions``."""

    redact: Annotated[bool, opt("--redact", "Mask personal data; leave out the authors.")] = False
    licence: Annotated[str, opt("--licence SPDX", "Licence for those who use it: CC-BY-4.0, …")] = ""
    expires: Annotated[
        str, opt("--expires TIME", "When it ends unless you publish again: 30d, 2027-12-31.")
    ] = ""
    up_to: Annotated[
        str, opt("--up-to LEVEL", "Highest sensitivity to publish. Default: sensitivity.publish.")
    ] = ""


def publish(
    state: State,
    *,
    name: Annotated[str, arg("[NAME]", "Name of the publication; without it, list them.")] = "",
    selection: Selection,
    to: Annotated[str, opt("--to TARGET", "A folder, or s3://bucket/folder; it gets a folder NAME.")] = "",
    content: _Content,
    withdraw: Annotated[bool, opt("--withdraw", "Withdraw the whole publication.")] = False,
    replace: Annotated[
        bool, opt("--replace", "Replace what your key published there from another vault.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Publish memories as a signed feed for others.

    It shows you the memories, and then writes signed files to a folder (of a web server, of a git clone) or
    an object store. Publish again after a change. Without filters and --to, it uses those of the last time;
    memories that they no longer select are withdrawn. Secrets are always masked. Memories that are more
    sensitive than --up-to are not published.

    Example:
      memos feed publish climate --tag climate --to ~/public --licence CC-BY-4.0
      memos feed publish climate --yes
      memos feed publish climate --withdraw
    """
    from memos_cli.interface.options import PublishOptions

    if not name:
        _list(state)
        return
    if not selection and any(astuple(content)):
        raise UsageError(
            "--redact, --licence, --expires and --up-to need a selection of memories",
            f"memos feed publish {name} --tag TAG --to TARGET …",
        )
    with state.open() as memos:
        ids, filter = selection.read(memos)
        wanted = PublishOptions(tuple(ids), filter, **asdict(content)) if selection else None
        propose = partial(memos.propose, name, wanted, target=to, withdraw=withdraw, replace=replace)
        if dry_run:
            proposal, sent, is_shown = propose(), None, True
        else:
            proposal, sent, is_shown = _send(memos, state.output, propose, yes=yes)
    record = {**_as_record(proposal), "dry_run": dry_run, "sent": sent and asdict(sent)}
    state.output.result(record, *(_sent_lines(sent) if sent else _lines(proposal)))
    if not is_shown:
        for why, number in proposal.held_back.items():
            state.output.note(f"note: {counted(number, 'memory is', 'memories are')} not published: {why}")
    for note in proposal.notes:
        (state.output.hint if dry_run else state.output.note)(f"note: {note}")


def _sent_lines(sent: Published) -> list[str]:
    done = f"memories {sent.memories}  sent {sent.sent:,} bytes" if sent.changed else "unchanged"
    return [f"serial {sent.serial}  {done}", f"memos feed subscribe {sent.url} --trust"]


def _list(state: State) -> None:
    with state.open() as memos:
        made = memos.publications()
    state.output.listing(
        made,
        lambda p: {**pick(p, "name serial"), "url": p.target, "time": time_of(p.updated)},
        "name, serial, url, time",
        lambda p: (p.name, p.serial, p.target, local_time(p.updated)),
        empty="nothing is published yet: memos feed publish NAME --tag TAG --to TARGET",
    )


def _send(
    memos: Memos, output: Output, propose: Callable[[], Proposal], *, yes: bool
) -> tuple[Proposal, Published, bool]:
    """Publish what ``propose`` returns, if the user agrees. Returns both, and whether the user was asked.

    Another process may change or use a memory meanwhile. If nobody was asked, it is proposed again.
    """
    for attempt in range(1, TRIES + 1):
        proposal = propose()
        is_asked = not (yes or proposal.current)
        if is_asked:
            output.require_yes(
                f"{counted(len(proposal.memories), 'memory')} would be published",
                "add --yes, or --dry-run first",
                _lines(proposal), f"Send this to {proposal.url}?", "nothing was sent",
            )  # fmt: skip
        try:
            with output.progress("bytes") as (count,):
                return proposal, memos.publish(proposal, on_bytes=count), is_asked
        except Conflict:
            if is_asked or attempt == TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _lines(proposal: Proposal) -> Iterator[str]:
    """Yield the memories to publish, as lines for a person."""
    yield f"{proposal.name} as {proposal.url}, serial {proposal.serial}, signed by {proposal.signer}"
    for each in proposal.memories[:SHOWN]:
        by = f"by {each.author}" if each.author else ""
        masked = f"{each.covered} masked" if each.covered else ""
        about = ", ".join(filter(None, (by, *each.tags, masked)))
        yield f"  {each.change:7} {each.id}  {excerpt(each.text, 60)}" + (f"  ({about})" if about else "")
    if (more := len(proposal.memories) - SHOWN) > 0:
        yield f"  and {more} more (--dry-run --json shows all)"
    yield from (f"  adapter {name}" for name in proposal.adapters)
    yield from (f"  withdrawn {id}" for id in proposal.withdrawn)
    yield from (f"  not published: {number} ({why})" for why, number in proposal.held_back.items())
    wanted = proposal.wanted
    ends = f", ends {wanted.expires}" if wanted and wanted.expires else ""
    licence = (wanted.licence if wanted else "") or "none"
    count = len(proposal.memories)
    yield f"{counted(count, 'memory')}, {len(proposal.withdrawn)} withdrawn, licence {licence}{ends}"


def _as_record(proposal: Proposal) -> dict[str, object]:
    return {
        **pick(proposal, "name url signer serial"),
        "licence": proposal.wanted.licence if proposal.wanted else "",
        "memories": [asdict(each) for each in proposal.memories],
        **pick(proposal, "withdrawn held_back adapters notes"),
        "unchanged": proposal.current,
    }
