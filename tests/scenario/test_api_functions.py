"""The API's functions at work, while they change: environments, gates and permits on virtual time."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.loader import Config, load
from headrace.dispatch.core.model import Reply, Returned, Throttled, Unreachable
from headrace.dispatch.core.observer import Observers
from headrace.dispatch.invokers.base import Invocation, Invoker, NotReady, Ready
from headrace.dispatch.invokers.callable import CallableInvoker
from headrace.service.control.catalogue import LATEST, Runnable
from headrace.service.running import environments as at_work
from headrace.service.running.environments import Environments
from headrace.service.running.function_references import FunctionReferences
from headrace.service.running.functions import RunningFunction, RunningFunctions
from headrace.service.running.mappings import Changes
from headrace.service.wiring.function_factory import FunctionFactory
from headrace.service.wiring.known_starts import ForgetfulObserver, KnownStarts
from support.catalogues import PaperCatalogue
from support.reasons import no_start
from support.virtual_time import EPOCH, VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Environment(CallableInvoker):
    """The fake, which says when it is ended."""

    def __init__(self, rig: Rig, runnable: Runnable) -> None:
        self.identity = runnable.identity
        self._rig = rig
        super().__init__(self._answer, clock=rig.clock, concurrency=None, timeout=None, probe=self._try)

    async def _answer(self, invocation: Invocation) -> bytes:
        self._rig.invoked.append((self.identity, invocation.invoked_arn))
        await anyio.sleep(self._rig.seconds)
        return f'"{self.identity}"'.encode()

    async def _try(self) -> Ready | NotReady:
        self._rig.trying += 1
        self._rig.tried_at_once = max(self._rig.tried_at_once, self._rig.trying)
        await anyio.sleep(600.0 if self.identity.startswith("hangs") else self._rig.init)
        self._rig.trying -= 1
        self._rig.tried.append(self.identity)
        return NotReady(no_start(self._rig.broken[self.identity])) if self.identity in self._rig.broken else Ready()

    async def aclose(self) -> None:
        self._rig.ended.append(self.identity)
        await super().aclose()


class NoneOfTheFile:
    """Makes none of the configuration's functions; each runtime is here."""

    async def runtime_remark(self, runnable: Runnable) -> str:
        return ""


@dataclass
class Rig:
    directory: Path
    catalogue: PaperCatalogue = field(default_factory=PaperCatalogue)
    shared: int = 50
    seconds: float = 1.0
    """Of an invocation."""
    init: float = 1.0
    broken: dict[str, str] = field(default_factory=dict)
    draw: float = 0.5
    invoked: list[tuple[str, str]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    trying: int = 0
    tried_at_once: int = 0

    def __post_init__(self) -> None:
        self.clock = LoopClock(EPOCH)
        self.registry = KnownStarts(self.directory)
        self.environments = Environments(self.catalogue, self.make, self.shared, self.clock, lambda: self.draw)
        changes = Changes()
        observer = Observers([changes, ForgetfulObserver(self.registry)])
        references = FunctionReferences(self.environments)
        functions: Any = NoneOfTheFile()
        targets = FunctionFactory(
            _empty(), functions, self.registry, changes, observer, self.clock, lambda: 1.0, references
        )
        self.fleet = RunningFunctions(targets.make, environments=self.environments)

    def make(self, runnable: Runnable) -> Invoker:
        self.made.append(runnable.identity)
        return Environment(self, runnable)

    async def invoke(self, qualifier: str = "", name: str = "orders") -> Reply:
        return await self.environments.invoke(name, qualifier, Invocation(b"{}", "r"))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Rig]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.fleet.run)
            yield self
            await self.fleet.aclose()
            tasks.cancel_scope.cancel()

    async def open(self, reference: str = "orders") -> RunningFunction:
        """The member, once a mapping may fetch for it."""
        member = await self.fleet.member(reference)
        await member.target.gate.wait_seen()
        return member


def _empty() -> Config:
    return load([], environ={})


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.catalogue.put()
    return made


def body(reply: Reply) -> str:
    assert isinstance(reply, Returned), reply
    return reply.body.decode().strip('"')


# --- what an invocation runs ----------------------------------------------------------------------------------------


@pytest.mark.semantics("API-INVOKE-03")
async def test_nothing_is_made_for_a_function_before_somebody_needs_it(rig: Rig) -> None:
    async with rig.running():
        await anyio.sleep(60)
        assert rig.made == []
        await rig.invoke()
        assert rig.made == ["orders $LATEST 1"]


@pytest.mark.semantics("API-INVOKE-03")
async def test_each_invocation_runs_what_the_reference_means_at_that_moment(rig: Rig) -> None:
    rig.catalogue.put(version="1", identity="one")
    rig.catalogue.put(version="2", identity="two")
    rig.catalogue.alias("orders", "live", "1")
    async with rig.running():
        seen = [body(await rig.invoke("live"))]
        rig.catalogue.alias("orders", "live", "2")
        seen += [body(await rig.invoke("live")), body(await rig.invoke("1")), body(await rig.invoke())]
        rig.catalogue.alias("orders", "live", "1", further="2", weight=0.6)
        seen.append(body(await rig.invoke("live")))
    assert seen == ["one", "two", "one", "orders $LATEST 1", "two"]
    assert [arn.rpartition("function:")[2] for _, arn in rig.invoked] == [
        "orders:live",
        "orders:live",
        "orders:1",
        "orders",
        "orders:live",
    ]
    assert rig.made == ["one", "two", "orders $LATEST 1"]


@pytest.mark.semantics("API-INVOKE-04")
async def test_after_an_update_new_invocations_run_the_new_code_and_old_ones_end_on_the_old(rig: Rig) -> None:
    replies: list[str] = []

    async def invoke() -> None:
        replies.append(body(await rig.invoke()))

    async with rig.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(invoke)
        await anyio.sleep(0.5)
        rig.catalogue.put(identity="new")
        tasks.start_soon(invoke)
        await anyio.sleep(0.1)
        assert rig.ended == []
        assert rig.catalogue.held["orders $LATEST 1"] == 1
        await anyio.sleep(2)
        assert rig.ended == ["orders $LATEST 1"]
        assert rig.catalogue.held == {"orders $LATEST 1": 0, "new": 1}
    assert replies == ["orders $LATEST 1", "new"]


@pytest.mark.semantics("API-INVOKE-04")
async def test_the_environments_of_a_function_that_is_gone_end(rig: Rig) -> None:
    async with rig.running():
        await rig.invoke()
        rig.catalogue.remove("orders")
        await anyio.sleep(0.1)
        assert rig.ended == ["orders $LATEST 1"]
        reply = await rig.invoke()
    assert isinstance(reply, Unreachable)
    assert str(reply.cause) == "function orders does not exist: create it"


@pytest.mark.semantics("API-INVOKE-04")
async def test_the_environments_of_code_that_was_replaced_end_before_it_is_invoked_again(rig: Rig) -> None:
    async with rig.running():
        await rig.invoke()
        rig.catalogue.put(identity="new")
        await anyio.sleep(0.1)
        assert rig.ended == rig.made == ["orders $LATEST 1"]


async def test_an_update_that_comes_while_an_invocation_begins_brings_no_old_code_back(rig: Rig) -> None:
    async def update() -> None:
        rig.catalogue.put(identity="new")

    async with rig.running():
        await rig.invoke()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.invoke)
            tasks.start_soon(update)
        assert rig.made == ["orders $LATEST 1"]
        await rig.invoke()
        assert rig.made == ["orders $LATEST 1", "new"]


async def test_many_warm_functions_are_not_too_many(rig: Rig) -> None:
    rig.seconds = 0.0
    async with rig.running():
        for number in range(at_work.WARM + 5):
            rig.catalogue.put(f"f{number}")
            await rig.invoke(name=f"f{number}")
        await anyio.sleep(1)
        assert sorted(rig.ended) == [f"f{number} {LATEST} 1" for number in range(5)]


# --- how many at a time ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("API-INVOKE-05")
async def test_reserved_concurrency_bounds_all_versions_together(rig: Rig) -> None:
    rig.catalogue.put(version="1")
    rig.catalogue.limit("orders", 2)
    replies: list[Reply] = []

    async def invoke(qualifier: str) -> None:
        replies.append(await rig.invoke(qualifier))

    async with rig.running(), anyio.create_task_group() as tasks:
        for qualifier in ("", "1", "1"):
            tasks.start_soon(invoke, qualifier)
    assert [type(reply) for reply in replies] == [Throttled, Returned, Returned]
    (throttled,) = [reply for reply in replies if isinstance(reply, Throttled)]
    assert throttled.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"


@pytest.mark.semantics("API-INVOKE-05")
async def test_a_mapping_fetches_for_as_many_as_may_run_and_for_none_when_it_is_none(rig: Rig) -> None:
    rig.catalogue.limit("orders", 3)
    async with rig.running():
        target = (await rig.open()).target
        assert target.permits.allowed == 3
        rig.catalogue.limit("orders", 0)
        assert not target.gate.is_open
        await anyio.sleep(60)
        assert not target.gate.is_open
        assert str(target.gate.cause) == "its reserved concurrency is 0: raise or delete it"
        rig.catalogue.limit("orders", 7)
        await target.gate.wait_seen()
        assert target.permits.allowed == 7


# --- before anything is fetched -------------------------------------------------------------------------------------


@pytest.mark.semantics("API-INVOKE-07")
async def test_new_code_is_tried_before_anything_is_fetched_for_it(rig: Rig) -> None:
    async with rig.running():
        gate = (await rig.open()).target.gate
        with gate.entry() as entry:
            await entry.admitted()
            rig.catalogue.put(identity="new")
            assert not gate.is_open
            entry.passed()  # an invocation of the old code
        assert not gate.is_open
        await gate.wait_seen()
        assert rig.tried == ["orders $LATEST 1", "new"]
        rig.catalogue.tell("orders")  # of tags, say
        assert gate.is_open


@pytest.mark.semantics("API-INVOKE-07")
async def test_a_try_of_the_old_code_says_nothing_of_the_new(rig: Rig) -> None:
    rig.init, rig.broken["new"] = 10.0, "No module named 'stock'"
    async with rig.running():
        gate = (await rig.fleet.member("orders")).target.gate
        await anyio.sleep(5)
        rig.catalogue.put(identity="new")
        await anyio.sleep(7)
        assert rig.tried == ["orders $LATEST 1"]
        assert not gate.is_open
        await anyio.sleep(20)
        assert not gate.is_open
        assert not rig.registry.remembers("orders", "orders $LATEST 1")


@pytest.mark.semantics("API-INVOKE-07")
async def test_code_that_mends_a_broken_function_is_tried_at_once(rig: Rig) -> None:
    rig.broken["orders $LATEST 1"] = "No module named 'stock'"
    async with rig.running():
        gate = (await rig.fleet.member("orders")).target.gate
        await anyio.sleep(100)  # the pauses are long by now
        assert str(gate.cause) == "No module named 'stock'"
        mended = rig.clock.monotonic()
        rig.catalogue.put(identity="mended")
        await gate.wait_seen()
        assert rig.clock.monotonic() - mended <= 2 * rig.init


@pytest.mark.semantics("API-INVOKE-07")
async def test_what_started_once_is_remembered_once_per_code_and_configuration(rig: Rig) -> None:
    async with rig.running():
        await rig.open()
    again = Rig(rig.directory, rig.catalogue)
    async with again.running():
        assert (await again.fleet.member("orders")).target.gate.is_open
        assert again.made == []
    rig.catalogue.put(identity="new")
    third = Rig(rig.directory, rig.catalogue)
    async with third.running():
        assert not (await third.fleet.member("orders")).target.gate.is_open


@pytest.mark.semantics("API-INVOKE-07")
async def test_four_functions_are_tried_at_a_time(rig: Rig) -> None:
    async with rig.running():
        for number in range(20):
            rig.catalogue.put(f"f{number}")
            await rig.fleet.member(f"f{number}")
        await anyio.sleep(20)
    assert len(rig.tried) == 20
    assert rig.tried_at_once == 4


@pytest.mark.semantics("API-INVOKE-07")
async def test_functions_that_hang_as_they_start_hold_up_no_other(rig: Rig) -> None:
    async with rig.running():
        for number in range(8):
            rig.catalogue.put(f"hangs{number}")
            await rig.fleet.member(f"hangs{number}")
        await anyio.sleep(1)
        member = await rig.fleet.member("orders")
        await anyio.sleep(6)
        assert rig.tried == ["orders $LATEST 1"]
        assert member.target.gate.is_open


@pytest.mark.semantics("API-INVOKE-08")
async def test_a_mapping_waits_for_a_function_that_is_gone_and_goes_on_when_it_is_back(rig: Rig) -> None:
    async with rig.running():
        gate = (await rig.open("orders")).target.gate
        rig.catalogue.remove("orders")
        await anyio.sleep(1)
        assert (gate.is_open, str(gate.cause)) == (False, "function orders does not exist: create it")
        rig.catalogue.put(state="Pending")
        await anyio.sleep(1)
        assert str(gate.cause) == "it is Pending: wait for it"
        rig.catalogue.put(state="Active")
        await gate.wait_seen()


async def test_a_function_that_is_only_invoked_is_not_probed(rig: Rig) -> None:
    rig.broken["orders $LATEST 1"] = "No module named 'stock'"
    async with rig.running():
        await rig.fleet.invoke("orders", Invocation(b"{}", "r"))
        await anyio.sleep(60)
        assert rig.tried == []
        await rig.fleet.member("orders")
        await anyio.sleep(2)
        assert rig.tried


@pytest.mark.semantics("API-INVOKE-03")
async def test_an_idle_function_that_is_mapped_takes_little_memory_and_no_process(rig: Rig) -> None:
    names = [f"f{number}" for number in range(300)]
    for name in names:
        rig.catalogue.put(name)
        rig.registry.remember(name, f"{name} {LATEST} 1")
    async with rig.running():
        await anyio.sleep(1)
        gc.collect()
        tracemalloc.start()
        try:
            for name in names:
                assert (await rig.fleet.member(name)).target.gate.is_open
            await anyio.sleep(1)
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert rig.made == []
    assert taken / len(names) < 100 * 1024
