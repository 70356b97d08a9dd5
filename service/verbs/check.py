"""`penstock check`: every problem of a configuration, or what it says. Starts no function and calls nobody."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio

from ...config.clients.aws import AwsSettings, Clients
from ...config.clients.endpoints import Target
from ...config.function import describe
from ...config.loader import Config
from ...dispatch.observer import Observer, Observers
from ..daemon import refuse_real_aws
from ..exits import Exit
from ..first_lines import where
from ..functions import Functions
from .configs import load_config
from .tables import show, show_json, table


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    config = load_config(arguments.config, arguments)
    endpoint = anyio.run(_endpoint, config)
    for warning in config.warnings:
        print(f"penstock: warning: {warning}", file=sys.stderr)
    if arguments.output == "json":
        show_json({**config.effective(), "endpoint": where(endpoint)})
    else:
        _show_tables(config, endpoint)
    return Exit.OK


async def _endpoint(config: Config) -> Target:
    async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
        endpoint = await clients.target("sqs")
        refuse_real_aws(config, endpoint)
        with tempfile.TemporaryDirectory(prefix="penstock-") as scratch:
            await Functions(config, clients, Observers(), Path(scratch)).refuse_unstartable(config.functions)
        return endpoint


def _show_tables(config: Config, endpoint: Target) -> None:
    mappings = [
        (
            mapping.name if mapping.enabled else f"{mapping.name} (not enabled)",
            mapping.source,
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
    show(f"endpoint {where(endpoint)}")
    show(f"{len(config.mappings)} mappings and {len(config.functions)} functions: no problem found")
