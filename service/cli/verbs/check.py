"""`headrace check`: every problem of a configuration, or its summary. Starts no function and makes no calls."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio

from ....config.clients.aws import AwsSettings, Clients
from ....config.function import describe
from ....config.loader import Config
from ....dispatch.core.observer import Observer, Observers
from ...wiring.endpoints import ServiceEndpoints
from ...wiring.exits import Exit
from ...wiring.invokers import InvokerFactory
from ...wiring.source_factory import refuse_missing_libraries
from .configs import load_config
from .tables import show, show_json, table, tell


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    config = load_config(arguments.config, arguments)
    refuse_missing_libraries(config)
    endpoints = anyio.run(_endpoints, config)
    for warning in config.warnings:
        tell(f"headrace: warning: {warning}")
    if arguments.output == "json":
        show_json({**config.effective(), "endpoints": endpoints.shown()})
    else:
        _show_tables(config, endpoints)
    return Exit.OK


async def _endpoints(config: Config) -> ServiceEndpoints:
    async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
        endpoints = await ServiceEndpoints.find(config.mappings.values(), clients)
        endpoints.refuse_real_aws(config.mappings.values())
        with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
            await InvokerFactory(config, clients, Observers(), Path(scratch)).refuse_unstartable(config.functions)
        return endpoints


def _show_tables(config: Config, endpoints: ServiceEndpoints) -> None:
    mappings = [
        (
            mapping.name if mapping.enabled else f"{mapping.name} (not enabled)",
            mapping.place,
            mapping.function_name,
            mapping.batch_limit,
            len(mapping.patterns),
        )
        for mapping in config.mappings.values()
    ]
    if mappings:
        show(table(("MAPPING", "SOURCE", "FUNCTION", "BATCH", "FILTERS"), mappings) + "\n")
    if config.functions:
        functions = [(name, describe(function)) for name, function in config.functions.items()]
        show(table(("FUNCTION", "IS"), functions) + "\n")
    for service, url in endpoints.shown().items():
        show(f"{service} at {url}")
    show(f"{len(config.mappings)} mappings and {len(config.functions)} functions: no problem found")
