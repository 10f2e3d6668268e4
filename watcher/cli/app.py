"""All commands by name."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from watcher import __version__
from watcher.cli.commands import (
    check,
    completion,
    config,
    deliveries,
    demo,
    discover,
    doctor,
    history,
    once,
    reload,
    route,
    run,
    silence,
    simulate,
    status,
    store,
    test,
)
from watcher.cli.exit_status import ExitStatus, help_end
from watcher.cli.options import HelpOption
from watcher.cli.usage_errors import PlainGroup

NAME: Final = "aitems-watcher"

END: Final = help_end(
    "aitems-watcher demo",
    "aitems-watcher check --online",
    "aitems-watcher run --config /etc/aitems-watcher/config.toml",
    statuses=dict.fromkeys(ExitStatus, ""),
)

# No markup: it would load rich for each help and error, and its colours cannot be turned off.
app: Final = typer.Typer(
    name=NAME,
    cls=PlainGroup,
    no_args_is_help=True,
    # The two options for completion would load pydantic before each command.
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", "-V", help="Show the version and exit.", callback=_show_version, is_eager=True),
]


@app.callback(epilog=END, add_help_option=False)
def main(version: VersionOption = False, wants_help: HelpOption = False) -> None:
    """Watch trainings on NAVER Cloud AiTEMS and notify the right people once.

    Each command has --help with an example.
    """


app.command("run", epilog=run.END)(run.run)
app.command("reload", epilog=reload.END)(reload.reload)
app.command("demo", epilog=demo.END)(demo.demo)
app.command("check", epilog=check.END)(check.check)
app.command("discover", epilog=discover.END)(discover.discover)
app.command("doctor", epilog=doctor.END)(doctor.doctor)
app.command("once", epilog=once.END)(once.once)
app.command("status", epilog=status.END)(status.status)
app.command("history", epilog=history.END)(history.history)
app.command("route", epilog=route.END)(route.route)
app.add_typer(deliveries.group, name="deliveries")
app.add_typer(silence.group, name="silence")
app.command("test", epilog=test.END)(test.send_test)
app.command("backup", epilog=store.BACKUP_END)(store.backup)
app.command("restore", epilog=store.RESTORE_END)(store.restore)
app.command("migrate", epilog=store.MIGRATE_END)(store.migrate)
app.add_typer(config.group, name="config")
app.command("completion", epilog=completion.END)(completion.completion)
app.command("simulate", epilog=simulate.END)(simulate.simulate)
