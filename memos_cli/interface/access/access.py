"""Access: the rights of a caller on memories, and the rules, groups and tokens behind them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from memos_cli.cube import LIVE_STATES, Cube
from memos_cli.errors import Refused, UsageError
from memos_cli.infrastructure.access import rules
from memos_cli.infrastructure.access.governance import (
    EVERYONE,
    FEED,
    INCLUDED,
    RIGHTS,
    Caller,
    Decision,
    Right,
    Rule,
    decide,
    is_feeds,
)
from memos_cli.infrastructure.memories import filters, key_values, queries
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.interface.access.callers import ROLES, TOKENS, hash_token
from memos_cli.interface.access.targets import Target, contains, read_right
from memos_cli.letters import nfc
from memos_cli.moments import format_time
from memos_cli.operation.lifecycle.states import next_state
from memos_cli.settings import check_principal

READS = "audit.reads"
"""The policy for which reads the audit records: ``prompts``, or "" for all."""
_FULL_ID = 26


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is listed, without its value."""

    n: int
    principal: str
    role: str
    created: int
    expires: int | None


@dataclass(frozen=True, slots=True)
class Task:
    """A task with memories, and its principal."""

    name: str
    principal: str
    memories: int
    live: int


def principal_named(name: str, *kinds: str) -> str:
    """Return a principal as the user typed it. Raises UsageError if it is not one."""
    return name if name == EVERYONE and "group" in kinds else check_principal(name, ("user", "agent", *kinds))


class Access:
    """The rights of a caller in a vault, and its rules for others."""

    def __init__(self, vault: Vault, caller: Caller, clock: Callable[[], int]) -> None:
        self._vault, self.caller, self._clock = vault, caller, clock

    # --- asking ----------------------------------------------------------------------------------

    def get(self, id: str, right: Right = "read") -> Cube:
        """Return the memory whose id starts with ``id``, if the caller has ``right`` on it.

        Raises UsageError if the caller sees no memory with this id, whether it exists or not, and Refused
        without the right. If the caller gives a full id, the audit records the refusal.
        """
        try:
            cube = queries.get(self._vault.connection, id)
        except UsageError:
            if self._vault.is_restricted and len(id.strip()) == _FULL_ID:
                # Also for an id that does not exist: the audit must not reveal which case it was.
                self._vault.refuse(self.caller.principal, self._clock(), id.strip().upper(), None, right)
            raise
        self.require([cube], right)
        return cube

    def get_many(self, ids: Sequence[str], right: Right = "read") -> list[Cube]:
        """Return the memories of these ids, each once."""
        return [*{cube.n: cube for cube in (self.get(id, right) for id in ids)}.values()]

    def require(self, cubes: Sequence[Cube], right: Right) -> None:
        """Raise Refused, and record it in the audit, unless the caller has ``right`` on all of ``cubes``."""
        is_capped = right not in self.caller.most
        for cube in cubes:
            if is_capped or cube.owner != self.caller.principal or cube.payload != "plaintext":
                decision = self.decide(cube, right)
                if not decision.allowed:
                    self._refuse(cube, right, decision)

    def require_writer(self) -> None:
        """Raise Refused unless the caller may store memories."""
        self._require_token("write", "allows only reading", "use a token of a writer")

    def require_sharing(self) -> None:
        """Raise Refused unless the caller's token allows sharing."""
        self._require_token("share", "does not allow sharing", "use an owner token")

    def require_lasting_grants(self) -> None:
        """Raise Refused unless the caller may grant rights that do not expire."""
        self.require_sharing()
        self._require_lasting("the grant")

    def require_owner(self, what: str) -> None:
        """Raise Refused unless the caller has all rights of its principal; ``what`` completes the message."""
        self._require_token("admin", f"does not allow you to {what}", "use an owner token")

    def _require_token(self, right: Right, problem: str, hint: str) -> None:
        if right not in self.caller.most:
            raise Refused(f"the token of {self.caller.principal} {problem}", hint)

    def _require_lasting(self, what: str, ends: int | None = None) -> None:
        """Raise Refused if the caller's token expires before ``ends`` (None: never), the end of ``what``."""
        most = self.caller.ends
        if most is not None and (ends is None or ends > most):
            raise Refused(
                f"{what} would outlive your own token, which ends {format_time(most)}",
                f"--expires {format_time(most)}, or earlier",
            )

    def decide(self, cube: Cube, right: str, caller: Caller | None = None) -> Decision:
        """Return whether ``caller`` (None: the caller) has ``right`` on ``cube``, and why."""
        db, now = self._vault.unrestricted, self._clock()
        granted = rules.all_rules(db)
        header = rules.header_of(db, cube.n, granted, now)
        asking = caller or self.caller
        asking = replace(asking, groups=rules.groups_of(db, asking.principal))  # as they are now
        return decide(asking, right, header, granted, now)

    def explain(self, id: str, principal: str) -> tuple[Cube, str, dict[str, Decision]]:
        """Return the decision on each right of a principal ("": the caller) on a memory.

        The rights of others on a memory are returned only to callers who may share it.
        """
        name = principal_named(principal) if principal else self.caller.principal
        is_own = name == self.caller.principal
        cube = self.get(id, "read" if is_own else "share")
        caller = self.caller if is_own else Caller(name)
        return cube, name, {right: self.decide(cube, right, caller) for right in RIGHTS}

    def _refuse(self, cube: Cube, right: str, decision: Decision) -> None:
        hint = f"its owner can allow it: memos grant {cube.id} {self.caller.principal} {right}"
        if is_feeds(cube.owner):
            feed = cube.owner.removeprefix(FEED)
            hint = f"memories of a feed are read-only: memos feed unsubscribe {feed} --keep makes it yours"
        refused = Refused(f"{self.caller.principal} may not {right} {cube.id}: {decision.why}", hint)
        self._vault.refuse(self.caller.principal, self._clock(), cube.id, cube.version, right)
        raise refused

    def _change(self) -> AbstractContextManager[Transaction]:
        return self._vault.change(self.caller.principal, self._clock())

    # --- rules -----------------------------------------------------------------------------------

    def rules(self) -> list[Rule]:
        """Return the rules that the caller gave, or that apply to it, in their order."""
        return [rule for rule in rules.all_rules(self._vault.unrestricted) if self._may_see(rule)]

    def _may_see(self, rule: Rule) -> bool:
        """Return whether the caller may see a rule."""
        return self.caller.principal in (rule.owner, rule.giver) or self.caller.is_meant(rule.principal)

    def grant(
        self, target: str, principal: str, right: str, *, of: str = "", expires: int | None = None
    ) -> Rule:
        """Grant a right on memories to a principal, a group or everyone. Raises UsageError, Refused.

        The memories are the caller's, or those of ``of``, for whom it may share.
        """
        name, wanted = principal_named(principal, "group"), read_right(right)
        aim = self._target(target, of)
        self._require_sharing(aim, wanted)
        self._require_lasting("the grant", expires)
        me = self.caller.principal
        rule = Rule(aim.owner, aim.kind, aim.name, name, wanted, me, self._clock(), expires)
        with self._vault.change(me, rule.created) as change:
            rules.grant(change, rule)
        return rule

    def revoke(self, target: str, principal: str, right: str = "", *, of: str = "") -> int:
        """Revoke one right, or all (""), and the grants that depend on it.

        Returns how many rules of the caller ended.
        """
        aim, wanted = self._target(target, of), read_right(right) if right else ""
        # Names that memos 0.1.0 accepted can still be revoked.
        known = {rule.principal for rule in rules.all_rules(self._vault.unrestricted)}
        name = principal if principal in known else principal_named(principal, "group")
        self.require_sharing()
        gone = 0
        with self._change() as change:
            for rule in rules.all_rules(change.db):
                is_it = (rule.owner, rule.kind, rule.target, rule.principal) == (
                    aim.owner, aim.kind, aim.name, name,
                )  # fmt: skip
                if is_it and wanted in ("", rule.right):
                    if self.caller.principal not in (rule.owner, rule.giver):
                        self._require_sharing(aim, "admin")
                    rules.revoke(change, rule)
                    gone += 1
            while orphans := [rule for rule in rules.all_rules(change.db) if not self._is_valid(rule)]:
                for rule in orphans:
                    rules.revoke(change, rule)
                    gone += self._may_see(rule)
        return gone

    def _target(self, text: str, of: str) -> Target:
        owner = principal_named(of, "feed") if of else self.caller.principal
        if text == "vault":
            return Target("vault", "", owner)
        kind, _, name = nfc(text).partition(":")
        if kind == "tag" and name.strip("/"):
            return Target("tag", name.strip("/"), owner)
        if kind == "view" and name:
            if filters.view_owner(self._vault.unrestricted, name) != owner:
                raise UsageError(f"{owner} has no view named {name!r}", "`memos view list` shows them")
            return Target("view", name, owner)
        cube = self.get(text)
        return Target("cube", cube.id, cube.owner)

    def _require_sharing(self, aim: Target, right: str) -> None:
        self.require_sharing()
        if not self._may_give(self.caller, aim, right, rules.all_rules(self._vault.unrestricted)):
            raise Refused(
                f"{self.caller.principal} may not grant {right} on {aim.name or 'memories'} of {aim.owner}",
                f"{aim.owner} can, or can grant you: share (for read and write), admin",
            )

    def _is_valid(self, rule: Rule) -> bool:
        """Return whether the giver of a rule still has the right to give it."""
        if rule.giver == rule.owner:
            return True
        db = self._vault.unrestricted
        giver = Caller(rule.giver, rules.groups_of(db, rule.giver))
        others = [each for each in rules.all_rules(db) if each != rule]
        return self._may_give(giver, Target(rule.kind, rule.target, rule.owner), rule.right, others)

    def _may_give(self, giver: Caller, aim: Target, right: str, granted: Sequence[Rule]) -> bool:
        """Return whether ``giver`` owns the memories of ``aim``, or was granted them with the right to share.

        A principal that may share can grant read, and write if it has that; only an admin grants share and
        admin.
        """
        if giver.principal == aim.owner:
            return True
        db, now = self._vault.unrestricted, self._clock()
        if aim.kind == "cube":
            row = db.execute("SELECT n FROM cube WHERE id = ?", (aim.name,)).fetchone()
            header = rules.header_of(db, row[0], granted, now) if row else None
            held = {
                str(each) for each in RIGHTS if header and decide(giver, each, header, granted, now).allowed
            }
        else:
            holding = [each for each in granted if giver.is_meant(each.principal) and each.holds(now)]
            held = {each for rule in holding if contains(rule, aim) for each in INCLUDED[rule.right]}
        return "admin" in held or ("share" in held and right in held and right in ("read", "write"))

    # --- tasks -----------------------------------------------------------------------------------

    def tasks(self) -> list[Task]:
        """Return the tasks that have memories which the caller may read."""
        return [Task(*row) for row in rules.tasks(self._vault.connection)]

    def finish_task(self, task: str) -> list[str]:
        """Archive the memories of a task, which its owner or its agent has finished. Returns their ids.

        Raises UsageError for a task without memories.
        """
        self.require_writer()
        found = queries.by_rowid(self._vault.connection, rules.bound_to(self._vault.connection, task))
        if not found:
            raise UsageError(f"no memory belongs to a task {task!r}", "`memos access task list` shows them")
        done = []
        with self._change() as change:
            for cube in found.values():
                header = rules.header_of(change.db, cube.n, (), self._clock())
                if header.audience != self.caller.principal:
                    self.require([cube], "write")
                if cube.state in LIVE_STATES:
                    change.set_state(cube.n, next_state(cube.state, "archive"), "archive")
                    done.append(cube.id)
        return done

    # --- groups and tokens -----------------------------------------------------------------------

    def groups(self) -> dict[str, list[str]]:
        """Return the groups and their members."""
        found: dict[str, list[str]] = {}
        for circle, principal in self._vault.unrestricted.execute("SELECT circle, principal FROM member"):
            found.setdefault(circle, []).append(principal)
        return found

    def join(self, group: str, principals: Sequence[str], *, remove: bool = False) -> int:
        """Add principals to a group, or remove them. Returns how many changed."""
        self.require_maker("change groups")
        if not remove:
            self._require_lasting("the membership")
        known = self.groups()
        if not (remove and group in known):
            check_principal(group, ("group",))
        members = known.get(group, []) if remove else []
        names = [each if each in members else principal_named(each) for each in principals]
        with self._change() as change:
            return rules.join(change, group, names, remove=remove)

    def create_token(self, principal: str, role: str, expires: int | None) -> tuple[Token, str]:
        """Create a token for a principal. Returns it, and its value: only the hash is stored."""
        name = principal_named(principal)
        self.require_owner("make tokens")
        if name != self.caller.principal:
            self.require_maker("make tokens for others")
        if role not in ROLES:
            raise UsageError(f"{role!r} is not a role", f"one of {', '.join(ROLES)}")
        self._require_lasting("the token", expires)
        said = f"memos_{secrets.token_urlsafe(32)}"
        with self._change() as change:
            n = rules.add_token(change, name, role, hash_token(said), expires)
        return Token(n, name, role, self._clock(), expires), said

    def tokens(self) -> list[Token]:
        """Return the tokens; those of others only to the vault's creator."""
        rows = self._vault.unrestricted.execute(
            "SELECT n, principal, role, created, expires FROM token ORDER BY n"
        )
        mine = self.caller.principal
        return [each for each in (Token(*row) for row in rows) if self.is_maker or each.principal == mine]

    def revoke_token(self, n: int) -> Token:
        """Revoke a token. A token that is not an owner's can revoke only itself."""
        if n != self.caller.token:
            self.require_owner("revoke tokens")
        found = {each.n: each for each in self.tokens()}
        if n not in found:
            raise UsageError(f"there is no token {n}", "`memos access token list` shows them")
        with self._change() as change:
            rules.drop_token(change, n, found[n].principal)
        return found[n]

    def require_tokens(self, wanted: bool) -> None:
        """Require a token for every access, or no longer. Raises UsageError if the creator has none."""
        self.require_maker("require tokens")
        self._require_lasting("this policy")
        mine = (self.caller.principal, self._clock())
        held = """SELECT 1 FROM token WHERE principal = ? AND role = 'owner'
          AND (expires IS NULL OR expires > ?)"""
        if wanted and not self._vault.unrestricted.execute(held, mine).fetchone():
            raise UsageError(
                "you would lock yourself out",
                f"memos access token create {mine[0]} --role owner, and keep it",
            )
        with self._vault.change(*mine) as change:
            rules.set_policy(change, TOKENS, "required" if wanted else "")

    @property
    def audited_reads(self) -> str:
        """Which reads the audit records: ``all``, or ``prompts`` (memories in a prompt)."""
        return key_values.get(self._vault.unrestricted, READS) or "all"

    def set_audited_reads(self, which: str) -> None:
        """Make the audit record ``all`` reads, or only memories in a prompt (``prompts``)."""
        self.require_maker("choose which reads are audited")
        self._require_lasting("this policy")
        if which not in ("all", "prompts"):
            raise UsageError(f"{which!r} is neither all nor prompts", "memos audit reads all")
        if which != self.audited_reads:
            with self._change() as change:
                rules.set_policy(change, READS, "" if which == "all" else which)

    @property
    def is_maker(self) -> bool:
        """Whether the caller created the vault, and its token does not limit it."""
        row = self._vault.unrestricted.execute(
            "SELECT principal FROM audit WHERE action = 'init' ORDER BY n LIMIT 1"
        ).fetchone()
        return row is not None and row[0] == self.caller.principal and "admin" in self.caller.most

    def require_maker(self, what: str) -> None:
        """Raise Refused unless the caller created the vault; ``what`` completes the message."""
        if not self.is_maker:
            raise Refused(
                f"only the vault's creator may {what}", "memos audit --action init shows who that is"
            )
