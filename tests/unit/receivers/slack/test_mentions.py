"""A mention that a channel refuses is tried again by one message an hour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.unit.receivers.samples import sample_event
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import text_reason
from watcher.receivers.slack.blocks import MENTION_STEP
from watcher.receivers.slack.mentions import RETRY_SECONDS, RefusedMentions

CHANNEL = ("<!channel>",)


@dataclass(slots=True)
class FakeClock:
    now: float = 5.0

    def monotonic(self) -> float:
        return self.now


def request(mentions: tuple[str, ...] = CHANNEL, degrade: int = 0) -> DeliveryRequest:
    return DeliveryRequest(delivery_id="msg_1", events=(sample_event(),), body=None, mentions=mentions, degrade=degrade)


def made() -> tuple[RefusedMentions, FakeClock]:
    clock = FakeClock()
    fake: Any = clock
    return RefusedMentions(fake), clock


def test_after_a_refused_mention_the_next_messages_go_without_it_for_an_hour() -> None:
    mentions, clock = made()
    assert mentions.without_refused(request()) == request()
    mentions.note(request(degrade=MENTION_STEP), Delivered())
    for degrade in (0, 1, 4):
        assert mentions.without_refused(request(degrade=degrade)).degrade == degrade + MENTION_STEP
    assert mentions.without_refused(request(degrade=MENTION_STEP)).degrade == MENTION_STEP
    clock.now += RETRY_SECONDS
    assert mentions.without_refused(request()) == request()


def test_a_message_that_went_without_its_mention_by_that_does_not_prolong_the_hour() -> None:
    mentions, clock = made()
    mentions.note(request(degrade=MENTION_STEP), Delivered())
    clock.now += RETRY_SECONDS - 1
    mentions.note(request(), Delivered())
    clock.now += 1
    assert mentions.without_refused(request()) == request()


def test_another_mention_and_a_message_without_any_stay_as_they_are() -> None:
    mentions, _ = made()
    mentions.note(request(degrade=MENTION_STEP), Delivered())
    mentions.note(request((), degrade=MENTION_STEP), Delivered())
    for other in (("<@U1>",), ("<!channel>", "<@U1>"), ()):
        assert mentions.without_refused(request(other)) == request(other)


@pytest.mark.parametrize(
    "outcome",
    [Refused(reason=text_reason("no_service")), TryLater(reason=text_reason("x")), Uncertain(reason=text_reason("x"))],
)
def test_only_a_message_that_arrives_without_its_mention_shows_that_the_mention_was_refused(outcome: Outcome) -> None:
    mentions, _ = made()
    mentions.note(request(degrade=MENTION_STEP), outcome)
    mentions.note(replace(request(), degrade=2), Delivered())
    assert mentions.without_refused(request()) == request()
