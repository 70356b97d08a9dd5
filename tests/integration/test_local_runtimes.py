"""Runtimes other than Python's, runtimes that somebody else starts, and namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import FunctionFailed, Unreachable
from headrace.dispatch.invokers.base import NotReady, Ready
from headrace.dispatch.invokers.local.external import ExternalInvoker
from headrace.dispatch.invokers.local.isolation import supported
from headrace.dispatch.invokers.local.spec import CommandLaunch, ExternalLaunch, FunctionSpec, Launch, RuntimeLaunch
from support.eventually import eventually_async
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


NODE: dict[str, tuple[str, str]] = {
    "async": ("app.mjs", "export const handler = async (event) => ({ got: event.a });"),
    "callback": ("app.cjs", "exports.handler = (event, context, done) => done(null, { got: event.a });"),
    "plain": ("app.js", "exports.handler = (event) => ({ got: event.a });"),
}


@pytest.mark.needs("node")
@pytest.mark.semantics("FN-23")
@pytest.mark.parametrize("style", NODE)
async def test_node_handlers_of_every_style(shop: Shop, style: str) -> None:
    name, source = NODE[style]
    async with shop.open(source, name=name, launch=RuntimeLaunch("nodejs", "app.handler")) as invoker:
        assert await returned(invoker, {"a": 1}) == {"got": 1}
        assert await returned(invoker, {"a": 2}) == {"got": 2}


NODE_ERRORS = {
    "throws": ("export const handler = async () => { throw new TypeError('no'); };", "TypeError", "no"),
    "unhandled": (
        "export const handler = () => new Promise(() => { setTimeout(() => { throw new Error('late'); }, 1); });",
        "Error",
        "late",
    ),
}


@pytest.mark.needs("node")
@pytest.mark.parametrize("case", NODE_ERRORS)
async def test_node_errors_have_their_own_shape(shop: Shop, case: str) -> None:
    source, kind, message = NODE_ERRORS[case]
    launch = RuntimeLaunch("nodejs", "app.handler")
    async with shop.open(source, name="app.mjs", launch=launch, timeout=20.0) as invoker:
        reply = await call(invoker)
        assert isinstance(reply, FunctionFailed)
        error = orjson.loads(reply.body)
        assert list(error) == ["errorType", "errorMessage", "trace"]
        assert (error["errorType"], error["errorMessage"]) == (kind, message)


@pytest.mark.needs("node")
@pytest.mark.semantics("FN-32")
@pytest.mark.parametrize(
    "source",
    [
        "exports.handler = (event, context) => { context.seen = true; };",
        "exports.handler = (event, context, done) => { setTimeout(() => {}, 10); };",
        "exports.handler = async () => {};",
        "exports.handler = async () => () => 1;",
    ],
)
async def test_a_node_handler_that_answers_nothing_means_null(shop: Shop, source: str) -> None:
    async with shop.open(
        source, name="app.cjs", launch=RuntimeLaunch("nodejs", "app.handler"), timeout=60.0
    ) as invoker:
        assert await returned(invoker) is None
        assert await returned(invoker) is None


@pytest.mark.needs("node")
async def test_a_node_error_of_any_name_leaves_the_environment_warm(shop: Shop) -> None:
    source = """
        exports.handler = async (event) => {
            if (!event.fail) return process.pid;
            throw Object.assign(new Error("no"), { name: "odd\\nñame" });
        };
    """
    async with shop.open(source, name="app.cjs", launch=RuntimeLaunch("nodejs", "app.handler")) as invoker:
        before = await returned(invoker)
        reply = await call(invoker, {"fail": True})
        assert isinstance(reply, FunctionFailed)
        assert orjson.loads(reply.body)["errorType"] == "odd\nñame"
        assert await returned(invoker) == before


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
@pytest.mark.parametrize(
    ("source", "handler", "kind"),
    [
        ("export const other = 1;", "app.handler", "Runtime.HandlerNotFound"),
        ("import 'nosuch';", "app.handler", "Runtime.ImportModuleError"),
        ("", "missing.handler", "Runtime.ImportModuleError"),
        ("export const = 1;", "app.handler", "Runtime.UserCodeSyntaxError"),
    ],
)
async def test_node_init_errors(shop: Shop, source: str, handler: str, kind: str) -> None:
    async with shop.open(source, name="app.mjs", launch=RuntimeLaunch("nodejs", handler)) as invoker:
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        assert orjson.loads(reply.body)["errorType"] == kind


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


# --- isolation ------------------------------------------------------------------------------------------------------


LOOK = """\
#!/bin/sh
touch /tmp/mine
seen="$(ls /tmp | tr '\\n' ' ')$(ls /opt | tr '\\n' ' ')$TMPDIR"
while true; do
    id=$(curl -sS -D - -o /dev/null "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next" |
        grep -i lambda-runtime-aws-request-id | tr -d '[:space:]' | cut -d: -f2)
    curl -sS -d "\\"$seen\\"" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"
done
"""


@pytest.mark.needs("curl")
@pytest.mark.semantics("FN-25")
async def test_a_function_has_a_tmp_and_an_opt_of_its_own(shop: Shop, elsewhere: Path) -> None:
    assert supported(), "this machine gives no namespaces; the rest of the suite runs without"
    for name in ("one", "two", "code"):
        (elsewhere / name).mkdir()
        (elsewhere / name / f"of-{name}").touch()
    bootstrap = elsewhere / "code" / "bootstrap"
    bootstrap.write_text(LOOK)
    bootstrap.chmod(0o755)
    spec = FunctionSpec(
        "shop",
        RuntimeLaunch("provided.al2023", "x"),
        elsewhere / "code",
        elsewhere / "scratch",
        environment={"MARK": shop.mark},
        layers=(elsewhere / "one", elsewhere / "two"),
        isolation="namespace",
    )
    async with shop.opened(spec) as invoker:
        assert await returned(invoker) == "mine of-one of-two /tmp"
    assert not Path("/tmp/mine").exists()


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A directory that a /tmp of one's own does not hide; the checkout itself may be under /tmp."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


@pytest.mark.semantics("FN-13")
async def test_a_path_with_a_nul_character_is_a_reason_not_a_fault(elsewhere: Path) -> None:
    shop = Shop(elsewhere)  # where each path is looked at before the process is started
    async with shop.open(ECHO, launch=RuntimeLaunch("python", "/app.handler\0"), isolation="auto") as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert "correct the handler and the variables" in str(probe.cause)


async def test_isolation_that_would_hide_the_code_is_refused_when_it_was_asked_for() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        shop = Shop(Path(name))
        async with shop.open(ECHO, isolation="namespace") as invoker:
            probe = await invoker.probe()
            assert isinstance(probe, NotReady)
            assert "would be hidden" in str(probe.cause)
        async with shop.open(ECHO, isolation="auto") as invoker:
            assert await returned(invoker, {"a": 1}) == {"a": 1}
