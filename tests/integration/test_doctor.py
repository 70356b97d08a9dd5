"""`headrace doctor` looks at real servers, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.service.cli.main import main
from support import daemons
from support.servers.running import Server
from support.streams import Streams

VARYING = ("daemon", "disk")
"""What is told otherwise from one look to the next, or from inside of the daemon."""


@pytest.mark.semantics("DOCTOR-01", "DOCTOR-02", "DOCTOR-03", "DOCTOR-04")
def test_what_is_wrong_is_found_and_nothing_is_changed(
    ministack: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    streams = Streams(ministack.endpoint_url)
    queue = streams.queues.create(VisibilityTimeout="5")
    streams.queues.send(queue, "stays")
    missing = {"on_failure": {"destination": streams.queues.arn("nothing")}}
    with daemons.function() as function:
        mappings: dict[str, dict[str, object]] = {
            "short": {"source": streams.queues.arn(queue)},
            "gone": {"source": streams.queues.arn("gone")},
            "stream": {
                "source": streams.arn(streams.create()),
                "starting_position": "LATEST",
                "destination_config": missing,
            },
        }
        functions = {"f": {"http": function.url, "timeout": 60}, "away": {"http": "http://127.0.0.1:9/"}}
        config = daemons.write_config(tmp_path, ministack.endpoint_url, function.url, mappings, functions=functions)
        code = main(["doctor", str(config), "--json", "--url", "http://127.0.0.1:9"])
        found = {(each["about"], each["name"]): each for each in json.loads(capsys.readouterr().out)}
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            inside = json.loads(daemon.get("/v1/doctor")[1])
            beside = main(["doctor", str(config), "--url", daemon.url])
            shown = capsys.readouterr().out
    assert code == 1
    verdicts = {name: each["verdict"] for name, each in found.items()}
    assert verdicts == {
        ("endpoint", "sqs"): "good",
        ("endpoint", "kinesis"): "good",
        ("clock", "sqs"): "good",
        ("clock", "kinesis"): "good",
        ("source", "short"): "good",
        ("timeouts", "short"): "bad",
        ("source", "gone"): "bad",
        ("source", "stream"): "good",
        ("destination", "stream"): "bad",
        ("function", "f"): "good",
        ("function", "away"): "bad",
        ("disk", str(tmp_path)): "good",
        ("descriptors", ""): "good",
        ("daemon", ""): "doubt",
    }
    assert "VisibilityTimeout to 360 s" in found["timeouts", "short"]["advice"]
    assert (beside, "BAD  daemon gone: it waits: " in shown) == (1, True)
    assert inside["worst"] == "bad"
    seen = {(each["about"], each["name"]): each for each in inside["findings"]}
    assert seen["daemon", ""]["text"] == f"a daemon answers at {daemon.url}"
    assert seen["daemon", "gone"]["verdict"] == "bad"
    expected = {name: verdict for name, verdict in verdicts.items() if name[0] not in VARYING}
    assert {name: seen[name]["verdict"] for name in expected} == expected
    streams.close()
