"""``memos access group`` and ``memos access task``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.shared_options import arg

Group = Annotated[str, arg("GROUP", "group:NAME")]
Members = Annotated[list[str], arg("PRINCIPAL…", "user:NAME or agent:NAME.")]


def add(state: State, group: Group, principals: Members) -> None:
    """Add principals to a group; the first one creates it.

    Only the vault's creator may change groups.

    Example:
      memos access group add group:team user:bo agent:coder
      memos grant tag:work group:team
    """
    _change(state, group, principals, remove=False)


def remove(state: State, group: Group, principals: Members) -> None:
    """Remove principals from a group.

    Example:
      memos access group remove group:team user:bo
    """
    _change(state, group, principals, remove=True)


def _change(state: State, group: str, principals: list[str], *, remove: bool) -> None:
    with state.open() as memos:
        changed = memos.access.join(group, principals, remove=remove)
    state.output.result({"group": group, "changed": changed}, f"{'removed' if remove else 'added'} {changed}")


def list_groups(state: State) -> None:
    """List the groups and their members.

    Example:
      memos access group list
    """
    with state.open() as memos:
        found = memos.access.groups()
    state.output.listing(
        [*found.items()],
        lambda each: {"group": each[0], "members": each[1]},
        "group, members",
        lambda each: (each[0], " ".join(each[1])),
        empty="there are no groups; make one: memos access group add group:NAME user:NAME",
    )


def list_tasks(state: State) -> None:
    """List the tasks that have memories.

    The columns: the task, its agent, its memories, and how many are not archived.

    Example:
      memos access task list
    """
    with state.open() as memos:
        found = memos.access.tasks()
    state.output.listing(
        found,
        asdict,
        "task, for, memories, live",
        lambda task: (task.name, task.principal, task.memories, task.live),
        empty="no task has memories; add some: memos ingest FILE --for agent:NAME --task TASK",
    )


def finish_task(state: State, task: Annotated[str, arg("TASK", "As in ingest --task.")]) -> None:
    """Archive the memories of a finished task.

    Its agent may do so, and so may the memories' owner.

    Example:
      echo "Commit messages in English." | memos ingest - --for agent:coder --task release-9
      memos access task done release-9 --as agent:coder
    """
    with state.open() as memos:
        ids = memos.access.finish_task(task)
    state.output.result({"task": task, "archived": ids}, f"archived {len(ids)}")
