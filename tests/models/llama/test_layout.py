"""A libllama of another version than the bindings: refused before any structure is passed to it."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_harness import Shell, with_models

from memos_cli.models.llama.layout import DEFAULTS, find_misfit
from memos_cli.models.llama.llama import load

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#define FOREIGN(name, size, at, less, more)                                                    \\
    struct own_##name { char bytes[size]; };                                                   \\
    struct foreign_##name { char bytes[(size) - (less) + (more)]; };                           \\
    struct foreign_##name name(void) {                                                         \\
        struct own_##name own = ((struct own_##name (*)(void))dlsym(RTLD_NEXT, #name))();      \\
        struct foreign_##name it;                                                              \\
        memset(&it, 0, sizeof it);                                                             \\
        memcpy(it.bytes, own.bytes, at);                                                       \\
        memcpy(it.bytes + (at) + (more), own.bytes + (at) + (less), (size) - (at) - (less));   \\
        return it;                                                                             \\
    }
FOREIGN(llama_%s_default_params, %d, %d, %d, %d)
"""
"""A library that is llama.cpp's own, but for one structure: ``less`` bytes left out and ``more`` added."""

SIZED = "take {} bytes" if platform.machine() == "x86_64" else "reads"
"""What is said of an inserted field: elsewhere the size of a result does not show."""
needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")


def make_library(folder: Path, kind: str, field: str, *, less: int = 0, more: int = 0) -> Path:
    """A folder with a libllama whose parameters differ from ``field`` on; "" is behind the last field."""
    bindings = load()
    structure = getattr(bindings, f"llama_{kind}_params")
    size = ctypes.sizeof(structure)
    at = getattr(structure, field).offset if field else size
    folder.mkdir()
    source = folder / "shim.c"
    source.write_text(SHIM % (kind, size, at, less, more))
    own = Path(bindings._lib._name).parent
    command = ["cc", "-shared", "-fPIC", "-o", folder / "libllama.so", source, f"-Wl,-rpath,{own}"]
    subprocess.run([*command, "-Wl,--no-as-needed", own / "libllama.so", "-ldl"], check=True, timeout=60)
    return folder


@with_models
def test_the_library_of_the_bindings_fits_them() -> None:
    bindings = load()
    assert find_misfit(bindings) == ""
    for kind, defaults in DEFAULTS.items():
        known = {name for name, *_ in getattr(bindings, f"llama_{kind}_params")._fields_}
        assert defaults.keys() <= known, "a field that these bindings do not have is not compared"


@with_models
@needs_compiler
@pytest.mark.parametrize(
    ("kind", "field", "less", "more", "said"),
    [
        ("context", "embeddings", 0, 8, SIZED.format(168)),
        ("context", "", 0, 8, SIZED.format(168)),
        ("context", "offload_kqv", 1, 1, "offload_kqv reads False, not True"),
        ("context", "n_batch", 4, 4, "n_batch reads 0, not 2048"),
        ("model", "use_extra_bufts", 1, 1, "use_extra_bufts reads False, not True"),
    ],
)
def test_a_library_with_other_parameters_is_refused(
    memos: Shell, tmp_path: Path, kind: str, field: str, less: int, more: int, said: str
) -> None:
    if not field and platform.machine() != "x86_64":
        pytest.skip("the size of a result shows on x86-64 only")
    folder = make_library(tmp_path / "other", kind, field, less=less, more=more)
    memos.keep("a text without a vector")
    refused = memos.process("embed", "--json", env={"LLAMA_CPP_LIB_PATH": str(folder)}, code=15)
    error = json.loads(refused.err)["error"]
    assert str(folder / "libllama.so") in error["message"] and "llama_cpp_python-" in error["message"]
    assert said in error["message"], error
    assert error["hint"] == "unset LLAMA_CPP_LIB_PATH"


@with_models
@needs_compiler
def test_an_unchanged_library_from_another_folder_is_accepted(memos: Shell, tmp_path: Path) -> None:
    folder = make_library(tmp_path / "same", "context", "")
    memos.keep("a text without a vector")
    memos.process("embed", env={"LLAMA_CPP_LIB_PATH": str(folder)})


@pytest.mark.skipif(not importlib.util.find_spec("llama_cpp"), reason="llama-cpp-python is not installed")
@needs_compiler
@pytest.mark.parametrize("content", ["nothing", "text", "no functions"])
def test_what_is_no_llama_cpp_is_refused(memos: Shell, tmp_path: Path, content: str) -> None:
    library = tmp_path / "libllama.so"
    if content == "text":
        library.write_text("dear diary")
    elif content == "no functions":
        (tmp_path / "empty.c").write_text("int llama;")
        subprocess.run(["cc", "-shared", "-o", library, tmp_path / "empty.c"], check=True, timeout=60)
    memos.keep("a text without a vector")
    refused = memos.process("embed", "--json", env={"LLAMA_CPP_LIB_PATH": str(tmp_path)}, code=15)
    assert "llama.cpp does not load" in refused.err and "unset LLAMA_CPP_LIB_PATH" in refused.err
