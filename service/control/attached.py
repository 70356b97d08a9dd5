"""The layers of a function: what a request may name, and what of it is shown. Pure.

`control/store/attachments.py` finds the content of each layer; the function keeps it, so that it runs on when the
layer's version is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .account_limits import UNZIPPED_MAX
from .model import Package, Version
from .refusals import invalid_parameter

MOST = 5
"""Layers of a function."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A version of a layer, with its content."""

    arn: str
    package: Package


Layers = tuple[Attached, ...]


def check(arns: Sequence[str], region: str) -> None:
    """Check the layers that a request names, whether they exist or not. Raises ApiError."""
    if len(arns) > MOST:
        raise invalid_parameter(f"Cannot reference more than {MOST} layers.")
    seen: dict[str, str] = {}
    for arn in arns:
        if arn.count(":") < 6:
            raise invalid_parameter(f"Invalid layer: {arn}. A layer is named by the ARN of its version.")
        if arn.split(":")[3] not in (region, ""):
            raise invalid_parameter(
                f"Layers are not in the same region as the function. Layers are expected to be in region {region}."
            )
        layer = arn.rpartition(":")[0] if arn.rpartition(":")[2].isdigit() else arn
        if layer in seen:
            raise invalid_parameter(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{seen[layer]} and {arn} are versions of the same layer."
            )
        seen[layer] = arn


def of(version: Version) -> Layers:
    """The layers that a version has."""
    named = version.configuration.get("Layers", ())
    return tuple(Attached(each["Arn"], package) for each, package in zip(named, version.layers, strict=True))


def shown(request: Mapping[str, Any], layers: Layers | None) -> Mapping[str, Any]:
    """The request with its layers as a configuration shows them; `layers` is None where it names none."""
    if layers is None:
        return request
    return {**request, "Layers": [{"Arn": each.arn, "CodeSize": each.package.size} for each in layers]}


def expect_room(version: Version) -> None:
    """Code and layers together must not be too large. Raises ApiError."""
    layers = sum(each.unzipped for each in version.layers)
    if layers > UNZIPPED_MAX:
        raise invalid_parameter(f"Layers consume more than the available size of {UNZIPPED_MAX} bytes")
    total = version.package.unzipped + layers
    if version.layers and total > UNZIPPED_MAX:
        raise invalid_parameter(
            f"Function code combined with layers exceeds the maximum allowed size of {UNZIPPED_MAX} bytes. "
            f"The actual size is {total} bytes."
        )
