"""These tests take the fixtures of the faster ones beside them."""

from __future__ import annotations

from tests.integration.store.conftest import path

__all__ = ["path"]
