"""Events by hand: what a function would get, out of payloads alone. Envelope and elements are those of a mapping.

Pure. Used by `headrace event` and `headrace invoke --event`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...config.mapping import EventSourceMapping
from ..core.model import Window
from ..core.pages import Records
from .profile import DispatchKind, Sample


def mapping_by_hand(kind: DispatchKind) -> EventSourceMapping:
    """A mapping of the kind, where the configuration has none."""
    return EventSourceMapping.model_validate({"name": "by-hand", "function": "by-hand", **kind.sampled})


def event_by_hand(
    kind: DispatchKind, mapping: EventSourceMapping, texts: Sequence[str], moment: float, uniques: Sequence[str]
) -> bytes:
    """The event of records with these payloads, which arrived at `moment` (wall-clock seconds). `uniques`: a UUID for
    each. Raises UnfitSample."""
    samples = [
        Sample(text, place, moment, unique) for place, (text, unique) in enumerate(zip(texts, uniques, strict=True))
    ]
    records = Records.of(kind.sample(sample, mapping) for sample in samples)
    seconds = mapping.tumbling_window_in_seconds or 0
    start = int(moment // seconds * seconds) if seconds else 0
    envelope = kind.envelope(mapping, lambda: mapping.profile.address(mapping))
    return envelope.render(records, window=Window(start, start + seconds))
