"""The URL of a store: ``sqlite:///`` and a path; other databases come later."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from watcher.store.errors import StoreUnusable

SQLITE: Final = "sqlite:///"


def sqlite_url(path: Path) -> str:
    """Return the URL of the store in a file."""
    return f"{SQLITE}{path}"


def sqlite_path(url: str) -> Path:
    """Return the file of a store.

    Raises:
        StoreUnusable: the store is in no file.
    """
    if not url.startswith(SQLITE):
        # The URL may hold a password, so the message does not show it.
        raise StoreUnusable(f'this version keeps its store in a file; write a URL that begins with "{SQLITE}"')
    return Path(url.removeprefix(SQLITE))
