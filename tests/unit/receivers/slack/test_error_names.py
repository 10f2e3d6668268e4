"""An independent copy of the Web API's error names and their outcomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from watcher.core.delivery.model import Degrade, Delivered, Outcome, RefusalScope, Refused, TryLater, Uncertain
from watcher.core.messages.reasons import reason_text
from watcher.http import Answered, Headers
from watcher.logs import Redactor
from watcher.receivers.slack.blocks import MENTION_STEP, METADATA_STEP
from watcher.receivers.slack.error_names import CREDENTIALS, DESTINATION, WEB_API
from watcher.receivers.slack.errors import PAUSE_SECONDS, WEBHOOK, classify, read_answer
from watcher.receivers.slack.layout import TEXT_ONLY

NOW = datetime(2026, 11, 23, tzinfo=UTC)

WAIT = "ratelimited rate_limited"
UNCLEAR = """internal_error fatal_error service_unavailable request_timeout team_added_to_org org_login_required
    external_channel_migrating update_failed"""
CONTENT = """invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text
    attachment_payload_limit_exceeded too_many_attachments markdown_text_conflict"""
METADATA = "invalid_metadata_format invalid_metadata_schema metadata_too_large metadata_must_be_sent_from_app"
TARGET_GONE = """message_not_found cant_update_message edit_window_closed is_inactive block_mismatch
    cannot_reply_to_message restricted_action_thread_locked"""
WRONG_PLACE = """channel_not_found not_in_channel is_archived restricted_action restricted_action_read_only_channel
    restricted_action_thread_only_channel restricted_action_non_threadable_channel messages_tab_disabled
    team_not_found message_limit_exceeded team_access_not_granted free_team_not_allowed team_not_on_plan
    user_is_restricted channel_type_not_supported"""
MENTION = """restricted_action restricted_action_read_only_channel restricted_action_non_threadable_channel
    user_is_restricted channel_mention_not_allowed"""
WRONG_TOKEN = """invalid_auth not_authed account_inactive token_revoked token_expired missing_scope no_permission
    not_allowed_token_type app_access_restricted ekm_access_denied access_denied accesslimited
    two_factor_setup_required enterprise_is_restricted"""
REQUEST = """invalid_arg_name invalid_array_arg invalid_charset invalid_form_data invalid_post_type missing_post_type
    unknown_method method_deprecated deprecated_endpoint"""


def answered(status: int, body: str, headers: dict[str, str] | None = None) -> Answered:
    fields = Headers((headers or {}).items())
    return Answered(status=status, headers=fields, body=body.encode(), asked_at=NOW, answered_at=NOW)


def outcome(
    status: int, document: Any, *, degrade: int = 0, headers: dict[str, str] | None = None, mentions: bool = False
) -> Outcome:
    body = document if isinstance(document, str) else json.dumps(document)
    facts = document if isinstance(document, dict) else {}
    answer = read_answer(answered(status, body, headers), Redactor(), facts)
    return classify(answer, degrade, WEB_API, mentions=mentions)


def refusal(name: str, **changes: Any) -> Outcome:
    return outcome(200, {"ok": False, "error": name}, **changes)


def test_only_200_with_ok_true_is_delivered_and_its_ts_is_the_receipt() -> None:
    done = outcome(200, {"ok": True, "channel": "C1", "ts": "1732300000.000100"})
    assert isinstance(done, Delivered)
    assert done.receipt == "1732300000.000100"


@pytest.mark.parametrize("name", WAIT.split())
@pytest.mark.parametrize("status", [200, 429])
def test_a_rate_limit_pauses_as_long_as_slack_requests_and_counts_no_attempt(name: str, status: int) -> None:
    later = outcome(status, {"ok": False, "error": name}, headers={"retry-after": "7"})
    assert isinstance(later, TryLater)
    assert (later.after_seconds, later.throttled) == (7.0, True)


@pytest.mark.parametrize(
    ("document", "pause"),
    [
        ({"ok": False, "error": "ratelimited", "retry_after": 9}, 9.0),
        ({"ok": False, "error": "ratelimited", "retry_after": 10**400}, 3600.0),
        ({"ok": False, "error": "ratelimited", "retry_after": "soon"}, PAUSE_SECONDS),
        ({"ok": False, "error": "ratelimited", "retry_after": True}, PAUSE_SECONDS),
        ({"ok": False, "error": "ratelimited", "retry_after": -3}, PAUSE_SECONDS),
        ("<html>slow down</html>", PAUSE_SECONDS),
    ],
    ids=repr,
)
def test_without_a_header_the_body_or_the_default_gives_the_pause(document: Any, pause: float) -> None:
    later = outcome(429, document)
    assert isinstance(later, TryLater)
    assert later.after_seconds == pause


@pytest.mark.parametrize("name", UNCLEAR.split())
def test_an_error_after_which_the_message_may_be_posted_is_looked_up(name: str) -> None:
    uncertain = refusal(name)
    assert isinstance(uncertain, Uncertain)
    assert reason_text(uncertain.reason) == name


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (500, ""),
        (500, {"ok": False, "error": "something_new"}),
        (502, "<html>Bad Gateway</html>"),
        (503, "upstream"),
        (504, ""),
        (200, ""),
        (200, "ok"),
        (200, "<!DOCTYPE html><title>Sign in</title>"),
        (200, {"ok": "true"}),
        (200, []),
        (201, {"ok": True}),
        (403, "<html>The proxy says no</html>"),
    ],
    ids=repr,
)
def test_an_answer_without_the_result_of_the_post_is_looked_up(status: int, document: Any) -> None:
    assert isinstance(outcome(status, document), Uncertain)


@pytest.mark.parametrize("name", CONTENT.split())
def test_refused_content_is_simplified_and_the_metadata_is_dropped_last(name: str) -> None:
    steps, degrade = [], 0
    while isinstance(refused := refusal(name, degrade=degrade), Degrade):
        degrade += refused.steps
        steps.append(degrade)
    assert steps == [1, TEXT_ONLY, TEXT_ONLY + METADATA_STEP]
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.MESSAGE


@pytest.mark.parametrize("name", METADATA.split())
@pytest.mark.parametrize("degrade", [0, 1, 2])
def test_refused_metadata_is_dropped_and_the_content_is_kept(name: str, degrade: int) -> None:
    refused = refusal(name, degrade=degrade)
    assert isinstance(refused, Degrade)
    assert refused.steps == METADATA_STEP
    assert not isinstance(refusal(name, degrade=degrade + METADATA_STEP), Degrade), (
        "the message has no metadata any more"
    )


@pytest.mark.parametrize("name", MENTION.split())
def test_a_refused_mention_is_left_out_and_the_rest_of_the_message_is_kept(name: str) -> None:
    for degrade in (0, 1, TEXT_ONLY, METADATA_STEP):
        refused = refusal(name, degrade=degrade, mentions=True)
        assert isinstance(refused, Degrade)
        assert refused.steps == MENTION_STEP
        assert "mention" in reason_text(refused.reason)
        assert not isinstance(refusal(name, degrade=degrade + MENTION_STEP, mentions=True), Degrade)
    assert not isinstance(refusal(name), Degrade), "the message has no mention"


def test_refused_content_loses_metadata_and_mention_last() -> None:
    steps, degrade = [], 0
    while isinstance(refused := refusal("invalid_blocks", degrade=degrade, mentions=True), Degrade):
        degrade += refused.steps
        steps.append(refused.steps)
    assert steps == [1, 1, METADATA_STEP, MENTION_STEP]


@pytest.mark.parametrize("name", TARGET_GONE.split())
def test_an_error_about_a_missing_message_is_retried(name: str) -> None:
    assert isinstance(refusal(name), TryLater)


@pytest.mark.parametrize("name", [*WRONG_PLACE.split(), *WRONG_TOKEN.split()])
def test_errors_of_destination_or_credentials_are_permanent_with_a_remedy(name: str) -> None:
    refused = refusal(name)
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.RECEIVER
    assert reason_text(refused.reason).startswith(f"{name}: ")


@pytest.mark.parametrize("name", REQUEST.split())
def test_an_error_of_our_request_ends_only_this_message(name: str) -> None:
    refused = refusal(name)
    assert isinstance(refused, Refused)
    assert refused.scope is RefusalScope.MESSAGE


@pytest.mark.parametrize("status", [200, 400, 403])
def test_an_unknown_name_is_retried_with_the_name_and_the_status_of_a_refusal_as_reason(status: int) -> None:
    later = outcome(status, {"ok": False, "error": "brand_new_error"})
    assert isinstance(later, TryLater)
    expected = "brand_new_error" if status < 400 else f"http {status}: brand_new_error"
    assert reason_text(later.reason) == expected


def test_a_name_at_the_end_of_a_long_answer_is_read() -> None:
    assert isinstance(outcome(200, {"ok": False, "noise": "x" * 100_000, "error": "is_archived"}), Refused)


def test_a_missing_scope_is_named_in_the_stored_answer() -> None:
    refused = outcome(200, {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "identify"})
    assert "chat:write" in refused.answer


def test_the_tables_contain_exactly_these_names() -> None:
    assert WEB_API.unclear == set(UNCLEAR.split())
    assert set(CONTENT.split()) <= WEB_API.content <= set(CONTENT.split()) | WEBHOOK.content
    assert WEB_API.metadata == set(METADATA.split())
    assert WEB_API.target_gone == set(TARGET_GONE.split())
    assert WEB_API.ours == set(REQUEST.split())
    assert set(DESTINATION) == set(WRONG_PLACE.split())
    assert set(CREDENTIALS) == set(WRONG_TOKEN.split())
