"""Whether a retraining is overdue, by configuration, by the cycle of its service, or by the regularity of its starts.

An answer to a request that began after the deadline, and that shows no newer start, shows it. Each absence is reported
once; the next start, or the next completion, ends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.regular_starts import learned_period
from watcher.core.training.absence import Missing, OverdueFacts
from watcher.core.training.retraining import Retraining, RetrainingRef

TOLERANCE_SHARE: Final = 4
"""The tolerance is this part of the period."""
LEAST_TOLERANCE: Final = timedelta(minutes=10)
EVERY_TYPE: Final = "*"
"""The key of a rule for each type that has none of its own."""


class ExpectRule(StrEnum):
    """A rule without a duration."""

    LEARNED = "learned"
    NEVER = "never"


Expectation = timedelta | ExpectRule
NO_EXPECTATIONS: Final[Mapping[str, Expectation]] = MappingProxyType({})
NO_LIMITS: Final[Mapping[str, timedelta]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingRules:
    """The rules of a watch, by the type of training."""

    expect_every: Mapping[str, Expectation] = field(default_factory=lambda: NO_EXPECTATIONS, hash=False)
    """``expect_every``; learned where it does not say."""
    stale_after: Mapping[str, timedelta] = field(default_factory=lambda: NO_LIMITS, hash=False)
    """``stale_after``; no limit where it does not say."""

    def expected(self, training_type: str) -> Expectation:
        """Return the rule for the starts of a type."""
        default = self.expect_every.get(EVERY_TYPE, ExpectRule.LEARNED)
        return self.expect_every.get(training_type, default)

    def stale(self, training_type: str) -> timedelta | None:
        """Return the longest time without a completion of a type; ``None`` where there is no limit."""
        return self.stale_after.get(training_type, self.stale_after.get(EVERY_TYPE))

    def under(self, own: RetrainingRules) -> RetrainingRules:
        """Return these rules of a general watch below those of a more specific one."""
        return RetrainingRules(
            expect_every=own.expect_every or self.expect_every, stale_after=own.stale_after or self.stale_after
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRetraining:
    """A retraining as metrics show it."""

    ref: RetrainingRef
    reported: frozenset[Missing]
    """The absences that were reported and that go on."""
    deadline: datetime | None
    """The time at which it may be overdue next, UTC; ``None`` where it cannot be."""


LEARNED_PERIODS: Final = RetrainingRules()


def overdue_at(state: Retraining, rules: RetrainingRules, time: datetime) -> tuple[OverdueFacts, ...]:
    """Return the absences that an answer to a request of this time shows, and that are not reported yet."""
    return tuple(item for item in _expectations(state, rules) if item.deadline <= time)


def next_overdue(state: Retraining, rules: RetrainingRules) -> datetime | None:
    """Return the time at which a retraining may be overdue next, UTC; ``None`` where it cannot be."""
    return min((item.deadline for item in _expectations(state, rules)), default=None)


def expected_start(state: Retraining, rules: RetrainingRules) -> OverdueFacts | None:
    """Return when the next start is expected, also where it was reported as missing; ``None`` where none is."""
    found = _period(state, rules)
    return None if found is None else _expected_start(state, found)


def reported(state: Retraining, facts: OverdueFacts) -> Retraining:
    """Return the state after an event about an absence."""
    return replace(state, reported=state.reported | {facts.missing}, seq=state.seq + 1)


def tolerance_of(period: timedelta) -> timedelta:
    """Return how much later than expected a start may come."""
    return max(period / TOLERANCE_SHARE, LEAST_TOLERANCE)


def _expectations(state: Retraining, rules: RetrainingRules) -> Iterator[OverdueFacts]:
    if Missing.START not in state.reported and (found := _period(state, rules)) is not None:
        yield _expected_start(state, found)
    stale = rules.stale(state.ref.type)
    if Missing.COMPLETED not in state.reported and stale is not None:
        last = None if state.last_good is None else state.last_good.ended
        facts = _expected(state, Missing.COMPLETED, last, stale, None)
        # A limit that was written down has no tolerance.
        yield replace(facts, deadline=facts.deadline - tolerance_of(stale))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Period:
    """The time from one start to the next, and where it is known from."""

    period: timedelta
    starts: int | None = None
    by_cycle: bool = False


def _period(state: Retraining, rules: RetrainingRules) -> _Period | None:
    rule = rules.expected(state.ref.type)
    if isinstance(rule, timedelta):
        return _Period(period=rule)
    if rule is not ExpectRule.LEARNED:
        return None
    if state.cycle is not None:
        return _Period(period=state.cycle.period, by_cycle=True)
    learned = learned_period(state.starts)
    return None if learned is None else _Period(period=learned.period, starts=learned.starts)


def _expected_start(state: Retraining, found: _Period) -> OverdueFacts:
    """Return when the next start is expected: of a training, or of an update where the service has a cycle."""
    facts = _expected(state, Missing.START, state.last_start, found.period, found.starts)
    if (cycle := state.cycle) is None:
        return facts
    last = state.latest_start
    # Before the first list of updates, one may have started that no list showed.
    after = cycle.since if last is None else max(last.middle, cycle.since)
    latest = cycle.since if last is None else max(last.before, cycle.since)
    return replace(
        facts,
        last=last,
        expected_at=after + found.period,
        deadline=latest + found.period + tolerance_of(found.period),
        by_cycle=found.by_cycle,
    )


def _expected(
    state: Retraining, missing: Missing, last: Bounds | None, period: timedelta, starts: int | None
) -> OverdueFacts:
    # The latest possible time: a retraining is not reported before it is surely late.
    latest = state.since if last is None else last.before
    return OverdueFacts(
        missing=missing,
        last=last,
        expected_at=(state.since if last is None else last.middle) + period,
        deadline=latest + period + tolerance_of(period),
        period=period,
        starts=starts,
        last_good=state.last_good,
    )
