"""Assembles the control plane of a running daemon: the store, the functions, their layers and the mappings.

The effect of a change on the running daemon is in `running/function_references.py` for functions, in
`running/reconciler.py` for mappings.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ...config.clock import Clock
from ...config.fields.arn import LOCAL_ACCOUNT, LOCAL_REGION
from ...config.loader import Config
from ...config.settings import Settings
from ..control.mappings import as_documents, from_file
from ..control.mappings.decisions import DecisionContext
from ..control.mappings.from_file import Filed
from ..control.mappings.model import Find, FoundFunction, MappingState
from ..control.names import Home
from ..control.store.code import DIRECTORY, CodeStore
from ..control.store.document_store import FILE, Documents
from ..control.store.function_plane import FunctionPlane
from ..control.store.layer_plane import LayerPlane
from ..control.store.mapping_plane import MappingPlane
from ..telemetry.log import Action, Log


def here_of(settings: Settings, region: str) -> Home:
    """Account, region and names of the API's functions and mappings."""
    return Home(region, settings.aws.account or LOCAL_ACCOUNT)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    functions: FunctionPlane
    layers: LayerPlane
    mappings: MappingPlane
    documents: Documents
    """The documents of all of them."""

    @classmethod
    async def open(
        cls,
        state: Path,
        config: Config,
        region: str,
        clock: Clock,
        log: Log,
        stack: AsyncExitStack,
        borrowed: Find = lambda name, qualifier: None,
    ) -> ControlPlane:
        """The control plane of a locked state directory; `region` is the clients'. `borrowed` finds an emulator's
        functions that mappings may name. Raises UnusableState, StoreUnavailable."""
        documents = await Documents.open(state / FILE)
        stack.push_async_callback(documents.aclose)
        here = here_of(config.settings, region)
        code = CodeStore(state / DIRECTORY)
        layers = LayerPlane(documents, code, here, clock=clock)
        functions = FunctionPlane(documents, code, here, config.functions, clock=clock, layers=layers.packages)
        ground = DecisionContext(
            here, finder(functions, borrowed), config.settings.api.adopt, config.settings.shortest_record_age
        )
        mappings = MappingPlane(
            documents, filed_of(config), ground, clock, say=lambda line: log.info(Action.MAPPING, line)
        )
        for name in await functions.start():
            log.error(Action.FUNCTION_DOWN, f"{name}: its code is lost from {state}; upload it again", function=name)
        await mappings.start()
        if config.settings.take_over.enabled:
            mappings.take_up()
        return cls(functions, layers, mappings, documents)


def finder(functions: FunctionPlane, borrowed: Find = lambda name, qualifier: None) -> Find:
    """Whether a function is there that a mapping names: of the file, of the API, else one that is borrowed."""

    def find(name: str, qualifier: str) -> FoundFunction | None:
        function = functions.find(name)
        if function is None:
            return borrowed(name, qualifier)
        version = function.resolve(qualifier) if function else None
        return FoundFunction(version.configuration.get("Timeout")) if version else None

    return find


def filed_of(config: Config) -> Filed:
    """The mappings of the configuration, each with its file."""
    return {mapping.uuid: (mapping, config.file(mapping)) for mapping in config.mappings.values()}


async def with_stored(config: Config, state: Path) -> Config:
    """The configuration with the mappings that a daemon on this state directory would have, except for the region of
    their functions. Raises UnusableState."""
    if not (state / FILE).exists():
        return config
    documents = await Documents.open(state / FILE)
    try:
        read = as_documents.mappings(documents)
        begun = from_file.begin(filed_of(config), *read, here_of(config.settings, LOCAL_REGION), 0.0)
    finally:
        await documents.aclose()
    mappings = [mapped.config for mapped in begun.mappings.values() if mapped.state is not MappingState.DELETING]
    return replace(config, mappings={mapping.name: mapping for mapping in mappings})
