"""Scenarios run the real shell on virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from support.virtual_time import VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}
