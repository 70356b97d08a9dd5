"""Reading the configuration again: what is taken, what is refused, and what is told of both."""

from __future__ import annotations

import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry

from headrace.config.clock import SystemClock
from headrace.config.errors import ConfigError, Problem
from headrace.config.loader import Config, load
from headrace.service.cli import main as cli
from headrace.service.cli.verbs import run
from headrace.service.control.refusals import ApiError
from headrace.service.running.core.config_changes import ConfigChanges
from headrace.service.telemetry.log import Log
from headrace.service.telemetry.reload_metrics import ReloadMetrics
from headrace.service.wiring import reloading
from headrace.service.wiring.live_config import LiveConfig
from headrace.service.wiring.reloading import Reloading

ONE = (
    "functions: {f: {http: 'http://localhost:1/'}}\nmappings: {m: {source: 'arn:aws:sqs:us-east-1:1:q', function: f}}\n"
)


class Bench:
    """A file, and what became of reading it."""

    def __init__(self, file: Path, *, watch: bool = False) -> None:
        self.file = file
        self.write(ONE)
        self.stderr = io.StringIO()
        self.registry = CollectorRegistry()
        self.applied: list[ConfigChanges] = []
        self.unfit = ""
        self.subject = Reloading(
            self.read(),
            self.read,
            Log(self.stderr),
            ReloadMetrics(self.registry),
            SystemClock(),
            [file] if watch else (),
        )

    def read(self) -> Config:
        return load([self.file], environ={})

    def write(self, text: str) -> None:
        whole = text.replace("arn:aws:sqs:us-east-1:1:q", "arn:aws:sqs:us-east-1:000000000000:q")
        self.file.with_suffix(".new").write_text(whole)
        self.file.with_suffix(".new").replace(self.file)

    async def apply(self, changes: ConfigChanges, config: Config) -> None:
        if self.unfit:
            raise ConfigError([Problem(self.unfit, "functions.f")])
        self.applied.append(changes)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.getvalue().splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(tmp_path / "headrace.yaml")
    found.subject.begin(found.apply)
    return found


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.subject.run)
        yield
        tasks.cancel_scope.cancel()


async def until_told(bench: Bench, lines: int) -> None:
    with anyio.fail_after(60):
        while len(bench.lines()) < lines:  # noqa: ASYNC110 - a log has no event
            await anyio.sleep(0.01)


@pytest.mark.semantics("RELOAD-06")
async def test_a_broken_file_changes_nothing_and_is_told_until_it_is_mended(bench: Bench) -> None:
    bench.write("mappings: [")
    with pytest.raises(ApiError, match=r"everything stays as it is: .*headrace\.yaml"):
        await bench.subject.reload()
    assert bench.applied == []
    assert "headrace.yaml" in str(bench.subject.shown()["trouble"])
    assert bench.metric("headrace_config_last_reload_successful") == 0
    assert bench.metric("headrace_config_reloads_total", result="refused") == 1
    (line,) = bench.lines()
    assert (line["action"], line["level"]) == ("reload", "error")
    bench.write(ONE.replace("m:", "n:"))
    changes = await bench.subject.reload()
    assert (changes.mappings.added, changes.mappings.removed) == (("n",), ("m",))
    assert bench.subject.shown()["trouble"] == ""
    assert bench.metric("headrace_config_last_reload_successful") == 1


@pytest.mark.semantics("RELOAD-06")
async def test_what_cannot_start_changes_nothing_and_is_compared_with_what_is_at_work(bench: Bench) -> None:
    bench.unfit = "nothing on this machine can run it"
    bench.write(ONE.replace("m:", "n:"))
    with pytest.raises(ApiError, match="nothing on this machine can run it"):
        await bench.subject.reload()
    bench.unfit = ""
    changes = await bench.subject.reload()
    assert changes.mappings.added == ("n",)
    assert not (await bench.subject.reload()).any
    assert len(bench.applied) == 1  # nothing to do: nothing is done


@pytest.mark.semantics("RELOAD-05")
async def test_settings_are_named_as_long_as_they_wait_for_a_restart(bench: Bench) -> None:
    bench.write(ONE + "warm: 5\n")
    for _ in range(2):
        assert (await bench.subject.reload()).settings == ("warm",)
        assert bench.subject.shown()["needs_restart"] == ["warm"]
    assert [line["level"] for line in bench.lines()] == ["info", "warning"] * 2
    bench.write(ONE)
    assert (await bench.subject.reload()).settings == ()
    bench.write(ONE.replace("m:", "n:") + "aws: {region: eu-west-1}\n")
    with pytest.raises(ApiError, match="restart"):
        await bench.subject.reload()
    assert bench.applied == []


@pytest.mark.semantics("RELOAD-02")
async def test_a_signal_before_the_daemon_runs_is_done_when_it_does(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "headrace.yaml")
    with pytest.raises(ApiError, match="no configuration"):
        await bench.subject.reload()
    bench.write(ONE.replace("m:", "n:"))
    bench.subject.soon()
    bench.subject.begin(bench.apply)
    async with running(bench):
        await until_told(bench, 1)
    assert [each.mappings.added for each in bench.applied] == [("n",)]


@pytest.mark.semantics("RELOAD-02")
async def test_files_are_read_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "EVERY", 0.01)
    bench = Bench(tmp_path / "headrace.yaml", watch=True)
    bench.subject.begin(bench.apply)
    async with running(bench):
        bench.write(ONE.replace("m:", "n:"))
        await until_told(bench, 1)
        os.utime(bench.file, (1, 1))  # touched: read, and nothing is another one
        await until_told(bench, 2)
        bench.file.unlink()
        await until_told(bench, 3)
        bench.write(ONE)
        await until_told(bench, 4)
    assert [each.mappings.added for each in bench.applied] == [("n",), ("m",)]
    assert "no such file" in bench.lines()[2]["event"]


def test_what_is_at_work_has_the_newest_functions_and_the_settings_of_the_start(bench: Bench) -> None:
    live = LiveConfig(bench.read())
    functions = live.functions
    bench.write(ONE.replace("f: {http", "g: {http").replace("function: f", "function: g") + "warm: 5\n")
    live.take(bench.read())
    assert list(functions) == ["g"]
    assert live.settings.warm == 64
    assert live.mappings["m"].function == "g"
    assert live.directory(live.mappings["m"]) == bench.file.parent
    assert live.problem("functions.g", "x").file == str(bench.file)


TEMPLATE = """
Resources:
  Orders: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
  Take:
    Type: AWS::Lambda::Function
    Properties:
      {FunctionName: f, Handler: app.handler, Runtime: python3.11, Code: code, Role: "arn:aws:iam::000000000000:role/r"}
  Reads:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Orders.Arn, FunctionName: !Ref Take, BatchSize: 5}
"""


@pytest.mark.semantics("RELOAD-02")
async def test_a_template_is_read_again_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("def handler(event, context): pass\n")
    template = tmp_path / "template.yaml"
    arguments = cli.parse(["run", str(template), "--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1"])
    for size in (5, 6):
        template.write_text(TEMPLATE.replace("BatchSize: 5", f"BatchSize: {size}"))
        config = await anyio.to_thread.run_sync(run.read_again, [template], arguments)
        assert [each.batch_size for each in config.mappings.values()] == [size]
