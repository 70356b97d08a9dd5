"""One browser for the tests of a file; each test opens tabs of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from support import chromium
from support.chromium import Wire


@pytest.fixture(scope="module")
def browser() -> Iterator[str]:
    with chromium.running() as address:
        yield address


@pytest.fixture
async def wire(browser: str) -> AsyncIterator[Wire]:
    async with chromium.browsing(browser) as found:
        yield found
