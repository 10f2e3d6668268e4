"""Signing in: a cookie that only this token signs, for a limited time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request
from starlette.responses import Response

from watcher.core.secret import Secret
from watcher.web.guesses import TokenGuesses, TooManyGuessesError
from watcher.web.html.session import LASTS, Sessions, SignedOut

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def request(cookie: str = "") -> Request:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    return Request({"type": "http", "headers": headers, "scheme": "http", "path": "/", "server": ("localhost", 80)})


def cookie_of(sessions: Sessions, name: str = "kim ~.김") -> str:
    response = Response()
    sessions.start(response, request(), name, NOW)
    return response.headers["set-cookie"].partition(";")[0]


def test_a_cookie_signs_in_until_its_time_is_over() -> None:
    sessions = Sessions(lambda: Secret("sesame"))
    cookie = cookie_of(sessions)
    session = sessions.of(request(cookie), NOW + LASTS - timedelta(seconds=1))
    assert (session.signed_in, session.name) == (True, "kim ~.김")
    assert not sessions.of(request(cookie), NOW + LASTS + timedelta(seconds=1)).signed_in


@pytest.mark.parametrize("place", [16, -1])
def test_a_changed_cookie_is_none(place: int) -> None:
    sessions = Sessions(lambda: Secret("sesame"))
    cookie = cookie_of(sessions)
    other = "0" if cookie[place] != "0" else "1"
    changed = cookie[:place] + other + (cookie[place + 1 :] if place != -1 else "")
    assert not sessions.of(request(changed), NOW).signed_in


@pytest.mark.parametrize("text", ["=a.é", '="a.\\351"', "=.", ""])
def test_a_cookie_of_any_text_is_none(text: str) -> None:
    sessions = Sessions(lambda: Secret("sesame"))
    assert not sessions.of(request(f"{sessions.cookie}{text}"), NOW).signed_in


def test_the_watchers_of_one_host_have_a_session_each() -> None:
    first, second = (Sessions(lambda name=name: Secret(name), store=name) for name in ("a", "b"))  # type: ignore[misc]
    both = "; ".join(map(cookie_of, (first, second)))
    assert [sessions.of(request(both), NOW).signed_in for sessions in (first, second)] == [True, True]


def test_a_restored_store_ends_every_session_since_it_does_not_know_which_have_ended() -> None:
    before, after = (Sessions(lambda: Secret("sesame"), store=epoch) for epoch in ("a", "b"))
    cookie = cookie_of(before).replace(before.cookie, after.cookie)
    assert not after.of(request(cookie), NOW).signed_in


def test_another_token_ends_every_session_and_no_token_has_none() -> None:
    cookie = cookie_of(Sessions(lambda: Secret("sesame")))
    assert not Sessions(lambda: Secret("other")).of(request(cookie), NOW).signed_in
    assert not Sessions(None).of(request(cookie), NOW).can_sign_in
    assert not Sessions(None).is_token("")


async def test_a_copy_of_the_cookie_does_not_work_after_signing_out() -> None:
    stored: list[tuple[str, datetime]] = []

    async def store(identity: str, expires_at: datetime, _now: datetime) -> None:
        stored.append((identity, expires_at))

    sessions = Sessions(lambda: Secret("sesame"), signed_out=SignedOut(store=store))
    cookie, other = cookie_of(sessions), cookie_of(sessions)
    await sessions.end(sessions.of(request(cookie), NOW), Response(), NOW)
    assert not sessions.of(request(cookie), NOW).signed_in
    assert sessions.of(request(other), NOW).signed_in
    restarted = Sessions(lambda: Secret("sesame"), signed_out=SignedOut(dict(stored)))
    assert [restarted.of(request(item), NOW).signed_in for item in (cookie, other)] == [False, True]


async def test_so_many_sessions_have_ended_that_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.web.html.session.KEPT", 3)
    known = {str(hour): NOW + timedelta(hours=hour) for hour in range(1, 4)}
    for signed_out in (SignedOut(known), SignedOut()):
        for identity, expires_at in known.items():
            await signed_out.add(identity, expires_at, NOW)
        await signed_out.add("9", NOW + timedelta(hours=9), NOW)
        # The first one is forgotten, so each that expires no later has ended.
        assert signed_out.has("any", NOW + timedelta(hours=1))
        assert not signed_out.has("any", NOW + timedelta(hours=2))
        assert all(signed_out.has(identity, expires_at) for identity, expires_at in known.items())


async def test_an_ended_session_is_forgotten_when_it_has_expired() -> None:
    signed_out = SignedOut()
    await signed_out.add("1", NOW, NOW)
    await signed_out.add("2", NOW + LASTS, NOW + timedelta(seconds=1))
    assert (signed_out.has("1", NOW), signed_out.has("2", NOW + LASTS)) == (False, True)


def test_a_name_of_blanks_is_none() -> None:
    sessions = Sessions(lambda: Secret("sesame"))
    assert sessions.of(request(cookie_of(sessions, "  ")), NOW).name == ""


def test_the_cookie_is_hidden_from_scripts_and_from_other_sites() -> None:
    response = Response()
    Sessions(lambda: Secret("sesame")).start(response, request(), "", NOW)
    flags = response.headers["set-cookie"].lower()
    assert all(flag in flags for flag in ("httponly", "samesite=lax", "path=/"))


@pytest.mark.parametrize("base_path", ["", "/aitems"])
async def test_the_cookie_is_sent_below_the_base_path_alone(base_path: str) -> None:
    sessions, started, ended = Sessions(lambda: Secret("sesame"), base_path=base_path), Response(), Response()
    sessions.start(started, request(), "", NOW)
    await sessions.end(sessions.of(request(), NOW), ended, NOW)
    for response in (started, ended):
        assert f"; path={base_path or '/'};" in f"{response.headers['set-cookie'].lower()};"


def test_each_wrong_cookie_is_a_guess_of_the_token() -> None:
    sessions = Sessions(lambda: Secret("sesame"), TokenGuesses(lambda: 1000.0))
    cookie = cookie_of(sessions)
    for number in range(5):
        assert not sessions.checked(request(f"{sessions.cookie}=1~a~b.{number}"), NOW).signed_in
    for _ in range(9):
        # A browser sends its old cookie again and again.
        assert not sessions.checked(request(f"{sessions.cookie}=1~a~b.0"), NOW).signed_in
    with pytest.raises(TooManyGuessesError):
        sessions.checked(request(cookie), NOW)
    assert not sessions.of(request(cookie), NOW).signed_in
    assert not sessions.checked(request(), NOW).signed_in
