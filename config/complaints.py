"""Messages from pydantic's findings, each with its place in the document and a suggestion.

Owns the wording and "did you mean". Used by the loader for every model that a user writes.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from . import masking
from .errors import Problem
from .fields.kafka_mapping import URI_FORM
from .fields.mapping_fields import DESTINATION_FORM, GROUP_FORM, KMS_FORM, OWN_UUID_FORM, TOPIC_FORM
from .fields.runtimes import RUNTIME_FORM
from .fields.spoken import ACCOUNT_FORM, KEY_ID_FORM, LAYER_FORM, REGION_FORM, URL_FORM, counted, folded
from .function import PLUGIN_FORM, QUALIFIER_FORM, ROLE_FORM, VARIABLE_FORM
from .nodes import Node, NodePlace, locate

_REPORTED = {
    "State",
    "StateTransitionReason",
    "LastModified",
    "LastProcessingResult",
    "EventSourceMappingArn",
    "FunctionArn",
}

_WHOLE = "must be a whole number"


def _number(bound: float) -> str:
    """`3600`, also where the field takes fractions."""
    return str(int(bound)) if bound == int(bound) else str(bound)


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
    "greater_than_equal": lambda context: f"must be at least {_number(context['ge'])}",
    "less_than_equal": lambda context: f"must be at most {_number(context['le'])}",
    "literal_error": lambda context: f"must be {context['expected'].replace('True', 'true')}",
    "string_pattern_mismatch": lambda context: f"must match {context['pattern']}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "too_short": lambda context: f"must have at least {counted(context['min_length'], 'element')}",
    "too_long": lambda context: f"must have at most {counted(context['max_length'], 'element')}",
}
FORMS = {
    URL_FORM: ("is not a URL", "it must begin with http:// or https://"),
    VARIABLE_FORM: ("is not a valid name of a variable", "letters, digits and '_', no digit first"),
    RUNTIME_FORM: (
        "is not a runtime of Lambda's",
        "python, nodejs, provided.*; java, dotnet and ruby with an entry of 'runtimes'; for any other use 'command'",
    ),
    ROLE_FORM: ("is not the ARN of a role", "it must look like arn:aws:iam::000000000000:role/orders"),
    ACCOUNT_FORM: ("is not an account", "it must be 12 digits, e.g. 000000000000"),
    REGION_FORM: ("is not a region", "letters, digits and '-', e.g. us-east-1"),
    LAYER_FORM: ("is not the ARN of a layer", "arn:aws:lambda:REGION:ACCOUNT:layer:NAME, with or without a version"),
    KEY_ID_FORM: ("is not an access key id", "3 to 128 letters, digits or '_'"),
    QUALIFIER_FORM: ("is not a version or alias", "$LATEST, or 1 to 128 letters, digits, '-' or '_'"),
    OWN_UUID_FORM: ("is not a UUID", "e.g. 14e0db71-5d35-4eb5-b481-8945cf9d10c2; leave it out to have one derived"),
    PLUGIN_FORM: ("is not the name of a plug-in", "1 to 64 letters, digits, '-', '_' or '.'"),
    DESTINATION_FORM: (
        "is not a destination",
        "give the ARN of a queue, topic or bucket, kafka://TOPIC, or plugin://NAME",
    ),
    TOPIC_FORM: ("is not a valid name of a topic", "letters, digits, '.', '_' and '-', no '.' first"),
    GROUP_FORM: ("is not a valid name of a group", "letters, digits, '-' and '_'"),
    KMS_FORM: ("is not the ARN of a key", "it must begin with arn:"),
    URI_FORM: ("has characters that AWS does not allow here", "letters, digits and / * : _ + = . @ -"),
}
"""What a pattern means, and what to do."""
_WITHOUT_VALUE = {"value_error", "assertion_error", "too_short", "too_long", "string_too_short", "string_too_long"}


def problems(fault: ValidationError, model: type[BaseModel], node: Node, path: str) -> list[Problem]:
    """One problem per finding. `node` is what was validated, `path` where it stands. A field that is missing because
    its name is misspelled is reported as the misspelling."""
    errors = distinct(fault)
    meant = {(*keys_of(error)[:-1], folded(near)) for error in errors if (near := meant_by(error, model))}
    return [
        _problem(error, model, node, path)
        for error in errors
        if error["type"] != "missing" or (*keys_of(error)[:-1], folded(str(error["loc"][-1]))) not in meant
    ]


def meant_by(error: ErrorDetails, model: type[BaseModel]) -> str:
    """The field that an unknown key is likely to be; empty for any other error."""
    keys = keys_of(error)
    return nearest(str(keys[-1]), _fields(model, keys[:-1])) if error["type"] == "extra_forbidden" else ""


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
    return place.problem(wording(error, place.path), _suggestion(error, model))


def wording(error: ErrorDetails, path: str) -> str:
    """What is wrong with the value at `path`, which says whether the value may be shown."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "string_pattern_mismatch" and context["pattern"] in FORMS:
        return FORMS[context["pattern"]][0] + _shown(": ", error["input"], path)
    if error["type"] == "missing":
        return "is missing"
    say = _WORDING.get(error["type"])
    what = say(context) if say else error["msg"]
    return what if error["type"] in _WITHOUT_VALUE else what + _shown(", not ", error["input"], path)


def _suggestion(error: ErrorDetails, model: type[BaseModel]) -> str:
    if error["type"] == "string_pattern_mismatch":  # a plug-in has patterns of its own
        return FORMS.get(error.get("ctx", {})["pattern"], ("", ""))[1]
    if error["type"] == "list_type" and isinstance(error["input"], str | int | float):
        return f"write [{error['input']}]" if len(str(error["input"])) <= 60 else "write it in [ ]"
    if error["type"] == "list_type" and isinstance(error["input"], dict):
        return "put a '-' before it"
    if error["type"] == "literal_error":
        return did_you_mean(str(error["input"]), _choices(_annotation(model, keys_of(error))))
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
        return place.problem("unknown key", "AWS reports this field, and no caller can set it: remove it")
    hint = did_you_mean(key, known)
    if not hint and known and len(known) <= 8:
        hint = "known are " + ", ".join(known)
    return place.problem("unknown key", hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion, or nothing when no known word is near."""
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that this one is likely to mean; empty when none is near."""
    spelled = {folded(name): name for name in known}
    found = difflib.get_close_matches(folded(word[:80]), spelled, n=1, cutoff=0.6)
    return spelled[found[0]] if found else ""


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
    found = _model_in(_annotation(model, keys))
    return field_names(found) if found else []


def _annotation(model: type[BaseModel], keys: Sequence[str | int]) -> Any:
    """The type of what stands at a path below `model`; None where nothing is known of it."""
    annotation: Any = model
    for key in keys:
        if isinstance(key, int):
            continue
        found = _model_in(annotation)
        fields = found.model_fields.items() if found else ()
        annotation = next((field.annotation for name, field in fields if folded(name) == folded(key)), _more(found))
    return annotation


def _more(model: type[BaseModel] | None) -> Any:
    """The type of what stands under other keys than the model's fields; None where it takes none."""
    if model is None or model.model_config.get("extra") != "allow":
        return None
    return typing.get_type_hints(model)["__pydantic_extra__"]


def _choices(annotation: Any) -> list[str]:
    """The words that a type allows."""
    inside = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return [each for each in inside if isinstance(each, str)]
    return [word for each in inside for word in _choices(each)]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X`, `X | None`, `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
