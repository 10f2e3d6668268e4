"""Answers of receivers: requested waits, stored answers without secrets, and missing answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.delivery.model import Refused, TryLater, Uncertain
from watcher.core.delivery.reason import Reason, ReasonCode
from watcher.core.secret import STARS, Secret
from watcher.http import Answered, FailureReason, Headers, MaybeSent, NotSent
from watcher.receivers.responses import (
    ANSWER_LIMIT,
    outcome_without_answer,
    redactor_for,
    requested_pause_seconds,
    shortened_answer,
)

NOW = datetime(2026, 11, 23, 2, 20, 0, tzinfo=UTC)
NOTHING = redactor_for(None, ())


def answered(body: bytes = b"", status: int = 200, **headers: str) -> Answered:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Answered(status=status, headers=Headers(fields), body=body, asked_at=NOW, answered_at=NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("1000000000", 3600.0),
        ("Mon, 23 Nov 2026 02:21:00 GMT", 60.0),
        ("Wed, 23 Nov 2033 02:21:00 GMT", 3600.0),
        ("Mon, 23 Nov 2026 02:19:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Nov 2026", None),
        ("1e9", None),
    ],
)
def test_retry_after_applies_within_limits(value: str, seconds: float | None) -> None:
    assert requested_pause_seconds(answered(retry_after=value)) == seconds


def test_without_retry_after_no_wait_is_requested() -> None:
    assert requested_pause_seconds(answered()) is None


def test_the_stored_answer_is_short_and_clean_and_begins_with_the_status() -> None:
    kept = shortened_answer(answered(b"\x1b[31mno\x00\nway " + b"x" * 1_000_000, status=503), NOTHING)
    assert kept.startswith("503 no way xxx")
    assert len(kept) <= ANSWER_LIMIT


def test_every_secret_of_a_rotation_is_hidden() -> None:
    for secret in ("whsec_first-key", "whsec_second-key", "whsec_first-key"):
        redactor = redactor_for(Secret("https://hook.example/"), [Secret(secret)])
        assert secret not in shortened_answer(answered(f"bad {secret}".encode(), status=400), redactor)


def test_bytes_that_are_no_text_are_stored_as_far_as_readable() -> None:
    assert shortened_answer(answered(b"\xff\xfeok"), NOTHING).endswith("ok")


SLACK_URL = Secret("https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx")
HOOK_URL = Secret("https://user:pass-word@ci.example.com/hooks/a?token=s3cr3t-t0ken&x=1")
HEADER = Secret("Bearer abcdef0123456789")
KEY = Secret("whsec_MfKQ9r8GKYqrTwj/PD8ILPZIo2LaLaSw")


@pytest.mark.parametrize(
    ("url", "others", "echo", "leak"),
    [
        (
            SLACK_URL,
            (),
            "no hook at https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
            "wx",
        ),
        (SLACK_URL, (), "no hook at /services/T00000000/B00000000/abcdefghijklmnopqrstuvwx", "T00000000"),
        (SLACK_URL, (), "no token abcdefghijklmnopqrstuvwx", "abcdef"),
        (
            SLACK_URL,
            (),
            r"https:\/\/hooks.slack.com\/services\/T00000000\/B00000000\/abcdefghijklmnopqrstuvwx",
            "T0000",
        ),
        (HOOK_URL, (), "bad s3cr3t-t0ken", "s3cr3t"),
        (HOOK_URL, (), "bad pass-word", "pass-word"),
        (HOOK_URL, (HEADER,), "bad header Bearer abcdef0123456789", "abcdef"),
        (HOOK_URL, (HEADER,), "bad token abcdef0123456789", "abcdef"),
        (HOOK_URL, (KEY,), "bad key MfKQ9r8GKYqrTwj/PD8ILPZIo2LaLaSw", "MfKQ"),
        (HOOK_URL, (KEY,), r"bad key MfKQ9r8GKYqrTwj\/PD8ILPZIo2LaLaSw", "MfKQ"),
        (HOOK_URL, (KEY,), "bad key MfKQ9r8GKYqrTwj%2FPD8ILPZIo2LaLaSw", "MfKQ"),
    ],
)
def test_secrets_of_the_receiver_are_never_stored(
    url: Secret, others: tuple[Secret, ...], echo: str, leak: str
) -> None:
    kept = shortened_answer(answered(echo.encode(), status=404), redactor_for(url, others))
    assert leak not in kept
    assert STARS in kept


def test_ordinary_words_stay_readable() -> None:
    kept = shortened_answer(answered(b"Bearer token is missing at /hooks/a"), redactor_for(HOOK_URL, (HEADER,)))
    assert kept == "200 Bearer token is missing at /hooks/a"


def test_a_message_that_was_not_sent_is_tried_later() -> None:
    call = NotSent(reason=FailureReason.DNS, detail="ci.example.com: no such name", asked_at=NOW, ended_at=NOW)
    assert outcome_without_answer(call, NOTHING) == TryLater(
        reason=Reason(code=ReasonCode.NOT_SENT, cause="dns"), answer="ci.example.com: no such name"
    )


def test_a_request_that_can_never_be_sent_is_refused() -> None:
    call = NotSent(reason=FailureReason.INVALID, detail="", asked_at=NOW, ended_at=NOW)
    assert isinstance(outcome_without_answer(call, NOTHING), Refused)


def test_a_call_that_broke_after_the_first_byte_is_uncertain() -> None:
    call = MaybeSent(reason=FailureReason.RESET, detail="gone", asked_at=NOW, ended_at=NOW)
    assert outcome_without_answer(call, NOTHING) == Uncertain(
        reason=Reason(code=ReasonCode.NO_ANSWER, cause="reset"), answer="gone"
    )
