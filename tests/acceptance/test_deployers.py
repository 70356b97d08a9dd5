"""chalice and zappa deploy to Headrace, deploy again, and look: they end well, and sleep for nothing."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import Daemon, Queues
from support.emulator_lab import client_of
from support.sdks.deployers import CHALICE, ZAPPA, Deployer

PYTHON = "python{}.{}".format(*sys.version_info[:2])
LONG = 5
"""Seconds that these tools sleep after a look at a function that shows Pending or InProgress."""


@pytest.fixture
def daemon(queues: Queues, tmp_path: Path) -> Iterator[Daemon]:
    options = ("--listen=127.0.0.1:0", "--endpoint-url", queues.endpoint_url, "--region=us-east-1")
    with daemons.running(*options, cwd=tmp_path) as running:
        running.ready()
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    directory.mkdir()
    return directory


def answer(daemon: Daemon, name: str) -> Any:
    with_url = client_of("lambda", daemon.url)
    return json.loads(with_url.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())


APP = """
from chalice import Chalice
app = Chalice(app_name="shop")

@app.lambda_function()
def hello(event, context):
    return {"said": 1}

@app.on_sqs_message(queue="QUEUE", batch_size=1)
def handle(event):
    return None
"""


@pytest.mark.semantics("FUNC-50")
def test_chalice_deploys_again_without_a_long_sleep(queues: Queues, daemon: Daemon, project: Path) -> None:
    queue = queues.create(VisibilityTimeout="90")
    (project / ".chalice").mkdir()
    (project / ".chalice" / "config.json").write_text('{"version": "2.0", "app_name": "shop", "stages": {"dev": {}}}')
    (project / "requirements.txt").write_text("")
    app = project / "app.py"
    app.write_text(APP.replace("QUEUE", queue))
    chalice = Deployer(CHALICE, project, daemon.url, queues.endpoint_url)
    told, _ = chalice("deploy")
    assert "Resources deployed" in told
    assert answer(daemon, "shop-dev-hello") == {"said": 1}
    app.write_text(app.read_text().replace('"said": 1', '"said": 2'))
    _, slept = chalice("deploy")
    assert [seconds for seconds in slept if seconds >= LONG] == []
    assert answer(daemon, "shop-dev-hello") == {"said": 2}
    (mapping,) = client_of("lambda", daemon.url).list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"] == queues.arn(queue)


@pytest.mark.semantics("FUNC-50")
def test_zappa_deploys_updates_and_tells_the_status(queues: Queues, daemon: Daemon, project: Path) -> None:
    queue = queues.create()
    source = {"arn": queues.arn(queue), "batch_size": 1, "enabled": True}
    settings = {
        "project_name": "shop",
        "runtime": PYTHON,
        "s3_bucket": f"zappa-{uuid.uuid4().hex}",
        "aws_region": "us-east-1",
        "apigateway_enabled": False,
        "lambda_handler": "app.hello",
        "manage_roles": False,
        "role_arn": f"arn:aws:iam::{daemons.ACCOUNT}:role/lambda",
        "keep_warm": False,
        "use_precompiled_packages": False,
        "events": [{"function": "app.hello", "event_source": source}],
    }
    (project / "zappa_settings.json").write_text(json.dumps({"dev": settings}))
    app = project / "app.py"
    app.write_text("def hello(event, context):\n    return 1\n")
    zappa = Deployer(ZAPPA, project, daemon.url, queues.endpoint_url)
    zappa("deploy", "dev")
    assert answer(daemon, "shop-dev") == 1
    app.write_text("def hello(event, context):\n    return 2\n")
    _, slept = zappa("update", "dev")
    assert [seconds for seconds in slept if seconds >= LONG] == []
    assert answer(daemon, "shop-dev") == 2
    told, _ = zappa("status", "dev")
    assert f"arn:aws:lambda:us-east-1:{daemons.ACCOUNT}:function:shop-dev" in told
