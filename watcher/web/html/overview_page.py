"""The overview: the verdict, open problems, what is in progress, services, receivers and the latest ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import groupby
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

from watcher.core.delivery.state import State
from watcher.core.health.problems import Problem
from watcher.core.messages.advice import advice, store_advice
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.text import visible
from watcher.core.polling.plan import EVERY_SERVICE
from watcher.core.routing.matcher import patterns_of
from watcher.core.routing.silence import Silence
from watcher.core.training.absence import Missing
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.failing_polls import FailingPolls
from watcher.reports.overview import OpenKind, OpenProblem, Overview, ServiceRow
from watcher.reports.status import StatusCondition, StatusReport
from watcher.store.runs.latest import TypeRef
from watcher.store.views import EventHistory
from watcher.web.html.fleet.filter import MOST_LISTED, MOST_ROWS, STATUSES, OverviewFilter, busy_rows, known_labels
from watcher.web.html.fleet.teams import teams
from watcher.web.html.language.texts import Texts
from watcher.web.html.outages import outage_name, polls_remedy
from watcher.web.html.times import PageTimes, duration
from watcher.web.html.watcher_card import watcher_rows

MOST_FLAT: Final = 8
"""So many problems are one list; more are grouped by kind."""
OPEN_GROUPS: Final = 2
MOST_REST: Final = 12
"""Services without a problem that are listed on the overview; more have pages of their own."""
SHOWN_ENDS: Final = 8
EVERY_EVENT: Final = "*"
_NOTIFIED: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.DELIVERED: "notified",
        State.SILENCED: "silenced-for",
        **dict.fromkeys((State.DEAD, State.HELD, State.DROPPED), "not-notified"),
    }
)
"""The text about a delivery by its state; any other is under way."""

_TO_A_SERVICE: Final = (
    ("add-find", "add-find-text"),
    ("add-watch", "add-watch-text"),
    ("add-reload", "add-reload-text"),
)


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """The problems of one kind."""

    kind: OpenKind
    shown: Sequence[OpenProblem]
    count: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class ShownServices:
    """The services of the overview."""

    rows: Sequence[ServiceRow]
    """Those with a problem or a training in progress; of a few services, all."""
    more: int
    """Further ones of these."""
    rest: Sequence[ServiceRow]
    """The others, where they are few."""
    others: int
    """The number of the others, where they have pages of their own."""


def shown_services(services: Sequence[ServiceRow]) -> ShownServices:
    """Return the services that the overview shows, of those that the filter takes."""
    if len(services) <= MOST_ROWS:
        return ShownServices(services, 0, (), 0)
    busy = busy_rows(services)
    quiet = services[len(busy) :]
    few = len(quiet) <= MOST_REST
    return ShownServices(
        busy[:MOST_ROWS], max(len(busy) - MOST_ROWS, 0), quiet if few else (), 0 if few else len(quiet)
    )


def problem_groups(problems: Sequence[OpenProblem], wanted: OverviewFilter) -> list[ProblemGroup]:
    """Return the problems by kind; none where they are one list."""
    if len(problems) <= MOST_FLAT or wanted.status in set(OpenKind):
        return []
    found = [(kind, list(same)) for kind, same in groupby(problems, key=lambda item: item.kind)]
    return [
        ProblemGroup(kind, same[:MOST_ROWS], len(same), number < OPEN_GROUPS)
        for number, (kind, same) in enumerate(found)
    ]


def overview_values(
    page: Overview, wanted: OverviewFilter, texts: Texts, zone: tzinfo | None = None
) -> dict[str, object]:
    """Return the values of the template; ``zone`` is that of its times, ``None`` the machine's."""
    times = PageTimes(page.at, texts, zone)
    services = wanted.shown(page.services)
    shown = {row.service for row in services} if wanted.is_set else page.known_services
    problems = [item for item in page.problems if item.of.service_ref in shown and item.kind in wanted.kinds]
    in_progress = [item for item in page.in_progress if item.snapshot.ref.service_ref in shown]
    condition, is_starting = page.status.condition, page.status.is_starting
    return {
        "nav": "overview",
        "page": page,
        "services": services,
        "listed": shown_services(services),
        "problems": problems,
        "groups": problem_groups(problems, wanted),
        "teams": teams(page),
        "ends": [item for item in page.ends if item.ref.service_ref in shown][:SHOWN_ENDS],
        "statuses": STATUSES,
        "problem_count": len(problems) + page.other_count,
        "in_progress": in_progress,
        "wanted": wanted,
        "filtered": wanted.is_set,
        "known_labels": known_labels(page, wanted),
        "most_rows": wanted.most_rows,
        "most_problems": MOST_LISTED if wanted.status in set(OpenKind) else MOST_FLAT,
        **_verdict(page, condition, len(page.problems) - len(problems), texts, times),
        "watcher_state": _watcher_state(page, texts, is_starting=is_starting),
        "watcher_rows": watcher_rows(page.status, texts, times),
        "steps": _steps(page, condition, texts),
        "steps_title": texts("add-card" if condition is StatusCondition.NOTHING_POLLED else "starting-card"),
        "answers": _answers(page.status),
        "failing_polls": sum(polled.failing for polled in page.status.polls),
        "who": lambda item: notified_text(item, texts),
        "poll_subject": lambda item: _poll_subject(page, item, texts),
        "undelivered": sum(item.dead + item.waiting for item in page.receivers),
        "silenced": len(page.silences),
        "name_of": lambda ref: _name(page.names, ref),
        "stuck_text": lambda item: _stuck_text(page, item, texts),
        "unpolled": page.unpolled,
        "due_text": lambda item, times: _due_text(item, texts, times),
        "outage_name": lambda outage: outage_name(page.names, outage, texts),
        "remedy": lambda outage: advice(outage.cause, texts.words),
        "reason": lambda reason: reason_text(reason, texts.words),
        "poll_remedy": lambda item: polls_remedy(item, texts),
        "problem_remedy": lambda problem: problem_remedy(problem, texts),
        "silence_text": silence_text,
    }


def silence_text(silence: Silence) -> str:
    """Write what a silence matches, e.g. ``service=shop-main type=pop``."""
    found = {key: values for key, values in patterns_of(silence.match).items() if list(values) != [EVERY_EVENT]}
    return " ".join(f"{key}={','.join(values)}" for key, values in found.items()) or "kind=*"


def problem_remedy(problem: Problem, texts: Texts) -> str:
    """Write what an operator does about a problem of the watcher."""
    if problem.store_fault:
        return store_advice(problem.store_fault, texts.words)
    return str(texts(f"remedy-{problem.code.value}").unescape())


def _verdict(
    page: Overview, condition: StatusCondition, elsewhere: int, texts: Texts, times: PageTimes
) -> dict[str, object]:
    """Return the first line; ``elsewhere`` is the number of problems that the filter leaves out."""
    here = page.problem_count - elsewhere
    if not page.problem_count:
        return _verdict_without_problem(page, condition, texts, times)
    polling = _answered_text(page, texts) if page.status.is_starting else _polling_text(page, texts)
    subline = Markup(" ").join((polling, _progress_text(page, texts, times)))
    icon = ("fail", "fail") if page.outages or any(item.failures for item in page.problems) else ("warn", "warn")
    headline = texts("problems-here", n=here, rest=elsewhere) if elsewhere else texts("problems", n=here)
    return {"headline": headline, "icon": icon, "subline": subline}


def _verdict_without_problem(
    page: Overview, condition: StatusCondition, texts: Texts, times: PageTimes
) -> dict[str, object]:
    if condition is StatusCondition.NOTHING_POLLED:
        return {"headline": texts("nothing-polled"), "icon": ("todo", "idle"), "subline": texts("nothing-polled-text")}
    known = _progress_text(page, texts, times) if page.status.totals.total else texts("none-known")
    if condition is StatusCondition.STARTING:
        subline = Markup(" ").join((_answered_text(page, texts), known))
        return {"headline": texts("starting"), "icon": ("learn", "run"), "subline": subline}
    subline = Markup(" ").join((_polling_text(page, texts), known))
    return {"headline": texts("fine"), "icon": ("ok", "ok"), "subline": subline}


def _answers(status: StatusReport) -> bool:
    """Return whether AiTEMS has answered since the start of the daemon, as far as that is known."""
    since = None if status.daemon.facts is None else status.daemon.facts.started_at
    times = (polled.state.good_answered_at for polled in status.polls)
    return any(time is not None and (since is None or time >= since) for time in times)


def _polling_text(page: Overview, texts: Texts) -> Markup:
    return texts("polling", n=page.polled_services)


def _answered_text(page: Overview, texts: Texts) -> Markup:
    """Say how many polls have an answer; the store does not show which of them are of before a restart."""
    polls = page.status.polls
    done = len(polls) - page.untried_polls
    return texts("restarted-text") if done == len(polls) else texts("start-poll-text", done=done, n=len(polls))


def _watcher_state(page: Overview, texts: Texts, *, is_starting: bool) -> tuple[Markup, str]:
    """Return whether the watcher is ready, as ``/readyz`` answers it, and the class of its colour."""
    if page.watcher_problems:
        return texts("has-problem"), "warn"
    if is_starting:
        return texts("not-ready"), "m"
    return (texts("has-reasons"), "warn") if page.status.daemon.reasons else (texts("ready"), "ok")


def _steps(page: Overview, condition: StatusCondition, texts: Texts) -> Sequence[tuple[bool, Markup, Markup]]:
    """Return the steps of a first start, or those to a first service: whether one is done, its title and its text."""
    if condition is StatusCondition.NOTHING_POLLED:
        return [(False, texts(title), texts(text)) for title, text in _TO_A_SERVICE]
    if condition is not StatusCondition.STARTING or page.problem_count or page.status.totals.total:
        return ()
    polls = page.status.polls
    accounts = {item.poll.service.account for item in polls}
    answered = {item.poll.service.account for item in polls if item.state.good_answered_at is not None}
    configured = texts("start-config-text", n=len(accounts), receivers=len(page.receivers))
    return [
        (True, texts("start-config"), configured),
        *((name in answered, texts("start-key", account=name), Markup("")) for name in sorted(accounts)),
        (False, texts("start-poll"), _answered_text(page, texts)),
        (False, texts("start-change"), texts("start-change-text")),
    ]


def notified_text(item: EventHistory | None, texts: Texts) -> Markup:
    """Write who was notified of an event, and who was not; empty where the event is not known."""
    if item is None:
        return Markup("")
    groups: dict[str, list[str]] = {}
    for outcome in item.delivery_outcomes:
        groups.setdefault(_NOTIFIED.get(outcome.state, "not-yet-notified"), []).append(outcome.receiver)
    if not groups:
        return texts("not-routed" if item.routed_at is None else "nobody-notified")
    return Markup(", ").join(
        texts(key, names=Markup(", ").join(Markup("<b>{}</b>").format(name) for name in groups[key]))
        for key in ("notified", "not-yet-notified", "not-notified", "silenced-for")
        if key in groups
    )


def _progress_text(page: Overview, texts: Texts, times: PageTimes) -> Markup:
    count = len(page.in_progress)
    if not count:
        return texts("nothing-in-progress")
    unpolled = page.unpolled
    ends = [
        item.progress.expected.times.median
        for item in page.in_progress
        if item.progress is not None
        and item.progress.expected is not None
        and item.progress.expected.times is not None
        and item.snapshot.ref not in unpolled
    ]
    if not ends:
        return texts("in-progress-count", n=count)
    return texts("next-end", n=count, time=times.clock(min(ends)))


def _stuck_text(page: Overview, problem: OpenProblem, texts: Texts) -> Markup:
    training = next((item for item in page.in_progress if item.snapshot.ref == problem.ref), None)
    run = None if training is None else training.snapshot.run
    if training is None or run is None:
        return Markup("")
    entered = run.stage.entered
    lasts = texts("stuck-for", age=duration(page.at - (problem.since if entered is None else entered.middle), texts))
    usual = None if training.progress is None else training.progress.usual
    if usual is None:
        return lasts
    low, high = duration(usual.low, texts), duration(usual.high, texts)
    return Markup(" ").join((lasts, texts("stuck-usual", low=low, high=high, n=usual.runs)))


def _due_text(problem: OpenProblem, texts: Texts, times: PageTimes) -> Markup:
    """Write when a missing training was due, and by which rule; empty where its event is not known."""
    facts = problem.overdue
    if facts is None:
        return Markup("")
    if facts.missing is Missing.COMPLETED:
        rule = "due-stale"
    elif facts.by_cycle:
        rule = "due-cycle"
    else:
        rule = "due-expect-every" if facts.starts is None else "due-learned"
    return texts(rule, time=times.clock(facts.expected_at), period=duration(facts.period, texts), n=facts.starts or 0)


def _name(names: Mapping[ServiceRef, str], ref: TrainingRef | TypeRef) -> str:
    return names.get(ref.service_ref) or ref.service


def _poll_subject(page: Overview, item: FailingPolls, texts: Texts) -> Markup:
    """Name the service of a failing poll, or the account of several."""
    services = {polled.poll.service for polled in item.polls}
    if len(services) == 1:
        (service,) = services
        if service.service == EVERY_SERVICE:
            return texts("all-services", account=item.account)
        return Markup("{}").format(visible(page.names.get(service) or service.service))
    return texts("outage-account", account=item.account)
