"""Signing in with the token of ``[web]``: a signed cookie, and a value against forged forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from watcher.core.secret import Secret
from watcher.web.clients import client_of
from watcher.web.guesses import TokenGuesses, TooManyGuessesError

COOKIE: Final = "aitems_session"
LASTS: Final = timedelta(hours=12)
NAME_MAX: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who asks for a page, as far as that is known."""

    can_sign_in: bool
    """Whether a token is configured."""
    name: str = ""
    """The name that was given at signing in; empty without that."""
    csrf: str = ""
    """The value that a form of this session must have."""

    @property
    def signed_in(self) -> bool:
        """Whether the request has a valid cookie."""
        return bool(self.csrf)

    @property
    def can_act(self) -> bool:
        """Whether forms that change something are shown and accepted."""
        return self.signed_in


class Sessions:
    """Makes and checks the cookies; they end with the token, so a changed token signs everybody out.

    Args:
        token: returns the token; ``None`` where none is configured.
        guesses: limits the cookies that a client may invent: each is a guess of the token.
        base_path: the path below which the cookie is sent.
    """

    def __init__(
        self, token: Callable[[], Secret] | None, guesses: TokenGuesses | None = None, base_path: str = ""
    ) -> None:
        self._token = token
        self._guesses = guesses
        self._cookie_path = base_path or "/"

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
        text = request.cookies.get(COOKIE, "")
        payload, _, signature = text.rpartition(".")
        # Compared as bytes: the function refuses a text with a character that is not ASCII.
        expected = self._sign("session", payload).encode()
        is_right = bool(payload) and hmac.compare_digest(signature.encode(), expected)
        if text and self._guesses is not None:
            self._guesses.note(client_of(request), text, is_right=is_right)
        if not is_right:
            return Session(can_sign_in=True)
        expires, _nonce, name = payload.split("~", 2)
        if not expires.isdigit() or int(expires) < now.timestamp():
            return Session(can_sign_in=True)
        return Session(can_sign_in=True, name=unquote(name), csrf=self._sign("csrf", payload))

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token; in constant time."""
        return self._token is not None and hmac.compare_digest(text.encode(), self._token().reveal().encode())

    def start(self, response: Response, request: Request, name: str, now: datetime) -> None:
        """Set the cookie of a new session."""
        payload = f"{int((now + LASTS).timestamp())}~{secrets.token_hex(8)}~{quote(name[:NAME_MAX], safe='')}"
        response.set_cookie(
            COOKIE,
            f"{payload}.{self._sign('session', payload)}",
            max_age=int(LASTS.total_seconds()),
            path=self._cookie_path,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    def end(self, response: Response) -> None:
        """Remove the cookie."""
        response.delete_cookie(COOKIE, path=self._cookie_path, httponly=True, samesite="strict")

    def _sign(self, purpose: str, payload: str) -> str:
        key = b"" if self._token is None else self._token().reveal().encode()
        return hmac.new(key, f"{purpose}:{payload}".encode(), hashlib.sha256).hexdigest()
