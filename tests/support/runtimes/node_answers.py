"""Small functions for Node.js: what they answer, and how they fail."""

from __future__ import annotations

from .cases import Case


def cjs(name: str, source: str, *events: object, quick: bool = False, **more: object) -> Case:
    return Case(name, {"app.js": source}, events=events or ({},), quick=quick, **more)  # type: ignore[arg-type]


def handler(name: str, body: str, *events: object, quick: bool = False, **more: object) -> Case:
    """The body of an async handler."""
    source = f"exports.handler = async (event, context) => {{ {body} }};"
    return cjs(name, source, *events, quick=quick, **more)


def called(name: str, body: str, *events: object, quick: bool = False, **more: object) -> Case:
    """The body of a handler with a callback."""
    source = f"exports.handler = (event, context, callback) => {{ {body} }};"
    return cjs(name, source, *events, quick=quick, **more)


RETURNS = [
    handler("async returns", "return {got: event.a};", {"a": 1}, {"a": [None, "ü 世界 \U0001f600"]}, quick=True),
    handler("async returns nothing", "context.x = 1;", {}, {}),
    handler("async returns null, text, number, array", "return event.v;", *({"v": v} for v in (None, "x", 1.5, [1]))),
    cjs("plain returns a value", "exports.handler = (event) => ({got: 1});", {}, {}, quick=True),
    cjs("plain returns nothing", "exports.handler = () => {};", {}, {}, quick=True),
    cjs("plain returns a promise", "exports.handler = () => Promise.resolve(7);"),
    cjs("plain returns what has a then", "exports.handler = () => ({then(done) { setTimeout(done, 1, 8); }});"),
    cjs("plain returns what has a then that is no function", "exports.handler = () => ({then: 1});"),
    cjs("a generator", "exports.handler = function* () { yield 1; };"),
    handler("returns a function", "return () => 1;", {}, {}, quick=True),
    handler("returns a symbol", "return Symbol('s');", {}, {}),
    handler("returns what JSON does not have", "return {a: undefined, f() {}, n: NaN, i: -Infinity, d: new Date(0)};"),
    handler("returns collections", "return [new Map([[1, 2]]), new Set([1]), Buffer.from('ab'), new Uint8Array(2)];"),
    handler("returns a big integer", "return {n: 1n};", {}, {}, quick=True),
    handler("returns a circle", "const a = {}; a.a = a; return a;", {}, {}),
    handler("returns what has a toJSON", "return {toJSON: () => 'mine'};"),
    handler("returns what cannot be written", "return {toJSON() { throw new RangeError('not me'); }};", {}, {}),
    handler("returns half a character", "return ['\\ud83d', '\\u2028', '\\u0000', '\\u007f'];"),
    handler("returns an error", "return new Error('as a value');"),
    handler("returns at once what an interval holds open", "setInterval(() => {}, 1e6); return 1;", {}, {}),
    handler("what runs on after the answer", "setTimeout(() => { exports.late = 1; }, 20); return exports.late ?? 0;"),
]

CALLBACKS = [
    called("callback with a result", "callback(null, {got: 1});", {}, {}, quick=True),
    called("callback with nothing", "callback();", {}, {}),
    called("callback with undefined and null", "callback(undefined, null);"),
    called("callback later", "setTimeout(() => callback(null, 1), 5);", {}, {}),
    called("callback with an error", "callback(new TypeError('no'));", {}, {}, quick=True),
    called("callback with text", "callback('in words', 1);", {}, {}),
    called("callback with false", "callback(false, 1);", {}, {}, quick=True),
    called("callback with zero and empty text", "callback(event.e, 1);", {"e": 0}, {"e": ""}),
    called("callback with an object", "callback({code: 1, message: 'no error'});"),
    called("callback twice", "callback(null, 1); callback(null, 2);", {}, {}),
    called("callback with an error after a result", "callback(null, 1); callback(new Error('late'));"),
    called("callback after a throw", "setTimeout(() => callback(null, 1), 1); throw new Error('first');", {}, {}),
    called("callback and a promise", "callback(null, 'callback'); return Promise.resolve('promise');"),
    called(
        "a promise before the callback", "setTimeout(() => callback(null, 1), 50); return Promise.resolve('first');"
    ),
    called(
        "callback waits for an empty event loop",
        "setTimeout(() => { exports.n = (exports.n ?? 0) + 1; }, 60); callback(null, 'answered');"
        "console.log(exports.n);",
        {},
        {},
        quick=True,
    ),
    called(
        "callback does not wait when told so",
        "context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1e6); callback(null, 1);",
        {},
        {},
        quick=True,
    ),
    called(
        "callback waits for the interval that never ends",
        "setInterval(() => {}, 1e6); callback(null, 1);",
        timeout=1.0,
    ),
    called("an error does not wait", "setInterval(() => {}, 1e6); callback(new Error('now'));", {}, {}),
    called("context.succeed", "setInterval(() => {}, 1e6); context.succeed({got: 1});", {}, {}, quick=True),
    called("context.succeed with what cannot be written", "context.succeed({n: 1n});", {}, {}),
    called("context.fail", "context.fail(new Error('failed'));", {}, {}, quick=True),
    called("context.fail with nothing", "context.fail();"),
    called("context.fail with text", "context.fail('words');"),
    called("context.done", "context.done(null, 1);", {}, {}),
    called("context.done with an error", "context.done(new Error('done'), 1);"),
    called("context.done and callback", "context.done(null, 'done'); callback(null, 'callback');"),
    called("context.succeed and the end of the process", "context.succeed('before the end'); process.exit(0);", {}, {}),
    called("callback and the end of the process", "callback(null, 'lost'); process.exit(0);"),
    cjs("context.succeed of a handler with two arguments", "exports.handler = (e, c) => c.succeed(1);", {}, {}),
    called("never answers", "exports.seen = 1;", {}, {}, quick=True),
    called("never answers, after some time", "setTimeout(() => {}, 20);", {}, {}),
    called("an async handler with a callback", "return (async () => { callback(null, 'callback'); })();"),
    cjs("async with three arguments", "exports.handler = async (e, c, done) => { done(null, 1); return 2; };"),
    cjs("a callback handler with defaults", "exports.handler = (e, c, done = () => {}) => done(null, 1);"),
]

FAILURES = [
    handler("throws", "throw new TypeError('no such order');", {}, {}, quick=True),
    cjs("plain throws", "exports.handler = () => { throw new RangeError('at once'); };", {}, {}),
    called("a handler with a callback throws", "throw new RangeError('at once');", {}, {}),
    handler("throws text", "throw 'just words';", quick=True),
    handler("throws undefined", "throw undefined;", {}, {}),
    handler("throws null", "throw null;", {}, {}),
    handler("throws a number", "throw 7;"),
    handler("throws an object", "throw {code: 1, toString() { return 'mine'; }};"),
    handler("throws what looks like an error", "throw {name: 'Mine', message: 'm', stack: 'Mine: m\\n  somewhere'};"),
    handler("throws what has no prototype", "throw Object.create(null);", {}, {}),
    handler("throws with a cause", "throw new Error('outer', {cause: new TypeError('inner')});"),
    handler("throws several", "throw new AggregateError([new Error('a'), 'b'], 'both');"),
    handler(
        "throws with properties", "throw Object.assign(new Error('m'), {code: 'E1', details: {a: [1]}, stack: 5});"
    ),
    handler("throws without a stack", "const e = new Error('m'); delete e.stack; e.stack = undefined; throw e;"),
    handler("throws without a message", "throw new Error();"),
    handler("throws an error of its own class", "class Mine extends Error {} throw new Mine('m');"),
    handler(
        "throws an error of its own name",
        "class Mine extends Error { constructor(m) { super(m); this.name = 'Named'; } } throw new Mine('m');",
    ),
    handler("throws a message of several lines", "throw new Error('one\\ntwo');"),
    handler("throws with a delete character", "throw new Error('a\\x7fb');"),
    handler(
        "throws what throws when it is read",
        "throw Object.defineProperty(new Error('m'), 'message', {get() { throw new Error('no'); }});",
        {},
        {},
    ),
    handler("throws a name that is no header", "throw Object.assign(new Error('m'), {name: 'odd\\nñame'});", {}, {}),
    handler("throws a circle", "const e = new Error('m'); e.self = e; throw e;"),
    handler("throws a big integer within", "throw Object.assign(new Error('m'), {n: 1n});"),
    handler(
        "throws from a timer", "await new Promise(() => setTimeout(() => { throw new Error('late'); }, 5));", {}, {}
    ),
    handler("throws text from a timer", "await new Promise(() => setTimeout(() => { throw 'late'; }, 5));"),
    handler(
        "throws from a timer a moment before it answers",
        "setTimeout(() => { throw new Error('t'); }); await new Promise((r) => setTimeout(r, 200)); return 1;",
    ),
    handler(
        "rejects and nobody looks",
        "Promise.reject(new Error('unseen')); await new Promise((r) => setTimeout(r, 200)); return 1;",
        {},
        {},
        quick=True,
    ),
    handler("rejects text and nobody looks", "Promise.reject('words'); await new Promise((r) => setTimeout(r, 200));"),
    handler(
        "rejects and somebody looks late",
        "const p = Promise.reject(new Error('x')); "
        "setTimeout(() => p.catch(() => {}), 20); await new Promise((r) => setTimeout(r, 100)); return 1;",
    ),
    called("rejects and nobody looks, with a callback", "Promise.reject(new Error('u')); setTimeout(callback, 200);"),
    handler("ends the process", "process.exit(event.code);", {"code": 0}, {"code": 3}, quick=True),
    handler("ends the process by an exit code", "process.exitCode = 5; return 1;", {}, {}),
    handler("aborts the process", "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});"),
    handler(
        "a listener for what nobody catches",
        "process.on('uncaughtException', () => {}); "
        "setTimeout(() => { throw new Error('mine'); }); await new Promise((r) => setTimeout(r, 200)); return 1;",
    ),
    handler("takes too long", "await new Promise((r) => setTimeout(r, 60000));", timeout=1.0),
    handler("a promise that never settles", "await new Promise(() => {});", {}, {}, timeout=5.0),
    handler("a promise that never settles after some time", "setTimeout(() => {}, 20); return new Promise(() => {});"),
]

ANSWERS = [*RETURNS, *CALLBACKS, *FAILURES]
