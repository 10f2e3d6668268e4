"""``check``: every fault of the configuration, what it comes to, and with ``--online`` whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_config
from watcher.cli.text.output import BAD, GOOD, WARN, Cell, Screen, Table, cell, say, screen, width
from watcher.core.event import DEFAULT_KINDS

if TYPE_CHECKING:
    from watcher.cli.commands.online import OnlineCheck
    from watcher.config import Config
    from watcher.reports.plan import AccountPlan, PollPlan, ReceiverPlan, RoutePlan, WatchPlan

END: Final = help_end(
    "aitems-watcher check --config config.toml",
    "aitems-watcher check --online",
    statuses={
        ExitStatus.OK: "",
        ExitStatus.FAILED: "--online: a call failed",
        ExitStatus.CONFIG: "it is faulty, asks for more than requests_per_second allows, or a secret cannot be had",
    },
)

ABOUT_WIDTH: Final = 32
"""Columns for what was tried, before what came of it."""

OnlineOption = Annotated[
    bool,
    typer.Option(
        "--online", "-o", help="Make one call per account and watch, and try the way to each receiver; sends nothing."
    ),
]


def check(config: ConfigOption = None, online: OnlineOption = False, as_json: JsonOption = False) -> None:
    """Check the configuration; with --online, everything.

    Prints every fault at once, or what the configuration comes to. Without --online no secret is read and nothing is
    called. With --json it prints one object.
    """
    with plain_errors():
        settings = load_config(config)
        plan = _plan(settings)
        out = screen()
        if plan.refusals:
            _refuse(plan, out, as_json=as_json)
        if not as_json:
            show_plan(plan, out)
        found = _try_online(settings, out, shown=not as_json) if online else []
        if not online:
            say("no secret was read and nothing was called: check --online does both")
    if as_json:
        document = plan.as_json()
        out.json({**document, "online": [item.as_json() for item in found]} if online else document)
    raise typer.Exit(max((item.status for item in found), default=ExitStatus.OK))


def _refuse(plan: PollPlan, out: Screen, *, as_json: bool) -> NoReturn:
    """End the command: what is asked for cannot be kept, so nothing is tried."""
    for refusal in plan.refusals:
        say(refusal)
    if as_json:
        out.json(plan.as_json())
    raise typer.Exit(ExitStatus.CONFIG)


def _plan(config: Config) -> PollPlan:
    from watcher.config.to_core import polls_of
    from watcher.reports.plan import plan_of

    return plan_of(config, polls_of(config))


def _try_online(config: Config, out: Screen, *, shown: bool) -> list[OnlineCheck]:
    from watcher.cli.commands.online import online_checks
    from watcher.cli.runtime import quiet_logs, run_async, runtime

    around = runtime(quiet_logs(verbose=False))

    async def collect() -> list[OnlineCheck]:
        found = []
        async for online_check in online_checks(config, around):
            found.append(online_check)
            if shown:
                show_finding(online_check, out)
        return found

    if shown:
        out.line()
    return run_async(collect())


def show_plan(plan: PollPlan, out: Screen) -> None:
    """Write what the configuration comes to, warnings last."""
    out.line(Cell("configuration is good", GOOD), ": ", cell(plan.file))
    for table in (
        _account_table(plan.accounts),
        _watch_table(plan.watches, several_accounts=len(plan.accounts) > 1),
        _receiver_table(plan.receivers),
        _route_table(plan.routes),
    ):
        out.line()
        out.table(table)
    if plan.warnings:
        out.line()
    for warning in plan.warnings:
        out.line(Cell("warning", WARN), ": ", cell(warning))


def _account_table(accounts: Sequence[AccountPlan]) -> Table:
    rows = [
        (
            cell(account.account),
            cell(account.base_url),
            Cell(f"{account.busy_per_minute:g}"),
            Cell(f"{account.idle_per_minute:g}"),
            Cell(f"{account.allowed_per_minute:g}"),
        )
        for account in accounts
    ]
    return Table(("ACCOUNT", "ADDRESS", "REQUESTS A MINUTE: BUSY", "IDLE", "ALLOWED"), rows)


def _watch_table(watches: Sequence[WatchPlan], *, several_accounts: bool) -> Table:
    rows = [
        (
            cell(watch.watch),
            cell(watch.account) if several_accounts else Cell(""),
            cell(watch.served_by),
            cell(f"every {watch.interval}"),
            cell(f"every {watch.idle_interval}"),
            cell(watch.typical_delay),
            cell(watch.worst_delay),
            cell(watch.saves),
        )
        for watch in watches
    ]
    return Table(
        ("WATCH", "ACCOUNT", "SERVED BY", "IN PROGRESS", "OTHERWISE", "SEEN AFTER: TYPICAL", "WORST", "SAVES"), rows
    )


def _receiver_table(receivers: Sequence[ReceiverPlan]) -> Table:
    signed = {None: Cell("-"), True: Cell("yes"), False: Cell("no", WARN)}
    rows = [
        (cell(item.receiver), cell(item.kind), cell(item.goes_to), signed[item.signed], Cell(item.in_doubt))
        for item in receivers
    ]
    return Table(("RECEIVER", "KIND", "GOES TO", "SIGNED", "WHAT IS IN DOUBT"), rows)


def _kinds_text(kinds: Sequence[str]) -> str:
    # By themselves they would fill a line.
    return "the default kinds" if set(kinds) == DEFAULT_KINDS else ", ".join(kinds)


def _route_table(routes: Sequence[RoutePlan]) -> Table:
    rows = [
        (
            Cell(str(item.route)),
            cell(_kinds_text(item.kinds)),
            cell(item.only),
            cell(", ".join(item.to) or "nobody, on purpose"),
            cell(" ".join(item.mention)),
            cell(item.group_for),
            Cell("yes" if item.continues else ""),
        )
        for item in routes
    ]
    return Table(("ROUTE", "KINDS", "ONLY", "TO", "MENTIONS", "GROUPED FOR", "GOES ON"), rows)


def show_finding(online_check: OnlineCheck, out: Screen) -> None:
    """Write one line on what was tried, and what to do where it failed."""
    about = cell(online_check.about)
    gap = " " * max(1, ABOUT_WIDTH - width(about.text))
    verdict = Cell("ok      ", GOOD) if online_check.good else Cell("FAILED  ", BAD)
    cause = f"{online_check.cause}: " if online_check.cause else ""
    out.line(about, gap, verdict, cell(cause + online_check.detail))
    if online_check.advice:
        out.line(" " * ABOUT_WIDTH, online_check.advice)
    out.flush()
