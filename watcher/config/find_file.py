"""Which configuration file is taken, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watcher.config.faults import ConfigError, Fault

VARIABLE: Final = "AITEMS_WATCHER_CONFIG"
SYSTEM_FILE: Final = Path("/etc/aitems-watcher/config.toml")
FILE_NAME: Final = "config.toml"

FIRST_CONFIGURATION: Final = """\
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }

[[watch]]
service = "6wxgu1abcde"

[receiver.ml-ops]
kind = "slack-webhook"
url = { env = "SLACK_WEBHOOK_URL" }
"""


@dataclass(frozen=True, slots=True)
class Found:
    """The file that is taken, and by what."""

    path: Path
    why: str


class ConfigNotFoundError(ConfigError):
    """There is no file where one was looked for; ``polled`` says where that was."""

    def __init__(self, polled: tuple[Found, ...], *, explicit: bool) -> None:
        self.polled = polled
        self.explicit = explicit
        super().__init__(
            Fault(
                file=place.path,
                line=None,
                key="",
                problem="there is no such file",
                remedy=f"it was looked for by {place.why}",
            )
            for place in polled
        )

    def __str__(self) -> str:
        places = "\n".join(f"  {place.path} ({place.why})" for place in self.polled)
        if self.explicit:
            return f"there is no configuration file; looked at\n{places}\ngive another path, or write it"
        example = "\n".join(f"  {line}".rstrip() for line in FIRST_CONFIGURATION.splitlines())
        return (
            f"there is no configuration file; looked at\n{places}\n"
            f"give one by --config FILE or ${VARIABLE}, or write {FILE_NAME}; ten lines are enough:\n\n{example}"
        )


def find(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Found:
    """Return the configuration file: ``--config``, else the environment's, else the first default that exists.

    A file that was named, by option or by environment, is never replaced by another.

    Raises:
        ConfigNotFoundError: it is not there; says where it was looked for.
    """
    named = _named(explicit, environ)
    places = (named,) if named else tuple(_defaults(cwd))
    for place in places:
        if _is_there(place.path):
            return place
    raise ConfigNotFoundError(places, explicit=named is not None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        # Not ours to search: it is taken, so that reading it says "Permission denied" instead of "no such file".
        return True


def _named(explicit: Path | None, environ: Mapping[str, str]) -> Found | None:
    if explicit is not None:
        return Found(explicit, "--config")
    variable = environ.get(VARIABLE)
    return Found(Path(variable), f"${VARIABLE}") if variable else None


def _defaults(cwd: Path) -> Iterator[Found]:
    yield Found(cwd / FILE_NAME, "the current folder")
    yield Found(SYSTEM_FILE, "the system's configuration")
