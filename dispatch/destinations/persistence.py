"""Tries a failure destination until it succeeds or gives up, and knows its state. The dispatcher hands reports over
here.

        +--- failed, attempts and time left: back-off --+
        v                                               |
Report ---> write --- taken ----------> Written         |
              |------ failed -----------+---------------+
              |                         +-- none left --> GivenUp
              +------ stop, and not taken by its end ---> Interrupted: nobody knows; the records come again
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import anyio

from ...config.clock import Clock, Jitter
from ...config.errors import SourceError
from ...config.reasons import Reason, ReasonCode
from ...config.settings import Destinations
from ..core.backoff import Backoff
from ..core.documents import Report
from ..core.observer import DestinationChanged, DestinationFailed, Observer
from .base import Destination

BACKOFF = Backoff(base=1.0)
"""Between attempts: five of them take up to 15 s besides their own time, in which an emulator starts again."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long one report is tried: so many attempts or seconds, whichever ends first; with `block`, until it works."""

    attempts: int = 5
    seconds: float = 60.0
    block: bool = False
    backoff: Backoff = BACKOFF

    @classmethod
    def of(cls, given: Destinations) -> Persistence:
        """From the settings."""
        return cls(given.attempts, given.seconds, given.block)

    @property
    def limit(self) -> float:
        """Seconds for all attempts together, the last one included."""
        return inf if self.block else self.seconds

    def delay(self, failures: int, elapsed: float, jitter: float) -> float | None:
        """Seconds from failed attempt `failures` to the next one; None when there is none, or no time left for it."""
        delay = self.backoff.delay(failures, jitter)
        if self.block:
            return delay
        return None if failures >= self.attempts or elapsed + delay >= self.seconds else delay


@dataclass(frozen=True, slots=True)
class Written:
    """The destination has the report."""

    arn: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The destination does not have the report, as far as we know, and no attempt follows."""

    cause: Reason | None = None
    """None: there is no destination."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A stop came before the report was written or given up."""


Ending = Written | GivenUp | Interrupted


class FailureDestination:
    """The failure destination of one mapping."""

    def __init__(
        self,
        mapping: str,
        destination: Destination,
        persistence: Persistence,
        clock: Clock,
        jitter: Jitter,
        observer: Observer,
    ) -> None:
        self.mapping = mapping
        self.destination = destination
        self.persistence = persistence
        self.clock = clock
        self.jitter = jitter
        self.observer = observer
        self._failing: dict[DestinationDelivery, Reason] = {}
        self._standing: Reason | None = None
        """The fault of the destination, according to the last probe or write."""
        self._asked = False
        self._doubted = anyio.Event()

    @property
    def arn(self) -> str:
        return self.destination.arn

    @property
    def known(self) -> bool:
        """Whether it was asked at least once."""
        return self._asked

    @property
    def trouble(self) -> Reason | None:
        """The destination's fault and what to do, in one line that names it; None without a fault."""
        failing = next(iter(self._failing.values()), None)
        if failing or self._asked:
            return failing or self._standing
        return Reason(ReasonCode.PENDING, f"failure destination {self.arn} has not been checked yet")

    def handover(self, report: Report) -> DestinationDelivery:
        return DestinationDelivery(self, report)

    # --- asking -----------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Ask until it is there, and again whenever a report was given up. Runs beside the mapping until cancelled."""
        failures = 0
        while True:
            self._doubted = anyio.Event()
            await self.probe()
            if self._standing:
                failures += 1
                await anyio.sleep(self.persistence.backoff.delay(failures, self.jitter()))
            else:
                failures = 0
                await self._doubted.wait()

    async def probe(self) -> None:
        """Ask once; what is wrong is `trouble`."""
        try:
            await self.destination.probe()
        except SourceError as error:
            self._stands(error.reason)
        except Exception as error:  # a fault of ours must not reach other mappings: told as the cause, tried again
            text = f"failure destination {self.arn}: a fault in Headrace ({error!r}); please report it"
            self._stands(Reason(ReasonCode.FAULT, text))
        else:
            self._stands(None)

    def _stands(self, cause: Reason | None) -> None:
        if cause != self._standing or not self._asked:
            self._standing, self._asked = cause, True
            self.observer.observe(DestinationChanged(self.mapping, self.arn, cause))

    # --- what handovers tell ----------------------------------------------------------------------------------------

    def failed(self, handover: DestinationDelivery, cause: Reason, delay: float | None) -> None:
        """An attempt failed; the next one is in `delay` seconds, None: there is none."""
        self._failing[handover] = cause
        self.observer.observe(DestinationFailed(self.mapping, self.arn, cause, delay))

    def ended(self, handover: DestinationDelivery, ending: Ending) -> None:
        self._failing.pop(handover, None)
        match ending:
            case Written():
                self._stands(None)
            case GivenUp(cause=cause):
                self._stands(cause)
                self._doubted.set()
            case Interrupted():
                pass


class DestinationDelivery:
    """One report on its way. `run` once; `stop` at any time."""

    def __init__(self, common: FailureDestination, report: Report) -> None:
        self._common = common
        self._report = report
        self._began = common.clock.monotonic()
        self._until = self._began + common.persistence.limit
        self._stop = anyio.Event()
        self._attempting = anyio.CancelScope()
        self._resting = anyio.CancelScope()

    async def run(self) -> Ending:
        ending: Ending = Interrupted()
        try:
            ending = await self._try()
        finally:
            self._common.ended(self, ending)
        return ending

    def stop(self, until: float) -> None:
        """Begin no further attempt; the one under way, or the first, has until then (monotonic), and no more than it
        had."""
        self._stop.set()
        self._until = min(self._until, until)
        self._attempting.deadline = self._until
        self._resting.cancel()

    async def _try(self) -> Ending:
        failures = 0
        while (cause := await self._attempt()) and not self._stop.is_set():
            failures += 1
            delay = self._delay(failures)
            self._common.failed(self, cause, delay)
            if delay is None:
                return GivenUp(cause)
            with anyio.CancelScope() as self._resting:
                await anyio.sleep(delay)
            if self._stop.is_set():
                return Interrupted()
        return Interrupted() if cause else Written(self._common.arn)

    async def _attempt(self) -> Reason | None:
        """Why the destination did not take it; None when it did."""
        destination = self._common.destination
        with anyio.CancelScope(deadline=self._until) as self._attempting:
            try:
                await destination.write(self._report)
            except SourceError as error:
                return error.reason
            return None
        return Reason(ReasonCode.UNAVAILABLE, f"failure destination {destination.arn} did not answer in time")

    def _delay(self, failures: int) -> float | None:
        common = self._common
        return common.persistence.delay(failures, common.clock.monotonic() - self._began, common.jitter())
