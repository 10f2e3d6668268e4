"""The client against servers with good answers, bad answers and none."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.integration.aitems.conftest import ACCESS_KEY, MakeApi, Script
from tests.integration.http.raw_server import Exchange, RawServer, raw_server
from tests.support.keys import FixedKeys
from watcher.aitems.client import AccountSpec, AitemsClient, ServicesResult
from watcher.aitems.signing import KeyPair
from watcher.aitems.wire import ServiceInfo
from watcher.core.polling.result import Cause, PollFailure, PollOutcome, PollResult
from watcher.core.secret import Secret
from watcher.core.training.model import ServiceRef, TrainingRef

SERVICE = ServiceRef("main", "6wxgu1abcde")
REF = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")
RECORD = {
    "serviceId": "6wxgu1abcde",
    "type": "pop",
    "hpConfig": {"is_enabled": False},
    "version": "maqll0abcde",
    "status": "learning",
    "createdDate": "2026-03-02T09:14:07.031",
    "inference": False,
}


def item(version: int, status: str = "completed") -> dict[str, object]:
    return {**RECORD, "version": f"v{version}", "status": status}


def page(items: list[dict[str, object]], offset: int, limit: int) -> dict[str, object]:
    return {"trains": items, "offset": offset, "limit": limit}


def result(outcome: PollOutcome) -> PollResult:
    assert isinstance(outcome, PollResult), outcome
    return outcome


def failure(outcome: object) -> PollFailure:
    assert isinstance(outcome, PollFailure), outcome
    return outcome


async def test_a_view_gives_one_observation_with_bounds_and_digest(api: AitemsClient, script: Script) -> None:
    script.add(RECORD, head="Date: Mon, 23 Nov 2026 02:20:00 GMT\r\n")
    outcome = result(await api.view(REF))
    assert [(item.ref, item.status) for item in outcome.observations] == [(REF, "learning")]
    assert outcome.digest == hashlib.sha256(json.dumps(RECORD).encode()).digest()
    assert outcome.asked_at <= outcome.answered_at
    assert outcome.server_date == datetime(2026, 11, 23, 2, 20, tzinfo=UTC)


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "203 Non-Authoritative Information"])
async def test_any_success_status_counts(api: AitemsClient, script: Script, status: str) -> None:
    script.add(RECORD, status=status)
    result(await api.view(REF))


async def test_a_list_of_one_page_is_requested_without_paging(
    api: AitemsClient, server: RawServer, script: Script
) -> None:
    script.add(page([item(1), item(2)], 0, 1000))
    outcome = result(await api.list(SERVICE))
    assert [item.ref.version for item in outcome.observations] == ["v1", "v2"]
    await api.list(SERVICE)
    assert [line.partition("trains")[2] for line in server.request_lines] == [
        " HTTP/1.1",
        # Once, to confirm that nothing follows the short page.
        "?offset=2&limit=1000 HTTP/1.1",
        " HTTP/1.1",
    ]


async def test_pages_are_requested_until_one_brings_nothing(
    api: AitemsClient, server: RawServer, script: Script
) -> None:
    pages = [page([item(1), item(2)], 0, 2), page([item(3), item(4)], 2, 2), page([item(5)], 4, 2), page([], 5, 2)]
    for body in pages:
        script.add(body)
    outcome = result(await api.list(SERVICE))
    assert [item.ref.version for item in outcome.observations] == ["v1", "v2", "v3", "v4", "v5"]
    assert outcome.asked_at == outcome.observations[0].asked_at < outcome.observations[2].asked_at
    assert outcome.answered_at > outcome.observations[4].answered_at > outcome.observations[2].answered_at
    # The empty page confirms the end and is not always asked for, so it is no part of the digest.
    digests = [hashlib.sha256(json.dumps(each).encode()).digest() for each in pages[:-1]]
    assert outcome.digest == hashlib.sha256(b"".join(digests)).digest()
    assert [line.partition("trains")[2] for line in server.request_lines] == [
        " HTTP/1.1",
        "?offset=2&limit=2 HTTP/1.1",
        "?offset=4&limit=2 HTTP/1.1",
        "?offset=5&limit=2 HTTP/1.1",
    ]


async def test_a_full_page_with_nothing_new_ends_the_list(api: AitemsClient, server: RawServer, script: Script) -> None:
    script.add({"trains": [item(1), item(2)], "limit": 2})
    assert len(result(await api.list(SERVICE)).observations) == 2
    assert len(server.received) == 2


async def test_one_failed_page_fails_the_whole_list(api: AitemsClient, script: Script) -> None:
    script.add(page([item(1)], 0, 1))
    script.add({"error": {"errorCode": "900", "message": "Unexpected Error"}}, status="500 Internal Server Error")
    assert failure(await api.list(SERVICE)).cause is Cause.SERVER


async def test_a_training_listed_twice_with_one_status_counts_once(api: AitemsClient, script: Script) -> None:
    script.add(page([item(1), item(1)], 0, 1000))
    assert len(result(await api.list(SERVICE)).observations) == 1


async def test_services_are_listed_from_all_pages(api: AitemsClient, server: RawServer, script: Script) -> None:
    for offset, name in enumerate("ab"):
        services = [{"serviceId": name, "status": "learnable", "name": f"shop {name}"}]
        script.add({"services": services, "offset": offset, "limit": 1})
    script.add({"services": [], "offset": 2, "limit": 1})
    answer = await api.services()
    assert isinstance(answer, ServicesResult)
    assert [(service.ref.service, service.record["name"]) for service in answer.services] == [
        ("a", "shop a"),
        ("b", "shop b"),
    ]


async def test_a_service_is_read(api: AitemsClient, server: RawServer, script: Script) -> None:
    script.add({"serviceId": "6wxgu1abcde", "status": "scheduled", "type": "interval"})
    answer = await api.service(SERVICE)
    assert isinstance(answer, ServiceInfo)
    assert (answer.status, answer.record) == ("scheduled", {"type": "interval"})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("401 Unauthorized", {"error": {"errorCode": "200", "message": "Authentication Failed"}}, (Cause.KEY, "200")),
        ("401 Unauthorized", {"error": {"errorCode": "210", "message": "Denied"}}, (Cause.PERMISSION, "210")),
        ("403 Forbidden", b"", (Cause.PERMISSION, None)),
        ("404 Not Found", {"error": {"errorCode": "300", "message": "Not Found"}}, (Cause.REFUSED, "300")),
        ("429 Too Many Requests", {"error": {"errorCode": "400", "message": "Quota"}}, (Cause.QUOTA, "400")),
        ("429 Too Many Requests", {"error": {"errorCode": "410", "message": "Throttle"}}, (Cause.THROTTLE, "410")),
        ("429 Too Many Requests", {"error": {"errorCode": "420", "message": "Rate"}}, (Cause.RATE, "420")),
        ("503 Service Unavailable", b"<html><title>Maintenance</title></html>", (Cause.SERVER, None)),
        ("302 Found", b"", (Cause.BAD_ANSWER, None)),
        ("400 Bad Request", {"error": {"errorCode": "100", "message": "Bad"}}, (Cause.REFUSED, "100")),
    ],
)
async def test_a_refusal_has_its_cause_and_status(
    api: AitemsClient, script: Script, status: str, body: object, expected: tuple[Cause, str | None]
) -> None:
    script.add(body, status=status)
    problem = failure(await api.view(REF))
    assert (problem.cause, problem.code) == expected
    assert problem.http_status == int(status[:3])
    assert status[:3] in problem.detail


async def test_a_wrong_clock_is_reported_with_its_difference(api: AitemsClient, script: Script) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    script.add({"error": {"errorCode": "200"}}, status="401 Unauthorized", head=f"Date: {date}\r\n")
    problem = failure(await api.view(REF))
    assert problem.cause is Cause.CLOCK
    assert "s from ours" in problem.detail


@pytest.mark.parametrize(("age", "cause"), [("3600", Cause.KEY), ("3500", Cause.KEY), ("60", Cause.CLOCK)])
async def test_the_date_of_a_cached_refusal_counts_with_its_age(
    api: AitemsClient, script: Script, age: str, cause: Cause
) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    script.add({"error": {"errorCode": "200"}}, status="401 Unauthorized", head=f"Date: {date}\r\nAge: {age}\r\n")
    assert failure(await api.view(REF)).cause is cause


async def test_the_date_of_a_cached_list_counts_with_its_age(
    api: AitemsClient, server: RawServer, script: Script
) -> None:
    script.add(page([item(1)], 0, 1000), head="Date: Mon, 23 Nov 2026 02:20:00 GMT\r\nAge: 120\r\n")
    outcome = result(await api.list(SERVICE))
    assert outcome.server_date == datetime(2026, 11, 23, 2, 22, tzinfo=UTC)
    assert b"cache-control: no-cache" in server.received[0].lower()


@pytest.mark.parametrize(
    ("body", "head"),
    [
        (b"", ""),
        (b"<html>Login</html>", "Content-Type: text/html\r\n"),
        (b"null", ""),
        (b"[]", ""),
        (json.dumps(RECORD).encode()[:-1], ""),
        (json.dumps({**RECORD, "version": "another"}).encode(), ""),
        (json.dumps({**RECORD, "status": None}).encode(), ""),
        (b'{"error": {"errorCode": "500", "message": "Endpoint Error"}}', ""),
        (gzip.compress(json.dumps(RECORD).encode()), "Content-Encoding: gzip\r\n"),
        # The header says that it is encoded, so the body is not accepted.
        (json.dumps(RECORD).encode(), "Content-Encoding: br\r\n"),
    ],
)
async def test_a_success_without_a_training_is_a_bad_answer(
    api: AitemsClient, script: Script, body: bytes, head: str
) -> None:
    script.add(body, head=head)
    problem = failure(await api.view(REF))
    assert problem.cause is Cause.BAD_ANSWER
    assert problem.http_status == 200


async def close(exchange: Exchange) -> None:
    await exchange.read_head()


async def half(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")


async def no_http(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"220 ready\r\n\r\n")


async def endless(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await exchange.write(b" " * 100_000)


@pytest.mark.parametrize(
    ("behave", "cause"),
    [(close, Cause.RESET), (half, Cause.RESET), (no_http, Cause.RESET), (endless, Cause.BAD_ANSWER)],
)
async def test_a_broken_connection_has_its_cause(
    make_api: MakeApi, behave: Callable[[Exchange], asyncio.Future[None]], cause: Cause
) -> None:
    async with raw_server(behave) as server:
        problem = failure(await make_api(f"{server.url}/api/v1").view(REF))
    assert problem.cause is cause
    assert problem.http_status is None


@pytest.mark.parametrize(
    ("base_url", "cause"),
    [
        ("https://no-such-host.invalid/api/v1", Cause.DNS),
        ("http://127.0.0.1:1/api/v1", Cause.CONNECT),
    ],
)
async def test_a_host_that_cannot_be_reached_has_its_cause(make_api: MakeApi, base_url: str, cause: Cause) -> None:
    assert failure(await make_api(base_url).view(REF)).cause is cause


async def test_a_tls_failure_has_its_cause(make_api: MakeApi, server: RawServer) -> None:
    async def no_tls(exchange: Exchange) -> None:
        await exchange.reader.read(1)
        await exchange.write(b"plain text\r\n\r\n")

    async with raw_server(no_tls) as plain:
        problem = failure(await make_api(f"https://127.0.0.1:{plain.port}/api/v1").view(REF))
    assert problem.cause is Cause.TLS


@pytest.mark.parametrize(("head", "seconds"), [("Retry-After: 90000\r\n", 900.0), ("Retry-After: -1\r\n", None)])
async def test_a_requested_wait_is_capped_and_an_invalid_one_ignored(
    api: AitemsClient, script: Script, head: str, seconds: float | None
) -> None:
    script.add(b"", status="503 Service Unavailable", head=head)
    assert failure(await api.view(REF)).retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        (("429 Too Many Requests", "Retry-After: 100\r\n"), 100.0),
        (("429 Too Many Requests", ""), 5.0),
        (("503 Service Unavailable", "Retry-After: 30\r\n"), 30.0),
    ],
)
async def test_a_requested_pause_applies_to_the_whole_account(
    api: AitemsClient, server: RawServer, script: Script, refusal: tuple[str, str], seconds: float
) -> None:
    begun = time.monotonic()
    script.add(b"", status=refusal[0], head=refusal[1])
    refused = failure(await api.view(REF))
    assert refused.paused_until is not None
    assert abs((refused.paused_until - refused.ended_at).total_seconds() - seconds) < 1e-3
    assert api._budget._rate_limiter.free_at >= begun + seconds
    waiting = asyncio.create_task(api.list(SERVICE))
    await asyncio.sleep(0.05)
    assert len(server.received) == 1
    waiting.cancel()


async def test_a_plain_failure_pauses_nothing(api: AitemsClient, server: RawServer, script: Script) -> None:
    script.add(b"", status="500 Internal Server Error")
    assert failure(await api.view(REF)).paused_until is None
    await api.view(REF)
    assert len(server.received) == 2


async def test_the_servers_message_is_one_short_line_without_the_key(api: AitemsClient, script: Script) -> None:
    script.add(f"bad key {ACCESS_KEY}\r\n\x1b[31m{'x' * 5000}".encode(), status="401 Unauthorized")
    detail = failure(await api.view(REF)).detail
    assert "bad key **********" in detail
    assert ACCESS_KEY not in detail
    assert len(detail) <= 300
    assert detail.isprintable()


@pytest.mark.parametrize("base_url", ["http://aitems.example/api/v1", "ftp://127.0.0.1/", "nonsense"])
def test_keys_are_not_sent_over_plain_http(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url must begin with https://"):
        AccountSpec(name="main", base_url=base_url, keys=FixedKeys(KeyPair(Secret("a"), Secret("b"))))


async def test_a_slow_answer_does_not_delay_the_next_request(make_api: MakeApi) -> None:
    arrived = asyncio.Barrier(2)

    async def answer_two_together(exchange: Exchange) -> None:
        await exchange.read_head()
        await arrived.wait()
        await exchange.answer(json.dumps(RECORD).encode())

    async with raw_server(answer_two_together) as server:
        api = make_api(f"{server.url}/api/v1")
        outcomes = await asyncio.gather(api.view(REF), api.view(REF))
    assert all(isinstance(outcome, PollResult) for outcome in outcomes)


async def test_the_rate_applies_where_the_requests_arrive(make_api: MakeApi) -> None:
    arrivals: list[float] = []

    async def behave(exchange: Exchange) -> None:
        while True:
            await exchange.read_head()
            arrivals.append(asyncio.get_running_loop().time())
            await exchange.answer(json.dumps(RECORD).encode())

    async with raw_server(behave) as server:
        api = make_api(f"{server.url}/api/v1", per_second=10)
        await asyncio.gather(*(api.view(REF) for _ in range(15)))
    # Less than a second, because a busy machine may delay the reading of an earlier request.
    assert all(beyond - first >= 0.9 for first, beyond in zip(arrivals, arrivals[10:], strict=False))
