"""A memory operating system for local language models.

The library is ``Memos``, with the options and filters that its methods take; the command is ``memos``::

    from memos_cli import Filter, Memos, load_settings

    with Memos(load_settings()[0]) as memos:
        print(memos.search("staging database", filter=Filter()).hits)
"""

TYPE_CHECKING = False  # as mypy takes it; `memos --version` need not import typing
if TYPE_CHECKING:
    from memos_cli.cube import Cube, Filter, Hit, Plan
    from memos_cli.infrastructure.memories.transaction import NewMemoryFields
    from memos_cli.interface.memory import Memos
    from memos_cli.interface.options import (
        AnswerOptions,
        IngestOptions,
        PublishOptions,
        ReadOptions,
        TrainOptions,
    )
    from memos_cli.settings import Settings, load_settings

__version__ = "0.1.0"
__all__ = [
    "AnswerOptions", "Cube", "Filter", "Hit", "IngestOptions", "Memos", "NewMemoryFields", "Plan",
    "PublishOptions", "ReadOptions", "Settings", "TrainOptions", "load_settings",
]  # fmt: skip

_MODULES = {
    "memos_cli.cube": ("Cube", "Filter", "Hit", "Plan"),
    "memos_cli.infrastructure.memories.transaction": ("NewMemoryFields",),
    "memos_cli.interface.memory": ("Memos",),
    "memos_cli.interface.options": (
        "AnswerOptions", "IngestOptions", "PublishOptions", "ReadOptions", "TrainOptions",
    ),
    "memos_cli.settings": ("Settings", "load_settings"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a name of the library when it is first used, so that ``memos --version`` loads none of it."""
    from importlib import import_module

    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_MODULE_OF[name]), name))
