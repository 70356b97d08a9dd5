"""Small functions for Node.js: how their modules are found and loaded, and what their init may do."""

from __future__ import annotations

from .cases import Case

H = "exports.handler = async () => __filename.split('/').pop();"
M = "export const handler = async () => import.meta.url.split('/').pop();"
MODULE = '{"type": "module"}'

FOUND = [
    Case("a script", {"app.js": H}, quick=True),
    Case("a CommonJS module", {"app.cjs": H}),
    Case("an ES module", {"app.mjs": M}, quick=True),
    Case("an ES module by its package", {"app.js": M, "package.json": MODULE}, quick=True),
    Case("a CommonJS module in a package of ES modules", {"app.cjs": H, "package.json": MODULE}),
    Case("a script and an ES module", {"app.js": H, "app.mjs": M}),
    Case("an ES module and a CommonJS one", {"app.cjs": H, "app.mjs": M}),
    Case("a file without ending", {"app": H, "app.js": "throw new Error('not me');"}),
    Case("a directory", {"app/index.js": H}),
    Case("a directory with a package", {"app/package.json": '{"main": "lib.js"}', "app/lib.js": H}),
    Case("a module in a directory", {"src/app.js": H}, "src/app.handler", quick=True),
    Case("an ES module in a directory", {"src/lib/app.mjs": M}, "src/lib/app.handler"),
    Case("a package below that of the function", {"src/app.js": M, "src/package.json": MODULE}, "src/app.handler"),
    Case(
        "a package of no kind below one of ES modules",
        {"src/app.js": H, "src/package.json": "{}", "package.json": MODULE},
        "src/app.handler",
    ),
    Case("a package that cannot be read", {"app.js": H, "package.json": "{not json"}),
    Case("a module of an installed package", {"node_modules/app/index.js": H}),
    Case("a module that is JSON", {"app.json": '{"handler": 1}'}),
    Case("a path with a point", {"a.b/app.js": H}, "a.b/app.handler"),
    Case("an absolute path", {"app.js": H}, "/app.handler"),
    Case("a path that begins with a point", {"app.js": H}, "./app.handler"),
    Case("a path that leads outside", {"app.js": H}, "../code/app.handler", quick=True),
    Case("no file", {"other.js": H}, quick=True),
    Case("no file in a directory", {"src/other.js": H}, "src/app.handler"),
    Case("a name without a point", {"app.js": H}, "app", quick=True),
    Case("a name that ends in a point", {"app.js": H}, "app."),
    Case("a name that begins with a point", {"app.js": H}, ".handler"),
]

EXPORTS = [
    Case("exports in an object", {"app.js": "module.exports = {handler: async () => 1};"}),
    Case("exports by name", {"app.js": "exports.a = {b: {c: async () => 1}};"}, "app.a.b.c", quick=True),
    Case("exports.default", {"app.js": "exports.default = async () => 1;"}, "app.default", quick=True),
    Case(
        "a transpiled module",
        {
            "app.js": "Object.defineProperty(exports, '__esModule', {value: true}); "
            "exports.handler = async () => 1; exports.default = {handler: async () => 2};"
        },
    ),
    Case("a default object of a script", {"app.js": "exports.default = {handler: async () => 1};"}),
    Case("a default object of an ES module", {"app.mjs": "export default {handler: async () => 1};"}, quick=True),
    Case("a default function", {"app.mjs": "export default async () => 1;"}, "app.default"),
    Case("module.exports is the handler", {"app.js": "module.exports = async () => 1;"}),
    Case("a property of a function", {"app.js": "module.exports = () => {}; module.exports.handler = async () => 1;"}),
    Case("a getter", {"app.js": "Object.defineProperty(exports, 'handler', {get: () => async () => 1});"}),
    Case(
        "a static method",
        {"app.js": "exports.Orders = class { static async handler() { return this === undefined; } };"},
        "app.Orders.handler",
    ),
    Case(
        "a method that needs its object",
        {"app.js": "exports.o = {n: 1, async handler() { return this.n ?? 'none'; }};"},
        "app.o.handler",
    ),
    Case("no such export", {"app.js": "exports.other = 1;"}, quick=True),
    Case("no such export of an ES module", {"app.mjs": "export const other = 1;"}, quick=True),
    Case("no such nested export", {"app.js": "exports.a = null;"}, "app.a.handler"),
    Case("an export that is no function", {"app.js": "exports.handler = {a: 1};"}, quick=True),
    Case("an export that is zero", {"app.js": "exports.handler = 0;"}),
    Case("exports that are nothing", {"app.js": "module.exports = null;"}),
    Case("a promise of a handler", {"app.js": "exports.handler = Promise.resolve(async () => 1);"}),
    Case("an ES module with names alone", {"app.mjs": "export * from './lib.mjs';", "lib.mjs": M}),
]

LOADS = [
    Case(
        "module.parent",
        {
            "app.js": "if (!module.parent) process.exit(9); exports.handler = async () => "
            "[require.main === module, typeof require.main];"
        },
        quick=True,
    ),
    Case(
        "a module is loaded once",
        {"app.js": "globalThis.n = (globalThis.n ?? 0) + 1; exports.handler = async () => n;"},
        events=({}, {}),
    ),
    Case(
        "requires its neighbours",
        {
            "app.js": "exports.handler = async () => require('./lib').n + require('./d.json').n;",
            "lib.js": "exports.n = 1;",
            "d.json": '{"n": 2}',
        },
    ),
    Case(
        "requires an installed package",
        {"app.js": "exports.handler = async () => require('p');", "node_modules/p/index.js": "module.exports = 'p';"},
    ),
    Case(
        "imports an installed package",
        {
            "app.mjs": "import p from 'p'; export const handler = async () => p;",
            "node_modules/p/index.js": "module.exports = 'p';",
        },
    ),
    Case(
        "imports from a script",
        {"app.js": "exports.handler = async () => (await import('./lib.mjs')).n;", "lib.mjs": "export const n = 3;"},
    ),
    Case(
        "requires from an ES module",
        {
            "app.mjs": "import {createRequire} from 'node:module'; const require = "
            "createRequire(import.meta.url); export const handler = async () => require('./l');",
            "l.cjs": "",
            "l.js": "module.exports = 4;",
        },
    ),
    Case(
        "requires an ES module",
        {
            "app.js": "const l = require('./lib.mjs'); exports.handler = async () => l.n;",
            "lib.mjs": "export const n = 5;",
        },
    ),
    Case("ES syntax in a script", {"app.js": M}),
    Case(
        "requires a package of its own root",
        {"app.js": "exports.handler = async () => require('lib');", "lib.js": "module.exports = 'root';"},
    ),
    Case(
        "top-level await",
        {"app.mjs": "const n = await new Promise((r) => setTimeout(r, 20, 6)); export const handler = async () => n;"},
    ),
]

LAYERS = [
    Case(
        "requires a package of a layer",
        {"app.js": "exports.handler = async () => require('p');"},
        layer={"nodejs/node_modules/p/index.js": "module.exports = 'of the layer';"},
    ),
    Case(
        "requires a package that the layer has for its version",
        {"app.js": "exports.handler = async () => [require('p'), require('q')];"},
        layer={
            "nodejs/node_modules/p/index.js": "module.exports = 'any';",
            "nodejs/node{major}/node_modules/p/index.js": "module.exports = 'this one';",
            "nodejs/node{major}/node_modules/q/index.js": "module.exports = 'q';",
        },
    ),
    Case(
        "a package of its own hides that of a layer",
        {"app.js": "exports.handler = async () => require('p');", "node_modules/p/index.js": "module.exports = 'own';"},
        layer={"nodejs/node_modules/p/index.js": "module.exports = 'of the layer';"},
    ),
    Case(
        "a package of a layer needs one of the function",
        {"app.js": "exports.handler = async () => require('p');", "node_modules/q/index.js": "module.exports = 'q';"},
        layer={"nodejs/node_modules/p/index.js": "module.exports = require('q');"},
    ),
    Case(
        "imports a package of a layer",
        {"app.mjs": "import p from 'p'; import {x} from 'p/sub.js'; export const handler = async () => [p, x];"},
        layer={
            "nodejs/node_modules/p/index.js": "module.exports = 'of the layer';",
            "nodejs/node_modules/p/sub.js": "exports.x = 1;",
        },
    ),
]

INITS = [
    Case("a syntax error", {"app.js": "exports.handler = async () => {\n  return }{;\n};"}),
    Case("a syntax error of an ES module", {"app.mjs": "export const = 1;"}),
    Case(
        "a syntax error in what it requires",
        {"app.js": "exports.x = 1;\nrequire('./lib');", "lib.js": "\n\nlet let = 1;"},
    ),
    Case("a syntax error that the code raises", {"app.js": "JSON.parse('{');"}),
    Case("requires what is missing", {"app.js": "require('nosuch');\nexports.handler = async () => 1;"}, quick=True),
    Case("requires a file that is missing", {"app.js": "require('./nosuch');"}),
    Case("imports what is missing", {"app.mjs": "import 'nosuch'; export const handler = 1;"}, quick=True),
    Case("imports a file that is missing", {"app.mjs": "import './nosuch.mjs'; export const handler = 1;"}),
    Case(
        "imports a name that is missing",
        {"app.mjs": "import {x} from './l.mjs'; export const handler = x;", "l.mjs": ""},
    ),
    Case("raises", {"app.js": "throw new TypeError('at init');"}, quick=True),
    Case("raises in an ES module", {"app.mjs": "throw new TypeError('at init');"}),
    Case("raises text", {"app.js": "throw 'at init';"}),
    Case("rejects in an ES module", {"app.mjs": "await Promise.reject(new Error('awaited'));"}),
    Case(
        "raises from a timer at init",
        {
            "app.mjs": "setTimeout(() => { throw new Error('timer'); });"
            "await new Promise((r) => setTimeout(r, 500)); export const handler = async () => 1;"
        },
    ),
    Case(
        "rejects at init and nobody looks",
        {
            "app.mjs": "Promise.reject(new Error('unseen'));"
            "await new Promise((r) => setTimeout(r, 500)); export const handler = 1;"
        },
        quick=True,
    ),
    Case("ends the process at init", {"app.js": "process.exit(4);"}),
    Case("ends the process well at init", {"app.js": "process.exit(0);"}),
    Case(
        "an init that never settles", {"app.mjs": "await new Promise(() => {}); export const handler = async () => 1;"}
    ),
    Case(
        "prints at init",
        {"app.js": "console.log('from init'); exports.handler = async () => console.log('from handler');"},
        events=({}, {}),
    ),
]

MODULES = [*FOUND, *EXPORTS, *LOADS, *LAYERS, *INITS]
