"""Makes the sources of a template at the endpoint, where they are not there yet. What is there stays as it is.

A source that cannot be made is told, and waited for as any other that is not there. Raises ConfigError for an endpoint
that may not be called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.retry import retrying
from ...config.clock import Jitter
from ...config.errors import SourceError, SourceMissing
from .core.model import Creation, CreationKind

ATTEMPTS = 12
"""Tries of an endpoint that is away: about half a minute."""
SERVICES = {
    CreationKind.QUEUE: "sqs",
    CreationKind.STREAM: "kinesis",
    CreationKind.TABLE: "dynamodb",
    CreationKind.TOPIC: "sns",
    CreationKind.BUCKET: "s3",
}
THERE = frozenset({"BucketAlreadyExists", "BucketAlreadyOwnedByYou", "QueueNameExists", "ResourceInUseException"})
"""The codes that say that something of this name is there."""


async def create(
    creations: Sequence[Creation], clients: Clients, jitter: Jitter, told: Callable[[str], object]
) -> None:
    """Each in its turn; `told` hears what became of it."""
    for each in creations:
        client = await clients.get(SERVICES[each.kind])
        name = f"{each.kind.value} {each.name}"
        try:
            async for attempt in retrying(ATTEMPTS, jitter):
                with attempt:
                    made = await _made(client, each, name)
        except SourceError as error:
            told(f"{name} could not be created, and is waited for: {error}")
        else:
            told(f"created the {name}" if made else f"the {name} is there already, and stays as it is")


async def _made(client: Any, creation: Creation, name: str) -> bool:
    """Whether it was made; else it was there. Raises SourceError."""
    from botocore.exceptions import ClientError

    if creation.kind is CreationKind.QUEUE and await _is_there(client, creation.name):
        return False
    with faults.translating(f"create the {name}"):
        try:
            await _call(client, creation)
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code")).rpartition(".")[2] in THERE:
                return False
            raise
        return True


async def _is_there(client: Any, name: str) -> bool:
    """A queue that is made again with other attributes is an error, and one with the same is none: so it is asked
    for. Raises SourceError."""
    try:
        with faults.translating(f"look for the queue {name}"):
            await client.get_queue_url(QueueName=name)
    except SourceMissing:
        return False
    return True


async def _call(client: Any, creation: Creation) -> None:
    name, settings = creation.name, dict(creation.settings)
    match creation.kind:
        case CreationKind.QUEUE:
            await client.create_queue(QueueName=name, **settings)
        case CreationKind.STREAM:
            await client.create_stream(StreamName=name, **settings)
        case CreationKind.TABLE:
            await client.create_table(TableName=name, **settings)
        case CreationKind.TOPIC:
            await client.create_topic(Name=name, **settings)
        case CreationKind.BUCKET:
            await client.create_bucket(Bucket=name, **settings)
