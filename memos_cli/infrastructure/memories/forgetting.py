"""Forget memories: delete a memory, and everything that contains any of its text.

Saved states made from the memory are deleted. An adapter has it in its weights, and no part of them can be
removed: the weights are deleted, and the questions of its other memories stay, so that it can be trained
again. Logged questions whose plans used the memory are deleted, because they reveal its subject; so are those
that a turn of a chat repeats. The converted text of a document (``Transaction.disown_blobs``) is deleted,
because it has the text of all memories from the document.

The bytes are overwritten, too: see ``Vault.scrub``.
"""

from __future__ import annotations

from memos_cli.cube import LIVE_STATES
from memos_cli.infrastructure.memories.transaction import Transaction


def forget(change: Transaction, cube: int) -> list[str]:
    """Delete a memory with its versions, words and vectors, and all cubes derived from it.

    The audit still shows that it existed. Returns the blobs that may be deleted after the commit.
    """
    db = change.db
    row = db.execute("SELECT id FROM cube WHERE n = ?", (cube,)).fetchone()
    if row is None:
        return []  # it went with what it was made from
    blobs = []
    for n, payload in _made_from(change, cube):
        db.execute("DELETE FROM derived WHERE cube = ? AND source = ?", (n, cube))
        keeps_others = db.execute("SELECT 1 FROM derived WHERE cube = ?", (n,)).fetchone() is not None
        if payload == "parametric" and keeps_others:
            blobs += _unlearn(change, n, row[0])
        else:
            blobs += _remove(change, n)
    _forget_questions(change, cube)
    return blobs + _remove(change, cube)


def _made_from(change: Transaction, cube: int) -> list[tuple[int, str]]:
    return change.db.execute(
        """SELECT n, payload FROM cube WHERE n IN (
             SELECT cube FROM derived WHERE source = ?1 UNION SELECT cube FROM lesson WHERE source = ?1
           ) ORDER BY n""",
        (cube,),
    ).fetchall()


def _remove(change: Transaction, cube: int) -> list[str]:
    """Delete a cube with all its rows."""
    blobs = change.db.execute(
        """SELECT blob FROM activation WHERE cube = ?1
           UNION ALL SELECT blob FROM parametric WHERE cube = ?1 AND blob IS NOT NULL""",
        (cube,),
    ).fetchall()
    change.tell(cube, "forget", None)
    change.db.execute(
        "DELETE FROM rule WHERE kind = 'cube' AND target = (SELECT id FROM cube WHERE n = ?)", (cube,)
    )
    change.leave_words(cube)
    change.db.execute("DELETE FROM cube WHERE n = ?", (cube,))
    return [blob for (blob,) in blobs]


def _unlearn(change: Transaction, adapter: int, source: str) -> list[str]:
    """Drop the weights of an adapter, and its report, which quotes answers.

    It then expires with the remaining memories.
    """
    db = change.db
    blobs = db.execute(
        "SELECT blob FROM parametric WHERE cube = ? AND blob IS NOT NULL", (adapter,)
    ).fetchall()
    db.execute(
        "UPDATE parametric SET blob = NULL, lost = 'forgotten', report = '{}' WHERE cube = ?", (adapter,)
    )
    (old,) = db.execute("SELECT state FROM cube WHERE n = ?", (adapter,)).fetchone()
    new = "archived" if old in LIVE_STATES else old
    db.execute(
        """UPDATE cube SET state = ?1, updated = ?2, expires = (
             SELECT min(s.expires) FROM derived d JOIN cube s ON s.n = d.source WHERE d.cube = cube.n
           ) WHERE n = ?3""",
        (new, change.now, adapter),
    )
    change.tell(adapter, "unlearn", {"source": source, "state": new})
    return [blob for (blob,) in blobs]


def _forget_questions(change: Transaction, cube: int) -> None:
    """Remove questions whose plans used a cube, and the question that is the text of a user's turn.

    Removes them from the log, and from the controls of adapters."""
    used = """SELECT question FROM question_cube WHERE cube = ?1 UNION
      SELECT q.n FROM cube c JOIN version v ON v.cube = c.n JOIN question q ON q.text = v.text
      WHERE c.n = ?1 AND c.role = 'user'"""
    change.db.execute(
        f"""DELETE FROM lesson WHERE kind = 'control'
              AND question IN (SELECT text FROM question WHERE n IN ({used}))""",
        (cube,),
    )
    change.db.execute(f"DELETE FROM question WHERE n IN ({used})", (cube,))
