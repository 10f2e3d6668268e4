"""``simulate``: the simulated AiTEMS alone, for tests of other clients and of configurations."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import quote

import typer

from watcher.cli.commands.simulation.simulate_history import (
    WrittenHistory,
    history_request,
    show_history,
    show_size,
    state_lines,
    write_history,
)
from watcher.cli.exit_status import ExitStatus, help_end
from watcher.cli.runtime import run_async, stop_on_signals
from watcher.cli.text.output import Screen, say, screen

if TYPE_CHECKING:
    from watcher.simulator import Running, SimulatorSettings

END: Final = help_end(
    "aitems-watcher simulate --port 8080 --services 5 --pace 10s --seed 7",
    "aitems-watcher simulate --script world.toml",
    "aitems-watcher simulate --history 365 --services 20 --into year.db",
    statuses={
        ExitStatus.OK: "stopped, or the history is written",
        ExitStatus.FAILED: "the address cannot be used, or the file of --into exists",
        ExitStatus.STORE: "the store cannot be written",
        ExitStatus.CONFIG: "the script file is invalid",
    },
)
EVERY_SERVICE: Final = "*"
NO_SERVICE: Final = "6wxgu1abcde"

HostOption = Annotated[str, typer.Option("--host", "-H", metavar="ADDRESS", help="The address to listen on.")]
PortOption = Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="The port; 0 takes a free one.")]
ScriptOption = Annotated[
    Path | None,
    typer.Option("--script", "-s", metavar="FILE", help="A script in TOML; by default the trainings are random."),
]
PaceOption = Annotated[
    str, typer.Option("--pace", metavar="DURATION", help="The median time of a random training in one stage.")
]
VariationOption = Annotated[
    float,
    typer.Option("--variation", min=0.0, max=10.0, metavar="NUMBER", help="The coefficient of variation of that time."),
]
FailuresOption = Annotated[
    float | None,
    typer.Option(
        "--failures",
        min=0.0,
        max=1.0,
        metavar="SHARE",
        help="The share of random trainings that fail; by default 0.25, with --history 0.05.",
    ),
]
HangsOption = Annotated[
    float | None,
    typer.Option(
        "--hangs",
        min=0.0,
        max=1.0,
        metavar="SHARE",
        help="The share of them that hang: for ever, with --history for four hours; by default 0 and 0.003.",
    ),
]
ResultAfterOption = Annotated[
    str | None,
    typer.Option(
        "--result-after",
        metavar="DURATION",
        help="The median time from completed to the inference result; by default both come at once.",
    ),
]
ServicesOption = Annotated[
    int, typer.Option("--services", "-n", min=0, max=1000, help="The number of random services.")
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="The same seed gives the same random trainings, also in a script.")
]
HistoryOption = Annotated[
    int | None,
    typer.Option(
        "--history", min=1, max=3650, metavar="DAYS", help="Write so many invented days into a new store, and exit."
    ),
]
IntoOption = Annotated[
    Path | None, typer.Option("--into", metavar="FILE", help="The store of --history; the file must not exist.")
]
ServeOption = Annotated[
    bool,
    typer.Option("--serve", help="After --history, serve its trainings, so that a daemon can go on from the store."),
]
RunsOption = Annotated[
    int,
    typer.Option("--runs-per-day", min=1, max=96, help="The trainings of each type of each service in --history."),
]
AccessKeyOption = Annotated[str | None, typer.Option("--access-key", metavar="KEY", help="The access key to accept.")]
SecretKeyOption = Annotated[
    str | None,
    typer.Option("--secret-key", metavar="KEY", help="Its secret key; it is printed, so use no real one."),
]
OffsetOption = Annotated[
    str, typer.Option("--clock-offset", metavar="DURATION", help='The offset of its clock, e.g. "10m" or "-10m".')
]
ControlOption = Annotated[
    Literal["loopback", "anyone", "nobody"], typer.Option("--control", help="Who may use the control endpoint.")
]


def simulate(  # noqa: PLR0913 - one parameter an option
    *,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    script: ScriptOption = None,
    pace: PaceOption = "5s",
    variation: VariationOption = 0.3,
    failures: FailuresOption = None,
    hangs: HangsOption = None,
    result_after: ResultAfterOption = None,
    services: ServicesOption = 3,
    seed: SeedOption = None,
    access_key: AccessKeyOption = None,
    secret_key: SecretKeyOption = None,
    clock_offset: OffsetOption = "0s",
    control: ControlOption = "loopback",
    history: HistoryOption = None,
    into: IntoOption = None,
    runs_per_day: RunsOption = 4,
    serve: ServeOption = False,
) -> None:
    """Serve a simulated AiTEMS until Ctrl-C.

    It checks signatures as AiTEMS does, and answers the calls that list or view services, trainings and updates. Its
    control endpoint changes trainings and causes faults on demand. With --history it fills a store with events and
    runs, to try reports on; then it serves only with --serve.
    """
    sizes = {"services": services, "runs_per_day": runs_per_day, "seed": seed}
    given = {**sizes, "variation": variation, "failures": failures, "hangs": hangs}
    wants_history = history is not None or into is not None or serve
    written = write_history(history_request(history, into, script, given)) if wants_history else None
    if written is not None and not serve:
        show_history(written, screen())
        return
    from watcher.core.secret import Secret
    from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY, ControlAccess, SimulatorSettings

    settings = SimulatorSettings(
        host=host,
        port=port,
        script=script,
        history=written.request.plan if written else None,
        began_at=written.began_at if written else None,
        pace_seconds=_seconds(pace, "--pace"),
        variation=variation,
        failures=0.25 if failures is None else failures,
        hangs=hangs or 0.0,
        result_after_seconds=None if result_after is None else _seconds(result_after, "--result-after"),
        services=services,
        seed=seed,
        access_key=access_key or SIMULATOR_ACCESS_KEY,
        secret_key=Secret(secret_key or SIMULATOR_SECRET_KEY),
        clock_offset_seconds=_seconds(clock_offset, "--clock-offset"),
        control=ControlAccess(control),
    )
    _serve(settings, written)


def _seconds(text: str, option: str) -> float:
    from watcher.simulator.invented.durations import read_signed_seconds

    try:
        seconds = read_signed_seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    if option in {"--pace", "--result-after"} and seconds <= 0:
        raise typer.BadParameter("must be more than 0s", param_hint=option)
    return seconds


def _serve(settings: SimulatorSettings, written: WrittenHistory | None) -> None:
    from watcher.simulator import ScriptError

    try:
        run_async(_until_stopped(settings, written))
    except ScriptError as error:
        say(f"{error}")
        raise typer.Exit(ExitStatus.CONFIG) from None
    except OSError as error:
        problem = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        say(f"cannot listen on {settings.host}:{settings.port}: {problem}; give another --host or --port")
        raise typer.Exit(ExitStatus.FAILED) from None


async def _until_stopped(settings: SimulatorSettings, written: WrittenHistory | None) -> None:
    from watcher.simulator import run_forever

    stop = asyncio.Event()
    stop_on_signals(stop)
    out = screen()
    serving = asyncio.create_task(run_forever(settings, lambda running: show_running(running, settings, out, written)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    stopping.cancel()
    with suppress(asyncio.CancelledError):
        await serving


def show_running(
    running: Running, settings: SimulatorSettings, out: Screen, written: WrittenHistory | None = None
) -> None:
    """Write the simulator's addresses and keys, and how to watch and change it."""
    secret = settings.secret_key.reveal()
    if written is not None:
        show_size(written, out)
    lines = (
        "A simulated AiTEMS account is being served; Ctrl-C ends it.",
        "",
        f"base URL    {running.base_url}",
        f"access key  {settings.access_key}",
        f"secret key  {secret}",
        f"control     {running.control_url}",
        "",
        "Change a training's status (for all other requests, GET the control address):",
        "",
        *_curl(running),
        "",
        "Watch it with this config.toml:",
        "",
        *(state_lines(written.request.file) if written else ()),
        *_configuration(running, EVERY_SERVICE if written else _service(running)),
        "",
        "and these variables:",
        "",
        f"  export NCP_ACCESS_KEY={settings.access_key} NCP_SECRET_KEY={secret}",
        "  aitems-watcher run --config config.toml",
    )
    for line in lines:
        out.line(line)
    out.flush()


def _service(running: Running) -> str:
    services = running.simulator.truth.services
    return services[0].id if services else NO_SERVICE


def _curl(running: Running) -> tuple[str, ...]:
    return (
        f"  curl -X PUT {running.control_url}/services/{quote(_service(running), safe='')}/trains/pop/versions/mine \\",
        "    -H 'Content-Type: application/json' -d '{\"status\": \"learning\"}'",
    )


def _configuration(running: Running, service: str) -> tuple[str, ...]:
    return (
        "  [account.main]",
        f'  base_url = "{running.base_url}"',
        '  access_key = { env = "NCP_ACCESS_KEY" }',
        '  secret_key = { env = "NCP_SECRET_KEY" }',
        "",
        "  [[watch]]",
        # A JSON string is a TOML string too.
        f"  service = {json.dumps(service, ensure_ascii=False)}",
        *(() if service == EVERY_SERVICE else ('  interval = "2s"',)),
        "",
        "  [receiver.console]",
        '  kind = "log"',
    )
