from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from watcher.core.secret import Secret
from watcher.simulator.gateway import AUTHENTICATION_FAILED, Rejection, SignedRequest, check, envelope, signature

ACCESS = "EXAMPLEACCESSKEY0001"
SECRET = Secret("EXAMPLESECRETKEY00000000000000000000000001")
MILLISECONDS = 1722306336558
NOW = datetime.fromtimestamp(1722306336, UTC).replace(microsecond=558_000)
URI = b"/api/v1/services/6wxguexampl/trains"
SIGNATURE = "czUJ1/rBbWiAquQOUzticXoNwSI64z0dctY7EXrFTd8="
GOOD = {
    "x-ncp-apigw-timestamp": str(MILLISECONDS),
    "x-ncp-iam-access-key": ACCESS,
    "x-ncp-apigw-signature-v2": SIGNATURE,
    "content-type": "application/json",
}
NO_CHANGES: Mapping[str, str | None] = {}


def rejection_of(
    changes: Mapping[str, str | None] = NO_CHANGES, *, now: datetime = NOW, uri: bytes = URI, method: str = "GET"
) -> Rejection | None:
    headers = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return check(SignedRequest(method, uri, headers), {ACCESS: SECRET}, now)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            b"/api/v1/services/6wxguexampl/trains/pop/versions/maqllexampl",
            "zBK/IgI3ED3iY2AxKuGKBy79SZlFD5nOPe8xGf8ztPE=",
        ),
        (URI, SIGNATURE),
        (b"/photos/puppy.jpg?query1=&query2", "mj5DpHsJR/e00dT6aAayujI3Tbl1GcwN78DIhGfN9c4="),
    ],
)
def test_the_signature_matches_the_fixed_vectors(uri: bytes, expected: str) -> None:
    assert signature("GET", uri, str(MILLISECONDS), ACCESS, SECRET) == expected


def test_the_signature_matches_the_vector_of_the_community_sdk() -> None:
    """Source: GreedyLabs/ncloud-community-sdk, sdk/auth/hmacv2_test.go."""
    uri = b"/vserver/v2/createServerInstances?regionCode=KR"
    made = signature("POST", uri, "1700000000000", "AK_TEST", Secret("SK_TEST"))
    assert made == "xBcE26XFU55BMjppdPT7ZY3oDrqoOedfPyAn3Cq4lUw="


def test_a_good_request_passes() -> None:
    assert rejection_of() is None


@pytest.mark.parametrize("name", ["x-ncp-apigw-timestamp", "x-ncp-iam-access-key", "x-ncp-apigw-signature-v2"])
@pytest.mark.parametrize("value", [None, ""])
def test_each_of_the_three_headers_is_required(name: str, value: str | None) -> None:
    assert rejection_of({name: value}) is Rejection.HEADER_MISSING


def test_an_unknown_access_key_is_refused() -> None:
    assert rejection_of({"x-ncp-iam-access-key": "EXAMPLEACCESSKEY0002"}) is Rejection.KEY_UNKNOWN


@pytest.mark.parametrize("index", range(len(SIGNATURE)))
def test_a_signature_wrong_in_any_one_character_is_refused(index: int) -> None:
    other = "A" if SIGNATURE[index] != "A" else "B"
    wrong = SIGNATURE[:index] + other + SIGNATURE[index + 1 :]
    assert rejection_of({"x-ncp-apigw-signature-v2": wrong}) is Rejection.SIGNATURE_WRONG


@pytest.mark.parametrize("uri", [URI + b"?", URI + b"?isRecent=true", URI.upper(), URI + b"/"])
def test_a_signature_is_valid_for_its_own_uri_only(uri: bytes) -> None:
    assert rejection_of(uri=uri) is Rejection.SIGNATURE_WRONG


def test_a_signature_is_valid_for_its_own_method_only() -> None:
    assert rejection_of(method="DELETE") is Rejection.SIGNATURE_WRONG


@pytest.mark.parametrize("minutes", [5, -5])
def test_a_timestamp_exactly_five_minutes_off_passes(minutes: int) -> None:
    assert rejection_of(now=NOW + timedelta(minutes=minutes)) is None


@pytest.mark.parametrize("off", [timedelta(minutes=5, milliseconds=1), -timedelta(minutes=5, milliseconds=1)])
def test_a_timestamp_more_than_five_minutes_off_is_refused(off: timedelta) -> None:
    assert rejection_of(now=NOW + off) is Rejection.TIMESTAMP_OFF


@pytest.mark.parametrize("text", ["1.7E+12", "-1722306336558", "now", "1" * 5000, "\u0661\u0662", "1722306336558 "])
def test_a_timestamp_that_is_not_a_decimal_number_is_refused(text: str) -> None:
    assert rejection_of({"x-ncp-apigw-timestamp": text}) is Rejection.TIMESTAMP_UNREADABLE


def test_seconds_instead_of_milliseconds_are_refused() -> None:
    assert rejection_of({"x-ncp-apigw-timestamp": "1722306336"}) is Rejection.TIMESTAMP_OFF


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/xml"])
def test_the_content_type_must_be_json(content_type: str | None) -> None:
    assert rejection_of({"content-type": content_type}) is Rejection.CONTENT_TYPE


def test_the_content_type_may_name_a_character_set() -> None:
    assert rejection_of({"content-type": "Application/JSON; charset=utf-8"}) is None


def test_the_envelope_has_the_code_as_text_and_omits_missing_details() -> None:
    assert envelope(AUTHENTICATION_FAILED) == {"error": {"errorCode": "200", "message": "Authentication Failed"}}
    assert envelope(AUTHENTICATION_FAILED, "why")["error"] == {
        "errorCode": "200",
        "message": "Authentication Failed",
        "details": "why",
    }
