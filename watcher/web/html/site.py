"""Everything that a page needs: where it reads, who may act, and how it is rendered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from watcher.web.api.sources import Sources
from watcher.web.html.local_path import local_path
from watcher.web.html.renderer import Renderer, response
from watcher.web.html.session import Session, Sessions

Act = Callable[[str, Mapping[str, object]], Awaitable[Mapping[str, object]]]
"""Runs an operation by its command on the control socket, as a command line would ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The parts that the pages share."""

    sources: Sources
    sessions: Sessions
    renderer: Renderer
    act: Act

    def session(self, request: Request) -> Session:
        """Return who asks."""
        return self.sessions.of(request, self.sources.utc_now())

    def local_path(self, text: str) -> str:
        """Return a path of this site, without the base path; any other text becomes the overview."""
        return local_path(text, self.sources.base_path)

    def redirect(self, path: str) -> Response:
        """Send the browser to another page of this site."""
        return RedirectResponse(f"{self.sources.base_path}{path}", HTTPStatus.SEE_OTHER)

    def page(
        self,
        request: Request,
        template: str,
        now: datetime,
        status: HTTPStatus = HTTPStatus.OK,
        *,
        wait_seconds: float = 0.0,
        **values: object,
    ) -> Response:
        """Return a rendered page as a response; ``wait_seconds`` is the time before the next request."""
        return response(self.renderer.html(template, self.session(request), now, **values), status, wait_seconds)

    def error(  # noqa: PLR0913 - the parts of a page
        self,
        request: Request,
        status: HTTPStatus,
        headline: str,
        detail: str = "",
        back: str = "/",
        *,
        wait_seconds: float = 0.0,
    ) -> Response:
        """Return a page about an error, with a link back."""
        values: dict[str, object] = {"headline": self.renderer.texts(headline), "detail": detail, "back": back}
        # The address of a form that was sent is no page.
        values["reloads"] = request.method != "POST"
        now = self.sources.utc_now()
        return self.page(request, "error.html", now, status, wait_seconds=wait_seconds, **values)
