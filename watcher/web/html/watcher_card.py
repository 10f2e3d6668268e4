"""The card of the watcher: how it polls, and what it knows about itself; the terminal shows the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from watcher.web.html.language.texts import Texts
from watcher.web.html.times import PageTimes

if TYPE_CHECKING:
    from watcher.core.health.daemon_figures import DaemonFigures
    from watcher.reports.status import StatusReport

Row = tuple[Markup, Markup | int]
KILO: Final = 1000
FEW: Final = 10
"""Below it, a number of megabytes has a decimal."""


def watcher_rows(status: StatusReport, texts: Texts, times: PageTimes) -> Sequence[Row]:
    """Return the rows, each with its title and its value."""
    facts = status.daemon.facts
    answered = [polled.state.good_answered_at for polled in status.polls]
    last_poll = max((time for time in answered if time is not None), default=None)
    return [
        (texts("last-poll"), _age(last_poll, texts, times)),
        (texts("last-polls-failed"), sum(polled.failing for polled in status.polls)),
        *(() if facts is None else _of_daemon(facts, texts, times)),
        (texts("trainings-known"), status.totals.total),
        (texts("store"), _store(status, texts, times)),
        (texts("deviations"), len(status.deviations)),
    ]


def _of_daemon(facts: DaemonFigures, texts: Texts, times: PageTimes) -> Iterator[Row]:
    late = facts.lateness_seconds
    yield texts("lateness"), texts("none-yet") if late is None else texts("lateness-text", n=f"{late:.1f}")
    yield texts("requests"), _requests(facts, texts)
    yield texts("heartbeat"), _heartbeat(facts, texts, times)
    yield texts("running-since"), Markup("{}, {}").format(times.clock(facts.started_at), facts.version)


def _requests(facts: DaemonFigures, texts: Texts) -> Markup:
    """Write the requests of the account that is the nearest to its budget."""
    if not facts.requests:
        return texts("none-yet")
    item = max(facts.requests, key=lambda found: found.per_second / found.allowed_per_second)
    rate = texts("requests-text", rate=f"{item.per_second:.2f}", allowed=f"{item.allowed_per_second:g}")
    return rate if len(facts.requests) == 1 else texts("requests-of", account=item.account, rate=rate)


def _heartbeat(facts: DaemonFigures, texts: Texts, times: PageTimes) -> Markup:
    if facts.heartbeat is None:
        return texts("heartbeat-off")
    if facts.heartbeat_at is None:
        return texts("none-yet")
    return texts(f"heartbeat-{facts.heartbeat}", age=times.age(facts.heartbeat_at))


def _store(status: StatusReport, texts: Texts, times: PageTimes) -> Markup:
    facts, newest = status.daemon.facts, None if status.store is None else status.store.newest_backup
    backup = texts("no-backup") if newest is None else texts("backup-made", age=times.age(newest))
    if facts is None or facts.store_bytes is None:
        return backup
    megabytes = facts.store_bytes / KILO / KILO
    size = texts("megabytes", n=f"{megabytes:.1f}" if megabytes < FEW else f"{megabytes:.0f}")
    return Markup("{}, {}").format(size, backup)


def _age(time: datetime | None, texts: Texts, times: PageTimes) -> Markup:
    return texts("none-yet") if time is None else times.age(time)
