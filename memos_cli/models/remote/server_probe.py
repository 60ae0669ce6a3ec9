"""Open the model of a server: detect its kind and its features."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memos_cli.errors import ModelUnfit
from memos_cli.models.remote.address import Address
from memos_cli.models.remote.chat_servers import Ollama, OpenAi
from memos_cli.models.remote.http_client import Client
from memos_cli.models.remote.llama_server import LlamaServer
from memos_cli.models.remote.streams import ProtocolError, at, number_at, text_at

_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_NAMED = 5
"""Maximum models of a server that an error lists."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options for a server."""

    context: int
    """Tokens of the context where the server does not fix them."""
    timeout: float
    """Seconds that it may be silent."""
    slots: Path | None = None
    """The folder of a llama-server's states, if this machine can see it."""
    counts: Path | None = None
    """A file for the corrections of token estimates, by model."""


def open_server(address: Address, options: ServerOptions) -> LlamaServer | Ollama | OpenAi:
    """Detect the kind of a server, and return its engine. Raises ModelUnfit if it cannot be used."""
    client = Client(address, options.timeout)
    try:
        return _open(client, options)
    except ProtocolError as error:
        client.close()
        raise client.invalid_response(str(error)) from error
    except BaseException:
        client.close()
        raise


def _open(client: Client, options: ServerOptions) -> LlamaServer | Ollama | OpenAi:
    address = client.address
    if not address.kind and address.path.endswith("/v1"):
        return _open_openai(client, options)
    props = client.find("/props") if address.kind in ("", "llama-server") else None
    if props is not None and at(props, "default_generation_settings") is not None:
        client.address = replace(address, kind="llama-server")
        return LlamaServer(client, props, options.slots)
    if address.kind == "llama-server":
        raise client.refused(404, "it is not a llama-server, or has several models")
    if address.kind == "ollama" or (not address.kind and "version" in (client.find("/api/version") or {})):
        return _open_ollama(client, options)
    if address.kind == "lmstudio" or (not address.kind and _lmstudio_models(client)):
        return _open_lmstudio(client, options)
    return _open_openai(client, options)


def _open_ollama(client: Client, options: ServerOptions) -> Ollama:
    model = client.address.model
    if not model:
        model = _only([text_at(each, "name") for each in _rows(client.find("/api/tags"), "models")], client)
    client.address = replace(client.address, kind="ollama", model=model)
    shown = client.post("/api/show", {"model": model})
    info = shown.get("model_info")
    trained = number_at(info, f"{text_at(info, 'general.architecture')}.context_length")
    parameters = number_at(info, "general.parameter_count")
    context = min(options.context, trained or options.context)
    return Ollama(client, context=context, parameters=parameters, counts=options.counts)


def _open_lmstudio(client: Client, options: ServerOptions) -> OpenAi:
    rows = _lmstudio_models(client)
    loaded = [row for row in rows if at(row, "loaded_instances", 0) is not None]
    model = client.address.model
    if not model:
        model = _only([text_at(row, "key") for row in loaded or rows], client)
    client.address = replace(client.address, kind="lmstudio", model=model)
    row = next((each for each in rows if _is_named(each, model)), {})
    # The API for messages does not take the size of the context: a model has that with which it was loaded.
    most = number_at(row, "loaded_instances", 0, "config", "context_length")
    most = most or number_at(row, "max_context_length")
    return OpenAi(
        client,
        context=min(options.context, most or options.context),
        parameters=_read_count(text_at(row, "params_string")),
        counts=options.counts,
    )


def _is_named(row: dict[str, Any], model: str) -> bool:
    ids = [text_at(each, "id") for each in _rows(row, "loaded_instances")]
    return model in (text_at(row, "key"), *ids)


def _lmstudio_models(client: Client) -> list[dict[str, Any]]:
    return [row for row in _rows(client.find("/api/v1/models"), "models") if row.get("type") == "llm"]


def _open_openai(client: Client, options: ServerOptions) -> OpenAi:
    address, model = client.address, client.address.model
    if not model:
        path = "/models" if address.path.endswith("/v1") else "/v1/models"
        model = _only([text_at(each, "id") for each in _rows(client.find(path), "data")], client)
    client.address = replace(address, kind="openai", model=model)
    return OpenAi(client, context=options.context, parameters=0, counts=options.counts)


def _rows(value: object, name: str) -> list[dict[str, Any]]:
    rows = at(value, name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _only(names: list[str], client: Client) -> str:
    """Return the only model of a server. Raises ModelUnfit if it has none, or more than one."""
    names = [name for name in names if name and name.isprintable()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise client.refused(404, "it lists no model")
    shown, more = client.clean(", ".join(names[:_NAMED])), ", …" if len(names) > _NAMED else ""
    raise ModelUnfit(
        f"the server at {client.address.url} has {len(names)} models: {shown}{more}",
        f"name one: --model '{client.address}#{client.clean(names[0])}'",
    )


def _read_count(text: str) -> int:
    """Parse a number such as ``7B`` or ``1.5 B``; 0 for anything else."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*([KMBT])", text.strip().upper())
    return round(float(match[1]) * _UNITS[match[2]]) if match else 0
