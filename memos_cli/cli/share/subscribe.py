"""Feeds of others: ``memos feed subscribe``, ``update``, ``unsubscribe``, ``list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import State
from memos_cli.cli.help_layout import GENERAL
from memos_cli.cli.output import Output, counts, local_time, time_of
from memos_cli.cli.shared_options import arg, opt
from memos_cli.counts import counted

if TYPE_CHECKING:
    from memos_cli.interface.share.feeds.subscribing import Updated


def subscribe(
    state: State,
    url: Annotated[str, arg("[URL]", "Address of the feed; without it, list your feeds.")] = "",
    principal: Annotated[
        str, opt("--as NAME", "Name of the feed here; or act as user:NAME or agent:NAME.", GENERAL)
    ] = "",
    quarantine: Annotated[
        bool | None, opt("--quarantine/--no-quarantine", "Do not use its memories until you approve them.")
    ] = None,
    trust: Annotated[bool, opt("--trust", "Trust its signer from now on.")] = False,
) -> None:
    """Subscribe to a feed of someone else.

    Searches and queries use its memories together with yours. Its memories are read-only, and their tags are
    below feed/NAME. `memos feed update` fetches changes. The URL is a folder, https://…, s3://…, github://…:
    any that fsspec supports.

    Exit code 14 if you do not trust its signer.

    Example:
      memos feed subscribe https://example.org/memories/climate --trust
      memos feed subscribe ~/shared/climate --as climate-team --quarantine
    """
    name = principal
    if principal.startswith(("user:", "agent:")):  # as in every other command
        state.set("principal", principal)
        name = ""
    if not url:
        list_feeds(state)
        return
    with state.open() as memos, state.output.progress("bytes") as (count,):
        done = memos.subscribe(url, name=name, quarantine=quarantine, trust=trust, on_bytes=count)
    _report(state.output, done)


def list_feeds(state: State) -> None:
    """List the feeds that you follow.

    `memos feed publish` lists those that you publish.

    Example:
      memos feed list
    """
    from memos_cli.cli.results.memories import pick

    with state.open() as memos:
        feeds = memos.subscriptions()
    state.output.listing(
        feeds,
        lambda feed: {
            **pick(feed, "name serial url signer licence expires quarantine"),
            "time": time_of(feed.updated),
        },
        "name, serial, url, time",
        lambda feed: (feed.name, feed.serial, feed.url, local_time(feed.updated)),
        empty="no feed yet: memos feed subscribe URL --trust",
    )


def update(
    state: State,
    names: Annotated[list[str] | None, arg("[NAME…]", "Feeds. Default: all.")] = None,
) -> None:
    """Fetch the changes of the feeds that you follow.

    Withdrawn memories are forgotten here too. An index that is older than the previous one, or signed with
    another key, is refused. An interrupted update is resumed. For cron: a feed that fails does not stop the
    others.

    Exit code 3 if some feeds fail.

    Example:
      memos feed update
      memos feed update climate --json
    """
    output = state.output
    failed: list[int] = []
    with state.open() as memos, output.progress("bytes") as (count,):
        wanted = names or [feed.name for feed in memos.subscriptions()]
        for name in wanted:
            try:
                done = memos.update(name, on_bytes=count)
            except Exception as error:  # also a bug of ours: the other feeds go on
                if len(wanted) == 1:
                    raise
                hint, code = getattr(error, "hint", ""), getattr(error, "code", 1)
                failed.append(code)
                output.failure(f"failed: {name}: {error}" + (f" ({hint})" if hint else ""))
                if output.json:
                    output.record({"name": name, "error": str(error), "code": code})
                continue
            _report(output, done)
    if failed:
        raise typer.Exit(3 if len(failed) < len(wanted) else failed[0])


def _report(output: Output, done: Updated) -> None:
    numbers = counts(done, "added versions withdrawn")
    changes = "unchanged" if done.current else f"{numbers}  received {done.received:,} bytes"
    output.result(done, f"{done.name}  serial {done.serial}  {changes}", quiet=True)
    output.note_quarantine(done.quarantined, f" of {done.name}")
    output.notes(done.notes, done.name)


def unsubscribe(
    state: State,
    name: Annotated[str, arg("NAME", "Name or address of the feed.")],
    keep: Annotated[bool, opt("--keep", "Keep its memories, as your own.")] = False,
) -> None:
    """Unsubscribe from a feed, and forget its memories.

    Example:
      memos feed unsubscribe climate
      memos feed unsubscribe climate --keep
    """
    with state.open() as memos:
        left = memos.unsubscribe(name, keep=keep)
    what = "kept" if left.kept else "forgotten"
    state.output.result(left, f"{left.name}  {counted(left.memories, 'memory')} {what}")
