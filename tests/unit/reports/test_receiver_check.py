"""The marked test alert, and the text about its outcome."""

from __future__ import annotations

import json

import pytest

from tests.unit.reports.facts import EVIL, NOW, STEERING, plain_screen
from watcher.cli.text.receiver_check import show_access, show_outcome
from watcher.core.delivery.model import Degrade, Delivered, Outcome, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import http_reason, text_reason
from watcher.core.messages.training import compose, plain_text
from watcher.receivers.slack.access import Access
from watcher.reports.receiver_check import (
    EXPLANATION,
    SENDER,
    access_json,
    marked_event,
    outcome_json,
    outcome_text,
)


def test_each_name_in_the_test_alert_says_that_it_is_a_test() -> None:
    event = marked_event(NOW, "0123abcd")
    assert plain_text(compose(event).title).startswith("Test alert")
    assert event.service_name == SENDER
    assert event.record["description"] == EXPLANATION
    assert {event.account, event.service, event.version} == {"test"}


def test_two_test_alerts_have_different_ids() -> None:
    assert marked_event(NOW, "0123").id != marked_event(NOW, "4567").id
    assert marked_event(NOW, "0123").short_id.startswith("evt_test")


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Delivered(), "delivered"),
        (TryLater(reason=text_reason("http 503")), "not delivered; the daemon would retry: http 503"),
        (Uncertain(reason=text_reason("no answer: deadline")), "unknown whether it arrived: no answer: deadline"),
        (
            Degrade(reason=text_reason("invalid_blocks")),
            "not delivered; the daemon would send simpler content: invalid_blocks",
        ),
        (Refused(reason=text_reason("http 410")), "refused: http 410"),
    ],
)
def test_every_outcome_has_a_text(outcome: Outcome, text: str) -> None:
    assert outcome_text(outcome) == text


def test_the_answer_is_shown_and_cannot_control_a_terminal() -> None:
    screen, stream = plain_screen()
    show_outcome("ml-ops", Refused(reason=text_reason("http 410"), answer=EVIL), screen)
    assert stream.getvalue().startswith("receiver ml-ops: refused: http 410\nanswer: red")
    assert not STEERING.search(stream.getvalue())


def test_json_keeps_the_answer_unchanged() -> None:
    document = outcome_json(TryLater(reason=http_reason(503), answer=EVIL))
    assert json.loads(json.dumps(document)) == {
        "delivered": False,
        "outcome": "TryLater",
        "reason": "http 503",
        "reason_code": {"code": "http", "status": 503},
        "answer": EVIL,
    }
    assert outcome_json(Delivered())["delivered"] is True


HISTORY_READ = "channel: its history is readable: each message arrives once\n"
HISTORY_UNREAD = (
    "channel: its history is not readable (missing_scope: give it): "
    "after an uncertain attempt a message may come twice\n"
)
KNOWN = Access(identity="aitems in Tests", scopes=("channels:history", "chat:write"), answer="200")
NARROW = Access(identity="aitems in Tests", scopes=(), answer="200", unreadable="missing_scope: give it")
WRONG = Access(identity="", scopes=(), answer="200", refused="auth.test: invalid_auth: act")


@pytest.mark.parametrize(
    ("access", "shown"),
    [
        (KNOWN, f"token: aitems in Tests, scopes channels:history, chat:write\n{HISTORY_READ}"),
        (NARROW, f"token: aitems in Tests, Slack names no scopes\n{HISTORY_UNREAD}"),
        (WRONG, "slack: auth.test: invalid_auth: act\n"),
    ],
)
def test_the_permissions_of_a_slack_token_are_shown(access: Access, shown: str) -> None:
    screen, stream = plain_screen()
    show_access(access, screen)
    assert stream.getvalue() == shown
    assert json.loads(json.dumps(access_json(access)))["scopes"] == list(access.scopes)
