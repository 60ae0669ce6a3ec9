"""The part of the Memory API that exchanges memories with other vaults, programs and folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from memos_cli.cube import Filter
from memos_cli.interface.session import Session, ignore

if TYPE_CHECKING:
    from memos_cli.infrastructure.share.feeds import Feed
    from memos_cli.infrastructure.share.publications import Publication
    from memos_cli.interface.importing.import_job import Imported
    from memos_cli.interface.options import IngestOptions, PublishOptions
    from memos_cli.interface.share.exporting import Exported
    from memos_cli.interface.share.feeds.publishing import Proposal, Published
    from memos_cli.interface.share.feeds.subscribing import Unsubscribed, Updated
    from memos_cli.interface.vault.backups import BackedUp
    from memos_cli.interface.vault.restoring import RestoredVault
    from memos_cli.operation.lifecycle.retention import Retention


class Exchange(Session):
    """Import, export, back up, publish and subscribe; see ``Memos``."""

    def import_export(
        self,
        path: Path,
        *,
        options: IngestOptions,
        kind: str = "",
        embed: bool = True,
        dry_run: bool = False,
        trust: bool = False,
        identity: str = "",
        with_grants: bool = False,
        date_order: str = "",
        on_source: Callable[[str], None] = ignore,
        on_drafts: Callable[[int], None] = ignore,
        on_vectors: Callable[[int], None] = ignore,
    ) -> Imported:
        """Import an export of another vault or program: a file, a folder or a zip archive.

        It changes only memories that an earlier import from there created. ``kind`` is one of
        ``importers.IMPORTS``, ``mip`` or ``jsonl``; "" detects it. ``trust`` trusts the signer from now on;
        ``identity`` is the file of the age key that decrypts a bundle; ``with_grants`` applies a bundle's
        grants to memories that are new here. ``date_order`` is that of dates that could be read in two ways:
        ``dmy``, ``mdy`` or ``ymd``; "" decides by the whole file.
        """
        from memos_cli.interface.importing.import_job import import_export

        return import_export(
            self, path, options, kind=kind, embed=embed, dry_run=dry_run, trust=trust, identity=identity,
            with_grants=with_grants, date_order=date_order, on_source=on_source, on_drafts=on_drafts,
            on_vectors=on_vectors,
        )  # fmt: skip

    def export(
        self,
        ids: Sequence[str] = (),
        *,
        stream: IO[bytes],
        filter: Filter | None = None,
        format: str = "mip",
        up_to: str = "",
        signed: bool = False,
    ) -> Exported:
        """Write memories for another vault or program, but none more sensitive than ``up_to``."""
        from memos_cli.interface.share.exporting import export

        most = up_to or self.settings.sensitivity_export
        return export(self, ids, filter, format=format, up_to=most, stream=stream, signed=signed)

    def backup(self, folder: Path, keep: Retention, *, on_bytes: Callable[[int], None] = ignore) -> BackedUp:
        """Add a snapshot of the whole vault to a folder; remove the snapshots that ``keep`` does not keep."""
        from memos_cli.interface.vault.backups import back_up

        return back_up(self, folder, keep, on_bytes)

    def restore_vault(
        self, folder: Path, snapshot: str = "", *, on_bytes: Callable[[int], None] = ignore
    ) -> RestoredVault:
        """Restore a snapshot ("": the newest) of a folder as this vault, which must not exist yet."""
        from memos_cli.interface.vault.restoring import restore

        return restore(self, folder, snapshot, on_bytes)

    def propose(
        self,
        name: str,
        options: PublishOptions | None = None,
        *,
        target: str = "",
        withdraw: bool = False,
        replace: bool = False,
    ) -> Proposal:
        """Return the content of the publication ``name`` as a proposal; nothing is sent yet.

        Without ``options``, those of the last time are used. ``withdraw`` withdraws all of it; ``replace``
        replaces a publication that another vault put there.
        """
        from memos_cli.interface.share.feeds import publishing

        return publishing.propose(self, name, options, target, withdraw=withdraw, replace=replace)

    def publish(self, proposal: Proposal, *, on_bytes: Callable[[int], None] = ignore) -> Published:
        """Send a proposed publication to its target."""
        from memos_cli.interface.share.feeds import publishing

        return publishing.publish(self, proposal, on_bytes)

    def publications(self) -> list[Publication]:
        """Return the caller's publications."""
        from memos_cli.interface.share.feeds import publishing

        return publishing.publications(self)

    def subscribe(
        self,
        url: str,
        *,
        name: str = "",
        quarantine: bool | None = None,
        trust: bool = False,
        on_bytes: Callable[[int], None] = ignore,
    ) -> Updated:
        """Subscribe to the publication at ``url``; its memories cannot be changed here."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.subscribe(self, url, name, quarantine=quarantine, trust=trust, on_bytes=on_bytes)

    def update(self, name: str, *, on_bytes: Callable[[int], None] = ignore) -> Updated:
        """Update a feed to its present publication."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.update(self, name, on_bytes)

    def unsubscribe(self, name: str, *, keep: bool = False) -> Unsubscribed:
        """Unsubscribe from a feed and delete its memories; with ``keep``, they become the caller's own."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.unsubscribe(self, name, keep=keep)

    def subscriptions(self) -> list[Feed]:
        """Return the feeds that the caller subscribes to."""
        from memos_cli.interface.share.feeds import subscribing

        return subscribing.subscriptions(self)
