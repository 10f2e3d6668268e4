"""The web pages for health and metrics; they change nothing."""

from watcher.web.listener import Listener
from watcher.web.pages import Pages, Readiness, build_app
from watcher.web.pinger import Pinger

__all__ = ["Listener", "Pages", "Pinger", "Readiness", "build_app"]
