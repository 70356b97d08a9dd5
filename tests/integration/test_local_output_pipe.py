"""A function's output through a real pipe: everything is accounted for, and other tasks get their turns."""

from __future__ import annotations

import os
import re
import threading

import pytest
from anyio.lowlevel import checkpoint

from headrace.dispatch.invokers.local.core.lines import LineBudget, OutputLines
from headrace.dispatch.invokers.local.output import LINES_PER_TURN, PIECE, FunctionOutput

WRITTEN = 200_000


def writing(output: FunctionOutput, data: bytes) -> threading.Thread:
    def write() -> None:
        with os.fdopen(output.end, "wb") as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    return writer


@pytest.mark.semantics("FN-21")
async def test_every_line_is_passed_on_or_counted_as_dropped() -> None:
    lines: list[str] = []
    output = FunctionOutput(lines.append, OutputLines(LineBudget(lines_per_second=1000, bytes_per_second=1e9)))
    writer = writing(output, b"".join(b"%d\n" % number for number in range(WRITTEN)))
    while writer.is_alive():
        await checkpoint()
    await output.close()
    said = [re.fullmatch(r"\[Headrace dropped (\d+) lines: .*\]", line) for line in lines]
    dropped = sum(int(match[1]) for match in said if match)
    passed = [int(line) for line, match in zip(lines, said, strict=True) if not match]
    # A line that was cut by the border of what was dropped is neither.
    assert len(passed) + dropped <= WRITTEN
    assert WRITTEN - len(passed) - dropped <= 2 * sum(1 for match in said if match)
    assert 0 < len(passed) < WRITTEN
    assert passed == sorted(passed)


@pytest.mark.semantics("FN-21")
async def test_the_others_get_a_turn_after_a_few_lines() -> None:
    lines: list[str] = []
    output = FunctionOutput(lines.append, OutputLines(LineBudget(lines_per_second=1e9, bytes_per_second=1e9)))
    writer = writing(output, b"x\n" * 100_000)
    most = seen = 0
    while len(lines) < 100_000:
        await checkpoint()
        most, seen = max(most, len(lines) - seen), len(lines)
    writer.join()
    await output.close()
    assert most <= LINES_PER_TURN + PIECE


async def test_what_is_in_the_pipe_when_an_invocation_ends_is_passed_on_before_its_end() -> None:
    lines: list[str] = []
    output = FunctionOutput(lines.append, OutputLines(LineBudget()))
    os.write(output.end, b"one\ntwo\n" * 400)
    await output.drain()
    assert lines == ["one", "two"] * 400
    os.close(output.end)
    await output.close()


async def test_a_function_that_writes_faster_than_is_read_has_to_wait() -> None:
    lines: list[str] = []
    output = FunctionOutput(lines.append, OutputLines(LineBudget(lines_per_second=0, bytes_per_second=0)))
    os.set_blocking(output.end, False)
    waits = 0
    for _ in range(100_000):
        try:
            os.write(output.end, b"x" * 65536)
        except BlockingIOError:
            waits += 1
        await checkpoint()
        if waits > 100:
            break
    assert waits > 100
    os.close(output.end)
    await output.close()
