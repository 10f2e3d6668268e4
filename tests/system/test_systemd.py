"""The unit under a real systemd: start, readiness, status, credentials, reload, hang, stop; in this order."""

from __future__ import annotations

import stat

from tests.acceptance.cli_support import eventually
from tests.system.conftest import Machine

WATCHDOG_SECONDS = 10
RESTART_SECONDS = 5
"""``RestartSec`` of the unit."""
MEASURING_SECONDS = 1
"""From reading the clock to the hang, and from the restart to the new process."""
FAULTY = '\n[surprise]\n[receiver.more]\nkind = "pigeon"\n'
MORE = '\n[receiver.more]\nkind = "log"\n[[route]]\nto = ["console", "more"]\n'


def main_pid(machine: Machine) -> int:
    return int(machine.shown("MainPID"))


def monotonic(machine: Machine, name: str) -> float:
    return int(machine.shown(name)) / 1_000_000


def test_it_is_ready_when_everything_was_looked_at_once(machine: Machine) -> None:
    machine.write()
    machine.drop_in()
    started = machine.systemctl("enable", "--now")
    assert started.returncode == 0, machine.journal()
    assert (machine.shown("ActiveState"), machine.shown("SubState")) == ("active", "running")
    journal = machine.journal()
    assert journal.index("watcher.started") < journal.index("watcher.ready")
    assert machine.simulator.control("GET", "/requests")["total"] >= 1


def test_its_status_line_is_true(machine: Machine) -> None:
    said = "watching 1 training in 1 service; 0 incidents; 0 alerts waiting"
    eventually(lambda: machine.shown("StatusText") == said)


def test_it_has_its_credentials_and_no_environment_holds_them(machine: Machine) -> None:
    folder = machine.root / "run/credentials/aitems-watcher.service"
    assert machine.run("ls", f"/{folder.relative_to(machine.root)}").stdout.split() == [
        "ncp-access-key",
        "ncp-secret-key",
    ]
    assert "SECRET" not in machine.shown("Environment")


def test_its_folders_and_its_socket_are_its_own(machine: Machine) -> None:
    mode = machine.run("stat", "--format=%a", "/run/aitems-watcher/control.sock").stdout.strip()
    assert stat.S_IMODE(int(mode, 8)) == 0o600
    assert machine.run("stat", "--format=%a", "/var/lib/private/aitems-watcher").stdout.strip() == "700"
    state = ("env", "STATE_DIRECTORY=/var/lib/aitems-watcher", "aitems-watcher")
    assert machine.run(*state, "status").returncode == 0
    assert machine.run(*state, "reload").returncode == 0


def test_a_good_file_is_reloaded_while_it_runs(machine: Machine) -> None:
    before = main_pid(machine)
    machine.write(MORE)
    reloaded = machine.systemctl("reload")
    assert reloaded.returncode == 0, reloaded.stderr + machine.journal()
    assert "receiver.more: added" in machine.journal()
    assert (main_pid(machine), machine.shown("ActiveState")) == (before, "active")


def test_r20_a_faulty_file_fails_the_reload_and_changes_nothing(machine: Machine) -> None:
    before = main_pid(machine)
    machine.write(FAULTY)
    assert machine.systemctl("reload").returncode != 0
    assert "receiver.more.kind" in machine.journal()
    assert (main_pid(machine), machine.shown("ActiveState")) == (before, "active")
    machine.simulator.wait_for_looks(2)
    machine.write()
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=HUP", "aitems-watcher")
    eventually(lambda: machine.journal().count("config.reloaded") >= 3)


def test_r5_it_stops_in_order_with_status_0(machine: Machine) -> None:
    assert machine.systemctl("stop").returncode == 0
    assert (machine.shown("Result"), machine.shown("ExecMainStatus")) == ("success", "0")
    assert "watcher.stopped" in machine.journal()


def test_r29_a_hang_ends_with_a_restart_by_the_watchdog(machine: Machine) -> None:
    machine.drop_in(f"WatchdogSec={WATCHDOG_SECONDS}")
    assert machine.systemctl("start").returncode == 0
    hung = main_pid(machine)
    at = float(machine.run("cut", "-d ", "-f1", "/proc/uptime").stdout)
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "aitems-watcher")
    eventually(lambda: main_pid(machine) not in {0, hung})
    took = monotonic(machine, "ExecMainStartTimestampMonotonic") - at
    print(
        f"R29: started again {took:.2f} s after the hang; WatchdogSec={WATCHDOG_SECONDS}, RestartSec={RESTART_SECONDS}"
    )
    assert "Watchdog timeout" in machine.journal()
    assert machine.shown("NRestarts") == "1"
    assert took <= WATCHDOG_SECONDS + RESTART_SECONDS + MEASURING_SECONDS
    eventually(lambda: machine.shown("ActiveState") == "active")


def test_a_faulty_configuration_is_not_started_again_and_again(machine: Machine) -> None:
    machine.systemctl("stop")
    machine.write(FAULTY)
    assert machine.systemctl("start").returncode != 0
    assert (machine.shown("ExecMainStatus"), machine.shown("NRestarts")) == ("78", "0")
    assert machine.shown("ActiveState") == "failed"
    machine.write()
    assert machine.systemctl("start").returncode == 0
