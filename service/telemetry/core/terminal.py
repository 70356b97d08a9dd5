"""Text that may come from anybody, as a terminal can show it: line by line, and without what would command it. Pure.

Lines may be separated by carriage returns alone, which some runtime clients use; a terminal would write one line over
the other.
"""

from __future__ import annotations

import re

_ENDS = re.compile(r"\r\n?")
_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, without tab and newline
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # what changes the direction of text, or ends a line or paragraph
    "\ud800-\udfff]"  # halves of characters, which no stream takes
)


def visible(text: str) -> str:
    """Every line as a line; what a terminal would obey as an escape sequence of Python's."""
    return _COMMANDS.sub(_escape, _ENDS.sub("\n", text))


def in_one_line(text: str) -> str:
    return visible(text).replace("\n", r"\n")


def under_its_first_line(text: str) -> str:
    """The lines after the first are indented: none can be taken for a line of the log."""
    return visible(text).replace("\n", "\n    ")


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
