"""The settings of a function: six kinds, each identified by a key that only it has.

Shapes only; whether the code's directory exists is the loader's question, how to run it the invokers'.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, assert_never

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema, WithJsonSchema

from .fields.runtimes import RUNTIME_FORM
from .fields.spoken import URL_FORM, WHOLE, Spoken, Whole, absolute, folded
from .reasons import Reason

TIMEOUT_DEFAULT = 3
"""Seconds; AWS's default."""
CONCURRENCY_DEFAULT = 4
"""Environments of a local function at once. Ours: AWS has no such default, a laptop needs one."""

VARIABLE_FORM = r"^[A-Za-z_][A-Za-z0-9_]*$"
QUALIFIER_FORM = r"^(\$LATEST|[a-zA-Z0-9-_]{1,128})$"
ROLE_FORM = r"^arn:aws[a-zA-Z-]*:iam::[0-9]{12}:role/\S+$"
PLUGIN_FORM = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

# What AWS sets itself and refuses to take. Credentials are reserved there too; here a function may bring its own.
RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "TZ",
    }
)


def _debug_port(value: object) -> object:
    if value is True:
        raise ValueError("must be the port that the debugger listens on, or false")
    return value


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError("is Lambda's own variable: remove it")
    return name


_Name = Annotated[str, StringConstraints(pattern=VARIABLE_FORM), AfterValidator(_not_reserved)]
_Variables = Annotated[
    dict[_Name, str],
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "object"]}}),
]
_Word = Annotated[str, StringConstraints(min_length=1)]


class _Common(Spoken):
    """Fields of every kind."""

    name: SkipJsonSchema[str] = Field("", alias="name")  # the key under `functions`; never written by a user
    role: Annotated[str, StringConstraints(pattern=ROLE_FORM)] | None = Field(
        None, examples=["arn:aws:iam::000000000000:role/orders"]
    )
    """ARN of the execution role, which Kinesis events name as `invokeIdentityArn`; it has no other effect. Default:
    `arn:aws:iam::<account of the stream>:role/lambda`."""


class _Owned(_Common):
    """Fields of every function whose runtime uses our Runtime API."""

    timeout: Whole = Field(TIMEOUT_DEFAULT, ge=1, le=900)
    """Maximum seconds of an invocation, as on AWS."""
    environment: _Variables = Field(default_factory=dict, examples=[{"STAGE": "dev"}])
    """The function's variables. Values are text as written: `1.10` without quotes is the text 1.10."""
    concurrency: Whole = Field(CONCURRENCY_DEFAULT, alias="concurrency", ge=1, le=1000)
    """Maximum invocations at once, each in a process of its own."""
    memory_size: Whole = Field(128, ge=128, le=10_240)
    """MB. Recorded: the function's context and REPORT show it; nothing limits the memory."""

    @property
    def deadline(self) -> float | None:
        """Seconds after which an invocation is ended; None for no limit."""
        return float(self.timeout)


class _Started(_Owned):
    """Fields of every function whose process Headrace starts."""

    layers: list[Path] = Field(default_factory=list, max_length=5, examples=[["./layers/common"]])
    """Directories whose content is at /opt, as on AWS, in this order; a later one wins."""
    isolation: Literal["auto", "env", "namespace"] = Field("auto", alias="isolation")
    """`namespace`: a real /tmp and /opt of its own, where the kernel allows; `env`: by variables alone; `auto`: the
    first where it works."""
    reload: bool = Field(True, alias="reload")
    """Whether Headrace starts new processes after a change of the code."""
    debug: Annotated[Literal[False] | Whole, BeforeValidator(_debug_port)] = Field(
        False, alias="debug", examples=[5678]
    )
    """Port that a debugger attaches to: one process, and no timeout."""
    idle_timeout: Whole = Field(300, alias="idle_timeout", ge=1, le=86_400)
    """Seconds after which an idle process is ended."""

    @model_validator(mode="after")
    def _debug_is_a_port(self) -> Self:
        if self.debug is not False and not 1 <= self.debug <= 65_535:
            raise ValueError(f"has the debug port {self.debug}: must be between 1 and 65535")
        return self

    @property
    def deadline(self) -> float | None:
        return float(self.timeout) if self.debug is False else None

    @property
    def processes(self) -> int:
        """Processes at once: one under a debugger."""
        return self.concurrency if self.debug is False else 1


class LocalFunction(_Started):
    """Code in a directory, run by one of Lambda's runtimes on this machine."""

    runtime: str = Field(pattern=RUNTIME_FORM, examples=["python", "python3.12", "nodejs20.x", "provided.al2023"])
    """`python` or `nodejs`, with a version or without; `provided.*` or `bootstrap` for a file of that name; `java21`
    and others with what the setting `runtimes` has for them."""
    handler: _Word | None = Field(None, examples=["app.handler"])
    """`module.function`. Needed for Python and Node."""
    code: Path = Field(alias="code", examples=["./functions/orders"])
    """The directory of the code."""
    interpreter: _Word | None = Field(None, alias="interpreter", examples=["python3.12"])
    """Program that runs the code: a path or a name on PATH. Default: a `.venv` beside the code, then the runtime."""
    venv: Path | None = Field(None, alias="venv", examples=["./functions/orders/.venv"])
    """Virtual environment whose interpreter runs the code. Python only."""

    @property
    def family(self) -> Literal["python", "nodejs", "provided"]:
        for family in ("python", "nodejs"):
            if self.runtime.startswith(family):
                return family
        return "provided"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.handler is None and self.family != "provided":
            raise ValueError(f"needs a 'handler' for the runtime {self.runtime}, e.g. handler: app.handler")
        if self.handler and self.family != "provided" and "." not in self.handler.rpartition("/")[2]:
            raise ValueError(f"has the handler {self.handler!r}, which names no function: write app.handler")
        if self.interpreter and self.venv:
            raise ValueError("gives both 'interpreter' and 'venv': give one")
        if self.venv and self.family != "python":
            raise ValueError(f"gives a 'venv' for the runtime {self.runtime}: only Python has one")
        return self

    def located(self, base: Path) -> Self:
        """The same with every relative path made absolute from `base`."""
        interpreter = self.interpreter
        if interpreter and "/" in interpreter:
            interpreter = str(absolute(base, interpreter))
        return self.model_copy(
            update={
                "code": absolute(base, self.code),
                "layers": [absolute(base, layer) for layer in self.layers],
                "venv": self.venv and absolute(base, self.venv),
                "interpreter": interpreter,
            }
        )


class CommandFunction(_Started):
    """Any program that speaks the Runtime API."""

    command: list[_Word] = Field(alias="command", min_length=1, examples=[["java", "-jar", "stock.jar"]])
    """The program and its arguments."""
    handler: _Word | None = None
    """The value of `_HANDLER` for the program."""
    code: Path = Field(Path(), alias="code")
    """Working directory of the program. Default: the directory of the configuration file."""

    def located(self, base: Path) -> Self:
        """The same with every relative path made absolute from `base`; the command is left as it is."""
        layers = [absolute(base, layer) for layer in self.layers]
        return self.model_copy(update={"code": absolute(base, self.code), "layers": layers})


class ExternalFunction(_Owned):
    """A runtime that the user starts, for example in an IDE: Headrace waits for it."""

    external: Literal[True] = Field(alias="external")
    timeout: Whole = Field(900, ge=1, le=900)
    """Maximum seconds of an invocation; long, because a debugger may stop at a breakpoint."""
    concurrency: Whole = Field(1, alias="concurrency", ge=1, le=1000)
    """Maximum invocations at once."""
    port: Whole = Field(0, alias="port", ge=0, le=65_535)
    """Port of the Runtime API for the runtime; 0 means any free port, which is printed at the start."""

    def located(self, base: Path) -> Self:
        return self


class InvokeTarget(Spoken):
    """The function's address in the Invoke API."""

    function_name: _Word = Field(max_length=256, examples=["billing"])
    endpoint_url: Annotated[str, StringConstraints(pattern=URL_FORM)] | None = Field(
        None, alias="endpoint_url", examples=["http://localhost:3001"]
    )
    """Default: the endpoint of `aws`, or the AWS variables for Lambda."""
    qualifier: Annotated[str, StringConstraints(pattern=QUALIFIER_FORM)] | None = None
    """Version or alias."""


class _Elsewhere(_Common):
    timeout: Annotated[int, Field(ge=1, le=900), WHOLE] | None = None
    """Seconds to wait for an answer. Default: no limit."""

    @property
    def deadline(self) -> float | None:
        """Seconds after which an invocation is given up; None for no limit."""
        return None if self.timeout is None else float(self.timeout)

    def located(self, base: Path) -> Self:
        return self


class RemoteFunction(_Elsewhere):
    """A function behind any Invoke API: an emulator's, `sam local`'s, AWS's."""

    invoke: InvokeTarget = Field(alias="invoke")
    concurrency: Annotated[int, Field(ge=1, le=1000), WHOLE] | None = Field(None, alias="concurrency")
    """Maximum invocations at once. Default: no limit except the mappings' own; a 429 lowers it."""


class HttpFunction(_Elsewhere):
    """A container's Runtime Interface Emulator: plain HTTP."""

    http: Annotated[str, StringConstraints(pattern=URL_FORM)] = Field(
        alias="http", examples=["http://localhost:9000/2015-03-31/functions/function/invocations"]
    )
    """The URL that events are posted to."""
    concurrency: Annotated[int, Field(ge=1, le=1000), WHOLE] | None = Field(1, alias="concurrency")
    """Maximum invocations at once. The emulator accepts one."""


class PluginFunction(_Common):
    """A kind of function that a plug-in adds, a Python package installed beside Headrace. All other keys are the
    settings of the plug-in, which checks them."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    plugin: str = Field(alias="plugin", pattern=PLUGIN_FORM, examples=["echo"])
    """Name of the plug-in."""
    timeout: Whole = Field(TIMEOUT_DEFAULT, ge=1, le=900)
    """Maximum seconds of an invocation, as on AWS."""
    concurrency: Annotated[int, Field(ge=1, le=1000), WHOLE] | None = Field(None, alias="concurrency")
    """Maximum invocations at once. Default: what the plug-in says, else 4."""
    settings: SkipJsonSchema[Any] = None  # as the plug-in's own model has them; never written by a user
    directory: SkipJsonSchema[Path] = Field(default=Path(), exclude=True)  # that of the file
    title: SkipJsonSchema[str] = Field(default="", exclude=True)  # of the plug-in and its package
    broken: SkipJsonSchema[Reason | None] = Field(default=None, exclude=True)  # why the plug-in cannot be used

    @property
    def deadline(self) -> float:
        """Seconds after which an invocation is ended."""
        return float(self.timeout)

    def located(self, base: Path) -> Self:
        """The same, with the directory that the plug-in's relative paths start at."""
        return self.model_copy(update={"directory": base})


PLUGIN_KEYS = ("plugin", "timeout", "concurrency", "role")
"""The keys that every function of a plug-in has."""

KINDS: dict[str, type[BaseModel]] = {
    "runtime": LocalFunction,
    "command": CommandFunction,
    "external": ExternalFunction,
    "invoke": RemoteFunction,
    "http": HttpFunction,
    "plugin": PluginFunction,
}
"""The key that tells a kind, and the kind."""


def kinds_of(data: Mapping[str, Any]) -> list[str]:
    """The kind keys that are given, in either spelling; a sound function has exactly one."""
    given = {folded(key) for key in data}
    if "plugin" in given:  # whose own settings may be called anything
        return ["plugin"]
    return [key for key in KINDS if key in given]


def _tag(value: Any) -> str | None:
    if isinstance(value, Mapping):
        found = kinds_of(value)
        return found[0] if len(found) == 1 else None
    return next((key for key, kind in KINDS.items() if isinstance(value, kind)), None)


Function = Annotated[
    Annotated[LocalFunction, Tag("runtime")]
    | Annotated[CommandFunction, Tag("command")]
    | Annotated[ExternalFunction, Tag("external")]
    | Annotated[RemoteFunction, Tag("invoke")]
    | Annotated[HttpFunction, Tag("http")]
    | Annotated[PluginFunction, Tag("plugin")],
    Discriminator(_tag),
]


AnyFunction = LocalFunction | CommandFunction | ExternalFunction | RemoteFunction | HttpFunction | PluginFunction


def describe(function: AnyFunction) -> str:
    """One phrase for people: what the function is and where."""
    match function:
        case LocalFunction():
            return f"{function.runtime} in {function.code}"
        case CommandFunction():
            return f"command {function.command[0]}"
        case ExternalFunction():
            return "a runtime started elsewhere"
        case RemoteFunction():
            return f"{function.invoke.function_name} at {function.invoke.endpoint_url or 'the Lambda endpoint'}"
        case HttpFunction():
            return function.http
        case PluginFunction():
            return function.title or f"plug-in {function.plugin!r}"
        case _:
            assert_never(function)
