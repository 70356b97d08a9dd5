"""Tags of functions, and of event source mappings, which the mappings' own calls store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from ...control import tags
from ...control.model import Function, existing
from ...control.names import Named
from ...control.refusals import invalid_parameter, no_such_resource, validation
from ...control.store.function_plane import FunctionPlane
from ...control.tags import Change
from ..core.recorded import TAGGABLE
from ..wire.call import Answer, Call, Serve
from ..wire.constraints import matches


class TaggedMappings(Protocol):
    """The tags of event source mappings. This module checks the tags themselves."""

    def tags(self, uuid: str) -> Mapping[str, str] | None:
        """None: there is no such mapping."""
        ...

    async def tag(self, uuid: str, change: Change) -> None:
        """Change the mapping's tags; calls are serialised; durable on return. Raises ApiError, also what `change`
        raises, and then nothing changed."""
        ...


class TagCalls:
    def __init__(self, plane: FunctionPlane, mappings: TaggedMappings) -> None:
        self._plane = plane
        self._mappings = mappings

    def calls(self) -> Mapping[str, Serve]:
        return {"TagResource": self._tag, "UntagResource": self._untag, "ListTags": self._list}

    async def _tag(self, call: Call) -> Answer:
        given: Mapping[str, str] = call.parameters["Tags"]
        kind, arn, name = _resource(call)
        if kind == "function":
            which = self._function(arn, name)
            await self._plane.change(which, lambda function, moment: tags.tag(function, which, given, moment))
        else:
            self._of_mapping(kind, arn, name)
            tags.some(given)
            await self._mappings.tag(name, lambda before: tags.merged(before, given))
        return Answer(status=204)

    async def _untag(self, call: Call) -> Answer:
        keys: Collection[str] = call.parameters["TagKeys"]
        kind, arn, name = _resource(call)
        if kind == "function":
            which = self._function(arn, name)
            await self._plane.change(which, lambda function, moment: tags.untag(function, which, keys, moment))
        else:
            self._of_mapping(kind, arn, name)
            await self._mappings.tag(name, lambda before: tags.without(before, keys))
        return Answer(status=204)

    async def _list(self, call: Call) -> Answer:
        kind, arn, name = _resource(call)
        if kind != "function":
            return Answer({"Tags": dict(self._of_mapping(kind, arn, name))})
        which = self._function(arn, name)
        return Answer({"Tags": dict(self._known(which).tags)})

    def _known(self, which: Named) -> Function:
        return existing(self._plane.find(which.name), which)

    def _function(self, arn: str, name: str) -> Named:
        """The function of a tagged ARN, which must be ours and unqualified. Raises ApiError."""
        if ":" in name:
            raise invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a function ARN."
            )
        if arn != self._plane.here.arn(name):
            raise no_such_resource(f"Function not found: {arn}")
        return Named(name, "", arn)

    def _of_mapping(self, kind: str, arn: str, uuid: str) -> Mapping[str, str]:
        """The tags of an existing mapping; resources of other kinds do not exist here. Raises ApiError."""
        if kind != "event-source-mapping":
            raise no_such_resource(MISSING[kind].format(arn=arn))
        here = self._plane.here
        ours = arn.split(":")[3:5] == [here.region, here.account]
        found = self._mappings.tags(uuid) if ours else None
        if found is None:
            raise no_such_resource(f"Event source mapping not found: {arn}")
        return found


MISSING = {
    "capacity-provider": "Capacity provider not found: {arn}",
    "code-signing-config": "The Lambda code signing configuration {arn} can not be found.",
    "layer": "Layer not found: {arn}",
}
"""AWS's texts for kinds of resources that do not exist here."""


def _resource(call: Call) -> tuple[str, str, str]:
    """Kind, ARN and the rest of it. Raises ApiError."""
    arn: str = call.parameters["Resource"]
    if not matches(TAGGABLE, arn):
        raise validation(
            f"Value '{arn}' at 'resource' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {TAGGABLE}"
        )
    kind, name = arn.split(":", 6)[5:]
    return kind, arn, name
