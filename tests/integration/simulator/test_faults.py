"""Each fault, as a client on bare sockets receives it."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import IncompleteRead
from typing import Any

import pytest

from tests.integration.simulator.raw_http import (
    Wire,
    call,
    call_wire,
    fetch,
    parse,
    read_some,
    read_to_end,
    read_until,
    sign,
    signed_call,
)
from tests.unit.simulator.fake_clock import START, FakeClock
from watcher.simulator import CallKind, Fault, Running
from watcher.simulator.faults.kinds import KINDS

VIEW = "/services/shop/trains/pop/versions/p1"
LIST = "/services/shop/trains"
HONEST = {
    "serviceId": "shop",
    "type": "pop",
    "hpConfig": {"is_enabled": False},
    "version": "p1",
    "status": "learning",
    "createdDate": "2026-11-23T11:00:00.000",
    "inference": False,
}
HEAD_END = b"\r\n\r\n"


def set_fault(running: Running, kind: str, **options: Any) -> None:
    running.simulator.faults.clear()
    running.simulator.add_fault(Fault(kind=kind, **options))


def body_of(wire: Wire) -> bytes:
    return wire.raw.partition(HEAD_END)[2]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("400", 400, "100"),
        ("401", 401, "200"),
        ("401-permission", 401, "210"),
        ("404-gateway", 404, "300"),
        ("429-quota", 429, "400"),
        ("429-throttle", 429, "410"),
        ("429-rate", 429, "420"),
        ("500", 500, "900"),
        ("503", 503, "500"),
        ("504", 504, "510"),
    ],
)
async def test_gateway_errors_have_the_gateways_envelope(running: Running, kind: str, status: int, code: str) -> None:
    set_fault(running, kind)
    answer = await call(running, VIEW)
    assert (answer.status, answer.json()["error"]["errorCode"]) == (status, code)
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("text", ["7", "-1", "1000000000", "soon", "Mon, 23 Nov 2026 02:00:30 GMT"])
@pytest.mark.parametrize("kind", ["429-quota", "429-throttle", "429-rate", "503"])
async def test_retry_after_is_sent_unchanged(running: Running, kind: str, text: str) -> None:
    set_fault(running, kind, retry_after=text)
    assert (await call(running, VIEW)).headers["retry-after"] == text


async def test_retry_after_may_be_a_date_relative_to_now(running: Running) -> None:
    set_fault(running, "429-rate", retry_after_date_seconds=30)
    assert parsedate_to_datetime((await call(running, VIEW)).headers["retry-after"]) == START + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "body"),
    [
        ("403", 403, "application/json", b'{"responseError": {"returnCode": "1103", "returnMessage": "Forbidden."}}'),
        ("xml", 401, "application/xml", b"<responseError><returnCode>200</returnCode></responseError>"),
        ("empty-error", 500, "application/json", b""),
        ("empty", 200, "application/json", b""),
        ("array", 200, "application/json", b"[]"),
        ("null", 200, "application/json", b"null"),
        ("envelope-200", 200, "application/json", b'{"error": {"errorCode": "500", "message": "Endpoint Error"}}'),
    ],
)
async def test_unusual_bodies_are_sent_unchanged(
    running: Running, kind: str, status: int, content_type: str, body: bytes
) -> None:
    set_fault(running, kind)
    answer = await call(running, VIEW)
    assert (answer.status, answer.headers["content-type"], answer.body) == (status, content_type, body)


@pytest.mark.parametrize(("kind", "status"), [("html", 502), ("html-200", 200)])
async def test_html_has_its_content_type(running: Running, kind: str, status: int) -> None:
    set_fault(running, kind)
    answer = await call(running, VIEW)
    assert (answer.status, answer.headers["content-type"], answer.body[:6]) == (status, "text/html", b"<html>")


async def test_garbage_is_not_json(running: Running) -> None:
    set_fault(running, "garbage")
    answer = await call(running, VIEW)
    assert answer.status == 200
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        answer.json()


async def test_the_404_fault_resembles_the_404_of_aitems(running: Running) -> None:
    honest = await call(running, "/services/none")
    set_fault(running, "404")
    answer = await call(running, VIEW)
    assert (answer.status, set(answer.json())) == (honest.status, set(honest.json()))


async def test_a_canned_answer_has_the_values_of_the_fault(running: Running) -> None:
    set_fault(running, "canned", status=418, text="짧고 굵게", content_type="text/plain")
    answer = await call(running, VIEW)
    assert (answer.status, answer.body.decode(), answer.headers["content-type"]) == (418, "짧고 굵게", "text/plain")


async def test_a_canned_answer_may_have_no_body(running: Running) -> None:
    set_fault(running, "canned", status=204)
    assert (await call(running, VIEW)).status == 204


@pytest.mark.parametrize(
    ("options", "status", "location"),
    [
        ({}, 302, "/elsewhere"),
        ({"status": 307, "text": "http://127.0.0.1:1/x?y=1#z"}, 307, "http://127.0.0.1:1/x?y=1#z"),
        ({"text": "/다른 곳\r\nx: y"}, 302, "/%EB%8B%A4%EB%A5%B8%20%EA%B3%B3%0D%0Ax:%20y"),
    ],
)
async def test_a_redirect_names_another_url(
    running: Running, options: dict[str, Any], status: int, location: str
) -> None:
    set_fault(running, "redirect", **options)
    answer = await call(running, VIEW)
    assert (answer.status, answer.headers["location"]) == (status, location)


async def test_a_success_may_have_status_201(running: Running) -> None:
    set_fault(running, "201")
    answer = await call(running, VIEW)
    assert (answer.status, answer.json()) == (201, HONEST)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("other-training", {"serviceId": "otherservice", "version": "otherversion"}),
        ("unknown-status", {"status": "hibernating"}),
        ("other-case", {"status": "LEARNING"}),
        ("null-status", {"status": None}),
        (
            "wrong-types",
            {"status": 7, "hpConfig": "none", "inference": "yes", "createdDate": 20240730, "version": ["1"]},
        ),
    ],
)
async def test_a_view_differs_from_the_honest_one_in_exactly_these_fields(
    running: Running, kind: str, changes: dict[str, object]
) -> None:
    set_fault(running, kind)
    answer = await call(running, VIEW)
    assert (answer.status, answer.json()) == (200, HONEST | changes)


@pytest.mark.parametrize("kind", ["other-training", "unknown-status", "other-case", "null-status", "wrong-types"])
async def test_every_training_of_a_list_is_wrong(running: Running, kind: str) -> None:
    honest = (await call(running, LIST)).json()["trains"]
    set_fault(running, kind)
    wrong = (await call(running, LIST)).json()["trains"]
    assert len(wrong) == len(honest)
    assert all(one != other for one, other in zip(honest, wrong, strict=True))


@pytest.mark.parametrize("kind", ["other-training", "unknown-status", "missing-status", "duplicate-keys"])
async def test_faults_of_trainings_do_not_affect_services(running: Running, kind: str) -> None:
    honest = (await call(running, "/services/shop")).json()
    set_fault(running, kind)
    assert (await call(running, "/services/shop")).json() == honest


async def test_an_unknown_status_may_be_chosen(running: Running) -> None:
    set_fault(running, "unknown-status", text="<!channel>")
    assert (await call(running, VIEW)).json()["status"] == "<!channel>"


async def test_fields_may_be_missing(running: Running) -> None:
    set_fault(running, "missing-status")
    assert (await call(running, VIEW)).json() == {key: value for key, value in HONEST.items() if key != "status"}
    set_fault(running, "missing-fields")
    assert (await call(running, VIEW)).json() == {"status": "learning"}


async def test_nan_is_sent_without_quotes(running: Running) -> None:
    set_fault(running, "nan")
    assert b'"item_top_n": NaN' in (await call(running, VIEW)).body


async def test_a_key_is_sent_twice_with_contradicting_values(running: Running) -> None:
    set_fault(running, "duplicate-keys")
    pairs = json.loads((await call(running, VIEW)).body, object_pairs_hook=list)
    assert [value for key, value in pairs if key == "status"] == ["learning", "completed"]


@pytest.mark.parametrize(("options", "depth"), [({}, 100_000), ({"size": 7}, 7)])
async def test_brackets_are_nested_to_the_given_depth(running: Running, options: dict[str, int], depth: int) -> None:
    set_fault(running, "deep", **options)
    body = (await call(running, VIEW)).body
    assert b'"nested": ' + b"[" * depth + b"]" * depth + b"}" in body


async def test_invalid_utf8_spoils_an_otherwise_honest_answer(running: Running) -> None:
    set_fault(running, "bad-utf8")
    body = (await call(running, VIEW)).body
    with pytest.raises(UnicodeDecodeError):
        body.decode()
    assert json.loads(body.decode(errors="replace"))["status"] == "learning"


async def test_an_older_state_is_shown(running: Running, clock: FakeClock) -> None:
    clock.pass_seconds(70)
    assert (await call(running, VIEW)).json()["status"] == "completed"
    set_fault(running, "older-state")
    assert (await call(running, VIEW)).json()["status"] == "learning"
    set_fault(running, "older-state", seconds=5)
    assert (await call(running, VIEW)).json()["status"] == "completed"


async def test_lists_may_lack_trainings(running: Running) -> None:
    set_fault(running, "half-list")
    assert [train["version"] for train in (await call(running, LIST)).json()["trains"]] == ["p1"]
    set_fault(running, "empty-list")
    assert (await call(running, LIST)).json() == {"trains": [], "offset": 0, "limit": 1000}
    assert (await call(running, VIEW)).json() == HONEST


@pytest.mark.parametrize(("options", "seconds"), [({}, 600), ({"seconds": -5}, -5)])
async def test_the_date_of_an_honest_answer_may_be_wrong(
    running: Running, options: dict[str, float], seconds: int
) -> None:
    set_fault(running, "clock-off", **options)
    answer = await call(running, VIEW)
    assert answer.headers["date"] == format_datetime(START + timedelta(seconds=seconds), usegmt=True)
    assert answer.json() == HONEST


async def test_the_date_may_be_missing(running: Running) -> None:
    set_fault(running, "no-date")
    answer = await call(running, VIEW)
    assert "date" not in answer.headers
    assert answer.json() == HONEST


async def test_a_reset_comes_before_the_first_byte(running: Running) -> None:
    set_fault(running, "reset")
    assert await call_wire(running, VIEW) == Wire(b"", was_reset=True)


async def test_a_reset_within_the_body_comes_after_half_of_it(running: Running) -> None:
    set_fault(running, "reset-mid-body")
    wire = await call_wire(running, VIEW)
    honest = json.dumps(HONEST).encode()
    assert wire.was_reset
    assert body_of(wire) == honest[: len(honest) // 2]


async def test_a_hang_up_closes_normally_before_the_first_byte(running: Running) -> None:
    set_fault(running, "hang-up")
    assert await call_wire(running, VIEW) == Wire(b"", was_reset=False)


async def test_a_truncated_answer_has_fewer_bytes_than_it_says(running: Running) -> None:
    set_fault(running, "truncated")
    wire = await call_wire(running, VIEW)
    assert not wire.was_reset
    assert json.loads(body_of(wire)) == HONEST
    with pytest.raises(IncompleteRead):
        parse(wire.raw)


async def test_an_answer_may_have_more_bytes_than_it_says(running: Running) -> None:
    set_fault(running, "longer-than-said")
    wire = await call_wire(running, VIEW)
    assert json.loads(body_of(wire)) == HONEST
    assert len(parse(wire.raw).body) == len(body_of(wire)) // 2


async def test_an_answer_may_not_be_http(running: Running) -> None:
    set_fault(running, "not-http")
    assert (await call_wire(running, VIEW)).raw == b"220 mail.example ESMTP ready\r\n"


@pytest.mark.parametrize(("options", "size"), [({}, 1_000_000), ({"size": 70_000}, 70_000)])
async def test_headers_may_be_huge(running: Running, options: dict[str, int], size: int) -> None:
    set_fault(running, "huge-headers", **options)
    wire = await call_wire(running, VIEW)
    assert b"\r\nx-filler: " + b"x" * size + b"\r\n" in wire.raw
    assert body_of(wire) == b"{}"


async def expect_no_more_than(*parts: bytes, running: Running) -> None:
    """Expect that an answer begins with the parts, and that no further bytes follow."""
    async with signed_call(running, VIEW) as connection:
        for part in parts:
            await read_until(connection, part)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read_some(connection), 0.05)


async def test_a_hang_sends_nothing(running: Running) -> None:
    set_fault(running, "hang")
    await expect_no_more_than(running=running)


async def test_a_hang_within_the_body_sends_half_of_it(running: Running) -> None:
    set_fault(running, "hang-mid-body")
    honest = json.dumps(HONEST).encode()
    await expect_no_more_than(HEAD_END + honest[: len(honest) // 2], running=running)


async def test_a_slow_answer_does_not_come_before_its_time(running: Running) -> None:
    set_fault(running, "slow", seconds=3600)
    await expect_no_more_than(running=running)


async def test_a_slow_answer_is_honest(running: Running) -> None:
    set_fault(running, "slow", seconds=0.01)
    assert (await call(running, VIEW)).json() == HONEST


async def test_a_drip_sends_the_head_and_the_first_byte_of_the_body(running: Running) -> None:
    set_fault(running, "drip", seconds=3600)
    await expect_no_more_than(HEAD_END + b"{", running=running)


async def test_dripping_headers_send_the_first_byte(running: Running) -> None:
    set_fault(running, "drip-headers", seconds=3600)
    await expect_no_more_than(b"H", running=running)


@pytest.mark.parametrize("kind", ["drip", "drip-headers"])
async def test_a_drip_ends_with_the_complete_honest_answer(running: Running, kind: str) -> None:
    set_fault(running, kind, seconds=0)
    assert (await call(running, VIEW)).json() == HONEST


async def test_a_huge_body_has_the_given_size(running: Running) -> None:
    set_fault(running, "huge", size=3_000_000)
    answer = await call(running, VIEW)
    assert (len(answer.body), answer.headers["content-length"]) == (3_000_000, "3000000")
    assert answer.json() == HONEST


async def test_a_gzip_bomb_is_small_on_the_wire_and_large_inside(running: Running) -> None:
    set_fault(running, "gzip-bomb", size=5_000_000)
    answer = await call(running, VIEW)
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 10_000
    assert len(gzip.decompress(answer.body)) == 5_000_000


async def test_an_endless_body_continues_while_it_is_read(running: Running) -> None:
    set_fault(running, "endless")
    async with signed_call(running, VIEW) as connection:
        received = 0
        while received < 10_000_000:
            received += len(await read_some(connection))


@pytest.mark.parametrize("kind", ["hang", "hang-mid-body", "drip", "drip-headers", "slow", "endless"])
async def test_the_simulator_continues_after_a_client_disconnects(
    running: Running, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    set_fault(running, kind, times=1)
    async with signed_call(running, VIEW) as connection:
        await running.simulator.requests.wait_for(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read_to_end(connection), 0.05)
    assert (await call(running, VIEW)).json() == HONEST
    assert caplog.records == []


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"huge", "gzip-bomb", "endless"}))
async def test_every_fault_applies_to_every_call_without_a_log_line(
    running: Running, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    set_fault(running, kind)
    for number, path in enumerate((VIEW, LIST, "/services/shop", "/services", "/services/none"), start=1):
        async with signed_call(running, path) as connection:
            await running.simulator.requests.wait_for(number)
            try:
                await asyncio.wait_for(read_some(connection), 0.01)
            except (TimeoutError, ConnectionResetError):
                continue
    assert running.simulator.faults.planned[0].struck == 5
    assert caplog.records == []


async def test_a_request_that_the_gateway_refuses_is_refused_despite_faults(running: Running) -> None:
    set_fault(running, "500")
    target = f"/api/v1{VIEW}"
    assert (await fetch(running, target, sign(target, START, secret_key="wrong"))).status == 401
    assert running.simulator.faults.planned[0].struck == 0


async def test_a_fault_applies_within_its_limits_only(running: Running) -> None:
    set_fault(running, "500", service="shop", call=CallKind.VIEW, times=2)
    paths = ("/services/news/trains", LIST, VIEW, VIEW, VIEW)
    assert [(await call(running, path)).status for path in paths] == [200, 200, 500, 500, 200]
