"""Runtimes other than Python's, and runtimes that the user starts."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
import uuid
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import orjson
import pytest

from headrace.config.clock import SystemClock
from headrace.config.fields.runtimes import Runtimes
from headrace.dispatch.core.model import FunctionFailed, Returned
from headrace.dispatch.invokers.base import Invocation, NotReady, Ready
from headrace.dispatch.invokers.local.external import ExternalInvoker
from headrace.dispatch.invokers.local.python_plan import OLDEST
from headrace.dispatch.invokers.local.spec import CommandLaunch, ExternalLaunch, Launch, RuntimeLaunch
from support.eventually import eventually_async
from support.java_function import java_function
from support.servers.running import free_port
from support.shop import ECHO, Shop, call, returned


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# --- other runtimes -------------------------------------------------------------------------------------------------

SH = """\
#!/bin/sh
while true; do
    headers=$(mktemp)
    curl -sS -D "$headers" -o event "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next"
    id=$(grep -i lambda-runtime-aws-request-id "$headers" | tr -d '[:space:]' | cut -d: -f2)
    curl -sS -X POST --data-binary @event "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"
done
"""


@pytest.mark.needs("curl")
@pytest.mark.parametrize("launch", [RuntimeLaunch("provided.al2023", "x"), CommandLaunch(("./bootstrap",))])
async def test_anything_that_speaks_the_runtime_api_is_a_function(shop: Shop, launch: Launch) -> None:
    code = shop.write(SH, "bootstrap")
    (code / "bootstrap").chmod(0o755)
    async with shop.open(launch=launch) as invoker:
        assert await returned(invoker, {"a": 1}) == {"a": 1}
        assert await returned(invoker, {"a": 2}) == {"a": 2}


@pytest.mark.needs("node")
@pytest.mark.semantics("FN-33", "RUNTIME-05", "RUNTIME-07")
async def test_another_version_of_node_than_the_runtimes_runs_or_is_refused(shop: Shop) -> None:
    launch = RuntimeLaunch("nodejs4.x", "app.handler")
    given = shop.spec("exports.handler = async () => 1;", name="app.js", launch=launch)
    async with shop.opened(given) as invoker:
        assert await returned(invoker) == 1
    async with shop.opened(replace(given, runtimes=Runtimes(near=False))) as invoker:
        probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    assert "nodejs4.x is not on this machine" in str(probe.cause)


# --- any Python -----------------------------------------------------------------------------------------------------

TRANSPORT = """
    import boto3, os, sys
    from awslambdaric import lambda_runtime_client

    def handler(event, context):
        if event.get("do") == "fail":
            raise ValueError("Grüße")
        client = lambda_runtime_client.runtime_client
        custom = context.client_context.custom["who"]
        name = os.path.basename(os.path.realpath(client.__file__))
        return [event, name, custom, context.get_remaining_time_in_millis() > 0]
"""


@pytest.mark.semantics("RUNTIME-09")
@pytest.mark.parametrize("isolation", ["env", "auto"])
async def test_a_function_without_a_client_runs_through_ours(shop: Shop, isolation: str) -> None:
    async with shop.open(TRANSPORT, isolation=isolation) as invoker:
        for number in range(2):
            event = {"number": number, "text": "世界"}
            asked = Invocation(orjson.dumps(event), str(uuid.uuid4()), client_context='{"custom": {"who": "é世"}}')
            reply = await invoker.invoke(asked)
            assert isinstance(reply, Returned), reply
            assert orjson.loads(reply.body) == [event, "python_transport.py", "é世", True]
        failed = await call(invoker, {"do": "fail"})
        assert isinstance(failed, FunctionFailed)
        assert orjson.loads(failed.body)["errorMessage"] == "Grüße"
    async with shop.open("import stock\n") as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert "No module named 'stock'" in str(probe.cause)


@pytest.mark.semantics("RUNTIME-09")
def test_what_our_client_needs_runs_on_the_oldest_python_that_gets_it() -> None:
    """A newer version of a package may need a newer Python: then `OLDEST` grows."""
    needed = [metadata.distribution(name).metadata["Requires-Python"] for name in ("awslambdaric", "boto3", "botocore")]
    assert max(int(each.rpartition(".")[2]) for each in needed) == OLDEST


# --- Java -----------------------------------------------------------------------------------------------------------


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("RUNTIME-11", "RUNTIME-12")
@pytest.mark.parametrize("isolation", ["auto", "env"])
async def test_a_java_function_with_its_jars_below_lib(shop: Shop, isolation: str) -> None:
    code = java_function.with_lib(shop.directory / "code")
    runtimes = Runtimes.model_validate({"java21": {"command": java_function.command()}})
    spec = shop.spec("", "unused", RuntimeLaunch("java21", "App"), runtimes=runtimes, isolation=isolation)
    assert spec.code == code
    async with shop.opened(spec) as invoker:
        assert await returned(invoker, {"order": 7}) == {"order": 7}
        reply = await invoker.invoke(Invocation(b'{"do": "environment"}', str(uuid.uuid4())))
        assert isinstance(reply, Returned)
        assert reply.body == b'"AWS_Lambda_java21"'


@pytest.mark.needs("node")
@pytest.mark.semantics("FN-39")
async def test_a_debugger_can_attach_and_nothing_is_hurried(shop: Shop) -> None:
    port = free_port()
    source = "export const handler = async () => { await new Promise((done) => setTimeout(done, 50)); return 1; };"
    launch = RuntimeLaunch("nodejs", "app.handler")
    async with shop.open(source, name="app.mjs", launch=launch, timeout=None, debug_port=port) as invoker:
        assert await returned(invoker) == 1
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as listed:  # noqa: ASYNC210 - it is up
            assert b"webSocketDebuggerUrl" in listed.read()


async def test_a_python_without_a_debugger_is_told_how_to_get_one(shop: Shop) -> None:
    async with shop.open(ECHO, timeout=None, debug_port=1) as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert "pip install debugpy" in str(probe.cause)


@pytest.mark.semantics("FN-24")
async def test_an_external_runtime_is_waited_for_and_may_come_and_go(shop: Shop) -> None:
    code = shop.write(ECHO)
    invoker = ExternalInvoker(shop.spec(ECHO, launch=ExternalLaunch()), clock=SystemClock())
    probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    address = probe.cause.text.rpartition("=")[2]
    environment = {**os.environ, "AWS_LAMBDA_RUNTIME_API": address, "_HANDLER": "app.handler", "MARK": shop.mark}
    try:
        for _ in range(2):
            runtime = subprocess.Popen([sys.executable, "-m", "awslambdaric", "app.handler"], cwd=code, env=environment)
            try:
                await eventually_async(lambda: _is_ready(invoker))
                assert await returned(invoker, {"a": 1}) == {"a": 1}
            finally:
                runtime.kill()
                runtime.wait()
            await eventually_async(lambda: _is_waiting(invoker))
    finally:
        await invoker.aclose()


async def _is_ready(invoker: ExternalInvoker) -> bool:
    return isinstance(await invoker.probe(), Ready)


async def _is_waiting(invoker: ExternalInvoker) -> bool:
    return isinstance(await invoker.probe(), NotReady)
