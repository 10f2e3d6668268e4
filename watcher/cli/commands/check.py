"""``check``: the faults of the configuration, its plan, and with ``--online`` whether it works."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, WideOption, load_config
from watcher.cli.text.output import Screen, say, screen

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.core.health.problems import Problem
    from watcher.reports.online import OnlineCheck
    from watcher.reports.plan import PollPlan

END: Final = help_end(
    "aitems-watcher check --config config.toml",
    "aitems-watcher check --online",
    statuses={
        ExitStatus.OK: "",
        ExitStatus.FAILED: "--online: a call failed, or the daemon sends no alerts at all",
        ExitStatus.CONFIG: (
            "the file is invalid or exceeds requests_per_second, a secret cannot be read, or a proxy is not supported"
        ),
    },
)

OnlineOption = Annotated[
    bool,
    typer.Option(
        "--online", "-o", help="Make one call per account and watch, and connect to each receiver; sends nothing."
    ),
]


def check(
    config: ConfigOption = None, online: OnlineOption = False, wide: WideOption = False, as_json: JsonOption = False
) -> None:
    """Check the configuration, and with --online the connections.

    Prints every fault at once, or the plan: requests, delays, receivers and routes. Without --online it reads no
    secret and makes no call. With it, a running daemon makes the calls, since it has the secrets. With --json it
    prints one object.
    """
    with plain_errors():
        settings = load_config(config)
        plan = _plan(settings)
        out = screen(wide=wide)
        if plan.refusals:
            _refuse(plan, out, as_json=as_json)
        if not as_json:
            _show_plan(plan, out)
        checks = _check_online(settings, out, shown=not as_json) if online else []
        stopped = _stopped(settings) if online else []
        if not as_json:
            _show_stopped(stopped, out)
        _warn_of_library()
        if not online:
            say("no secret was read and no call was made; check --online does both")
    if as_json:
        document = plan.as_json()
        out.json({**document, **_online_part(checks, stopped)} if online else document)
    at_least = ExitStatus.FAILED if stopped else ExitStatus.OK
    raise typer.Exit(max([at_least, *map(_exit_status, checks)]))


def _stopped(config: Config) -> list[Problem]:
    """Return why the running daemon sends no alerts, if so: no call shows that."""
    from watcher.cli.daemon_health import daemon_health
    from watcher.core.health.problems import stops_alerts

    return stops_alerts(daemon_health(config, os.environ))


def _show_stopped(problems: Sequence[Problem], out: Screen) -> None:
    from watcher.cli.text.receiver_check import show_stopped

    show_stopped(problems, out)


def _online_part(checks: Sequence[OnlineCheck], stopped: Sequence[Problem]) -> dict[str, object]:
    from watcher.reports.receiver_check import stopped_json

    return {"online": [_online_json(item) for item in checks], "problems": stopped_json(stopped)}


def _warn_of_library() -> None:
    """Say that this machine's SQLite is too old for the store; the configuration may still be right."""
    from watcher.store.errors import StoreUnusable
    from watcher.store.sqlite.library import check_library

    try:
        check_library()
    except StoreUnusable as error:
        say(f"warning: {error}")


def _refuse(plan: PollPlan, out: Screen, *, as_json: bool) -> NoReturn:
    """End the command: the plan exceeds the budget or a proxy cannot be used, so nothing is tried."""
    for refusal in plan.refusals:
        say(refusal)
    if as_json:
        out.json(plan.as_json())
    raise typer.Exit(ExitStatus.CONFIG)


def _plan(config: Config) -> PollPlan:
    from watcher.cli.commands.proxy_faults import proxy_faults
    from watcher.config.to_core import polls_of
    from watcher.reports.plan import plan_of

    plan = plan_of(config, polls_of(config))
    return replace(plan, refusals=[*plan.refusals, *proxy_faults(config)])


def _show_plan(plan: PollPlan, out: Screen) -> None:
    from watcher.cli.text.plan import show_plan

    show_plan(plan, out)


def _check_online(config: Config, out: Screen, *, shown: bool) -> list[OnlineCheck]:
    from watcher.cli.from_daemon import checks_of_daemon, say_wait
    from watcher.cli.runtime import quiet_logs, run_async, runtime
    from watcher.cli.text.verdicts import show_online_check
    from watcher.reports.online import FirstFailures

    failures = FirstFailures()
    if (answered := checks_of_daemon(config)) is not None:
        for check in answered if shown else ():
            show_online_check(failures.shortened(check), out)
        return answered
    from watcher.wiring.budget_waits import BudgetUse
    from watcher.wiring.online_checks import online_checks

    process = runtime(quiet_logs(verbose=False))

    async def collect() -> list[OnlineCheck]:
        checks = []
        async for online_check in online_checks(config, process, BudgetUse(on_wait=say_wait)):
            checks.append(online_check)
            if shown:
                show_online_check(failures.shortened(online_check), out)
        return checks

    if shown:
        out.line()
    return run_async(collect())


def _exit_status(check: OnlineCheck) -> ExitStatus:
    if check.good:
        return ExitStatus.OK
    return ExitStatus.CONFIG if check.unusable else ExitStatus.FAILED


def _online_json(check: OnlineCheck) -> dict[str, object]:
    return {**check.as_json(), "status": int(_exit_status(check))}
