"""Lines for somebody who reads, reads slowly, or does not read at all; real pipes, and a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, TextIO

import pytest

from headrace.service.telemetry import line_writer
from headrace.service.telemetry.core.line_backlog import LineCounts
from headrace.service.telemetry.line_writer import LineWriter, StreamLines, lines_of
from headrace.service.telemetry.log import Action
from headrace.service.telemetry.outputs import Outputs

PATIENCE = 60.0
LINE = "x" * 99


class Pipe:
    """A pipe whose reader reads when it is told to."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self.reader: IO[bytes] = os.fdopen(reader, "rb")
        self.writer: TextIO = os.fdopen(writer, "w", encoding="utf-8")

    def read_all(self, lines: LineWriter) -> list[str]:
        """Everything, once all is written."""
        read: list[bytes] = []
        reading = threading.Thread(target=lambda: read.append(self.reader.read()))
        reading.start()
        assert lines.flush(PATIENCE)
        self.writer.close()
        reading.join(PATIENCE)
        return read[0].decode().splitlines()

    def close(self) -> None:
        for each in (self.reader, self.writer):
            with ExitStack() as stack:
                stack.callback(each.close)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with closing(Pipe()) as made:
        yield made


def remark(counts: LineCounts) -> str:
    return f"dropped {counts.functions} and {counts.own}"


def test_lines_arrive_in_their_order(pipe: Pipe) -> None:
    lines = LineWriter(pipe.writer)
    wanted = [f"line {number}" for number in range(10_000)]
    for number, line in enumerate(wanted):
        lines.put(line, of_function=number % 3 == 0)
    assert pipe.read_all(lines) == wanted


@pytest.mark.semantics("OBS-18")
def test_nobody_waits_for_a_reader_and_what_was_left_out_is_counted_in_its_place(pipe: Pipe) -> None:
    lines = LineWriter(pipe.writer, limit=100_000, remark=remark)
    for number in range(100_000):
        lines.put(f"{number} {LINE}")
    assert not lines.flush(0.0)
    expected = 0
    for line in pipe.read_all(lines):
        if dropped := re.fullmatch(r"dropped 0 and (\d+)", line):
            expected += int(dropped[1])
        else:
            assert line == f"{expected} {LINE}"
            expected += 1
    assert expected == 100_000


def test_a_reader_that_takes_nothing_is_not_waited_for_at_the_end(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_writer, "STUCK", 0.01)
    lines = LineWriter(pipe.writer)
    for _ in range(10_000):
        lines.put(LINE)
    assert not lines.flush(3600.0)
    assert len(pipe.read_all(lines)) == 10_000


def test_a_reader_that_went_away_ends_nothing_and_is_counted(pipe: Pipe) -> None:
    lines = LineWriter(pipe.writer, remark=remark)
    pipe.reader.close()
    for _ in range(1000):
        lines.put(LINE)
    assert lines.flush(PATIENCE)


def test_a_disk_that_was_full_has_the_count_when_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = True
    real: Callable[[int, memoryview], int] = os.write

    def write(descriptor: int, data: memoryview) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        lines = LineWriter(stream, remark=remark)
        lines.put("lost", of_function=True)
        lines.put("lost")
        assert lines.flush(PATIENCE)
        full = False
        lines.put("kept")
        assert lines.flush(PATIENCE)
    assert (tmp_path / "log").read_text() == "dropped 1 and 1\nkept\n"


def test_a_descriptor_that_somebody_made_non_blocking_gets_every_line(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer.fileno(), False)
    lines = LineWriter(pipe.writer)
    for number in range(10_000):
        lines.put(f"{number} {LINE}")
    assert len(pipe.read_all(lines)) == 10_000


def test_what_the_stream_cannot_spell_is_written_in_ascii(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        lines = LineWriter(stream)
        lines.put("Grüße \udc80")
        assert lines.flush(PATIENCE)
    assert (tmp_path / "log").read_text() == "Gr\\xfc\\xdfe \\udc80\n"


def test_a_terminal_gets_lines_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as terminal, os.fdopen(master, "rb", buffering=0) as screen:
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setenv("NO_COLOR", "1")
        outputs = Outputs.of_process()
        outputs.log.info(Action.READY, "ready", mapping="m")
        outputs.flush(PATIENCE)
        assert re.match(rb"\S+ \[info\s*\] ready\s+action=ready mapping=m\r\n", screen.read(1000))


@pytest.mark.semantics("OBS-18")
def test_the_log_says_what_is_missing_in_it_and_in_standard_output(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "LIMIT", 10_000)
    with (tmp_path / "log").open("w", encoding="utf-8") as errors:
        monkeypatch.setattr("sys.stdout", pipe.writer)
        monkeypatch.setattr("sys.stderr", errors)
        outputs = Outputs.of_process()
        for _ in range(2000):
            outputs.out.put(LINE)
        assert isinstance(outputs.out, LineWriter)
        read = pipe.read_all(outputs.out)
        outputs.flush(PATIENCE)
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {(line["action"], line["level"], line["stream"]) for line in told} == {
        ("lines_left_out", "warning", "standard output")
    }
    assert sum(line["own"] for line in told) + len(read) == 2000
    assert set(read) == {LINE}


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_where_there_is_no_descriptor_lines_are_written_at_once(stream: io.StringIO | None) -> None:
    lines = lines_of(stream, remark)
    lines.put("one")
    assert isinstance(lines, StreamLines)
    assert lines.flush(None)
    assert stream is None or stream.getvalue() == "one\n"


def test_lines_soon_after_a_write_are_gathered_until_somebody_waits_for_them(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "GATHER", 2 * PATIENCE)
    lines = LineWriter(pipe.writer)
    lines.put("first")
    assert pipe.reader.readline() == b"first\n"
    for number in range(3):
        lines.put(str(number))
    assert select.select([pipe.reader], [], [], 0) == ([], [], [])
    assert pipe.read_all(lines) == ["0", "1", "2"]
