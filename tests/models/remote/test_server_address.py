"""Addresses of model servers: how they are read, and which count as this machine."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from memos_cli.errors import MemosError, Refused, UsageError
from memos_cli.models.remote.address import is_address, parse_address, require_allowed
from memos_cli.models.remote.api_keys import find_key

ADDRESSES = {
    "http://127.0.0.1:8080": ("", "http://127.0.0.1:8080", ""),
    "http://127.0.0.1:8080/": ("", "http://127.0.0.1:8080", ""),
    "HTTP://LocalHost:8080/v1/#a/b:7b": ("", "http://localhost:8080/v1", "a/b:7b"),
    "ollama:qwen2.5:7b": ("ollama", "http://127.0.0.1:11434", "qwen2.5:7b"),
    "ollama:hf.co/bartowski/x-GGUF:Q4": ("ollama", "http://127.0.0.1:11434", "hf.co/bartowski/x-GGUF:Q4"),
    "lmstudio:qwen2.5-7b": ("lmstudio", "http://127.0.0.1:1234", "qwen2.5-7b"),
    "ollama+http://gpu-box:11434#qwen2.5:7b": ("ollama", "http://gpu-box:11434", "qwen2.5:7b"),
    "llama-server+http://[::1]:8080": ("llama-server", "http://[::1]:8080", ""),
    "openai+https://api.example.com/v1#gpt": ("openai", "https://api.example.com/v1", "gpt"),
    "https://api.example.com:443/v1": ("", "https://api.example.com/v1", ""),
}
REFUSED = (
    "http://ann:secret@127.0.0.1:8080", "http://127.0.0.1:8080@evil.com", "http://ann@127.0.0.1",
    "http://127.0.0.1:8080?x=1", "http://", "http://:8080", "http://127.0.0.1:99999", "http://a b/",
    "http://127.0.0.1\\@evil.com", "http://127.0.0.1:8080/../x", "http://127.0.0.1:80a", "http://[::1",
    "https://exämple.com", "http://127.0.0.1%2eevil.com", "ftp+http://x#y", "openai+ftp://x", "ollama:",
    "http://127.0.0.1#a\nb", "http://127.0.0.1/a\r\nHost: evil.com", "https://x/;rm",
)  # fmt: skip


@pytest.mark.parametrize(("name", "parts"), ADDRESSES.items())
def test_an_address_is_read(name: str, parts: tuple[str, str, str]) -> None:
    address = parse_address(name)
    assert is_address(name)
    assert (address.kind, address.url, address.model) == parts
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_address_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_address(name)
    assert "secret" not in f"{error.value}{error.value.hint}"


@pytest.mark.parametrize(
    "name", ["", "embedded", "qwen2.5:7b", "/models/a.gguf", "C:\\a.gguf", "openai", "hf.co/a:b", "./http:x"]
)
def test_names_of_files_are_no_addresses(name: str) -> None:
    assert not is_address(name)


LOCAL = ("127.0.0.1", "127.8.9.10", "[::1]", "localhost", "LOCALHOST")
REMOTE = (
    "localhost.evil.com", "127.0.0.1.nip.io", "evil.com", "0.0.0.0", "[::]", "10.0.0.5", "2130706433",
    "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "128.0.0.1", "localhost.", "local-host", "[fe80::1]",
)  # fmt: skip


@pytest.mark.parametrize(("host", "is_local"), [*((h, True) for h in LOCAL), *((h, False) for h in REMOTE)])
def test_only_loopback_is_this_machine(host: str, is_local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever a name resolves to today: only "localhost" is believed.
    found: Any = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    address = parse_address(f"http://{host}:8080")
    assert address.is_local is is_local
    if is_local:
        require_allowed(address, ())
    else:
        with pytest.raises(Refused, match="another machine") as error:
            require_allowed(address, ("other.com", f"x{address.host}"))
        assert address.host in error.value.hint
        require_allowed(address, (address.host.upper(),))
        require_allowed(address, (f"{address.host}:8080",))


@pytest.mark.parametrize("addresses", [["10.0.0.5"], ["127.0.0.1", "93.184.216.34"], []])
def test_localhost_elsewhere_is_another_machine(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    assert not parse_address("http://localhost:8080").is_local


def test_a_port_may_be_allowed_alone() -> None:
    require_allowed(parse_address("http://box:8080"), ("box:8080",))
    with pytest.raises(Refused):
        require_allowed(parse_address("http://box:8081"), ("box:8080",))
    require_allowed(parse_address("https://box"), ("box:443",))


KEYS = {
    "https://api.example.com/v1": ("MEMOS_API_KEY_API_EXAMPLE_COM", "k1"),
    "https://api.openai.com/v1": ("OPENAI_API_KEY", "k2"),
    "http://127.0.0.1:8080": ("MEMOS_API_KEY_127_0_0_1", "k3"),
}


@pytest.mark.parametrize(("url", "variable"), KEYS.items())
def test_a_key_comes_from_the_variable_of_its_host(
    url: str, variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memos_cli.models.remote.api_keys._from_keyring", lambda host: "")
    for name, key in KEYS.values():
        monkeypatch.setenv(name, key)
    assert find_key(parse_address(url)) == variable[1]
    assert find_key(parse_address("https://api.openai.com.evil.com/v1")) == ""
    assert find_key(parse_address("https://other.example.com")) == ""


@pytest.mark.parametrize(
    ("url", "key"), [("http://box:8080", "k"), ("https://box", "a b"), ("https://box", "a\nX: y")]
)
def test_a_key_that_cannot_be_sent_safely_is_refused(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMOS_API_KEY_BOX", key)
    with pytest.raises(MemosError) as error:
        find_key(parse_address(url))
    assert repr(key)[1:-1] not in f"{error.value}".replace(error.value.hint, "") or len(key) == 1
