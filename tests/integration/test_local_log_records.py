"""What a runtime's client logs, through its log descriptor: one record is one event, and stands where it belongs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from headrace.dispatch.core.model import FunctionFailed
from headrace.dispatch.core.observer import FunctionLog
from headrace.dispatch.invokers.local.spec import CommandLaunch, Launch, RuntimeLaunch
from support.shop import PYTHON, Shop, call, returned

RID = "11111111-2222-4333-8444-555555555555"
COMMAND = CommandLaunch((sys.executable, "-m", "awslambdaric", "app.handler"), "app.handler")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def between_start_and_end(shop: Shop) -> list[FunctionLog]:
    """The records of the one invocation."""
    heads = [record.line.split(" ")[0] for record in shop.logs.lines]
    return shop.logs.lines[heads.index("START") + 1 : heads.index("END")]


FAILS = """
    import logging
    def handler(event, context):
        try:
            1 / 0
        except ZeroDivisionError:
            logging.exception("caught\\nin two lines")
        logging.getLogger().warning("last of the handler")
        raise ValueError("no such\\norder")
"""


@pytest.mark.semantics("FN-43")
@pytest.mark.parametrize("launch", [PYTHON, COMMAND], ids=["python", "command"])
async def test_a_record_with_a_traceback_is_one_event_with_newlines_in_it(shop: Shop, launch: Launch) -> None:
    async with shop.open(FAILS, launch=launch) as invoker:
        reply = await call(invoker, request_id=RID)
    assert isinstance(reply, FunctionFailed)
    caught, warned, raised = (record.line for record in between_start_and_end(shop))
    assert caught.startswith("[ERROR]\t")
    assert f"\t{RID}\tcaught\nin two lines\nTraceback (most recent call last):\n" in caught
    assert caught.endswith("\nZeroDivisionError: division by zero")
    assert warned.endswith(f"\t{RID}\tlast of the handler")
    assert raised.startswith("[ERROR] ValueError: no such\norder\nTraceback (most recent call last):\n")
    assert "\r" not in raised
    assert {record.stream for record in between_start_and_end(shop)} == {"log"}


LATE = """
    import logging
    logging.getLogger().warning("init\\nin two lines")
    def handler(event, context):
        for number in range(200):
            logging.getLogger().warning("%d\\n%s", number, "x" * 1000)
"""


@pytest.mark.semantics("FN-43")
async def test_records_stand_before_the_platforms_lines_that_follow_them(shop: Shop) -> None:
    async with shop.open(LATE) as invoker:
        await returned(invoker)
    heads = [record.line.split(" ")[0].split("\t")[0] for record in shop.logs.lines]
    assert heads == ["INIT_START", "[WARNING]", "START", *["[WARNING]"] * 200, "END", "REPORT"]


CHILD = """
    import logging, os, subprocess
    def handler(event, context):
        for number in range(3, 64):
            try:
                os.set_inheritable(number, True)
            except OSError:
                pass
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
        logging.getLogger().warning("started")
        return child.pid
"""


@pytest.mark.semantics("FN-43")
async def test_a_child_that_holds_the_descriptor_holds_up_no_end(shop: Shop) -> None:
    async with shop.open(CHILD, timeout=60.0) as invoker:
        first, second = await returned(invoker), await returned(invoker)
        assert first != second
    heads = [record.line.split(" ")[0].split("\t")[0] for record in shop.logs.lines]
    assert heads == ["INIT_START", *["START", "[WARNING]", "END", "REPORT"] * 2]


SHELL = """\
#!/bin/sh
log=/proc/self/fd/$_LAMBDA_TELEMETRY_LOG_FD
while true; do
    id=$(curl -sS -D - -o /dev/null "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next" |
        grep -i lambda-runtime-aws-request-id | tr -d '[:space:]' | cut -d: -f2)
    printf '\\245\\132\\000\\003\\000\\000\\000\\007\\000\\000\\000\\000\\000\\000\\000\\000one\\ntwo' > $log
    echo "plain text, of a client that knows no frames" > $log
    curl -sS -d null "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"
done
"""


@pytest.mark.needs("curl")
@pytest.mark.semantics("FN-43")
async def test_any_runtime_may_write_frames_to_the_descriptor(shop: Shop) -> None:
    code = shop.write(SHELL, "bootstrap")
    (code / "bootstrap").chmod(0o755)
    async with shop.open(launch=RuntimeLaunch("provided.al2023", "x")) as invoker:
        await returned(invoker)
    told = [record.line for record in between_start_and_end(shop) if record.stream == "log"]
    assert told == ["one\ntwo", "plain text, of a client that knows no frames"]
