"""``test``: one marked alert to one receiver, and the receiver's answer."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, VerboseOption, load_config
from watcher.cli.runtime import quiet_logs, run_async, runtime
from watcher.cli.text.output import say, screen
from watcher.core.delivery.model import Delivered, Outcome

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.receivers.slack.access import Access

END: Final = help_end(
    "aitems-watcher test ml-ops",
    "aitems-watcher test pipeline --json",
    statuses={
        ExitStatus.OK: "delivered",
        ExitStatus.FAILED: "not delivered, or the daemon sends no alerts at all",
        ExitStatus.CONFIG: "",
    },
)

ReceiverArgument = Annotated[str, typer.Argument(metavar="RECEIVER", help="The name of a receiver.")]


def send_test(
    receiver: ReceiverArgument, config: ConfigOption = None, as_json: JsonOption = False, verbose: VerboseOption = False
) -> None:
    """Send a marked test alert to one receiver.

    Makes one attempt and shows the receiver's answer. A running daemon makes the attempt, since it has the secrets,
    and records who asked. Without a daemon, nothing is written to the store. The attempt goes around the store and the
    routes, so the command also asks the daemon whether alerts get as far as a receiver.
    """
    from watcher.cli.daemon_health import daemon_health
    from watcher.cli.text.receiver_check import show_access, show_outcome, show_stopped
    from watcher.core.health.problems import stops_alerts
    from watcher.reports.receiver_check import access_json, outcome_json, stopped_json

    with plain_errors():
        settings = load_config(config)
        _require(receiver, settings)
        outcome, access = _try(receiver, settings, verbose=verbose, as_json=as_json)
        stopped = stops_alerts(daemon_health(settings, os.environ))
    out = screen()
    if as_json:
        slack = {"slack": access_json(access)} if access else {}
        out.json({"receiver": receiver, **outcome_json(outcome), **slack, "problems": stopped_json(stopped)})
    else:
        show_stopped(stopped, out)
        show_outcome(receiver, outcome, out)
        if access is not None:
            show_access(access, out)
    works = isinstance(outcome, Delivered) and not stopped
    raise typer.Exit(ExitStatus.OK if works else ExitStatus.FAILED)


def _require(receiver: str, config: Config) -> None:
    if receiver not in config.receivers:
        names = ", ".join(sorted(config.receivers))
        raise typer.BadParameter(f"there is no [receiver.{receiver}]; there are: {names}", param_hint="RECEIVER")


def _try(name: str, config: Config, *, verbose: bool, as_json: bool) -> tuple[Outcome, Access | None]:
    """Try inside the daemon, which has the secrets, or here."""
    from watcher.cli.from_daemon import tried_by_daemon

    tried = tried_by_daemon(config, name)
    if tried is not None:
        if verbose:
            say("the log lines of this attempt are in the log of the daemon: journalctl -u aitems-watcher -n 50")
        return tried
    from watcher.wiring.alert_test import try_receiver

    process = runtime(quiet_logs(verbose=verbose), sys.stderr if as_json else sys.stdout)
    return run_async(try_receiver(name, config, process))
