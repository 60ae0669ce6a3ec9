"""The writes of one transaction. Each changes rows and adds the audit row for that change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memos_cli.cube import (
    LIVE_STATES,
    SENSITIVITIES,
    Cube,
    Draft,
    Span,
    compose_names,
    digest_of,
    most_sensitive,
    new_ulids,
)
from memos_cli.errors import require_known
from memos_cli.infrastructure.memories.source_changes import SourceChanges
from memos_cli.infrastructure.memories.view_changes import ViewChanges
from memos_cli.infrastructure.storage.fulltext import word_row
from memos_cli.letters import nfc


@dataclass(frozen=True, slots=True)
class NewMemoryFields:
    """The fields that an ingest sets on each new memory."""

    tags: tuple[str, ...] = ()
    expires: int | None = None
    uses: int | None = None
    """How often it may be put into a prompt, before it expires."""
    priority: int = 0
    sensitivity: str = "open"
    """The least sensitivity: what is found in a draft may raise it."""
    quarantine: bool = False
    """Whether the memories wait for a review before searches find them."""

    def __post_init__(self) -> None:
        """Raise UsageError for a sensitivity that does not exist."""
        compose_names(self)
        require_known("sensitivity", self.sensitivity, SENSITIVITIES)


@dataclass(frozen=True, slots=True)
class Kept:
    """The memory that a draft is stored as, and whether it is new."""

    cube: int
    id: str
    new: bool


class Transaction(SourceChanges, ViewChanges):
    """The changes that one ``Vault.change()`` block makes, by one principal at one time."""

    def add(
        self,
        source: int,
        drafts: Sequence[tuple[Draft, bytes, bytes]],
        terms: NewMemoryFields,
        *,
        loose: bool = False,
        foreign: bool = False,
    ) -> list[Kept]:
        """Store drafts of one source, each with its digest and the sha256 of its bytes there.

        A draft that the principal already has is not stored twice: its memory becomes live again and gets one
        more place, unless the source is a ``loose`` one. With ``foreign``, drafts that the principal already
        has change nothing.
        """
        known = self._known(digest for _, digest, _ in drafts)
        following = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'cube'").fetchone()
        n = oldest = following[0] if following else 0
        ids = iter(new_ulids(self.now, len(drafts)))
        kept: list[Kept] = []
        new: list[tuple[int, str, Draft, bytes, str]] = []
        places: list[tuple[object, ...]] = []
        tags: list[tuple[int, str]] = []
        for draft, digest, bytes_sha256 in drafts:
            labels = (*terms.tags, *draft.tags)
            level = most_sensitive(terms.sensitivity, draft.sensitivity)
            if digest in known:
                cube, id, is_away, is_over = known[digest]
                kept.append(Kept(cube, id, False))
                if foreign and cube <= oldest:
                    continue
                if is_over:
                    self.renew(cube, terms.expires, terms.uses)
                if is_away:
                    self.restore(cube, quarantine=terms.quarantine)
                known[digest] = (cube, id, False, False)
                if cube <= oldest:
                    self.tag(cube, labels)
                    self.mark(cube, level, raising=True)
                    labels = ()
            else:
                n += 1
                cube, id = n, next(ids)
                known[digest] = (cube, id, False, False)
                kept.append(Kept(cube, id, True))
                new.append((cube, id, draft, digest, level))
            tags += [(cube, tag) for tag in labels]
            if kept[-1].new or not loose:
                places.append((source, cube, digest, draft.span.start, draft.span.end, bytes_sha256))
        self._insert_new(new, terms)
        self.db.executemany(
            """INSERT INTO place (source, cube, digest, start, end, bytes_sha256)
               VALUES (?, ?, ?, ?, ?, ?)""",
            places,
        )
        self.db.executemany("INSERT OR IGNORE INTO tag (cube, tag) VALUES (?, ?)", tags)
        return kept

    def _known(self, digests: Iterable[bytes]) -> dict[bytes, tuple[int, str, bool, bool]]:
        """Find the principal's memories by digest: (number, id, whether it is put away, whether expired)."""
        stays = (*LIVE_STATES, "quarantined")  # a memory in quarantine stays there
        return {
            digest: (n, id, state not in stays, expires is not None and expires <= self.now)
            for digest, n, id, state, expires, owner in self._select_in(
                "SELECT digest, n, id, state, expires, owner FROM cube WHERE state <> 'merged' AND digest IN",
                [*digests],
            )
            if owner == self.principal  # the same text of another principal is another memory
        }

    def _insert_new(self, new: Sequence[tuple[int, str, Draft, bytes, str]], terms: NewMemoryFields) -> None:
        """Insert new memories: (number, id, draft, digest, sensitivity)."""
        state = "quarantined" if terms.quarantine else "generated"
        self.db.executemany(
            """INSERT INTO cube (n, id, payload, type, state, version, digest, ref, author, role, owner,
                 time, created, updated, expires, priority, sensitivity, uses_left,
                 frozen, hits, last_hit, heat)
               VALUES (?, ?, 'plaintext', ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, NULL, 0)""",
            [
                (
                    cube, id, draft.type, state, digest, draft.ref, draft.author, draft.role, self.principal,
                    draft.time, self.now, self.now, terms.expires, terms.priority,
                    SENSITIVITIES.index(level), terms.uses,
                )
                for cube, id, draft, digest, level in new
            ],
        )  # fmt: skip
        self.insert_versions([(cube, 1, draft.title, draft.text) for cube, _, draft, *_ in new])
        if not terms.quarantine:
            self.insert_words(
                (cube, *word_row(draft.title, draft.author, draft.time, draft.text))
                for cube, _, draft, *_ in new
            )
            self._await_vectors(cube for cube, *_ in new)
        self.insert_audit([(self.now, self.principal, "add", id, 1, None) for _, id, *_ in new])

    def revise(
        self,
        cube: int,
        text: str,
        title: str,
        action: str,
        *,
        time: int | None = None,
        author: str | None = None,
        role: str | None = None,
    ) -> str:
        """Add a version to a memory. Returns its id. Fields that are None stay unchanged."""
        self.leave_words(cube)
        id, version = self.db.execute(
            """UPDATE cube SET version = version + 1, updated = ?, time = coalesce(?, time),
                 author = coalesce(?, author), role = coalesce(?, role)
               WHERE n = ? RETURNING id, version""",
            (self.now, time, author, role, cube),
        ).fetchone()
        self.insert_versions([(cube, version, title, text)])
        self._drop_vectors(cube)
        self.enter(cube)
        self.insert_audit([(self.now, self.principal, action, id, version, None)])
        return str(id)

    def freeze(self, cube: int, *, thaw: bool = False) -> bool:
        """Make a memory read-only, or with ``thaw`` writable again. Returns whether it changed."""
        statement = "UPDATE cube SET frozen = ?, updated = ? WHERE n = ? AND frozen <> ?"
        changed = self.db.execute(statement, (not thaw, self.now, cube, not thaw)).rowcount > 0
        if changed:
            self.tell(cube, "unfreeze" if thaw else "freeze", None)
        return changed

    def edit(self, cube: Cube, text: str, title: str, action: str = "edit") -> str:
        """Add the user's new version to a memory. Returns its id.

        The digest follows the text: if a source still has the old words, they become a memory again.
        """
        digest = digest_of(text, cube.type, cube.ref, cube.time, cube.author, cube.role)
        self.db.execute("UPDATE cube SET digest = ? WHERE n = ?", (digest, cube.n))
        return self.revise(cube.n, text, title, action)

    def revise_from_source(self, cube: int, place: int, draft: Draft, bytes_sha256: bytes) -> str:
        """Add the present version and place of a memory in its source. Returns the id of the memory."""
        digest = draft.digest()
        self.db.execute("UPDATE cube SET digest = ?, type = ? WHERE n = ?", (digest, draft.type, cube))
        self.move_place(place, draft.span, digest, bytes_sha256)
        return self.revise(
            cube, draft.text, draft.title, "version", time=draft.time, author=draft.author, role=draft.role
        )

    def move_place(self, place: int, span: Span, digest: bytes, bytes_sha256: bytes) -> None:
        """Update the place of a memory in its source."""
        self.db.execute(
            "UPDATE place SET start = ?, end = ?, digest = ?, bytes_sha256 = ? WHERE n = ?",
            (span.start, span.end, digest, bytes_sha256, place),
        )

    def leave_place(self, place: int) -> None:
        """Delete a place of a memory in a source."""
        self.db.execute("DELETE FROM place WHERE n = ?", (place,))

    def set_state(self, cube: int, state: str, action: str) -> None:
        """Move a cube to ``state``. Only live cubes are in the full-text table and have vectors."""
        (old,) = self.db.execute("SELECT state FROM cube WHERE n = ?", (cube,)).fetchone()
        was_live, is_live = old in LIVE_STATES, state in LIVE_STATES
        if was_live and not is_live:
            self.leave_words(cube)
            self._drop_vectors(cube)
        id, version = self.db.execute(
            "UPDATE cube SET state = ?, updated = ? WHERE n = ? RETURNING id, version",
            (state, self.now, cube),
        ).fetchone()
        if is_live and not was_live:
            self.enter(cube)
        self.insert_audit([(self.now, self.principal, action, id, version, f"{old} to {state}")])

    def restore(self, cube: int, *, quarantine: bool = False) -> bool:
        """Restore an archived memory. Returns whether it is in quarantine now: with ``quarantine``, or if
        nobody has approved it.

        Only ``review`` lets a memory out of quarantine: archiving and restoring do not.
        """
        left = self.db.execute(
            """SELECT a.action FROM audit a JOIN cube c ON c.id = a.cube
               WHERE c.n = ? AND a.detail LIKE 'quarantined to %' ORDER BY a.n DESC LIMIT 1""",
            (cube,),
        ).fetchone()
        is_held = quarantine or left not in (None, ("approve",))
        self.set_state(cube, *(("quarantined", "quarantine") if is_held else ("activated", "restore")))
        return is_held

    def renew(self, cube: int, expires: int | None, uses: int | None = None) -> None:
        """Set or clear the expiry of a memory, by time and by number of uses."""
        statement = """UPDATE cube SET expires = ?1, uses_left = ?2
            WHERE n = ?3 AND (expires IS NOT ?1 OR uses_left IS NOT ?2)"""
        if self.db.execute(statement, (expires, uses, cube)).rowcount:
            self.tell(cube, "renew", None)
            self.db.execute(  # what was made from it ends with the first of its memories
                """UPDATE cube SET expires = (SELECT min(s.expires) FROM derived d
                     JOIN cube s ON s.n = d.source WHERE d.cube = cube.n)
                   WHERE n IN (SELECT cube FROM derived WHERE source = ?)""",
                (cube,),
            )

    def mark(self, cube: int, level: str, *, raising: bool = False) -> bool:
        """Set the sensitivity of a memory; with ``raising``, only raise it. Returns whether it changed."""
        statement = f"""UPDATE cube SET sensitivity = ?1, updated = ?2
            WHERE n = ?3 AND sensitivity {"<" if raising else "<>"} ?1"""
        values = (SENSITIVITIES.index(level), self.now, cube)
        changed = self.db.execute(statement, values).rowcount > 0
        if changed:
            self.tell(cube, "mark", level)
        return changed

    def tag(self, cube: int, tags: Iterable[str], *, remove: bool = False) -> int:
        """Add or remove tags of a cube. Returns how many changed."""
        statement = (
            "DELETE FROM tag WHERE cube = ? AND tag = ?"
            if remove
            else "INSERT OR IGNORE INTO tag (cube, tag) VALUES (?, ?)"
        )
        changed = [tag for tag in map(nfc, tags) if self.db.execute(statement, (cube, tag)).rowcount]
        if changed:
            self.db.execute("UPDATE cube SET updated = ? WHERE n = ?", (self.now, cube))
            self.tell(cube, "untag" if remove else "tag", changed)
        return len(changed)

    def use(self, heats: Mapping[int, float]) -> None:
        """Record that memories were used in a prompt: ``heats`` maps each to its new heat."""
        self.db.executemany(
            "UPDATE cube SET hits = hits + 1, last_hit = ?, heat = ? WHERE n = ?",
            [(self.now, heat, cube) for cube, heat in heats.items()],
        )
        new = "SELECT 1 FROM cube WHERE n = ? AND state = 'generated' AND payload = 'plaintext'"
        for cube in heats:
            if self.db.execute(new, (cube,)).fetchone():
                self.set_state(cube, "activated", "use")
        last = "UPDATE cube SET uses_left = uses_left - 1 WHERE n = ? AND uses_left > 0 RETURNING uses_left"
        for cube in heats:
            if self.db.execute(last, (cube,)).fetchone() == (0,):
                self.set_state(cube, "expired", "expire")

    def audit_prompt_reads(self, forms: Mapping[int, str]) -> None:
        """Add the audit rows of memories that a model was given, each with its form."""
        rows = self._select_in("SELECT id, version, n FROM cube WHERE n IN", list(forms))
        self.insert_audit([(self.now, self.principal, "read", *row, forms[n]) for *row, n in rows])

    def audit_outgoing(self, action: str, cubes: Iterable[tuple[str, int]], to: str | None = None) -> None:
        """Add the audit rows of memories that leave the vault: ids, versions and destination."""
        self.insert_audit((self.now, self.principal, action, *cube, to) for cube in cubes)

    def log_question(self, text: str, cubes: Mapping[int, str], keep: int) -> None:
        """Log a question with the form of each memory that its plan used; the newest ``keep`` stay.

        A question is not logged if a memory that it used was forgotten since: it would reveal its subject.
        """
        known = "SELECT 1 FROM cube WHERE n = ?"
        if keep and all(self.db.execute(known, (cube,)).fetchone() for cube in cubes):
            (n,) = self.db.execute(
                "INSERT INTO question (time, principal, text) VALUES (?, ?, ?) RETURNING n",
                (self.now, self.principal, text),
            ).fetchone()
            self.db.executemany(
                "INSERT INTO question_cube (question, cube, form) VALUES (?, ?, ?)",
                [(n, cube, form) for cube, form in cubes.items()],
            )
        self.db.execute(
            "DELETE FROM question WHERE n <= (SELECT n FROM question ORDER BY n DESC LIMIT 1 OFFSET ?)",
            (keep,),
        )
