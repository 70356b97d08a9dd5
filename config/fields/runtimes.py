"""What runs a runtime on this machine: the setting `runtimes`, with its command templates. A leaf.

A template is a command in which `{code}` and `{handler}` stand for the function's; `{{` and `}}` are braces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue

from .spoken import absolute

INTERPRETED = r"python(3\.[0-9]{1,2})?|nodejs([0-9]{1,2}\.x)?"
"""Runtimes whose programs Headrace finds by itself."""
COMPILED = r"java([0-9]{1,2}(\.al2)?)?|dotnet([0-9]{1,2})?|ruby([0-9]\.[0-9])?|provided(\.[A-Za-z0-9_]+)?"
RUNTIME_FORM = rf"^({INTERPRETED}|{COMPILED}|bootstrap)$"
PLACEHOLDERS = ("code", "handler")


def _sound(word: str) -> str:
    """Raises ValueError for a word that cannot be filled in."""
    for _ in _pieces(word):
        pass
    return word


def _pieces(word: str) -> Iterator[tuple[str, str]]:
    """Text, and the placeholder behind it, which is empty behind the last one. Raises ValueError."""
    try:
        found = list(Formatter().parse(word))
    except ValueError as fault:
        raise ValueError(f"has a single brace in {word!r}: write {{{{ or }}}} for a brace") from fault
    for text, name, form, conversion in found:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            raise ValueError(f"has the placeholder {{{name}}}: {{code}} and {{handler}} exist; {{{{ is a brace")
        yield text, name or ""


_Word = Annotated[str, StringConstraints(min_length=1)]
_Template = Annotated[_Word, AfterValidator(_sound)]


_AS_COMMAND = "{command: [PROGRAM, ARGUMENT, …]}"


class _NoInterpreter:
    """In place of an interpreter for a language that Headrace knows none of."""


class RuntimeProgram(BaseModel):
    """What runs the functions of one runtime: an interpreter, or a command."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    interpreter: _Word | None = None
    """A path, or a name on PATH. For Python and Node."""
    command: list[_Template] = Field(default_factory=list)
    """The program and its arguments. `{code}` is the directory of the code, `{handler}` the function's handler."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: object) -> object:
        match data:
            case str():
                return {"interpreter": data}
            case _NoInterpreter():
                raise ValueError(f"needs a command, not a program alone: write {_AS_COMMAND}")
            case Mapping() | RuntimeProgram():
                return data
            case _:
                raise ValueError(f"must be a program, or {_AS_COMMAND}")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.interpreter) == bool(self.command):
            raise ValueError(f"must be a program, or {_AS_COMMAND}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A program alone is written as text."""
        schema = handler.resolve_ref_schema(handler(core))
        properties = schema["properties"]
        command = {**properties["command"], "minItems": 1}
        command.pop("default", None)
        whole = {"type": "object", "additionalProperties": False, "required": ["command"]}
        return {
            "description": schema["description"],
            "anyOf": [{"type": "string", "minLength": 1}, {**whole, "properties": {"command": command}}],
        }

    def argv(self, code: str, handler: str) -> tuple[str, ...]:
        """The command for one function."""
        values = {"code": code, "handler": handler, "": ""}
        return tuple("".join(text + values[name] for text, name in _pieces(word)) for word in self.command)


class Runtimes(BaseModel):
    """What runs the functions of a runtime on this machine, by the runtime's identifier. Without an entry Headrace
    looks for Python and Node.js on PATH, then where uv, pyenv, nvm, fnm, asdf, mise and Homebrew put them."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    __pydantic_extra__: dict[Annotated[str, StringConstraints(pattern=RUNTIME_FORM)], RuntimeProgram]  # pyright: ignore[reportIncompatibleVariableOverride]

    near: bool = True
    """Whether a version of Python or Node.js that is not on this machine is replaced by the nearest that is. Headrace
    then says so for each function: in the log, in `check` and in `status`."""

    @model_validator(mode="before")
    @classmethod
    def _only_commands(cls, data: object) -> object:
        """A program alone does for Python and Node: Headrace knows how to start them."""
        if not isinstance(data, Mapping):
            return data
        return {name: _NoInterpreter() if _has_none(str(name), given) else given for name, given in data.items()}

    @property
    def programs(self) -> Mapping[str, RuntimeProgram]:
        """By runtime."""
        return self.__pydantic_extra__ or {}

    def located(self, bases: Mapping[str, Path]) -> Self:
        """The same with relative paths of interpreters made absolute: each from the directory that `bases` has for its
        runtime, or left as it is."""
        found = {
            name: program.model_copy(update={"interpreter": str(absolute(bases[name], program.interpreter))})
            for name, program in self.programs.items()
            if program.interpreter and "/" in program.interpreter and name in bases
        }
        return self.model_copy(update=found)


def _has_none(name: str, given: object) -> bool:
    """Whether an interpreter is given for a runtime that takes only commands."""
    if name == "near" or name.startswith(("python", "nodejs")):
        return False
    return isinstance(given, str) or (isinstance(given, Mapping) and "interpreter" in given)
