"""Hosts and ports, by how they are written: which are this machine's own, and which are the same. Pure, and a leaf."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

LOCAL_NAMES = frozenset({"ip6-localhost", "host.docker.internal", "localhost.localstack.cloud"})
WILDCARDS = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - names what a listener means, binds nothing


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without brackets) is this machine's loopback, which no other machine can
    reach. Names under `localhost` always are."""
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
        return False  # not an address at all: `decide` reports it
    if port != our_port:
        return False
    if our_host in WILDCARDS:
        return leads_here(host) or host in {name.lower() for name in own_hosts}
    return host == our_host or (leads_here(host) and leads_here(our_host))
