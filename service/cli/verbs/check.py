"""`headrace check`: every problem of a configuration, or its summary. Makes no calls, and starts functions only with
`--start`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio

from ....config.clients import regions
from ....config.clients.aws import AwsSettings, Clients
from ....config.errors import ConfigError, Problem
from ....config.fields.spoken import counted
from ....config.function import CommandFunction, LocalFunction, PluginFunction, describe
from ....config.loader import Config
from ....config.nodes import join
from ....dispatch.core.observer import Observer, Observers
from ....dispatch.invokers.base import Invoker, NotReady
from ...templates.core.report import TemplateReport
from ...wiring import plugins
from ...wiring.endpoints import ServiceEndpoints
from ...wiring.exits import Exit
from ...wiring.invokers import InvokerFactory
from ...wiring.source_factory import refuse_missing_libraries
from .configs import default, load_config, refuse_without_template, templates_among
from .invoke import InvokeOutput, outside_tmp
from .tables import show, show_json, table, tell


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    found = templates_among(arguments.config or default())
    if not found:
        refuse_without_template(arguments)
        return _check(load_config(arguments.config, arguments), arguments, None)
    from . import templates

    with templates.passing() as scratch:
        loaded = templates.load_templates(found, arguments.config or default(), arguments, scratch)
        if arguments.output == "table":
            templates.show_report(loaded.report)
        return _check(loaded.config, arguments, loaded.report)


def _check(config: Config, arguments: argparse.Namespace, report: TemplateReport | None) -> int:
    refuse_missing_libraries(config)
    used = plugins.uses(config)
    broken = [each.problem for each in used if each.problem]
    if broken := [*broken, *anyio.run(plugins.refusals, config)]:
        raise ConfigError(broken)
    endpoints, replaced = anyio.run(_looked, config)
    for warning in [*config.warnings, *_regions(config)]:
        tell(f"headrace: warning: {warning}")
    for remark in config.remarks:
        tell(f"headrace: remark: {remark}")
    for name, with_what in replaced.items():
        tell(f"headrace: remark: {config.problem(join('functions', name), with_what)}")
    if arguments.output == "json":
        of_template = {"template": report.as_document()} if report is not None else {}
        of_plugins = {"plugins": [{"plugin": each.title, "used_by": each.by} for each in used]} if used else {}
        show_json({**config.effective(), "endpoints": endpoints.shown(), **of_template, **of_plugins})
    else:
        _show_tables(config, endpoints, used)
    return anyio.run(_start, config) if arguments.start else Exit.OK


def _regions(config: Config) -> list[Problem]:
    """Regions that AWS does not have: an emulator accepts any name, and has no data there."""
    named = [("aws.region", config.settings.aws.region or "")]
    named += [(join("mappings", each.name), each.arn.region) for each in config.mappings.values() if each.arn]
    return [
        replace(config.problem(path, f"there is no region {region!r}"), hint=f"similar names: {', '.join(near)}")
        for path, region in named
        if region and (near := regions.meant(region))
    ]


async def _start(config: Config) -> int:
    """Start each function of this machine or of a plug-in once, without an event, and report whether it can start."""
    causes = {}
    async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
        with tempfile.TemporaryDirectory(prefix="headrace-", dir=outside_tmp()) as scratch:
            functions = InvokerFactory(config, clients, Observers([InvokeOutput()]), Path(scratch))
            with closing(functions):
                for name, function in config.functions.items():
                    if isinstance(function, LocalFunction | CommandFunction | PluginFunction):
                        causes[name] = await _probed(await functions.invoker(function))
    for name, cause in causes.items():
        if cause:
            problem = config.problem(join("functions", name), f"cannot start: {cause}")
            tell(f"headrace: {problem}")
        else:
            show(f"function {name} starts")
    return Exit.FAILURE if any(causes.values()) else Exit.OK


async def _probed(invoker: Invoker) -> str:
    """Why the function cannot start; empty when it can."""
    try:
        answer = await invoker.probe()
    finally:
        with anyio.CancelScope(shield=True):
            await invoker.aclose()
    return answer.cause.text if isinstance(answer, NotReady) else ""


async def _looked(config: Config) -> tuple[ServiceEndpoints, dict[str, str]]:
    """The endpoints, and what runs functions in place of their runtimes."""
    async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
        endpoints = await ServiceEndpoints.find(config.mappings.values(), clients)
        endpoints.refuse_real_aws(config.mappings.values())
        with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
            functions = InvokerFactory(config, clients, Observers(), Path(scratch))
            with closing(functions):
                return endpoints, await functions.refuse_unstartable(config.functions)


def _show_tables(config: Config, endpoints: ServiceEndpoints, used: Sequence[plugins.PluginUse]) -> None:
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
    if used:
        show(table(("PLUG-IN", "USED BY"), [(each.title, each.by) for each in used]) + "\n")
    for service, url in endpoints.shown().items():
        show(f"{service} at {url}")
    counts = f"{counted(len(config.mappings), 'mapping')} and {counted(len(config.functions), 'function')}"
    show(f"{counts}: no problem found")
