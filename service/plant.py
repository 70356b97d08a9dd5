"""The parts of a running daemon, put together by `daemon.py`: functions, mappings, and how each stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import anyio

from ..config.mapping import EventSourceMapping
from ..dispatch.destinations.persistence import FailureDestination
from ..dispatch.dispatcher import Target
from ..dispatch.observer import DestinationChanged, Event, GateClosed, GateOpened, MappingChanged
from ..pollers.lifecycle import State, Status
from ..pollers.supervisor import Supervisor
from .account import Account
from .view import FunctionView, MappingView, Readiness

DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Work:
    """A mapping at work: also what `idle.Watched` looks at."""

    config: EventSourceMapping
    supervisor: Supervisor
    target: Target
    destination: FailureDestination | None = None

    @property
    def mapping(self) -> str:
        return self.config.name

    @property
    def standing(self) -> Status:
        """Where the mapping stands, its function included; without a reason while nothing is known yet."""
        status, gate = self.supervisor.status, self.target.gate
        if status.state not in (State.WAITING, State.POLLING):
            return status
        if not gate.is_open:
            return Status(State.WAITING, f"function {self.target.name}: {gate.cause}")
        if status.reason.startswith(f"function {self.target.name}: "):
            return Status(State.WAITING)  # the function is there by now, and the source is being opened
        return status

    @property
    def polling(self) -> bool:
        return self.standing.state is State.POLLING

    @property
    def waits_for(self) -> str:
        standing = self.standing
        return "" if standing.state is State.POLLING else standing.reason or "it is being opened"

    @property
    def trouble(self) -> str:
        """What is wrong with its failure destination; empty when nothing is, or when it has none."""
        return self.destination.trouble if self.destination else ""

    @property
    def is_known(self) -> bool:
        """Whether the failure destination, if there is one, was asked."""
        return self.destination is None or self.destination.known

    @property
    def busy(self) -> bool:
        return self.supervisor.busy

    @property
    def fetched_at(self) -> float:
        return self.supervisor.fetched_at

    async def empty(self) -> bool:
        return await self.supervisor.empty()


class Changes:
    """The observer that wakes those who wait for a change of state, and knows which functions were tried."""

    def __init__(self) -> None:
        self._changed = anyio.Event()
        self.tried: set[str] = set()
        """Functions of which is known whether they can start."""

    def observe(self, event: Event) -> None:
        match event:
            case GateClosed(function=function) | GateOpened(function=function):
                self.tried.add(function)
            case MappingChanged() | DestinationChanged():
                pass
            case _:
                return
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def next(self) -> anyio.Event:
        """Set at the next change. Taken before one looks, so that no change falls between."""
        return self._changed


class Plant:
    """Everything that runs; answers what there is to see of it."""

    def __init__(
        self,
        mappings: Mapping[str, EventSourceMapping],
        works: Collection[Work],
        targets: Mapping[str, tuple[Target, str]],
        account: Account,
        changes: Changes,
    ) -> None:
        self._mappings = mappings
        self.works = tuple(works)
        self._by_name = {work.mapping: work for work in works}
        self._described = targets
        self._account = account
        self.changes = changes
        self.stopping = False

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(target for target, _ in self._described.values())

    @property
    def account(self) -> Account:
        return self._account

    def readiness(self) -> Readiness:
        if self.stopping:
            return Readiness(ready=False, polling=False, reasons=("the daemon is stopping",))
        reasons = [
            f"{work.mapping}: {reason}" for work in self.works for reason in (work.waits_for, work.trouble) if reason
        ]
        known = all(work.is_known and (work.polling or self._known(work)) for work in self.works)
        return Readiness(known, not reasons, tuple(reasons))

    def mappings(self) -> tuple[MappingView, ...]:
        return tuple(self._mapping(config) for config in self._mappings.values())

    def functions(self) -> tuple[FunctionView, ...]:
        return tuple(
            FunctionView(
                name=target.name,
                what=what,
                up=target.gate.is_open,
                cause=target.gate.cause,
                in_flight=target.permits.taken,
                limit=target.permits.allowed,
            )
            for target, what in self._described.values()
        )

    def _known(self, work: Work) -> bool:
        """Whether a mapping that does not poll can say why: its function was tried, its source was looked for."""
        return bool(work.standing.reason) and (work.target.gate.is_open or work.target.name in self.changes.tried)

    def _mapping(self, config: EventSourceMapping) -> MappingView:
        work = self._by_name.get(config.name)
        standing = work.standing if work else None
        return MappingView(
            name=config.name,
            uuid=config.uuid,
            source=config.place,
            kind=str(config.kind),
            function=config.function_name,
            state=standing.state.value if standing else DISABLED,
            reason=standing.reason if standing else "it is not enabled",
            feeds=work.supervisor.feeds if work else 0,
            counts=self._account.as_json(config.name),
            destination=work.destination.arn if work and work.destination else "",
            trouble=work.trouble if work else "",
        )
