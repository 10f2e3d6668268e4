"""``demo`` that ends early."""

from __future__ import annotations

import signal

import pytest

from tests.acceptance.cli_support import command, read_until, started, stopped


@pytest.mark.smoke
def test_ctrl_c_ends_it_with_status_0() -> None:
    with started("demo") as process:
        read_until(process, "The first poll")
        status, rest = stopped(process, signal.SIGINT)
    assert status == 0
    assert rest.splitlines()[-1] == "no events: nothing changed"


def test_an_invalid_url_is_wrong_usage() -> None:
    refused = command("demo", "--to-slack", "hooks.slack.com/services/T/B/x")
    assert refused.returncode == 2
    assert "--to-slack" in refused.stderr
