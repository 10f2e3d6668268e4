"""HTTP requests of the program; all of them go through ``HttpClient.call``."""

from watcher.http.client import KEPT_TRIES, HttpClient, is_idle_closed
from watcher.http.environment_proxy import is_loopback
from watcher.http.exchange import (
    Answered,
    FailureReason,
    Headers,
    HttpRequest,
    HttpResult,
    HttpSettings,
    HttpSetupError,
    LargeBody,
    MaybeSent,
    NotSent,
    Signer,
)
from watcher.http.fields import content_encoding, retry_after_seconds, server_date

__all__ = [
    "KEPT_TRIES",
    "Answered",
    "FailureReason",
    "Headers",
    "HttpClient",
    "HttpRequest",
    "HttpResult",
    "HttpSettings",
    "HttpSetupError",
    "LargeBody",
    "MaybeSent",
    "NotSent",
    "Signer",
    "content_encoding",
    "is_idle_closed",
    "is_loopback",
    "retry_after_seconds",
    "server_date",
]
