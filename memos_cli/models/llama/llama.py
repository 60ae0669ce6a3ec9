"""llama.cpp's C API: loaded once, quietly, and without the rest of llama-cpp-python.

``load()`` gives the module ``llama_cpp.llama_cpp`` (ctypes declarations, one Python function for each C
function). ``import llama_cpp`` would also import its high-level API, with numpy and jinja2: 0.27 s
instead of 0.04 measured, in every process that asks one question.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import os
import sys
from collections import deque
from pathlib import Path
from types import ModuleType
from typing import Any

from memos_cli.errors import ModelUnfit
from memos_cli.models.llama.layout import find_misfit

_REINSTALL = "pip install --force-reinstall --no-binary llama-cpp-python 'llama-cpp-python>=0.3.36,<0.4'"
_OTHER_LIBRARY = "LLAMA_CPP_LIB_PATH"
"""The variable with which llama-cpp-python loads a library that is not its own."""
_WARNING, _ERROR = 3, 4
"""Levels of ggml.h's ``ggml_log_level``."""

_AMX = "AMX_INT8 = 1"
"""The feature of a llama.cpp that was built for a processor with AMX."""

_complaints: deque[str] = deque(maxlen=8)
"""The last warnings of llama.cpp: it reports the reason of a failure only in its log."""

_keepalive: list[object] = []
"""The log callback. Without this reference ctypes frees it, and llama.cpp would call into freed memory."""


@functools.cache
def load() -> ModuleType:
    """Import the low-level module of llama-cpp-python, silence its log and start its backend.

    ``MEMOS_DEBUG_LLAMA`` (not empty) leaves llama.cpp's own log on stderr. Raises ModelUnfit if
    llama-cpp-python is not installed, or its library does not load on this machine or does not fit it.
    """
    limit_spinning()
    try:
        library = _import_bindings()
    except ModuleNotFoundError as error:
        raise ModelUnfit(
            f"llama.cpp is not installed ({error})", "pip install 'llama-cpp-python>=0.3.36,<0.4'"
        ) from error
    except (OSError, RuntimeError, AttributeError) as error:  # no library, no such function, another CPU
        raise ModelUnfit(f"llama.cpp does not load: {error}", repair_hint()) from error
    if misfit := find_misfit(library):
        name = library._lib._name
        bindings = bindings_name(library)
        raise ModelUnfit(f"{name} does not fit its bindings, {bindings}: {misfit}", repair_hint())
    if not os.environ.get("MEMOS_DEBUG_LLAMA"):
        callback = library.llama_log_callback(_note_complaint)
        _keepalive.append(callback)
        library.llama_log_set(callback, ctypes.c_void_p(0))
    library.llama_backend_init()
    return library


def limit_spinning() -> None:
    """Let OpenMP's waiting threads spin only shortly. Call it before a library loads libgomp."""
    # With the default, two processes on the same cores slow each other down up to 180 times. Without any
    # spinning, the threads of one process sleep at each of hundreds of barriers a token: 40 ms a token
    # instead of 15. With a short spin it is 16, and beside a second process 39 instead of 29.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "500")


@functools.cache
def build() -> str:
    """Return the versions of llama-cpp-python and of ggml, and ggml's commit."""
    bindings = load()
    library = bindings._lib
    library.ggml_version.restype = library.ggml_commit.restype = ctypes.c_char_p
    version, commit = library.ggml_version().decode(), library.ggml_commit().decode()
    return f"{bindings_name(bindings)} {version} {commit}".strip()


def bindings_name(bindings: ModuleType) -> str:
    """Return the name and version of llama-cpp-python, such as ``llama_cpp_python-0.3.36``."""
    # From the name of its metadata folder: importlib.metadata takes 0.05 s.
    places = sorted(Path(str(bindings.__file__)).parents[1].glob("llama_cpp_python-*.dist-info"))
    return " ".join(place.name.removesuffix(".dist-info") for place in places)


def repair_hint() -> str:
    """Return the hint for a library that does not fit: unset LLAMA_CPP_LIB_PATH, or build it again."""
    return f"unset {_OTHER_LIBRARY}" if _OTHER_LIBRARY in os.environ else _REINSTALL


def model_parameters() -> Any:
    """Return the parameters that models are loaded with.

    llama.cpp's own layouts of weights are off where it would use AMX for them: those kernels load a tile
    configuration that compilers leave unfinished, and the process dies at the first batch
    (https://github.com/ggml-org/llama.cpp/issues/20824, pull request 26954). AVX-512 does the work instead.
    """
    parameters = load().llama_model_default_params()
    parameters.use_extra_bufts = _AMX not in _system_info()
    return parameters


def features() -> str:
    """Return the processor features that llama.cpp uses on this machine."""
    return _system_info().strip(" |").replace(_AMX, "AMX unused")


def _system_info() -> str:
    return load().llama_print_system_info().decode()  # type: ignore[no-any-return]


@functools.cache
def devices() -> str:
    """Return the processors that llama.cpp may compute with, by name."""
    library = load()._lib
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    library.ggml_backend_dev_description.restype = ctypes.c_char_p
    library.ggml_backend_dev_description.argtypes = [ctypes.c_void_p]
    found = (library.ggml_backend_dev_get(number) for number in range(library.ggml_backend_dev_count()))
    return ", ".join(library.ggml_backend_dev_description(device).decode() for device in found)


def last_complaints() -> str:
    """Return and clear llama.cpp's last warnings and errors, as one line; "" if there were none."""
    text = "; ".join(line.strip() for line in _complaints if line.strip())
    _complaints.clear()
    return text


def all_threads() -> int:
    """Return how many threads may compute at once, whatever others do: the same at every call; at least 1."""
    return max(1, round(_cores()))


def _cores() -> float:
    """Return the number of cores of this process, limited by the container's CPU quota (cgroup v2 and v1)."""
    try:
        cores = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS
        cores = float(os.cpu_count() or 1)
    return min(cores, _read_cpu_quota(Path("/sys/fs/cgroup")))


def free_threads() -> int:
    """Return how many threads may compute now without taking a core from others; at least 1."""
    cores = _cores()
    # The load counts the whole machine; where only a part of it is ours, only that part of the load is.
    return max(1, round(cores - _read_load() * cores / max(cores, os.cpu_count() or 1)))


def _read_load() -> float:
    """Return how many threads of others want a core, if that is known."""
    try:
        load = os.getloadavg()[0]
        # The average of a minute includes this process's own work. What wants to run at this moment,
        # less this thread, does not, but jumps: only what shows in both is somebody else at work.
        running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
        return min(load, max(0, running - 1))
    except (OSError, ValueError, IndexError):  # macOS has no /proc; a sandbox may have neither
        return 0.0


def _read_cpu_quota(cgroup: Path) -> float:
    """Return the container's CPU quota in cores; infinite if there is none."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()[:2]
        else:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else float("inf")
    except (OSError, ValueError, ZeroDivisionError):  # no cgroup, or "max": no quota
        return float("inf")


def _import_bindings() -> ModuleType:
    """Import ``llama_cpp.llama_cpp`` without running ``llama_cpp/__init__.py``.

    The package is registered without its contents. A later access to one of its names (``import llama_cpp;
    llama_cpp.Llama``) runs its ``__init__`` then, with the same bindings.
    """
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError("No module named 'llama_cpp'", name="llama_cpp")
        package, loader = importlib.util.module_from_spec(spec), spec.loader

        def complete(name: str) -> Any:
            if package.__dict__.pop("__getattr__", None) is not None:
                loader.exec_module(package)
            try:
                return package.__dict__[name]
            except KeyError:
                raise AttributeError(f"module 'llama_cpp' has no attribute {name!r}") from None

        package.__getattr__ = complete  # type: ignore[method-assign]  # PEP 562
        sys.modules["llama_cpp"] = package
    return importlib.import_module("llama_cpp.llama_cpp")


def _note_complaint(level: int, text: bytes | None, _data: object) -> None:
    if level in (_WARNING, _ERROR):
        _complaints.append((text or b"").decode("utf-8", "replace"))
