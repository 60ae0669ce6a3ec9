"""Rights on memories: ``memos grant``, ``memos revoke``, ``memos access explain``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from memos_cli.cli.context import State
from memos_cli.cli.inputs import read_time
from memos_cli.cli.output import local_time, time_of
from memos_cli.cli.shared_options import arg, opt

if TYPE_CHECKING:
    from memos_cli.infrastructure.access.governance import Rule

_TARGET = "An id, tag:work/x, view:NAME, or vault (all your memories)."
_WHO = "user:NAME, agent:NAME, group:NAME or everyone."
Of = Annotated[str, opt("--of PRINCIPAL", "Owner of the memories, if you may share them.")]


def grant(
    state: State,
    target: Annotated[str, arg("[TARGET]", _TARGET)] = "",
    who: Annotated[str, arg("[PRINCIPAL]", _WHO)] = "",
    right: Annotated[str, arg("[RIGHT]", "read, write, share (pass on) or admin (all).")] = "read",
    expires: Annotated[str, opt("--expires TIME", "When it ends: 30d, 2026-12-31.")] = "",
    of: Of = "",
) -> None:
    """Grant a right on your memories, or list the grants.

    A principal sees only its own memories and those that were granted to it. A grant on a tag, a view or
    `vault` also covers memories that are added later. write, share and admin include read.

    Exit code 14 if you may not grant it.

    Example:
      memos grant tag:work agent:coder
      memos grant 01KQ3M user:bo write --expires 30d
      memos grant
    """
    with state.open() as memos:
        if not target:
            _list(state, memos.access.rules())
            return
        ends = read_time(memos, expires, end=True)
        rule = memos.access.grant(target, who, right, of=of, expires=ends)
    state.output.result(_record(rule), f"{rule.principal} may {rule.right} {_what(rule)}")


def revoke(
    state: State,
    target: Annotated[str, arg("TARGET", _TARGET)],
    who: Annotated[str, arg("PRINCIPAL", _WHO)],
    right: Annotated[str, arg("[RIGHT]", "Only this right. Default: all.")] = "",
    of: Of = "",
) -> None:
    """Revoke a grant, and every grant that depends on it.

    Owners keep their memories.

    Example:
      memos revoke tag:work agent:coder
    """
    with state.open() as memos:
        gone = memos.access.revoke(target, who, right, of=of)
    state.output.result({"revoked": gone}, f"revoked {gone}" + ("" if gone else ": there is no such grant"))


def explain(
    state: State,
    id: Annotated[str, arg("ID", "Id of a memory, a state or an adapter.")],
    of: Annotated[str, opt("--for PRINCIPAL", "Whose rights. Default: yours (--as).")] = "",
) -> None:
    """Show what a principal may do with a memory, and why.

    Example:
      memos access explain 01KQ3M --for agent:coder
      memos access explain 01KQ3M --as agent:coder
    """
    with state.open() as memos:
        cube, name, decisions = memos.access.explain(id, of)
    if state.output.json:
        rights = {right: asdict(each) for right, each in decisions.items()}
        state.output.record({"id": cube.id, "owner": cube.owner, "principal": name, "rights": rights})
        return
    rows = [(right, "yes" if each.allowed else "no", each.why) for right, each in decisions.items()]
    state.output.table((name, "", "because"), rows)


def _list(state: State, rules: list[Rule]) -> None:
    state.output.listing(
        rules,
        _record,
        "principal, may, what, granted by, until",
        lambda rule: (rule.principal, rule.right, _what(rule), rule.giver, local_time(rule.expires)),
        empty="nothing is granted; grant a right: memos grant tag:TAG agent:NAME",
    )


def _what(rule: Rule) -> str:
    if rule.kind == "cube":
        return rule.target
    return f"{rule.kind}:{rule.target} of {rule.owner}" if rule.target else f"all of {rule.owner}"


def _record(rule: Rule) -> dict[str, object]:
    return {**asdict(rule), "created": time_of(rule.created), "expires": time_of(rule.expires)}
