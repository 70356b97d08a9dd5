"""Output to a terminal or a pipe that cannot show every character: such a character becomes `\\uXXXX`, which people
can read and JSON allows. A leaf without heavy imports, because `headrace --help` imports it.
"""

from __future__ import annotations

import codecs
import io
import sys

_HANDLER = "headrace.escaped"


def print_everything() -> None:
    """From now on no character raises an error on standard output and standard error."""
    codecs.register_error(_HANDLER, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end
