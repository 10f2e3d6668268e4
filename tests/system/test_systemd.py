"""The unit under a real systemd, in this order: start, readiness, status, credentials, reload, hang, stop."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace

from tests.acceptance.cli_support import eventually
from tests.acceptance.test_stop import Slow, slow_receiver
from tests.support import daemon_in_process
from tests.support.fault_table import remark
from tests.support.invariants import violations
from tests.support.servers import Received
from tests.system.conftest import HANGING_LINE, Machine

WATCHDOG_SECONDS = 10
RESTART_SECONDS = 5
"""``RestartSec`` of the unit."""
FAULTY = '\n[surprise]\n[receiver.more]\nkind = "pigeon"\n'
HOOK = """
[receiver.hook]
kind = "webhook"
url = "{url}"

[[route]]
match = {{ kind = "*" }}
to = ["console", "hook"]
"""
MORE = '\n[receiver.more]\nkind = "log"\n[[route]]\nto = ["console", "more"]\n'


def main_pid(machine: Machine) -> int:
    return int(machine.shown("MainPID"))


def monotonic(machine: Machine, name: str) -> float:
    return int(machine.shown(name)) / 1_000_000


def test_the_unit_is_ready_after_the_first_round_of_polls(machine: Machine) -> None:
    machine.write()
    machine.drop_in()
    started = machine.systemctl("enable", "--now")
    assert started.returncode == 0, machine.journal()
    assert (machine.shown("ActiveState"), machine.shown("SubState")) == ("active", "running")
    journal = machine.journal()
    assert journal.index("watcher.started") < journal.index("watcher.ready")
    assert machine.simulator.control("GET", "/requests")["total"] >= 1


def test_the_status_line_is_correct(machine: Machine) -> None:
    expected = "polling 1 service with 1 training; 0 open incidents; 0 deliveries waiting"
    eventually(lambda: machine.shown("StatusText") == expected)


def test_the_unit_has_its_credentials_but_not_in_its_environment(machine: Machine) -> None:
    folder = machine.root / "run/credentials/aitems-watcher.service"
    assert machine.run("ls", f"/{folder.relative_to(machine.root)}").stdout.split() == [
        "ncp-access-key",
        "ncp-secret-key",
    ]
    assert "SECRET" not in machine.shown("Environment")


def test_the_folders_and_the_socket_are_private(machine: Machine) -> None:
    mode = machine.run("stat", "--format=%a", "/run/aitems-watcher/control.sock").stdout.strip()
    assert stat.S_IMODE(int(mode, 8)) == 0o600
    assert machine.run("stat", "--format=%a", "/var/lib/private/aitems-watcher").stdout.strip() == "700"


def test_commands_run_as_printed_in_any_folder(machine: Machine) -> None:
    assert machine.run("aitems-watcher", "status").returncode == 0
    assert machine.run("aitems-watcher", "reload").returncode == 0


def test_what_needs_secrets_runs_inside_the_daemon(machine: Machine) -> None:
    for command in ("check --online", "discover", "test console", "doctor --online"):
        ended = machine.run("aitems-watcher", *command.split())
        assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
        assert "inside the daemon" in ended.stderr
    assert "credential ncp-access-key: present" in machine.run("aitems-watcher", "doctor").stdout


def test_a_secret_in_a_file_of_root_is_named_by_doctor(machine: Machine) -> None:
    path = machine.root / "etc/aitems-watcher/config.toml"
    text = path.read_text()
    path.write_text(text.replace('credential = "ncp-access-key"', 'file = "/etc/aitems-watcher/ncp-access-key"'))
    ended = machine.run("aitems-watcher", "doctor")
    assert ended.returncode == 1
    assert "cannot be read: Permission denied" in ended.stdout
    path.write_text(text)


def test_a_faulty_file_blinds_no_command(machine: Machine) -> None:
    path = machine.root / "etc/aitems-watcher/config.toml"
    text = path.read_text()
    path.write_text(text + "\n[broken\n")
    for command in ("status", "history", "deliveries list", "silence list"):
        ended = machine.run("aitems-watcher", *command.split())
        assert (ended.returncode, "the configuration is faulty" in ended.stderr) == (0, True), ended.stderr
    assert "a table's header that is not closed" in machine.run("aitems-watcher", "reload").stderr
    path.write_text(text)


def test_root_can_work_on_the_store_of_the_unit(machine: Machine) -> None:
    for backup in ("/var/lib/aitems-watcher/by-root.db", "/root/kept.db"):
        assert machine.run("aitems-watcher", "backup", "--force", backup).returncode == 0
    for command in (("restore", "/var/lib/aitems-watcher/by-root.db"), ("migrate",), ("restore",)):
        assert machine.systemctl("stop").returncode == 0
        ended = machine.run("sh", "-c", f"umask 077 && aitems-watcher {' '.join(command)}")
        assert ended.returncode == 0, ended.stderr
        assert machine.run("find", "/var/lib/private/aitems-watcher", "-user", "root").stdout == ""
        assert machine.systemctl("start").returncode == 0, machine.journal()
        assert "cannot open" not in machine.run("aitems-watcher", "doctor").stdout
    machine.run("sh", "-c", "rm -f /var/lib/private/aitems-watcher/*set-aside*")


def test_a_store_that_root_makes_before_the_first_start_is_the_units(machine: Machine) -> None:
    assert machine.systemctl("stop").returncode == 0
    assert machine.run("systemctl", "clean", "--what=state", "aitems-watcher").returncode == 0
    ended = machine.run("aitems-watcher", "restore", "/root/kept.db")
    assert ended.returncode == 0, ended.stderr
    assert machine.systemctl("start").returncode == 0, machine.journal()
    assert machine.run("find", "/var/lib/private/aitems-watcher", "-user", "root").stdout == ""


def test_a_valid_file_is_reloaded_without_a_restart(machine: Machine) -> None:
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
    machine.simulator.wait_for_polls(2)
    machine.write()
    machine.run("systemctl", "kill", "--kill-whom=main", "--signal=HUP", "aitems-watcher")
    eventually(lambda: machine.journal().count("config.reloaded") >= 3)


def test_r5_the_unit_stops_gracefully_with_status_0(machine: Machine) -> None:
    assert machine.systemctl("stop").returncode == 0
    assert (machine.shown("Result"), machine.shown("ExecMainStatus")) == ("success", "0")
    assert "watcher.stopped" in machine.journal()


def test_r29_the_watchdog_restarts_a_hanging_daemon_within_five_more_seconds(machine: Machine) -> None:
    with slow_receiver() as hook:
        hook.let.set()
        machine.write(HOOK.format(url=hook.url))
        machine.can_hang()
        machine.drop_in(f"WatchdogSec={WATCHDOG_SECONDS}")
        assert machine.systemctl("start").returncode == 0
        machine.simulator.set_training(machine.service, "v1", "stopping")
        eventually(lambda: len(hook.received) == 1)
        hanging = main_pid(machine)
        hang_at = float(machine.run("cut", "-d ", "-f1", "/proc/uptime").stdout)
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=USR1", "aitems-watcher")
        machine.simulator.set_training(machine.service, "v1", "completed")
        machine.simulator.set_training(machine.service, "v2", "learning")
        eventually(lambda: main_pid(machine) not in {0, hanging})
        took = monotonic(machine, "ExecMainStartTimestampMonotonic") - hang_at
        eventually(lambda: len(hook.ids) >= 2 and machine.shown("ActiveState") == "active")
        ready = monotonic(machine, "ActiveEnterTimestampMonotonic") - hang_at
        eventually(lambda: announced(hook) == {("v1", "stopping"), ("v1", "completed"), ("v2", "learning")})
        assert machine.systemctl("stop").returncode == 0
        assert broken_invariants(machine, hook.received) == []
    remark(
        f"a real systemd with WatchdogSec={WATCHDOG_SECONDS} and RestartSec={RESTART_SECONDS}: "
        f"started again {took:.2f} s after the hang, ready after {ready:.2f} s"
    )
    journal = machine.journal()
    assert "Watchdog timeout" in journal
    assert "Fatal Python error: Aborted" in journal
    assert f"line {HANGING_LINE} in hang" in journal, "the dump names the hanging line"
    assert took <= WATCHDOG_SECONDS + RESTART_SECONDS


def announced(hook: Slow) -> set[tuple[str, str]]:
    """Return the version and the status of each arrived event."""
    return {(event["version"], event["to"]) for item in hook.received for event in item.events}


def broken_invariants(machine: Machine, received: Sequence[Received]) -> list[str]:
    """Compare the store in the container with the arrivals."""
    evidence = daemon_in_process.evidence(machine.root / "var/lib/private/aitems-watcher", [], [], {"hook": received})
    receivers = frozenset({"console", "hook"})
    return violations(replace(evidence, answers_comparable=False, routed=lambda _event: receivers))


def test_systemd_does_not_restart_a_faulty_configuration(machine: Machine) -> None:
    machine.systemctl("stop")
    machine.write(FAULTY)
    assert machine.systemctl("start").returncode != 0
    assert (machine.shown("ExecMainStatus"), machine.shown("NRestarts")) == ("78", "0")
    assert machine.shown("ActiveState") == "failed"
    machine.write()
    assert machine.systemctl("start").returncode == 0
