"""``check --online``: one signed call per account and watch, and the way to each receiver; all at once, all bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from watcher.cli.exit_status import ExitStatus
from watcher.config import (
    Config,
    LogSettings,
    SecretError,
    SecretRef,
    SlackSettings,
    SlackWebhookSettings,
    WebhookSettings,
    receiver_url_problem,
)
from watcher.core.incidents.advice import advice
from watcher.core.plural import counted
from watcher.core.polling.result import PollFailure
from watcher.core.secret import Secret
from watcher.reports.plan import poll_of, watch_text

if TYPE_CHECKING:
    from watcher.aitems.client import AitemsClient
    from watcher.core.polling.plan import Poll
    from watcher.wiring.runtime import Runtime

PROBE_SECONDS: Final = 10.0
LONGEST_WAIT: Final = timedelta(minutes=5)
"""The longest wait for the account's own budget of requests; a pause that AiTEMS asks for may last longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineCheck:
    """What came of trying one thing."""

    about: str
    status: ExitStatus
    detail: str
    cause: str | None = None
    advice: str = ""
    skew_seconds: float | None = None
    """By how much the other side's clock is ahead of ours, where it said."""

    @property
    def good(self) -> bool:
        """Whether it works."""
        return self.status is ExitStatus.OK

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {**asdict(self), "good": self.good, "status": int(self.status)}


Try = Coroutine[object, object, OnlineCheck]


async def online_checks(config: Config, around: Runtime) -> AsyncIterator[OnlineCheck]:
    """Try everything at the same time; give what came of it in the order of the file."""
    async with AsyncExitStack() as stack:
        tries = [*_account_tries(config, around, stack), *_receiver_tries(config, around, stack)]
        tasks = [asyncio.create_task(one) for one in tries]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()


def _account_tries(config: Config, around: Runtime, stack: AsyncExitStack) -> Iterator[Try]:
    from watcher.app import make_api
    from watcher.config.to_core import polls_of
    from watcher.http import HttpSetupError

    polls = polls_of(config)
    for name, settings in config.accounts.items():
        try:
            api = make_api(name, settings, around, stack)
        except (SecretError, HttpSetupError) as error:
            yield _at_once(_unusable(f"account {name}", error))
            continue
        yield _bounded(f"account {name}", _try_services(f"account {name}", api))
        for watch in config.watches:
            if watch.account == name:
                about = f"watch {watch_text(watch)}"
                yield _bounded(about, _try_poll(about, poll_of(watch, polls), api))


async def _at_once(online_check: OnlineCheck) -> OnlineCheck:
    return online_check


def _unusable(about: str, error: Exception) -> OnlineCheck:
    return OnlineCheck(about=about, status=ExitStatus.CONFIG, detail=f"{error}")


async def _bounded(about: str, one: Try) -> OnlineCheck:
    """Wait no longer than ``LONGEST_WAIT``; each call has the account's own deadline besides."""
    try:
        async with asyncio.timeout(LONGEST_WAIT.total_seconds()):
            return await one
    except TimeoutError:
        detail = f"no turn within {LONGEST_WAIT}: the budget, or a pause that AiTEMS asked for, was in the way"
        return OnlineCheck(about=about, status=ExitStatus.FAILED, detail=detail)


async def _try_services(about: str, api: AitemsClient) -> OnlineCheck:
    answer = await api.services()
    if isinstance(answer, PollFailure):
        return _failure_text(about, answer)
    return OnlineCheck(
        about=about,
        status=ExitStatus.OK,
        detail=f"key accepted, {counted(len(answer.services), 'service')}",
        skew_seconds=_skew(answer.server_date, answer.answered_at),
    )


async def _try_poll(about: str, poll: Poll, api: AitemsClient) -> OnlineCheck:
    if poll.discovers:
        return await _try_services(about, api)
    answer = await (api.list(poll.service) if poll.training is None else api.view(poll.training))
    if isinstance(answer, PollFailure):
        return _failure_text(about, answer)
    if poll.training is None:
        detail = f"list: {counted(len(answer.observations), 'training')}"
    else:
        detail = f"view: {answer.observations[0].status}"
    return OnlineCheck(about=about, status=ExitStatus.OK, detail=detail)


def _failure_text(about: str, failure: PollFailure) -> OnlineCheck:
    return OnlineCheck(
        about=about,
        status=ExitStatus.FAILED,
        detail=failure.detail,
        cause=failure.cause.value,
        advice=advice(failure.cause),
        skew_seconds=_skew(failure.server_date, failure.ended_at),
    )


def _skew(server_date: datetime | None, now: datetime) -> float | None:
    return None if server_date is None else (server_date - now).total_seconds()


def _receiver_tries(config: Config, around: Runtime, stack: AsyncExitStack) -> Iterator[Try]:
    for name, settings in config.receivers.items():
        if isinstance(settings, SlackSettings):
            yield _try_bot(name, settings, around, stack)
        else:
            yield _try_receiver(f"receiver {name}", settings, around)


async def _try_bot(name: str, settings: SlackSettings, around: Runtime, stack: AsyncExitStack) -> OnlineCheck:
    from watcher.cli.commands.slack_access import access_of, history_text, scopes_text
    from watcher.http import HttpSetupError
    from watcher.receivers import InvalidReceiverError

    about = f"receiver {name}"
    try:
        access = await access_of(name, settings, around, stack)
    except (SecretError, HttpSetupError, InvalidReceiverError) as error:
        return _unusable(about, error)
    if access.refused is not None:
        return OnlineCheck(about=about, status=ExitStatus.FAILED, detail=access.refused)
    detail = f"{access.identity}; {scopes_text(access)}; {history_text(access)}"
    return OnlineCheck(about=about, status=ExitStatus.OK, detail=detail)


async def _try_receiver(
    about: str, settings: WebhookSettings | SlackWebhookSettings | LogSettings, around: Runtime
) -> OnlineCheck:
    from watcher.http import HttpSettings, HttpSetupError
    from watcher.http.probe import probe

    if isinstance(settings, LogSettings):
        return OnlineCheck(about=about, status=ExitStatus.OK, detail="standard output, nothing to reach")
    try:
        url = _resolved(settings, around.secret)
        way = HttpSettings(
            timeout_seconds=PROBE_SECONDS,
            proxy=settings.proxy,
            ca_file=settings.ca_file,
            client_cert=settings.client_cert,
            guarded=True,
        )
        found = await probe(url, way)
    except (SecretError, HttpSetupError) as error:
        return _unusable(about, error)
    if found.failure is None:
        return OnlineCheck(about=about, status=ExitStatus.OK, detail=found.detail)
    return OnlineCheck(about=about, status=ExitStatus.FAILED, detail=found.detail, cause=found.failure.value)


def _resolved(settings: WebhookSettings | SlackWebhookSettings, secret: Callable[[SecretRef], Secret]) -> Secret:
    """Return a receiver's address.

    Raises:
        SecretError: it cannot be had, or is no address.
    """
    if isinstance(settings.url, str):
        return Secret(settings.url)
    url = secret(settings.url)
    problem = receiver_url_problem(url.reveal())
    if problem is not None:
        raise SecretError(f"the address in {settings.url} {problem.problem}; {problem.remedy}")
    return url
