"""The dashboard and the alerts of examples/monitoring in a real Prometheus, beside a daemon at work."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import daemons, monitoring, page_lab
from support.eventually import eventually
from support.servers import kafka
from support.servers.running import Server, free_port


@contextmanager
def prometheus(directory: Path, target: str) -> Iterator[str]:
    """The address of one that reads this target each second, and the rules of the example."""
    port = free_port()
    config = yaml.safe_load((monitoring.EXAMPLE / "prometheus.yml").read_text())
    config["global"]["scrape_interval"] = config["global"]["evaluation_interval"] = "1s"
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    config["rule_files"] = [str(monitoring.EXAMPLE / "alerts.yml")]
    file = directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    options = [
        f"--config.file={file}",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *options], stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def asked(url: str, path: str, **parameters: str) -> Any:
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
        found = json.load(answer)
    assert found["status"] == "success"
    return found["data"]


def has_data(url: str, query: str) -> bool:
    try:
        found = asked(url, "query", query=query)["result"]
    except OSError:  # it starts
        return False
    return any(each["value"][1] != "NaN" for each in found)


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


@pytest.mark.needs("prometheus", "java", "maven")
def test_every_query_has_data_under_load(ministack: Server, broker: Server, tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    lab = page_lab.prepare(tmp_path, ministack, broker, listen=listen)
    with daemons.running(str(lab.config), cwd=tmp_path) as daemon, lab.feeding():
        daemon.ready()
        lab.streams.put(lab.names["clicks"], {"session": "poison", "path": "/"})
        with prometheus(tmp_path, listen) as url:
            for name, query in monitoring.panels().items():
                eventually(lambda query=query: has_data(url, query), f"{name}: {query}")  # type: ignore[misc]
            read = [rule for group in asked(url, "rules")["groups"] for rule in group["rules"]]
            assert {rule["name"] for rule in read} == set(monitoring.alerts())
            assert [rule["lastError"] for rule in read if rule.get("lastError")] == []
            eventually(
                lambda: (
                    "HeadraceMappingFailing" in {each["labels"]["alertname"] for each in asked(url, "alerts")["alerts"]}
                ),
                "the alert of the mapping with the poison record",
            )
    lab.close()
