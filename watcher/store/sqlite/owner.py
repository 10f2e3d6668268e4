"""The owner of the store's files: what root makes in another user's folder belongs to that user.

The daemon runs as a user of its own, and root runs commands on its store. A file that root left there with mode 0600
would keep the daemon from starting. That user can also put links there, and root must not write through them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watcher.store.sqlite.file_names import LOCK, RESERVE, SIDE_FILES, backups_of, side_file

ROOT: Final = 0
PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
OWN_FILES: Final = ("", *SIDE_FILES, LOCK, RESERVE)
"""The files of a store, by the end of their names."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A user and a group, by number."""

    uid: int
    gid: int


class NotPlainFileError(OSError):
    """A file of the store is a link, has a second name, or is no plain file."""

    def __init__(self) -> None:
        super().__init__(errno.ELOOP, "it is a link, has a second name, or is no plain file")


def owner_of_store(store: Path) -> Owner | None:
    """Return the user other than root whose store this is; ``None`` if only root is concerned.

    The store's own files say it, else the nearest folder that exists.
    """
    folder = next((parent for parent in store.absolute().parents if parent.exists()), store.parent)
    for path in (store, side_file(store, LOCK), folder):
        owner = _owner(path)
        if owner is not None and owner.uid != ROOT:
            return owner
    return None


def give_to_owner(store: Path) -> None:
    """As root, give the store's files and its automatic backups to the user whose store it is."""
    if os.geteuid() == ROOT and (owner := owner_of_store(store)) is not None:
        for path in _files(store):
            _give(path, owner)
        _give_backups(store, owner)


def give_new_file(path: Path, beside: Path) -> None:
    """As root, give a new file to the user to whom the file ``beside`` belongs, or its folder."""
    if os.geteuid() == ROOT and (owner := owner_of_store(beside)) is not None:
        _give(path, owner)


def open_private(path: Path) -> int:
    """Open a file of the store to read and write, or make it for this user alone; return its descriptor.

    Raises:
        NotPlainFileError: writing to it could change a file in another place.
        OSError: it cannot be opened.
    """
    # Without O_NONBLOCK, a pipe could keep this waiting.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, PRIVATE_FILE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPlainFileError from error
        raise
    if not is_plain(os.fstat(descriptor)):
        os.close(descriptor)
        raise NotPlainFileError
    return descriptor


def check_plain(store: Path) -> None:
    """As root, refuse a store of another user that could be a file in another place: SQLite follows links.

    Raises:
        NotPlainFileError: it is no plain file with one name.
    """
    if os.geteuid() == ROOT and os.path.lexists(store) and owner_of_store(store) and not is_plain(store.lstat()):
        raise NotPlainFileError


def is_plain(status: os.stat_result) -> bool:
    """Say whether it is a plain file with one name; with a second name it could be a file of the system."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def make_folder(path: Path) -> None:
    """Make a private folder with those above it; as root, give them to the owner of the one that exists.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    for folder in reversed(missing):
        give_new_file(folder, folder)


def closed_files(store: Path, user: Owner) -> list[Path]:
    """Return the existing files of the store that this user may not read and write, by their modes."""
    return [
        path
        for path in (store.parent, *_files(store), *_backups(store))
        if path.exists() and not _may(path, user, _needed(path))
    ]


def may_read(path: Path, user: Owner) -> bool:
    """Say whether this user may read a file, by its mode and those of its folders; other rules are not known here."""
    folders = list(path.absolute().parents)
    return _may(path, user, os.R_OK) and all(_may(folder, user, os.X_OK) for folder in folders)


def _needed(path: Path) -> int:
    return os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)


def _may(path: Path, user: Owner, rights: int) -> bool:
    status = path.stat()
    if user.uid == ROOT:
        return True
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
    return (status.st_mode >> shift) & rights == rights


def _files(store: Path) -> Iterator[Path]:
    for suffix in OWN_FILES:
        yield side_file(store, suffix)
    yield from store.parent.glob(f"{store.name}.set-aside-*")
    yield backups_of(store)


def _backups(store: Path) -> Iterator[Path]:
    yield from backups_of(store).glob(f"{store.stem}-*{store.suffix}")


def _give_backups(store: Path, owner: Owner) -> None:
    # By the open folder: its user could put a link to a folder of root in its place.
    with suppress(OSError):
        folder = os.open(backups_of(store), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for name in os.listdir(folder):  # noqa: PTH208 - a path would follow a new link
                if name.startswith(f"{store.stem}-") and name.endswith(store.suffix):
                    _give(Path(name), owner, folder)
        finally:
            os.close(folder)


def _owner(path: Path) -> Owner | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Owner(status.st_uid, status.st_gid)


def _give(path: Path, owner: Owner, folder: int | None = None) -> None:
    # With O_PATH the file is not opened: closing another descriptor of it would drop the locks of SQLite.
    with suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
            if status.st_uid == ROOT and (stat.S_ISDIR(status.st_mode) or is_plain(status)):
                os.chown(f"/proc/self/fd/{descriptor}", owner.uid, owner.gid)
        finally:
            os.close(descriptor)
