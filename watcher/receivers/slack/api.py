"""Single calls of Slack's Web API, each with the present token."""

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
from watcher.receivers.slack.errors import SlackAnswer, read_answer, read_status

log = structlog.get_logger()

JSON: Final = "application/json; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded"
"""Every method accepts forms; some of the methods that read do not accept JSON."""
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of Slack."""

    answer: SlackAnswer
    document: Mapping[str, Any]
    """Empty where the body is no JSON object, or was lost."""
    scopes: tuple[str, ...]
    """The token's scopes; empty where Slack does not name them."""

    @property
    def good(self) -> bool:
        """Whether Slack carried out the call; the HTTP status alone does not show it."""
        return self.answer.accepted


class SlackApi:
    """The Web API of one workspace, called with one token."""

    def __init__(self, http: HttpClient, base_url: str, token: Callable[[], Secret]) -> None:
        self._http = http
        self._base_url = base_url
        self._source = token
        self._token = token()
        self.ahead = timedelta()
        """The time by which our clock is ahead of Slack's, from its latest answer."""

    async def post(self, method: str, document: Mapping[str, object]) -> Reply | Outcome:
        """Call a method that writes."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return await self._call(method, JSON, body, reads_only=False)

    async def get(self, method: str, arguments: Mapping[str, str] = NOTHING) -> Reply | Outcome:
        """Call a method that reads."""
        return await self._call(method, FORM, urlencode(arguments).encode(), reads_only=True)

    async def _call(self, method: str, content_type: str, body: bytes, *, reads_only: bool) -> Reply | Outcome:
        token = self._current_token()
        authorization = Secret(f"Bearer {token.reveal()}")
        headers: dict[str, str | Secret] = {"content-type": content_type, "authorization": authorization}
        redactor = redactor_for(None, [token])
        call = await self._http.call(
            HttpRequest(
                method="POST",
                url=f"{self._base_url}{method}",
                headers=headers,
                body=body,
                reads_only=reads_only,
                # A message that a closed connection leaves uncertain would be sent twice, or marked in vain.
                own_connection=not reads_only,
            )
        )
        if not isinstance(call, Answered):
            # Slack's own words alone confirm a post here, but a status such as 429 says enough.
            answer = read_status(call, redactor, confirms=False)
            if answer is None:
                return outcome_without_answer(call, redactor)
            return Reply(answer=answer, document=NOTHING, scopes=())
        date = server_date(call.headers, call.answered_at)
        self.ahead = self.ahead if date is None else max(call.answered_at - date, timedelta())
        document = _document(call.body)
        return Reply(answer=read_answer(call, redactor, document), document=document, scopes=_scopes(call))

    def _current_token(self) -> Secret:
        """Return the present token, or the last one while its file is being replaced."""
        try:
            self._token = self._source()
        except Exception as error:  # noqa: BLE001 - a source of secrets may raise anything
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
