"""The messages about failing receivers and dead letters, and about a test."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.unit.receivers.samples import CASES, RECORDED
from watcher.core.delivery.reason import Context
from watcher.core.event import Event
from watcher.core.event_json import from_json, to_json
from watcher.core.messages.message import Style, Symbol
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.reports.receiver_check import marked_event


def text_of(event: Event) -> str:
    message = compose(event)
    lines = [message.title, *message.facts, *message.rows, *message.remedy, *message.marks, message.muted]
    return "\n".join(plain_text(line) for line in lines)


def test_a_failing_receiver_has_its_start_its_queue_its_reason_and_its_remedy() -> None:
    text = text_of(CASES["receiver-failing"])
    assert text.startswith("Alerts do not arrive · receiver ml-ops\nchannel_is_archived")
    assert "since 2026-11-23 02:20:11 UTC; 3 alerts wait" in text
    assert "aitems-watcher reload" in text


def test_a_recovered_receiver_does_not_read_as_still_failing() -> None:
    message = compose(CASES["receiver-recovered"])
    above = "\n".join(plain_text(line) for line in (message.title, *message.facts))
    assert above == "Alerts arrive again · receiver ml-ops\nThe 3 waiting alerts are being sent, failures first"
    assert message.sign is Symbol.RECOVERED
    text = text_of(CASES["receiver-recovered"])
    assert "Was failing for 3 h, 2026-11-22 23:20:11 UTC to 2026-11-23 02:20:11 UTC" in text
    assert "reload" not in text


def test_dead_letters_have_a_command_to_retry_them() -> None:
    one, many = text_of(CASES["undelivered"]), text_of(CASES["undelivered-storm"])
    assert one.startswith("1 alert was never delivered · receiver ml-ops")
    assert "aitems-watcher deliveries retry msg_a4v7kq2x0" in one
    assert many.startswith("1000 alerts were never delivered · receiver ml-ops")
    assert "aitems-watcher deliveries retry --all-dead --receiver ml-ops" in many
    assert "and 992 more" in many


def test_a_test_alert_is_titled_as_one_and_names_no_training() -> None:
    message = compose(marked_event(RECORDED, "0a1b"), Style(receiver="ml-ops", host="watcher-1"))
    lines = [plain_text(line) for line in (message.title, *message.facts, message.muted)]
    assert lines == [
        "Test alert · receiver ml-ops",
        "Alerts reach this channel. No training has changed",
        "Sent by aitems-watcher test ml-ops on watcher-1",
    ]
    assert message.sign is Symbol.TEST
    nameless = compose(marked_event(RECORDED, "0a1b"), Style(receiver="ml-ops"))
    assert plain_text(nameless.muted) == "Sent by aitems-watcher test ml-ops"


ENDED_AT = RECORDED - timedelta(seconds=30)


@pytest.mark.parametrize(
    ("within", "ended_at", "muted"),
    [
        ((Context.EXPIRED,), ENDED_AT, "Expired 2026-11-23 02:19:41 UTC · evt_"),
        ((Context.EXPIRED, Context.LOOKUP_FAILED), ENDED_AT, "Expired 2026-11-23 02:19:41 UTC · evt_"),
        ((), ENDED_AT, "evt_"),
        ((Context.EXPIRED,), None, "evt_"),
    ],
)
def test_dead_letters_that_expired_say_when(within: tuple[Context, ...], ended_at: datetime | None, muted: str) -> None:
    event = CASES["undelivered"]
    assert event.receiver is not None
    facts = replace(event.receiver, reason=replace(event.receiver.reason, within=within), ended_at=ended_at)
    assert plain_text(compose(replace(event, receiver=facts)).muted).startswith(muted)


@pytest.mark.parametrize(
    ("expires_at", "muted"),
    [
        (RECORDED + timedelta(days=3), "waiting alerts expire 2026-11-26 02:20:11 UTC ·"),
        (RECORDED + timedelta(hours=2, microseconds=9), "waiting alerts expire 2026-11-23 04:20:11 UTC ·"),
        (None, "alerts that wait longer than give_up_after are not sent ·"),
    ],
)
def test_a_failing_receiver_says_when_waiting_alerts_expire(expires_at: datetime | None, muted: str) -> None:
    event = CASES["receiver-failing"]
    assert event.receiver is not None
    changed = replace(event, receiver=replace(event.receiver, expires_at=expires_at))
    assert muted in plain_text(compose(changed).muted)
    assert from_json(json.loads(json.dumps(to_json(changed)))) == changed


def test_an_event_of_an_older_version_says_only_that_alerts_expire() -> None:
    stored = to_json(CASES["receiver-failing"])
    receiver = stored["receiver"]
    assert isinstance(receiver, dict)
    del receiver["expires_at"]
    assert "are not sent" in plain_text(compose(from_json(json.loads(json.dumps(stored)))).muted)
