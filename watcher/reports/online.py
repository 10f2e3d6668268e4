"""The result of one online check: a call of AiTEMS, or a connection to a receiver."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from math import ceil

from watcher.core.duration import format_duration
from watcher.core.plural import counted
from watcher.core.polling.rate_limit import BudgetWait


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineCheck:
    """The result of one check."""

    about: str
    good: bool
    detail: str
    cause: str | None = None
    advice: str = ""
    unusable: bool = False
    """Whether nothing was tried, because of a missing secret or an invalid setting."""
    skew_seconds: float | None = None
    """The difference of the other side's clock from ours, positive if ahead; ``None`` if unknown."""

    def as_json(self) -> dict[str, object]:
        """Return the check for programs."""
        return asdict(self)


class FirstFailures:
    """Shortens a failure that repeats another one, e.g. of each watch of an account with a rejected key."""

    def __init__(self) -> None:
        self._first: dict[tuple[str | None, str], str] = {}

    def shortened(self, check: OnlineCheck) -> OnlineCheck:
        """Return the check as it is, or with a reference to the first one with the same failure."""
        if check.good:
            return check
        first = self._first.setdefault((check.cause, check.detail), check.about)
        return check if first == check.about else replace(check, detail=f"the same as {first}", advice="")


def passed(about: str, detail: str, *, skew_seconds: float | None = None) -> OnlineCheck:
    """Return a check that succeeded."""
    return OnlineCheck(about=about, good=True, detail=detail, skew_seconds=skew_seconds)


def failed(about: str, detail: str, cause: str | None = None) -> OnlineCheck:
    """Return a check that failed."""
    return OnlineCheck(about=about, good=False, detail=detail, cause=cause)


def unusable(about: str, error: Exception) -> OnlineCheck:
    """Return a check that could not be made: secrets are missing, or a setting is invalid."""
    return OnlineCheck(about=about, good=False, detail="; ".join(f"{error}".splitlines()), unusable=True)


def wait_text(wait: BudgetWait) -> str:
    """Return the line about requests that wait for the budget of their account."""
    if not wait.calls:
        return "calls are in progress; none waits for the budget of its account"
    reason = (
        f"AiTEMS answered {wait.cause}, so the account pauses"
        if wait.cause
        else "the account's requests_per_second allows no more"
    )
    calls = counted(wait.calls, "call waits", "calls wait")
    return f"account {wait.account}: {calls} {format_duration(timedelta(seconds=ceil(wait.seconds)))}: {reason}"
