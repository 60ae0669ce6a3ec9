"""promote, demote, pin and unpin: what they make, what they tell, and that they leave nothing half done."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_harness import Shell, make_vault, tiny_reader, wait_until
from states_harness import HARBOUR, QUESTION
from tiny_models import write_model

from memos_cli.errors import MemosError
from memos_cli.interface.memory import Memos
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.settings import Settings

PROMOTED = {
    "id", "version", "new", "memories", "tokens", "held", "bytes", "seconds", "saved", "dry_run",
    "break_even",
}  # fmt: skip


@dataclass(frozen=True)
class Promoter(Shell):
    """A user whose reader is a tiny model."""

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return super().environment({**tiny_reader(self), **(extra or {})})

    def promote(self, *arguments: object, **options: Any) -> Any:
        return self("promote", *arguments, "--to", "activation", "--json", **options).record

    def query(self, *arguments: object) -> Any:
        options = ("--max-tokens", "16", "--json")
        return self("query", QUESTION, *options, *arguments).record

    def states(self) -> list[Any]:
        return self("list", "--payload", "activation", "--json").records

    def blobs(self) -> set[str]:
        return {path.name for path in (self.vault / "blobs").rglob("*") if path.is_file()}

    def trace(self) -> tuple[set[str], list[Any], list[str]]:
        """What a promotion could leave: blobs, rows, unfinished files."""
        return self.blobs(), self.states(), sorted(os.listdir(self.vault / "tmp"))

    def api(self) -> Memos:
        return Memos(
            Settings(
                vault=str(self.vault),
                principal="user:ann",
                reader=str(self.folder / "tiny.gguf"),
                threads=1,
            )
        )


@pytest.fixture
def user(tmp_path: Path) -> Iterator[Promoter]:
    """A user with an empty vault and a tiny model; the vault is whole at the end."""
    user = Promoter(tmp_path)
    write_model(tmp_path / "tiny.gguf", "llama", context=4096)
    make_vault(user)
    yield user
    user.check()


@pytest.fixture
def ids(user: Promoter) -> list[str]:
    user.keep("The kitchen clock is ten minutes fast.")
    return user.keep(*HARBOUR, options=("--tag", "harbour"))


# --- promote ---------------------------------------------------------------------------------------


def test_promote_tells_what_it_made(user: Promoter, ids: list[str]) -> None:
    made = user.promote(*ids)
    assert made.keys() == PROMOTED
    assert (made["version"], made["new"], made["memories"], made["dry_run"]) == (1, True, 3, False)
    assert made["tokens"] >= made["held"] > 0
    assert made["held"] % 64 == 0
    (state,) = user.states()
    told = state["activation"]
    assert (state["id"], told["held"], told["bytes"]) == (made["id"], made["held"], made["bytes"])
    assert [source["id"] for source in told["sources"]] == ids
    assert user.blobs() == {told["blob"]}
    assert (user.vault / "blobs" / told["blob"][:2] / told["blob"]).stat().st_size == made["bytes"]
    assert made["id"] in user("show", ids[0]).out
    assert user("show", made["id"], "--json").record["activation"]["tokens"] == made["tokens"]
    assert user("stats", "--json").record["states"]["count"] == 1
    # A state has no words: neither a search nor a plain list of texts finds it.
    assert made["id"] not in {row["id"] for row in user("search", "state harbour", "--json").records}
    text = user("promote", *ids, "--to", "activation").out
    assert f"{made['id']}  unchanged\n" in text


@pytest.mark.parametrize("way", ["tag", "view"])
def test_filters_name_memories_too_oldest_first(user: Promoter, ids: list[str], way: str) -> None:
    user("view", "set", "sea", "--tag", "harbour")
    made = user.promote(*(["--tag", "harbour"] if way == "tag" else ["--view", "sea"]))
    (state,) = user.states()
    assert [source["id"] for source in state["activation"]["sources"]] == ids
    assert state["activation"]["view"] == ("sea" if way == "view" else "")
    answer = user.query(*(["--view", "sea"] if way == "view" else []))
    assert answer["plan"]["activation"] == {
        "result": "hit", "reason": "", "id": made["id"], "tokens": made["held"],
    }  # fmt: skip


def test_promoted_twice_nothing_changes(user: Promoter, ids: list[str]) -> None:
    first = user.promote(*ids)
    blobs, history = user.blobs(), user("history", first["id"], "--json").record
    again = user.promote(*ids)
    assert (again["id"], again["version"], again["new"]) == (first["id"], 1, False)
    assert user.blobs() == blobs
    assert user("history", first["id"], "--json").record == history
    by_itself = user.promote(first["id"])
    assert (by_itself["id"], by_itself["version"], by_itself["new"]) == (first["id"], 1, False)


def test_other_memories_or_another_order_are_another_state(user: Promoter, ids: list[str]) -> None:
    made = {user.promote(*some)["id"] for some in (ids, ids[:2], ids[::-1])}
    assert len(made) == len(user.states()) == len(user.blobs()) == 3


@pytest.mark.parametrize("by", ["memories", "state"])
def test_after_an_edit_it_becomes_a_new_version(user: Promoter, ids: list[str], by: str) -> None:
    first = user.promote(*ids)
    old = user.blobs()
    user("edit", ids[1], "--text", "The harbour wall is of wood now.")
    assert user.states()[0]["activation"]["stale"] == "source changed"
    assert user.query()["plan"]["activation"]["reason"] == "source changed"
    second = user.promote(*(ids if by == "memories" else [first["id"]]))
    assert (second["id"], second["version"], second["new"]) == (first["id"], 2, True)
    assert len(user.blobs()) == 1
    assert not user.blobs() & old
    (state,) = user.states()
    assert [source["version"] for source in state["activation"]["sources"]] == [1, 2, 1]
    assert state["activation"]["stale"] is None
    answer = user.query()
    assert answer["plan"]["activation"]["result"] == "hit"
    assert answer["answer"] == user.query("--text")["answer"]


def test_a_damaged_state_is_repaired_by_promoting_it_again(user: Promoter, ids: list[str]) -> None:
    made = user.promote(*ids)
    (name,) = user.blobs()
    path = user.vault / "blobs" / name[:2] / name
    path.write_bytes(bytes(path.stat().st_size))
    again = user.promote(made["id"])
    assert (again["id"], again["version"], user.blobs()) == (made["id"], 1, {name})
    assert user.query()["plan"]["activation"]["result"] == "hit"


def test_a_dry_run_tells_the_same_and_writes_nothing(user: Promoter, ids: list[str]) -> None:
    assert "would be made" in user("promote", *ids, "--to", "activation", "--dry-run").out
    before = user.trace(), user("stats", "--json").record
    told = user.promote(*ids, "--dry-run")
    assert (user.trace(), user("stats", "--json").record) == before
    made = user.promote(*ids)
    same = ("tokens", "held", "bytes", "memories")
    assert [told[name] for name in same] == [made[name] for name in same]
    assert (told["id"], told["dry_run"], told["new"]) == ("", True, True)
    assert told["seconds"] > 0
    uses = told["break_even"]
    assert (
        uses is None
        if told["saved"] <= 0
        else (uses - 1) * told["saved"] < told["seconds"] <= uses * told["saved"]
    )
    assert "exists  unchanged" in user("promote", *ids, "--to", "activation", "--dry-run").out


def test_a_dry_run_counts_on_the_state_of_the_pinned_memories(user: Promoter, ids: list[str]) -> None:
    user("pin", *ids[:2])
    whole = user.promote(ids[2], "--dry-run")
    assert user.promote("--pinned", "--dry-run")["seconds"] > 0
    user.promote("--pinned")
    assert user.promote("--pinned", "--dry-run")["seconds"] == 0  # all of it is there already
    made = user.promote(ids[2])
    assert (whole["tokens"], whole["held"], whole["bytes"]) == (made["tokens"], made["held"], made["bytes"])


def test_ids_come_from_standard_input_too(user: Promoter, ids: list[str]) -> None:
    made = user.promote("-", stdin="\n".join(ids).encode())
    assert made["memories"] == 3
    assert user("demote", "-", "--json", stdin=ids[0].encode()).record["ids"] == [made["id"]]


def test_a_state_ends_with_the_first_of_its_sources(user: Promoter) -> None:
    ids = [
        *user.keep(HARBOUR[0], options=("--expires", "2099-05-01")),
        *user.keep(HARBOUR[1], options=("--expires", "2098-05-01")),
        *user.keep(HARBOUR[2]),
    ]
    user.promote(*ids)
    assert user.states()[0]["expires"].startswith("2098-05-02")
    user.promote(ids[2])
    assert [state["expires"] for state in user.states()].count(None) == 1


def test_promoted_memories_are_activated(user: Promoter, ids: list[str]) -> None:
    assert {row["state"] for row in user("list", "--tag", "harbour", "--json").records} == {"generated"}
    user.promote(*ids)
    assert {row["state"] for row in user("list", "--tag", "harbour", "--json").records} == {"activated"}
    actions = [event["action"] for event in user("history", ids[0], "--json").record["audit"]]
    assert actions.count("promote") == 1


def test_only_tokens_are_counted_as_progress(user: Promoter, ids: list[str]) -> None:
    counts: list[int] = []
    with user.api() as memos:
        made = memos.promote(ids, on_tokens=counts.append)
    assert sum(counts) == made.held


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ((), "name memories by ids, or by filters, or --pinned", "memos promote --help"),
        (("ID", "--pinned"), "name memories by ids, or by filters, or --pinned", ""),
        (("ID", "--tag", "harbour"), "name memories by ids, or by filters, or --pinned", ""),
        (("--tag", "harbour", "--pinned"), "name memories by ids, or by filters, or --pinned", ""),
        (("--tag", "nothing"), "there is no memory to promote", "--tag"),
        (("--pinned",), "no memory is pinned", "memos pin ID"),
        (("--pinned", "--view", "sea"), "no memory is pinned", "memos pin ID --view sea"),
        (("01ARZ3NDEKTSV4RRFFQ69G5FAV",), "no memory has an id that starts with", ""),
        (("-",), "there is no memory to promote", ""),
        (("LONG",), "leave no room for question and answer in a context of 4096", "query.context"),
    ],
)
def test_an_impossible_promotion_is_reported(
    user: Promoter, ids: list[str], arguments: Sequence[str], message: str, hint: str
) -> None:
    user("view", "set", "sea", "--tag", "harbour")
    named = {"ID": ids[0], "LONG": user.keep("Long ago. " * 500)[0]}
    before = user.trace()
    given = [named.get(each, each) for each in arguments]
    error = user("promote", *given, "--to", "activation", "--json", code=2).error
    assert message in error["message"]
    assert hint in error["hint"]
    assert error["hint"]
    assert user.trace() == before


def test_the_form_must_be_named(user: Promoter, ids: list[str]) -> None:
    assert "--to activation" in user("promote", *ids, "--json", code=2).error["hint"]
    assert "'wings'" in user("promote", *ids, "--to", "wings", "--json", code=2).error["message"]


def test_less_than_a_batch_is_too_short(
    user: Promoter, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memos_cli.models.llama.llama_engine.BATCH", 1024)
    error = user("promote", *ids, "--to", "activation", "--json", code=2).error
    assert "fewer than one batch of a state (1024)" in error["message"]
    assert error["hint"] == "too short to be worth saving; promote it together with others"


def test_memories_that_are_not_live_are_refused(user: Promoter, ids: list[str]) -> None:
    user.write("gone.txt", HARBOUR[0] + " Once.")
    gone = user("ingest", "gone.txt", "--no-embed", "--json").record["ids"][0]
    (user.work / "gone.txt").unlink()
    user("ingest", "--prune-all", ".", "--no-embed")
    error = user("promote", gone, ids[0], "--to", "activation", "--json", code=2).error
    assert error["message"] == f"{gone} is archived"
    state = user.promote(*ids)["id"]
    error = user("promote", state, ids[0], "--to", "activation", "--json", code=2).error
    assert error["message"] == f"{state} is not text"


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [("gemma2", "sliding-window"), ("mamba", "recurrent"), ("lfm2", "hybrid")],
)
@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_a_model_whose_states_are_not_exact_is_refused(
    user: Promoter, ids: list[str], architecture: str, reason: str, option: Sequence[str]
) -> None:
    model = write_model(user.folder / "other.gguf", architecture, context=4096)
    before = user.trace()
    error = user(
        "promote", *ids, "--to", "activation", "--model", model, *option, "--json", code=15
    ).error  # fmt: skip
    assert reason in error["message"]
    assert "--model" in error["hint"]
    assert user.trace() == before
    # Its memories are answered from as text, beside a state of another model.
    user.promote(*ids)
    answer = user.query("--model", model)
    assert answer["plan"]["activation"] is None
    assert answer["answer"] == user.query("--model", model, "--text")["answer"] != ""


def test_a_missing_model_is_reported(user: Promoter, ids: list[str]) -> None:
    error = user("promote", *ids, "--to", "activation", "--model", "/nowhere.gguf", "--json", code=15).error
    assert error["hint"]


# --- ended before its end --------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["edit", "forget", "archive"])
@pytest.mark.parametrize("old", [False, True])
def test_a_memory_that_changes_while_it_is_read_leaves_no_trace(
    user: Promoter, ids: list[str], change: str, old: bool
) -> None:
    if old:
        user.promote(*ids)
        user("edit", ids[0], "--text", HARBOUR[0] + " Or so.")
    before = user.blobs(), len(user.states())

    def interfere(count: int) -> None:
        interfere.calls += 1  # type: ignore[attr-defined]
        if interfere.calls == 2:  # type: ignore[attr-defined]
            with user.api() as other:
                if change == "edit":
                    other.edit(ids[1], text="The harbour wall is of wood now.")
                elif change == "forget":
                    other.forget([ids[1]], dry_run=False)
                else:
                    with other.vault.change("user:other", 2_000_000_000_000) as change_:
                        change_.set_state(other.show(ids[1]).cube.n, "archived", "archive")

    interfere.calls = 0  # type: ignore[attr-defined]
    with user.api() as memos, pytest.raises(MemosError, match="changed while it was read") as caught:
        memos.promote(ids, on_tokens=interfere)
    assert caught.value.hint == "run it again"
    blobs, states, unfinished = user.trace()
    assert unfinished == []
    if old and change == "forget":
        assert (blobs, states) == (set(), [])  # the old state went with its source
    else:
        assert (blobs, len(states)) == before


def test_a_pinned_memory_that_changes_while_it_is_read_leaves_no_trace(
    user: Promoter, ids: list[str]
) -> None:
    user("pin", ids[0])

    def interfere(count: int) -> None:
        with user.api() as other:
            other.edit(ids[0], text=f"Another {count}.")

    with user.api() as memos, pytest.raises(MemosError, match="changed while it was read"):
        memos.promote(ids[1:], on_tokens=interfere)
    assert user.trace() == (set(), [], [])


def test_what_is_interrupted_leaves_no_trace(
    user: Promoter, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = Engine.decode

    def interrupted(engine: Engine, tokens: Sequence[int]) -> None:
        decode(engine, tokens)
        if len(engine.tokens) >= 128:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "decode", interrupted)
        user("promote", *ids, "--to", "activation", code=130)
    assert user.trace() == (set(), [], [])
    assert user.promote(*ids)["new"]


def test_a_process_that_is_interrupted_leaves_no_trace(user: Promoter, ids: list[str]) -> None:
    """When its vault is open, the model's library is loaded, and the model: there is all or nothing."""
    codes = set()
    for loaded in ("memos.db", "libllama", "tiny.gguf"):
        process = user.start("promote", *ids, "--to", "activation")
        files = Path(f"/proc/{process.pid}/maps")
        wait_until(lambda loaded=loaded, files=files: loaded in files.read_text())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        codes.add(process.returncode)
        blobs, states, unfinished = user.trace()
        assert len(blobs) == len(states)
        assert unfinished == []
        user.check()
        if states:
            user("demote", *ids)
    assert codes <= {0, 130, -signal.SIGINT}


def test_a_full_disk_leaves_no_trace(user: Promoter, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    left = 100_000

    def limited(descriptor: int, data: memoryview) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, data[:left])
        left -= written
        return written

    user("models")  # writes the cache, which is elsewhere
    user.promote(*ids, "--dry-run")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        error = user("promote", *ids, "--to", "activation", "--json", code=1).error
    assert "the disk is full" in error["message"]
    assert left == 0
    assert user.trace() == (set(), [], [])
    assert user.promote(*ids)["new"]


def test_a_file_that_may_not_grow_leaves_no_trace(user: Promoter, ids: list[str]) -> None:
    size = user.promote(*ids, "--dry-run")["bytes"]
    limit = size - 1000
    process = user.start(
        "promote", *ids, "--to", "activation", "--json",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"File too large" in err
    assert user.trace() == (set(), [], [])


def test_when_the_row_cannot_be_written_the_bytes_go_too(
    user: Promoter, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("memos_cli.infrastructure.derived.saved_states.keep", full)
        user("promote", *ids, "--to", "activation", code=1)
    assert user.trace() == (set(), [], [])


def test_two_processes_that_promote_the_same_make_one_state(user: Promoter, ids: list[str]) -> None:
    processes = [user.start("promote", *ids, "--to", "activation", "--json") for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
    blobs, states, unfinished = user.trace()
    assert (len(blobs), len(states), unfinished) == (1, 1, [])
    assert user.query()["plan"]["activation"]["result"] == "hit"


# --- demote and forget -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["state", "memory"])
def test_demote_drops_the_state_and_the_text_stays(user: Promoter, ids: list[str], by: str) -> None:
    made = user.promote(*ids)
    with_state = user.query()
    dry = user("demote", made["id"], "--dry-run", "--json").record
    nothing = {"adapters": [], "verbalised": []}
    assert dry == {"ids": [made["id"]], "bytes": made["bytes"], "dry_run": True, **nothing}
    assert len(user.states()) == 1
    done = user("demote", made["id"] if by == "state" else ids[1], "--json").record
    assert done == {**dry, "dry_run": False}
    assert user.trace() == (set(), [], [])
    assert set(ids) <= user.ids()
    answer = user.query()
    assert answer["plan"]["activation"] is None
    assert answer["answer"] == user.query("--text")["answer"]
    assert with_state["plan"]["activation"]["result"] == "hit"
    user("show", made["id"], code=2)
    assert user.promote(*ids)["version"] == 1


def test_demote_of_a_memory_drops_all_states_that_it_stands_in(user: Promoter, ids: list[str]) -> None:
    first, second, third = (user.promote(*some)["id"] for some in (ids, ids[:1], ids[1:]))
    assert set(user("demote", ids[0], "--json").record["ids"]) == {first, second}
    assert [state["id"] for state in user.states()] == [third]
    assert "no state and no adapter is made from these memories" in user("demote", ids[0]).err
    assert user("demote", third).out.startswith(f"dropped {third}, ")
    assert user.blobs() == set()


def test_the_state_of_pinned_memories_is_dropped_by_its_own_id(user: Promoter, ids: list[str]) -> None:
    user("pin", ids[0])
    root = user.promote("--pinned")["id"]
    user.promote(*ids[1:])
    assert root not in user("demote", *ids, "--json").record["ids"]
    assert user("demote", root, "--json").record["ids"] == [root]


def test_demote_needs_an_id_that_there_is(user: Promoter, ids: list[str]) -> None:
    user("demote", code=2)
    user("demote", "01ARZ3NDEKTSV4RRFFQ69G5FAV", code=2)


def test_to_forget_a_source_removes_its_states_and_their_bytes(user: Promoter, ids: list[str]) -> None:
    user("pin", ids[0])
    user.promote(*ids[1:])
    user.promote("--pinned")
    alone = user.keep(
        "Nothing is made of the harbour bell, which has hung there for a hundred years or more."
    )
    user("unpin", ids[0])
    other = user.promote(*alone)["id"]
    assert len(user.blobs()) == 3
    user("forget", ids[0], "--yes")
    assert [state["id"] for state in user.states()] == [other]
    assert len(user.blobs()) == 1
    assert user.ids("--payload", "plaintext") >= set(ids[1:])


def test_to_forget_by_a_filter_removes_states_too(user: Promoter, ids: list[str]) -> None:
    user.promote(*ids)
    user("forget", "--tag", "harbour", "--yes")
    assert user.trace() == (set(), [], [])


def test_to_forget_a_state_leaves_its_memories(user: Promoter, ids: list[str]) -> None:
    made = user.promote(*ids)["id"]
    user("forget", made, "--yes")
    assert user.trace() == (set(), [], [])
    assert set(ids) <= user.ids()


def test_a_state_has_no_text_to_change(user: Promoter, ids: list[str]) -> None:
    made = user.promote(*ids)["id"]
    assert "no text of its own" in user("edit", made, "--text", "x", "--json", code=2).error["message"]
    assert "is not text" in user("pin", made, "--json", code=2).error["message"]


# --- pin -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["", "sea"])
def test_pinned_memories_stand_first_in_their_view_alone(user: Promoter, ids: list[str], view: str) -> None:
    user("view", "set", "sea", "--tag", "harbour")
    option = ["--view", view] if view else []
    done = user("pin", ids[2], ids[1], *option, "--json").record
    assert done == {"changed": 2, "view": view, "pinned": [ids[2], ids[1]]}
    assert user("pin", ids[1], *option, "--json").record["changed"] == 0
    chosen = user.query(*option)["plan"]["chosen"]
    assert [(item["id"], item["part"]) for item in chosen[:2]] == [(ids[2], "pinned"), (ids[1], "pinned")]
    others = user.query(*([] if view else ["--view", "sea"]))["plan"]["chosen"]
    assert {item["part"] for item in others} == {"retrieved"}
    done = user("unpin", ids[2], *option, "--json").record
    assert done == {"changed": 1, "view": view, "pinned": [ids[1]]}
    assert user("unpin", ids[2], *option, "--json").record["changed"] == 0
    assert user("unpin", ids[1], *option).out == "unpinned 1; 0 are pinned\n"


def test_pins_need_a_view_and_a_memory_that_there_is(user: Promoter, ids: list[str]) -> None:
    user("pin", ids[0], "--view", "nowhere", code=2)
    user("pin", "01ARZ3NDEKTSV4RRFFQ69G5FAV", code=2)
    user("unpin", code=2)


def test_a_removed_view_loses_its_pins(user: Promoter, ids: list[str]) -> None:
    user("view", "set", "sea", "--tag", "harbour")
    user("pin", ids[0], "--view", "sea")
    user("pin", ids[1])
    user("view", "remove", "sea")
    user("view", "set", "sea", "--tag", "harbour")
    assert user("unpin", ids[0], "--view", "sea", "--json").record == {
        "changed": 0, "view": "sea", "pinned": [],
    }  # fmt: skip
    assert user("pin", ids[1], "--json").record["pinned"] == [ids[1]]


def test_a_forgotten_memory_is_pinned_no_more(user: Promoter, ids: list[str]) -> None:
    user("pin", *ids[:2])
    user("forget", ids[0], "--yes")
    assert user("pin", ids[1], "--json").record["pinned"] == [ids[1]]
