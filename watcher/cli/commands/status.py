"""``status``: what is known of each training, what cannot be seen, and what was not delivered."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end, plain_errors
from watcher.cli.options import ConfigOption, JsonOption, load_config
from watcher.cli.store_access import reading
from watcher.cli.text.output import screen

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.reports.status import Stuck, Survey
    from watcher.store.views import QueueState, Views

END: Final = help_end(
    "aitems-watcher status --config /etc/aitems-watcher/config.toml",
    "aitems-watcher status --json | jq '.trainings[] | select(.status == \"learning\")'",
    statuses={
        ExitStatus.OK: "",
        ExitStatus.FAILED: "a look fails or an incident is open; a receiver, a delivery or the store is not well",
        ExitStatus.STORE: "",
        ExitStatus.CONFIG: "",
    },
)
SEARCHED: Final = 1_000
"""The latest events among which dead and held deliveries are looked for, to name them."""


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what is known, and what is not well.

    Each training's status, what cannot be seen, and what was not delivered. Reads the store beside a running daemon
    and needs no secret. With --json it prints one object.
    """
    with plain_errors():
        settings = load_config(config)
        with reading(settings, os.environ) as views:
            survey = take_survey(settings, views)
    out = screen()
    if as_json:
        from watcher.reports.status import survey_json

        out.json(survey_json(survey))
    else:
        from watcher.cli.text.status import show_survey

        show_survey(survey, out)
    raise typer.Exit(ExitStatus.FAILED if survey.problems else ExitStatus.OK)


def take_survey(config: Config, views: Views) -> Survey:
    """Read the store and join it with the configuration."""
    from watcher.clock import Clock
    from watcher.config.to_core import looks_of
    from watcher.reports.status import Survey, known, looked_at
    from watcher.reports.store_health import store_health

    now = Clock().utc_now()
    looks = looked_at(looks_of(config), views.looks())
    queues = views.queues()
    return Survey(
        at=now,
        trainings=tuple(known(views.trainings(), looks)),
        looks=looks,
        incidents=views.incidents(),
        queues=queues,
        stuck=_stuck(views) if _any_stuck(queues) else (),
        receivers=frozenset(config.receivers),
        drifts=views.drifts(),
        broken=views.broken(),
        untold=views.untold(),
        silences=views.silences(now),
        store=store_health(config.state.sqlite_path(os.environ), views, now),
    )


def _any_stuck(queues: list[QueueState]) -> bool:
    from watcher.reports.status import ENDED_BADLY

    return any(queue.state in ENDED_BADLY for queue in queues)


def _stuck(views: Views) -> tuple[Stuck, ...]:
    from watcher.reports.status import stuck_in
    from watcher.store.views import HistoryFilter

    return tuple(stuck_in(views.history(HistoryFilter(limit=SEARCHED))))
