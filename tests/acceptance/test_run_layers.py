"""Layers and directories that boto3 deploys to the daemon beside an emulator, in each kind of runtime."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from support import daemons
from support.daemons import ACCOUNT
from support.servers.running import Server

PYTHON = "python{}.{}".format(*sys.version_info[:2])
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambda"
VENDOR = "arn:aws:lambda:us-east-1:580247275435:layer:Vendor"
AWS: dict[str, Any] = {
    "region_name": "us-east-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            package.writestr(entry, text)
    return buffer.getvalue()


class Deployed:
    """boto3 for the daemon's Lambda API and for the emulator. `vendor`: the directory of a layer of another account."""

    def __init__(self, emulator: str, directory: Path) -> None:
        self.vendor = directory / "vendor"
        self.vendor.mkdir()
        config = directory / "headrace.json"
        settings = {
            "aws": {"endpoint_url": emulator, "region": "us-east-1"},
            "listen": "127.0.0.1:0",
            "function_logs": "off",
            "api": {"upstream": emulator},
            "layers": {VENDOR: "./vendor"},
        }
        config.write_text(json.dumps(settings))
        self.daemon = daemons.Daemon(str(config), cwd=directory)
        self.lambda_ = boto3.client("lambda", endpoint_url=self.daemon.ready().url, **AWS)
        self.theirs = boto3.client("lambda", endpoint_url=emulator, **AWS)
        self.s3 = boto3.client("s3", endpoint_url=emulator, **AWS)

    def close(self) -> None:
        self.daemon.process.kill()
        self.daemon.wait()

    def layer(self, name: str, files: Mapping[str, str]) -> str:
        answer = self.lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(files)})
        return str(answer["LayerVersionArn"])

    def answer(self, name: str, code: Mapping[str, str], layers: list[str], **more: Any) -> Any:
        """What a new function with these layers answers."""
        given = {"Runtime": PYTHON, "Handler": "app.handler", "Timeout": 20, **more}
        self.lambda_.create_function(
            FunctionName=name, Role=ROLE, Code={"ZipFile": zipped(code)}, Layers=layers, **given
        )
        return self.invoke(name)

    def invoke(self, name: str) -> Any:
        self.lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return json.loads(self.lambda_.invoke(FunctionName=name)["Payload"].read())


@pytest.fixture(scope="module")
def deployed(ministack: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with closing(Deployed(ministack.endpoint_url, tmp_path_factory.mktemp("layers"))) as made:
        yield made


SEES = """
import os, shutil, subprocess
import helpers, vendored
from pack import one, two
def handler(event, context):
    tool = subprocess.run(["tool"], capture_output=True, text=True).stdout.strip()
    libraries = [each for each in os.environ["LD_LIBRARY_PATH"].split(":") if os.path.exists(each + "/some.so")]
    return [helpers.VALUE, vendored.VALUE, one.VALUE, two.VALUE, tool, len(libraries)]
"""


@pytest.mark.semantics("LAYER-20", "LAYER-21")
def test_python_finds_what_its_layers_have(deployed: Deployed) -> None:
    first = deployed.layer(
        "first",
        {
            f"python/lib/{PYTHON}/site-packages/helpers.py": "VALUE = 'site'",
            "python/helpers.py": "VALUE = 'python'",
            "python/pack/one.py": "VALUE = 1",
            "python/pack/two.py": "VALUE = 1",
            "python/vendored.py": "VALUE = 'layer'",
            "bin/tool": "#!/bin/sh\necho tool\n",
            "lib/some.so": "",
        },
    )
    second = deployed.layer("second", {"python/pack/two.py": "VALUE = 2"})
    code = {"app.py": SEES, "vendored.py": "VALUE = 'code'"}
    assert deployed.answer("sees", code, [first, second]) == ["site", "code", 1, 2, "tool", 1]


COMMON = "exports.handler = async () => [require('one'), require('two')];"
MODULE = "import one from 'one'; import two from 'two'; export const handler = async () => [one, two];"


@pytest.mark.semantics("LAYER-21")
@pytest.mark.needs("node")
def test_node_finds_packages_of_layers_either_way(deployed: Deployed) -> None:
    major = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]
    layer = deployed.layer(
        "packages",
        {
            "nodejs/node_modules/one/index.js": "module.exports = 'any';",
            "nodejs/node_modules/two/index.js": "module.exports = 'any';",
            f"nodejs/node{major}/node_modules/two/index.js": "module.exports = 'this version';",
        },
    )
    for name, source in (("app.js", COMMON), ("app.mjs", MODULE)):
        found = deployed.answer(name.replace(".", "-"), {name: source}, [layer], Runtime=f"nodejs{major}.x")
        assert found == ["any", "this version"], name


BOOTSTRAP = f"""#!{sys.executable}
import os, subprocess, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    event = urllib.request.urlopen(api + "next")
    said = subprocess.run(["said"], capture_output=True).stdout
    urllib.request.urlopen(api + event.headers["Lambda-Runtime-Aws-Request-Id"] + "/response", said)
"""


@pytest.mark.semantics("LAYER-21", "LAYER-01")
def test_provided_runs_the_bootstrap_of_a_layer_from_s3(deployed: Deployed) -> None:
    deployed.s3.create_bucket(Bucket="layers")
    runtime = zipped({"bootstrap": BOOTSTRAP, "bin/said": '#!/bin/sh\necho "[1, 2]"\n'})
    deployed.s3.put_object(Bucket="layers", Key="runtime.zip", Body=runtime)
    content = {"S3Bucket": "layers", "S3Key": "runtime.zip"}
    layer = deployed.lambda_.publish_layer_version(LayerName="runtime", Content=content)["LayerVersionArn"]
    assert deployed.answer("own", {"some.txt": ""}, [layer], Runtime="provided.al2023") == [1, 2]


GIVES = "import given\ndef handler(event, context):\n    return given.VALUE\n"


@pytest.mark.semantics("LAYER-15")
def test_a_layer_that_the_emulator_has_is_fetched_from_there(deployed: Deployed) -> None:
    files = {"python/given.py": "VALUE = 'theirs'"}
    theirs = deployed.theirs.publish_layer_version(LayerName="theirs", Content={"ZipFile": zipped(files)})
    assert deployed.answer("fetches", {"app.py": GIVES}, [theirs["LayerVersionArn"]]) == "theirs"
    assert deployed.lambda_.list_layer_versions(LayerName="theirs")["LayerVersions"] == []


@pytest.mark.semantics("LAYER-14")
def test_a_layer_of_the_settings_is_used_as_it_stands(deployed: Deployed) -> None:
    module = deployed.vendor / "python" / "given.py"
    module.parent.mkdir()
    module.write_text("VALUE = 'vendor'")
    assert deployed.answer("vendored", {"app.py": GIVES}, [f"{VENDOR}:7"]) == "vendor"
    module.write_text("VALUE = 'another vendor'")
    assert deployed.invoke("vendored") == "another vendor"


@pytest.mark.semantics("HOT-02")
def test_a_change_of_a_directory_is_seen_at_the_next_invocation(deployed: Deployed, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("def handler(event, context): return 1")
    code = {"S3Bucket": "hot-reload", "S3Key": str(tmp_path)}
    deployed.lambda_.create_function(
        FunctionName="hot", Role=ROLE, Code=code, Runtime=PYTHON, Handler="app.handler", Timeout=20
    )
    answers = [deployed.invoke("hot")]
    for number in (22, 333):
        app.write_text(f"def handler(event, context): return {number}")
        answers.append(deployed.invoke("hot"))
    assert answers == [1, 22, 333]


@pytest.mark.semantics("LAYER-25")
def test_a_function_runs_without_its_extensions_and_that_is_said(deployed: Deployed) -> None:
    layer = deployed.layer("monitoring", {"extensions/agent": "#!/bin/sh\n", "python/given.py": "VALUE = 'given'"})
    assert deployed.answer("watched", {"app.py": GIVES}, [layer]) == "given"
    said = (
        f"function watched of {PYTHON} runs without the extensions of its layers, because Headrace starts none: agent"
    )
    assert [line["event"] for line in deployed.daemon.logged("runtime", function="watched")] == [said]
    deployed.answer("later", {"app.py": "def handler(event, context): return 1"}, [])
    deployed.lambda_.update_function_configuration(FunctionName="later", Layers=[layer])
    assert said.replace("watched", "later") == deployed.daemon.wait_logged("runtime", function="later")["event"]
