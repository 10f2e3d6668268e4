"""R18 with the whole daemon: a store damaged between two runs is restored or refused."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.store.sqlite.test_r18_damage import emptied, flipped_bits, garbage, gone, truncated
from tests.slow.acceptance.test_kill import daemon
from tests.slow.acceptance.test_r24_second_daemon import outcome
from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve
from watcher.store.sqlite.backup_folder import BackupFolder

Damage = Callable[[Path], None]


def without_log(store: Path) -> None:
    """Remove the write-ahead log with the commits in it."""
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink()


def checkpointed(damage: Damage) -> Damage:
    """Damage a file after a checkpoint: otherwise the write-ahead log would repair the damage."""

    def checkpoint_and_damage(store: Path) -> None:
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.with_name(store.name + "-wal").touch()
        damage(store)

    checkpoint_and_damage.__name__ = damage.__name__
    return checkpoint_and_damage


async def more_deliveries(hook: Inbox, count: int = 8) -> None:
    """Wait for this number of further deliveries."""
    announced = len(hook.received)
    await daemon_in_process.eventually(lambda: len(hook.received) >= announced + count, 60)


@pytest.mark.parametrize(
    "damage",
    [
        garbage,
        pytest.param(checkpointed(flipped_bits), marks=pytest.mark.torture),
        pytest.param(checkpointed(truncated), marks=pytest.mark.torture),
        pytest.param(emptied, marks=pytest.mark.torture),
        gone,
        pytest.param(without_log, marks=pytest.mark.torture),
    ],
)
async def test_r18_after_a_restore_events_are_announced_once_and_possible_repeats_are_marked(
    tmp_path: Path, damage: Damage
) -> None:
    api, runs, store = RecordingSimulator(), list[DaemonRun](), tmp_path / "watcher.db"
    async with serve(api) as simulator, listening(Inbox()) as hook:
        (tmp_path / "config.toml").write_text(
            daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        )
        async with changes_under_way(api, 18):
            async with daemon(tmp_path, runs, {}) as process:
                await more_deliveries(hook)
                backed_up = event_ids(BackupFolder(store).add(datetime.now(UTC)))
                await more_deliveries(hook)
                epoch = daemon_in_process.epoch(tmp_path)
                process.kill()
            # The last message of the killed daemon may still be on its way.
            await asyncio.sleep(2)
            before = len(hook.received)
            damage(store)
            async with daemon(tmp_path, runs, {}) as process:
                await more_deliveries(hook)
                process.kill()
        async with daemon(tmp_path, runs, {}) as process:
            await wait_until_settled(tmp_path, api)
            process.terminate()
            assert await process.wait() == 0
    assert daemon_in_process.epoch(tmp_path) != epoch
    log = (tmp_path / "daemon.log").read_text()
    assert '"store.restored"' in log
    # Events since the backup are lost with their ids; they are announced again with new ids and a mark.
    known = {announced.event.id for announced in daemon_in_process.history(tmp_path)}
    saved = [item for item in hook.received if {event["id"] for event in item.events} <= known]
    evidence = daemon_in_process.evidence(tmp_path, api.shown, runs[1:], {"hook": saved})
    assert violations(replace(evidence, epoch=None, answers_comparable=False)) == []
    lost = [event for item in hook.received[:before] for event in item.events if event["id"] not in known]
    after = [event for item in hook.received[before:] for event in item.events]
    # An event that the backup holds keeps its id; a repeat of it is no second event.
    again = [event for event in after if event["id"] not in backed_up and reaches_back(event, lost)]
    assert [event["id"] for event in again if not event["restored"]] == []
    assert {event["id"] for item in hook.received[before:] for event in item.events} <= known


def event_ids(store: Path) -> frozenset[str]:
    with closing(sqlite3.connect(store)) as connection:
        return frozenset(identity for (identity,) in connection.execute("SELECT id FROM event"))


def reaches_back(event: dict[str, Any], lost: Sequence[dict[str, Any]]) -> bool:
    """Say whether an event may be a repeat of a lost one."""
    names = ("service", "version", "to")
    same = [old for old in lost if [old[name] for name in names] == [event[name] for name in names]]
    return any(event["after"] <= old["before"] for old in same)


async def test_r18_a_refused_store_is_not_changed_and_works_again_once_it_is_repaired(tmp_path: Path) -> None:
    api, runs, store = RecordingSimulator(), list[DaemonRun](), tmp_path / "watcher.db"
    async with serve(api) as simulator, listening(Inbox()) as hook:
        (tmp_path / "config.toml").write_text(
            daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        )
        async with changes_under_way(api, 18):
            async with daemon(tmp_path, runs, {}) as process:
                await more_deliveries(hook)
                process.terminate()
                assert await process.wait() == 0
            for backup in (tmp_path / "backups").iterdir():
                backup.unlink()
            kept = store.read_bytes()
            for damage in (garbage, flipped_bits, truncated, newer):
                damage(store)
                left, announced = store.read_bytes(), len(hook.received)
                assert (await outcome(tmp_path, "run"))[0] == 75
                assert (store.read_bytes(), len(hook.received)) == (left, announced)
                store.write_bytes(kept)
            async with daemon(tmp_path, runs, {}) as process:
                await more_deliveries(hook)
                process.kill()
        async with daemon(tmp_path, runs, {}) as process:
            await wait_until_settled(tmp_path, api)
            process.terminate()
            assert await process.wait() == 0
        evidence = daemon_in_process.evidence(tmp_path, api.shown, runs, {"hook": hook.received})
    assert violations(evidence) == []


def newer(store: Path) -> None:
    """Pretend that a later version of the program made the store."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
