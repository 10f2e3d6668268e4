"""The checks of the gateway over a real socket: accepted and refused requests."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

import pytest

from tests.integration.simulator.raw_http import API, call, fetch, sign
from tests.unit.simulator.fake_clock import START, FakeClock
from watcher.core.secret import Secret
from watcher.simulator import Running, Simulator, serve

LIST = f"{API}/services/shop/trains"
MISSING = "Authentication information are missing."
INVALID = "Invalid authentication information."


def refused(details: str) -> dict[str, object]:
    return {"error": {"errorCode": "200", "message": "Authentication Failed", "details": details}}


async def test_a_valid_call_is_answered_with_json(running: Running) -> None:
    answer = await call(running, "/services/shop/trains")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert [train["version"] for train in answer.json()["trains"]] == ["p1", "r1"]


@pytest.mark.parametrize("name", ["x-ncp-apigw-timestamp", "x-ncp-iam-access-key", "x-ncp-apigw-signature-v2"])
async def test_a_call_without_one_of_the_headers_is_refused(running: Running, name: str) -> None:
    headers = sign(LIST, START)
    del headers[name]
    answer = await fetch(running, LIST, headers)
    assert (answer.status, answer.json()) == (401, refused(MISSING))


async def test_header_names_may_be_written_in_capitals(running: Running) -> None:
    headers = {name.upper(): value for name, value in sign(LIST, START).items()}
    assert (await fetch(running, LIST, headers)).status == 200


async def test_a_signature_wrong_by_one_character_is_refused(running: Running) -> None:
    headers = sign(LIST, START)
    good = headers["x-ncp-apigw-signature-v2"]
    headers["x-ncp-apigw-signature-v2"] = good[:7] + ("A" if good[7] != "A" else "B") + good[8:]
    answer = await fetch(running, LIST, headers)
    assert (answer.status, answer.json()) == (401, refused(INVALID))
    assert running.simulator.requests.refused() == {"signature-wrong": 1}


async def test_a_signature_that_is_not_ascii_is_refused(running: Running) -> None:
    headers = sign(LIST, START) | {"x-ncp-apigw-signature-v2": "ä"}
    assert (await fetch(running, LIST, headers)).json() == refused(INVALID)


@pytest.mark.parametrize("made_for", [f"{LIST}?isRecent=true", "/services/shop/trains", f"{API}/services"])
async def test_a_signature_for_another_path_or_query_is_refused(running: Running, made_for: str) -> None:
    assert (await fetch(running, LIST, sign(made_for, START))).status == 401


async def test_the_wrong_secret_key_is_refused(running: Running) -> None:
    headers = sign(LIST, START, secret_key="another")
    assert (await fetch(running, LIST, headers)).json() == refused(INVALID)


async def test_an_unknown_access_key_is_refused(running: Running) -> None:
    headers = sign(LIST, START, access_key="another")
    assert (await fetch(running, LIST, headers)).json() == refused(INVALID)
    assert running.simulator.requests.refused() == {"key-unknown": 1}


@pytest.mark.parametrize("off", [timedelta(seconds=301), -timedelta(seconds=301)])
async def test_a_call_more_than_five_minutes_off_is_refused(running: Running, off: timedelta) -> None:
    assert (await fetch(running, LIST, sign(LIST, START + off))).json() == refused(INVALID)
    assert running.simulator.requests.refused() == {"timestamp-off": 1}


async def test_a_call_five_minutes_off_passes(running: Running) -> None:
    assert (await fetch(running, LIST, sign(LIST, START - timedelta(seconds=300)))).status == 200


async def test_a_server_with_a_wrong_clock_refuses_correct_clients_and_shows_its_time(clock: FakeClock) -> None:
    async with serve(Simulator(clock=clock, clock_offset_seconds=600)) as running:
        right = await fetch(running, f"{API}/services", sign(f"{API}/services", START))
        resynced = await fetch(running, f"{API}/services", sign(f"{API}/services", START + timedelta(seconds=600)))
    assert (right.status, resynced.status) == (401, 200)
    assert parsedate_to_datetime(right.headers["date"]) == START + timedelta(seconds=600)


@pytest.mark.parametrize("path", ["/services", "/services/none/trains", "/nowhere"])
async def test_every_answer_has_one_date_from_the_simulators_clock(
    running: Running, clock: FakeClock, path: str
) -> None:
    clock.pass_seconds(90)
    answer = await call(running, path)
    assert answer.headers["date"] == format_datetime(START + timedelta(seconds=90), usegmt=True)


async def test_a_refusal_has_a_date_too(running: Running) -> None:
    answer = await fetch(running, LIST, {})
    assert answer.headers["date"] == format_datetime(START, usegmt=True)


@pytest.mark.parametrize("content_type", [None, "text/plain"])
async def test_a_call_without_json_as_content_type_is_a_bad_request(running: Running, content_type: str | None) -> None:
    headers = sign(LIST, START)
    del headers["content-type"]
    answer = await fetch(running, LIST, headers if content_type is None else {**headers, "content-type": content_type})
    assert (answer.status, answer.json()["error"]["errorCode"]) == (400, "100")


@pytest.mark.parametrize(
    "path", ["/", "/api/v1", "/api/v2/services", f"{API}/services/", f"{API}/services/shop/infers", f"{API}//services"]
)
async def test_an_unknown_path_is_the_gateways_404(running: Running, path: str) -> None:
    answer = await fetch(running, path, sign(path, START))
    assert (answer.status, answer.json()["error"]["errorCode"]) == (404, "300")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_known_path_with_another_method_is_the_gateways_404(running: Running, method: str) -> None:
    answer = await fetch(running, LIST, sign(LIST, START, method=method), method)
    assert (answer.status, answer.json()["error"]["errorCode"]) == (404, "300")


@pytest.mark.parametrize("path", ["/services/none/trains", "/services/none", "/services/shop/trains/pop/versions/p9"])
async def test_an_unknown_service_or_version_is_a_404_of_aitems(running: Running, path: str) -> None:
    answer = await call(running, path)
    assert answer.status == 404
    assert answer.json() == {
        "timestamp": "2026-11-23T02:00:00.000+00:00",
        "status": 404,
        "error": "Not Found",
        "path": API + path,
    }


@pytest.mark.parametrize("name", ["상점 1", "a/b", "50%", "a?b", "a#b", "..", "~_-.", "é", "a+b", "%2F"])
async def test_ids_with_any_characters_have_a_percent_encoded_path(running: Running, name: str) -> None:
    running.simulator.set_training(name, "pop", name, "learning")
    encoded = quote(name, safe="")
    answer = await call(running, f"/services/{encoded}/trains/pop/versions/{encoded}")
    assert answer.status == 200
    assert (answer.json()["serviceId"], answer.json()["version"]) == (name, name)


@pytest.mark.parametrize("path", ["/services/%EC%83%81", "/services/%ec%83%81"])
async def test_the_signature_is_checked_over_the_path_as_sent(running: Running, path: str) -> None:
    running.simulator.set_training("상", "pop", "v1", "learning")
    assert (await call(running, path)).status == 200
    other_case = API + (path.lower() if path != path.lower() else path.replace("%ec", "%EC"))
    assert (await fetch(running, other_case, sign(API + path, START))).status == 401
    assert (await fetch(running, API + path, sign(f"{API}/services/상", START))).status == 401


@pytest.mark.parametrize("query", ["?isRecent=true&a", "?a=&b", "?b=2&a=1", "?a=%20+", "?&&", "?isRecent=true"])
async def test_the_signature_is_checked_over_the_query_as_sent(running: Running, query: str) -> None:
    assert (await call(running, f"/services/shop/trains{query}")).status == 200


async def test_the_log_separates_two_accounts(clock: FakeClock) -> None:
    keys = {"one": Secret("secret 1"), "two": Secret("secret 2")}
    async with serve(Simulator(clock=clock, keys=keys)) as running:
        for access_key, secret_key in [("one", "secret 1"), ("two", "secret 2"), ("two", "secret 1")]:
            headers = sign(f"{API}/services", START, access_key=access_key, secret_key=secret_key)
            await fetch(running, f"{API}/services", headers)
        logged = running.simulator.requests.as_document()["keys"]
    assert logged == {
        "one": {"services": {"count": 1, "times": [1000.0]}},
        "two": {"services": {"count": 2, "times": [1000.0, 1000.0]}},
    }
