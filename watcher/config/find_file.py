"""Find the configuration file, and say which rule chose it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watcher.config.faults import ConfigError, ConfigFault

VARIABLE: Final = "AITEMS_WATCHER_CONFIG"
SYSTEM_FILE: Final = Path("/etc/aitems-watcher/config.toml")
SYSTEM_STATE_FOLDER: Final = Path("/var/lib/aitems-watcher")
"""The unit's state folder: a command finds the daemon of the system's configuration without its environment."""
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
class ConfigFile:
    """The configuration file, and the rule that chose it."""

    path: Path
    why: str


class ConfigNotFoundError(ConfigError):
    """No configuration file exists; ``searched`` holds the paths that were tried."""

    def __init__(self, searched: tuple[ConfigFile, ...], *, explicit: bool) -> None:
        self.searched = searched
        self.explicit = explicit
        super().__init__(
            ConfigFault(
                file=candidate.path,
                line=None,
                key="",
                problem="there is no such file",
                remedy=f"the path comes from {candidate.why}",
            )
            for candidate in searched
        )

    def __str__(self) -> str:
        paths = "\n".join(f"  {candidate.path} ({candidate.why})" for candidate in self.searched)
        if self.explicit:
            return f"there is no configuration file; tried\n{paths}\ngive another path, or write the file"
        example = "\n".join(f"  {line}".rstrip() for line in FIRST_CONFIGURATION.splitlines())
        return (
            f"there is no configuration file; tried\n{paths}\n"
            f"name one with --config FILE or ${VARIABLE}, or write {FILE_NAME}; ten lines are enough:\n\n{example}"
        )


def implied_state_folder(path: Path) -> Path | None:
    """Return the folder of the store that a configuration's place implies: the unit's for the system's file."""
    try:
        is_system_file = path == SYSTEM_FILE or path.samefile(SYSTEM_FILE)
    except OSError:
        is_system_file = False
    return SYSTEM_STATE_FOLDER if is_system_file else None


def find(explicit: Path | None, environ: Mapping[str, str], cwd: Path | None) -> ConfigFile:
    """Return the file of ``--config``, else that of the environment, else the first default that exists.

    A file named by option or environment is never replaced by another. ``cwd`` is ``None`` where the current folder
    was removed.

    Raises:
        ConfigNotFoundError: no such file exists; it holds the paths that were tried.
    """
    named = _named(explicit, environ)
    candidates = (named,) if named else tuple(_defaults(cwd))
    for candidate in candidates:
        if _exists(candidate.path):
            return candidate
    raise ConfigNotFoundError(candidates, explicit=named is not None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        # The folder may not be searched. Reading the file then reports "Permission denied" instead of "no such file".
        return True


def _named(explicit: Path | None, environ: Mapping[str, str]) -> ConfigFile | None:
    if explicit is not None:
        return ConfigFile(explicit, "--config")
    variable = environ.get(VARIABLE)
    return ConfigFile(Path(variable), f"${VARIABLE}") if variable else None


def _defaults(cwd: Path | None) -> Iterator[ConfigFile]:
    if cwd is not None:
        yield ConfigFile(cwd / FILE_NAME, "the current folder")
    yield ConfigFile(SYSTEM_FILE, "the system's configuration")
