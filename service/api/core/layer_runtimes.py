"""The runtimes that a layer may say it is for: more than a function may have, and checked otherwise. A table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LAYER_RUNTIME = "LayerRuntime"
_RECORDED = (
    "ruby2.6 dotnetcore1.0 python3.7 nodejs8.10 nasa ruby2.7 python2.7-greengrass dotnetcore2.0 python3.8 java21 "
    "dotnet6 dotnetcore2.1 python3.9 java11 nodejs6.10 provided dotnetcore3.1 dotnet8 java17 nodejs nodejs4.3 "
    "java8.al2 go1.x nodejs20.x go1.9 byol nodejs10.x provided.al2023 nodejs22.x python3.10 java8 nodejs12.x "
    "python3.11 nodejs8.x python3.12 nodejs14.x nodejs8.9 python3.13 nodejs16.x provided.al2 nodejs4.3-edge "
    "nodejs18.x ruby3.2 python3.4 ruby3.3 ruby2.5 python3.6 python2.7"
)
LAYER_RUNTIMES = tuple(_RECORDED.split())
"""Runtimes that a layer may name, in the order of AWS's recorded message; newer ones follow."""


def separated(model: Mapping[str, Any]) -> dict[str, Any]:
    """A service model in which the runtimes of layers are a shape of their own: an unknown one is an error of shape, as
    the model says. That of a function is not. Messages have it before the architectures."""
    shapes = model["shapes"]
    known = shapes["Runtime"]["enum"]
    values = [*LAYER_RUNTIMES, *(each for each in known if each not in LAYER_RUNTIMES)]
    found = {LAYER_RUNTIME: {**shapes["Runtime"], "enum": values}}
    found["CompatibleRuntimes"] = {**shapes["CompatibleRuntimes"], "member": {"shape": LAYER_RUNTIME}}
    for name in ("ListLayersRequest", "ListLayerVersionsRequest"):
        members = shapes[name]["members"]
        runtime = {**members["CompatibleRuntime"], "shape": LAYER_RUNTIME}
        found[name] = {**shapes[name], "members": {**members, "CompatibleRuntime": runtime}}
    request = shapes["PublishLayerVersionRequest"]
    architectures = {"CompatibleArchitectures": request["members"]["CompatibleArchitectures"]}
    others = {name: each for name, each in request["members"].items() if name not in architectures}
    found["PublishLayerVersionRequest"] = {**request, "members": {**others, **architectures}}
    return {**model, "shapes": {**shapes, **found}}
