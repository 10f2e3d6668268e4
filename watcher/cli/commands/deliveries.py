"""``deliveries``: list, show, retry and drop deliveries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import INVALID_CONFIG, READING, ExitStatus, help_end, plain_errors
from watcher.cli.options import (
    ConfigOption,
    HelpOption,
    JsonOption,
    WideOption,
    load_for_store,
    operator_name,
    present_times,
)
from watcher.cli.store_access import change, reading
from watcher.cli.text.output import screen
from watcher.core.delivery.state import State

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.store.delivery.views import DeliveryView
    from watcher.store.sqlite.database import Database

RETRY_ALL: Final = "aitems-watcher deliveries retry --all-dead --receiver ml-ops"
LIST_END: Final = help_end(
    "aitems-watcher deliveries list",
    "aitems-watcher deliveries list --state dead,held --receiver ml-ops",
    "aitems-watcher deliveries list --state delivered --json | jq -r .id",
    statuses={ExitStatus.OK: "", **READING},
)
SHOW_END: Final = help_end(
    "aitems-watcher deliveries show msg_01jdxq5k",
    statuses={
        ExitStatus.OK: "",
        ExitStatus.FAILED: "there is no such delivery",
        **READING,
    },
)
RETRY_END: Final = help_end(
    "aitems-watcher deliveries retry msg_01jdxq5k",
    RETRY_ALL,
    statuses={
        ExitStatus.OK: "the deliveries are due again",
        ExitStatus.FAILED: "a delivery does not exist or cannot be sent again; nothing was changed",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: INVALID_CONFIG,
    },
)
DROP_END: Final = help_end(
    "aitems-watcher deliveries drop msg_01jdxq5k --by mina",
    statuses={
        ExitStatus.OK: "the deliveries are dropped",
        ExitStatus.FAILED: "a delivery does not exist or has ended; nothing was changed",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: INVALID_CONFIG,
    },
)
END: Final = help_end(
    "aitems-watcher deliveries list --state dead",
    RETRY_ALL,
    statuses={ExitStatus.OK: "", ExitStatus.FAILED: "", ExitStatus.STORE: "", ExitStatus.CONFIG: INVALID_CONFIG},
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A delivery's id, or its beginning.")]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID...", help="Ids of deliveries, or their beginnings.", show_default=False),
]
StateOption = Annotated[
    str | None,
    typer.Option(
        "--state",
        "-s",
        metavar="STATE,...",
        help=f"Only these states ({', '.join(State)}); by default pending, sending, uncertain, held and dead.",
    ),
]
ReceiverOption = Annotated[
    str | None, typer.Option("--receiver", "-r", metavar="NAME", help="Only deliveries to this receiver.")
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="The number of latest deliveries.")]
AllDeadOption = Annotated[bool, typer.Option("--all-dead", help="Every dead letter, instead of ids.")]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="The operator; by default the current user.")
]

group: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@group.callback(epilog=END, add_help_option=False)
def deliveries(wants_help: HelpOption = False) -> None:
    """List, show, retry or drop deliveries, including dead letters."""


@group.command("list", epilog=LIST_END)
def list_deliveries(  # noqa: PLR0913 - one parameter an option
    *,
    state: StateOption = None,
    receiver: ReceiverOption = None,
    limit: LimitOption = 50,
    wide: WideOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, the latest last.

    By default it lists pending, sending, uncertain, held and dead deliveries. Reads the store beside a running daemon
    and needs no secret. With --json it prints one object per line.
    """
    states = _states(state)
    with plain_errors():
        from watcher.store.delivery.views import NOT_WELL, DeliveryFilter

        wanted = DeliveryFilter(states=states or NOT_WELL, receiver=receiver, limit=limit)
        settings = load_for_store(config)
        with reading(settings, os.environ) as views:
            delivery_views = views.deliveries(wanted)
    several = len(settings.accounts) > 1
    _print_list(delivery_views, wide=wide, as_json=as_json, several_accounts=several)


def _states(text: str | None) -> frozenset[State]:
    names = [] if text is None else [name.strip() for name in text.split(",")]
    try:
        return frozenset(State(name) for name in names)
    except ValueError:
        raise typer.BadParameter(f"{text!r}; states are {', '.join(State)}", param_hint="--state") from None


def _print_list(delivery_views: list[DeliveryView], *, wide: bool, as_json: bool, several_accounts: bool) -> None:
    from watcher.cli.text.deliveries import delivery_table
    from watcher.reports.deliveries import delivery_json

    out = screen(wide=wide)
    if as_json:
        for delivery in delivery_views:
            out.json(delivery_json(delivery), indent=None)
    elif delivery_views:
        out.table(delivery_table(delivery_views, present_times(wide=wide), several_accounts=several_accounts))
    else:
        out.line("no deliveries")


@group.command("show", epilog=SHOW_END)
def show_delivery(identity: IdArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one delivery: its events, its state and the receiver's last answer."""
    with plain_errors():
        from watcher.store.delivery.views import DeliveryFilter

        wanted = DeliveryFilter(states=frozenset(State), beginning=identity, limit=2)
        with reading(load_for_store(config), os.environ) as views:
            delivery = _single(views.deliveries(wanted), identity)
            silence = views.silence(delivery.reason.detail) if delivery.state is State.SILENCED else None
    from watcher.cli.text.deliveries import print_delivery
    from watcher.reports.deliveries import delivery_json

    out = screen()
    if as_json:
        out.json(delivery_json(delivery))
    else:
        print_delivery(delivery, present_times(), out, silence)


def _single(delivery_views: list[DeliveryView], beginning: str) -> DeliveryView:
    from watcher.control.protocol import ControlError

    if not delivery_views:
        raise ControlError(f"there is no delivery {beginning!r}; see aitems-watcher deliveries list")
    if len(delivery_views) > 1:
        raise ControlError(f"several deliveries begin with {beginning!r}; write more of the id")
    return delivery_views[0]


@group.command("retry", epilog=RETRY_END)
def retry(  # noqa: PLR0913 - one parameter an option
    ids: IdsArgument = None,
    *,
    all_dead: AllDeadOption = False,
    receiver: ReceiverOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead, held or pending deliveries again.

    The daemon sends them at once: a dead or held one out of order, a pending one after the earlier ones that it
    waits for. A message that may have arrived before is marked as a possible repeat. A running daemon is asked over
    its control socket; without one, the next start sends them. The store records the operator.
    """
    if bool(ids) == all_dead:
        raise typer.BadParameter("write ids, or --all-dead", param_hint="ID")
    if receiver is not None and not all_dead:
        raise typer.BadParameter("needs --all-dead", param_hint="--receiver")
    wanted = {"ids": ids or [], "all_dead": all_dead, "receiver": receiver, "by": operator_name(by)}
    _change("deliveries.retry", wanted, config, as_json=as_json)


@group.command("drop", epilog=DROP_END)
def drop(
    ids: IdsArgument = None, by: ByOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """End deliveries without sending them.

    This cannot be undone. The store records the operator.
    """
    if not ids:
        raise typer.BadParameter("write at least one id", param_hint="ID")
    _change("deliveries.drop", {"ids": ids, "by": operator_name(by)}, config, as_json=as_json)


def _change(command: str, arguments: Mapping[str, object], config: ConfigOption, *, as_json: bool) -> None:
    with plain_errors():
        settings = load_for_store(config)
        alone = partial(_alone, command, arguments, frozenset(settings.receivers))
        answer = change(settings, command, arguments, alone)
    from watcher.cli.text.deliveries import show_changes

    out = screen()
    if as_json:
        out.json(answer)
    else:
        show_changes(answer, out)


async def _alone(
    command: str, arguments: Mapping[str, object], receivers: frozenset[str], database: Database, clock: Clock
) -> Mapping[str, object]:
    from watcher.operations.deliveries import (
        RETRY,
        DropRequest,
        RetryRequest,
        changes_json,
        drop_deliveries,
        retry_deliveries,
    )
    from watcher.store.delivery.operator_actions import OperatorActions

    actions, now = OperatorActions(database, receivers), clock.utc_now()
    if command == RETRY:
        return changes_json(await retry_deliveries(actions, RetryRequest.from_json(arguments), now))
    return changes_json(await drop_deliveries(actions, DropRequest.from_json(arguments), now))
