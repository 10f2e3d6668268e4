"""The configuration of a command that goes on: it is read again when its file has changed, as after a reload."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from watcher.config import Config

Signature = tuple[int, ...]


class LatestConfig:
    """Returns the usable part of the configuration, and whether the rest of it is faulty.

    Args:
        settings: the configuration as it was read first.
        faulty: whether it was faulty then.
    """

    def __init__(self, settings: Config, *, faulty: bool) -> None:
        self._settings = settings
        self._faulty = faulty
        # The file may have changed since it was read first, so it is read once more.
        self._signature: Signature | None = None

    def __call__(self) -> tuple[Config, bool]:
        """Return the present one; while the file is absent or faulty, the last one without a fault, if any."""
        from watcher.config import ConfigError

        signature = _signature(self._settings.path)
        if signature is not None and signature != self._signature:
            self._signature = signature
            with suppress(ConfigError):
                self._read()
        return self._settings, self._faulty

    def _read(self) -> None:
        from watcher.config.usable_part import load_usable

        settings, error = load_usable(self._settings.path)
        # The daemon runs on with its old configuration as well.
        if error is None or self._faulty:
            self._settings, self._faulty = settings, error is not None


def _signature(path: Path) -> Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
