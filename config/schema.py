"""The JSON Schema of a configuration file, out of the models, and the command that keeps the generated documents.

`python -m headrace.config.schema --check` compares `docs/` with the models, `--write` writes it. The schema accepts
both spellings of every field, a `${VARIABLE}` wherever a value has a form, and a scalar without quotes where any text
is taken.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from . import reference
from .function import Function
from .mapping import EventSourceMapping
from .settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
_FORMED = ("integer", "number", "boolean")
_VARIABLE = {"$ref": "#/$defs/Variable"}


class Document(Settings):
    """A Headrace configuration."""

    functions: dict[str, Function] = Field(default_factory=dict)
    """The functions, by name."""
    mappings: dict[str, EventSourceMapping] = Field(default_factory=dict)
    """The event source mappings, by name."""


def json_schema() -> dict[str, Any]:
    """The schema, as plain data."""
    schema = Document.model_json_schema(by_alias=False)
    definitions = schema["$defs"]
    for model in sorted(set(models(Document)), key=lambda model: model.__name__):
        if model is not Document:
            _both_spellings(model, definitions[model.__name__])
    for owner in (schema, *definitions.values()):
        properties = owner.get("properties", {})
        properties.update({name: _or_variable(_never_null(member)) for name, member in properties.items()})
    definitions["Variable"] = {"type": "string", "pattern": r"\$\{"}
    schema["properties"]["$schema"] = {"type": "string"}
    schema["patternProperties"] = {"^x-": True}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Headrace configuration"}


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that an annotation reaches."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for argument in typing.get_args(annotation):
        yield from models(argument)


def _both_spellings(model: type[BaseModel], schema: dict[str, Any]) -> None:
    """AWS's spelling of each field beside ours; what is required may come in either."""
    required = schema.pop("required", [])
    either = []
    for name, field in model.model_fields.items():
        alias = field.alias
        if name in schema["properties"] and alias is not None and alias != name:
            schema["properties"][alias] = {"$ref": f"#/$defs/{model.__name__}/properties/{name}"}
        if name in required:
            names = [name] if alias is None or alias == name else [name, alias]
            either.append({"anyOf": [{"required": [key]} for key in names]})
    if either:
        schema["allOf"] = either


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A field that is not given is left out; null is not a value."""
    if {"type": "null"} not in schema.get("anyOf", []):
        return schema
    about = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    forms = [form for form in schema["anyOf"] if form != {"type": "null"}]
    return {**about, **forms[0]} if len(forms) == 1 else {**about, "anyOf": forms}


def _or_variable(schema: Any) -> Any:
    """The same schema, which a variable satisfies too."""
    if not isinstance(schema, dict):
        return schema
    if "items" in schema:
        return {**schema, "items": _or_variable(schema["items"])}
    if isinstance(schema.get("additionalProperties"), dict):
        return {**schema, "additionalProperties": _or_variable(schema["additionalProperties"])}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], _VARIABLE]}
    if schema.get("type") in _FORMED or schema.keys() & {"enum", "const", "pattern"}:
        about = {key: value for key, value in schema.items() if key in {"title", "description", "default", "examples"}}
        form = {key: value for key, value in schema.items() if key not in about}
        return {**about, "anyOf": [form, _VARIABLE]}
    if schema.get("type") == "string":
        return {**schema, "type": ["string", "number", "boolean"]}  # without quotes, it is the text as it is written
    return schema


def documents() -> dict[str, str]:
    """The generated files of `docs/`, by name."""
    return {
        "headrace.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        "configuration.md": reference.page(),
    }


def stale(directory: Path) -> list[str]:
    """The names of the generated files that differ from the models, or are missing."""
    return [name for name, text in documents().items() if _text(directory / name) != text]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m headrace.config.schema", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="end with 1 if docs/ differs from the models")
    action.add_argument("--write", action="store_true", help="write docs/")
    options = parser.parse_args(arguments)
    names = stale(DOCS)
    if options.write:
        for name in names:
            (DOCS / name).write_text(documents()[name], encoding="utf-8")
        return 0
    for name in names:
        print(f"docs/{name} differs from the models: run python -m headrace.config.schema --write", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
