"""Completes decisions about runs from earlier runs: comparisons of ended ones, limits of those in progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from watcher.core.batch import NotSavedError
from watcher.core.durations.current_run import CurrentRun
from watcher.core.durations.past_runs import Outcome
from watcher.core.event import Event, Kind, event_id
from watcher.core.training.comparison import Pace, StuckFacts
from watcher.core.training.decision import Decision, DecisionReason
from watcher.core.training.earlier_runs import (
    EarlierRuns,
    RunGroup,
    RunsWanted,
    Samples,
    compared,
    end_facts,
    learned_limits,
    usual_facts,
)
from watcher.core.training.model import Snapshot
from watcher.core.training.run import EndedRun, hpo_of
from watcher.pipeline.polling.runs.known_samples import KnownSamples
from watcher.pipeline.ports import Clock, PollingStore

log = structlog.get_logger()

REPORTS = frozenset({Kind.STUCK, Kind.UNSTUCK})


class RunComparer:
    """Compares runs with earlier ones, before they are recorded.

    Args:
        poll_store: has the recorded runs.
        clock: the machine's clocks.
    """

    def __init__(self, poll_store: PollingStore, clock: Clock) -> None:
        self._poll_store = poll_store
        self._clock = clock
        self._known = KnownSamples()
        self._is_failing = False
        """Whether the runs could not be read last."""

    async def complete(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        """Return the decisions with what earlier runs say; without it where these cannot be read.

        Raises:
            NotSavedError: the store can neither be read nor written for a while, so it is to be decided again.
        """
        wanted = _wanted(decisions)
        if not wanted:
            return decisions
        now = self._clock.utc_now()
        try:
            groups = await self._groups_of(wanted, now)
        except NotSavedError:
            raise
        except Exception as error:  # noqa: BLE001 - a message that says less is better than none
            # Each poll of a training without limits comes here again.
            self._note(repr(error))
            return decisions
        self._note(None)
        self._known.forget(item.ended_run.ref for item in decisions if item.ended_run is not None)
        return [self._complete(item, groups) for item in decisions]

    def _note(self, problem: str | None) -> None:
        """Log that the runs cannot be read any more, or can be read again."""
        if problem is not None and not self._is_failing:
            log.error("runs.not_compared", problem=problem)
        elif problem is None and self._is_failing:
            log.info("runs.compared_again")
        self._is_failing = problem is not None

    async def _groups_of(self, wanted: Mapping[RunGroup, RunsWanted], now: datetime) -> Mapping[RunGroup, _Group]:
        known = {group: samples for group in wanted if (samples := self._known.of(group, now)) is not None}
        lacking = {group: known[group].beyond(runs) if group in known else runs for group, runs in wanted.items()}
        read = await self._read({group: runs for group, runs in lacking.items() if runs}, now)
        groups: dict[RunGroup, _Group] = {}
        for group in wanted:
            earlier, samples = read.get(group, EarlierRuns()), known.get(group)
            if samples is None:
                samples = Samples(earlier, now)
                self._known.keep(group, samples, now)
            else:
                samples.add(earlier, now)
            groups[group] = _Group(earlier, samples)
        return groups

    async def _read(self, wanted: Mapping[RunGroup, RunsWanted], now: datetime) -> Mapping[RunGroup, EarlierRuns]:
        return await self._poll_store.earlier_runs(wanted, now) if wanted else {}

    def _complete(self, decision: Decision, groups: Mapping[RunGroup, _Group]) -> Decision:
        group = groups.get(group_of(decision.snapshot)) if _needs_runs(decision) else None
        if group is None:
            return decision
        if decision.event is not None and decision.ended_run is not None and decision.ended_run.is_end:
            return self._with_comparison(decision, decision.event, decision.ended_run, group)
        run = decision.snapshot.run
        if run is not None and run.limits is None:
            snapshot = replace(
                decision.snapshot, run=replace(run, limits=learned_limits(run, group.samples, self._clock.utc_now()))
            )
            decision = replace(decision, snapshot=snapshot)
        event = self._with_usual(decision.event, run, group.samples)
        return decision if event is decision.event else replace(decision, event=event)

    def _with_comparison(self, decision: Decision, event: Event, run: EndedRun, group: _Group) -> Decision:
        config = _config_of(decision.snapshot)
        comparison = compared(run, group.earlier, group.samples, config)
        group.earlier = group.earlier.with_run(run, config)
        event = replace(event, comparison=comparison)
        if comparison.pace is not Pace.FAST:
            return replace(decision, event=event)
        seq = event.seq + 1
        fast = replace(
            event,
            id=event_id(self._poll_store.epoch, event.subject, seq),
            seq=seq,
            kind=Kind.FAST,
            reason=DecisionReason.TOOK_SHORT.value,
        )
        return replace(decision, event=event, fast=fast, snapshot=replace(decision.snapshot, seq=seq))

    def _with_usual(self, event: Event | None, run: CurrentRun | None, samples: Samples) -> Event | None:
        if event is None or event.stuck is None or run is None or event.kind not in REPORTS:
            return event
        status = event.from_status or run.stage.status
        usual = samples.usual if event.stuck.whole_run else usual_facts(samples.stage(status))
        stuck: StuckFacts = replace(event.stuck, usual=usual)
        end = end_facts(run, samples, self._clock.utc_now()) if event.kind is Kind.UNSTUCK else None
        return replace(event, stuck=stuck, expected_end=end)


@dataclass(slots=True)
class _Group:
    """The earlier runs of a group, with those that the same answer has ended."""

    earlier: EarlierRuns
    samples: Samples


def _wanted(decisions: Iterable[Decision]) -> dict[RunGroup, RunsWanted]:
    by_group: dict[RunGroup, list[Decision]] = {}
    for decision in decisions:
        if _needs_runs(decision):
            by_group.setdefault(group_of(decision.snapshot), []).append(decision)
    return {group: _wanted_by(own) for group, own in by_group.items()}


def _wanted_by(decisions: Sequence[Decision]) -> RunsWanted:
    ended = [decision.ended_run for decision in decisions if decision.ended_run is not None]
    return RunsWanted(
        failed=any(run.outcome is Outcome.FAILED for run in ended),
        streak=bool(ended),
        stages=frozenset().union(*map(_stages_of, decisions)),
    )


def _needs_runs(decision: Decision) -> bool:
    event, run = decision.event, decision.snapshot.run
    if (decision.ended_run is not None and decision.ended_run.is_end) or (run is not None and run.limits is None):
        return True
    return event is not None and event.kind in REPORTS


def _stages_of(decision: Decision) -> set[str]:
    event, run = decision.event, decision.snapshot.run
    present = set() if run is None else {run.stage.status}
    left = {event.from_status} if event is not None and event.kind is Kind.UNSTUCK and event.from_status else set()
    return present | left


def group_of(snapshot: Snapshot) -> RunGroup:
    """Return the group of runs that a training's run resembles."""
    ref = snapshot.ref
    return RunGroup(ref.account, ref.service, ref.type, hpo_of(snapshot.record))


def _config_of(snapshot: Snapshot) -> Mapping[str, object] | None:
    config = snapshot.record.get("hpConfig")
    return config if isinstance(config, Mapping) else None
