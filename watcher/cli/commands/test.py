"""``test``: one marked alert to one receiver, and what the other side says to it."""

from __future__ import annotations

import secrets
import sys
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, assert_never

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, VerboseOption, load_config
from watcher.cli.runtime import quiet_logs, run_async, runtime
from watcher.cli.text.output import BAD, GOOD, Screen, cell, screen
from watcher.core.delivery.model import Degrade, Delivered, DeliveryRequest, Outcome, Refused, TryLater, Uncertain
from watcher.core.event import Event, Kind, delivery_id
from watcher.core.training.model import Status, TrainingRef

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.receivers.slack.bot import Access
    from watcher.wiring.runtime import Runtime

END: Final = help_end(
    "aitems-watcher test ml-ops",
    "aitems-watcher test pipeline --json",
    statuses={ExitStatus.OK: "delivered", ExitStatus.FAILED: "not delivered", ExitStatus.CONFIG: ""},
)
SENDER: Final = "TEST from aitems-watcher"
EXPLANATION: Final = "A test by the command aitems-watcher test: no training has changed."

ReceiverArgument = Annotated[str, typer.Argument(metavar="RECEIVER", help="Its name in the configuration.")]


def send_test(
    receiver: ReceiverArgument, config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Send a marked test alert to one receiver.

    Shows what the other side answered. It makes one attempt, beside a running daemon too, and leaves no trace in the
    store.
    """
    with plain_errors():
        settings = load_config(config)
        _require(receiver, settings)
        around = runtime(quiet_logs(verbose=verbose), sys.stderr if as_json else sys.stdout)
        outcome, access = run_async(_try(receiver, settings, around))
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
        raise typer.BadParameter(f"there is no [receiver.{receiver}]; known are {names}", param_hint="RECEIVER")


async def _try(name: str, config: Config, around: Runtime) -> tuple[Outcome, Access | None]:
    from watcher.cli.commands.slack_access import access_of
    from watcher.config import SlackSettings

    outcome = await _send(name, config, around)
    settings = config.receivers[name]
    if not isinstance(settings, SlackSettings):
        return outcome, None
    async with AsyncExitStack() as stack:
        return outcome, await access_of(name, settings, around, stack)


async def _send(name: str, config: Config, around: Runtime) -> Outcome:
    from watcher.app import make_receiver

    event = marked_event(around.clock.utc_now(), secrets.token_hex(8))
    async with AsyncExitStack() as stack:
        receiver = make_receiver(name, config.receivers[name], around, stack)
        body = receiver.seal(event, receiver_seq=1)
        return await receiver.send(
            DeliveryRequest(delivery_id=delivery_id((event.id,), name), events=(event,), body=body)
        )


def marked_event(now: datetime, token: str) -> Event:
    """Return an invented event that says in each of its names that it is a test.

    Args:
        now: UTC.
        token: makes its id a new one, so that no receiver takes it for a repeat.
    """
    ref = TrainingRef("test", "test", "pop", "test")
    return Event(
        id=f"evt_test{token}",
        kind=Kind.SUCCEEDED,
        subject=ref.subject,
        seq=1,
        reason="test",
        account=ref.account,
        service=ref.service,
        training_type=ref.type,
        version=ref.version,
        service_name=SENDER,
        labels={"test": "true"},
        from_status=Status.LEARNING,
        to_status=Status.COMPLETED,
        after=now - timedelta(seconds=30),
        before=now,
        recorded_at=now,
        record={"description": EXPLANATION},
    )


def verdict_text(outcome: Outcome) -> str:
    """Say in words what came of the attempt."""
    match outcome:
        case Delivered():
            return "delivered"
        case TryLater(reason=reason):
            return f"not delivered; the daemon would try again: {reason}"
        case Uncertain(reason=reason):
            return f"not known whether it arrived: {reason}"
        case Degrade(reason=reason):
            return f"not delivered; the daemon would send simpler content: {reason}"
        case Refused(reason=reason):
            return f"refused: {reason}"
        case _:
            assert_never(outcome)


def show_outcome(receiver: str, outcome: Outcome, out: Screen) -> None:
    """Write the outcome and the other side's answer."""
    style = GOOD if isinstance(outcome, Delivered) else BAD
    out.line("receiver ", cell(receiver), ": ", cell(verdict_text(outcome), style))
    if outcome.answer:
        out.line("answer: ", cell(outcome.answer))


def show_access(access: Access, out: Screen) -> None:
    """Write what Slack says of the token."""
    from watcher.cli.commands.slack_access import history_text, scopes_text

    if access.refused is not None:
        out.line("slack: ", cell(access.refused, BAD))
        return
    out.line("token: ", cell(f"{access.identity}, {scopes_text(access)}"))
    out.line("channel: ", cell(history_text(access), GOOD if access.unreadable is None else BAD))


def access_json(access: Access) -> dict[str, object]:
    """Return what Slack says of the token, for programs."""
    return {
        "identity": access.identity,
        "scopes": list(access.scopes),
        "refused": access.refused,
        "history_unreadable": access.unreadable,
        "answer": access.answer,
    }


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """Return the outcome for programs."""
    return {
        "delivered": isinstance(outcome, Delivered),
        "outcome": type(outcome).__name__,
        "reason": None if isinstance(outcome, Delivered) else outcome.reason,
        "answer": outcome.answer,
    }
