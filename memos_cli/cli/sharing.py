"""Commands about who may do what: grant, revoke, access, group, token."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from memos_cli.cli.context import read_time, state_of, with_global_options

if TYPE_CHECKING:
    from memos_cli.infrastructure.access.governance import Rule
    from memos_cli.interface.access.access import Token

groups = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
tasks = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
tokens = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="An id, tag:work/x, view:NAME, or vault: all that you own.")
]
Who = Annotated[
    str, typer.Argument(metavar="PRINCIPAL", help="user:NAME, agent:NAME, group:NAME or everyone.")
]
Of = Annotated[
    str, typer.Option("--of", metavar="PRINCIPAL", help="Of whose memories, where you may share for them.")
]
Group = Annotated[str, typer.Argument(metavar="GROUP", help="group:NAME")]
Members = Annotated[list[str], typer.Argument(metavar="PRINCIPAL…", help="user:NAME or agent:NAME.")]

_GROUPS = """Name several principals at once, in rules.

\b
Example:
  memos group add group:team user:bo agent:coder
  memos grant tag:work group:team
"""
_TASKS = """Look after what is kept for one agent's task: ingest --for --task.

\b
Example:
  memos task list
  memos task done release-9
"""
_TOKENS = """Hold an agent to its name, and to less than its principal may.

\b
Example:
  memos token create agent:coder --role reader --expires 30d
"""


def register(parent: typer.Typer) -> None:
    for command in (grant, revoke, access):
        parent.command()(with_global_options(command))
    parent.add_typer(groups, name="group", help=_GROUPS)
    parent.add_typer(tasks, name="task", help=_TASKS)
    parent.add_typer(tokens, name="token", help=_TOKENS)


def grant(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="[TARGET]", help="An id, tag:work/x, view:NAME, or vault: all you own.")
    ] = "",
    who: Annotated[
        str, typer.Argument(metavar="[PRINCIPAL]", help="user:NAME, agent:NAME, group:NAME or everyone.")
    ] = "",
    right: Annotated[
        str, typer.Argument(metavar="[RIGHT]", help="read, write, share (pass on) or admin (all).")
    ] = "read",
    expires: Annotated[str, typer.Option(metavar="TIME", help="Only until then: 30d, 2026-12-31.")] = "",
    of: Of = "",
) -> None:
    """Grant a principal the right to read, change or share memories of yours. Without arguments: list grants.

    A principal sees only its own memories and those that it was granted. A grant on a tag, a view or `vault`
    also covers memories that are added later. write, share and admin include read.

    \b
    Example:
      memos grant tag:work agent:coder
      memos grant 01KQ3M user:bo write --expires 30d
      memos grant
    """
    state = state_of(ctx)
    with state.open() as memos:
        if not target:
            _print_rules(ctx, memos.access.rules())
            return
        ends = read_time(memos, expires, end=True) if expires else None
        rule = memos.access.grant(target, who, right, of=of, expires=ends)
    if state.output.json:
        state.output.record(_rule(rule))
    else:
        state.output.text(f"{rule.principal} may {rule.right} {_what(rule)}")


def revoke(
    ctx: typer.Context,
    target: Target,
    who: Who,
    right: Annotated[str, typer.Argument(metavar="[RIGHT]", help="Only this one; else all.")] = "",
    of: Of = "",
) -> None:
    """Revoke a grant, and every grant that depends on it. Owners keep their memories.

    \b
    Example:
      memos revoke tag:work agent:coder
    """
    state = state_of(ctx)
    with state.open() as memos:
        gone = memos.access.revoke(target, who, right, of=of)
    if state.output.json:
        state.output.record({"revoked": gone})
    else:
        state.output.text(f"revoked {gone}" if gone else "revoked 0: nothing like it was granted")


def access(
    ctx: typer.Context,
    id: Annotated[str, typer.Argument(metavar="ID", help="A memory, or what was made from some.")],
    of: Annotated[
        str, typer.Option("--for", metavar="PRINCIPAL", help="Whose access; without it, that of --as.")
    ] = "",
) -> None:
    """Show what a principal may do with a memory, and why.

    \b
    Example:
      memos access 01KQ3M --for agent:coder
      memos access 01KQ3M --as agent:coder
    """
    state = state_of(ctx)
    with state.open() as memos:
        cube, name, decisions = memos.access.explain(id, of)
    if state.output.json:
        rights = {right: asdict(each) for right, each in decisions.items()}
        state.output.record({"id": cube.id, "owner": cube.owner, "principal": name, "rights": rights})
        return
    rows = [(right, "yes" if each.allowed else "no", each.why) for right, each in decisions.items()]
    state.output.table((name, "", "because"), rows)


# --- groups ----------------------------------------------------------------------------------------


@groups.command("add")
@with_global_options
def add_to_group(ctx: typer.Context, group: Group, principals: Members) -> None:
    """Add principals to a group; the first one creates it. Only the vault's creator may.

    \b
    Example:
      memos group add group:team user:bo agent:coder
    """
    _join(ctx, group, principals, remove=False)


@groups.command("remove")
@with_global_options
def remove_from_group(ctx: typer.Context, group: Group, principals: Members) -> None:
    """Remove principals from a group.

    \b
    Example:
      memos group remove group:team user:bo
    """
    _join(ctx, group, principals, remove=True)


@groups.command("list")
@with_global_options
def list_groups(ctx: typer.Context) -> None:
    """List the groups and who is in them.

    \b
    Example:
      memos group list
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        found = memos.access.groups()
    output.listing(
        ("group", "members"),
        [({"group": name, "members": each}, (name, " ".join(each))) for name, each in found.items()],
        empty="there are no groups; make one: memos group add group:NAME user:NAME",
    )


def _join(ctx: typer.Context, group: str, principals: list[str], *, remove: bool) -> None:
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        changed = memos.access.join(group, principals, remove=remove)
    if output.json:
        output.record({"group": group, "changed": changed})
    else:
        output.text(f"{'removed' if remove else 'added'} {changed}")


# --- tasks -----------------------------------------------------------------------------------------


@tasks.command("list")
@with_global_options
def list_tasks(ctx: typer.Context) -> None:
    """List the tasks that have memories: for which agent, how many, and how many are not archived.

    \b
    Example:
      memos task list
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        found = memos.access.tasks()
    output.listing(
        ("task", "for", "memories", "live"),
        [(asdict(each), (each.name, each.principal, each.memories, each.live)) for each in found],
        empty="no task has memories; add some: memos ingest FILE --for agent:NAME --task TASK",
    )


@tasks.command("done")
@with_global_options
def finish_task(
    ctx: typer.Context, task: Annotated[str, typer.Argument(metavar="TASK", help="As in --task.")]
) -> None:
    """Archive the memories of a task. Its agent may do so, and so may the memories' owner.

    \b
    Example:
      echo "Commit messages in English." | memos ingest - --for agent:coder --task release-9
      memos task done release-9 --as agent:coder
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        ids = memos.access.finish_task(task)
    if output.json:
        output.record({"task": task, "archived": ids})
    else:
        output.text(f"archived {len(ids)}")


# --- tokens ----------------------------------------------------------------------------------------


@tokens.command("create")
@with_global_options
def create_token(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="agent:NAME or user:NAME.")],
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="reader, writer, or owner: all that the principal may.")
    ] = "reader",
    expires: Annotated[str, typer.Option(metavar="TIME", help="Until then: 30d, 2026-12-31.")] = "",
) -> None:
    """Create a token and print it once; only its hash is stored. Use it as MEMOS_TOKEN.

    \b
    Example:
      MEMOS_TOKEN=$(memos token create agent:coder --role reader --expires 30d) memos search printer
    """
    state = state_of(ctx)
    with state.open() as memos:
        ends = read_time(memos, expires, end=True) if expires else None
        token, said = memos.access.create_token(who, role, ends)
    if state.output.json:
        state.output.record({**_token(token), "token": said})
    else:
        state.output.text(said)


@tokens.command("list")
@with_global_options
def list_tokens(ctx: typer.Context) -> None:
    """List the tokens by number, without their values.

    \b
    Example:
      memos token list
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        found = memos.access.tokens()
    from memos_cli.zones import show_time

    items = []
    for each in found:
        until = show_time(each.expires) if each.expires else ""
        items.append((_token(each), (each.n, each.principal, each.role, show_time(each.created), until)))
    empty = "there are no tokens; make one: memos token create agent:NAME"
    output.listing(("n", "principal", "role", "created", "expires"), items, empty=empty)


@tokens.command("revoke")
@with_global_options
def revoke_token(
    ctx: typer.Context, n: Annotated[int, typer.Argument(metavar="N", help="Its number in the list.")]
) -> None:
    """Revoke a token.

    \b
    Example:
      memos token revoke 3
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        token = memos.access.revoke_token(n)
    if output.json:
        output.record({**_token(token), "revoked": True})
    else:
        output.text(f"revoked the token {n} of {token.principal}")


@tokens.command("require")
@with_global_options
def require_tokens(
    ctx: typer.Context,
    off: Annotated[bool, typer.Option("--off", help="Stop requiring tokens.")] = False,
) -> None:
    """Require a token for every access, so that scripts cannot impersonate anyone.

    memos enforces it; anyone who can read the vault's files can bypass it.

    \b
    Example:
      memos token create user:ana --role owner > ~/.memos-token
      memos token require
    """
    output = state_of(ctx).output
    with state_of(ctx).open() as memos:
        memos.access.require_tokens(not off)
    if output.json:
        output.record({"tokens": "" if off else "required"})
    else:
        output.text("tokens are not needed" if off else "tokens are required")


def _print_rules(ctx: typer.Context, rules: list[Rule]) -> None:
    from memos_cli.zones import show_time

    items = []
    for rule in rules:
        until = show_time(rule.expires) if rule.expires else ""
        items.append((_rule(rule), (rule.principal, rule.right, _what(rule), rule.giver, until)))
    empty = "nothing is granted; grant a right: memos grant tag:TAG agent:NAME"
    state_of(ctx).output.listing(("principal", "may", "what", "granted by", "until"), items, empty=empty)


def _what(rule: Rule) -> str:
    if rule.kind == "cube":
        return rule.target
    return f"{rule.kind}:{rule.target} of {rule.owner}" if rule.target else f"all of {rule.owner}"


def _rule(rule: Rule) -> dict[str, object]:
    from memos_cli.cube import format_time

    row = asdict(rule)
    return {**row, **{name: row[name] and format_time(row[name]) for name in ("created", "expires")}}


def _token(token: Token) -> dict[str, object]:
    from memos_cli.cube import format_time

    row = asdict(token)
    return {
        **row,
        "created": format_time(token.created),
        "expires": format_time(token.expires) if token.expires else "",
    }
