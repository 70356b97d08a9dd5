"""`headrace release`: gives an emulator back what a daemon took over, while no daemon runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing

import anyio

from ....config.clients.aws import AwsSettings, Clients
from ....config.errors import SourceError
from ....config.loader import Config
from ....dispatch.core.observer import Observer
from ...wiring.exits import Exit
from ...wiring.state import StateDirectory
from ...wiring.take_over import release
from .configs import default, read_config
from .tables import show, tell


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    config = read_config(arguments.config or default(), arguments)
    return anyio.run(_run, config)


async def _run(config: Config) -> Exit:
    """1 where one of them is still off."""
    code = Exit.OK
    with closing(StateDirectory.open(config.settings.state)):
        async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
            found = await release(config, clients)
    for uuid, what in found.items():
        if isinstance(what, SourceError):
            tell(f"{uuid}: it stays switched off: {what}")
            code = Exit.FAILURE
        else:
            show(f"{uuid}: {'switched on again' if what else 'the emulator has it no more'}")
    if not found:
        show(f"nothing is taken over in {config.settings.state}")
    return code
