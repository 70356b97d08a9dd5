"""Makes the source of a Kinesis stream from its mapping."""

from __future__ import annotations

from ...config.clients.aws import Clients
from ...config.fields.arn import Arn
from ...config.kinds import kinesis
from ...config.mapping import EventSourceMapping
from ..profile import PollerKind
from ..source import FunctionFacts
from ..streams.maker import StreamMaker
from ..streams.service import StreamService
from .service import KinesisService, cadence_at


class KinesisMaker(StreamMaker):
    """A `SourceMaker`."""

    async def service(self, function: FunctionFacts) -> StreamService:
        client = await self._parts.clients.get(kinesis.SERVICE, region=self._arn.region)
        role = function.role or role_of(self._arn)
        deaggregate = bool(self._mapping.deaggregate)
        return KinesisService(
            self._arn,
            client,
            self._parts.clock,
            role=role,
            deaggregate=deaggregate,
            cadence=self.cadence(cadence_at(client.meta.endpoint_url)),
            shared=self.shared(client),
        )


def role_of(arn: Arn) -> str:
    """The role of a function without one of its own, in the events of this source."""
    return f"arn:{arn.partition}:iam::{arn.account}:role/lambda"


async def _send(mapping: EventSourceMapping, clients: Clients, text: str, key: str) -> None:
    arn = Arn.parse(mapping.source)
    client = await clients.get(kinesis.SERVICE, region=arn.region)
    await client.put_record(StreamName=arn.segment(1), PartitionKey=key or "1", Data=text.encode())


STREAM = PollerKind(kinesis.STREAM, KinesisMaker, send=_send)
