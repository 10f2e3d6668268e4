"""``silence``: add, list and end silences."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import INVALID_CONFIG, READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import (
    ConfigOption,
    HelpOption,
    JsonOption,
    WideOption,
    duration,
    load_for_store,
    operator_name,
    present_times,
)
from watcher.cli.store_access import change, reading
from watcher.cli.text.output import cell, say, screen

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.config import Config
    from watcher.core.routing.matcher import Matcher
    from watcher.core.training.model import ServiceRef
    from watcher.store.sqlite.database import Database

ADD_EXAMPLE: Final = 'aitems-watcher silence add service=6wxgu1abcde type=pop --for 4h --why "moving the data"'
CHANGED: Final = {
    ExitStatus.OK: "",
    ExitStatus.FAILED: "the request was refused; nothing was changed",
    ExitStatus.STORE: "",
    ExitStatus.CONFIG: INVALID_CONFIG,
}
ADD_END: Final = help_end(
    ADD_EXAMPLE,
    "aitems-watcher silence add kind=succeeded,restarted labels.env=dev --for 3d --why backfill --by mina",
    statuses=CHANGED,
)
LIST_END: Final = help_end(
    "aitems-watcher silence list",
    "aitems-watcher silence list --all --json | jq -r .why",
    statuses={ExitStatus.OK: "", **READING},
)
END_END: Final = help_end("aitems-watcher silence end sil_3f9c2a", statuses=CHANGED)
END: Final = help_end(
    ADD_EXAMPLE,
    "aitems-watcher silence list",
    statuses={ExitStatus.OK: "", ExitStatus.FAILED: "", ExitStatus.STORE: "", ExitStatus.CONFIG: INVALID_CONFIG},
)

MatcherArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MATCHER...",
        help="KEY=VALUE,... with the keys of a route's match (kind, account, service, type, version, status, "
        "from, labels.NAME); all must match. Values may be patterns with * and ?.",
        show_default=False,
    ),
]
ForOption = Annotated[str | None, typer.Option("--for", metavar="DURATION", help="The length, e.g. 4h; required.")]
WhyOption = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason; required.")]
ByOption = Annotated[str | None, typer.Option("--by", metavar="NAME", help="The author; by default the current user.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A silence's id, or its beginning.")]
AllOption = Annotated[bool, typer.Option("--all", "-a", help="Also list silences that are over.")]

group: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@group.callback(epilog=END, add_help_option=False)
def silence(wants_help: HelpOption = False) -> None:
    """Add, list or end silences.

    A silence stops the messages about matching events for a limited time.
    """


@group.command("add", epilog=ADD_END)
def add(  # noqa: PLR0913 - one parameter an option
    matchers: MatcherArgument = None,
    *,
    for_: ForOption = None,
    why: WhyOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send no message about matching events, from now until the silence ends.

    Matching events are recorded as silenced and are not sent later. Without a matcher for kind, all kinds match.
    Problems of the store and of receivers are never silenced. Works beside a running daemon and without one.
    """
    lasts, reason, author = _lasts(for_), _reason(why), operator_name(by)
    with plain_errors():
        from watcher.core.routing.matcher import patterns_of

        settings = load_for_store(config)
        known, is_complete = _known(settings)
        match = _match(matchers or (), settings, known)
        arguments = {"match": patterns_of(match), "seconds": lasts.total_seconds(), "why": reason, "by": author}
        added = change(settings, "silence.add", arguments, partial(_add, arguments))
    from watcher.cli.text.silence import show_added
    from watcher.reading.services import names_unwatched

    if is_complete and names_unwatched(match, known):
        say("warning: no watched service has this id; aitems-watcher status lists the services")
    if as_json:
        screen().json(added)
    else:
        show_added(added, present_times(), screen())


@group.command("list", epilog=LIST_END)
def list_silences(
    all_: AllOption = False, wide: WideOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the active silences, the oldest first.

    Reads the store beside a running daemon and needs no secret. With --json it prints one object per line.
    """
    with plain_errors():
        from watcher.core.routing.silence import to_json

        times = present_times(wide=wide)
        with reading(load_for_store(config), os.environ) as views:
            silences = views.every_silence() if all_ else views.silences(times.now)
    from watcher.cli.text.silence import silence_table

    out = screen(wide=wide)
    if as_json:
        for item in silences:
            out.json(to_json(item), indent=None)
    elif silences:
        out.table(silence_table(silences, times))
    else:
        out.line("no silences")


@group.command("end", epilog=END_END)
def end(identity: IdArgument, by: ByOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End a silence early; events that it silenced are not sent later."""
    arguments = {"id": identity, "by": operator_name(by)}
    with plain_errors():
        ended = change(load_for_store(config), "silence.end", arguments, partial(_end, arguments))
    if as_json:
        screen().json(ended)
    else:
        screen().line(cell(f"{ended['id']} has ended: matching events are sent again"))


def _lasts(text: str | None) -> timedelta:
    from watcher.core.routing.silence import LONGEST, is_allowed_length

    if text is None:
        raise typer.BadParameter("a silence needs an end; write e.g. --for 4h", param_hint="--for")
    lasts = duration(text, "--for")
    if not is_allowed_length(lasts):
        problem = f"{text} is too {'long' if lasts else 'short'}; write more than 0s and at most {LONGEST.days}d"
        raise typer.BadParameter(problem, param_hint="--for")
    return lasts


def _reason(text: str | None) -> str:
    if not (text or "").strip():
        raise typer.BadParameter('a silence needs a reason; write e.g. --why "moving the data"', param_hint="--why")
    return str(text).strip()


def _match(texts: Sequence[str], settings: Config, known: Mapping[ServiceRef, set[str]]) -> Matcher:
    from watcher.config.models.matchers import MatcherError, matcher, silenced
    from watcher.reading.services import ids_by_name

    if not texts:
        problem = "name the events to silence, e.g. service=6wxgu1abcde; write kind=* for all of them"
        raise typer.BadParameter(problem, param_hint="MATCHER")
    try:
        return silenced(matcher(texts, settings.accounts, ids_by_name(known)))
    except MatcherError as error:
        raise typer.BadParameter(str(error), param_hint="MATCHER") from None


def _known(settings: Config) -> tuple[Mapping[ServiceRef, set[str]], bool]:
    """Return the watched services with their names, and whether these are all: patterns find some in the store."""
    from watcher.reading.services import known_names
    from watcher.store.errors import StoreUnusable

    try:
        with reading(settings, os.environ) as views:
            return known_names(settings, views.polls()), True
    except StoreUnusable:
        return known_names(settings, {}), False


async def _add(arguments: Mapping[str, object], database: Database, clock: Clock) -> Mapping[str, object]:
    from watcher.core.routing.silence import to_json
    from watcher.operations.silences import NewSilence, add_silence
    from watcher.store.silences import Silences

    return to_json(await add_silence(Silences(database), NewSilence.from_json(arguments), clock.utc_now()))


async def _end(arguments: Mapping[str, object], database: Database, clock: Clock) -> Mapping[str, object]:
    from watcher.core.routing.silence import to_json
    from watcher.operations.silences import SilenceEnd, end_silence
    from watcher.store.silences import Silences

    return to_json(await end_silence(Silences(database), SilenceEnd.from_json(arguments), clock.utc_now()))
