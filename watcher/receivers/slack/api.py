"""Single calls of Slack's Web API through the HTTP seam, each with the token as it is at that moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

import structlog

from watcher.core.delivery.model import Outcome
from watcher.core.secret import Secret
from watcher.http import Answered, HttpClient, HttpRequest, server_date
from watcher.receivers.responses import outcome_without_answer, redactor_for
from watcher.receivers.slack.errors import SlackAnswer, read_answer

log = structlog.get_logger()

JSON: Final = "application/json; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded"
"""Every method takes forms; of those that read, not every one takes JSON."""
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer."""

    answer: SlackAnswer
    document: Mapping[str, Any]
    """Empty where the body is no JSON object."""
    scopes: tuple[str, ...]
    """What the token may do, where Slack says so."""

    @property
    def good(self) -> bool:
        """Whether Slack did what was asked: a status alone says nothing."""
        return self.answer.accepted


class SlackApi:
    """One workspace, seen with one token."""

    def __init__(self, http: HttpClient, base_url: str, token: Callable[[], Secret]) -> None:
        self._http = http
        self._base_url = base_url
        self._source = token
        self._token = token()
        self.ahead = timedelta()
        """By how much our clock is before Slack's, by its latest answer."""

    async def post(self, method: str, document: Mapping[str, object]) -> Reply | Outcome:
        """Call a method that writes."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return await self._call(method, JSON, body)

    async def ask(self, method: str, arguments: Mapping[str, str] = NOTHING) -> Reply | Outcome:
        """Call a method that reads."""
        return await self._call(method, FORM, urlencode(arguments).encode())

    async def _call(self, method: str, content_type: str, body: bytes) -> Reply | Outcome:
        token = self._current_token()
        authorization = Secret(f"Bearer {token.reveal()}")
        headers: dict[str, str | Secret] = {"content-type": content_type, "authorization": authorization}
        redactor = redactor_for(None, [token])
        call = await self._http.call(
            HttpRequest(method="POST", url=f"{self._base_url}{method}", headers=headers, body=body)
        )
        if not isinstance(call, Answered):
            return outcome_without_answer(call, redactor)
        date = server_date(call.headers)
        self.ahead = self.ahead if date is None else max(call.answered_at - date, timedelta())
        document = _document(call.body)
        return Reply(answer=read_answer(call, redactor, document), document=document, scopes=_scopes(call))

    def _current_token(self) -> Secret:
        """Return the token as it is now; while its file is being replaced, as it was."""
        try:
            self._token = self._source()
        except Exception as error:  # noqa: BLE001 - whatever a source of secrets raises
            log.warning("secret.read_failed", problem=str(error))
        return self._token


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return NOTHING
    return data if isinstance(data, dict) else NOTHING


def _scopes(answered: Answered) -> tuple[str, ...]:
    given = answered.headers.get("x-oauth-scopes", "")
    return tuple(sorted(scope for part in given.split(",") if (scope := part.strip())))
