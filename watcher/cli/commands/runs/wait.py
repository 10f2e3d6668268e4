"""``wait``: wait for the end of one training, for scripts."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import typer.core

from watcher.cli.exit_status import help_end_of, status_of
from watcher.cli.options import ConfigOption, JsonOption, duration, load_config
from watcher.cli.text.output import say

if TYPE_CHECKING:
    from watcher.cli.wait_source import End, WaitSource
    from watcher.cli.wait_view import WaitView
    from watcher.config import Config
    from watcher.core.training.waiting import WaitOutcome
    from watcher.reports.runs.wait_request import WaitRequest

LATEST: Final = "latest"
ACCOUNT: Final = "main"
"""The name of the account without a configuration."""
WITHOUT_FILE: Final = (
    f"without a configuration: write --account {ACCOUNT}, and its keys into $NCP_ACCESS_KEY and $NCP_SECRET_KEY"
)
DRAW_SECONDS: Final = 1.0


class WaitStatus(IntEnum):
    """The exit statuses of ``wait``, which differ from those of other commands."""

    COMPLETED = 0
    FAILED = 1
    TIMED_OUT = 2
    CANNOT_POLL = 3
    INTERRUPTED = 130


MEANINGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        WaitStatus.COMPLETED: "the training completed",
        WaitStatus.FAILED: "it failed, was stopped, or is gone",
        WaitStatus.TIMED_OUT: "--timeout passed before its end",
        WaitStatus.CANNOT_POLL: "it cannot be polled: the key, the service, the configuration or the usage is wrong",
        WaitStatus.INTERRUPTED: "Ctrl-C or SIGTERM, or nobody reads the output any more",
    }
)
END: Final = help_end_of(
    "aitems-watcher wait shop-main pop latest --timeout 2h && ./deploy.sh",
    "aitems-watcher wait 6wxgu1abcde pop latest --after maqll0abcde --json",
    "aitems-watcher wait 6wxgu1abcde pop maqll0abcde --account main  # keys: $NCP_ACCESS_KEY, $NCP_SECRET_KEY",
    meanings=MEANINGS,
)

ServiceArgument = Annotated[
    str, typer.Argument(metavar="SERVICE", help="The service by its id or name, or as ACCOUNT/SERVICE.")
]
TypeArgument = Annotated[str, typer.Argument(metavar="TYPE", help="The type of the training, e.g. pop.")]
VersionArgument = Annotated[
    str, typer.Argument(metavar="VERSION|latest", help="The version, or latest for the newest of the type.")
]
AfterOption = Annotated[
    str | None,
    typer.Option(metavar="VERSION", help="With latest: the first version newer than this one, once it exists."),
]
TimeoutOption = Annotated[
    str | None, typer.Option(metavar="DURATION", help="The longest wait, e.g. 2h; by default there is none.")
]
AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account",
        "-a",
        metavar="NAME",
        help="The account of the service. Where there is no configuration, $NCP_ACCESS_KEY and $NCP_SECRET_KEY are its "
        "keys.",
    ),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The address of AiTEMS; with it, no configuration is read."),
]


class WaitCommand(typer.core.TyperCommand):
    """Ends with 3 where it is used wrongly: 2 means that the time is over."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's own types are private
        """Read the arguments."""
        with _own_status():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - see above
        """Run the command."""
        with _own_status():
            return super().invoke(ctx)


@contextmanager
def _own_status() -> Iterator[None]:
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        if hasattr(error, "exit_code"):
            error.exit_code = WaitStatus.CANNOT_POLL
        raise


def wait(  # noqa: PLR0913 - one parameter an option
    service: ServiceArgument,
    type_: TypeArgument,
    version: VersionArgument,
    *,
    after: AfterOption = None,
    timeout: TimeoutOption = None,
    account: AccountOption = None,
    base_url: BaseUrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Wait until a training ends, and say by the exit status how.

    A daemon that watches the service reports its polls; without one, the command polls AiTEMS itself and needs no
    store. An end that was recorded before counts only after one more poll. With --json it prints one line an event.
    """
    if after is not None and version != LATEST:
        raise typer.BadParameter("stands beside a VERSION; write latest", param_hint="--after")
    limit = None if timeout is None else duration(timeout, "--timeout")
    with _errors_of_wait():
        from watcher.reports.runs.wait_request import WaitRequest

        settings, has_file = _configuration(config, account, base_url)
        names_version = None if version == LATEST else version
        request = WaitRequest(service=service, type=type_, version=names_version, after=after, account=account)
        status = _run(settings, request, limit, has_file=has_file, as_json=as_json)
    raise typer.Exit(status)


@contextmanager
def _errors_of_wait() -> Iterator[None]:
    """Print an expected error and exit with the status of a wait that cannot poll."""
    try:
        yield
    except (typer.Exit, typer.BadParameter):
        raise
    except Exception as error:
        if status_of(error) is None:
            raise
        say(f"{error}")
        raise typer.Exit(WaitStatus.CANNOT_POLL) from None


def _configuration(option: Path | None, account: str | None, base_url: str | None) -> tuple[Config, bool]:
    """Return the configuration and whether a file holds it; without one, the account's keys are in the environment."""
    from watcher.config import ConfigNotFoundError

    if base_url is not None:
        return _without_file(account or ACCOUNT, base_url), False
    try:
        loaded = load_config(option, {"account"})
    except ConfigNotFoundError:
        if account is None or option is not None:
            say(WITHOUT_FILE)
            raise
        return _without_file(account, None), False
    if account is not None and account not in loaded.accounts:
        known = ", ".join(loaded.accounts)
        raise typer.BadParameter(f"there is no such account; there are: {known}", param_hint="--account")
    return loaded, True


def _without_file(account: str, base_url: str | None) -> Config:
    """Return a configuration of one account, checked as a file would be."""
    from watcher.config import load

    lines = [f"[account.{json.dumps(account)}]"]
    lines += ['access_key = { env = "NCP_ACCESS_KEY" }', 'secret_key = { env = "NCP_SECRET_KEY" }']
    lines += [] if base_url is None else [f"base_url = {json.dumps(base_url)}"]
    return load(Path("command line"), text="\n".join(lines) + "\n", needed={"account"})


def _run(config: Config, request: WaitRequest, limit: timedelta | None, *, has_file: bool, as_json: bool) -> WaitStatus:
    from functools import partial

    from watcher.cli.runtime import quiet_logs, run_async, runtime
    from watcher.cli.wait_source import WaitSource
    from watcher.cli.wait_view import OutputClosedError, standard_view
    from watcher.clock import Clock

    redactor = quiet_logs(verbose=False)
    view = standard_view(Clock().utc_now, request, as_json=as_json)
    source = WaitSource(config, has_file, partial(runtime, redactor), view)
    try:
        return run_async(_until_end(source, request, view, limit))
    except OutputClosedError as error:
        if error.problem is not None:
            say(f"cannot write to standard output: {error.problem}")
        return WaitStatus.INTERRUPTED
    except (asyncio.CancelledError, KeyboardInterrupt):
        with suppress(OutputClosedError):
            view.close()
        return WaitStatus.INTERRUPTED


async def _until_end(source: WaitSource, request: WaitRequest, view: WaitView, limit: timedelta | None) -> WaitStatus:
    _cancel_on_signals()
    outcome, report = await _end_within(source, request, view, limit)
    status = _status_of(outcome)
    view.end(outcome, status, report)
    _say_not_found(outcome, request)
    return status


async def _end_within(source: WaitSource, request: WaitRequest, view: WaitView, limit: timedelta | None) -> End:
    """Return the end of the wait, or that its time is over; keep the live line up to date meanwhile."""
    from watcher.core.training.waiting import WaitOutcome

    loop = asyncio.get_running_loop()
    last = None if limit is None else loop.time() + limit.total_seconds()
    work = asyncio.create_task(source.wait(request))
    try:
        while not work.done():
            left = None if last is None else last - loop.time()
            if left is not None and left <= 0:
                return WaitOutcome.TIMED_OUT, None
            draw = DRAW_SECONDS if view.live else None
            await asyncio.wait({work}, timeout=min((item for item in (left, draw) if item is not None), default=None))
            view.draw()
        return work.result()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _cancel_on_signals() -> None:
    """Let SIGTERM and Ctrl-C cancel the wait; a signal that the shell ignores stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        return
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if task is not None and signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, task.cancel)


def _status_of(outcome: WaitOutcome) -> WaitStatus:
    from watcher.core.training.waiting import WaitOutcome

    match outcome:
        case WaitOutcome.COMPLETED:
            return WaitStatus.COMPLETED
        case WaitOutcome.FAILED | WaitOutcome.STOPPED | WaitOutcome.GONE:
            return WaitStatus.FAILED
        case WaitOutcome.TIMED_OUT:
            return WaitStatus.TIMED_OUT
    return WaitStatus.CANNOT_POLL


def _say_not_found(outcome: WaitOutcome, request: WaitRequest) -> None:
    from watcher.core.training.waiting import WaitOutcome

    if outcome is WaitOutcome.NOT_FOUND:
        version = request.version or request.after
        say(f"AiTEMS does not have version {version} of {request.type}; aitems-watcher discover lists the versions")
