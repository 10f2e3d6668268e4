"""Renders the templates; every value is escaped, and every text comes from the catalogue."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.responses import Response

from watcher import __version__
from watcher.core.messages.text import visible
from watcher.web.cpu_time import spending
from watcher.web.encoded_paths import segment
from watcher.web.html.language.texts import Texts
from watcher.web.html.session import Session
from watcher.web.html.shapes import step_of, strip_paths, time_bar, usual_end
from watcher.web.html.times import PageTimes, duration

HTML_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With no-referrer, a browser sends a form of ours with "Origin: null".
    "Referrer-Policy": "same-origin",
}


def match_text(**values: str) -> str:
    """Return the text of a matcher for the form of a silence; a value with blanks stands in quotes."""
    return shlex.join(f"{key}={value}" for key, value in values.items())


class Renderer:
    """The templates with their functions; every link begins with the base path."""

    def __init__(self, texts: Texts | None = None, base_path: str = "") -> None:
        self._texts = texts or Texts()
        self._base_path = base_path
        self._environment = Environment(
            # The files of a newer version may be installed before the daemon is restarted.
            loader=DictLoader(_templates()),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalized,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["segment"] = lambda text: segment(str(text))
        self._environment.globals.update(
            match_text=match_text,
            t=self._texts,
            duration=lambda length: duration(length, self._texts),
            time_bar=time_bar,
            strip_paths=strip_paths,
            step_of=step_of,
            usual_end=usual_end,
            version=__version__,
        )

    def compile(self) -> None:
        """Compile all templates, where it keeps nothing waiting: together they take a fifth of a second of CPU."""
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def html(self, template: str, session: Session, now: datetime, **values: object) -> str:
        """Return a page.

        Args:
            template: the name of the file.
            session: who asks.
            now: the time of the data, UTC.
            values: what the template shows.
        """
        page = {"nav": "", "live": "", "root": self._base_path, "undelivered": 0, "silenced": 0, **values}
        # The menu marks the present page, or the one above it.
        current = "page" if template == f"{page['nav']}.html" else "true"
        with spending():
            return self._environment.get_template(template).render(
                session=session, times=PageTimes(now, self._texts), current=current, **page
            )

    @property
    def texts(self) -> Texts:
        """The texts in the language of the pages."""
        return self._texts


def _templates() -> dict[str, str]:
    folder = files("watcher.web.html").joinpath("templates")
    return {item.name: item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".html")}


def _finalized(value: object) -> object:
    """Leave what steers a terminal or turns the direction of text out of a page; ``|e`` keeps the value of a form."""
    return visible(value) if type(value) is str else value


def response(html: str, status: HTTPStatus = HTTPStatus.OK, wait_seconds: float = 0.0) -> Response:
    """Return a page as a response, with the policy that forbids every script and style but our own.

    Args:
        html: the page.
        status: the status of the answer.
        wait_seconds: the time after which the client may ask again; zero where it need not wait.
    """
    waits = {"Retry-After": str(math.ceil(wait_seconds))} if wait_seconds else {}
    return Response(html, status, media_type="text/html", headers={**HTML_HEADERS, **waits})
