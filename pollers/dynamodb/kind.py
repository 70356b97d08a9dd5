"""Makes the source of a DynamoDB stream from its mapping."""

from __future__ import annotations

from ...config.clients.aws import Clients
from ...config.fields.arn import Arn
from ...config.kinds import dynamodb
from ...config.mapping import EventSourceMapping
from ...dispatch.kinds.dynamodb import image_of
from ..profile import PollerKind
from ..source import FunctionFacts
from ..streams.maker import StreamMaker
from ..streams.service import StreamService
from .service import CADENCE, DynamoDbService

MADE_UP_REGION = "ddblocal"
"""The region in every ARN of DynamoDB Local; it finds its tables by the region for which a call is signed."""


class DynamoDbMaker(StreamMaker):
    """A `SourceMaker`."""

    async def service(self, function: FunctionFacts) -> StreamService:
        arn, clients = self._arn, self._parts.clients
        region = None if arn.region == MADE_UP_REGION else arn.region
        tables = None if dynamodb.label_of(arn) else await clients.get(dynamodb.SERVICE, region=region)
        streams = await clients.get(dynamodb.STREAMS_SERVICE, region=region)
        pace, shared = self.cadence(CADENCE), self.shared(streams)
        return DynamoDbService(arn, tables, streams, self._parts.clock, cadence=pace, shared=shared)


async def _send(mapping: EventSourceMapping, clients: Clients, text: str, key: str) -> None:
    arn = Arn.parse(mapping.source)
    client = await clients.get(dynamodb.SERVICE, region=None if arn.region == MADE_UP_REGION else arn.region)
    await client.put_item(TableName=arn.segment(1), Item=image_of(text))


STREAM = PollerKind(dynamodb.STREAM, DynamoDbMaker, send=_send)
