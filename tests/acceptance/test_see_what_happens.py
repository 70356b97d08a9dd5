"""docs/see-what-happens.md: each of its commands is run, and shows what the page says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
from pathlib import Path

import pytest

from support import daemons
from support.daemons import headrace
from support.servers.running import Server
from support.streams import Streams

PAGE = Path(__file__).parents[2] / "docs" / "see-what-happens.md"
COMMANDS = [
    shlex.split(line.removeprefix("$ headrace "))
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for line in block.splitlines()
]
SHOWN = {
    "status": "failing",
    "status --check --strict": "orders: ",
    "status orders": "this order is bad",
    "retry clicks": "clicks tries again now",
    "logs resize": "looking at {",
    "tap orders --fate filtered --payload --lines 1": "refused",
    "filter test record.json --mapping orders": "refused",
    "explain ID": "this order is bad",
    "tap orders --where wanted --payload --lines 1": "wanted",
    "pause orders": "orders is paused",
    "resume orders": "orders goes on",
    "status clicks": "BLOCKED SINCE",
    "positions skip clicks LANE": "clicks gives up on ",
    "positions set clicks TRIM_HORIZON": "clicks goes on there",
    "positions set clicks 2026-12-01T10:00:00Z": "clicks goes on there",
    "positions set clicks LATEST": "clicks goes on there",
    "reload": "read again: mappings 2 kept",
}
"""What each command shows here. A command of the page without one fails the test."""
HANDLER = """
def handler(event, context):
    for record in event["Records"]:
        print("looking at", record["body"])
        if "bad" in record["body"]:
            raise ValueError("this order is bad")
"""
FILTER = {"filters": [{"pattern": {"body": {"type": ["bad", "wanted"]}}}]}


def body(kind: str) -> str:
    return json.dumps({"type": kind})


@pytest.mark.parametrize("page", [PAGE, PAGE.with_name("mend-what-went-wrong.md")], ids=lambda page: page.stem)
def test_a_command_that_stands_in_a_sentence_stands_in_a_block_too(page: Path) -> None:
    text = page.read_text()
    blocks = [line for line in text.splitlines() if line.startswith("$ headrace ")]
    linked = set(re.findall(r"\[`(headrace [^`]+)`\]\(", text))
    elsewhere = {"headrace run --watch"}  # `test_run_reload.py`
    for named in {" ".join(each.split()) for each in re.findall(r"`(headrace [^`]+)`", text)} - linked - elsewhere:
        assert any(f"{line} ".startswith(f"$ {named} ") for line in blocks), named


@pytest.mark.semantics("SEE-01", "SEE-04", "SEE-05", "SEE-06", "STEER-03")
def test_each_command_of_the_page_shows_what_the_page_says(ministack: Server, tmp_path: Path) -> None:
    assert {" ".join(command) for command in COMMANDS} == SHOWN.keys()
    queues, streams = daemons.Queues(ministack.endpoint_url), Streams(ministack.endpoint_url)
    name, clicks = queues.create(VisibilityTimeout="1"), streams.create()
    streams.put(clicks, "is no order")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text(HANDLER)
    (tmp_path / "record.json").write_text(json.dumps({"messageId": "1", "body": body("refused")}))
    functions = {"resize": {"handler": "app.handler", "code": "code", "runtime": "python"}}
    mapping = {"source": queues.arn(name), "function": "resize", "filter_criteria": FILTER, "batch_size": 1}
    other: dict[str, object] = {
        "source": streams.arn(clicks),
        "function": "resize",
        "starting_position": "TRIM_HORIZON",
    }
    config = daemons.write_config(
        tmp_path, queues.endpoint_url, "", {"orders": mapping, "clicks": other}, functions=functions
    )
    (tmp_path / "headrace.yaml").write_text(config.read_text())
    config.unlink()
    with daemons.running(cwd=tmp_path) as daemon:
        daemon.ready()
        queues.send(name, body("bad"))
        daemon.wait_until(lambda: {each["state"] for each in daemon.status()["mappings"]} == {"failing"})
        lane = daemon.status()["mappings"][1]["flow"]["lanes"][0]["lane"]
        record = json.loads(daemon.get("/v1/mappings/orders/journal?fate=returned")[1])["entries"][0]["ids"][0]
        for command in COMMANDS:
            given = [{"ID": record, "LANE": lane}.get(word, word) for word in command]
            given += ["--yes"] * (command[0] == "positions")
            for _ in range(50):
                found = asked(given, daemon, tmp_path, queues, name)
                if command[0] != "retry" or not found.returncode:  # else an attempt was under way
                    break
            shown, wanted = found.stdout + found.stderr, SHOWN[" ".join(command)]
            assert wanted in shown, f"{command} shows\n{shown}"
            assert found.returncode == (1 if wanted == "orders: " or command[0] == "filter" else 0), command
    queues.close()
    streams.close()


def asked(
    command: list[str], daemon: daemons.Daemon, directory: Path, queues: daemons.Queues, name: str
) -> subprocess.CompletedProcess[str]:
    """Run it; records that a tap waits for come until it has one."""
    over = threading.Event()

    def sending() -> None:
        while not over.wait(0.3):
            queues.send(name, body("refused"), body("wanted"))

    sender = threading.Thread(target=sending)
    if command[0] == "tap":
        sender.start()
    try:
        listen = {"HEADRACE_LISTEN": daemon.url.removeprefix("http://")}
        return headrace(*command, cwd=directory, env=listen)
    finally:
        over.set()
        if sender.ident is not None:
            sender.join()
