"""Versions: publication, publication without a change, and deletion. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import answers, configuration
from .model import Decision, Function, Moment, Phase, Version, expect_revision, expect_settled, not_found
from .names import Named, unqualified
from .refusals import conflict, invalid_parameter


def publish(function: Function | None, named: Named, request: Mapping[str, Any], moment: Moment) -> Decision:
    """Without a change since the last publication, the last version is shown again, and nothing changes."""
    unqualified(named, latest=True)
    if function is None:
        raise not_found(named.arn)
    expect_revision(request.get("RevisionId"), function.latest.revision)
    expect_settled(function)
    actual, given = answers.code_sha256(function.latest.package), request.get("CodeSha256")
    if given and given != actual:
        raise invalid_parameter(
            f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({actual}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    version = unchanged(function)
    if version is None:
        function, version = freeze(function, moment.id(), moment, description=request.get("Description"))
        function = replace(function, latest=replace(function.latest, revision=moment.id(1)))
    return function, answers.configuration(function, version, answers.qualified(function, version))


def unchanged(function: Function) -> Version | None:
    """The last publication, when `$LATEST` has not changed since."""
    return function.versions[-1] if function.published == _content(function.latest) else None


def freeze(
    function: Function,
    revision: str,
    moment: Moment,
    *,
    description: str | None = None,
    phase: Phase = Phase.ACTIVE,
) -> tuple[Function, Version]:
    """`$LATEST` as a version with the next number, and the function with that version."""
    latest, number = function.latest, function.last_number + 1
    configured = dict(latest.configuration)
    if description is not None:
        configured["Description"] = description
    version = Version(str(number), latest.package, configured, moment.stamp, revision, phase, latest.layers)
    published = replace(
        function, versions=(*function.versions, version), last_number=number, published=_content(latest)
    )
    return published, version


def without(function: Function, number: str) -> Function:
    """The function without a version, its policy and its settings. Raises ApiError while an alias points to the
    version."""
    pointing = sorted(
        alias.name for alias in function.aliases.values() if number == alias.version or number in alias.weights
    )
    if pointing:
        raise conflict(f"Unable to delete version because the following aliases reference it: [{', '.join(pointing)}]")
    left = tuple(each for each in function.versions if each.number != number)
    is_last = bool(function.versions) and function.versions[-1].number == number
    return forget(replace(function, versions=left, published="" if is_last else function.published), number)


def forget(function: Function, qualifier: str) -> Function:
    """The function without the data of a deleted version or alias."""
    return replace(
        function,
        policies=_less(function.policies, qualifier),
        event_invokes=_less(function.event_invokes, qualifier),
        runtime_management=_less(function.runtime_management, qualifier),
    )


def _less(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return {each: value for each, value in mapping.items() if each != key}


def _content(version: Version) -> str:
    return configuration.digest({**version.configuration, "CodeSha256": version.package.sha256})
