"""All commands by name; a command's module is imported only where the arguments name the command, or for the help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Final

import typer

from watcher import __version__
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
VERSION: Final = ("--version", "-V")


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """Return the program with the command that the arguments name, or with all, for a help or an error.

    Args:
        arguments: those of the command line, without the program's name. The program's own options have no values, so
            that a command can only be the first.
    """
    first = arguments[0] if arguments else ""
    if first in VERSION:
        return _app(())
    return _app((first,)) if first in COMMANDS else whole_app()


def whole_app() -> typer.Typer:
    """Return the program with all its commands."""
    return _app(COMMANDS)


def _app(names: Iterable[str]) -> typer.Typer:
    # No markup: it would load rich for each help and error, and its colours cannot be turned off.
    app = typer.Typer(
        name=NAME,
        cls=PlainGroup,
        no_args_is_help=True,
        # The two options for completion would load pydantic before each command.
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(epilog=END, add_help_option=False)(main)
    for name in names:
        COMMANDS[name](app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option(*VERSION, help="Show the version and exit.", callback=_show_version, is_eager=True),
]


def main(version: VersionOption = False, wants_help: HelpOption = False) -> None:
    """Watch trainings on NAVER Cloud AiTEMS and notify the right people once.

    Each command has --help with an example.
    """


def _run(app: typer.Typer) -> None:
    from watcher.cli.commands import run

    app.command("run", epilog=run.END)(run.run)


def _reload(app: typer.Typer) -> None:
    from watcher.cli.commands import reload

    app.command("reload", epilog=reload.END)(reload.reload)


def _demo(app: typer.Typer) -> None:
    from watcher.cli.commands.simulation import demo

    app.command("demo", epilog=demo.END)(demo.demo)


def _check(app: typer.Typer) -> None:
    from watcher.cli.commands import check

    app.command("check", epilog=check.END)(check.check)


def _discover(app: typer.Typer) -> None:
    from watcher.cli.commands import discover

    app.command("discover", epilog=discover.END)(discover.discover)


def _doctor(app: typer.Typer) -> None:
    from watcher.cli.commands import doctor

    app.command("doctor", epilog=doctor.END)(doctor.doctor)


def _once(app: typer.Typer) -> None:
    from watcher.cli.commands import once

    app.command("once", epilog=once.END)(once.once)


def _status(app: typer.Typer) -> None:
    from watcher.cli.commands import status

    app.command("status", epilog=status.END)(status.status)


def _history(app: typer.Typer) -> None:
    from watcher.cli.commands import history

    app.command("history", epilog=history.END)(history.history)


def _stats(app: typer.Typer) -> None:
    from watcher.cli.commands.runs import stats

    app.command("stats", epilog=stats.END)(stats.stats)


def _export(app: typer.Typer) -> None:
    from watcher.cli.commands.runs import export

    app.command("export", epilog=export.END)(export.export)


def _plot(app: typer.Typer) -> None:
    from watcher.cli.commands.runs import plot

    app.command("plot", epilog=plot.END)(plot.plot)


def _wait(app: typer.Typer) -> None:
    from watcher.cli.commands.runs import wait

    app.command("wait", epilog=wait.END, cls=wait.WaitCommand)(wait.wait)


def _route(app: typer.Typer) -> None:
    from watcher.cli.commands import route

    app.command("route", epilog=route.END)(route.route)


def _deliveries(app: typer.Typer) -> None:
    from watcher.cli.commands import deliveries

    app.add_typer(deliveries.group, name="deliveries")


def _silence(app: typer.Typer) -> None:
    from watcher.cli.commands import silence

    app.add_typer(silence.group, name="silence")


def _test(app: typer.Typer) -> None:
    from watcher.cli.commands import test

    app.command("test", epilog=test.END)(test.send_test)


def _backup(app: typer.Typer) -> None:
    from watcher.cli.commands import store

    app.command("backup", epilog=store.BACKUP_END)(store.backup)


def _restore(app: typer.Typer) -> None:
    from watcher.cli.commands import store

    app.command("restore", epilog=store.RESTORE_END)(store.restore)


def _migrate(app: typer.Typer) -> None:
    from watcher.cli.commands import store

    app.command("migrate", epilog=store.MIGRATE_END)(store.migrate)


def _config(app: typer.Typer) -> None:
    from watcher.cli.commands import config

    app.add_typer(config.group, name="config")


def _completion(app: typer.Typer) -> None:
    from watcher.cli.commands import completion

    app.command("completion", epilog=completion.END)(completion.completion_of(whole_app))


def _simulate(app: typer.Typer) -> None:
    from watcher.cli.commands.simulation import simulate

    app.command("simulate", epilog=simulate.END)(simulate.simulate)


COMMANDS: Final[Mapping[str, Callable[[typer.Typer], None]]] = MappingProxyType(
    {
        "run": _run,
        "reload": _reload,
        "demo": _demo,
        "check": _check,
        "discover": _discover,
        "doctor": _doctor,
        "once": _once,
        "status": _status,
        "history": _history,
        "stats": _stats,
        "export": _export,
        "plot": _plot,
        "wait": _wait,
        "route": _route,
        "deliveries": _deliveries,
        "silence": _silence,
        "test": _test,
        "backup": _backup,
        "restore": _restore,
        "migrate": _migrate,
        "config": _config,
        "completion": _completion,
        "simulate": _simulate,
    }
)
"""Adds a command or a group to the program, by its name and in the order of the help."""
