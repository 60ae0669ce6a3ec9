"""Questions with their answers, from the kinds of data that the evaluation scripts read.

Not a command. `load` recognises a folder of notes with a `qa.jsonl` (as people keep them: a line is {"q": …,
"a": … or null, "kind": …}), LoCoMo's conversations, and SQuAD-shaped files (SQuAD, CMRC, XQuAD).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Question:
    """A question to a corpus; one without answers and evidence is to be refused."""

    text: str
    answers: tuple[str, ...] = ()
    """Any of them is right."""
    evidence: frozenset[str] = frozenset()
    """References of memories, or names of files, that hold the answer; empty: what holds an answer is
    evidence."""
    kind: str = "own"
    """``far`` and ``near`` have no answer in the corpus; ``cross`` is in another language than its
    evidence."""


@dataclass
class Corpus:
    """What becomes one vault, and what is asked of it."""

    name: str
    files: Mapping[str, bytes]
    questions: list[Question] = field(default_factory=list)
    by_ref: bool = False
    """Whether evidence names memories by their references, and not by their files."""


def load(path: Path) -> list[Corpus]:
    """The corpora of a folder of notes or of a JSON file. Raises ValueError for what is neither."""
    if path.is_dir():
        return [_notes(path)]
    data = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(data, list) and data and "conversation" in data[0]:
        return [_conversation(path.stem, number, each) for number, each in enumerate(data, 1)]
    if isinstance(data, dict) and "data" in data:
        return [_squad(path.stem, data["data"])]
    if isinstance(data, dict) and "vaults" in data:
        return list(_passages(path.stem, data["vaults"]))
    raise ValueError(f"{path}: neither notes with a qa.jsonl, nor LoCoMo, nor SQuAD")


def normal(text: str) -> str:
    """A text as it is compared: NFKC, lower case, spaces of any kind as one, without quotation marks."""
    return " ".join(re.sub(r"[\"'“”‘’*_`]", "", unicodedata.normalize("NFKC", text).casefold()).split())


def holds(text: str, answers: tuple[str, ...]) -> bool:
    """Whether a text holds one of some answers."""
    whole = normal(text)
    return any(normal(answer) in whole for answer in answers)


def turns(conversation: Mapping[str, Any]) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """The sessions of a conversation of LoCoMo, as lines for `memos ingest`."""
    numbers = sorted(int(m[1]) for key in conversation if (m := re.fullmatch(r"session_(\d+)", key)))
    for number in numbers:
        when = datetime.strptime(conversation[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y")
        yield (
            number,
            [
                {
                    "id": turn["dia_id"],
                    "role": "user",
                    "name": turn["speaker"],
                    "time": when.replace(tzinfo=UTC).isoformat(),
                    "content": turn["text"]
                    + (f" [photo: {turn['blip_caption']}]" if turn.get("blip_caption") else ""),
                }
                for turn in conversation[f"session_{number}"]
            ],
        )


def _notes(folder: Path) -> Corpus:
    files = {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "qa.jsonl"
    }
    lines = (folder / "qa.jsonl").read_text(encoding="utf-8").splitlines()
    questions = []
    for line in filter(str.strip, lines):
        asked = json.loads(line)
        answers = (asked["a"],) if asked["a"] else ()
        questions.append(Question(asked["q"], answers, kind=asked.get("kind", "own" if answers else "far")))
    return Corpus(folder.name, files, questions)


def _conversation(stem: str, number: int, sample: Mapping[str, Any]) -> Corpus:
    files = {
        f"session_{session:02}.jsonl": "".join(json.dumps(line) + "\n" for line in lines).encode()
        for session, lines in turns(sample["conversation"])
    }
    questions = [
        Question(each["question"], (str(each["answer"]),), frozenset(each["evidence"]))
        for each in sample["qa"]
        if each["category"] in (1, 2, 3, 4) and each.get("evidence")
    ]
    return Corpus(f"{stem}-{number}", files, questions, by_ref=True)


def _squad(stem: str, articles: list[Mapping[str, Any]]) -> Corpus:
    files, questions = dict[str, bytes](), list[Question]()
    for number, article in enumerate(articles):
        for part, paragraph in enumerate(article["paragraphs"]):
            name = f"{number:04}-{part:03}.txt"
            files[name] = paragraph["context"].encode()
            for asked in paragraph["qas"]:
                answers = tuple(dict.fromkeys(each["text"] for each in asked.get("answers", ())))
                missing = asked.get("is_impossible") or not answers
                evidence = frozenset() if missing else frozenset((name,))
                questions.append(
                    Question(
                        asked["question"], () if missing else answers, evidence, "near" if missing else "own"
                    )
                )
    return Corpus(stem, files, questions)


def _passages(stem: str, vaults: list[Mapping[str, Any]]) -> Iterator[Corpus]:
    """XQuAD as parallel files: questions in both languages, their evidence by the file's name."""
    for vault in vaults:
        files = {name: text.encode() for name, text in vault["files"].items()}
        corpus = Corpus(f"{stem}-{vault['name']}", files)
        for language, asked in vault["questions"].items():
            kind = "cross" if ">" in language else "own"
            for each in asked:
                evidence = frozenset(f"{ref}.txt" for group in each["evidence"] for ref in group)
                # A cross-lingual question's answer is given in its own corpus' words only by its evidence.
                answers = (each["answer"],) if each.get("answer") else ()
                corpus.questions.append(Question(each["q"], answers, evidence, kind))
        yield corpus
