"""VAULT.toml: read and write it, check whether the vault may be opened, and find its key."""

from __future__ import annotations

import json
import stat
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from memos_cli.errors import Damaged, MemosError, NoVault, Refused, TooNew
from memos_cli.files import read_small
from memos_cli.infrastructure.storage.encryption import Cipher, Encryption
from memos_cli.infrastructure.storage.schema import FORMAT

OWN_NAMES = frozenset(
    "VAULT.toml key.age memos.db memos.db-journal memos.db-wal memos.db-shm"
    " blobs index tmp lock maintain.lock watch.lock asking".split()
)


@dataclass(frozen=True, slots=True)
class Identity:
    """The content of VAULT.toml: format, vault id, models and encryption."""

    format: int
    id: str
    created: str
    reader: str = ""
    embedder: str = ""
    encryption: Encryption | None = None

    def toml(self) -> bytes:
        lines = [
            "# A vault of memos, the command of memos-cli. Its store_format.md describes every file.",
            f"format = {self.format}",
            f'id = "{self.id}"',
            f'created = "{self.created}"',
            "",
            "[models]",
            f"reader = {_toml_text(self.reader)}",
            f"embedder = {_toml_text(self.embedder)}",
        ]
        if self.encryption:
            lines += ["", "[encryption]"]
            lines += [f"{name} = {_toml_text(value)}" for name, value in asdict(self.encryption).items()]
        return "\n".join([*lines, ""]).encode()


@dataclass(frozen=True, slots=True)
class _Models:
    reader: str = ""
    embedder: str = ""


@dataclass(frozen=True, slots=True)
class _VaultFile:
    """The tables and keys of VAULT.toml."""

    format: int
    id: str
    created: str = ""
    models: _Models = field(default_factory=_Models)
    encryption: Encryption | None = None


def _toml_text(text: str) -> str:
    """Return ``text`` as a TOML basic string: a JSON string, with DEL escaped, too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_identity(folder: Path) -> Identity:
    """Read VAULT.toml of the vault at ``folder``. Raises NoVault, Damaged or TooNew."""
    import tomli

    from memos_cli.validation import convert

    path = folder / "VAULT.toml"
    try:
        file = convert(tomli.loads(read_small(path).decode("utf-8")), _VaultFile)
    except (FileNotFoundError, NotADirectoryError):
        if (folder / "memos.db").exists():
            raise NoVault(
                f"{folder} has memories but no VAULT.toml", "`memos init` completes it; nothing is lost"
            ) from None
        raise NoVault(
            f"there is no vault at {folder}", "create one with `memos init`, or name one with --vault"
        ) from None
    except (ValueError, RecursionError) as error:  # not TOML, or not ours
        raise Damaged(
            f"{path} is damaged: {error}", "move it aside and run `memos init`: the memories are in memos.db"
        ) from error
    except OSError as error:
        raise MemosError(f"{path}: {error.strerror}", f"make {folder} readable by you") from error
    if file.format > FORMAT:
        raise TooNew(
            f"{folder} has format {file.format}; this program knows {FORMAT}",
            "pip install --upgrade memos-cli",
        )
    return Identity(
        file.format, file.id, file.created, file.models.reader, file.models.embedder, file.encryption
    )


def guard(
    folder: Path,
    *,
    is_open: bool,
    names: Collection[str] = OWN_NAMES,
    what: str = "a vault",
    hint: str = "replace it with the file it points to",
) -> None:
    """Refuse a vault with symbolic links, or (unless ``is_open``) with files that everybody may write to.

    Anyone who can write to a vault decides what is in prompts. ``names`` are the files to check in another
    kind of folder, which ``what`` and ``hint`` describe. Raises Refused; missing files are accepted.
    """
    for path in (folder, *(folder / name for name in names)):
        try:
            mode = (path.stat() if path == folder else path.lstat()).st_mode
        except OSError:
            continue
        if stat.S_ISLNK(mode):
            raise Refused(f"{path} is a symbolic link, which {what} must not contain", hint)
        if mode & stat.S_IWOTH and not is_open:
            raise Refused(
                f"everybody may write to {path}",
                f'chmod -R o-w "{folder}", or set permissions = "any" if the file system has none',
            )


class Lock(Protocol):
    """An object that finds the key of an encrypted vault, and makes one for a new vault."""

    @property
    def is_named(self) -> bool:
        """Whether the user named a key, so the vault must be encrypted."""

    def find(self, folder: Path, encryption: Encryption) -> Cipher:
        """Return the key that ``encryption`` names. Raises Refused if it is not available."""

    def make(self, folder: Path) -> tuple[Encryption, Cipher]:
        """Create and store a new key, or return the one that exists already."""


def open_lock(folder: Path, identity: Identity, lock: Lock | None) -> Cipher | None:
    """Return the cipher of a vault; None if it is not encrypted. Raises Refused without the right key.

    If the user named a key, an unencrypted vault is refused: somebody may have replaced the encrypted one.
    """
    if identity.encryption is None:
        if lock and lock.is_named:
            raise not_encrypted(folder, "unset key.file and MEMOS_KEY_FILE for this vault, if it is yours")
        return None
    if lock is None:
        raise Refused(f"{folder} is encrypted", "set MEMOS_KEY_FILE to the file of its key")
    cipher = lock.find(folder, identity.encryption)
    if cipher.recipient != identity.encryption.recipient:
        raise Refused(
            f"this is not the key of {folder}",
            f"set MEMOS_KEY_FILE to the file of the key for {identity.encryption.recipient}",
        )
    return cipher


def not_encrypted(folder: Path, hint: str) -> Refused:
    """Return the error for an unencrypted vault in place of an encrypted one."""
    return Refused(f"{folder} is not encrypted, but a key is named (key.file)", hint)


def is_encrypted(database: Path) -> bool:
    """Return whether a database file is encrypted: its header is not SQLite's."""
    with database.open("rb") as file:
        return file.read(16) not in (b"", b"SQLite format 3\0")
