"""One call of the heartbeat URL."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpRequest, NotSent

OK: Final = range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)
REDIRECTS: Final = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)


class Pinger:
    """Calls the heartbeat URL; the URL may be a secret, so it is read at each call."""

    def __init__(self, http: HttpClient, url: Callable[[], Secret]) -> None:
        self._http = http
        self._url = url

    async def ping(self) -> str | None:
        """Call the URL once; return the failure without the URL, or ``None``."""
        result = await self._http.call(HttpRequest(url=self._url()))
        # The status says enough, also where the body was cut.
        if isinstance(result, NotSent) or result.status is None:
            return result.detail
        if result.status in REDIRECTS:
            return f"HTTP {result.status}: a redirect is not followed"
        return None if result.status in OK else f"HTTP {result.status}"
