from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.delivery.model import Degrade, Delivered, Outcome, RefusalScope, Refused, TryLater, Uncertain
from watcher.http import Answered, Headers
from watcher.logs import Redactor
from watcher.receivers.slack.errors import PAUSE_SECONDS, classify, read_answer

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def outcome(status: int, body: str, *, degrade: int = 0, after: float | None = None) -> Outcome:
    headers = Headers([] if after is None else [("retry-after", f"{after:g}")])
    answered = Answered(status=status, headers=headers, body=body.encode(), asked_at=NOW, answered_at=NOW)
    return classify(read_answer(answered, Redactor()), degrade)


@pytest.mark.parametrize("body", ["ok", "ok\n"])
def test_only_200_with_ok_is_delivered(body: str) -> None:
    assert outcome(200, body) == Delivered(answer="200 ok")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, "rate_limited"),
        (429, '{"retry_after":1,"ok":false,"error":"rate_limited"}'),
        (429, "<html>slow down</html>"),
        (200, '{"ok":false,"error":"ratelimited"}'),
        (200, '{"ok":false,"error":"rate_limited"}'),
    ],
)
def test_throttling_waits_as_long_as_slack_asks(status: int, body: str) -> None:
    assert outcome(status, body, after=20.0) == TryLater(
        reason="rate_limited", answer=f"{status} {body}", after_seconds=20.0, throttled=True
    )


def test_throttling_without_a_wish_pauses_all_the_same() -> None:
    later = outcome(429, "rate_limited")
    assert isinstance(later, TryLater)
    assert later.after_seconds == PAUSE_SECONDS


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "rollup_error"),
        (500, ""),
        (502, "<html>Bad Gateway</html>"),
        (503, "service_unavailable"),
        (504, "upstream timeout"),
        (200, ""),
        (200, "OK"),
        (200, "<!DOCTYPE html><title>Sign in</title>"),
        (200, '{"ok":true}'),
        (201, "ok"),
        (204, ""),
        (403, "<html>The proxy says no</html>"),
        (404, "\n <html>"),
    ],
)
def test_what_may_have_been_posted_is_uncertain(status: int, body: str) -> None:
    assert isinstance(outcome(status, body), Uncertain)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, "invalid_payload"),
        (400, "no_text"),
        (400, "invalid_blocks"),
        (400, "too_many_attachments"),
        (400, '{"ok":false,"error":"invalid_blocks_format"}'),
        (413, "Request Entity Too Large"),
    ],
)
def test_refused_content_is_simplified_until_there_is_nothing_simpler(status: int, body: str) -> None:
    assert isinstance(outcome(status, body, degrade=0), Degrade)
    assert isinstance(outcome(status, body, degrade=1), Degrade)
    last = outcome(status, body, degrade=2)
    assert isinstance(last, Refused)
    assert last.scope is RefusalScope.MESSAGE


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (404, "channel_not_found"),
        (410, "channel_is_archived"),
        (403, "action_prohibited"),
        (400, "posting_to_general_channel_denied"),
        (400, "user_not_found"),
        (404, "no_service"),
        (404, "no_service_id"),
        (404, "no_active_hooks"),
        (404, "no_team"),
        (404, "team_disabled"),
        (403, "invalid_token"),
    ],
)
def test_destination_and_credentials_are_for_a_person_with_advice(status: int, name: str) -> None:
    refused = outcome(status, name)
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.RECEIVER
    assert refused.reason.startswith(f"{name}: ")
    assert refused.answer == f"{status} {name}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_for_the_receiver(status: int) -> None:
    refused = outcome(status, "")
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.RECEIVER


def test_a_wrong_method_is_our_fault_and_ends_this_message() -> None:
    refused = outcome(405, "")
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.MESSAGE


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (400, "brand_new_error", "brand_new_error"),
        (403, '{"error":"another_new_one"}', "another_new_one"),
        (400, "a sentence of a proxy", "http 400"),
        (404, "", "http 404"),
        (418, "[" * 100_000, "http 418"),
    ],
)
def test_an_unknown_refusal_is_tried_again_under_its_name(status: int, body: str, name: str) -> None:
    later = outcome(status, body)
    assert isinstance(later, TryLater)
    assert later.reason.startswith(name)


def test_a_server_that_asks_for_patience_is_given_it() -> None:
    assert outcome(503, "", after=9.0) == Uncertain(
        reason="http 503 without a name of Slack's", answer="503", after_seconds=9.0
    )
