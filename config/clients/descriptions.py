"""botocore's descriptions of services and endpoints, kept small in memory. Pure.

botocore keeps what it has read for as long as its session lives: the endpoints of all services, seven megabytes, and
the texts of each service's reference. A client never reads the texts, and reads the endpoints when it is made. Used by
`session`.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson

DOCUMENTATION = "documentation"


class Packed(dict[str, Any]):
    """A mapping with its values as JSON. Who looks one up gets a copy."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        for key, value in values.items():
            self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        written = orjson.dumps(value)
        super().__setitem__(key, bytes(memoryview(written)))  # what orjson returns has room to spare

    def __getitem__(self, key: str) -> Any:
        return orjson.loads(super().__getitem__(key))

    def values(self) -> Any:
        return [self[key] for key in self]

    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default  # noqa: SIM401, or it would call itself


def pack_endpoints(endpoints: Mapping[str, Any]) -> None:
    """Packs the services of each partition."""
    for partition in endpoints.get("partitions", ()):
        if not isinstance(services := partition.get("services", {}), Packed):
            partition["services"] = Packed(services)


def pack_service(description: dict[str, Any]) -> None:
    """Empties the texts, and packs operations and shapes. A client looks up those that it uses, and keeps them."""
    drop_documentation(description)
    for part in ("operations", "shapes"):
        if part in description and not isinstance(description[part], Packed):
            description[part] = Packed(description[part])


def drop_documentation(description: Any) -> None:
    """Empties the texts: botocore asks for some. A member of a structure that has this name stays: it is a mapping."""
    match description:
        case Packed():
            pass  # they are empty already
        case MutableMapping():
            if isinstance(description.get(DOCUMENTATION), str):
                description[DOCUMENTATION] = ""
            for value in description.values():
                drop_documentation(value)
        case list():
            for value in description:
                drop_documentation(value)
