"""Operations and shapes of the service model that botocore carries, as values. Read by routing, reading, constraints
and writing. Pure; `service_model.py` has where it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Deviations:
    """Observed differences of the service from its model."""

    completed: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """Adds members to the model that an older installed model lacks."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    """HTTP status of an operation."""
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The order in which a message lists the values of a shape."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """How a message spells the pattern of a shape."""
    most: Mapping[str, int] = field(default_factory=dict)
    """The largest value or length of a shape."""
    null_unsaid: Collection[str] = ()
    """Members of lists for which a message does not mention the null constraint."""
    unchecked: Collection[str] = ()
    """`Shape` without enum, pattern and range: the call itself reports errors, with other texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    name: str
    kind: str
    """structure, list, map, string, integer, long, double, boolean, timestamp, blob."""
    members: Mapping[str, ShapeMember] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    item: Shape | None = None
    key: Shape | None = None
    value: Shape | None = None
    least: float | None = None
    most: float | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    sensitive: bool = False
    says_null: bool = True
    """Whether a message says that it must not be null, where it is a member of a list."""
    payload: str | None = None
    """The member that is the body."""


@dataclass(frozen=True, slots=True, eq=False)
class ShapeMember:
    name: str
    wire: str
    """The name in the path, the query string, the headers or the body."""
    shape: Shape
    place: str
    """uri, querystring, header, statusCode, body."""


NOTHING = Shape("Nothing", "structure")
"""The input or output of an operation that has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    name: str
    method: str
    uri: str
    status: int
    input: Shape
    output: Shape


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    operations: Mapping[str, Operation]


def read(data: Mapping[str, Any], deviations: Deviations) -> Model:
    data = deviations.completed(data)
    shapes = _Shapes(data["shapes"], deviations)
    operations = {
        name: Operation(
            name,
            raw["http"]["method"],
            raw["http"]["requestUri"],
            deviations.statuses.get(name, raw["http"].get("responseCode", 200)),
            shapes.of(raw["input"]["shape"]) if "input" in raw else NOTHING,
            shapes.of(raw["output"]["shape"]) if "output" in raw else NOTHING,
        )
        for name, raw in data["operations"].items()
    }
    return Model(operations)


class _Shapes:
    """Shapes by name, each made once."""

    def __init__(self, raw: Mapping[str, Any], deviations: Deviations) -> None:
        self._raw = raw
        self._deviations = deviations
        self._made: dict[str, Shape] = {}

    def of(self, name: str) -> Shape:
        if name not in self._made:
            self._made[name] = self._make(name, self._raw[name])
        return self._made[name]

    def _make(self, name: str, raw: Mapping[str, Any]) -> Shape:
        checked = name not in self._deviations.unchecked
        enum, pattern = tuple(raw.get("enum", ())), raw.get("pattern")
        return Shape(
            name,
            raw["type"],
            {each: self._member(each, member) for each, member in raw.get("members", {}).items()},
            tuple(raw.get("required", ())),
            item=self.of(raw["member"]["shape"]) if "member" in raw else None,
            key=self.of(raw["key"]["shape"]) if "key" in raw else None,
            value=self.of(raw["value"]["shape"]) if "value" in raw else None,
            least=raw.get("min") if checked else None,
            most=self._deviations.most.get(name, raw.get("max")) if checked else None,
            pattern=self._deviations.patterns.get(name, pattern) if checked else None,
            values=self._deviations.enums.get(name, enum) if checked else (),
            sensitive=raw.get("sensitive", False),
            says_null=name not in self._deviations.null_unsaid,
            payload=raw.get("payload"),
        )

    def _member(self, name: str, raw: Mapping[str, Any]) -> ShapeMember:
        place = raw.get("location", "body")
        return ShapeMember(name, raw.get("locationName", name), self.of(raw["shape"]), place)
