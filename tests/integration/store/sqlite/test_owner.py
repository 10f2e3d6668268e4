"""Root's work on a store in another user's folder leaves files that this user can open."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.store.errors import StoreUnusable
from watcher.store.sqlite.backup import write_backup
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.database import open_database, restore_database
from watcher.store.sqlite.disk_reserve import RESERVE_BYTES, Reserve
from watcher.store.sqlite.owner import Owner, closed_files, give_to_owner, may_read, owner_of_store

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
USER = 4242
GROUP = 4343

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return the place of a store in another user's folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, USER, GROUP)
    return folder / "watcher.db"


def owners(folder: Path) -> set[tuple[int, int]]:
    found = (path.lstat() for path in (folder, *folder.rglob("*")))
    return {(status.st_uid, status.st_gid) for status in found}


def make(store: Path) -> None:
    database = open_database(store, purpose="once", now=NOW)
    assert database.reserve.hold()
    # While it is open too: a kill must leave no file of root.
    assert owners(store.parent) == {(USER, GROUP)}
    database.close()


def restore_newest(store: Path) -> None:
    make(store)
    BackupFolder(store).add(NOW)
    restore_database(store, None, now=NOW).close()


def restore_from_elsewhere(store: Path) -> None:
    make(store)
    backup = store.parent.parent / "by-root.db"
    write_backup(store, backup, NOW)
    assert owners(backup) == {(0, 0)}, "a backup in root's folder stays root's"
    restore_database(store, backup, now=NOW).close()


def restore_into_nothing(store: Path) -> None:
    restore_from_elsewhere(store)
    for path in store.parent.glob("watcher.db*"):
        path.unlink()
    restore_database(store, store.parent.parent / "by-root.db", now=NOW).close()


def recover_from_damage(store: Path) -> None:
    make(store)
    BackupFolder(store).add(NOW)
    store.write_bytes(b"garbage, and longer than a header of SQLite " * 100)
    open_database(store, purpose="migrate", now=NOW).close()


def back_up_beside(store: Path) -> None:
    make(store)
    write_backup(store, store.with_name("before.db"), NOW)


def heal(store: Path) -> None:
    """Open what an older version, or cp by root, left to root."""
    make(store)
    for path in store.parent.glob("watcher.db*"):
        os.chown(path, 0, 0)
    open_database(store, purpose="once", now=NOW).close()


WORK = (make, restore_newest, restore_from_elsewhere, restore_into_nothing, recover_from_damage, back_up_beside, heal)


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_every_file_takes_the_owner_of_the_folder(store: Path, work: Callable[[Path], None]) -> None:
    work(store)
    assert owners(store.parent) == {(USER, GROUP)}


def test_folders_that_root_makes_take_the_owner_of_the_nearest_one(store: Path) -> None:
    make(store.parent / "deep" / "deeper" / "watcher.db")
    assert owners(store.parent) == {(USER, GROUP)}


def test_the_owner_of_the_files_counts_in_a_shared_folder(tmp_path: Path) -> None:
    store = tmp_path / "watcher.db"
    open_database(store, purpose="run", now=NOW).close()
    for path in tmp_path.glob("watcher.db*"):
        os.chown(path, USER, GROUP)
    backup = tmp_path / "backup"
    write_backup(store, backup, NOW)
    restore_database(store, backup, now=NOW).close()
    assert store.stat().st_uid == USER
    assert owner_of_store(store) == Owner(USER, GROUP)


def test_files_in_roots_own_folder_stay_roots(tmp_path: Path) -> None:
    make_here = tmp_path / "watcher.db"
    open_database(make_here, purpose="run", now=NOW).close()
    assert owners(tmp_path) == {(0, 0)}
    assert owner_of_store(make_here) is None


@pytest.fixture
def secret_of_the_system(tmp_path: Path) -> Path:
    path = tmp_path / "shadow"
    path.write_text("root's own")
    path.chmod(0o600)
    return path


def dangling(target: Path, link: Path) -> None:
    target.unlink()
    link.symlink_to(target)


def content(path: Path) -> tuple[str, int] | None:
    return (path.read_text(), path.stat().st_uid) if path.exists() else None


LINKS = (os.link, os.symlink, dangling)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("name", ["watcher.db", "watcher.db.lock"])
@pytest.mark.parametrize("text", ["", "root's own"])
def test_root_refuses_a_link_of_the_user_and_changes_no_file_of_the_system(
    store: Path, secret_of_the_system: Path, name: str, link: Callable[[Path, Path], None], text: str
) -> None:
    secret_of_the_system.write_text(text)
    link(secret_of_the_system, store.with_name(name))
    before = content(secret_of_the_system)
    with pytest.raises(StoreUnusable, match=rf"{name}: it is a link"):
        open_database(store, purpose="once", now=NOW).close()
    assert content(secret_of_the_system) == before


@pytest.mark.parametrize("link", LINKS)
def test_a_link_in_place_of_the_reserve_gives_way_and_its_target_stays(
    store: Path, secret_of_the_system: Path, link: Callable[[Path, Path], None]
) -> None:
    reserve = store.with_name("watcher.db.reserve")
    link(secret_of_the_system, reserve)
    before = content(secret_of_the_system)
    give_to_owner(store)
    assert content(secret_of_the_system) == before
    assert Reserve(store).hold()
    assert content(secret_of_the_system) == before
    assert (reserve.is_symlink(), reserve.stat().st_size) == (False, RESERVE_BYTES)


@pytest.mark.parametrize("number", [1, 3])
def test_a_linked_folder_of_backups_gets_no_files_of_root(store: Path, tmp_path: Path, number: int) -> None:
    """The user may have linked it to a folder of root that holds backups too."""
    backups = tmp_path / "backups-of-root"
    backups.mkdir()
    for day in range(number):
        (backups / f"watcher-2026112{day}T030000Z.db").touch()
    (store.parent / "backups").symlink_to(backups)
    give_to_owner(store)
    assert owners(backups) == {(0, 0)}


@pytest.mark.parametrize("swap_after", [1, 2])
def test_a_folder_swapped_for_a_link_gets_no_files_of_root(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap_after: int
) -> None:
    roots, linked, given = tmp_path / "backups-of-root", store.parent / "backups", list[str]()
    for folder in (roots, linked):
        folder.mkdir()
        for day in range(3):
            (folder / f"watcher-2026112{day}T030000Z.db").touch()
    chown = os.chown

    def chown_and_swap(path: str, uid: int, gid: int) -> None:
        chown(path, uid, gid)
        given.append(path)
        if len(given) == swap_after:
            linked.rename(store.parent / "away")
            linked.symlink_to(roots)

    monkeypatch.setattr(os, "chown", chown_and_swap)
    give_to_owner(store)
    assert owners(roots) == {(0, 0)}
    assert len(given) == (1 if swap_after == 1 else 4), "a folder that was swapped before is left alone"


def test_a_pipe_in_place_of_the_lock_is_refused_without_a_wait(store: Path) -> None:
    os.mkfifo(store.with_name("watcher.db.lock"))
    with pytest.raises(StoreUnusable, match="no plain file"):
        open_database(store, purpose="once", now=NOW)


def test_the_user_may_keep_the_store_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    open_database(tmp_path / "disk" / "watcher.db", purpose="run", now=NOW).close()
    linked = tmp_path / "watcher.db"
    linked.symlink_to(tmp_path / "disk" / "watcher.db")
    database = open_database(linked, purpose="run", now=NOW)
    database.close()
    assert not database.created


def test_files_that_the_user_cannot_open_are_named(store: Path) -> None:
    make(store)
    user = Owner(USER, GROUP)
    assert closed_files(store, user) == []
    os.chown(store, 0, 0)
    assert closed_files(store, user) == [store]
    os.chown(store, 0, GROUP)
    store.chmod(0o660)
    assert closed_files(store, user) == []
    os.chown(store, USER, GROUP)
    store.chmod(0o440)
    assert closed_files(store, user) == [store]
    store.chmod(0o600)
    os.chown(store.parent, 0, 0)
    assert closed_files(store, user) == [store.parent]


def test_a_secret_below_a_closed_folder_cannot_be_read(tmp_path: Path, secret_of_the_system: Path) -> None:
    user = Owner(USER, GROUP)
    secret_of_the_system.chmod(0o644)
    open_to_all = all(folder.stat().st_mode & 0o001 for folder in secret_of_the_system.parents)
    assert may_read(secret_of_the_system, user) is open_to_all
    tmp_path.chmod(0o700)
    assert not may_read(secret_of_the_system, user)
