"""The daemon's own settings: flags over `HEADRACE_*` variables over the configuration file's sections.

The models are plain pydantic. Reading the variables is pydantic-settings' work, imported only when it is done: it
doubles the start of `headrace --help`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints
from pydantic.fields import FieldInfo
from pydantic.json_schema import WithJsonSchema

from . import read_json
from .errors import ConfigError
from .fields.retry_backoff import RetryBackoff
from .fields.runtimes import Runtimes
from .fields.spoken import ACCOUNT_FORM, KEY_ID_FORM, LAYER_FORM, REGION_FORM, URL_FORM, WHOLE
from .nodes import Node

_Url = Annotated[str, StringConstraints(pattern=URL_FORM)]


class Address(NamedTuple):
    """Where the daemon listens; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(value: object) -> object:
    """`HOST:PORT`, `[::1]:PORT`, or a port alone, which is on the loopback."""
    if isinstance(value, Address):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be HOST:PORT, e.g. 127.0.0.1:9470")
    host, _, port = str(value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65_535:
        raise ValueError("must be HOST:PORT with a port from 0 to 65535, e.g. 127.0.0.1:9470")
    return Address(host, int(port))


def _until_idle(value: object) -> object:
    """False is never, true is without a limit, a number is the limit in seconds."""
    match value:
        case None | False | "false":
            return None
        case True | "true":
            return math.inf
        case _:
            return value


def _not_nan(value: float | None) -> float | None:
    if value is not None and math.isnan(value):
        raise ValueError("must be a number of seconds")
    return value


def _switch(value: object) -> object:
    """YAML reads `on` and `off` as booleans."""
    match value:
        case True | "true":
            return "on"
        case False | "false":
            return "off"
        case _:
            return _lower(value)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Aws(_Section):
    """How to reach AWS's APIs. Values that are not given come from the standard AWS variables and profile."""

    endpoint_url: _Url | None = Field(None, examples=["http://localhost:4566"])
    """Endpoint of every service. Wins over `AWS_ENDPOINT_URL` and the profile."""
    endpoint_urls: dict[str, _Url] = Field(default_factory=dict, examples=[{"sqs": "http://localhost:9324"}])
    """Endpoint of one service, by its AWS name. Wins over `endpoint_url`."""
    region: Annotated[str, StringConstraints(pattern=REGION_FORM)] | None = Field(None, examples=["us-east-1"])
    """Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, then the profile's."""
    profile: str | None = None
    """Profile of the shared AWS configuration."""
    account: Annotated[str, StringConstraints(pattern=ACCOUNT_FORM)] | None = Field(None, examples=["000000000000"])
    """Twelve digits. Default: an access key of twelve digits, else the endpoint's STS's answer, else 000000000000."""
    access_key_id: str | None = None
    """Default: the standard AWS variables and the profile."""
    secret_access_key: SecretStr | None = None
    """Better given as `HEADRACE_AWS__SECRET_ACCESS_KEY_FILE`."""
    session_token: SecretStr | None = None
    """Better given as `HEADRACE_AWS__SESSION_TOKEN_FILE`."""
    real: bool = False
    """Allow real AWS, that is: no endpoint. Headrace then deletes processed and filtered messages there."""
    rewrite_queue_urls: bool = True
    """Replace the host in queue URLs by the configured endpoint: some emulators return a host that only they reach."""

    def arguments(self) -> dict[str, Any]:
        """The same as keyword arguments of `clients.aws.AwsSettings`: secrets as text."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()
        }


class LogSettings(_Section):
    """The log, on standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    """The lowest level that is logged."""
    format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_lower)] = "auto"
    """`auto`: readable text on a terminal, else JSON."""


class Destinations(_Section):
    """How often to try a failure destination that does not accept a document. After that the discarded records are
    counted, logged and skipped."""

    attempts: int = Field(5, ge=1)
    """Maximum number of attempts."""
    seconds: float = Field(60.0, ge=0, allow_inf_nan=False)
    """Maximum seconds for all attempts."""
    block: bool = False
    """Try forever instead: the shard waits for its destination, and no record is skipped without a document."""


class Api(_Section):
    """The Lambda API, on the same address as health and metrics: clients deploy functions and mappings to it. Requests
    need no signature on the loopback; on any other address they need a signature with one of `access_keys`."""

    enabled: bool = True
    """Serve it."""
    upstream: _Url | None = Field(None, examples=["http://localhost:4566"])
    """Where to forward calls that Headrace does not serve, e.g. the emulator's own Lambda. Default: refuse them."""
    access_keys: dict[
        Annotated[str, StringConstraints(pattern=KEY_ID_FORM)], Annotated[SecretStr, Field(min_length=1)]
    ] = Field(default_factory=dict, examples=[{"LOCAL": "a-secret"}])
    """Keys of clients that may call on an address other than the loopback: access key id (upper or lower case) and
    secret. Better given as `HEADRACE_API__ACCESS_KEYS_FILE`, which names a JSON file."""
    hosts: list[str] = Field(default_factory=list, examples=[["headrace", "host.docker.internal"]])
    """Host names, besides the loopback's own, that a request on the loopback may use for this daemon. Headrace refuses
    others, because a web page may have sent the request."""
    adopt: bool = False
    """Let the API change and delete the mappings of this configuration. Its changes to a mapping hold until the
    mapping's definition here changes."""
    hot_reload: bool | None = None
    """Run a directory of this machine as a function or a layer where a client asks for it as it would of LocalStack:
    `S3Bucket=hot-reload`, `S3Key=/absolute/path`. Default: only where `listen` is on the loopback."""

    def secrets(self) -> dict[str, str]:
        """The secrets as text, by key id in upper case: variables do not keep the case of a name."""
        return {key_id.upper(): secret.get_secret_value() for key_id, secret in self.access_keys.items()}


_LayerArn = Annotated[str, StringConstraints(pattern=LAYER_FORM)]


class TakeOver(_Section):
    """Event source mappings of an emulator, which are switched off there and run here."""

    enabled: bool = False
    """Take them over. The same as `headrace run --take-over`."""
    interval: float = Field(2.0, ge=0.1, le=3600, allow_inf_nan=False)
    """Seconds between two looks at the emulator's mappings."""
    functions: Annotated[Literal["invoke", "local"], BeforeValidator(_lower)] = "invoke"
    """Where their functions run: `invoke` in the emulator, through its Invoke API; `local` here, from the package that
    its GetFunction gives. A function of this configuration, or of this daemon's API, goes before the emulator's."""
    give_back: bool = True
    """When the daemon stops, switch on there again what was taken over."""


class Asynchronous(_Section):
    """How to deliver events of asynchronous invocations. Each function's event-invoke configuration has its attempts,
    age and destinations."""

    at_once: Annotated[int, Field(ge=1, le=1000), WHOLE] = 10
    """Events of one function at a time."""
    retry_factor: float = Field(1.0, ge=0, le=1, allow_inf_nan=False)
    """Factor for the pauses of 60 s and 120 s after failed attempts. AWS's is 1; smaller values are for tests."""


class JournalSettings(_Section):
    """What the daemon remembers of the last records of each mapping, for `headrace explain` and `/v1`."""

    records: Annotated[int, Field(ge=0, le=1_000_000), WHOLE] = 10_000
    """Records of each mapping; 0 for none. All mappings together remember 500,000 at most."""
    payloads: bool = False
    """Remember what the records hold, too: as many as fit into 4 MB for each mapping, and 256 MB for all together. They
    may be secrets."""


class Settings(_Section):
    """The daemon's own settings."""

    aws: Aws = Field(default_factory=Aws)
    """How to reach AWS's APIs."""
    listen: Annotated[Address, BeforeValidator(_address), WithJsonSchema({"type": ["string", "integer"]})] = Field(
        Address("127.0.0.1", 9470), examples=["127.0.0.1:9470"], json_schema_extra={"default": "127.0.0.1:9470"}
    )
    """Address of `/livez`, `/readyz`, `/metrics`, the page and the Lambda API. Port 0 means any free port."""
    api: Api = Field(default_factory=Api)
    """The Lambda API."""
    take_over: TakeOver = Field(default_factory=TakeOver)
    """The event source mappings of an emulator, run here."""
    concurrency: Annotated[int, Field(ge=1, le=1000), WHOLE] = 100
    """Maximum invocations at a time, over all functions of the Lambda API without reserved concurrency. AWS's number is
    1000 for an account; here each invocation is a process of this machine."""
    warm: Annotated[int, Field(ge=1, le=10_000), WHOLE] = 64
    """Maximum idle processes that stay for the next invocation, over all local functions. Beyond it, the process that
    was idle for longest ends."""
    runtimes: Runtimes = Field(default_factory=Runtimes)
    """What runs the functions of a runtime on this machine."""
    asynchronous: Asynchronous = Field(default_factory=Asynchronous)
    """How to deliver asynchronous invocations."""
    function_logs: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """Whether the lines of functions go to CloudWatch Logs: `auto` to an emulator that has it, `on` to any endpoint,
    `off` nowhere."""
    traces: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """Whether the invocations of mappings are told to an OpenTelemetry collector: `auto` where
    `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set, `on` (`true`), `off` (`false`)."""
    traceparent: bool = False
    """Hand `traceparent` to functions in the client context, as `custom.traceparent`, where there are traces. This is
    ours: AWS hands no client context to the functions of event source mappings."""
    layers: dict[_LayerArn, Path] = Field(
        default_factory=dict,
        examples=[{"arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:53": "./insights.zip"}],
    )
    """The content of layers that are not here, such as a vendor's: a directory, or a zip, by the ARN of the layer's
    version, or of the layer for every version. For functions of the Lambda API and of templates."""
    state: Path = Path(".headrace")
    """Directory for data that must survive a restart."""
    log: LogSettings = Field(default_factory=LogSettings)
    """The log."""
    journal: JournalSettings = Field(default_factory=JournalSettings)
    """What is remembered of records."""
    destinations: Destinations = Field(default_factory=Destinations)
    """How often to try failure destinations."""
    retry_backoff: RetryBackoff = Field(default_factory=RetryBackoff)
    """The pause before a batch is invoked again, for all mappings without a setting of their own, also the API's."""
    shortest_record_age: Annotated[int, Field(ge=0, le=60), WHOLE] = 60
    """Minimum seconds for a mapping's maximum_record_age_in_seconds. AWS's is 60; smaller values are only for tests."""
    idle_shard_pause: float | None = Field(None, ge=0.2, le=60, allow_inf_nan=False, examples=[1])
    """Seconds from one look at a shard of Kinesis or DynamoDB that has nothing new to the next. Default: at AWS as AWS
    does it, 1 for Kinesis and 0.25 for DynamoDB; elsewhere 0.2 for up to 20 shards, a hundredth of a second for each
    shard where there are more, and never above 1."""
    stop_timeout: float = Field(8.0, ge=0, le=3600, allow_inf_nan=False)
    """Maximum seconds of a stop, from the signal to the end of the process; below 1 they count as 1. The default is
    below the 10 s after which Docker kills."""
    until_idle: Annotated[
        Annotated[float, Field(ge=0)] | None,
        BeforeValidator(_until_idle),
        AfterValidator(_not_nan),
        WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "boolean"}]}),
    ] = Field(None, examples=[60])
    """Stop when nothing is left to do: true, or the seconds to wait for that at most."""
    fail_on_discard: bool = False
    """With `until_idle`: end with exit code 4 if a record was discarded."""
    dry_run: bool = False
    """Show what would become of each record; invoke nothing, delete nothing."""


SECTIONS = tuple(Settings.model_fields)
"""The top-level keys of a configuration file that are settings."""

PREFIX = "HEADRACE_"


class NotJsonError(Exception):
    """A variable that should be JSON is not. No ValueError, which pydantic-settings would take for its own."""


def read_variables(environ: Mapping[str, str]) -> dict[str, object]:
    """The settings that `HEADRACE_*` variables give, nested like the file's sections, not yet validated: texts, and
    nodes out of what is given as JSON.

    Empty variables count as not set, as compose files leave them. Raises ValueError for a section that is given as
    JSON text and is not JSON.
    """
    if not any(environ.values()):
        return {}
    from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

    class VariableSettings(BaseSettings, Settings):
        model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True)

    class GivenVariables(EnvSettingsSource):
        """The source that reads `os.environ`, reading what it is given instead."""

        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in environ.items() if value}

        def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
            return _from_json(value)

        def prepare_field_value(self, field_name: str, *given: Any) -> Any:
            try:
                return super().prepare_field_value(field_name, *given)
            except ValueError as fault:  # the base class would tell the name in a sentence alone
                raise NotJsonError(f"{PREFIX}{field_name.upper()}: {fault}") from fault

        def field_is_complex(self, field: FieldInfo) -> bool:
            return field.annotation is not Address and super().field_is_complex(field)  # HOST:PORT is no JSON

    try:
        return GivenVariables(VariableSettings)()
    except NotJsonError as fault:
        raise ValueError(str(fault)) from fault


def _from_json(text: str) -> object:
    """What a variable holds as JSON: mappings as such, because other variables may add to them, the rest as nodes.
    Raises ValueError."""
    try:
        node, problems = read_json.read(text, "")
    except ConfigError as fault:
        raise ValueError("is not JSON") from fault
    if node is None or problems:
        raise ValueError(problems[0].what if problems else "is not JSON")
    return _open(node)


def _open(node: Node) -> object:
    return {key: _open(member) for key, member in node.value.items()} if isinstance(node.value, dict) else node
