"""Makes untrusted text safe for a terminal: line by line, with escaped control characters. Pure.

Some runtime clients separate lines by carriage returns alone; a terminal would write one line over
the other.
"""

from __future__ import annotations

import re

_ENDS = re.compile(r"\r\n?")
_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, without tab and newline
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # characters that change the direction of text or end a line
    "\ud800-\udfff]"  # lone surrogates, which no stream accepts
)


def visible(text: str) -> str:
    """Each line of the text; control characters become Python's escape sequences."""
    return _COMMANDS.sub(_escape, _ENDS.sub("\n", text))


def in_one_line(text: str) -> str:
    return visible(text).replace("\n", r"\n")


def under_its_first_line(text: str) -> str:
    """The lines after the first are indented, so that none looks like a line of the log."""
    return visible(text).replace("\n", "\n    ")


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
