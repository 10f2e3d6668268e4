"""Whether the installed files are still those that this process has begun with: an upgrade replaces them at once.

Modules that are loaded late would then be those of another version than the ones that are loaded already.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

UPGRADED: Final = (
    "the installed files of aitems-watcher have changed since this process started, and this part was not loaded "
    "before; restart it, e.g. systemctl restart aitems-watcher"
)
_FILE: Final = Path(__file__).with_name("__init__.py")
Signature = tuple[int, int, int]


class UpgradedError(Exception):
    """A part cannot be loaded any more, as another version is installed."""

    def __init__(self) -> None:
        super().__init__(UPGRADED)


def require_loadable(module: str) -> None:
    """Refuse to load a module of another version.

    Raises:
        UpgradedError: it is not loaded yet, and the installed files have changed.
    """
    if module not in sys.modules and _signature() != _AT_START:
        raise UpgradedError


def _signature() -> Signature | None:
    """Return what changes with an installation; ``None`` in the middle of one."""
    try:
        found = _FILE.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


_AT_START: Final = _signature()
