"""Encrypted vaults: nothing of them can be read without the key, and all works with it."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pytest
from cli_harness import Shell, wait_until, with_models
from states_harness import HARBOUR, QUESTION, Desk
from vault_harness import all_bytes

pytest.importorskip("pyrage")
pytest.importorskip("sqlcipher3")

from memos_cli.errors import Damaged, Refused
from memos_cli.infrastructure.storage.encryption import cipher_of, new_cipher, unwrap, wrap
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vault.vault_file import read_identity
from memos_cli.interface.access.vault_keys import KeyKeeper

CAT = "My cat is called Miso, and her favourite place is the oven."


@pytest.fixture
def sealed(shell: Shell) -> Shell:
    """A user with an encrypted vault, whose key is in a file."""
    shell("init", "--encrypt", "--key-file", shell.folder / "vault.key", env={"MEMOS_READER": "/none.gguf"})
    return shell


def test_no_word_of_a_memory_is_in_its_files(sealed: Shell) -> None:
    (id,) = sealed.keep(CAT, options=("--tag", "household", "--source", "letter-to-ines"))
    sealed("edit", id, "--text", CAT + " She purrs.")
    assert [hit["id"] for hit in sealed("search", "cat", "--json").records] == [id]
    files = all_bytes(sealed.vault)
    for word in ("Miso", "oven", "purrs", "household", "letter-to-ines", "CREATE TABLE", "SQLite format", id):
        assert word.encode() not in files
        assert word.encode("utf-16-le") not in files
    assert hashlib.sha256(CAT.encode()).digest() not in files
    sealed.check()
    assert sealed("audit", "verify", "--json").record["ok"]
    sealed("forget", id, "--yes")
    sealed.check()


def test_the_key_is_private_and_is_what_age_keygen_writes(sealed: Shell) -> None:
    file = sealed.folder / "vault.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert re.search(r"^AGE-SECRET-KEY-1[A-Z0-9]{58}$", file.read_text(), re.MULTILINE)
    identity = read_identity(sealed.vault)
    assert identity.encryption
    assert cipher_of(file.read_text(), "file").recipient == identity.encryption.recipient


def test_another_key_or_none_is_refused_and_called_no_damage(sealed: Shell) -> None:
    sealed.keep(CAT)
    other = sealed.folder / "other.key"
    other.write_text(new_cipher().secret)
    other.chmod(0o600)
    before = all_bytes(sealed.vault)
    for command in (["search", "cat"], ["list"], ["check"], ["ingest", "-"], ["stats"], ["init"], ["audit"]):
        said = sealed(*command, env={"MEMOS_KEY_FILE": str(other)}, code=14).err
        assert "not the key" in said
        assert "MEMOS_KEY_FILE" in said
    other.write_text("nothing of the kind")
    assert "no key in" in sealed("list", env={"MEMOS_KEY_FILE": str(other)}, code=14).err
    (sealed.folder / "vault.key").chmod(0o640)
    assert "chmod 600" in sealed("list", code=14).err
    (sealed.folder / "vault.key").rename(sealed.folder / "moved.key")
    assert "vault.key" in sealed("list", code=14).err
    (sealed.folder / "moved.key").chmod(0o600)
    moved = {"MEMOS_KEY_FILE": str(sealed.folder / "moved.key")}
    assert sealed("search", "cat", "--json", env=moved).records
    assert all_bytes(sealed.vault) == before or sealed("check", "--json", env=moved).record["findings"] == []


def test_a_key_that_is_there_is_taken_and_never_overwritten(shell: Shell) -> None:
    file = shell.folder / "vault.key"
    file.write_text(f"# mine\n{new_cipher().secret}\n")
    file.chmod(0o600)
    before = file.read_bytes()
    shell("init", "--encrypt", "--key-file", file)
    shell("init", "--encrypt", "--key-file", file)
    shell("init")
    assert file.read_bytes() == before
    assert shell.keep(CAT)


def test_a_lost_vault_toml_is_written_again_with_the_key(sealed: Shell) -> None:
    sealed.keep(CAT)
    (sealed.vault / "VAULT.toml").unlink()
    assert "encrypted" in sealed("init", code=14).err
    sealed("init", "--encrypt", "--key-file", sealed.folder / "vault.key")
    assert sealed("search", "cat", "--json").records
    sealed.check()


def test_a_vault_that_is_there_is_not_encrypted_by_init(memos: Shell) -> None:
    memos.keep(CAT)
    said = memos("init", "--encrypt", "--key-file", memos.folder / "vault.key", code=2).err
    assert "not encrypted" in said
    assert memos("search", "cat", "--json").records
    assert memos("init", "--keyring", code=2)
    assert memos("init", "--encrypt", "--keyring", "--key-file", "x", code=2)


def test_damage_is_found_and_is_no_wrong_key(sealed: Shell) -> None:
    sealed.keep(CAT)
    with Vault.open(sealed.vault, timeout=1.0, lock=KeyKeeper(None, lambda vault, twice: "")) as vault:
        vault.scrub()
    database = sealed.vault / "memos.db"
    data = bytearray(database.read_bytes())
    data[5000] ^= 1
    database.write_bytes(data)
    assert sealed("list", code=12).err
    assert sealed("check", "--json", code=1).record["findings"]


# --- a passphrase, and the keyring -----------------------------------------------------------------------


def test_a_passphrase_is_asked_for_and_is_nowhere(shell: Shell) -> None:
    asked = (b"Passphrase", b"correct horse battery\n")
    shell.terminal("init", "--encrypt", answers=[asked, (b"Repeat the passphrase", asked[1])])
    assert (shell.vault / "key.age").read_bytes().startswith(b"age-encryption.org/v1\n-> scrypt ")
    cat = shell.write("cat.txt", CAT)
    assert "correct" not in shell.terminal("ingest", "--no-embed", cat, answers=[asked]).out
    assert "Miso" in shell.terminal("search", "cat", answers=[asked]).out
    wrong = [(b"Passphrase", b"wrong\n")]
    assert "not the passphrase" in shell.terminal("search", "cat", answers=wrong, code=14).out
    assert "there is no terminal to ask for the passphrase" in shell.process("search", "cat", code=14).err
    files = all_bytes(shell.vault)
    assert b"correct horse" not in files
    assert b"AGE-SECRET" not in files


def test_a_passphrase_that_was_mistyped_makes_no_vault(shell: Shell) -> None:
    answers = [(b"Passphrase", b"one\n"), (b"Repeat the passphrase", b"two\n")]
    assert "do not match" in shell.terminal("init", "--encrypt", answers=answers, code=2).out
    assert not (shell.vault / "VAULT.toml").exists()
    shell.terminal("init", "--encrypt", answers=[answers[0], (b"Repeat the passphrase", b"one\n")])


def test_a_wrapped_key_is_unwrapped_by_its_passphrase_alone() -> None:
    cipher = new_cipher()
    wrapped = wrap(cipher, "a phrase")
    assert unwrap(wrapped, "a phrase").secret == cipher.secret
    with pytest.raises(Refused):
        unwrap(wrapped, "another")
    with pytest.raises(Damaged):
        unwrap(b"something else", "a phrase")


def test_the_keyring_keeps_a_key(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    kept: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "get_password", lambda service, name: kept.get((service, name)))
    monkeypatch.setattr(
        keyring, "set_password", lambda service, name, secret: kept.update({(service, name): secret})
    )
    shell("init", "--encrypt", "--keyring")
    shell.keep(CAT)
    assert shell("search", "cat", "--json").records
    ((service, name),) = kept
    assert service == "memos"
    assert name.startswith("age1")
    assert kept[service, name].encode() not in all_bytes(shell.vault)
    kept.clear()
    assert "keyring" in shell("search", "cat", code=14).err


def test_a_keyring_that_fails_is_told(shell: Shell) -> None:
    pytest.importorskip("keyring")
    env = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    said = shell.process("init", "--encrypt", "--keyring", env=env, code=14).err
    assert "--key-file" in said


# --- what lies beside the database -----------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path: Path, desk: Desk) -> Desk:
    """A user with a tiny model and an encrypted vault."""
    desk.folder = tmp_path / "sealed"
    desk.settings["key_file"] = str(tmp_path / "desk.key")
    with desk.open() as memos:
        memos.create_vault("file")
    return desk


def test_states_are_sealed_and_serve_as_before(locked: Desk) -> None:
    ids = locked.keep(*HARBOUR)
    assert locked.promote(*ids).tokens
    plain = locked.ask(text=True)
    again = locked.ask()
    assert (again.answer, len(locked.loads)) == (plain.answer, 1)
    (blob,) = [path for path in (locked.folder / "blobs").rglob("*") if path.is_file()]
    assert blob.read_bytes().startswith(b"age-encryption.org/v1\n-> X25519 ")
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    assert locked.ask(QUESTION + " Or a lamp?").plan.chosen
    with locked.open() as memos:
        found, repaired = memos.check(repair=True)
        assert (found, bool(repaired)) == ([], True)


def test_a_library_gets_a_plain_file_that_is_on_no_disk(locked: Desk) -> None:
    with locked.open() as memos:
        blobs = memos.vault.blobs
        name = blobs.put(blobs.seal(b"GGUF, or so"))
        with blobs.file(name) as path:
            assert path.read_bytes() == b"GGUF, or so"
            assert not sys.platform.startswith("linux") or path.is_relative_to("/proc")
        assert not path.exists()
        blobs.remove(name)


def test_what_another_key_sealed_is_damaged() -> None:
    with pytest.raises(Damaged):
        new_cipher().unseal(new_cipher().seal(b"something"))


@with_models
def test_vectors_are_sealed_and_found(sealed: Shell) -> None:
    sealed("init")
    ids = sealed("ingest", "-", "--lines", "--json", stdin=f"{CAT}\nThe harbour is deep.".encode()).record[
        "ids"
    ]
    with Vault.open(sealed.vault, timeout=1.0, lock=KeyKeeper(None, lambda vault, twice: "")) as vault:
        from memos_cli.infrastructure.vectors import vector_index

        assert vector_index.refresh(vault.connection, vault.snapshots, 1, 384, force=True)
        assert vector_index.agrees(vault.connection, vault.snapshots, 1, 384)
        assert vault.snapshots.path(1).read_bytes().startswith(b"age-encryption.org")
    assert sealed("search", "What is the pet's name?", "--json").records[0]["id"] == ids[0]
    sealed.check()


def test_a_killed_ingest_leaves_a_whole_vault(sealed: Shell) -> None:
    notes = sealed.write("notes.txt", "\n".join(f"Note {n} tells of {n * 7}." for n in range(30_000)))
    log = sealed.vault / "memos.db-wal"
    process = sealed.start("ingest", notes, "--lines", "--no-embed")
    wait_until(lambda: log.exists() and log.stat().st_size > 1_000_000)
    process.kill()
    process.communicate()
    sealed.check()
    sealed("ingest", notes, "--lines", "--no-embed")
    assert sealed("stats", "--json").record["cubes"] == {"generated": 30_000}
    sealed.check()


def test_a_plain_vault_loads_no_library_of_these(memos: Shell) -> None:
    from cli_harness import loaded

    memos.keep(CAT)
    assert not {"pyrage", "sqlcipher3", "keyring"} & loaded(memos, "search", "cat")
