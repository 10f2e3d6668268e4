"""The page of deliveries: receivers with their latest test, what has not arrived, and the latest actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from watcher.core.action import OF_DELIVERIES, OF_RECEIVERS, Action, ActionKind
from watcher.core.delivery.model import Delivered, Refused, Uncertain
from watcher.core.delivery.state import NEEDS_OPERATOR, OPEN_STATES, State
from watcher.core.event import SHORT_ID_LENGTH
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.core.polling.plan import EVERY_SERVICE
from watcher.reports.actions import reasons_text
from watcher.reports.deliveries import shown_reason
from watcher.reports.overview import ReceiverRow
from watcher.store.actions import beside, latest, latest_on
from watcher.store.delivery.views import DeliveryFilter, DeliveryView
from watcher.store.views import Views
from watcher.web.html.language.texts import Texts

DELIVERED: Final = 20
OPEN: Final = 100
ACTIONS: Final = 20
NAMED: Final = 3
"""Receivers that the first line names; it counts the others."""
RETRIED_AT_ONCE: Final = 200
"""Dead letters that one form sends again: they are changed in one transaction, for which other writes wait."""
DONE_FOR: Final = timedelta(minutes=1)
"""The page says for so long what was done; a bookmark of its address does not say it for ever."""
_OUTCOMES: Final = {Delivered.__name__: "accepted", Refused.__name__: "refused", Uncertain.__name__: "uncertain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesPage:
    """All that the page shows, of one read of the store."""

    receivers: Sequence[ReceiverRow]
    waiting: Sequence[DeliveryView]
    """The oldest first."""
    ended: Sequence[DeliveryView]
    """Those that an operator decides about, the oldest first."""
    delivered: Sequence[DeliveryView]
    """The newest first."""
    actions: Sequence[Action]
    """The newest first."""
    about: Mapping[str, DeliveryView]
    """The deliveries of the actions and of ``done``, by id."""
    tests: Mapping[str, Action]
    """The latest test of each receiver."""
    done: Action | None
    done_count: int
    """The number of deliveries that were changed together with that of ``done``, itself included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryList:
    """One table of deliveries."""

    title: Markup
    shown: Sequence[DeliveryView]
    count: int
    """The number of all; of those that were delivered, only the shown ones."""
    empty: Markup
    can_act: bool = False
    hint: str | Markup = ""


def read_deliveries(views: Views, receivers: Sequence[ReceiverRow], done: str, now: datetime) -> DeliveriesPage:
    """Read the page; ``done`` is the target of what was just done."""
    connection = views.connection
    actions = latest(connection, OF_RECEIVERS, ACTIONS)
    names = (item.name for item in receivers)
    found = read_done(views, done, OF_RECEIVERS, now)
    # The first of many that were retried together is not among the latest actions.
    named = [*actions, *([] if found is None else [found])]
    ids = frozenset(action.target for action in named if action.kind in OF_DELIVERIES)
    acted = views.deliveries(DeliveryFilter(states=frozenset(State), ids=ids, limit=len(ids))) if ids else []
    delivered = views.deliveries(DeliveryFilter(states=frozenset({State.DELIVERED}), limit=DELIVERED))
    return DeliveriesPage(
        receivers=receivers,
        waiting=views.deliveries(DeliveryFilter(states=OPEN_STATES, limit=OPEN, oldest=True)),
        ended=views.deliveries(DeliveryFilter(states=frozenset(NEEDS_OPERATOR), limit=OPEN, oldest=True)),
        delivered=delivered[::-1],
        actions=actions,
        about={item.id: item for item in acted},
        tests=latest_on(connection, names, {ActionKind.TEST}),
        done=found,
        done_count=0 if found is None else len(beside(connection, found, RETRIED_AT_ONCE)),
    )


def read_done(views: Views, target: str, kinds: Iterable[ActionKind], now: datetime) -> Action | None:
    """Return the latest action of these kinds on a target, if it is of the last minute."""
    found = latest_on(views.connection, [target], kinds).get(target) if target else None
    return found if found is not None and timedelta() <= now - found.at < DONE_FOR else None


def deliveries_values(page: DeliveriesPage, texts: Texts, *, can_act: bool) -> dict[str, object]:
    """Return the values of the template."""
    return {
        "nav": "deliveries",
        **_verdict(page.receivers, texts),
        "undelivered": sum(item.waiting + item.dead for item in page.receivers),
        "receivers": page.receivers,
        "every_service": EVERY_SERVICE,
        "at_once": RETRIED_AT_ONCE,
        "lists": _lists(page, texts, can_act=can_act),
        "about": lambda item: about_delivery(item, texts),
        "shown_reason": lambda item: _reasons(item, texts),
        "reason": lambda reason: reason_text(reason, texts.words),
        "tests": page.tests,
        "is_good": is_good,
        "tested": lambda action: outcome_of_test(action, texts),
        "actions": [(action, *_about(action, page.about, texts)) for action in page.actions],
        "done": "" if page.done is None else _done_text(page, page.done, texts),
        "done_well": page.done is None or is_good(page.done),
    }


def _verdict(receivers: Sequence[ReceiverRow], texts: Texts) -> dict[str, object]:
    """Return the first line: the receivers that fail, or what has not arrived."""
    failing = [item.name for item in receivers if item.failing is not None]
    waiting, dead = sum(item.waiting for item in receivers), sum(item.dead for item in receivers)
    if failing:
        icon, headline = ("warn", "warn"), texts("receivers-failing", n=len(failing), names=_named(failing, texts))
    elif dead:
        icon, headline = ("warn", "warn"), texts("dead-count", n=dead)
    elif waiting:
        icon, headline = ("wait", "idle"), texts("deliveries-open", n=waiting)
    elif any(item.delivered for item in receivers):
        icon, headline = ("ok", "ok"), texts("deliveries-fine")
    else:
        icon, headline = ("todo", "idle"), texts("nothing-sent")
    counts = [("waiting-count", waiting if failing or dead else 0), ("dead-count-text", dead if failing else 0)]
    facts = [texts(key, n=count) for key, count in counts if count]
    subline = Markup(" ").join([*facts, texts("remedy-receiver-failing")] if failing else facts)
    return {"icon": icon, "headline": headline, "subline": subline}


def _named(names: Sequence[str], texts: Texts) -> Markup:
    shown = Markup(", ").join(names[:NAMED])
    return texts("and-more", first=shown, n=len(names) - NAMED) if len(names) > NAMED else shown


def _lists(page: DeliveriesPage, texts: Texts, *, can_act: bool) -> Sequence[DeliveryList]:
    waiting, dead = sum(item.waiting for item in page.receivers), sum(item.dead for item in page.receivers)
    oldest = texts("oldest-first")
    return [
        DeliveryList(
            title=texts("waiting-list"),
            shown=page.waiting,
            count=waiting,
            empty=texts("nothing-open"),
            can_act=can_act,
            hint=oldest,
        ),
        DeliveryList(
            title=texts("dead-list"),
            shown=page.ended,
            count=dead,
            empty=texts("nothing-dead"),
            can_act=can_act,
            hint=oldest,
        ),
        DeliveryList(
            title=texts("delivered-list"),
            shown=page.delivered,
            count=len(page.delivered),
            empty=texts("nothing-delivered"),
            hint=texts("newest-first"),
        ),
    ]


def _done_text(page: DeliveriesPage, done: Action, texts: Texts) -> Markup:
    delivery = page.about.get(done.target)
    if page.done_count > 1 and delivery is not None:
        return texts("done-retry-all", n=page.done_count, receiver=delivery.receiver)
    return done_text(done, texts)


def is_good(action: Action) -> bool:
    """Return whether an action had its effect: a test may have been refused."""
    return action.kind is not ActionKind.TEST or action.outcome == Delivered.__name__


def outcome_of_test(action: Action, texts: Texts) -> Markup:
    """Write the outcome of a test."""
    return texts(f"test-{_OUTCOMES.get(action.outcome, 'failed')}", reason=reason_text(action.reason, texts.words))


def done_text(action: Action, texts: Texts) -> Markup:
    """Say what was done."""
    if action.kind is ActionKind.TEST:
        return texts("done-test", receiver=action.target, outcome=outcome_of_test(action, texts))
    return texts(f"done-{action.kind.value}", id=action.target[:SHORT_ID_LENGTH])


def _about(action: Action, known: Mapping[str, DeliveryView], texts: Texts) -> tuple[str, str, str]:
    """Return the receiver of an action, what it was about, and its outcome."""
    if action.kind is ActionKind.TEST:
        return action.target, "", outcome_of_test(action, texts)
    delivery = known.get(action.target)
    if delivery is None:
        return "", action.target[:SHORT_ID_LENGTH], ""
    return delivery.receiver, about_delivery(delivery, texts), texts(f"state-{delivery.state.value}")


def about_delivery(delivery: DeliveryView, texts: Texts) -> Markup:
    """Name the first event of a delivery, and the number of others."""
    if not delivery.events:
        return Markup("")
    first = plain_text(compose(delivery.events[0], texts.style).title)
    more = len(delivery.events) - 1
    return texts("and-more", first=first, n=more) if more else Markup("{}").format(first)


def _reasons(delivery: DeliveryView, texts: Texts) -> str:
    reason = reason_text(shown_reason(delivery), texts.words)
    return reasons_text(reason, delivery.actions, texts.words)
