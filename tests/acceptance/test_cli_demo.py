"""``demo``, where it ends early."""

from __future__ import annotations

import signal

from tests.acceptance.cli_support import command, read_until, started, stopped


def test_ctrl_c_ends_it_well() -> None:
    with started("demo") as process:
        read_until(process, "The first look")
        status, rest = stopped(process, signal.SIGINT)
    assert status == 0
    assert rest.splitlines()[-1] == "no alerts: nothing changed meanwhile"


def test_an_address_that_is_none_is_wrong_usage() -> None:
    refused = command("demo", "--to-slack", "hooks.slack.com/services/T/B/x")
    assert refused.returncode == 2
    assert "--to-slack" in refused.stderr
