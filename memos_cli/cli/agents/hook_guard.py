"""Run ``memos hook EVENT`` so that an agent never waits for memory, and never fails because of it.

A child process does the work. This process only waits until the child reports, or until the deadline. Then it
prints what the child reported, or nothing, and exits with 0. No lock, slow disk or busy interpreter in the
child can delay it. This module loads little, because it runs before everything else.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

EVENTS = ("start", "prompt", "stop", "end", "compact")
SWITCH = "MEMOS_HOOKS"
_OFF = ("off", "0", "no", "false")
_SECONDS = {"start": 3.0, "prompt": 0.8}
_OTHERS = 1.0
"""Seconds from the start of the process, until the child reports the settings."""
_LEAVING = 0.06
"""Seconds that it takes to print and to exit, also on a busy machine."""
_GRACE = 1.0
"""Seconds after which a child ends by itself, if this process could not end it."""
_WITH_VALUE = ("--vault", "--as", "--view")
"""Options with a value that may precede the command."""

_channel = -1
"""In the child, the file descriptor for its reports; -1 in other processes."""
_reported: dict[str, Any] = {}
"""In the child, its reports so far."""
_started = _end = 0.0
"""When this call began and when its deadline is, as ``time.monotonic``."""


def event_of(arguments: Sequence[str]) -> str:
    """Return the event of the command line ``memos hook EVENT …``; "" for any other."""
    if {"-h", "--help"} & {*arguments}:
        return ""
    names, words = list[str](), iter(arguments)
    for word in words:
        if word in _WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            names.append(word)
        if len(names) == 2:
            break
    return names[1] if names[:1] == ["hook"] and names[-1] in EVENTS else ""


def guard(event: str, work: Callable[[], object], age: float = 0.0) -> None:
    """Run ``work`` in a child, print what it reports, and exit with 0; do nothing in that child.

    ``age`` is how many seconds ago this call began.
    """
    global _started
    if _channel >= 0:
        return
    if os.environ.get(SWITCH, "").strip().lower() in _OFF:
        sys.exit(0)
    _started = time.monotonic() - age
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write(
            "this command reads the JSON of an agent on stdin\n  try: memos hook install AGENT\n"
        )
        sys.exit(0)
    if age:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        reported = _wait_for_reports(event, work)
    except (OSError, ValueError, KeyboardInterrupt):
        sys.exit(0)
    if age:
        for number in (signal.SIGINT, signal.SIGTERM):  # it ends in a moment
            signal.signal(number, signal.SIG_IGN)
    text = str(reported.get("text") or "")
    is_late = not reported.get("is_done")
    if not is_late and text:
        _print(text)
    if not reported.get("is_detached"):
        _log(reported, event, is_late=is_late)
    if age:  # a process of its own: the cleanup of Python takes time
        os._exit(0)
    sys.exit(0)


def seconds_left() -> float:
    """Return the seconds until the deadline."""
    return _end - time.monotonic()


def seconds_used() -> float:
    """Return the seconds since this call began."""
    return time.monotonic() - _started


def report(**reported: object) -> None:
    """Send values to the parent: a ``text`` to print, ``seconds`` and ``log`` of this call, or ``is_done``.

    Does nothing in a process without a guard.
    """
    global _end
    if _channel < 0:
        return
    _reported.update(reported)
    if "seconds" in reported:
        seconds = float(str(reported["seconds"]))
        _end = _started + seconds - _LEAVING
        signal.setitimer(signal.ITIMER_REAL, max(seconds_left() + _GRACE, _GRACE))
    with suppress(OSError):  # the parent has exited
        os.write(_channel, json.dumps(reported).encode() + b"\n")


def detach() -> None:
    """Let the parent exit, and continue without it in this child, even if the agent ends."""
    if _channel < 0:
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    with suppress(OSError):
        os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # an agent that waits until its pipe is closed can go on
    report(is_detached=True)


def _wait_for_reports(event: str, work: Callable[[], object]) -> dict[str, Any]:
    """Return the reports of the child until it is done or detached, or until the deadline."""
    global _end
    reading, writing = os.pipe()
    _end = _started + _first_deadline(event) - _LEAVING
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(event, work, writing)
    os.close(writing)
    reported, line = dict[str, Any](), b""
    try:
        while not {"is_done", "is_detached"} & reported.keys() and (left := seconds_left()) > 0:
            if not select.select([reading], [], [], left)[0]:
                continue
            if not (part := os.read(reading, 1 << 16)):
                break
            *lines, line = (line + part).split(b"\n")
            for each in lines:
                reported.update(json.loads(each))
            if "seconds" in reported:
                _end = _started + float(reported.pop("seconds")) - _LEAVING
    finally:
        os.close(reading)
        if not {"is_done", "is_detached"} & reported.keys():
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
    return reported


def _first_deadline(event: str) -> float:
    """Return the seconds for an event before the settings are read."""
    at_prompt = _SECONDS["prompt"]
    with suppress(ValueError):
        named = float(os.environ.get("MEMOS_HOOK_DEADLINE", ""))
        at_prompt = named if 0 < named <= 3600 else at_prompt
    return _seconds_for(event, at_prompt)


def _seconds_for(event: str, at_prompt: float) -> float:
    return at_prompt if event == "prompt" else max(at_prompt, _SECONDS.get(event, _OTHERS))


def _run(event: str, work: Callable[[], object], channel: int) -> NoReturn:
    """Do the work in the child, apart from the streams of the agent."""
    global _channel
    try:
        for number in (signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, max(seconds_left() + _GRACE, _GRACE))
        _channel = channel
        gc.disable()  # it lives for a moment, and imports make no garbage
        null = os.open(os.devnull, os.O_RDWR)
        is_verbose = bool({"-v", "--verbose", "--debug"} & {*sys.argv})
        os.dup2(null, 1)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        if not is_verbose:
            os.dup2(null, 2)
            sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        _report_settings(event)
        work()
    except SystemExit:
        pass
    except BaseException as error:  # noqa: BLE001 (the parent goes on)
        report(reason=type(error).__name__)
    finally:
        report(is_done=True)
        if "is_detached" in _reported:
            _log(_reported, event, is_late=False)
        os._exit(0)


def _report_settings(event: str) -> None:
    """Report the deadline and the log to the parent, before anything that takes long."""
    from memos_cli.errors import MemosError
    from memos_cli.interface.hooks.log import prepare_log
    from memos_cli.settings import load_settings

    words = sys.argv
    agent = words[words.index("--agent") + 1] if "--agent" in words[:-1] else ""
    with suppress(MemosError):  # it is reported when the command loads them
        report(log=str(prepare_log() or ""), agent="" if agent == "auto" else agent)
        report(seconds=_seconds_for(event, load_settings()[0].hook_deadline))


def _print(text: str) -> None:
    try:
        sys.stdout.buffer.write(f"{text}\n".encode())
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # the agent has closed it
        sys.stdout = None


def _log(reported: dict[str, Any], event: str, *, is_late: bool) -> None:
    """Add a line on this call to the log that the child prepared."""
    if not reported.get("log"):
        return
    outcome = "late" if is_late else "failed" if reported.get("reason") else "done"
    row = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "agent": reported.get("agent", ""), "event": event, "ms": round(1000 * (time.monotonic() - _started)),
        "characters": 0 if is_late else len(str(reported.get("text") or "")),
        "outcome": outcome,
        "reason": reported.get("reason", ""),
    }  # fmt: skip
    with suppress(OSError):
        file = os.open(reported["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, json.dumps(row).encode() + b"\n")
        finally:
            os.close(file)
