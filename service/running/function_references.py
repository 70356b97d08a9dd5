"""References of mappings to the API's functions: a name, with or without a version or alias, whose code may change with
each update.

    changed ──► another identity: the gate shuts, the new version is tried, and only then the mapping fetches again
            └─► another reserved concurrency: no more is fetched than may run
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from ...dispatch.core.model import Reply
from ...dispatch.invokers.base import Invocation, NotReady, Ready
from ...dispatch.permits import Gate, Permits
from .environments import Environments


def split(reference: str) -> tuple[str, str]:
    """Name and qualifier; the latter empty where there is none."""
    name, _, qualifier = reference.partition(":")
    return name, qualifier


class ReferenceInvoker:
    """An invoker for `name` or `name:qualifier`, which is resolved at each invocation."""

    ends_on_cancel = True

    def __init__(self, reference: str, environments: Environments, closed: Callable[[ReferenceInvoker], None]) -> None:
        self._name, self._qualifier = split(reference)
        self._environments = environments
        self._on_close = closed
        self.tried = ""
        """The identity of the version that last proved to start."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def qualifier(self) -> str:
        return self._qualifier

    @property
    def identity(self) -> str:
        """The identity of the current version; empty when it cannot run."""
        runnable = self._environments.catalogue.runnable(self._name, self._qualifier)
        return runnable.identity if runnable and runnable.state == "Active" else ""

    @property
    def concurrency(self) -> int:
        reserved = self._environments.catalogue.reserved(self._name)
        return self._environments.shared if reserved is None else reserved

    @property
    def timeout(self) -> float | None:
        runnable = self._environments.catalogue.runnable(self._name, self._qualifier)
        return float(runnable.timeout) if runnable else None

    async def probe(self) -> Ready | NotReady:
        found, identity = await self._environments.probe(self._name, self._qualifier)
        if isinstance(found, Ready):
            self.tried = identity
        return found

    async def invoke(self, invocation: Invocation) -> Reply:
        return await self._environments.invoke(self._name, self._qualifier, invocation)

    async def aclose(self) -> None:
        """Does nothing: environments are shared, and end with their function, or all together."""
        self._on_close(self)


@dataclass(slots=True, eq=False)
class Reference:
    """A reference in use."""

    invoker: ReferenceInvoker
    permits: Permits
    gate: Gate
    seen: tuple[str, int]
    """Identity and concurrency at the last check."""

    def look(self) -> None:
        """Whether the version or its concurrency has changed."""
        before, self.seen = self.seen, (self.invoker.identity, self.invoker.concurrency)
        if self.seen == before:
            return
        self.permits.relimit(max(1, self.seen[1]))  # the gate handles 0
        if self.seen[0] != before[0] or 0 in (self.seen[1], before[1]):
            self.gate.renew()


class FunctionReferences:
    """The references in use, by the function that they name."""

    def __init__(self, environments: Environments) -> None:
        self.environments = environments
        self._at_work: defaultdict[str, list[Reference]] = defaultdict(list)
        environments.catalogue.watch(self._changed)

    def invoker(self, reference: str) -> ReferenceInvoker:
        return ReferenceInvoker(reference, self.environments, self._remove)

    def add(self, invoker: ReferenceInvoker, permits: Permits, gate: Gate) -> None:
        """Keep this reference in step with the catalogue."""
        seen = (invoker.identity, invoker.concurrency)
        self._at_work[invoker.name].append(Reference(invoker, permits, gate, seen))

    def _remove(self, invoker: ReferenceInvoker) -> None:
        left = [each for each in self._at_work.pop(invoker.name, []) if each.invoker is not invoker]
        if left:
            self._at_work[invoker.name] = left

    def _changed(self, name: str) -> None:
        for reference in self._at_work.get(name, ()):
            reference.look()
