"""The paths of the pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Final
from urllib.parse import unquote, urlsplit

from markupsafe import Markup
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watcher.core.delivery.state import State
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.operations.errors import OperationRefusedError
from watcher.reading.one_training import read_training_with_problems
from watcher.reading.overview import ROWS as READ_ROWS
from watcher.reading.overview import read_overview, with_results
from watcher.reading.trails import read_trails
from watcher.reports.deliveries import shown_reason
from watcher.reports.overview import Overview
from watcher.reports.trail import Trail
from watcher.reports.training_page import TrainingPage
from watcher.store.delivery.views import DeliveryFilter, DeliveryView
from watcher.store.errors import StoreError
from watcher.store.views import Views
from watcher.web.api.answers import tagged
from watcher.web.encoded_paths import service_in
from watcher.web.html.acting import Actions, RefusedError, local_path
from watcher.web.html.badge import badge
from watcher.web.html.fleet.filter import FILTER_MAX, filter_in
from watcher.web.html.fleet.services_page import services_page
from watcher.web.html.freshness import Kept
from watcher.web.html.live import LiveStreams
from watcher.web.html.overview_page import (
    ShownServices,
    overview_values,
    shown_services,
    silence_text,
)
from watcher.web.html.plots import service_plot, training_plot
from watcher.web.html.renderer import response
from watcher.web.html.service_page import read_service_page
from watcher.web.html.session import Session
from watcher.web.html.site import Site
from watcher.web.html.texts import Texts
from watcher.web.html.training_page import training_values
from watcher.web.rate import RequestRate
from watcher.web.store_reader import ReadsBusyError

Handler = Callable[[Request], Awaitable[Response]]
STATIC: Final = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
DELIVERED: Final = 20
OPEN: Final = 100
ENDED_SILENCES: Final = 20
PER_SECOND: Final = 300.0
"""Requests of one client: a page with its parts is five, and one that was made within a second is not made again."""
BURST: Final = 600.0


class PageRoutes:
    """The pages of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._overviews = Kept[Overview](site.sources.monotonic)
        self._rendered_pages = Kept[str](site.sources.monotonic)
        self._rate = RequestRate(PER_SECOND, BURST)
        self._streams = LiveStreams()
        self._actions = Actions(site)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the pages, their pictures and their forms."""
        shown: dict[str, Handler] = {
            "/": self._rendered,
            "/service/{account}/{service}": self._rendered,
            "/training/{account}/{service}/{type}/{version}": self._rendered,
            "/services": self._rendered,
            "/deliveries": self._rendered,
            "/silences": self._rendered,
            "/deliveries/drop": self._drop,
            "/login": self._login,
            "/live": self._live,
            "/badge/{account}/{service}.svg": self._badge,
            "/plot/{account}/{service}.svg": partial(service_plot, self._site),
            "/plot/{account}/{service}/{type}/{version}.svg": partial(training_plot, self._site),
            "/static/{name}": self._static,
        }
        acts: dict[str, Handler] = {
            "/login": self._actions.login,
            "/signout": self._actions.logout,
            "/silences": self._actions.add_silence,
            "/silences/end": self._actions.end_silence,
            "/deliveries/retry": self._actions.retry,
            "/deliveries/drop": self._actions.drop,
        }
        return [
            *(Route(path, partial(self._answered, handler), methods=["GET"]) for path, handler in shown.items()),
            *(Route(path, partial(self._acted, handler), methods=["POST"]) for path, handler in acts.items()),
            Route("/{rest:path}", partial(self._answered, self._unknown), methods=["GET"]),
        ]

    async def _answered(self, handler: Handler, request: Request) -> Response:
        site = self._site
        client = "" if request.client is None else request.client.host
        if self._rate.wait_seconds(client, site.sources.monotonic()):
            detail = site.renderer.texts("too-often")
            return site.error(request, HTTPStatus.TOO_MANY_REQUESTS, "refused", detail)
        try:
            return await handler(request)
        except RefusedError as error:
            return site.error(request, error.status, "refused", str(error))
        except OperationRefusedError as error:
            return site.error(request, HTTPStatus.NOT_FOUND, "not-found", str(error))
        except (StoreError, ReadsBusyError) as error:
            return site.error(request, HTTPStatus.SERVICE_UNAVAILABLE, "unreadable", str(error))

    async def _acted(self, handler: Handler, request: Request) -> Response:
        answer = await self._answered(handler, request)
        self._overviews.clear()
        self._rendered_pages.clear()
        return answer

    async def _unknown(self, request: Request) -> Response:
        return self._site.error(request, HTTPStatus.NOT_FOUND, "not-found", request.url.path)

    async def _rendered(self, request: Request) -> Response:
        return response(await self._kept(request.url.path, request.query_params, self._site.session(request)))

    async def _live(self, request: Request) -> Response:
        parts = urlsplit(local_path(request.query_params.get("page", "/")))
        session = self._site.session(request)
        return await self._streams.response(partial(self._kept, parts.path, QueryParams(parts.query), session))

    async def _kept(self, path: str, query: QueryParams, session: Session) -> str:
        """Return a page that is at most three seconds old: rendering one costs as much as reading for it."""
        key = (path, str(query), session)
        return await self._rendered_pages.get(key, lambda: self._html(path, query, session))

    async def _html(self, path: str, query: QueryParams, session: Session) -> str:
        """Return the page at a path.

        Raises:
            OperationRefusedError: there is none.
        """
        live = f"{path}?{query}" if query else path
        match [unquote(part) for part in path.strip("/").split("/")]:
            case [""]:
                return await self._overview(query, session, live)
            case ["service", account, service]:
                return await self._service(ServiceRef(account, service), session, live)
            case ["training", account, service, kind, version]:
                return await self._training(TrainingRef(account, service, kind, version), session, live)
            case ["services"]:
                return await self._services(query, session)
            case ["deliveries"]:
                return await self._deliveries(session, live)
            case ["silences"]:
                return await self._silences(query, session, live)
        raise OperationRefusedError(path)

    async def _overview(self, query: QueryParams, session: Session, live: str) -> str:
        wanted = filter_in(query)
        page = await self._overviews.get("overview", self._read_overview)
        rows = [row for row in page.services if wanted.takes(row)]
        page = await self._with_results(page, shown_services(rows))
        renderer = self._site.renderer
        values = overview_values(page, wanted, renderer.texts)
        return renderer.html("overview.html", session, page.at, live=live, **values)

    async def _with_results(self, page: Overview, shown: ShownServices) -> Overview:
        """Return the overview with the results of the services that a filter brings forward."""
        lacking = {row.service for row in page.services[READ_ROWS:]}
        rows = [row for row in (*shown.rows, *shown.rest) if row.service in lacking]
        if not rows:
            return page
        found = {row.service: row for row in await self._site.sources.read(lambda views: with_results(views, rows))}
        return replace(page, services=[found.get(row.service, row) for row in page.services])

    async def _services(self, query: QueryParams, session: Session) -> str:
        # Without a stream: the ages of so many rows would make it a whole page every few seconds.
        wanted = filter_in(query)
        page = await self._overviews.get("overview", self._read_overview)
        listed = services_page(page, wanted, query.get("page", ""))
        rows = await self._site.sources.read(lambda views: with_results(views, listed.rows))
        values = listed.values(page, wanted, rows)
        return self._site.renderer.html("services.html", session, page.at, **values)

    async def _read_overview(self) -> Overview:
        sources, daemon = self._site.sources, await self._site.sources.health()

        def read(views: Views) -> Overview:
            return read_overview(sources.config(), views, daemon, sources.place, sources.utc_now())

        return await sources.read(read)

    async def _service(self, service: ServiceRef, session: Session, live: str) -> str:
        sources, daemon, now = self._site.sources, await self._site.sources.health(), self._now()
        page = await sources.read(
            lambda views: read_service_page(sources.config(), views, daemon, sources.place, service, now)
        )
        return self._site.renderer.html("service.html", session, now, live=live, **page.values())

    async def _training(self, ref: TrainingRef, session: Session, live: str) -> str:
        sources, daemon, now = self._site.sources, await self._site.sources.health(), self._now()

        def read(views: Views) -> tuple[TrainingPage, Mapping[str, Trail]]:
            config = sources.config()
            found = read_training_with_problems(config, views, daemon, sources.place, ref, now)
            return found, read_trails(config, views, found.events)

        page, trails = await sources.read(read)
        values = training_values(page, trails, self._site.renderer.texts)
        return self._site.renderer.html("training.html", session, now, live=live, **values)

    async def _deliveries(self, session: Session, live: str) -> str:
        site, texts, daemon = self._site, self._site.renderer.texts, await self._site.sources.health()
        delivered = DeliveryFilter(states=frozenset({State.DELIVERED}), limit=DELIVERED)
        sources = site.sources

        def read(views: Views) -> tuple[Overview, list[DeliveryView], list[DeliveryView]]:
            # In one read, so that the counts are those of the lists.
            found = read_overview(sources.config(), views, daemon, sources.place, sources.utc_now())
            return found, views.deliveries(DeliveryFilter(limit=OPEN)), views.deliveries(delivered)

        page, waiting, done = await sources.read(read)
        count = sum(item.waiting + item.dead for item in page.receivers)
        headline = texts("deliveries-open", n=count) if count else texts("deliveries-fine")
        return site.renderer.html(
            "deliveries.html",
            session,
            self._now(),
            nav="deliveries",
            live=live,
            headline=headline,
            icon=("warn", "warn") if count else ("ok", "ok"),
            undelivered=count,
            receivers=page.receivers,
            lists=[
                (texts("open-deliveries"), waiting, session.can_act),
                (texts("delivered-list"), done, False),
            ],
            about=lambda item: _about(item, texts),
            shown_reason=lambda item: reason_text(shown_reason(item), texts.words),
            reason=lambda reason: reason_text(reason, texts.words),
        )

    async def _silences(self, query: QueryParams, session: Session, live: str) -> str:
        site, texts, now = self._site, self._site.renderer.texts, self._now()
        found = await site.sources.read(lambda views: views.every_silence())
        active = [item for item in found if item.active(now)]
        ended = [item for item in found if not item.active(now)][-ENDED_SILENCES:]
        form = {"match": query.get("match", "")[:FILTER_MAX], "length": "", "reason": "", "author": session.name}
        return site.renderer.html(
            "silences.html",
            session,
            now,
            nav="silences",
            live=live,
            problem="",
            silenced=len(active),
            lists=[(texts("active-silences"), active, True), (texts("ended-silences"), ended[::-1], False)],
            silence_text=silence_text,
            form=form,
        )

    async def _drop(self, request: Request) -> Response:
        identity = request.query_params.get("id", "")
        wanted = DeliveryFilter(states=frozenset(State), beginning=identity, limit=2)
        found = await self._site.sources.read(lambda views: views.deliveries(wanted) if identity else [])
        if len(found) != 1:
            raise OperationRefusedError(f"there is no delivery {identity!r}")
        about, receiver = _about(found[0], self._site.renderer.texts), found[0].receiver
        return self._site.page(
            request, "drop.html", self._now(), nav="deliveries", id=found[0].id, about=about, receiver=receiver
        )

    async def _login(self, request: Request) -> Response:
        if not self._site.session(request).can_sign_in:
            raise OperationRefusedError("no token is configured; set token in [web]")
        target = local_path(request.query_params.get("next", "/"))
        return self._site.page(request, "login.html", self._now(), problem="", next=target)

    async def _badge(self, request: Request) -> Response:
        service = service_in(request)
        page = await self._overviews.get("overview", self._read_overview)
        row = next((row for row in page.services if row.service == service), None)
        if row is None:
            raise OperationRefusedError(f"there is no service {service.service}")
        return tagged(request, badge(row, self._site.renderer.texts).encode(), "image/svg+xml")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise OperationRefusedError(request.url.path)
        body = files("watcher.web.html").joinpath("static", name).read_bytes()
        return tagged(request, body, STATIC[name])

    def _now(self) -> datetime:
        return self._site.sources.utc_now()


def _about(delivery: DeliveryView, texts: Texts) -> Markup:
    """Name the first event of a delivery, and the number of others."""
    if not delivery.events:
        return Markup("")
    first = plain_text(compose(delivery.events[0], texts.style).title)
    more = len(delivery.events) - 1
    return texts("and-more", first=first, n=more) if more else Markup("{}").format(first)
