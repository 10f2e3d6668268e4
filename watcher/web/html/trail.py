"""The trail of an event as lines of a page: why somebody or nobody was notified, in the order of the decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from markupsafe import Markup

from watcher.core.delivery.state import State
from watcher.core.event import Event
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.text import visible
from watcher.core.routing.matcher import KIND, Mismatch
from watcher.core.routing.reason import RoutingCode
from watcher.core.routing.routes import Group
from watcher.core.routing.silence import EXEMPT, Silence
from watcher.core.training.catch_up import OWN_GROUP
from watcher.reports.actions import action_text, reasons_text
from watcher.reports.route import TriedRoute
from watcher.reports.trail import DeliveryTrail, Trail
from watcher.web.html.language.texts import Texts
from watcher.web.html.overview_page import silence_text
from watcher.web.html.times import PageTimes, duration

MOST_ROUTES: Final = 12
"""Routes that do not match and that are named one by one."""


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One step: its name, and what was decided."""

    title: Markup
    text: Markup
    matches: bool = False
    """Whether it is a route that took the event."""


@dataclass(frozen=True, slots=True)
class TrailTexts:
    """Writes trails in the language of a page."""

    texts: Texts
    times: PageTimes

    def lines(self, trail: Trail) -> list[TrailLine]:
        """Return every step in order."""
        return [
            *self._decision(trail.event),
            *self._event(trail),
            *self._routes(trail),
            *self._silence(trail),
            *self._grouping(trail),
        ]

    def delivery(self, item: DeliveryTrail) -> Markup:
        """Say what became of a delivery: its state, its attempts with the last answer, and the next one."""
        return Markup(" ").join(self._facts(item))

    def nobody(self, trail: Trail) -> Markup:
        """Say in a few words why nobody was notified."""
        t = self.texts
        if trail.reason is None:
            return t("not-routed")
        if trail.is_silenced:
            return t("nobody-silenced") if trail.silence is None else self._silenced(trail.silence)
        if trail.reason.code is RoutingCode.NO_ROUTE:
            return t("nobody-no-route")
        if trail.reason.code is RoutingCode.DROPPED:
            return t("nobody-on-purpose", routes=self._numbers(trail.reason.routes))
        return t("nobody-dropped") if trail.deliveries else t("nobody-recorded")

    def _line(self, title: str, text: Markup, **values: object) -> TrailLine:
        return TrailLine(self.texts(f"step-{title}", **values), text)

    def _decision(self, event: Event) -> Iterator[TrailLine]:
        t, at = self.texts, self.times.seconds
        if event.to_status is not None and event.from_status is not None:
            old, new = (_code(status) for status in (event.from_status, event.to_status))
            values = {"old": old, "new": new, "after": at(event.after), "before": at(event.before)}
            yield self._line("poll", t("polled-change", **values))
        elif event.to_status is not None:
            yield self._line("poll", t("polled-new", new=_code(event.to_status), before=at(event.before)))
        rule = f"rule-{event.reason}"
        yield self._line("rule", t(rule) if t.has(rule) else _code(event.reason))
        if not event.confirmed:
            yield self._line("confirmation", t("not-confirmed"))
        if event.late:
            outage = event.outage
            text = t("found-late") if outage is None else t("found-after-outage", time=at(outage.since))
            yield self._line("catch-up", text)
        if event.restored:
            yield self._line("restore", t("found-restored"))

    def _event(self, trail: Trail) -> Iterator[TrailLine]:
        event = trail.event
        urgency = self.texts("is-urgent" if event.urgent else "is-not-urgent")
        yield self._line(
            "event", self.texts("event-number", kind=_code(event.kind.value), n=event.seq, urgency=urgency)
        )

    def _routes(self, trail: Trail) -> Iterator[TrailLine]:
        t, reason = self.texts, trail.reason
        if reason is None:
            yield self._line("routes", t("not-routed"))
            return
        if trail.routes:
            yield from self._tried(trail.routes)
        elif reason.routes:
            yield self._line("routes", t("routes-changed", routes=self._numbers(reason.routes)))
        if reason.code is RoutingCode.NO_ROUTE:
            yield self._line("routes", t("no-route" if trail.routes else "no-route-then"))
        if reason.code is RoutingCode.SENT_FROM_MEMORY:
            yield self._line("routes", t("sent-from-memory"))
        if reason.stand_in is not None:
            yield self._line("stand-in", t("stands-in", receiver=reason.stand_in, other=reason.stands_in_for))
        if reason.not_announced is not None:
            yield self._line("stand-in", t(f"not-announced-{reason.not_announced.value}"))

    def _tried(self, routes: Sequence[TriedRoute]) -> Iterator[TrailLine]:
        t, refused = self.texts, 0
        for tried in routes:
            number = tried.route.number
            if tried.takes:
                yield TrailLine(t("step-route", number=number), self._taken(tried), matches=True)
            elif tried.mismatch is not None:
                refused += 1
                if refused <= MOST_ROUTES:
                    text = t("no-match", why=self._mismatch(tried.mismatch))
                    yield TrailLine(t("step-route", number=number), text)
        if refused > MOST_ROUTES:
            yield self._line("routes", t("more-no-match", n=refused - MOST_ROUTES))
        for taken_by, rest in groupby(routes, key=lambda tried: tried.taken_by):
            if taken_by is not None:
                first, *others = (tried.route.number for tried in rest)
                title = t("step-route-range", first=first, last=others[-1]) if others else t("step-route", number=first)
                yield TrailLine(title, t("not-tried", number=taken_by.number))

    def _taken(self, tried: TriedRoute) -> Markup:
        t, route = self.texts, tried.route
        to = t("match-to", names=Markup(", ").join(route.to)) if route.to else t("match-to-nobody")
        return Markup(" ").join((to, t("continues") if route.continues else Markup(""))).strip()

    def _mismatch(self, mismatch: Mismatch) -> Markup:
        t, key = self.texts, _code(mismatch.key)
        if mismatch.found is None:
            return t("lacks-key", key=key)
        if mismatch.key == KIND and not mismatch.wanted:
            return t("not-default-kind", found=_code(mismatch.found), setting=_code(f'kind = "{mismatch.found}"'))
        wanted = t("or-separator").join(_code(value) for value in mismatch.wanted)
        return t("other-value", key=key, found=_code(mismatch.found), wanted=wanted)

    def _silence(self, trail: Trail) -> Iterator[TrailLine]:
        t = self.texts
        if trail.is_silenced:
            found = trail.silence
            yield self._line("silences", t("nobody-silenced") if found is None else self._silenced(found))
        elif trail.event.kind in EXEMPT:
            yield self._line("silences", t("silence-exempt"))
        elif trail.deliveries:
            yield self._line("silences", t("silence-none"))

    def _silenced(self, silence: Silence) -> Markup:
        values = {"author": silence.author, "reason": silence.reason, "time": self.times.clock(silence.over_at)}
        return self.texts("silenced-by", match=_code(silence_text(silence)), **values)

    def _grouping(self, trail: Trail) -> Iterator[TrailLine]:
        if trail.group is not None and not trail.is_silenced:
            yield self._line("grouping", self._group(trail, trail.group))
        elif trail.routes and trail.notifies and not trail.shares_a_message:
            yield self._line("grouping", self.texts("grouped-not"))

    def _group(self, trail: Trail, group: Group) -> Markup:
        t, within = self.texts, duration(group.patience, self.texts)
        if group.key.startswith("digest "):
            return t("grouped-digest", n=trail.recent, within=within)
        if group.key == trail.event.group:
            return t("grouped-list" if group.key.startswith(OWN_GROUP) else "grouped-catch-up", within=within)
        return t("grouped-route", within=within)

    def _facts(self, item: DeliveryTrail) -> Iterator[Markup]:
        t, at, outcome, sent = self.texts, self.times.seconds, item.outcome, item.sent
        state = t(f"state-{outcome.state.value}")
        if outcome.state is State.SILENCED:
            yield t("sent-state", state=state)
            yield t("sent-not")
            return
        settled = None if outcome.settled_at is None else at(outcome.settled_at)
        yield t("sent-state", state=state) if settled is None else t("sent-state-at", state=state, time=settled)
        attempted = None if sent is None or settled is not None else sent.attempted_at
        if attempted is None or not outcome.attempts:
            yield t("sent-attempts", n=outcome.attempts)
        else:
            yield t("sent-attempts-last", n=outcome.attempts, time=at(attempted))
        if sent is not None and sent.events > 1:
            yield t("sent-together", n=sent.events - 1)
        if reasons := self._reasons(item):
            yield t("sent-reason", reason=reasons)
        if sent is not None and sent.may_be_repeat:
            yield t("sent-in-doubt")
        # A delivery that waits behind others keeps the time at which it was first due.
        if sent is not None and sent.next_at is not None and sent.next_at >= self.times.now:
            yield t("sent-next", time=at(sent.next_at))
        # The answer may end in any way, so no sentence follows it.
        if outcome.answer:
            yield t("sent-answer", answer=outcome.answer)

    def _reasons(self, item: DeliveryTrail) -> str:
        """Return why it ended or waits, and what people did; where that is the reason, in the order of their acts."""
        words, outcome = self.texts.words, item.outcome
        reason = "" if outcome.state is State.DELIVERED else reason_text(item.reason, words)
        is_act = reason in {action_text(action, words) for action in outcome.actions}
        return reasons_text("" if is_act else reason, outcome.actions, words)

    def _numbers(self, numbers: Sequence[int]) -> str:
        return ", ".join(str(number) for number in numbers)


def _code(value: str) -> Markup:
    return Markup("<code>{}</code>").format(visible(value))
