"""One call of the heartbeat's address, through the HTTP seam."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from watcher.core.secret import Secret
from watcher.http import Answered, HttpClient, HttpRequest

OK: Final = range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)
REDIRECTS: Final = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)


class Pinger:
    """Calls an address that is asked for at each call, since it may be a secret in a file."""

    def __init__(self, http: HttpClient, url: Callable[[], Secret]) -> None:
        self._http = http
        self._url = url

    async def ping(self) -> str | None:
        """Call once; return what went wrong, without the address, or ``None``."""
        result = await self._http.call(HttpRequest(url=self._url()))
        if not isinstance(result, Answered):
            return result.detail
        if result.status in REDIRECTS:
            return f"HTTP {result.status}: a redirect is not followed"
        return None if result.status in OK else f"HTTP {result.status}"
