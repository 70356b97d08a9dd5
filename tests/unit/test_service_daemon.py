"""What the daemon makes of a configuration, and what it refuses before anything begins."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from headrace.config.clients.endpoints import LocalEndpoint, RealEndpoint, unwanted_servers
from headrace.config.errors import ConfigError
from headrace.config.function import CommandFunction, ExternalFunction, HttpFunction, LocalFunction
from headrace.config.loader import Config, load
from headrace.config.mapping import EventSourceMapping, derive_uuid
from headrace.config.settings import Aws
from headrace.dispatch.invokers.local.spec import CommandLaunch, ExternalLaunch, Logging, RuntimeLaunch
from headrace.pollers.checkpoints.state_file import FILE
from headrace.pollers.checkpoints.store import Start, StartKind
from headrace.pollers.sqs.kind import receivers_of
from headrace.service.running.functions import facts_of
from headrace.service.telemetry.log import Log
from headrace.service.wiring.daemon import Daemon
from headrace.service.wiring.local_functions import OwnApi, aws_variables, spec_of, spec_of_runnable
from headrace.service.wiring.positions import open_positions
from headrace.service.wiring.state import StateDirectory, StateError
from support.catalogues import HERE, runnable

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
HTTP = HttpFunction.model_validate({"name": "f", "http": "http://localhost:1/"})
LOCAL = LocalFunction.model_validate({"name": "f", "runtime": "python", "handler": "a.b", "code": "c"})
EMULATOR = LocalEndpoint("http://localhost:4566")


@pytest.mark.parametrize(
    ("mapping", "function", "expected"),
    [
        ({}, HTTP.model_copy(update={"concurrency": None}), 5),
        ({}, HTTP, 1),
        ({}, LOCAL, 4),
        ({}, LOCAL.model_copy(update={"debug": 5678}), 1),
        ({"scaling_config": {"maximum_concurrency": 7}}, LOCAL, 7),
        ({"receivers": 9}, LOCAL, 9),
        ({"receivers": 9, "scaling_config": {"maximum_concurrency": 7}}, LOCAL, 7),
        ({"receivers": 2, "scaling_config": {"maximum_concurrency": 7}}, LOCAL, 2),
        ({"provisioned_poller_config": {"maximum_pollers": 3}}, HTTP.model_copy(update={"concurrency": None}), 30),
        ({"provisioned_poller_config": {"maximum_pollers": 3}}, LOCAL, 4),
        ({"provisioned_poller_config": {"maximum_pollers": 3}, "receivers": 2}, LOCAL, 2),
    ],
)
def test_how_many_receivers(mapping: dict[str, object], function: HttpFunction | LocalFunction, expected: int) -> None:
    made = EventSourceMapping.model_validate({"name": "m", "source": QUEUE, "function": "f", **mapping})
    assert receivers_of(made, facts_of(function)) == expected


@pytest.mark.parametrize(
    ("function", "launch"),
    [
        (LOCAL, RuntimeLaunch("python", "a.b", None)),
        (LOCAL.model_copy(update={"interpreter": "python3.12"}), RuntimeLaunch("python", "a.b", "python3.12")),
        (LOCAL.model_copy(update={"venv": Path("/v")}), RuntimeLaunch("python", "a.b", "/v")),
        (
            CommandFunction.model_validate({"name": "f", "command": ["java", "-jar", "x.jar"], "handler": "h"}),
            CommandLaunch(("java", "-jar", "x.jar"), "h"),
        ),
        (ExternalFunction.model_validate({"name": "f", "external": True, "port": 9001}), ExternalLaunch(9001)),
    ],
)
def test_how_a_local_function_is_launched(
    function: LocalFunction | CommandFunction | ExternalFunction, launch: object, tmp_path: Path
) -> None:
    spec = spec_of(function, tmp_path, region="r", account="1", aws={"A": "b"})
    assert spec.launch == launch
    assert (spec.name, spec.region, spec.account, spec.aws) == ("f", "r", "1", {"A": "b"})
    assert spec.timeout == function.deadline


@pytest.mark.semantics("API-INVOKE-01", "LOGS-02")
def test_how_a_function_of_the_api_is_run(tmp_path: Path) -> None:
    made = runnable(
        version="7",
        timeout=11,
        memory_size=512,
        code=tmp_path,
        environment={"A": "b"},
        log_group="/shared",
        log_format="JSON",
        application_log_level="WARN",
        system_log_level="DEBUG",
    )
    spec = spec_of_runnable(made, tmp_path, HERE, {"C": "d"})
    assert (spec.name, spec.version, spec.timeout, spec.memory_size, spec.code) == ("orders", "7", 11.0, 512, tmp_path)
    assert (spec.launch, spec.environment, spec.aws) == (
        RuntimeLaunch("python3.12", "app.handler"),
        {"A": "b"},
        {"C": "d"},
    )
    assert (spec.arn, spec.reload, spec.read_only) == (HERE.arn("orders"), False, True)
    assert spec.logging == Logging("/shared", "JSON", "WARN", "DEBUG")
    assert spec_of_runnable(runnable(), tmp_path, HERE, {}).logging == Logging("/aws/lambda/orders")


@pytest.mark.parametrize(
    ("aws", "environ", "expected"),
    [
        ({}, {}, {"AWS_ENDPOINT_URL": "http://localhost:4566"}),
        ({"endpoint_url": "http://a"}, {"AWS_ENDPOINT_URL": "http://b"}, {"AWS_ENDPOINT_URL": "http://a"}),
        (
            {"endpoint_urls": {"dynamodbstreams": "http://d", "sqs": "http://s"}},
            {"AWS_ENDPOINT_URL": "http://b", "AWS_ENDPOINT_URL_S3": "http://3", "AWS_SECRET_ACCESS_KEY": "mine"},
            {
                "AWS_ENDPOINT_URL": "http://b",
                "AWS_ENDPOINT_URL_S3": "http://3",
                "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://d",
                "AWS_ENDPOINT_URL_SQS": "http://s",
            },
        ),
    ],
)
def test_how_a_function_reaches_the_emulator(
    aws: dict[str, object], environ: dict[str, str], expected: dict[str, str]
) -> None:
    found = aws_variables(Aws.model_validate(aws), EMULATOR, "000000000000", environ)
    assert found == expected | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.mark.semantics("API-INVOKE-19")
@pytest.mark.parametrize(
    ("aws", "environ", "expected"),
    [
        ({}, {}, "http://127.0.0.1:9470"),
        ({"endpoint_url": "http://a"}, {"AWS_ENDPOINT_URL": "http://b"}, "http://127.0.0.1:9470"),
        ({}, {"AWS_ENDPOINT_URL_LAMBDA": "http://b"}, "http://b"),
        ({"endpoint_urls": {"lambda": "http://a"}}, {"AWS_ENDPOINT_URL_LAMBDA": "http://b"}, "http://a"),
    ],
)
def test_where_a_function_finds_functions(aws: dict[str, object], environ: dict[str, str], expected: str) -> None:
    own = OwnApi("http://127.0.0.1:9470")
    found = aws_variables(Aws.model_validate(aws), EMULATOR, "000000000000", environ, own)
    assert found["AWS_ENDPOINT_URL_LAMBDA"] == expected
    assert "AWS_ENDPOINT_URL_LAMBDA" not in aws_variables(Aws(), EMULATOR, "000000000000", {}, None)
    assert aws_variables(Aws(), RealEndpoint(), "000000000000", environ, own) == {}


@pytest.mark.semantics("API-INVOKE-20")
def test_where_signatures_are_needed_a_function_has_a_secret_for_it() -> None:
    found = aws_variables(Aws(), EMULATOR, "111122223333", {}, OwnApi("http://127.0.0.1:9470", "s3cr3t"))
    assert (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]) == ("111122223333", "s3cr3t")


def test_an_account_of_its_own_is_the_access_key() -> None:
    assert aws_variables(Aws(), EMULATOR, "111122223333", {})["AWS_ACCESS_KEY_ID"] == "111122223333"


def test_at_real_aws_a_function_gets_nothing_of_the_daemons() -> None:
    assert aws_variables(Aws(), RealEndpoint(), "111122223333", dict(os.environ)) == {}


# --- refusals -------------------------------------------------------------------------------------------------------


def configured(directory: Path, function: Mapping[str, object], **more: object) -> Config:
    config = {
        "aws": {"endpoint_url": "http://127.0.0.1:9", "region": "us-east-1"},
        "listen": "127.0.0.1:0",
        "state": str(directory / "state"),
        "functions": {"f": function},
        "mappings": {"m": {"source": QUEUE, "function": "f"}},
        **more,
    }
    file = directory / "headrace.json"
    file.write_text(json.dumps(config))
    return load([file], environ={})


async def refused(config: Config) -> tuple[list[str], list[str]]:
    """The problems, and what was written to standard output."""
    out: list[str] = []
    with pytest.raises(ConfigError) as error:
        await Daemon(config, Log(io.StringIO()), out=out.append).run()
    return [str(problem) for problem in error.value.problems], out


@pytest.mark.semantics("CLI-03")
async def test_real_aws_is_refused_before_anything_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        monkeypatch.delenv(name)
    problems, out = await refused(configured(tmp_path, {"http": "http://localhost:1/"}, aws={"region": "us-east-1"}))
    assert "real AWS" in problems[0]
    assert "--real-aws" in problems[0]
    assert out == []
    assert not (tmp_path / "state").exists()


@pytest.mark.semantics("CLI-21")
async def test_a_daemon_that_would_call_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:19470")
    function = {"invoke": {"function_name": "f"}}
    aws = {"region": "us-east-1", "endpoint_urls": {"sqs": "http://127.0.0.1:9"}}
    problems, _ = await refused(configured(tmp_path, function, aws=aws, listen="127.0.0.1:19470"))
    assert "would call itself" in problems[0]


@pytest.mark.semantics("API-17")
async def test_an_upstream_that_is_the_daemon_itself_is_refused(tmp_path: Path) -> None:
    function = {"http": "http://127.0.0.1:9"}
    api = {"upstream": "http://localhost:19471"}
    problems, out = await refused(configured(tmp_path, function, listen="127.0.0.1:19471", api=api))
    what = "api.upstream: http://localhost:19471 is this daemon's own address: it would forward calls to itself forever"
    assert problems == [f"{what} (name the emulator's address)"]
    assert "Ready." not in out


@pytest.mark.semantics("CLI-02")
async def test_a_function_without_an_interpreter_is_refused(tmp_path: Path) -> None:
    function = {"runtime": "python", "handler": "app.handler", "code": str(tmp_path), "interpreter": "no-such-python"}
    problems, out = await refused(configured(tmp_path, function))
    assert re.match(r".*headrace\.\w+:\d+: functions\.f: .*no-such-python", problems[0])
    assert out == []


@pytest.mark.semantics("CLI-03")
async def test_a_remote_function_at_real_aws_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        monkeypatch.delenv(name)
    aws = {"region": "us-east-1", "endpoint_urls": {"sqs": "http://127.0.0.1:9"}}
    problems, out = await refused(configured(tmp_path, {"invoke": {"function_name": "f"}}, aws=aws))
    assert "lambda has no endpoint" in problems[0]
    assert out == []


@pytest.mark.semantics("CLI-05")
async def test_a_state_directory_in_use_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path, {"http": "http://localhost:1/"})
    state = StateDirectory.open(tmp_path / "state")
    with pytest.raises(StateError):
        await Daemon(config, Log(io.StringIO()), out=lambda line: None).run()
    state.close()


# --- streams --------------------------------------------------------------------------------------------------------

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
GONE = "00000000-0000-4000-8000-000000000001"
HTTP_FUNCTION = {"http": "http://127.0.0.1:9/"}


def reading(source: str, **more: object) -> dict[str, dict[str, object]]:
    return {"m": {"source": source, "function": "f", "starting_position": "LATEST", **more}}


CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/orders/0b1d8c5e-0000-4000-8000-000000000000-1"
LOGIN = {"type": "SASL_SCRAM_512_AUTH", "uri": "arn:aws:secretsmanager:us-east-1:000000000000:secret:AmazonMSK_orders"}
GLUE = {
    "schema_registry_uri": "arn:aws:glue:us-east-1:000000000000:registry/shop",
    "event_record_format": "JSON",
    "schema_validation_configs": [{"attribute": "VALUE"}],
}
SCHEMAS = {"amazon_managed_kafka_event_source_config": {"schema_registry_config": GLUE}}


def topic(**more: object) -> dict[str, dict[str, object]]:
    return {"m": {"source": CLUSTER, "topics": ["orders"], "function": "f", **more}}


@pytest.mark.parametrize(
    ("mappings", "services"),
    [
        (reading(STREAM), ["kinesis"]),
        (reading("arn:aws:dynamodb:us-east-1:000000000000:table/T"), ["dynamodbstreams", "dynamodb"]),
        (reading(STREAM, destination_config={"on_failure": {"destination": "arn:aws:s3:::b"}}), ["kinesis", "s3"]),
        (topic(), ["kafka"]),
        (topic(bootstrap_servers=["localhost:9098"]), ["kafka"]),
        (topic(bootstrap_servers=["localhost:9092"], **SCHEMAS), ["glue"]),
        (topic(bootstrap_servers=["localhost:9092"], source_access_configurations=[LOGIN]), ["secretsmanager"]),
    ],
)
@pytest.mark.semantics("CLI-03")
async def test_every_service_that_would_be_real_aws_is_refused_by_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mappings: dict[str, dict[str, object]],
    services: list[str],
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        monkeypatch.delenv(name)
    aws = {"region": "us-east-1", "endpoint_urls": {"sqs": "http://127.0.0.1:9"}}
    problems, out = await refused(configured(tmp_path, HTTP_FUNCTION, aws=aws, mappings=mappings))
    assert [problem.split()[1] for problem in problems] == services
    assert all("would reach real AWS" in problem for problem in problems)
    assert out == []
    off = {name: {**each, "enabled": False} for name, each in mappings.items()}
    assert await ended(configured(tmp_path, HTTP_FUNCTION, aws=aws, mappings=off, until_idle=0)) == ""


async def test_a_registry_without_the_libraries_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fastavro", "jsonschema"):
        monkeypatch.setitem(sys.modules, name, None)
    mappings = topic(bootstrap_servers=["localhost:9092"], **SCHEMAS)
    problems, out = await refused(configured(tmp_path, HTTP_FUNCTION, mappings=mappings))
    (problem,) = problems
    assert re.match(r".*:\d+: mappings\.m: schema_registry_config needs fastavro, jsonschema, ", problem)
    assert problem.endswith("which is not installed: pip install 'headrace[schemas]'")
    assert out == []


@pytest.mark.semantics("CONFIG-39")
async def test_brokers_at_aws_are_refused_unless_real_aws_is_meant(tmp_path: Path) -> None:
    server = "b-1.orders.x1.c2.kafka.us-east-1.amazonaws.com:9092"
    own = {"self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": [server]}}, "topics": ["orders"]}
    for mappings in (topic(bootstrap_servers=["localhost:9092", server]), {"m": {"function": "f", **own}}):
        problems, out = await refused(configured(tmp_path, HTTP_FUNCTION, mappings=mappings))
        (problem,) = problems
        assert f"mappings.m: the brokers {server} are real AWS" in problem
        assert "--real-aws" in problem
        assert out == []
        off = {"m": {**mappings["m"], "enabled": False}}
        assert await ended(configured(tmp_path, HTTP_FUNCTION, mappings=off, until_idle=0)) == ""
    assert unwanted_servers([server], real=True) == ""


async def ended(config: Config) -> str:
    """The log of a daemon that ends by itself, as soon as it has begun."""
    log = io.StringIO()
    await Daemon(config, Log(log), out=lambda line: None).run()
    return "".join(line for line in log.getvalue().splitlines(keepends=True) if '"action":"positions"' in line)


async def test_a_file_of_positions_is_made_for_streams_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / FILE
    await ended(configured(tmp_path, HTTP_FUNCTION, until_idle=0))
    assert not file.exists()
    await ended(configured(tmp_path, HTTP_FUNCTION, until_idle=0, mappings=reading(STREAM, enabled=False)))
    assert not file.exists()
    await ended(configured(tmp_path, HTTP_FUNCTION, until_idle=0, mappings=reading(STREAM)))
    assert file.exists()


async def test_a_dry_run_of_a_stream_makes_no_file(tmp_path: Path) -> None:
    await ended(configured(tmp_path, HTTP_FUNCTION, until_idle=0, dry_run=True, mappings=reading(STREAM)))
    assert not (tmp_path / "state").exists()


@pytest.mark.semantics("CLI-27")
@pytest.mark.parametrize("mappings", [reading(STREAM), {"m": {"source": QUEUE, "function": "f"}}])
async def test_a_damaged_file_of_positions_lets_nothing_start(
    tmp_path: Path, mappings: dict[str, dict[str, object]]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE).write_bytes(b"not ours")
    problems, out = await refused(configured(tmp_path, HTTP_FUNCTION, mappings=mappings))
    assert "the stored positions are damaged" in problems[0]
    assert str(tmp_path / "state" / FILE) in problems[0]
    assert out == []
    assert (tmp_path / "state" / FILE).read_bytes() == b"not ours"
    StateDirectory.open(tmp_path / "state").close()


@pytest.mark.semantics("CLI-28")
async def test_positions_of_nobody_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    store = await open_positions(tmp_path / "state")
    for mapping in (GONE, derive_uuid("000000000000", "us-east-1", "m")):
        await store.begin(mapping, STREAM, None, {"shard-1": Start(StartKind.TRIM_HORIZON)})
    await store.aclose()
    said = await ended(configured(tmp_path, HTTP_FUNCTION, until_idle=0, mappings=reading(STREAM)))
    assert said.count("\n") == 1
    assert f"{STREAM} for {GONE};" in said
    assert "headrace positions move" in said


@pytest.mark.semantics("OBS-17")
@pytest.mark.parametrize(("general", "of_all"), [("info", {"mapping", "state"}), ("warning", set())])
async def test_a_mapping_is_heard_at_its_own_level(tmp_path: Path, general: str, of_all: set[str]) -> None:
    levels = {"quiet": "WARN", "like-all": None, "loud": "DEBUG"}
    brokers = ["127.0.0.1:9"]
    mappings = {
        name: topic(bootstrap_servers=brokers, logging_config={"system_log_level": level})["m"] | {"topics": [name]}
        for name, level in levels.items()
    }
    log = io.StringIO()
    config = configured(tmp_path, HTTP_FUNCTION, mappings=mappings, until_idle=0)
    await Daemon(config, Log(log, level=general), out=lambda line: None).run()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    heard = {name: {line["action"] for line in lines if line.get("mapping") == name} for name in levels}
    assert heard == {"quiet": set(), "like-all": of_all, "loud": {"mapping", "state"}}
