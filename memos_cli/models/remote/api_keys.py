"""Keys of model servers: from the environment or the system's keyring, never from a settings file."""

from __future__ import annotations

import os
import re

from memos_cli.errors import Refused
from memos_cli.models.remote.address import Address

SERVICE = "memos"
"""The service name of keys in the system's keyring; the user name is the host."""
_OWN_VARIABLE = {"api.openai.com": "OPENAI_API_KEY"}
"""Variables of well-known hosts. A key is sent only to its own host."""


def variable_of(address: Address) -> str:
    """Return the environment variable that has the key of a server: MEMOS_API_KEY_API_EXAMPLE_COM."""
    return "MEMOS_API_KEY_" + re.sub(r"[^A-Z0-9]+", "_", address.host.upper()).strip("_")


def find_key(address: Address) -> str:
    """Return the key for a server; "" if there is none.

    Raises Refused for an invalid key, and for one that would be sent unencrypted.
    """
    names = [name for name in (variable_of(address), _OWN_VARIABLE.get(address.host, "")) if name]
    key = next((os.environ[name].strip() for name in names if os.environ.get(name, "").strip()), "")
    if not key and not address.is_local:
        key = _from_keyring(address.host)
    if key and not re.fullmatch(r"[\x21-\x7e]+", key):
        raise Refused(f"the key for {address.host} has spaces or letters that are not ASCII", "set it again")
    if key and address.scheme == "http" and not address.is_local:
        raise Refused(f"the key for {address.host} would be sent unencrypted", "use https:// in the address")
    return key


def _from_keyring(host: str) -> str:
    try:
        import keyring

        return (keyring.get_password(SERVICE, host) or "").strip()
    except Exception:  # noqa: BLE001 (no keyring here, or a locked one: the backends raise anything)
        return ""
