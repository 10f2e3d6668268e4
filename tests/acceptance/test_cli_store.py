"""``backup``, ``restore``, ``migrate`` and ``config``."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.cli_support import EVERY_KIND, KEYS, Workplace, command, read_until, started, stopped


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database, and longer than a header " * 100)


def test_a_backup_beside_a_running_daemon_overwrites_nothing(workplace: Workplace) -> None:
    target = workplace.folder / "copy.db"
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "backup.made")
        made = workplace.command("backup", target)
        assert made.returncode == 0, made.stderr
        assert f"-> {target}" in made.stdout
        refused = workplace.command("backup", target)
        assert refused.returncode == 1
        assert "overwrite it with --force" in refused.stderr
        assert workplace.command("backup", "--force", target).returncode == 0
        itself = workplace.command("backup", "--force", workplace.folder / "watcher.db")
        assert "is the store itself" in itself.stderr
        held = workplace.command("restore", target)
        assert held.returncode == 75
        assert f"in use by process {daemon.pid}" in held.stderr
        status, _ = stopped(daemon, signal.SIGTERM)
    assert status == 0
    assert integrity(target) == "ok"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert len(list((workplace.folder / "backups").iterdir())) == 1
    assert workplace.json("status")["store"]["newest_backup"] is not None


def test_r18_a_damaged_store_is_restored_with_an_error_and_later_events_are_marked(workplace: Workplace) -> None:
    workplace.write(EVERY_KIND)
    store = workplace.folder / "watcher.db"
    assert workplace.command("once", env=KEYS).returncode == 0
    workplace.set_training("v1", "completed")
    assert workplace.command("once", env=KEYS).returncode == 0
    (before,) = [json.loads(line) for line in workplace.command("history", "--json").stdout.splitlines()]
    garbage(store)

    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        lines = read_until(daemon, "delivery.sent")
        status, _ = stopped(daemon, signal.SIGTERM)
    assert status == 0
    logged = {entry["event"]: entry for entry in map(json.loads, lines) if "event" in entry}
    assert logged["store.restored"]["level"] == "error"
    assert logged["watcher.started"]["store_created"] is False
    (announced,) = [json.loads(line) for line in lines if '"type":"training.succeeded"' in line]
    assert announced["data"]["restored"] is True
    assert announced["data"]["id"] != before["id"]
    assert Path(logged["store.restored"]["set_aside"]).read_bytes().startswith(b"not a database")

    shown = workplace.command("status")
    assert shown.returncode == 1
    assert "the store was restored at " in shown.stdout
    Path(logged["store.restored"]["set_aside"]).unlink()
    assert "the store was restored at " not in workplace.command("status").stdout


def test_r18_every_command_refuses_a_damaged_store_without_a_backup(workplace: Workplace) -> None:
    garbage(workplace.folder / "watcher.db")
    for name in ("run", "once", "status", "history", "migrate"):
        refused = workplace.command(name, env=KEYS)
        assert refused.returncode == 75, name
        assert "Traceback" not in refused.stderr
    asked = workplace.command("restore")
    assert asked.returncode == 1
    assert "no sound automatic backup" in asked.stderr


def test_a_named_backup_replaces_the_store(workplace: Workplace) -> None:
    target = workplace.folder / "copy.db"
    assert workplace.command("once", env=KEYS).returncode == 0
    assert workplace.command("backup", target).returncode == 0
    restored = workplace.command("restore", target)
    assert restored.returncode == 0, restored.stderr
    assert f"restored from {target}" in restored.stdout
    assert "the old store: " in restored.stdout
    wrong = workplace.command("restore", workplace.config)
    assert wrong.returncode == 1
    assert "no sound backup" in wrong.stderr


def test_migrate_names_the_old_and_the_new_schema(workplace: Workplace) -> None:
    absent = workplace.command("migrate", "--check")
    assert absent.returncode == 75
    assert "there is no store at" in absent.stderr
    assert workplace.command("once", env=KEYS).returncode == 0
    assert workplace.command("migrate", "--check").returncode == 0
    assert workplace.command("migrate").stdout.endswith(", nothing to do\n")


@pytest.mark.smoke
def test_the_example_is_valid_toml_and_the_schema_is_json() -> None:
    example = command("config", "example")
    assert example.returncode == 0
    assert set(tomllib.loads(example.stdout)) >= {"account", "watch", "receiver"}
    schema = command("config", "schema")
    assert schema.returncode == 0
    assert "account" in json.loads(schema.stdout)["properties"]


def test_a_group_of_commands_has_help_too() -> None:
    for args in (("config", "--help"), ("config", "schema", "--help"), ("config", "example", "--help")):
        shown = command(*args)
        assert shown.returncode == 0
        assert "Exit status:" in shown.stdout
