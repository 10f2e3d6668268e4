"""Links of a watch: templates of addresses, filled in for one training or service."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Final
from urllib.parse import quote

PLACEHOLDERS: Final = ("account", "service", "name", "type", "version")
"""The names that a template may contain in braces; ``name`` is the service's name, or else its id."""


def placeholders_in(template: str) -> tuple[str, ...]:
    """Return the names between braces.

    Raises:
        ValueError: the braces are not in pairs, or hold more than a name, such as a format.
    """
    fields = [field for field in Formatter().parse(template) if field[1] is not None]
    if any(format_spec or conversion for _, _, format_spec, conversion in fields):
        raise ValueError("a format or a conversion stands beside a name")
    return tuple(str(name) for _, name, _, _ in fields)


def filled_in(templates: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    """Return the addresses; a template that needs a missing value is left out, e.g. the version of a service.

    Args:
        templates: an address with names in braces, by the name of the link.
        values: the values by their names, encoded here for a path.
    """
    encoded = {name: quote(value, safe="") for name, value in values.items() if value}
    return {
        link: template.format_map(encoded)
        for link, template in templates.items()
        if set(placeholders_in(template)) <= encoded.keys()
    }
