"""The writes of one transaction. Each changes rows and leaves the audit row that tells of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memos_cli.cube import (
    LIVE_STATES,
    SENSITIVITIES,
    Cube,
    Draft,
    Origin,
    Span,
    compose_names,
    most_sensitive,
    new_ulids,
)
from memos_cli.errors import require_known
from memos_cli.infrastructure.storage.database import Connection, in_lists
from memos_cli.infrastructure.storage.fulltext import word_row
from memos_cli.infrastructure.storage.schema import LIVE_TEXT
from memos_cli.letters import nfc


@dataclass(frozen=True, slots=True)
class NewMemoryFields:
    """What an ingest says about every cube that it makes."""

    tags: tuple[str, ...] = ()
    expires: int | None = None
    uses: int | None = None
    """How often a model may be told, before the cube expires."""
    priority: int = 0
    sensitivity: str = "open"
    """The least: what is found in a draft may make it more."""
    quarantine: bool = False
    """Whether the cubes wait for a review before anything finds them."""

    def __post_init__(self) -> None:
        """Raise UsageError for a sensitivity that does not exist."""
        compose_names(self)
        require_known("sensitivity", self.sensitivity, SENSITIVITIES)


@dataclass(frozen=True, slots=True)
class Kept:
    """A draft that is in the vault now: its cube, and whether the cube is new."""

    cube: int
    id: str
    new: bool


class Transaction:
    """The changes that one ``Vault.change()`` block makes, by one principal at one time.

    The full-text table keeps no text of its own, so a row leaves it by naming the words that it was
    entered with: whatever changes a cube's text, title, author or time takes the old row out first.
    """

    def __init__(self, connection: Connection, principal: str, now: int) -> None:
        self.db = connection
        self.principal = principal
        self.now = now

    # --- sources -------------------------------------------------------------------------------

    def unread_source(self, uri: str, kind: str = "text") -> int:
        """The row of a source that nobody has read here: where a bundle says that a memory stood, or the one
        for what came from no source that can be read again. It is not claimed."""
        row = self.db.execute(
            "SELECT n FROM source WHERE uri = ? AND owner = ?", (uri, self.principal)
        ).fetchone()
        if row is None:
            row = self.db.execute(
                """INSERT INTO source (uri, owner, kind, encoding, bytes, sha256, recipe, read)
                   VALUES (?, ?, ?, 'utf-8', 0, '', '', ?) RETURNING n""",
                (uri, self.principal, kind, self.now),
            ).fetchone()
        return int(row[0])

    def claim_source(self, origin: Origin, blob: str | None) -> tuple[int, str]:
        """Start reading a source: its row, and a claim that is lost when another process starts too."""
        claim = os.urandom(8).hex()
        read = (origin.kind, origin.encoding, origin.size, blob, claim, self.now, origin.uri, self.principal)
        # No ON CONFLICT and no RETURNING: their savepoints make FTS5 write out what it holds back, each time.
        known = "SELECT n FROM source WHERE uri = ? AND owner = ?"
        row = self.db.execute(known, (origin.uri, self.principal)).fetchone()
        if row is not None:
            self.db.execute(
                """UPDATE source SET kind = ?, encoding = ?, bytes = ?, sha256 = '', recipe = '', blob = ?,
                     claim = ?, read = ? WHERE n = ?""",
                (*read[:6], row[0]),
            )
        else:
            made = self.db.execute(
                """INSERT INTO source (kind, encoding, bytes, sha256, recipe, blob, claim, read, uri, owner)
                   VALUES (?, ?, ?, '', '', ?, ?, ?, ?, ?)""",
                read,
            )
            row = (made.lastrowid,)
        return int(row[0]), claim

    def holds_claim(self, source: int, claim: str) -> bool:
        row = self.db.execute("SELECT claim FROM source WHERE n = ?", (source,)).fetchone()
        return row is not None and row[0] == claim

    def finish_source(self, source: int, sha256: str, recipe: str) -> None:
        """Note that the source has been read to its end: the same bytes need no second reading."""
        self.db.execute(
            "UPDATE source SET sha256 = ?, recipe = ?, claim = NULL WHERE n = ?", (sha256, recipe, source)
        )

    # --- cubes ---------------------------------------------------------------------------------

    def add(
        self,
        source: int,
        drafts: Sequence[tuple[Draft, bytes, bytes]],
        terms: NewMemoryFields,
        *,
        loose: bool = False,
        foreign: bool = False,
    ) -> list[Kept]:
        """Keep drafts of one source, each with its digest and the sha256 of its bytes there.

        A draft that the principal already has, live or not, is not stored twice: its cube is live again,
        and gets one more place, unless the source is a ``loose`` one. Of ``foreign`` drafts, those that the
        principal already has change nothing.
        """
        stays = (*LIVE_STATES, "quarantined")  # what waits for a review waits on
        known = {
            digest: (n, id, state not in stays, expires is not None and expires <= self.now)
            for digest, n, id, state, expires, owner in self._select_in(
                "SELECT digest, n, id, state, expires, owner FROM cube WHERE state <> 'merged' AND digest IN",
                [digest for _, digest, _ in drafts],
            )
            if owner == self.principal  # what another has is another's, though it says the same
        }
        following = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'cube'").fetchone()
        n = oldest = following[0] if following else 0
        ids = iter(new_ulids(self.now, len(drafts)))
        kept: list[Kept] = []
        cubes: list[tuple[object, ...]] = []
        versions: list[tuple[int, int, str, str]] = []
        words: list[tuple[object, ...]] = []
        audits: list[tuple[object, ...]] = []
        places: list[tuple[object, ...]] = []
        tags: list[tuple[int, str]] = []
        state = "quarantined" if terms.quarantine else "generated"
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
                header = (draft.ref, draft.author, draft.role, self.principal)
                times = (draft.time, self.now, self.now, terms.expires)
                ranks = (terms.priority, SENSITIVITIES.index(level), terms.uses)
                cubes.append((cube, id, draft.type, state, digest, *header, *times, *ranks))
                versions.append((cube, 1, draft.title, draft.text))
                if not terms.quarantine:
                    words.append((cube, *word_row(draft.title, draft.author, draft.time, draft.text)))
                audits.append((self.now, self.principal, "add", id, 1, None))
            if labels:
                tags.extend((cube, tag) for tag in labels)
            if kept[-1].new or not loose:
                places.append((source, cube, digest, draft.span.start, draft.span.end, bytes_sha256))
        self.db.executemany(
            """INSERT INTO cube (n, id, payload, type, state, version, digest, ref, author, role, owner,
                 time, created, updated, expires, priority, sensitivity, uses_left,
                 frozen, hits, last_hit, heat)
               VALUES (?, ?, 'plaintext', ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, NULL, 0)""",
            cubes,
        )
        self.insert_versions(versions)
        self.insert_words(words)
        if not terms.quarantine:
            self._await_vectors(each.cube for each in kept if each.new)
        self.insert_audit(audits)
        self.db.executemany(
            """INSERT INTO place (source, cube, digest, start, end, bytes_sha256)
               VALUES (?, ?, ?, ?, ?, ?)""",
            places,
        )
        if tags:
            self.db.executemany("INSERT OR IGNORE INTO tag (cube, tag) VALUES (?, ?)", tags)
        return kept

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
        """Give a cube a new version. Returns its id. What is None stays as it was."""
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
        """Lock a cube against change and forgetting, or unlock it. Returns whether it was not so before."""
        statement = "UPDATE cube SET frozen = ?, updated = ? WHERE n = ? AND frozen <> ?"
        changed = self.db.execute(statement, (not thaw, self.now, cube, not thaw)).rowcount > 0
        if changed:
            self.tell(cube, "unfreeze" if thaw else "freeze", None)
        return changed

    def edit(self, cube: Cube, text: str, title: str, action: str = "edit") -> str:
        """Give a cube a version of the user's own. Returns its id.

        Its digest follows the text, so that the old words, found in another source, are kept anew.
        """
        draft = Draft(text, Span(0, 0), cube.type, title, cube.ref, cube.time, cube.author, cube.role)
        self.db.execute("UPDATE cube SET digest = ? WHERE n = ?", (draft.digest(), cube.n))
        return self.revise(cube.n, text, title, action)

    def revise_from_source(self, cube: int, place: int, draft: Draft, bytes_sha256: bytes) -> str:
        """Give a cube the version that its source has now, where it stands now. Returns its id."""
        digest = draft.digest()
        self.db.execute("UPDATE cube SET digest = ?, type = ? WHERE n = ?", (digest, draft.type, cube))
        self.move_place(place, draft.span, digest, bytes_sha256)
        return self.revise(
            cube, draft.text, draft.title, "version", time=draft.time, author=draft.author, role=draft.role
        )

    def move_place(self, place: int, span: Span, digest: bytes, bytes_sha256: bytes) -> None:
        """Note where in its source a cube stands now."""
        self.db.execute(
            "UPDATE place SET start = ?, end = ?, digest = ?, bytes_sha256 = ? WHERE n = ?",
            (span.start, span.end, digest, bytes_sha256, place),
        )

    def leave_place(self, place: int) -> None:
        """Note that a cube is no longer at this place of its source."""
        self.db.execute("DELETE FROM place WHERE n = ?", (place,))

    def set_state(self, cube: int, state: str, action: str) -> None:
        """Move a cube to ``state``. Only live cubes are in the full-text table and have vectors."""
        (old,) = self.db.execute("SELECT state FROM cube WHERE n = ?", (cube,)).fetchone()
        was_live, is_live = old in ("generated", "activated"), state in ("generated", "activated")
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
        """Let a cube that was put away be live again. Returns whether it waits for a review instead: where
        none has approved it, or ``quarantine`` is wished.

        Only ``review`` lets a cube out of quarantine: archiving does not, nor does what brings it back.
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
        """Move the end of a cube's life, by the clock and by its uses; or lift it."""
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
        """Set the sensitivity of a cube; or only raise it to ``level``. Returns whether it changed."""
        number = SENSITIVITIES.index(level)
        statement = "UPDATE cube SET sensitivity = ?, updated = ? WHERE n = ? AND sensitivity"
        changed = (
            self.db.execute(
                f"{statement} {'<' if raising else '<>'} ?", (number, self.now, cube, number)
            ).rowcount
            > 0
        )
        if changed:
            self.tell(cube, "mark", level)
        return changed

    def tag(self, cube: int, tags: Iterable[str], *, remove: bool = False) -> int:
        """Add or remove tags of a cube. Returns how many changed."""
        changed = []
        for tag in map(nfc, tags):
            statement = (
                "DELETE FROM tag WHERE cube = ? AND tag = ?"
                if remove
                else "INSERT OR IGNORE INTO tag (cube, tag) VALUES (?, ?)"
            )
            if self.db.execute(statement, (cube, tag)).rowcount:
                changed.append(tag)
        if changed:
            self.db.execute("UPDATE cube SET updated = ? WHERE n = ?", (self.now, cube))
            self.tell(cube, "untag" if remove else "tag", changed)
        return len(changed)

    def disown_blobs(self, cubes: Sequence[int]) -> list[str]:
        """Let go of converted sources that hold any of ``cubes``, which are to be forgotten, or no cube.

        Returns blobs that may be deleted.
        """
        rows = self.db.execute(
            """SELECT n, blob FROM source WHERE blob IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM place WHERE place.source = source.n)"""
        ).fetchall()
        held = """SELECT s.n, s.blob FROM place p JOIN source s ON s.n = p.source
                  WHERE s.blob IS NOT NULL AND p.cube IN"""
        rows += {*self._select_in(held, cubes)}
        self.db.executemany("UPDATE source SET blob = NULL WHERE n = ?", [(n,) for n, _ in rows])
        return [blob for _, blob in rows]

    def drop_bare_sources(self) -> None:
        """Delete the rows of sources without cubes, unless an ingest is reading one."""
        self.db.execute(
            """DELETE FROM source WHERE claim IS NULL AND blob IS NULL
               AND NOT EXISTS (SELECT 1 FROM place WHERE place.source = source.n)"""
        )

    def use(self, heats: Mapping[int, float]) -> None:
        """Note that cubes were put before a model: ``heats`` maps each to its new heat."""
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

    def tell_reads(self, forms: Mapping[int, str]) -> None:
        """Leave the audit rows of cubes that a model was given, each with the form it had."""
        rows = self._select_in("SELECT id, version, n FROM cube WHERE n IN", list(forms))
        self.insert_audit([(self.now, self.principal, "read", *row, forms[n]) for *row, n in rows])

    def tell_out(self, action: str, cubes: Iterable[tuple[str, int]]) -> None:
        """Record in the audit that cubes left the vault, by ids and versions."""
        self.insert_audit((self.now, self.principal, action, *cube, None) for cube in cubes)

    def log_question(self, text: str, cubes: Mapping[int, str], keep: int) -> None:
        """Note a question, with the form in which its plan used each of ``cubes``; the newest ``keep`` stay.

        One that used a memory that was forgotten meanwhile is not noted: it tells what that was about.
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

    # --- vectors and views ---------------------------------------------------------------------

    def embedder(self, fingerprint: str, name: str, dimension: int) -> int:
        """The row of an embedder. For a new one all live cubes wait."""
        row = self.db.execute("SELECT n FROM embedder WHERE fingerprint = ?", (fingerprint,)).fetchone()
        if row is None:
            row = self.db.execute(
                "INSERT INTO embedder (fingerprint, name, dimension) VALUES (?, ?, ?) RETURNING n",
                (fingerprint, name, dimension),
            ).fetchone()
            self.db.execute(
                """INSERT INTO waiting (cube, embedder) SELECT n, ? FROM cube
                   WHERE state IN ('generated', 'activated') AND payload = 'plaintext'""",
                row,
            )
        return int(row[0])

    def put_vectors(
        self, embedder: int, vectors: Sequence[tuple[int, int, Sequence[tuple[int, int, bytes]]]]
    ) -> None:
        """Store the vectors of cubes: (cube, the version that was embedded, [(start, end, data)]).

        Those of a cube that has changed or gone meanwhile are dropped: a changed cube goes on waiting.
        """
        live = "SELECT 1 FROM cube WHERE n = ? AND version = ? AND state IN ('generated', 'activated')"
        for cube, version, parts in vectors:
            if self.db.execute(live, (cube, version)).fetchone():
                self.db.execute("DELETE FROM vector WHERE cube = ? AND embedder = ?", (cube, embedder))
                self.db.executemany(
                    "INSERT INTO vector (cube, embedder, start, end, data) VALUES (?, ?, ?, ?, ?)",
                    [(cube, embedder, *part) for part in parts],
                )
                self.db.execute("DELETE FROM waiting WHERE cube = ? AND embedder = ?", (cube, embedder))

    def drop_embedders(self, keep: int) -> None:
        """Delete all embedders except ``keep``, with their vectors."""
        self.db.execute("DELETE FROM embedder WHERE n <> ?", (keep,))

    def set_view(self, name: str, filter: str) -> None:
        """Save a view under its name, in place of an older one."""
        self.db.execute(
            """INSERT INTO view (name, filter, created, owner) VALUES (?, ?, ?, ?)
               ON CONFLICT (name) DO UPDATE SET filter = excluded.filter""",
            (nfc(name), filter, self.now, self.principal),
        )
        self.insert_audit([(self.now, self.principal, "view", None, None, name)])

    def remove_view(self, name: str) -> bool:
        """Delete a view. Returns whether there was one."""
        name = nfc(name)
        gone = self.db.execute("DELETE FROM view WHERE name = ?", (name,)).rowcount > 0
        if gone:
            self.db.execute("DELETE FROM pin WHERE view = ?", (name,))
            self.insert_audit([(self.now, self.principal, "view-remove", None, None, name)])
        return gone

    def pin(self, view: str, cube: int) -> bool:
        """Let a cube stand in every prompt of a view, after those that do. Returns whether it is new."""
        statement = """INSERT OR IGNORE INTO pin (view, cube, position)
          SELECT ?1, ?2, 1 + coalesce(max(position), 0) FROM pin WHERE view = ?1"""
        if new := self.db.execute(statement, (nfc(view), cube)).rowcount > 0:
            self.tell(cube, "pin", view)
        return new

    def unpin(self, view: str, cube: int) -> bool:
        """Undo ``pin``. Returns whether it was pinned."""
        statement = "DELETE FROM pin WHERE view = ? AND cube = ?"
        if was := self.db.execute(statement, (nfc(view), cube)).rowcount > 0:
            self.tell(cube, "unpin", view)
        return was

    # --- inside --------------------------------------------------------------------------------

    def _select_in(self, statement: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        for marks, part in in_lists(values):
            yield from self.db.execute(f"{statement} ({marks})", part)

    def insert_versions(
        self, rows: Iterable[tuple[int, int, str, str] | tuple[int, int, str, str, int, str]]
    ) -> None:
        """Versions of cubes: (cube, version, title, text); with when and by whom, if not now and by us."""
        self.db.executemany(
            """INSERT INTO version (cube, version, title, text, sha256, created, principal)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            [(*row[:4], _sha256(row[3]), *(row[4:] or (self.now, self.principal))) for row in rows],
        )

    def insert_audit(self, rows: Iterable[tuple[object, ...]]) -> None:
        self.db.executemany(
            # The table itself: a narrowed connection has a view of this name.
            """INSERT INTO main.audit (time, principal, action, cube, version, detail)
               VALUES (?, ?, ?, ?, ?, ?)""",
            rows,
        )

    def tell(self, cube: int, action: str, detail: object) -> None:
        """Leave the audit row of what was done to a cube; ``detail`` is kept as JSON."""
        id, version = self.db.execute("SELECT id, version FROM cube WHERE n = ?", (cube,)).fetchone()
        text = None if detail is None else json.dumps(detail, ensure_ascii=False)
        self.insert_audit([(self.now, self.principal, action, id, version, text)])

    def note(self, action: str, detail: object) -> None:
        """Leave the audit row of what was done to no single cube."""
        text = json.dumps(detail, ensure_ascii=False)
        self.insert_audit([(self.now, self.principal, action, None, None, text)])

    def insert_words(self, rows: Iterable[tuple[object, ...]]) -> None:
        self.db.executemany("INSERT INTO words (rowid, head, body) VALUES (?, ?, ?)", rows)

    def _await_vectors(self, cubes: Iterable[int]) -> None:
        embedders = [row[0] for row in self.db.execute("SELECT n FROM embedder")]
        if embedders:
            self.db.executemany(
                "INSERT OR IGNORE INTO waiting (cube, embedder) VALUES (?, ?)",
                [(cube, embedder) for cube in cubes for embedder in embedders],
            )

    def _drop_vectors(self, cube: int) -> None:
        self.db.execute("DELETE FROM vector WHERE cube = ?", (cube,))
        self.db.execute("DELETE FROM waiting WHERE cube = ?", (cube,))

    def _enter_words(self, cube: int) -> bool:
        """Enter the words of a cube. Returns whether it is live: only then it has words."""
        row = self._current_words(cube)
        if row:
            self.insert_words([(cube, *row)])
        return row is not None

    def enter(self, cube: int) -> None:
        """Let a cube that was written otherwise be found, if it is live: by words, and soon by meaning."""
        if self._enter_words(cube):
            self._await_vectors([cube])

    def leave_words(self, cube: int) -> None:
        if row := self._current_words(cube):
            self.db.execute(
                "INSERT INTO words (words, rowid, head, body) VALUES ('delete', ?, ?, ?)", (cube, *row)
            )

    def _current_words(self, cube: int) -> tuple[str, str] | None:
        row = self.db.execute(
            f"{CURRENT_TEXT} WHERE c.n = ? AND {LIVE_TEXT}",
            (cube,),
        ).fetchone()
        return word_row(*row[1:]) if row else None


CURRENT_TEXT = """SELECT c.n, v.title, c.author, c.time, v.text FROM cube c
  JOIN version v ON v.cube = c.n AND v.version = c.version"""


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()
