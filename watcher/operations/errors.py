"""The error of a refused operation."""

from __future__ import annotations


class OperationRefusedError(Exception):
    """The request is invalid or cannot be carried out; nothing was changed. The text names the remedy."""
