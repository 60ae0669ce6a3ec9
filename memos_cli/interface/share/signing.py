"""Sign and encrypt bundles: ed25519 signatures, and age files for recipients.

No cryptography of our own: `cryptography` signs and verifies, `pyrage` encrypts. A signature is over the
bytes of the manifest, which has the hash of everything else.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from memos_cli.errors import Damaged, MemosError, Refused, UsageError
from memos_cli.files import read_small, write_whole
from memos_cli.folders import config_file, expand_home
from memos_cli.validation import convert_record

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "ed25519:"
_AGE = b"age-encryption.org/v1"
INSTALL = "pip install 'memos-cli[share]'"


def key_file() -> Path:
    """Return the path of the user's own signing key. Raises UsageError without a home folder."""
    config = config_file()
    if config is None:
        raise UsageError(
            "there is no home folder for your signing key", "set HOME, or MEMOS_CONFIG to a file"
        )
    return config.parent / "signing.key"


def own_key(*, make: bool = False) -> Ed25519PrivateKey | None:
    """Return the user's signing key; None if there is none, unless ``make``."""
    keys = _library()
    path = key_file()
    if not path.exists():
        if not make:
            return None
        made = keys.Ed25519PrivateKey.generate()
        write_whole(path, base64.b64encode(made.private_bytes_raw()) + b"\n")
    try:
        found: Ed25519PrivateKey = keys.Ed25519PrivateKey.from_private_bytes(
            base64.b64decode(read_small(path), validate=False)
        )
    except (OSError, ValueError) as error:
        raise MemosError(
            f"{path} is not a signing key: {error}", "move it aside; `memos key new` creates one"
        ) from error
    return found


def name_of(key: Ed25519PrivateKey) -> str:
    """Return the name of a signer: its public key."""
    return PREFIX + base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")


def is_own(signer: str) -> bool:
    """Return whether a signer is the user."""
    key = own_key()
    return key is not None and name_of(key) == signer


def signing_key() -> Ed25519PrivateKey:
    """Return the user's key. Raises UsageError without one."""
    if (key := own_key()) is None:
        raise UsageError("there is no key to sign with", "memos key new")
    return key


def sign(manifest: bytes) -> dict[str, str]:
    """Return the user's signature of a manifest. Raises UsageError without a key."""
    key = signing_key()
    return {"signer": name_of(key), "signature": base64.b64encode(key.sign(manifest)).decode()}


class Signature(Struct):
    """The member ``signature.json`` of a bundle, and the second line of a feed index."""

    signer: str
    signature: str


def verify(manifest: bytes, record: Mapping[str, Any]) -> str:
    """Return the signer of a manifest. Raises Damaged if ``record`` is not a valid signature of it."""
    keys = _library()
    try:
        signed = convert_record(record, Signature)
        name, signature = signed.signer, base64.b64decode(signed.signature, validate=True)
        keys.Ed25519PublicKey.from_public_bytes(_public(name)).verify(signature, manifest)
    except Exception as error:
        raise Damaged(
            "the signature does not match the bundle", "it was changed: ask its signer for the bundle"
        ) from error
    return name


def signer_named(name: str) -> str:
    """Return a signer as typed. Raises UsageError for text that is not a signer."""
    try:
        _library().Ed25519PublicKey.from_public_bytes(_public(name))
    except ValueError as error:
        raise UsageError(
            f"{name!r} is not a public key", f"it begins with {PREFIX}; `memos key show`"
        ) from error
    return name


def seal(data: bytes, recipients: Sequence[str]) -> bytes:
    """Return an age file that each of ``recipients`` (``age1…``) can decrypt."""
    pyrage = _age()
    try:
        keys = [pyrage.x25519.Recipient.from_str(each) for each in recipients]
        sealed: bytes = pyrage.encrypt(data, keys)
    except (ValueError, pyrage.RecipientError, pyrage.EncryptError) as error:
        raise UsageError(f"not an age recipient: {error}", "memos export --to age1…") from error
    return sealed


def is_sealed(head: bytes) -> bool:
    """Return whether a file that begins so is an age file."""
    return head.startswith(_AGE)


def unseal(data: bytes, identity: str) -> bytes:
    """Decrypt an age file with the identities in a file of ``age-keygen``. Raises Refused."""
    if not identity:
        raise Refused("it is encrypted", "memos import FILE --identity KEYFILE")
    pyrage = _age()
    try:
        lines = read_small(expand_home(identity)).decode().splitlines()
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
        opened: bytes = pyrage.decrypt(data, keys)
    except (OSError, ValueError, pyrage.IdentityError, pyrage.DecryptError) as error:
        raise Refused(f"{identity} does not open it: {error}", "name the file of the right key") from error
    return opened


def _public(name: str) -> bytes:
    if not name.startswith(PREFIX):
        raise ValueError("no public key")
    return base64.urlsafe_b64decode(name[len(PREFIX) :] + "==")


def require_module(name: str, users: str) -> Any:
    """Import a module of the extra ``share``. ``users`` begins the message of the MemosError without it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        raise MemosError(f"{users} the package {package}, which is not installed", INSTALL) from error


def _library() -> Any:
    return require_module("cryptography.hazmat.primitives.asymmetric.ed25519", "signatures need")


def _age() -> Any:
    return require_module("pyrage", "encryption needs")
