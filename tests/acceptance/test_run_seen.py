"""What a running daemon shows of its records: every view says the same."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import headrace
from support.servers.running import Server
from support.streams import Streams


@pytest.fixture
def streams(ministack: Server) -> Iterator[Streams]:
    found = Streams(ministack.endpoint_url)
    yield found
    found.close()


def refuse_poison(event: dict[str, Any]) -> object:
    if any(b"poison" in base64.b64decode(record["kinesis"]["data"]) for record in event["Records"]):
        raise ValueError("this record is poison")
    return {}


def gauge(metrics: str, name: str, **labels: str) -> float:
    wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    found = re.search(rf"^{name}\{{{re.escape(wanted)}\}} (\S+)$", metrics, re.MULTILINE)
    assert found, f"{name} {wanted}"
    return float(found[1])


@pytest.mark.semantics("SEE-02", "OBS-02", "STEER-04")
def test_a_poison_record_shows_as_failing_everywhere(streams: Streams, tmp_path: Path) -> None:
    name = streams.create()
    streams.put(name, "good", "poison", "behind")
    mapping = {"source": streams.arn(name), "starting_position": "TRIM_HORIZON", "batch_size": 1}
    with daemons.function(refuse_poison) as function:
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, {"m": mapping})
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: daemon.status()["mappings"][0]["state"] == "failing")
            shown = daemon.status()["mappings"][0]
            flow, (retry,) = shown["flow"], shown["flow"]["retrying"]
            assert shown["reason_code"] == "function_failing"
            assert "this record is poison" in shown["reason"]
            assert f"(request {retry['error']['request_id']})" in shown["reason"]
            assert retry["attempt"] >= 3
            assert flow["lag_seconds"] > 0
            (lane,) = flow["lanes"]
            assert lane["position"] < retry["first"]  # the good one is done
            assert lane["blocked_since"] == retry["since"]
            check_the_others(daemon, tmp_path, retry["attempt"])
            check_steering(daemon, retry)
            daemon.wait_until(lambda: headrace("retry", "m", "--url", daemon.url, cwd=tmp_path).returncode == 0)
            assert daemon.wait_logged("retry", mapping="m")


def check_the_others(daemon: daemons.Daemon, directory: Path, attempt: int) -> None:
    metrics = daemon.get("/metrics")[1]
    labels = {"function": "f", "mapping": "m", "source": "kinesis"}
    assert gauge(metrics, "headrace_mapping_state", **labels, state="failing") == 1
    assert gauge(metrics, "headrace_mapping_state", **labels, state="polling") == 0
    assert gauge(metrics, "headrace_retry_attempt", **labels) >= attempt
    assert gauge(metrics, "headrace_lanes_blocked", **labels) == 1
    assert gauge(metrics, "headrace_lag_seconds", **labels) > 0
    assert daemon.get("/readyz")[0] == 200
    code, text = daemon.get("/readyz?strict")
    (reason,) = json.loads(text)["reasons"]
    assert (code, "this record is poison" in reason) == (503, True)
    checked = headrace("status", "--check", "--strict", "--url", daemon.url, cwd=directory)
    assert (checked.returncode, "this record is poison" in checked.stderr) == (1, True)
    table = headrace("status", "--url", daemon.url, cwd=directory).stdout
    (line,) = [line for line in table.splitlines() if line.startswith("m ")]
    assert "failing" in line
    assert "this record is poison" in line
    assert re.search(r"\d\.\d s", line)


def check_steering(daemon: daemons.Daemon, retry: dict[str, Any]) -> None:
    """What the page asks for."""
    mapping = json.loads(daemon.get("/v1/mappings/m")[1])
    (again,) = mapping["flow"]["retrying"]
    assert (mapping["state"], "this record is poison" in mapping["reason"]) == ("failing", True)
    assert (again["first"], again["since"]) == (retry["first"], pytest.approx(retry["since"], abs=0.01))
    assert again["attempt"] >= retry["attempt"]
    assert mapping["flow"]["lag_seconds"] > 0
    assert mapping["flow"]["failed"] >= again["attempt"] - 1
    errors = json.loads(daemon.get("/v1/mappings/m/journal?failed=1")[1])["entries"]
    assert len(errors) >= retry["attempt"] - 1
    assert all(entry["ids"] == [retry["first"]] and "this record is poison" in entry["error"] for entry in errors)
    overall = json.loads(daemon.get("/v1/daemon")[1])
    assert (overall["polling"], "this record is poison" in overall["reasons"][0]) == (False, True)


COUNTED = {
    "fetched": "records_received_total",
    "filtered": "records_filtered_total",
    "delivered": "records_delivered_total",
}
"""What an account counts, and the metric of the same."""
EVERY_THIRD = {"filters": [{"pattern": {"body": {"n": [{"numeric": ["<", 40]}]}}}]}


@pytest.mark.semantics("SEE-02", "STEER-01", "PAGE-07")
def test_every_view_counts_the_same_under_load(ministack: Server, streams: Streams, tmp_path: Path) -> None:
    """One view after the other while records come: no count ever goes back, and at the end all are the same."""
    queue, stream, sent = streams.queues.create(), streams.create(), 60
    mappings: dict[str, dict[str, object]] = {
        "q": {"source": streams.queues.arn(queue), "filter_criteria": EVERY_THIRD},
        "s": {"source": streams.arn(stream), "starting_position": "TRIM_HORIZON", "batch_size": 7},
    }
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, ministack.endpoint_url, function.url, mappings)
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            views = ("/status", "/metrics", "/v1/mappings")
            seen = [counts_of(daemon, views[0])]
            for number in range(sent):
                streams.queues.send(queue, json.dumps({"n": number}))
                streams.put(stream, number)
                seen.append(counts_of(daemon, views[number % 3]))
            wanted = {("q", "fetched"): sent, ("q", "filtered"): 20, ("q", "delivered"): 40}
            wanted |= {("s", "fetched"): sent, ("s", "filtered"): 0, ("s", "delivered"): sent}

            def complete() -> bool:
                seen.append(counts_of(daemon, views[len(seen) % 3]))
                return seen[-1] == wanted

            daemon.wait_until(complete)
            assert [counts_of(daemon, view) for view in views] == [wanted] * 3
            assert all(before[key] <= after[key] for before, after in itertools.pairwise(seen) for key in wanted)
            table = headrace("status", "--url", daemon.url, cwd=tmp_path).stdout
            for name in ("q", "s"):
                (line,) = [line for line in table.splitlines() if line.startswith(f"{name} ")]
                assert {str(wanted[name, what]) for what in COUNTED} <= set(line.split())


def counts_of(daemon: daemons.Daemon, path: str) -> dict[tuple[str, str], int]:
    if path == "/metrics":
        return metrics_of(daemon)
    mappings = json.loads(daemon.get(path)[1])["mappings"]
    return {(mapping["name"], what): mapping["counts"][what] for mapping in mappings for what in COUNTED}


def metrics_of(daemon: daemons.Daemon) -> dict[tuple[str, str], int]:
    metrics, kinds = daemon.get("/metrics")[1], {"q": "sqs", "s": "kinesis"}
    return {
        (name, what): int(gauge(metrics, f"headrace_{metric}", function="f", mapping=name, source=kind))
        for name, kind in kinds.items()
        for what, metric in COUNTED.items()
    }


@pytest.mark.semantics("SEE-04", "STEER-01", "STEER-03")
def test_a_record_is_explained_and_its_mapping_paused_over_a_restart(ministack: Server, tmp_path: Path) -> None:
    queues = daemons.Queues(ministack.endpoint_url)
    name = queues.create()
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, {"m": {"source": queues.arn(name)}})
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            queues.send(name, "one")
            daemon.wait_until(lambda: daemon.status()["mappings"][0]["counts"]["delivered"] == 1)
            record = function.events[0]["Records"][0]["messageId"]
            explained = headrace("explain", record, "--url", daemon.url, cwd=tmp_path)
            assert explained.returncode == 0
            assert re.search(r"invoked +1 +success \(", explained.stdout)
            assert re.search(r"delivered +1 +the function took it", explained.stdout)
            unknown = headrace("explain", "nothing", "--url", daemon.url, cwd=tmp_path)
            assert (unknown.returncode, "nothing is known of nothing" in unknown.stderr) == (1, True)
            one = headrace("status", "m", "--url", daemon.url, cwd=tmp_path)
            assert one.returncode == 0
            assert "polling since " in one.stdout
            assert re.search(r"delivered +\d", one.stdout)
            paused = headrace("pause", "m", "--url", daemon.url, cwd=tmp_path)
            assert (paused.returncode, paused.stderr) == (0, "")
            assert paused.stdout.startswith("m is paused")
            daemon.wait_until(lambda: daemon.status()["mappings"][0]["state"] == "paused")
            refused = headrace("pause", "x", "--url", daemon.url, cwd=tmp_path)
            assert (refused.returncode, "there is no mapping 'x'" in refused.stderr) == (1, True)
            assert daemon.stop() == 0
        queues.send(name, "two")
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            assert daemon.status()["mappings"][0]["state"] == "paused"
            assert headrace("status", "m", "--strict", "--url", daemon.url, cwd=tmp_path).returncode == 0
            assert function.bodies == ["one"]
            assert headrace("resume", "m", "--url", daemon.url, cwd=tmp_path).stdout == "m goes on\n"
            daemon.wait_until(lambda: function.bodies == ["one", "two"])
    queues.close()


@pytest.mark.semantics("SEE-05", "SEE-06", "STEER-35")
def test_records_and_lines_are_seen_as_they_pass(ministack: Server, tmp_path: Path) -> None:
    queues = daemons.Queues(ministack.endpoint_url)
    name = queues.create()
    (tmp_path / "app.py").write_text("def handler(event, context):\n    print('took', len(event['Records']))\n")
    functions = {"f": {"handler": "app.handler", "code": str(tmp_path), "runtime": "python"}}
    mappings = {"m": {"source": queues.arn(name)}}
    config = daemons.write_config(tmp_path, queues.endpoint_url, "", mappings, functions=functions)
    with daemons.running(str(config), cwd=tmp_path) as daemon:
        daemon.ready()
        wish = ["--fate=delivered", "--where=wanted", "--payload", "--lines=1"]
        tap = subprocess.Popen(
            [*daemons.command(), "tap", "m", *wish, "--url", daemon.url],
            cwd=tmp_path,
            env=daemons.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

        def seen() -> bool:
            queues.send(name, "other", "wanted")
            return tap.poll() is not None

        daemon.wait_until(seen)  # from when the tap is there
        shown = tap.communicate()[0]
        assert (tap.returncode, shown.count("\n"), '"wanted"' in shown) == (0, 1, True)
        assert " m " in shown
        assert " delivered " in shown
        logs = headrace("logs", "f", "--url", daemon.url, cwd=tmp_path)
        assert (logs.returncode, "took" in logs.stdout, "REPORT" in logs.stdout) == (0, True, False)
        logs = headrace("logs", "--platform", "--url", daemon.url, cwd=tmp_path)
        assert "REPORT" in logs.stdout
        (function,) = json.loads(daemon.get("/v1/functions")[1])["functions"]
        work = function["work"]
        assert 1 <= work["environments"] <= work["cold_starts"]
        assert work["failures"] == 0
        assert work["invocations"] >= 1
        assert work["last_init"] > 0
    gone = headrace("tap", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert (gone.returncode, "no daemon answers" in gone.stderr) == (1, True)
    queues.close()
