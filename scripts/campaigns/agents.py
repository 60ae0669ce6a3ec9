#!/usr/bin/env python3
"""Let agents use one vault at once: MCP servers, prompt hooks, an ingest loop and maintenance.

Four servers save, edit, search and read memories through their pipes; two agents call the prompt hook with
questions; one process ingests, one maintains. Every answer is checked as it comes. At the end each
acknowledged memory is there once, with its last text, the vault is whole, and the audit verifies.

--count is the most requests of each server.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable

from common import Campaign, contents, findings, main
from mcp_harness import HANDSHAKE, MODERN, Peer

SERVERS, HOOKS = 4, 2
MEMOS = [sys.executable, "-m", "memos_cli"]
_PAUSE = 0.05


class Agents:
    """The processes of a campaign; each thread drives one, and records the answers."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign, self.vault = campaign, campaign.folder / "vault"
        self.until = campaign.started + campaign.seconds
        self.texts: dict[str, str] = {}
        """The text that was acknowledged last, by id."""
        self.ingested: set[str] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        self.command("init", "-q")
        jobs: list[Callable[[], None]] = [lambda n=n: self.serve(n) for n in range(SERVERS)]  # type: ignore[misc]
        jobs += [lambda n=n: self.hook(n) for n in range(HOOKS)]  # type: ignore[misc]
        jobs += [self.ingest, self.maintain]
        threads = [threading.Thread(target=self._guarded, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.examine()

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # noqa: BLE001 (one agent that fails is a finding, and the others go on)
            self.find("an agent broke", trace=traceback.format_exc())

    def count(self, what: str) -> None:
        with self._lock:
            self.campaign.counts[what] += 1

    def find(self, what: str, **details: object) -> None:
        with self._lock:
            self.campaign.find(what, **details)

    def command(self, *arguments: object, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """Run a command of its own; whatever it is, it has to end well."""
        words = [*MEMOS, "--vault", str(self.vault), *map(str, arguments)]
        done = subprocess.run(
            words, input=stdin.encode(), capture_output=True, env={**os.environ, **(env or {})}, timeout=300
        )
        if done.returncode or b"Traceback" in done.stderr:
            self.find("a command failed", command=words[3:], code=done.returncode, err=done.stderr.decode())
        return done.stdout.decode()

    def serve(self, number: int) -> None:
        """Save, edit, search and read through one MCP server."""
        chance = random.Random(self.campaign.seed * 100 + number)
        words = [*MEMOS, "--vault", str(self.vault), "mcp"]
        process = subprocess.Popen(words, stdin=-1, stdout=-1, stderr=-1)
        peer = Peer(process, MODERN if number % 2 else HANDSHAKE, f"agent-{number}")
        peer.open()
        mine: dict[str, str] = {}
        for step in range(self.campaign.count):
            if time.monotonic() > self.until:
                break
            way = chance.choice(("save", "save", "edit", "search", "get", "context")) if mine else "save"
            self.count(f"mcp {way}")
            id = chance.choice([*mine]) if mine else ""
            if way == "save":
                text = f"Agent {number} noted at step {step}: {self.campaign.sentence()}"
                mine[peer.call("memory_save", text=text)["id"]] = text
            elif way == "edit":
                mine[id] = f"{mine[id]} Corrected at step {step}."
                peer.call("memory_edit", id=id, text=mine[id])
            elif way == "get":
                (got,) = peer.call("memory_get", ids=[id])["memories"]
                if got["text"] != mine[id]:
                    self.find("not the acknowledged text", id=id, text=got["text"], acknowledged=mine[id])
            else:
                tool = "memory_search" if way == "search" else "memory_context"
                key = "query" if way == "search" else "question"
                peer.call(tool, **{key: mine[id]})
            with self._lock:
                self.texts |= mine
            time.sleep(_PAUSE)
        if err := peer.close():
            self.find("a server wrote to standard error", err=err)

    def hook(self, number: int) -> None:
        """Ask the prompt hook, as Claude Code does."""
        chance = random.Random(self.campaign.seed * 100 + 50 + number)
        while time.monotonic() < self.until:
            with self._lock:
                asked = chance.choice([*self.texts.values()] or ["Which port does it use?"])
            sent = {
                "session_id": "1", "transcript_path": "/none.jsonl", "cwd": str(self.campaign.folder),
                "hook_event_name": "UserPromptSubmit", "prompt": asked,
            }  # fmt: skip
            deadline = {"MEMOS_HOOK_DEADLINE": "20"}
            out = self.command("hook", "prompt", "--agent", "claude", stdin=json.dumps(sent), env=deadline)
            self.count("hook with memories" if out else "hook without")
            if out and "additionalContext" not in json.loads(out)["hookSpecificOutput"]:
                self.find("a hook printed something else", out=out)
            time.sleep(_PAUSE)

    def ingest(self) -> None:
        """Ingest lines, one batch after another."""
        step = 0
        while time.monotonic() < self.until:
            step += 1
            lines = [f"Line {n} of batch {step}: {self.campaign.sentence()}" for n in range(8)]
            self.command("ingest", "-", "--lines", stdin="\n".join(lines))
            self.ingested |= {*lines}
            self.count("ingest")
            time.sleep(1)

    def maintain(self) -> None:
        """Maintain the vault, again and again."""
        while time.monotonic() < self.until:
            self.command("maintain", "--quiet")
            self.count("maintain")
            time.sleep(2)

    def examine(self) -> None:
        """Compare what is there with what was acknowledged."""
        texts = {id: memory[4][-1][2] for id, memory in contents(self.vault).items()}
        for id, text in self.texts.items():
            if texts.get(id) != text:
                self.find("an acknowledged memory is lost or old", id=id, text=text, there=texts.get(id))
        there = [*texts.values()]
        doubled = {text for text in there if there.count(text) > 1}
        lost = self.ingested - {*there}
        if doubled or lost:
            self.find("memories are lost or doubled", doubled=sorted(doubled)[:5], lost=sorted(lost)[:5])
        if problems := findings(self.vault):
            self.find("the vault is not whole", problems=problems)
        self.command("audit", "verify")
        self.campaign.counts["memories"] = len(there)


def work(campaign: Campaign) -> None:
    next(campaign.tries())
    Agents(campaign).run()


if __name__ == "__main__":
    main("agents", __doc__ or "", work)
