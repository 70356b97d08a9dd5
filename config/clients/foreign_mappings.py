"""Event source mappings of the emulator's own: where one has the same source, both it and we would deliver.

Asked once when a mapping starts. A Lambda API that is absent, unsupported or slow is no news: the answer is then empty.
Not to be asked of an endpoint that is our own API, which would list our own mappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio

from ..errors import SourceError
from . import faults

PATIENCE = 5.0  # seconds; a start must not hang on a question whose answer is only a warning
DORMANT = frozenset({"Disabled", "Disabling", "Deleting"})


@dataclass(frozen=True, slots=True)
class ForeignMapping:
    """A mapping at the other side that takes from the same source as one of ours."""

    uuid: str
    source_arn: str
    function_arn: str
    same_function: bool
    competing: bool = False
    """Whether our mapping never sees the records that it takes."""

    @property
    def text(self) -> str:
        """The warning, in one line, with what to do."""
        effect = (
            "both would invoke the function"
            if self.same_function
            else "each would take records that the other never sees"
            if self.competing
            else "both would read every record"
        )
        return (
            f"the endpoint has an event source mapping of its own ({self.uuid}) from {self.source_arn} to "
            f"{self.function_arn}: {effect}; delete or disable it there, or leave this one out; "
            "`headrace run --take-over` runs the endpoint's mappings here, in its place"
        )


async def find(
    client: Any, source_arn: str, function_name: str, *, competing: bool = False
) -> tuple[ForeignMapping, ...]:
    """The enabled mappings for `source_arn` that the Lambda API behind `client` knows; empty when it cannot say.
    `competing`: a record that one reader of the source takes is invisible to all others."""
    with anyio.move_on_after(PATIENCE):
        try:
            listed = await listed_all(client, EventSourceArn=source_arn)
        except SourceError:
            return ()
        return tuple(_foreign(each, function_name, competing) for each in listed if _delivers(each, source_arn))
    return ()


async def listed_all(client: Any, **question: str) -> list[dict[str, Any]]:
    """Every page of the mappings that are asked for. Raises SourceError."""
    found: list[dict[str, Any]] = []
    marker: dict[str, str] = {}
    while True:
        with faults.translating("list event source mappings"):
            page = await client.list_event_source_mappings(**question, **marker)
        found += page.get("EventSourceMappings") or []
        following = page.get("NextMarker")
        if not following or following == marker.get("Marker"):
            return found
        marker = {"Marker": following}


def _delivers(mapping: dict[str, Any], source_arn: str) -> bool:
    # Some emulators ignore the filter of the question, so the source is compared here too.
    return mapping.get("EventSourceArn") == source_arn and mapping.get("State") not in DORMANT


def _foreign(mapping: dict[str, Any], function_name: str, competing: bool) -> ForeignMapping:
    arn = str(mapping.get("FunctionArn") or "")
    return ForeignMapping(
        uuid=str(mapping.get("UUID") or "?"),
        source_arn=str(mapping["EventSourceArn"]),
        function_arn=arn,
        same_function=_bare_name(arn) == _bare_name(function_name),
        competing=competing,
    )


def _bare_name(name: str) -> str:
    """The name alone, of `name`, `name:qualifier`, or an ARN with or without qualifier."""
    return name.split(":function:", 1)[-1].removeprefix("function:").split(":", 1)[0]
