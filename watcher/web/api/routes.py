"""The routes of ``/api/v1``; each answers with the same JSON as a command's ``--json``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watcher.core.action import ActionKind
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.core.routing.silence import to_json
from watcher.core.training.model import Phase, ServiceRef
from watcher.operations.errors import OperationRefusedError
from watcher.reading.events import CursorError, OtherEpochError, read_events
from watcher.reading.one_training import read_training_with_problems
from watcher.reading.runs import read_runs
from watcher.reading.services import service_part
from watcher.reading.status import read_status
from watcher.reading.training_list import TrainingsWanted, read_training_list
from watcher.reports.actions import action_json
from watcher.reports.deliveries import delivery_json
from watcher.reports.trainings import Selection
from watcher.store.actions import latest
from watcher.store.delivery.views import NOT_WELL, DeliveryFilter
from watcher.store.errors import StoreError
from watcher.store.export import Key
from watcher.store.views import HistoryFilter, Views
from watcher.web.api.answers import ProblemError, answer, problem
from watcher.web.api.openapi import RUN_CURSOR, document
from watcher.web.api.parameters import Parameters, refused
from watcher.web.api.sources import Sources
from watcher.web.clients import client_of
from watcher.web.encoded_paths import service_in, training_in
from watcher.web.rate import RequestRate
from watcher.web.store_reader import ReadsBusyError

BASE: Final = "/api/v1"
BUSY_SECONDS: Final = 1
Handler: TypeAlias = Callable[[Sources, Request], Awaitable[object]]


def api_routes(sources: Sources) -> list[BaseRoute]:
    """Return the routes of the API."""
    rate = RequestRate()
    handlers: Mapping[str, Handler] = {
        "": _index,
        "/openapi.json": _openapi,
        "/health": _health,
        "/status": _status,
        "/services/{account}/{service}": _service,
        "/trainings": _trainings,
        "/trainings/{account}/{service}/{type}/{version}": _training,
        "/runs": _runs,
        "/events": _events,
        "/deliveries": _deliveries,
        "/silences": _silences,
        "/actions": _actions,
    }
    routes: list[BaseRoute] = [
        Route(f"{BASE}{path}", partial(_answered, sources, rate, handler)) for path, handler in handlers.items()
    ]
    return [*routes, Route("/api/{rest:path}", partial(_answered, sources, rate, _unknown))]


async def _answered(sources: Sources, rate: RequestRate, handler: Handler, request: Request) -> Response:
    try:
        _limit(rate, request, sources.monotonic())
        return answer(request, await handler(sources, request))
    except ProblemError as error:
        return problem(error)
    except OperationRefusedError as error:
        return problem(ProblemError(HTTPStatus.NOT_FOUND, "not-found", str(error)))
    except ReadsBusyError:
        headers = {"Retry-After": str(BUSY_SECONDS)}
        detail = "too many requests wait for the store; ask again later"
        return problem(ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, headers))
    except StoreError as error:
        return problem(ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "store-unreadable", str(error)))


def _limit(rate: RequestRate, request: Request, now: float) -> None:
    wait = rate.wait_seconds(client_of(request), now)
    if wait:
        headers = {"Retry-After": str(int(wait) + 1)}
        detail = "this address asks too often; at most 20 requests a second"
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", detail, headers)


async def _unknown(sources: Sources, request: Request) -> object:
    path, description = request.url.path, f"{sources.base_path}{BASE}/openapi.json"
    raise ProblemError(HTTPStatus.NOT_FOUND, "no-such-path", f"there is no {path}; see {description}")


async def _index(sources: Sources, request: Request) -> object:
    Parameters(request).finish()
    paths = [f"{sources.base_path}{path}" for path in sorted(document()["paths"])]
    return {"openapi": f"{sources.base_path}{BASE}/openapi.json", "paths": paths}


async def _openapi(sources: Sources, request: Request) -> object:
    Parameters(request).finish()
    return document() if not sources.base_path else {**document(), "servers": [{"url": sources.base_path}]}


async def _health(sources: Sources, request: Request) -> object:
    Parameters(request).finish()
    health = await sources.health()
    reasons = [{"reason": reason.code.value, "detail": reason.detail} for reason in health.reasons]
    return {"ready": not reasons, "reasons": reasons}


async def _status(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    selection = Selection(
        failed=given.flag("failed"),
        in_progress=given.flag("in_progress"),
        service=given.text("service"),
        limit=given.limit(),
    )
    given.finish()
    daemon = await sources.health()

    def read(views: Views) -> object:
        now = sources.utc_now()
        config = sources.config()
        return read_status(config, views, views.polls(), daemon, selection, place=sources.place, now=now).as_json()

    return await sources.read(read)


async def _service(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    service = service_in(request)
    selection = Selection(only=service, limit=given.limit())
    given.finish()
    daemon = await sources.health()

    def read(views: Views) -> object:
        now, config = sources.utc_now(), sources.config()
        whole = read_status(config, views, views.polls(service), daemon, selection, place=sources.place, now=now)
        part = service_part(whole, service)
        if not part.polls and not part.trainings:
            raise OperationRefusedError(f"there is no service {service.service} in the account {service.account}")
        return part.as_json()

    return await sources.read(read)


async def _trainings(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    wanted = TrainingsWanted(
        service=_service_of(given),
        status=given.text("status"),
        phase=given.choice("phase", Phase),
        gone=given.flag("gone"),
        after=given.cursor("after"),
        limit=given.limit(),
    )
    given.finish()
    now, config = sources.utc_now(), sources.config()
    return await sources.read(lambda views: read_training_list(config, views, wanted, now).as_json())


def _service_of(given: Parameters) -> ServiceRef | None:
    text = given.text("service")
    if text is None:
        return None
    account, slash, service = text.partition("/")
    if not (account and slash and service) or "/" in service:
        raise refused("service", f"is {text!r}; write account/service")
    return ServiceRef(account, service)


async def _training(sources: Sources, request: Request) -> object:
    Parameters(request).finish()
    ref = training_in(request)
    now, config, daemon = sources.utc_now(), sources.config(), await sources.health()
    return await sources.read(
        lambda views: read_training_with_problems(config, views, daemon, sources.place, ref, now).as_json()
    )


async def _runs(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    since, after, limit = given.since(sources.utc_now()), given.cursor("after"), given.limit()
    given.finish()
    place = None if after is None else _place(after)
    page = await sources.read(lambda views: read_runs(views, since, place, limit))
    return {"runs": page.runs, "next": None if page.last is None else _written(page.last)}


def _written(place: Key) -> str:
    ended, subject, seq = place
    return f"{ended}.{seq}.{subject}"


def _place(text: str) -> Key:
    found = re.fullmatch(RUN_CURSOR, text)
    if found is None:
        raise refused("after", "is no next of an earlier answer")
    return found[1], found[3], int(found[2])


async def _events(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    now = sources.utc_now()
    wanted = HistoryFilter(
        text=given.text("text"),
        kinds=frozenset(kind.value for kind in given.choices("kind", Kind)),
        since=given.since(now),
        limit=given.limit(),
    )
    after = given.cursor("after")
    given.finish()
    try:
        page = await sources.read(lambda views: read_events(views, wanted, after, now))
    except CursorError as error:
        raise refused("after", f"cannot be used: {error}") from None
    except OtherEpochError as error:
        detail = f"{error}; begin again without after, or with since"
        code = "other-store" if error.restored_at is None else "store-restored"
        raise ProblemError(HTTPStatus.GONE, code, detail, restored_from=error.restored_from) from None
    return page.as_json()


async def _deliveries(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    wanted = DeliveryFilter(
        states=given.choices("state", State) or NOT_WELL,
        receiver=given.text("receiver"),
        beginning=given.text("id"),
        limit=given.limit(),
    )
    given.finish()
    found = await sources.read(lambda views: [delivery_json(item) for item in views.deliveries(wanted)])
    return {"deliveries": found}


async def _actions(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    kinds, since, limit = given.choices("action", ActionKind), given.since(sources.utc_now()), given.limit()
    given.finish()
    found = await sources.read(lambda views: latest(views.connection, kinds or ActionKind, limit, since))
    return {"actions": [action_json(item) for item in reversed(found)]}


async def _silences(sources: Sources, request: Request) -> object:
    given = Parameters(request)
    everything = given.flag("all")
    given.finish()
    now = sources.utc_now()
    found = await sources.read(lambda views: views.every_silence() if everything else views.silences(now))
    return {"silences": [to_json(item) for item in found]}
