"""Serve a simulator over HTTP: embedded in a test or the demo, or alone until it is stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from uvicorn.protocols.http.h11_impl import H11Protocol

from watcher.asgi import listen, prepare, stop
from watcher.core.secret import Secret
from watcher.simulator import calls, control
from watcher.simulator.app import TRANSPORT, build_app
from watcher.simulator.invented.draws import LogNormal
from watcher.simulator.invented.history import HistoryPlan, history_world
from watcher.simulator.invented.lives import same_pace
from watcher.simulator.invented.random_world import random_world
from watcher.simulator.script import Script, load_script
from watcher.simulator.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY, ControlAccess, Simulator

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on
_KEEP_ALIVE_SECONDS = 75
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Running:
    """A running simulator with its address."""

    simulator: Simulator
    host: str
    port: int

    @property
    def origin(self) -> str:
        """Scheme, host and port; a wildcard address is replaced by loopback."""
        host = _ANY_ADDRESS.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The base URL of the simulated AiTEMS."""
        return self.origin + calls.PREFIX

    @property
    def control_url(self) -> str:
        """The URL of the control endpoint."""
        return self.origin + control.PREFIX


@asynccontextmanager
async def serve(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Running]:
    """Serve a simulator while the block runs; the caller keeps its signal handlers.

    Args:
        simulator: the simulator to serve.
        host: an IPv4 or IPv6 address, or a name.
        port: 0 takes a free one.

    Raises:
    OSError: listening on the address failed.
    """
    with await listen(host, port, BACKLOG) as listener:
        server = prepare(build_app(simulator), _OpenProtocol, _KEEP_ALIVE_SECONDS)
        await server.startup(sockets=[listener])
        try:
            yield Running(simulator, host, listener.getsockname()[1])
        finally:
            await stop(server)


class _OpenProtocol(H11Protocol):
    """Stores the transport in each request's state, so that faults can act below HTTP."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """The options of ``aitems-watcher simulate``."""

    host: str = "127.0.0.1"
    port: int = 8080
    script: Path | None = None
    """A script file; without one the world is random."""
    history: HistoryPlan | None = None
    """The plan of a history whose trainings are served, in place of a script."""
    began_at: datetime | None = None
    """The start of that history, UTC."""
    pace_seconds: float = 5.0
    """The median time of a random training in a stage."""
    variation: float = 0.3
    """The coefficient of variation of that time."""
    failures: float = 0.25
    """The share of random trainings that fail."""
    hangs: float = 0.0
    """The share of random trainings of which one stage does not end."""
    result_after_seconds: float | None = None
    """The median time from ``completed`` to the result; ``None`` means that both come at once."""
    services: int = 3
    """The number of random services."""
    seed: int | None = None
    """The same seed gives the same random world, and the same random parts of a script."""
    access_key: str = SIMULATOR_ACCESS_KEY
    secret_key: Secret = Secret(SIMULATOR_SECRET_KEY)  # noqa: RUF009 - a Secret does not change
    clock_offset_seconds: float = 0.0
    control: ControlAccess = ControlAccess.LOOPBACK


def build_simulator(settings: SimulatorSettings) -> Simulator:
    """Return the simulator of these settings; its time begins now.

    Raises:
    ScriptError: the script file is invalid.
    """
    script = _script(settings)
    return Simulator(
        script.world,
        faults=script.faults,
        keys={settings.access_key: settings.secret_key},
        seed=settings.seed,
        clock_offset_seconds=settings.clock_offset_seconds,
        control=settings.control,
        began_at=settings.began_at,
    )


def _script(settings: SimulatorSettings) -> Script:
    if settings.history is not None:
        return Script(history_world(settings.history))
    return _random_script(settings) if settings.script is None else load_script(settings.script, settings.seed)


def _random_script(settings: SimulatorSettings) -> Script:
    draw = random.Random(settings.seed).random  # noqa: S311 - a made-up world needs no secrecy
    pace_seconds, after = settings.pace_seconds, settings.result_after_seconds
    course = replace(
        same_pace(pace_seconds, variation=settings.variation, failures=settings.failures, hangs=settings.hangs),
        result=None if after is None else LogNormal(after, settings.variation),
    )
    return Script(random_world(draw, services=settings.services, pace_seconds=pace_seconds, course=course))


async def run_forever(settings: SimulatorSettings, started: Callable[[Running], None]) -> None:
    """Serve until cancelled.

    Args:
        settings: the simulator and its address.
        started: called once, when the simulator listens.

    Raises:
    ScriptError: the script file is invalid.
    OSError: listening on the address failed.
    """
    async with serve(build_simulator(settings), settings.host, settings.port) as running:
        started(running)
        await asyncio.get_running_loop().create_future()
