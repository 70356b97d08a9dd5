"""Amazon MSK: where a cluster's brokers are, and IAM tokens for them."""

from __future__ import annotations

import time
from typing import Any

import anyio.to_thread

from ...clock import steady_time
from ...errors import ConfigError, SourceRefused
from ...fields.arn import Arn
from ...fields.kafka_security import Protocol, SecurityPlan
from .. import faults
from ..aws import Clients
from ..endpoints import LocalEndpoint, unwanted_servers
from .tokens import Renewed, Token

EXTRA = "pip install 'headrace[msk]'"
_ANSWER = "BootstrapBrokerString"
_NAMES = {"iam": "SaslIam", "scram": "SaslScram", "tls": "Tls", "plain": ""}


async def brokers(arn: Arn, plan: SecurityPlan, clients: Clients) -> tuple[tuple[str, ...], Protocol]:
    """The servers for our way to log in, and the protocol that they speak; asked of the endpoint."""
    try:
        client = await clients.get("kafka", region=arn.region or None)
    except ConfigError as error:
        raise SourceRefused(f"the brokers of {arn} are not known: {error}; or give 'bootstrap_servers'") from error
    with faults.translating(f"ask for the brokers of {arn}"):
        answer = await client.get_bootstrap_brokers(ClusterArn=str(arn))
    emulated = isinstance(await clients.target("kafka"), LocalEndpoint)
    servers, protocol = choose(str(arn), plan, answer, emulated=emulated)
    refuse_real_aws(str(arn), servers, clients.settings.real)
    return servers, protocol


def refuse_real_aws(arn: str, servers: tuple[str, ...], real: bool) -> None:
    """An emulator without brokers of its own may make up names that are AWS's. Raises SourceRefused."""
    if unwanted := unwanted_servers(servers, real):
        what = f"the brokers of {arn} are at {unwanted}, which is real AWS, and real AWS is not allowed"
        raise SourceRefused(f"{what}; give 'bootstrap_servers', or set aws.real: true")


def choose(arn: str, plan: SecurityPlan, answer: dict[str, Any], *, emulated: bool) -> tuple[tuple[str, ...], Protocol]:
    """The listener that a client is to use. A public one is reached from everywhere, so it comes first.

    Without a login, real clusters are asked with TLS if they have it; beside an emulator is a plain broker.
    """
    for way in _ways(plan, ["plain", "tls"] if emulated else ["tls", "plain"]):
        name = _NAMES[way]
        for scope in ("Public", "", "VpcConnectivity"):
            if servers := str(answer.get(f"{_ANSWER}{scope}{name}") or ""):
                protocol = plan.protocol if plan.given else _PROTOCOLS[way]
                return tuple(server.strip() for server in servers.split(",") if server.strip()), protocol
    has = [
        name.removeprefix(_ANSWER) or "plain"
        for name, servers in answer.items()
        if name.startswith(_ANSWER) and servers
    ]
    what = f"{arn} has no listener for {_wanted(plan)}; it has: {', '.join(sorted(has)) or 'none'}"
    raise SourceRefused(f"{what}; log in another way, or give 'bootstrap_servers'")


_PROTOCOLS: dict[str, Protocol] = {"iam": "SASL_SSL", "scram": "SASL_SSL", "tls": "SSL", "plain": "PLAINTEXT"}


def _ways(plan: SecurityPlan, without_login: list[str]) -> list[str]:
    if plan.iam:
        return ["iam"]
    if plan.mechanism:
        return ["scram"]
    if plan.certificate or plan.protocol == "SSL":
        return ["tls"]
    return ["plain"] if plan.given else without_login


def _wanted(plan: SecurityPlan) -> str:
    return "IAM" if plan.iam else plan.mechanism or plan.protocol


def iam_tokens(region: str, clients: Clients) -> Renewed:
    """Tokens that are signed with the daemon's own AWS credentials. Raises SourceRefused without the signer."""
    try:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as signer  # noqa: N813 - a module
    except ImportError as error:
        what = f"logging in to MSK with IAM needs the package aws-msk-iam-sasl-signer-python: {EXTRA}"
        raise SourceRefused(what) from error

    async def sign() -> Token:
        try:
            keys = await clients.credentials("kafka")
        except ConfigError as error:
            raise SourceRefused(f"no AWS credentials for MSK: {error}") from error
        return await anyio.to_thread.run_sync(_signed, signer, region, keys)

    return Renewed(sign)


def _signed(signer: Any, region: str, keys: dict[str, str | None]) -> Token:
    from botocore.credentials import CredentialProvider, Credentials

    class GivenCredentials(CredentialProvider):  # type: ignore[misc]
        def load(self) -> Any:
            return Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"], keys["aws_session_token"])

    stepped = time.time() - steady_time()  # the signer tells the time by the machine's clock
    text, expires = signer.generate_auth_token_from_credentials_provider(region, GivenCredentials())
    return Token(text, expires / 1000 - stepped)
