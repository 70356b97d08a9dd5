"""Where the shards of a stream begin when it is read again: in a store of positions that nobody else uses."""

from __future__ import annotations

from collections.abc import Sequence

from ...dispatch.core.model import Lane, Position
from ..checkpoints.store import BEGINNING, Checkpoint, CheckpointStore, Finished, Key, Start, StartKind
from ..replay.core.plan import ReplayPlan, ReplayProgress, ShardDone, Span
from .service import StreamService


async def seeded(
    store: CheckpointStore, mapping: str, service: StreamService, plan: ReplayPlan, progress: ReplayProgress
) -> None:
    """Store where each listed shard begins, by the plan and what of it is done. Raises SourceError."""
    listing = await service.list()
    stream = listing.arn
    starts: dict[str, Start | Finished] = {}
    for shard in listing.shards:
        done = progress.shards.get(shard.id, ShardDone())
        wanted = plan.covers(shard.id) and not done.ended
        starts[shard.id] = await _start(service, stream, shard.id, plan) if wanted else Finished()
    await store.begin(mapping, stream, listing.created, starts)
    for shard_id, done in progress.shards.items():
        if done.position is not None and not done.ended and shard_id in starts:
            key = Key(mapping, Lane(stream, shard_id))
            held = await store.acquire(key)
            await store.commit(key, held.token, Checkpoint(done.position))


async def _start(service: StreamService, stream: str, shard: str, plan: ReplayPlan) -> Start:
    since = plan.since
    if plan.spans is not None:
        since = await _since(service, stream, shard, plan.spans[shard])
    if since is None:
        return BEGINNING
    kind = StartKind.NEWER_THAN if service.latest is StartKind.NEWER_THAN else StartKind.AT_TIMESTAMP
    return Start(kind, since)


async def _since(service: StreamService, stream: str, shard: str, spans: Sequence[Span]) -> float | None:
    """When the first of these records arrived; None where nobody says it, or the record is gone."""
    first = spans[0]
    if first.since is not None or not first.text:
        return first.since
    probed = await service.probe(stream, shard, Position.parse(first.text))
    return None if probed.arrived is None or probed.number != first.first else float(int(probed.arrived))
