"""Functions in Node.js: what good code does under Lambda it does here, and bad code fails as it fails there.

`test_runtime_clients.py` holds many small functions against AWS's client; here is what users notice first, one by one.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from headrace.dispatch.core.model import FunctionFailed, Unreachable
from headrace.dispatch.invokers.base import NotReady
from headrace.dispatch.invokers.local.interpreters import NodeVersion
from headrace.dispatch.invokers.local.launch import plan
from headrace.dispatch.invokers.local.node_plan import without_experiments
from headrace.dispatch.invokers.local.spec import Logging, RuntimeLaunch
from headrace.dispatch.invokers.local.start_command import Command
from support.shop import Shop, call, returned

pytestmark = pytest.mark.needs("node")

NODE = RuntimeLaunch("nodejs", "app.handler")
RID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(scope="session")
def major() -> int:
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.removeprefix("v").split(".")[0])


async def failed(shop: Shop, source: str, name: str = "app.js", **more: Any) -> dict[str, Any]:
    """The error that the caller of a failed invocation gets."""
    async with shop.open(source, name=name, launch=NODE, **more) as invoker:
        reply = await call(invoker, request_id=RID)
        assert isinstance(reply, FunctionFailed), reply
        error: dict[str, Any] = orjson.loads(reply.body)
        return error


async def answer(shop: Shop, source: str, name: str = "app.js", **more: Any) -> Any:
    async with shop.open(source, name=name, launch=more.pop("launch", NODE), **more) as invoker:
        return await returned(invoker, {"a": 1})


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FN-42")
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.mjs", "export const handler = async (event) => ({ got: event.a });"),
        ("app.cjs", "exports.handler = (event, context, done) => done(null, { got: event.a });"),
        ("app.js", "exports.handler = (event, context) => context.succeed({ got: event.a });"),
        ("app.js", "exports.handler = (event) => Promise.resolve({ got: event.a });"),
    ],
)
async def test_a_handler_answers_in_each_of_lambdas_ways(shop: Shop, major: int, name: str, source: str) -> None:
    if major >= 24 and ("done" in source or "succeed" in source):
        pytest.fail("these ways end with Node.js 22: run the suite with an older one")
    assert await answer(shop, source, name) == {"got": 1}


@pytest.mark.semantics("FN-42")
async def test_what_a_handler_that_is_not_async_returns_is_nobodys_up_to_node_22(shop: Shop, major: int) -> None:
    assert await answer(shop, "exports.handler = (event) => ({ got: event.a });") == (
        None if major < 24 else {"got": 1}
    )


@pytest.mark.semantics("FN-32")
@pytest.mark.parametrize(
    "source",
    [
        "exports.handler = (event, context) => { context.seen = true; };",
        "exports.handler = (event, context) => { setTimeout(() => {}, 10); };",
        "exports.handler = async () => {};",
    ],
)
async def test_a_handler_that_answers_nothing_means_null(shop: Shop, source: str) -> None:
    async with shop.open(source, name="app.cjs", launch=NODE, timeout=60.0) as invoker:
        assert await returned(invoker) is None
        assert await returned(invoker) is None


@pytest.mark.semantics("FN-42")
async def test_a_callback_with_any_error_is_a_failure(shop: Shop) -> None:
    error = await failed(shop, "exports.handler = (event, context, callback) => callback(false, 1);")
    assert error == {"errorType": "boolean", "errorMessage": "false", "trace": []}


@pytest.mark.semantics("FN-42")
async def test_a_callback_waits_for_an_empty_event_loop_unless_told_otherwise(shop: Shop) -> None:
    source = """
        exports.handler = (event, context, callback) => {
            context.callbackWaitsForEmptyEventLoop = event.waits;
            setTimeout(() => { console.log("done"); }, 200);
            callback(null, "answered");
        };
    """
    async with shop.open(source, name="app.js", launch=NODE) as invoker:
        assert await returned(invoker, {"waits": True}) == "answered"
        heads = [record.line.split("\t")[-1].split(" ")[0] for record in shop.logs.lines]
        assert heads.index("done") < heads.index("END")
        shop.logs.lines.clear()
        assert await returned(invoker, {"waits": False}) == "answered"
        assert "done" not in [record.line.split("\t")[-1] for record in shop.logs.lines]


@pytest.mark.semantics("FN-42")
async def test_an_answer_that_was_given_is_not_lost_with_the_process(shop: Shop) -> None:
    source = "exports.handler = (event, context) => { context.succeed('x'.repeat(100000)); process.exit(0); };"
    assert await answer(shop, source) == "x" * 100_000


async def test_an_error_of_any_name_leaves_the_environment_warm(shop: Shop) -> None:
    source = """
        exports.handler = async (event) => {
            if (!event.fail) return process.pid;
            throw Object.assign(new Error("no"), { name: "odd\\nñame" });
        };
    """
    async with shop.open(source, name="app.cjs", launch=NODE) as invoker:
        before = await returned(invoker)
        reply = await call(invoker, {"fail": True})
        assert isinstance(reply, FunctionFailed)
        assert orjson.loads(reply.body)["errorType"] == "odd\nñame"
        assert await returned(invoker) == before


UNSEEN: dict[str, tuple[str, str, str]] = {
    "throws": ("throw new TypeError('no');", "TypeError", "no"),
    "nobody catches": ("await new Promise(() => setTimeout(() => { throw new Error('late'); }, 1));", "Error", "late"),
    "nobody looks": (
        "Promise.reject(new Error('unseen')); await new Promise((r) => setTimeout(r, 1000));",
        "Runtime.UnhandledPromiseRejection",
        "Error: unseen",
    ),
    "never settles": (
        "await new Promise(() => {});",
        "Runtime.NodeJsExit",
        "Lambda runtime client detected an unexpec",
    ),
}


@pytest.mark.semantics("FN-47")
@pytest.mark.parametrize("case", UNSEEN)
async def test_errors_have_lambdas_types_and_shape(shop: Shop, case: str) -> None:
    body, kind, message = UNSEEN[case]
    error = await failed(shop, f"exports.handler = async () => {{ {body} }};", timeout=30.0)
    assert list(error) == ["errorType", "errorMessage", "trace"]
    assert error["errorType"] == kind
    assert error["errorMessage"].startswith(message)


@pytest.mark.semantics("FN-47")
async def test_an_init_that_never_settles_is_told_at_once(shop: Shop) -> None:
    async with shop.open("await new Promise(() => {});", name="app.mjs", launch=NODE) as invoker:
        probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    assert probe.cause.text.startswith("Runtime.NodeJsExit: ")


# --- streams --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FN-48")
async def test_a_streamed_answer_is_the_bytes_that_were_written(shop: Shop) -> None:
    source = """
        export const handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.write("[1,"); stream.write(Buffer.from("2]")); stream.end();
        });
    """
    assert await answer(shop, source, "app.mjs") == [1, 2]


@pytest.mark.semantics("FN-48")
async def test_metadata_stand_before_a_streamed_answer(shop: Shop) -> None:
    source = """
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
            stream.write("body"); stream.end();
        });
    """
    async with shop.open(source, name="app.js", launch=NODE) as invoker:
        reply = await call(invoker)
    assert reply.body == b'{"statusCode":201}' + bytes(8) + b"body"  # type: ignore[union-attr]


@pytest.mark.semantics("FN-48")
async def test_an_error_in_the_middle_of_a_stream_fails_the_invocation(shop: Shop) -> None:
    source = """
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            stream.write("some"); throw new RangeError("no more");
        });
    """
    error = await failed(shop, source)
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "no more")


# --- modules --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FN-45")
@pytest.mark.parametrize(
    ("name", "source", "handler"),
    [
        ("app.js", "exports.default = async () => 'default';", "app.default"),
        ("app.js", "if (!module.parent) process.exit(9); exports.handler = async () => 'default';", "app.handler"),
        ("app.cjs", "exports.a = { b: async () => require.main === module ? 'main' : 'default' };", "app.a.b"),
    ],
)
async def test_a_commonjs_module_is_required(shop: Shop, name: str, source: str, handler: str) -> None:
    assert await answer(shop, source, name, launch=RuntimeLaunch("nodejs", handler)) == "default"


INITS: dict[str, tuple[str, str, str, str]] = {
    "no such export": ("export const other = 1;", "app.handler", "Runtime.HandlerNotFound", "is undefined or not exp"),
    "no such file": ("", "missing.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'missing'"),
    "imports what is missing": ("import 'nosuch';", "app.handler", "Error", "Cannot find package 'nosuch'"),
    "leads outside": ("", "../app.handler", "Runtime.MalformedHandlerName", "is not a valid handler name"),
    "raises": ("throw new TypeError('at init');", "app.handler", "TypeError", "at init"),
}


@pytest.mark.semantics("FN-13", "FN-45")
@pytest.mark.parametrize("case", INITS)
async def test_an_init_error_has_lambdas_type(shop: Shop, case: str) -> None:
    source, handler, kind, words = INITS[case]
    async with shop.open(source, name="app.mjs", launch=RuntimeLaunch("nodejs", handler)) as invoker:
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        error = orjson.loads(reply.body)
        assert error["errorType"] == kind
        assert words in error["errorMessage"]


@pytest.mark.semantics("FN-45")
async def test_the_default_object_of_an_es_module_is_taken_from_node_24_on(shop: Shop, major: int) -> None:
    source = "export default { handler: async () => 1 };"
    if major >= 24:
        assert await answer(shop, source, "app.mjs") == 1
        return
    async with shop.open(source, name="app.mjs", launch=NODE) as invoker:
        probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    assert probe.cause.text == "Runtime.HandlerNotFound: app.handler is undefined or not exported"


@pytest.mark.semantics("FN-45")
@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"app.js": "exports.handler = async () => {\n  return }{;\n};"}, "app.js:2"),
        ({"app.mjs": "\nexport const = 1;"}, "app.mjs:2"),
        ({"app.mjs": "import './lib.mjs';\nexport const handler = 1;", "lib.mjs": "\n\nlet let = 1;"}, "lib.mjs:3"),
        ({"app.js": "require('./lib.js');", "lib.js": "\n}"}, "lib.js:2"),
        ({"app.mjs": "import { x } from './lib.mjs';", "lib.mjs": ""}, "app.mjs:1"),
    ],
)
async def test_a_syntax_error_names_file_and_line(shop: Shop, files: dict[str, str], place: str) -> None:
    write(shop.directory / "code", files)
    async with shop.open(files.get("app.js", ""), name="unused.txt", launch=NODE) as invoker:
        probe = await invoker.probe()
        assert isinstance(probe, NotReady)
        assert probe.cause.text.startswith("Runtime.UserCodeSyntaxError: SyntaxError: ")
        assert probe.cause.text.endswith(f"/{place})")
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        assert orjson.loads(reply.body)["trace"][0].endswith(place)


@pytest.mark.semantics("FN-45")
@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.mjs", "import { S3Client } from '@aws-sdk/client-s3';"),
        ("app.js", "const { S3Client } = require('@aws-sdk/client-s3');"),
    ],
)
async def test_a_missing_sdk_says_what_to_do(shop: Shop, name: str, source: str) -> None:
    async with shop.open(source, name=name, launch=NODE) as invoker:
        probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    assert "npm install @aws-sdk/client-s3" in probe.cause.text


@pytest.mark.semantics("FN-46")
async def test_es_modules_find_packages_of_layers(shop: Shop, major: int) -> None:
    one = write(
        shop.directory / "one",
        {
            "nodejs/node_modules/p/package.json": '{"type": "module", "exports": {".": "./m.js", "./sub": "./s.js"}}',
            "nodejs/node_modules/p/m.js": "import q from 'q'; export default 'p of one, ' + q;",
            "nodejs/node_modules/p/s.js": "export const x = 'sub';",
            "nodejs/node_modules/q/index.js": "module.exports = 'q of one';",
            f"nodejs/node{major}/node_modules/r/index.js": "module.exports = 'r of one';",
            "nodejs/node_modules/r/index.js": "module.exports = 'r of any version';",
        },
    )
    two = write(shop.directory / "two", {"nodejs/node_modules/s/index.js": "module.exports = 's of two';"})
    source = """
        import p from "p"; import { x } from "p/sub"; import r from "r"; import s from "s"; import fs from "fs";
        export const handler = async () => [p, x, r, s, typeof fs.read, (await import("q")).default];
    """
    assert await answer(shop, source, "app.mjs", layers=(one, two)) == [
        "p of one, q of one",
        "sub",
        "r of one",
        "s of two",
        "function",
        "q of one",
    ]


@pytest.mark.semantics("FN-46")
async def test_node_path_of_the_function_leads_es_modules_too(shop: Shop) -> None:
    libraries = write(shop.directory / "libraries", {"p/index.js": "module.exports = 'by NODE_PATH';"})
    source = "import p from 'p'; export const handler = async () => p;"
    assert await answer(shop, source, "app.mjs", environment={"NODE_PATH": str(libraries)}) == "by NODE_PATH"


@pytest.mark.semantics("FN-46")
async def test_a_package_that_is_nowhere_has_nodes_own_error(shop: Shop) -> None:
    layer = write(shop.directory / "layer", {"nodejs/node_modules/p/index.js": ""})
    async with shop.open("import 'nosuch';", name="app.mjs", launch=NODE, layers=(layer,)) as invoker:
        probe = await invoker.probe()
    assert isinstance(probe, NotReady)
    assert re.fullmatch(r"Error: Cannot find package 'nosuch' imported from \S+/app\.mjs", probe.cause.text)


@pytest.mark.parametrize("program", ["bin/index.mjs", "index.mjs"])
@pytest.mark.parametrize("place", ["code/node_modules", "layer/nodejs/node_modules"])
async def test_a_client_that_the_function_brings_is_the_one_that_runs(shop: Shop, program: str, place: str) -> None:
    package = write(
        shop.directory / place / "aws-lambda-ric",
        {"package.json": f'{{"bin": {{"aws-lambda-ric": "./{program}"}}}}', program: ""},
    )
    spec = shop.spec("", name="app.js", launch=NODE, layers=(shop.directory / "layer",))
    planned = await plan(spec)
    assert isinstance(planned, Command)
    assert Path(planned.argv[-2]) == package / program


@pytest.mark.semantics("FN-45")
@pytest.mark.parametrize(
    ("version", "asked", "options"),
    [
        (NodeVersion(18, 20), "", ()),
        (NodeVersion(20, 18), "", ()),
        (NodeVersion(20, 19), "", ("--no-experimental-require-module",)),
        (NodeVersion(22, 1), "", ("--no-experimental-require-module", "--no-experimental-detect-module")),
        (NodeVersion(22, 20), "--experimental-require-module", ("--no-experimental-detect-module",)),
        (NodeVersion(24, 0), "", ()),
    ],
)
def test_node_does_not_do_what_lambda_asks_it_not_to(
    version: NodeVersion, asked: str, options: tuple[str, ...]
) -> None:
    assert without_experiments(version, asked) == options


# --- the log --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FN-44")
async def test_a_line_of_the_console_has_time_id_and_level_and_is_one_record(shop: Shop) -> None:
    source = "exports.handler = async () => { console.warn('%s\\nof two lines', 'one', { a: 1 }); };"
    async with shop.open(source, name="app.js", launch=NODE) as invoker:
        await call(invoker, request_id=RID)
    (line,) = shop.logs.text("log")
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT[\d:.]+Z\t{RID}\tWARN\tone\nof two lines {{ a: 1 }}", line)


@pytest.mark.semantics("FN-44", "LOGS-02")
async def test_the_log_format_and_the_level_of_the_function_are_honoured(shop: Shop) -> None:
    source = "exports.handler = async () => { console.log('quiet'); console.error('loud'); };"
    logging = Logging(format="JSON", application_level="ERROR", system_level="WARN")
    async with shop.open(source, name="app.js", launch=NODE, logging=logging) as invoker:
        await call(invoker, request_id=RID)
    (record,) = (orjson.loads(record.line) for record in shop.logs.lines)
    assert list(record) == ["timestamp", "level", "requestId", "message"]
    assert (record["level"], record["requestId"], record["message"]) == ("ERROR", RID, "loud")


@pytest.mark.semantics("FN-44")
async def test_a_large_record_comes_whole(shop: Shop) -> None:
    source = "exports.handler = async () => { console.log('x'.repeat(200000) + 'end'); };"
    async with shop.open(source, name="app.js", launch=NODE) as invoker:
        await returned(invoker)
    (line,) = shop.logs.text("log")
    assert line.endswith("xend")
    assert len(line) > 200_000
