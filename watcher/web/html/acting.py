"""The forms that change something: sign in and out, silences, retry or drop of a delivery, test of a receiver."""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlencode

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from watcher.control.protocol import ControlError
from watcher.operations.deliveries import DROP, RETRY
from watcher.operations.receiver_test import SEND_TEST
from watcher.operations.silences import ADD, END
from watcher.reading.services import ids_by_name, known_names
from watcher.web.clients import client_of
from watcher.web.guesses import GUESSES_AT_ONCE, GUESSES_PER_SECOND
from watcher.web.html.deliveries_page import RETRIED_AT_ONCE
from watcher.web.html.renderer import response
from watcher.web.html.session import NAME_MAX, Session
from watcher.web.html.silences_page import SilenceForm, as_typed, silence_of, silences_page
from watcher.web.html.site import Site
from watcher.web.rate import RequestRate

log = structlog.get_logger()

BODY_MAX: Final = 16_384
FIELDS_MAX: Final = 20
FOREIGN: Final = (
    "another site has sent this form; where it was this one, let the proxy pass Host or X-Forwarded-Host, "
    "and name it in [web] trusted_proxies"
)
TEST_SECONDS: Final = 10.0
"""The time between two tests of one receiver: each is a message that people read."""


class RefusedError(Exception):
    """A form that is not accepted.

    Args:
        status: the status of the answer.
        problem: says why.
        back: the page that has the form.
        wait_seconds: the time after which it may be sent again; zero where time does not help.
    """

    def __init__(self, status: HTTPStatus, problem: str, back: str = "/", wait_seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.wait_seconds = wait_seconds
        self.problem = problem
        self.status = status
        self.back = back


class Actions:
    """Handles the forms of the pages.

    Args:
        site: the parts that the pages share.
        on_change: called when something has changed, so that no page of before is shown.
    """

    def __init__(self, site: Site, on_change: Callable[[], None]) -> None:
        self._site = site
        self._on_change = on_change
        self._logins = RequestRate(GUESSES_PER_SECOND, GUESSES_AT_ONCE)
        self._tests = RequestRate(1 / TEST_SECONDS, 1.0)

    async def login(self, request: Request) -> Response:
        """Sign in with the token, or show the form again."""
        site, now = self._site, self._site.sources.utc_now()
        form = await form_of(request)
        target = site.local_path(form.get("next", ""))
        client = client_of(request)
        wait = self._logins.wait_seconds(client, site.sources.monotonic())
        if wait or not site.sessions.is_token(form.get("token", "")):
            if not wait:
                # One that has to wait is not logged: a client could fill the log with its attempts.
                log.warning("web.sign_in_refused", client=client)
            status = HTTPStatus.TOO_MANY_REQUESTS if wait else HTTPStatus.FORBIDDEN
            texts = site.renderer.texts
            problem = texts("wrong-too-often", n=math.ceil(wait)) if wait else texts("wrong-token")
            name = form.get("name", "")[:NAME_MAX]
            shown = {"problem": problem, "next": target, "name": name}
            return site.page(request, "login.html", now, status, wait_seconds=wait, **shown)
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
        """Add a silence, or show the form again with the problem of each field."""
        form = await form_of(request)
        session = self._session(request, form)
        site = self._site
        config = site.sources.config()
        ids = await site.sources.read(lambda views: ids_by_name(known_names(config, views.polls())))
        found = silence_of(form, config, ids, site.renderer.texts)
        if isinstance(found, SilenceForm):
            return response(await silences_page(site, session, found), HTTPStatus.BAD_REQUEST)
        try:
            added = await self._act(ADD, found, "/silences")
        except RefusedError as error:
            page = await silences_page(site, session, as_typed(form, refused=error.problem))
            return response(page, error.status)
        return self._done("/silences", str(added.get("id", "")))

    async def end_silence(self, request: Request) -> Response:
        """End a silence."""
        form = await form_of(request)
        session = self._session(request, form)
        ended = await self._act(END, {"id": form.get("id", ""), "by": author_of(session)}, "/silences")
        return self._done("/silences", str(ended.get("id", "")))

    async def retry(self, request: Request) -> Response:
        """Send a delivery again."""
        return await self._change_delivery(request, RETRY)

    async def retry_all(self, request: Request) -> Response:
        """Send the dead letters of a receiver again, the oldest first; many take several requests."""
        form = await form_of(request)
        session = self._session(request, form)
        arguments = {"all_dead": True, "receiver": form.get("receiver", ""), "limit": RETRIED_AT_ONCE}
        answer = await self._act(RETRY, {**arguments, "by": author_of(session)}, "/deliveries")
        changes = answer.get("deliveries")
        # The page finds the others by the time of this one: all of them are changed at once.
        first = changes[0] if isinstance(changes, list) and changes else {}
        return self._done("/deliveries", str(first.get("id", "")))

    async def drop(self, request: Request) -> Response:
        """Drop a delivery."""
        return await self._change_delivery(request, DROP)

    async def _change_delivery(self, request: Request, command: str) -> Response:
        form = await form_of(request)
        session = self._session(request, form)
        identity = form.get("id", "")
        await self._act(command, {"ids": [identity], "by": author_of(session)}, "/deliveries")
        return self._done("/deliveries", identity)

    async def test(self, request: Request) -> Response:
        """Send a test to a receiver."""
        form = await form_of(request)
        session = self._session(request, form)
        receiver, sources = form.get("receiver", ""), self._site.sources
        # Others are refused, and must not fill the memory.
        is_known = receiver in sources.config().receivers
        if is_known and (wait := self._tests.wait_seconds(receiver, sources.monotonic())):
            problem = self._site.renderer.texts("test-too-often", receiver=receiver, n=math.ceil(wait))
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, problem, "/deliveries", wait)
        # The page does not show what Slack says about a token, and that would take another call.
        arguments = {"receiver": receiver, "by": author_of(session), "access": False}
        answer = await self._act(SEND_TEST, arguments, "/deliveries")
        if answer.get("recorded") is False:
            texts = self._site.renderer.texts
            problem = texts("test-not-recorded", outcome=answer.get("reason") or texts("test-accepted"))
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, problem, "/deliveries")
        return self._done("/deliveries", receiver)

    async def _act(self, command: str, arguments: Mapping[str, object], back: str) -> Mapping[str, object]:
        try:
            answer = await self._site.act(command, arguments)
        except ControlError as error:
            raise RefusedError(HTTPStatus.CONFLICT, str(error), back) from error
        self._on_change()
        return answer

    def _done(self, page: str, target: str) -> Response:
        """Lead back to a page, which says what was done to the target; loading it again does nothing again."""
        return self._site.redirect(f"{page}?{urlencode({'done': target})}")

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
