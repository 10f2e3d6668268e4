"""The settings for the rest of the program: checked, complete and frozen."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from watcher.config.faults import ConfigError, ConfigFault, invalid, quoted
from watcher.config.find_file import implied_state_folder
from watcher.config.models.base import Settings
from watcher.config.models.fields import (
    AccountName,
    AccountUrl,
    Deadline,
    ExpiryAge,
    FailingAfter,
    FilePath,
    Identifier,
    IdleInterval,
    Label,
    Labels,
    Links,
    PlainUrl,
    ReceiverName,
    RetryDelay,
    Service,
    SlackApiUrl,
    SlackChannel,
    ThresholdTime,
    TimeZone,
    TrainType,
    WatchInterval,
)
from watcher.config.models.headers import Headers
from watcher.config.models.monitoring import HeartbeatSettings, WebSettings
from watcher.config.models.retraining import ExpectEvery, StaleAfter, Updates
from watcher.config.models.secret_fields import WebhookUrl, secret_from
from watcher.config.models.state import SQLITE, NoHomeError, StateSettings
from watcher.config.models.stuck import StuckAfter
from watcher.config.secrets import SecretRef
from watcher.core.delivery.state import OnUncertain
from watcher.core.duration import format_duration
from watcher.core.routing.matcher import is_pattern
from watcher.core.routing.routes import FLAP_LIMIT, Route

BASE_URL: Final = "https://aitems.apigw.ntruss.com/api/v1"
"""The address of AiTEMS (page "AiTEMS overview"); requests sign its path too."""


def not_shorter_than(other: str) -> AfterValidator:
    """Return a validator that compares a duration with the earlier field ``other``."""

    def check(value: timedelta, info: ValidationInfo) -> timedelta:
        least = info.data.get(other)
        if isinstance(least, timedelta) and value < least:
            raise invalid(
                f'"{format_duration(value)}" is shorter than {other}, which is "{format_duration(least)}"',
                f'write {info.field_name} = "{format_duration(least)}" or more',
            )
        return value

    return AfterValidator(check)


def _together_with_type(version: str | None, info: ValidationInfo) -> str | None:
    if "type" not in info.data:
        return version
    service = info.data.get("service", "")
    if version is not None and is_pattern(service):
        raise invalid(f"stands beside service = {quoted(service)}", "name the service, or take type and version out")
    if version is None and info.data["type"] is not None:
        raise invalid("is missing beside type", "write both type and version, or neither for the whole service")
    if version is not None and info.data["type"] is None:
        raise invalid("stands without type", "write both type and version, or neither for the whole service")
    return version


def _on_uncertain(value: object) -> object:
    if isinstance(value, str) and value in set(OnUncertain):
        return OnUncertain(value)
    raise invalid("is no such choice", 'write "resend" or "hold"')


class DeliverySettings(Settings):
    """The table ``[delivery]``."""

    first_retry: RetryDelay = timedelta(seconds=5)
    """The first wait after a failed attempt; it doubles with each further one."""
    max_retry: Annotated[RetryDelay, not_shorter_than("first_retry")] = timedelta(hours=1)
    give_up_after: Annotated[ExpiryAge, not_shorter_than("first_retry")] = timedelta(days=3)
    failing_after: FailingAfter = timedelta(minutes=15)
    """A receiver is failing after so long without a success while something waited."""
    on_uncertain: Annotated[OnUncertain, BeforeValidator(_on_uncertain)] = OnUncertain.RESEND
    flap_limit: int = Field(default=FLAP_LIMIT, ge=1, le=100_000)
    """The individual messages for one training in an hour; further events go into digests."""


class IncidentSettings(Settings):
    """The table ``[incident]``: the thresholds that open and close an incident."""

    after_failures: int = Field(default=3, ge=1, le=1000)
    """Failed polls in a row."""
    after: ThresholdTime = timedelta(minutes=1)
    """Time since the first of them."""
    recover_after: int = Field(default=2, ge=1, le=100)
    """Good polls in a row that close the incident."""


class AccountSettings(Settings):
    """A table ``[account.NAME]``."""

    base_url: AccountUrl = BASE_URL
    """Without a slash at the end."""
    access_key: Annotated[SecretRef, secret_from("NCP_ACCESS_KEY")] = Field(examples=['{ env = "NCP_ACCESS_KEY" }'])
    secret_key: Annotated[SecretRef, secret_from("NCP_SECRET_KEY")] = Field(examples=['{ env = "NCP_SECRET_KEY" }'])
    requests_per_second: float = Field(default=1.0, ge=0.01, le=10_000, allow_inf_nan=False)
    max_concurrency: int = Field(default=8, ge=1, le=1000)
    timeout: Deadline = timedelta(seconds=10)
    """A deadline for the whole call."""
    time_zone: TimeZone = "Asia/Seoul"
    """The zone of ``createdDate``; the pages of AiTEMS state none."""
    proxy: PlainUrl | None = None
    ca_file: FilePath | None = None
    client_cert: FilePath | None = None


class WatchSettings(Settings):
    """A table ``[[watch]]``: a whole service, or one training where ``type`` and ``version`` are given."""

    account: AccountName = ""
    """``load`` fills it in where it is missing."""
    service: Service = Field(examples=['"6wxgu1abcde"'])
    type: TrainType | None = None
    version: Annotated[Identifier | None, AfterValidator(_together_with_type)] = None
    name: Label | None = None
    labels: Labels = Field(default_factory=dict)
    links: Links = Field(default_factory=dict, examples=['{ console = "https://host.example/{service}/{version}" }'])
    """Addresses of pages, with names in braces."""
    interval: WatchInterval = timedelta(seconds=30)
    """Between polls while a training is in progress; ``auto`` learns when an end is likely."""
    idle_interval: Annotated[IdleInterval, not_shorter_than("interval")] = timedelta(minutes=5)
    """Between polls while no training is in progress."""
    stuck_after: StuckAfter | None = Field(default=None, examples=['{ learning = "6h" }'])
    """When a training may be stuck; without it, limits are learned."""
    expect_every: ExpectEvery | None = Field(default=None, examples=['{ pop = "1d" }'])
    """How often trainings start, by type; without it, that is learned."""
    stale_after: StaleAfter | None = Field(default=None, examples=['"7d"'])
    """The longest time without a completed training, by type; without it, there is no limit."""
    updates: Updates | None = None
    """Whether the updates of an interval service are polled; without it, they are."""


class WebhookSettings(Settings):
    """A table ``[receiver.NAME]`` with ``kind = "webhook"``."""

    kind: Literal["webhook"]
    fallback: ReceiverName | None = None
    """The receiver that gets the urgent messages while this one is failing."""
    url: WebhookUrl = Field(examples=['"https://host.example/path"'])
    secret: Annotated[SecretRef, secret_from("WEBHOOK_SECRET")] | None = None
    """Without it, deliveries are not signed."""
    headers: Headers = Field(default_factory=dict)
    proxy: PlainUrl | None = None
    ca_file: FilePath | None = None
    client_cert: FilePath | None = None


class SlackWebhookSettings(Settings):
    """A table ``[receiver.NAME]`` with ``kind = "slack-webhook"``."""

    kind: Literal["slack-webhook"]
    fallback: ReceiverName | None = None
    """The receiver that gets the urgent messages while this one is failing."""
    url: Annotated[SecretRef, secret_from("SLACK_WEBHOOK_URL")] = Field(examples=['{ env = "SLACK_WEBHOOK_URL" }'])
    proxy: PlainUrl | None = None
    ca_file: FilePath | None = None
    client_cert: FilePath | None = None


class SlackSettings(Settings):
    """A table ``[receiver.NAME]`` with ``kind = "slack"``."""

    kind: Literal["slack"]
    fallback: ReceiverName | None = None
    """The receiver that gets the urgent messages while this one is failing."""
    token: Annotated[SecretRef, secret_from("SLACK_TOKEN")] = Field(examples=['{ env = "SLACK_TOKEN" }'])
    channel: SlackChannel = Field(examples=['"C0123456789"'])
    api_url: SlackApiUrl = "https://slack.com/api/"
    """With a slash at the end."""
    proxy: PlainUrl | None = None
    ca_file: FilePath | None = None
    client_cert: FilePath | None = None


class LogSettings(Settings):
    """A table ``[receiver.NAME]`` with ``kind = "log"``."""

    kind: Literal["log"]
    fallback: ReceiverName | None = None
    """The receiver that gets the urgent messages while this one is failing."""


ReceiverSettings = WebhookSettings | SlackWebhookSettings | SlackSettings | LogSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A complete configuration without faults."""

    path: Path
    state: StateSettings
    delivery: DeliverySettings
    incident: IncidentSettings
    web: WebSettings
    heartbeat: HeartbeatSettings
    accounts: Mapping[str, AccountSettings]
    watches: tuple[WatchSettings, ...]
    receivers: Mapping[str, ReceiverSettings]
    routes: tuple[Route, ...]
    """In order; the first match takes the event."""

    def store_path(self, environ: Mapping[str, str]) -> Path:
        """Return the file of the store; neither the file nor its folder need exist.

        Raises:
            ConfigError: no folder is known for it.
        """
        try:
            return self.state.sqlite_path(environ, implied_state_folder(self.path))
        except NoHomeError:
            problem = "is not set, and this user has no home folder for the store"
            remedy = f'write "{SQLITE}/var/lib/…" (four slashes), or set $HOME or $STATE_DIRECTORY'
            fault = ConfigFault(file=self.path, line=None, key="state.url", problem=problem, remedy=remedy)
            raise ConfigError([fault]) from None

    def store_url(self, environ: Mapping[str, str]) -> str:
        """Return the store's URL, for readers; there need not be a store yet.

        Raises:
            ConfigError: no folder is known for it.
        """
        return f"{SQLITE}{self.store_path(environ)}"
