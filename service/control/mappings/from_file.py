"""The mappings of the configuration file beside those of the API, and the API's changes to them (`api.adopt`). Pure.

A mapping of the file that was changed or deleted through the API stays so, until its definition in the file changes:
then the file's definition applies again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ....config.mapping import EventSourceMapping, split_function
from ..documents import Document, Name
from ..names import Home, with_qualifier
from .as_documents import DELETED, name_of
from .model import Mapped, steady

Filed = Mapping[str, tuple[EventSourceMapping, str]]
"""The mappings of the configuration, each with its file; by UUID."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The mappings at the start of a daemon."""

    mappings: Mapping[str, Mapped]
    """By UUID."""
    forgotten: tuple[Name, ...] = ()
    """Documents that are obsolete."""
    lines: tuple[str, ...] = ()
    """Lines for the log."""


def fingerprint(definition: EventSourceMapping) -> str:
    """A fingerprint of the mapping's definition in the file."""
    return hashlib.sha256(definition.model_dump_json(exclude_unset=True).encode()).hexdigest()


def as_shown(definition: EventSourceMapping, file: str, here: Home, now: float) -> Mapped:
    """A mapping of the file in the form of the API's mappings."""
    config = _of_here(definition, here)
    return Mapped(config, now, steady(config), file)


def at_home(mapped: Mapped, here: Home) -> Mapped:
    """A stored mapping whose function is in our region and account."""
    return replace(mapped, config=_of_here(mapped.config, here))


def _of_here(config: EventSourceMapping, here: Home) -> EventSourceMapping:
    """The mapping with the function's ARN in our region and account, which may have changed since it was stored."""
    name, qualifier = split_function(config.function)
    return config.model_copy(update={"function": with_qualifier(here.arn(name), qualifier)})


def adopted(mapped: Mapped, definition: EventSourceMapping) -> Mapped:
    """The mapping, marked as changed by the API."""
    return replace(mapped, adopted=fingerprint(definition))


def begin(
    filed: Filed, stored: Mapping[str, Mapped], deleted: Mapping[str, Document], here: Home, now: float
) -> Beginning:
    """`stored`: the stored mappings, by UUID; `deleted`: the deleted mappings of the file."""
    mappings = {uuid: as_shown(definition, file, here, now) for uuid, (definition, file) in filed.items()}
    forgotten: list[Name] = []
    lines: list[str] = []
    for uuid, kept in stored.items():
        mapped = replace(kept, config=_of_here(kept.config, here))
        if not mapped.adopted:
            mappings[uuid] = mapped
        elif _holds(mapped.adopted, filed.get(uuid)):
            mappings[uuid] = replace(mapped, file=filed[uuid][1])
            lines.append(f"{mapped.config.name}: has changes of the API, and differs from {filed[uuid][1]}")
        else:
            forgotten.append(name_of(mapped))
            lines.append(_given_up(mapped.config.name, filed.get(uuid)))
    for uuid, document in deleted.items():
        if _holds(document["adopted"], filed.get(uuid)):
            mappings.pop(uuid, None)
            lines.append(f"{document['name']}: deleted through the API, although it is in {filed[uuid][1]}")
        else:
            forgotten.append((DELETED, uuid))
            if uuid in filed:
                lines.append(_given_up(document["name"], filed[uuid]))
    return Beginning(mappings, tuple(forgotten), (*lines, *_twice(mappings)))


def read_again(before: Mapping[str, Mapped], begun: Mapping[str, Mapped], uuids: Iterable[str]) -> dict[str, Mapped]:
    """All mappings after the file was read again; `uuids`: those that it defines or defined."""
    after = dict(before)
    for uuid in uuids:
        found, current = begun.get(uuid), before.get(uuid)
        if found is None:
            after.pop(uuid, None)
        elif current is None or not _is_same(current, found):
            after[uuid] = found
    return after


def _is_same(current: Mapped, found: Mapped) -> bool:
    """Whether it is still what it was. What the store has is older than what is in memory."""
    if found.is_stored:
        return current.is_stored and current.adopted == found.adopted
    return not current.is_stored and (current.config, current.file) == (found.config, found.file)


def _holds(adopted: str, filed: tuple[EventSourceMapping, str] | None) -> bool:
    return filed is not None and adopted == fingerprint(filed[0])


def _given_up(name: str, filed: tuple[EventSourceMapping, str] | None) -> str:
    where = f"in {filed[1]} has changed" if filed else "is gone from the configuration"
    return f"{name}: its definition {where}, so the API's changes to it are dropped"


def _twice(mappings: Mapping[str, Mapped]) -> Iterator[str]:
    """Mappings of the API that the file defines too, with another UUID."""
    pairs = {(each.config.source, each.config.function_name): each for each in mappings.values() if not each.file}
    for mapped in mappings.values():
        other = pairs.get((mapped.config.source, mapped.config.function_name))
        if mapped.file and other is not None and mapped.config.source:
            yield (
                f"{mapped.config.name}: the API's mapping {other.uuid} connects the same source with the same "
                "function; delete one of them"
            )
