"""Online checks: one signed call per account and watch, and a connection to each receiver, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from watcher.aitems.client import AitemsClient, ServicesResult
from watcher.config import (
    Config,
    LogSettings,
    SecretError,
    SecretRef,
    SecretsError,
    SlackSettings,
    SlackWebhookSettings,
    WebhookSettings,
    receiver_url_problem,
)
from watcher.config.references import references
from watcher.config.to_core import polls_of
from watcher.core.messages.advice import advice
from watcher.core.plural import counted
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import Cause, PollFailure
from watcher.core.routing.matcher import matches_pattern
from watcher.core.secret import Secret, hint
from watcher.http import HttpSettings, HttpSetupError
from watcher.http.probe import probe
from watcher.pipeline.polling.corroborate import ALONE, DOUBTS, LISTED, ListSays, doubted, ids_in, list_says
from watcher.receivers import InvalidReceiverError
from watcher.reports.online import OnlineCheck, failed, passed, unusable
from watcher.reports.plan import poll_of, watch_text
from watcher.reports.receiver_check import history_text, scopes_text
from watcher.wiring.accounts import Budgets, make_api
from watcher.wiring.budget_waits import BudgetUse, saying_waits
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.sources import unreadable
from watcher.wiring.slack_access import access_of

PROBE_SECONDS: Final = 10.0
LONGEST_WAIT: Final = timedelta(minutes=10)
"""The longest wait for the account's budget of requests; a pause that AiTEMS asks for may last longer.

With a budget of one request a second it is enough for 300 lists, each with a request that confirms its end.
"""


PendingCheck = Coroutine[object, object, OnlineCheck]


class AccountCalls:
    """The calls of an account, whose checks share one for the list of services; ``stack`` ends it."""

    def __init__(self, api: AitemsClient, stack: AsyncExitStack) -> None:
        self.list, self.view = api.list, api.view
        self._services = asyncio.create_task(api.services())
        stack.callback(self._services.cancel)

    async def services(self) -> ServicesResult | PollFailure:
        """Return the services, or the failure to list them."""
        # The end of one check must not cancel the call of the others.
        return await asyncio.shield(self._services)


async def online_checks(config: Config, process: Runtime, use: BudgetUse | None = None) -> AsyncIterator[OnlineCheck]:
    """Make all checks at the same time; yield them in the order of the configuration.

    Args:
        config: the accounts, watches and receivers.
        process: has the secrets.
        use: the budgets of requests, which are new by default.
    """
    use = use or BudgetUse()
    async with AsyncExitStack() as stack, saying_waits(use, process.clock):
        checks = [*_account_checks(config, process, stack, use.budgets), *_receiver_checks(config, process, stack)]
        tasks = [asyncio.create_task(check) for check in checks]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()


def _account_checks(
    config: Config, process: Runtime, stack: AsyncExitStack, budgets: Budgets
) -> Iterator[PendingCheck]:

    polls = polls_of(config)
    for name, settings in config.accounts.items():
        try:
            api = AccountCalls(make_api(name, settings, process, stack, budgets, patient=True), stack)
        except (SecretError, HttpSetupError) as error:
            yield _finished(unusable(f"account {name}", error))
            continue
        yield _bounded(f"account {name}", _check_services(f"account {name}", api))
        for watch in config.watches:
            if watch.account == name:
                about = f"watch {watch_text(watch)}"
                yield _bounded(about, _check_poll(about, poll_of(watch, polls), watch.service, api))


async def _finished(check: OnlineCheck) -> OnlineCheck:
    return check


async def _bounded(about: str, check: PendingCheck) -> OnlineCheck:
    """Wait no longer than ``LONGEST_WAIT``; each call also has the account's own deadline."""
    try:
        async with asyncio.timeout(LONGEST_WAIT.total_seconds()):
            return await check
    except TimeoutError:
        detail = f"not sent within {LONGEST_WAIT}: the budget is used up, or AiTEMS asked for a pause"
        return failed(about, detail)


async def _check_services(about: str, api: AccountCalls) -> OnlineCheck:
    answer = await api.services()
    if isinstance(answer, PollFailure):
        return _poll_failed(about, answer)
    detail = f"key accepted, {counted(len(answer.services), 'service')}"
    return passed(about, detail, skew_seconds=_skew(answer.server_date, answer.answered_at))


async def _check_pattern(about: str, pattern: str, api: AccountCalls) -> OnlineCheck:
    answer = await api.services()
    if isinstance(answer, PollFailure):
        return _poll_failed(about, answer)
    matching = sum(matches_pattern(service.ref.service, pattern) for service in answer.services)
    return passed(about, f"matches {matching} of {counted(len(answer.services), 'service')}")


async def _check_poll(about: str, poll: Poll, service: str, api: AccountCalls) -> OnlineCheck:
    if poll.discovers:
        return await _check_pattern(about, service, api)
    answer = await (api.list(poll.service) if poll.training is None else api.view(poll.training))
    if isinstance(answer, PollFailure):
        return _poll_failed(about, await _corroborated(answer, poll, api))
    if poll.training is None:
        detail = f"list: {counted(len(answer.observations), 'training')}"
    else:
        detail = f"view: {answer.observations[0].status}"
    return passed(about, detail)


async def _corroborated(failure: PollFailure, poll: Poll, api: AccountCalls) -> PollFailure:
    """Return a 404 as it is only where AiTEMS lists the trainings or services, and not this one."""
    if failure.cause is not Cause.NOT_FOUND:
        return failure
    says = ListSays.NOT_FOUND
    if poll.training is not None:
        says = list_says(poll.training, await api.list(poll.service))
        if (doubt := DOUBTS.get(says)) is not None:
            return doubted(failure, doubt)
    services = await api.services()
    if isinstance(services, PollFailure):
        return doubted(failure, ALONE)
    is_listed = says is ListSays.NOT_FOUND and poll.service.service in ids_in(services)
    return doubted(failure, LISTED) if is_listed else failure


def _poll_failed(about: str, failure: PollFailure) -> OnlineCheck:
    return OnlineCheck(
        about=about,
        good=False,
        detail=failure.detail,
        cause=failure.cause.value,
        advice=advice(failure.cause),
        skew_seconds=_skew(failure.server_date, failure.ended_at),
    )


def _skew(server_date: datetime | None, now: datetime) -> float | None:
    return None if server_date is None else (server_date - now).total_seconds()


def _receiver_checks(config: Config, process: Runtime, stack: AsyncExitStack) -> Iterator[PendingCheck]:
    for name, settings in config.receivers.items():
        if isinstance(settings, SlackSettings):
            check = _check_bot(name, settings, process, stack)
        else:
            check = _check_receiver(f"receiver {name}", settings, process)
        yield _with_hints(check, dict(references(f"receiver.{name}", settings)), process)


async def _with_hints(pending: PendingCheck, secrets: Mapping[str, SecretRef], process: Runtime) -> OnlineCheck:
    """Add the faults and likely mistakes in a receiver's secrets: a probe sends none, so it does not notice them."""
    check = await pending
    if problems := list(unreadable(secrets.items(), process)):
        is_other = check.unusable and not any(check.detail in problem for problem in problems)
        return unusable(check.about, SecretsError([*problems, *([check.detail] if is_other else [])]))
    return replace(check, advice=". ".join(filter(None, (check.advice, *_hints(secrets, process)))))


def _hints(secrets: Mapping[str, SecretRef], process: Runtime) -> Iterator[str]:
    for key, ref in secrets.items():
        # The check itself names a secret that cannot be read.
        with suppress(SecretError):
            if text := hint(process.secret(ref)):
                yield f"{key} ({ref}) {text}"


async def _check_bot(name: str, settings: SlackSettings, process: Runtime, stack: AsyncExitStack) -> OnlineCheck:

    about = f"receiver {name}"
    try:
        access = await access_of(name, settings, process, stack)
    except (SecretError, HttpSetupError, InvalidReceiverError) as error:
        return unusable(about, error)
    if access.refused is not None:
        return failed(about, access.refused)
    return passed(about, f"{access.identity}; {scopes_text(access)}; {history_text(access)}")


async def _check_receiver(
    about: str, settings: WebhookSettings | SlackWebhookSettings | LogSettings, process: Runtime
) -> OnlineCheck:

    if isinstance(settings, LogSettings):
        return passed(about, "standard output, needs no connection")
    try:
        url = _resolved(settings, process.secret)
        http_settings = HttpSettings(
            timeout_seconds=PROBE_SECONDS,
            proxy=settings.proxy,
            ca_file=settings.ca_file,
            client_cert=settings.client_cert,
            guarded=True,
        )
        result = await probe(url, http_settings)
    except (SecretError, HttpSetupError) as error:
        return unusable(about, error)
    if result.failure is None:
        return passed(about, result.detail)
    return failed(about, result.detail, result.failure.value)


def _resolved(settings: WebhookSettings | SlackWebhookSettings, secret: Callable[[SecretRef], Secret]) -> Secret:
    """Return a receiver's URL.

    Raises:
        SecretError: the URL cannot be read, or is invalid.
    """
    if isinstance(settings.url, str):
        return Secret(settings.url)
    url = secret(settings.url)
    problem = receiver_url_problem(url.reveal())
    if problem is not None:
        raise SecretError(f"the URL in {settings.url} {problem.problem}; {problem.remedy}")
    return url
