"""How a Kafka mapping reaches its brokers: protocol and login out of what the mapping says, and what it must not say.

Pure. AWS's words are `source_access_configurations`; what AWS has no word for is `kafka_security`, because developers'
brokers are often plain. Used by the rules, and by the connection (`clients/kafka`), which reads the secrets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from . import mapping_limits
from .arn import Arn, ArnError
from .kafka_mapping import KafkaOauth, KafkaSecurity
from .mapping_fields import MappingFields

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", ""]
Fault = tuple[str, str, str]
"""A field, what is wrong with it, and what to do."""

_PASSWORDS: dict[str, Mechanism] = {
    "BASIC_AUTH": "PLAIN",
    "SASL_SCRAM_256_AUTH": "SCRAM-SHA-256",
    "SASL_SCRAM_512_AUTH": "SCRAM-SHA-512",
}
_CLIENT, _AUTHORITY = "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE"
_OAUTH, _IAM, _IAM_OAUTH = "OAUTHBEARER_AUTH", "IAM_AUTH", "IAM_OAUTHBEARER_AUTH"
_SCOPE, _AUDIENCE = "OAUTHBEARER_SCOPE", "OAUTHBEARER_AUDIENCE"
_EXTENSIONS = {"OAUTHBEARER_LOGICAL_CLUSTER": "logicalCluster", "OAUTHBEARER_IDENTITY_POOL": "identityPoolId"}
"""What is told to the brokers besides the token, by the names that they know."""
_OF_OAUTH = (_SCOPE, _AUDIENCE, *_EXTENSIONS)
"""Types whose uri is a value, not the place of a secret."""
_WITHOUT_URI = (_IAM, _IAM_OAUTH)
_LOGINS = (*_PASSWORDS, _OAUTH, _IAM, _IAM_OAUTH)
_NETWORK = {"VPC_SUBNET": "subnet:", "VPC_SECURITY_GROUP": "security_group:"}
_IAM_PORT, _TLS_PORT = "9098", "9094"
REFERENCE = "the ARN of a secret in Secrets Manager, file:<path> or env:<name>"
"""What a secret's uri may be."""
_ACCESS, _SECURITY = "source_access_configurations", "kafka_security"


@dataclass(frozen=True, slots=True)
class OauthClient:
    """A client of an identity provider, which gives tokens for what is in a secret."""

    secret: str
    """Reference of the secret."""
    scope: str = ""
    audience: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecurityPlan:
    """How to reach the brokers. The references say where the secrets are; no secret is in here."""

    protocol: Protocol
    given: bool
    """Whether the user named the protocol."""
    mechanism: Mechanism = ""
    login: str = ""
    """Reference of user name and password."""
    certificate: str = ""
    """Reference of the client's certificate."""
    authority: str = ""
    """Reference of the certificate authority of the brokers."""
    oauth: KafkaOauth | OauthClient | None = None
    iam: bool = False


def plan(mapping: MappingFields) -> SecurityPlan:
    """What a mapping without `violations` means."""
    uris: dict[str, str] = {each.type: each.uri or "" for each in mapping.source_access_configurations or ()}
    security = mapping.kafka_security or KafkaSecurity()
    password = next((kind for kind in _PASSWORDS if kind in uris), "")
    oauth = _client(uris) if _OAUTH in uris else security.oauth
    iam = _IAM in uris or _means_iam(mapping, bool(password or oauth or _CLIENT in uris))
    mechanism = _PASSWORDS.get(password, "OAUTHBEARER" if oauth or iam else "")
    tls = _CLIENT in uris or _AUTHORITY in uris or _has_port(mapping, _TLS_PORT)
    return SecurityPlan(
        protocol=security.protocol or ("SASL_SSL" if mechanism else "SSL" if tls else "PLAINTEXT"),
        given=security.protocol is not None,
        mechanism=mechanism,
        login=uris.get(password, ""),
        certificate=uris.get(_CLIENT, ""),
        authority=uris.get(_AUTHORITY, ""),
        oauth=oauth,
        iam=iam,
    )


def _client(uris: Mapping[str, str]) -> OauthClient:
    extensions = {name: uris[kind] for kind, name in _EXTENSIONS.items() if kind in uris}
    return OauthClient(uris[_OAUTH], uris.get(_SCOPE, ""), uris.get(_AUDIENCE, ""), extensions)


def _means_iam(mapping: MappingFields, other: bool) -> bool:
    said = mapping.kafka_security.msk_iam if mapping.kafka_security else None
    return said if said is not None else not other and _has_port(mapping, _IAM_PORT)


def _has_port(mapping: MappingFields, port: str) -> bool:
    """Whether a managed cluster is reached at a port that means something there."""
    return any(server.rpartition(":")[2] == port for server in mapping.bootstrap_servers or ())


def reference_fault(uri: str) -> str:
    """Why a secret cannot be read from there; empty when it can."""
    scheme, found, rest = uri.partition(":")
    if found and scheme == "file":
        return "" if rest else "names no file after 'file:'"
    if found and scheme == "env":
        return "" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", rest) else "names no variable after 'env:'"
    try:
        arn = Arn.parse(uri)
    except ArnError:
        return "does not say where the secret is"
    if arn.service != "secretsmanager" or not arn.resource.startswith("secret:"):
        return f"is no secret of Secrets Manager, but {arn.resource} of {arn.service}"
    return ""


# --- what is refused ------------------------------------------------------------------------------------------------


def violations(mapping: MappingFields) -> Iterator[Fault]:
    """The problems of a Kafka mapping's connection settings."""
    yield from _server_faults(mapping)
    yield from _reference_faults(mapping)
    yield from _access_faults(mapping)
    yield from _oauth_faults(mapping)
    logins = _logins(mapping)
    if len(logins) > 1:
        yield _ACCESS, f"there are {len(logins)} ways to log in: {', '.join(logins)}", "keep one of them"
        return
    yield from _managed_faults(mapping, logins) if mapping.arn else _iam_faults(mapping)
    yield from _protocol_faults(mapping, logins)


def _logins(mapping: MappingFields) -> list[str]:
    found: list[str] = [each.type for each in mapping.source_access_configurations or () if each.type in _LOGINS]
    if mapping.kafka_security and mapping.kafka_security.oauth:
        found.append("kafka_security.oauth")
    if mapping.kafka_security and mapping.kafka_security.msk_iam:
        found.append("kafka_security.msk_iam")
    return list(dict.fromkeys(found))


def _server_faults(mapping: MappingFields) -> Iterator[Fault]:
    if mapping.bootstrap_servers and not mapping.arn:
        hint = "give the servers in self_managed_event_source alone"
        yield "bootstrap_servers", "is for the ARN of an MSK cluster", hint
    managed = mapping.bootstrap_servers or []
    own = mapping.self_managed_event_source
    for name, servers in (
        ("bootstrap_servers", managed),
        ("self_managed_event_source", own.endpoints.kafka_bootstrap_servers if own else []),
    ):
        for server in servers:
            host, _, port = server.strip().rpartition(":")
            if not host or "/" in host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
                yield name, f"{server!r} is no broker", "it must be host:port, e.g. localhost:9092"


def _reference_faults(mapping: MappingFields) -> Iterator[Fault]:
    given = mapping.source_access_configurations or []
    for kind, number in Counter(each.type for each in given).items():
        if number > 1 and kind not in _NETWORK:
            yield _ACCESS, f"{kind} is given {number} times", "keep one of them"
    for each in given:
        if each.type == "VIRTUAL_HOST":
            yield _ACCESS, "VIRTUAL_HOST is for RabbitMQ", "remove it"
        elif each.type in _WITHOUT_URI:
            if each.uri is not None:
                yield _ACCESS, f"{each.type} has no uri: AWS signs for the function's role", "remove it"
        elif each.uri is None:
            yield _ACCESS, f"{each.type} has no uri", "" if each.type in _OF_OAUTH else f"give {REFERENCE}"
        elif prefix := _NETWORK.get(each.type):
            if not each.uri.startswith(prefix):
                yield _ACCESS, f"{each.type}: the uri must begin with {prefix!r}", ""
        elif each.type not in _OF_OAUTH and (fault := reference_fault(each.uri)):
            yield _ACCESS, f"{each.type}: the uri {fault}", f"give {REFERENCE}"


def _access_faults(mapping: MappingFields) -> Iterator[Fault]:
    """What AWS's types for tokens need of each other, and what is not done here."""
    given = {each.type for each in mapping.source_access_configurations or ()}
    if _IAM_OAUTH in given:
        yield _ACCESS, f"{_IAM_OAUTH} is not supported: {mapping_limits.NO_WEB_IDENTITY}", ""
        return
    lonely = [kind for kind in _OF_OAUTH if kind in given] if _OAUTH not in given else []
    for kind in lonely:
        yield _ACCESS, f"{kind} needs {_OAUTH}", "give both, or remove it"


def _oauth_faults(mapping: MappingFields) -> Iterator[Fault]:
    oauth = mapping.kafka_security.oauth if mapping.kafka_security else None
    if oauth is None:
        return
    for name in ("token", "client_secret"):
        uri = getattr(oauth, name)
        if uri and (fault := reference_fault(uri)):
            yield _SECURITY, f"oauth.{name} {fault}", f"give {REFERENCE}"
    client = [name for name in ("token_endpoint", "client_id", "client_secret") if getattr(oauth, name)]
    if oauth.token and (client or oauth.scope):
        yield _SECURITY, "oauth has both a token and a client that asks for one", "keep one of them"
    elif not oauth.token and len(client) < 3:
        hint = "give 'token', or 'token_endpoint', 'client_id' and 'client_secret'"
        yield _SECURITY, "oauth does not say where the token comes from", hint


def _managed_faults(mapping: MappingFields, logins: list[str]) -> Iterator[Fault]:
    for kind in logins:
        if kind in {"BASIC_AUTH", "SASL_SCRAM_256_AUTH", _OAUTH, _IAM}:
            what = f"Amazon MSK does not support {kind}"
            yield _ACCESS, what, "give SASL_SCRAM_512_AUTH, CLIENT_CERTIFICATE_TLS_AUTH or kafka_security.msk_iam"
        elif kind == "kafka_security.oauth":
            yield _SECURITY, "Amazon MSK accepts no OAUTHBEARER tokens except those of IAM", "give msk_iam: true"


def _iam_faults(mapping: MappingFields) -> Iterator[Fault]:
    if mapping.kafka_security and mapping.kafka_security.msk_iam:
        yield _SECURITY, "msk_iam needs the cluster's ARN, because the token is for its region", "give it as 'source'"


def _protocol_faults(mapping: MappingFields, logins: list[str]) -> Iterator[Fault]:
    if mapping.kafka_security is None or (protocol := mapping.kafka_security.protocol) is None:
        return
    meant = plan(mapping)
    if protocol.startswith("SASL") and not meant.mechanism:
        what = f"the protocol {protocol} needs a login"
        yield _SECURITY, what, f"add one to {_ACCESS}, or say {protocol.removeprefix('SASL_')}"
    if not protocol.startswith("SASL") and meant.mechanism:
        who = logins[0] if logins else "MSK's IAM"
        what = f"the protocol {protocol} has no login, and {who} is one"
        yield _SECURITY, what, f"say SASL_{'SSL' if protocol == 'SSL' else 'PLAINTEXT'}, or remove {who}"
    if protocol.endswith("PLAINTEXT") and (meant.certificate or meant.authority):
        yield _SECURITY, f"the protocol {protocol} has no certificates", "say SSL or SASL_SSL, or remove them"
    if meant.iam and protocol == "SASL_PLAINTEXT":
        yield _SECURITY, "msk_iam needs the protocol SASL_SSL", "remove 'protocol'"


def without_effect(mapping: MappingFields) -> list[str]:
    """The types that are recorded only: there is no network of AWS here."""
    return sorted({each.type for each in mapping.source_access_configurations or () if each.type in _NETWORK})
