"""The forms that change something: sign in and out, add or end a silence, retry or drop a delivery."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from watcher.config.models.matchers import MatcherError, matcher, silenced
from watcher.control.protocol import ControlError
from watcher.core.duration import parse_duration
from watcher.core.routing.matcher import patterns_of
from watcher.operations.deliveries import DROP, RETRY
from watcher.operations.silences import ADD, END
from watcher.web.clients import client_of
from watcher.web.guesses import GUESSES_AT_ONCE, GUESSES_PER_SECOND
from watcher.web.html.session import Session
from watcher.web.html.site import Site
from watcher.web.rate import RequestRate

log = structlog.get_logger()

BODY_MAX: Final = 16_384
FIELDS_MAX: Final = 20
FOREIGN: Final = (
    "another site has sent this form; where it was this one, let the proxy pass Host or X-Forwarded-Host, "
    "and name it in [web] trusted_proxies"
)


class RefusedError(Exception):
    """A form that is not accepted; the text says why."""

    def __init__(self, status: HTTPStatus, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Actions:
    """Handles the forms of the pages."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._logins = RequestRate(GUESSES_PER_SECOND, GUESSES_AT_ONCE)

    async def login(self, request: Request) -> Response:
        """Sign in with the token, or show the form again."""
        site, now = self._site, self._site.sources.utc_now()
        form = await form_of(request)
        target = site.local_path(form.get("next", ""))
        client = client_of(request)
        wait = self._logins.wait_seconds(client, site.sources.monotonic())
        if wait or not site.sessions.is_token(form.get("token", "")):
            log.warning("web.sign_in_refused", client=client, too_often=bool(wait))
            status = HTTPStatus.TOO_MANY_REQUESTS if wait else HTTPStatus.FORBIDDEN
            problem = site.renderer.texts("wrong-token")
            return site.page(request, "login.html", now, status, problem=problem, next=target)
        # Only wrong tokens count: many people may sign in from the address of one proxy.
        self._logins.give_back(client)
        answer = site.redirect(target)
        site.sessions.start(answer, request, form.get("name", ""), now)
        log.info("web.signed_in", client=client)
        return answer

    async def logout(self, request: Request) -> Response:
        """Sign out."""
        session = self._session(request, await form_of(request))
        answer = self._site.redirect("/")
        await self._site.sessions.end(session, answer, self._site.sources.utc_now())
        return answer

    async def add_silence(self, request: Request) -> Response:
        """Add a silence.

        Raises:
            RefusedError: a field cannot be used.
        """
        form = await form_of(request)
        self._session(request, form)
        config = self._site.sources.config()
        ids = {watch.name: watch.service for watch in config.watches if watch.name}
        author, reason = form.get("author", "").strip(), form.get("reason", "").strip()
        try:
            match = silenced(matcher(form.get("match", "").split(), config.accounts, ids))
            seconds = parse_duration(form.get("length", "").strip()).total_seconds()
        except (MatcherError, ValueError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
        if not author or not reason:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "a silence needs a reason and your name")
        await self._act(ADD, {"match": patterns_of(match), "seconds": seconds, "why": reason, "by": author})
        return self._site.redirect("/silences")

    async def end_silence(self, request: Request) -> Response:
        """End a silence."""
        form = await form_of(request)
        session = self._session(request, form)
        await self._act(END, {"id": form.get("id", ""), "by": author_of(session)})
        return self._site.redirect("/silences")

    async def retry(self, request: Request) -> Response:
        """Send a delivery again."""
        form = await form_of(request)
        self._session(request, form)
        await self._act(RETRY, {"ids": [form.get("id", "")]})
        return self._site.redirect("/deliveries")

    async def drop(self, request: Request) -> Response:
        """Drop a delivery."""
        form = await form_of(request)
        session = self._session(request, form)
        await self._act(DROP, {"ids": [form.get("id", "")], "by": author_of(session)})
        return self._site.redirect("/deliveries")

    async def _act(self, command: str, arguments: Mapping[str, object]) -> None:
        try:
            await self._site.act(command, arguments)
        except ControlError as error:
            raise RefusedError(HTTPStatus.CONFLICT, str(error)) from error

    def _session(self, request: Request, form: Mapping[str, str]) -> Session:
        """Return the session of a form that its own page has sent.

        Raises:
            RefusedError: nobody is signed in, or another page has sent the form.
        """
        session = self._site.session(request)
        if not session.signed_in:
            raise RefusedError(HTTPStatus.FORBIDDEN, "sign in first: the session is over, or was never there")
        if not hmac.compare_digest(form.get("csrf", "").encode(), session.csrf.encode()):
            raise RefusedError(HTTPStatus.FORBIDDEN, "this form is not of this session; reload its page")
        return session


def author_of(session: Session) -> str:
    """Return the name that the history shows for an act of a session."""
    return session.name or "web"


async def form_of(request: Request) -> dict[str, str]:
    """Read the fields of a form.

    Raises:
        RefusedError: it is too long, is no form, or comes from another site.
    """
    require_same_origin(request)
    if request.headers.get("Content-Type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the form as application/x-www-form-urlencoded")
    try:
        text = (await _body_of(request)).decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"))
    except ValueError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "this is no form") from error


async def _body_of(request: Request) -> bytes:
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > BODY_MAX:
                raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too long")
    except ClientDisconnect as error:
        # Nobody reads this answer; but it is no fault of ours, with a traceback in the log.
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the form has not come to its end") from error
    return body


def require_same_origin(request: Request) -> None:
    """Refuse a form that another site has sent, as far as the browser says so.

    Raises:
        RefusedError: it has.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    is_ours = origin is None or origin in {
        f"{scheme}://{host}" for scheme in ("http", "https") for host in _hosts(request)
    }
    if site not in {"same-origin", "none"} or not is_ours:
        raise RefusedError(HTTPStatus.FORBIDDEN, FOREIGN)


def _hosts(request: Request) -> set[str]:
    """Return the names under which a browser may know this site; only a trusted proxy's header is left here."""
    forwarded = ",".join(request.headers.getlist("X-Forwarded-Host")).split(",")
    return {request.headers.get("Host", ""), *(name.strip() for name in forwarded)} - {""}
