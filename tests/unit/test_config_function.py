"""Functions: one kind each, defaults, paths, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.function import (
    CommandFunction,
    ExternalFunction,
    HttpFunction,
    LocalFunction,
    RemoteFunction,
    describe,
)
from support.configs import loaded, problems, with_function, write


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    return tmp_path


def test_the_kinds(code: Path) -> None:
    file = write(
        code,
        """
        functions:
          orders: {runtime: python, handler: app.handler, code: code}
          stock: {command: [java, -jar, stock.jar], timeout: 60}
          debug: {external: true}
          billing: {invoke: {function_name: billing, endpoint_url: "http://localhost:3001"}}
          image: {http: "http://localhost:9000/x"}
        """,
    )
    functions = loaded(file).functions
    kinds = [LocalFunction, CommandFunction, ExternalFunction, RemoteFunction, HttpFunction]
    assert [type(function) for function in functions.values()] == kinds
    assert [function.name for function in functions.values()] == list(functions)
    assert [function.deadline for function in functions.values()] == [3.0, 60.0, 900.0, None, None]
    assert [function.concurrency for function in functions.values()] == [4, 4, 1, None, 1]
    assert [describe(function) for function in functions.values()] == [
        f"python in {code / 'code'}",
        "command java",
        "a runtime started elsewhere",
        "billing at http://localhost:3001",
        "http://localhost:9000/x",
    ]


@pytest.mark.semantics("CONFIG-21")
def test_defaults_of_a_local_function(code: Path) -> None:
    made = loaded(with_function(code, runtime="nodejs20.x", handler="a.b", code="./code")).functions["f"]
    assert isinstance(made, LocalFunction)
    assert (made.timeout, made.concurrency, made.memory_size, made.idle_timeout) == (3, 4, 128, 300)
    assert (made.isolation, made.reload, made.debug, made.family) == ("auto", True, False, "nodejs")
    assert (made.processes, made.deadline) == (4, 3.0)


@pytest.mark.semantics("CONFIG-21")
def test_a_debugger_means_one_process_and_no_timeout(code: Path) -> None:
    made = loaded(with_function(code, runtime="python", handler="a.b", code="code", debug=5678)).functions["f"]
    assert isinstance(made, LocalFunction)
    assert (made.debug, made.processes, made.deadline) == (5678, 1, None)


@pytest.mark.semantics("CONFIG-23")
def test_paths_start_at_the_file(code: Path) -> None:
    for name in ("layer", "venv"):
        (code / name).mkdir()
    fields = {"runtime": "python", "handler": "a.b", "code": "code", "layers": ["./layer"]}
    made = loaded(with_function(code, **fields, venv="venv")).functions["f"]
    assert isinstance(made, LocalFunction)
    assert (made.code, made.layers, made.venv) == (code / "code", [code / "layer"], code / "venv")
    for given, meant in (("python3.11", "python3.11"), ("bin/python", str(code / "bin/python")), ("/py", "/py")):
        made = loaded(with_function(code, **fields, interpreter=given)).functions["f"]
        assert isinstance(made, LocalFunction)
        assert made.interpreter == meant
    command = loaded(with_function(code, command=["./run"])).functions["f"]
    assert isinstance(command, CommandFunction)
    assert (command.code, command.command) == (code, ["./run"])


@pytest.mark.semantics("CONFIG-22")
def test_the_environment_is_text(code: Path) -> None:
    made = loaded(with_function(code, command=["x"], environment={"A": "b", "PORT": 8080, "R": 0.5})).functions["f"]
    assert isinstance(made, CommandFunction)
    assert made.environment == {"A": "b", "PORT": "8080", "R": "0.5"}
    aws = loaded(with_function(code, command=["x"], Environment={"Variables": {"A": "b"}})).functions["f"]
    assert isinstance(aws, CommandFunction)
    assert aws.environment == {"A": "b"}


PYTHON = {"runtime": "python", "handler": "a.b", "code": "code"}
WRONG: list[tuple[dict[str, object], str]] = [
    ({}, "functions.f: does not define how to run it (give one of runtime, command, external, invoke, http, plugin)"),
    ({"environment": {}}, "functions.f: does not define how to run it"),
    (
        {"handler": "a.b", "code": "code"},
        "how to run it (give one of runtime, command, external, invoke, http, plugin)",
    ),
    ({"comand": ["x"]}, "functions.f.comand: unknown key (did you mean 'command'?)"),
    ({"command": "x"}, "functions.f.command: must be a list, not 'x' (write [x])"),
    (
        {"invoke": {"function_name": "x", "qualifier": "a b"}},
        "qualifier: is not a version or alias: 'a b' ($LATEST, or",
    ),
    ({"http": "http://x", "command": ["x"]}, "functions.f: has 'command' and 'http'"),
    ({"runtime": "cobol85", "code": "code"}, "functions.f.runtime: is not a runtime of Lambda's: 'cobol85'"),
    ({"runtime": "python", "code": "code"}, "functions.f: needs a 'handler' for the runtime python"),
    ({"runtime": "python", "handler": "a.b"}, "functions.f: 'code' is missing"),
    ({**PYTHON, "handler": "handler"}, "functions.f: has the handler 'handler', which names no function: write app.h"),
    ({**PYTHON, "runtime": "nodejs", "handler": "a.b/c"}, "functions.f: has the handler 'a.b/c', which names no"),
    ({**PYTHON, "code": "gone"}, "functions.f.code: there is no directory"),
    ({**PYTHON, "layers": ["code", "gone"]}, "functions.f.layers[1]: there is no directory"),
    ({**PYTHON, "venv": "gone"}, "functions.f.venv: there is no directory"),
    ({**PYTHON, "venv": "code", "interpreter": "x"}, "functions.f: gives both 'interpreter' and 'venv'"),
    ({"runtime": "nodejs", "handler": "a.b", "code": "code", "venv": "code"}, "gives a 'venv' for the runtime nodejs"),
    ({**PYTHON, "timeout": 0}, "functions.f.timeout: must be at least 1, not 0"),
    ({**PYTHON, "timeout": 901}, "functions.f.timeout: must be at most 900, not 901"),
    ({**PYTHON, "concurrency": 0}, "functions.f.concurrency: must be at least 1, not 0"),
    ({**PYTHON, "memory_size": 127}, "functions.f.memory_size: must be at least 128, not 127"),
    ({**PYTHON, "isolation": "docker"}, "functions.f.isolation: must be 'auto', 'env' or 'namespace', not 'docker'"),
    ({**PYTHON, "debug": True}, "functions.f.debug: must be the port that the debugger listens on, or false"),
    ({**PYTHON, "debug": 70_000}, "functions.f: has the debug port 70000"),
    ({**PYTHON, "environment": {"A-B": "x"}}, "functions.f.environment.A-B: is not a valid name of a variable"),
    ({**PYTHON, "environment": {"A": [True]}}, "functions.f.environment.A: must be text, not a list"),
    ({**PYTHON, "environment": {"TZ": "x"}}, "functions.f.environment.TZ: is Lambda's own variable: remove it"),
    ({**PYTHON, "handlr": "x"}, "functions.f.handlr: unknown key (did you mean 'handler'?)"),
    ({**PYTHON, "name": "x"}, "functions.f.name: unknown key"),
    ({"command": []}, "functions.f.command: must have at least 1 element"),
    ({"external": False}, "functions.f.external: must be true, not false"),
    ({"invoke": {}}, "functions.f.invoke: 'function_name' is missing"),
    ({"invoke": {"function_name": "x", "endpoint_url": "x"}}, "functions.f.invoke.endpoint_url: is not a URL: 'x'"),
    ({"http": "localhost:9000"}, "functions.f.http: is not a URL"),
    ({"http": "http://x", "timeout": 901}, "functions.f.timeout: must be at most 900"),
]


@pytest.mark.parametrize(("fields", "text"), WRONG)
@pytest.mark.semantics("CONFIG-20", "CONFIG-21", "CONFIG-22", "CONFIG-23")
def test_what_is_refused(code: Path, fields: dict[str, object], text: str) -> None:
    found = problems(with_function(code, **fields))
    assert len(found) == 1
    assert text in found[0]


def test_every_variable_that_is_refused_is_named_with_all_other_problems(code: Path) -> None:
    refused = {"A-B": "x", "TZ": "x", "AWS_REGION": "x"}
    found = problems(with_function(code, **{**PYTHON, "timeout": 0, "environment": refused}))
    assert len(found) == 4


@pytest.mark.semantics("CONFIG-20")
def test_a_misspelled_kind_is_recognised(code: Path) -> None:
    assert problems(with_function(code, runtme="python", handler="a.b", code="code")) == [
        "headrace.json:1: functions.f.runtme: unknown key (did you mean 'runtime'?)",
    ]


@pytest.mark.parametrize("runtime", ["provided", "provided.al2023", "bootstrap"])
def test_a_bootstrap_needs_no_handler(code: Path, runtime: str) -> None:
    made = loaded(with_function(code, runtime=runtime, code="code")).functions["f"]
    assert isinstance(made, LocalFunction)
    assert (made.family, made.handler) == ("provided", None)


@pytest.mark.parametrize("url", ["http://localhost:9470/x", "http://127.0.0.1:9470", "http://[::1]:9470/"])
@pytest.mark.semantics("CONFIG-24")
def test_a_daemon_that_would_call_itself_is_refused(tmp_path: Path, url: str) -> None:
    assert "would call itself for ever" in problems(with_function(tmp_path, http=url))[0]
    remote = with_function(tmp_path, invoke={"function_name": "x"})
    assert "would call itself for ever" in problems(remote, environ={"AWS_ENDPOINT_URL": url})[0]
    assert problems(remote, environ={"AWS_ENDPOINT_URL": url}, flags={"listen": "127.0.0.1:9471"}) == []
    assert problems(remote, environ={"AWS_ENDPOINT_URL": url}, flags={"aws.endpoint_url": "http://localhost:1"}) == []


def test_a_name_that_lambda_would_not_take(tmp_path: Path) -> None:
    found = problems(write(tmp_path, 'functions: {"a b": {http: "http://x"}, c: 3}'))
    assert found == [
        "headrace.yaml:1: functions[\"a b\"]: is not a valid name of a function (1 to 64 letters, digits, '-' or '_')",
        "headrace.yaml:1: functions.c: must be a mapping with one of runtime, command, external, invoke, http, plugin",
    ]


@pytest.mark.semantics("CONFIG-37")
def test_a_role(code: Path) -> None:
    role = "arn:aws:iam::000000000000:role/path/orders"
    assert loaded(with_function(code, http="http://localhost:1/", role=role)).functions["f"].role == role
    assert loaded(with_function(code, http="http://localhost:1/")).functions["f"].role is None
    (found,) = problems(with_function(code, http="http://localhost:1/", role="orders"))
    assert "functions.f.role: is not the ARN of a role: 'orders' (it must look like arn:aws:iam::" in found


@pytest.mark.parametrize(
    ("runtime", "handler", "file"),
    [
        ("python", "app.handler", "code/app.py"),
        ("python", "pkg.app.handler", "code/pkg/app.py"),
        ("python", "pkg/app.handler", "code/pkg/app.py"),
        ("python", "pkg.handler", "code/pkg/__init__.py"),
        ("python", "app.handler", "layer/python/app.py"),
        ("python", "app.handler", "layer/python/lib/python3.12/site-packages/app.py"),
        ("python", "app.handler", "code/.venv/lib/python3.12/site-packages/app/__init__.py"),
        ("nodejs", "app.handler", "code/app.js"),
        ("nodejs", "dir/app.handler", "code/dir/app.mjs"),
        ("nodejs", "app.some.handler", "code/app.cjs"),
    ],
)
def test_a_handler_whose_module_is_not_there_is_told(code: Path, runtime: str, handler: str, file: str) -> None:
    (code / "layer").mkdir()
    config = with_function(code, runtime=runtime, handler=handler, code="code", layers=["layer"])
    told = [str(warning) for warning in loaded(config).warnings if "handler" in warning.path]
    assert len(told) == 1
    assert "functions.f.handler: names a module, but there is no " in told[0]
    (code / file).parent.mkdir(parents=True, exist_ok=True)
    (code / file).write_text("")
    assert [warning for warning in loaded(config).warnings if "handler" in warning.path] == []


def test_other_kinds_have_no_module(code: Path) -> None:
    for fields in ({"runtime": "provided", "handler": "a.b", "code": "code"}, {"command": ["x"], "handler": "a"}):
        assert [warning.path for warning in loaded(with_function(code, **fields)).warnings] == ["mappings"]
