"""Layers: publishing, looking, deleting. Pure: `(layer or None, …) -> (layer, answer)`.

Layer ── versions: LayerVersion…     each with its content, never changed, numbers never used again
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import answers
from .model import Answer, Moment, Package, ResourcePolicy
from .names import Home
from .paging import page
from .refusals import access_denied, invalid_parameter, no_such_resource

GIVEN = ("CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
"""Members that are shown as they were sent, and absent when they were not."""
_LAST = 10**12
"""Above every number of a version."""

Request = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LayerVersion:
    number: int
    package: Package
    description: str
    created: str
    given: Mapping[str, Any]
    """The members of `GIVEN` that the request had."""
    policy: ResourcePolicy | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that once had a version: it stays for its numbers."""

    name: str
    arn: str
    versions: tuple[LayerVersion, ...] = ()
    """Ascending."""
    last_number: int = 0
    """The highest number ever used."""

    def version(self, number: int) -> LayerVersion | None:
        return next((each for each in self.versions if each.number == number), None)

    def arn_of(self, version: LayerVersion) -> str:
        return f"{self.arn}:{version.number}"


LayerDecision = tuple[Layer | None, Answer]
"""The layer after a call, and the answer."""


@dataclass(frozen=True, slots=True)
class NamedLayer:
    """The layer of a call, with a version where the call names one."""

    name: str
    arn: str
    """Without the version."""
    number: int = 0

    @property
    def version_arn(self) -> str:
        return f"{self.arn}:{self.number}"


def resolve(text: str, here: Home, number: int | None = None) -> NamedLayer:
    """The layer that a name or an ARN means, and its version. Raises ApiError: of another account or region, or a
    version that cannot be."""
    name, found = text, number or 0
    if text.startswith("arn:"):
        _, _, _, region, account, _, name, *version = (*text.split(":"), *[""] * 8)[:8]
        if (region, account) != (here.region, here.account):
            raise access_denied()
        found = int(version[0]) if version and version[0].isdecimal() else found
    if number is not None and number < 1:
        raise invalid_parameter("Layer Version Cannot be less than 1")
    return NamedLayer(name, here.layer_arn(name), found)


# --- changing ---------------------------------------------------------------------------------------------------------


def publish(layer: Layer | None, named: NamedLayer, request: Request, package: Package, moment: Moment) -> Layer:
    """The layer with one more version."""
    layer = layer or Layer(named.name, named.arn)
    given = {key: request[key] for key in GIVEN if key in request}
    version = LayerVersion(layer.last_number + 1, package, request.get("Description", ""), moment.stamp, given)
    return replace(layer, versions=(*layer.versions, version), last_number=version.number)


def delete(layer: Layer | None, named: NamedLayer) -> LayerDecision:
    """Deleting a version that does not exist succeeds."""
    if layer is None:
        return None, {}
    return replace(layer, versions=tuple(each for each in layer.versions if each.number != named.number)), {}


# --- looking ----------------------------------------------------------------------------------------------------------


def existing(layer: Layer | None, named: NamedLayer) -> tuple[Layer, LayerVersion]:
    """Raises ApiError."""
    version = layer.version(named.number) if layer else None
    if layer is None or version is None:
        raise no_such_resource()
    return layer, version


def whole(layer: Layer, version: LayerVersion, location: str) -> Answer:
    """PublishLayerVersion and GetLayerVersion; `location` is the address of the content."""
    package = version.package
    content = {"Location": location, "CodeSha256": answers.code_sha256(package), "CodeSize": package.size}
    return {"Content": content, "LayerArn": layer.arn, **listed(layer, version)}


def listed(layer: Layer, version: LayerVersion) -> Answer:
    return {
        "LayerVersionArn": layer.arn_of(version),
        "Version": version.number,
        "Description": version.description,
        "CreatedDate": version.created,
        **version.given,
    }


def list_versions(layer: Layer | None, request: Request) -> Answer:
    """The newest first."""
    found = {f"{_LAST - each.number}": each for each in _matching(layer, request)}

    def show(version: LayerVersion) -> Answer:
        assert layer is not None, "a version has a layer"
        return listed(layer, version)

    return page("LayerVersions", found, show, request)


def list_layers(layers: Iterable[Layer], request: Request) -> Answer:
    """Those that have a version, each with its newest that fits."""
    found = {layer.name: (layer, fitting[-1]) for layer in layers if (fitting := [*_matching(layer, request)])}
    return page("Layers", found, _with_latest, request)


def _with_latest(each: tuple[Layer, LayerVersion]) -> Answer:
    layer, version = each
    return {"LayerName": layer.name, "LayerArn": layer.arn, "LatestMatchingVersion": listed(layer, version)}


def _matching(layer: Layer | None, request: Request) -> Iterator[LayerVersion]:
    """Those that are said to fit the request's runtime and architecture."""
    wanted = (("CompatibleRuntime", "CompatibleRuntimes"), ("CompatibleArchitecture", "CompatibleArchitectures"))
    for version in layer.versions if layer else ():
        if all(request[one] in version.given.get(many, ()) for one, many in wanted if one in request):
            yield version
