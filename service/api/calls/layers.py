"""Layers: publish, get, list, delete, and the permissions of their versions."""

from __future__ import annotations

from collections.abc import Mapping

from ...control import layer_policies, layers
from ...control.functions import check_source
from ...control.layers import Layer, LayerDecision, LayerVersion, NamedLayer
from ...control.model import Moment
from ...control.store.layer_plane import LayerPlane
from ...control.store.uploads import Uploads
from ..code_downloads import Downloads
from ..wire.call import Answer, Call, Serve


class LayerCalls:
    def __init__(self, plane: LayerPlane, uploads: Uploads, downloads: Downloads) -> None:
        self._plane = plane
        self._uploads = uploads
        self._downloads = downloads

    def calls(self) -> Mapping[str, Serve]:
        return {
            "PublishLayerVersion": self._publish,
            "GetLayerVersion": self._get,
            "GetLayerVersionByArn": self._get_by_arn,
            "ListLayers": self._list,
            "ListLayerVersions": self._list_versions,
            "DeleteLayerVersion": self._delete,
            "AddLayerVersionPermission": self._add_permission,
            "GetLayerVersionPolicy": self._get_policy,
            "RemoveLayerVersionPermission": self._remove_permission,
        }

    async def _publish(self, call: Call) -> Answer:
        request, which = call.parameters, self._named(call)
        check_source(request["Content"], "layer content")
        async with self._uploads.package(request["Content"]) as package:

            def decide(layer: Layer | None, moment: Moment) -> LayerDecision:
                after = layers.publish(layer, which, request, package, moment)
                return after, self._whole(after, after.versions[-1], call)

            return Answer(await self._plane.change(which.name, decide))

    async def _get(self, call: Call) -> Answer:
        return self._found(self._numbered(call), call)

    async def _get_by_arn(self, call: Call) -> Answer:
        return self._found(layers.resolve(call.parameters["Arn"], self._plane.here), call)

    def _found(self, which: NamedLayer, call: Call) -> Answer:
        return Answer(self._whole(*layers.existing(self._plane.find(which.name), which), call))

    def _whole(self, layer: Layer, version: LayerVersion, call: Call) -> Mapping[str, object]:
        return layers.whole(layer, version, self._downloads.location(version.package, call.host))

    async def _list(self, call: Call) -> Answer:
        return Answer(layers.list_layers(self._plane.all().values(), call.parameters))

    async def _list_versions(self, call: Call) -> Answer:
        return Answer(layers.list_versions(self._plane.find(self._named(call).name), call.parameters))

    async def _delete(self, call: Call) -> Answer:
        which = self._numbered(call)
        await self._plane.change(which.name, lambda layer, moment: layers.delete(layer, which))
        return Answer(status=204)

    # --- permissions ------------------------------------------------------------------------------------------------

    async def _add_permission(self, call: Call) -> Answer:
        which = self._numbered(call)
        output = await self._plane.change(
            which.name, lambda layer, moment: layer_policies.add(layer, which, call.parameters, moment)
        )
        return Answer(output)

    async def _get_policy(self, call: Call) -> Answer:
        which = self._numbered(call)
        return Answer(layer_policies.get(self._plane.find(which.name), which))

    async def _remove_permission(self, call: Call) -> Answer:
        which = self._numbered(call)
        await self._plane.change(
            which.name, lambda layer, moment: layer_policies.remove(layer, which, call.parameters, moment)
        )
        return Answer(status=204)

    # --- which ------------------------------------------------------------------------------------------------------

    def _named(self, call: Call) -> NamedLayer:
        return layers.resolve(call.parameters["LayerName"], self._plane.here)

    def _numbered(self, call: Call) -> NamedLayer:
        return layers.resolve(call.parameters["LayerName"], self._plane.here, call.parameters["VersionNumber"])
