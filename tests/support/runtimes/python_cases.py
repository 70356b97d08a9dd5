"""Small functions for Python: what they answer, how they fail, what they see, how they are found, and what they log."""

from __future__ import annotations

from headrace.dispatch.invokers.local.spec import Logging

from .cases import JSON_LOG, Case


def handler(name: str, body: str, *events: object, before: str = "", quick: bool = False, **more: object) -> Case:
    """The body of a handler, in lines."""
    lines = [*before.splitlines(), "def handler(event, context):", *(f"    {line}" for line in body.splitlines())]
    source = "\n".join(lines) + "\n"
    return Case(name, {"app.py": source}, events=events or ({},), quick=quick, **more)  # type: ignore[arg-type]


RETURNS = [
    handler("returns", "return {'got': event['a']}", {"a": 1}, {"a": [None, "ü 世界 \U0001f600"]}, quick=True),
    handler("returns nothing", "pass", {}, {}, quick=True),
    handler("returns values", "return event['v']", *({"v": v} for v in (None, "x", 1.5, [1], True))),
    handler("returns bytes", "return b'\\xff\\x00raw'", {}, {}),
    handler("returns a decimal", "from decimal import Decimal\nreturn {'d': Decimal('1.10'), 'i': Decimal('2')}"),
    handler("returns what is no number", "return [float('nan'), float('inf')]"),
    handler("returns a set", "return {1, 2}", {}, {}, quick=True),
    handler("returns a date", "import datetime\nreturn datetime.date(2020, 1, 2)"),
    handler("returns a circle", "a = []\na.append(a)\nreturn a"),
    handler("returns keys that are no text", "return {1: 'a', None: 'b', True: 'c'}"),
    handler("returns half a character", "return '\\ud83d'"),
    handler("returns a generator", "return (each for each in [1])"),
    handler("returns a tuple", "return (1, 'a')"),
    handler("a large event", "return len(event['x'])", {"x": "ü" * 1_000_000}),
    handler("a large answer", "return 'x' * (6 * 1024 * 1024 + event['n'])", {"n": 98}, {"n": 99}),
    handler("an event that is no object", "return [event]", [], "x", 0, None, True),
    Case("an async handler", {"app.py": "async def handler(event, context):\n    return 1\n"}),
    Case("a generator", {"app.py": "def handler(event, context):\n    yield 1\n"}),
]

FAILURES = [
    handler("raises", "raise ValueError('no such order')", {}, {}, quick=True),
    handler("raises below", "return inner()", before="def inner():\n    raise KeyError('k')\n"),
    handler(
        "raises with a cause", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('no') from e"
    ),
    handler("raises a message of several lines", "raise ValueError('one\\ntwo')", quick=True),
    handler("raises nothing to say", "raise ValueError"),
    handler("raises an error of its own", "raise Mine(1, 2)", before="class Mine(Exception):\n    pass\n"),
    handler(
        "raises what cannot be shown",
        "raise Odd()",
        {},
        {},
        before="class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError('no text')\n",
    ),
    handler("raises many", "raise ExceptionGroup('both', [ValueError('a'), TypeError('b')])"),
    handler("raises with a note", "e = ValueError('no')\ne.add_note('a note')\nraise e"),
    handler("raises half a character", "raise ValueError('\\ud83d')", {}, {}),
    handler("runs too deep", "return handler(event, context)", timeout=20.0),
    handler("ends", "import sys\nsys.exit(event['code'])", {"code": 0}, {"code": 3}, quick=True),
    handler("ends with text", "import sys\nsys.exit('over')", {}, {}),
    handler("ends at once", "import os\nos._exit(4)"),
    handler("is interrupted", "raise KeyboardInterrupt"),
    handler("is killed", "import os\nos.kill(os.getpid(), 9)"),
    handler(
        "a thread that raises",
        "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\nreturn 1",
    ),
    handler("takes too long", "import time\ntime.sleep(60)", timeout=1.0),
    handler("takes no context", "return 1", before=""),
    Case("takes one argument", {"app.py": "def handler(event):\n    return 1\n"}),
    Case("takes three arguments", {"app.py": "def handler(a, b, c):\n    return 1\n"}, events=({}, {})),
    Case("is no function", {"app.py": "handler = 1\n"}, events=({}, {})),
    Case(
        "is an object that can be called",
        {"app.py": "class H:\n    def __call__(self, e, c):\n        return 1\nhandler = H()\n"},
    ),
]

SEES = [
    handler(
        "the context",
        "c = context\nreturn [c.aws_request_id, c.function_name, c.function_version, c.memory_limit_in_mb, "
        "c.invoked_function_arn, c.log_group_name, c.log_stream_name, c.client_context, "
        "c.identity.cognito_identity_id, c.tenant_id, c.get_remaining_time_in_millis() > 1000]",
        quick=True,
    ),
    handler("the members of the context", "return sorted(n for n in dir(context) if n[0] != '_')"),
    handler(
        "the client's context",
        "c = context.client_context\nreturn [c.custom, c.env, c.client.app_title]",
        context='{"custom":{"a":"ü"},"env":{},"client":{"app_title":"t"}}',
    ),
    handler("the client's context that is no JSON", "return 1", {}, {}, context='{"custom":'),
    handler("the context logs", "context.log('from the context')\ncontext.log(5)"),
    handler("the trace in the environment", "import os\nreturn os.environ['_X_AMZN_TRACE_ID']", {}, {}),
    handler(
        "the environment",
        "import os\nreturn [os.environ.get(n) for n in ('_HANDLER', 'AWS_LAMBDA_FUNCTION_NAME', 'LAMBDA_TASK_ROOT', "
        "'TZ', '_LAMBDA_TELEMETRY_LOG_FD', 'MINE', 'AWS_LAMBDA_LOG_FORMAT')]",
        environment={"MINE": "ü"},
        quick=True,
    ),
    handler(
        "the directory and the words of the command",
        "import os, sys\nreturn [os.getcwd(), len(sys.argv), sys.argv[1:]]",
    ),
    handler("the module's name and file", "return [__name__, __file__, __spec__.name]"),
    handler("the first of the search path", "import sys\nreturn sys.path[0]"),
    handler(
        "the handlers of the root logger",
        "import logging\nreturn [[type(h).__name__ for h in logging.getLogger().handlers], logging.getLogger().level]",
    ),
    handler("the streams", "import sys\nreturn [type(sys.stdout).__name__, sys.stdout.encoding, sys.stdin.read()]"),
    handler("the signals", "import signal\nreturn [str(signal.getsignal(s)) for s in (signal.SIGTERM, signal.SIGINT)]"),
    handler("the time zone", "import time\nreturn time.localtime(0).tm_hour"),
    handler("what is kept", "STATE.append(1)\nreturn len(STATE)", {}, {}, before="STATE = []\n"),
    handler(
        "a process of its own",
        "import subprocess, sys\nreturn subprocess.run([sys.executable, '-c', 'print(1)'], "
        "capture_output=True, text=True).stdout",
    ),
    handler(
        "processes by multiprocessing",
        "import multiprocessing as m\na, b = m.get_context('fork').Pipe()\n"
        "p = m.get_context('fork').Process(target=b.send, args=(7,))\np.start()\np.join()\nreturn a.recv()",
    ),
    handler(
        "the SDK", "import boto3\nreturn boto3.client('sqs', region_name='us-east-1').meta.service_model.service_name"
    ),
]

FOUND = [
    Case(
        "a module in a directory",
        {"src/app.py": "def handler(e, c):\n    return __name__\n"},
        "src.app.handler",
        quick=True,
    ),
    Case(
        "a module by a path", {"src/app.py": "def handler(e, c):\n    return __name__\n"}, "src/app.handler", quick=True
    ),
    Case(
        "a package",
        {"app/__init__.py": "from .lib import handler\n", "app/lib.py": "def handler(e, c):\n    return 1\n"},
    ),
    Case(
        "a method of a class",
        {"app.py": "class A:\n    @staticmethod\n    def h(e, c):\n        return 1\n"},
        "app.A.h",
    ),
    Case(
        "a module of the layer",
        {"app.py": "import p\ndef handler(e, c):\n    return p.N\n"},
        layer={"python/p.py": "N = 'of the layer'\n"},
    ),
    Case(
        "a module of its own hides that of a layer",
        {"app.py": "import p\ndef handler(e, c):\n    return p.N\n", "p.py": "N = 'own'\n"},
        layer={"python/p.py": "N = 'layer'\n"},
    ),
    Case("no file", {"other.py": "x = 1\n"}, quick=True),
    Case("no such function", {"app.py": "x = 1\n"}, quick=True),
    Case("a name without a point", {"app.py": "x = 1\n"}, "app", quick=True),
    Case("a module that Python has", {"app.py": "x = 1\n"}, "sys.exit"),
    Case("a name with dots at both ends", {"app.py": "x = 1\n"}, ".app."),
    Case(
        "imports its neighbours", {"app.py": "import lib\ndef handler(e, c):\n    return lib.N\n", "lib.py": "N = 2\n"}
    ),
    Case(
        "a module with the name of one of the client",
        {"app.py": "import bootstrap\ndef handler(e, c):\n    return bootstrap.N\n", "bootstrap.py": "N = 3\n"},
    ),
    Case(
        "a module with the name of one of Python's",
        {"app.py": "import queue\ndef handler(e, c):\n    return queue.N\n", "queue.py": "N = 4\n"},
    ),
]

INITS = [
    Case("a syntax error", {"app.py": "def handler(:\n    pass\n"}, quick=True),
    Case("a syntax error in what it imports", {"app.py": "import lib\n", "lib.py": "x = = 1\n"}),
    Case("imports what is missing", {"app.py": "import nosuch\n"}, quick=True),
    Case("imports a name that is missing", {"app.py": "from json import nosuch\n"}),
    Case("raises at init", {"app.py": "raise RuntimeError('at init')\n"}, quick=True),
    Case("raises at init, below", {"app.py": "import lib\n", "lib.py": "def f():\n    1 / 0\nf()\n"}),
    Case("ends at init", {"app.py": "import sys\nsys.exit(5)\n"}),
    Case("ends at once at init", {"app.py": "import os\nos._exit(6)\n"}),
    Case("prints at init", {"app.py": "print('init')\ndef handler(e, c):\n    print('in')\n"}, events=({}, {})),
    Case(
        "logs at init",
        {"app.py": "import logging\nlogging.warning('init')\ndef handler(e, c):\n    logging.error('in')\n"},
        events=({}, {}),
        quick=True,
    ),
    Case("warns at init", {"app.py": "import warnings\nwarnings.warn('mine')\ndef handler(e, c):\n    pass\n"}),
]

LEVELS = "import logging\nl = logging.getLogger()\nfor n in (10, 20, 30, 40, 50):\n    l.log(n, 'level %d', n)"
RECORDS = (
    "import logging\nl = logging.getLogger('mine')\nl.warning('two\\nlines')\nl.warning('%s is %d', 'x', 5)\n"
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    l.exception('caught')\n"
    "l.error('with a stack', stack_info=False, extra={'order': 7})\nl.warning({'a': 1})\nl.warning('ü 世界 \\x00 \\r')"
)
PRINTS = (
    "import sys\nprint('one\\ntwo')\nprint('no newline', end='')\nprint('err', file=sys.stderr)\n"
    "sys.stdout.write('w\\n')"
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
    *both("records", RECORDS, quick=True),
    *both("every level", LEVELS, quick=True),
    *both("prints", PRINTS, quick=True),
    *both("an error of the invocation", "raise ValueError('no\\nsuch')", quick=True),
    *both("a level that is set", "import logging\nlogging.getLogger().setLevel('DEBUG')\nlogging.debug('small')"),
    *both(
        "a configuration of its own",
        "import logging\nlogging.basicConfig(level='INFO', force=True)\nlogging.info('mine')",
    ),
    *both(
        "a configuration that changes nothing",
        "import logging\nlogging.basicConfig(level='INFO')\nlogging.info('mine')",
    ),
    *both(
        "a handler of its own",
        "import logging, sys\nh = logging.StreamHandler(sys.stdout)\nl = logging.getLogger('x')\n"
        "l.addHandler(h)\nl.warning('twice')",
    ),
    *both("a warning", "import warnings\nwarnings.warn('mine')"),
    *both("a large record", "import logging\nlogging.error('x' * 100000)\nlogging.error('after it')"),
    *both(
        "from a thread",
        "import logging, threading\nt = threading.Thread(target=logging.error, args=('t',))\nt.start()\nt.join()",
    ),
    *both(
        "from a process",
        "import logging, os\nif os.fork() == 0:\n    logging.error('child')\n    os._exit(0)\nos.wait()",
    ),
    *(
        handler(f"from {level} on, as JSON", LEVELS, logging=json(level))
        for level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    ),
    handler("a level of its own", LEVELS, environment={"AWS_LAMBDA_LOG_LEVEL": "ERROR"}),
    Case("an error of the init, as JSON", {"app.py": "raise RuntimeError('at init')\n"}, logging=JSON_LOG, quick=True),
]

PYTHON = [*RETURNS, *FAILURES, *SEES, *FOUND, *INITS, *LOGS]
