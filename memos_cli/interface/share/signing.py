"""Who wrote a bundle, and who may read it: ed25519 signatures, and age files for recipients.

No cryptography of our own: `cryptography` signs and verifies, `pyrage` encrypts. A signature is over the
bytes of the manifest, which has the hash of everything else.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.errors import Damaged, MemosError, Refused, UsageError
from memos_cli.files import read_small, write_whole
from memos_cli.settings import config_file, expand_home

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "ed25519:"
_AGE = b"age-encryption.org/v1"
_INSTALL = "pip install 'memos-cli[share]'"


def key_file() -> Path:
    """Return the path of the user's own signing key. Raises UsageError without a home folder."""
    config = config_file()
    if config is None:
        raise UsageError(
            "there is no home folder for your signing key", "set HOME, or MEMOS_CONFIG to a file"
        )
    return config.parent / "signing.key"


def own_key(*, make: bool = False) -> Ed25519PrivateKey | None:
    """The user's signing key; None where there is none and none is to be made."""
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
    """What a signer is known by: its public key."""
    return PREFIX + base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")


def sign(manifest: bytes) -> dict[str, str]:
    """The user's signature of a manifest. Raises UsageError without a key."""
    if (key := own_key()) is None:
        raise UsageError("there is no key to sign with", "memos key new")
    return {"signer": name_of(key), "signature": base64.b64encode(key.sign(manifest)).decode()}


def verify(manifest: bytes, told: Mapping[str, Any]) -> str:
    """The signer of a manifest. Raises Damaged where the signature is not its own."""
    keys = _library()
    try:
        name, signature = str(told["signer"]), base64.b64decode(str(told["signature"]), validate=True)
        keys.Ed25519PublicKey.from_public_bytes(_public(name)).verify(signature, manifest)
    except Exception as error:
        raise Damaged(
            "the signature is not that of the bundle", "it was changed: ask its signer for the bundle"
        ) from error
    return name


def signer_named(name: str) -> str:
    """A signer as it is typed. Raises UsageError for what is none."""
    try:
        _library().Ed25519PublicKey.from_public_bytes(_public(name))
    except ValueError as error:
        raise UsageError(
            f"{name!r} is no public key", f"it begins with {PREFIX}; `memos key show`"
        ) from error
    return name


def seal(data: bytes, recipients: Sequence[str]) -> bytes:
    """An age file that each of ``recipients`` (``age1…``) can read."""
    pyrage = _age()
    try:
        keys = [pyrage.x25519.Recipient.from_str(each) for each in recipients]
        sealed: bytes = pyrage.encrypt(data, keys)
    except (ValueError, pyrage.RecipientError, pyrage.EncryptError) as error:
        raise UsageError(f"not an age recipient: {error}", "memos export --to age1…") from error
    return sealed


def is_sealed(head: bytes) -> bool:
    """Whether a file that begins so is an age file."""
    return head.startswith(_AGE)


def unseal(data: bytes, identity: str) -> bytes:
    """What is in an age file, by the identities in a file of ``age-keygen``. Raises Refused."""
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


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError as error:
        raise MemosError(
            "signatures need the package cryptography, which is not installed", _INSTALL
        ) from error
    return ed25519


def _age() -> Any:
    try:
        import pyrage
    except ModuleNotFoundError as error:
        raise MemosError("encryption needs the package pyrage, which is not installed", _INSTALL) from error
    return pyrage
