"""``doctor``: checks with verdicts and remedies."""

from __future__ import annotations

import json
import socket
import sqlite3
from typing import Any

import pytest

from tests.acceptance.cli_support import KEYS, Workplace, read_until, started

pytestmark = pytest.mark.usefixtures("running_demo")

FILES = """
[receiver.hook]
kind = "webhook"
url = "http://127.0.0.1:1/hook"
secret = { file = "hook-secret" }
headers = { Authorization = { file = "hook-token" } }
"""


def checks(workplace: Workplace, *args: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = workplace.command("doctor", "--json", *args, env=KEYS)
    return done.returncode, {item["about"]: item for item in json.loads(done.stdout)["checks"]}


@pytest.mark.smoke
def test_beside_a_running_daemon_every_check_passes(workplace: Workplace) -> None:
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.started")
        workplace.simulator.wait_for_polls(2)
        status, found = checks(workplace, "--online")
    assert status == 0, found
    assert found["daemon"]["detail"].startswith(f"process {daemon.pid}, version ")
    for about in (
        "versions",
        "store",
        "schema",
        "daemon",
        "account main",
        "clock, by account main",
        "secret account.main.access_key",
    ):
        assert found[about]["verdict"] == "ok", found[about]
    assert "needs a restart" in found["secret account.main.access_key"]["detail"]
    assert "key accepted" in found["account main"]["detail"]


def test_before_the_first_start_the_store_and_the_daemon_are_warnings(workplace: Workplace) -> None:
    status, found = checks(workplace)
    assert status == 0
    assert (found["store"]["verdict"], found["daemon"]["verdict"]) == ("warning", "warning")
    assert all(item["remedy"] for item in found.values() if item["verdict"] != "ok")


def test_a_secret_that_other_users_may_read_is_a_fault(workplace: Workplace) -> None:
    workplace.write(FILES)
    for name, mode in (("hook-secret", 0o640), ("hook-token", 0o600)):
        (workplace.folder / name).write_text("whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4=\n")
        (workplace.folder / name).chmod(mode)
    status, found = checks(workplace)
    assert status == 1
    assert found["secret receiver.hook.secret"]["verdict"] == "fault"
    assert found["secret receiver.hook.secret"]["remedy"] == f"chmod 600 {workplace.folder / 'hook-secret'}"
    assert found["secret receiver.hook.headers.Authorization"]["verdict"] == "ok"


def test_a_missing_secret_is_a_fault_with_its_remedy(workplace: Workplace) -> None:
    done = workplace.command("doctor")
    assert done.returncode == 1
    assert "fault   the environment variable NCP_ACCESS_KEY is not set" in done.stdout
    assert "set it where the watcher is started" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_damaged_store_and_a_store_of_a_later_version_are_faults(workplace: Workplace) -> None:
    file = workplace.folder / "watcher.db"
    file.write_bytes(b"no database" * 1000)
    status, found = checks(workplace)
    assert (status, found["store"]["verdict"]) == (1, "fault")
    file.unlink()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    status, found = checks(workplace)
    assert (status, found["schema"]["verdict"]) == (1, "fault")


def test_online_an_unreachable_receiver_is_a_fault(workplace: Workplace) -> None:
    workplace.write('[receiver.away]\nkind = "webhook"\nurl = "http://127.0.0.1:1/hook"\n')
    status, found = checks(workplace, "--online")
    assert (status, found["receiver away"]["verdict"]) == (1, "fault")


@pytest.mark.parametrize("base_path", ["", "/tools/aitems"])
def test_the_status_page_of_a_running_daemon_is_asked(workplace: Workplace, base_path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    text = workplace.config.read_text()
    web = f'listen = "127.0.0.1:{port}"\ntoken = {{ env = "WEB_TOKEN" }}\nbase_path = "{base_path}"'
    workplace.config.write_text(text.replace('listen = ""', web))
    with started("run", "--config", workplace.config, env={**KEYS, "WEB_TOKEN": "sesame"}) as daemon:
        read_until(daemon, "web.started")
        _, found = checks(workplace)
        assert found["status page"] == {
            "about": "status page",
            "verdict": "ok",
            "detail": f"http://127.0.0.1:{port}{base_path}/ answers",
            "remedy": "",
        }
        # The file has another address now, and the daemon has not been started again.
        workplace.config.write_text(workplace.config.read_text().replace(f":{port}", ":1"))
        status, found = checks(workplace)
    assert (status, found["status page"]["verdict"]) == (1, "fault")
    assert "does not answer: [Errno 111] Connection refused" in found["status page"]["detail"]
