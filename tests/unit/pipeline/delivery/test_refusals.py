"""The refusals in a row of a delivery, over timeouts, restarts and other deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import pytest

from watcher.core.delivery.model import (
    TRIES,
    Delivered,
    DeliveryRequest,
    LeasedDelivery,
    Outcome,
    RefusalScope,
    Refused,
    TryLater,
    Uncertain,
)
from watcher.core.delivery.reason import (
    NO_REASON,
    Context,
    Reason,
    ReasonCode,
    http_reason,
    in_context,
    is_refusal,
    text_reason,
)
from watcher.http import FailureReason, MaybeSent, NotSent
from watcher.logs import Redactor
from watcher.pipeline.delivery.refusals import DELIVERIES_MAX, RefusalCounts
from watcher.receivers.responses import outcome_without_answer
from watcher.receivers.slack.error_names import WEB_API
from watcher.receivers.slack.errors import WEBHOOK, SlackAnswer
from watcher.receivers.slack.errors import classify as slack_outcome
from watcher.receivers.webhook import classify

NOW: Final = datetime(2026, 11, 28, tzinfo=UTC)
NOT_FOUND: Final = classify(404, "")
UNAVAILABLE: Final = classify(503, "")
NO_ANSWER: Final = Uncertain(reason=Reason(code=ReasonCode.NO_ANSWER, cause="deadline"))
FOR_MESSAGE: Final = Refused(reason=text_reason("no"), scope=RefusalScope.MESSAGE)


def leased(name: str, attempt: int, last_reason: Reason = NO_REASON, *, in_doubt: bool = False) -> LeasedDelivery:
    return LeasedDelivery(
        request=DeliveryRequest(delivery_id=name, events=(), body=b"", attempt=attempt),
        token="t",
        created_at=NOW,
        due_at=NOW,
        allowed_at=NOW,
        in_doubt=in_doubt,
        last_reason=last_reason,
    )


@pytest.mark.parametrize("between", [UNAVAILABLE, NO_ANSWER, FOR_MESSAGE, Delivered()])
def test_only_refusals_in_a_row_count(between: Outcome) -> None:
    counts = RefusalCounts()
    outcomes = [NOT_FOUND, NOT_FOUND, between, NOT_FOUND, NOT_FOUND, NOT_FOUND]
    counted = [counts.count(leased("a", number), outcome) for number, outcome in enumerate(outcomes, start=1)]
    assert counted == [1, 2, 0, 1, 2, 3]


@pytest.mark.parametrize("other", [UNAVAILABLE, NO_ANSWER, FOR_MESSAGE, Delivered()])
def test_deliveries_that_were_not_refused_push_none_out(other: Outcome) -> None:
    counts = RefusalCounts()
    counts.count(leased("waiting", 1), UNAVAILABLE)
    counts.count(leased("refused", 1), NOT_FOUND)
    for number in range(DELIVERIES_MAX + 1):
        counts.count(leased(f"other {number}", 1), other)
    assert counts.count(leased("waiting", 6, http_reason(503)), NOT_FOUND) == 1
    # From memory: the store shows no refusal here.
    assert counts.count(leased("refused", 2), NOT_FOUND) == 2


@pytest.mark.parametrize(
    "last_reason",
    [
        http_reason(503),
        NO_ANSWER.reason,
        text_reason("HTTP 404"),
        in_context(Context.LOOKUP_DENIED, Reason(code=ReasonCode.NAMED_REFUSED, name="not_in_channel")),
        Reason(code=ReasonCode.RETRIED),
    ],
)
def test_after_a_restart_attempts_that_ended_otherwise_are_no_refusals(last_reason: Reason) -> None:
    assert RefusalCounts().count(leased("a", 6, last_reason), NOT_FOUND) == 1


def test_after_a_crash_within_an_attempt_the_row_is_not_known() -> None:
    assert RefusalCounts().count(leased("a", 6, http_reason(404), in_doubt=True), NOT_FOUND) == 1


def test_runs_of_one_attempt_each_count_as_one_row() -> None:
    reason, counted = NO_REASON, []
    for number in range(1, TRIES + 1):
        counted.append(RefusalCounts().count(leased("a", number, reason), NOT_FOUND))
        assert isinstance(NOT_FOUND, Refused)
        reason = NOT_FOUND.reason
    assert counted == list(range(1, TRIES + 1))


def test_an_operators_retry_begins_a_new_row() -> None:
    counts = RefusalCounts()
    for number in (1, 2):
        counts.count(leased("a", number), NOT_FOUND)
    assert counts.count(leased("a", 1, Reason(code=ReasonCode.RETRIED)), NOT_FOUND) == 1


def outcomes_of_attempts() -> list[Outcome]:
    redactor = Redactor()
    calls = [
        sent(reason=reason, detail="", asked_at=NOW, ended_at=NOW)
        for reason in FailureReason
        for sent in (NotSent, MaybeSent)
    ]
    names = {"", "no_such_error", *WEBHOOK.known, *WEB_API.known}
    return [
        *(classify(status, "") for status in range(200, 600)),
        *(outcome_without_answer(call, redactor) for call in calls),
        *(
            slack_outcome(SlackAnswer(status=status, body=name, kept=""), 0, errors)
            for status in (HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_GATEWAY)
            for errors in (WEBHOOK, WEB_API)
            for name in names
        ),
    ]


def test_the_stored_reason_names_the_refusals_of_every_receiver() -> None:
    refusals = 0
    for outcome in outcomes_of_attempts():
        if isinstance(outcome, Delivered):
            continue
        refused = isinstance(outcome, Refused) and outcome.scope is RefusalScope.RECEIVER
        assert is_refusal(outcome.reason) == refused, outcome
        refusals += refused
    assert refusals > 100


def test_a_rate_limit_is_no_refusal() -> None:
    counts = RefusalCounts()
    limited = TryLater(reason=http_reason(429), throttled=True)
    assert [counts.count(leased("a", 1), outcome) for outcome in (NOT_FOUND, limited, NOT_FOUND)] == [1, 0, 1]
