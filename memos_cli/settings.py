"""Every setting: its default, its help, and the origin of its value.

Precedence: flag > environment (``MEMOS_…``) > ``config.toml`` > default.
"""

from __future__ import annotations

import getpass
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from memos_cli.cube import SENSITIVITIES
from memos_cli.errors import UsageError
from memos_cli.files import open_input
from memos_cli.folders import config_file, data_folder, expand_home

_LONGEST_FILE = 1 << 20  # bytes


def _setting(
    default: object,
    about: str,
    least: float = 0,
    most: float = math.inf,
    choices: tuple[str, ...] = (),
    *,
    key: str = "",
    old: str = "",
) -> Any:
    """Return a field of Settings; ``least`` and ``most`` bound a number, ``choices`` are the texts it may
    be, ``old`` is a former key that still works. For ``key``, see ``key_of``."""
    metadata = {"key": key, "help": about, "bounds": (least, most), "choices": choices, "old": old}
    return field(default=default, metadata=metadata)


def key_of(setting: Field[Any]) -> str:
    """Return the key of a field of Settings: by default its name, such as ``query.words`` for query_words."""
    return setting.metadata["key"] or setting.name.replace("_", ".", 1)


def _level(default: str, where: str) -> Any:
    return _setting(default, f"highest sensitivity of memories {where}", choices=SENSITIVITIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values that a command runs with."""

    vault: str = _setting("", "folder of the vault; empty: the user's data folder")
    permissions: str = _setting(
        "private",
        "private: refuse a vault that other users can write to; any: accept it",
        choices=("private", "any"),
    )
    key_file: str = _setting(
        "", "file with the key of an encrypted vault; empty: the file that it was created with"
    )
    principal: str = _setting(
        "", "your principal, user:NAME or agent:NAME; empty: the system's user", key="as"
    )
    token: str = _setting("", "token that proves your principal; better as MEMOS_TOKEN")
    time_zone: str = _setting(
        "", "time zone for input and output, such as Europe/Berlin; empty: the system's"
    )
    reader: str = _setting(
        "",
        "model that answers: a GGUF file, a name of `memos models`, or a server, such as"
        " http://127.0.0.1:8080 or ollama:qwen2.5:7b (`memos help engines`); also as `reader`",
        key="model",
        old="reader",
    )
    embedder: str = _setting("", "embedding model: a GGUF, or a sentence-transformers folder")
    threads: int = _setting(0, "threads for models; 0: all that are free", most=512)
    lock_timeout: float = _setting(10.0, "seconds to wait for another writer")
    ingest_chunk: int = _setting(900, "target length of a piece of a long text, in characters", 50)
    ingest_max_mb: int = _setting(256, "largest source that is read, in megabytes", 1)
    ingest_encoding: str = _setting(
        "", "encoding of texts that are not UTF-8 and declare none, such as gbk; empty: guess"
    )
    ingest_secrets: str = _setting(
        "mask",
        "keys, tokens and passwords in sources: mask, refuse the piece, or allow and mark it secret",
        choices=("mask", "refuse", "allow"),
    )
    ingest_quarantine: str = _setting(
        "never",
        "which new memories go into quarantine (`memos quarantine`): never, web (pages), or always",
        choices=("never", "web", "always"),
    )
    sensitivity_prompt: str = _level("confidential", "in a prompt")
    sensitivity_adapter: str = _level("personal", "in a training")
    sensitivity_export: str = _level("personal", "in an export")
    sensitivity_publish: str = _level("open", "in a publication")
    sensitivity_remote: str = _level("open", "that a model on another machine gets")
    network_allow: tuple[str, ...] = _setting(
        (), "other machines whose models may get memories, such as api.example.com"
    )
    network_timeout: float = _setting(300.0, "seconds that a model server may be silent", 1, 86_400)
    audit_reads: str = _setting(
        "all",
        "reads that the audit of a new vault records: all (also show, search, list), or prompts (memories in"
        " a prompt); for an existing vault: `memos audit reads`",
        choices=("all", "prompts"),
    )
    search_k: int = _setting(10, "results of a search", 1)
    search_balance: float = _setting(0.75, "weight of vectors against words, 0 to 1", most=1)
    search_reranker: str = _setting(
        "", "a cross-encoder that reranks the best results: a folder, or owner/name; slow"
    )
    query_answer: str = _setting(
        "auto",
        "how a query answers: quote (sentences of your memories), model (the model writes), or auto (model"
        " with a billion parameters or more, else quote)",
        choices=("auto", "quote", "model"),
    )
    query_relevance: float = _setting(
        0.5, "lowest probability that a memory answers the question, 0 to 1", most=1
    )
    query_words: int = _setting(60, "maximum words in a quoted answer", 1)
    query_context: int = _setting(4096, "context of the model, in tokens", 1)
    query_memory: int = _setting(1000, "maximum tokens of the context for memories")
    query_sources: int = _setting(
        0, "maximum memories in a prompt; 0: as many as fit, or three for a small model"
    )
    query_max_tokens: int = _setting(256, "maximum tokens of an answer", 1)
    query_log: int = _setting(1000, "questions that are logged, for trainings; 0: none")
    query_temperature: float = _setting(0.0, "randomness of the answer; 0: none")
    hook_deadline: float = _setting(
        0.8, "seconds after which a hook gives up; at the start of a session, at least 3", 0.05, 3600
    )
    hook_tokens: int = _setting(1200, "maximum tokens that a hook gives to an agent", 1)
    hook_transcripts: str = _setting(
        "import", "whether hooks import the sessions of agents: import, or never", choices=("import", "never")
    )
    activation_kv_type: str = _setting(
        "f16",
        "format of saved states: f16, or q8_0 (half the bytes, slower, less exact)",
        choices=("f16", "q8_0"),
    )
    activation_disk_mb: float = _setting(
        2000.0, "megabytes that saved states may take; `memos maintain` drops the rest"
    )
    activation_slots: str = _setting("", "folder in which a llama-server saves states: its --slot-save-path")
    maintain_policy: str = _setting(
        "economy",
        "which states `memos maintain` keeps: economy (those that save time), lru (the last used), pinned",
        choices=("economy", "lru", "pinned"),
    )
    maintain_archive_after: float = _setting(0.0, "days without use until archiving; 0: never")
    parametric_scale: float = _setting(1.0, "strength of attached adapters", 0.0, 4.0)
    parametric_likeness: float = _setting(
        0.75, "lowest cosine of a question and one that an adapter has learned, to use the adapter", most=1
    )
    distil_rank: int = _setting(8, "rank of new adapters: their capacity and size", 1, 256)
    distil_rate: float = _setting(0.002, "learning rate of a training", 1e-6, 0.1)
    distil_steps: int = _setting(
        0, "maximum steps of a training; 0: by the number of questions", most=100_000
    )
    distil_seed: int = _setting(1, "seed of a training")
    distil_questions: str = _setting(
        "auto",
        "source of the questions of a training: rules, model, or auto (a model with a billion parameters)",
        choices=("auto", "model", "rules"),
    )
    gate_recall: float = _setting(0.8, "share of unseen questions that an adapter must answer", most=1)
    gate_gain: float = _setting(0.6, "least gain of that share over the model without the adapter", most=1)
    gate_independent: float = _setting(
        0.4, "share of unseen questions of another form that it must answer", most=1
    )
    gate_reach: float = _setting(0.9, "share of unseen questions that must reach the adapter", most=1)
    gate_near_misses: float = _setting(0.1, "share of near misses that may be answered with a memory", most=1)
    gate_drift: float = _setting(0.1, "largest change of other answers: KL divergence, in nats per token")
    gate_perplexity: float = _setting(
        0.05, "largest rise of the perplexity of the model's own answers, as a share"
    )
    gate_routing: float = _setting(0.99, "share of unrelated questions that must not use the adapter", most=1)
    heat_half_life: float = _setting(14.0, "days after which a use counts as half", 0.01)


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting as ``memos config`` shows it."""

    key: str
    value: object
    origin: str
    about: str
    old: str = ""
    """A former key that still works."""


def vault_folder(settings: Settings) -> Path:
    """Return the folder of the vault. Raises UsageError if none is set and there is no home folder."""
    if settings.vault:
        return expand_home(settings.vault)
    folder = data_folder()
    if folder is None:
        raise UsageError(
            "there is no home folder, and no vault was named", "set HOME, or name the vault with --vault DIR"
        )
    return folder


def principal_of(settings: Settings) -> str:
    """Return the principal of ``settings``, else the system's user, by number if it has no name.

    Raises UsageError for a name that is neither ``user:…`` nor ``agent:…``.
    """
    return check_principal(settings.principal or f"user:{_login_name()}")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return str(os.getuid())


def check_principal(name: str, kinds: Sequence[str] = ("user", "agent")) -> str:
    """Return ``name`` if it is KIND:NAME of one of ``kinds``, in printable letters; else raise UsageError."""
    kind, _, rest = name.partition(":")
    if not rest.strip() or kind not in kinds:
        what = "a group" if kinds == ("group",) else "a principal"
        raise UsageError(f"{name!r} is not {what}", f"write {' or '.join(f'{each}:NAME' for each in kinds)}")
    if not name.isprintable():
        raise UsageError(f"{name!r} has invisible characters", "use letters, digits and -")
    return name


_RETIRED = {"parametric.relevance"}
"""Accepted without effect."""


def load_settings(
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> tuple[Settings, list[Origin]]:
    """Return the settings and the origin of each. Flags that are None are not given.

    Raises UsageError for a value of the wrong kind, an unknown key in the file, or a broken file.
    """
    environment = os.environ if environment is None else environment
    if environment.get("MEMOS_TOKEN") == "":  # of a script whose command for a token failed
        raise UsageError("MEMOS_TOKEN is empty", "set it to a token, or `unset MEMOS_TOKEN`")
    path = file or config_file()
    stored = _read_file(path) if path else {}
    known = {name for f in fields(Settings) for name in (key_of(f), f.metadata["old"])}
    if unknown := sorted(set(stored) - known - _RETIRED):
        raise UsageError(f"{path}: unknown setting {unknown[0]!r}", "`memos config` lists the settings")
    values: dict[str, Any] = {}
    origins = []
    for f in fields(Settings):
        key = key_of(f)
        names = [name for name in (key, f.metadata["old"]) if name]
        variables = ["MEMOS_" + name.upper().replace(".", "_") for name in names]
        if flags and flags.get(f.name) is not None:
            raw, origin = flags[f.name], "flag"
        elif variable := next((each for each in variables if each in environment), ""):
            raw, origin = environment[variable], variable
        elif name := next((each for each in names if each in stored), ""):
            raw, origin = stored[name], str(path)
        else:
            raw, origin = f.default, "default"
        values[f.name] = _as_kind(raw, f.default, f"{origin}: {key}", *f.metadata["bounds"])
        if (choices := f.metadata["choices"]) and values[f.name] not in choices:
            raise UsageError(
                f"{origin}: {key} = {raw!r} is none of {', '.join(choices)}", f"change {key} in {origin}"
            )
        shown = "(hidden)" if key == "token" and values[f.name] else values[f.name]
        origins.append(Origin(key, shown, origin, f.metadata["help"], f.metadata["old"]))
    return Settings(**values), origins


def _read_file(path: Path) -> dict[str, object]:
    """Return the file's keys, tables joined by dots. A missing file counts as empty."""
    import tomli

    try:
        with open_input(path, f"make {path} a file that you can read") as stream:
            tables = tomli.loads(stream.read(_LONGEST_FILE).decode("utf-8-sig"))
    except UsageError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return {}
        raise
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}", f"fix {path} or move it aside") from error
    flat: dict[str, object] = {}
    for key, value in tables.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    return flat


def _as_kind(raw: object, default: object, where: str, least: float, most: float) -> object:
    kind = type(default)
    try:
        if kind in (int, float) and not isinstance(raw, bool):
            number = kind(raw)  # type: ignore[call-overload,arg-type]
            if math.isfinite(number) and not (isinstance(raw, float) and number != raw):
                if not least <= number <= most:
                    is_low = number < least
                    raise UsageError(
                        f"{where} = {raw!r} is {f'below {least:g}' if is_low else f'above {most:g}'}",
                        f"use {least:g} or more" if is_low else f"use {most:g} or less",
                    )
                return number
        if kind is str and isinstance(raw, str):
            return raw
        if kind is tuple:  # a list in the file; in the environment, its items with commas
            items = raw.split(",") if isinstance(raw, str) else raw
            if isinstance(items, (list, tuple)) and all(isinstance(item, str) for item in items):
                return tuple(item.strip() for item in items if item.strip())
    except (TypeError, ValueError, OverflowError):
        pass
    if kind is tuple:
        raise UsageError(f"{where} = {raw!r} is not a list of texts", 'write it like ["api.example.com"]')
    raise UsageError(
        f"{where} = {raw!r} is not {'text' if kind is str else 'a number'}", f"write it like {default!r}"
    )
