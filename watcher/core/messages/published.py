"""Events as JSON for programs outside: the stored facts, with advice, remedy and titles as text."""

from __future__ import annotations

import json
from typing import Any, Final

from watcher.core.delivery.facts import ReceiverFacts
from watcher.core.delivery.facts_json import receiver_json
from watcher.core.delivery.reason import Reason, reason_json
from watcher.core.event import Event, IncidentFacts
from watcher.core.event_json import incident_json, to_json
from watcher.core.messages.advice import advice_for
from watcher.core.messages.reasons import cause_text, reason_text
from watcher.core.messages.receiver import dead_letter_title, remedy_text, waiting_title
from watcher.core.messages.text import cut
from watcher.core.messages.training import named_title
from watcher.core.training.comparison import Comparison, SettingChange, comparison_json, end_json, stuck_json

CHANGES_MAX: Final = 20
"""Settings that differ and are published; the others are counted."""
OPTION_LIMIT: Final = 100
VALUE_LIMIT: Final = 200
"""Characters of the name of one of them, and of the JSON of one of its values."""


def published_event(event: Event) -> dict[str, object]:
    """Return an event as the commands print it with ``--json``."""
    incident, receiver = event.incident, event.receiver
    return {
        **to_json(event),
        **published_comparisons(event),
        "incident": None if incident is None else published_incident(incident),
        "receiver": None if receiver is None else published_receiver(receiver),
    }


def published_comparisons(event: Event) -> dict[str, object]:
    """Return the facts that set an event beside earlier runs, each ``None`` where it is not known."""
    return {
        "comparison": None if event.comparison is None else _published_comparison(event.comparison),
        "stuck": None if event.stuck is None else stuck_json(event.stuck),
        "expected_end": None if event.expected_end is None else end_json(event.expected_end),
    }


def _published_comparison(facts: Comparison) -> dict[str, object]:
    return {
        **comparison_json(facts),
        "changes": [_published_change(change) for change in facts.changes[:CHANGES_MAX]],
        "more_changes": max(0, len(facts.changes) - CHANGES_MAX),
    }


def _published_change(change: SettingChange) -> dict[str, object]:
    return {"option": cut(change.option, OPTION_LIMIT), "old": _short(change.old), "new": _short(change.new)}


def _short(value: object) -> object:
    """Return a value of AiTEMS as it is; a long one as a text that is cut."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return value if len(text) <= VALUE_LIMIT else cut(text, VALUE_LIMIT)


def published_incident(facts: IncidentFacts) -> dict[str, object]:
    """Return an incident as the webhook's body has it, with its advice; that is empty where the incident is over."""
    stored = incident_json(facts)
    keys = ("id", "kind", "cause", "detail")
    return {
        **{key: stored[key] for key in keys},
        "advice": advice_for(facts) if facts.lasted_seconds is None else "",
        **stored,
    }


def published_receiver(facts: ReceiverFacts) -> dict[str, Any]:
    """Return a receiver as the webhook's body has it, with titles and a remedy; that is empty where there is none."""
    remedy = "" if facts.remedy is None else remedy_text(facts.remedy, facts.name)
    stored = receiver_json(facts)
    return {
        **_with_text(stored, facts.reason, recovered=facts.lasted_seconds is not None),
        "deliveries": [
            {**_with_text(item, named.reason), "about": dead_letter_title(named, named_title)}
            for item, named in zip(stored["deliveries"], facts.deliveries, strict=True)
        ],
        "urgent": [
            {**item, "about": waiting_title(named, named_title)}
            for item, named in zip(stored["urgent"], facts.urgent, strict=True)
        ],
        "remedy": remedy,
    }


def _with_text(stored: dict[str, Any], reason: Reason, *, recovered: bool = False) -> dict[str, object]:
    """Write the reason as text, with its code behind it; a receiver that has recovered needs no remedy in it."""
    written = cause_text if recovered else reason_text
    published: dict[str, object] = {}
    for key, value in stored.items():
        published[key] = value
        if key == "reason":
            published |= {"reason": written(reason), "reason_code": reason_json(reason)}
    return published
