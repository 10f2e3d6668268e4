"""The control endpoint over raw HTTP, as a client in any language uses it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Message

from tests.integration.simulator.raw_http import API, call, control, fetch, sign
from tests.support.paths import DOCS
from tests.unit.simulator.fake_clock import START, FakeClock
from watcher.simulator import ControlAccess, Running, Simulator, serve
from watcher.simulator.app import build_app
from watcher.simulator.control import _HANDLERS, _is_loopback

P1 = "/services/shop/trains/pop/versions/p1"
DOCUMENT = DOCS / "simulator.md"


async def changed(running: Running, method: str, path: str, document: object = None) -> Any:
    answer = await control(running, method, path, document)
    assert answer.status == 200, answer.body
    return answer.json()


async def test_a_status_that_is_set_is_shown_and_overrides_the_script(running: Running, clock: FakeClock) -> None:
    await changed(running, "PUT", P1, {"status": "stopping"})
    clock.pass_seconds(100)
    assert (await call(running, P1)).json()["status"] == "stopping"


async def test_every_field_of_a_training_can_be_set(running: Running) -> None:
    document = {
        "status": "hibernating",
        "inference": True,
        "hpConfig": {"is_enabled": True, "item_top_n": 7},
        "description": "봄",
        "createdDate": "2024-07-30T11:25:36.558",
    }
    await changed(running, "PUT", "/services/new/trains/odd%2Ftype/versions/v%201", document)
    shown = (await call(running, "/services/new/trains/odd%2Ftype/versions/v%201")).json()
    assert shown == {"serviceId": "new", "type": "odd/type", "version": "v 1", **document}


async def test_a_training_can_be_deleted(running: Running) -> None:
    await changed(running, "DELETE", P1)
    assert (await call(running, P1)).status == 404
    assert (await control(running, "DELETE", P1)).status == 404


async def test_services_can_be_added_changed_and_deleted(running: Running) -> None:
    await changed(running, "PUT", "/services/hour", {"name": "Hour", "type": "interval", "interval": "hour3"})
    shown = (await call(running, "/services/hour")).json()
    assert (shown["name"], shown["type"], shown["learningInterval"]) == ("Hour", "interval", "hour3")
    await changed(running, "PUT", "/services/shop", {"name": "Shop", "status": "disable"})
    assert (await call(running, "/services/shop")).json()["status"] == "disable"
    assert (await call(running, P1)).status == 200
    await changed(running, "DELETE", "/services/shop")
    assert (await call(running, "/services/shop")).status == 404
    assert (await call(running, P1)).status == 404


async def test_an_update_of_an_interval_service_can_be_set(running: Running) -> None:
    await changed(running, "PUT", "/services/hour", {"type": "interval"})
    training = "/services/hour/trains/pop/versions/p1"
    await changed(running, "PUT", training, {"status": "completed"})
    await changed(running, "PUT", f"{training}/updates/u1", {"status": "completed", "users": 5})
    (shown,) = (await call(running, "/services/hour/updates?type=pop&trainVersion=p1")).json()["updates"]
    assert (shown["updateVersion"], shown["updateResult"]) == ("u1", {"inputUsersCnt": 5})
    (recorded,) = (await changed(running, "GET", "/history"))["updates"]
    assert (recorded["update"], recorded["status"]) == ("u1", "completed")
    assert (await control(running, "PUT", f"{P1}/updates/u1", {"status": "completed"})).status == 404


async def test_faults_can_be_set_listed_and_removed(running: Running) -> None:
    fault = {"kind": "429-rate", "times": 5, "for": "1m", "call": "view", "retry_after": "3"}
    number = (await changed(running, "POST", "/faults", fault))["id"]
    assert (await call(running, P1)).headers["retry-after"] == "3"
    (listed,) = (await changed(running, "GET", "/faults"))["faults"]
    assert listed == {**fault, "id": number, "struck": 1, "ended": False, "for": 60.0, "rate": 1.0}
    await changed(running, "DELETE", f"/faults/{number}")
    assert (await call(running, P1)).status == 200
    assert (await control(running, "DELETE", f"/faults/{number}")).status == 404


async def test_all_faults_can_be_cleared(running: Running) -> None:
    for kind in ("500", "503"):
        await changed(running, "POST", "/faults", {"kind": kind})
    assert await changed(running, "DELETE", "/faults") == {"removed": 2}
    assert (await call(running, P1)).status == 200


async def test_a_fault_ends_after_its_time(running: Running, clock: FakeClock) -> None:
    await changed(running, "POST", "/faults", {"kind": "500", "for": "10s"})
    clock.pass_seconds(10)
    assert (await call(running, P1)).status == 200
    (listed,) = (await changed(running, "GET", "/faults"))["faults"]
    assert listed["ended"] is True


async def test_requests_are_counted_and_can_be_cleared(running: Running, clock: FakeClock) -> None:
    await call(running, P1)
    clock.pass_seconds(2)
    await call(running, P1)
    await call(running, "/services/shop/trains")
    await fetch(running, f"{API}/services", sign(f"{API}/services", START, access_key="stranger"))
    await fetch(running, "/elsewhere", {})
    log = await changed(running, "GET", "/requests")
    assert log == {
        "monotonic": 1002.0,
        "total": 5,
        "keys": {
            "SIMULATORACCESSKEY01": {
                "view": {"count": 2, "times": [1000.0, 1002.0]},
                "list": {"count": 1, "times": [1002.0]},
            },
            "(unknown)": {"services": {"count": 1, "times": [1002.0]}, "(other)": {"count": 1, "times": [1002.0]}},
        },
        "refused": {"key-unknown": 1},
    }
    assert await changed(running, "DELETE", "/requests") == {"forgotten": 5}
    assert (await changed(running, "GET", "/requests"))["keys"] == {}


async def test_the_history_has_the_changes_of_script_and_control(running: Running, clock: FakeClock) -> None:
    clock.pass_seconds(60)
    await changed(running, "PUT", P1, {"status": "requesting"})
    clock.pass_seconds(1.5)
    await changed(running, "DELETE", "/services/shop")
    history = await changed(running, "GET", "/history")
    assert (history["started_at"][:19], history["until"]) == ("2026-11-23T02:00:00", 61.5)
    changes = [
        (change["previous"], change["status"], change["seconds"], change["cause"])
        for change in history["changes"]
        if change["version"] == "p1"
    ]
    assert changes == [
        (None, "learning", 0, "script"),
        ("learning", "requesting", 60, "control"),
        ("requesting", None, 61.5, "control"),
    ]
    assert {change["at"][:19] for change in history["changes"]} == {
        "2026-11-23T02:00:00",
        "2026-11-23T02:01:00",
        "2026-11-23T02:01:01",
    }


async def test_the_history_can_be_continued_from_its_end(running: Running, clock: FakeClock) -> None:
    until = (await changed(running, "GET", "/history"))["until"]
    clock.pass_seconds(60)
    history = await changed(running, "GET", f"/history?after={until}")
    assert [change["status"] for change in history["changes"]] == ["completed"]


async def test_the_clock_of_the_server_can_be_changed(running: Running) -> None:
    await changed(running, "PUT", "/clock", {"offset": "-10m"})
    late = await fetch(running, f"{API}/services", sign(f"{API}/services", START))
    assert (late.status, late.headers["date"]) == (401, "Mon, 23 Nov 2026 01:50:00 GMT")


async def test_keys_can_be_rotated(running: Running) -> None:
    await changed(running, "PUT", "/keys/new-key", {"secret_key": "new secret"})
    headers = sign(f"{API}/services", START, access_key="new-key", secret_key="new secret")
    assert (await fetch(running, f"{API}/services", headers)).status == 200
    assert await changed(running, "DELETE", "/keys/SIMULATORACCESSKEY01") == {"access_keys": ["new-key"]}
    assert (await call(running, "/services")).status == 401
    assert (await control(running, "DELETE", "/keys/SIMULATORACCESSKEY01")).status == 404


async def test_the_overview_shows_the_current_state_and_no_secret(running: Running) -> None:
    overview = await control(running, "GET", "")
    assert b"SECRET" not in overview.body
    shop = overview.json()["services"][0]
    assert shop["trainings"][0] == {"type": "pop", "version": "p1", "status": "learning", "inference": False}
    assert "reset" in overview.json()["fault_kinds"]


@pytest.mark.parametrize(
    ("method", "path", "document", "message"),
    [
        ("PUT", P1, {}, "status: Field required"),
        ("PUT", P1, {"status": ""}, "status: String should have at least 1 character"),
        ("PUT", P1, {"status": "ready", "stauts": "x"}, "stauts: Extra inputs are not permitted"),
        ("PUT", P1, [], "the body: "),
        ("PUT", "/services/s", {"type": "hourly"}, "type: Input should be 'batch' or 'interval'"),
        ("PUT", "/services/s", {"interval": "hour1"}, 'interval: only for a service of type "interval"'),
        ("POST", "/faults", {"kind": "5xx"}, "the body: no such fault: '5xx'; write one of"),
        ("POST", "/faults", {"kind": "500", "rate": 2}, "the body: rate is 2.0; give a share from 0 to 1"),
        ("POST", "/faults", {"kind": "500", "for": "long"}, "for: not a duration: 'long'"),
        ("PUT", "/clock", {"offset": "soon"}, "offset: not a duration"),
        ("GET", "/history?after=noon", None, "after: 'noon' is not a number of seconds"),
    ],
)
async def test_an_invalid_request_is_refused_with_the_faulty_key(
    running: Running, method: str, path: str, document: object, message: str
) -> None:
    answer = await control(running, method, path, document)
    assert answer.status == 400
    assert message in answer.json()["error"]


async def test_a_body_that_is_not_json_is_refused(running: Running) -> None:
    headers = {"content-type": "application/json"}
    answer = await fetch(running, f"/_control{P1}", headers, "PUT", b"{")
    assert (answer.status, "Invalid JSON" in answer.json()["error"]) == (400, True)


async def test_a_body_that_is_not_declared_as_json_is_refused(running: Running) -> None:
    answer = await fetch(running, "/_control/faults", {"content-type": "text/plain"}, "POST", b'{"kind": "500"}')
    assert (answer.status, answer.json()) == (415, {"error": "send the header Content-Type: application/json"})


async def test_a_body_that_is_too_large_is_refused(running: Running) -> None:
    headers = {"content-type": "application/json"}
    answer = await fetch(running, "/_control/faults", headers, "POST", b" " * 1_000_001)
    assert answer.status == 413


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("POST", "/requests"), ("GET", P1)])
async def test_an_unknown_control_request_is_named_in_the_error(running: Running, method: str, path: str) -> None:
    answer = await control(running, method, path)
    assert (answer.status, answer.json()) == (404, {"error": f"no such control: {method} /_control{path}"})


async def test_control_can_be_turned_off(clock: FakeClock) -> None:
    async with serve(Simulator(clock=clock, control=ControlAccess.NOBODY)) as running:
        answer = await control(running, "GET", "/requests")
    assert (answer.status, answer.json()) == (403, {"error": "the control endpoint is turned off"})


@pytest.mark.parametrize("access", [ControlAccess.LOOPBACK, ControlAccess.ANYONE])
async def test_a_client_on_another_machine_needs_permission(access: ControlAccess, clock: FakeClock) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/_control/requests",
        "raw_path": b"/_control/requests",
        "query_string": b"",
        "headers": [],
        "client": ("192.0.2.7", 50000),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await build_app(Simulator(clock=clock, control=access))(scope, receive, send)
    assert sent[0]["status"] == (200 if access is ControlAccess.ANYONE else 403)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_only_loopback_addresses_count_as_this_machine(host: str, *, local: bool) -> None:
    assert _is_loopback(host) is local


def test_the_guide_has_every_control_request() -> None:
    text = DOCUMENT.read_text().replace("accessKey", "access_key").replace("{type}", "{train_type}")
    for method, path in _HANDLERS:
        written = path.replace("{service}", "{id}").replace("{fault}", "{id}")
        assert f"`{method} {written}" in text or (method == "DELETE" and "keys" in path)
