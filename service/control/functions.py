"""Creating, updating and deleting functions. Pure: `(function or None, …) -> (function, answer)`.

A refusal is an ApiError, and then the function is unchanged. Each call is checked before its code is fetched
(`check_…`), and decided when the code has arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from . import answers, attached, configuration, tags, versions
from .account_limits import ZIPPED_MAX
from .attached import Layers
from .catalogue import LATEST
from .model import (
    Answer,
    Decision,
    Function,
    Moment,
    Package,
    Phase,
    Version,
    existing,
    expect_revision,
    expect_settled,
    not_found,
)
from .names import Named, too_long, unqualified
from .refusals import conflict, invalid_parameter, too_large

Request = Mapping[str, Any]


# --- create -----------------------------------------------------------------------------------------------------------


def check_create(function: Function | None, named: Named, request: Request) -> None:
    """Checks a creation, except for its code. Raises ApiError."""
    if trouble := too_long(named.name):
        raise trouble
    unqualified(named)
    check_source(request["Code"])
    configuration.created(request, named.name)
    _check_layers(named, request)
    tags.merged({}, request.get("Tags", {}))
    if function is not None:
        raise conflict(f"Function already exist: {named.name}")


def create(
    function: Function | None,
    named: Named,
    request: Request,
    package: Package,
    moment: Moment,
    layers: Layers | None = None,
) -> Decision:
    """`layers`: those that the request names, with their content."""
    check_create(function, named, request)
    configured = configuration.created(attached.shown(request, layers), named.name)
    content = tuple(each.package for each in layers or ())
    latest = Version(LATEST, package, configured, moment.stamp, moment.id(), Phase.CREATING, content)
    attached.expect_room(latest)
    fresh = Function(named.name, named.arn, latest, tags=tags.merged({}, request.get("Tags", {})))
    if not request.get("Publish"):
        return fresh, answers.configuration(fresh, latest, fresh.arn)
    fresh, first = versions.freeze(fresh, moment.id(1), moment, phase=Phase.CREATING)
    return fresh, answers.configuration(fresh, first, fresh.arn)  # recorded: without the qualifier


# --- update -----------------------------------------------------------------------------------------------------------


def check_update_code(function: Function | None, named: Named, request: Request) -> Function:
    """Checks an update of the code, except for the code itself. Raises ApiError."""
    function = _updatable(function, named, request, or_failed=True)
    check_source(request)
    return function


def update_code(
    function: Function | None, named: Named, request: Request, package: Package, moment: Moment
) -> Decision:
    function = check_update_code(function, named, request)
    given = {key: request[key] for key in ("Architectures",) if key in request}
    latest = replace(function.latest, package=package, configuration={**function.latest.configuration, **given})
    attached.expect_room(latest)
    if request.get("DryRun"):
        return function, answers.configuration(function, latest, named.qualified)
    updated = _update(function, latest, moment)
    if not request.get("Publish"):
        return updated, answers.configuration(updated, updated.latest, named.qualified)
    version = versions.unchanged(updated)
    if version is None:
        updated, version = versions.freeze(updated, moment.id(1), moment, phase=Phase.CREATING)
    return updated, answers.configuration(updated, version, answers.qualified(updated, version))


def check_update_configuration(function: Function | None, named: Named, request: Request) -> Function:
    """Checks an update of the configuration, except for its network and what its layers hold. Raises ApiError."""
    function = _updatable(function, named, request, or_failed="Layers" in request)
    configuration.updated(function.latest.configuration, request)
    _check_layers(named, request)
    return function


def update_configuration(
    function: Function | None, named: Named, request: Request, moment: Moment, layers: Layers | None = None
) -> Decision:
    """`layers`: those that the request names, with their content; None where it names none."""
    function = check_update_configuration(function, named, request)
    configured = configuration.updated(function.latest.configuration, attached.shown(request, layers))
    content = function.latest.layers if layers is None else tuple(each.package for each in layers)
    latest = replace(function.latest, configuration=configured, layers=content)
    attached.expect_room(latest)
    updated = _update(function, latest, moment)
    return updated, answers.configuration(updated, updated.latest, named.qualified)


def _updatable(function: Function | None, named: Named, request: Request, *, or_failed: bool = False) -> Function:
    unqualified(named, latest=True)
    if function is None:
        raise not_found(named.arn)
    expect_revision(request.get("RevisionId"), function.latest.revision)
    expect_settled(function, or_failed=or_failed)
    return function


def _update(function: Function, latest: Version, moment: Moment) -> Function:
    """Begins an update: invocations run the previous version until the update is settled."""
    latest = replace(latest, modified=moment.stamp, revision=moment.id(), phase=Phase.UPDATING)
    return replace(function, latest=latest, before=function.latest)


def _check_layers(named: Named, request: Request) -> None:
    attached.check(request.get("Layers", ()), named.arn.split(":")[3])


def check_source(code: Request, what: str = "function code") -> None:
    """Checks that the code has exactly one source, and the size of the zip. Raises ApiError."""
    stored = [member for member in ("S3Bucket", "S3Key") if member in code]
    if ("ZipFile" in code) is bool(stored) or len(stored) == 1:
        raise invalid_parameter(f"Please provide a source for {what}: either ZipFile, or S3Bucket and S3Key.")
    if len(code.get("ZipFile", b"")) > ZIPPED_MAX:
        raise too_large(f"Zipped size must be smaller than {ZIPPED_MAX} bytes")


# --- time -------------------------------------------------------------------------------------------------------------


def settle(function: Function, moment: Moment) -> Function:
    """Completes a creation or an update; each changed version gets another revision."""
    numbers = count()
    settled = (_settled(each, moment, numbers) for each in (function.latest, *function.versions))
    latest, *rest = settled
    return replace(function, latest=latest, versions=tuple(rest), before=None)


def _settled(version: Version, moment: Moment, numbers: Iterator[int]) -> Version:
    if version.phase not in (Phase.CREATING, Phase.UPDATING):
        return version
    return replace(version, phase=Phase.ACTIVE, revision=moment.id(next(numbers)))


def standing(function: Function, lost: Collection[str]) -> Function:
    """The function with the state of each version set by its code: `Failed` when the code is lost. `lost`: hashes of
    the lost code."""
    latest, *rest = (_standing(each, lost) for each in (function.latest, *function.versions))
    before = _standing(function.before, lost) if function.before else None
    return replace(function, latest=latest, versions=tuple(rest), before=before)


def _standing(version: Version, lost: Collection[str]) -> Version:
    is_lost = not version.hashes.isdisjoint(lost)
    if version.phase is (Phase.ACTIVE if is_lost else Phase.FAILED):
        return replace(version, phase=Phase.FAILED if is_lost else Phase.ACTIVE)
    return version


# --- the end ----------------------------------------------------------------------------------------------------------


def delete(function: Function | None, named: Named) -> Decision:
    """Deletes the whole function, or one version; deleting a missing version succeeds. The kind of the qualifier is
    checked first, even if the function does not exist."""
    if named.qualifier == LATEST:
        raise invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
    if named.qualifier and not named.qualifier.isdigit():
        raise invalid_parameter("Deletion of aliases is not currently supported.")
    if function is None:
        raise not_found(named.arn)
    if not named.qualifier:
        return None, {}
    return versions.without(function, named.qualifier), {}


# --- looking ----------------------------------------------------------------------------------------------------------


def code_signing(function: Function | None, named: Named) -> Answer:
    """No function has a code signing configuration; AWS's answer is then empty."""
    existing(function, named)
    return {}
