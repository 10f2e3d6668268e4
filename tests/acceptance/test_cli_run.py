"""``run``: the daemon as a process, and the commands beside it."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.acceptance.cli_support import (
    EVERY_KIND,
    KEYS,
    Simulated,
    Workplace,
    on_terminal,
    read_until,
    started,
    stopped,
)


def log_of(lines: list[str]) -> list[str]:
    """Return the events of log lines; a line that is no JSON fails here."""
    return [json.loads(line)["event"] for line in lines if '"event": ' in line]


@pytest.mark.smoke
def test_it_sends_answers_other_commands_and_stops_on_a_signal(workplace: Workplace) -> None:
    workplace.write(EVERY_KIND)
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        lines = read_until(daemon, "watcher.started")
        workplace.simulator.wait_for_polls(2)
        workplace.set_training("v1", "completed")
        lines += read_until(daemon, "delivery.sent")

        shown = workplace.command("status")
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert re.search(r"shop-main  pop   v1       completed  \d+s +\d\d:\d\d:\d\d-", shown.stdout)
        assert shown.stdout.endswith("\nOK: polling 1 service, 0 trainings in progress\n")
        (event,) = [json.loads(line) for line in workplace.command("history", "--json").stdout.splitlines()]
        assert (event["from"], event["to"], event["route"]) == ("learning", "completed", "route 1")
        assert event["deliveries"][0]["state"] == "delivered"

        second = workplace.command("run", env=KEYS)
        assert second.returncode == 75
        assert f"in use by process {daemon.pid} (run, since " in second.stderr
        assert "Traceback" not in second.stderr

        daemon.send_signal(signal.SIGHUP)
        lines += read_until(daemon, "config.reloaded")
        status, rest = stopped(daemon, signal.SIGTERM)
    assert status == 0
    events = log_of([*lines, *rest.splitlines()])
    assert events[:2] == ["config.loaded", "watcher.started"]
    assert events[-1] == "watcher.stopped"


def test_ctrl_c_stops_it_too(workplace: Workplace) -> None:
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.started")
        status, rest = stopped(daemon, signal.SIGINT)
    assert status == 0
    assert log_of(rest.splitlines())[-1] == "watcher.stopped"


def test_every_missing_secret_has_a_line_with_its_key(workplace: Workplace) -> None:
    refused = workplace.command("run")
    assert refused.returncode == 78
    access, secret = refused.stderr.splitlines()
    assert access.startswith("account.main.access_key: the environment variable NCP_ACCESS_KEY is not set; ")
    assert secret.startswith("account.main.secret_key: the environment variable NCP_SECRET_KEY is not set; ")


def test_a_missing_store_has_a_remedy(workplace: Workplace) -> None:
    refused = workplace.command("status")
    assert refused.returncode == 75
    assert "there is no store at " in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", ["run", "history"])
def test_a_file_that_is_not_a_store_is_refused(workplace: Workplace, name: str) -> None:
    (workplace.folder / "watcher.db").write_bytes(b"not a database, and longer than a header " * 100)
    refused = workplace.command(name, env=KEYS)
    assert refused.returncode == 75
    assert str(workplace.folder / "watcher.db") in refused.stderr
    assert "Traceback" not in refused.stderr


HOSTILE = "\x1b]0;owned\x07\x1b[31mred [bold red]markup[/] \x9b31m"


@pytest.fixture(scope="module")
def hostile(simulator: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Yield a store with a training whose status is hostile."""
    place = Workplace(tmp_path_factory.mktemp("hostile"), "hostile", simulator)
    place.set_training("v1", HOSTILE)
    place.write()
    assert place.command("once", env=KEYS).returncode == 0
    return place


def test_text_from_aitems_cannot_control_a_terminal(hostile: Workplace) -> None:
    plain = on_terminal("status", "--config", hostile.config, env={"NO_COLOR": "1"})
    assert b"[bold red]markup[/]" in plain
    assert b"\x1b" not in plain
    assert "\x9b".encode() not in plain


def test_a_terminal_gets_our_colours_and_no_sequence_from_aitems(hostile: Workplace) -> None:
    coloured = on_terminal("status", "--config", hostile.config)
    assert b"\x1b[" in coloured
    assert b"\x1b]0" not in coloured


def test_a_pipe_gets_plain_text_and_json_the_unchanged_status(hostile: Workplace) -> None:
    assert "\x1b" not in hostile.command("status").stdout
    assert hostile.json("status")["trainings"][0]["status"] == HOSTILE


def mark_dead(folder: Path) -> None:
    with sqlite3.connect(folder / "watcher.db") as connection:
        connection.execute("UPDATE delivery SET state = 'dead', reason = 'http 410'")
    connection.close()


def test_a_dead_delivery_is_listed_and_fails_the_status(workplace: Workplace) -> None:
    workplace.command("once", env=KEYS)
    workplace.set_training("v1", "completed")
    workplace.command("once", env=KEYS)
    mark_dead(workplace.folder)
    shown = workplace.command("status")
    assert shown.returncode == 1
    assert "console   dead   http 410" in shown.stdout
    first, second = workplace.json("status")["problems"]
    assert first["text"].startswith("no daemon runs on this store, so nothing is polled and nobody is notified; ")
    assert second["text"] == "receiver console: 1 delivery is dead"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_after_the_end_of_the_daemon_status_and_doctor_say_so_first_and_fail(
    workplace: Workplace, number: signal.Signals
) -> None:
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.started")
        workplace.simulator.wait_for_polls(2)
        stopped(daemon, number)
    for name in ("status", "doctor"):
        shown = workplace.command(name, env=KEYS)
        assert shown.returncode == 1
        assert "no daemon runs on this store" in shown.stdout.splitlines()[0]


def test_a_plan_above_the_budget_runs_with_a_warning(workplace: Workplace) -> None:
    workplace.config.write_text(workplace.config.read_text().replace("= 100.0", "= 2.0"))
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        lines = read_until(daemon, "watcher.started")
        status, _ = stopped(daemon, signal.SIGTERM)
    (warning,) = [json.loads(line) for line in lines if "plan.over_budget" in line]
    assert warning["level"] == "warning"
    assert warning["problems"][0].startswith("account main: with everything in progress it needs 5 requests per second")
    assert status == 0
