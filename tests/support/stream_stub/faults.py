"""What can be wrong with one stream, and the log of the calls about it."""

from __future__ import annotations

from dataclasses import dataclass, field

LISTING = frozenset({"ListShards", "DescribeStream", "DescribeStreamSummary", "ListStreams"})


@dataclass
class Faults:
    """What is wrong with one stream at the moment."""

    only: str = ""
    """Only this operation is hit; empty for all."""
    shard: str = ""
    """Only calls about this shard are hit; empty for all."""
    silent: bool = False
    """Requests are accepted and never answered; subscriptions under way fall silent."""
    status: int = 0
    """Answer everything with this HTTP status; 0 for none."""
    error: str = ""
    """Answer everything with this error code; empty for none."""
    throttle: int = 0
    """So many calls exceed the stream's quota."""
    unlike: bool = False
    """Answer everything with an empty object, as some other service might."""
    truncated: bool = False
    """Answer half of each reply, then close."""
    lost_replies: int = 0
    """So many requests are carried out, and the connection is closed without an answer."""
    refuse_listing: str = ""
    """The error code of every call that describes or lists; empty for none."""
    null_iterators: int = 0
    """So many GetRecords of an open shard bring no iterator to go on with."""
    empty_pages: int = 0
    """So many GetRecords bring no records, though there are some."""
    corrupt_frames: int = 0
    """So many events of subscriptions have a wrong checksum."""
    cut_frames: int = 0
    """So many events end in the middle, and so does the connection."""
    event_errors: list[str] = field(default_factory=list)
    """Exceptions that come as the next events of subscriptions, each the last of its own."""

    def hit(self, operation: str, shard: str) -> bool:
        return self.only in ("", operation) and self.shard in ("", shard)


NOTHING = Faults()
"""What is wrong with a stream that does not exist."""


@dataclass(slots=True)
class Call:
    """One request, as it arrived and was answered."""

    operation: str
    stream: str
    """The stream's name, or its table's; empty where there is none of that name."""
    shard: str
    at: float
    """Wall-clock seconds of the stub."""
    body: dict[str, object]
    answer: str = ""
    """The error code; empty for success, and while there is no answer."""
    region: str = ""
    """The region that it is signed for."""
