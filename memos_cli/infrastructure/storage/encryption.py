"""An encrypted vault: its key, and the encryption of its files.

No cryptography of our own. The key is an age identity (https://age-encryption.org/v1), as ``age-keygen``
makes one; blobs and snapshots are age files for its recipient (pyrage); the database is SQLCipher's, under a
raw key that is a sha256 over the identity. Both libraries load only for a vault that is encrypted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from memos_cli.errors import Damaged, Refused, UsageError

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

Keeper = Literal["file", "keyring", "passphrase"]
"""The place of a key: in a file of the user, in the system's keyring, or in the vault, under a passphrase."""
PENDING = "tmp/recipient"
"""File in a vault during ``init``: the recipient of the key in the keyring, if ``init`` is interrupted."""
INSTALL = "pip install 'memos-cli[encrypt]'"
_PREFIX = "AGE-SECRET-KEY-1"


@dataclass(frozen=True, slots=True)
class Encryption:
    """The entry of an encrypted vault in VAULT.toml: its recipient, and the place of its key."""

    recipient: str
    """The public half of the key, ``age1…``."""
    keeper: Keeper
    file: str = ""
    """Path of the key file at ``memos init``; for the keeper ``file``."""


class Cipher:
    """Encryption and decryption with the key of one vault."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._recipient = identity.to_public()

    @property
    def recipient(self) -> str:
        """The public half of the key."""
        return str(self._recipient)

    @property
    def secret(self) -> str:
        """The key itself, as an age identity."""
        return str(self._identity)

    @property
    def database_key(self) -> bytes:
        """The raw key for SQLCipher, 32 bytes."""
        return hashlib.sha256(b"memos.db " + self.secret.encode()).digest()

    def seal(self, data: bytes | memoryview) -> bytes:
        """Encrypt ``data`` as an age file. It differs each time."""
        import pyrage

        return bytes(pyrage.encrypt(bytes(data), [self._recipient]))

    def unseal(self, data: bytes | memoryview) -> bytes:
        """Decrypt an age file. Raises Damaged if it was encrypted with another key, or altered."""
        import pyrage

        try:
            return bytes(pyrage.decrypt(bytes(data), [self._identity]))
        except pyrage.DecryptError as error:
            raise Damaged(f"an encrypted file is damaged: {error}", "`memos check` shows which") from error


def new_cipher() -> Cipher:
    """Create a cipher with a new key. Raises UsageError if the libraries are missing."""
    return Cipher(_library().x25519.Identity.generate())


def cipher_of(text: str, where: str) -> Cipher:
    """Return the cipher of a key in the format of ``age-keygen``: one line, and comments.

    Raises Refused for any other text.
    """
    pyrage = _library()
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith(_PREFIX)]
    try:
        if len(lines) == 1:
            return Cipher(pyrage.x25519.Identity.from_str(lines[0]))
    except pyrage.IdentityError:
        pass
    raise Refused(
        f"there is no key in {where}", f"it is a file with one line {_PREFIX}…, as `age-keygen` writes it"
    )


def wrap(cipher: Cipher, passphrase: str) -> bytes:
    """Encrypt the key with a passphrase: an age file, which ``age --decrypt`` opens too."""
    return bytes(_library().passphrase.encrypt(cipher.secret.encode(), passphrase))


def unwrap(data: bytes, passphrase: str) -> Cipher:
    """Decrypt a key that ``wrap`` encrypted. Raises Refused for a wrong passphrase, Damaged for another
    file.
    """
    pyrage = _library()
    try:
        return cipher_of(bytes(pyrage.passphrase.decrypt(data, passphrase)).decode(), "key.age")
    except pyrage.DecryptError as error:
        if not data.startswith(b"age-encryption.org/v1\n-> scrypt "):
            raise Damaged("key.age is damaged", "restore it from a backup") from error
        raise Refused("this is not the passphrase of the vault", "try again; nothing was changed") from error


def not_installed() -> UsageError:
    """Return the error for a missing library of the extra."""
    return UsageError("an encrypted vault needs the libraries of an extra", INSTALL)


def _library() -> Any:
    try:
        import pyrage
    except ImportError as error:
        raise not_installed() from error
    return pyrage
