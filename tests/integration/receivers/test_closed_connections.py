"""Receivers whose peer closes a connection after one answer, around the next request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.integration.http.raw_server import Exchange, raw_server
from tests.integration.http.test_kept_connections import CLOSES, Close
from tests.support.slack import CHANNEL, TOKEN
from tests.unit.receivers.samples import sample_event
from watcher.clock import Clock
from watcher.core.delivery.lookup import MessageNotFound
from watcher.core.delivery.model import Delivered, DeliveryRequest, Uncertain
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.receivers import KINDS, Receiver, Spec
from watcher.receivers.slack.bot import SlackReceiver

POSTED = json.dumps({"ok": True, "channel": CHANNEL, "ts": "1764000000.000001", "messages": []}).encode()
"""The answer to a post, and to a reading of the history."""


@asynccontextmanager
async def receiver_of(kind: str, close: Close) -> AsyncIterator[tuple[Receiver, list[bytes]]]:
    """Yield a receiver, and the requests that its peer has answered."""
    answered: list[bytes] = []

    async def behave(exchange: Exchange) -> None:
        head = await exchange.read_head()
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        answered.append(await exchange.reader.readexactly(length))
        await exchange.answer(POSTED)
        await close(exchange)

    async with raw_server(behave) as server:
        http = HttpClient(HttpSettings(timeout_seconds=5.0), Clock())
        spec = Spec(
            name="ml-ops",
            http=http,
            clock=Clock(),
            url=Secret(f"{server.url}/hook"),
            secret=(lambda: Secret(TOKEN)) if kind == "slack" else None,
            channel=CHANNEL,
            api_url=f"{server.url}/api/",
        )
        yield KINDS[kind](spec), answered
        await http.aclose()


def request(number: int) -> DeliveryRequest:
    return DeliveryRequest(
        delivery_id=f"msg_{number:052}", events=(sample_event(),), body=None, attempted_at=datetime.now(UTC)
    )


@pytest.mark.parametrize("close", CLOSES)
@pytest.mark.parametrize("kind", ["slack", "slack-webhook"])
async def test_a_slack_message_meets_no_closed_connection(kind: str, close: Close) -> None:
    async with receiver_of(kind, close) as (receiver, answered):
        outcomes = [await receiver.send(request(number)) for number in range(3)]
    assert all(isinstance(outcome, Delivered) for outcome in outcomes), outcomes
    assert len(answered) == 3


@pytest.mark.parametrize("close", CLOSES)
async def test_a_lookup_that_meets_a_closed_connection_is_repeated_and_no_message_uses_it(close: Close) -> None:
    async with receiver_of("slack", close) as (receiver, _answered):
        assert isinstance(receiver, SlackReceiver)
        for number in range(3):
            found = await receiver.look_up([request(number)])
            assert [type(result) for result in found.values()] == [MessageNotFound]
            assert isinstance(await receiver.send(request(number)), Delivered)


@pytest.mark.parametrize("close", CLOSES)
async def test_a_webhook_that_meets_a_closed_connection_is_uncertain_and_arrives_at_the_next_attempt(
    close: Close,
) -> None:
    async with receiver_of("webhook", close) as (receiver, answered):
        delivery = replace(request(1), body=receiver.seal(sample_event(), 1))
        first, second, third = [await receiver.send(delivery) for _ in range(3)]
    assert isinstance(first, Delivered)
    assert isinstance(second, Uncertain)
    assert isinstance(third, Delivered)
    assert len(answered) == 2
