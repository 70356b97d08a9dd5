"""Aliases: names for a version, or for two by weight. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import versions
from .catalogue import LATEST
from .model import Alias, Answer, Decision, Function, Moment, existing, expect_revision, not_found
from .names import Named, unqualified
from .refusals import conflict, invalid_parameter, no_such_resource, unsupported


def show(function: Function, alias: Alias) -> Answer:
    answer: dict[str, Any] = {
        "AliasArn": f"{function.arn}:{alias.name}",
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    }
    if alias.weights:
        answer["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return answer


def create(function: Function | None, named: Named, request: Mapping[str, Any], moment: Moment) -> Decision:
    unqualified(named)
    name, version = request["Name"], request["FunctionVersion"]
    if function is None:
        raise not_found(f"{named.arn}:{version}")
    if name in function.aliases:
        raise conflict(f"Alias already exists: {function.arn}:{name}")
    alias = Alias(name, version, request.get("Description", ""), moment.id(), _weights(request))
    return _with(function, alias)


def update(function: Function | None, named: Named, request: Mapping[str, Any], moment: Moment) -> Decision:
    """Absent members stay unchanged; every update gives another revision."""
    unqualified(named)
    before = function.aliases.get(request["Name"]) if function else None
    if function is None or before is None:
        raise no_such_resource(f"Alias not found: {named.arn}:{request['Name']}")
    expect_revision(request.get("RevisionId"), before.revision)
    after = Alias(
        before.name,
        request.get("FunctionVersion", before.version),
        request.get("Description", before.description),
        moment.id(),
        _weights(request, before.weights),
    )
    return _with(function, after)


def delete(function: Function | None, named: Named, name: str) -> Decision:
    """Deleting a missing alias succeeds."""
    unqualified(named)
    function = existing(function, named)
    left = {key: alias for key, alias in function.aliases.items() if key != name}
    return versions.forget(replace(function, aliases=left), name), {}


def get(function: Function | None, named: Named, name: str) -> Answer:
    unqualified(named)
    alias = function.aliases.get(name) if function else None
    if function is None or alias is None:
        raise no_such_resource(f"Cannot find alias arn: {named.arn}:{name}")
    return show(function, alias)


def all_of(function: Function | None, named: Named, version: str | None = None) -> list[Answer]:
    """The aliases by name; with `version`, only those that point to it."""
    unqualified(named)
    function = existing(function, named)
    every = sorted(function.aliases.values(), key=lambda alias: alias.name)
    return [show(function, alias) for alias in every if version in (None, alias.version, *alias.weights)]


def _with(function: Function, alias: Alias) -> Decision:
    _check(function, alias)
    return replace(function, aliases={**function.aliases, alias.name: alias}), show(function, alias)


def _weights(request: Mapping[str, Any], before: Mapping[str, float] | None = None) -> Mapping[str, float]:
    """A routing configuration without weights removes the weights; no routing configuration keeps them."""
    if "RoutingConfig" not in request:
        return before or {}
    given = request["RoutingConfig"].get("AdditionalVersionWeights", {})
    return {version: float(weight) for version, weight in given.items()}


def _check(function: Function, alias: Alias) -> None:
    if len(alias.weights) > 1:
        raise invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1")
    if alias.weights and alias.version == LATEST:
        raise unsupported("$LATEST is not supported for an alias pointing to more than 1 version")
    if alias.version in alias.weights:
        raise invalid_parameter(
            f"Invalid function version {alias.version}. "
            f"Function version {alias.version} is already included in routing configuration."
        )
    for version in (alias.version, *alias.weights):
        if function.version(version) is None:
            raise not_found(f"{function.arn}:{version}")
