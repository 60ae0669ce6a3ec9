"""Check llama.cpp, the processor, and the models of the vault."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from memos_cli.counts import counted, sized
from memos_cli.errors import MemosError, ModelUnfit
from memos_cli.folders import cache_folder
from memos_cli.interface.doctor.report import Line
from memos_cli.models.llama.llama import repair_hint
from memos_cli.models.llama.probe import read_probe
from memos_cli.settings import Settings

_FLAGS = {"SSE3": "pni", "AVX512": "avx512f"}
"""Names of /proc/cpuinfo that are not those of llama.cpp in lower case, without "_"."""
_X86 = re.compile(r"SSE3|SSSE3|AVX\w*|F16C|FMA|BMI2|AMX_\w+")
_EMBEDDED = "pip install 'memos-cli[embedded]'"


def check_llama(process: subprocess.Popen[bytes]) -> Iterator[Line]:
    """Check llama.cpp with the report of ``process``, a probe."""
    if importlib.util.find_spec("llama_cpp") is None:
        process.kill()
        process.communicate()
        yield Line(
            "llama.cpp", "fail", "llama-cpp-python is not installed: memos searches by words only",
            "pip install 'llama-cpp-python>=0.3.36,<0.4'",
        )  # fmt: skip
        return
    try:
        found = read_probe(process)
    except ModelUnfit as error:
        yield Line("llama.cpp", "fail", str(error), error.hint)
        return
    yield Line("llama.cpp", "ok", f"{found['build']}: {found['library']}", "", found)
    yield _judge_processor(found["features"], found["devices"], Path("/proc/cpuinfo"))


def _judge_processor(features: str, devices: str, cpuinfo: Path) -> Line:
    """Compare the processor features that llama.cpp was built for with those of this processor."""
    built = {name for name in re.findall(r"(\w+) = 1\b", features) if _X86.fullmatch(name)}
    flags: set[str] = set()
    with suppress(OSError):
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("flags"):
                flags = {flag.replace("_", "") for flag in line.partition(":")[2].split()}
                break
    details = {"devices": devices, "built_for": sorted(built), "flags_known": bool(flags)}
    if lacking := sorted(name for name in built if flags and _flag(name) not in flags):
        message = f"{devices}: lacks {', '.join(lacking)}, which llama.cpp was built for"
        return Line("processor", "fail", message, repair_hint(), details)
    unused = [name for name in ("AVX2", "AVX512") if _flag(name) in flags and name not in built]
    message = f"{devices}; llama.cpp uses {', '.join(sorted(built)) or features}"
    if "AVX2" in unused:
        return Line("processor", "warn", f"{message}; without AVX2 it is slow", repair_hint(), details)
    return Line("processor", "ok", message + (f"; not {unused[0]}" if unused else ""), "", details)


def _flag(name: str) -> str:
    return _FLAGS.get(name, name.replace("_", "").lower())


def check_models(settings: Settings, reader: str, embedder: str | None) -> Iterator[Line]:
    """Check the models that VAULT.toml names (``embedder`` None: no vault yet), and count the others."""
    yield _check_language_model(settings.reader or reader, settings.network_allow)
    yield _check_embedder(settings.embedder, embedder)
    from memos_cli.models.model_files import find_models

    found = find_models()
    size = sum(model.size for model in found)
    yield Line(
        "models", "ok", f"{counted(len(found), 'GGUF file')} on this machine, {sized(size)}",
        "memos models" if found else "", {"count": len(found), "size": size},
    )  # fmt: skip


def _check_language_model(name: str, allowed: Collection[str]) -> Line:
    from memos_cli.models.model_files import resolve_reader
    from memos_cli.models.remote.address import is_address, parse_address, require_allowed

    if is_address(name):
        try:
            address = parse_address(name)
            require_allowed(address, allowed)
        except MemosError as error:
            return Line("model", "warn", f"{error}; `memos query` can only quote", error.hint)
        where = "this machine" if address.is_local else "another machine"
        about = f"{address}, a model server on {where}; it was not contacted"
        return Line("model", "ok", about, "", {"address": str(address)})
    try:
        model = resolve_reader(name)
    except ModelUnfit as error:
        return Line("model", "warn", f"{error}; `memos query` can only quote", error.hint)
    details = {"name": model.name, "path": str(model.path), "size": model.size}
    return Line("model", "ok", f"{model.name}, {sized(model.size)}: {model.path}", "", details)


def _check_embedder(named: str, of_vault: str | None) -> Line:
    from memos_cli.models.embed import e5
    from memos_cli.models.embed.embedder import DEFAULT, locate_embedder, vault_embedder

    name = named or (DEFAULT if of_vault is None else vault_embedder(of_vault))
    try:
        converted = e5.converted_files(cache_folder(create=False)).model
        title, path = DEFAULT, e5.find_e5() or (converted if converted.exists() else None)
        if name not in ("", "embedded", DEFAULT):
            title, path = locate_embedder(name)
    except ModelUnfit as error:
        return Line("embedder", "warn", f"{error}; search uses words only", error.hint)
    if path is None:
        return Line("embedder", "warn", f"{DEFAULT} is not installed: search uses words only", _EMBEDDED)
    files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files)
    details = {"name": title, "path": str(path), "size": size}
    return Line("embedder", "ok", f"{title}, {sized(size)}: {path}", "", details)
