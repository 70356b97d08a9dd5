"""The first log lines: the source and function of each mapping, and other mappings of the same source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import anyio

from ...config.clients import foreign_mappings
from ...config.function import AnyFunction, RemoteFunction
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...config.version import version
from ..running.mappings import RunningMapping, RunningMappings
from ..telemetry.filter_lines import say_filters
from ..telemetry.log import Action, Log
from ..telemetry.mapping_logs import log_of
from .endpoints import ServiceEndpoints

Lambda = Callable[[], Awaitable[object | None]]
"""Provides the client of the endpoint's Lambda API; None when it must not be called."""


def say_first_lines(
    log: Log, config: Config, mappings: Iterable[EventSourceMapping], endpoints: ServiceEndpoints
) -> None:
    """Logs the version, then account, region and endpoint of each mapping, then remarks."""
    log.info(Action.START, f"headrace {version()}", dry_run=config.settings.dry_run or None)
    for mapping in mappings:
        own = log_of(mapping, log)
        _say_mapping(own, mapping, endpoints.told(mapping))
        if mapping.name not in config.mappings:  # a problem in a file is reported with its line
            say_filters(own, mapping)
    for warning in config.warnings:
        log.warning(Action.RECORDED, str(warning))
    for remark in config.remarks:
        log.info(Action.RECORDED, str(remark))


def _say_mapping(log: Log, mapping: EventSourceMapping, endpoint: str) -> None:
    arn = mapping.arn
    account, region = (arn.account, arn.region) if arn else ("", "")
    remark = "" if mapping.enabled else ", which is not enabled"
    log.info(
        Action.MAPPING,
        f"{mapping.name}: {mapping.place} to {mapping.function_name} at {endpoint}{remark}",
        mapping=mapping.name,
        mapping_uuid=mapping.uuid,
        account=account,
        region=region,
        endpoint=endpoint,
        enabled=mapping.enabled,
    )


async def watch_foreign(
    plant: RunningMappings, functions: Mapping[str, AnyFunction], connect: Lambda, log: Log
) -> None:
    """Ask the endpoint, once for each mapping that polls, whether it has a mapping of its own for the same source.

    It asks when a mapping polls, because before that the endpoint may not answer yet. Mappings that are added later
    are checked too."""
    asked: set[str] = set()
    while True:
        changed = plant.changes.next()
        polling = [work for work in plant.works if work.config.source and work.polling and work.mapping not in asked]
        asked.update(work.mapping for work in polling)
        if polling and not await _ask(polling, functions, connect, log):
            return
        await changed.wait()


async def _ask(
    works: Iterable[RunningMapping], functions: Mapping[str, AnyFunction], connect: Lambda, log: Log
) -> bool:
    client = await connect()
    if client is None:
        return False
    async with anyio.create_task_group() as tasks:
        for work in works:
            tasks.start_soon(_ask_one, client, work, functions.get(work.target.name), log_of(work.config, log))
    return True


async def _ask_one(client: object, work: RunningMapping, function: AnyFunction | None, log: Log) -> None:
    name = function.invoke.function_name if isinstance(function, RemoteFunction) else work.target.name
    config = work.config
    for foreign in await foreign_mappings.find(client, config.source, name, competing=config.profile.competing):
        log.warning(
            Action.FOREIGN_MAPPING,
            f"{work.mapping}: {foreign.text}",
            mapping=work.mapping,
            foreign_uuid=foreign.uuid,
            foreign_function=foreign.function_arn,
            same_function=foreign.same_function,
        )
