"""A tree against a model: each field gets what it wants, the value or the text as it was written.

A scalar without quotes is both: `1.10` is a number to a field that takes numbers, and the text "1.10" to one that takes
text. Which it is, the model says, when it refuses the value because it wants text. Used by the loader and the settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from .nodes import Node, plain, spelling

_Model = TypeVar("_Model", bound=BaseModel)
_Places: TypeAlias = "dict[str | int, _Places]"

_WANT_TEXT = frozenset({"string_type", "path_type"})


def validated(model: type[_Model], tree: Node) -> _Model:
    """The model of a tree. Raises ValidationError, in which scalars stand as text where text is wanted."""
    while True:
        try:
            return model.model_validate(plain(tree))
        except ValidationError as fault:
            errors = fault.errors(include_url=False)
            before, tree = (
                tree,
                _as_text(tree, _joined(error["loc"] for error in errors if error["type"] in _WANT_TEXT)),
            )
            if tree == before:
                raise


def _joined(places: Iterable[Sequence[str | int]]) -> _Places:
    """Paths as one tree of their keys, so that a long list is copied once."""
    root: _Places = {}
    for keys in places:
        below = root
        for key in keys:
            below = below.setdefault(key, {})
    return root


def _as_text(node: Node, places: _Places) -> Node:
    """The tree with the scalars at those places as they were written; unchanged where the user wrote none."""
    match node.value:
        case dict() as members:
            changed = {spelling(members, key): below for key, below in places.items() if isinstance(key, str)}
            texts = {key: _as_text(members[key], below) for key, below in changed.items() if key in members}
            return replace(node, value={**members, **texts}) if texts else node
        case list() as items:
            return replace(
                node, value=[_as_text(item, places[at]) if at in places else item for at, item in enumerate(items)]
            )
        case _:
            return replace(node, value=node.written) if node.written and not places else node
