"""How a Kafka mapping's words become a connection: rules, secrets, certificates, tokens, and what failures mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
import yaml
from aiohttp import web
from aiokafka import errors as kafka

from headrace.config import rules
from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clients.kafka import KafkaConnection, MappingAccess, msk, servers_of, tls, tokens, translate
from headrace.config.clients.kafka.secrets import Certificate, Secrets
from headrace.config.errors import SourceError, SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.fields import kafka_security, schema_registry
from headrace.config.fields.kafka_mapping import KafkaOauth
from headrace.config.fields.kafka_security import OauthClient, SecurityPlan, plan, violations
from headrace.config.mapping import EventSourceMapping
from headrace.config.reasons import Reason, ReasonCode
from support.certificates import Authority
from support.configs import problems, with_mapping

ROOT = Path(__file__).parents[2]
CLUSTER = "arn:aws:kafka:eu-central-1:000000000000:cluster/orders/0b1d8c5e-0000-4000-8000-000000000000-1"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:AmazonMSK_orders-AbCdEf"
CLIENT = {"token_endpoint": "http://localhost:1/token", "client_id": "c", "client_secret": "env:S"}


def mapping(*types: str, arn: str = "", servers: list[str] | None = None, **security: Any) -> EventSourceMapping:
    """Of self-managed brokers, or of a managed cluster with these servers."""
    fields: dict[str, Any] = {"function": "f", "topics": ["orders"], "kafka_security": security or None}
    given = [each.partition("=") for each in types]
    fields["source_access_configurations"] = [
        {"type": kind, "uri": uri or (None if kind.startswith("IAM_") or equals else SECRET)}
        for kind, equals, uri in given
    ]
    if arn:
        fields |= {"source": arn, "bootstrap_servers": servers}
    else:
        endpoints = {"kafka_bootstrap_servers": servers or ["localhost:9092"]}
        fields["self_managed_event_source"] = {"endpoints": endpoints}
    return EventSourceMapping.model_validate(fields)


# --- what is meant --------------------------------------------------------------------------------------------------

MEANT: list[tuple[EventSourceMapping, str, str]] = [
    (mapping(), "PLAINTEXT", ""),
    (mapping("BASIC_AUTH"), "SASL_SSL", "PLAIN"),
    (mapping("SASL_SCRAM_256_AUTH"), "SASL_SSL", "SCRAM-SHA-256"),
    (mapping("SASL_SCRAM_512_AUTH", "SERVER_ROOT_CA_CERTIFICATE"), "SASL_SSL", "SCRAM-SHA-512"),
    (mapping("BASIC_AUTH", protocol="SASL_PLAINTEXT"), "SASL_PLAINTEXT", "PLAIN"),
    (mapping("CLIENT_CERTIFICATE_TLS_AUTH"), "SSL", ""),
    (mapping("SERVER_ROOT_CA_CERTIFICATE"), "SSL", ""),
    (mapping("VPC_SUBNET=subnet:subnet-1", "VPC_SECURITY_GROUP=security_group:sg-1"), "PLAINTEXT", ""),
    (mapping(oauth={"token": "file:t"}), "SASL_SSL", "OAUTHBEARER"),
    (mapping(oauth=CLIENT, protocol="SASL_PLAINTEXT"), "SASL_PLAINTEXT", "OAUTHBEARER"),
    (mapping(protocol="SSL"), "SSL", ""),
    (mapping("SASL_SCRAM_512_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH"), "SASL_SSL", "SCRAM-SHA-512"),
    (mapping(arn=CLUSTER), "PLAINTEXT", ""),
    (mapping(arn=CLUSTER, servers=["b-1:9092"]), "PLAINTEXT", ""),
    (mapping(arn=CLUSTER, servers=["b-1:9094"]), "SSL", ""),
    (mapping(arn=CLUSTER, servers=["b-1:9098"]), "SASL_SSL", "OAUTHBEARER"),
    (mapping(arn=CLUSTER, servers=["b-1:9098"], msk_iam=False), "PLAINTEXT", ""),
    (mapping(arn=CLUSTER, msk_iam=True), "SASL_SSL", "OAUTHBEARER"),
    (mapping("SASL_SCRAM_512_AUTH", arn=CLUSTER, servers=["b-1:9096"]), "SASL_SSL", "SCRAM-SHA-512"),
    (mapping(servers=["b-1:9098"]), "PLAINTEXT", ""),
    (mapping("OAUTHBEARER_AUTH"), "SASL_SSL", "OAUTHBEARER"),
    (mapping("OAUTHBEARER_AUTH=env:S", "OAUTHBEARER_SCOPE=kafka:read kafka:write"), "SASL_SSL", "OAUTHBEARER"),
    (mapping("OAUTHBEARER_AUTH", protocol="SASL_PLAINTEXT"), "SASL_PLAINTEXT", "OAUTHBEARER"),
    (mapping("IAM_AUTH"), "SASL_SSL", "OAUTHBEARER"),
    (mapping("IAM_AUTH", "SERVER_ROOT_CA_CERTIFICATE"), "SASL_SSL", "OAUTHBEARER"),
]


@pytest.mark.parametrize(("given", "protocol", "mechanism"), MEANT)
@pytest.mark.semantics("KAFKA-SEC-01", "KAFKA-SEC-07", "KAFKA-SEC-10")
def test_what_a_mapping_means(given: EventSourceMapping, protocol: str, mechanism: str) -> None:
    assert list(violations(given)) == []
    meant = plan(given)
    assert (meant.protocol, meant.mechanism) == (protocol, mechanism)


REFUSED: list[tuple[EventSourceMapping, str, str]] = [
    (
        mapping("BASIC_AUTH", "SASL_SCRAM_512_AUTH"),
        "source_access",
        "2 ways to log in: BASIC_AUTH, SASL_SCRAM_512_AUTH",
    ),
    (mapping("BASIC_AUTH", oauth={"token": "env:T"}), "source_access", "BASIC_AUTH, kafka_security.oauth"),
    (mapping("SASL_SCRAM_512_AUTH", arn=CLUSTER, msk_iam=True), "source_access", "kafka_security.msk_iam"),
    (mapping("BASIC_AUTH", "BASIC_AUTH"), "source_access", "BASIC_AUTH is given 2 times"),
    (mapping("BASIC_AUTH", arn=CLUSTER), "source_access", "Amazon MSK does not support BASIC_AUTH"),
    (mapping("SASL_SCRAM_256_AUTH", arn=CLUSTER), "source_access", "Amazon MSK does not support SASL_SCRAM_256_AUTH"),
    (mapping(arn=CLUSTER, oauth={"token": "env:T"}), "kafka_security", "no OAUTHBEARER tokens except those of IAM"),
    (mapping(msk_iam=True), "kafka_security", "msk_iam needs the cluster's ARN"),
    (mapping("VIRTUAL_HOST=/"), "source_access", "VIRTUAL_HOST is for RabbitMQ"),
    (mapping("VPC_SUBNET=sn-1"), "source_access", "must begin with 'subnet:'"),
    (mapping("BASIC_AUTH=hunter2"), "source_access", "the uri does not say where the secret is"),
    (mapping("BASIC_AUTH=file:"), "source_access", "names no file"),
    (mapping("BASIC_AUTH=env:1A"), "source_access", "names no variable"),
    (mapping("BASIC_AUTH=arn:aws:sqs:us-east-1:000000000000:q"), "source_access", "is no secret of Secrets Manager"),
    (mapping("BASIC_AUTH", protocol="PLAINTEXT"), "kafka_security", "has no login, and BASIC_AUTH is one"),
    (mapping("BASIC_AUTH", protocol="SSL"), "kafka_security", "has no login, and BASIC_AUTH is one"),
    (mapping(protocol="SASL_SSL"), "kafka_security", "SASL_SSL needs a login"),
    (mapping("SERVER_ROOT_CA_CERTIFICATE", protocol="PLAINTEXT"), "kafka_security", "has no certificates"),
    (
        mapping("BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", protocol="SASL_PLAINTEXT"),
        "kafka_security",
        "has no certificates",
    ),
    (mapping(arn=CLUSTER, msk_iam=True, protocol="SASL_PLAINTEXT"), "kafka_security", "msk_iam needs the protocol"),
    (mapping(arn=CLUSTER, servers=["b-1:9098"], protocol="SSL"), "kafka_security", "and MSK's IAM is one"),
    (mapping(oauth={"scope": "s"}), "kafka_security", "does not say where the token comes from"),
    (mapping(oauth={"client_id": "c"}), "kafka_security", "does not say where the token comes from"),
    (mapping(oauth={**CLIENT, "token": "env:T"}), "kafka_security", "has both a token and a client"),
    (mapping(oauth={"token": "hunter2"}), "kafka_security", "oauth.token does not say where the secret is"),
    (mapping(oauth={**CLIENT, "client_secret": "hunter2"}), "kafka_security", "oauth.client_secret does not say where"),
    (mapping("OAUTHBEARER_AUTH", "BASIC_AUTH"), "source_access", "2 ways to log in: OAUTHBEARER_AUTH, BASIC_AUTH"),
    (mapping("OAUTHBEARER_AUTH", oauth={"token": "env:T"}), "source_access", "OAUTHBEARER_AUTH, kafka_security.oauth"),
    (
        mapping("OAUTHBEARER_AUTH=hunter2"),
        "source_access",
        "OAUTHBEARER_AUTH: the uri does not say where the secret is",
    ),
    (mapping("OAUTHBEARER_AUTH="), "source_access", "OAUTHBEARER_AUTH has no uri"),
    (mapping("OAUTHBEARER_AUTH", "OAUTHBEARER_SCOPE="), "source_access", "OAUTHBEARER_SCOPE has no uri"),
    (mapping("OAUTHBEARER_SCOPE=s"), "source_access", "OAUTHBEARER_SCOPE needs OAUTHBEARER_AUTH"),
    (mapping("BASIC_AUTH", "OAUTHBEARER_AUDIENCE=a"), "source_access", "OAUTHBEARER_AUDIENCE needs OAUTHBEARER_AUTH"),
    (mapping("OAUTHBEARER_LOGICAL_CLUSTER=lkc-1"), "source_access", "OAUTHBEARER_LOGICAL_CLUSTER needs OAUTHBEARER"),
    (mapping("OAUTHBEARER_IDENTITY_POOL=p"), "source_access", "OAUTHBEARER_IDENTITY_POOL needs OAUTHBEARER_AUTH"),
    (mapping("OAUTHBEARER_AUTH", arn=CLUSTER), "source_access", "Amazon MSK does not support OAUTHBEARER_AUTH"),
    (mapping("IAM_AUTH", arn=CLUSTER), "source_access", "Amazon MSK does not support IAM_AUTH"),
    (mapping("IAM_AUTH=env:X"), "source_access", "IAM_AUTH has no uri: AWS signs"),
    (
        mapping("IAM_OAUTHBEARER_AUTH", "OAUTHBEARER_AUDIENCE=a"),
        "source_access",
        "IAM_OAUTHBEARER_AUTH is not supported: it needs a web identity token",
    ),
    (mapping(arn=CLUSTER, servers=["b-1"]), "bootstrap_servers", "'b-1' is no broker"),
    (mapping(servers=["http://b-1:9092"]), "self_managed_event_source", "is no broker"),
    (mapping(servers=["b-1:0"]), "self_managed_event_source", "is no broker"),
]


@pytest.mark.parametrize(("given", "field", "text"), REFUSED)
@pytest.mark.semantics("KAFKA-SEC-09", "KAFKA-SEC-10")
def test_what_is_refused(given: EventSourceMapping, field: str, text: str) -> None:
    ((found, what, hint),) = violations(given)
    assert found.startswith(field)
    assert text in what
    assert "hunter2" not in what + hint


@pytest.mark.semantics("KAFKA-SEC-10")
def test_servers_of_a_mapping_that_has_them_already() -> None:
    given = mapping().model_copy(update={"bootstrap_servers": ["b-1:9092"]})
    assert [field for field, _, _ in violations(given)] == ["bootstrap_servers"]


@pytest.mark.parametrize("kind", ["BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE"])
@pytest.mark.semantics("KAFKA-SEC-10")
def test_where_the_secrets_of_a_schema_registry_are(kind: str) -> None:
    def violated(uri: str) -> list[str]:
        registry = {
            "schema_registry_uri": "https://registry",
            "event_record_format": "JSON",
            "schema_validation_configs": [{"attribute": "VALUE"}],
        }
        config = {"schema_registry_config": {**registry, "access_configs": [{"type": kind, "uri": uri}]}}
        fields = {**mapping().model_dump(), "self_managed_kafka_event_source_config": config}
        return [what for _, what, _ in schema_registry.violations(EventSourceMapping.model_validate(fields))]

    assert violated("env:REGISTRY") == []
    assert violated("hunter2") == [
        f"schema_registry_config: access_configs: {kind}: the uri does not say where the secret is"
    ]


@pytest.mark.semantics("KAFKA-SEC-14")
def test_networks_have_no_effect() -> None:
    given = mapping("VPC_SUBNET=subnet:subnet-1", "VPC_SUBNET=subnet:subnet-2")
    assert [note.what for note in rules.notes(given)] == ["VPC_SUBNET is recorded and has no effect here"]


@pytest.mark.parametrize("uri", ["hunter2 & more", "hunter2" * 40, {"password": "hunter2"}])
@pytest.mark.semantics("KAFKA-SEC-09")
def test_a_secret_in_the_place_of_its_uri_is_not_repeated(uri: object, tmp_path: Path) -> None:
    given = [{"type": "BASIC_AUTH", "uri": uri}]
    for security in ({"oauth": {"token": uri}}, {"oauth": {"client_secret": uri}}):
        fields = {"topics": ["t"], "source_access_configurations": given, "kafka_security": security}
        found = problems(with_mapping(tmp_path, source=CLUSTER, **fields))
        assert len(found) == 2
        assert "hunter2" not in "".join(found)


def shown(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


OWN_CLUSTER = "self_managed_event_source: {endpoints: {kafka_bootstrap_servers: [localhost:9092]}}\n"
EXAMPLES = [*shown("kafka-logins.md"), *(OWN_CLUSTER + text for text in shown("kafka-schemas.md"))]


@pytest.mark.parametrize("text", EXAMPLES)
@pytest.mark.semantics("KAFKA-SEC-10")
def test_what_the_documents_show_is_allowed(text: str) -> None:
    given = EventSourceMapping.model_validate({"function": "f", "topics": ["orders"], **yaml.safe_load(text)})
    assert rules.check(given, 0.0) == []


# --- secrets --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    """Nothing is reached, and without an endpoint AWS is refused."""
    async with Clients(AwsSettings(access_key_id="AKIDEXAMPLE", secret_access_key="wJalrXUtnFEMI")) as made:
        yield made


def secrets_of(clients: Clients, base: Path, **variables: str) -> Secrets:
    return Secrets(clients, base, variables)


@pytest.mark.semantics("KAFKA-SEC-04")
async def test_where_secrets_come_from(clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "login.json").write_text(json.dumps({"username": "u", "password": "p", "more": 1}))
    secrets = secrets_of(clients, tmp_path, LOGIN='{"username":"v","password":"q"}')
    in_file = await secrets.credentials("file:login.json")
    absolute = await secrets.credentials(f"file:{tmp_path}/login.json")
    in_variable = await secrets.credentials("env:LOGIN")
    assert (in_file.username, in_file.password) == ("u", "p")
    assert absolute == in_file
    assert (in_variable.username, in_variable.password) == ("v", "q")


BROKEN: list[tuple[str, type[SourceError], str]] = [
    ("env:GONE", SourceRefused, "the variable GONE, which should contain a secret, is not set"),
    ("env:BLANK", SourceRefused, "the variable BLANK"),
    ("env:WORD", SourceRefused, 'is not the required JSON: {"username": …, "password": …}'),
    ("env:LIST", SourceRefused, "is not the required JSON"),
    ("env:HALF", SourceRefused, "has no password"),
    ("env:NUMBER", SourceRefused, "has no password"),
    ("file:gone", SourceMissing, "gone, which should contain a secret, does not exist"),
    ("file:.", SourceUnavailable, "cannot be read: Is a directory"),
    ("file:binary", SourceRefused, "is not UTF-8 text"),
    ("file:large", SourceRefused, "is larger than"),
    ("hunter2", SourceRefused, "does not say where the secret is"),
    (SECRET, SourceRefused, "cannot be read"),
]


@pytest.mark.parametrize(("uri", "kind", "text"), BROKEN)
@pytest.mark.semantics("KAFKA-SEC-04", "KAFKA-SEC-09")
async def test_secrets_that_cannot_be_used(
    clients: Clients, tmp_path: Path, uri: str, kind: type[SourceError], text: str
) -> None:
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    (tmp_path / "large").write_bytes(b"hunter2" * 10_000)
    variables = {
        "BLANK": " ",
        "WORD": "hunter2",
        "LIST": '["hunter2"]',
        "HALF": '{"username": "hunter2"}',
        "NUMBER": '{"username": "hunter2", "password": 1}',
    }
    with pytest.raises(SourceError) as caught:
        await secrets_of(clients, tmp_path, **variables).credentials(uri)
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert "hunter2" not in str(caught.value)


# --- certificates ---------------------------------------------------------------------------------------------------


def test_tls_checks_names() -> None:
    made = tls.context(Authority("brokers").certificate)
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert len(made.get_ca_certs()) == 1


@pytest.mark.semantics("KAFKA-SEC-02")
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("no password", "is encrypted, and there is no privateKeyPassword"),
        ("wrong password", "does not open with its privateKeyPassword"),
        ("other key", "the private key belongs to another certificate"),
        ("no key", "must be PEM"),
    ],
)
def test_client_certificates_that_cannot_be_used(change: str, text: str) -> None:
    authority = Authority("clients")
    pair = authority.pair("me")
    given = {
        "no password": Certificate(pair.certificate, pair.encrypted("hunter2")),
        "wrong password": Certificate(pair.certificate, pair.encrypted("hunter2"), "hunter3"),
        "other key": Certificate(pair.certificate, authority.pair("me").private_key),
        "no key": Certificate(pair.certificate, "hunter2"),
    }[change]
    with pytest.raises(SourceRefused, match="the client's certificate cannot be used") as caught:
        tls.context(None, given)
    assert text in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_an_authority_that_is_none() -> None:
    with pytest.raises(SourceRefused, match="the certificate of the brokers' authority is not PEM"):
        tls.context("-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n")


# --- tokens ---------------------------------------------------------------------------------------------------------


class Source:
    """Gives token after token, each for `lifetime` seconds, until it fails."""

    def __init__(self, lifetime: float | None) -> None:
        self.now = 1_000.0
        self.lifetime = lifetime
        self.given = 0
        self.failure: SourceError | None = None

    async def ask(self) -> tokens.Token:
        if self.failure:
            raise self.failure
        self.given += 1
        return tokens.Token(f"token {self.given}", None if self.lifetime is None else self.now + self.lifetime)

    def renewed(self) -> tokens.Renewed:
        return tokens.Renewed(self.ask, lambda: self.now)


@pytest.mark.parametrize(("lifetime", "kept"), [(3600.0, 3540.0), (900.0, 840.0), (10.0, 8.0)])
@pytest.mark.semantics("KAFKA-SEC-05")
async def test_a_token_is_renewed_before_it_expires(lifetime: float, kept: float) -> None:
    source = Source(lifetime)
    renewed = source.renewed()
    assert await renewed.token() == "token 1"
    source.now += kept - 0.1
    assert await renewed.token() == "token 1"
    source.now += 0.1
    assert await renewed.token() == "token 2"


@pytest.mark.semantics("KAFKA-SEC-05")
async def test_a_token_of_which_nobody_says_how_long_it_lasts_is_asked_for_each_time() -> None:
    source = Source(None)
    renewed = source.renewed()
    assert [await renewed.token(), await renewed.token()] == ["token 1", "token 2"]


@pytest.mark.semantics("KAFKA-SEC-05")
async def test_a_token_that_still_holds_survives_a_failed_renewal() -> None:
    source = Source(100.0)
    renewed = source.renewed()
    await renewed.token()
    source.failure = SourceUnavailable("down")
    source.now += 99.0
    assert await renewed.token() == "token 1"
    source.now += 1.0
    with pytest.raises(SourceUnavailable):
        await renewed.token()


async def test_a_token_that_has_expired_already() -> None:
    with pytest.raises(SourceRefused, match="has expired"):
        await Source(-1.0).renewed().token()


async def test_aiokafka_gets_a_failure_that_it_survives() -> None:
    source = Source(1.0)
    source.failure = SourceRefused("the token endpoint answers 401")
    provider = tokens.provider(source.renewed())
    with pytest.raises(kafka.KafkaConnectionError) as caught:
        await provider.token()
    assert translate(caught.value, "reach x").args == ("reach x: the token endpoint answers 401",)
    assert isinstance(translate(caught.value, "reach x"), SourceRefused)


def test_a_reason_keeps_its_code_through_the_client() -> None:
    error = kafka.KafkaConnectionError("no token")
    error.__cause__ = SourceRefused("the variable T is not set", ReasonCode.SECRET_UNUSABLE)
    reason = translate(error, "reach x").reason
    assert reason == Reason(ReasonCode.SECRET_UNUSABLE, "reach x: the variable T is not set")


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("text", "expires"), [(jwt(exp=17), 17.0), (jwt(), None), (jwt(exp="x"), None), ("opaque", None), ("a.b.c", None)]
)
def test_when_a_token_expires(text: str, expires: float | None) -> None:
    assert tokens.expiry(text) == expires


@asynccontextmanager
async def endpoint(status: int, body: str) -> AsyncIterator[tuple[str, list[Mapping[str, Any]]]]:
    """A token endpoint with one answer, and what it was asked."""
    asked: list[Mapping[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append({"login": request.headers.get("Authorization"), **await request.post()})
        return web.Response(status=status, text=body)

    application = web.Application()
    application.router.add_post("/token", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token", asked
    finally:
        await runner.cleanup()


@pytest.mark.semantics("KAFKA-SEC-05")
async def test_client_credentials(clients: Clients, tmp_path: Path) -> None:
    async with endpoint(200, '{"access_token": "abc", "expires_in": 300, "token_type": "bearer"}') as (url, asked):
        oauth = KafkaOauth(token_endpoint=url, client_id="me", client_secret="env:S", scope="a b")
        assert await tokens.asked_of(oauth, secrets_of(clients, tmp_path, S="s3cr3t\n")).token() == "abc"
    login = "Basic " + base64.b64encode(b"me:s3cr3t").decode()
    assert asked == [{"login": login, "grant_type": "client_credentials", "scope": "a b"}]


IDENTITY = {"oauthTokenEndpointUrl": "https://idp/token", "oauthClientId": "me", "oauthClientSecret": "s3cr3t"}


@pytest.mark.semantics("KAFKA-SEC-15")
async def test_a_client_that_a_secret_describes(clients: Clients, tmp_path: Path) -> None:
    given = mapping("OAUTHBEARER_AUTH=file:client", "OAUTHBEARER_SCOPE=a b", "OAUTHBEARER_AUDIENCE=kafka")
    client = plan(given).oauth
    assert isinstance(client, OauthClient)
    async with endpoint(200, '{"access_token": "abc", "expires_in": 0.1}') as (url, asked):
        secret = tmp_path / "client"
        secret.write_text(json.dumps(IDENTITY | {"oauthTokenEndpointUrl": url}))
        renewed = tokens.granted_to(client, secrets_of(clients, tmp_path))
        assert await renewed.token() == "abc"
        secret.write_text(json.dumps(IDENTITY | {"oauthTokenEndpointUrl": url, "oauthClientSecret": "n3w"}))
        while len(asked) < 2:
            await renewed.token()
    assert asked == [
        {
            "login": "Basic " + base64.b64encode(f"me:{password}".encode()).decode(),
            "grant_type": "client_credentials",
            "scope": "a b",
            "audience": "kafka",
        }
        for password in ("s3cr3t", "n3w")
    ]


@pytest.mark.semantics("KAFKA-SEC-15")
async def test_what_brokers_are_told_besides_a_token() -> None:
    given = mapping("OAUTHBEARER_AUTH", "OAUTHBEARER_LOGICAL_CLUSTER=lkc-1", "OAUTHBEARER_IDENTITY_POOL=pool-2")
    client = plan(given).oauth
    assert isinstance(client, OauthClient)

    async def ask() -> tokens.Token:
        return tokens.Token("abc")

    from aiokafka import conn

    told = conn.OAuthAuthenticator(sasl_oauth_token_provider=tokens.provider(tokens.Renewed(ask), client.extensions))
    message, _ = await told.step(None)
    assert message == b"n,,\x01auth=Bearer abc\x01logicalCluster=lkc-1\x01identityPoolId=pool-2\x01\x01"


SPOILT: list[tuple[dict[str, str], str]] = [
    (
        {"oauthClientSecret": "", "oauthPrivateKey": "s3cr3t"},
        "has oauthPrivateKey, and Headrace does not sign assertions",
    ),
    ({"oauthPrivateKey": "k", "oauthClientEmail": "e"}, "which are of two grant types: keep one"),
    ({"oauthClientSecret": ""}, "has no oauthClientSecret"),
    ({"oauthTokenEndpointUrl": "s3cr3t"}, "has an oauthTokenEndpointUrl that is not a URL"),
    ({"oauthIdpCaCertificate": "s3cr3t"}, "oauthIdpCaCertificate is not PEM"),
]


@pytest.mark.parametrize(("changed", "text"), SPOILT)
@pytest.mark.semantics("KAFKA-SEC-09", "KAFKA-SEC-15")
async def test_secrets_that_describe_no_client(
    clients: Clients, tmp_path: Path, changed: dict[str, str], text: str
) -> None:
    secrets = secrets_of(clients, tmp_path, CLIENT=json.dumps(IDENTITY | changed))
    with pytest.raises(SourceRefused) as refused:
        await tokens.granted_to(OauthClient("env:CLIENT"), secrets).token()
    assert text in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


ANSWERS: list[tuple[int, str, type[SourceError], str]] = [
    (401, '{"error": "invalid_client"}', SourceRefused, "answers 401 (invalid_client): check client_id, client_secret"),
    (400, '{"error": "your secret s3cr3t is wrong"}', SourceRefused, "answers 400: check"),
    (302, "", SourceRefused, "answers 302"),
    (404, "<html>", SourceRefused, "answers 404"),
    (503, "", SourceUnavailable, "answers 503"),
    (429, "", SourceUnavailable, "answers 429"),
    (200, "<html>", SourceRefused, "without an access_token"),
    (200, '{"access_token": ""}', SourceRefused, "without an access_token"),
]


@pytest.mark.parametrize(("status", "body", "kind", "text"), ANSWERS)
@pytest.mark.semantics("KAFKA-SEC-09", "KAFKA-SEC-11")
async def test_token_endpoints_that_refuse(
    clients: Clients, tmp_path: Path, status: int, body: str, kind: type[SourceError], text: str
) -> None:
    async with endpoint(status, body) as (url, _):
        oauth = KafkaOauth(token_endpoint=url, client_id="me", client_secret="env:S")
        with pytest.raises(SourceError) as caught:
            await tokens.asked_of(oauth, secrets_of(clients, tmp_path, S="s3cr3t")).token()
    assert type(caught.value) is kind
    assert text in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


async def test_a_token_endpoint_that_is_not_there(clients: Clients, tmp_path: Path) -> None:
    oauth = KafkaOauth(token_endpoint="http://127.0.0.1:1/token", client_id="me", client_secret="env:S")
    with pytest.raises(SourceUnavailable, match="does not answer"):
        await tokens.asked_of(oauth, secrets_of(clients, tmp_path, S="s3cr3t")).token()


# --- Amazon MSK -----------------------------------------------------------------------------------------------------

ALL = {
    "BootstrapBrokerString": "plain:9092",
    "BootstrapBrokerStringTls": "tls-1:9094, tls-2:9094",
    "BootstrapBrokerStringSaslScram": "scram:9096",
    "BootstrapBrokerStringSaslIam": "iam:9098",
    "BootstrapBrokerStringPublicTls": "",
}
PUBLIC = {"BootstrapBrokerStringSaslIam": "iam:9098", "BootstrapBrokerStringPublicSaslIam": "public:9198"}
VPC = {"BootstrapBrokerStringVpcConnectivitySaslScram": "vpc:14001"}
CHOICES: list[tuple[SecurityPlan, dict[str, str], bool, tuple[str, ...], str]] = [
    (plan(mapping(arn=CLUSTER)), ALL, False, ("tls-1:9094", "tls-2:9094"), "SSL"),
    (plan(mapping(arn=CLUSTER)), ALL, True, ("plain:9092",), "PLAINTEXT"),
    (plan(mapping(arn=CLUSTER, protocol="PLAINTEXT")), ALL, False, ("plain:9092",), "PLAINTEXT"),
    (plan(mapping(arn=CLUSTER, protocol="SSL")), ALL, True, ("tls-1:9094", "tls-2:9094"), "SSL"),
    (plan(mapping("CLIENT_CERTIFICATE_TLS_AUTH", arn=CLUSTER)), ALL, True, ("tls-1:9094", "tls-2:9094"), "SSL"),
    (plan(mapping("SASL_SCRAM_512_AUTH", arn=CLUSTER)), ALL, False, ("scram:9096",), "SASL_SSL"),
    (
        plan(mapping("SASL_SCRAM_512_AUTH", arn=CLUSTER, protocol="SASL_PLAINTEXT")),
        ALL,
        True,
        ("scram:9096",),
        "SASL_PLAINTEXT",
    ),
    (plan(mapping(arn=CLUSTER, msk_iam=True)), ALL, False, ("iam:9098",), "SASL_SSL"),
    (plan(mapping(arn=CLUSTER, msk_iam=True)), PUBLIC, False, ("public:9198",), "SASL_SSL"),
    (plan(mapping("SASL_SCRAM_512_AUTH", arn=CLUSTER)), VPC, False, ("vpc:14001",), "SASL_SSL"),
]


@pytest.mark.parametrize(("meant", "answer", "emulated", "servers", "protocol"), CHOICES)
@pytest.mark.semantics("KAFKA-SEC-08")
def test_which_brokers_of_a_cluster(
    meant: SecurityPlan, answer: dict[str, str], emulated: bool, servers: tuple[str, ...], protocol: str
) -> None:
    assert msk.choose(CLUSTER, meant, answer, emulated=emulated) == (servers, protocol)


@pytest.mark.semantics("CONFIG-39")
def test_brokers_at_aws_that_an_emulator_names_are_not_reached_unsaid() -> None:
    made_up = ("b-1.orders.x1.kafka.us-east-1.amazonaws.com:9092", "localhost:9092")
    with pytest.raises(
        SourceRefused, match=r"at b-1\.orders\.x1\.kafka\.us-east-1\.amazonaws\.com:9092, which is real"
    ):
        msk.refuse_real_aws(CLUSTER, made_up, real=False)
    msk.refuse_real_aws(CLUSTER, made_up, real=True)
    msk.refuse_real_aws(CLUSTER, ("amazonaws.com.test:9092", "127.0.0.1:9092", "[::1]:9092"), real=False)


def test_a_cluster_without_the_listener() -> None:
    meant = plan(mapping("SASL_SCRAM_512_AUTH", arn=CLUSTER))
    answer = {"BootstrapBrokerString": "plain:9092", "BootstrapBrokerStringTls": "", "ResponseMetadata": "x"}
    with pytest.raises(SourceRefused, match="has no listener for SCRAM-SHA-512; it has: plain; log in another way"):
        msk.choose(CLUSTER, meant, answer, emulated=True)


def signature(url: str, secret: str, headers: str = "host:kafka.eu-central-1.amazonaws.com") -> str:
    """AWS's signature (version 4) of a presigned URL, computed from its parts as the specification has them."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in ("X-Amz-Signature", "User-Agent")]
    canonical = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query))
    given = dict(query)
    _, scope = given["X-Amz-Credential"].split("/", 1)
    request = "\n".join(["GET", parts.path, canonical, headers, "", "host", hashlib.sha256(b"").hexdigest()])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", given["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("session", [None, "session+token/=="])
@pytest.mark.semantics("KAFKA-SEC-07")
async def test_the_token_of_iam(session: str | None, tmp_path: Path) -> None:
    settings = AwsSettings(
        endpoint_url="http://127.0.0.1:1",
        access_key_id="AKIDEXAMPLE",
        secret_access_key="wJalrXUtnFEMI/K7MDENG",
        session_token=session,
    )
    async with Clients(settings) as clients:
        given = mapping(arn=CLUSTER, servers=["b-1:9098"])
        connection = await MappingAccess(given, clients, tmp_path).connection()
        token = await connection.tokens.token()
    url = base64.urlsafe_b64decode(token + "==").decode()
    found = dict(parse_qsl(urlsplit(url).query))
    assert urlsplit(url)[:3] == ("https", "kafka.eu-central-1.amazonaws.com", "/")
    assert found["Action"] == "kafka-cluster:Connect"
    assert found["X-Amz-Expires"] == "900"
    assert found["X-Amz-Credential"].startswith("AKIDEXAMPLE/")
    assert found["X-Amz-Credential"].endswith("/eu-central-1/kafka-cluster/aws4_request")
    assert found.get("X-Amz-Security-Token") == session
    assert found["X-Amz-Signature"] == signature(url, "wJalrXUtnFEMI/K7MDENG")
    signed = datetime.strptime(found["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - signed).total_seconds()) < 600
    assert (connection.protocol, connection.mechanism, connection.servers) == ("SASL_SSL", "OAUTHBEARER", ("b-1:9098",))


@pytest.mark.semantics("KAFKA-SEC-16")
async def test_the_token_of_iam_for_brokers_of_ones_own(tmp_path: Path) -> None:
    settings = AwsSettings(
        endpoint_url="http://127.0.0.1:1", region="eu-west-3", access_key_id="AKIDEXAMPLE", secret_access_key="s"
    )
    async with Clients(settings) as clients:
        connection = await MappingAccess(mapping("IAM_AUTH"), clients, tmp_path).connection()
        token = await connection.tokens.token()
    found = dict(parse_qsl(urlsplit(base64.urlsafe_b64decode(token + "==").decode()).query))
    assert found["X-Amz-Credential"].endswith("/eu-west-3/kafka-cluster/aws4_request")
    assert (connection.protocol, connection.servers) == ("SASL_SSL", ("localhost:9092",))


async def test_iam_without_its_package(clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    access = MappingAccess(mapping(arn=CLUSTER, servers=["b-1:9098"]), clients, tmp_path)
    with pytest.raises(SourceRefused, match=r"pip install 'headrace\[msk\]'"):
        await access.connection()


async def test_iam_is_not_for_everybody(clients: Clients, tmp_path: Path) -> None:
    """Without an endpoint, real AWS is meant; the guard asks whether it is."""
    connection = await MappingAccess(mapping(arn=CLUSTER, servers=["b-1:9098"]), clients, tmp_path).connection()
    with pytest.raises(kafka.KafkaConnectionError, match="no AWS credentials for MSK"):
        await connection.tokens.token()


async def test_a_cluster_that_nobody_can_ask_for(clients: Clients, tmp_path: Path) -> None:
    access = MappingAccess(mapping(arn=CLUSTER), clients, tmp_path)
    with pytest.raises(SourceRefused, match="or give 'bootstrap_servers'"):
        await access.connection()
    assert str(access) == CLUSTER


# --- the connection -------------------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-SEC-13")
async def test_secrets_are_kept_until_a_failure(clients: Clients, tmp_path: Path) -> None:
    variables = {"LOGIN": '{"username":"u","password":"one"}'}
    given = mapping("BASIC_AUTH=env:LOGIN", servers=["127.0.0.1:1"], protocol="SASL_PLAINTEXT")
    access = MappingAccess(given, clients, tmp_path, variables)
    first = await access.connection()
    variables["LOGIN"] = '{"username":"u","password":"two"}'
    assert await access.connection() is first
    failure = await access.explain(kafka.SaslAuthenticationFailed("no"), "reach x")
    assert str(failure).startswith("reach x: the brokers refuse the login (no)")
    assert (await access.connection()).password == "two"


@pytest.mark.semantics("KAFKA-SEC-09")
def test_a_connection_does_not_show_its_password() -> None:
    made = KafkaConnection(("b:1",), "SASL_SSL", "PLAIN", "u", "hunter2")
    assert "hunter2" not in f"{made} {made!r}"
    assert made.arguments()["sasl_plain_password"] == "hunter2"


@pytest.mark.semantics("KAFKA-SEC-09")
def test_lines_with_what_is_sent_are_written_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("aiokafka.conn")
    monkeypatch.setattr(log, "level", logging.DEBUG)
    monkeypatch.setattr(log, "_cache", {})
    KafkaConnection(("b:1",), "SASL_SSL", "PLAIN", "u", "hunter2").arguments()
    assert not log.isEnabledFor(logging.DEBUG)


def test_servers_without_blanks_and_repetitions() -> None:
    assert servers_of(["a:1 ", "", "b:2", "a:1"]) == ("a:1", "b:2")


# --- what failures mean ---------------------------------------------------------------------------------------------


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


MEANINGS: list[tuple[Exception, type[SourceError], str]] = [
    (kafka.SaslAuthenticationFailed("bad"), SourceRefused, "the brokers refuse the login (bad)"),
    (kafka.UnsupportedSaslMechanismError("x"), SourceRefused, "does not know this SASL mechanism"),
    (kafka.IllegalSaslStateError("x"), SourceRefused, "the listener has no login"),
    (kafka.TopicAuthorizationFailedError("t"), SourceRefused, "not allowed: t; give this user the rights on the topic"),
    (kafka.TopicAuthorizationFailedError(), SourceRefused, "not allowed; give this user the rights on the topic"),
    (kafka.GroupAuthorizationFailedError("g"), SourceRefused, "the consumer group (Read)"),
    (kafka.ClusterAuthorizationFailedError(), SourceRefused, "the rights on the cluster"),
    (kafka.TransactionalIdAuthorizationFailed(), SourceRefused, "the transactional id"),
    (kafka.UnknownTopicOrPartitionError(), SourceMissing, "the topic does not exist"),
    (ValueError("Server sent wrong signature!"), SourceRefused, "does not prove that it knows the password"),
    (ConnectionRefusedError(), SourceUnavailable, "no server listens there"),
    (TimeoutError(), SourceUnavailable, "no answer in time"),
    (caused(kafka.KafkaConnectionError("closed"), ConnectionResetError()), SourceUnavailable, "closed the connection"),
    (kafka.RequestTimedOutError(), SourceUnavailable, "RequestTimedOutError"),
    (kafka.KafkaConnectionError("no way"), SourceUnavailable, "no way"),
    (RuntimeError("what?"), SourceUnavailable, "RuntimeError: what?"),
]


@pytest.mark.parametrize(("error", "kind", "text"), MEANINGS)
@pytest.mark.semantics("KAFKA-SEC-11", "KAFKA-SEC-12")
def test_what_an_error_means(error: Exception, kind: type[SourceError], text: str) -> None:
    found = translate(error, "read topic x")
    assert type(found) is kind
    assert str(found).startswith("read topic x: ")
    assert text in str(found)
    assert "\n" not in str(found)


def test_an_older_failure_is_not_the_cause() -> None:
    """What is being handled while something fails says nothing about it."""
    error = kafka.KafkaConnectionError("no way")
    error.__context__ = kafka.SaslAuthenticationFailed("an hour ago")
    assert isinstance(translate(error, "reach x"), SourceUnavailable)


def test_an_error_of_ours_is_left_alone() -> None:
    error = SourceMissing("gone")
    assert translate(error, "x") is error


def test_every_reference_that_is_taken() -> None:
    for uri in (SECRET, "file:/run/secrets/kafka", "file:kafka.json", "env:KAFKA_LOGIN"):
        assert kafka_security.reference_fault(uri) == ""
