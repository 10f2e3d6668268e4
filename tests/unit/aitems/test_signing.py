"""Signature v2 against vectors: one published by another client, and three by the documented recipe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.keys import FixedKeys
from watcher.aitems.signing import KeyPair, SignatureV2, signature
from watcher.clock import Clock
from watcher.core.secret import Secret

PUBLISHED = KeyPair(Secret("AK_TEST"), Secret("SK_TEST"))
EXAMPLE = KeyPair(Secret("EXAMPLEACCESSKEY0001"), Secret("EXAMPLESECRETKEY00000000000000000000000001"))


class SteppingClock(Clock):
    """A clock that advances by a second at each reading."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def utc_now(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.mark.parametrize(
    ("method", "path", "timestamp", "pair", "expected"),
    [
        # From sdk/auth/hmacv2_test.go of GreedyLabs/ncloud-community-sdk.
        (
            "POST",
            b"/vserver/v2/createServerInstances?regionCode=KR",
            "1700000000000",
            PUBLISHED,
            "xBcE26XFU55BMjppdPT7ZY3oDrqoOedfPyAn3Cq4lUw=",
        ),
        (
            "GET",
            b"/api/v1/services/6wxguexampl/trains/pop/versions/maqllexampl",
            "1722306336558",
            EXAMPLE,
            "zBK/IgI3ED3iY2AxKuGKBy79SZlFD5nOPe8xGf8ztPE=",
        ),
        (
            "GET",
            b"/api/v1/services/6wxguexampl/trains",
            "1722306336558",
            EXAMPLE,
            "czUJ1/rBbWiAquQOUzticXoNwSI64z0dctY7EXrFTd8=",
        ),
        # The path of the documents: a query name without a value stays unchanged.
        (
            "GET",
            b"/photos/puppy.jpg?query1=&query2",
            "1722306336558",
            EXAMPLE,
            "mj5DpHsJR/e00dT6aAayujI3Tbl1GcwN78DIhGfN9c4=",
        ),
    ],
)
def test_the_signature_equals_the_vectors(
    method: str, path: bytes, timestamp: str, pair: KeyPair, expected: str
) -> None:
    assert signature(method, path, timestamp, pair) == expected


def test_the_header_has_the_signed_timestamp() -> None:
    sign = SignatureV2(FixedKeys(EXAMPLE), SteppingClock(datetime(2026, 11, 23, tzinfo=UTC)))
    headers = sign("GET", b"/api/v1/services")
    timestamp = headers["x-ncp-apigw-timestamp"]
    assert headers["x-ncp-apigw-signature-v2"] == signature("GET", b"/api/v1/services", timestamp, EXAMPLE)
    assert headers["x-ncp-iam-access-key"] == "EXAMPLEACCESSKEY0001"


def test_each_attempt_is_signed_anew() -> None:
    sign = SignatureV2(FixedKeys(EXAMPLE), SteppingClock(datetime(2026, 11, 23, tzinfo=UTC)))
    first, second = sign("GET", b"/"), sign("GET", b"/")
    assert int(second["x-ncp-apigw-timestamp"]) - int(first["x-ncp-apigw-timestamp"]) == 1000
    assert second["x-ncp-apigw-signature-v2"] != first["x-ncp-apigw-signature-v2"]


def test_the_timestamp_is_whole_milliseconds() -> None:
    clock = SteppingClock(datetime(2024, 7, 30, 2, 25, 35, 558_999, tzinfo=UTC))
    assert SignatureV2(FixedKeys(EXAMPLE), clock)("GET", b"/")["x-ncp-apigw-timestamp"] == "1722306336558"


def test_changed_keys_are_used_from_the_next_call_on() -> None:
    class Changing:
        pair = EXAMPLE

        def current(self) -> KeyPair:
            return self.pair

    keys = Changing()
    sign = SignatureV2(keys, Clock())
    sign("GET", b"/")
    keys.pair = PUBLISHED
    assert sign("GET", b"/")["x-ncp-iam-access-key"] == "AK_TEST"


def test_keys_are_not_shown_in_a_repr() -> None:
    assert "EXAMPLE" not in repr(FixedKeys(EXAMPLE))
