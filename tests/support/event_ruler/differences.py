"""Where we and event-ruler differ on purpose. A difference that is not in this table fails the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from headrace.dispatch.patterns.errors import PatternError
from headrace.dispatch.patterns.filters import Pattern
from support import naive_patterns
from support.event_ruler.ruler import EventRuler


@dataclass(frozen=True, slots=True)
class Difference:
    """A kind of difference, the rule that decides it for us, an example, and how to recognise a case of it."""

    name: str
    decided_by: str
    pattern: str
    event: str
    applies: Callable[[str, Any, EventRuler], bool]


def ours(pattern: str, event: str) -> bool | None:
    """Our verdict, None for a pattern that we refuse."""
    try:
        return Pattern.parse(pattern).matches(json.loads(event))
    except PatternError:
        return None


def kind_of(pattern: str, event: Any, aws: EventRuler) -> str | None:
    """The listed difference that explains a disagreement on this pair."""
    for one in DIFFERENCES:
        if one.applies(pattern, event, aws):
            return one.name
    return None


def _beyond_double(pattern: str, event: Any, aws: EventRuler) -> bool:
    numbers = [value for value in _scalars([json.loads(pattern), event]) if type(value) in (int, float)]
    return any(abs(value) > 2**53 for value in numbers)


def _empty_name(pattern: str, event: Any, aws: EventRuler) -> bool:
    return '"":' in pattern.replace(" ", "") or '"":' in json.dumps(event).replace(" ", "")


def _quote_text(pattern: str, event: Any, aws: EventRuler) -> bool:
    return ("suffix" in pattern or "prefix" in pattern) and r"\"" in pattern and "" in list(_scalars(event))


def _both_families(pattern: str, event: Any, aws: EventRuler) -> bool:
    blocks = {ip_network(block, strict=False).version for block in re.findall(r'"cidr": ?"([^"]*)"', pattern)}
    addresses = [naive_patterns.address(text) for text in _scalars(event) if isinstance(text, str)]
    return any({address.version} != blocks for address in addresses if address) and bool(blocks)


def _block_and_number(pattern: str, event: Any, aws: EventRuler) -> bool:
    return '"cidr"' in pattern and any(type(value) in (int, float) for value in _scalars(event))


def _folded_surrogates(pattern: str, event: Any, aws: EventRuler) -> bool:
    return '"equals-ignore-case"' in pattern and any(letter > "\uffff" for letter in str(json.loads(pattern)))


def _spelled_twice(pattern: str, event: Any, aws: EventRuler) -> bool:
    """Whether the event spells one dotted path with different field names."""
    spellings: dict[str, set[tuple[str, ...]]] = {}
    for names in _names(event, ()):
        spellings.setdefault(".".join(names), set()).add(names)
    return any(len(different) > 1 for different in spellings.values())


def _better_alone(pattern: str, event: Any, aws: EventRuler) -> bool:
    """Whether event-ruler agrees with us when it is asked about each combination of single operators by itself."""
    alone = any(aws.verdict(json.dumps(one), json.dumps(event)).match for one in naive_patterns.single(pattern))
    return alone is ours(pattern, json.dumps(event))


def _names(value: Any, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _names(inner, (*names, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner, names)
    else:
        yield names


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    else:
        yield value


DIFFERENCES = [
    Difference(
        "numbers beyond 2^53",
        "section 4.3, numbers: compared as IEEE doubles; event-ruler compares their digits",
        '{"a": [12345678901234567890]}',
        '{"a": 12345678901234567891}',
        _beyond_double,
    ),
    Difference(
        "block and address of different families",
        "section 4.3, cidr: a value that is no address of the block does not match; event-ruler compares hex digits, "
        "and those of one family may lie in a range of the other",
        '{"a": [{"cidr": "10.0.0.0/8"}]}',
        '{"a": "0A00:0000::"}',
        _both_families,
    ),
    Difference(
        "block and number",
        "section 4.3, cidr: a value of another type does not match; event-ruler compares hex digits of numbers too",
        '{"a": [{"cidr": "0.0.0.0/0"}]}',
        '{"a": 7}',
        _block_and_number,
    ),
    Difference(
        "ignoring case beyond U+FFFF",
        "section 4.3, equals-ignore-case: any string equals itself; event-ruler folds halves of such characters",
        '{"a": [{"equals-ignore-case": "\\ud83d\\ude00"}]}',
        '{"a": "\\ud83d\\ude00"}',
        _folded_surrogates,
    ),
    Difference(
        "prefix or suffix of a quote",
        "section 4.3, prefix and suffix: of the string itself; event-ruler sees the string in its quotes",
        r'{"a": [{"suffix": "\""}]}',
        '{"a": ""}',
        _quote_text,
    ),
    Difference(
        "empty field name",
        "section 4.3, paths: field names are joined with dots, an empty one like any other; event-ruler drops it",
        '{"": {"a": [1]}}',
        '{"": {"a": 1}}',
        _empty_name,
    ),
    Difference(
        "exactly",
        "section 4.3, the table of operators does not have it, nor does EventBridge's documentation",
        '{"a": [{"exactly": "x"}]}',
        '{"a": "x"}',
        lambda pattern, event, aws: '"exactly"' in pattern,
    ),
    Difference(
        "a path spelled twice",
        'section 4.3, paths: {"a": {"b": …}} and {"a.b": …} are one path, with two leaves here; event-ruler misses the '
        "leaf outside of arrays when the other one stands in an array's element",
        '{"a": {"x": [1], "y": [2]}}',
        '{"a": [{"x": 1}, {"y": 3}], "a.y": 2}',
        _spelled_twice,
    ),
    Difference(
        "alternatives that disturb each other",
        "section 4.3, leaf arrays are OR; event-ruler's automaton loses or invents matches when some operators share a "
        "field, but agrees when asked about each operator alone",
        r'{"a": [{"anything-but": {"wildcard": "*.0.01"}}, {"equals-ignore-case": "\u00c9"}]}',
        '{"a": "10.0.0.01"}',
        _better_alone,
    ),
]
