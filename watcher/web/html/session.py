"""Signing in with the token of ``[web]``: a signed cookie, and a value against forged forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from watcher.core.secret import Secret
from watcher.store.ended_sessions import KEPT
from watcher.web.clients import client_of
from watcher.web.guesses import TokenGuesses, TooManyGuessesError

COOKIE: Final = "aitems_session"
NAME_DIGITS: Final = 8
LASTS: Final = timedelta(hours=12)
NAME_MAX: Final = 80
SAME_SITE: Final = "lax"
"""Who follows a link in a message stays signed in; no GET changes anything, and a form needs a value of its page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who asks for a page, as far as that is known."""

    can_sign_in: bool
    """Whether a token is configured."""
    name: str = ""
    """The name that was given at signing in; empty without that."""
    csrf: str = ""
    """The value that a form of this session must have."""
    id: str = ""
    expires_at: datetime | None = None

    @property
    def signed_in(self) -> bool:
        """Whether the request has a valid cookie."""
        return bool(self.csrf)

    @property
    def can_act(self) -> bool:
        """Whether forms that change something are shown and accepted."""
        return self.signed_in


async def _not_stored(_identity: str, _expires_at: datetime, _now: datetime) -> None:
    """Store nothing."""


class SignedOut:
    """The sessions that were ended by signing out: a copy of their cookie must not work, also after a restart.

    Args:
        known: when each of them expires, by its id.
        store: stores another one.
    """

    def __init__(
        self,
        known: Mapping[str, datetime] = MappingProxyType({}),
        store: Callable[[str, datetime, datetime], Awaitable[None]] = _not_stored,
    ) -> None:
        self._expiry = dict(known)
        self._store = store
        # Others of these may have been forgotten.
        self._all_until = min(known.values()) if len(known) >= KEPT else None

    def has(self, identity: str, expires_at: datetime) -> bool:
        """Return whether a session has ended."""
        return identity in self._expiry or (self._all_until is not None and expires_at <= self._all_until)

    async def add(self, identity: str, expires_at: datetime, now: datetime) -> None:
        """End a session."""
        self._expiry = {known: expiry for known, expiry in self._expiry.items() if expiry >= now}
        self._expiry[identity] = expires_at
        if len(self._expiry) > KEPT:
            # Memory is bounded: all that expire so early end with the one that is forgotten.
            self._all_until = self._expiry.pop(min(self._expiry, key=self._expiry.__getitem__))
        await self._store(identity, expires_at, now)


class Sessions:
    """Makes and checks the cookies; they end with the token, so a changed token signs everybody out.

    Args:
        token: returns the token; ``None`` where none is configured.
        guesses: limits the cookies that a client may invent: each is a guess of the token.
        base_path: the path below which the cookie is sent.
        signed_out: the sessions that have ended.
        store: the epoch of the store, which no other watcher has.
    """

    def __init__(
        self,
        token: Callable[[], Secret] | None,
        guesses: TokenGuesses | None = None,
        base_path: str = "",
        *,
        signed_out: SignedOut | None = None,
        store: str = "",
    ) -> None:
        self._token = token
        self._guesses = guesses
        self._cookie_path = base_path or "/"
        self._store = store
        # A browser sends a cookie to every port and, from the root, to every path of a host. The name is not made of
        # the token: one request would then try as many tokens as it has cookies, and none of them would be a guess.
        self.cookie = f"{COOKIE}_{hashlib.sha256(store.encode()).hexdigest()[:NAME_DIGITS]}"
        """The name of the cookie, another one for each watcher."""
        self._signed_out = signed_out or SignedOut()

    def of(self, request: Request, now: datetime) -> Session:
        """Return the session of a request."""
        try:
            return self.checked(request, now)
        except TooManyGuessesError:
            return Session(can_sign_in=True)

    def checked(self, request: Request, now: datetime) -> Session:
        """Return the session of a request.

        Raises:
            TooManyGuessesError: the client has sent too many wrong cookies or tokens.
        """
        if self._token is None:
            return Session(can_sign_in=False)
        text = request.cookies.get(self.cookie, "")
        payload, _, signature = text.rpartition(".")
        # Compared as bytes: the function refuses a text with a character that is not ASCII.
        expected = self._sign("session", payload).encode()
        is_right = bool(payload) and hmac.compare_digest(signature.encode(), expected)
        if text and self._guesses is not None:
            self._guesses.note(client_of(request), text, is_right=is_right)
        if not is_right:
            return Session(can_sign_in=True)
        expires, identity, name = payload.split("~", 2)
        expires_at = datetime.fromtimestamp(int(expires), UTC)
        if expires_at < now or self._signed_out.has(identity, expires_at):
            return Session(can_sign_in=True)
        csrf = self._sign("csrf", payload)
        return Session(can_sign_in=True, name=unquote(name), csrf=csrf, id=identity, expires_at=expires_at)

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token; in constant time."""
        return self._token is not None and hmac.compare_digest(text.encode(), self._token().reveal().encode())

    def start(self, response: Response, request: Request, name: str, now: datetime) -> None:
        """Set the cookie of a new session."""
        payload = f"{int((now + LASTS).timestamp())}~{secrets.token_hex(8)}~{quote(name.strip()[:NAME_MAX], safe='')}"
        response.set_cookie(
            self.cookie,
            f"{payload}.{self._sign('session', payload)}",
            max_age=int(LASTS.total_seconds()),
            path=self._cookie_path,
            httponly=True,
            samesite=SAME_SITE,
            secure=request.url.scheme == "https",
        )

    async def end(self, session: Session, response: Response, now: datetime) -> None:
        """End a session: no copy of its cookie works any more; then remove the cookie."""
        if session.expires_at is not None:
            await self._signed_out.add(session.id, session.expires_at, now)
        response.delete_cookie(self.cookie, path=self._cookie_path, httponly=True, samesite=SAME_SITE)

    def _sign(self, purpose: str, payload: str) -> str:
        key = b"" if self._token is None else self._token().reveal().encode()
        # A backup that is restored has forgotten which sessions have ended since, so all of before end with its epoch.
        return hmac.new(key, f"{purpose}:{self._store}:{payload}".encode(), hashlib.sha256).hexdigest()
