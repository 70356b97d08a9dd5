"""Which services of AWS a mapping calls: what the guard against real AWS looks at before anything begins. Pure."""

from __future__ import annotations

from .mapping import EventSourceMapping


def services_of(mapping: EventSourceMapping) -> tuple[str, ...]:
    """By botocore's names, the source's own first; none where nothing of AWS is called. Of a mapping that breaks no
    rule."""
    found = [*mapping.profile.services(mapping)]
    if mapping.failure_destination:
        found.append(mapping.failure_destination.service)
    return tuple(dict.fromkeys(found))
