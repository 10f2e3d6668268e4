"""The table of an account in a configuration for tests."""

from __future__ import annotations

from typing import Final

TABLE: Final = """
[account.{name}]
base_url = "{base_url}"
access_key = {{ env = "NCP_ACCESS_KEY" }}
secret_key = {{ env = "NCP_SECRET_KEY" }}
"""


def account_table(base_url: str, *more: str, name: str = "main") -> str:
    """Return the table of an account whose keys are in the environment, with further lines."""
    return TABLE.format(name=name, base_url=base_url) + "".join(f"{line}\n" for line in more)
