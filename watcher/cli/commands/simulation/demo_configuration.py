"""The configuration of the demo: an ordinary one with shorter intervals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

CONSOLE: Final = "console"
MARK: Final = "DEMO"
"""Begins each name in an alert, since people who do not run the demo may get it."""

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
listen = "127.0.0.1:0"
"""

WATCH: Final = """
[[watch]]
service = {service}
name = {name}
interval = "500ms"
idle_interval = "1s"
"""

# A placeholder: the demo gives the daemon its own console receiver under this name.
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
to = {{receivers}}

[[route]]
match = {{{{ kind = "*" }}}}
to = ["{CONSOLE}"]
"""

URL_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {"slack-webhook": "DEMO_SLACK_URL", "webhook": "DEMO_WEBHOOK_URL"}
)
"""The kinds of receivers besides the console, each with the environment variable of its URL."""


def demo_configuration(base_url: str, services: Iterable[tuple[str, str]], kinds: Iterable[str]) -> str:
    """Return the TOML text.

    Args:
        base_url: the URL of the simulator.
        services: id and name of each watched service.
        kinds: the kinds of ``URL_VARIABLES`` that get the default kinds of events.
    """
    chosen = list(kinds)
    parts = [ACCOUNT.format(base_url=json.dumps(base_url))]
    parts += [WATCH.format(service=json.dumps(id_), name=json.dumps(f"{MARK} {name}")) for id_, name in services]
    parts += [CONSOLE_RECEIVER]
    parts += [RECEIVER.format(kind=kind, variable=URL_VARIABLES[kind]) for kind in chosen]
    parts += [ROUTES.format(receivers=json.dumps([CONSOLE, *chosen]))]
    return "".join(parts)
