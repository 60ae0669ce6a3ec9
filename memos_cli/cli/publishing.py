"""Commands that publish memories, and follow what others publish: publish, subscribe, update, unsubscribe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import (
    After,
    Before,
    Restriction,
    Source,
    Tags,
    Types,
    View,
    make_filter,
    state_of,
    with_global_options,
)
from memos_cli.cli.inputs import read_ids
from memos_cli.cli.output import Output, excerpt
from memos_cli.cli.standing import SomeIds
from memos_cli.counts import counted
from memos_cli.cube import format_time
from memos_cli.errors import Conflict, UsageError
from memos_cli.zones import show_time

if TYPE_CHECKING:
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.share.feeds.publishing import Proposal, Published
    from memos_cli.interface.share.feeds.subscribing import Updated

TRIES = 5
"""How often to propose again what other processes have overtaken."""
SHOWN = 20
"""Memories that a publisher is shown one by one."""


def register(app: typer.Typer) -> None:
    for command in (publish, subscribe, update, unsubscribe):
        app.command()(with_global_options(command))


def publish(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Its name; none: list them.")] = "",
    ids: SomeIds = None,
    to: Annotated[
        str, typer.Option(metavar="TARGET", help="A folder, or s3://bucket/folder: NAME is made in it.")
    ] = "",
    redact: Annotated[
        bool, typer.Option("--redact", help="Cover personal data; leave out who said it.")
    ] = False,
    licence: Annotated[
        str, typer.Option(metavar="SPDX", help="What others may do with it: CC-BY-4.0, …")
    ] = "",
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="It ends then unless published again: 30d, 2027-12-31.")
    ] = "",
    up_to: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="Highest sensitivity to publish. Default: sensitivity.publish."),
    ] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Withdraw the whole publication.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Withdraw what your key published there from another vault.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go out; send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tag: Tags = None,
    type: Types = None,
    source: Source = "",
    after: After = "",
    before: Before = "",
    view: View = None,
) -> None:
    """Publish memories for others to follow, and publish them again when they have changed.

    They go as signed files to a folder (of a web server, of a git clone) or an object store. You are shown
    what goes out before it does. Without a selection and --to, all is as the last time; what is no longer
    chosen is withdrawn. Secrets are covered, always; what is more than open stays here.

    \b
    Example:
      memos publish climate --tag climate --to ~/public --licence CC-BY-4.0
      memos publish climate --yes
      memos publish climate --withdraw
    """
    from memos_cli.interface.options import PublishOptions

    state = state_of(ctx)
    output = state.output
    if not name:
        with state.open() as memos:
            made = [(p.name, p.serial, p.target, p.updated) for p in memos.publications()]
        columns = ("name", "serial", "url", "time")
        output.listing(
            columns,
            [
                (dict(zip(columns, (*each, format_time(time)), strict=True)), (*each, show_time(time)))
                for *each, time in made
            ],
            empty="nothing is published yet: memos publish NAME --tag TAG --to TARGET",
        )
        return
    restriction = Restriction(tag, type, source, after, before)
    chosen = bool(ids or restriction or state.view)
    if ids and (restriction or state.view):
        raise UsageError("name memories by id or by filters, not both", f"memos publish {name} --tag TAG")
    if not chosen and (redact or licence or expires or up_to):
        raise UsageError("say again which memories", f"memos publish {name} --tag TAG --to TARGET …")
    with state.open() as memos:
        wanted = None
        if chosen:
            wanted = PublishOptions(
                ids=tuple(read_ids(ids or [])),
                filter=None if ids else make_filter(memos, state.view, restriction),
                redact=redact, up_to=up_to, licence=licence, expires=expires,
            )  # fmt: skip
        propose = partial(memos.propose, name, wanted, target=to, withdraw=withdraw, replace=replace)
        if dry_run:
            _tell_proposal(output, propose())
            return
        proposal, sent, is_asked = _send(memos, output, propose, yes=yes)
    if output.json:
        output.record({**_as_record(proposal), "dry_run": False, "sent": asdict(sent)})
    else:
        done = f"memories {sent.memories}  sent {sent.sent:,} bytes" if sent.changed else "unchanged"
        output.text(f"serial {sent.serial}  {done}")
        output.text(f"memos subscribe {sent.url} --trust")
    if not is_asked:
        for why, number in proposal.held_back.items():
            output.note(f"note: {counted(number, 'memory is', 'memories are')} not published: {why}")
    for note in proposal.notes:
        output.note(f"note: {note}")


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
            _confirm(output, proposal)
        try:
            with output.progress("bytes") as (count,):
                return proposal, memos.publish(proposal, on_bytes=count), is_asked
        except Conflict:
            if is_asked or attempt == TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _tell_proposal(output: Output, proposal: Proposal) -> None:
    if output.json:
        output.record({**_as_record(proposal), "dry_run": True, "sent": None})
    else:
        output.text("\n".join(_lines(proposal)))
        for note in proposal.notes:
            output.note(f"note: {note}")


def _confirm(output: Output, proposal: Proposal) -> None:
    """Show a person what goes out, and ask. Raises UsageError where nobody can be asked, or says no."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"{counted(len(proposal.memories), 'memory')} would be published", "add --yes, or --dry-run first"
        )
    shown = "\n".join(_lines(proposal))
    (output.failure if output.json else output.text)(shown)  # JSON alone is the result
    if not output.confirm(f"Send this to {proposal.url}?"):
        raise UsageError("nothing was sent", "")


def _lines(proposal: Proposal) -> Iterator[str]:
    """What goes out, for a person."""
    yield f"{proposal.name} as {proposal.url}, serial {proposal.serial}, signed by {proposal.signer}"
    for each in proposal.memories[:SHOWN]:
        by = f"by {each.author}" if each.author else ""
        covered = f"{each.covered} covered" if each.covered else ""
        about = ", ".join(filter(None, (by, *each.tags, covered)))
        yield f"  {each.change:7} {each.id}  {excerpt(each.text, 60)}" + (f"  ({about})" if about else "")
    if (more := len(proposal.memories) - SHOWN) > 0:
        yield f"  and {more} more (--dry-run --json tells all)"
    yield from (f"  adapter {name}" for name in proposal.adapters)
    yield from (f"  withdrawn {id}" for id in proposal.withdrawn)
    yield from (f"  stays here: {number} ({why})" for why, number in proposal.held_back.items())
    wanted = proposal.wanted
    ends = f", ends {wanted.expires}" if wanted and wanted.expires else ""
    licence = (wanted.licence if wanted else "") or "none"
    count = len(proposal.memories)
    yield f"{counted(count, 'memory')}, {len(proposal.withdrawn)} withdrawn, licence {licence}{ends}"


def _as_record(proposal: Proposal) -> dict[str, object]:
    return {
        "name": proposal.name,
        "url": proposal.url,
        "signer": proposal.signer,
        "serial": proposal.serial,
        "licence": proposal.wanted.licence if proposal.wanted else "",
        "memories": [asdict(each) for each in proposal.memories],
        "withdrawn": list(proposal.withdrawn),
        "held_back": dict(proposal.held_back),
        "adapters": list(proposal.adapters),
        "notes": list(proposal.notes),
        "unchanged": proposal.current,
    }


def subscribe(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="[URL]", help="Where it is published; none lists what you follow.")
    ] = "",
    principal: Annotated[
        str, typer.Option("--as", metavar="NAME", help="What to call it here; user:NAME: who asks.")
    ] = "",
    quarantine: Annotated[
        bool | None,
        typer.Option("--quarantine/--no-quarantine", help="What it brings waits for `memos review`."),
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Trust its signer from now on.")] = False,
) -> None:
    """Follow a publication of others: searches and queries use its memories together with yours.

    Its memories are read-only, and their tags are below feed/NAME. `memos update` fetches changes. The URL is
    a folder, https://…, s3://…, github://…: any that fsspec supports.

    \b
    Example:
      memos subscribe https://example.org/memories/climate --trust
      memos subscribe ~/shared/climate --as climate-team --quarantine
    """
    state = state_of(ctx)
    output, name = state.output, principal
    if principal.startswith(("user:", "agent:")):  # as in every other command
        state.flags["principal"], name = principal, ""
    if not url:
        with state.open() as memos:
            followed = memos.subscriptions()
        rows = []
        for feed in followed:
            ends = None if feed.expires is None else format_time(feed.expires)
            more = {"signer": feed.signer, "licence": feed.licence, "expires": ends}
            known = {"name": feed.name, "serial": feed.serial, "url": feed.url, **more}
            time = format_time(feed.updated)
            rows.append(
                (
                    {**known, "quarantine": feed.quarantine, "time": time},
                    (feed.name, feed.serial, feed.url, show_time(feed.updated)),
                )
            )
        output.listing(
            ("name", "serial", "url", "time"), rows, empty="no feed yet: memos subscribe URL --trust"
        )
        return
    with state.open() as memos, output.progress("bytes") as (count,):
        done = memos.subscribe(url, name=name, quarantine=quarantine, trust=trust, on_bytes=count)
    _tell(output, done)


def update(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME…]", help="Feeds; none updates all.")
    ] = None,
) -> None:
    """Fetch the changes of the feeds that you follow. For cron: a feed that fails does not stop the others.

    Withdrawn memories are forgotten here too. An index that is older than the previous one, or signed with
    another key, is refused. An interrupted update is resumed.

    \b
    Example:
      memos update
      memos update climate --json
    """
    state = state_of(ctx)
    output = state.output
    failed: list[int] = []
    count_done = 0
    with state.open() as memos, output.progress("bytes") as (count,):
        wanted = names or [feed.name for feed in memos.subscriptions()]
        for name in wanted:
            try:
                done = memos.update(name, on_bytes=count)
            except Exception as error:  # one that meets a mistake of ours stops no other
                if len(wanted) == 1:
                    raise
                hint, code = getattr(error, "hint", ""), getattr(error, "code", 1)
                failed.append(code)
                output.failure(f"failed: {name}: {error}" + (f" ({hint})" if hint else ""))
                if output.json:
                    output.record({"name": name, "error": str(error), "code": code})
                continue
            count_done += 1
            _tell(output, done)
    if failed:
        raise typer.Exit(3 if count_done else failed[0])


def _tell(output: Output, done: Updated) -> None:
    if output.json:
        output.record(asdict(done))
    elif output.quiet:  # as cron wants it
        pass
    elif done.current:
        output.text(f"{done.name}  serial {done.serial}  unchanged")
    else:
        parts = ("added", "versions", "withdrawn")
        counts = "  ".join(f"{part} {getattr(done, part)}" for part in parts)
        output.text(f"{done.name}  serial {done.serial}  {counts}  received {done.received:,} bytes")
    output.note_quarantine(done.quarantined, f" of {done.name}")
    for note in done.notes:
        output.note(f"note: {done.name}: {note}")


def unsubscribe(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The feed, by its name or address.")],
    keep: Annotated[bool, typer.Option("--keep", help="Keep its memories, as your own.")] = False,
) -> None:
    """Stop following a feed. Its memories are forgotten, or become yours with --keep.

    \b
    Example:
      memos unsubscribe climate
      memos unsubscribe climate --keep
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        left = memos.unsubscribe(name, keep=keep)
    if output.json:
        output.record(asdict(left))
    else:
        output.text(f"{left.name}  {counted(left.memories, 'memory')} {'kept' if left.kept else 'forgotten'}")
