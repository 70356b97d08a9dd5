"""Restarts of a daemon with functions that started well before, and cannot start any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import daemons
from support.broken_starts import BODIES, LostCode, LostDependency, OnceGood
from support.daemons import Queues

ON_ELASTICMQ = pytest.param("elasticmq", LostDependency, marks=pytest.mark.needs("java", "maven"))
"""One case: a daemon that ends waits for its polls, which ElasticMQ answers when their time is over."""


@pytest.fixture
def queues(request: pytest.FixtureRequest) -> Iterator[Queues]:
    found = Queues(request.getfixturevalue(request.param).endpoint_url)
    yield found
    found.close()


@pytest.mark.semantics("SQS-29", "FUNC-49")
@pytest.mark.parametrize(
    ("queues", "kind"),
    [("ministack", LostDependency), ON_ELASTICMQ, ("ministack", LostCode)],
    indirect=["queues"],
)
def test_a_function_that_cannot_start_any_more_after_a_restart_keeps_every_message(
    kind: type[OnceGood], queues: Queues, tmp_path: Path
) -> None:
    function = kind(tmp_path, queues)
    with daemons.running(str(function.config), cwd=tmp_path) as daemon:
        function.set_up(daemon.ready())
        queues.send(function.queue, "first")
        daemon.wait_until(lambda: function.taken() == ["first"])
        assert daemon.stop() == 0
    function.spoil()
    function.send()
    for _ in range(2):
        with daemons.running(str(function.config), cwd=tmp_path) as daemon:
            daemon.ready()
            down = daemon.wait_logged("function_down")
            assert function.untouched()
            code, body = daemon.get("/readyz?strict")
            assert code == 503
            if isinstance(function, LostCode):
                shown = function.shown(daemon)
                assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "InvalidZipFileException")
                daemon.wait_until(lambda: "its code is lost" in daemon.get("/readyz?strict")[1])
            else:
                assert "No module named 'stock'" in down["event"]
                assert "No module named 'stock'" in body
            assert daemon.stop() == 0
        assert function.untouched()
    with daemons.running(str(function.config), cwd=tmp_path) as daemon:
        function.mend(daemon.ready())
        daemon.wait_until(lambda: len(function.taken()) > len(BODIES))
        assert daemon.stop() == 0
    assert sorted(function.taken()) == sorted(["first", *BODIES])
    assert queues.depth(function.queue) == queues.depth(function.dead) == (0, 0)


@pytest.mark.semantics("SQS-29")
@pytest.mark.parametrize("queues", ["ministack"], indirect=True)
def test_a_function_that_started_before_is_started_again_when_something_comes(queues: Queues, tmp_path: Path) -> None:
    function = LostDependency(tmp_path, queues)
    with daemons.running(str(function.config), cwd=tmp_path) as daemon:
        daemon.ready().wait_logged("function_up")
        assert daemon.stop() == 0
    with daemons.running(str(function.config), cwd=tmp_path) as daemon:
        daemon.ready()
        assert (daemon.get("/readyz?strict")[0], daemon.logged("function_up")) == (200, [])
        assert json.loads(daemon.get("/status")[1])["mappings"][0]["state"] == "polling"
        function.send()
        daemon.wait_until(lambda: sorted(function.taken()) == sorted(BODIES))
        assert len(daemon.logged("function_up")) == 1
        assert daemon.stop() == 0
    assert queues.depth(function.queue) == queues.depth(function.dead) == (0, 0)
