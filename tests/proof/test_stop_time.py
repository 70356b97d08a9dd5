"""A stop keeps its time whatever hangs, with real servers: from the signal to the end of the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import stop_lab
from support.stop_lab import Servers

WORST = 1.0
"""Of `stop_timeout`."""


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with stop_lab.servers(with_kafka=True) as found:
        yield found


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("CLI-30")
@pytest.mark.parametrize("part", [*stop_lab.ALONE, stop_lab.ALL])
def test_a_stop_ends_within_its_time(part: str, servers: Servers) -> None:
    seconds = stop_lab.measure(servers, part)
    print(f"{part:26} {seconds:7.2f} s, {seconds / stop_lab.STOP_TIMEOUT:.2f} of stop_timeout")
    assert seconds / stop_lab.STOP_TIMEOUT <= WORST
