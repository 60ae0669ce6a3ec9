"""Every command: its place in ``memos --help``, and the function that runs it."""

from __future__ import annotations

COMMANDS: dict[str, dict[str, str]] = {
    "Everyday": {
        "init": "vault.init:init",
        "ingest": "ingest.ingesting:ingest",
        "search": "ask.search:search",
        "query": "ask.query:query",
        "list": "lifecycle.listing:list_",
        "show": "lifecycle.listing:show",
        "edit": "lifecycle.editing:edit",
        "tag": "lifecycle.editing:tag",
        "forget": "lifecycle.forgetting:forget",
        "view set": "vault.views:set_view",
        "view create": "vault.views:set_view",
        "view list": "vault.views:list_views",
        "view remove": "vault.views:remove_view",
    },
    "Over time": {
        "history": "lifecycle.listing:history",
        "diff": "lifecycle.archiving:diff",
        "rollback": "lifecycle.archiving:rollback",
        "archive": "lifecycle.archiving:archive",
        "restore": "lifecycle.archiving:restore",
        "expire": "lifecycle.editing:expire",
        "freeze": "lifecycle.archiving:freeze",
        "unfreeze": "lifecycle.archiving:unfreeze",
        "link": "lifecycle.linking:link",
        "merge": "lifecycle.linking:merge",
        "slice": "lifecycle.linking:slice_",
        "conflicts": "lifecycle.conflicts:conflicts",
        "quarantine": "lifecycle.quarantine:quarantine",
        "mark": "lifecycle.editing:mark",
    },
    "Faster forms": {
        "promote": "states.promoting:promote",
        "demote": "states.promoting:demote",
        "pin": "states.pinning:pin",
        "gate": "adapters.training:gate",
        "bench ttft": "bench.first_token:ttft",
    },
    "Sharing": {
        "import": "ingest.importing:import_",
        "export": "share.exporting:export",
        "feed publish": "share.publishing:publish",
        "feed subscribe": "share.feeds:subscribe",
        "feed update": "share.feeds:update",
        "feed unsubscribe": "share.feeds:unsubscribe",
        "feed list": "share.feeds:list_feeds",
        "key new": "share.keys:new",
        "key show": "share.keys:show",
        "key list": "share.keys:list_",
        "key trust": "share.keys:trust",
        "key distrust": "share.keys:distrust",
    },
    "Agents": {
        "mcp": "mcp:serve",
        "mcp install": "mcp:install",
        "mcp remove": "mcp:remove",
        "mcp status": "mcp:status",
    },
    "Access": {
        "grant": "access.grants:grant",
        "revoke": "access.grants:revoke",
        "access explain": "access.grants:explain",
        "access group add": "access.groups:add",
        "access group remove": "access.groups:remove",
        "access group list": "access.groups:list_groups",
        "access token create": "access.tokens:create",
        "access token list": "access.tokens:list_tokens",
        "access token revoke": "access.tokens:revoke",
        "access token require": "access.tokens:require",
        "access task list": "access.groups:list_tasks",
        "access task done": "access.groups:finish_task",
        "audit": "access.auditing:show_audit",
        "audit verify": "access.auditing:verify",
        "audit reads": "access.auditing:reads",
    },
    "Vault": {
        "embed": "ingest.ingesting:embed",
        "models": "vault.inspection:models",
        "config": "vault.inspection:config",
        "stats": "vault.inspection:stats",
        "check": "vault.inspection:check",
        "doctor": "vault.doctor:doctor",
        "maintain": "vault.maintenance:maintain",
        "cron": "vault.maintenance:cron",
        "backup": "vault.backups:backup",
        "restore-vault": "vault.backups:restore_vault",
        "completion": "shell_scripts:completion",
        "man": "manuals:write_manuals",
        "help": "guides:show_guide",
    },
}
"""The commands below each heading, and where each is: a module of ``memos_cli.cli``, and a function in it."""

GROUPS = {
    "view": ("Save filters under a name, for --view.", "view set work --tag work"),
    "feed": ("Publish memories, and follow feeds of others.", "feed subscribe ~/shared/climate --trust"),
    "key": ("Manage the keys that sign exports and feeds.", "key trust ed25519:…"),
    "access": ("Explain rights; manage groups, tokens and tasks.", "access explain 01K3ZQ --for agent:coder"),
    "access group": (
        "Name several principals at once, for grants.",
        "access group add group:team user:bo agent:coder",
    ),
    "access token": (
        "Issue tokens that fix an agent's identity and limit its rights.",
        "access token create agent:coder --role reader --expires 30d",
    ),
    "access task": ("List and finish the tasks of agents.", "access task done release-9"),
    "bench": ("Measure on this machine, in a temporary vault.", "bench ttft"),
}
"""The summary of each word that stands before a command, and an example."""

HIDDEN = {"view create", "expire", "mark"}
"""Commands that --help does not list: another command does the same."""

OLD = {
    "publish": ("feed", "publish"),
    "subscribe": ("feed", "subscribe"),
    "update": ("feed", "update"),
    "unsubscribe": ("feed", "unsubscribe"),
    "group": ("access", "group"),
    "token": ("access", "token"),
    "task": ("access", "task"),
    "unlink": ("link", "--remove"),
    "unpin": ("pin", "--remove"),
    "review": ("quarantine",),
}
"""Old spellings, and what they are read as. ``access ID`` is read as ``access explain ID``."""
