"""The headers and keys of Standard Webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest

from watcher.core.secret import Secret
from watcher.receivers.signature import decode_keys, signed_headers
from watcher.receivers.spec import InvalidReceiverError

# The worked example of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
ATTEMPTED_AT = datetime.fromtimestamp(1614265330, tz=UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_standards_example_has_the_published_signature() -> None:
    headers = signed_headers(MESSAGE_ID, BODY, ATTEMPTED_AT, decode_keys(Secret(SECRET), "hook"))
    assert headers == {
        "content-type": "application/json",
        "webhook-id": MESSAGE_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_a_time_of_another_zone_has_the_same_signature() -> None:
    keys = decode_keys(Secret(SECRET), "hook")
    in_seoul = ATTEMPTED_AT.astimezone(timezone(timedelta(hours=9)))
    assert signed_headers(MESSAGE_ID, BODY, in_seoul, keys) == signed_headers(MESSAGE_ID, BODY, ATTEMPTED_AT, keys)


def test_the_timestamp_is_cut_to_the_signed_second() -> None:
    keys = decode_keys(Secret(SECRET), "hook")
    headers = signed_headers(MESSAGE_ID, BODY, ATTEMPTED_AT + timedelta(microseconds=999_999), keys)
    assert (headers["webhook-timestamp"], headers["webhook-signature"]) == ("1614265330", SIGNATURE)


def test_without_a_key_the_headers_have_an_id_but_no_signature() -> None:
    headers = signed_headers(MESSAGE_ID, BODY, ATTEMPTED_AT, ())
    assert "webhook-signature" not in headers
    assert headers["webhook-id"] == MESSAGE_ID


def test_during_a_rotation_each_key_signs() -> None:
    other = "whsec_" + base64.b64encode(b"n" * 32).decode()
    headers = signed_headers(MESSAGE_ID, BODY, ATTEMPTED_AT, decode_keys(Secret(f"{SECRET} {other}"), "hook"))
    first, second = headers["webhook-signature"].split(" ")
    assert first == SIGNATURE
    assert second.startswith("v1,")
    assert second != SIGNATURE


@pytest.mark.parametrize("text", [SECRET, SECRET.removeprefix("whsec_"), f" {SECRET}\n"])
def test_a_secret_may_be_given_with_and_without_its_prefix(text: str) -> None:
    assert decode_keys(Secret(text), "hook") == (base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),)


@pytest.mark.parametrize("padding", ["", "="])
def test_the_padding_may_be_missing(padding: str) -> None:
    text = "whsec_" + base64.b64encode(b"n" * 32).decode().rstrip("=") + padding
    assert decode_keys(Secret(text), "hook") == (b"n" * 32,)


@pytest.mark.parametrize("length", [24, 64])
def test_the_standards_shortest_and_longest_keys_are_accepted(length: int) -> None:
    text = "whsec_" + base64.b64encode(b"n" * length).decode()
    assert decode_keys(Secret(text), "hook") == (b"n" * length,)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is empty"),
        ("whsec_", "0 bytes"),
        ("my secret pass phrase!", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "not base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwé", "not base64"),
        ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "not base64"),
        ("whsec_" + base64.b64encode(b"n" * 23).decode(), "23 bytes"),
        ("whsec_" + base64.b64encode(b"n" * 65).decode(), "65 bytes"),
    ],
)
def test_an_invalid_secret_is_rejected_with_a_remedy_and_never_shown(text: str, fault: str) -> None:
    with pytest.raises(InvalidReceiverError) as caught:
        decode_keys(Secret(text), "pipeline")
    message = str(caught.value)
    assert "receiver 'pipeline': secret: " in message
    assert fault in message
    assert "openssl rand -base64 32" in message
    assert len(text) < 10 or text.removeprefix("whsec_") not in message
