"""Local functions as real processes: what they see, how they end, and that they leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import sys
import textwrap
from pathlib import Path

import anyio
import orjson
import pytest

from headrace.config.clock import SystemClock
from headrace.config.fields.runtimes import Runtimes
from headrace.config.reasons import ReasonCode
from headrace.dispatch.core.model import Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from headrace.dispatch.invokers.base import Invocation, NotReady
from headrace.dispatch.invokers.local.launch import plan
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.spec import CommandLaunch, Launch, Logging, RuntimeLaunch
from headrace.dispatch.invokers.local.start_command import Command, LaunchRefused
from support.children import child
from support.eventually import eventually, eventually_async
from support.reasons import MISLEADING
from support.shop import ECHO, Shop, call, returned


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# --- what a function sees -------------------------------------------------------------------------------------------


@pytest.mark.semantics("FN-07")
async def test_a_function_sees_awss_variables_and_its_own_and_nothing_of_the_daemons(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_AWS__SECRET_ACCESS_KEY", "daemon's")
    monkeypatch.setenv("SOME_SECRET", "daemon's")
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    aws = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "theirs"}
    async with shop.open(source, environment={"STAGE": "dev", "TZ": "mine"}, aws=aws, region="eu-west-1") as invoker:
        seen = await returned(invoker)
    assert "daemon's" not in seen.values()
    expected = {
        "_HANDLER": "app.handler",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info[:2]),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "LANG": "en_US.UTF-8",
        "PWD": str(shop.directory / "code"),
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/shop",
        "LAMBDA_TASK_ROOT": str(shop.directory / "code"),
        "TZ": ":UTC",
        "STAGE": "dev",
        **aws,
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert "_LAMBDA_TELEMETRY_LOG_FD" not in seen


async def test_a_function_inherits_no_descriptors(shop: Shop) -> None:
    source = "import os\nSEEN = os.listdir('/proc/self/fd')\ndef handler(event, context):\n    return len(SEEN)\n"
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(30)]
    try:
        async with shop.open(source) as invoker:
            assert await returned(invoker) < 15
    finally:
        for descriptor in held:
            os.close(descriptor)


@pytest.mark.semantics("FN-08")
async def test_the_context_is_awss(shop: Shop) -> None:
    source = """
        def handler(event, context):
            return [context.aws_request_id, context.function_name, context.function_version, context.memory_limit_in_mb,
                    context.invoked_function_arn, 0 < context.get_remaining_time_in_millis() <= 3000]
    """
    async with shop.open(source) as invoker:
        reply = await call(invoker, request_id="7f1d2c9e-0000-4000-8000-000000000000")
    assert isinstance(reply, Returned)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:shop"
    assert orjson.loads(reply.body) == [reply.attempt.request_id, "shop", "$LATEST", "128", arn, True]


@pytest.mark.semantics("API-INVOKE-01", "LOGS-01")
async def test_a_version_knows_its_number_how_it_was_invoked_and_where_its_log_is(shop: Shop) -> None:
    source = """
        import os
        def handler(event, context):
            print("here")
            return [context.function_version, os.environ["AWS_LAMBDA_FUNCTION_VERSION"], context.invoked_function_arn,
                    context.log_group_name, context.log_stream_name]
    """
    arn = "arn:aws:lambda:us-east-1:000000000000:function:shop:live"
    async with shop.open(source, version="7", logging=Logging("/shared/group")) as invoker:
        reply = await invoker.invoke(Invocation(b"{}", "r", invoked_arn=arn))
    assert isinstance(reply, Returned)
    assert reply.attempt.executed_version == "7"
    *told, group, stream = orjson.loads(reply.body)
    assert told == ["7", "7", arn]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/shop\[7\][0-9a-f]{32}", stream)
    lines = shop.logs.lines
    assert {(line.version, line.log_group, line.log_stream) for line in lines} == {("7", group, stream)}
    assert group == "/shared/group"
    assert "START RequestId: r Version: 7" in shop.logs.text("platform")


@pytest.mark.semantics("LOGS-02")
async def test_a_function_with_json_logs_writes_records_from_its_level_on(shop: Shop) -> None:
    source = """
        import logging
        def handler(event, context):
            logging.getLogger().info("too small")
            logging.getLogger().error("large")
    """
    json = Logging(format="JSON", application_level="ERROR", system_level="WARN")
    async with shop.open(source, logging=json) as invoker:
        await returned(invoker)
    (line,) = (record.line for record in shop.logs.lines)
    assert orjson.loads(line)["message"] == "large"


@pytest.mark.semantics("FN-09")
async def test_the_search_path_is_code_then_layers_then_the_rest_and_the_runtime_last(shop: Shop) -> None:
    source = "import sys, boto3\ndef handler(event, context):\n    return [sys.path, boto3.__file__]\n"
    layers = [shop.directory / "one", shop.directory / "two"]
    for layer in layers:
        (layer / "python").mkdir(parents=True)
    async with shop.open(source, layers=tuple(layers), isolation="env") as invoker:
        path, boto3 = await returned(invoker)
    assert path[:3] == [str(shop.directory / "code"), str(layers[1] / "python"), str(layers[0] / "python")]
    assert "python-client" in path[-1]
    assert boto3.endswith("boto3/__init__.py")
    assert not any(entry.startswith(sys.prefix) for entry in path[:-1] if sys.prefix != sys.base_prefix)


async def test_an_environment_is_warm_and_serves_one_invocation_at_a_time(shop: Shop) -> None:
    source = """
        import os
        CALLS = []
        def handler(event, context):
            CALLS.append(1)
            return [os.getpid(), len(CALLS)]
    """
    async with shop.open(source) as invoker:
        first, second = await returned(invoker), await returned(invoker)
    assert first[0] == second[0]
    assert [first[1], second[1]] == [1, 2]


async def test_as_many_environments_as_its_concurrency_and_no_more(shop: Shop) -> None:
    source = "import os, time\ndef handler(event, context):\n    time.sleep(0.3)\n    return os.getpid()\n"
    async with shop.open(source, concurrency=2) as invoker:
        replies: list[Reply] = []

        async def one() -> None:
            replies.append(await call(invoker))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)
        kinds = sorted(type(reply).__name__ for reply in replies)
        assert kinds == ["Returned", "Returned", "Throttled"]
        assert len({reply.body for reply in replies if isinstance(reply, Returned)}) == 2
        assert [reply.attempt.status for reply in replies if isinstance(reply, Throttled)] == [429]


# --- how a function fails -------------------------------------------------------------------------------------------

RID = "11111111-2222-4333-8444-555555555555"
FAILURES: dict[str, tuple[str, Failure, dict[str, str]]] = {
    "timeout": (
        "import time\ntime.sleep(60)",
        Failure.TIMEOUT,
        {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {RID} Error: Task timed out after 1.00 seconds"},
    ),
    "exit 0": (
        "import os\nos._exit(0)",
        Failure.CRASH,
        {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {RID} Error: Runtime exited without providing a reason",
        },
    ),
    "exit 127": (
        "import os\nos._exit(127)",
        Failure.CRASH,
        {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {RID} Error: Runtime exited with error: exit status 127",
        },
    ),
    "signal": (
        "import os\nos.kill(os.getpid(), 9)",
        Failure.CRASH,
        {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {RID} Error: Runtime exited with error: signal: killed",
        },
    ),
    "too large": (
        f"return 'x' * {6 * 1024 * 1024 + 99}",
        Failure.OVERSIZED,
        {
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            "errorType": "Function.ResponseSizeTooLarge",
        },
    ),
}


@pytest.mark.semantics("FN-06", "FN-10", "FN-11", "FN-12")
@pytest.mark.parametrize("case", FAILURES)
async def test_a_failed_invocation_has_awss_payload_and_the_next_one_works(shop: Shop, case: str) -> None:
    body, failure, payload = FAILURES[case]
    source = (
        "def handler(event, context):\n    if event.get('fail'):\n"
        + textwrap.indent(body, " " * 8)
        + "\n    return 1\n"
    )
    async with shop.open(source, timeout=1.0) as invoker:
        reply = await call(invoker, {"fail": True}, RID)
        assert isinstance(reply, FunctionFailed), reply
        assert (reply.failure, orjson.loads(reply.body)) == (failure, payload)
        assert list(orjson.loads(reply.body)) == list(payload)
        assert (reply.attempt.status, reply.attempt.function_error) == (200, "Unhandled")
        assert await returned(invoker) == 1


@pytest.mark.semantics("FN-02")
async def test_a_raised_error_is_the_runtimes_own_and_the_environment_stays_warm(shop: Shop) -> None:
    source = """
        import os
        def handler(event, context):
            if event.get("fail"):
                raise ValueError("no")
            return os.getpid()
    """
    async with shop.open(source) as invoker:
        before = await returned(invoker)
        reply = await call(invoker, {"fail": True})
        assert isinstance(reply, FunctionFailed)
        error = orjson.loads(reply.body)
        assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]
        assert (error["errorMessage"], error["errorType"]) == ("no", "ValueError")
        assert reply.detail == "ValueError: no"
        assert await returned(invoker) == before


INITS: dict[str, tuple[str, str, str]] = {
    "import error": ("import nosuchmodule", "Runtime.ImportModuleError", "No module named 'nosuchmodule'"),
    "no handler": ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
    "syntax": ("def handler(:", "Runtime.UserCodeSyntaxError", "app.py"),
    "raises": ("raise RuntimeError('at import')", "RuntimeError", "at import"),
    "exits": ("import os\nos._exit(3)", "Runtime.ExitError", "exit status 3"),
}


@pytest.mark.semantics("FN-13")
@pytest.mark.parametrize("case", INITS)
async def test_an_init_error_means_that_the_function_is_down_and_says_why(shop: Shop, case: str) -> None:
    source, kind, words = INITS[case]
    async with shop.open(source) as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert words in str(probe.cause)
        assert "\n" not in str(probe.cause)
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        assert reply.down
        assert orjson.loads(reply.body)["errorType"] == kind


@pytest.mark.semantics("ESM-07")
@pytest.mark.parametrize("printed", MISLEADING)
async def test_an_init_error_is_the_functions_whatever_it_says(shop: Shop, printed: str) -> None:
    async with shop.open(f"print({printed!r})\nraise RuntimeError({printed!r})") as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert (probe.cause.code, printed in probe.cause.text) == (ReasonCode.FUNCTION_CANNOT_START, True)
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        assert reply.cause.code is ReasonCode.FUNCTION_CANNOT_START


EXACT = Runtimes(near=False)


@pytest.mark.parametrize(
    ("launch", "words"),
    [
        (RuntimeLaunch("python3.99", "app.handler"), "python3.99 is not on this machine"),
        (RuntimeLaunch("python", "app.handler", "/no/such/python"), "there is no interpreter '/no/such/python'"),
        (RuntimeLaunch("python", "app.handler", "true"), "does not work as a Python interpreter"),
        (CommandLaunch(("no-such-program",)), "'no-such-program' is not on PATH"),
    ],
)
async def test_what_cannot_be_started_is_refused_with_what_to_do(shop: Shop, launch: Launch, words: str) -> None:
    async with shop.open(ECHO, launch=launch, runtimes=EXACT) as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert words in str(probe.cause)


async def test_the_first_python_on_the_path_that_works_is_taken(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands before it may be a shim for versions that are not installed."""
    works, shim = tmp_path / "works" / "python3.99", tmp_path / "shims" / "python3.99"
    for path, script in ((works, 'echo "3.99 True False"'), (shim, 'echo "not installed" >&2; exit 127')):
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    spec = shop.spec(ECHO, launch=RuntimeLaunch("python3.99", "app.handler"), runtimes=EXACT)
    monkeypatch.setenv("PATH", f"{shim.parent}{os.pathsep}{works.parent}{os.pathsep}{os.environ['PATH']}")
    planned = await plan(spec)
    assert isinstance(planned, Command)
    assert planned.argv[0] == str(works)
    works.unlink()
    planned = await plan(spec)
    assert isinstance(planned, LaunchRefused)
    assert planned.reason.text.startswith(f"{shim} does not work as a Python interpreter (not installed)")


@pytest.mark.semantics("FN-41")
async def test_any_other_runtime_runs_its_own_bootstrap_or_is_refused(shop: Shop) -> None:
    spec = shop.spec(ECHO, launch=RuntimeLaunch("ruby3.3", "app.handler"))
    planned = await plan(spec)
    assert isinstance(planned, LaunchRefused)
    assert planned.reason.text.startswith("the runtime ruby3.3 cannot be run here")
    assert planned.entrypoint_error == ""
    bootstrap = shop.write("#!/bin/sh\n", "bootstrap") / "bootstrap"
    bootstrap.chmod(0o755)
    bootstrap.write_bytes(b"#!/bin/sh\r\nexit 0\r\n")
    planned = await plan(spec)
    assert isinstance(planned, LaunchRefused)
    assert "has Windows line ends" in planned.reason.text
    assert planned.entrypoint_error == "fork/exec /var/task/bootstrap: no such file or directory"
    bootstrap.write_bytes(b"#!/bin/sh\nexit 0\r\n")
    assert await plan(spec) == Command((str(bootstrap),))


@pytest.mark.semantics("FN-14")
async def test_bootstraps_that_are_missing_or_not_executable_have_awss_words(shop: Shop) -> None:
    launch = RuntimeLaunch("provided.al2023", "x")
    async with shop.open(launch=launch) as invoker:
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        body = orjson.loads(reply.body)
        assert body["errorType"] == "Runtime.InvalidEntrypoint"
        assert body["errorMessage"].endswith("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
        shop.write("#!/bin/sh\n", "bootstrap")
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        assert orjson.loads(reply.body)["errorMessage"].endswith("fork/exec /var/task/bootstrap: permission denied")


# --- ends -----------------------------------------------------------------------------------------------------------

FAMILY = """
    import subprocess, sys, time
    def handler(event, context):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("started", flush=True)
        time.sleep(600)
"""


@pytest.mark.semantics("FN-15")
async def test_a_timeout_ends_the_whole_process_group(shop: Shop) -> None:
    async with shop.open(FAMILY, timeout=1.0) as invoker:
        assert isinstance(await call(invoker), FunctionFailed)
        assert shop.marked() == []


@pytest.mark.semantics("FN-15")
async def test_a_cancelled_invocation_has_ended_the_function_when_it_returns(shop: Shop) -> None:
    async def family() -> bool:
        return len(shop.marked()) == 2

    async with shop.open(FAMILY, timeout=600.0) as invoker, anyio.create_task_group() as tasks:
        tasks.start_soon(call, invoker)
        await eventually_async(family)
        tasks.cancel_scope.cancel()
    assert shop.marked() == []


async def test_an_idle_environment_that_died_is_replaced_silently(shop: Shop) -> None:
    source = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    async with shop.open(source) as invoker:
        pid = await returned(invoker)
        os.kill(pid, signal.SIGKILL)
        await eventually_async(lambda: _gone(pid))
        assert await returned(invoker) != pid


async def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


HOST = """
import sys, anyio
from pathlib import Path
from headrace.config.clock import SystemClock
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import FunctionSpec, RuntimeLaunch

class Silent:
    def observe(self, event): pass

async def main():
    spec = FunctionSpec("shop", RuntimeLaunch("python", "app.handler"), Path(sys.argv[1]), Path(sys.argv[2]),
                        timeout=600.0, environment={"MARK": sys.argv[3]}, isolation=sys.argv[4])
    inits = anyio.CapacityLimiter(2)
    invoker = LocalInvoker(spec, clock=SystemClock(), observer=Silent(), reaper=Reaper(), inits=inits)
    await invoker.invoke(Invocation(b"{}", "r"))

anyio.run(main)
"""


@pytest.mark.semantics("FN-16")
@pytest.mark.parametrize("isolation", ["env", "auto"])
def test_workers_end_with_a_daemon_that_was_killed(shop: Shop, isolation: str) -> None:
    code = shop.write(FAMILY)
    arguments = [str(code), str(shop.directory / "scratch"), shop.mark, isolation]
    with child([sys.executable, "-c", HOST, *arguments]) as host:
        eventually(lambda: len(shop.marked()) == 2)
        host.kill()
    eventually(lambda: shop.marked() == [], "workers outlived their daemon")


@pytest.mark.semantics("FN-17")
async def test_changed_code_is_picked_up_and_the_running_invocation_finishes_on_the_old(shop: Shop) -> None:
    clock = Settable()
    source = "def handler(event, context):\n    return {}\n"
    spec = shop.spec(source.format(1))
    limiter = anyio.CapacityLimiter(2)
    invoker = LocalInvoker(spec, clock=clock, observer=shop.logs, reaper=shop.reaper, inits=limiter)
    try:
        assert await returned(invoker) == 1
        shop.write(source.format("'changed'"))
        clock.offset += 2
        assert await returned(invoker) == "changed"
    finally:
        await invoker.aclose()
        shop.reaper.close()


class Settable(SystemClock):
    """A clock that can be put forward."""

    offset = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.offset


@pytest.mark.semantics("FN-18")
async def test_an_environment_ends_after_its_idle_time(shop: Shop) -> None:
    clock = Settable()
    source = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    spec = shop.spec(source, idle_timeout=60.0)
    invoker = LocalInvoker(spec, clock=clock, observer=shop.logs, reaper=shop.reaper, inits=anyio.CapacityLimiter(2))
    try:
        pid = await returned(invoker)
        clock.offset += 61
        assert await returned(invoker) != pid
        assert await _gone(pid)
    finally:
        await invoker.aclose()
        shop.reaper.close()


# --- output ---------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FN-19", "FN-22")
async def test_output_stands_between_start_and_end_under_its_request_id(shop: Shop) -> None:
    source = (
        "import sys\nprint('init')\ndef handler(event, context):\n    print('out')\n    print('err', file=sys.stderr)\n"
    )
    async with shop.open(source) as invoker:
        await call(invoker, request_id=RID)
    heads = [line.line.split()[0] for line in shop.logs.lines]
    assert heads[:3] == ["INIT_START", "init", "START"]
    assert sorted(heads[3:5]) == ["err", "out"]
    assert heads[5:] == ["END", "REPORT"]
    assert {line.request_id for line in shop.logs.lines[2:]} == {RID}
    assert "Init Duration: " in shop.logs.lines[-1].line
    assert {line.stream for line in shop.logs.lines if line.line == "err"} == {"stderr"}
