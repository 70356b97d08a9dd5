"""The life of local environments at its edges: idle ends, inits that hang, ends in mid-start, the reaper."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import anyio
import orjson
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.loader import load
from headrace.dispatch.core.model import FunctionFailed, Returned, Unreachable
from headrace.dispatch.core.observer import EnvironmentsEnded, EnvironmentStarted, Event
from headrace.dispatch.invokers.base import NotReady, Ready
from headrace.dispatch.invokers.local import temporary
from headrace.dispatch.invokers.local.core.warm import Warm
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import CommandLaunch, FunctionSpec, RuntimeLaunch
from headrace.service.wiring.invokers import InvokerFactory
from support import configs
from support.children import child
from support.counts import count
from support.eventually import eventually, eventually_async
from support.shop import ECHO, Shop, call, returned

PID = "import os\ndef handler(event, context):\n    return os.getpid()\n"
HANGS = "import time\nprint('hanging', flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def invoker_of(shop: Shop, spec: FunctionSpec, inits: anyio.CapacityLimiter) -> LocalInvoker:
    return LocalInvoker(spec, clock=SystemClock(), observer=shop.logs, reaper=shop.reaper, inits=inits)


@pytest.mark.semantics("FN-18")
async def test_an_idle_environment_ends_though_nobody_asks_for_the_function_again(shop: Shop) -> None:
    async with shop.open(PID, idle_timeout=0.2) as invoker:
        await returned(invoker)

        async def ended() -> bool:
            return shop.marked() == []

        await eventually_async(ended)
        assert isinstance(await call(invoker), Returned)


class Census:
    """How many environments were told as started, and as ended."""

    def __init__(self) -> None:
        self.started = self.ended = 0

    def observe(self, event: Event) -> None:
        if isinstance(event, EnvironmentStarted):
            assert (event.function, event.seconds > 0) == ("f", True)
            self.started += 1
        elif isinstance(event, EnvironmentsEnded):
            self.ended += event.number


@pytest.mark.semantics("STEER-35")
async def test_each_environment_is_told_when_it_starts_and_once_when_it_is_no_more(shop: Shop) -> None:
    ends = "import os\ndef handler(event, context):\n    event == 'end' and os._exit(1)\n    return os.getpid()\n"
    spec, census = dataclasses.replace(shop.spec(ends), name="f", concurrency=2), Census()
    inits = anyio.CapacityLimiter(2)
    invoker = LocalInvoker(spec, clock=SystemClock(), observer=census, reaper=shop.reaper, inits=inits)
    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(returned, invoker)
        alive = len(shop.marked())
        assert (census.started, census.ended) == (alive, 0)
        assert isinstance(await call(invoker, "end"), FunctionFailed)
        assert census.started - census.ended == len(shop.marked()) == alive - 1
    finally:
        await invoker.aclose()
        await invoker.aclose()
        shop.reaper.close()
    assert census.started == census.ended == alive


class FaultyOnce(Warm):
    """Meets a fault of ours when the first environment is to end."""

    faults = 1

    def remove(self, environment: object) -> None:
        if self.faults:
            self.faults -= 1
            raise KeyError("ours")
        super().remove(environment)


@pytest.mark.semantics("FN-18")
async def test_idle_environments_end_although_the_end_of_one_met_a_fault(shop: Shop) -> None:
    spec = dataclasses.replace(shop.spec(PID), idle_timeout=0.2, concurrency=2)
    inits, warm = anyio.CapacityLimiter(2), FaultyOnce()
    warm.faults = 0
    invoker = LocalInvoker(spec, clock=SystemClock(), observer=shop.logs, reaper=shop.reaper, inits=inits, warm=warm)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # it says what the fault was
    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(returned, invoker)
        warm.faults = 1

        async def one_left() -> bool:
            return len(shop.marked()) <= 1

        await eventually_async(one_left)
    finally:
        await invoker.aclose()
        shop.reaper.close()


@pytest.mark.semantics("FN-40")
async def test_of_the_idle_environments_of_all_functions_the_last_ones_stay(shop: Shop) -> None:
    inits, warm = anyio.CapacityLimiter(2), Warm(2)
    spec = shop.spec(PID)
    invokers = [
        LocalInvoker(
            dataclasses.replace(spec, name=name),
            clock=SystemClock(),
            observer=shop.logs,
            reaper=shop.reaper,
            inits=inits,
            warm=warm,
        )
        for name in ("first", "second", "third")
    ]
    try:
        pids = [await returned(invoker) for invoker in invokers]

        async def ended() -> bool:
            return pids[0] not in shop.marked()

        await eventually_async(ended)
        assert [await returned(invoker) for invoker in invokers[1:]] == pids[1:]
        assert await returned(invokers[0]) != pids[0]
    finally:
        for invoker in invokers:
            await invoker.aclose()
        shop.reaper.close()
    assert (shop.marked(), len(warm)) == ([], 0)


@pytest.mark.semantics("FN-61")
async def test_of_functions_that_only_proved_that_they_start_few_processes_stay(shop: Shop) -> None:
    inits, warm = anyio.CapacityLimiter(2), Warm(unused=1)
    spec = shop.spec(PID)
    invokers = [
        LocalInvoker(
            dataclasses.replace(spec, name=name),
            clock=SystemClock(),
            observer=shop.logs,
            reaper=shop.reaper,
            inits=inits,
            warm=warm,
        )
        for name in ("first", "second", "third")
    ]
    try:
        assert all([isinstance(await invoker.probe(), Ready) for invoker in invokers])

        async def one_is_left() -> bool:
            return len(shop.marked()) == 1

        await eventually_async(one_is_left)
        assert [await returned(invokers[2])] == shop.marked()
        assert isinstance(await call(invokers[0]), Returned)
    finally:
        for invoker in invokers:
            await invoker.aclose()
        shop.reaper.close()


@pytest.mark.semantics("FN-40")
async def test_the_setting_says_how_many_stay(shop: Shop) -> None:
    local = {"runtime": "python", "handler": "app.handler", "code": str(shop.write(PID)), "isolation": "env"}
    functions = {name: {**local, "environment": {"MARK": shop.mark}} for name in ("first", "second")}
    file = configs.write(shop.directory, orjson.dumps({"warm": 1, "functions": functions}).decode(), "headrace.json")
    config = load([file], environ={})
    async with Clients(AwsSettings(endpoint_url="http://127.0.0.1:1")) as clients:
        made = InvokerFactory(config, clients, shop.logs, shop.directory / "state")
        found = [await made.invoker(each) for each in config.functions.values()]
        invokers = [each for each in found if isinstance(each, LocalInvoker)]
        pids = [await returned(invoker) for invoker in invokers]
        assert await returned(invokers[0]) != pids[0]
        for invoker in invokers:
            await invoker.aclose()
        made.close()


@pytest.mark.semantics("FN-26")
async def test_an_init_that_hangs_keeps_nobody_else_from_starting(shop: Shop) -> None:
    inits = anyio.CapacityLimiter(1)
    hanging = invoker_of(shop, shop.spec(HANGS, timeout=600.0), inits)
    other = shop.directory / "other"
    other.mkdir()
    (other / "app.py").write_text(textwrap.dedent(ECHO))
    invoker = invoker_of(shop, dataclasses.replace(shop.spec(HANGS), code=other, name="other"), inits)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hanging.probe)

        async def hangs() -> bool:
            return "hanging" in shop.logs.text()

        await eventually_async(hangs)
        assert await returned(invoker, {"a": 1}) == {"a": 1}  # the other one would hang for ten minutes
        tasks.cancel_scope.cancel()
    await hanging.aclose()
    await invoker.aclose()
    shop.reaper.close()
    assert shop.marked() == []


@pytest.mark.semantics("FN-15")
@pytest.mark.parametrize("pause", [0.0, 0.003, 0.01, 0.03, 0.1])
async def test_closing_in_the_middle_of_a_start_leaves_nothing(shop: Shop, pause: float) -> None:
    invoker = invoker_of(shop, shop.spec(HANGS, timeout=600.0), anyio.CapacityLimiter(1))
    answers: list[Ready | NotReady] = []

    async def probe() -> None:
        answers.append(await invoker.probe())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(probe)
        await anyio.sleep(pause)  # not a synchronisation: any moment must do
        await invoker.aclose()
    shop.reaper.close()
    assert shop.marked() == []
    assert isinstance(answers[0], NotReady)
    assert list((shop.directory / "scratch").glob("tmp/*")) == []


@pytest.mark.semantics("FN-15")
async def test_a_child_that_left_the_group_ends_with_its_function(shop: Shop) -> None:
    source = """
        import subprocess, time
        def handler(event, context):
            subprocess.Popen(["sleep", "600"], start_new_session=True)
            time.sleep(600)
    """
    async with shop.open(source, timeout=1.0) as invoker:
        assert isinstance(await call(invoker), FunctionFailed)

        async def ended() -> bool:
            return shop.marked() == []

        await eventually_async(ended)


class Hasty(FunctionSpec):
    """A function whose init has less time than AWS gives to any."""

    @property
    def init_timeout(self) -> float:
        return 0.5


@pytest.mark.semantics("FN-13")
async def test_an_init_that_takes_too_long_is_reported_as_a_timeout(shop: Shop) -> None:
    usual = shop.spec(HANGS)
    spec = Hasty(**{each.name: getattr(usual, each.name) for each in dataclasses.fields(usual)})
    async with shop.opened(spec) as invoker:
        reply = await call(invoker)
    assert isinstance(reply, Unreachable)
    assert reply.down
    assert orjson.loads(reply.body)["errorType"] == "Sandbox.Timedout"
    assert any("INIT_REPORT" in line and "Status: timeout" in line for line in shop.logs.text("platform"))


WORDS = {
    "#!/nowhere/sh\n": "no such file or directory",
    "\x00\x01\x02": "exec format error",
}


@pytest.mark.semantics("FN-14")
@pytest.mark.parametrize("content", WORDS)
async def test_a_bootstrap_that_cannot_be_executed_has_awss_words(shop: Shop, content: str) -> None:
    code = shop.write(content, "bootstrap")
    (code / "bootstrap").chmod(0o755)
    async with shop.open(launch=RuntimeLaunch("provided.al2023", "x")) as invoker:
        reply = await call(invoker, request_id="11111111-1111-1111-1111-111111111111")
    assert isinstance(reply, Unreachable)
    assert orjson.loads(reply.body) == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": "RequestId: 11111111-1111-1111-1111-111111111111 Error: fork/exec /var/task/bootstrap: "
        + WORDS[content],
    }


@pytest.mark.semantics("FN-12")
async def test_a_wrapper_that_does_not_exist_is_exit_status_127(shop: Shop) -> None:
    async with shop.open(ECHO, environment={"AWS_LAMBDA_EXEC_WRAPPER": "/nowhere/wrapper"}) as invoker:
        reply = await call(invoker)
    assert isinstance(reply, Unreachable)
    assert orjson.loads(reply.body)["errorMessage"].endswith("Error: Runtime exited with error: exit status 127")


# --- the reaper -----------------------------------------------------------------------------------------------------

HOST = """
import os, signal, sys, anyio
from pathlib import Path
from headrace.config.clock import SystemClock
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import CommandLaunch, FunctionSpec

class Silent:
    def observe(self, event): pass

async def main():
    reaper = Reaper()
    def start(name):
        spec = FunctionSpec(name, CommandLaunch(("sleep", "600")), Path(sys.argv[1]), Path(sys.argv[1]),
                            timeout=600.0, environment={"MARK": sys.argv[2]})
        invoker = LocalInvoker(spec, clock=SystemClock(), observer=Silent(), reaper=reaper,
                               inits=anyio.CapacityLimiter(2))
        tasks.start_soon(invoker.probe)
    async with anyio.create_task_group() as tasks:
        start("first")
        while reaper._process is None:
            await anyio.sleep(0.01)
        await anyio.sleep(0.2)
        os.kill(reaper._process.pid, signal.SIGKILL)  # the reaper itself is killed
        reaper._process.wait()
        start("second")

anyio.run(main)
"""


@pytest.mark.semantics("FN-16")
def test_a_reaper_that_was_killed_is_replaced_and_knows_what_the_first_one_knew(shop: Shop) -> None:
    with child([sys.executable, "-c", HOST, str(shop.directory), shop.mark]) as host:
        eventually(lambda: len(shop.marked()) == 2)
        host.kill()
    eventually(lambda: shop.marked() == [], "workers outlived their daemon")


STARTER = """
import sys, anyio
from pathlib import Path
from headrace.config.clock import SystemClock
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import CommandLaunch, FunctionSpec

class Silent:
    def observe(self, event): pass

async def main():
    reaper = Reaper()
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            spec = FunctionSpec(f"f{number}", CommandLaunch(("sleep", "600")), Path(sys.argv[1]), Path(sys.argv[1]),
                                timeout=600.0, environment={"MARK": sys.argv[2]})
            invoker = LocalInvoker(spec, clock=SystemClock(), observer=Silent(), reaper=reaper,
                                   inits=anyio.CapacityLimiter(2))
            tasks.start_soon(invoker.probe)
        print("starting", flush=True)

anyio.run(main)
"""


@pytest.mark.semantics("FN-16")
def test_a_daemon_killed_at_any_moment_of_a_start_leaves_nothing(shop: Shop) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    for _ in range(count(5, 100)):
        command = [sys.executable, "-c", STARTER, str(shop.directory), shop.mark]
        with child(command, stdout=subprocess.PIPE) as host:
            assert host.stdout is not None
            host.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.2))  # not a synchronisation: any moment must do
            host.kill()
        eventually(lambda: shop.marked() == [], "workers outlived their daemon")


def test_who_left_the_group_is_known_by_its_mark() -> None:
    reaper = Reaper()
    reaper.ready()
    mark = f"mark-{uuid.uuid4().hex}=1"  # which no other run of this test has
    reaper.expect(mark)
    command = ["setsid", "sleep", "600"]
    with child(command, env={"PATH": os.environ["PATH"], "A": mark}) as sleeper:
        eventually(lambda: b"sleep" in Path(f"/proc/{sleeper.pid}/cmdline").read_bytes())
        reaper.close()
        assert sleeper.wait() == -signal.SIGKILL


def test_a_closed_reaper_kills_what_it_still_watches() -> None:
    reaper = Reaper()
    reaper.ready()
    with child(["sleep", "600"], start_new_session=True) as sleeper:
        reaper.watch(sleeper.pid)
        reaper.close()
        assert sleeper.wait() == -signal.SIGKILL


def test_a_forgotten_group_is_left_alone() -> None:
    reaper = Reaper()
    reaper.ready()
    with child(["sleep", "600"], start_new_session=True) as sleeper:
        reaper.watch(sleeper.pid)
        reaper.forget(sleeper.pid)
        reaper.close()
        assert sleeper.poll() is None
        sleeper.kill()


# --- temporary directories ------------------------------------------------------------------------------------------


@pytest.mark.semantics("FN-27")
def test_what_a_killed_daemon_left_behind_is_swept(tmp_path: Path) -> None:
    ours = temporary.make(tmp_path)
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [tmp_path / "tmp" / f"{gone.pid}-aaaa-bbbb", tmp_path / "tmp" / f"{os.getpid()}-earlier-cccc"]
    for path in left:
        path.mkdir()
    kept = tmp_path / "tmp" / f"{os.getppid()}-aaaa-dddd"
    kept.mkdir()
    temporary.sweep(tmp_path)
    assert sorted((tmp_path / "tmp").iterdir()) == sorted([ours, kept])


async def test_a_command_that_ends_its_leader_ends_the_group(shop: Shop) -> None:
    launch = CommandLaunch(("sh", "-c", "sleep 600 & exit 0"))
    async with shop.open(launch=launch) as invoker:
        assert isinstance(await invoker.probe(), NotReady)
        assert shop.marked() == []
