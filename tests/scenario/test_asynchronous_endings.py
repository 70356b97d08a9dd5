"""The destinations of finished events, and how long a failing destination is tried; on virtual time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from headrace.config.clients.endpoints import LocalEndpoint, Target
from headrace.config.clock import LoopClock
from headrace.config.durable.faults import StoreUnavailable
from headrace.dispatch.core.observer import Event as Seen
from headrace.dispatch.core.observer import RecordUndelivered
from headrace.dispatch.invokers.base import Invoker
from headrace.service.async_invoke.core.model import AsyncEvent, Condition, FunctionResponse, HeldEvent, Over
from headrace.service.async_invoke.endings import Endings
from headrace.service.control.catalogue import AsynchronousSettings, Runnable
from headrace.service.running.environments import Environments
from headrace.service.running.invocations import Invocations
from support.catalogues import HERE, PaperCatalogue
from support.fleets import fleet_of
from support.scripted_client import ScriptedClient, refused
from support.virtual_time import EPOCH, VirtualLoop

QUEUE = "arn:aws:sqs:us-east-1:000000000000:told"
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
BUCKET = "arn:aws:s3:::told"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/default"
HELD = HeldEvent(AsyncEvent(1, "orders", "", "r", EPOCH, EPOCH), b"{}")
GOOD = Over(Condition.SUCCESS, 1, FunctionResponse("$LATEST", b"null", failed=False))
BAD = Over(Condition.RETRIES_EXHAUSTED, 3, FunctionResponse("$LATEST", b'{"errorMessage":"no"}', failed=True))
AWAY = refused("ServiceUnavailable", 503)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@dataclass
class Settings:
    rewrite_queue_urls: bool = True


@dataclass
class Rig:
    """Clients of which every call is written down."""

    seen: list[Seen] = field(default_factory=list)
    accepted: list[tuple[str, str, bytes, int]] = field(default_factory=list)
    full: bool = False
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.client = ScriptedClient(
            get_queue_url=[{"QueueUrl": "http://127.0.0.1:4566/000000000000/told"}],
            send_message=[{}],
            put_object=[{}],
            put_events=[{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}],
        )
        catalogue, clock = PaperCatalogue(), LoopClock(EPOCH)
        catalogue.put("told")
        invocations = Invocations((), fleet_of(), Environments(catalogue, _nothing, 1, clock, lambda: 1.0), clock)
        clients: Any = self
        self.endings = Endings(clients, invocations, self, HERE, self, clock, lambda: 1.0, fresh_id=lambda: "fresh")

    async def get(self, service: str, region: str | None = None) -> ScriptedClient:
        return self.client

    async def target(self, service: str) -> Target:
        return LocalEndpoint("http://127.0.0.1:4566")

    def observe(self, event: Seen) -> None:
        self.seen.append(event)

    def has_room(self, size: int) -> bool:
        return True

    async def accept(self, function: str, qualifier: str, request_id: str, payload: bytes, hops: int) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.accepted.append((function, qualifier, payload, hops))

    async def tell(self, over: Over, held: HeldEvent = HELD, dead_letter: str = "", **settings: str) -> None:
        await self.endings.tell(held, over, AsynchronousSettings(**settings), dead_letter)  # type: ignore[arg-type]

    @property
    def undelivered(self) -> list[str]:
        return [f"{each.destination} {each.cause}" for each in self.seen if isinstance(each, RecordUndelivered)]


def _nothing(runnable: Runnable) -> Invoker:
    raise AssertionError("nothing runs here")


@pytest.mark.semantics("ASYNC-12")
async def test_a_destination_that_is_away_is_tried_again_with_the_same_record() -> None:
    rig = Rig()
    rig.client.answers["put_object"] = [AWAY, AWAY, {}]
    await rig.tell(BAD, on_failure=BUCKET)
    first, *others = rig.client.asked["put_object"]
    assert others == [first, first]
    assert rig.undelivered == []


@pytest.mark.semantics("ASYNC-12")
async def test_after_five_tries_it_is_given_up_and_the_dead_letter_goes_out_all_the_same() -> None:
    rig = Rig()
    rig.client.answers["put_object"] = [AWAY]
    await rig.tell(BAD, on_failure=BUCKET, dead_letter=DEAD)
    assert len(rig.client.asked["put_object"]) == 5
    (cause,) = rig.undelivered
    assert cause.startswith(f"{BUCKET} destination: write to {BUCKET}: ServiceUnavailable")
    assert len(rig.client.asked["send_message"]) == 1
    assert anyio.current_time() < 10


@pytest.mark.semantics("ASYNC-12")
@pytest.mark.parametrize(
    ("settings", "dead_letter", "words"),
    [
        ({"on_failure": "arn:aws:lambda:us-east-1:000000000000:function:gone"}, "", "there is no function .*gone"),
        ({"on_failure": "arn:aws:lambda:eu-west-1:000000000000:function:told"}, "", "not reachable in this region"),
        ({"on_failure": "arn:aws:kinesis:us-east-1:000000000000:stream/x"}, "", "is of the service 'kinesis'"),
        ({"on_failure": "nonsense"}, "", "is not an ARN"),
        ({}, BUCKET, "is neither a queue nor a topic; name one in DeadLetterConfig"),
    ],
)
async def test_what_can_be_no_destination_is_said_at_once(
    settings: dict[str, str], dead_letter: str, words: str
) -> None:
    rig = Rig()
    await rig.tell(BAD, HELD, dead_letter, **settings)
    (cause,) = rig.undelivered
    assert re.search(words, cause)
    assert anyio.current_time() == 0


@pytest.mark.semantics("ASYNC-07")
async def test_only_the_side_that_fits_is_told() -> None:
    rig = Rig()
    await rig.tell(GOOD, on_success=QUEUE, on_failure=BUCKET, dead_letter=DEAD)
    assert len(rig.client.asked["send_message"]) == 1
    assert rig.client.asked["put_object"] == []
    assert rig.client.asked["send_message"][0].keys() == {"QueueUrl", "MessageBody", "MessageSystemAttributes"}


@pytest.mark.semantics("ASYNC-07")
async def test_an_entry_that_a_bus_refuses_is_tried_again() -> None:
    rig = Rig()
    refusal = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}]}
    rig.client.answers["put_events"] = [refusal, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}]
    await rig.tell(BAD, on_failure=BUS)
    assert len(rig.client.asked["put_events"]) == 2
    assert rig.undelivered == []


@pytest.mark.semantics("ASYNC-07")
async def test_a_function_gets_the_record_as_an_event_until_it_looks_like_a_circle() -> None:
    rig = Rig()
    await rig.tell(GOOD, on_success=f"{HERE.arn('told')}:$LATEST")
    (accepted,) = rig.accepted
    assert (accepted[0], accepted[1], accepted[3]) == ("told", "$LATEST", 1)
    far = HeldEvent(replace(HELD.event, hops=16), HELD.payload)
    await rig.tell(GOOD, far, on_success=HERE.arn("told"))
    assert len(rig.accepted) == 1
    assert "a circle" in rig.undelivered[0]


async def test_a_queue_that_cannot_store_the_record_for_a_function_is_tried_too() -> None:
    rig = Rig(full=True)
    await rig.tell(GOOD, on_success=HERE.arn("told"))
    assert "the disk is full" in rig.undelivered[0]
    assert anyio.current_time() > 0
