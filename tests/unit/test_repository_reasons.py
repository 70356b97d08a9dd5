"""Nobody decides by the English of a message: a reason has a code (`config/reasons.py`).

Every comparison, search and test of a text is looked at whose subject has a name for messages, whatever it is compared
with; and every one whose pattern is a piece of a sentence, whatever its subject. Where a foreign server or library says
in words alone what it means, one place reads the words, and is listed here with the cause.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("config", "dispatch", "pollers", "service")
SOURCES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))

MESSAGES = frozenset(
    {
        *("cause", "detail", "error", "exc", "explanation", "failure", "fault", "hint", "line", "lines", "message"),
        *("msg", "obstacle", "reason", "refusal", "said", "told", "trouble", "waits_for", "what", "why", "words"),
    }
)
"""Names of variables and attributes that hold what is said to people."""
READS = frozenset(
    {
        *("startswith", "endswith", "find", "rfind", "index", "rindex", "count", "partition", "rpartition"),
        *("removeprefix", "removesuffix", "isupper", "islower", "istitle", "isdigit", "isalpha", "isalnum"),
    }
)
"""Methods of a text that tell what is in it."""
SEARCHES = frozenset({"search", "match", "fullmatch", "findall", "finditer"})
SENTENCE = re.compile(r"[A-Za-z]+[,;:]? +[A-Za-z]+")
MEMBER = re.compile(r"[A-Za-z0-9]*[a-z0-9][A-Z][A-Za-z0-9]*")
"""A key of a document, as AWS and runtimes spell them."""

ALLOWED = {
    "config/clients/kafka/faults.py:_of_login": "aiokafka has no class for a server that does not know the password",
    "config/clients/kafka/faults.py:partition_of": "aiokafka names the partition of a damaged batch in the text alone",
    "dispatch/invokers/core/answers.py:": "of what emulators of an execution environment say in words alone, the words",
    "dispatch/invokers/core/answers.py:_failure": "an interface emulator says in words alone that the time was over",
    "dispatch/invokers/core/answers.py:_is_quirk": "an emulator says in words alone that an init or a process failed",
    "dispatch/invokers/local/python_transport.py:_head": "the lines of a reply of HTTP are read, which say no reasons",
    "dispatch/invokers/local/python_transport.py:_line": "the end of such a line is cut off",
    "dispatch/invokers/local/interpreters.py:_ask_python": "of what an interpreter prints, the telling line is shown",
    **{
        f"service/testing/invoker_contract.py:test_{name}": "a suite compares what an invoker says with what AWS says"
        for name in (
            "an_error_of_the_handler",
            "the_process_ends_in_the_middle",
            "an_error_of_the_init_is_no_attempt",
        )
    },
    "config/read_json.py:_syntax": "json says in words alone what is wrong; its words are shown as ours",
    "config/read_yaml.py:_hint": "PyYAML says in words alone what it did not understand",
}
"""Where the words of somebody else are read, by file and function, each with its cause."""


def subject(node: ast.expr) -> str:
    """The name of what is looked at: of a variable, an attribute, what is indexed, or what `str` is made of."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr="text"):
            return subject(value) if subject(value) in MESSAGES else "text"
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key
        case ast.Subscript(value=value):
            return subject(value)
        case ast.Call(func=ast.Name(id="str" | "repr"), args=[argument]):
            return subject(argument)
        case ast.Call(func=ast.Attribute(value=value)):
            return subject(value)
        case _:
            return ""


def texts(node: ast.expr) -> list[str]:
    """The constant texts in an expression."""
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def suspicious(looked_at: ast.expr, *patterns: ast.expr) -> bool:
    said = [text for pattern in patterns for text in texts(pattern)]
    return subject(looked_at) in MESSAGES or any(SENTENCE.search(text) for text in said)


def reads(node: ast.AST) -> bool:
    """Whether this looks into a message."""
    match node:
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
            return any(not MEMBER.fullmatch(text) for text in texts(left)) and suspicious(right, left)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Constant(value=str() as right)]):
            return any(each.isalpha() for each in right) and subject(left) in MESSAGES
        case ast.Call(func=ast.Attribute(value=value, attr=method), args=args) if method in READS:
            blank = bool(args) and all(isinstance(each, ast.Constant) and not str(each.value).strip() for each in args)
            return suspicious(value, *args) and not blank
        case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="compile"), args=[pattern, *_]):
            return any(SENTENCE.search(text) for text in texts(pattern))
        case ast.Call(func=ast.Attribute(value=value, attr=method), args=args) if method in SEARCHES:
            return any(suspicious(each) for each in args) or any(SENTENCE.search(text) for text in texts(value))
        case _:
            return False


def places(tree: ast.AST, function: str = "") -> Iterator[tuple[str, int]]:
    """Where a text is read: the innermost function, and the line."""
    for node in ast.iter_child_nodes(tree):
        if reads(node):
            assert isinstance(node, ast.expr)
            yield function, node.lineno
        inside = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from places(node, inside)


def test_nothing_decides_by_the_words_of_a_message() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{function}": line
        for path in SOURCES
        for function, line in places(ast.parse(path.read_text(), str(path)))
    }
    told = [f"{place} (line {line})" for place, line in found.items() if place not in ALLOWED]
    assert not told, f"give the reason a code, and decide by that: {', '.join(told)}"
    assert ALLOWED.keys() <= found.keys(), "these read no words any more"


@pytest.mark.parametrize(
    "code",
    [
        'if ": not allowed" in reason: pass',
        'if "the secret " in status.reason.text: pass',
        'found = next(each for words, each in TABLE if "x" in words)',
        "if violation.what[0].isupper(): pass",
        'if given.field.reason.endswith("."): pass',
        'if status.reason.startswith(f"function {name}: "): pass',
        'if str(error).startswith("no such"): pass',
        'who, _, why = message.partition(": ")',
        'number = re.search(r"partition=(\\d+)", str(error))',
        "if TIMED_OUT.fullmatch(reply.cause.text): pass",
        'if anything == "x" or trouble == "it is gone": pass',
        'if "does not exist" in anything: pass',
        'if answer.decode().startswith("Task timed out"): pass',
    ],
)
def test_what_reads_a_message_is_found(code: str) -> None:
    assert list(places(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        'if "id" in members: pass',
        "if reason.code is ReasonCode.MISSING: pass",
        'line = f"{mapping}: {reason}"',
        'flat = " ".join(message.split())',
        'if arn.resource.endswith(".fifo"): pass',
        'if error["type"] == "missing": pass',
        "if cause != self._standing: pass",
        'if "MD5OfMessageAttributes" in message or "stackTrace" in error: pass',
        'written = line.removesuffix("\\n")',
    ],
)
def test_what_reads_something_else_is_left_alone(code: str) -> None:
    assert not list(places(ast.parse(code)))
