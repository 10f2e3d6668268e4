"""The plots of the pages: those of ``plot``, in a wide and a narrow form."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypedDict

from starlette.requests import Request
from starlette.responses import Response

from watcher.drawing.captions import Captions
from watcher.drawing.svg import STYLE_SOURCE
from watcher.operations.errors import OperationRefusedError
from watcher.reading.pictures import service_picture, title_of, training_picture
from watcher.store.runs.queries import Period
from watcher.store.views import Views
from watcher.web.api.answers import tagged
from watcher.web.encoded_paths import service_in, training_in
from watcher.web.html.site import Site

PLOTTED: Final = timedelta(days=90)
PLOT_POLICY: Final = f"default-src 'none'; style-src {STYLE_SOURCE}; frame-ancestors 'none'"


async def service_plot(site: Site, request: Request) -> Response:
    """Return the durations of a service."""
    service, now = service_in(request), site.sources.utc_now()
    form, kind = _form(site, request), request.query_params.get("type")
    period, config = Period(since=now - PLOTTED, before=now), site.sources.config()

    def draw(views: Views) -> str | None:
        title = title_of(config, views, service)
        title = title if kind is None else f"{title} {kind}"
        return service_picture(views, service, title, period, None, training_type=kind, **form)

    picture = await site.sources.read(draw)
    if picture is None:
        raise OperationRefusedError(f"no run of {service.service} has ended within {PLOTTED.days} days")
    return _plot(request, picture)


async def training_plot(site: Site, request: Request) -> Response:
    """Return the stages of the latest runs of a training."""
    ref, now, config = training_in(request), site.sources.utc_now(), site.sources.config()
    form, texts = _form(site, request), site.renderer.texts

    def minute(time: datetime) -> str:
        local = time.astimezone()
        return f"{texts.words.day(None, local.month, local.day)} {local:%H:%M}"

    def draw(views: Views) -> str:
        title = title_of(config, views, ref.service_ref)
        return training_picture(views, ref, title, now, minute, **form)

    return _plot(request, await site.sources.read(draw))


class _Form(TypedDict):
    narrow: bool
    captions: Captions


def _form(site: Site, request: Request) -> _Form:
    texts = site.renderer.texts

    def captions(key: str, /, **values: object) -> str:
        # The picture escapes its texts itself.
        return texts(key, **values).unescape()

    return {"narrow": "narrow" in request.query_params, "captions": captions}


def _plot(request: Request, picture: str) -> Response:
    """Return a plot, with the policy that permits its own style alone."""
    answer = tagged(request, picture.encode(), "image/svg+xml")
    answer.headers["Content-Security-Policy"] = PLOT_POLICY
    return answer
