"""The reason of a delivery as lists show it."""

from __future__ import annotations

import pytest

from tests.unit.reports.facts import NOW
from watcher.core.delivery.reason import NO_REASON, RECEIVER_REMOVED, Reason, http_reason, named_reason
from watcher.core.delivery.state import State
from watcher.core.messages.reasons import reason_text
from watcher.reports.deliveries import delivery_json, shown_reason
from watcher.store.delivery.views import DeliveryView


def waiting(own: Reason, of_receiver: Reason) -> DeliveryView:
    return DeliveryView(
        id="msg_1",
        receiver="ops",
        state=State.PENDING,
        reason=own,
        attempts=0,
        may_be_repeat=False,
        created_at=NOW,
        attempted_at=None,
        next_at=NOW,
        settled_at=None,
        answer=None,
        events=(),
        receiver_reason=of_receiver,
    )


@pytest.mark.parametrize(
    ("own", "of_receiver", "text"),
    [
        (NO_REASON, http_reason(503), "receiver failing: http 503"),
        (NO_REASON, named_reason("is_archived"), "receiver failing: is_archived"),
        (NO_REASON, RECEIVER_REMOVED, "receiver failing: receiver-removed"),
        (NO_REASON, NO_REASON, ""),
        (http_reason(404), http_reason(503), "http 404"),
    ],
)
def test_a_delivery_that_only_waits_has_the_reason_of_its_failing_receiver(
    own: Reason, of_receiver: Reason, text: str
) -> None:
    delivery = waiting(own, of_receiver)
    assert reason_text(shown_reason(delivery)) == text
    assert delivery_json(delivery)["reason"] == text
