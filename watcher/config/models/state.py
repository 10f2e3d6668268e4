"""The location of the store, and the time for which it keeps history."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

import os
import pwd
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, ValidationInfo

from watcher.config.faults import invalid
from watcher.config.models.base import Settings
from watcher.config.models.fields import Retention, absolute_path

SQLITE: Final = "sqlite:///"
"""SQLAlchemy's prefix: three slashes before a relative path, four before an absolute one."""

DEFAULT_URL: Final = ""
FILE_NAME: Final = "watcher.db"

_REMEDY: Final = f'write "{SQLITE}watcher.db" (beside this file), "{SQLITE}/var/lib/…" (four slashes), or leave it out'


def _state_url(url: str, info: ValidationInfo) -> str:
    if url == DEFAULT_URL:
        return url
    if url.startswith(("postgres:", "postgresql:", "postgresql+")):
        raise invalid("this version does not have it yet: a store in PostgreSQL", _REMEDY)
    # No message holds the URL: that of another database may hold a password.
    if not url.startswith(SQLITE):
        raise invalid("is no sqlite URL", _REMEDY)
    path = url.removeprefix(SQLITE)
    if not path or path != path.strip() or not path.isprintable() or path.startswith(":") or "?" in path:
        raise invalid("names no file", _REMEDY)
    return f"{SQLITE}{absolute_path(path, info)}"


class StateSettings(Settings):
    """The table ``[state]``."""

    url: Annotated[str, AfterValidator(_state_url)] = DEFAULT_URL
    """``sqlite:///`` and an absolute path, or empty for the default folder."""
    keep_history: Retention = timedelta(days=400)

    def sqlite_path(self, environ: Mapping[str, str], implied_folder: Path | None = None) -> Path:
        """Return the file of the store; neither the file nor its folder need exist.

        Args:
            environ: the variables ``STATE_DIRECTORY``, ``XDG_STATE_HOME`` and ``HOME``.
            implied_folder: the folder that the configuration's own place implies.

        Raises:
            NoHomeError: only a folder in the user's home is left, and this user has none.
        """
        if self.url != DEFAULT_URL:
            return Path(self.url.removeprefix(SQLITE))
        return (_unit_folder(environ) or implied_folder or _home_folder(environ)) / FILE_NAME


class NoHomeError(Exception):
    """The user has no home folder."""


def _unit_folder(environ: Mapping[str, str]) -> Path | None:
    """Return systemd's state folder of the unit.

    systemd.exec(5), "StateDirectory=": several folders are joined with colons; the first one counts.
    """
    state_folder = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(state_folder) if state_folder else None


def _home_folder(environ: Mapping[str, str]) -> Path:
    # https://specifications.freedesktop.org/basedir-spec/: a relative path is invalid and ignored.
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if base.is_absolute():
        return base / "aitems-watcher"
    return Path(environ.get("HOME") or _home_of_user()) / ".local" / "state" / "aitems-watcher"


def _home_of_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        # A container may run as a number without an entry in /etc/passwd.
        raise NoHomeError from None
