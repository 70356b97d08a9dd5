"""Stores the API's layers, and serialises the calls on them. As `function_plane.py`, but nothing runs a layer by
itself, so nobody watches.

    change ──► decide (pure) ──► one durable transaction ──► in memory ──► the answer
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial

import anyio

from ....config.clock import Clock
from ....config.durable.faults import StoreUnavailable
from .. import layer_documents
from ..layers import Layer, LayerDecision, LayerVersion
from ..model import Answer, Moment, Package
from ..names import Home
from ..refusals import service
from .code import CodeStore
from .document_store import Documents

DecideLayer = Callable[[Layer | None, Moment], LayerDecision]


class LayerPlane:
    """Belongs to the running event loop. `fresh`: a new text each time."""

    def __init__(
        self,
        documents: Documents,
        code: CodeStore,
        here: Home,
        *,
        clock: Clock,
        fresh: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.here = here
        self._documents = documents
        self._code = code
        self._clock = clock
        self._fresh = fresh
        self._layers = layer_documents.layers(
            documents.all(layer_documents.LAYER), documents.all(layer_documents.LAYER_VERSION), here
        )
        self._turn = anyio.Lock()

    def find(self, name: str) -> Layer | None:
        return self._layers.get(name)

    def all(self) -> Mapping[str, Layer]:
        """Every layer, by name; those too that have no version any more."""
        return dict(self._layers)

    def version(self, arn: str) -> LayerVersion | None:
        """The version of this ARN, if it is here."""
        layer_arn, _, number = arn.rpartition(":")
        layer = self._layers.get(layer_arn.rpartition(":")[2])
        return layer.version(int(number)) if layer and layer.arn == layer_arn and number.isdigit() else None

    def packages(self) -> tuple[Package, ...]:
        """The content of every version."""
        return tuple(version.package for layer in self._layers.values() for version in layer.versions)

    async def change(self, name: str, decide: DecideLayer) -> Answer:
        """Decide, store, answer. Raises the errors of `decide`, and then nothing changed."""
        async with self._turn:
            before = self._layers.get(name)
            after, answer = decide(before, Moment(self._clock.wall(), self._fresh()))
            if after is not None and after != before:
                puts, deletes = layer_documents.changes(before, after)
                try:
                    await self._documents.write(puts, deletes, partial(self._remember, name, after))
                except StoreUnavailable as error:
                    raise service(str(error)) from error
                if deletes:
                    self._code.released()
        return answer

    def _remember(self, name: str, after: Layer) -> None:
        self._layers[name] = after
