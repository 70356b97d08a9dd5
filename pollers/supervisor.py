"""Runs one mapping: opens its source, runs the feeds that the roster wants, waits and reopens, stops in phases.

The supervisor never lets a fault of its own mapping reach another: every failure of its source ends here, as a state
with a reason and another try.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from functools import partial

import anyio
from anyio.abc import TaskGroup

from ..config.core.stop_budget import NEVER, StopBudget, StopTimes, soon
from ..config.errors import SourceError, SourceUnavailable
from ..config.reasons import Reason, ReasonCode, fault_of_ours
from ..dispatch.core.observer import Crashed, FeedsChanged, FetchesAgain, FetchFailed, MappingChanged
from ..dispatch.core.steps import Skip
from .core.lifecycle import PollState, Status
from .feed import Feed
from .feed_settings import FeedSettings
from .source import FetchResult, Reader, Roster, Source

LOOKS = 2.0
"""Seconds between checks whether a source that only lends has messages, while its function's gate rests."""
LONG_LIFE = 60.0
"""Seconds. A feed that lived longer starts its back-off anew."""


class Supervisor:
    """Keeps one mapping polling until it is stopped. `run` returns after `stop`, and raises nothing of its source's."""

    def __init__(self, settings: FeedSettings, source: Source) -> None:
        self._settings = settings
        self._dispatcher = settings.dispatcher
        self._source = source
        self._clock = settings.dispatcher.clock
        self._feeds: dict[str, Feed] = {}
        self._begun: set[str] = set()
        self._aligned: Collection[str] = ()
        """The roster's wish at the last look at the feeds."""
        self._resting: dict[str, Reason] = {}
        """Feeds that wait for another try, each with the reason."""
        self._losses: Counter[str] = Counter()
        """For each feed: lives in a row that were shorter than LONG_LIFE."""
        self._not_fetching: set[str] = set()
        """Feeds that ended in a failure and have fetched nothing since."""
        self._status = Status(PollState.WAITING)
        self._failures = 0
        self._failure: Reason | None = None
        self._stopping = False
        self._times = NEVER
        self._waiting = anyio.CancelScope()
        self._watching = anyio.CancelScope()
        self._over = anyio.Event()
        self._ended = anyio.Event()
        self._fetched_at = -float("inf")

    @property
    def mapping(self) -> str:
        return self._dispatcher.mapping

    @property
    def status(self) -> Status:
        """Where the mapping stands now; a closed gate shows as waiting for the function, and a source that every feed
        fails to reach as waiting for it."""
        if self._status.state is not PollState.POLLING:
            return self._status
        if (closed := self._dispatcher.target.closed) is not None:
            return Status(PollState.WAITING, closed, for_function=True)
        troubles = [*(self._trouble_of(feed) for feed in self._feeds.values()), *self._resting.values()]
        if troubles and all(troubles):
            return Status(PollState.WAITING, troubles[0])
        return self._status

    def _trouble_of(self, feed: Feed) -> Reason | None:
        if feed.unanswered > self._source.patience:
            return feed.trouble or Reason(ReasonCode.UNAVAILABLE, self._silent())
        return feed.trouble

    def _silent(self) -> str:
        return f"the source has not answered for {self._source.patience:g} s: is the server at its endpoint healthy?"

    @property
    def fetched_at(self) -> float:
        """Monotonic time of the last fetch that brought a record."""
        return self._fetched_at

    @property
    def busy(self) -> bool:
        return any(feed.busy for feed in self._feeds.values())

    @property
    def feeds(self) -> int:
        return len(self._feeds)

    def hasten(self) -> int:
        """Invoke now the records that wait for their next attempt. Returns the number of batches that waited."""
        return sum(feed.hasten() for feed in tuple(self._feeds.values()))

    def skip(self, lane: str, name: str = "") -> Skip | None:
        """Give up on the record that holds up this lane, or on the one of this name there: it is discarded, with its
        document. None when no batch has such a record, or records have no positions."""
        return next((skip for feed in tuple(self._feeds.values()) if (skip := feed.skip(lane, name))), None)

    async def empty(self) -> bool:
        """Whether the source says that nothing is left; False when it cannot be asked."""
        try:
            return await self._source.empty()
        except SourceError:
            return False
        except Exception as error:
            self._crashed(error)
            return False

    async def run(self) -> None:
        self._ended = anyio.Event()
        try:
            with self._interruptible() as self._waiting:
                await self._wait_for_function()
            while not self._stopping:
                await self._poll_once()
        finally:
            self._to(Status(PollState.STOPPED))
            self._ended.set()
            with anyio.CancelScope(shield=True, deadline=soon(self._times.close, self._clock.monotonic())):
                await self._source.aclose()

    async def stop(self, grace: float) -> None:
        """`stop_by` while the daemon goes on: invocations have `grace` seconds to finish."""
        await self.stop_by(StopBudget.of_mapping(grace).begin(self._clock.monotonic()))

    async def stop_by(self, times: StopTimes) -> None:
        """Stop fetching at once, let invocations finish, end those that do not, settle, close; each in its time."""
        self._stopping, self._times = True, times
        self._to(Status(PollState.STOPPING))
        self._waiting.cancel()
        self._watching.cancel()
        self._over.set()
        for feed in tuple(self._feeds.values()):
            feed.stop(times)
        with anyio.CancelScope(deadline=times.finish):
            await self._ended.wait()
        for feed in tuple(self._feeds.values()):
            feed.cut()
        with anyio.CancelScope(deadline=times.close):
            await self._ended.wait()

    # --- one life of the source -------------------------------------------------------------------------------------

    async def _poll_once(self) -> None:
        """Open the source and run its feeds until it fails or we stop; then rest, so that nothing spins."""
        self._failure = None
        with self._interruptible() as self._waiting:
            try:
                roster = await self._source.open()
                if self._source.lent:
                    await self._wait_for_need()
            except SourceError as error:
                self._failure = error.reason
            except Exception as error:
                self._failure = self._crashed(error)
        if self._failure is None and not self._stopping:
            try:
                await self._run_feeds(roster)
            except Exception as error:  # of ours, between the feeds: they have all ended with it
                self._failure = self._crashed(error)
        if self._failure is not None and not self._stopping:
            await self._rest(self._failure)

    async def _run_feeds(self, roster: Roster) -> None:
        self._to(Status(PollState.POLLING))
        self._over = anyio.Event()
        self._begun.clear()
        self._resting.clear()
        async with anyio.create_task_group() as tasks:
            self._align(tasks, roster)
            await self._watch(tasks, roster)

    async def _watch(self, tasks: TaskGroup, roster: Roster) -> None:
        """Let the source keep the roster up to date. When it failed as a whole, its feeds end at once: what they hold
        undecided may never be decided, and would keep the source from being opened again."""
        with self._interruptible() as self._watching:
            try:
                await self._source.watch(lambda: self._align(tasks, roster))
                return
            except SourceError as error:
                self._failure = error.reason
            except Exception as error:
                self._failure = self._crashed(error)
            self._end_feeds()

    def _align(self, tasks: TaskGroup, roster: Roster) -> None:
        """Start the feeds that are wanted and not there; retire those that are there and not wanted."""
        if self._failure is not None or self._stopping:
            self._end_feeds()
            return
        wanted = self._aligned = roster.wanted()
        for name in self._feeds.keys() - set(wanted):
            self._feeds[name].retire()
        for name in wanted:
            if name not in self._begun:
                self._begun.add(name)
                tasks.start_soon(self._run_feed, tasks, roster, name)

    def _end_feeds(self) -> None:
        """So that the source can be opened again. What was only lent is delivered first; what a stream has still may
        never be decided, and comes again."""
        self._over.set()
        self._watching.cancel()
        for feed in tuple(self._feeds.values()):
            if self._source.lent:
                feed.retire()
            else:
                feed.stop(self._times)

    async def _run_feed(self, tasks: TaskGroup, roster: Roster, name: str) -> None:
        """One life of a feed. A temporary failure (SourceUnavailable) or a fault of ours restarts this feed only."""
        began = self._clock.monotonic()
        try:
            await self._read(tasks, roster, name)
            self._losses.pop(name, None)
        except SourceUnavailable as error:
            await self._rest_alone(name, error.reason, began)
        except SourceError as error:
            self._failure = error.reason
        except Exception as error:
            await self._rest_alone(name, self._crashed(error), began)
        finally:
            self._begun.discard(name)
        self._align(tasks, roster)

    async def _read(self, tasks: TaskGroup, roster: Roster, name: str) -> None:
        try:
            await self._made(name, await self._source.reader(name), tasks, roster).run()
        finally:
            self._feeds.pop(name, None)
            self._tell_feeds()

    def _made(self, name: str, reader: Reader, tasks: TaskGroup, roster: Roster) -> Feed:
        """Make a feed, put it among the others and look whether all are to end, in one step: none is missed."""
        polled = partial(self._polled, tasks, roster, name)
        took = partial(self._took, tasks, roster, name)
        feed = self._feeds[name] = Feed(self._settings, reader, polled, took)
        self._tell_feeds()
        if self._over.is_set():  # while the reader was being made
            feed.stop(self._times)
        return feed

    async def _rest_alone(self, name: str, cause: Reason, began: float) -> None:
        """Before this feed is tried again; ends with all feeds. One that lived for long is as new."""
        self._losses[name] = 1 if self._clock.monotonic() - began > LONG_LIFE else self._losses[name] + 1
        delay = self._settings.backoff.delay(self._losses[name], self._dispatcher.jitter())
        self._settings.dispatcher.observer.observe(FetchFailed(self.mapping, cause, delay))
        self._resting[name] = cause
        self._not_fetching.add(name)
        with anyio.move_on_after(delay):
            await self._over.wait()
        del self._resting[name]

    def _tell_feeds(self) -> None:
        self._settings.dispatcher.observer.observe(FeedsChanged(self.mapping, len(self._feeds)))

    def _tell_recovery(self, name: str, fetched: FetchResult) -> None:
        """Report FetchesAgain when the last failing feed fetches again, from every part of its source."""
        failed_before = self._feeds[name].trouble or name in self._not_fetching
        if self._over.is_set() or fetched.trouble or not failed_before:
            return  # a cancelled fetch does not count
        self._not_fetching = (self._not_fetching & self._begun) - {name}
        if not self._not_fetching and not any(feed.trouble for other, feed in self._feeds.items() if other != name):
            self._settings.dispatcher.observer.observe(FetchesAgain(self.mapping))

    def _crashed(self, error: Exception) -> Reason:
        """A fault of ours must not reach the other mappings: the supervisor logs it and tries again."""
        self._settings.dispatcher.observer.observe(Crashed(self.mapping, error))
        return fault_of_ours(error)

    def _polled(self, tasks: TaskGroup, roster: Roster, name: str, fetched: FetchResult) -> None:
        self._failures = 0
        if fetched.records:
            self._fetched_at = self._clock.monotonic()
        self._tell_recovery(name, fetched)
        roster.polled(name, fetched, self._clock.monotonic())
        self._follow(tasks, roster)

    def _took(self, tasks: TaskGroup, roster: Roster, name: str, held: bool) -> None:
        roster.took(name, held=held)
        self._follow(tasks, roster)

    def _follow(self, tasks: TaskGroup, roster: Roster) -> None:
        if roster.wanted() != self._aligned:
            self._align(tasks, roster)

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def _wait_for_function(self) -> None:
        """The function is initialised before anything is fetched for it."""
        target = self._dispatcher.target
        while (closed := target.closed) is not None:
            self._to(Status(PollState.WAITING, closed, for_function=True))
            await target.gate.wait_changed()

    async def _wait_for_need(self) -> None:
        """A remembered start is no reason to fetch lent messages. While the source has none, the function needs no
        process. As soon as it may have some, the function is probed before the fetch."""
        gate = self._dispatcher.target.gate
        while gate.is_resting:
            self._to(Status(PollState.POLLING))
            if not await self._known_empty():
                gate.wake()
                return
            with anyio.move_on_after(LOOKS):
                await gate.wait_changed()

    async def _known_empty(self) -> bool:
        """Works as `Source.empty`. Raises SourceError, also for a source that does not answer in its time."""
        with anyio.move_on_after(self._source.patience):
            empty = await self._source.empty()
            self._failures = 0
            return empty
        raise SourceUnavailable(self._silent())

    async def _rest(self, failure: Reason) -> None:
        self._failures += 1
        delay = self._settings.backoff.delay(self._failures, self._dispatcher.jitter())
        self._to(Status(PollState.WAITING, failure))
        with self._interruptible() as self._waiting:
            await anyio.sleep(delay)

    def _interruptible(self) -> anyio.CancelScope:
        scope = anyio.CancelScope()
        if self._stopping:
            scope.cancel()
        return scope

    def _to(self, status: Status) -> None:
        if status != self._status:
            self._status = status
            self._settings.dispatcher.observer.observe(MappingChanged(self.mapping, status.state.value, status.reason))
