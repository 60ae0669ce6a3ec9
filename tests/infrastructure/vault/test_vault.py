"""The vault: made whole or completed, opened or refused with a reason, written by one at a time."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli_harness import Shell
from vault_harness import NOW, WHO, build_expected_schema, keep

from memos_cli.cube import Filter
from memos_cli.errors import Damaged, Locked, MemosError, NoVault, TooNew, UsageError
from memos_cli.infrastructure.memories import queries
from memos_cli.infrastructure.memories.forgetting import forget
from memos_cli.infrastructure.storage import audit, migrations, schema
from memos_cli.infrastructure.vault import check, creation, row_checks, vault, vault_file
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vault.vault_file import read_identity


def create(folder: Path) -> None:
    Vault.create(folder, principal=WHO, now=NOW, timeout=1.0).close()


def open_vault(folder: Path, timeout: float = 0.1) -> Vault:
    return Vault.open(folder, timeout=timeout)


def test_everything_in_a_vault_is_private_whatever_the_umask_says(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Vault.create(tmp_path / "a" / "vault", principal=WHO, now=NOW, timeout=1.0) as opened:
            keep(opened, "Larks nest low.")
            opened.blobs.put(b"bytes")
            paths = [opened.folder, *opened.folder.rglob("*")]
            modes = {path.name: (path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
    finally:
        os.umask(old)
    assert {"memos.db", "memos.db-wal", "VAULT.toml", "lock", "blobs", "tmp", "index"} <= modes.keys()
    assert {
        name for name, (is_folder, mode) in modes.items() if mode != (0o700 if is_folder else 0o600)
    } == set()


def test_making_a_vault_again_opens_the_one_that_is_there(vault: Vault) -> None:
    keep(vault, "Larks nest low.")
    with Vault.create(vault.folder, principal="user:bo", now=NOW + 5, timeout=1.0) as again:
        assert again.identity == vault.identity
        assert len(list(queries.cubes(again.connection, Filter(), now=NOW))) == 1


@pytest.mark.parametrize("lost", ["VAULT.toml", "index", "tmp", "blobs", "lock"])
def test_a_vault_that_lost_a_part_that_can_be_made_again_is_completed(vault: Vault, lost: str) -> None:
    keep(vault, "Larks nest low.")
    path = vault.folder / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with Vault.create(vault.folder, principal=WHO, now=NOW + 5, timeout=1.0) as again:
        assert again.identity.id == vault.identity.id
        again.set_models("reader.gguf", "")
        again.blobs.remove(again.blobs.put(b"bytes"))
        keep(again, "Owls nest high.", uri="file:///b")


def test_a_making_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    create(tmp_path / "v")
    (tmp_path / "v" / "VAULT.toml").unlink()
    with pytest.raises(NoVault) as caught:
        open_vault(tmp_path / "v")
    assert "memos init" in caught.value.hint
    (tmp_path / "v" / "memos.db").write_bytes(b"")
    create(tmp_path / "v")
    assert check.examine(tmp_path / "v", timeout=1.0) == []


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError):
        create(tmp_path / "thesis.tex")


def test_where_there_is_no_vault_the_path_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(NoVault, match=str(folder)):
            open_vault(folder)
    assert not list(tmp_path.iterdir())


def test_models_are_remembered_with_any_characters(vault: Vault) -> None:
    name = 'C:\\models\\"odd"\n\x7f é 模型.gguf'
    vault.set_models(name, "")
    assert read_identity(vault.folder).reader == name
    assert open_vault(vault.folder).identity == vault.identity


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"format = ",
        b"format = 1",
        *(
            b"id = 'a'\nformat = " + value
            for value in (b"[1]", b"inf", b"'x'", b"1979-05-27", b"1\nmodels = 3")
        ),
        b"\xff\xfe\x00",
        b"\0" * 200,
    ],
)
def test_a_broken_identity_is_damage_that_says_how_it_is_mended(tmp_path: Path, content: bytes) -> None:
    create(tmp_path / "v")
    (tmp_path / "v" / "VAULT.toml").write_bytes(content)
    with pytest.raises(Damaged, match=r"VAULT\.toml") as caught:
        open_vault(tmp_path / "v")
    assert "memos init" in caught.value.hint
    (tmp_path / "v" / "VAULT.toml").unlink()
    create(tmp_path / "v")
    assert check.examine(tmp_path / "v", timeout=1.0) == []


def test_a_vault_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    create(tmp_path / "toml")
    path = tmp_path / "toml" / "VAULT.toml"
    path.write_text(path.read_text().replace(f"format = {schema.FORMAT}", "format = 99"))
    create(tmp_path / "db")
    with open_vault(tmp_path / "db") as opened:
        opened.connection.execute("PRAGMA user_version = 99")
    for folder in (tmp_path / "toml", tmp_path / "db"):
        for attempt in (open_vault, create, lambda folder: check.examine(folder, timeout=1.0)):
            with pytest.raises(TooNew, match="99"):
                attempt(folder)


@pytest.mark.parametrize("content", [None, b"", b"no database" * 500])
def test_a_database_that_is_gone_is_damage(tmp_path: Path, content: bytes | None) -> None:
    create(tmp_path / "v")
    (tmp_path / "v" / "memos.db").unlink()
    if content is not None:
        (tmp_path / "v" / "memos.db").write_bytes(content)
        (tmp_path / "v" / "memos.db").chmod(0o600)
    with pytest.raises(Damaged, match=r"memos\.db"):
        open_vault(tmp_path / "v")
    assert [f.rule for f in check.examine(tmp_path / "v", timeout=1.0)] == ["must"]


def test_a_vault_that_everybody_may_write_to_is_refused(memos: Shell) -> None:
    memos("init")
    for path in (memos.vault, memos.vault / "memos.db"):
        mode = path.stat().st_mode
        path.chmod(mode | 0o002)
        refused = memos("list", code=14)
        assert "chmod -R o-w" in refused.err
        assert memos("list", env={"MEMOS_PERMISSIONS": "any"}).out == ""
        path.chmod(mode)
    memos("list")


@pytest.mark.parametrize("name", ["memos.db", "VAULT.toml", "blobs", "index", "tmp", "lock"])
def test_a_link_inside_a_vault_is_not_followed(memos: Shell, name: str) -> None:
    memos("init")
    path = memos.vault / name
    elsewhere = path.rename(memos.folder / "elsewhere")
    path.symlink_to(elsewhere)
    assert "symbolic link" in memos("list", code=14).err
    path.unlink()
    elsewhere.rename(path)
    memos("list")


def test_a_vault_of_every_older_format_is_brought_up_to_date_with_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in range(1, schema.FORMAT + 1):
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:version])
            for module in (schema, creation, vault, vault_file):
                patch.setattr(module, "FORMAT", version)
            if version < 4:
                patch.setattr(audit, "seal", lambda db: None)
            create(tmp_path / str(version))
    _add_a_migration(monkeypatch)
    for version in range(1, schema.FORMAT):
        folder = tmp_path / str(version)
        before = read_identity(folder)
        assert [f.what for f in check.examine(folder, timeout=1.0)] == ["format-old"]
        with open_vault(folder) as opened:
            assert opened.identity.id == before.id
            assert opened.connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
        assert read_identity(folder).format == schema.FORMAT
        assert check.examine(folder, timeout=1.0) == []


def _add_a_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this program is one format newer, so that the way there is always tested."""
    monkeypatch.setattr(row_checks, "expected", build_expected_schema)

    def later(db: object) -> None:
        db.execute("CREATE TABLE later (n INTEGER PRIMARY KEY)")  # type: ignore[attr-defined]

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, later))
    for module in (schema, creation, vault, vault_file):
        monkeypatch.setattr(module, "FORMAT", schema.FORMAT + 1 if module is schema else schema.FORMAT)


def test_an_old_vault_is_not_migrated_while_others_work_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "v")
    with open_vault(tmp_path / "v") as other:
        _add_a_migration(monkeypatch)
        monkeypatch.setattr(vault, "MIGRATION_TIMEOUT", 0.05)
        with other.change(WHO, NOW), pytest.raises(Locked):
            open_vault(tmp_path / "v")
        open_vault(tmp_path / "v").close()


def test_a_second_writer_waits_and_is_then_told_of_the_first(vault: Vault) -> None:
    with open_vault(vault.folder) as other:
        with vault.change(WHO, NOW), pytest.raises(Locked), other.change(WHO, NOW):
            pass
        with other.change(WHO, NOW):
            pass


def test_sweeping_and_writing_exclude_each_other(vault: Vault) -> None:
    with open_vault(vault.folder) as other:
        with vault.exclusive(), pytest.raises(Locked), other.change(WHO, NOW):
            pass
        with vault.change(WHO, NOW), pytest.raises(Locked), other.exclusive():
            pass


def test_a_reader_is_never_locked_out_and_sees_whole_changes_only(vault: Vault) -> None:
    keep(vault, "Larks nest low.")
    with open_vault(vault.folder) as reader:

        def seen() -> int:
            return len(list(queries.cubes(reader.connection, Filter(), now=NOW)))

        with vault.change(WHO, NOW) as change:
            forget(change, 1)
            assert seen() == 1
        assert seen() == 0
        with vault.exclusive():
            assert seen() == 0


def test_a_folder_that_may_not_be_written_is_told_of(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)  # the tests may run as root, whom no mode stops
        with pytest.raises(MemosError, match="Permission denied"), vault.change(WHO, NOW):
            pass


WRITER = """
import sys
sys.path.insert(0, sys.argv[4])
from pathlib import Path
from vault_harness import WHO, keep
from memos_cli.infrastructure.vault.vault import Vault
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Vault.open(folder, timeout=60.0) as vault:
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(count):
        uri = f"file:///{name}/{n}"
        keep(vault, f"{name} wrote {n} and pebbles", "both know this", uri=uri, now=1000 + n)
"""


def test_two_writers_and_a_reader_at_once_lose_and_break_nothing(vault: Vault) -> None:
    command = [sys.executable, "-c", WRITER, str(vault.folder)]
    count = 25
    writers = [
        subprocess.Popen(
            [*command, name, str(count), str(Path(__file__).parents[2] / "harness")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in ("ann", "bo")
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    seen = [0]
    while any(writer.poll() is None for writer in writers):
        cubes = list(queries.cubes(vault.connection, Filter(), now=NOW))
        matched = queries.matches(vault.connection, '"pebbles"', Filter(), now=NOW, limit=1000)
        assert len(cubes) >= seen[-1]
        assert len(matched) >= len(cubes) - 1
        seen.append(len(cubes))
    for writer in writers:
        _, errors = writer.communicate()
        assert (writer.returncode, errors) == (0, "")
    texts = [cube.text for cube in queries.cubes(vault.connection, Filter(), now=NOW)]
    assert len(texts) == len(set(texts)) == 2 * count + 1
    (places,) = vault.connection.execute("SELECT count(*) FROM place").fetchone()
    assert places == 4 * count


LIMITED = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from vault_harness import keep
from memos_cli.errors import MemosError
from memos_cli.infrastructure.vault.vault import Vault
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
vault = Vault.open(Path(sys.argv[1]), timeout=1.0)
keep(vault, "small and kept", uri="file:///small")
size = max(path.stat().st_size for path in vault.folder.glob("memos.db*"))
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
try:
    keep(vault, *(f"{n} " + "x" * 900 for n in range(300)), uri="file:///big")
except MemosError as error:
    print(error)
"""


def test_a_file_that_may_not_grow_leaves_the_vault_as_it_was(vault: Vault) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(vault.folder), str(Path(__file__).parents[2] / "harness")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "disk" in done.stdout
    assert [c.text for c in queries.cubes(vault.connection, Filter(), now=NOW)] == ["small and kept"]
    assert len(keep(vault, *(f"{n} " + "x" * 900 for n in range(300)), uri="file:///big")) == 300
