"""What the last listing says of a shard, and when the stream is listed again for it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceError, SourceMissing, SourceUnavailable
from headrace.pollers.streams.calls import Listed
from headrace.pollers.streams.core.lineage import Shard
from headrace.pollers.streams.service import Listing
from support.virtual_time import EPOCH, VirtualLoop

OPEN, CLOSED = Shard("a"), Shard("a", closed=True)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Stream:
    """A stream that is listed as `shards` says, or fails to be."""

    def __init__(self) -> None:
        self.shards: dict[str, Shard] | SourceError = {"a": OPEN}
        self.listings = 0
        self.listed = Listed(self.list, LoopClock(EPOCH))

    async def list(self) -> Listing:
        since = anyio.current_time()
        self.listings += 1
        await anyio.sleep(0.5)
        if isinstance(self.shards, SourceError):
            raise self.shards
        self.listed.saw(self.shards, since)
        return Listing("stream", None, tuple(self.shards.values()), EPOCH)


@pytest.mark.semantics("STREAM-35")
async def test_a_listing_is_good_for_a_while_and_for_all() -> None:
    stream = Stream()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(stream.listed.look, "a", 10.0)
    assert (await stream.listed.look("a", 10.0), await stream.listed.look("b", 10.0)) == (OPEN, None)
    assert stream.listings == 1
    await anyio.sleep(10)
    await stream.listed.look("a", 10.0)
    assert stream.listings == 2


@pytest.mark.semantics("STREAM-35")
async def test_a_closed_shard_stays_closed() -> None:
    stream = Stream()
    stream.shards = {"a": CLOSED}
    await stream.list()
    await anyio.sleep(3600)
    assert await stream.listed.look("a", 1.0) == CLOSED
    assert stream.listings == 1


@pytest.mark.semantics("STREAM-35")
@pytest.mark.parametrize("failure", [SourceUnavailable("throttled"), SourceMissing("gone")])
async def test_a_listing_that_failed_says_nothing_and_is_not_asked_for_at_once(failure: SourceError) -> None:
    stream = Stream()
    stream.shards = failure
    for _ in range(5):
        with pytest.raises(SourceUnavailable, match=str(failure)):
            await stream.listed.look("a", 10.0)
    assert stream.listings == 1
    stream.shards = {"a": OPEN}
    await anyio.sleep(10)
    assert await stream.listed.look("a", 10.0) == OPEN


@pytest.mark.semantics("STREAM-35")
async def test_a_listing_that_was_overtaken_counts_no_more() -> None:
    """It may lack a shard that was born since."""
    stream = Stream()
    stream.listed.saw({"a": OPEN}, 5.0)
    stream.listed.saw({}, 4.0)
    assert await stream.listed.look("a", 10.0) == OPEN
