"""Addresses of model servers: their notation, and a check whether they are on this machine.

http://127.0.0.1:8080                 any server; it is asked what it is
http://127.0.0.1:1234#qwen2.5-7b      … and which of its models
ollama:qwen2.5:7b                     Ollama on its usual port
lmstudio:qwen2.5-7b                   LM Studio on its usual port
ollama+http://gpu-box:11434#NAME      the kind, the place and the model
openai+https://api.example.com/v1#NAME
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from typing import Literal, get_args
from urllib.parse import urlsplit

from memos_cli.errors import Refused, UsageError

Kind = Literal["", "llama-server", "ollama", "lmstudio", "openai"]
"""The protocol of a server; "" while it is not known."""
KINDS: tuple[str, ...] = get_args(Kind)[1:]
_USUAL = {"ollama": "http://127.0.0.1:11434", "lmstudio": "http://127.0.0.1:1234"}
"""The default addresses of these servers."""
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\]")
_PATH = re.compile(r"[A-Za-z0-9/._~-]*")
_EXAMPLE = "write it like http://127.0.0.1:8080 or ollama:qwen2.5:7b; see `memos help engines`"
_LOOPBACK = IPv4Network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server, and its model that answers."""

    kind: Kind
    scheme: str
    host: str
    """A name in lower case, or an IP address; of version 6, in brackets."""
    port: int
    path: str
    """The prefix of the paths of its protocol, without a slash at its end."""
    model: str

    @property
    def url(self) -> str:
        """Its URL, without the model."""
        return f"{self.scheme}://{self.place}{self.path}"

    @property
    def place(self) -> str:
        """Its host and port; the port is left out if the scheme implies it."""
        usual = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == usual else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        kind = f"{self.kind}+" if self.kind else ""
        return f"{kind}{self.url}{f'#{self.model}' if self.model else ''}"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: a loopback address, or ``localhost`` where that is one.

        Any other name is another machine, whatever it resolves to now: its owner can change that at any time.
        """
        if self.host == "localhost":
            try:
                found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            except OSError:
                return False
            return bool(found) and all(_is_loopback(str(each[4][0])) for each in found)
        return _is_loopback(self.host.strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address in _LOOPBACK if address.version == 4 else str(address) == "::1"


def is_address(name: str) -> bool:
    """Return whether ``name`` names a server, not a model file."""
    scheme = name.partition(":")[0].casefold() if ":" in name else ""
    return scheme in ("http", "https", *_USUAL) or (scheme.partition("+")[0] in KINDS and "://" in name)


def parse_address(name: str) -> Address:
    """Parse ``name`` as an address. Raises UsageError, which never repeats a password in it."""
    scheme, _, rest = name.strip().partition(":")
    scheme = scheme.casefold()
    if not name.isprintable():  # urlsplit would silently remove line ends
        raise UsageError("the address of the model server has invisible characters", _EXAMPLE)
    if scheme in _USUAL and not rest.startswith("//"):
        if not rest:
            raise UsageError(f"{scheme}: names no model", f"write it like {scheme}:qwen2.5:7b")
        return parse_address(f"{scheme}+{_USUAL[scheme]}#{rest}")
    kind, _, transport = scheme.rpartition("+")
    if transport not in ("http", "https") or (kind and kind not in KINDS):
        raise UsageError(f"{scheme}: is not a kind of model server", _EXAMPLE)
    try:
        parts = urlsplit(f"{transport}:{rest}")
        port = parts.port
    except ValueError:
        raise UsageError("the address of the model server is not a valid URL", _EXAMPLE) from None
    if "@" in parts.netloc:
        hint = "remove it; a key goes into the environment: see `memos help engines`"
        raise UsageError("the address of the model server contains a user or password", hint)
    host = parts.netloc[: parts.netloc.rindex(":")] if port is not None else parts.netloc.rstrip(":")
    host = host.casefold()
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(parts.path) or parts.query or ".." in parts.path:
        raise UsageError("the address of the model server is not a plain http or https URL", _EXAMPLE)
    port = port if port is not None else {"http": 80, "https": 443}[transport]
    return Address(kind, transport, host, port, parts.path.rstrip("/"), parts.fragment)  # type: ignore[arg-type]


def require_allowed(address: Address, allowed: Collection[str]) -> None:
    """Raise Refused unless ``address`` is on this machine, or its host is one of those ``allowed``."""
    if address.is_local:
        return
    hosts = {each.casefold() for each in allowed}
    if not hosts & {address.host, address.host.strip("[]"), address.place, f"{address.host}:{address.port}"}:
        raise Refused(
            f"{address.place} is another machine, and memories may not be sent to it",
            f'to allow it, set in config.toml: network.allow = ["{address.host}"]',
        )
