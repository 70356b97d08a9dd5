"""JSON Schema: data that are JSON already, held to their schema."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .model import Codec, Schema, Undecodable


def codec(schema: Schema) -> Codec:
    """The data come back as they are. Raises Undecodable for a schema that is none.

    Nothing is fetched: a `$ref` leads into the schema itself, or to what the registry has as its references.
    """
    check = _validator(schema)

    def decode(data: bytes) -> bytes:
        value = _parsed(data)
        try:
            fault = next(check.iter_errors(value), None)
        except Exception as error:  # a reference to nowhere, an endless one, a pattern that is none
            raise Undecodable(f"has a schema that cannot be followed: {type(error).__name__}") from error
        if fault is not None:
            raise Undecodable(f"does not follow its schema at {fault.json_path}: its {fault.validator!r} is not met")
        return data

    return decode


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Undecodable("is not JSON") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _validator(schema: Schema) -> Any:
    from jsonschema import Draft7Validator
    from jsonschema.validators import validator_for
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    try:
        definition = json.loads(schema.definition)
        known: Any = Registry()
        for name, text in schema.references.items():
            known = known.with_resource(name, Resource.from_contents(json.loads(text), default_specification=DRAFT7))
        kind = validator_for(definition, default=Draft7Validator)
        kind.check_schema(definition)
        return kind(definition, registry=known)
    except Exception as error:  # any schema may be registered
        raise Undecodable(f"has a schema that is not JSON Schema: {type(error).__name__}") from error
