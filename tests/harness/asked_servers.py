"""Vaults that ask models in servers, on this machine and on another one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_servers import ModelServer, serve

from memos_cli.cube import Filter
from memos_cli.infrastructure.vault import check
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import IngestOptions, ReadOptions
from memos_cli.settings import Settings

ALL = Filter()
OPEN = "The staging database listens on port 5433."
PERSONAL = "Anna's private staging database listens on port 7777."
QUESTION = "Which port does the staging database use?"
BOX = "models.example"
"""A name that is another machine for memos, and resolves to the server of the test."""


@pytest.fixture(params=("ollama", "openai"))
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    resolve = socket.getaddrinfo

    def find(host: Any, *rest: Any, **options: Any) -> Any:
        assert host in (BOX, "127.0.0.1"), f"nothing but the server is asked, not {host}"
        return resolve("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    monkeypatch.setattr("memos_cli.models.remote.api_keys._from_keyring", lambda host: "")
    with serve(request.param) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with enter(tmp_path / "vault") as memos:
        memos.create_vault()
        for text, level in ((OPEN, "open"), (PERSONAL, "personal")):
            made = memos.ingest(
                options=IngestOptions(hints=ReadOptions(lines=True)), text=text.encode(), embed=False
            )
            memos.mark(made.ids, level)
    yield tmp_path / "vault"
    assert check.examine(tmp_path / "vault", timeout=5.0) == []


def enter(folder: Path, warn: Any = print, **settings: Any) -> Memos:
    fixed = {"embedder": str(folder / "none"), "query_relevance": 0.0, "principal": "user:ann"}
    return Memos(Settings(vault=str(folder), **fixed, **settings), warn=warn)  # type: ignore[arg-type]
