"""The daemon is killed and stopped at each named point of a start that goes wrong, or goes well: no message
pays with a receive, although a second one would send it to the dead-letter queue."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import daemons, start_kill_daemon
from support.broken_starts import BODIES, LostCode, LostDependency, OnceGood
from support.daemons import Queues
from support.start_kill_daemon import POINTS

WRONG = {LostDependency: POINTS[:-1], LostCode: ("Probing", "GateClosed")}
"""The points of a start that goes wrong: lost code is known from the beginning, so that nobody has to ask the queue."""


@pytest.fixture(params=["ministack", pytest.param("elasticmq", marks=pytest.mark.needs("java", "maven"))])
def queues(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    monkeypatch.setattr(daemons, "command", lambda: [sys.executable, start_kill_daemon.__file__])
    found = Queues(request.getfixturevalue(request.param).endpoint_url)
    yield found
    found.close()


def end(function: OnceGood, point: str, by: signal.Signals) -> None:
    """One life that ends at this point."""
    env = {"END_AT": point, "END_BY": by.name}
    with daemons.running(str(function.config), cwd=function.directory, env=env) as daemon:
        assert daemon.wait() == (-by if by is signal.SIGKILL else 0), f"{point}\n{daemon.everything}"
    assert function.untouched(), f"{by.name} at {point} cost a message a receive\n{daemon.everything}"


@pytest.mark.parametrize("kind", WRONG)
def test_no_end_at_any_point_of_a_start_costs_a_message_a_receive(
    kind: type[OnceGood], queues: Queues, tmp_path: Path
) -> None:
    function = kind(tmp_path, queues)
    with daemons.running(str(function.config), cwd=tmp_path) as daemon:
        function.set_up(daemon.ready())
        queues.send(function.queue, "first")
        daemon.wait_until(lambda: function.taken() == ["first"])
        assert daemon.stop() == 0
    remembered = (tmp_path / ".headrace" / "functions.json").read_text()
    function.spoil()
    function.send()
    for by in (signal.SIGKILL, signal.SIGTERM):
        for point in WRONG[kind]:
            (tmp_path / ".headrace" / "functions.json").write_text(remembered)
            end(function, point, by)
    if isinstance(function, LostDependency):
        function.put_back()
        for point in POINTS[:3] + POINTS[4:]:
            (tmp_path / ".headrace" / "functions.json").write_text(remembered)
            end(function, point, signal.SIGKILL)
    with daemons.running(str(function.config), cwd=tmp_path) as daemon:
        function.mend(daemon.ready())
        daemon.wait_until(lambda: len(function.taken()) > len(BODIES))
        assert daemon.stop() == 0
    assert sorted(function.taken()) == sorted(["first", *BODIES])
    assert queues.depth(function.queue) == queues.depth(function.dead) == (0, 0)
