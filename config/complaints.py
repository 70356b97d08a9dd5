"""pydantic's findings in words for people, each with its place in the document and a suggestion.

Owns the wording and "did you mean". Used by the loader for every model that a user writes.
"""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from . import masking
from .errors import Problem
from .function import ROLE_FORM, RUNTIME_FORM, VARIABLE_FORM
from .nodes import Node, NodePlace, locate
from .settings import ACCOUNT_FORM
from .spoken import URL_FORM, folded

_REPORTED = {
    "State",
    "StateTransitionReason",
    "LastModified",
    "LastProcessingResult",
    "EventSourceMappingArn",
    "FunctionArn",
}

_WHOLE = "must be a whole number"
_WORDING: dict[str, Callable[[dict[str, Any]], str]] = {
    "int_type": lambda _: _WHOLE,
    "int_parsing": lambda _: _WHOLE,
    "int_parsing_size": lambda _: _WHOLE,
    "int_from_float": lambda _: _WHOLE,
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "string_type": lambda _: "must be text",
    "path_type": lambda _: "must be a path",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be a mapping of names to values",
    "model_type": lambda _: "must be a mapping of names to values",
    "model_attributes_type": lambda _: "must be a mapping of names to values",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "literal_error": lambda context: f"must be {context['expected'].replace('True', 'true')}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "too_short": lambda context: f"must have at least {context['min_length']} element(s)",
    "too_long": lambda context: f"must have at most {context['max_length']} element(s)",
}
_FORMS = {
    URL_FORM: ("is no URL", "it must begin with http:// or https://"),
    VARIABLE_FORM: ("is no name for a variable", "letters, digits and '_', no digit first"),
    RUNTIME_FORM: ("is no runtime that Headrace starts", "python, nodejs, provided.*; for any other use 'command'"),
    ROLE_FORM: ("is no role", "it must look like arn:aws:iam::000000000000:role/orders"),
    ACCOUNT_FORM: ("is no account", "it must be 12 digits; quotes keep a zero at the front"),
}
"""What a pattern means, and what to do."""
_WITHOUT_VALUE = {"value_error", "assertion_error", "too_short", "too_long", "string_too_short", "string_too_long"}


def problems(fault: ValidationError, model: type[BaseModel], node: Node, path: str) -> list[Problem]:
    """One problem per finding. `node` is what was validated, `path` where it stands."""
    return [_problem(error, model, node, path) for error in distinct(fault)]


def distinct(fault: ValidationError) -> list[ErrorDetails]:
    """The findings without repetition: a union reports once per member."""
    seen: dict[tuple[str | int, ...], ErrorDetails] = {}
    for error in fault.errors(include_url=False):
        seen.setdefault(keys_of(error), error)
    return list(seen.values())


def keys_of(error: ErrorDetails) -> tuple[str | int, ...]:
    """The path without what pydantic adds when a key, not its value, is at fault."""
    keys = error["loc"]
    return keys[:-1] if keys[-1:] == ("[key]",) and error["type"] != "extra_forbidden" else keys


def _problem(error: ErrorDetails, model: type[BaseModel], node: Node, path: str) -> Problem:
    keys = keys_of(error)
    if error["type"] == "extra_forbidden":
        return unknown_key(str(keys[-1]), _fields(model, keys[:-1]), locate(node, keys, path))
    if error["type"] == "missing":
        name = _own_name(model, keys)
        return locate(node, keys[:-1], path).problem(f"{name!r} is missing")
    place = locate(node, keys, path)
    return place.problem(wording(error, place.path), _suggestion(error))


def wording(error: ErrorDetails, path: str) -> str:
    """What is wrong with the value at `path`, which says whether the value may be shown."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "string_pattern_mismatch":
        what = _FORMS.get(context["pattern"], ("is not in the form that is expected here", ""))[0]
        return what + _shown(": ", error["input"], path)
    if error["type"] == "missing":
        return "is missing"
    say = _WORDING.get(error["type"])
    what = say(context) if say else error["msg"]
    return what if error["type"] in _WITHOUT_VALUE else what + _shown(", not ", error["input"], path)


def _suggestion(error: ErrorDetails) -> str:
    if error["type"] == "string_pattern_mismatch":
        pattern = error.get("ctx", {})["pattern"]
        return _FORMS[pattern][1] if pattern in _FORMS else f"it must match {pattern}"
    if error["type"] == "literal_error":
        return did_you_mean(str(error["input"]), re.findall(r"'([^']+)'", error["msg"]))
    return ""


def _shown(link: str, value: object, path: str) -> str:
    """A value as it may be printed: short, and nothing of a secret."""
    if masking.is_secret(path):
        return ""
    match value:
        case dict():
            text = "a mapping"
        case list():
            text = "a list"
        case None:
            text = "nothing"
        case bool():
            text = str(value).lower()
        case _:
            text = repr(masking.masked(value))
    return link + (text if len(text) <= 60 else text[:60] + "…")


# --- names ----------------------------------------------------------------------------------------------------------


def unknown_key(key: str, known: Sequence[str], place: NodePlace) -> Problem:
    """An unknown key is an error, with the nearest known one as a suggestion."""
    if key in _REPORTED:
        return place.problem("unknown key", "AWS reports this, nobody sets it: remove it")
    hint = did_you_mean(key, known)
    if not hint and known and len(known) <= 8:
        hint = "known are " + ", ".join(known)
    return place.problem("unknown key", hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion, or nothing when no known word is near."""
    spelled = {folded(name): name for name in known}
    found = difflib.get_close_matches(folded(word[:80]), spelled, n=1, cutoff=0.6)
    return f"did you mean {spelled[found[0]]!r}?" if found else ""


def field_names(model: type[BaseModel]) -> list[str]:
    """The names that a user may write, in our spelling."""
    return [name for name in model.model_fields if name != "name"]


def _own_name(model: type[BaseModel], keys: tuple[str | int, ...]) -> str:
    missing = str(keys[-1])
    known = _fields(model, keys[:-1])
    for name in known:
        if folded(name) == folded(missing):
            return name
    return missing


def _fields(model: type[BaseModel], keys: Sequence[str | int]) -> list[str]:
    """The fields of the model that stands at a path below `model`."""
    annotation: Any = model
    for key in keys:
        found = _model_in(annotation)
        if found is None:
            return []
        if isinstance(key, int):
            continue
        field = next((field for name, field in found.model_fields.items() if folded(name) == folded(key)), None)
        if field is None:
            return []
        annotation = field.annotation
    found = _model_in(annotation)
    return field_names(found) if found else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X`, `X | None`, `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
