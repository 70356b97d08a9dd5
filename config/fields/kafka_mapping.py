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
    """The place of the secret; the value itself for a type without a secret; empty for `IAM_AUTH`."""


class SelfManagedEndpoints(Spoken):
    kafka_bootstrap_servers: list[Annotated[str, StringConstraints(min_length=1, max_length=300)]] = Field(
        min_length=1, max_length=10, examples=[["localhost:9092"]]
    )
    """`host:port` of one to ten brokers."""


class SelfManagedEventSource(Spoken):
    endpoints: SelfManagedEndpoints


class KafkaOauth(Spoken):
    """The source of the OAUTHBEARER token: a ready-made token, or a token endpoint with client credentials."""

    token: Uri | None = Field(None, alias="token")
    """Where the token is: a secret's ARN, `file:<path>` or `env:<name>`. Read again before it expires."""
    token_endpoint: Annotated[str, StringConstraints(pattern=URL_FORM)] | None = Field(
        None, alias="token_endpoint", examples=["http://localhost:8080/realms/dev/protocol/openid-connect/token"]
    )
    """URL that issues tokens for client credentials."""
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = Field(None, alias="client_id")
    client_secret: Uri | None = Field(None, alias="client_secret")
    """Where the client's secret is: a secret's ARN, `file:<path>` or `env:<name>`."""
    scope: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = Field(None, alias="scope")


class KafkaSecurity(Spoken):
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = Field(None, alias="protocol")
    """Default, as the credentials need: SASL_SSL with a login, SSL with certificates, else PLAINTEXT."""
    oauth: KafkaOauth | None = Field(None, alias="oauth")
    """Log in with a token (SASL/OAUTHBEARER)."""
    msk_iam: bool | None = Field(None, alias="msk_iam")
    """Log in to Amazon MSK with AWS credentials. Default: true where the servers' port is 9098, MSK's port for IAM."""


class SchemaAccessConfig(Spoken):
    type: Literal["BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE", "OAUTHBEARER_AUTH"]
    uri: Uri


class SchemaValidationConfig(Spoken):
    attribute: Literal["KEY", "VALUE"]


class SchemaRegistryConfig(Spoken):
    schema_registry_uri: str = Field(min_length=1, max_length=10_000, examples=["http://localhost:8081"])
    """URL of a registry with Confluent's REST API, or the ARN of a Glue registry."""
    event_record_format: Literal["JSON", "SOURCE"]
    """The form of the function's data: decoded, as JSON; or the original bytes, without the registry's header."""
    access_configs: list[SchemaAccessConfig] = Field(default_factory=list)
    """Login and certificates for the URL. Each `uri` is a secret's ARN, `file:<path>` or `env:<name>`."""
    schema_validation_configs: list[SchemaValidationConfig] = Field(default_factory=list)
    """The attributes to decode: the key, the value, or both."""


class KafkaSourceConfig(Spoken):
    consumer_group_id: Uri | None = None
    """Default: the mapping's UUID. A group with offsets continues at its offsets."""
    consumption_mode: Literal["Stream", "Queue"] | None = None
    """For self-managed brokers. `Stream`, the default: a consumer group. `Queue`: a share group, not supported yet."""
    schema_registry_config: SchemaRegistryConfig | None = None
    """The registry with the schemas of keys and values. Needs no provisioned mode here."""
