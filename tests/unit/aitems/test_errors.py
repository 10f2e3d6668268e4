"""Errors: every known envelope of the gateway is read and has the right cause."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.aitems.errors import ApiError, ErrorShape, cause_of, read_error, retry_after_seconds
from watcher.core.polling.result import Cause
from watcher.http import Headers

NOW = datetime(2026, 11, 23, 2, 20, tzinfo=UTC)
NONE = Headers()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"error":{"errorCode":"200","message":"Authentication Failed","details":"Invalid information."}}',
            ApiError(ErrorShape.ERROR_OBJECT, "200", "Authentication Failed: Invalid information."),
        ),
        (
            b'{"error":{"errorCode":210,"message":"Permission Denied"}}',
            ApiError(ErrorShape.ERROR_OBJECT, "210", "Permission Denied"),
        ),
        (b'{"error":{"code":"77202","message":"No"}}', ApiError(ErrorShape.ERROR_OBJECT, "77202", "No")),
        (
            b'{"responseError":{"returnCode":"1103","returnMessage":"Forbidden."}}',
            ApiError(ErrorShape.RESPONSE_ERROR, "1103", "Forbidden."),
        ),
        (
            b'{"errorCode":9014,"message":"Tenant not created"}',
            ApiError(ErrorShape.TOP_LEVEL, "9014", "Tenant not created"),
        ),
        (b'{"errorMessage":"No key","errorCode":"024"}', ApiError(ErrorShape.TOP_LEVEL, "024", "No key")),
        (
            b'{"code":"NOT_EXIST_CASTORE","msg":"castore not found","data":null}',
            ApiError(ErrorShape.CODE_MSG, "NOT_EXIST_CASTORE", "castore not found"),
        ),
        (
            b'{"status":{"code":"40100","message":"Unauthorized"}}',
            ApiError(ErrorShape.STATUS_OBJECT, "40100", "Unauthorized"),
        ),
        (
            b'{"timestamp":"t","status":401,"error":"UNAUTHORIZED","message":"main only","code":"COMMON_999"}',
            ApiError(ErrorShape.SPRING, "COMMON_999", "main only"),
        ),
        (
            b'{"timestamp":"t","status":404,"error":"Not Found","path":"/api/v1/services/x/trains"}',
            ApiError(ErrorShape.SPRING, None, "Not Found"),
        ),
        (b'{"error":"Not Found"}', ApiError(ErrorShape.ERROR_TEXT, None, "Not Found")),
        (
            b"<responseError><returnCode>800</returnCode><returnMessage>Fail</returnMessage></responseError>",
            ApiError(ErrorShape.XML, "800", "Fail"),
        ),
        (
            b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No</Message></Error>',
            ApiError(ErrorShape.XML, "AccessDenied", "No"),
        ),
        (
            b"<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head></html>",
            ApiError(ErrorShape.HTML, None, "503 Service Unavailable"),
        ),
        (b"<html><body>down</body></html>", ApiError(ErrorShape.HTML, None, "a page of HTML")),
        (b"", ApiError(ErrorShape.EMPTY)),
        (b" \r\n", ApiError(ErrorShape.EMPTY)),
        (b'{"error":{"errorCode":"200","mess', ApiError(ErrorShape.TEXT, None, '{"error":{"errorCode":"200","mess')),
        (b"Bad gateway", ApiError(ErrorShape.TEXT, None, "Bad gateway")),
        (b'[{"code":1}]', ApiError(ErrorShape.JSON, None, '[{"code":1}]')),
        (b"null", ApiError(ErrorShape.JSON, None, "null")),
        (b'{"error":null}', ApiError(ErrorShape.JSON, None, '{"error":null}')),
        (b'{"error":{}}', ApiError(ErrorShape.ERROR_OBJECT)),
    ],
)
def test_each_known_envelope_is_read(body: bytes, expected: ApiError) -> None:
    assert read_error(NONE, body) == expected


def test_an_encoded_error_is_named_and_not_decoded() -> None:
    error = read_error(Headers([("Content-Encoding", "gzip")]), b"\x1f\x8b\x08")
    assert error == ApiError(ErrorShape.TEXT, None, "a body encoded as gzip")


def test_xml_entities_are_not_expanded() -> None:
    body = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Error><Code>&b;</Code></Error>'
    assert read_error(NONE, body).code == "&b;"


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(body: bytes) -> None:
    read_error(NONE, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from(["error", "errorCode", "code", "message", "msg", "status", "timestamp", "responseError"]), inner
    ),
)


@given(json_values)
def test_any_shape_of_json_can_be_read(value: object) -> None:
    error = read_error(NONE, json.dumps(value).encode())
    assert error.code is None or isinstance(error.code, str)


def test_deep_json_is_text() -> None:
    assert read_error(NONE, b"[" * 60_000).shape is ErrorShape.TEXT


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (401, "200", Cause.KEY),
        (401, None, Cause.KEY),
        (401, "210", Cause.PERMISSION),
        (403, None, Cause.PERMISSION),
        (403, "200", Cause.PERMISSION),
        (429, "400", Cause.QUOTA),
        (429, "410", Cause.THROTTLE),
        (429, "420", Cause.RATE),
        (429, None, Cause.RATE),
        (404, "300", Cause.REFUSED),
        (410, "300", Cause.REFUSED),
        (404, None, Cause.NOT_FOUND),
        (410, None, Cause.NOT_FOUND),
        (400, "100", Cause.REFUSED),
        (413, "430", Cause.REFUSED),
        (500, "900", Cause.SERVER),
        (503, "500", Cause.SERVER),
        (504, "510", Cause.SERVER),
        (599, None, Cause.SERVER),
        (301, None, Cause.BAD_ANSWER),
        (304, None, Cause.BAD_ANSWER),
        (101, None, Cause.BAD_ANSWER),
        (999, None, Cause.BAD_ANSWER),
        # The gateway's codes 200, 400 and 500 say nothing about another HTTP status.
        (503, "400", Cause.SERVER),
        (500, "200", Cause.SERVER),
        (404, "500", Cause.NOT_FOUND),
    ],
)
def test_the_http_status_takes_precedence_over_the_gateways_code(status: int, code: str | None, cause: Cause) -> None:
    assert cause_of(status, ApiError(ErrorShape.ERROR_OBJECT, code), NOW, NOW) is cause


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'{"timestamp":"t","status":404,"error":"Not Found","path":"/x"}', Cause.NOT_FOUND),
        (b'{"error":{"errorCode":"100","message":"no such version"}}', Cause.NOT_FOUND),
        (b'{"code":300001,"msg":"no such version"}', Cause.NOT_FOUND),
        (b"{}", Cause.NOT_FOUND),
        (b"null", Cause.NOT_FOUND),
        (b'"no such version"', Cause.NOT_FOUND),
        (b'{"error":{"errorCode":300,"message":"URL not found"}}', Cause.REFUSED),
        (b'{"responseError":{"returnCode":"300","returnMessage":"no"}}', Cause.REFUSED),
        (b'{"errorCode":"300"}', Cause.REFUSED),
        (b"", Cause.BAD_ANSWER),
        (b" \n", Cause.BAD_ANSWER),
        (b"<!doctype html><html></html>", Cause.BAD_ANSWER),
        (b"<error><errorCode>100</errorCode></error>", Cause.BAD_ANSWER),
        (b"default backend - 404", Cause.BAD_ANSWER),
        (b'{"timestamp":"t","status":404,"err', Cause.BAD_ANSWER),
    ],
)
def test_only_aitems_itself_can_say_that_something_does_not_exist(status: int, body: bytes, cause: Cause) -> None:
    error = read_error(NONE, body)
    assert cause_of(status, error, NOW, NOW) is cause
    assert cause_of(status, error, NOW + timedelta(hours=1), NOW) is cause, "a wrong clock explains no 404"


@pytest.mark.parametrize("skew", [timedelta(minutes=5, seconds=1), timedelta(days=-400)])
@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_by_a_server_with_another_time_means_a_wrong_clock(status: int, skew: timedelta) -> None:
    assert cause_of(status, ApiError(ErrorShape.EMPTY), NOW + skew, NOW) is Cause.CLOCK


def test_a_clock_within_five_minutes_is_no_cause() -> None:
    assert cause_of(401, ApiError(ErrorShape.EMPTY), NOW + timedelta(minutes=5), NOW) is Cause.KEY
    assert cause_of(401, ApiError(ErrorShape.EMPTY), None, NOW) is Cause.KEY


@pytest.mark.parametrize(("status", "code"), [(401, "210"), (503, None), (404, None), (429, "400")])
def test_other_refusals_keep_their_cause_with_a_wrong_clock(status: int, code: str | None) -> None:
    error = ApiError(ErrorShape.ERROR_OBJECT, code)
    assert cause_of(status, error, NOW + timedelta(days=1), NOW) is cause_of(status, error, NOW, NOW)


def test_a_wait_is_capped_at_fifteen_minutes() -> None:
    assert retry_after_seconds(Headers([("Retry-After", "3600")]), NOW) == 900.0
