"""Logins to a real broker, each through a mapping: a right configuration reads a record, a wrong one is reported."""

from __future__ import annotations

import base64
import json
import logging
import traceback
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clients.kafka import BrokerAccess, KafkaConnection, MappingAccess
from headrace.config.clock import SystemClock
from headrace.config.errors import SourceError, SourceRefused, SourceUnavailable
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core.model import Record
from headrace.dispatch.core.observer import Observers
from headrace.pollers.kafka.settings import TopicSettings
from headrace.pollers.kafka.source import KafkaSource
from support.certificates import Authority, Pair
from support.servers import kafka_secured, ministack
from support.servers.kafka_secured import MSK_KEY, NOWHERE, PASSWORD, USER, Issuer, Secured
from support.servers.running import Server

pytestmark = [
    pytest.mark.needs("java", "maven"),
    # aiokafka does not wait for the end of a connection that failed: the loop of the test may be gone before it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TOPIC = "orders"
LOGIN = json.dumps({"username": USER, "password": PASSWORD})
MSK_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module")
def brokers() -> Iterator[Secured]:
    with kafka_secured.start_secured() as secured:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{secured.plain.port}"})
        for future in admin.create_topics([NewTopic(TOPIC, 1, 1), NewTopic("closed", 1, 1)]).values():
            future.result()
        acls = [
            right(ResourceType.TOPIC, "somebody-else", AclOperation.READ),
            right(ResourceType.GROUP, "somebody-else", AclOperation.READ),
            right(ResourceType.TOPIC, USER, AclOperation.DESCRIBE),
        ]
        for future in admin.create_acls(acls).values():
            future.result()
        yield secured


def right(kind: ResourceType, user: str, operation: AclOperation) -> AclBinding:
    """To the topic or group `closed`, which so nobody else has."""
    literal, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    return AclBinding(kind, "closed", literal, f"User:{user}", "*", operation, allow)


@pytest.fixture(scope="module")
def emulator(brokers: Secured) -> Iterator[Server]:
    """Knows secrets, and where the clusters' brokers are."""
    with ministack.start(
        MINISTACK_MSK_BOOTSTRAP=f"127.0.0.1:{brokers.plain.port}",
        MINISTACK_MSK_BOOTSTRAP_TLS=brokers.server("MUTUAL"),
        MINISTACK_MSK_BOOTSTRAP_SASL_SCRAM=brokers.server("SAFE"),
        MINISTACK_MSK_BOOTSTRAP_SASL_IAM=brokers.server("MSK"),
    ) as server:
        yield server


@pytest.fixture
async def clients(request: pytest.FixtureRequest) -> AsyncIterator[Clients]:
    """Of the emulator, where the test has one."""
    endpoint = None
    if "emulator" in request.fixturenames:
        endpoint = request.getfixturevalue("emulator").endpoint_url
    settings = AwsSettings(endpoint_url=endpoint, access_key_id=MSK_KEY, secret_access_key=MSK_SECRET)
    async with Clients(settings) as made:
        yield made


@pytest.fixture
def variables(brokers: Secured) -> dict[str, str]:
    return {"LOGIN": LOGIN, "AUTHORITY": brokers.authority.certificate}


@pytest.fixture
def reach(clients: Clients, variables: dict[str, str], tmp_path: Path) -> Any:
    """The access of a mapping of one listener."""

    def made(brokers: Secured, listener: str, *types: str, **security: Any) -> MappingAccess:
        given = dict(each.partition("=")[::2] for each in types)
        configurations = [{"type": kind, "uri": uri} for kind, uri in given.items()]
        fields = {
            "function": "f",
            "topics": [TOPIC],
            "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": [address(brokers, listener)]}},
            "source_access_configurations": configurations or None,
            "kafka_security": security or None,
        }
        return MappingAccess(EventSourceMapping.model_validate(fields), clients, tmp_path, variables)

    return made


def address(brokers: Secured, listener: str) -> str:
    return f"127.0.0.1:{brokers.plain.port}" if listener == "PLAINTEXT" else brokers.server(listener)


def authority(uri: str = "env:AUTHORITY") -> str:
    return f"SERVER_ROOT_CA_CERTIFICATE={uri}"


async def produce(brokers: Secured, value: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{brokers.plain.port}")
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, value.encode())
    finally:
        await producer.stop()


def source_of(access: BrokerAccess, topic: str = TOPIC, group: str = "", **more: Any) -> KafkaSource:
    settings = TopicSettings(mapping="m", source="s", topic=topic, group=group or f"g-{uuid.uuid4()}", **more)
    return KafkaSource(settings, access, SystemClock(), Observers([]))


async def read(access: BrokerAccess) -> list[Record]:
    """What the reader of a new group gets first."""
    source = source_of(access)
    await source.open()
    reader = await source.reader("poller-1")
    try:
        while True:
            fetched = await reader.fetch(10, None)
            if fetched.records:
                return list(fetched.records)
    finally:
        await reader.aclose()


async def refusal(access: BrokerAccess, topic: str = TOPIC, group: str = "") -> SourceError:
    """Why the topic cannot be opened."""
    with pytest.raises(SourceError) as caught:
        await source_of(access, topic, group).open()
    return caught.value


# --- what logs in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH"])
@pytest.mark.parametrize("listener", ["SAFE", "OPEN"])
@pytest.mark.semantics("KAFKA-SEC-01", "KAFKA-SEC-04")
async def test_user_name_and_password(brokers: Secured, reach: Any, kind: str, listener: str) -> None:
    await produce(brokers, "for whom it may concern")
    if listener == "SAFE":
        access = reach(brokers, "SAFE", f"{kind}=env:LOGIN", authority())
    else:
        access = reach(brokers, "OPEN", f"{kind}=env:LOGIN", protocol="SASL_PLAINTEXT")
    assert await read(access)


@pytest.mark.semantics("KAFKA-SEC-03", "KAFKA-SEC-04")
async def test_a_private_authority(brokers: Secured, reach: Any, tmp_path: Path) -> None:
    await produce(brokers, "x")
    (tmp_path / "authority.json").write_text(json.dumps({"certificate": brokers.authority.certificate}))
    assert await read(reach(brokers, "TLS", authority("file:authority.json")))


def client(pair: Pair, **fields: str) -> str:
    return json.dumps({"certificate": pair.certificate, "privateKey": pair.private_key, **fields})


@pytest.mark.parametrize("form", ["plain", "encrypted", "pem"])
@pytest.mark.semantics("KAFKA-SEC-02", "KAFKA-SEC-04")
async def test_a_client_certificate(brokers: Secured, reach: Any, variables: dict[str, str], form: str) -> None:
    await produce(brokers, "x")
    pair = brokers.clients.pair("me")
    variables["CLIENT"] = {
        "plain": client(pair),
        "encrypted": client(pair, privateKey=pair.encrypted("key password"), privateKeyPassword="key password"),
        "pem": pair.private_key + pair.certificate,
    }[form]
    assert await read(reach(brokers, "MUTUAL", "CLIENT_CERTIFICATE_TLS_AUTH=env:CLIENT", authority()))


@pytest.mark.semantics("KAFKA-SEC-05", "KAFKA-SEC-04")
async def test_a_token_in_a_file(brokers: Secured, reach: Any, tmp_path: Path) -> None:
    await produce(brokers, "x")
    (tmp_path / "token").write_text(brokers.issuer.token() + "\n")
    assert await read(reach(brokers, "OAUTH", authority(), oauth={"token": "file:token"}))


class Endpoint:
    """Gives tokens for client credentials, and counts them."""

    def __init__(self, issuer: Issuer, lifetime: float) -> None:
        self._issuer = issuer
        self._lifetime = lifetime
        self.given = 0

    async def answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        login = request.headers.get("Authorization", "")
        known = "Basic " + base64.b64encode(b"headrace:s3cr3t").decode()
        if login != known or form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "invalid_client"}, status=401)
        self.given += 1
        return web.json_response({"access_token": self._issuer.token(self._lifetime), "expires_in": self._lifetime})


@asynccontextmanager
async def endpoint(issuer: Issuer, lifetime: float = 3600.0) -> AsyncIterator[tuple[Endpoint, str]]:
    """Client `headrace`, secret `s3cr3t`."""
    tokens = Endpoint(issuer, lifetime)
    application = web.Application()
    application.router.add_post("/token", tokens.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield tokens, f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    finally:
        await runner.cleanup()


def asking(url: str) -> dict[str, str]:
    return {"token_endpoint": url, "client_id": "headrace", "client_secret": "env:CLIENT_SECRET", "scope": "kafka"}


@pytest.mark.semantics("KAFKA-SEC-15")
async def test_a_client_of_an_identity_provider(brokers: Secured, reach: Any, variables: dict[str, str]) -> None:
    await produce(brokers, "x")
    async with endpoint(brokers.issuer) as (tokens, url):
        client = {"oauthTokenEndpointUrl": url, "oauthClientId": "headrace", "oauthClientSecret": "s3cr3t"}
        variables["CLIENT"] = json.dumps(client)
        given = ("OAUTHBEARER_AUTH=env:CLIENT", "OAUTHBEARER_SCOPE=kafka", "OAUTHBEARER_LOGICAL_CLUSTER=lkc-1")
        assert await read(reach(brokers, "OAUTH", authority(), *given))
        assert tokens.given


@pytest.mark.semantics("KAFKA-SEC-05")
async def test_tokens_are_renewed_while_records_are_read(
    brokers: Secured, reach: Any, variables: dict[str, str]
) -> None:
    """The broker ends a session with its token: the next connection has a new one."""
    variables["CLIENT_SECRET"] = "s3cr3t"
    async with endpoint(brokers.issuer, lifetime=3) as (tokens, url):
        source = source_of(reach(brokers, "OAUTH", authority(), oauth=asking(url)))
        await source.open()
        reader = await source.reader("poller-1")
        try:
            before = tokens.given
            seen: set[str] = set()
            wanted: set[str] = set()
            while tokens.given < before + 2 or not wanted <= seen:
                if tokens.given >= before + len(wanted):
                    wanted.add(value := f"after {tokens.given} tokens")
                    await produce(brokers, value)
                fetched = await reader.fetch(1000, None)
                seen |= {decoded(record) for record in fetched.records}
        finally:
            await reader.aclose()


def decoded(record: Record) -> str:
    import base64

    return base64.b64decode(str(record.item["value"])).decode()


# --- Amazon MSK, through an emulator --------------------------------------------------------------------------------


@pytest.fixture
async def cluster(clients: Clients, emulator: Server) -> str:
    kafka = await clients.get("kafka")
    made = await kafka.create_cluster(
        ClusterName=f"c-{uuid.uuid4().hex[:8]}",
        KafkaVersion="3.9.0",
        NumberOfBrokerNodes=1,
        BrokerNodeGroupInfo={"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-1"]},
    )
    return str(made["ClusterArn"])


async def secret(clients: Clients, text: str) -> str:
    manager = await clients.get("secretsmanager")
    made = await manager.create_secret(Name=f"AmazonMSK_{uuid.uuid4().hex[:8]}", SecretString=text)
    return str(made["ARN"])


def managed(arn: str, **fields: Any) -> EventSourceMapping:
    return EventSourceMapping.model_validate({"source": arn, "function": "f", "topics": [TOPIC], **fields})


@pytest.mark.parametrize("way", ["none", "scram", "certificate", "iam"])
@pytest.mark.semantics("KAFKA-SEC-04", "KAFKA-SEC-07", "KAFKA-SEC-08")
async def test_a_managed_cluster_is_asked_for_its_brokers(
    brokers: Secured, clients: Clients, cluster: str, way: str, tmp_path: Path
) -> None:
    await produce(brokers, "x")
    kinds = {
        "scram": {"SASL_SCRAM_512_AUTH": LOGIN},
        "certificate": {"CLIENT_CERTIFICATE_TLS_AUTH": client(brokers.clients.pair("me"))},
        "iam": {},
        "none": {},
    }[way]
    if way != "none":
        kinds["SERVER_ROOT_CA_CERTIFICATE"] = json.dumps({"certificate": brokers.authority.certificate})
    given = [{"type": kind, "uri": await secret(clients, text)} for kind, text in kinds.items()]
    mapping = managed(
        cluster, source_access_configurations=given, kafka_security={"msk_iam": True} if way == "iam" else None
    )
    access = MappingAccess(mapping, clients, tmp_path)
    assert await read(access)
    listener = {"none": "PLAINTEXT", "scram": "SAFE", "certificate": "MUTUAL", "iam": "MSK"}[way]
    assert str(await access.connection()) == address(brokers, listener)


@pytest.mark.semantics("KAFKA-SEC-11")
async def test_a_secret_that_is_gone(clients: Clients, cluster: str, tmp_path: Path) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:gone-AbCdEf"
    mapping = managed(cluster, source_access_configurations=[{"type": "SASL_SCRAM_512_AUTH", "uri": arn}])
    error = await refusal(MappingAccess(mapping, clients, tmp_path))
    assert f"read the secret {arn}" in str(error)


# --- what does not --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH"])
@pytest.mark.parametrize("listener", ["SAFE", "OPEN"])
@pytest.mark.semantics("KAFKA-SEC-11")
async def test_a_wrong_password(
    brokers: Secured, reach: Any, variables: dict[str, str], kind: str, listener: str
) -> None:
    variables["LOGIN"] = json.dumps({"username": USER, "password": "wrong"})
    security = {} if listener == "SAFE" else {"protocol": "SASL_PLAINTEXT"}
    types = [f"{kind}=env:LOGIN"] + ([authority()] if listener == "SAFE" else [])
    error = await refusal(reach(brokers, listener, *types, **security))
    assert isinstance(error, SourceRefused)
    assert "the brokers refuse the login" in str(error)
    assert "check user name, password and mechanism" in str(error)


LOGIN_OPEN = ("BASIC_AUTH=env:LOGIN",)
WRONG: list[tuple[str, tuple[str, ...], dict[str, Any], type[SourceError], str]] = [
    ("TLS", (), {"protocol": "SSL"}, SourceRefused, "give it as SERVER_ROOT_CA_CERTIFICATE"),
    ("EXPIRED", (authority(),), {}, SourceRefused, "the brokers' certificate has expired"),
    ("ELSEWHERE", (authority(),), {}, SourceRefused, "is not for this IP address"),
    ("MUTUAL", (authority(),), {}, SourceRefused, "give CLIENT_CERTIFICATE_TLS_AUTH"),
    (
        "MUTUAL",
        (authority(), "CLIENT_CERTIFICATE_TLS_AUTH=env:STRANGER"),
        {},
        SourceRefused,
        "do not accept the client",
    ),
    ("TLS", (), {}, SourceRefused, "the port speaks TLS, but the protocol is without TLS"),
    ("SAFE", LOGIN_OPEN, {"protocol": "SASL_PLAINTEXT"}, SourceRefused, "the port speaks TLS"),
    ("PLAINTEXT", (authority(),), {}, SourceUnavailable, "does the port speak TLS?"),
    ("OPEN", (*LOGIN_OPEN, authority()), {}, SourceUnavailable, "does the port speak TLS?"),
    ("OPEN", (), {}, SourceUnavailable, "does the port want a login, or TLS?"),
    ("PLAINTEXT", LOGIN_OPEN, {"protocol": "SASL_PLAINTEXT"}, SourceRefused, "the listener has no login"),
    ("OAUTH", (*LOGIN_OPEN, authority()), {}, SourceRefused, "does not know the mechanism PLAIN"),
    ("OAUTH", (authority(),), {"oauth": {"token": "env:FORGED"}}, SourceRefused, "does not accept the token"),
]


@pytest.mark.parametrize(("listener", "types", "security", "kind", "text"), WRONG)
@pytest.mark.semantics("KAFKA-SEC-03", "KAFKA-SEC-06", "KAFKA-SEC-11")
async def test_what_is_wrong_is_said(
    brokers: Secured,
    reach: Any,
    variables: dict[str, str],
    listener: str,
    types: tuple[str, ...],
    security: dict[str, Any],
    kind: type[SourceError],
    text: str,
) -> None:
    variables["STRANGER"] = client(Authority("strangers").pair("me"))
    variables["FORGED"] = Issuer().token()
    error = await refusal(reach(brokers, listener, *types, **security))
    assert type(error) is kind
    assert text in str(error)
    assert "\n" not in str(error)


@pytest.mark.semantics("KAFKA-SEC-11")
async def test_another_host_name(brokers: Secured, reach: Any) -> None:
    connection = await reach(brokers, "TLS", authority()).connection()
    named = KafkaConnection((f"localhost:{brokers.ports['TLS']}",), "SSL", tls=connection.tls)
    error = await refusal(named)
    assert isinstance(error, SourceRefused)
    assert "for another host name" in str(error)


@pytest.mark.semantics("KAFKA-SEC-11")
async def test_a_group_of_somebody_else(brokers: Secured, reach: Any) -> None:
    error = await refusal(reach(brokers, "SAFE", "SASL_SCRAM_512_AUTH=env:LOGIN", authority()), group="closed")
    assert isinstance(error, SourceRefused)
    assert "not allowed: closed; give this user the rights on the consumer group" in str(error)


@pytest.mark.semantics("KAFKA-SEC-11")
async def test_a_topic_of_somebody_else(brokers: Secured, reach: Any) -> None:
    error = await refusal(reach(brokers, "SAFE", "SASL_SCRAM_512_AUTH=env:LOGIN", authority()), "closed")
    assert isinstance(error, SourceRefused)
    assert "not allowed" in str(error)
    assert "give this user the rights on the topic (Read and Describe" in str(error)


@pytest.mark.parametrize(
    ("server", "text"),
    [("127.0.0.1:1", "no server listens there"), ("kafka.invalid:9092", "the host name is not known")],
)
@pytest.mark.semantics("KAFKA-SEC-12")
async def test_brokers_that_are_not_there(server: str, text: str) -> None:
    error = await refusal(KafkaConnection((server,)))
    assert isinstance(error, SourceUnavailable)
    assert text in str(error)


@pytest.mark.semantics("KAFKA-SEC-12")
async def test_brokers_that_are_elsewhere(brokers: Secured) -> None:
    """What a broker in a container says of itself, for one."""
    connection = KafkaConnection((brokers.server("AWAY"),))
    error = await connection.explain(KafkaConnectionError("no way"), "reach topic orders")
    assert isinstance(error, SourceUnavailable)
    assert (
        f"the brokers give the address {NOWHERE} (their advertised.listeners), but the connection to it fails: no"
        in str(error)
    )


@pytest.mark.semantics("KAFKA-SEC-11", "KAFKA-SEC-13")
async def test_a_look_at_brokers_whom_a_started_client_says_nothing_of(
    brokers: Secured, reach: Any, variables: dict[str, str]
) -> None:
    access = reach(brokers, "SAFE", "SASL_SCRAM_512_AUTH=env:LOGIN", authority())
    assert await access.look("read topic orders") is None
    variables["LOGIN"] = json.dumps({"username": USER, "password": "new"})
    assert await access.look("read topic orders") is None
    await access.explain(KafkaConnectionError("no way"), "reach topic orders")
    failure = await access.look("read topic orders")
    assert isinstance(failure, SourceRefused)
    assert str(failure).startswith("read topic orders: the brokers refuse the login")
    variables["LOGIN"] = LOGIN
    assert await access.look("read topic orders") is None


@pytest.mark.semantics("KAFKA-SEC-13")
async def test_a_changed_password_is_read_after_a_refusal(
    brokers: Secured, reach: Any, variables: dict[str, str]
) -> None:
    variables["LOGIN"] = json.dumps({"username": USER, "password": "old"})
    access = reach(brokers, "SAFE", "SASL_SCRAM_512_AUTH=env:LOGIN", authority())
    assert isinstance(await refusal(access), SourceRefused)
    variables["LOGIN"] = LOGIN
    await produce(brokers, "x")
    assert await read(access)


@pytest.mark.semantics("KAFKA-SEC-11", "KAFKA-SEC-13")
async def test_a_password_that_is_changed_while_records_are_read(
    brokers: Secured, reach: Any, variables: dict[str, str]
) -> None:
    """A started client goes on trying and says nothing; the source does, and opens again with the new secret."""
    set_password(brokers, "changing", "one")
    variables["LOGIN"] = json.dumps({"username": "changing", "password": "one"})
    access = reach(brokers, "SAFE", "SASL_SCRAM_512_AUTH=env:LOGIN", authority())
    source = source_of(access, look=0.1)
    await source.open()
    set_password(brokers, "changing", "two")
    with pytest.raises(SourceRefused, match="the brokers refuse the login"):
        await source.watch(lambda: None)
    variables["LOGIN"] = json.dumps({"username": "changing", "password": "two"})
    await source.open()


def set_password(brokers: Secured, user: str, password: str) -> None:
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{brokers.plain.port}"})
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    alteration = UserScramCredentialUpsertion(user, info, password.encode())
    for future in admin.alter_user_scram_credentials([alteration]).values():
        future.result()


# --- what is kept to ourselves --------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-SEC-09")
async def test_no_secret_is_shown(
    brokers: Secured,
    reach: Any,
    variables: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Logins of each kind, that succeed and that fail, with every library at its most talkative."""
    caplog.set_level(logging.DEBUG)
    pair, forged = brokers.clients.pair("me"), Issuer().token()
    variables |= {
        "CLIENT": client(pair, privateKey=pair.encrypted("key password"), privateKeyPassword="key password"),
        "BAD": json.dumps({"username": USER, "password": "not the password"}),
        "TOKEN": brokers.issuer.token(),
        "FORGED": forged,
        "CLIENT_SECRET": "s3cr3t",
    }
    secrets = [PASSWORD, "key password", "not the password", variables["TOKEN"], forged, "s3cr3t"]
    secrets += [line for line in pair.private_key.splitlines() if not line.startswith("-")]
    async with endpoint(brokers.issuer) as (_, url):
        accesses = [
            reach(brokers, "SAFE", "BASIC_AUTH=env:LOGIN", authority()),
            reach(brokers, "SAFE", "SASL_SCRAM_256_AUTH=env:LOGIN", authority()),
            reach(brokers, "OPEN", "BASIC_AUTH=env:BAD", protocol="SASL_PLAINTEXT"),
            reach(brokers, "SAFE", "SASL_SCRAM_512_AUTH=env:BAD", authority()),
            reach(brokers, "MUTUAL", "CLIENT_CERTIFICATE_TLS_AUTH=env:CLIENT", authority()),
            reach(brokers, "TLS", "CLIENT_CERTIFICATE_TLS_AUTH=env:CLIENT"),
            reach(brokers, "OAUTH", authority(), oauth={"token": "env:TOKEN"}),
            reach(brokers, "OAUTH", authority(), oauth={"token": "env:FORGED"}),
            reach(brokers, "OAUTH", authority(), oauth=asking(url)),
        ]
        shown = [await everything_about(access) for access in accesses]
    out, err = capfd.readouterr()
    text = "\n".join([*shown, caplog.text, out, err])
    assert "aiokafka" in caplog.text
    assert [secret for secret in secrets if secret in text or repr(secret.encode())[2:-1] in text] == []


async def everything_about(access: MappingAccess) -> str:
    shown = [repr(access), str(access), repr(vars(access))]
    try:
        await read(access)
    except SourceError as error:
        shown.append("".join(traceback.format_exception(error)) + repr(error))
    connection = await access.connection()
    return "\n".join([*shown, repr(connection), str(connection)])
