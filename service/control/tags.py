"""Tags, of functions and of mappings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from .model import Decision, Function, Moment, existing
from .names import Named
from .refusals import invalid_parameter

TAGS_MAX = 50
Change = Callable[[Mapping[str, str]], Mapping[str, str]]
"""From the present tags to the new tags. Raises ApiError."""


def merged(before: Mapping[str, str], given: Mapping[str, str]) -> Mapping[str, str]:
    """Raises ApiError when there are too many tags."""
    after = {**before, **given}
    if len(after) > TAGS_MAX:
        raise invalid_parameter("Number of tags exceeds resource tag limit.")
    return after


def without(before: Mapping[str, str], keys: Collection[str]) -> Mapping[str, str]:
    return {key: value for key, value in before.items() if key not in keys}


def some(given: Mapping[str, str]) -> None:
    """Refuses an empty set of tags, with AWS's text. Raises ApiError."""
    if not given:
        raise invalid_parameter("An error occurred and the request cannot be processed.")


def tag(function: Function | None, named: Named, given: Mapping[str, str], moment: Moment) -> Decision:
    function = existing(function, named)
    some(given)
    return _with(function, merged(function.tags, given), moment), {}


def untag(function: Function | None, named: Named, keys: Collection[str], moment: Moment) -> Decision:
    function = existing(function, named)
    return _with(function, without(function.tags, keys), moment), {}


def _with(function: Function, after: Mapping[str, str], moment: Moment) -> Function:
    return replace(function, tags=after, latest=replace(function.latest, revision=moment.id()))
