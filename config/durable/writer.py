"""The one thread that touches a file, and how many writes become one transaction.

    submit ──► waiting ──(the loop has had its turn)──► one transaction in the thread ──► every caller gets its answer
                  ▲                                              │
                  └────────── what came meanwhile ◄──────────────┘

A job that was submitted is run, whatever becomes of its caller: cancelling a caller only means that its answer is
dropped. Jobs run in the order of their submission. The follow-up of a stored job (`then`) is called in the step in
which the caller gets the answer. Each store of the state directory has one.

Nothing is written to a file that its path does not lead to any more: it would be gone with this process.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio

from .. import descriptors
from ..errors import BugError
from ..reasons import Reason
from .faults import StoreUnavailable
from .files import FileFormat, open_file
from .pinned import LostFile, Pinned

T = TypeVar("T")

GROUP_MAX = 5_000
"""Jobs of one transaction: so that no answer waits for an endless one."""


def _nothing(answer: Any) -> None:
    """Nothing follows."""


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    writes: bool = False
    """Whether it wrote something, which is durable by now; known when it is done."""
    done: anyio.Event = field(default_factory=anyio.Event)
    result: Any = None
    error: BaseException | None = None


class GroupWriter:
    """Runs jobs on a connection in the thread of `executor`, which has exactly one. Belongs to the running loop."""

    def __init__(
        self, connection: sqlite3.Connection, executor: Executor, name: str, form: FileFormat, pinned: Pinned | None
    ) -> None:
        """`pinned` is the file that the connection has open; None where it has none."""
        self._connection = connection
        self._executor = executor
        self._name = name
        self._form = form
        self._pinned = pinned
        self._trouble: Reason | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job] = []
        self._armed = False
        """A transaction is under way or about to begin."""
        self._closing: asyncio.Task[None] | None = None
        self.commits = 0
        """Transactions that wrote something, each made durable once."""

    @classmethod
    async def open(cls, path: Path, form: FileFormat) -> GroupWriter:
        """One for the file of this format, which is made where there is none. Raises UnusableState: damaged, newer, no
        rights; the file is left as it is."""
        executor = ThreadPoolExecutor(1, thread_name_prefix=path.stem)
        loop = asyncio.get_running_loop()
        try:
            with anyio.CancelScope(shield=True):  # otherwise the connection would never be closed
                opened = await loop.run_in_executor(executor, open_file, path, form)
        except BaseException:
            executor.shutdown()
            raise
        return cls(opened.connection, executor, str(path), form, opened.pinned)

    @property
    def what(self) -> str:
        """The content of the file, as messages name it: `stored positions`."""
        return self._form.what

    @property
    def trouble(self) -> Reason | None:
        """Why nothing can be stored at present, by the last attempt; None when it succeeded."""
        return self._trouble

    async def run(self, work: Callable[[sqlite3.Connection], T], then: Callable[[T], None] = _nothing) -> T:
        """The answer of `work`, once it is durable. `then` gets it in the step in which it is known: no other task runs
        in between. Raises StoreUnavailable, and then nothing of it was stored."""
        result: T = await self._done(_Job(work), then)
        return result

    async def check(self) -> None:
        """Check whether data could be stored now; `trouble` has the result. Without earlier trouble only the file's
        existence is checked, and nothing is written."""
        if self._closing is None:
            with suppress(StoreUnavailable):
                await self._done(_Job(self._touch, writes=True) if self._trouble else _Job(self._look), _nothing)

    async def _done(self, job: _Job, then: Callable[[Any], None]) -> Any:
        if self._closing is not None:
            raise BugError(f"{self._name} was closed")
        self._submit(job)
        await job.done.wait()
        return self._answer(job, then)

    def _answer(self, job: _Job, then: Callable[[Any], None]) -> Any:
        if isinstance(job.error, sqlite3.Error | LostFile):
            raise self._unavailable(job.error) from job.error
        if job.error is not None:
            raise BugError(f"a request that {self._name} cannot store: {job.error!r}") from job.error
        if job.writes:
            self._trouble = None
        then(job.result)
        return job.result

    def _unavailable(self, error: sqlite3.Error | LostFile) -> StoreUnavailable:
        advice = "free some disk space or check the file's permissions"
        if isinstance(error, LostFile):
            advice = "move it back, or restart the daemon, which begins without the stored data"
        elif getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CANTOPEN and descriptors.none_left():
            advice = descriptors.advice()
        unavailable = StoreUnavailable(f"cannot store {self._form.what} in {self._name}: {error}; {advice}")
        self._trouble = unavailable.reason
        return unavailable

    async def aclose(self) -> None:
        """Run what was submitted, then close the connection. Closing continues when the caller is cancelled, because a
        disk may hang. May be called again."""
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())
        await asyncio.wait({self._closing})
        self._closing.result()

    async def _close(self) -> None:
        await self._submit(_Job(lambda connection: None)).done.wait()
        await self._loop.run_in_executor(self._executor, self._connection.close)
        self._executor.shutdown()

    def _submit(self, job: _Job) -> _Job:
        self._waiting.append(job)
        self._arm()
        return job

    def _arm(self) -> None:
        """Begin after all who are ready to run have run, for they may have something to store too."""
        if self._waiting and not self._armed:
            self._armed = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        under_way = self._loop.run_in_executor(self._executor, self._write, group)
        under_way.add_done_callback(lambda future: self._written(group, future))

    def _written(self, group: Sequence[_Job], future: asyncio.Future[None]) -> None:
        failure = asyncio.CancelledError() if future.cancelled() else future.exception()
        for job in group:
            job.error = job.error or failure
            job.done.set()
        self._armed = False
        self._arm()

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _write(self, group: Sequence[_Job]) -> None:
        """One transaction for all; where it fails, one for each, so that a bad request fails alone. Where none can
        begin, no request is at fault, and each would wait as long for the other program that holds the file."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except Exception as error:
            for job in group:
                job.error = error
            return
        try:
            self._transaction(group)
        except Exception as error:  # each goes to the caller that submitted the job
            if len(group) == 1:
                group[0].error = error
            else:
                for job in group:
                    self._write([job])

    def _transaction(self, group: Sequence[_Job]) -> None:
        connection = self._connection
        before = connection.total_changes
        try:
            for job in group:
                changes = connection.total_changes
                job.result = job.work(connection)
                job.writes = job.writes or connection.total_changes > changes
            if connection.total_changes > before:
                self._look(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.commits += connection.total_changes > before

    def _look(self, connection: sqlite3.Connection) -> None:
        """Raises LostFile."""
        if self._pinned is not None:
            self._pinned.expect()

    def _touch(self, connection: sqlite3.Connection) -> None:
        """Make a write that changes nothing. Raises LostFile and sqlite3.Error."""
        self._look(connection)
        connection.execute(f"PRAGMA user_version = {self._form.schema}")
