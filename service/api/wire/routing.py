"""Finds the operation of a method and a path. Pure.

Labels are percent-decoded after the path was taken apart, so an ARN may hold encoded slashes. A client that sends them
plain is also understood, where the path has no other meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from .model import Model, Operation

_LABEL = re.compile(r"\{(\w+)\+?\}")


@dataclass(frozen=True, slots=True)
class FoundOperation:
    operation: Operation
    labels: Mapping[str, str]
    """By the names of the path, decoded."""


@dataclass(frozen=True, slots=True)
class _Route:
    operation: Operation
    strict: re.Pattern[str]
    loose: re.Pattern[str]
    """Whether its labels may contain slashes."""
    query: Mapping[str, str]
    """What the query string must contain in addition."""


class Router:
    def __init__(self, model: Model) -> None:
        routes = [_route(operation) for operation in model.operations.values()]
        routes.sort(key=lambda route: (len(route.query), len(_LABEL.sub("", route.operation.uri))), reverse=True)
        self._routes: dict[str, list[_Route]] = {}
        for route in routes:
            self._routes.setdefault(route.operation.method, []).append(route)

    def find(self, method: str, path: str, query: Mapping[str, Iterable[str]]) -> FoundOperation | None:
        """`path`: as it was sent, without the query string. None: no operation has this method and path."""
        routes = self._routes.get(method.upper(), ())
        wanted = "/" + path.strip("/")
        matches = [(route, route.strict.fullmatch(wanted)) for route in routes]
        if not any(match for _, match in matches) and not self._is_known(wanted):
            matches = [(route, route.loose.fullmatch(wanted)) for route in routes]
        for route, match in matches:
            if match and all(value in query.get(name, ()) for name, value in route.query.items()):
                return FoundOperation(
                    route.operation, {name: decoded(text) for name, text in match.groupdict().items()}
                )
        return None

    def _is_known(self, path: str) -> bool:
        """Whether some method has it."""
        return any(route.strict.fullmatch(path) for routes in self._routes.values() for route in routes)


def decoded(text: str) -> str:
    """Percent-decoded text. Invalid UTF-8 becomes replacement characters, which no name contains."""
    return unquote(text, errors="replace")


def _route(operation: Operation) -> _Route:
    path, _, query = operation.uri.partition("?")
    needed = {name: values[0] for name, values in parse_qs(query).items()}
    return _Route(operation, _pattern(path, "[^/]*"), _pattern(path, ".+"), needed)


def _pattern(path: str, label: str) -> re.Pattern[str]:
    """The path with a group for each label."""
    parts = _LABEL.split(path.rstrip("/"))
    pieces = [re.escape(part) if index % 2 == 0 else f"(?P<{part}>{label})" for index, part in enumerate(parts)]
    return re.compile("".join(pieces), re.DOTALL)
