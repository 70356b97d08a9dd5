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

TAKEN = "taken_mapping"
"""A mapping of an emulator that was taken over, or is about to be, by UUID."""


def name_of(mapped: Mapped) -> Name:
    return TAKEN if mapped.taken else MAPPING, mapped.uuid


def document(mapped: Mapped) -> Document:
    return {
        "mapping": mapped.config.model_dump(mode="json", exclude_unset=True, exclude_none=True),
        "modified": mapped.modified,
        "deleting": mapped.state is MappingState.DELETING,
        "adopted": mapped.adopted,
        **({"taken": mapped.taken, "runs": True} if mapped.taken else {}),
    }


def noted(mapped: Mapped) -> Document:
    """A mapping that is to be taken over, before it runs here."""
    return {**document(mapped), "runs": False}


def read(document: Document) -> Mapped:
    """Raises ValueError for a document that this version does not understand."""
    config = EventSourceMapping.model_validate(document["mapping"])
    if config.kind is None:
        raise ValueError(f"it has a source of which this version knows nothing: {config.source}")
    state = MappingState.DELETING if document["deleting"] else steady(config)
    return Mapped(config, document["modified"], state, adopted=document["adopted"], taken=document.get("taken", ""))


def mappings(documents: KeptDocuments) -> tuple[dict[str, Mapped], Mapping[str, Document]]:
    """By UUID: the stored mappings, and the deleted mappings of a file. Raises UnusableState: skipping one silently
    would leave its records undelivered."""
    return {uuid: _read(uuid, each) for uuid, each in documents.all(MAPPING).items()}, documents.all(DELETED)


def taken(documents: KeptDocuments) -> tuple[dict[str, Mapped], dict[str, Mapped]]:
    """Read the mappings that were taken over, by UUID: those that run here, and those that are only noted. Raises
    UnusableState."""
    running, only_noted = dict[str, Mapped](), dict[str, Mapped]()
    for uuid, each in documents.all(TAKEN).items():
        (running if each.get("runs") else only_noted)[uuid] = _read(uuid, each)
    return running, only_noted


def _read(uuid: str, document: Document) -> Mapped:
    try:
        return read(document)
    except (ValueError, KeyError) as error:
        what = f"this version does not understand the stored mapping {uuid}: {' '.join(str(error).split())}"
        raise UnusableState([Problem(what, hint="start the version that stored it, and delete it there")]) from error


def ending(mapped: Mapped) -> tuple[dict[Name, Document], list[Name]]:
    """The documents of a deletion. A deleted mapping of the file is stored, else it would return at the next start."""
    puts: dict[Name, Document] = {}
    if mapped.adopted:
        puts[DELETED, mapped.uuid] = {"name": mapped.config.name, "adopted": mapped.adopted}
    return puts, [name_of(mapped)]
