"""Runtimes other than Python's, and runtimes that the user starts."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from headrace.config.clock import SystemClock
from headrace.dispatch.invokers.base import NotReady, Ready
from headrace.dispatch.invokers.local.external import ExternalInvoker
from headrace.dispatch.invokers.local.spec import CommandLaunch, ExternalLaunch, Launch, RuntimeLaunch
from support.eventually import eventually_async
from support.servers.running import free_port
from support.shop import ECHO, Shop, returned


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
@pytest.mark.semantics("FN-33")
async def test_another_version_of_node_than_the_runtimes_is_refused(shop: Shop) -> None:
    async with shop.open(
        "exports.handler = 1;", name="app.cjs", launch=RuntimeLaunch("nodejs4.x", "app.handler")
    ) as invoker:
        probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    assert "the runtime is nodejs4.x: name another interpreter" in str(probe.cause)


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
