"""The whole status, as ``status`` and ``doctor`` show it: the store and the answer of its daemon."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from watcher.cli.daemon_health import daemon_health, store_failing
from watcher.cli.store_access import reading

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.core.health.problems import DaemonHealth
    from watcher.reading.status import StorePlace
    from watcher.reports.overview import Overview
    from watcher.reports.status import StatusReport
    from watcher.reports.trainings import Selection


def read_report(config: Config, selection: Selection) -> StatusReport:
    """Ask the daemon for its health, and read its store.

    Raises:
        StoreUnusable: there is no store, or it cannot be read.
    """
    from watcher.clock import Clock
    from watcher.reading.status import read_status

    daemon = daemon_health(config, os.environ)
    with reading(config, os.environ) as views:
        place, now = store_place(config, daemon), Clock().utc_now()
        return read_status(config, views, views.polls(), daemon, selection, place=place, now=now)


def overview_now(config: Config, *, faulty: bool) -> Overview:
    """Ask the daemon for its health, and read the overview of the status page.

    Raises:
        StoreUnusable: there is no store, or it cannot be read.
    """
    from watcher.clock import Clock
    from watcher.reading.overview import overview_without_store, read_overview
    from watcher.store.errors import StoreLost

    daemon = daemon_health(config, os.environ)
    try:
        with reading(config, os.environ) as views:
            place, now = store_place(config, daemon), Clock().utc_now()
            return read_overview(config, views, daemon, place, now, faulty=faulty)
    except StoreLost as error:
        return overview_without_store(config, daemon, error, Clock().utc_now())


def store_place(config: Config, daemon: DaemonHealth) -> StorePlace:
    """Return the file of the store, and whether it can be written as far as that is seen without a daemon."""
    from watcher.reading.status import StorePlace

    path = config.store_path(os.environ)
    return StorePlace(path=path, url=config.store_url(os.environ), failing=store_failing(path, daemon))
