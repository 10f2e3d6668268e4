"""Requests as they are sent: a target that needs no encoding is the library's own, byte for byte."""

from __future__ import annotations

import httpx2 as httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from watcher.core.secret import Secret
from watcher.http import HttpRequest
from watcher.http.outgoing import CANONICAL_URL, destination, outgoing

ORIGIN = "https://aitems.apigw.ntruss.com"
PIECES = (
    "a",
    "v1",
    ".",
    "..",
    "/",
    "//",
    "?",
    "#",
    "&",
    "=",
    "%",
    "%2F",
    "%ed",
    "한",
    " ",
    "[",
    "\\",
    "+",
    "@",
    "~",
    "'",
    "|",
)
PATHS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@settings(deadline=None)
@given(PATHS)
@example("/a/../b")
@example("/.hidden")
@example("/a%2e%2e/b")
@example("/api/v1/services?offset=0&limit=100")
def test_the_target_is_that_of_the_library(path: str) -> None:
    url = f"{ORIGIN}/{path}"
    origin, target = destination(url)
    parsed = httpx.URL(url)
    assert target == parsed.raw_path
    assert (origin.scheme, origin.raw_host, origin.port) == (parsed.scheme, parsed.raw_host, parsed.port)


@pytest.mark.parametrize(
    "path",
    ["/services/s1/trains/pop/versions/v1.2", "/services/a%2Fb?offset=20", "/services/%ED%95%9C%EA%B8%80/trains"],
)
def test_paths_of_aitems_are_sent_as_written(path: str) -> None:
    assert CANONICAL_URL.fullmatch(f"{ORIGIN}/api/v1{path}")


@pytest.mark.parametrize(
    ("url", "peer", "host"),
    [
        ("https://a.example/x", "a.example:443", b"a.example"),
        ("https://a.example:443/x", "a.example:443", b"a.example"),
        ("http://A.Example:8080/x", "a.example:8080", b"a.example:8080"),
        ("http://[::1]:8080/x", "[::1]:8080", b"[::1]:8080"),
        ("https://한글.example/x", "xn--bj0bj06e.example:443", b"xn--bj0bj06e.example"),
    ],
)
def test_the_peer_and_the_host_field_name_the_origin(url: str, peer: str, host: bytes) -> None:
    origin, _ = destination(url)
    assert (origin.peer, origin.fields["host"]) == (peer, (b"Host", host))


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://a.example/", "http:///x", "http://a.example:99999/x"])
def test_a_url_without_a_host_or_an_existing_port_is_refused(url: str) -> None:
    with pytest.raises(httpx.InvalidURL):
        destination(url)


def sent(request: HttpRequest) -> dict[bytes, bytes]:
    origin, target = destination(str(request.url))
    return dict(outgoing(request, origin, target).headers)


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("GET", None, None), ("POST", None, b"0"), ("POST", b"", b"0"), ("POST", b"1234", b"4"), ("PUT", None, b"0")],
)
def test_the_length_of_a_body_is_sent(method: str, body: bytes | None, length: bytes | None) -> None:
    assert sent(HttpRequest(method=method, url=f"{ORIGIN}/", body=body)).get(b"Content-Length") == length


def test_a_header_replaces_a_default_of_the_same_name_in_any_case_and_the_signature_replaces_both() -> None:
    headers: dict[str, str | Secret] = {"ACCEPT": Secret("text/plain"), "x-signature": "old"}
    request = HttpRequest(url=f"{ORIGIN}/", headers=headers, signer=lambda method, path: {"X-Signature": "new"})
    fields = sent(request)
    assert {name: value for name, value in fields.items() if name.lower() in {b"accept", b"x-signature"}} == {
        b"ACCEPT": b"text/plain",
        b"X-Signature": b"new",
    }


@pytest.mark.parametrize("headers", [{"X-Name": "한글"}, {"X-이름": "x"}])
def test_a_header_outside_ascii_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(UnicodeError):
        sent(HttpRequest(url=f"{ORIGIN}/", headers=headers))
