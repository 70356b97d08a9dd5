"""What comes from anybody, and is shown on a terminal."""

from __future__ import annotations

import io
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.core import observer as seen
from headrace.service.cli.verbs.invoke import InvokeOutput
from headrace.service.cli.verbs.tables import show, tell
from headrace.service.telemetry.core.terminal import visible
from headrace.service.telemetry.event_lines import Logs
from headrace.service.telemetry.line_writer import StreamLines
from headrace.service.telemetry.log import Action, Log, open_log
from support.reasons import no_start, why


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


HOSTILE = "\x1b]0;title\x07\x1b[2J\x08\x7f\x9b31m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[ERROR] E: no\rTraceback:\r\xa0 File", "[ERROR] E: no\nTraceback:\n\xa0 File"),
        ("Windows\r\nlines\r\n", "Windows\nlines\n"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x00 \x07 \x7f \x9b", r"\x00 \x07 \x7f \x9b"),
        ("abc\u202edcba", r"abc\u202edcba"),
        ("half \ud83d of one", r"half \ud83d of one"),
        ("Grüße, 世界 \U0001f468\u200d\U0001f469", "Grüße, 世界 \U0001f468\u200d\U0001f469"),
    ],
)
def test_lines_stay_lines_and_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = visible(text)
    assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cs") and each not in "\t\n"]
    assert visible(shown) == shown
    shown.encode()


def console(event: seen.Event) -> str:
    stream = Terminal()
    Logs(open_log(StreamLines(stream), "info", "auto", terminal=True, environ={"NO_COLOR": "1"})).observe(event)
    return stream.getvalue()


@pytest.mark.semantics("FN-51")
def test_a_traceback_is_readable_on_a_terminal_with_the_daemons_lines_told_from_it() -> None:
    line = "[ERROR] ValueError: no\rTraceback (most recent call last):\r\xa0\xa0File app.py"
    shown = console(seen.FunctionLog("f", "r", line, "stdout"))
    first, *rest = shown.splitlines()
    assert first.endswith("[ERROR] ValueError: no")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[1].startswith("    \xa0\xa0File app.py")
    assert "\r" not in shown


@pytest.mark.semantics("FN-51")
@pytest.mark.parametrize(
    "event",
    [
        seen.FunctionLog("f", "r", HOSTILE, "stdout"),
        seen.FunctionLog("f", "r", "two\nlines " + HOSTILE, "log"),
        seen.GateClosed("f", no_start(HOSTILE), 1.0),
        seen.MappingChanged("m", "waiting", why(HOSTILE)),
    ],
)
def test_what_a_function_says_commands_no_terminal(event: seen.Event) -> None:
    shown = console(event)
    assert r"\x1b]0;title\x07\x1b[2J\x08\x7f\x9b31m" in shown
    assert not [each for each in shown if unicodedata.category(each) == "Cc" and each != "\n"]


@pytest.mark.semantics("FN-51")
def test_fields_of_a_line_stay_in_it() -> None:
    stream = Terminal()
    log = Log(stream, json=False)
    log.warning(Action.FETCH_FAILED, "failed", cause="one\ntwo\x1b[2J", ids=["\x1b[2J"])
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


@pytest.mark.semantics("FN-51")
def test_invoke_shows_lines_answers_and_faults_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    InvokeOutput().observe(seen.FunctionLog("f", "r", "one\rtwo\x1b[2J", "stdout"))
    show("\x1b[2J")
    tell("\x1b[2J")
    assert terminal.getvalue() == "one\ntwo\\x1b[2J\n\\x1b[2J\n\\x1b[2J\n"


def test_a_file_gets_what_the_function_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    InvokeOutput().observe(seen.FunctionLog("f", "r", "\x1b[31mred\rtwo", "stdout"))
    assert file.getvalue() == "\x1b[31mred\rtwo\n"
