"""Create, store and find the key of an encrypted vault.

It is in a file of the user's, in the system's keyring, or in the vault under a passphrase; never on the
command line, where every process sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from memos_cli.errors import MemosError, Refused, UsageError
from memos_cli.files import forbid_vault, hold_folder, make_folder, read_small, write_whole
from memos_cli.folders import expand_home
from memos_cli.infrastructure.storage.encryption import (
    INSTALL,
    PENDING,
    Cipher,
    Encryption,
    Keeper,
    cipher_of,
    new_cipher,
    unwrap,
    wrap,
)
from memos_cli.infrastructure.vault.vault_file import Identity, open_lock

SERVICE = "memos"
"""Under which the system's keyring has keys; the user name there is the vault's recipient."""
WRAPPED = "key.age"
_NAME_IT = "set MEMOS_KEY_FILE (or the setting key.file) to the file of its key"
_COMMENT = "# The key of a memos vault. Anyone who has it can read the vault; without it, nobody can."


@dataclass(slots=True)
class KeyKeeper:
    """The places of keys, for ``Vault.open`` and ``Vault.create``."""

    file: Path | None
    """The key file that the user names, over the one that the vault remembers."""
    ask: Callable[[str, bool], str]
    """Asks a person for the passphrase of a vault, twice if set. Raises Refused without a terminal."""
    keeper: Keeper = "passphrase"
    """Where to store a new key."""
    _found: dict[str, Cipher] = field(default_factory=dict)
    """Keys by recipient, so that a passphrase is asked for once."""

    def find(self, folder: Path, encryption: Encryption) -> Cipher:
        """Return the key of the vault at ``folder``. Raises Refused if it is not available."""
        if encryption.recipient not in self._found:
            self._found[encryption.recipient] = self._find(folder, encryption)
        return self._found[encryption.recipient]

    def _find(self, folder: Path, encryption: Encryption) -> Cipher:
        if self.file or encryption.keeper == "file":
            return _read(self.file or Path(encryption.file))
        if encryption.keeper == "keyring":
            cipher = _from_keyring(encryption.recipient)
            if cipher is None:
                raise Refused(f"the keyring has no key of {folder}", _NAME_IT)
            return cipher
        try:
            wrapped = read_small(folder / WRAPPED)
        except OSError as error:
            raise Refused(f"{folder / WRAPPED}: {error.strerror}", "restore it from a backup") from error
        return unwrap(wrapped, self.ask(str(folder), False))

    def make(self, folder: Path) -> tuple[Encryption, Cipher]:
        """Store a new key where ``keeper`` says, and return it.

        An existing key is used: that of a vault whose ``init`` was interrupted, or a file of the user's.
        """
        encryption, cipher = self._make(folder)
        self._found[encryption.recipient] = cipher
        return encryption, cipher

    @property
    def is_named(self) -> bool:
        return self.file is not None

    def _make(self, folder: Path) -> tuple[Encryption, Cipher]:
        if self.keeper == "file":
            if self.file is None:
                raise UsageError("no key file is given", "--key-file ~/memos.key")
            path = expand_home(self.file).absolute()
            forbid_vault(path)
            if path.is_relative_to(folder.absolute()):
                raise UsageError(f"{path} is inside the vault", "keep the key elsewhere: --key-file FILE")
            _write(path, new_cipher())
            cipher = _read(path)
            return Encryption(cipher.recipient, "file", str(path)), cipher
        if self.keeper == "keyring":
            cipher = self._pending(folder) or new_cipher()
            _to_keyring(cipher)
            write_whole(folder / PENDING, cipher.recipient.encode())
            return Encryption(cipher.recipient, "keyring"), cipher
        path = folder / WRAPPED
        if path.exists():
            cipher = unwrap(read_small(path), self.ask(str(folder), False))
        else:
            cipher = new_cipher()
            write_whole(path, wrap(cipher, self.ask(str(folder), True)), scratch=folder / "tmp")
        return Encryption(cipher.recipient, "passphrase"), cipher

    def _pending(self, folder: Path) -> Cipher | None:
        """Return the key of a vault whose ``init`` was interrupted."""
        try:
            recipient = read_small(folder / PENDING).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        return _from_keyring(recipient)


def _read(path: Path) -> Cipher:
    path = expand_home(path)
    try:
        mode, text = path.stat().st_mode, read_small(path).decode("utf-8")
    except OSError as error:
        raise Refused(f"the key {path}: {error.strerror}", _NAME_IT) from error
    except UnicodeDecodeError as error:
        raise Refused(f"there is no key in {path}", _NAME_IT) from error
    if mode & 0o077:
        raise Refused(f"others may read the key {path}", f'chmod 600 "{path}"')
    return cipher_of(text, str(path))


def _write(path: Path, cipher: Cipher) -> None:
    """Write a new key to ``path`` durably, unless the file exists: then it is the user's key.

    An empty file counts as missing: a killed process left it.
    """
    try:
        make_folder(path.parent)
        with hold_folder(path.parent):
            with suppress(FileNotFoundError):
                if path.stat().st_size or not path.is_file():
                    return
            write_whole(path, f"{_COMMENT}\n{cipher.secret}\n".encode())
    except OSError as error:
        raise MemosError(f"{path}: {error.strerror}", "choose another place with --key-file") from error


def _from_keyring(recipient: str) -> Cipher | None:
    text = _call_keyring("get_password", recipient, hint=_NAME_IT)
    return None if text is None else cipher_of(text, "the keyring")


def _to_keyring(cipher: Cipher) -> None:
    _call_keyring("set_password", cipher.recipient, cipher.secret, hint="keep the key in a file: --key-file")


def _call_keyring(act: str, *arguments: str, hint: str) -> str | None:
    """Call the system's keyring. Raises Refused if it fails, and UsageError without the library."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise UsageError("the system's keyring needs one more library", INSTALL) from error
    try:
        found: str | None = getattr(keyring, act)(SERVICE, *arguments)
    except KeyringError as error:
        raise Refused(f"the keyring: {error}", hint) from error
    return found


def cipher_without_asking(folder: Path, identity: Identity, key_file: str) -> Cipher | None:
    """Return the cipher of a vault whose key is in a file; None if the vault is not encrypted.

    ``key_file`` is the setting. Raises Refused if the key is elsewhere: no person and no keyring is asked.
    """
    if identity.encryption and identity.encryption.keeper != "file" and not key_file:
        raise Refused(f"the key of {folder} is not in a file", _NAME_IT)
    named = expand_home(key_file) if key_file else None
    return open_lock(folder, identity, KeyKeeper(named, lambda vault, twice: ""))
