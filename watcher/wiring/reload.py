"""Reload the configuration of the running daemon: apply all of the file, or reject it.

The reloader first reads the file and makes every client and receiver. Any fault leaves the old configuration active.
Then the stages switch to the new one, without interrupting the polls and attempts in progress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from watcher.config import Config, ConfigError, SecretError, SecretsError, load
from watcher.config.difference import changes, restarts
from watcher.config.references import fixed_secrets
from watcher.config.to_core import polls_of, routes_of, thresholds_of
from watcher.control.protocol import ControlError
from watcher.http import HttpSetupError
from watcher.installed import UpgradedError
from watcher.pipeline.store_outage import DirectNotifier
from watcher.receivers.spec import InvalidReceiverError
from watcher.wiring.connections import Connections
from watcher.wiring.pipeline import Pipeline, limits_of
from watcher.wiring.supervisor import Supervisor
from watcher.wiring.systemd_notifier import SystemdNotifier

log = structlog.get_logger()

MakeConnections = Callable[[Config], Awaitable[Connections]]


class ReloadOutcome(StrEnum):
    """The end of a reload."""

    RELOADED = "reloaded"
    REFUSED = "refused"
    FAILED = "failed"
    """An exception ended the reload; it is never sent to a client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadResult:
    """The outcome of a reload, with the changes or the faults."""

    outcome: ReloadOutcome
    config: Config
    """The active configuration after the reload."""
    faults: Sequence[str] = ()
    changes: Sequence[str] = ()
    needs_restart: Sequence[str] = ()
    """Changed keys that take effect at a restart only."""
    secrets_of_start: Sequence[str] = ()
    """Keys of secrets that a running process cannot read again."""

    def as_json(self) -> dict[str, object]:
        """Return the result as plain JSON, for the control socket."""
        answer: dict[str, object] = {"outcome": self.outcome.value, "file": str(self.config.path)}
        if self.outcome is not ReloadOutcome.RELOADED:
            return {**answer, "faults": list(self.faults)}
        return {
            **answer,
            "changes": list(self.changes),
            "needs_restart": list(self.needs_restart),
            "secrets_of_start": list(self.secrets_of_start),
        }


OnReload = Callable[[ReloadResult], None]


class Reloader:
    """Reads the file again and applies it to the stages; one reload at a time.

    Args:
        connections: the clients and receivers of the configuration at the start.
        pipeline: the stages to switch.
        make: makes the clients and receivers of another configuration.
        notifier: informs systemd that a reload begins and ends.
        on_reload: called with the result of every reload, also of a failed one.
    """

    def __init__(
        self,
        connections: Connections,
        pipeline: Pipeline,
        make: MakeConnections,
        notifier: SystemdNotifier,
        on_reload: OnReload,
    ) -> None:
        self._connections = connections
        self._config_at_start = connections.config
        self._pipeline = pipeline
        self._make = make
        self._notifier = notifier
        self._on_reload = on_reload
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._supervisor: Supervisor | None = None
        self._started = asyncio.Event()

    @property
    def config(self) -> Config:
        """The active configuration."""
        return self._connections.config

    def start(self, supervisor: Supervisor) -> None:
        """Permit reloads, now that the stages run; earlier requests wait for this."""
        self._supervisor = supervisor
        self._started.set()

    def stop(self) -> None:
        """Refuse further reloads: the daemon is stopping."""
        self._supervisor = None

    async def reload(self) -> ReloadResult:
        """Reload the file; an invalid file is a result, not an exception.

        Raises:
            ControlError: the daemon is stopping.
        """
        async with self._one_at_a_time:
            await self._started.wait()
            async with self._notifier.reloading():
                result = ReloadResult(outcome=ReloadOutcome.FAILED, config=self.config)
                try:
                    result = await self._reload()
                finally:
                    self._on_reload(result)
                return result

    def reload_soon(self) -> None:
        """Schedule a reload, for a signal handler, which cannot wait for its end."""
        task = asyncio.get_running_loop().create_task(self._reload_and_log())
        # The loop keeps only weak references to tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel scheduled reloads, then close every connection."""
        self.stop()
        for task in list(self._tasks):
            task.cancel()
        # A cancelled reload may still close the connections that it had made; the active ones are closed last.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connections.aclose()

    async def _reload_and_log(self) -> None:
        try:
            await self.reload()
        except Exception:
            log.exception("reload.failed")

    async def _reload(self) -> ReloadResult:
        path = self.config.path
        try:
            connections = await self._make(await asyncio.to_thread(load, path))
        except ConfigError as error:
            return self._rejected(path, [str(fault) for fault in error.faults])
        except SecretsError as error:
            return self._rejected(path, error.problems)
        except (SecretError, InvalidReceiverError, HttpSetupError, UpgradedError) as error:
            return self._rejected(path, [str(error)])
        result = ReloadResult(
            outcome=ReloadOutcome.RELOADED,
            config=connections.config,
            changes=list(changes(self.config, connections.config)),
            needs_restart=list(restarts(self._config_at_start, connections.config)),
            secrets_of_start=list(fixed_secrets(connections.config)),
        )
        await self._switch(connections)
        log.info("config.reloaded", file=str(path), changes=result.changes, needs_restart=result.needs_restart)
        return result

    def _rejected(self, path: Path, faults: Sequence[str]) -> ReloadResult:
        remedy = "correct the file and reload again"
        log.error("config.rejected", file=str(path), faults=list(faults), remedy=remedy)
        return ReloadResult(outcome=ReloadOutcome.REFUSED, config=self.config, faults=faults)

    async def _switch(self, connections: Connections) -> None:
        """Apply a configuration to the stages."""
        if (supervisor := self._supervisor) is None:
            await connections.aclose()
            raise ControlError("the daemon is stopping; its next start reads the file")
        old, self._connections = self._connections, connections
        config, pipeline = connections.config, self._pipeline
        # No await up to ``old.aclose``: no stage may run while some stages have the old configuration.
        # The workers stop first, because ``apply_config`` forgets the present ones.
        pipeline.delivery_workers.stop(supervisor)
        pipeline.router.apply_config(routes_of(config), connections.receivers)
        pipeline.delivery_workers.apply_config(config, connections.receivers)
        pipeline.delivery_workers.start(supervisor)
        pipeline.maintenance.apply_config(limits_of(connections))
        pipeline.store_outage.apply_config(DirectNotifier(connections.receivers, routes_of(config)))
        # Polls and attempts in progress still use the old clients; each client closes after its last call.
        await old.aclose()
        # The poller comes last: it waits until no poll result is being recorded.
        apis = connections.apis
        await pipeline.poller.apply_config(polls_of(config), apis, thresholds_of(config), service_apis=apis)
