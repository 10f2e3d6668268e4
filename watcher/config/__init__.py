"""TOML to frozen settings: every fault at once, with file, line, key and what to write instead."""

from watcher.config.duration import format_duration, parse_duration
from watcher.config.faults import ConfigError, Fault
from watcher.config.lookup import ConfigNotFoundError, Found, find
from watcher.config.reader import load
from watcher.config.secrets import SecretError, SecretKind, SecretRef, SecretsError
from watcher.config.settings import (
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
from watcher.config.state import StateSettings
from watcher.config.urls import receiver_url_problem
from watcher.config.watching import HeartbeatSettings, WebSettings

__all__ = [
    "AccountSettings",
    "Config",
    "ConfigError",
    "ConfigNotFoundError",
    "DeliverySettings",
    "Fault",
    "Found",
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
