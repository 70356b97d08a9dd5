"""What a user may say about Kafka: parts of a mapping (`mapping.py`) for brokers, logins, groups and schemas."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .spoken import URL_FORM, Spoken

AccessType = Literal[
    "BASIC_AUTH",
    "VPC_SUBNET",
    "VPC_SECURITY_GROUP",
    "SASL_SCRAM_512_AUTH",
    "SASL_SCRAM_256_AUTH",
    "VIRTUAL_HOST",
    "CLIENT_CERTIFICATE_TLS_AUTH",
    "SERVER_ROOT_CA_CERTIFICATE",
    "OAUTHBEARER_AUTH",
    "OAUTHBEARER_SCOPE",
    "OAUTHBEARER_AUDIENCE",
    "OAUTHBEARER_LOGICAL_CLUSTER",
    "OAUTHBEARER_IDENTITY_POOL",
    "IAM_AUTH",
    "IAM_OAUTHBEARER_AUTH",
]
URI_FORM = r"^[ a-zA-Z0-9/*:_+=.@-]*$"
Uri = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=URI_FORM)]


class SourceAccessConfiguration(Spoken):
    type: AccessType
    uri: Uri | None = None
    """Where the secret is; for a type that has no secret its value, and nothing for `IAM_AUTH`."""


class SelfManagedEndpoints(Spoken):
    kafka_bootstrap_servers: list[Annotated[str, StringConstraints(min_length=1, max_length=300)]] = Field(
        min_length=1, max_length=10, examples=[["localhost:9092"]]
    )
    """`host:port` of one to ten brokers."""


class SelfManagedEventSource(Spoken):
    endpoints: SelfManagedEndpoints


class KafkaOauth(Spoken):
    """Where the token of OAUTHBEARER comes from: a token as it is, or a token endpoint that knows the client."""

    token: Uri | None = None
    """Where the token is: a secret's ARN, `file:<path>` or `env:<name>`. Read again before it expires."""
    token_endpoint: Annotated[str, StringConstraints(pattern=URL_FORM)] | None = Field(
        None, examples=["http://localhost:8080/realms/dev/protocol/openid-connect/token"]
    )
    """URL that gives tokens for client credentials."""
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    client_secret: Uri | None = None
    """Where the client's secret is: a secret's ARN, `file:<path>` or `env:<name>`."""
    scope: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None


class KafkaSecurity(Spoken):
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = None
    """Default: what the credentials need, with TLS: SASL_SSL with a login, SSL with certificates, else PLAINTEXT."""
    oauth: KafkaOauth | None = None
    """Log in with a token (SASL/OAUTHBEARER)."""
    msk_iam: bool | None = None
    """Log in to Amazon MSK with AWS credentials. Default: true where the servers' port is 9098, MSK's port for it."""


class SchemaAccessConfig(Spoken):
    type: Literal["BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "OAUTHBEARER_AUTH"]
    uri: Uri


class SchemaValidationConfig(Spoken):
    attribute: Literal["KEY", "VALUE"]


class SchemaRegistryConfig(Spoken):
    schema_registry_uri: str = Field(min_length=1, max_length=10_000, examples=["http://localhost:8081"])
    """URL of a registry with Confluent's REST API, or the ARN of a Glue registry."""
    event_record_format: Literal["JSON", "SOURCE"]
    """What the function gets: decoded, as JSON; or the bytes as they were written, without the registry's header."""
    access_configs: list[SchemaAccessConfig] = Field(default_factory=list)
    """Login and certificates for the URL. Each `uri` is a secret's ARN, `file:<path>` or `env:<name>`."""
    schema_validation_configs: list[SchemaValidationConfig] = Field(default_factory=list)
    """What is decoded: the key, the value, or both."""


class KafkaSourceConfig(Spoken):
    consumer_group_id: Uri | None = None
    """Default: the mapping's UUID. It may not be changed to begin again: a group goes on where it stands."""
    consumption_mode: Literal["Stream", "Queue"] | None = None
    """`Stream`, the default, of brokers of one's own: a consumer group. `Queue`, a share group, is not done yet."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """Where the schemas are with which keys and values were written. Needs no provisioned mode here."""
