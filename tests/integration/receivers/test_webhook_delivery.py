"""The webhook receiver against a local server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from standardwebhooks import Webhook
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from tests.integration.receivers.raw_server import answering, refusing_url
from tests.support.servers import Inbox, Received, listening
from tests.unit.receivers.samples import CASES, GROUPS, HOSTILE, of_version, sample_event
from watcher.clock import Clock
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, RefusalScope, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import Reason, ReasonCode, http_reason
from watcher.core.event import Event
from watcher.core.messages.reasons import reason_text
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.receivers import KINDS, Receiver, Spec

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "Bearer t0ken-of-the-consumer"


class ShiftedClock(Clock):
    """A clock that a test can set ahead."""

    ahead = timedelta()

    def utc_now(self) -> datetime:
        return super().utc_now() + self.ahead


@asynccontextmanager
async def webhook(
    url: str, *, clock: Clock | None = None, settings: HttpSettings | None = None, signed: bool = True
) -> AsyncIterator[Receiver]:
    """Yield a receiver for ``url``, and close its connections afterwards."""
    used = clock or Clock()
    http = HttpClient(settings or HttpSettings(timeout_seconds=5.0), used)
    spec = Spec(
        name="pipeline",
        http=http,
        clock=used,
        url=Secret(url),
        secret=(lambda: Secret(SECRET)) if signed else None,
        headers={"Authorization": Secret(TOKEN)},
    )
    yield KINDS["webhook"](spec)
    await http.aclose()


def sealed(receiver: Receiver, event: Event) -> DeliveryRequest:
    return DeliveryRequest(delivery_id="msg_2kq4", events=(event,), body=receiver.seal(event, 3))


async def outcome_at(url: str, settings: HttpSettings | None = None) -> Outcome:
    async with webhook(url, settings=settings) as receiver:
        return await receiver.send(sealed(receiver, sample_event()))


@pytest.mark.parametrize("case", sorted(CASES))
async def test_the_standards_library_verifies_the_bytes_that_arrive(case: str) -> None:
    async with listening(Inbox()) as inbox, webhook(inbox.url) as receiver:
        request = sealed(receiver, CASES[case])
        assert await receiver.send(request) == Delivered(answer="200 ok")
    (received,) = inbox.received
    assert received.body == request.body
    assert Webhook(SECRET).verify(received.body, received.headers)["data"]["id"] == CASES[case].id
    assert received.headers["webhook-id"] == "msg_2kq4"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["authorization"] == TOKEN


@pytest.mark.parametrize("name", sorted(GROUPS))
async def test_a_group_arrives_as_one_signed_body(name: str) -> None:
    events, also = GROUPS[name]
    async with listening(Inbox()) as inbox, webhook(inbox.url) as receiver:
        body = receiver.seal_group([(event, number) for number, event in enumerate(events, start=1)], also)
        request = DeliveryRequest(delivery_id="msg_2kq4", events=tuple(events), also=tuple(also), body=body)
        assert await receiver.send(request) == Delivered(answer="200 ok")
    (received,) = inbox.received
    read = Webhook(SECRET).verify(received.body, received.headers)
    assert read["type"] == "group"
    assert [event["id"] for event in read["data"]["events"]] == [event.id for event in events]
    assert [reference["id"] for reference in read["data"]["also"]] == [event.id for event in also]


async def test_a_group_of_one_arrives_like_a_single_event() -> None:
    async with listening(Inbox()) as inbox, webhook(inbox.url) as receiver:
        alone = sealed(receiver, sample_event())
        await receiver.send(alone)
        await receiver.send(replace(alone, body=receiver.seal_group([(sample_event(), 3)], [of_version("other")])))
    first, second = inbox.received
    assert first.body == second.body


async def test_hostile_texts_arrive_signed_and_as_json() -> None:
    async with listening(Inbox()) as inbox, webhook(inbox.url) as receiver:
        for text in HOSTILE:
            event = sample_event(version=text, to_status=text, record={"description": text})
            assert isinstance(await receiver.send(sealed(receiver, event)), Delivered)
    assert len(inbox.received) == len(HOSTILE)
    for received in inbox.received:
        Webhook(SECRET).verify(received.body, received.headers)


async def test_each_attempt_has_the_same_bytes_and_id_and_a_new_time_and_signature() -> None:
    clock = ShiftedClock()
    async with listening(Inbox()) as inbox, webhook(inbox.url, clock=clock) as receiver:
        request = sealed(receiver, sample_event())
        await receiver.send(request)
        clock.ahead = timedelta(minutes=1)
        await receiver.send(request)
    first, second = inbox.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) in {60, 61}
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    for received in inbox.received:
        Webhook(SECRET).verify(received.body, received.headers)


async def test_without_a_secret_there_is_no_signature() -> None:
    async with listening(Inbox()) as inbox, webhook(inbox.url, signed=False) as receiver:
        await receiver.send(sealed(receiver, sample_event()))
    assert "webhook-signature" not in inbox.received[0].headers
    assert "webhook-timestamp" in inbox.received[0].headers


async def test_retry_after_is_read_from_the_answer() -> None:
    def busy(_received: Received) -> Response:
        return PlainTextResponse("later", 503, {"Retry-After": "7"})

    async with listening(Inbox(busy)) as inbox:
        assert await outcome_at(inbox.url) == TryLater(reason=http_reason(503), answer="503 later", after_seconds=7.0)


async def test_a_redirect_is_not_followed_and_parks_the_receiver() -> None:
    def moved(_received: Received) -> Response:
        return RedirectResponse("/elsewhere")

    async with listening(Inbox(moved)) as inbox:
        outcome = await outcome_at(inbox.url)
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.RECEIVER
    assert len(inbox.received) == 1


async def test_a_refusal_that_echoes_the_headers_leaks_no_secret() -> None:
    def echo(received: Received) -> Response:
        return PlainTextResponse(json.dumps(received.headers), 401)

    async with listening(Inbox(echo)) as inbox:
        outcome = await outcome_at(inbox.url)
    assert isinstance(outcome, Refused)
    assert "t0ken" not in outcome.answer
    assert "401" in outcome.answer


async def test_one_attempt_is_one_request() -> None:
    def fail(_received: Received) -> Response:
        return PlainTextResponse("broken", 500)

    async with listening(Inbox(fail)) as inbox:
        assert isinstance(await outcome_at(inbox.url), TryLater)
    assert len(inbox.received) == 1


async def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    outcome = await outcome_at(refusing_url())
    assert isinstance(outcome, TryLater)
    assert reason_text(outcome.reason) == "not sent: connect"


async def test_a_connection_that_ends_without_an_answer_is_uncertain() -> None:
    async with answering(b"") as server:
        outcome = await outcome_at(server.url)
    assert outcome == Uncertain(reason=Reason(code=ReasonCode.NO_ANSWER, cause="reset"), answer=outcome.answer)
    assert len(server.requests) == 1


async def test_a_consumer_that_never_answers_is_uncertain_at_the_deadline() -> None:
    async with answering(b"", hangs=True) as server:
        outcome = await outcome_at(server.url, HttpSettings(timeout_seconds=0.3))
    assert isinstance(outcome, Uncertain)
    assert reason_text(outcome.reason) == "no answer: deadline"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf of it",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5_000,
    ],
)
async def test_a_2xx_counts_even_if_the_rest_of_the_answer_is_lost(answer: bytes) -> None:
    async with answering(answer) as server:
        outcome = await outcome_at(server.url, HttpSettings(max_body_bytes=1_000))
    assert isinstance(outcome, Delivered)


async def test_an_answer_with_control_characters_is_stored_clean_and_short() -> None:
    body = b"\x1b[2J\x00evil " + b"z" * 10_000
    async with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as server:
        outcome = await outcome_at(server.url)
    assert outcome.answer.startswith("404 evil zzz")
    assert len(outcome.answer) <= 200
