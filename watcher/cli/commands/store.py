"""``backup``, ``restore`` and ``migrate``: commands for the store's file."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import INVALID_CONFIG, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, load_config, load_for_store
from watcher.cli.text.output import cell, say, screen

if TYPE_CHECKING:
    from datetime import datetime

    from watcher.store.sqlite.database import Database
    from watcher.store.sqlite.opening import Opening

BACKUP_END: Final = help_end(
    "aitems-watcher backup /var/backups/watcher.db",
    "aitems-watcher backup --force --config /etc/aitems-watcher/config.toml nightly.db",
    statuses={
        ExitStatus.OK: "the backup is complete and checked",
        ExitStatus.FAILED: "the backup failed, or the file exists",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: INVALID_CONFIG,
    },
)
RESTORE_END: Final = help_end(
    "aitems-watcher restore   # the newest intact automatic backup",
    "aitems-watcher restore /var/backups/watcher.db",
    statuses={
        ExitStatus.OK: "the backup has replaced the store",
        ExitStatus.FAILED: "there is no such backup, or it is damaged",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: INVALID_CONFIG,
    },
)
MIGRATE_END: Final = help_end(
    "aitems-watcher migrate --check",
    "aitems-watcher migrate",
    statuses={
        ExitStatus.OK: "the store has this version's schema",
        ExitStatus.FAILED: "--check: the schema is older; otherwise: the backup before the migration failed",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: INVALID_CONFIG,
    },
)

ForceOption = Annotated[bool, typer.Option("--force", "-f", help="Overwrite an existing file.")]
CheckOption = Annotated[bool, typer.Option("--check", help="Only say whether a migration is needed.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")]
BackupArgument = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="A backup; by default the newest intact automatic one.")
]


def backup(file: FileArgument, config: ConfigOption = None, force: ForceOption = False) -> None:
    """Write a complete copy of the store to FILE.

    Works beside a running daemon. The copy is checked before it gets its name, and an existing file is not
    overwritten. The daemon also makes a backup each day, in the folder `backups` beside the store, and keeps each
    for a week.
    """
    with plain_errors():
        from watcher.cli.store_access import require_store
        from watcher.operations.backup import BackupRequest, back_up
        from watcher.store.sqlite.backup import write_backup

        store = require_store(load_for_store(config), os.environ)
        made = back_up(partial(write_backup, store), BackupRequest(target=file, force=force), _now())
    screen().line(cell(f"{store} -> {made.target}, {made.size_bytes:,} bytes, checked"))


def restore(file: BackupArgument = None, config: ConfigOption = None) -> None:
    """Replace the store with a backup.

    The daemon must be stopped. The old store is kept beside the new one. The next polls detect the changes since the
    backup again; their messages are marked as restored, since some of them may be repeats.
    """
    with plain_errors():
        from watcher.store.sqlite.database import restore_database

        store = _store_to_replace(config)
        database = restore_database(store, file, now=_now())
        database.close()
    _show_opening(database.opening)


def migrate(config: ConfigOption = None, check: CheckOption = False) -> None:
    """Migrate the store to this version's schema.

    The daemon must be stopped; its start migrates too. A backup is made first, in the folder `backups` beside the
    store. A store of an older version is also rewritten once, so that its file can shrink.
    """
    with plain_errors():
        from watcher.store.migrations.schema_version import revision_in, this_revision
        from watcher.store.url import sqlite_url

        store = _existing_store(config)
        if check:
            found = revision_in(sqlite_url(store))
            screen().line(cell(f"schema {found}, this version has {this_revision()}"))
            raise typer.Exit(ExitStatus.OK if found == this_revision() else ExitStatus.FAILED)
        from watcher.store.sqlite.database import open_database

        database = open_database(store, purpose="migrate", now=_now())
        try:
            _make_shrinkable(database)
        finally:
            database.close()
        _show_opening(database.opening)
        old = database.opening.migrated_from
        screen().line(
            f"schema {this_revision()}, nothing to do" if old is None else f"schema {old} -> {this_revision()}"
        )


def _make_shrinkable(database: Database) -> None:
    """Rewrite the store of an older version; it works as before where there is no space for that."""
    from watcher.store.errors import StoreUnusable

    try:
        if database.make_shrinkable():
            say("the store was rewritten: its file can shrink from now on")
    except StoreUnusable as error:
        say(f"warning: {error}")


def _show_opening(opening: Opening) -> None:
    if opening.backup is not None:
        say(f"backup before the migration: {opening.backup}")
    if (recovery := opening.recovery) is not None:
        say(recovery.problem)
        if recovery.backup is not None:
            screen().line(cell(f"restored from {recovery.backup}, made at {recovery.backup_made_at}"))
        if recovery.set_aside is not None:
            screen().line(cell(f"the old store: {recovery.set_aside}"))


def _store_to_replace(config: Path | None) -> Path:
    """Return the file of the store; a daemon that has lost it holds no lock there.

    Raises:
        StoreLost: such a daemon runs.
    """
    from watcher.cli.store_access import place_of_store

    return place_of_store(load_config(config), os.environ)


def _existing_store(config: Path | None) -> Path:
    from watcher.cli.store_access import require_store

    settings = load_config(config)
    return require_store(settings, os.environ)


def _now() -> datetime:
    from watcher.clock import Clock

    return Clock().utc_now()
