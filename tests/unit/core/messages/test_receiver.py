"""The text about failing receivers and dead letters."""

from __future__ import annotations

from tests.unit.receivers.samples import CASES
from watcher.core.event import Event
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose


def text_of(event: Event) -> str:
    return "\n".join(plain_text(line) for line in compose(event).lines)


def test_a_failing_receiver_has_its_start_its_queue_its_reason_and_its_remedy() -> None:
    text = text_of(CASES["receiver-failing"])
    assert "Failing permanently since 2026-11-23 02:20:11 UTC; 3 deliveries wait." in text
    assert "Reason: channel_is_archived" in text
    assert "Remedy: Fix the cause that the reason names, then run `aitems-watcher reload`." in text


def test_a_recovered_receiver_has_the_bounds_of_the_failure() -> None:
    text = text_of(CASES["receiver-recovered"])
    assert "It failed from 2026-11-22 23:20:11 UTC to 2026-11-23 02:20:11 UTC (3 h)." in text
    assert "Remedy" not in text


def test_dead_letters_have_a_command_to_retry_them() -> None:
    one, many = text_of(CASES["undelivered"]), text_of(CASES["undelivered-storm"])
    assert "then run aitems-watcher deliveries retry msg_a4v7kq2x0." in one
    assert "then run aitems-watcher deliveries retry --all-dead --receiver ml-ops." in many
    assert "… (cut, 992 more)" in many
