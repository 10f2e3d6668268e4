"""These tests take the loop of the faster ones beside them."""

from __future__ import annotations

from tests.integration.misbehaviour.conftest import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]
