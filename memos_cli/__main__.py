"""``memos`` and ``python -m memos_cli``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command. ``--version`` alone and a shell's TAB, which are asked often, load little else."""
    if sys.argv[1:] == ["--version"]:
        from memos_cli import __version__

        print(f"memos {__version__}")  # noqa: T201 (the whole result)
        return
    if "_MEMOS_COMPLETE" in os.environ:
        from memos_cli.cli import completion

        completion.main()
    from memos_cli.cli.app import main

    main()


if __name__ == "__main__":
    main()
