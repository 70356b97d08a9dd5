"""Hosts and ports, by how they are written: which are this machine's own, and which are the same. Pure, and a leaf."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost", "host.docker.internal", "localhost.localstack.cloud"})
WILDCARDS = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - names what a listener means, binds nothing


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without brackets) is this machine as seen from itself."""
    host = host.rstrip(".").lower()
    return host in LOOPBACK_NAMES or host.startswith("127.") or host in ("::1", "::ffff:127.0.0.1", *WILDCARDS)


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
        return is_loopback(host) or host in {name.lower() for name in own_hosts}
    return host == our_host or (is_loopback(host) and is_loopback(our_host))
