"""Small functions for Node.js: what they see, and what they stream."""

from __future__ import annotations

from .cases import Case
from .node_answers import cjs, handler

DUMP = """
    const kind = (v) => v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v;
    exports.handler = async (event, c) => Object.fromEntries(Object.entries(c).map(([k, v]) => [k, kind(v)]));
"""

SEES = [
    cjs("the members of the context", DUMP, quick=True),
    handler(
        "the context",
        "const {awsRequestId, functionName, functionVersion, invokedFunctionArn, memoryLimitInMB, logGroupName, "
        "logStreamName, clientContext, identity, tenantId} = context; return {awsRequestId, functionName, "
        "functionVersion, invokedFunctionArn, memoryLimitInMB, logGroupName, logStreamName, clientContext, identity, "
        "tenantId, left: context.getRemainingTimeInMillis() > 1000};",
        quick=True,
    ),
    handler("the client's context", "return context.clientContext;", context='{"custom":{"a":"ü"},"env":{}}'),
    handler("the client's context that is no JSON", "return context.clientContext;", {}, {}, context='{"custom":'),
    handler("the context is another one each time", "const n = context.n ?? 0; context.n = 1; return n;", {}, {}),
    cjs(
        "the arguments",
        "exports.handler = function () { return Promise.resolve([...arguments].map((a) => typeof a)); };",
    ),
    cjs("this", "exports.handler = async function () { return [typeof this, this?.constructor?.name]; };"),
    cjs("the stack", "exports.handler = async function orders() { throw new Error('here'); };"),
    cjs("strict mode", "exports.handler = function () { return Promise.resolve(this === undefined); };"),
    handler("the trace in the environment", "return process.env._X_AMZN_TRACE_ID;", {}, {}),
    handler(
        "the environment",
        "return ['_HANDLER', 'AWS_LAMBDA_FUNCTION_NAME', 'LAMBDA_TASK_ROOT', 'TZ', '_LAMBDA_TELEMETRY_LOG_FD', 'MINE', "
        "'AWS_LAMBDA_LOG_FORMAT'].map((n) => process.env[n] ?? null);",
        environment={"MINE": "ü"},
        quick=True,
    ),
    handler(
        "the directory and the words of the command", "return [process.cwd(), process.argv.length, process.argv[2]];"
    ),
    handler("the time zone", "return [new Date(0).getHours(), new Date(0).getTimezoneOffset()];"),
    handler(
        "the globals of the runtime", "return [Object.keys(awslambda).sort(), typeof awslambda.streamifyResponse];"
    ),
    handler(
        "no globals of the runtime when told so",
        "return typeof globalThis.awslambda;",
        environment={"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"},
    ),
    handler("a large event", "return event.x.length;", {"x": "ü" * 1_000_000}),
    handler("a large answer", "return 'x'.repeat(6 * 1024 * 1024 + event.n);", {"n": 98}, {"n": 99}),
    handler("an event that is no object", "return [event];", [], "x", 0, None, True),
    handler(
        "an event with odd keys", "return [Object.keys(event), event.__proto__ === Object.prototype];", {"__proto__": 1}
    ),
    handler(
        "listeners of the process",
        "return ['uncaughtException', 'unhandledRejection', 'SIGTERM'].map((n) => process.listenerCount(n) > 0);",
    ),
]


def streaming(name: str, body: str, *events: object, quick: bool = False, **more: object) -> Case:
    source = f"exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {body} }});"
    return cjs(name, source, *events, quick=quick, **more)


STREAMS = [
    streaming("a stream", "stream.write('one '); stream.write('two'); stream.end();", {}, {}, quick=True),
    streaming("a stream with a last piece", "stream.end('all of it');"),
    streaming("a stream with nothing in it", "stream.end();", {}, {}),
    streaming(
        "a stream of bytes", "stream.write(Buffer.from([0xff, 0])); stream.write(new Uint8Array([65])); stream.end();"
    ),
    streaming("a stream of objects", "stream.write({a: 1}); stream.end();"),
    streaming("a stream with a content type", "stream.setContentType('text/html'); stream.write('<p>'); stream.end();"),
    streaming(
        "a stream with a content type that comes too late",
        "stream.write('x'); stream.setContentType('text/html'); stream.end();",
        {},
        {},
    ),
    streaming(
        "a stream with metadata",
        "stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201, headers: {a: 'b'}}); "
        "stream.write('body'); stream.end();",
        quick=True,
    ),
    streaming(
        "a stream that is piped",
        "const {pipeline} = require('node:stream/promises'); const {Readable} = require('node:stream'); "
        "await pipeline(Readable.from(['a', 'b', 'c']), stream);",
        {},
        {},
        quick=True,
    ),
    streaming(
        "a stream that takes its time",
        "for (let i = 0; i < 5; i++) { stream.write(`${i}`); "
        "await new Promise((r) => setTimeout(r, 5)); } stream.end();",
    ),
    streaming("a stream that throws at once", "throw new TypeError('no');", {}, {}, quick=True),
    streaming(
        "a stream that throws in the middle", "stream.write('some'); throw new TypeError('no');", {}, {}, quick=True
    ),
    streaming("a stream that throws text", "stream.write('some'); throw 'words';"),
    streaming("a stream with a result", "stream.write('x'); stream.end(); return 5;", {}, {}),
    cjs(
        "a stream of a handler that is not async",
        "exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('x'); stream.end(); });",
        {},
        {},
    ),
    cjs(
        "a stream that is awaited until it is finished",
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'.repeat(event.n)); "
        "stream.end(); await new Promise((r) => stream.on('finish', r)); });",
        {"n": 10},
        {"n": 1_000_000},
    ),
    cjs(
        "the members of a stream",
        "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => { "
        "stream.write([typeof stream.pipe, typeof stream.cork, typeof stream.on, stream.writable, "
        "stream.writableEnded, typeof stream.setHeader, "
        "typeof context.getRemainingTimeInMillis, typeof context.succeed]); stream.end(); });",
    ),
    cjs(
        "a stream with a high water mark",
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'); stream.end(); }, "
        "{highWaterMark: 1024});",
    ),
    streaming("a stream that never ends", "stream.write('x');", timeout=1.0),
    streaming("a stream that throws after its end", "stream.end('x'); throw new TypeError('no');", {}, {}),
    streaming("a stream that rejects after its end", "stream.end('x'); await 1; throw new TypeError('no');", {}, {}),
    streaming("a stream that never settles", "stream.end('x'); await new Promise(() => {});", timeout=5.0),
    streaming(
        "a stream whose loop is never empty",
        "setInterval(() => {}, 1e6); context.callbackWaitsForEmptyEventLoop = false; stream.end('x');",
        {},
        {},
    ),
]

SURROUNDINGS = [*SEES, *STREAMS]
