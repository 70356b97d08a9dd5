"""Where a call to AWS would go, and whether it may: the guard against real AWS. Pure.

Handled and filtered messages are deleted, so a forgotten endpoint must not reach a real account: without an endpoint
of its own a service is refused unless the user allowed real AWS. An endpoint at one of AWS's own host names
is real AWS too. Finding the configured endpoint (environment, profile) is `aws.Clients`' business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import Problem

# Every domain under which a partition of AWS answers; a test compares them with botocore's own partition tables.
AWS_DOMAINS = (
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
)


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """An emulator, or anything else that is not AWS."""

    url: str


@dataclass(frozen=True, slots=True)
class RealEndpoint:
    """Real AWS, which the user allowed."""

    url: str | None = None
    """An endpoint at AWS that the user named (a VPC endpoint, FIPS); None for the region's own."""


@dataclass(frozen=True, slots=True)
class RefusedEndpoint:
    """No call may be made."""

    problem: Problem


Target = LocalEndpoint | RealEndpoint | RefusedEndpoint


def decide(service: str, url: str | None, real: bool) -> Target:
    """Where calls to `service` (botocore's name) go, given the endpoint that is configured for it (None for none) and
    whether the user allows real AWS."""
    if url:
        fault = _malformed(url)
        if fault:
            return RefusedEndpoint(
                Problem(f"{url!r} is not an endpoint: {fault}", path="aws.endpoint_url", hint=_EXAMPLE)
            )
        if not is_aws(url):
            return LocalEndpoint(url)
    if real:
        return RealEndpoint(url or None)
    return RefusedEndpoint(_unwanted(service, url))


_EXAMPLE = "write it like http://localhost:4566"


def _unwanted(service: str, url: str | None) -> Problem:
    where = (
        f"the endpoint of {service}, {url}, is real AWS"
        if url
        else f"{service} has no endpoint, so its calls would reach real AWS"
    )
    return Problem(
        f"{where}, where Headrace would read, delete and write real data",
        path="aws.endpoint_url",
        hint="name the emulator in aws.endpoint_url or AWS_ENDPOINT_URL; to allow real AWS, set aws.real: true or "
        "give --real-aws",
    )


def unwanted_servers(servers: Iterable[str], real: bool) -> str:
    """Those of the servers, each `host:port` or a URL, that are at AWS although the user does not allow real AWS; empty
    when there is none."""
    return "" if real else ",".join(server for server in servers if _server_is_aws(server))


def _server_is_aws(server: str) -> bool:
    return is_aws(server) if "://" in server else _is_aws_host(server.rpartition(":")[0] or server)


def servers_problem(noun: str, servers: str, harm: str, path: str) -> Problem:
    """What is wrong with servers that are `unwanted_servers`. `harm`: what Headrace would do there."""
    what = f"the {noun} {servers} are real AWS, where Headrace would {harm}"
    return Problem(what, path=path, hint="to allow real AWS, set aws.real: true or give --real-aws")


def _malformed(url: str) -> str:
    """Why `url` cannot be an endpoint; empty when it can."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return "it does not begin with http:// or https://"
    if not parts.hostname:
        return "it names no host"
    if port == 0:
        return "port 0 is not allowed"
    if parts.query or parts.fragment:
        return "it has a query or a fragment"
    return ""


def is_aws(url: str) -> bool:
    """Whether the host of `url` belongs to AWS."""
    return _is_aws_host(urlsplit(url).hostname or "")


def _is_aws_host(host: str) -> bool:
    host = host.rstrip(".").lower()
    return any(host == domain or host.endswith("." + domain) for domain in AWS_DOMAINS)
