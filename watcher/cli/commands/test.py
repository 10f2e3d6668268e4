"""``test``: one marked alert to one receiver, and the receiver's answer."""

from __future__ import annotations

import secrets
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, VerboseOption, load_config
from watcher.cli.runtime import quiet_logs, run_async, runtime
from watcher.cli.text.output import screen
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome
from watcher.core.event import delivery_id

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.receivers.slack.bot import Access
    from watcher.wiring.runtime import Runtime

END: Final = help_end(
    "aitems-watcher test ml-ops",
    "aitems-watcher test pipeline --json",
    statuses={ExitStatus.OK: "delivered", ExitStatus.FAILED: "not delivered", ExitStatus.CONFIG: ""},
)

ReceiverArgument = Annotated[str, typer.Argument(metavar="RECEIVER", help="The name of a receiver.")]


def send_test(
    receiver: ReceiverArgument, config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Send a marked test alert to one receiver.

    Makes one attempt and shows the receiver's answer. It works beside a running daemon and writes nothing to the
    store.
    """
    from watcher.cli.text.receiver_check import show_access, show_outcome
    from watcher.reports.receiver_check import access_json, outcome_json

    with plain_errors():
        settings = load_config(config)
        _require(receiver, settings)
        process = runtime(quiet_logs(verbose=verbose), sys.stderr if as_json else sys.stdout)
        outcome, access = run_async(_try(receiver, settings, process))
    out = screen()
    if as_json:
        out.json({"receiver": receiver, **outcome_json(outcome), **({"slack": access_json(access)} if access else {})})
    else:
        show_outcome(receiver, outcome, out)
        if access is not None:
            show_access(access, out)
    raise typer.Exit(ExitStatus.OK if isinstance(outcome, Delivered) else ExitStatus.FAILED)


def _require(receiver: str, config: Config) -> None:
    if receiver not in config.receivers:
        names = ", ".join(sorted(config.receivers))
        raise typer.BadParameter(f"there is no [receiver.{receiver}]; there are: {names}", param_hint="RECEIVER")


async def _try(name: str, config: Config, process: Runtime) -> tuple[Outcome, Access | None]:
    from watcher.cli.commands.slack_access import access_of
    from watcher.config import SlackSettings

    outcome = await _send(name, config, process)
    settings = config.receivers[name]
    if not isinstance(settings, SlackSettings):
        return outcome, None
    async with AsyncExitStack() as stack:
        return outcome, await access_of(name, settings, process, stack)


async def _send(name: str, config: Config, process: Runtime) -> Outcome:
    from watcher.app import make_receiver
    from watcher.reports.receiver_check import marked_event

    event = marked_event(process.clock.utc_now(), secrets.token_hex(8))
    async with AsyncExitStack() as stack:
        receiver = make_receiver(name, config.receivers[name], process, stack)
        body = receiver.seal(event, receiver_seq=1)
        return await receiver.send(
            DeliveryRequest(delivery_id=delivery_id((event.id,), name), events=(event,), body=body)
        )
