"""Event-invoke configurations: how to deliver asynchronous invocations of a function, version or alias. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .catalogue import LATEST, AsynchronousSettings
from .model import Answer, Decision, EventInvoke, Function, Moment
from .names import Named
from .refusals import ApiError, invalid_parameter, no_such_resource

NUMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
SIDES = ("OnSuccess", "OnFailure")
SERVICES = {"sqs": SIDES, "sns": SIDES, "lambda": SIDES, "events": SIDES, "s3": ("OnFailure",)}
"""Services that may get the record of an invocation, for success and for failure."""

IsThere = Callable[[str], bool]
"""Whether the function of an ARN exists."""


def put(
    function: Function | None, named: Named, request: Mapping[str, Any], is_there: IsThere, moment: Moment
) -> Decision:
    """Replaces the whole configuration."""
    _check_given(request)
    return _with(_resolved(function, named), named, {}, request, is_there, moment)


def update(
    function: Function | None, named: Named, request: Mapping[str, Any], is_there: IsThere, moment: Moment
) -> Decision:
    """Changes the given members of an existing configuration."""
    _check_given(request)
    if function is None:
        raise _gone()
    before = function.event_invokes.get(named.qualifier or LATEST)
    if before is None:
        raise _none(named)
    return _with(function, named, before.settings, request, is_there, moment)


def delete(function: Function | None, named: Named) -> Decision:
    key = named.qualifier or LATEST
    if function is None or key not in function.event_invokes:
        raise _none(named)
    left = {each: value for each, value in function.event_invokes.items() if each != key}
    return replace(function, event_invokes=left), {}


def get(function: Function | None, named: Named) -> Answer:
    found = function.event_invokes.get(named.qualifier or LATEST) if function else None
    if found is None:
        raise _none(named)
    return _show(named.explicit, found)


def all_of(function: Function | None, named: Named) -> list[Answer]:
    if function is None:
        raise _gone()
    return [_show(f"{function.arn}:{key}", found) for key, found in sorted(function.event_invokes.items())]


def settings(function: Function | None, qualifier: str) -> AsynchronousSettings:
    """The configuration for an invocation of exactly this qualifier; AWS's defaults where nothing is set."""
    found = function.event_invokes.get(qualifier or LATEST) if function else None
    if found is None:
        return AsynchronousSettings()
    destinations = found.settings["DestinationConfig"]
    return AsynchronousSettings(
        found.settings.get("MaximumRetryAttempts", 2),
        found.settings.get("MaximumEventAgeInSeconds", 21_600),
        destinations["OnSuccess"].get("Destination", ""),
        destinations["OnFailure"].get("Destination", ""),
    )


def _with(
    function: Function,
    named: Named,
    before: Mapping[str, Any],
    request: Mapping[str, Any],
    is_there: IsThere,
    moment: Moment,
) -> Decision:
    given = request.get("DestinationConfig", {})
    _check_destinations(function, given, is_there)
    kept = before.get("DestinationConfig", {})
    merged = {side: _destination(given.get(side, kept.get(side, {}))) for side in SIDES}
    numbers = {key: value for each in (before, request) for key, value in each.items() if key in NUMBERS}
    after = EventInvoke({**numbers, "DestinationConfig": merged}, moment.now)
    every = {**function.event_invokes, named.qualifier or LATEST: after}
    return replace(function, event_invokes=every), _show(named.explicit, after)


def _destination(given: Mapping[str, str]) -> Mapping[str, str]:
    return {"Destination": given["Destination"]} if given.get("Destination") else {}


def _show(arn: str, found: EventInvoke) -> Answer:
    return {"LastModified": found.modified, "FunctionArn": arn, **found.settings}


def _resolved(function: Function | None, named: Named) -> Function:
    if function is None or function.resolve(named.qualifier) is None:
        raise _gone()
    return function


def _gone() -> ApiError:
    return no_such_resource("The function doesn't exist.")


def _none(named: Named) -> ApiError:
    return no_such_resource(f"The function {named.explicit} doesn't have an EventInvokeConfig")


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_given(request: Mapping[str, Any]) -> None:
    if not any(key in request for key in NUMBERS) and not request.get("DestinationConfig"):
        raise invalid_parameter("You must specify at least one of error handling or destination setting.")


def _check_destinations(function: Function, given: Mapping[str, Any], is_there: IsThere) -> None:
    for side in SIDES:
        arn = given.get(side, {}).get("Destination")
        if arn:
            _check_destination(function, side, arn, given, is_there)


def _check_destination(function: Function, side: str, arn: str, given: Mapping[str, Any], is_there: IsThere) -> None:
    service = arn.split(":")[2] if arn.count(":") > 2 else ""
    if side not in SERVICES.get(service, ()):
        raise invalid_parameter(f"The provided destination config {_spelled(given)} is invalid.")
    if service != "lambda":
        return
    if re.fullmatch(rf"{re.escape(function.arn)}(:.*)?", arn):
        raise invalid_parameter("You can't specify the function as a destination for itself.")
    if not is_there(arn):
        raise invalid_parameter(f"The destination ARN {arn} is invalid.")


def _spelled(given: Mapping[str, Any]) -> str:
    """The settings in the form in which the service prints them."""
    sides = []
    for side in SIDES:
        text = f"{side}(destination={given[side].get('Destination', 'null')})" if side in given else "null"
        sides.append(f"{side[0].lower()}{side[1:]}={text}")
    return f"DestinationConfig({', '.join(sides)})"
