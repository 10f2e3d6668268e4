"""The location of the store, and the time for which it keeps history."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

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

    def store_url(self, environ: Mapping[str, str]) -> str:
        """Return the store's URL, for readers; there need not be a store yet."""
        return f"{SQLITE}{self.sqlite_path(environ)}"

    def sqlite_path(self, environ: Mapping[str, str]) -> Path:
        """Return the file of the store; neither the file nor its folder need exist."""
        if self.url != DEFAULT_URL:
            return Path(self.url.removeprefix(SQLITE))
        return _default_folder(environ) / FILE_NAME


def _default_folder(environ: Mapping[str, str]) -> Path:
    """Return systemd's state folder of the unit, else a folder in the user's home.

    systemd.exec(5), "StateDirectory=": several folders are joined with colons; the first one counts.
    """
    state_folder = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if state_folder:
        return Path(state_folder)
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".local" / "state" / "aitems-watcher"
