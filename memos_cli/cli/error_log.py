"""Log files for unexpected errors: the data for a bug report, without any text of the user."""

from __future__ import annotations

import logging
import os
import platform
import sqlite3
import sys
import traceback
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from memos_cli import __version__
from memos_cli.files import PRIVATE_FILE, make_folder
from memos_cli.folders import log_folder

KEPT = 10
"""Number of log files that are kept; older ones are deleted."""
_NAME = "error-*.log"


def write_error_log(error: BaseException, arguments: Sequence[str], known: Collection[str]) -> Path | None:
    """Write a log file about an unexpected error, and delete old ones.

    Args:
        error: The exception. Its message is left out, because it may quote a memory.
        arguments: The command line.
        known: Names of commands and options: only these arguments are logged.

    Returns:
        The file, readable by its owner alone; None if it cannot be written.
    """
    folder = log_folder()
    if folder is None:
        return None
    path = folder / f"error-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}.log"
    try:
        make_folder(folder)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            _write(logging.StreamHandler(stream), error, arguments, known)
        for old in sorted(folder.glob(_NAME))[:-KEPT]:
            with suppress(OSError):
                old.unlink()
    except OSError:
        return None
    return path


def _write(
    handler: logging.Handler, error: BaseException, arguments: Sequence[str], known: Collection[str]
) -> None:
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.Logger("memos")  # of its own: nothing is passed on to the handlers of libraries
    logger.addHandler(handler)
    names = [argument.partition("=")[0] for argument in arguments]
    logger.info("command: %s", " ".join(["memos", *(name for name in names if name in known)]))
    for line in _versions():
        logger.info(line)
    logger.error("\n".join(_frames(error)))


def _versions() -> Iterator[str]:
    yield f"memos-cli {__version__}"
    yield f"Python {sys.version}"
    yield f"SQLite {sqlite3.sqlite_version}"
    for package in ("llama-cpp-python", "numpy", "sqlite-utils", "typer"):
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} is not installed"
    yield f"platform: {platform.platform()}"


def _frames(error: BaseException) -> Iterator[str]:
    """Yield the traceback, the cause first, with the types of the exceptions but not their messages."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _frames(before)
        yield "which led to:"
    yield "Traceback (most recent call last):"
    yield from (line.rstrip("\n") for line in traceback.format_tb(error.__traceback__))
    yield type(error).__qualname__
