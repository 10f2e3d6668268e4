"""The outcome of answers to an incoming webhook."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.delivery.model import Degrade, Delivered, Outcome, RefusalScope, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import Reason, ReasonCode, named_reason
from watcher.core.messages.reasons import reason_text
from watcher.http import Answered, FailureReason, Headers, MaybeSent, NotSent
from watcher.logs import Redactor
from watcher.receivers.slack.blocks import MENTION_STEP
from watcher.receivers.slack.error_names import WEB_API
from watcher.receivers.slack.errors import (
    PAUSE_SECONDS,
    WEBHOOK,
    WORKSPACE,
    ErrorNames,
    classify,
    read_answer,
    read_status,
)

NOT_OK = '"ok": false and no error name of Slack'
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def outcome(status: int, body: str, *, degrade: int = 0, after: float | None = None, mentions: bool = False) -> Outcome:
    headers = Headers([] if after is None else [("retry-after", f"{after:g}")])
    answered = Answered(status=status, headers=headers, body=body.encode(), asked_at=NOW, answered_at=NOW)
    return classify(read_answer(answered, Redactor()), degrade, mentions=mentions)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "ok"),
        (200, "ok\n"),
        (200, "Ok"),
        (200, "OK"),
        (200, ""),
        (204, ""),
        (200, '{"ok":true}'),
        (200, '{"success":true}'),
        (200, '{"result":"success"}'),
        (200, '{"ok":true,"text":"<html>"}'),
        (200, "<ok/>"),
        (200, '<?xml version="1.0" encoding="utf-8"?>\n<response><status>sent</status></response>'),
        (200, "<!-- done -->"),
        (201, "ok"),
        (202, "queued"),
        (200, '{"id":"abc123","ok":"false"}'),
        (200, "null"),
        (200, '"ok"'),
        (299, "[1]"),
        (200, "a < b"),
        (200, "\ufffd\x00"),
        (200, "x" * 100_000),
        (200, "[" * 100_000),
        (200, "message accepted"),
    ],
)
def test_every_2xx_of_a_slack_compatible_webhook_is_delivered(status: int, body: str) -> None:
    delivered = outcome(status, body)
    assert isinstance(delivered, Delivered)
    assert delivered.answer.startswith(str(status))


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"ok":false}', f"http {{status}} with {NOT_OK}"),
        ('{"ok": false, "error": "brand_new_error"}', "brand_new_error"),
        ('\n {"error":"some sentence","ok" : false}', f"http {{status}} with {NOT_OK}"),
        ('{"noise":"' + "x" * 100_000 + '","ok":false}', f"http {{status}} with {NOT_OK}"),
    ],
)
def test_a_2xx_that_denies_the_message_is_retried(status: int, body: str, reason: str) -> None:
    later = outcome(status, body)
    assert isinstance(later, TryLater)
    assert reason_text(later.reason).startswith(reason.format(status=status))


def test_a_2xx_that_denies_the_message_by_a_known_name_has_its_consequence() -> None:
    parked = outcome(200, '{"ok":false,"error":"channel_is_archived"}')
    assert isinstance(parked, Refused)
    assert isinstance(outcome(200, '{"ok":false,"error":"invalid_blocks"}'), Degrade)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 410])
@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE html><title>Sign in</title>",
        "\n <html>",
        "<h1>Bad gateway</h1>",
        "<TITLE>Sign in</TITLE>",
        '<!-- a proxy --><?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">',
        "\ufeff<HTML><body>The proxy says no",
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">',
        "<!-- 404 -->\n<p>nothing here</p>",
        "Not Found\n<html><body>nginx</body></html>",
    ],
)
def test_a_page_of_html_is_a_failure_that_is_retried_and_never_an_uncertain_post(status: int, body: str) -> None:
    later = outcome(status, body)
    assert isinstance(later, TryLater)
    assert reason_text(later.reason).startswith(f"http {status} with a page of HTML")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("body", ["", "Not Found", '{"message":"no Route matched"}', "404 page not found", "{}"])
def test_a_refusal_without_a_name_of_slack_is_retried(status: int, body: str) -> None:
    later = outcome(status, body)
    assert isinstance(later, TryLater)
    assert reason_text(later.reason).startswith(f"http {status} without an error name of Slack")


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
def test_a_rate_limit_waits_as_long_as_slack_requests(status: int, body: str) -> None:
    assert outcome(status, body, after=20.0) == TryLater(
        reason=named_reason("rate_limited"), answer=f"{status} {body}", after_seconds=20.0, throttled=True
    )


def test_a_rate_limit_without_a_requested_wait_pauses_by_default() -> None:
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
    ],
)
def test_an_answer_after_which_the_message_may_be_posted_is_uncertain(status: int, body: str) -> None:
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
def test_refused_content_is_simplified_down_to_text_alone(status: int, body: str) -> None:
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
def test_errors_of_destination_or_credentials_are_permanent_with_a_remedy(status: int, name: str) -> None:
    refused = outcome(status, name)
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.RECEIVER
    assert reason_text(refused.reason).startswith(f"{name}: ")
    assert refused.answer == f"{status} {name}"


@pytest.mark.parametrize("name", sorted(WORKSPACE))
@pytest.mark.parametrize("body", ["{}", '{{"ok":false,"error":"{}"}}'])
def test_errors_of_the_workspace_are_permanent_with_a_remedy(name: str, body: str) -> None:
    refused = outcome(403, body.format(name))
    assert isinstance(refused, Refused)
    expected = Reason(code=ReasonCode.NAMED_REFUSED, name=name, remedy=WORKSPACE[name])
    assert (refused.scope, reason_text(refused.reason)) == (RefusalScope.RECEIVER, reason_text(expected))


@pytest.mark.parametrize("degrade", [0, 1, 2])
@pytest.mark.parametrize("name", ["action_prohibited", "restricted_action", "at_everyone_denied"])
def test_a_refused_mention_is_left_out_before_the_destination_counts_as_refused(name: str, degrade: int) -> None:
    refused = outcome(403, name, degrade=degrade, mentions=True)
    assert isinstance(refused, Degrade)
    assert refused.steps == MENTION_STEP
    again = outcome(403, name, degrade=degrade + MENTION_STEP, mentions=True)
    assert type(again) is type(outcome(403, name, degrade=degrade)) is not Degrade


@pytest.mark.parametrize("names", [WEBHOOK, WEB_API], ids=["webhook", "Web API"])
def test_an_error_that_may_be_the_mentions_has_a_remedy_where_the_message_has_none(names: ErrorNames) -> None:
    assert names.mention - names.remedies.keys() <= {"channel_mention_not_allowed", "action_prohibited"}
    for name in names.mention & names.remedies.keys():
        answered = Answered(status=403, headers=Headers(), body=name.encode(), asked_at=NOW, answered_at=NOW)
        document = {"ok": False, "error": name}
        assert isinstance(classify(read_answer(answered, Redactor(), document), 0, names), Refused)


@pytest.mark.parametrize("name", ["no_service", "channel_is_archived", "invalid_token"])
def test_other_errors_of_the_destination_do_not_concern_the_mention(name: str) -> None:
    assert isinstance(outcome(403, name, mentions=True), Refused)


def test_content_that_is_refused_as_text_too_is_sent_without_the_mention_last() -> None:
    assert outcome(400, "invalid_payload", degrade=2, mentions=True) == Degrade(
        reason=named_reason("invalid_payload"), answer="400 invalid_payload", steps=MENTION_STEP
    )
    assert isinstance(outcome(400, "invalid_payload", degrade=2 + MENTION_STEP, mentions=True), Refused)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_parks_the_receiver(status: int) -> None:
    refused = outcome(status, "")
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.RECEIVER


def test_a_wrong_method_ends_only_this_message() -> None:
    refused = outcome(405, "")
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.MESSAGE


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (400, "brand_new_error", "http 400: brand_new_error"),
        (403, '{"error":"another_new_one"}', "http 403: another_new_one"),
        (409, "oops", "http 409: oops"),
        (400, "a sentence of a proxy", "http 400"),
        (404, "", "http 404"),
        (418, "[" * 100_000, "http 418"),
    ],
)
def test_an_unknown_refusal_is_retried_with_its_status_and_name_as_reason(status: int, body: str, name: str) -> None:
    later = outcome(status, body)
    assert isinstance(later, TryLater)
    assert reason_text(later.reason).startswith(name)


def test_the_requested_wait_of_a_server_error_is_kept() -> None:
    assert outcome(503, "", after=9.0) == Uncertain(
        reason=Reason(code=ReasonCode.NO_NAME, status=503), answer="503", after_seconds=9.0
    )


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (500, "oops", "http 500: oops"),
        (502, '{"error":"bad_gateway"}', "http 502: bad_gateway"),
        (503, "unavailable", "http 503: unavailable"),
        (500, "rollup_error", "rollup_error"),
    ],
)
def test_a_word_that_slack_does_not_document_is_no_reason_without_its_status(status: int, body: str, text: str) -> None:
    uncertain = outcome(status, body)
    assert isinstance(uncertain, Uncertain)
    assert reason_text(uncertain.reason) == text


CUTS = [FailureReason.TRUNCATED, FailureReason.RESET, FailureReason.DEADLINE, FailureReason.TOO_LARGE]


def cut_outcome(status: int, cut: FailureReason, *, web_api: bool = False) -> Outcome:
    call = MaybeSent(reason=cut, detail="slack.example:443: cut", asked_at=NOW, ended_at=NOW, status=status)
    answer = read_status(call, Redactor(), confirms=not web_api)
    assert answer is not None
    return classify(answer, 0, WEB_API if web_api else WEBHOOK)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_2xx_of_a_webhook_is_delivered_though_its_body_is_cut(status: int, cut: FailureReason) -> None:
    assert cut_outcome(status, cut) == Delivered(answer=f"{status} slack.example:443: cut")


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("status", [200, 202])
def test_a_2xx_of_the_web_api_confirms_no_post_without_its_body(status: int, cut: FailureReason) -> None:
    uncertain = cut_outcome(status, cut, web_api=True)
    assert isinstance(uncertain, Uncertain)
    assert uncertain.reason == Reason(code=ReasonCode.NO_ANSWER, cause=cut.value)


@pytest.mark.parametrize("web_api", [False, True])
def test_a_refusal_whose_body_is_cut_counts_by_its_status(*, web_api: bool) -> None:
    throttled = cut_outcome(429, FailureReason.TRUNCATED, web_api=web_api)
    assert isinstance(throttled, TryLater)
    assert (throttled.throttled, throttled.after_seconds) == (True, PAUSE_SECONDS)
    refused = cut_outcome(404, FailureReason.TRUNCATED, web_api=web_api)
    assert isinstance(refused, TryLater)
    assert refused.reason == Reason(code=ReasonCode.HTTP, status=404)
    assert isinstance(cut_outcome(503, FailureReason.TRUNCATED, web_api=web_api), Uncertain)
    assert isinstance(cut_outcome(302, FailureReason.TRUNCATED, web_api=web_api), Refused)


def test_a_call_without_a_status_has_no_answer() -> None:
    assert (
        read_status(
            MaybeSent(reason=FailureReason.RESET, detail="", asked_at=NOW, ended_at=NOW), Redactor(), confirms=True
        )
        is None
    )
    assert (
        read_status(NotSent(reason=FailureReason.DNS, detail="", asked_at=NOW, ended_at=NOW), Redactor(), confirms=True)
        is None
    )
