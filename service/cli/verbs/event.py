"""`headrace event`: an event of AWS's form, out of payloads; and the same for `headrace invoke --event`."""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Sequence

from ....config.complaints import did_you_mean
from ....config.mapping import EventSourceMapping
from ....dispatch.core.observer import Observer
from ....dispatch.kinds.by_hand import event_by_hand, mapping_by_hand
from ....dispatch.kinds.profile import DispatchKind, UnfitSample
from ....dispatch.kinds.table import KINDS, dispatch_of
from ...wiring.exits import Exit, UsageError
from .filter_test import AT, read_text, typed_text
from .tables import show

BODY = '{"id": "1"}'
"""The payload where none is given."""


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    show(made(arguments.kind, arguments.body, ()).decode())
    return Exit.OK


def made(name: str, bodies: Sequence[str] | None, mappings: Sequence[EventSourceMapping]) -> bytes:
    """The event of a kind of source, with a record for each body. `mappings`: those whose source it may name. Raises
    UsageError."""
    kind = _kind(name)
    mapping = next((each for each in mappings if dispatch_of(each).filters is kind.filters), None)
    mapping = mapping or mapping_by_hand(kind)
    kind, texts = dispatch_of(mapping), [_text(each) for each in bodies or [BODY]]
    try:
        return event_by_hand(kind, mapping, texts, time.time(), [str(uuid.uuid4()) for _ in texts])
    except UnfitSample as error:
        raise UsageError(f"a body does not fit a record of {name}: {error}") from error


def _kind(name: str) -> DispatchKind:
    kinds = {str(each.kind): each for each in KINDS}
    if name not in kinds:
        hint = did_you_mean(name, kinds) or f"there are {', '.join(kinds)}"
        raise UsageError(f"there is no kind of event {name!r}; {hint}")
    return kinds[name]


def _text(given: str) -> str:
    in_file = given == "-" or given.startswith(AT)
    return read_text(given.removeprefix(AT)) if in_file else typed_text(given, "the body")
