"""What a template needs before its configuration runs: for its functions the nearest runtime that is on this machine,
and at the endpoint its sources."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import anyio

from ...config.clients.aws import AwsSettings, Clients
from ...config.clock import system_jitter
from ...config.loader import Config
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core.observer import Observers
from ..control.refusals import ApiError
from ..control.store.code import CodeStore
from ..control.store.uploads import Uploads
from ..templates import creating
from ..templates.core import configuration, taking
from ..templates.core.configuration import ReadyFunction
from ..templates.core.model import NotTaken, ObjectPlace
from ..templates.loading import LoadedTemplate
from .invokers import InvokerFactory, Refused

PATIENCE = 60.0
"""Seconds for all code that is in S3."""


async def fetched(config: Config, needed: Collection[ObjectPlace], scratch: Path) -> dict[ObjectPlace, Path | str]:
    """The directories with the code of objects in the endpoint's S3, below `scratch`; why one is not to be had."""
    found: dict[ObjectPlace, Path | str] = dict.fromkeys(needed, f"no answer within {PATIENCE:g} seconds")
    code = CodeStore(scratch)

    async def fetch(uploads: Uploads, place: ObjectPlace) -> None:
        version = {"S3ObjectVersion": place.version} if place.version else {}
        try:
            source = {"S3Bucket": place.bucket, "S3Key": place.key, **version}
            async with uploads.package(source) as package:
                found[place] = code.place(package)
        except ApiError as refused:
            found[place] = str(refused.message)

    with anyio.move_on_after(PATIENCE):
        async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
            uploads = Uploads(code, clients, hot_reload=True)
            async with anyio.create_task_group() as tasks:
                for place in needed:
                    tasks.start_soon(fetch, uploads, place)
    return found


async def settled(loaded: LoadedTemplate) -> LoadedTemplate:
    """The same without the functions that this machine cannot start; others run with the nearest version that is here.
    Raises ConfigError for what is wrong with the endpoint."""
    ready: list[ReadyFunction] = []
    left: list[NotTaken] = []
    async with Clients(AwsSettings(**loaded.config.settings.aws.arguments())) as clients:
        with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
            factory = InvokerFactory(loaded.config, clients, Observers(), Path(scratch))
            try:
                for each in loaded.report.functions:
                    found = await _startable(each, loaded.config, factory)
                    if isinstance(found, Reason):
                        left.append(NotTaken(each.function.id, "function", each.function.spot, found))
                    else:
                        ready.append(found)
            finally:
                factory.close()
    return _with(loaded, ready, left)


async def _startable(ready: ReadyFunction, config: Config, factory: InvokerFactory) -> ReadyFunction | Reason:
    function = config.functions[ready.function.name]
    found = await factory.looked_at(function)
    if isinstance(found, Refused):
        return Reason(ReasonCode.FUNCTION_CANNOT_START, found.why)
    return replace(ready, function=ready.function.with_notes(f"{ready.runtime} {found}")) if found else ready


def _with(loaded: LoadedTemplate, ready: list[ReadyFunction], left: list[NotTaken]) -> LoadedTemplate:
    """What is loaded, with these functions alone."""
    ours = {each.function.name for each in loaded.report.functions}
    kept = {each.function.name: each.runtime for each in ready}
    functions = {
        name: function.model_copy(update={"runtime": kept[name]}) if name in kept else function
        for name, function in loaded.config.functions.items()
        if name not in ours or name in kept
    }
    taken = replace(
        loaded.report.taken,
        functions=tuple(each.function for each in ready),
        not_taken=(*loaded.report.taken.not_taken, *left),
    )
    taken = taking.without_orphans(taken, frozenset(loaded.config.functions) - ours)
    gone = {each.name for each in loaded.report.taken.mappings} - {each.name for each in taken.mappings}
    mappings = {name: mapping for name, mapping in loaded.config.mappings.items() if name not in gone}
    return LoadedTemplate(
        replace(loaded.config, functions=functions, mappings=mappings),
        replace(loaded.report, functions=tuple(ready), taken=taken),
        configuration.document(ready, taken.mappings),
    )


async def create_sources(loaded: LoadedTemplate, told: Callable[[str], object]) -> None:
    """Make what the templates declare, where it is not there yet. Raises ConfigError for an endpoint that may not be
    called: real AWS that nobody allowed."""
    async with Clients(AwsSettings(**loaded.config.settings.aws.arguments())) as clients:
        await creating.create(loaded.report.taken.creations, clients, system_jitter(), told)
