"""The status report as tables and lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from watcher.cli.text.layout import Cell, Column, Table
from watcher.cli.text.output import BAD, FAINT, GOOD, WARN, Screen, cell
from watcher.cli.text.silence import silence_text
from watcher.cli.text.times import LocalTimes, age_text
from watcher.cli.text.trainings import show_trainings
from watcher.core.delivery.state import NEEDS_OPERATOR, State
from watcher.core.event import SHORT_ID_LENGTH
from watcher.core.health.problems import Problem, ProblemCode
from watcher.core.incidents.model import Incident
from watcher.core.plural import counted
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import Cause
from watcher.core.routing.silence import Silence
from watcher.reports.polls import target_text
from watcher.reports.status import PollReport, StatusCondition, StatusReport

if TYPE_CHECKING:
    from watcher.core.delivery.receiver_state import ReceiverState
    from watcher.core.training.retraining import Retraining
    from watcher.store.views import QueueState

WAITING: Final = (State.PENDING, State.SENDING)
MAX_ROWS: Final = 10
"""The longest list of problems, deviations or failed deliveries; the rest is counted."""
MAX_TARGETS: Final = 5
"""The most targets of failing polls that are named; the rest is counted."""
MAX_DETAILS: Final = 3
TEXT_WIDTH: Final = 20
"""The least columns of a text; the rest needs ``--wide``."""
NO_COUNT: Final = Cell("")
COUNTED: Final[Mapping[ProblemCode, str]] = MappingProxyType(
    {ProblemCode.INCIDENT_OPEN: "open incident", ProblemCode.POLL_FAILING: "failing poll"}
)
"""Problems that are only counted in the first lines: their table has one advice for each cause."""
CONDITIONS: Final = MappingProxyType({StatusCondition.OK: GOOD, StatusCondition.NOT_OK: BAD})


def show_status(report: StatusReport, times: LocalTimes, out: Screen) -> None:
    """Write the whole report: the problems first, and the gravest of them again next to the prompt."""
    show_problems(report.problems, out)
    show_trainings(report, times, out)
    show_overdue(report.overdue, times, out)
    _show_queues(report, out)
    _show_deviations(report.deviations, times, out)
    show_polls(report.polls, times, out)
    advised = {polled.state.cause for polled in report.polls if polled.failing}
    show_incidents(report.incidents, advised, times, out)
    _show_failed_deliveries(report, out)
    _show_failing_receivers(report, times, out)
    _show_silences(report.silences, times, out)
    out.line()
    out.line(cell(report.summary, CONDITIONS.get(report.condition, WARN)))


def show_problems(problems: Sequence[Problem], out: Screen) -> None:
    """Write the problems, each with its remedy; those that have a table below are only counted."""
    single = [problem for problem in problems if problem.code not in COUNTED]
    for problem in single[:MAX_ROWS]:
        out.line(cell(problem.text, BAD))
        out.line("  ", cell(problem.remedy))
    if len(single) > MAX_ROWS:
        out.line(f"and {counted(len(single) - MAX_ROWS, 'more problem')}: see aitems-watcher status --json")
    counts = Counter(COUNTED[problem.code] for problem in problems if problem.code in COUNTED)
    if counts:
        text = ", ".join(counted(count, noun) for noun, count in counts.items())
        out.line(cell(f"{text}: see the cause and the advice below", BAD))
    if problems:
        out.line()


def show_overdue(overdue: Sequence[Retraining], times: LocalTimes, out: Screen) -> None:
    """Write the retrainings that are overdue, with their latest start and the version that completed last."""
    if not overdue:
        return
    rows = [
        (
            cell(state.ref.service),
            cell(state.ref.type),
            cell(" and ".join(f"no {item.value}" for item in sorted(state.reported)), WARN),
            Cell("" if (last := state.latest_start) is None else times.bounds(last.after, last.before)),
            cell("" if state.last_good is None else state.last_good.version),
        )
        for state in overdue
    ]
    out.line()
    out.table(Table(("OVERDUE SERVICE", "TYPE", "MISSING", times.heading("LAST START"), "LAST GOOD VERSION"), rows))


def _show_queues(report: StatusReport, out: Screen) -> None:
    table = queue_table(report.queues, report.receivers, report.at)
    if table.rows:
        out.line()
        out.table(table)


def queue_table(queues: Iterable[QueueState], receivers: frozenset[str], now: datetime) -> Table:
    """Return one row per receiver: deliveries by state, and the age of the oldest pending one."""
    by_receiver: dict[str, dict[State, QueueState]] = defaultdict(dict)
    for queue in queues:
        by_receiver[queue.receiver][queue.state] = queue
    columns = (
        *("RECEIVER", Column("DELIVERED", omitted=2), "WAITING", "UNCERTAIN", "OLDEST", "HELD", "DEAD"),
        Column("NOTE", least=TEXT_WIDTH),
    )
    return Table(columns, [_queue_row(name, states, receivers, now) for name, states in sorted(by_receiver.items())])


def _queue_row(
    name: str, states: dict[State, QueueState], receivers: frozenset[str], now: datetime
) -> tuple[Cell, ...]:
    waiting = [states[state] for state in (*WAITING, State.UNCERTAIN) if state in states]
    oldest = min((queue.oldest for queue in waiting), default=None)
    return (
        cell(name),
        _count(states, State.DELIVERED),
        _count(states, *WAITING, style=WARN),
        _count(states, State.UNCERTAIN, style=WARN),
        NO_COUNT if oldest is None else Cell(age_text(now - oldest)),
        _count(states, State.HELD, style=BAD),
        _count(states, State.DEAD, style=BAD),
        Cell("" if name in receivers else "not configured any more", WARN),
    )


def _count(states: dict[State, QueueState], *wanted: State, style: str = "") -> Cell:
    count = sum(states[state].count for state in wanted if state in states)
    return Cell(str(count), style if count else FAINT)


def show_polls(polls: Sequence[PollReport], times: LocalTimes, out: Screen) -> None:
    """Write the failing polls with one remedy for each cause, then the polls that were not attempted yet."""
    by_cause: dict[Cause | None, list[PollReport]] = defaultdict(list)
    for polled in polls:
        if polled.failing:
            by_cause[polled.state.cause].append(polled)
    for cause, failing in by_cause.items():
        out.line()
        _show_failing(cause, failing, times, out)
    untried = [polled for polled in polls if polled.untried]
    if untried:
        out.line()
        out.line(cell(f"not polled yet: {_targets_text(untried)}", WARN))


def _show_failing(cause: Cause | None, failing: Sequence[PollReport], times: LocalTimes, out: Screen) -> None:
    first = min((polled.state.failed_since for polled in failing if polled.state.failed_since), default=None)
    since = "" if first is None else f" since {times.full(first)}"
    attempts = max(polled.state.failures for polled in failing)
    often = "once" if attempts == 1 else f"{attempts} times in a row"
    out.line(cell(f"cannot poll {_targets_text(failing)}{since}, {often}: {cause}", BAD))
    details = list(dict.fromkeys(polled.state.detail for polled in failing if polled.state.detail))
    for detail in details[:MAX_DETAILS]:
        out.line("  ", cell(detail))
    if cause is not None:
        from watcher.core.messages.advice import advice

        out.line("  ", advice(cause))


def _targets_text(polls: Sequence[PollReport]) -> str:
    """Name the targets of polls; of many, the first."""
    several = len({polled.poll.service.account for polled in polls}) > 1
    names = [
        f"{polled.poll.service.account}/{target_text(polled.poll)}" if several else target_text(polled.poll)
        for polled in polls[:MAX_TARGETS]
    ]
    more = len(polls) - MAX_TARGETS
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def show_incidents(
    incidents: Sequence[Incident], advised: Container[Cause | None], times: LocalTimes, out: Screen
) -> None:
    """Write the open incidents, with the advice for each cause that is not among ``advised``."""
    if not incidents:
        return
    from watcher.core.messages.advice import advice

    rows = [
        (
            cell(incident.id[:SHORT_ID_LENGTH]),
            cell(incident.kind, BAD),
            cell(unquote(incident.subject)),
            cell(incident.cause),
            Cell(times.time(incident.since)),
        )
        for incident in incidents
    ]
    out.line()
    out.table(Table(("INCIDENT", "KIND", "ABOUT", "CAUSE", times.heading("SINCE")), rows[:MAX_ROWS]))
    if len(rows) > MAX_ROWS:
        out.line(f"and {len(rows) - MAX_ROWS} more: see aitems-watcher status --json")
    # Many services may fail for one cause: its advice is written once.
    for cause in dict.fromkeys(incident.cause for incident in incidents):
        if cause not in advised:
            out.line("  ", cell(f"{cause}: {advice(cause)}"))


def _show_deviations(deviations: Sequence[Deviation], times: LocalTimes, out: Screen) -> None:
    if not deviations:
        return
    rows = [
        (cell(deviation.description, WARN), Cell(times.time(deviation.seen_at)), cell(unquote(deviation.poll)))
        for deviation in deviations
    ]
    out.line()
    description = Column("DEVIATION FROM THE AITEMS DOCUMENTS", least=TEXT_WIDTH)
    out.table(Table((description, times.heading("SINCE"), "POLL"), rows[:MAX_ROWS]))
    if len(rows) > MAX_ROWS:
        out.line(f"and {len(rows) - MAX_ROWS} more: see aitems-watcher status --json")


def _show_silences(silences: Sequence[Silence], times: LocalTimes, out: Screen) -> None:
    if silences:
        out.line()
    for item in silences:
        out.line(cell(f"silenced by {silence_text(item, times)}", WARN))


def _show_failing_receivers(report: StatusReport, times: LocalTimes, out: Screen) -> None:
    if report.failing_receivers:
        out.line()
        texts = (Column("REASON", least=TEXT_WIDTH), Column("ANSWER", least=TEXT_WIDTH))
        rows = list(_failing_rows(report.failing_receivers, times))
        out.table(Table(("FAILING RECEIVER", times.heading("SINCE"), *texts), rows))
        out.line("  repair it, then run aitems-watcher reload; a secret from env or credential needs a restart")
    for unannounced in report.unannounced:
        from watcher.core.messages.training import compose, plain_text

        title = plain_text(compose(unannounced.event).title)
        out.line(cell(f"no receiver was notified: {title}: {unannounced.reason}", BAD))


def _failing_rows(failing: Iterable[ReceiverState], times: LocalTimes) -> Iterator[tuple[Cell, ...]]:
    from watcher.core.messages.reasons import reason_text

    for item in failing:
        since = "" if item.failing_since is None else times.time(item.failing_since)
        yield cell(item.name, BAD), Cell(since), cell(reason_text(item.reason)), cell(item.answer)


def _show_failed_deliveries(report: StatusReport, out: Screen) -> None:
    if not report.failed_deliveries:
        return
    rows = [
        (cell(item.event_id), cell(item.receiver), cell(item.state, BAD), cell(item.reason))
        for item in report.failed_deliveries[:MAX_ROWS]
    ]
    # The report has the details of some and the count of all.
    count = sum(queue.count for queue in report.queues if queue.state in NEEDS_OPERATOR)
    out.line()
    out.table(Table(("EVENT", "RECEIVER", "STATE", Column("REASON", least=TEXT_WIDTH)), rows))
    if count > len(rows):
        out.line(f"and {count - len(rows)} more: see aitems-watcher deliveries list")
