"""The webhook receiver: outcomes by status, and invalid settings."""

from __future__ import annotations

import pytest

from tests.unit.receivers.samples import sample_event
from watcher.clock import Clock
from watcher.core.delivery.model import Dedup, Delivered, DeliveryRequest, Outcome, RefusalScope, Refused, TryLater
from watcher.core.delivery.reason import http_reason
from watcher.core.messages.reasons import reason_text
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings
from watcher.receivers.spec import InvalidReceiverError, Spec
from watcher.receivers.webhook import WebhookReceiver, classify

URL = Secret("https://ci.example.com/hooks/aitems")
GOOD_SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def spec(**changes: object) -> Spec:
    usual: dict[str, object] = {
        "name": "pipeline",
        "http": HttpClient(HttpSettings(), Clock()),
        "clock": Clock(),
        "url": URL,
    }
    return Spec(**(usual | changes))  # type: ignore[arg-type]  # the tests give right and wrong values


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert classify(status, "answer") == Delivered(answer="answer")


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
def test_a_consumer_that_asks_for_a_wait_is_tried_after_it(status: int) -> None:
    assert classify(status, "", 17.0) == TryLater(reason=http_reason(status), after_seconds=17.0)


@pytest.mark.parametrize("status", [500, 501, 505, 507, 520, 599])
def test_any_other_server_error_is_retried(status: int) -> None:
    assert isinstance(classify(status, ""), TryLater)


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_rejected_body_is_retried_and_does_not_park_the_receiver(status: int) -> None:
    outcome = classify(status, "")
    assert isinstance(outcome, TryLater)
    assert "rejects this body" in reason_text(outcome.reason)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (301, "redirect"),
        (302, "redirect"),
        (307, "redirect"),
        (308, "redirect"),
        (401, "secret"),
        (403, "secret"),
        (404, "url"),
        (405, "url"),
        (407, "headers"),
        (410, "no more deliveries"),
        (415, "url"),
        (418, "url"),
    ],
)
def test_a_status_that_needs_a_person_parks_the_receiver_with_advice(status: int, advice: str) -> None:
    outcome = classify(status, "")
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.RECEIVER
    assert advice in reason_text(outcome.reason)


def test_no_status_ends_a_message() -> None:
    outcomes: list[Outcome] = [classify(status, "") for status in range(200, 600)]
    assert not [
        outcome for outcome in outcomes if isinstance(outcome, Refused) and outcome.scope is RefusalScope.MESSAGE
    ]


@pytest.mark.parametrize(
    "name", ["webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE", "Content-Type", "content-length", "Host"]
)
def test_headers_of_the_standard_cannot_be_overridden(name: str) -> None:
    with pytest.raises(InvalidReceiverError, match=f"receiver 'pipeline': headers.{name}: .* remove it"):
        WebhookReceiver(spec(headers={name: Secret("mine")}))


@pytest.mark.parametrize(("name", "value"), [("X Bad", "v"), ("", "v"), ("X-A", "one\r\nX-B: two"), ("X-A", "é")])
def test_an_invalid_header_is_rejected_without_its_value(name: str, value: str) -> None:
    with pytest.raises(InvalidReceiverError) as caught:
        WebhookReceiver(spec(headers={name: Secret(value)}))
    assert f"headers.{name}: " in str(caught.value)
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    "url", [None, Secret(""), Secret("ci.example.com/hook"), Secret("ftp://x.example"), Secret("https://[::1")]
)
def test_a_receiver_without_a_valid_address_is_rejected(url: Secret | None) -> None:
    with pytest.raises(InvalidReceiverError, match="receiver 'pipeline': url: set an address"):
        WebhookReceiver(spec(url=url))


def test_an_invalid_secret_is_rejected_when_the_receiver_is_made() -> None:
    with pytest.raises(InvalidReceiverError, match="receiver 'pipeline': secret: it is not base64"):
        WebhookReceiver(spec(secret=lambda: Secret("not a secret!")))


def test_the_pace_key_depends_on_the_address_and_does_not_show_it() -> None:
    one, same = WebhookReceiver(spec(name="a")), WebhookReceiver(spec(name="b"))
    other = WebhookReceiver(spec(url=Secret("https://ci.example.com/hooks/other")))
    assert one.pace_key == same.pace_key
    assert one.pace_key != other.pace_key
    assert "example" not in one.pace_key


def test_a_webhook_marks_repeats_by_id_and_has_no_pace() -> None:
    receiver = WebhookReceiver(spec())
    assert (receiver.kind, receiver.dedup, receiver.pace_seconds) == ("webhook", Dedup.BY_ID, 0.0)


async def test_only_a_delivery_without_a_body_is_refused() -> None:
    outcome = await WebhookReceiver(spec()).send(
        DeliveryRequest(delivery_id="msg_1", events=(sample_event(),), body=None)
    )
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.MESSAGE


async def test_a_secret_that_disappears_parks_the_receiver_and_sends_nothing() -> None:
    secrets = [GOOD_SECRET]
    receiver = WebhookReceiver(spec(secret=secrets.pop))
    outcome = await receiver.send(DeliveryRequest(delivery_id="msg_1", events=(sample_event(),), body=b"{}"))
    assert isinstance(outcome, Refused)
    assert outcome.scope is RefusalScope.RECEIVER
    assert "a secret cannot be read or used" in reason_text(outcome.reason)


@pytest.mark.parametrize(
    "body",
    ["", "OK", '{"ok": false}', "<html><body>Thanks</body></html>", "<!DOCTYPE html><title>Log in</title>"],
)
def test_the_body_of_a_2xx_is_the_consumers_own(body: str) -> None:
    assert isinstance(classify(200, body), Delivered)
