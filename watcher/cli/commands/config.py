"""``config schema`` and ``config example``: help with writing a configuration."""

from __future__ import annotations

import sys
from typing import Final

import typer

from watcher.cli.exit_status import ExitStatus, help_end
from watcher.cli.options import HelpOption

SCHEMA_END: Final = help_end(
    "aitems-watcher config schema > aitems-watcher.schema.json",
    "#:schema ./aitems-watcher.schema.json   # as the first line of config.toml, for editors",
    statuses={ExitStatus.OK: ""},
)
EXAMPLE_END: Final = help_end("aitems-watcher config example > config.toml", statuses={ExitStatus.OK: ""})
END: Final = help_end("aitems-watcher config example", "aitems-watcher config schema", statuses={ExitStatus.OK: ""})

group: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@group.callback(epilog=END, add_help_option=False)
def config(wants_help: HelpOption = False) -> None:
    """Print an example or the JSON Schema of the configuration."""


@group.command("schema", epilog=SCHEMA_END)
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    Taplo, Even Better TOML and other editors use it to complete and check a file. `aitems-watcher check` finds more
    faults.
    """
    from watcher.cli.text.output import screen
    from watcher.config.json_schema import config_schema

    screen().json(config_schema())


@group.command("example", epilog=EXAMPLE_END)
def example() -> None:
    """Print an example with every key, its default and its meaning."""
    from watcher.config.example import example_text

    sys.stdout.write(example_text())
