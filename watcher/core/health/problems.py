"""The problems of the watcher, the gravest first: ``status``, ``doctor`` and ``/readyz`` agree on them.

The reasons of ``/readyz`` are problems. The others are no reason there: the process that answers is alive, and an
announced outage of AiTEMS does not make the watcher unready.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.health.daemon_figures import DaemonFigures, read_figures
from watcher.core.health.readiness import NotReady, NotReadyReason


class ProblemCode(StrEnum):
    """The codes of problems, the gravest first.

    A reason of ``/readyz`` has the same code here, except those that pass by themselves (``NO_PROBLEM``).
    """

    NO_DAEMON = "no-daemon"
    DAEMON_SILENT = "daemon-silent"
    STORE_UNREADABLE = "store-unreadable"
    STORE_FAILING = "store-failing"
    LOOP_LATE = "loop-late"
    EVENTS_UNROUTED = "events-unrouted"
    RECEIVER_FAILING = "receiver-failing"
    PROBLEM_UNANNOUNCED = "problem-unannounced"
    DEAD_LETTERS_UNANNOUNCED = "dead-letters-unannounced"
    INCIDENT_OPEN = "incident-open"
    POLL_FAILING = "poll-failing"
    DELIVERY_FAILED = "delivery-failed"
    STORE_RESTORED = "store-restored"
    BACKUP_MISSING = "backup-missing"
    WEB_NOT_LISTENING = "web-not-listening"


RANKS: Final[Mapping[ProblemCode, int]] = MappingProxyType({code: rank for rank, code in enumerate(ProblemCode)})
NO_PROBLEM: Final = frozenset({NotReady.FIRST_ROUND})
"""Reasons of ``/readyz`` that pass by themselves; ``status`` names the polls that were not attempted yet."""
KNOWN_TO_DAEMON: Final = frozenset({NotReady.STORE, NotReady.STORE_FAILING, NotReady.LOOP})
"""Reasons that only the daemon can know; the others can be read in its store."""
NO_ALERTS: Final = frozenset({NotReady.STORE, NotReady.STORE_FAILING, NotReady.EVENTS_UNROUTED})
"""Reasons for which no alert goes out, whatever the receivers answer."""

REMEDIES: Final[Mapping[ProblemCode, str]] = MappingProxyType(
    {
        ProblemCode.NO_DAEMON: "systemctl start aitems-watcher, or aitems-watcher run",
        ProblemCode.DAEMON_SILENT: "systemctl restart aitems-watcher if it hangs; see its log",
        ProblemCode.STORE_UNREADABLE: (
            "see the log of the daemon; put a moved file or folder back, or stop the daemon and restore a backup"
        ),
        ProblemCode.STORE_FAILING: "free some space, or check the disk and its mount; the daemon continues by itself",
        ProblemCode.LOOP_LATE: "check the load of this machine; systemctl restart aitems-watcher if it hangs",
        ProblemCode.EVENTS_UNROUTED: "the log of the daemon has the cause at routing.failed",
        ProblemCode.RECEIVER_FAILING: "aitems-watcher test RECEIVER shows its answer; repair it, then reload",
        ProblemCode.PROBLEM_UNANNOUNCED: "repair a receiver, or add a second one",
        ProblemCode.DEAD_LETTERS_UNANNOUNCED: "aitems-watcher deliveries list --state dead",
        ProblemCode.INCIDENT_OPEN: "aitems-watcher status has the advice",
        ProblemCode.POLL_FAILING: "aitems-watcher status has the advice",
        ProblemCode.DELIVERY_FAILED: "aitems-watcher deliveries list, then deliveries retry or drop",
        ProblemCode.STORE_RESTORED: "inspect the replaced files, then remove them",
        ProblemCode.BACKUP_MISSING: "see docs/backup.md",
        ProblemCode.WEB_NOT_LISTENING: "free the address of [web] listen, or set another one and restart",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem in one line."""

    code: ProblemCode
    text: str
    store_fault: str = ""
    """The code of a write fault of the store, which has a remedy of its own."""

    @property
    def remedy(self) -> str:
        """The action of an operator."""
        if not self.store_fault:
            return REMEDIES[self.code]
        from watcher.core.messages.advice import store_advice  # noqa: PLC0415 - loads the texts of every advice

        return store_advice(self.store_fault)


class DaemonState(StrEnum):
    """The state of the daemon of a store, as another process finds it."""

    RUNNING = "running"
    ABSENT = "absent"
    SILENT = "silent"
    """It may run, but does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonHealth:
    """The answer of a daemon about itself."""

    state: DaemonState
    detail: str = ""
    """The reason why it does not answer."""
    reasons: Sequence[NotReadyReason] = ()
    """Its reasons of ``/readyz``."""
    problems: Sequence[Problem] = ()
    """Its other problems, which only it can know."""
    facts: DaemonFigures | None = None
    """``None`` where no daemon runs, or one of an older version."""


RUNNING: Final = DaemonHealth(state=DaemonState.RUNNING)


def worst_first(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems in the order of their codes; those of one code keep their order."""
    return sorted(problems, key=lambda problem: RANKS[problem.code])


def problem_of(reason: NotReadyReason) -> Problem:
    """Return a reason of ``/readyz`` as a problem."""
    return Problem(code=ProblemCode(reason.code.value), text=reason.detail, store_fault=reason.store_fault)


def stops_alerts(health: DaemonHealth) -> list[Problem]:
    """Return the problems of a daemon for which no alert goes out, the gravest first."""
    return worst_first(problem_of(reason) for reason in health.reasons if reason.code in NO_ALERTS)


def health_json(health: DaemonHealth) -> dict[str, object]:
    """Return the answer of a daemon about itself for the control socket."""
    return {
        "facts": None if health.facts is None else health.facts.as_json(),
        "reasons": [
            {"reason": reason.code.value, "detail": reason.detail, "store_fault": reason.store_fault}
            for reason in health.reasons
        ],
        "problems": [{"problem": problem.code.value, "detail": problem.text} for problem in health.problems],
    }


def read_health(answer: Mapping[str, object]) -> DaemonHealth:
    """Read the answer of a daemon.

    Raises:
        ValueError: the daemon is of another version, with another answer.
    """
    reasons, problems = answer.get("reasons"), answer.get("problems", [])
    if not isinstance(reasons, list) or not isinstance(problems, list):
        raise ValueError("no list of reasons")  # noqa: TRY004 - an answer of another version
    return DaemonHealth(
        state=DaemonState.RUNNING,
        reasons=tuple(
            NotReadyReason(
                code=NotReady(item["reason"]),
                detail=str(item["detail"]),
                store_fault=str(item.get("store_fault", "")),
            )
            for item in reasons
        ),
        problems=tuple(Problem(code=ProblemCode(item["problem"]), text=str(item["detail"])) for item in problems),
        facts=read_figures(answer.get("facts")),
    )
