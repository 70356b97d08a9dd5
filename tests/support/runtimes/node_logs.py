"""Small functions for Node.js: what they log."""

from __future__ import annotations

from headrace.dispatch.invokers.local.spec import Logging

from .cases import JSON_LOG, Case
from .node_answers import handler

LEVELS = "for (const l of ['trace', 'debug', 'info', 'log', 'warn', 'error', 'fatal']) console[l](l, 1);"
VALUES = (
    "console.log('%s is %d', 'x', 5, {a: 1}); console.log({a: {b: {c: {d: 1}}}}); console.log([1, 'a', null]);"
    "console.log('a\\nb'); console.log(new Map([[1, {a: 2}]]), new Set([1])); console.log(Symbol('s'), 1n, -0, /x/g);"
    "console.log(); console.log(undefined); console.log(null); console.log(true); console.log('');"
    "console.log('%j %o %%', {a: 1}, [1]); console.log('ü 世界 \\u0000 \\r \\u2028'); console.log('%s');"
    "console.log(() => 1); console.log(class A {}); console.log(new Date(0)); console.log(Buffer.from('a'));"
)
ERRORS = (
    "console.log(new Error('alone')); console.log('with', new TypeError('one')); console.log({e: new Error('within')});"
    "console.error(Object.assign(new RangeError('p'), {code: 'E', more: {a: 1}}));"
    "console.log('two', new Error('first'), new Error('second')); console.log(new Error('c', {cause: 'why'}));"
)
ODD = (
    "const a = {n: 1}; a.self = a; console.log(a); console.log({n: 1n}); console.log([a], 1);"
    "console.log({toJSON() { throw new Error('no'); }}); console.log(Object.create(null));"
)
OTHERS = (
    "console.table([{a: 1}]); console.dir({a: {b: {}}}); console.group('g'); console.log('in'); console.groupEnd();"
    "console.assert(false, 'not so'); console.count('c'); console.timeLog('no'); console.dirxml({a: 1});"
    "process.stdout.write('one\\ntwo\\n'); process.stderr.write('err\\n'); process.stdout.write('no newline');"
)


def json(level: str) -> Logging:
    return Logging(format="JSON", application_level=level, system_level="INFO")


def both(name: str, body: str, *events: object, quick: bool = False) -> list[Case]:
    """In both formats."""
    return [
        handler(name, body, *events, quick=quick),
        handler(f"{name}, as JSON", body, *events, quick=quick, logging=JSON_LOG),
    ]


LOGS = [
    *both("values", VALUES, quick=True),
    *both("errors", ERRORS, quick=True),
    *both("odd values", ODD),
    *both("other ways to print", OTHERS),
    *both("every level", LEVELS, quick=True),
    *both("a large record", "console.log('x'.repeat(100000)); console.log('after it');"),
    *both("a record that is too large", "console.log('x'.repeat(300000)); console.log('after it');"),
    *both("an error of the invocation", "throw Object.assign(new TypeError('no\\nsuch'), {code: 'E1'});", quick=True),
    *both("text as an error", "throw 'words';"),
    *both("an error that nobody catches", "setTimeout(() => { throw new Error('t'); }); await new Promise(() => {});"),
    *both(
        "a rejection that nobody catches",
        "Promise.reject(new Error('u')); await new Promise((r) => setTimeout(r, 200));",
    ),
    *both(
        "a console of its own",
        "new console.Console(process.stdout).log('mine'); require('node:console').log('module');",
    ),
    *both("a method that is kept", "const {log} = console; log('kept %s', 1); [1, 2].forEach(console.log);"),
    *both(
        "after the answer",
        "setTimeout(() => console.log('late'), 20); if (event.wait) await new Promise((r) => setTimeout(r, 100));",
        {},
        {"wait": True},
    ),
    *(
        handler(f"from {level} on, as JSON", LEVELS, logging=json(level), quick=level == "ERROR")
        for level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    ),
    handler("a level of its own", LEVELS, environment={"AWS_LAMBDA_LOG_LEVEL": "warn"}),
    handler("a level that is none", LEVELS, environment={"AWS_LAMBDA_LOG_LEVEL": "LOUD"}),
    handler("a format of its own", "console.log({a: 1});", environment={"AWS_LAMBDA_LOG_FORMAT": "json"}),
    Case(
        "quiet and loud",
        {"app.js": "exports.handler = async () => { console.log('quiet'); console.error('loud'); };"},
        logging=json("ERROR"),
        quick=True,
    ),
    Case("an error of the init, as JSON", {"app.js": "throw new TypeError('at init');"}, logging=JSON_LOG, quick=True),
    Case(
        "prints at init, as JSON",
        {"app.js": "console.log('init'); exports.handler = async () => console.log('in');"},
        logging=JSON_LOG,
    ),
    Case("in a callback, as JSON", {"app.js": "exports.handler = (e, c, done) => done('words');"}, logging=JSON_LOG),
]
