"""JSON to nodes: the standard library says whether a text is JSON, a scan of the sound text feeds the composer.

The library alone would not do: it forgets lines, takes a repeated key in silence, and knows NaN. Nor would the YAML
parser: JSON is no subset of what it reads (surrogate pairs as escapes, long keys, U+2028 in text).
"""

from __future__ import annotations

import json
import re

from .composer import Composer
from .errors import ConfigError, Problem
from .nodes import MAX_DEPTH, Node

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\s,:\[\]{}"]+')
_WORD = re.compile(r'[\w.+-]{1,40}|"|\S')
_SPACE = " \t\r\n"
_HALF = re.compile("[\ud800-\udfff]")
_NOT_JSON = frozenset({"NaN", "Infinity", "-Infinity"})


def read(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """The document's tree, None for an empty one, and its repeated keys. Raises ConfigError for what is not JSON."""
    if not text.strip(_SPACE):
        return None, []
    _check(text, file)
    composer = Composer(file)
    line, counted = 1, 0
    for token in _TOKEN.finditer(text):
        line, counted = line + text.count("\n", counted, token.start()), token.start()
        _take(composer, token[0], line)
    return composer.root, composer.problems


def _take(composer: Composer, token: str, line: int) -> None:
    match token[0]:
        case "{":
            composer.begin_mapping(line)
        case "[":
            composer.begin_sequence(line)
        case "}" | "]":
            composer.end()
        case '"':
            meant = json.loads(token)
            if _HALF.search(meant):
                raise composer.fault(
                    line, "cannot be read as JSON: text has half of a surrogate pair (\\ud800 to \\udfff)"
                )
            composer.scalar(meant, line, quoted=True)
        case _:
            if token in _NOT_JSON:
                raise composer.fault(line, f"cannot be read as JSON: {token} is not a JSON value")
            composer.scalar(token, line, quoted=False)


def _check(text: str, file: str) -> None:
    """Raises ConfigError unless the text is JSON. Numbers are looked at later: Python refuses to read long ones."""
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except RecursionError:
        raise ConfigError([Problem(f"is nested deeper than {MAX_DEPTH} levels", "", file)]) from None
    except json.JSONDecodeError as fault:
        raise ConfigError([_syntax(fault, file)]) from None


def _syntax(fault: json.JSONDecodeError, file: str) -> Problem:
    found = _WORD.match(fault.doc, fault.pos)
    word = found[0] if found else ""
    what = fault.msg[:1].lower() + fault.msg[1:].removesuffix(" at").removesuffix(" starting")
    ends = not fault.doc[fault.pos :].strip(_SPACE)
    shown = ", and the file ends" if ends else f", found {word!r}" if what.startswith(("expecting", "extra")) else ""
    return Problem(f"cannot be read as JSON: {what}{shown}", "", file, fault.lineno, _hint(fault, word))


def _hint(fault: json.JSONDecodeError, word: str) -> str:
    if word in {"/", "#"}:
        return "JSON has no comments"
    before = fault.doc[: fault.pos + 1].rstrip(_SPACE + "}]")
    return "remove the comma before the bracket" if word in {"}", "]", ","} and before.endswith(",") else ""
