"""``route``: the route of an event, and its receivers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, WideOption, load_config, present_times
from watcher.cli.text.output import screen
from watcher.core.event import Event, Kind

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.core.routing.silence import Silence
    from watcher.reports.route import RouteReport
    from watcher.reports.sample_event import SampleRequest
    from watcher.store.views import EventHistory

END: Final = help_end(
    "aitems-watcher route evt_01jdxq5k",
    "aitems-watcher route --kind failed --service 6wxgu1abcde --type pop --label env=prod",
    "aitems-watcher route --status learningFailed --from learning",
    "aitems-watcher route --status completed --json | jq '.recipients[].receiver'",
    statuses={
        ExitStatus.OK: "a receiver is notified",
        ExitStatus.FAILED: "no receiver is notified",
        **READING,
    },
)
MAX_MATCHES: Final = 5
"""The most ids in the message about an ambiguous beginning."""

EventArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="EVENT",
        help="The id of a stored event, or its beginning; without it, the options describe an invented event.",
        show_default=False,
    ),
]
KindOption = Annotated[
    Kind | None, typer.Option("--kind", "-k", help="The kind; by default that of --status, or failed.")
]
AccountOption = Annotated[str | None, typer.Option("--account", metavar="NAME", help="The account.")]
ServiceOption = Annotated[str | None, typer.Option("--service", metavar="ID", help="The service.")]
TypeOption = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="The type of the training.")]
VersionOption = Annotated[str | None, typer.Option("--version", metavar="ID", help="The version of the training.")]
StatusOption = Annotated[str | None, typer.Option("--status", metavar="STATUS", help="The new status of the training.")]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="STATUS", help="The status of the training before; by default none.")
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="NAME=VALUE", help="A label besides those of the watch; may be repeated."),
]


def route(  # noqa: PLR0913 - one parameter an option
    event: EventArgument = None,
    *,
    kind: KindOption = None,
    account: AccountOption = None,
    service: ServiceOption = None,
    type_: TypeOption = None,
    version: VersionOption = None,
    status: StatusOption = None,
    from_: FromOption = None,
    label: LabelOption = None,
    wide: WideOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the route of an event and its receivers.

    Tries each route on a stored event, or on an invented one: a failed training of the first watch, changed by the
    options. For a stored event it also names the silence that covers it now. Sends nothing, reads no secret, and
    reads the store only for a stored event.
    """
    from watcher.reports.sample_event import SampleRequest

    request = SampleRequest(
        kind=kind,
        account=account,
        service=service,
        type=type_,
        version=version,
        status=status,
        from_status=from_,
        labels=_labels(label or ()),
    )
    _require_one_source(event, invented=request != SampleRequest())
    with plain_errors():
        from watcher.reports.route import report_on

        settings = load_config(config)
        subject = _invented(request, settings) if event is None else _stored(event, settings)
        report = report_on(subject.event, settings, subject.recent, subject.silence)
    _show(subject, report, wide=wide, as_json=as_json)
    raise typer.Exit(ExitStatus.OK if report.recipients else ExitStatus.FAILED)


def _require_one_source(event: str | None, *, invented: bool) -> None:
    if event is not None and invented:
        raise typer.BadParameter(
            "give either the id of a stored event, or options for an invented one", param_hint="EVENT"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _RoutedEvent:
    """The event to route, with the facts that routing needs."""

    event: Event
    stored: EventHistory | None = None
    recent: int = 1
    """The number of events of its subject within the hour before it, itself included."""
    silence: Silence | None = None
    """The silence that covers it now."""


def _show(subject: _RoutedEvent, report: RouteReport, *, wide: bool, as_json: bool) -> None:
    if as_json:
        screen().json(_document(subject, report))
        return
    from watcher.cli.text.route import show_route

    show_route(subject.event, subject.stored, report, present_times(wide=wide), screen(wide=wide))


def _invented(request: SampleRequest, config: Config) -> _RoutedEvent:
    from watcher.clock import Clock
    from watcher.reports.sample_event import sample_event

    return _RoutedEvent(event=sample_event(request, config, Clock().utc_now()))


def _labels(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if not all(name and value for name, _, value in pairs):
        raise typer.BadParameter("write NAME=VALUE, e.g. env=prod", param_hint="--label")
    return {name: value for name, _, value in pairs}


def _stored(beginning: str, config: Config) -> _RoutedEvent:
    """Return the only event whose id has this beginning."""
    from watcher.cli.store_access import reading
    from watcher.clock import Clock
    from watcher.core.routing.silence import covering

    with reading(config, os.environ) as views:
        found = views.by_id(beginning, MAX_MATCHES)
        if len(found) != 1:
            ids = ", ".join(item.event.id for item in found)
            problem = (
                f"several events have this beginning: {ids}" if found else "no such event in the store; see history"
            )
            raise typer.BadParameter(problem, param_hint="EVENT")
        event, now = found[0].event, Clock().utc_now()
        silence = covering(event, views.silences(now), now)
        return _RoutedEvent(event=event, stored=found[0], recent=views.recent(event), silence=silence)


def _document(subject: _RoutedEvent, report: RouteReport) -> dict[str, object]:
    from watcher.core.messages.published import published_event
    from watcher.core.routing.matcher import facts_of
    from watcher.reports.history import route_text

    event, stored = subject.event, subject.stored
    return {
        "invented": stored is None,
        "kind": event.kind.value,
        "facts": facts_of(event),
        "event": None if stored is None else published_event(event),
        "routed_by": None if stored is None else route_text(stored),
        **report.as_json(),
    }
