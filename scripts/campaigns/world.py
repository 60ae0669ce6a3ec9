"""The user of campaigns that disturb commands: a home, vaults, a publication, files; looked at, and put back.

A trial runs a command three times from the same start: undisturbed, which says what is right; disturbed; and
again after that. Nothing may be lost or half done between, and the second run must give what is right.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import Campaign, Run, contents, copy_folder, embed_by_words, memos, succeeded

if TYPE_CHECKING:
    from memos_cli.infrastructure.storage.encryption import Cipher
    from memos_cli.infrastructure.vault.row_checks import Finding

LIVE = ("generated", "activated")
STANDING = ("state", "version", "expiry", "frozen", "versions", "tags", "links")
"""What ``common.contents`` says of a memory, in its order."""
GUESSED = "similar_to"
"""Links that ingest and update make when their work is done, and `memos maintain` where they are missing."""
RANDOM = ("signing.key", "vault.key", "new.key")
"""Files whose bytes are drawn each time they are made."""
ROWS = {
    "views": "SELECT name, filter, owner FROM view",
    "grants": "SELECT owner, kind, target, principal, right, expires FROM rule",
    "groups": "SELECT circle, principal FROM member",
    "tokens": "SELECT principal, role, expires FROM token",
    "sources": "SELECT uri, owner, sha256, blob IS NULL FROM source",
    "pins": "SELECT p.view, v.text FROM pin p JOIN cube c ON c.n = p.cube"
    " JOIN version v ON v.cube = c.n AND v.version = c.version",
    "feeds": "SELECT name, quarantine, principal FROM feed",
    "serials of feeds": "SELECT name, serial FROM feed WHERE serial",  # 0: followed, and not fetched yet
    "feed memories": "SELECT f.name, i.id FROM feed_cube i JOIN feed f ON f.n = i.feed",
    # Their serials say how often it was tried. Readers follow them, which looks at the rest.
    "publications": "SELECT name, wanted FROM publication",
    "published": "SELECT p.name, i.id FROM published i JOIN publication p ON p.n = i.publication"
    " WHERE i.sha256 IS NOT NULL",
    "sensitivities": "SELECT c.sensitivity, v.text, c.uses_left FROM cube c"
    " JOIN version v ON v.cube = c.n AND v.version = c.version",
    "vectors": "SELECT DISTINCT v.text FROM vector x JOIN cube c ON c.n = x.cube"
    " JOIN version v ON v.cube = c.n AND v.version = c.version",
    "states": "SELECT hex(key), view FROM activation",
}
"""What a vault holds beside its memories, without numbers and times that differ from run to run."""


@dataclass(frozen=True)
class Command:
    """A command to disturb, and what is right for it."""

    kind: str
    arguments: tuple[str, ...]
    stdin: str = ""
    codes: tuple[int, ...] = (0,)
    """Exit codes of a run that is not disturbed."""
    again: tuple[int, ...] = (0,)
    """Exit codes of a run after one that was complete."""
    repeats: tuple[str, ...] = ()
    """Rows that a second run adds again: nobody saw the first ones."""
    env: Mapping[str, str] = field(default_factory=dict)


_Held = tuple[dict[str, tuple[Any, ...]], dict[str, Counter[tuple[Any, ...]]]]
"""The memories of a vault, and its rows."""


@dataclass
class Look:
    """What there is at one moment."""

    vaults: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=dict)
    rows: dict[tuple[str, str], Counter[tuple[Any, ...]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Those outside vaults and publications, with their hashes."""


class World:
    """A user's files below one folder, ``area``."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign, self.chance = campaign, campaign.chance
        self.area, self._saved = campaign.folder / "area", campaign.folder / "saved"
        self.vault, self.publisher = self.area / "vault", self.area / "publisher"
        self.reader = campaign.folder / "reader"
        self.public, self.files = self.area / "public", self.area / "files"
        self._known: dict[bytes, _Held] = {}
        self._examined: dict[bytes, list[Finding]] = {}
        use_small_models(campaign.folder)

    def run(
        self,
        *arguments: object,
        arm: Callable[[], None] | None = None,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Run:
        """Run a command as this user; ``arm`` runs in its process, just before it."""

        def first() -> None:
            tempfile.tempdir = None
            os.chdir(self.area)
            if arm:
                arm()

        usual = {
            "HOME": str(self.area / "home"),
            "TMPDIR": str(self.area / "tmp"),
            "MEMOS_AS": "user:ann",
            "MEMOS_READER": str(self.campaign.folder / "tiny.gguf"),
            "MEMOS_THREADS": "1",
        }
        named = arguments if arguments[0] == "--vault" else ("--vault", self.vault, *arguments)
        return memos(*named, env={**usual, **(env or {})}, first=first, **options)

    def must(self, *arguments: object, **options: Any) -> Run:
        """Run a command that prepares; it must succeed."""
        return succeeded(self.run(*arguments, **options))

    def save(self) -> None:
        """Remember the files as they are, and nothing of what was read before."""
        self._known.clear()
        self._examined.clear()
        for folder in (self.area, self.reader):
            copy_folder(folder, self._saved / folder.name)

    def put_back(self) -> None:
        """Make the files what they were."""
        for folder in (self.area, self.reader):
            copy_folder(self._saved / folder.name, folder)

    def look(self) -> Look:
        """Look at all there is. Raises sqlite3.Error if a vault cannot be read."""
        seen = Look()
        for top in sorted(self.area.iterdir()):
            if self.is_vault(top):
                if (known := self._read(top)) is not None:
                    seen.vaults[top.name], rows = known
                    seen.rows |= {(top.name, name): counted for name, counted in rows.items()}
                continue
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                published = (path.parent / "index.jsonl").exists()
                if path.is_file() and not published:
                    seen.files[path.relative_to(self.area).as_posix()] = (
                        "" if path.name in RANDOM else hashlib.sha256(path.read_bytes()).hexdigest()
                    )
        return seen

    def _read(self, vault: Path) -> _Held | None:
        """The memories and rows of a vault, read once; None while it has no key."""
        if not (vault / "memos.db").exists():
            return None
        state = fingerprint(vault)
        if state not in self._known:
            if (readable := self.readable(vault)) is None:
                return None
            self._known[state] = contents(readable), _rows(readable)
        return self._known[state]

    def examine(self, vault: Path) -> list[Finding]:
        """What ``memos check`` says of a vault. What was examined before is not examined again."""
        state = fingerprint(vault)
        if state not in self._examined:
            found = examine(vault)
            self._examined[fingerprint(vault)] = self._examined[state] = found  # it may take in the log
        return self._examined[state]

    def readable(self, vault: Path) -> Path | None:
        """A folder with the plain database of a vault: itself, or a copy; None while it has no key."""
        database = vault / "memos.db"
        if database.read_bytes()[:16] in (b"", b"SQLite format 3\0"):
            return vault
        if not (vault / "VAULT.toml").exists():
            return None
        from memos_cli.infrastructure.storage.database import connect

        copy = self.campaign.folder / "plain"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        with closing(connect(database, 1.0, find_cipher(vault))) as db:
            db.execute("ATTACH DATABASE ? AS plain KEY ''", (str(copy / "memos.db"),))
            db.execute("SELECT sqlcipher_export('plain')").fetchall()
        return copy

    @staticmethod
    def is_vault(folder: Path) -> bool:
        return (folder / "memos.db").exists() or (folder / "VAULT.toml").exists()

    def publications(self) -> list[Path]:
        """The folders of publications."""
        return sorted(path.parent for path in self.area.glob("*/*/index.jsonl"))

    def clean(self, vault: Path) -> list[Finding]:
        """What ``memos check`` says of a vault that ``memos maintain`` has looked after if needed."""
        found = self.examine(vault)
        if found and not any(finding.rule == "must" for finding in found):
            self.campaign.counts["left for maintain"] += 1
            self.must("--vault", vault, "maintain")
            found = self.examine(vault)
        return found


def fingerprint(vault: Path) -> bytes:
    """A hash of every file of a vault and of the keys beside it: of names, permissions and bytes."""
    whole = hashlib.sha256()
    for top in (vault, vault.parent / "home"):
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in (".", *sorted(names)):
                path = os.path.join(folder, name)
                data = Path(path).read_bytes() if name != "." else b""
                whole.update(f"{path}\0{os.stat(path).st_mode}\0{len(data)}\0".encode() + data)
    return whole.digest()


def examine(vault: Path) -> list[Finding]:
    """What ``memos check`` says of a vault: here, because that takes a third of the time."""
    from memos_cli.infrastructure.vault import check

    return check.examine(vault, timeout=1.0, cipher=find_cipher(vault))


def find_cipher(vault: Path) -> Cipher | None:
    """The cipher of an encrypted vault."""
    from memos_cli.infrastructure.vault.check import cipher_of
    from memos_cli.interface.access.vault_keys import KeyKeeper

    return cipher_of(vault, KeyKeeper(None, lambda what, twice: ""))


def use_small_models(folder: Path) -> None:
    """Let commands embed by words and read with a model of random weights: both take milliseconds."""
    import tiny_models

    embed_by_words()
    try:
        tiny_models.write_model(folder / "tiny.gguf", "llama", context=4096)
    except ImportError:
        print("without states: gguf or llama_cpp is not installed", file=sys.stderr)


def _rows(vault: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    with closing(sqlite3.connect(f"file:{vault / 'memos.db'}?mode=ro", uri=True)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'forgotten'").fetchone():
            return {}
        return {name: Counter(db.execute(query).fetchall()) for name, query in ROWS.items()}


# --- comparing -------------------------------------------------------------------------------------------


def between(before: Look, now: Look, right: Look) -> list[str]:
    """What is neither as it was before nor as it should become."""
    wrong = []
    for vault, held in before.vaults.items():
        wrong += _memories_between(held, now.vaults.get(vault, {}), right.vaults.get(vault, {}))
    for where in before.rows:
        old, new, then = (look.rows.get(where, Counter()) for look in (before, now, right))
        lost, more = (old & then) - new, new - (old | then)
        wrong += [f"{where} lost {_few(lost)}"] * bool(lost) + [f"{where} has {_few(more)}"] * bool(more)
    for name, digest in before.files.items():
        if now.files.get(name) not in (digest, right.files.get(name)):
            wrong.append(f"file {name} is neither the old nor the new one")
    return wrong


def _memories_between(
    before: Mapping[str, tuple[Any, ...]],
    now: Mapping[str, tuple[Any, ...]],
    right: Mapping[str, tuple[Any, ...]],
) -> list[str]:
    wrong = []
    for id, old in before.items():
        then = right.get(id)
        if id not in now:
            wrong += [f"memory {id} is gone"] * (then is not None)
            continue
        new = now[id]
        for part, was, told, wanted in zip(STANDING, old, new, then or old, strict=True):
            if part == "links":
                was, told, wanted = (set(_named(each, known)) for each, known in
                                     ((was, before), (told, now), (wanted, right)))  # fmt: skip
                fits = was & wanted <= told <= was | wanted
            elif part == "versions":
                fits = told[: len(was)] == was and set(told) <= {*was, *wanted}
            else:
                fits = told in (was, wanted)
            if not fits:
                wrong.append(f"memory {id}: {part} is {told}, was {was}, should become {wanted}")
    made, wanted_new = _new(before, now), _new(before, right)
    texts = Counter(each[4:5] for each in made.elements())
    surplus = texts - Counter(each[4:5] for each in wanted_new.elements())
    return wrong + [f"new memories that should not be: {_few(surplus)}"] * bool(surplus)


def differences(before: Look, now: Look, right: Look, repeats: tuple[str, ...] = ()) -> list[str]:
    """In what ``now`` is not what is right."""
    wrong = []
    for vault, wanted in right.vaults.items():
        old, held = before.vaults.get(vault, {}), now.vaults.get(vault, {})
        for id in sorted(old.keys() & (held.keys() | wanted.keys())):
            told, then = _standing(held.get(id), held), _standing(wanted.get(id), wanted)
            if told != then:
                wrong.append(f"memory {id} is {told}, should be {then}")
        made, then_new = _new(old, held), _new(old, wanted)
        if made != then_new:
            wrong.append(f"new: missing {_few(then_new - made)}, too much {_few(made - then_new)}")
    for where, rows in right.rows.items():
        if where[1] not in repeats and (told := now.rows.get(where, Counter())) != rows:
            wrong.append(f"{where}: missing {_few(rows - told)}, too much {_few(told - rows)}")
    if now.files != right.files:
        wrong.append(f"files differ: {sorted(dict(now.files.items() ^ right.files.items()))}")
    return wrong


def _new(before: Mapping[str, Any], held: Mapping[str, tuple[Any, ...]]) -> Counter[Any]:
    return Counter(_standing(each, held) for id, each in held.items() if id not in before)


def _standing(memory: tuple[Any, ...] | None, held: Mapping[str, tuple[Any, ...]]) -> Any:
    """A memory as a user sees it: whether it was ever used is no matter, nor are ids of new memories."""
    if memory is None:
        return None
    state, *rest, links = memory
    if rest[3][-1][2] == "" and rest[3][-1][1].startswith("State of "):
        return ("saved state", rest[3][-1][1])  # how often it was made is no matter
    told = sorted(link for link in _named(links, held) if link[0] != GUESSED)
    return (LIVE[0] if state in LIVE else state, *rest, tuple(told))


def _named(links: tuple[Any, ...], held: Mapping[str, tuple[Any, ...]]) -> list[tuple[str, str]]:
    return [(kind, held[id][4][-1][2] if id in held else id) for kind, id in links]


def _few(counted: Counter[Any]) -> str:
    return f"{sum(counted.values())} ({str(sorted(map(str, counted))[:2])[:300]})"
