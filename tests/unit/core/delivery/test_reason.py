"""A reason is stored as a code with parameters, and is text where it is shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.delivery.reason import (
    NO_REASON,
    Context,
    Reason,
    ReasonCode,
    RefusalRemedy,
    http_reason,
    in_context,
    named_reason,
    read_reason,
    reason_from_json,
    reason_json,
    text_reason,
    write_reason,
)
from watcher.core.messages.reasons import reason_text

reasons = st.builds(
    Reason,
    code=st.sampled_from(ReasonCode),
    status=st.none() | st.integers(100, 599),
    name=st.text(max_size=9),
    cause=st.sampled_from(["", "dns"]),
    detail=st.text(max_size=9),
    remedy=st.none() | st.sampled_from(RefusalRemedy),
    within=st.lists(st.sampled_from(Context), max_size=2).map(tuple),
)


@given(reasons)
def test_a_reason_reads_back_as_it_was_stored(reason: Reason) -> None:
    assert reason_from_json(json.loads(json.dumps(reason_json(reason)))) == reason
    if reason.code is not ReasonCode.TEXT:
        assert read_reason(write_reason(reason)) == reason


@given(st.text(max_size=30))
def test_any_text_of_an_older_version_is_shown_as_it_was(text: str) -> None:
    assert reason_text(read_reason(text)) in {text, *map(reason_text, map(read_reason, ReasonCode))}
    assert write_reason(read_reason(text)) == text


@pytest.mark.parametrize(
    "old",
    [
        "",
        "http 503",
        "expired: http 410: the consumer wants no more deliveries; remove the receiver, or set its new url",
        "channel_is_archived: unarchive the channel, or make a webhook for another one",
        "found",
        "receiver-removed",
        '{"code":"a-code-of-a-newer-version","status":503}',
    ],
)
def test_what_another_version_stored_is_shown_as_it_is(old: str) -> None:
    assert reason_text(read_reason(old)) == old
    assert write_reason(read_reason(old)) == old


@pytest.mark.parametrize("code", ReasonCode)
def test_no_text_of_ours_is_stored(code: ReasonCode) -> None:
    for remedy in RefusalRemedy:
        stored = write_reason(Reason(code=code, status=410, name="x_y", cause="dns", remedy=remedy))
        assert " " not in stored


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (NO_REASON, ""),
        (http_reason(503), "http 503"),
        (named_reason("no_team"), "no_team"),
        (in_context(Context.EXPIRED, http_reason(503)), "expired: http 503"),
        (
            in_context(Context.EXPIRED, in_context(Context.LOOKUP_FAILED, named_reason("ratelimited"))),
            "expired: lookup failed: ratelimited",
        ),
        (Reason(code=ReasonCode.NOT_SENT, cause="dns"), "not sent: dns"),
        (
            Reason(code=ReasonCode.HTTP_REFUSED, status=404, remedy=RefusalRemedy.CHECK_URL),
            "http 404: the address does not accept such a request; check url",
        ),
        (
            Reason(code=ReasonCode.WRONG_REQUEST, name="unknown_method"),
            "unknown_method: the watcher sent a wrong request",
        ),
        (Reason(code=ReasonCode.WRONG_REQUEST, status=405), "http 405: the watcher sent a wrong request"),
        (text_reason("anything"), "anything"),
    ],
)
def test_a_reason_is_one_line_for_people(reason: Reason, text: str) -> None:
    assert reason_text(reason) == text
