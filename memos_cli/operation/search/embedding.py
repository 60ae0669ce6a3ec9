"""Embed the sentences of memories. Memories are searchable by words before; this can stop at any time.

All vectors of one embedder, computed in one way, belong to one row of the table ``embedder``. Up to format 7
a memory had one vector of its whole text; those rows are used until the vectors of sentences are complete.
With a new embedder, too, the old vectors are used until all new ones exist, and are then deleted.
"""

from __future__ import annotations

from collections.abc import Callable

from memos_cli.cube import Sentence
from memos_cli.infrastructure.derived import adapters
from memos_cli.infrastructure.memories import key_values, queries
from memos_cli.infrastructure.memories.transaction import Transaction
from memos_cli.infrastructure.storage.database import Connection
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.models.embed.embedder import Embedder
from memos_cli.operation.search.sentences import split_sentences

PART = 256
"""The number of cubes that are embedded and committed together: seconds of work that ^C can cost."""
SENTENCES = "/sentences-2"
"""Suffix of the fingerprint of an embedder's row with vectors of sentences. The number changes when sentences
are split differently."""
_HEADINGS, _HEADING = 3, 120
"""How many of the innermost headings are embedded with a sentence, and how many characters of each."""


def embedded_texts(type: str, title: str, author: str, text: str) -> list[tuple[Sentence, str]]:
    """Return the sentences of a memory, each with the text to embed: a dialogue turn with its speaker, others
    with their headings."""
    sentences = split_sentences(text) or [Sentence(0, len(text))]
    path = [part for part in title.split(" › ") if part]
    found = []
    for each in sentences:
        said = text[each.start : each.end]
        if type == "dialogue":
            found.append((each, f"{author}: {said}" if author else said))
            continue
        headings = [*path, *(h for h in (each.heading, each.columns) if h and h not in path)]
        above = " › ".join(heading[:_HEADING] for heading in headings[-_HEADINGS:])
        found.append((each, f"{above}: {said}" if above else said))
    return found


def row_in_use(db: Connection, embedder: Embedder) -> int:
    """Return the row whose vectors are compared with a question; 0 if the embedder has none.

    That is the row of sentences; while it is not complete, that of whole texts, if there is one.
    """
    sentences, texts = _rows(db, embedder)
    if sentences and texts:
        lacks = db.execute("SELECT 1 FROM waiting WHERE embedder = ? LIMIT 1", (sentences,)).fetchone()
        return texts if lacks else sentences
    return sentences or texts


def embed_waiting(
    vault: Vault,
    embedder: Embedder,
    *,
    principal: str,
    clock: Callable[[], int],
    renew: bool = False,
    progress: Callable[[int], None] = lambda count: None,
) -> int:
    """Embed all live cubes without vectors of ``embedder``, oldest first. Returns how many.

    Each batch is committed by itself; ``progress`` is called for each text. ``renew`` computes vectors of
    sentences for memories that have only vectors of whole texts or of other embedders, and deletes these at
    the end.
    """
    from memos_cli.infrastructure.vectors import vector_index  # numpy, 70 ms: not for a search by words

    with vault.change(principal, clock()) as change:
        row, is_of_sentences = _claim(change, embedder, renew)
    done = after = 0
    while part := queries.without_vector(vault.connection, row, limit=PART, after=after):
        _embed_part(vault, embedder, row, part, is_of_sentences, (principal, clock), progress)
        after = part[-1][0]
        done += len(part)
    if renew or queries.embedder_in_use(vault.connection) != row:
        _use_vectors(vault, row, principal, clock(), drop_others=renew)
    _embed_questions(vault, embedder, row, principal, clock)
    vector_index.refresh(vault.connection, vault.snapshots, row, embedder.dimension)
    return done


def _embed_questions(
    vault: Vault, embedder: Embedder, row: int, principal: str, clock: Callable[[], int]
) -> None:
    """Embed the questions of the adapters in use: a question finds its adapter by them."""
    lacking = adapters.without_vectors(vault.connection, row)
    if not lacking:
        return
    from memos_cli.infrastructure.vectors import vector_index

    codes = vector_index.encode(embedder.embed([question for *_, question in lacking], query=True))
    with vault.change(principal, clock()) as change:
        adapters.put_vectors(change, row, [(*each, code) for each, code in zip(lacking, codes, strict=True)])


def _use_vectors(vault: Vault, row: int, principal: str, now: int, *, drop_others: bool) -> None:
    """Use the vectors of ``row`` once no memory lacks one; on request, delete all others.

    Memories that were added meanwhile, or that this principal may not read, wait for the next ``embed``;
    until then the old vectors are used.
    """
    with vault.change(principal, now) as change:
        if queries.count_without_vector(change.db, row):
            return
        key_values.put(change, queries.EMBEDDER, str(row))
        if not drop_others:
            return
        change.drop_embedders(keep=row)
    for path in vault.snapshots.folder.glob("vectors-*.bin"):
        if path != vault.snapshots.path(row):
            path.unlink(missing_ok=True)


def _embed_part(
    vault: Vault,
    embedder: Embedder,
    row: int,
    part: list[tuple[int, int, str, str, str, str]],
    is_of_sentences: bool,
    by: tuple[str, Callable[[], int]],
    progress: Callable[[int], None],
) -> None:
    cut = [
        embedded_texts(*cube[2:]) if is_of_sentences else [(Sentence(0, len(cube[5])), _whole(*cube[2:]))]
        for cube in part
    ]
    reported = 0

    def tell(count: int) -> None:
        nonlocal reported
        progress(count - reported)
        reported = count

    from memos_cli.infrastructure.vectors import vector_index

    codes = iter(
        vector_index.encode(embedder.embed([text for some in cut for _, text in some], progress=tell))
    )
    vectors = [
        (cube[0], cube[1], [(sentence.start, sentence.end, next(codes)) for sentence, _ in some])
        for cube, some in zip(part, cut, strict=True)
    ]
    principal, clock = by
    with vault.change(principal, clock()) as change:
        change.put_vectors(row, vectors)


def _whole(type: str, title: str, author: str, text: str) -> str:
    """Return the text of a cube that was embedded up to format 7."""
    above = f"{author}: " if type == "dialogue" and author else f"{title}\n" if title else ""
    return above + text


def _claim(change: Transaction, embedder: Embedder, renew: bool) -> tuple[int, bool]:
    """Return the row to compute vectors for, and whether they are of sentences."""
    sentences, texts = _rows(change.db, embedder)
    if texts and not renew and row_in_use(change.db, embedder) == texts:
        return texts, False
    before = queries.embedder_in_use(change.db)
    row = sentences or change.embedder(embedder.fingerprint + SENTENCES, embedder.name, embedder.dimension)
    if not key_values.get(change.db, queries.EMBEDDER):
        key_values.put(change, queries.EMBEDDER, str(before or row))
    return row, True


def _rows(db: Connection, embedder: Embedder) -> tuple[int, int]:
    """Return the rows of an embedder for vectors of sentences and of whole texts; 0 for a missing row."""
    keys = (embedder.fingerprint + SENTENCES, embedder.fingerprint)
    known = dict(
        db.execute("SELECT fingerprint, n FROM embedder WHERE fingerprint IN (?, ?)", keys).fetchall()
    )
    return known.get(keys[0], 0), known.get(keys[1], 0)
