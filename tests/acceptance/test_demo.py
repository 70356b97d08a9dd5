"""`make demo` itself, small, for each source and emulator: the account balances, and nothing is left behind, not even
when it is broken off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.eventually import eventually

DEMO = [sys.executable, str(Path(__file__).parents[2] / "examples" / "demo" / "demo.py")]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def descendants(pid: int) -> set[int]:
    """Every process that came of this one, in whatever session."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


Demo = subprocess.Popen[str]


JAVA = pytest.mark.needs("java", "maven")
NODE = pytest.mark.needs("node", "npm")
DEMOS = [
    pytest.param("sqs", "ministack"),
    pytest.param("sqs", "elasticmq", marks=JAVA),
    pytest.param("sqs", "moto"),
    pytest.param("kinesis", "ministack"),
    pytest.param("kinesis", "kinesalite", marks=NODE),
    pytest.param("dynamodb", "ministack"),
    pytest.param("dynamodb", "dynamodb-local", marks=JAVA),
    pytest.param("kafka", "kafka", marks=JAVA),
]


@pytest.fixture(scope="module")
def demos(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], Demo]]:
    """Those that are asked for, all at once: most of a demo is waiting for orders to come again."""
    callspecs = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    wanted = [callspec.params for callspec in callspecs if callspec is not None and "source" in callspec.params]
    with ExitStack() as stack:
        running: dict[tuple[str, str], Demo] = {}
        for each in wanted:
            options = ["--source", each["source"], "--emulator", each["emulator"], "--orders", "40"]
            demo = subprocess.Popen([*DEMO, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            running[each["source"], each["emulator"]] = stack.enter_context(demo)
            stack.callback(demo.terminate)
        yield running


@pytest.mark.parametrize(("source", "emulator"), DEMOS)
def test_every_order_stands_exactly_once(source: str, emulator: str, demos: dict[tuple[str, str], Demo]) -> None:
    demo = demos[source, emulator]
    said, _ = demo.communicate()
    assert demo.returncode == 0, said
    lines = [line.split() for line in said.splitlines()]
    given_up = "redriven" if source == "sqs" else "discarded"
    counts = {line[0]: line[1] for line in lines if line[1:] and line[0] in ("delivered", "filtered", given_up)}
    assert counts == {"delivered": "35", "filtered": "4", given_up: "1"}
    assert "The account balances." in said
    if source != "sqs":
        assert "order 23: RetryAttemptsExhausted after 2 attempts" in said


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores interrupts, and so does whatever comes of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_broken_off_it_leaves_no_process(number: signal.Signals) -> None:
    demo = subprocess.Popen([*DEMO, "--orders", "2000"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if "delivered" in line and " delivered 0," not in line:
                break
        started = descendants(demo.pid)
        assert len(started) >= 3, "an emulator, a daemon and a function's process"
        demo.send_signal(number)
        demo.wait()
    finally:
        demo.stdout.close()
        if demo.poll() is None:
            os.kill(demo.pid, signal.SIGKILL)
    assert demo.returncode not in (0, -number)
    eventually(lambda: not any(alive(pid) for pid in started))
