"""The endpoints of the services that mappings call, and the guard: it refuses real AWS unless the user allowed it.

Used by the daemon and by `headrace check`. Which endpoint a service has is `config.clients`' business.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...config.clients.aws import Clients
from ...config.clients.endpoints import (
    LocalEndpoint,
    RealEndpoint,
    RefusedEndpoint,
    Target,
    servers_problem,
    unwanted_servers,
)
from ...config.errors import ConfigError, Problem
from ...config.mapping import EventSourceMapping
from ...config.services import services_of


class ServiceEndpoints:
    """The endpoint of each service, by botocore's name."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._targets: dict[str, Target] = {}

    @classmethod
    async def find(cls, mappings: Iterable[EventSourceMapping], clients: Clients) -> ServiceEndpoints:
        """The endpoints of every service that a mapping calls, enabled or not. Raises ConfigError for a broken
        profile."""
        endpoints = cls(clients)
        for mapping in mappings:
            await endpoints.add(mapping)
        return endpoints

    async def add(self, mapping: EventSourceMapping) -> None:
        """The endpoints with those of another mapping. Raises ConfigError for a broken profile."""
        for service in services_of(mapping):
            if service not in self._targets:
                self._targets[service] = await self._clients.target(service)

    def refuse_real_aws(self, mappings: Iterable[EventSourceMapping]) -> None:
        """The guard. Raises ConfigError, with one problem for each service that is real AWS and not allowed, and for
        each mapping whose servers are."""
        polled = [mapping for mapping in mappings if mapping.enabled]
        called = dict.fromkeys(service for mapping in polled for service in services_of(mapping))
        targets = [self._targets[service] for service in called]
        problems = [target.problem for target in targets if isinstance(target, RefusedEndpoint)]
        problems += [problem for mapping in polled if (problem := self._servers_problem(mapping))]
        if problems:
            raise ConfigError(problems)

    def _servers_problem(self, mapping: EventSourceMapping) -> Problem | None:
        servers = mapping.profile.servers
        unwanted = unwanted_servers(servers.of(mapping), self._clients.settings.real) if servers else ""
        if servers is None or not unwanted:
            return None
        return servers_problem(servers.noun, unwanted, servers.harm, f"mappings.{mapping.name}")

    def of(self, mapping: EventSourceMapping) -> Target:
        """The endpoint of the mapping's source, unless it calls no AWS service."""
        return self._targets[services_of(mapping)[0]]

    def told(self, mapping: EventSourceMapping) -> str:
        """The place of the mapping's source, as text for people."""
        if address := mapping.profile.address(mapping):
            return address
        service = next(iter(mapping.profile.services(mapping)), None)
        return where(self._targets[service]) if service else HERE

    def shown(self) -> dict[str, str]:
        """The services with their endpoints, as text for people."""
        return {service: where(target) for service, target in self._targets.items()}


HERE = "this machine"
"""The place of a source that needs neither servers nor a service."""


def where(endpoint: Target) -> str:
    match endpoint:
        case LocalEndpoint(url=url):
            return url
        case RealEndpoint(url=url):
            return f"REAL AWS ({url})" if url else "REAL AWS"
        case RefusedEndpoint():
            return "nowhere: real AWS is not allowed"
