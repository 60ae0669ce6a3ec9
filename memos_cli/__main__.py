"""``memos`` and ``python -m memos_cli``."""

from __future__ import annotations

from memos_cli.cli.app import main

if __name__ == "__main__":
    main()
