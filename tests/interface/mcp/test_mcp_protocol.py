"""The protocol on the wire, in both of its eras, without an SDK on this side."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from cli_harness import REPOSITORY, Shell
from mcp_harness import HANDSHAKE, MODERN, Peer, server

ERAS = pytest.mark.parametrize("version", [HANDSHAKE, MODERN])
TOOLS = [f"memory_{name}" for name in ("search", "context", "get", "save", "edit", "recent", "status")]


def line(method: str, id: object = 9, **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode()


def test_the_handshake_needs_no_vault(shell: Shell) -> None:
    """It is answered before anything is opened: there is nothing to open."""
    with shell.start("mcp") as process:
        peer = Peer(process, HANDSHAKE, "probe")
        result = peer.open()["result"]
        assert result["protocolVersion"] == HANDSHAKE
        assert result["serverInfo"]["name"] == "memos"
        assert set(result["capabilities"]) == {"tools", "resources", "prompts"}
        assert len(result["instructions"].encode()) <= 2048
        assert "memos init" in peer.refusal("memory_status")
        assert "no vault" in peer.refusal("memory_save", text="x")
        assert peer.close() == ""
    assert not shell.vault.exists()


def test_discovery_needs_no_vault(shell: Shell) -> None:
    with shell.start("mcp") as process:
        peer = Peer(process, MODERN, "probe")
        result = peer.open()["result"]
        assert MODERN in result["supportedVersions"]
        assert result["resultType"] == "complete"
        assert result["instructions"].startswith("memos")
        assert peer.close() == ""


@ERAS
def test_a_conversation(agents: Shell, version: str) -> None:
    """A golden transcript: what is stored comes back, and each list is what clients expect."""
    with server(agents, version=version, name="Some Agent") as peer:
        listed = peer.request("tools/list")["result"]["tools"]
        assert [tool["name"] for tool in listed] == TOOLS
        saved = peer.call("memory_save", text="The staging database listens on port 5435.", tags=["work"])
        id = saved["id"]
        notes = saved.pop("notes")
        assert saved == {"id": id, "saved": True, "waits_for_review": False, "source": "mcp:Some-Agent"}
        assert len(notes) == 1 and notes[0].startswith("no vectors: ")
        found = peer.request("tools/call", {"name": "memory_search", "arguments": {"q": "staging port"}})[
            "result"
        ]
        row = found["structuredContent"]["memories"][0]
        date = row["date"]
        assert found["content"] == [
            {"type": "text", "text": f"{id} {date} fact: The staging database listens on port 5435."}
        ]
        assert (row["id"], row["text"], row["cut"]) == (
            id,
            "The staging database listens on port 5435.",
            False,
        )
        assert row["tags"] == ["work"] and row["source"] == "mcp:Some-Agent"
        assert peer.call("memory_edit", id=id, text="It is port 5436.", if_version=1) == {
            "id": id, "version": 2, "state": "generated", "changed": True, "notes": [],
        }  # fmt: skip
        got = peer.call("memory_get", ids=[id], versions=True)
        assert got["memories"][0]["text"] == "It is port 5436."
        assert [each["version"] for each in got["memories"][0]["versions"]] == [2, 1]
        resources = peer.request("resources/list")["result"]["resources"]
        assert [each["uri"] for each in resources] == ["memos://recent"]
        templates = peer.request("resources/templates/list")["result"]["resourceTemplates"]
        assert [each["uriTemplate"] for each in templates] == ["memos://memory/{id}", "memos://view/{name}"]
        (content,) = peer.request("resources/read", {"uri": f"memos://memory/{id}"})["result"]["contents"]
        assert content["text"].endswith("It is port 5436.")
        prompts = peer.request("prompts/list")["result"]["prompts"]
        assert [each["name"] for each in prompts] == ["recall", "remember", "review"]
        asked = peer.request("prompts/get", {"name": "recall", "arguments": {"topic": "port"}})["result"]
        assert "> It is port 5436." in asked["messages"][0]["content"]["text"]


@ERAS
def test_schemas_are_objects_that_every_client_reads(agents: Shell, version: str) -> None:
    with server(agents, version=version) as peer:
        tools = peer.request("tools/list")["result"]["tools"]
    for tool in tools:
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            assert schema["type"] == "object"
            assert not {"$ref", "$defs", "anyOf"} & set(json.dumps(schema).split('"'))
        reads = tool["name"] not in ("memory_save", "memory_edit")
        assert tool["annotations"]["readOnlyHint"] is reads
        assert tool["annotations"]["openWorldHint"] is False
        assert len(tool["description"].encode()) <= 2048


def test_an_answer_fits_its_schema(agents: Shell) -> None:
    """Of every tool, by the schema that it lists."""
    jsonschema = pytest.importorskip("jsonschema")
    (id,) = agents.keep("The cat is called Miso.")
    calls: dict[str, dict[str, Any]] = {
        "memory_search": {"query": "cat"}, "memory_context": {"question": "What is the cat called?"},
        "memory_get": {"ids": [id, "01NOSUCHID"]}, "memory_save": {"text": "The dog is called Rex."},
        "memory_edit": {"id": id, "archive": True}, "memory_recent": {}, "memory_status": {},
    }  # fmt: skip
    with server(agents) as peer:
        tools = peer.request("tools/list")["result"]["tools"]
        for tool in tools:
            jsonschema.validate(peer.call(tool["name"], **calls[tool["name"]]), tool["outputSchema"])


BAD: list[tuple[bytes, object, int]] = [
    (b"garbage", None, -32700),
    (b"[1, 2]", None, -32600),
    (b"[" * 100_000, None, -32700),
    (b"\xff\xfe", None, -32700),
    (b'{"jsonrpc": "2.0", "id": 7, "method": 5}', 7, -32600),
    (line("tools/call", "x", name="\ud800"), "x", -32600),
    (line("nonsense"), 9, -32601),
    (line("tools/call", name="forget"), 9, -32602),
    (line("tools/call", arguments=3), 9, -32602),
    (line("resources/read", uri="file:///etc/passwd"), 9, -32602),
    (line("resources/read", uri="memos://memory/01X"), 9, -32602),
    (line("resources/read", uri="memos://view/none"), 9, -32602),
    (line("prompts/get", name="recall"), 9, -32602),
    (line("prompts/get", name="other"), 9, -32602),
]


def test_a_bad_line_gets_an_error_and_ends_nothing(agents: Shell) -> None:
    with server(agents) as peer:
        for bad, id, code in BAD:
            peer.send(bad)
            answer = peer.receive()
            assert (answer["id"], answer["error"]["code"]) == (id, code), bad[:200]
            assert "Traceback" not in answer["error"]["message"]
        assert peer.call("memory_status")["memories"] == 0


@ERAS
def test_what_was_asked_before_the_end_is_answered(agents: Shell, version: str) -> None:
    """As in ``memos mcp < requests``: the client closes standard input at once."""
    agents.keep("The cat is called Miso.")
    with agents.start("mcp") as process:
        peer = Peer(process, version, "probe")
        peer.open()
        params: dict[str, Any] = {"name": "memory_search", "arguments": {"query": "cat"}}
        if version == MODERN:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": {"name": "probe", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        lines = [{"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params} for n in (7, 8, 9)]
        out, err = process.communicate("\n".join(map(json.dumps, lines)).encode() + b"\n", timeout=60)
    assert err == b"" and process.returncode == 0
    answers = [json.loads(line) for line in out.splitlines()]
    assert {each["id"] for each in answers} == {7, 8, 9}
    assert all(each["result"]["structuredContent"]["ids"] for each in answers)


def test_a_signal_ends_it_while_the_client_waits(agents: Shell) -> None:
    with agents.start("mcp") as process:
        peer = Peer(process, HANDSHAKE, "probe")
        peer.open()
        peer.call("memory_save", text="The cat is called Miso.")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
    assert len(agents.ids()) == 1


def test_other_commands_load_neither_the_sdk_nor_its_libraries() -> None:
    code = """if True:
        import sys
        from memos_cli.cli.app import build
        build(["search"]), build(["mcp"])
        import memos_cli.interface.memory
        print(sorted({"mcp", "mcp_types", "pydantic", "tomlkit", "anyio"} & {*sys.modules}))
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=REPOSITORY, check=True)
    assert ran.stdout.strip() == b"[]"


def test_the_server_loads_no_vault_and_no_model_to_start() -> None:
    code = """if True:
        import sys
        import memos_cli.interface.mcp.server
        print([name for name in sys.modules if name.startswith(("numpy", "llama_cpp", "sqlite3",
               "memos_cli.infrastructure", "memos_cli.models", "memos_cli.operation"))])
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=REPOSITORY, check=True)
    assert ran.stdout.strip() == b"[]"


def test_without_the_sdk_it_says_what_to_install(agents: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import memos_cli.cli.agents.mcp as command

    monkeypatch.setattr(command, "find_spec", lambda name: None)
    result = agents("mcp", code=1)
    assert "pip install 'memos-cli[mcp]'" in result.err


def test_several_servers_lose_and_double_nothing(agents: Shell) -> None:
    """Three clients write at the same time, each through a server of its own."""
    with ExitStack() as stack:
        peers = [stack.enter_context(server(agents, name=f"agent-{n}")) for n in range(3)]
        for round in range(8):
            params = [{"name": "memory_save", "arguments": {"text": f"{n} says {round}."}} for n in range(3)]
            for each, asked in zip(peers, params, strict=True):
                each.send(line("tools/call", 100 + round, **asked))
            for each in peers:
                answer = each.receive()
                assert answer["id"] == 100 + round and answer["result"]["structuredContent"]["saved"]
        assert {peer.call("memory_status")["memories"] for peer in peers} == {24}
    assert sorted(row["text"] for row in agents("list", "--json").records) == sorted(
        f"{n} says {round}." for n in range(3) for round in range(8)
    )
