"""R26: the alert of any event goes out, whatever the event contains."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.unit.receivers.samples import sample_event
from tests.unit.receivers.test_streams import receiver
from watcher.core.delivery.model import Delivered, DeliveryRequest
from watcher.core.event import Event
from watcher.receivers.payload import sealed
from watcher.receivers.slack.blocks import payload
from watcher.receivers.slack.layout import TEXT_ONLY

TEMPLATE = "{{ 7 * 7 }} {% for _ in range(10 ** 9) %}x{% endfor %} ${jndi:x} %(x)s {0}"
HUGE = "x" * 10_000_000


class Raising(Mapping[str, Any]):
    """A record that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        return 1


def slack_text(event: Event, degrade: int) -> str:
    return json.dumps(payload([event], degrade, may_be_repeat=False), ensure_ascii=False)


async def console_text(event: Event) -> str:
    stream = io.StringIO()
    sent = await receiver("console", stream).send(DeliveryRequest(delivery_id="msg_1", events=(event,), body=None))
    assert isinstance(sent, Delivered)
    return stream.getvalue()


async def all_texts(event: Event) -> list[str]:
    """Return the text of each kind of receiver."""
    slack = [slack_text(event, step) for step in range(TEXT_ONLY + 1)]
    return [sealed([(event, 1)]).decode(), await console_text(event), *slack]


@pytest.mark.parametrize("field", ["record", "labels"])
async def test_r26_an_event_that_cannot_be_rendered_is_announced_with_the_built_in_text(field: str) -> None:
    for text in await all_texts(sample_event(**{field: Raising()})):
        assert "learningFailed" in text
        assert "maqll0abcde" in text


async def test_r26_a_group_that_cannot_be_rendered_is_announced_too() -> None:
    events = [sample_event(), sample_event(seq=5, record=Raising())]
    body = json.loads(sealed([(event, event.seq) for event in events], [sample_event(seq=6, labels=Raising())]))
    assert [(item["id"], item["receiver_seq"]) for item in body["data"]["events"]] == [
        (events[0].id, 4),
        (events[1].id, 5),
    ]
    announced = json.dumps(payload(events, 0, may_be_repeat=False))
    assert announced.count("learningFailed") >= len(events)


async def test_r26_a_text_in_the_form_of_a_template_is_only_text() -> None:
    event = sample_event(record={"description": TEMPLATE})
    for text in await all_texts(event):
        assert "49" not in text.replace(event.id, "").replace(event.short_id, "")
    assert "{{ 7 * 7 }}" in sealed([(event, 1)]).decode()


async def test_r26_ten_megabytes_are_cut() -> None:
    for text in await all_texts(sample_event(record={"description": HUGE, "more": [HUGE]}, service_name=HUGE)):
        assert len(text) < 40_000
        assert "learningFailed" in text
