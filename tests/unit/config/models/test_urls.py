from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher.config import receiver_url_problem
from watcher.config.models.urls import account_url_problem, is_loopback

# The machine may be busy, so the time of one example means nothing.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LOOPBACK = ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "[::1]"]
ELSEWHERE = ["aitems.example", "10.0.0.1", "localhost.example", "0.0.0.0", "[::2]", "128.0.0.1"]  # noqa: S104  # no bind


@pytest.mark.parametrize("host", LOOPBACK)
def test_an_account_on_this_machine_may_use_http(host: str) -> None:
    assert account_url_problem(f"http://{host}:8080/api/v1") is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_an_account_elsewhere_needs_https(host: str) -> None:
    problem = account_url_problem(f"http://{host}/api/v1")

    assert problem is not None
    assert "another machine" in problem.problem
    assert account_url_problem(f"https://{host}/api/v1") is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_receiver_may_use_http_anywhere(host: str) -> None:
    assert receiver_url_problem(f"http://{host}/hooks?a=b") is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example/a",
        "https://",
        "https:///a",
        "https://:443/a",
        "https://@hooks.example/a",
        "https://me@hooks.example/a",
        "https://me:evil@hooks.example/a",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://hooks.example/#a",
        "https://hooks.example/a b",
        "https://hooks.example/a\tb",
        "https://hooks.example\n/a",
        "https://hooks.example\\@evil.example/",
        "https://[::1/a",
        "https://쇼핑.example/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://1.2.3.4.5/",
        "https://1.2.3.04/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "unix:///run/x",
    ],
)
def test_an_invalid_url_is_rejected_and_not_shown(url: str) -> None:
    problem = receiver_url_problem(url)

    assert problem is not None
    assert problem.remedy
    assert account_url_problem(url) is not None
    assert "evil" not in " ".join(problem)


def test_a_scheme_in_capitals_is_accepted() -> None:
    assert receiver_url_problem("HTTPS://hooks.example/") is None


@PATIENT
@given(st.text(max_size=30).map("https://".__add__) | st.text(max_size=30))
def test_no_text_makes_the_check_raise(url: str) -> None:
    receiver_url_problem(url)
    account_url_problem(url)


def test_loopback_has_several_addresses() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.255.255.255", "::1"))
    assert not any(is_loopback(host) for host in ("", "127.0.0.1.example", "169.254.169.254", "fe80::1"))
