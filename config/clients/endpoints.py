"""Where a call to AWS would go, and whether it may: the guard against real AWS. Pure.

Handled and filtered messages are deleted, so a forgotten endpoint must not reach a real account: without an endpoint
of its own a service is refused unless the user said that real AWS is meant. An endpoint at one of AWS's own host names
is real AWS too. Finding the configured endpoint (environment, profile) is `aws.Clients`' business.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

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

LOCAL_NAMES = frozenset({"ip6-localhost", "host.docker.internal", "localhost.localstack.cloud"})
WILDCARDS = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - names what a listener means, binds nothing


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """An emulator, or anything else that is not AWS."""

    url: str


@dataclass(frozen=True, slots=True)
class RealEndpoint:
    """Real AWS, and the user said so."""

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
        f"the endpoint of {service}, {url}, is real AWS" if url else f"{service} has no endpoint: it would be real AWS"
    )
    return Problem(
        f"{where}, where Headrace reads, deletes and writes for good",
        path="aws.endpoint_url",
        hint="name the emulator in aws.endpoint_url or AWS_ENDPOINT_URL; if real AWS is meant, set aws.real: true or "
        "give --real-aws",
    )


def unwanted_brokers(servers: Iterable[str], real: bool) -> str:
    """Those of `host:port` that are at AWS although the user does not allow real AWS; empty when there is none."""
    return "" if real else ",".join(server for server in servers if _is_aws_host(server.rpartition(":")[0]))


def brokers_problem(servers: str, path: str) -> Problem:
    """What is wrong with brokers that are `unwanted_brokers`."""
    what = f"the brokers {servers} are real AWS, where Headrace takes the place of a group's members and moves offsets"
    return Problem(what, path=path, hint="if real AWS is meant, set aws.real: true or give --real-aws")


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
        return "port 0 is no address"
    if parts.query or parts.fragment:
        return "it has a query or a fragment"
    return ""


def is_aws(url: str) -> bool:
    """Whether the host of `url` belongs to AWS."""
    return _is_aws_host(urlsplit(url).hostname or "")


def _is_aws_host(host: str) -> bool:
    host = host.rstrip(".").lower()
    return any(host == domain or host.endswith("." + domain) for domain in AWS_DOMAINS)


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without brackets) is this machine for itself alone, so that nobody else
    reaches what listens there. Names under `localhost` are nobody else's."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def leads_here(host: str) -> bool:
    """Whether what is sent to `host` comes to this machine: its loopback, the names by which containers and emulators
    know it, and what a listener on every address is called."""
    return is_loopback(host) or host.lower().rstrip(".") in LOCAL_NAMES | WILDCARDS


def host_and_port(parts: SplitResult) -> tuple[str, int]:
    """Host in lower case without brackets, and the port, the scheme's own where none is written."""
    return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def would_call_itself(function_url: str, listen: str, own_hosts: Collection[str] = ()) -> bool:
    """Whether invoking a function at `function_url` would reach this daemon's own `listen` address (`HOST:PORT`), and
    so call itself for ever. `own_hosts` are further names and addresses of this machine, for a wildcard listener."""
    try:
        host, port = host_and_port(urlsplit(function_url))
        ours = urlsplit(f"//{listen}")
        our_host, our_port = (ours.hostname or "").lower(), ours.port
    except ValueError:
        return False  # not an address at all: `decide` says so
    if port != our_port:
        return False
    if our_host in WILDCARDS:
        return leads_here(host) or host in {name.lower() for name in own_hosts}
    return host == our_host or (leads_here(host) and leads_here(our_host))
