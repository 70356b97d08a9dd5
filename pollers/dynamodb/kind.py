"""Makes the source of a DynamoDB stream from its mapping."""

from __future__ import annotations

from ...config.kinds import dynamodb
from ..profile import PollerKind
from ..source import FunctionFacts
from ..streams.maker import StreamMaker
from ..streams.service import StreamService
from .service import DynamoDbService

MADE_UP_REGION = "ddblocal"
"""The region in every ARN of DynamoDB Local; it finds its tables by the region for which a call is signed."""


class DynamoDbMaker(StreamMaker):
    """A `SourceMaker`."""

    async def service(self, function: FunctionFacts) -> StreamService:
        arn, clients = self._arn, self._parts.clients
        region = None if arn.region == MADE_UP_REGION else arn.region
        tables = None if dynamodb.label_of(arn) else await clients.get(dynamodb.SERVICE, region=region)
        streams = await clients.get(dynamodb.STREAMS_SERVICE, region=region)
        return DynamoDbService(arn, tables, streams, self._parts.clock)


STREAM = PollerKind(dynamodb.STREAM, DynamoDbMaker)
