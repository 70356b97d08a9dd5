"""The session and its clients, against a real server: endpoints, region, credentials, and what goes over the wire."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from headrace.config.clients import faults, session
from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clients.endpoints import LocalEndpoint, RealEndpoint, RefusedEndpoint
from headrace.config.errors import ConfigError, SourceRefused, SourceUnavailable
from support import lambda_stub, sts_stub

Profile = Callable[[str], None]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of the machine reaches botocore, and no metadata service is asked."""

    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Writes the shared config file."""

    def write(text: str) -> None:
        (tmp_path / "config").write_text(text)

    return write


@dataclass
class Server:
    """An SQS that has no queues, and keeps what it was asked."""

    url: str = ""
    status: int = 200
    headers: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.headers.append(dict(request.headers))
        return web.json_response({"QueueUrls": []}, status=self.status, content_type="application/x-amz-json-1.0")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with lambda_stub.serve(server.answer) as server.url:
        yield server


# --- endpoints ------------------------------------------------------------------------------------------------------

PROFILE = """
[default]
services = local
endpoint_url = http://profile:1
[services local]
sqs =
  endpoint_url = http://profile-sqs:1
dynamodb_streams =
  endpoint_url = http://profile-streams:1
[profile other]
endpoint_url = http://other:1
region = eu-west-3
"""


@pytest.mark.parametrize(
    ("settings", "variables", "service", "expected"),
    [
        (AwsSettings(), {}, "sqs", "http://profile-sqs:1"),
        (AwsSettings(), {}, "dynamodbstreams", "http://profile-streams:1"),
        (AwsSettings(), {}, "kinesis", "http://profile:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL": "http://all:1"}, "sqs", "http://all:1"),
        (
            AwsSettings(),
            {"AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_SQS": "http://s:1"},
            "sqs",
            "http://s:1",
        ),
        (AwsSettings(), {"AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_SQS": ""}, "sqs", "http://all:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://d:1"}, "dynamodbstreams", "http://d:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://d:1"}, "secretsmanager", "http://d:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_KINESIS": "http://k:1"}, "kinesis", "http://k:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_DYNAMODB": "http://t:1"}, "dynamodb", "http://t:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_LAMBDA": "http://l:1"}, "lambda", "http://l:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_SNS": "http://n:1"}, "sns", "http://n:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_S3": "http://b:1"}, "s3", "http://b:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_GLUE": "http://g:1"}, "glue", "http://g:1"),
        (AwsSettings(), {"AWS_ENDPOINT_URL_STS": "http://a:1"}, "sts", "http://a:1"),
        (AwsSettings(), {"AWS_PROFILE": "other"}, "sqs", "http://other:1"),
        (AwsSettings(), {"AWS_DEFAULT_PROFILE": "other"}, "sqs", "http://other:1"),
        (AwsSettings(), {"AWS_PROFILE": ""}, "kinesis", "http://profile:1"),
        (AwsSettings(profile="other"), {"AWS_PROFILE": "missing"}, "sqs", "http://other:1"),
        (AwsSettings(endpoint_url="http://ours:1"), {"AWS_ENDPOINT_URL_SQS": "http://s:1"}, "sqs", "http://ours:1"),
        (AwsSettings(endpoint_url="http://ours:1", endpoint_urls={"sqs": "http://q:1"}), {}, "sqs", "http://q:1"),
        (AwsSettings(endpoint_url="http://ours:1", endpoint_urls={"sqs": "http://q:1"}), {}, "sns", "http://ours:1"),
        (
            AwsSettings(endpoint_url="http://ours:1"),
            {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "sqs",
            "http://ours:1",
        ),
    ],
)
async def test_order_of_endpoints(
    monkeypatch: pytest.MonkeyPatch,
    profile: Profile,
    settings: AwsSettings,
    variables: dict[str, str],
    service: str,
    expected: str,
) -> None:
    profile(PROFILE)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with Clients(settings) as clients:
        assert await clients.target(service) == LocalEndpoint(expected)
        client = await clients.get(service)
        assert client.meta.endpoint_url == expected
        assert await clients.get(service) is client


@pytest.mark.parametrize("service", ["sqs", "dynamodbstreams", "kinesis", "lambda", "s3", "secretsmanager"])
async def test_botocore_would_find_the_same_endpoint_by_itself(
    monkeypatch: pytest.MonkeyPatch, profile: Profile, service: str
) -> None:
    profile(PROFILE)
    from aiobotocore.session import AioSession

    context = AioSession().create_client(
        service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    async with context as theirs, Clients() as clients:
        assert (await clients.get(service)).meta.endpoint_url == theirs.meta.endpoint_url


async def test_configured_endpoints_can_be_ignored_and_then_the_guard_refuses(
    monkeypatch: pytest.MonkeyPatch, profile: Profile
) -> None:
    profile(PROFILE)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:1")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    async with Clients() as clients:
        assert isinstance(await clients.target("sqs"), RefusedEndpoint)
        with pytest.raises(ConfigError, match="real AWS"):
            await clients.get("sqs")


async def test_an_endpoint_for_one_use_comes_first_and_has_its_own_client() -> None:
    async with Clients(AwsSettings(endpoint_url="http://ours:1")) as clients:
        one = await clients.get("lambda", "http://sam:3001")
        assert one.meta.endpoint_url == "http://sam:3001"
        assert one is not await clients.get("lambda")
        assert one is not await clients.get("lambda", "http://sam:3001", region="eu-west-1")


async def test_the_guard_speaks_before_any_client_is_made() -> None:
    async with Clients() as clients:
        with pytest.raises(ConfigError, match=r"sqs has no endpoint.*aws\.real: true"):
            await clients.get("sqs")


async def test_real_aws_when_it_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with Clients(AwsSettings(real=True, region="eu-central-1")) as clients:
        assert await clients.target("sqs") == RealEndpoint()
        client = await clients.get("sqs")
        assert client.meta.endpoint_url == "https://sqs.eu-central-1.amazonaws.com"


# --- region, credentials, account -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "variables", "expected"),
    [
        (AwsSettings(endpoint_url="http://e:1"), {}, "us-east-1"),
        (AwsSettings(endpoint_url="http://e:1"), {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        (AwsSettings(endpoint_url="http://e:1"), {"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}, "us-east-1"),
        (
            AwsSettings(endpoint_url="http://e:1"),
            {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-2"},
            "eu-west-2",
        ),
        (AwsSettings(endpoint_url="http://e:1", region="eu-west-3"), {"AWS_REGION": "eu-west-2"}, "eu-west-3"),
        (AwsSettings(profile="other"), {}, "eu-west-3"),
    ],
)
async def test_region(
    monkeypatch: pytest.MonkeyPatch,
    profile: Profile,
    settings: AwsSettings,
    variables: dict[str, str],
    expected: str,
) -> None:
    profile("[profile other]\nregion = eu-west-3\nendpoint_url = http://other:1\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with Clients(settings) as clients:
        assert await clients.region() == expected
        assert (await clients.get("sqs")).meta.region_name == expected


async def test_real_aws_needs_a_region() -> None:
    async with Clients(AwsSettings(real=True)) as clients:
        with pytest.raises(ConfigError, match="AWS_REGION"):
            await clients.get("sqs")


async def access_key(server: Server, settings: AwsSettings) -> str:
    """The access key with which a request arrives."""
    async with Clients(settings) as clients:
        await (await clients.get("sqs")).list_queues()
    return server.headers[-1]["Authorization"].split("Credential=")[1].split("/")[0]


async def test_an_emulator_gets_test_credentials_when_there_are_none(server: Server) -> None:
    assert await access_key(server, AwsSettings(endpoint_url=server.url)) == "test"


async def test_an_emulator_gets_the_credentials_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111122223333")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert await access_key(server, AwsSettings(endpoint_url=server.url)) == "111122223333"


async def test_our_own_credentials_come_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    settings = AwsSettings(endpoint_url=server.url, access_key_id="ours", secret_access_key="hidden")
    assert await access_key(server, settings) == "ours"
    assert "hidden" not in repr(settings)


async def test_no_credentials_for_real_aws() -> None:
    async with Clients(AwsSettings(real=True, region="us-east-1")) as clients:
        with pytest.raises(ConfigError, match="AWS_ACCESS_KEY_ID"):
            await clients.get("sqs")


async def test_half_of_a_pair_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "only")
    async with Clients(AwsSettings(endpoint_url="http://e:1")) as clients:
        with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY"):
            await clients.get("sqs")


@pytest.mark.parametrize("service", ["sqs", "lambda"])
async def test_a_profile_that_does_not_exist(service: str) -> None:
    async with Clients(AwsSettings(profile="missing")) as clients:
        with pytest.raises(ConfigError, match="missing"):
            await clients.get(service)


async def test_a_service_that_does_not_exist() -> None:
    async with Clients(AwsSettings(endpoint_url="http://e:1")) as clients:
        with pytest.raises(ConfigError, match="sqss"):
            await clients.get("sqss")


@pytest.mark.semantics("CONFIG-40")
@pytest.mark.parametrize(
    ("settings", "key", "expected"),
    [
        (AwsSettings(endpoint_url="http://e:1"), "111122223333", "111122223333"),
        (
            AwsSettings(endpoint_url="http://e:1", access_key_id="444455556666", secret_access_key="s"),
            "",
            "444455556666",
        ),
        (AwsSettings(endpoint_url="http://e:1", account="777788889999"), "111122223333", "777788889999"),
    ],
)
async def test_the_account_that_is_set_or_that_the_key_is(
    monkeypatch: pytest.MonkeyPatch, settings: AwsSettings, key: str, expected: str
) -> None:
    set_key(monkeypatch, key)
    async with Clients(settings) as clients:
        assert await clients.account() == expected


@pytest.mark.semantics("CONFIG-40")
@pytest.mark.parametrize("key", ["", "test"])
async def test_the_account_is_that_of_the_endpoint_s_sts(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    set_key(monkeypatch, key)
    async with sts_stub.serve("210987654321") as url, Clients(AwsSettings(endpoint_url=url)) as clients:
        assert await clients.account() == "210987654321"


@pytest.mark.parametrize("account", ["", "12", "None"])
async def test_an_account_that_is_none_is_not_believed(account: str) -> None:
    async with sts_stub.serve(account) as url, Clients(AwsSettings(endpoint_url=url)) as clients:
        with pytest.raises(SourceRefused, match="STS answers with an invalid account"):
            await clients.account()


async def test_where_sts_is_not_nobody_knows_the_account() -> None:
    async with Clients(AwsSettings(endpoint_url="http://127.0.0.1:1")) as clients:
        with pytest.raises(SourceUnavailable):
            await clients.account()
    async with Clients(AwsSettings(endpoint_urls={"sqs": "http://127.0.0.1:1"})) as clients:
        with pytest.raises(ConfigError, match="sts has no endpoint"):
            await clients.account()


def set_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    if key:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


# --- on the wire ----------------------------------------------------------------------------------------------------


async def test_no_request_is_repeated_by_the_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    server.status = 500
    async with Clients(AwsSettings(endpoint_url=server.url)) as clients:
        with pytest.raises(SourceUnavailable), faults.translating("list"):
            await (await clients.get("sqs")).list_queues()
    assert len(server.headers) == 1


async def test_the_user_agent_is_ours(server: Server) -> None:
    async with Clients(AwsSettings(endpoint_url=server.url)) as clients:
        await (await clients.get("sqs")).list_queues()
    assert server.headers[0]["User-Agent"].startswith("headrace/")
    assert "ua/2" not in server.headers[0]["User-Agent"]  # the one that is put together anew for every call


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_empty_variable_for_authorities_is_unset(
    server: Server, monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    monkeypatch.setenv(variable, " ")
    url = server.url.replace("http:", f"{scheme}:")
    async with Clients(AwsSettings(endpoint_url=url)) as clients:
        client = await clients.get("sqs")
        if scheme == "https":  # a plain server: the handshake is tried, with the usual authorities
            with pytest.raises(SourceUnavailable), faults.translating("list"):
                await client.list_queues()
        else:
            await client.list_queues()


async def test_a_proxy_is_not_asked_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with Clients(AwsSettings(endpoint_url=server.url)) as clients:
        await (await clients.get("sqs")).list_queues()
    assert len(server.headers) == 1


async def test_many_long_polls_leave_room_for_a_delete() -> None:
    polling = anyio.Event()
    polls = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal polls
        body: dict[str, str] = {}
        if request.headers["X-Amz-Target"].endswith("ReceiveMessage"):
            polls += 1
            if polls == 60:
                polling.set()
            await anyio.sleep_forever()
        return web.json_response(body, content_type="application/x-amz-json-1.0")

    async with lambda_stub.serve(answer) as url, Clients(AwsSettings(endpoint_url=url)) as clients:
        sqs = await clients.get("sqs")
        async with anyio.create_task_group() as tasks:
            for _ in range(60):
                tasks.start_soon(lambda: sqs.receive_message(QueueUrl=f"{url}/0/q", WaitTimeSeconds=20))
            await polling.wait()
            await sqs.delete_message(QueueUrl=f"{url}/0/q", ReceiptHandle="r")
            tasks.cancel_scope.cancel()


async def test_numeric_timestamps_stay_numbers() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        record = {
            "SequenceNumber": "1",
            "PartitionKey": "k",
            "Data": "YQ==",
            "ApproximateArrivalTimestamp": 1700000000.123,
        }
        return web.json_response(
            {"Records": [record], "NextShardIterator": "i"}, content_type="application/x-amz-json-1.1"
        )

    async with lambda_stub.serve(answer) as url, Clients(AwsSettings(endpoint_url=url)) as clients:
        (record,) = (await (await clients.get("kinesis")).get_records(ShardIterator="i"))["Records"]
        assert record["ApproximateArrivalTimestamp"] == 1700000000.123


async def test_many_ask_at_once_and_share_one_client() -> None:
    async with Clients(AwsSettings(endpoint_url="http://e:1")) as clients:
        found: list[object] = []

        async def ask() -> None:
            found.append(await clients.get("sqs"))

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(ask)
        assert len(found) == 8
        assert len({id(each) for each in found}) == 1


def test_all_sessions_read_the_descriptions_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unless a variable names other ones in between."""

    def description() -> object:
        opened = session.open_session(None)
        session.load_models(opened, "sqs")
        return opened.get_component("data_loader").load_service_model("sqs", "service-2")

    first = description()
    assert description() is first
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert description() == first
    assert description() is not first


def test_nothing_heavy_is_imported_until_a_client_is_wanted() -> None:
    code = (
        "import json, sys\n"
        "from headrace.config.clients import aws, endpoints, faults, foreign_mappings, queue_urls, retry, session\n"
        "print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"botocore", "aiobotocore", "aiohttp", "tenacity"} & set(json.loads(ran.stdout))
