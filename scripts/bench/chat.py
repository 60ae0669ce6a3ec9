#!/usr/bin/env python3
"""Chats: how long each turn takes to its first token, and how much of its prompt is read.

    scripts/bench/chat.py [--model NAME] [--turns 12] [--max-tokens 64] [--pause 2] [--json FILE]

A chat about twelve notes, half of its questions follow-ups, is held three times: as ``memos chat`` does it,
with a pause after each answer in which a person reads it; the same without a pause, as a script asks; and
with ``--text``, which reads all of the prompt at each turn. The answers of the three must be the same.
"Read" counts the tokens from the question to the first token; what is read in the pause is shown beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_tools import LINES, command_line, write_json

from memos_cli.cube import Filter
from memos_cli.interface.ask.chat_session import ChatTurn
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions
from memos_cli.settings import Settings

NOTES = (
    "The ferry to Larkspur leaves at 7:10 from the second jetty; in winter only on Tuesdays and Fridays.",
    "A ticket for the ferry to Larkspur costs 14 euros, and 9 euros for children under twelve.",
    "The captain of the ferry is Ingrid Solberg, who lives in the white house behind the church.",
    "The harbour wall was raised by one metre in 2019, after the flood, with granite from Nesvik.",
    "The harbour lantern is lit at dusk by the keeper Ole Brandt, who was a pilot before March 2011.",
    "The harbour office is open from nine to noon; the pilots sign there for the keys of the boats.",
    "The café on the second jetty is called Skerry; it serves fish soup until two in the afternoon.",
    "The fish soup of the Skerry has cod, leek, dill and cream, and no potatoes.",
    "The owner of the Skerry is Marta Lind, a sister of Ingrid Solberg.",
    "The library of Larkspur has the log books of all ferries since 1904.",
    "The slipway is closed from November to March, because the rails freeze.",
    "The storm bell hangs in the tower of the church and was cast in Bergen in 1887.",
)
QUESTIONS = (
    "When does the ferry to Larkspur leave?", "and from which jetty?", "What does a ticket cost?",
    "and for children?", "Who is the captain of the ferry?", "Where does she live?",
    "Who lights the harbour lantern?", "and when?", "What was he before?",
    "Is there a café on the second jetty?", "What is in its soup?", "Who is the owner of the café?",
)  # fmt: skip


def hold(folder: Path, arguments: argparse.Namespace, pause: float, **options: Any) -> list[ChatTurn]:
    settings = Settings(vault=str(folder), reader=arguments.model, permissions="any")
    manner = AnswerOptions(arguments.max_tokens, answer="model", **options)
    turns = []
    with Memos(settings) as memos, memos.chat(filter=Filter(), options=manner, saves=False) as chat:
        memos.engine.clear()  # the load of the model is no turn's time
        for number in range(arguments.turns):
            turns.append(chat.ask(QUESTIONS[number % len(QUESTIONS)]))
            time.sleep(pause)
    return turns


def row_of(turn: ChatTurn) -> dict[str, float]:
    counts = turn.answer.tokens
    return {
        "turn": turn.turn, "prompt": counts["prompt"], "read": counts["read"],
        "share": round(counts["read"] / counts["prompt"], 3), "read_ahead": turn.read_ahead,
        "first_token": turn.answer.timings["first_token"],
    }  # fmt: skip


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--model", default="")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--pause", type=float, default=2.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "vault"
        with Memos(Settings(vault=str(folder), permissions="any")) as memos:
            memos.init()
            memos.ingest(options=LINES, text="\n".join(NOTES).encode())
        ways = {
            "chat": hold(folder, arguments, arguments.pause),
            "script": hold(folder, arguments, 0.0),
            "full": hold(folder, arguments, 0.0, text_only=True),
        }
    answers = {name: [turn.answer.answer for turn in turns] for name, turns in ways.items()}
    same = all(each == answers["full"] for each in answers.values())
    rows = {name: [row_of(turn) for turn in turns] for name, turns in ways.items()}
    print("turn  prompt  read  share  (ahead)  first token: chat  script      full")
    for chat, script, full in zip(*rows.values(), strict=True):
        print(
            f"{chat['turn']:4}  {chat['prompt']:6}  {chat['read']:4}  {chat['share']:5.0%}  "
            f"{chat['read_ahead']:7}  {chat['first_token']:16.2f} s  {script['first_token']:4.2f} s  "
            f"{full['first_token']:6.2f} s"
        )
    print(f"the answers are {'the same' if same else 'NOT the same'} in all three")
    write_json(arguments.json, {"same": same, **rows})
    sys.exit(not same)


if __name__ == "__main__":
    main()
