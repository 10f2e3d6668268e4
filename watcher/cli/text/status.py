"""The status report as tables and lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from watcher.cli.text.output import BAD, BUSY, FAINT, GOOD, WARN, Cell, Screen, Table, cell
from watcher.cli.text.silence import silence_text
from watcher.cli.text.times import age_text, since_text, time_text
from watcher.core.delivery.model import State
from watcher.core.event import SHORT_ID_LENGTH
from watcher.core.incidents.advice import advice
from watcher.core.incidents.tracker import Incident
from watcher.core.messages.training import compose, plain_text
from watcher.core.polling.deviation import Deviation
from watcher.core.routing.silence import Silence
from watcher.core.training.model import Phase, Snapshot, phase_of
from watcher.reports.polls import target_text
from watcher.reports.status import FailedDelivery, KnownTraining, PollReport, StatusReport

if TYPE_CHECKING:
    from watcher.store.views import QueueState

PHASE_STYLES: Final = {
    Phase.IDLE: "",
    Phase.IN_PROGRESS: BUSY,
    Phase.SUCCEEDED: GOOD,
    Phase.FAILED: BAD,
    Phase.UNKNOWN: WARN,
}
WAITING: Final = (State.PENDING, State.SENDING)
MAX_ROWS: Final = 10
"""The longest table of deviations or failed deliveries; the rest is counted."""
NO_COUNT: Final = Cell("")


def show_status(report: StatusReport, out: Screen) -> None:
    """Write the whole report; problems come last, next to the prompt."""
    _show_trainings(report, out)
    _show_queues(report, out)
    _show_deviations(report.deviations, out)
    show_polls(report.polls, out)
    _show_incidents(report.incidents, out)
    _show_failed_deliveries(report.failed_deliveries, out)
    _show_failing_receivers(report, out)
    _show_store(report, out)
    _show_silences(report.silences, out)
    out.line()
    out.line(Cell(report.summary, BAD if report.problems else GOOD))


def _show_trainings(report: StatusReport, out: Screen) -> None:
    if not report.trainings:
        out.line("no training is recorded yet")
        return
    several = len({item.snapshot.ref.account for item in report.trainings}) > 1
    rows = [_training_row(item, report.at, several_accounts=several) for item in report.trainings]
    out.table(Table(("ACCOUNT", "SERVICE", "TYPE", "VERSION", "STATUS", "SINCE (UTC)", "LAST SEEN", "NOTE"), rows))


def _training_row(item: KnownTraining, now: datetime, *, several_accounts: bool) -> tuple[Cell, ...]:
    snapshot, ref = item.snapshot, item.snapshot.ref
    return (
        cell(ref.account) if several_accounts else Cell(""),
        cell(item.name or ref.service),
        cell(ref.type),
        cell(ref.version),
        status_cell(snapshot),
        cell(since_text(snapshot)),
        cell(age_text(now - item.last_seen)),
        Cell(_note(item), FAINT),
    )


def status_cell(snapshot: Snapshot) -> Cell:
    """Return the recorded status, and the unconfirmed one if there is any."""
    if snapshot.pending is None:
        status = snapshot.status or ""
        return cell(status, PHASE_STYLES[phase_of(status)])
    unconfirmed = f"{snapshot.pending.status}, not confirmed yet"
    return cell(f"{snapshot.status} ({unconfirmed})" if snapshot.status else f"({unconfirmed})", WARN)


def _note(item: KnownTraining) -> str:
    notes = [] if item.watched else ["not watched any more"]
    if item.snapshot.gone:
        notes.append("gone: not found any more")
    elif item.snapshot.absent:
        notes.append("not found by the latest poll")
    return ", ".join(notes)


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
    columns = ("RECEIVER", "DELIVERED", "WAITING", "UNCERTAIN", "OLDEST", "HELD", "DEAD", "NOTE")
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


def show_polls(polls: Sequence[PollReport], out: Screen) -> None:
    """Write each failing poll with its remedy, then the polls that were not attempted yet."""
    for polled in polls:
        if polled.failing:
            out.line()
            _show_failing(polled, out)
    untried = [polled for polled in polls if polled.untried]
    if untried:
        out.line()
        out.line(cell(f"not polled yet: {', '.join(target_text(polled.poll) for polled in untried)}", WARN))


def _show_failing(polled: PollReport, out: Screen) -> None:
    state = polled.state
    since = f" since {time_text(state.failed_since)} UTC" if state.failed_since else ""
    attempts = "once" if state.failures == 1 else f"{state.failures} times in a row"
    out.line(cell(f"cannot poll {target_text(polled.poll)}{since}, {attempts}: {state.cause}", BAD))
    if state.detail:
        out.line("  ", cell(state.detail))
    if state.cause is not None:
        out.line("  ", advice(state.cause))


def _show_incidents(incidents: Sequence[Incident], out: Screen) -> None:
    if not incidents:
        return
    rows = [
        (
            cell(incident.id[:SHORT_ID_LENGTH]),
            cell(incident.kind, BAD),
            cell(unquote(incident.subject)),
            cell(time_text(incident.since)),
            cell(incident.cause),
        )
        for incident in incidents
    ]
    out.line()
    out.table(Table(("INCIDENT", "KIND", "ABOUT", "SINCE (UTC)", "CAUSE"), rows))
    # Many services may fail for one cause: its advice is written once.
    for cause in dict.fromkeys(incident.cause for incident in incidents):
        out.line("  ", cell(f"{cause}: {advice(cause)}"))


def _show_deviations(deviations: Sequence[Deviation], out: Screen) -> None:
    if not deviations:
        return
    rows = [
        (cell(deviation.description, WARN), cell(time_text(deviation.seen_at)), cell(unquote(deviation.poll)))
        for deviation in deviations
    ]
    out.line()
    out.table(Table(("DEVIATION FROM THE AITEMS DOCUMENTS", "SINCE (UTC)", "POLL"), rows[:MAX_ROWS]))
    if len(rows) > MAX_ROWS:
        out.line(f"and {len(rows) - MAX_ROWS} more: see aitems-watcher status --json")


def _show_store(report: StatusReport, out: Screen) -> None:
    problems = [] if report.store is None else report.store.problems
    if problems:
        out.line()
    for problem in problems:
        out.line(cell(problem, BAD))


def _show_silences(silences: Sequence[Silence], out: Screen) -> None:
    if silences:
        out.line()
    for item in silences:
        out.line(cell(f"silenced by {silence_text(item)}", WARN))


def _show_failing_receivers(report: StatusReport, out: Screen) -> None:
    rows = [
        (
            cell(item.name, BAD),
            cell("" if item.failing_since is None else time_text(item.failing_since)),
            cell(item.reason),
            cell(item.answer),
        )
        for item in report.failing_receivers
    ]
    if rows:
        out.line()
        out.table(Table(("FAILING RECEIVER", "SINCE (UTC)", "REASON", "ANSWER"), rows))
        out.line("  repair it, then run aitems-watcher reload; a secret from env or credential needs a restart")
    for unannounced in report.unannounced:
        title = plain_text(compose(unannounced.event).title)
        out.line(cell(f"no receiver was notified: {title}: {unannounced.reason}", BAD))


def _show_failed_deliveries(failed_deliveries: Sequence[FailedDelivery], out: Screen) -> None:
    if not failed_deliveries:
        return
    rows = [
        (cell(item.event_id), cell(item.receiver), cell(item.state, BAD), cell(item.reason))
        for item in failed_deliveries
    ]
    out.line()
    out.table(Table(("EVENT", "RECEIVER", "STATE", "REASON"), rows[:MAX_ROWS]))
    if len(rows) > MAX_ROWS:
        out.line(f"and {len(rows) - MAX_ROWS} more: see aitems-watcher history")
