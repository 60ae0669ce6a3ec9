"""``memos view``: filters with a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.shared_options import Filters, arg, opt
from memos_cli.errors import UsageError

if TYPE_CHECKING:
    from memos_cli.cube import Filter

Name = Annotated[str, arg("NAME", "Name of the view.")]


def set_view(
    state: State,
    name: Name,
    filters: Filters,
    pin: Annotated[
        list[str] | None, opt("--pin ID", "Put this memory at the start of every prompt of the view.")
    ] = None,
) -> None:
    """Save a filter under a name, or replace it.

    Example:
      memos view set work --tag work --pin 01K3ZQ
      memos search port --view work
    """
    if not filters:
        raise UsageError("the view would contain every memory", "give at least one filter, such as --tag")
    with state.open() as memos:
        filter = filters.read(memos)
        memos.set_view(name, filter)
        if pin:
            memos.pin(pin, name)
    state.output.result({"name": name, "filter": filter.as_saved()}, name)


def list_views(state: State) -> None:
    """List the saved filters.

    Example:
      memos view list
    """
    with state.open() as memos:
        saved = memos.views()

    def filter_text(filter: Filter) -> str:
        parts = {k: v for k, v in filter.as_saved().items() if v and k not in ("states", "payloads")}
        return "  ".join(f"{k} {v}" for k, v in parts.items())

    state.output.listing(
        [*saved.items()],
        lambda each: {"name": each[0], "filter": each[1].as_saved()},
        "view, filter",
        lambda each: (each[0], filter_text(each[1])),
        empty="there are no views; save one: memos view set NAME --tag TAG",
    )


def remove_view(state: State, name: Name) -> None:
    """Delete a saved filter; the memories stay.

    Example:
      memos view remove work
    """
    with state.open() as memos:
        memos.remove_view(name)
    state.output.result({"name": name, "removed": True}, f"removed {name}")
