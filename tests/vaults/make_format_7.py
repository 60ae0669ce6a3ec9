"""Make format-7.tar.xz, embedded-7.tar.xz and minilm-7.tar.xz, with memos 0.1.0 (commit 81e0ce6).

    git worktree add /tmp/old 81e0ce6
    PYTHONPATH=/tmp/old python tests/vaults/make_format_7.py

The first is the vault of format 6 with something in the tables of format 7. The second holds some documents
and conversations with vectors of their whole texts, made by two embedders (`bag_of_words.py`): all by
one with 64 dimensions, some by another with 32; and `expected.json`: what searches in it found.
The third holds the same, with vectors of the embedder that 0.1.0 brought along.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

from bag_of_words import BagOfWords  # noqa: E402

from memos_cli.cube import Filter  # noqa: E402
from memos_cli.errors import ModelUnfit  # noqa: E402
from memos_cli.infrastructure.memories.transaction import NewMemoryFields  # noqa: E402
from memos_cli.infrastructure.storage import schema  # noqa: E402
from memos_cli.infrastructure.vault import check  # noqa: E402
from memos_cli.infrastructure.vault.vault import Vault  # noqa: E402
from memos_cli.interface.memory import Memos  # noqa: E402
from memos_cli.interface.options import IngestOptions  # noqa: E402
from memos_cli.operation.search import embedding  # noqa: E402
from memos_cli.settings import Settings  # noqa: E402

NOW = 1_700_000_000_000
WHO = "user:ann"
QUESTIONS = (
    "Which port does the staging database use?",
    "How many eggs does the cake need?",
    "Who has the spare key of the flat?",
    "What did Bo say about the tomatoes?",
    "气候政策会议在哪里举行",
    "When are the backups of the photo server made?",
)
NOTES = """# Servers

## Database

The staging database listens on port 5433. Its password is in the safe of the office. Ask Dr. Varga for it.

## Backup

Backups of the photo server are made at two in the night. They go to the cellar and to the cabin.

| Host | Port | Owner |
|------|------|-------|
| lark | 8080 | Bo |
| owl  | 9090 | Mrs. Okafor |

# Kitchen

- Grandma's apple cake needs four eggs and 200 grams of sugar.
- The oven runs hot: take ten degrees off.

# Meeting

气候政策会议定于星期三在北京举行。会议讨论了碳税和森林。主席是李雷。
"""
TURNS = (
    ("user", "Ann", "Where is the spare key of the flat? I need it on Friday."),
    ("user", "Bo", "The spare key is with Mrs. Okafor on the third floor. She is at home after six."),
    ("assistant", "", "Shall I remind you to fetch the key on Friday?"),
    ("user", "Bo", "I planted tomatoes on the balcony. They want much sun and little wind."),
    ("user", "Ann", "My tomatoes died in the frost last year."),
)


def pack(folder: Path) -> None:
    found = [each.what for each in check.examine(folder, timeout=1.0)]
    assert found == [], found
    with tarfile.open(HERE / f"{folder.name}.tar.xz", "w:xz") as archive:
        archive.add(folder, folder.name, filter=_of_nobody)


def _of_nobody(file: tarfile.TarInfo) -> tarfile.TarInfo:
    file.uid = file.gid = 0
    file.uname = file.gname = ""
    return file


def make_format_7(work: Path) -> None:
    folder = work / "format-7"
    with tarfile.open(HERE / "format-6.tar.xz") as archive:
        archive.extractall(work, filter="tar")
    (work / "format-6").rename(folder)
    with Vault.open(folder, timeout=1.0) as vault:
        db = vault.connection
        (adapter,) = db.execute("SELECT n FROM cube WHERE payload = 'parametric'").fetchone()
        for statement, *values in (
            ("INSERT INTO feed VALUES (1, 'birds', 'https://example.org/birds', 'birds', ?, ?, 0, 3, ?, "
             "'CC0', NULL, ?)", "ab" * 32, WHO, "cd" * 32, NOW),
            ("INSERT INTO feed_cube VALUES (1, '01HF000000000000000000000A', 2, ?, NULL)", bytes(32)),
            ("INSERT INTO feed_adapter VALUES (1, ?, ?)", "ef" * 32, adapter),
            ("INSERT INTO publication VALUES (1, 'owls', ?, '/srv/owls', '{}', 2, ?, '', ?)", WHO, "01" * 32,
             NOW),
            ("INSERT INTO published VALUES (1, '01HF000000000000000000000B', 2, ?)", bytes(32)),
        ):  # fmt: skip
            db.execute(statement, values)
    pack(folder)


def write_sources(work: Path) -> list[Path]:
    notes, chat = work / "notes.md", work / "chat.jsonl"
    notes.write_text(NOTES)
    chat.write_text(
        "".join(
            json.dumps({"id": f"t{n}", "role": role, "name": name, "time": f"2023-11-0{n + 1}T10:00:00Z",
                        "content": content}) + "\n"
            for n, (role, name, content) in enumerate(TURNS)
        )
    )  # fmt: skip
    return [notes, chat]


def make_embedded_7(work: Path) -> None:
    folder = work / "embedded-7"
    with Memos(Settings(vault=str(folder), principal=WHO), clock=lambda: NOW) as memos:
        memos.create_vault()
        memos._embedder = BagOfWords()
        memos.ingest(write_sources(work), options=IngestOptions(terms=NewMemoryFields(tags=("old",))))
        embedding.PART = 3
        with contextlib.suppress(ModelUnfit):
            embedding.embed_waiting(memos.vault, BagOfWords(32, most=4), principal=WHO, clock=lambda: NOW)
        ask(memos)
    pack(folder)


def make_minilm_7(work: Path) -> None:
    folder = work / "minilm-7"
    with Memos(Settings(vault=str(folder), principal=WHO), clock=lambda: NOW) as memos:
        memos.init()
        memos.ingest(write_sources(work), options=IngestOptions(terms=NewMemoryFields(tags=("old",))))
        ask(memos)
    pack(folder)


def ask(memos: Memos) -> None:
    expected = {}
    for question in QUESTIONS:
        found = memos.search(question, filter=Filter(), k=3)
        expected[question] = [(hit.cube.text, hit.why["cosine"]) for hit in found.hits]
        print(question, [(hit.score, hit.why.get("cosine"), hit.cube.text[:50]) for hit in found.hits])
    (memos.folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    assert schema.FORMAT == 7, "this is not the program of 0.1.0"
    with tempfile.TemporaryDirectory() as work:
        make_format_7(Path(work))
        make_embedded_7(Path(work))
        make_minilm_7(Path(work))
