"""Another configuration for the running daemon: all of it, or none.

The file is read and everything is made from it first; a fault anywhere leaves the old configuration as it is. Then
the stages take the new one over between two awaits. Looks and attempts under way end by the old one's connections,
which are closed behind the last of them, so that none is lost or doubled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import structlog

from watcher.config import Config, ConfigError, SecretError, SecretsError, load
from watcher.config.difference import changes, restarts
from watcher.config.references import fixed_secrets
from watcher.config.to_core import polls_of, routes_of, thresholds_of
from watcher.control.protocol import ControlError
from watcher.http import HttpSetupError
from watcher.pipeline.store_outage import DirectNotifier
from watcher.receivers.spec import InvalidReceiverError
from watcher.wiring.connections import Connections
from watcher.wiring.pipeline import Pipeline, limits_of
from watcher.wiring.supervisor import Supervisor

log = structlog.get_logger()

Remake = Callable[[Config], Awaitable[Connections]]
Hook = Callable[[], Awaitable[None]]


class Reloader:
    """Reads the file again and hands it to the stages; one reload at a time."""

    def __init__(self, connections: Connections, pipeline: Pipeline, remake: Remake) -> None:
        self._parts = connections
        self._started_with = connections.config
        self._stages = pipeline
        self._remake = remake
        self._one_at_a_time = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._supervisor: Supervisor | None = None
        self._started = asyncio.Event()
        self.before: list[Hook] = []
        """Called before the file is read."""
        self.after: list[Hook] = []
        """Called when it is over, also when the file was refused."""
        self.taken_over: list[Hook] = []
        """Called when another configuration was taken over: parked receivers are tried at once."""

    @property
    def config(self) -> Config:
        """The configuration that holds now."""
        return self._parts.config

    def start(self, supervisor: Supervisor) -> None:
        """Know the stages at work; a reload that was asked for before waits for this."""
        self._supervisor = supervisor
        self._started.set()

    def stop(self) -> None:
        """Take nothing over any more."""
        self._supervisor = None

    async def serve(self, _arguments: Mapping[str, object]) -> Mapping[str, object]:
        """Reload for the control socket; a faulty file is an answer, too."""
        async with self._one_at_a_time:
            await self._started.wait()
            for hook in self.before:
                await hook()
            try:
                return await self._reload()
            finally:
                for hook in self.after:
                    await hook()

    def soon(self) -> None:
        """Reload for a signal, which cannot wait for it."""
        self._keep(asyncio.get_running_loop().create_task(self._reload_for_signal()))

    async def close(self) -> None:
        """End what is still going on and close every connection."""
        self.stop()
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._parts.connections.aclose()

    async def _reload_for_signal(self) -> None:
        try:
            await self.serve({})
        except Exception:
            log.exception("reload.failed")

    async def _reload(self) -> Mapping[str, object]:
        path = self.config.path
        try:
            connections = await self._remake(await asyncio.to_thread(load, path))
        except ConfigError as error:
            return _refused(path, [str(fault) for fault in error.faults])
        except SecretsError as error:
            return _refused(path, error.problems)
        except (SecretError, InvalidReceiverError, HttpSetupError) as error:
            return _refused(path, [str(error)])
        changed, kept = changes(self.config, connections.config), restarts(self._started_with, connections.config)
        await self._switch(connections)
        log.info("config.reloaded", file=str(path), changes=list(changed), needs_restart=list(kept))
        for hook in self.taken_over:
            await hook()
        return {
            "outcome": "reloaded",
            "file": str(path),
            "changes": list(changed),
            "needs_restart": list(kept),
            "secrets_of_start": list(fixed_secrets(connections.config)),
        }

    async def _switch(self, connections: Connections) -> None:
        if (supervisor := self._supervisor) is None:
            await connections.connections.aclose()
            raise ControlError("the daemon is stopping; its next start reads the file")
        old, self._parts = self._parts, connections
        config, pipeline = connections.config, self._stages
        pipeline.delivery_workers.dismiss(supervisor)
        pipeline.router.apply_config(routes_of(config), connections.receivers)
        pipeline.delivery_workers.take_on(config, connections.receivers)
        pipeline.delivery_workers.start(supervisor)
        pipeline.maintenance.apply_config(limits_of(connections))
        pipeline.store_outage.apply_config(DirectNotifier(connections.receivers, routes_of(config)))
        # Looks go on by the old ones until they are done; each client closes behind its last call.
        await old.connections.aclose()
        await pipeline.poller.apply_config(polls_of(config), connections.apis, thresholds_of(config))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


def _refused(path: Path, faults: Sequence[str]) -> Mapping[str, object]:
    log.error("config.rejected", file=str(path), faults=list(faults), remedy="mend the file and reload again")
    return {"outcome": "refused", "file": str(path), "faults": list(faults)}
