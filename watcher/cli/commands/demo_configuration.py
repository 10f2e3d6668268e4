"""The configuration of the demo, as a person would write it, only faster."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

CONSOLE: Final = "console"
MARK: Final = "DEMO"
"""Begins each name that is shown, since the alerts of a demo may go to people who do not run it."""

ACCOUNT: Final = """\
[account.demo]
base_url = {base_url}
access_key = {{ env = "NCP_ACCESS_KEY" }}
secret_key = {{ env = "NCP_SECRET_KEY" }}
requests_per_second = 50.0
timeout = "5s"

[state]
url = "sqlite:///watcher.db"

[delivery]
first_retry = "1s"
flap_limit = 1000

[web]
listen = ""
"""

WATCH: Final = """
[[watch]]
service = {service}
name = {name}
interval = "500ms"
idle_interval = "1s"
"""

# The kind is a stand-in: the receiver that writes for people is handed to the daemon under this name.
CONSOLE_RECEIVER: Final = f"""
[receiver.{CONSOLE}]
kind = "log"
"""

RECEIVER: Final = """
[receiver.{kind}]
kind = "{kind}"
url = {{ env = "{variable}" }}
"""

ROUTES: Final = f"""
[[route]]
to = {{everyone}}

[[route]]
match = {{{{ kind = "*" }}}}
to = ["{CONSOLE}"]
"""

URL_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {"slack-webhook": "DEMO_SLACK_URL", "webhook": "DEMO_WEBHOOK_URL"}
)
"""The kinds of receivers that a demo can tell besides the console, and where their addresses stand."""


def demo_configuration(base_url: str, services: Iterable[tuple[str, str]], kinds: Iterable[str]) -> str:
    """Return the TOML text.

    Args:
        base_url: the simulator's.
        services: id and name of each service that is watched.
        kinds: the kinds of ``URL_VARIABLES`` that are told what a first configuration would tell them.
    """
    chosen = list(kinds)
    parts = [ACCOUNT.format(base_url=json.dumps(base_url))]
    parts += [WATCH.format(service=json.dumps(id_), name=json.dumps(f"{MARK} {name}")) for id_, name in services]
    parts += [CONSOLE_RECEIVER]
    parts += [RECEIVER.format(kind=kind, variable=URL_VARIABLES[kind]) for kind in chosen]
    parts += [ROUTES.format(everyone=json.dumps([CONSOLE, *chosen]))]
    return "".join(parts)
