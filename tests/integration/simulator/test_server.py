"""Start and stop of the simulator: addresses, ports, the function for the command line, both event loops."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import uvloop

from tests.integration.simulator.raw_http import Wire, call, call_wire, read_to_end, signed_call
from tests.support import paths
from watcher.simulator import (
    SIMULATOR_ACCESS_KEY,
    Fault,
    Running,
    ScriptError,
    Simulator,
    SimulatorSettings,
    build_simulator,
    demo_world,
    run_forever,
    serve,
)

SETTINGS = SimulatorSettings(port=0, seed=1)
DATA = paths.DATA / "simulator"


async def test_the_urls_lead_to_the_simulator() -> None:
    async with serve(Simulator(demo_world())) as running:
        assert running.base_url == f"http://127.0.0.1:{running.port}/api/v1"
        assert running.control_url == f"http://127.0.0.1:{running.port}/_control"
        assert (await call(running, "/services")).status == 200


async def test_ipv6_is_served() -> None:
    async with serve(Simulator(demo_world()), host="::1") as running:
        assert running.base_url == f"http://[::1]:{running.port}/api/v1"
        assert (await call(running, "/services")).status == 200


@pytest.mark.parametrize(("host", "named"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("localhost", "localhost")])  # noqa: S104 - only named
def test_a_wildcard_address_is_replaced_by_loopback_in_urls(host: str, named: str) -> None:
    assert Running(Simulator(), host, 8080).origin == f"http://{named}:8080"


async def test_a_port_in_use_is_an_os_error() -> None:
    async with serve(Simulator()) as running:
        with pytest.raises(OSError, match="in use"):
            async with serve(Simulator(), port=running.port):
                pass


async def test_two_simulators_run_side_by_side() -> None:
    async with serve(Simulator(demo_world())) as one, serve(Simulator()) as two:
        assert len((await call(one, "/services")).json()["services"]) == 3
        assert (await call(two, "/services")).json()["services"] == []


async def test_a_stopped_simulator_does_not_listen() -> None:
    async with serve(Simulator()) as running:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((running.host, running.port)).close()


@pytest.mark.parametrize("kind", ["hang", "drip", "hang-mid-body", "slow", "endless"])
async def test_stopping_ends_calls_that_would_never_end(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async with AsyncExitStack() as stack:
        async with serve(Simulator(demo_world(), faults=[Fault(kind=kind)])) as running:
            connection = await stack.enter_async_context(signed_call(running, "/services"))
            await running.simulator.requests.wait_for(1)
        await read_to_end(connection)
    assert caplog.records == []


async def test_an_embedded_simulator_does_not_change_signal_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serve(Simulator()):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def run_until_started(settings: SimulatorSettings) -> tuple[asyncio.Task[None], Running]:
    started: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_forever(settings, started.set_result))
    return task, await started


async def test_the_simulator_runs_until_it_is_cancelled() -> None:
    task, running = await run_until_started(SETTINGS)
    assert len((await call(running, "/services")).json()["services"]) == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((running.host, running.port)).close()


async def test_the_simulator_runs_a_script_with_its_faults() -> None:
    task, running = await run_until_started(replace(SETTINGS, script=DATA / "good.toml"))
    names = [item["name"] for item in (await call(running, "/services")).json()["services"]]
    assert names == ["shop-main", "hourlyfee02"]
    assert [planned.fault.kind for planned in running.simulator.faults.planned] == ["500", "429-rate", "slow"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_bad_script_is_refused_before_anything_listens() -> None:
    with pytest.raises(ScriptError):
        await run_forever(replace(SETTINGS, script=DATA / "bad-many.toml"), lambda _running: None)


def test_the_settings_reach_the_simulator() -> None:
    simulator = build_simulator(replace(SETTINGS, services=5, access_key="other", clock_offset_seconds=7))
    assert len(simulator.truth.services) == 5
    assert (list(simulator.keys), simulator.clock_offset_seconds) == (["other"], 7)
    assert list(build_simulator(SETTINGS).keys) == [SIMULATOR_ACCESS_KEY]


def test_the_same_seed_gives_the_same_account() -> None:
    one, two = build_simulator(SETTINGS), build_simulator(SETTINGS)
    assert one.truth.services == two.truth.services


def test_the_simulator_works_under_uvloop() -> None:
    async def scenario() -> tuple[int, Wire]:
        async with serve(Simulator(demo_world())) as running:
            status = (await call(running, "/services")).status
            running.simulator.add_fault(Fault(kind="reset"))
            return status, await call_wire(running, "/services")

    assert uvloop.run(scenario()) == (200, Wire(b"", was_reset=True))
