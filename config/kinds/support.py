"""What becomes of each field of a mapping, for each kind of source: one table, read by the rules, by the API, by the
reference page and by the README. Pure.

A field belongs to every kind, is recorded for every kind, or is named by the kinds that honour it; for others it is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..fields.mapping_fields import MappingFields
from ..fields.mapping_limits import RECORDED, Support
from .profile import SourceKind
from .table import KINDS

EVERYWHERE = frozenset(
    {
        "source",
        "function",
        "enabled",
        "uuid",
        "batch_size",
        "filter_criteria",
        "function_response_types",
        "retry_backoff",
        "metrics_config",
    }
)
"""The fields that every kind of source has."""


def standing(field: str, kind: SourceKind) -> Support:
    """What this version does with a field of a mapping of that kind."""
    if field in RECORDED:
        return Support.RECORDED
    return Support.HONOURED if field in EVERYWHERE or field in kind.honours else Support.REFUSED


FIELDS: Mapping[str, Mapping[SourceKind, Support]] = MappingProxyType(
    {
        field: MappingProxyType({kind: standing(field, kind) for kind in KINDS})
        for field in MappingFields.model_fields
        if field != "name"
    }
)
"""By field, in the order of the model."""


def honoured_table() -> str:
    """The table of fields and sources, as Markdown, for the reference page."""
    head = "| field | " + " | ".join(kind.title for kind in KINDS) + " |"
    rows = [f"| `{name}` | " + " | ".join(row[kind].value for kind in KINDS) + " |" for name, row in FIELDS.items()]
    return "\n".join([head, "|---" * (len(KINDS) + 1) + "|", *rows])
