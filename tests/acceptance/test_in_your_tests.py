"""The project of examples/in-your-tests with its own tests, from the wheel; and every command of the page about it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from support import beside, wheel
from support.daemons import Queues
from support.emulator_lab import client_of
from support.servers.running import Server

EXAMPLE = wheel.ROOT / "examples" / "in-your-tests"
PAGE = (wheel.ROOT / "docs" / "in-your-tests.md").read_text()


def project(directory: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, directory / "project", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.mark.semantics("PYT-07")
def test_the_project_runs_its_tests(tmp_path: Path) -> None:
    """`python -m pytest`, as the page has it."""
    assert "    python -m pytest\n" in PAGE
    ended = beside.tests(project(tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 passed" in ended.stdout


OTHERS = """
def test_at_an_emulator(headrace):
    daemon = headrace("headrace.yaml", endpoint_url={endpoint!r})
    daemon.send("orders-queue", {{"type": "created", "id": 1}})
    daemon.send("orders-stream", {{"id": 2}}, key="a")
    daemon.until_idle()
    assert {{call.mapping for call in daemon.invocations("orders")}} == {{"orders-queue", "orders-stream"}}


def test_a_template(headrace):
    daemon = headrace("template.yaml", parameters={{"Prefix": "shop"}})
    (mapping,) = ["OrdersFromQueue"]
    daemon.send(mapping, {{"type": "created", "id": 1}})
    daemon.until_idle()
    assert len(daemon.invocations()) == 1


def test_what_fails_shows_the_log(headrace):
    headrace("headrace.yaml")
    assert False
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Prefix: {Type: String}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.%d
      Handler: app.handler
      CodeUri: functions/orders
      Events:
        FromQueue:
          Type: SQS
          Properties: {Queue: !GetAtt OrdersQueue.Arn}
  OrdersQueue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${Prefix}-orders"}
"""


@pytest.mark.semantics("PYT-01", "PYT-02", "PYT-03")
def test_an_emulator_a_template_and_the_log_of_a_test_that_fails(ministack: Server, tmp_path: Path) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    queues = Queues(ministack.endpoint_url)
    queues.create(name)
    queues.close()
    kinesis = client_of("kinesis", ministack.endpoint_url)
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.close()
    directory = project(tmp_path)
    shutil.rmtree(directory / "tests")
    text = (directory / "headrace.yaml").read_text()
    (directory / "headrace.yaml").write_text(
        text.replace(":orders\n", f":{name}\n")
        .replace("/orders\n", f"/{name}\n")
        .replace("./functions/" + name, "./functions/orders")
    )
    (directory / "template.yaml").write_text(TEMPLATE.replace("%d", str(_minor())))
    (directory / "test_others.py").write_text(OTHERS.format(endpoint=ministack.endpoint_url))
    ended = beside.tests(directory)
    assert "1 failed, 2 passed" in ended.stdout, ended.stdout + ended.stderr
    assert "test_what_fails_shows_the_log" in ended.stdout
    assert '"action":"ready"' in ended.stdout


def _minor() -> int:
    ask = [str(wheel.installed() / "python"), "-c", "import sys; print(sys.version_info.minor)"]
    return int(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)


@pytest.mark.semantics("EVT-01", "EVT-03")
def test_the_events_of_the_page(tmp_path: Path) -> None:
    directory = project(tmp_path)
    commands = re.findall(r"^    headrace (event|invoke) (.+)$", PAGE, re.MULTILINE)
    assert len(commands) == 3
    for verb, rest in commands:
        line = f"{wheel.installed() / 'headrace'} {verb} {rest}"
        ended = subprocess.run(
            line, shell=True, cwd=directory, env=wheel.clean(), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert isinstance(json.loads(ended.stdout), dict)
