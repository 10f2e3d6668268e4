"""The lines about outages and open problems, each with who was notified of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from watcher.cli.text.layout import Cell
from watcher.cli.text.output import BAD, FAINT, HEADING, WARN
from watcher.cli.watching.lines import KIND_WIDTH, OverviewLines, plain
from watcher.core.training.absence import Missing
from watcher.reports.overview import OpenKind

if TYPE_CHECKING:
    from watcher.core.incidents.model import Incident
    from watcher.reports.failing_polls import FailingPolls
    from watcher.reports.overview import OpenProblem, ReceiverRow

MOST_PROBLEMS: Final = 20


def show_problems(lines: OverviewLines) -> None:
    """Write the outages, then every other open problem."""
    for outage in lines.page.outages:
        _outage(lines, outage)
    _problems(lines)


def _outage(lines: OverviewLines, outage: Incident) -> None:
    title = lines.t(
        f"outage-{outage.kind.value}",
        what=lines.values["outage_name"](outage),
        time=lines.times.clock(outage.since),
    )
    lines.out.line()
    lines.out.line(plain(title, BAD))
    lines.out.line(plain(lines.t("outage-lasts", age=lines.times.lasts(outage.since), detail=outage.detail)))
    lines.out.line(plain(lines.t("outage-text")))
    if failures := lines.page.failures_of(outage):
        count = plain(lines.t("failed-polls-count", n=failures))
        lines.out.line(plain(lines.t("failed-polls"), FAINT), " ", count)
    if next_poll := lines.page.next_poll_of(outage):
        due = lines.times.age(next_poll) if next_poll > lines.times.now else lines.t("legend-now")
        lines.out.line(plain(lines.t("next-poll"), FAINT), " ", plain(due))
    lines.out.line(plain(lines.values["remedy"](outage)))
    lines.maybe(lines.values["who"](lines.page.outage_events.get(outage.id)))


def _problems(lines: OverviewLines) -> None:
    if not (count := lines.values["problem_count"]):
        return
    lines.heading("other-problems" if lines.page.outages else "open-problems", count)
    for problem in lines.page.watcher_problems:
        _problem(lines, "kind-watcher", lines.t(f"problem-{problem.code.value}"))
        lines.maybe(problem.text)
        lines.maybe(lines.values["problem_remedy"](problem))
    for polls in lines.page.failing_polls:
        _failing_polls(lines, polls)
    for item in lines.values["problems"][:MOST_PROBLEMS]:
        _open_problem(lines, item)
    for receiver in lines.page.failing_receivers:
        _failing_receiver(lines, receiver)
    lines.more(lines.values["problems"], MOST_PROBLEMS)


def _problem(lines: OverviewLines, kind: str, title: object, state: object = "", since: datetime | None = None) -> None:
    style = BAD if kind == f"kind-{OpenKind.FAILED}" else WARN
    parts = [Cell(f"{lines.word(kind):<{KIND_WIDTH}}", style), plain(title, HEADING)]
    if state:
        parts += [Cell(" "), plain(state, style)]
    if since is not None:
        parts += [Cell("  "), plain(lines.times.age(since), FAINT)]
    lines.out.line(*parts)


def _failing_polls(lines: OverviewLines, polls: FailingPolls) -> None:
    subject, state = lines.values["poll_subject"](polls), lines.t("cannot-poll", detail=polls.detail)
    _problem(lines, "kind-polling", subject, state, polls.since)
    lines.maybe(lines.t("failing-polls", n=len(polls.polls)))
    lines.maybe(lines.values["poll_remedy"](polls))


def _open_problem(lines: OverviewLines, item: OpenProblem) -> None:
    title = f"{lines.values['name_of'](item.of)} · {item.of.type}"
    since = item.since if item.overdue is None else item.overdue.expected_at
    _problem(lines, f"kind-{item.kind.value}", title, _state(lines, item), since)
    lines.maybe(_about(lines, item))
    lines.maybe(lines.values["who"](item.event))


def _state(lines: OverviewLines, item: OpenProblem) -> object:
    if item.kind is not OpenKind.OVERDUE:
        return item.status
    return lines.t("no-new-training" if item.missing is Missing.START else "none-completed")


def _about(lines: OverviewLines, item: OpenProblem) -> object:
    if item.kind is OpenKind.STUCK:
        return lines.values["stuck_text"](item)
    if item.kind is OpenKind.FAILED:
        return Markup(" ").join((lines.t("failed-in-a-row", n=item.failures), _last_good(lines, item)))
    seen = "last-start" if item.missing is Missing.START else "last-completed"
    text = lines.t(seen if item.was_seen else "none-seen", time=lines.times.clock(item.since))
    return Markup(" ").join((text, lines.values["due_text"](item, lines.times)))


def _last_good(lines: OverviewLines, item: OpenProblem) -> Markup:
    if item.found_good:
        return lines.t("last-good-found", version=item.found_good)
    if item.last_good is None:
        return lines.t("failed-never-good")
    return lines.t("last-good-old", age=lines.times.lasts(item.last_good.ended.before))


def _failing_receiver(lines: OverviewLines, item: ReceiverRow) -> None:
    if item.failing is None:
        _problem(lines, "kind-receiver", item.name, lines.t("dead-count", n=item.dead))
        lines.maybe(lines.t("needs-decision"))
        return
    state = lines.t("failing", reason=lines.values["reason"](item.failing.reason))
    _problem(lines, "kind-receiver", item.name, state, item.failing.failing_since)
    lines.maybe(lines.t("waiting-count", n=item.waiting))
    lines.maybe(lines.t("remedy-receiver-failing"))
