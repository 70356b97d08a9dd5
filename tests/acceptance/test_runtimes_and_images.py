"""docs/runtimes-and-images.md and README's first deployment: each command is run, on a machine whose Python and Node.js
are not of the versions that are asked for."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from support import containers, daemons
from support.daemons import headrace
from support.java_function import java_function
from support.servers.running import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runtimes-and-images.md").read_text()
README = (ROOT / "README.md").read_text()
OURS = "{}.{}".format(*sys.version_info[:2])
NEEDED = ("sh", "mount", "unshare", "node", "java")
"""Programs of the machine: no Python but the one that Headrace is installed with."""

MANAGERS = (
    *("UV_PYTHON_INSTALL_DIR", "PYENV_ROOT", "ASDF_DATA_DIR", "MISE_DATA_DIR", "NVM_DIR", "FNM_DIR"),
    *("XDG_DATA_HOME", "HOMEBREW_PREFIX"),
)
"""Variables that lead to other interpreters."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


COMMANDS = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
JAVA = [each for each in COMMANDS if each.startswith(("mvn", "javac")) or " orders " in each]
GO = [each for each in COMMANDS if each.startswith("go") or " resize " in each]
LOOKS = ["headrace check", "headrace status"]
SETTING, ORDERS, RESIZE = blocks("yaml")


def test_each_command_of_the_page_is_run_by_a_test() -> None:
    assert set(COMMANDS) == {*JAVA, *GO, *LOOKS}
    assert (len(JAVA), len(GO)) == (3, 4)


def ran(command: str, directory: Path) -> str:
    """The output of a command of the page, which must succeed."""
    words = shlex.split(command)
    if words[0] == "headrace":
        done = headrace(*words[1:], cwd=directory)
    else:
        done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("RUNTIME-11")
def test_the_java_function_of_the_page(tmp_path: Path) -> None:
    def local(text: str) -> str:
        return text.replace("/opt/ric", str(tmp_path / "ric"))

    (tmp_path / "pom.xml").write_text(blocks("xml")[0])
    (tmp_path / "Orders.java").write_text(blocks("java")[0])
    (tmp_path / "orders").mkdir()
    (tmp_path / "headrace.yaml").write_text(local(SETTING + ORDERS))
    shown = [ran(local(command), tmp_path) for command in JAVA]
    assert json.loads(shown[-1]) == {"function": "orders", "order": 7}


@pytest.mark.needs("go")
def test_the_go_function_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(blocks("go")[0])
    (tmp_path / "headrace.yaml").write_text(RESIZE)
    shown = [ran(command, tmp_path) for command in GO]
    assert json.loads(shown[-1]) == {"width": 7}


# --- a daemon on a machine with other versions ----------------------------------------------------------------------


class Machine:
    """A directory with few programs, and a daemon that finds no others."""

    def __init__(self, directory: Path, emulator: str) -> None:
        self.directory, self.queues = directory, daemons.Queues(emulator)
        (directory / "bin").mkdir()
        for name in NEEDED:
            if found := shutil.which(name, path="/usr/local/bin:/usr/bin:/bin") or shutil.which(name):
                (directory / "bin" / name).symlink_to(found)
        self.environment = {**dict.fromkeys(MANAGERS, ""), "PATH": str(directory / "bin"), "HOME": str(directory)}
        (directory / "code").mkdir()
        (directory / "code" / "app.py").write_text("import sys\ndef handler(e, c): return [e, sys.version_info[:2]]\n")
        filed = {"filed": {"handler": "app.handler", "code": "code", "runtime": "python3.9"}}
        has_java = shutil.which("java") and shutil.which("mvn")
        runtimes = {"java21": {"command": java_function.command()}} if has_java else {}
        self.config = daemons.write_config(directory, emulator, "", {}, functions=filed, runtimes=runtimes)

    def client(self, url: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client("lambda", endpoint_url=url, region_name="us-east-1", **keys)

    def package(self, **files: bytes) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as package:
            for name, content in files.items():
                package.writestr(name.replace("__", "."), content)
        return made.getvalue()


@pytest.fixture(scope="module")
def machine(ministack: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, daemons.Daemon]]:
    made = Machine(tmp_path_factory.mktemp("machine"), ministack.endpoint_url)
    try:
        with daemons.running(str(made.config), cwd=made.directory, env=made.environment) as daemon:
            daemon.ready()
            yield made, daemon
    finally:
        made.queues.close()


def deployment() -> dict[str, str]:
    """The parameters of README's `create-function`, by AWS's names."""
    (text,) = re.findall(r"aws lambda create-function (.*?)\n    aws ", README, re.DOTALL)
    words = shlex.split(text.replace("\\\n", " "))
    return {
        "".join(map(str.capitalize, name.removeprefix("--").split("-"))): value
        for name, value in zip(words[::2], words[1::2], strict=True)
    }


@pytest.mark.semantics("RUNTIME-05", "RUNTIME-06", "RUNTIME-09")
def test_readmes_deployment_runs_and_the_other_version_is_said(machine: tuple[Machine, daemons.Daemon]) -> None:
    made, daemon = machine
    asked = deployment()
    assert asked.pop("ZipFile") == "fileb://orders.zip"
    lambdas = made.client(daemon.url)
    code = {"ZipFile": made.package(app__py=(made.directory / "code" / "app.py").read_bytes())}
    created = lambdas.create_function(**asked, Code=code)
    assert created["Runtime"] == asked["Runtime"]
    assert lambdas.get_function_configuration(FunctionName="orders")["Runtime"] == asked["Runtime"]
    answer = lambdas.invoke(FunctionName="orders", Payload=b"{}")
    assert json.load(answer["Payload"]) == [{}, list(sys.version_info[:2])]
    remark = "" if asked["Runtime"] == f"python{OURS}" else f"runs with Python {OURS} ("
    said = [each["event"] for each in daemon.logged("runtime", function="orders")]
    assert len(said) == bool(remark)
    queue = made.queues.create()
    lambdas.create_event_source_mapping(FunctionName="orders", EventSourceArn=made.queues.arn(queue))
    lambdas.create_event_source_mapping(FunctionName="filed", EventSourceArn=made.queues.arn(made.queues.create()))
    daemon.wait_until(lambda: len(daemon.status()["functions"]) == 2)
    assert f"runs with Python {OURS}" in daemon.wait_logged("runtime", function="filed")["event"]
    shown = headrace("status", cwd=made.directory, env={"HEADRACE_LISTEN": daemon.url.removeprefix("http://")}).stdout
    assert f"python3.12 by the Lambda API: {remark}" in shown
    assert re.search(rf"python3\.9 in \S+/code: runs with Python {OURS} \(", shown)


@pytest.mark.semantics("RUNTIME-06")
def test_check_shows_the_other_version(machine: tuple[Machine, daemons.Daemon]) -> None:
    made, _ = machine
    shown = headrace("check", str(made.config), cwd=made.directory, env=made.environment)
    assert shown.returncode == 0
    assert f"functions.filed: runs with Python {OURS} (" in shown.stderr
    strict = headrace(
        "check", str(made.config), cwd=made.directory, env={**made.environment, "HEADRACE_RUNTIMES__NEAR": "false"}
    )
    assert "functions.filed: python3.9 is not on this machine" in strict.stderr


@pytest.mark.needs("node")
def test_a_node_function_of_another_version(machine: tuple[Machine, daemons.Daemon]) -> None:
    made, daemon = machine
    lambdas = made.client(daemon.url)
    code = {"ZipFile": made.package(app__mjs=b"export const handler = async () => process.version")}
    for runtime in ("nodejs22.x", "nodejs20.x"):
        lambdas.create_function(
            FunctionName=runtime[:8], Runtime=runtime, Handler="app.handler", Role=deployment()["Role"], Code=code
        )
        lambdas.get_function_configuration(FunctionName=runtime[:8])  # waits until it is active
        answer = lambdas.invoke(FunctionName=runtime[:8], Payload=b"{}")
        version = json.load(answer["Payload"]).partition(".")[0].removeprefix("v")
        assert bool(daemon.logged("runtime", function=runtime[:8])) == (runtime != f"nodejs{version}.x")


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("RUNTIME-12")
def test_a_java_function_of_the_api_from_a_jar(machine: tuple[Machine, daemons.Daemon], tmp_path: Path) -> None:
    made, daemon = machine
    lambdas = made.client(daemon.url)
    given = {"Role": deployment()["Role"], "Handler": "App", "Timeout": 30}
    jar = java_function.jar(tmp_path / "app.jar").read_bytes()
    created = lambdas.create_function(FunctionName="java", Runtime="java21", Code={"ZipFile": jar}, **given)
    assert created["Runtime"] == "java21"
    lambdas.get_function_configuration(FunctionName="java")
    answer = lambdas.invoke(FunctionName="java", Payload=b'{"order": 7}')
    assert json.load(answer["Payload"]) == {"order": 7}
    with pytest.raises(lambdas.exceptions.InvalidParameterValueException, match="operator of Headrace can add one"):
        lambdas.create_function(FunctionName="java-25", Runtime="java25", Code={"ZipFile": jar}, **given)


# --- images ---------------------------------------------------------------------------------------------------------


def test_the_images_of_the_page_are_in_the_dockerfile() -> None:
    stages = containers.stages((ROOT / "Dockerfile").read_text())
    (commands,) = blocks("sh")
    assert set(re.findall(r"--target (\S+)", commands)) == {"headrace", "full"} <= stages.keys()
    full = stages["full"]
    copied = {each.flags["from"]: each.argv[-1] for each in full.instructions if each.word == "COPY"}
    pythons = {base.removeprefix("python:").removesuffix("-slim") for base in copied if base.startswith("python:")}
    assert all(f"{version}" in PAGE.partition("## Images")[2] for version in pythons)
    assert full.base == "headrace"
    assert [each.text for each in full.instructions if each.word == "USER"][-1] == "10001:0"
    assert list(stages)[-1] == "default"


def test_the_dockerfile_of_the_page_gives_a_sound_setting() -> None:
    (text,) = blocks("dockerfile")
    made = containers.stages(text.replace("FROM headrace:full", "FROM headrace:full AS own"))["own"]
    (setting,) = [each for each in made.instructions if each.word == "ENV"]
    name, _, value = setting.argv[0].partition("=")
    assert name == "HEADRACE_RUNTIMES"
    page = yaml.safe_load(SETTING)["runtimes"]["java21"]["command"]
    given = json.loads(value)["java21"]["command"]
    assert [word for word in given if not word.startswith("-XX")] == page
