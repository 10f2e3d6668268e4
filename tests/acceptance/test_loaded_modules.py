"""The modules that a command loads: each that it does not use makes its start slower and its process larger."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pytest

from tests.acceptance.cli_support import COMMAND, KEYS, Workplace, command, environment, read_until, stopped

IMPORT_TIMES: Final[Mapping[str, str]] = MappingProxyType({"PYTHONPROFILEIMPORTTIME": "1"})
"""Python writes each module that it imports to standard error."""
WEBHOOK: Final = """
[receiver.hook]
kind = "webhook"
url = "http://127.0.0.1:1/hook"
"""
MIGRATIONS: Final = frozenset({"alembic", "mako"})
DAEMON: Final = frozenset({"apscheduler", "httpx2", "prometheus_client", "structlog", "uvloop"})
WEB: Final = frozenset({"starlette", "uvicorn"})
RECEIVERS: Final = frozenset({"slack_sdk", "standardwebhooks"})
CONFIGURATION: Final = frozenset({"pydantic", "tomllib"})
STORE: Final = frozenset({"sqlalchemy", "sqlite3"})
COLOURS: Final = frozenset({"rich.console", "pygments"})
GREENLETS: Final = frozenset({"greenlet._greenlet"})
READING: Final = MIGRATIONS | DAEMON | WEB | RECEIVERS | COLOURS
"""A command that reads the store needs none of these."""
TEXTS: Final = frozenset({"watcher.core.messages.language.phrases", "watcher.core.delivery.model", "watcher.pipeline"})
"""A report without problems shows none of the texts about them, and decides nothing."""
ON_REQUEST: Final = frozenset({"watcher.wiring.secrets.commands", "watcher.reports.status"})
"""A daemon needs these once a command asks it."""
POSTGRESQL: Final = "sqlalchemy.dialects.postgresql"
HELP: Final = READING | CONFIGURATION | STORE
"""A help needs none of these."""


def loaded(stderr: str) -> set[str]:
    """Return the names of the imported modules, and of their packages."""
    modules = {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}
    return modules | {module.partition(".")[0] for module in modules}


def loaded_by_daemon(workplace: Workplace) -> set[str]:
    """Run the daemon until it has started."""
    # Not a pipe: the daemon would wait for a reader before it starts.
    file = workplace.folder / "errors"
    with (
        file.open("w") as errors,
        subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "run", "--config", str(workplace.config)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment({**KEYS, **IMPORT_TIMES}),
        ) as daemon,
    ):
        read_until(daemon, "watcher.started")
        assert stopped(daemon, signal.SIGTERM)[0] == 0
    return loaded(file.read_text())


@pytest.mark.parametrize("args", [("--version",), ("status", "--help"), ("run", "--help")], ids=" ".join)
def test_a_help_loads_nothing_heavy(args: tuple[str, ...]) -> None:
    shown = command(*args, env=IMPORT_TIMES)
    assert shown.returncode == 0
    packages = loaded(shown.stderr)
    assert "typer" in packages
    assert packages & HELP == set()


def test_a_daemon_loads_only_the_parts_of_its_configuration(workplace: Workplace) -> None:
    workplace.write(WEBHOOK, log=False)
    packages = loaded_by_daemon(workplace)
    assert packages >= DAEMON
    assert packages & (MIGRATIONS | WEB | COLOURS | GREENLETS | ON_REQUEST) == set()
    assert packages & {"slack_sdk", "statistics", POSTGRESQL} == set()

    status = command("status", "--config", workplace.config, env=IMPORT_TIMES)
    assert "no daemon" in status.stdout
    packages = loaded(status.stderr)
    assert packages >= STORE | CONFIGURATION
    assert packages & (READING | TEXTS | {POSTGRESQL}) == set()


def test_a_daemon_loads_its_pages_when_somebody_asks_for_one(workplace: Workplace) -> None:
    workplace.write('[web]\nlisten = "127.0.0.1:0"\n', web=True)
    packages = loaded_by_daemon(workplace)
    assert packages >= WEB
    assert packages & {"jinja2", "watcher.reading", "watcher.web.html.routes", "watcher.web.api.routes"} == set()
