"""The context of use cases: vault, caller, key and models; each is opened when first needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from memos_cli.cube import Cube
from memos_cli.errors import Locked, MemosError, ModelUnfit, Refused
from memos_cli.folders import cache_folder, expand_home
from memos_cli.infrastructure.vault.vault import Vault
from memos_cli.infrastructure.vault.vault_file import guard
from memos_cli.settings import Settings, principal_of, vault_folder
from memos_cli.zones import use_zone

if TYPE_CHECKING:
    from memos_cli.infrastructure.memories.transaction import Transaction
    from memos_cli.infrastructure.storage.encryption import Keeper
    from memos_cli.interface.access.access import Access
    from memos_cli.interface.access.vault_keys import KeyKeeper
    from memos_cli.models.embed.embedder import Embedder
    from memos_cli.models.engine import Engine
    from memos_cli.models.llama.llama_engine import Engine as LocalEngine
    from memos_cli.models.model_files import Model
    from memos_cli.models.remote.address import Address
    from memos_cli.models.remote.server_engine import ServerEngine
    from memos_cli.models.reranker import Reranker
    from memos_cli.operation.adapters.parametric import AdapterCache
    from memos_cli.operation.states.activation import StateCache
    from memos_cli.operation.states.throughput import Throughput

NAMED = 100
"""Memories of one read that its audit row names; it only counts the others."""


def wall_clock() -> int:
    """Return the time, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def ignore(progress: object) -> None:
    """Ignore the progress of a long use case: the default of its ``on_…`` options."""


def refuse_without_terminal(vault: str, twice: bool) -> str:
    """Raise Refused: the default for a session that cannot ask for a passphrase."""
    raise Refused(
        f"{vault} is encrypted, and there is no terminal to ask for the passphrase",
        "run it in a terminal; for scripts: memos init --encrypt --key-file FILE",
    )


class Session:
    """A vault and the models that work with it.

    Use it as a context manager, or close it. Not thread-safe.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], int] = wall_clock,
        ask: Callable[[str, bool], str] | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Create a session. ``ask`` asks a person for a passphrase: of which vault, and whether twice.
        ``warn`` gets notes for the user that belong to no result.
        """
        self.settings = settings
        use_zone(settings.time_zone)
        self.folder = vault_folder(settings)
        self._access: Access | None = None
        self._clock = clock
        self._ask, self.warn = ask, warn
        self._engine: Engine | None = None
        self._embedder: Embedder | None = None
        self.by_words = False
        """Whether to search by words alone, because there is no time to open the embedder."""
        self._pace: Throughput | None = None
        self._counts = True
        """Whether the server that answers can be asked for tokens; False once it could not."""
        self.before_close: list[Callable[[], None]] = []
        """Functions to call before the models are closed."""

    def now(self) -> int:
        """Return the time, in milliseconds since 1970 UTC."""
        return self._clock()

    def change(self) -> AbstractContextManager[Transaction]:
        """Run one transaction of the caller; see ``Vault.change``."""
        return self.vault.change(self.principal, self.now())

    @property
    def principal(self) -> str:
        """The caller."""
        return self.access.caller.principal

    def create_vault(self, encrypt: Keeper | None = None) -> Vault:
        """Return the vault, created if there is none; see ``Vault.create``."""
        if "vault" not in self.__dict__:
            if encrypt:
                self.keys.keeper = encrypt
            is_new = not (self.folder / "VAULT.toml").exists()
            vault = Vault.create(
                self.folder, principal=principal_of(self.settings), now=self._clock(),
                timeout=self.settings.lock_timeout, lock=self.keys, encrypt=bool(encrypt),
            )  # fmt: skip
            self.__dict__["vault"] = self._enter(vault)
            if is_new and self.settings.audit_reads != "all":
                self.access.set_audited_reads(self.settings.audit_reads)
        return self.vault

    @cached_property
    def vault(self) -> Vault:
        """The vault. Raises NoVault, Damaged, TooNew, Locked, Refused."""
        guard(self.folder, is_open=self.settings.permissions == "any")
        return self._enter(Vault.open(self.folder, timeout=self.settings.lock_timeout, lock=self.keys))

    @cached_property
    def keys(self) -> KeyKeeper:
        """The place of the key of an encrypted vault."""
        from memos_cli.interface.access.vault_keys import KeyKeeper

        named = self.settings.key_file
        return KeyKeeper(expand_home(named) if named else None, self._ask or refuse_without_terminal)

    def _enter(self, vault: Vault) -> Vault:
        """Return ``vault``, restricted to what the caller may see."""
        from memos_cli.infrastructure.storage.scratch import sweep
        from memos_cli.interface.access.access import Access
        from memos_cli.interface.access.callers import identify

        sweep(vault.folder)
        try:
            caller = identify(vault.unrestricted, self.settings, self._clock())
        except BaseException:
            vault.close()
            raise
        restore_unexpired(vault, caller.principal, self._clock())
        access = self._access = Access(vault, caller, self._clock)
        vault.restrict_to(caller.principal, self._clock, at_once=not access.is_maker)
        return vault

    def identify_again(self) -> None:
        """Check that the vault still admits the caller: its token may have been revoked since it was opened.

        Raises Refused.
        """
        if self._access is not None:
            from memos_cli.interface.access.callers import identify

            self._access.caller = identify(self.vault.unrestricted, self.settings, self._clock())

    @property
    def access(self) -> Access:
        """The rights of the caller, and its rules for others."""
        if self._access is None:
            self.vault  # noqa: B018 (opening it identifies the caller)
        assert self._access is not None
        return self._access

    @cached_property
    def server(self) -> Address | None:
        """The server whose model answers; None if the model is a file."""
        from memos_cli.models.remote.address import is_address, parse_address

        name = self.settings.reader or self.vault.identity.reader
        return parse_address(name) if is_address(name) else None

    @cached_property
    def reader(self) -> Model:
        """The model file that answers: of the settings, else the vault's own, else the embedded one.

        Raises ModelUnfit if a server answers.
        """
        from memos_cli.models.model_files import resolve_reader

        if self.server is not None:
            raise ModelUnfit(
                f"this needs a model file, not the server {self.server}", "add --model FILE.gguf"
            )
        return resolve_reader(self.settings.reader or self.vault.identity.reader)

    @property
    def highest_sensitivity(self) -> str:
        """The highest sensitivity of memories for the model; on another machine, sensitivity.remote."""
        is_remote = self.server is not None and not self.server.is_local
        return self.settings.sensitivity_remote if is_remote else "secret"

    @property
    def model_name(self) -> str:
        """The name of the model that answers."""
        return self.reader.name if self.server is None else cast("ServerEngine", self.engine).name

    @property
    def parameters(self) -> int:
        """The number of weights of the model that answers. Raises ModelUnfit if there is none."""
        return self.reader.parameters if self.server is None else self.engine.parameters

    @property
    def engine(self) -> Engine:
        """The model that answers, loaded, or in its server. Raises ModelUnfit, Refused."""
        if self._engine is None:
            self._engine = self._open_engine() if self.server is None else self._open_server(self.server)
        return self._engine

    @property
    def local_engine(self) -> LocalEngine:
        """The model file that answers, loaded. Raises ModelUnfit if a server answers."""
        self.reader  # noqa: B018 (it raises)
        return cast("LocalEngine", self.engine)

    def use_reader(self, name: str) -> None:
        """Use another model from now on. If it raises ModelUnfit or Refused, the old model stays."""
        settings, cached = self.settings, self.__dict__
        before: dict[str, object] = {key: cached.pop(key) for key in ("reader", "server") if key in cached}
        self.settings = replace(settings, reader=name)
        try:
            if self.server is None:
                self.reader  # noqa: B018 (it raises)
            if self._engine is not None:
                self._engine.close()
                self._engine = None
            self.__dict__.pop("adapter_cache", None)  # the engine's adapters went with it
            self._pace = None
            self.engine  # noqa: B018 (it raises)
        except BaseException:
            self.settings = settings
            for key in ("reader", "server"):
                self.__dict__.pop(key, None)
            self.__dict__ |= before
            raise

    def clear_cache(self) -> None:
        """Clear the caches of the models."""
        self.__dict__.pop("state_cache", None)
        if self._engine is not None:
            self._engine.clear()

    def open_vocabulary(self) -> AbstractContextManager[Engine]:
        """Open the model to count tokens: of a file, without its weights."""
        return self._open_engine(vocabulary_only=True) if self.server is None else nullcontext(self.engine)

    def count_quoted(self, cubes: Sequence[Cube]) -> list[int]:
        """Return the tokens of ``cubes`` as quoted text, counted by a model server on this machine; estimated
        if there is none, or if it does not run. Other machines are not asked."""
        from memos_cli.operation.ask.prompt_layout import estimated_costs, memory_text

        if self._counts and self.server is not None and self.server.is_local:
            try:
                return [self.engine.count(memory_text(cube)) for cube in cubes]
            except ModelUnfit as error:
                self._counts = False
                self.warn(f"note: tokens are estimated: {error}")
        return estimated_costs(cubes)

    def _open_server(self, address: Address) -> Engine:
        from memos_cli.models.remote.address import require_allowed
        from memos_cli.models.remote.server_probe import ServerOptions, open_server

        settings = self.settings
        require_allowed(address, settings.network_allow)
        if not address.is_local:
            level, unsafe = settings.sensitivity_remote, address.scheme == "http"
            self.warn(
                f"note: {address.place} is another machine: it gets your questions, and memories up to"
                f" the sensitivity {level}{', unencrypted' if unsafe else ''}"
            )
        slots = Path(expand_home(settings.activation_slots)).absolute() if settings.activation_slots else None
        counts = cache_folder() / "token-counts.json"
        return open_server(
            address, ServerOptions(settings.query_context, settings.network_timeout, slots, counts)
        )

    def _open_engine(self, *, vocabulary_only: bool = False) -> LocalEngine:
        from memos_cli.models.llama.llama_engine import Engine

        settings = self.settings
        return Engine(
            self.reader.path, context=settings.query_context, threads=settings.threads,
            kv_type=settings.activation_kv_type, vocabulary_only=vocabulary_only,
        )  # fmt: skip

    def fingerprint(self, engine: Engine) -> Mapping[str, str]:
        """Return the fingerprint that a saved state of the reader depends on.

        Its ``model`` is "", and fits no state, when the file is not the one that the engine opened any more.
        """
        from memos_cli.operation.states.activation import fingerprint_of

        return fingerprint_of(engine, engine.model_id)

    def throughput(self, engine: Engine, fingerprint: Mapping[str, str]) -> Throughput:
        """Return the measured speed of reading and restoring: the last measurement, or a new one."""
        from memos_cli.operation.states import throughput

        if self._pace is None:
            known = throughput.kept(self.vault.connection, fingerprint)
            self._pace = known or throughput.sample(engine)
        return self._pace

    @cached_property
    def state_cache(self) -> StateCache:
        """The states that this process has verified."""
        from memos_cli.operation.states.activation import StateCache

        return StateCache()

    @cached_property
    def adapter_cache(self) -> AdapterCache:
        """The adapters that the reader has loaded."""
        from memos_cli.operation.adapters.parametric import AdapterCache

        return AdapterCache()

    @cached_property
    def reranker(self) -> Reranker | None:
        """The cross-encoder of the settings; None where they name none."""
        if not self.settings.search_reranker:
            return None
        from memos_cli.models.reranker import Reranker

        return Reranker(self.settings.search_reranker)

    def audit_reads(self, action: str, cubes: Sequence[Cube], more: int = 0) -> None:
        """Record in the audit that the caller read ``cubes`` and ``more`` others, if the vault audits reads.

        The row names the first of many memories."""
        if cubes and self.access.audited_reads == "all":
            named, count = cubes[:NAMED], len(cubes) + more
            self.vault.audit_reads(self.principal, self.now(), action, named, count - len(named))

    @property
    def embedder(self) -> Embedder:
        """The embedder: of the settings, else the vault's own, else the embedded one."""
        if self._embedder is None:
            from memos_cli.models.embed.embedder import vault_embedder

            self._embedder = self.open_embedder(
                self.settings.embedder or vault_embedder(self.vault.identity.embedder)
            )
        return self._embedder

    def use_embedder(self, name: str) -> None:
        """Open another embedder and use it from now on. Raises ModelUnfit."""
        chosen = self.open_embedder(name)
        if self._embedder is not None:
            self._embedder.close()
        self._embedder = chosen

    def open_embedder(self, name: str) -> Embedder:
        """Open an embedder. The caller closes it."""
        from memos_cli.models.embed.embedder import open_embedder

        return open_embedder(name, cache_folder(), threads=self.settings.threads)

    def close(self) -> None:
        for end in self.before_close:
            end()
        if self._engine is not None:
            self._engine.close()
        if self._embedder is not None:
            self._embedder.close()
        if "vault" in self.__dict__:
            self.vault.close()
            if self.vault.unaudited:
                self.warn(f"note: what was read is not in the audit: {self.vault.unaudited}")
            for place in self.vault.remaining:
                self.warn(f"note: a saved state of deleted memories remains; delete {place}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        with suppress(Locked) if kind else nullcontext():  # the first error is the one to report
            self.close()


def restore_unexpired(vault: Vault, principal: str, now: int) -> None:
    """Restore memories that expired early because of a wrong clock. Do nothing if the vault is read-only."""
    early = vault.connection.execute(
        """SELECT n FROM cube WHERE expires > ? AND state = 'expired' AND payload = 'plaintext'
           AND uses_left IS NOT 0""",
        (now,),
    ).fetchall()
    if early:
        with suppress(MemosError, OSError), vault.change(principal, now) as change:
            for (cube,) in early:
                change.set_state(cube, "activated", "restore")
