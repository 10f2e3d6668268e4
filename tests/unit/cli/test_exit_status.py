"""Exit statuses: those of errors, and their texts in the help."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from watcher.cli.exit_status import MEANINGS, ExitStatus, help_end, plain_errors, status_of
from watcher.config import ConfigError, ConfigFault, SecretError
from watcher.control.protocol import ControlError, SetupRefusedError
from watcher.http import HttpSetupError
from watcher.receivers.spec import InvalidReceiverError
from watcher.store.errors import StoreInUse, StoreUnusable

FAULT = ConfigFault(file=Path("c.toml"), line=3, key="account.main", problem="is wrong", remedy="write it")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError([FAULT]), ExitStatus.CONFIG),
        (SecretError("not set"), ExitStatus.CONFIG),
        (InvalidReceiverError("hook", "url", "is none"), ExitStatus.CONFIG),
        (HttpSetupError("no PEM"), ExitStatus.CONFIG),
        (SetupRefusedError("not set"), ExitStatus.CONFIG),
        (ControlError("it is stopping"), ExitStatus.FAILED),
        (StoreInUse("by process 7"), ExitStatus.STORE),
        (StoreUnusable("damaged"), ExitStatus.STORE),
        (RuntimeError("a fault of ours"), None),
    ],
)
def test_every_expected_error_has_its_status(error: Exception, status: ExitStatus | None) -> None:
    assert status_of(error) is status


def test_an_expected_error_is_printed_and_sets_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as exit_, plain_errors():
        raise ConfigError([FAULT, FAULT])
    assert exit_.value.exit_code == ExitStatus.CONFIG
    assert capsys.readouterr().err == "c.toml:3: account.main: is wrong; write it\n" * 2


def test_an_unexpected_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), plain_errors():
        raise ZeroDivisionError


def test_every_status_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitStatus)


def test_help_ends_with_examples_and_statuses_in_order() -> None:
    end = help_end("x run", statuses={ExitStatus.CONFIG: "", ExitStatus.OK: "stopped"})
    assert end.replace("\b\n", "").splitlines() == [
        "Example:",
        "  x run",
        "",
        "Exit status:",
        "  0   stopped",
        "  2   wrong usage of the command",
        "  78  the configuration is invalid, or a secret cannot be read",
    ]
