"""The paths of the pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watcher.core.delivery.state import State
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.operations.errors import OperationRefusedError
from watcher.reading.one_training import read_training_with_problems
from watcher.reading.overview import ROWS as READ_ROWS
from watcher.reading.overview import read_overview, read_receivers, with_results
from watcher.reading.run_context import read_run_context
from watcher.reading.trails import read_trails
from watcher.reports.overview import Overview
from watcher.reports.runs.context import RunContext
from watcher.reports.trail import Trail
from watcher.reports.training_page import TrainingPage
from watcher.store.delivery.views import DeliveryFilter
from watcher.store.errors import StoreError
from watcher.store.views import Views
from watcher.web.api.answers import tagged
from watcher.web.clients import client_of
from watcher.web.cpu_time import spending
from watcher.web.encoded_paths import name_of, service_in
from watcher.web.html.acting import Actions, RefusedError
from watcher.web.html.badge import badge
from watcher.web.html.deliveries_page import DeliveriesPage, about_delivery, deliveries_values, read_deliveries
from watcher.web.html.fleet.filter import filter_in
from watcher.web.html.fleet.services_page import services_page
from watcher.web.html.freshness import Kept
from watcher.web.html.live import STREAM_TYPE, LiveStreams
from watcher.web.html.overview_page import ShownServices, overview_values, shown_services
from watcher.web.html.plots import service_plot, training_plot
from watcher.web.html.renderer import response
from watcher.web.html.service_page import read_service_page
from watcher.web.html.session import Session
from watcher.web.html.silences_page import preset, silences_page
from watcher.web.html.site import Site
from watcher.web.html.training_page import training_values
from watcher.web.rate import RequestRate
from watcher.web.store_reader import ReadsBusyError

Handler = Callable[[Request], Awaitable[Response]]
STATIC: Final = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
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
        # As the templates are: a newer version may be installed before the daemon is restarted.
        folder = files("watcher.web.html").joinpath("static")
        self._static_files = {name: folder.joinpath(name).read_bytes() for name in STATIC}
        self._actions = Actions(site, self._forget)

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
            "/deliveries/retry-all": self._actions.retry_all,
            "/deliveries/drop": self._actions.drop,
            "/receivers/test": self._actions.test,
        }
        return [
            *(Route(path, partial(self._answered, handler), methods=["GET"]) for path, handler in shown.items()),
            *(Route(path, partial(self._answered, handler), methods=["POST"]) for path, handler in acts.items()),
            Route("/{rest:path}", partial(self._answered, self._unknown), methods=["GET"]),
        ]

    async def _answered(self, handler: Handler, request: Request) -> Response:
        site = self._site
        if wait := self._rate.wait_seconds(client_of(request), site.sources.monotonic()):
            detail = site.renderer.texts("too-often")
            return site.error(request, HTTPStatus.TOO_MANY_REQUESTS, "refused", detail, wait_seconds=wait)
        try:
            return await handler(request)
        except RefusedError as error:
            wait = error.wait_seconds
            return site.error(request, error.status, "refused", error.problem, error.back, wait_seconds=wait)
        except OperationRefusedError as error:
            return site.error(request, HTTPStatus.NOT_FOUND, "not-found", str(error))
        except (StoreError, ReadsBusyError) as error:
            return site.error(request, HTTPStatus.SERVICE_UNAVAILABLE, "unreadable", str(error))

    def _forget(self) -> None:
        self._overviews.clear()
        self._rendered_pages.clear()

    async def _unknown(self, request: Request) -> Response:
        return self._site.error(request, HTTPStatus.NOT_FOUND, "not-found", request.url.path)

    async def _rendered(self, request: Request) -> Response:
        return response(await self._kept(request.url.path, request.query_params, self._site.session(request)))

    async def _live(self, request: Request) -> Response:
        parts = urlsplit(self._site.local_path(request.query_params.get("page", "/")))
        session = self._site.session(request)
        if request.method == "HEAD":
            # A stream without a body would hold the connection, on which the client sends its next request.
            return Response(media_type=STREAM_TYPE)

        async def render() -> str:
            if self._site.session(request) != session:
                # Somebody has signed out, here or in another window, or the session is over.
                raise OperationRefusedError(parts.path)
            return await self._kept(parts.path, QueryParams(parts.query), session)

        return await self._streams.response(render, client_of(request))

    async def _kept(self, path: str, query: QueryParams, session: Session) -> str:
        """Return a page that is a few seconds old at most: rendering one costs as much as reading for it."""
        key = (path, str(query), session)
        return await self._rendered_pages.get(key, lambda: self._html(path, query, session))

    async def _html(self, path: str, query: QueryParams, session: Session) -> str:
        """Return the page at a path.

        Raises:
            OperationRefusedError: there is none.
        """
        live = f"{path}?{query}" if query else path
        match [name_of(part) for part in path.strip("/").split("/")]:
            case [""]:
                return await self._overview(query, session, live)
            case ["service", account, service]:
                return await self._service(ServiceRef(account, service), session, live)
            case ["training", account, service, kind, version]:
                return await self._training(TrainingRef(account, service, kind, version), session, live)
            case ["services"]:
                return await self._services(query, session)
            case ["deliveries"]:
                return await self._deliveries(query, session, live)
            case ["silences"]:
                form, target = preset(query, session.name), query.get("done", "")
                return await silences_page(self._site, session, form, target=target, live=live)
        raise OperationRefusedError(path)

    async def _overview(self, query: QueryParams, session: Session, live: str) -> str:
        wanted = filter_in(query)
        page = await self._overviews.get("overview", self._read_overview)
        with spending():
            listed = shown_services(wanted.shown(page.services))
        page = await self._with_results(page, listed)
        renderer = self._site.renderer
        with spending():
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
        renderer = self._site.renderer
        return renderer.html("service.html", session, now, live=live, **page.values(renderer.texts))

    async def _training(self, ref: TrainingRef, session: Session, live: str) -> str:
        sources, daemon, now = self._site.sources, await self._site.sources.health(), self._now()

        def read(views: Views) -> tuple[TrainingPage, Mapping[str, Trail], RunContext]:
            config = sources.config()
            found = read_training_with_problems(config, views, daemon, sources.place, ref, now)
            return found, read_trails(config, views, found.events), read_run_context(views, found)

        values = training_values(*await sources.read(read), self._site.renderer.texts)
        return self._site.renderer.html("training.html", session, now, live=live, **values)

    async def _deliveries(self, query: QueryParams, session: Session, live: str) -> str:
        sources, now = self._site.sources, self._now()

        def read(views: Views) -> DeliveriesPage:
            # In one read, so that the counts are those of the lists.
            return read_deliveries(views, read_receivers(sources.config(), views), query.get("done", ""), now)

        renderer = self._site.renderer
        values = deliveries_values(await sources.read(read), renderer.texts, can_act=session.can_act)
        return renderer.html("deliveries.html", session, now, live=live, **values)

    async def _drop(self, request: Request) -> Response:
        identity = request.query_params.get("id", "")
        wanted = DeliveryFilter(states=frozenset(State), beginning=identity, limit=2)
        found = await self._site.sources.read(lambda views: views.deliveries(wanted) if identity else [])
        if len(found) != 1:
            raise OperationRefusedError(f"there is no delivery {identity!r}")
        about, receiver = about_delivery(found[0], self._site.renderer.texts), found[0].receiver
        return self._site.page(
            request, "drop.html", self._now(), nav="deliveries", id=found[0].id, about=about, receiver=receiver
        )

    async def _login(self, request: Request) -> Response:
        if not self._site.session(request).can_sign_in:
            raise OperationRefusedError("no token is configured; set token in [web]")
        target = self._site.local_path(request.query_params.get("next", "/"))
        return self._site.page(request, "login.html", self._now(), problem="", next=target, name="")

    async def _badge(self, request: Request) -> Response:
        service = service_in(request)
        page = await self._overviews.get("overview", self._read_overview)
        row = next((row for row in page.services if row.service == service), None)
        if row is None:
            raise OperationRefusedError(f"there is no service {service.service}")
        picture = badge(row, self._site.renderer.texts, is_polled=page.is_polled(service))
        return tagged(request, picture.encode(), "image/svg+xml")

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise OperationRefusedError(request.url.path)
        return tagged(request, self._static_files[name], STATIC[name])

    def _now(self) -> datetime:
        return self._site.sources.utc_now()
