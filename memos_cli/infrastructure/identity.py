"""What a vault says of itself in VAULT.toml, whether it may be opened, and with which key."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, cast, get_args

from memos_cli.errors import Damaged, MemosError, NoVault, Refused, TooNew
from memos_cli.files import read_small
from memos_cli.infrastructure.encryption import Cipher, Encryption, Keeper
from memos_cli.infrastructure.schema import FORMAT

OWN_NAMES = frozenset(
    (
        "VAULT.toml",
        "key.age",
        "memos.db",
        "memos.db-journal",
        "memos.db-wal",
        "memos.db-shm",
        "blobs",
        "index",
        "tmp",
        "lock",
        "maintain.lock",
        "asking",
    )
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What VAULT.toml says: the format, the vault's id, and the models it was made with."""

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


def _toml_text(text: str) -> str:
    """A TOML basic string."""
    escaped = "".join(
        f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else "\\" + c if c in '"\\' else c for c in text
    )
    return f'"{escaped}"'


def read_identity(folder: Path) -> Identity:
    """What the vault at ``folder`` says of itself. Raises NoVault, Damaged or TooNew."""
    path = folder / "VAULT.toml"
    try:
        content = tomllib.loads(read_small(path).decode("utf-8"))
        models = content.get("models", {})
        identity = Identity(
            format=int(content["format"]),
            id=str(content["id"]),
            created=str(content.get("created", "")),
            reader=str(models.get("reader", "")),
            embedder=str(models.get("embedder", "")),
            encryption=_read_encryption(content.get("encryption")),
        )
    except (FileNotFoundError, NotADirectoryError):
        if (folder / "memos.db").exists():
            raise NoVault(
                f"{folder} has memories but no VAULT.toml", "`memos init` completes it; nothing is lost"
            ) from None
        raise NoVault(
            f"there is no vault at {folder}", "make one with `memos init`, or name one with --vault"
        ) from None
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:  # not TOML, or not ours
        raise Damaged(
            f"{path} is damaged: {error}", "move it away and type `memos init`: the memories are in memos.db"
        ) from error
    except OSError as error:
        raise MemosError(f"{path}: {error.strerror}", f"make {folder} readable by you") from error
    if identity.format > FORMAT:
        raise TooNew(
            f"{folder} has format {identity.format}; this program knows {FORMAT}",
            "pip install --upgrade memos-cli",
        )
    return identity


def _read_encryption(table: Mapping[str, object] | None) -> Encryption | None:
    if table is None:
        return None
    keeper = str(table["keeper"])
    if keeper not in get_args(Keeper):
        raise ValueError(f"no key is kept in {keeper!r}")
    return Encryption(str(table["recipient"]), cast(Keeper, keeper), str(table.get("file", "")))


def guard(folder: Path, *, is_open: bool) -> None:
    """Refuse a vault that leads elsewhere, or (unless it ``is_open``) that everybody may write to.

    Who can write to it decides what a model is told. Raises Refused; what is not there passes.
    """
    for path in (folder, *(folder / name for name in OWN_NAMES)):
        try:
            mode = (path.stat() if path == folder else path.lstat()).st_mode
        except OSError:
            continue
        if stat.S_ISLNK(mode):
            raise Refused(
                f"{path} is a symbolic link; a vault holds none", "put in its place what it leads to"
            )
        if mode & stat.S_IWOTH and not is_open:
            raise Refused(
                f"everybody may write to {path}",
                f'chmod -R o-w "{folder}", or set permissions = "any" where the file system knows none',
            )


class Lock(Protocol):
    """Finds the key of an encrypted vault, and makes one for a new vault."""

    @property
    def is_named(self) -> bool:
        """Whether the user has named a key, and so an encrypted vault."""

    def find(self, folder: Path, encryption: Encryption) -> Cipher:
        """The key that ``encryption`` names. Raises Refused where it is not to be had."""

    def make(self, folder: Path) -> tuple[Encryption, Cipher]:
        """A new key, kept where it will be found; or the one that is there already."""


def open_lock(folder: Path, identity: Identity, lock: Lock | None) -> Cipher | None:
    """The cipher of a vault; None of one that is not encrypted. Raises Refused without the right key.

    Who names a key expects an encrypted vault: one that is not may have been put in its place.
    """
    if identity.encryption is None:
        if lock and lock.is_named:
            raise not_encrypted(folder, "unset key.file and MEMOS_KEY_FILE for this vault, if it is yours")
        return None
    if lock is None:
        raise Refused(f"{folder} is encrypted", "this needs its key")
    cipher = lock.find(folder, identity.encryption)
    if cipher.recipient != identity.encryption.recipient:
        raise Refused(
            f"this is not the key of {folder}",
            f"set MEMOS_KEY_FILE to the file of the key for {identity.encryption.recipient}",
        )
    return cipher


def not_encrypted(folder: Path, hint: str) -> Refused:
    """What is raised where a plain vault is found in place of an encrypted one."""
    return Refused(f"{folder} is not encrypted, but a key is named (key.file)", hint)


def is_encrypted(database: Path) -> bool:
    """Whether a database has content that is not SQLite's own."""
    with database.open("rb") as file:
        return file.read(16) not in (b"", b"SQLite format 3\0")
