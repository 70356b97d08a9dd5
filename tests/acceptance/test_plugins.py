"""The example plug-in from its own wheel beside ours; and plug-ins that do everything that they must not."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest

from support import beside, daemons, wheel
from support.daemons import Queues
from support.emulator_lab import client_of
from support.eventually import eventually

EXAMPLE = wheel.ROOT / "examples" / "plugin"
TITLE = "plug-in 'in-process' (headrace-inprocess 1.2.0)"


@pytest.mark.semantics("PLUG-11")
def test_the_plugin_passes_the_suites_that_are_shipped(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    ended = beside.tests(tmp_path, beside.example("plugin"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "24 passed" in ended.stdout


@pytest.mark.semantics("PLUG-08", "PLUG-10", "PLUG-11")
def test_mappings_run_with_the_plugin(queues: Queues, tmp_path: Path) -> None:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    queues.create(name)
    kinesis = client_of("kinesis", queues.endpoint_url)
    kinesis.create_stream(StreamName=name, ShardCount=1)
    text = (EXAMPLE / "orders.yaml").read_text().replace(":orders", f":{name}").replace("/orders", f"/{name}")
    (tmp_path / "orders.yaml").write_text(text)
    shutil.copy(EXAMPLE / "app.py", tmp_path)
    env = beside.environment(beside.example("plugin")) | {"AWS_ENDPOINT_URL": queues.endpoint_url}
    checked = daemons.headrace("check", "--start", "orders.yaml", cwd=tmp_path, env=env)
    assert checked.returncode == 0, checked.stderr
    assert f"{TITLE}" in checked.stdout
    assert "failure destination of orders-stream" in checked.stdout
    assert "function orders starts" in checked.stdout
    queues.send(name, "first")
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"no order")
    with daemons.running("orders.yaml", "--listen=127.0.0.1:0", "--log-format=json", cwd=tmp_path, env=env) as d:
        d.wait_logged("discard")
        d.wait_until(lambda: any("first" in line for line in d.stdout))
        (document,) = [json.loads(line) for line in (tmp_path / "failed.jsonl").read_text().splitlines()]
        assert document["KinesisBatchInfo"]["batchSize"] == 1
        eventually(lambda: queues.depth(name) == (0, 0))
        assert TITLE in str(d.status())
        assert d.stop() == 0
    kinesis.close()


BAD = """
import asyncio, time
from headrace.dispatch.plugins.public import Ready
from pydantic import BaseModel, model_validator

class Settings(BaseModel):
    act: str = ""
    @model_validator(mode="after")
    def _check(self):
        if self.act == "invalid":
            raise LookupError("a fault of the model")
        return self

class Invoker:
    concurrency, timeout, ends_on_cancel = 1, None, False
    def __init__(self, act):
        if act == "unmade":
            raise OSError("no room")
        self.act = act
    async def probe(self):
        return Ready() if self.act != "unproven" else "yes"
    async def invoke(self, invocation):
        if self.act == "raises":
            raise ValueError("boom")
        if self.act == "exits":
            raise SystemExit(1)
        if self.act == "blocks":
            time.sleep(3600)
        if self.act == "hangs":
            await asyncio.sleep(3600)
        return {"statusCode": 200}
    async def aclose(self):
        raise RuntimeError("and it does not close")

class Plugin:
    protocol_version, settings = 1, Settings
    def invoker(self, request):
        return Invoker(request.settings.act)

plugin = Plugin()
"""
STATES = {
    "raises": "failing",
    "exits": "failing",
    "blocks": "failing",
    "hangs": "failing",
    "lies": "failing",
    "unmade": "no room",
    "unproven": "the probe gave 'str'",
    "invalid": "a fault of the model",
}


def bad_plugins(directory: Path) -> Path:
    """What pip would leave of a package with one plug-in that behaves badly, and one that cannot be imported."""
    (directory / "bad_plugin.py").write_text(BAD)
    (directory / "worse_plugin.py").write_text("raise ImportError('no such library')\n")
    info = directory / "headrace_bad-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: headrace-bad\nVersion: 3.1\n")
    (info / "entry_points.txt").write_text(
        "[headrace.invokers]\nbad = bad_plugin:plugin\nworse = worse_plugin:plugin\n"
    )
    return directory


@pytest.mark.semantics("PLUG-03", "PLUG-06", "PLUG-12")
def test_bad_plugins_end_no_other_mapping(queues: Queues, tmp_path: Path) -> None:
    path = tmp_path / "site"
    path.mkdir()
    env = beside.environment(bad_plugins(path))
    functions = {act: {"plugin": "bad", "act": act, "timeout": 1} for act in STATES}
    named = {name: queues.create() for name in (*functions, "worse", "sound")}
    with daemons.function() as served:
        config = {
            "aws": {"endpoint_url": queues.endpoint_url, "region": "us-east-1"},
            "listen": "127.0.0.1:0",
            "functions": {**functions, "worse": {"plugin": "worse"}, "sound": {"http": served.url}},
            "mappings": {name: {"source": queues.arn(queue), "function": name} for name, queue in named.items()},
        }
        (tmp_path / "headrace.json").write_text(json.dumps(config))
        checked = daemons.headrace("check", cwd=tmp_path, env=env)
        assert checked.returncode == 78
        assert "plug-in 'worse' (headrace-bad 3.1): its import raised ImportError: no such library" in checked.stderr
        assert "the making of the invoker raised OSError: no room" in checked.stderr
        assert "headrace.json" in checked.stderr
        for queue in named.values():
            queues.send(queue, "one")
        with daemons.running("--log-format=json", cwd=tmp_path, env=env) as d:
            for name, said in {**STATES, "worse": "no such library"}.items():
                if said == "failing":
                    d.wait_logged("invoke_failed", mapping=name)
                else:
                    d.wait_until(lambda said=said: said in d.everything)  # type: ignore[misc]
            queues.send(named["sound"], "two")
            d.wait_until(lambda: sorted(served.bodies) == ["one", "two"])
            assert d.stop() == 0
