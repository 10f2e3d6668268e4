"""Slack's incoming webhooks against a local server with Slack's rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from tests.integration.receivers.raw_server import answering, refusing_url
from tests.support.servers import Inbox, Received, listening
from tests.unit.receivers.samples import CASES, GROUPS, HOSTILE, sample_event
from tests.unit.receivers.slack import slack_rules
from watcher.clock import Clock
from watcher.core.delivery.model import (
    Degrade,
    Delivered,
    DeliveryRequest,
    Outcome,
    RefusalScope,
    Refused,
    TryLater,
    Uncertain,
)
from watcher.core.delivery.reason import named_reason
from watcher.core.event import Event
from watcher.core.messages.reasons import reason_text
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.receivers import KINDS, Receiver, Spec


@asynccontextmanager
async def slack(url: str) -> AsyncIterator[Receiver]:
    """Yield a receiver for ``url``, and close its connections afterwards."""
    http = HttpClient(HttpSettings(timeout_seconds=5.0), Clock())
    yield KINDS["slack-webhook"](Spec(name="ml-ops", http=http, clock=Clock(), url=Secret(url)))
    await http.aclose()


def as_slack(received: Received) -> Response:
    """Answer as Slack does, by an independent copy of its rules."""
    faults = slack_rules.faults(received.json)
    return PlainTextResponse("invalid_blocks" if faults else "ok", 400 if faults else 200)


def request(event: Event, *, degrade: int = 0, may_be_repeat: bool = False) -> DeliveryRequest:
    return DeliveryRequest(
        delivery_id="msg_1", events=(event,), body=None, degrade=degrade, may_be_repeat=may_be_repeat
    )


async def outcome_at(url: str, *, degrade: int = 0) -> Outcome:
    async with slack(url) as receiver:
        return await receiver.send(request(sample_event(), degrade=degrade))


@pytest.mark.parametrize("degrade", [0, 1, 2])
async def test_slack_accepts_every_kind_of_message_at_every_step(degrade: int) -> None:
    async with listening(Inbox(as_slack)) as inbox, slack(inbox.url) as receiver:
        for event in CASES.values():
            assert await receiver.send(request(event, degrade=degrade)) == Delivered(answer="200 ok")
    assert len(inbox.received) == len(CASES)
    assert all(received.headers["content-type"] == "application/json" for received in inbox.received)
    assert all(set(received.json) <= {"text", "blocks", "unfurl_links", "unfurl_media"} for received in inbox.received)


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("name", sorted(GROUPS))
async def test_slack_accepts_groups_and_lists_each_event(name: str, degrade: int) -> None:
    events, also = GROUPS[name]
    group = DeliveryRequest(delivery_id="msg_1", events=tuple(events), also=tuple(also), body=None, degrade=degrade)
    async with listening(Inbox(as_slack)) as inbox, slack(inbox.url) as receiver:
        assert await receiver.send(group) == Delivered(answer="200 ok")
    body = inbox.received[0].body.decode()
    assert [event.version for event in events if event.version and event.version not in body] == []
    assert ("sent separately" in body.lower()) is bool(also)


async def test_slack_accepts_hostile_groups_within_its_limits() -> None:
    events = tuple(
        sample_event(version=text, service_name=text, from_status=text, to_status=text, late=True)
        for text in HOSTILE[:20]
    )
    async with listening(Inbox(as_slack)) as inbox, slack(inbox.url) as receiver:
        for degrade in (0, 1, 2):
            group = DeliveryRequest(
                delivery_id="msg_1", events=events, also=events, body=None, degrade=degrade, may_be_repeat=True
            )
            assert isinstance(await receiver.send(group), Delivered)
    assert not [received for received in inbox.received if b"<!channel" in received.body]


async def test_slack_accepts_hostile_texts_within_its_limits() -> None:
    async with listening(Inbox(as_slack)) as inbox, slack(inbox.url) as receiver:
        for text in HOSTILE:
            event = sample_event(version=text, to_status=text, labels={text: text}, record={"description": text})
            assert isinstance(await receiver.send(request(event, may_be_repeat=True)), Delivered)
    assert not [received for received in inbox.received if b"<!channel" in received.body]


async def test_a_slack_that_rejects_blocks_finally_gets_the_text() -> None:
    def no_blocks(received: Received) -> Response:
        if "blocks" in received.json:
            return PlainTextResponse("invalid_blocks", 400)
        return PlainTextResponse("ok")

    async with listening(Inbox(no_blocks)) as inbox:
        outcomes = [await outcome_at(inbox.url, degrade=degrade) for degrade in (0, 1, 2)]
    assert outcomes[:2] == [Degrade(reason=named_reason("invalid_blocks"), answer="400 invalid_blocks")] * 2
    assert outcomes[2] == Delivered(answer="200 ok")


async def test_a_slack_that_rejects_all_content_ends_only_that_message() -> None:
    def reject_all(_received: Received) -> Response:
        return PlainTextResponse("invalid_payload", 400)

    async with listening(Inbox(reject_all)) as inbox:
        outcome = await outcome_at(inbox.url, degrade=2)
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.MESSAGE


async def test_a_rate_limit_waits_as_long_as_slack_requests() -> None:
    def throttled(_received: Received) -> Response:
        body = {"retry_after": 30, "ok": False, "error": "rate_limited"}
        return JSONResponse(body, 429, {"Retry-After": "30"})

    async with listening(Inbox(throttled)) as inbox:
        outcome = await outcome_at(inbox.url)
    assert isinstance(outcome, TryLater)
    assert outcome.after_seconds == 30.0
    assert len(inbox.received) == 1


async def test_a_revoked_webhook_is_refused_and_its_address_is_not_stored() -> None:
    path = "/services/T0000000/B0000000/abcdefghijklmnopqrst"

    def gone(_received: Received) -> Response:
        return PlainTextResponse("no_service", 404, {"X-Path": path})

    async with listening(Inbox(gone)) as inbox:
        outcome = await outcome_at(inbox.url.replace("/hook", path))
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.RECEIVER
    assert reason_text(outcome.reason).startswith("no_service: ")
    assert "abcdef" not in repr(outcome)


async def test_a_page_of_a_proxy_with_200_is_no_success_and_no_uncertain_post() -> None:
    def portal(_received: Received) -> Response:
        return HTMLResponse("<html>Please sign in</html>")

    async with listening(Inbox(portal)) as inbox:
        assert isinstance(await outcome_at(inbox.url), TryLater)


@pytest.mark.parametrize(
    "answer",
    [Response(status_code=204), JSONResponse({"success": True}), HTMLResponse("ok"), PlainTextResponse("Ok", 201)],
    ids=["no content", "Rocket.Chat", "plain ok as HTML", "created"],
)
async def test_a_server_that_only_resembles_slack_delivers_with_its_own_2xx(answer: Response) -> None:
    async with listening(Inbox(lambda _: answer)) as inbox:
        assert isinstance(await outcome_at(inbox.url), Delivered)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Len"])
async def test_a_connection_that_ends_too_early_is_uncertain(answer: bytes) -> None:
    async with answering(answer) as server:
        assert isinstance(await outcome_at(server.url), Uncertain)
    assert len(server.requests) == 1


async def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    outcome = await outcome_at(refusing_url())
    assert isinstance(outcome, TryLater)
    assert reason_text(outcome.reason) == "not sent: connect"


async def test_only_an_attempt_after_an_uncertain_one_says_that_it_may_be_a_repeat() -> None:
    event = sample_event()
    async with listening(Inbox(as_slack)) as inbox, slack(inbox.url) as receiver:
        await receiver.send(request(event))
        await receiver.send(request(event, may_be_repeat=True))
    first, second = (received.json["text"] for received in inbox.received)
    assert "May be a repeat" not in first
    assert "May be a repeat" in second


async def test_after_a_refused_mention_the_next_message_goes_without_it_at_once() -> None:
    def restricted(received: Received) -> Response:
        mentioned = b"<!channel>" in received.body
        return PlainTextResponse("restricted_action" if mentioned else "ok", 403 if mentioned else 200)

    first = replace(request(sample_event()), mentions=("<!channel>",))
    async with listening(Inbox(restricted)) as inbox, slack(inbox.url) as receiver:
        refused = await receiver.send(first)
        assert isinstance(refused, Degrade)
        assert isinstance(await receiver.send(replace(first, degrade=refused.steps)), Delivered)
        assert isinstance(await receiver.send(replace(first, delivery_id="msg_2")), Delivered)
    assert [b"<!channel>" in received.body for received in inbox.received] == [True, False, False]
    assert b"Without its mention" in inbox.received[2].body


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
    ],
)
async def test_a_2xx_whose_body_is_cut_is_delivered(answer: bytes) -> None:
    async with answering(answer) as server:
        assert isinstance(await outcome_at(server.url), Delivered)
