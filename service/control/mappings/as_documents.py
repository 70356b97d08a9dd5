"""Mappings as documents, and back. Pure.

A document has the wanted state, not the progress. So after a crash a mapping that was being created, changed or enabled
is in its wanted state, and a mapping that was being deleted is found as such, and the deletion is finished.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....config.durable.faults import UnusableState
from ....config.errors import Problem
from ....config.mapping import EventSourceMapping
from ..documents import Document, KeptDocuments, Name
from .model import Mapped, MappingState, steady

MAPPING = "mapping"
DELETED = "deleted_mapping"
"""A mapping of the configuration file that was deleted through the API, by UUID."""


def name_of(mapped: Mapped) -> Name:
    return MAPPING, mapped.uuid


def document(mapped: Mapped) -> Document:
    return {
        "mapping": mapped.config.model_dump(mode="json", exclude_unset=True, exclude_none=True),
        "modified": mapped.modified,
        "deleting": mapped.state is MappingState.DELETING,
        "adopted": mapped.adopted,
    }


def read(document: Document) -> Mapped:
    """Raises ValueError for a document that this version does not understand."""
    config = EventSourceMapping.model_validate(document["mapping"])
    if config.kind is None:
        raise ValueError(f"it has a source of which this version knows nothing: {config.source}")
    state = MappingState.DELETING if document["deleting"] else steady(config)
    return Mapped(config, document["modified"], state, adopted=document["adopted"])


def mappings(documents: KeptDocuments) -> tuple[dict[str, Mapped], Mapping[str, Document]]:
    """By UUID: the stored mappings, and the deleted mappings of a file. Raises UnusableState: skipping one silently
    would leave its records undelivered."""
    found: dict[str, Mapped] = {}
    for uuid, each in documents.all(MAPPING).items():
        try:
            found[uuid] = read(each)
        except (ValueError, KeyError) as error:
            what = f"this version does not understand the stored mapping {uuid}: {' '.join(str(error).split())}"
            raise UnusableState(
                [Problem(what, hint="start the version that stored it, and delete it there")]
            ) from error
    return found, documents.all(DELETED)


def ending(mapped: Mapped) -> tuple[dict[Name, Document], list[Name]]:
    """The documents of a deletion. A deleted mapping of the file is stored, else it would return at the next start."""
    puts: dict[Name, Document] = {}
    if mapped.adopted:
        puts[DELETED, mapped.uuid] = {"name": mapped.config.name, "adopted": mapped.adopted}
    return puts, [name_of(mapped)]
