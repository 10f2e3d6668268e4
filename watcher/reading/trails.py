"""Read why receivers were notified of events, or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watcher.config import Config
from watcher.core.delivery.state import State
from watcher.core.routing.silence import Silence
from watcher.reports.trail import Trail, trail_of
from watcher.store.delivery.views import sent_deliveries
from watcher.store.views import DeliveryOutcome, EventHistory, Views


def read_trails(config: Config, views: Views, events: Sequence[EventHistory]) -> Mapping[str, Trail]:
    """Return the trail of each event, by its id."""
    outcomes = [outcome for item in events for outcome in item.delivery_outcomes]
    sent = sent_deliveries(views.connection, (outcome.delivery_id for outcome in outcomes))
    silences = _silences(views, outcomes)
    flap_limit = config.delivery.flap_limit
    return {
        item.event.id: trail_of(item, config.routes, flap_limit, views.recent(item.event), sent, silences)
        for item in events
    }


def _silences(views: Views, outcomes: Sequence[DeliveryOutcome]) -> dict[str, Silence]:
    ids = sorted({outcome.reason.detail for outcome in outcomes if outcome.state is State.SILENCED})
    return {name: silence for name in ids if (silence := views.silence(name)) is not None}
