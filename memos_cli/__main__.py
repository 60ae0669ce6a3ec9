"""``memos`` and ``python -m memos_cli``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command. ``--version`` alone and completion with TAB run often, so they load little else."""
    if sys.argv[1:] == ["--version"]:
        from memos_cli import __version__

        print(f"memos {__version__}")  # noqa: T201 (the whole result)
        return
    if "_MEMOS_COMPLETE" in os.environ:
        from memos_cli.cli.help import completion

        completion.main()
    if "hook" in sys.argv:  # its deadline counts from now, before anything else is loaded
        from memos_cli.cli.agents.hook_guard import event_of, guard
        from memos_cli.cli.process_age import process_age

        if event := event_of(sys.argv[1:]):
            guard(event, _run, process_age())
    _run()


def _run() -> None:
    from memos_cli.cli.app import main

    main()


if __name__ == "__main__":
    main()
