"""``route``: which route takes an event, why the others do not, and who is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_config
from watcher.cli.text.output import BAD, GOOD, Cell, Screen, Table, cell, screen
from watcher.core.event import Event, Kind

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.core.routing.silence import Silence
    from watcher.reports.route import RecipientReport, RouteAnswer, RouteReport
    from watcher.reports.sample_event import SampleRequest
    from watcher.store.views import EventHistory

END: Final = help_end(
    "aitems-watcher route evt_01jdxq5k",
    "aitems-watcher route --kind failed --service 6wxgu1abcde --type pop --label env=prod",
    "aitems-watcher route --status completed --json | jq '.told[].receiver'",
    statuses={
        ExitStatus.OK: "somebody is told",
        ExitStatus.FAILED: "nobody is told",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: "",
    },
)
SHOWN: Final = 5
"""Events that are named where a beginning is that of several."""

EventArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="EVENT",
        help="The id of an event in the store, or its beginning; without it, one is invented by the options.",
        show_default=False,
    ),
]
KindOption = Annotated[
    Kind | None, typer.Option("--kind", "-k", help="Of which kind it is; else by --status, or failed.")
]
AccountOption = Annotated[str | None, typer.Option("--account", metavar="NAME", help="About which account.")]
ServiceOption = Annotated[str | None, typer.Option("--service", metavar="ID", help="About which service.")]
TypeOption = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="About which type of training.")]
VersionOption = Annotated[str | None, typer.Option("--version", metavar="ID", help="About which training.")]
StatusOption = Annotated[str | None, typer.Option("--status", metavar="WORD", help="Into which status it moved.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="NAME=VALUE", help="A label beside those of the watch; may be repeated."),
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
    label: LabelOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which route takes an event, and who is told.

    Asks each route of the configuration about an event of the store, or about an invented one: a failed training of
    the first watch, changed by the options. With EVENT, it also says which silence would take it now. Sends nothing,
    reads no secret, and without EVENT no store.
    """
    from watcher.reports.sample_event import SampleRequest

    wish = SampleRequest(
        kind=kind,
        account=account,
        service=service,
        type=type_,
        version=version,
        status=status,
        labels=_labels(label or ()),
    )
    if event is not None and wish != SampleRequest():
        raise typer.BadParameter("give either an event of the store, or options to invent one", param_hint="EVENT")
    with plain_errors():
        from watcher.reports.route import report_on

        settings = load_config(config)
        asked = _sample_event(wish, settings) if event is None else _stored(event, settings)
        report = report_on(asked.event, settings, asked.recent, asked.silence)
    if as_json:
        screen().json(_document(asked, report))
    else:
        _show(asked, report, screen())
    raise typer.Exit(ExitStatus.OK if report.recipients else ExitStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The event that is asked about."""

    event: Event
    stored: EventHistory | None = None
    recent: int = 1
    """How many events its subject had in the hour to it."""
    silence: Silence | None = None
    """What would take it now."""


def _sample_event(wish: SampleRequest, config: Config) -> _Asked:
    from watcher.clock import Clock
    from watcher.reports.sample_event import sample_event

    return _Asked(event=sample_event(wish, config, Clock().utc_now()))


def _labels(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if not all(name and value for name, _, value in pairs):
        raise typer.BadParameter("write NAME=VALUE, e.g. env=prod", param_hint="--label")
    return {name: value for name, _, value in pairs}


def _stored(beginning: str, config: Config) -> _Asked:
    """Return the one event whose id begins so."""
    from watcher.cli.store_access import reading
    from watcher.clock import Clock
    from watcher.core.routing.silence import covering

    with reading(config, os.environ) as views:
        found = views.by_id(beginning, SHOWN)
        if len(found) != 1:
            ids = ", ".join(recipients.event.id for recipients in found)
            problem = f"several events begin so: {ids}" if found else "no event in the store begins so; see history"
            raise typer.BadParameter(problem, param_hint="EVENT")
        event, now = found[0].event, Clock().utc_now()
        silence = covering(event, views.silences(now), now)
        return _Asked(event=event, stored=found[0], recent=views.recent(event), silence=silence)


def _show(asked: _Asked, report: RouteReport, out: Screen) -> None:
    out.line(cell(_about(asked.event)))
    if asked.stored is not None:
        from watcher.cli.text.history import route_text

        out.line("was routed by: ", cell(route_text(asked.stored) or "no route yet"))
    out.line()
    out.table(_route_table(report.routes))
    out.line()
    if report.silence is not None:
        from watcher.cli.text.silence import silence_text

        out.line(Cell("nobody is told now", BAD), ": silenced by ", cell(silence_text(report.silence)))
    elif report.recipients:
        out.table(_recipients_table(report.recipients))
    else:
        out.line(Cell("nobody is told", BAD), ": ", cell(report.reason))


def _document(asked: _Asked, report: RouteReport) -> dict[str, object]:
    from watcher.cli.text.history import route_text
    from watcher.core.messages.published import published_event
    from watcher.core.routing.matcher import facts_of

    event, stored = asked.event, asked.stored
    return {
        "invented": stored is None,
        "kind": event.kind.value,
        "facts": facts_of(event),
        "event": None if stored is None else published_event(event),
        "routed_by": None if stored is None else route_text(stored),
        **report.as_json(),
    }


def _about(event: Event) -> str:
    from watcher.core.routing.matcher import facts_of

    facts = ", ".join(f"{key} {value}" for key, value in facts_of(event).items())
    return f"{event.id}: {event.kind}, {facts}" if facts else f"{event.id}: {event.kind}"


def _route_table(answers: Sequence[RouteAnswer]) -> Table:
    rows = [
        (
            Cell(str(answer.route)),
            Cell("yes", GOOD) if answer.takes else Cell("no"),
            cell(answer.why),
            cell(", ".join(answer.to) or "nobody, on purpose"),
        )
        for answer in answers
    ]
    return Table(("ROUTE", "TAKES IT", "WHY", "TO"), rows)


def _recipients_table(recipients: Sequence[RecipientReport]) -> Table:
    rows = [
        (
            cell(recipient_report.receiver),
            cell(recipient_report.kind),
            Cell(f"route {recipient_report.route}"),
            cell(" ".join(recipient_report.mention)),
            cell(recipient_report.group),
        )
        for recipient_report in recipients
    ]
    return Table(("TOLD", "KIND", "BY", "MENTIONS", "WAITS FOR ITS GROUP"), rows)
