"""Turn a TOML file into frozen settings, or into all its faults with file, line, key and remedy."""

from watcher.config.faults import ConfigError, ConfigFault
from watcher.config.find_file import ConfigFile, ConfigNotFoundError, find
from watcher.config.models.monitoring import HeartbeatSettings, WebSettings
from watcher.config.models.settings import (
    AccountSettings,
    Config,
    DeliverySettings,
    IncidentSettings,
    LogSettings,
    ReceiverSettings,
    SlackSettings,
    SlackWebhookSettings,
    WatchSettings,
    WebhookSettings,
)
from watcher.config.models.state import StateSettings
from watcher.config.models.urls import receiver_url_problem
from watcher.config.reader import load
from watcher.config.secrets import SecretError, SecretKind, SecretRef, SecretsError
from watcher.core.duration import format_duration, parse_duration

__all__ = [
    "AccountSettings",
    "Config",
    "ConfigError",
    "ConfigFault",
    "ConfigFile",
    "ConfigNotFoundError",
    "DeliverySettings",
    "HeartbeatSettings",
    "IncidentSettings",
    "LogSettings",
    "ReceiverSettings",
    "SecretError",
    "SecretKind",
    "SecretRef",
    "SecretsError",
    "SlackSettings",
    "SlackWebhookSettings",
    "StateSettings",
    "WatchSettings",
    "WebSettings",
    "WebhookSettings",
    "find",
    "format_duration",
    "load",
    "parse_duration",
    "receiver_url_problem",
]
