"""Puts records into the sources of mappings, at an endpoint: for tests of users. Used by `service/testing`."""

from __future__ import annotations

from collections.abc import Sequence

from ...config.clients import faults
from ...config.clients.aws import AwsSettings, Clients
from ...config.errors import ConfigError, Problem
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings
from ...pollers.kinds.table import poller_of


async def send(settings: Settings, mapping: EventSourceMapping, texts: Sequence[str], key: str) -> None:
    """One record for each text. Raises ConfigError where Headrace has no producer, SourceError for what the endpoint
    does, UnfitSample for a text that no record can have."""
    put = poller_of(mapping).send
    if put is None:
        what = f"Headrace does not write to a {mapping.profile.title}"
        raise ConfigError([Problem(what, f"mappings.{mapping.name}", hint="send with a client of your own")])
    async with Clients(AwsSettings(**settings.aws.arguments())) as clients:
        with faults.translating(f"send to the source of {mapping.name}"):
            for text in texts:
                await put(mapping, clients, text, key)
