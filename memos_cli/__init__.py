"""A memory operating system for local language models.

The library is :class:`memos_cli.interface.memory.Memos`; the command is ``memos``.
"""

__version__ = "0.1.0"
