"""The running mappings when the API's mappings, and their functions, come, change and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.config.reasons import Reason, ReasonCode
from headrace.service.control.refusals import ApiError
from headrace.service.running.reconciler import SETTLE_WITHIN
from headrace.service.wiring.idle import IdleWatch
from support.mapping_plant import GRACE, World, running
from support.mapping_requests import KAFKA, KINESIS, QUEUE, SQS
from support.reasons import MISLEADING, no_start


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.semantics("ESM-05", "ESM-50", "ESM-51")
async def test_a_creation_is_answered_at_once_and_enabled_when_it_polls(world: World) -> None:
    world.queue.send("one")
    async with running(world) as rig:
        uuid = await rig.create(**SQS)
        assert await rig.state(uuid) == "Creating"
        assert rig.plant.mappings() == ()
        await rig.settled()
        assert await rig.state(uuid) == "Enabled"
        assert rig.plant.mappings()[0].state == "polling"
        await anyio.sleep(1)
        assert rig.account.counts[uuid].delivered == 1


@pytest.mark.semantics("ESM-51")
@pytest.mark.parametrize(
    ("opening", "early", "late"), [(3.0, 2.0, 3.5), (1000.0, SETTLE_WITHIN - 0.5, SETTLE_WITHIN + 0.5)]
)
async def test_a_mapping_is_enabled_when_it_polls_or_after_a_while(
    world: World, opening: float, early: float, late: float
) -> None:
    world.opening = opening
    async with running(world) as rig:
        uuid = await rig.create(**SQS)
        await anyio.sleep(early)
        assert await rig.state(uuid) == "Creating"
        await anyio.sleep(late - early)
        assert await rig.state(uuid) == "Enabled"


@pytest.mark.semantics("ESM-50")
async def test_an_update_waits_for_what_is_in_flight_and_then_the_new_policy_holds(world: World) -> None:
    world.seconds = 2.0
    world.queue.send("one")
    async with running(world) as rig:
        uuid = await rig.create(**SQS, BatchSize=1)
        await anyio.sleep(1)
        answer = await rig.ask("UpdateEventSourceMapping", UUID=uuid, BatchSize=5)
        assert (answer["State"], answer["BatchSize"]) == ("Updating", 5)
        assert rig.account.counts[uuid].delivered == 0
        with pytest.raises(ApiError, match="because it is in use"):
            await rig.ask("UpdateEventSourceMapping", UUID=uuid, BatchSize=6)
        await rig.settled()
        assert rig.account.counts[uuid].delivered == 1
        assert [mapping.batch_limit for mapping in rig.made] == [1, 5]
        assert rig.plant.work(uuid) is not None


@pytest.mark.semantics("ESM-50")
async def test_what_does_not_end_in_time_is_ended(world: World) -> None:
    world.seconds = 1000.0
    world.queue.send("one")
    async with running(world) as rig:
        uuid = await rig.create(**SQS)
        await anyio.sleep(1)
        asked = anyio.current_time()
        await rig.ask("DeleteEventSourceMapping", UUID=uuid)
        assert await rig.state(uuid) == "Deleting"
        await rig.settled()
        assert GRACE <= anyio.current_time() - asked < GRACE + 10
        assert world.queue.messages  # it comes again


@pytest.mark.semantics("ESM-50", "ESM-53")
@pytest.mark.parametrize("change", ["update", "function", "delete"])
async def test_an_invocation_ends_in_its_own_time_whatever_changes(world: World, change: str) -> None:
    world.timeouts["f"], world.seconds = 30.0, 3 * GRACE
    world.queue.send("one")
    async with running(world) as rig:
        uuid = await rig.create(**SQS)
        await anyio.sleep(1)
        match change:
            case "update":
                await rig.ask("UpdateEventSourceMapping", UUID=uuid, BatchSize=5)
            case "function":
                world.timeouts["f"] = 40.0
                rig.following.function_changed("f")
            case _:
                await rig.ask("DeleteEventSourceMapping", UUID=uuid)
        await anyio.sleep(100)
        assert not world.queue.messages
        assert world.invoked == 1
        assert len(rig.made) == (1 if change == "delete" else 2)


@pytest.mark.semantics("ESM-50")
async def test_one_that_changes_slowly_holds_up_no_other(world: World) -> None:
    world.seconds = 4.0
    world.queue.send("one")
    async with running(world) as rig:
        slow = await rig.create(**SQS)
        await anyio.sleep(1)
        await rig.ask("UpdateEventSourceMapping", UUID=slow, BatchSize=5)
        other = await rig.create(**KINESIS)
        await anyio.sleep(1)
        assert (await rig.state(slow), await rig.state(other)) == ("Updating", "Enabled")


@pytest.mark.semantics("ESM-05")
async def test_disabled_ones_rest_and_keep_their_place(world: World) -> None:
    async with running(world) as rig:
        uuid = await rig.create(**KINESIS | {"StartingPosition": "TRIM_HORIZON"})
        world.stream.put("k", b"one")
        await anyio.sleep(3)
        assert (await rig.ask("UpdateEventSourceMapping", UUID=uuid, Enabled=False))["State"] == "Disabling"
        await rig.settled()
        assert (await rig.state(uuid), rig.plant.mappings()[0].state) == ("Disabled", "disabled")
        world.stream.put("k", b"two")
        await anyio.sleep(10)
        assert rig.account.counts[uuid].delivered == 1
        answer = await rig.ask("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        assert (answer["State"], answer["LastProcessingResult"]) == ("Enabling", "OK")
        await rig.settled()
        await anyio.sleep(3)
        assert rig.account.counts[uuid].delivered == 2


@pytest.mark.semantics("ESM-52")
async def test_nothing_is_left_of_a_deleted_mapping(world: World) -> None:
    async with running(world) as rig:
        uuid = await rig.create(**KINESIS | {"StartingPosition": "TRIM_HORIZON"})
        world.stream.put("k", b"one")
        await anyio.sleep(3)
        assert await world.positions.kept()
        assert uuid in rig.metrics.render().decode()
        await rig.ask("DeleteEventSourceMapping", UUID=uuid)
        await rig.settled()
        assert not await world.positions.kept()
        assert uuid not in rig.metrics.render().decode()
        assert (rig.plant.mappings(), rig.plant.functions(), dict(rig.account.counts)) == ((), (), {})
        anew = await rig.create(**KINESIS | {"StartingPosition": "TRIM_HORIZON"})
        await anyio.sleep(3)
        assert rig.account.counts[anew].delivered == 1


@pytest.mark.semantics("ESM-52")
async def test_a_function_that_no_mapping_goes_to_any_more_is_not_looked_at(world: World) -> None:
    world.timeouts["g"] = 3.0
    async with running(world) as rig:
        first = await rig.create(**SQS)
        second = await rig.create(**KINESIS | {"StartingPosition": "TRIM_HORIZON"})
        await rig.settled()
        await rig.ask("UpdateEventSourceMapping", UUID=first, FunctionName="g")
        await rig.settled()
        assert [each.name for each in rig.plant.functions()] == ["f", "g"]
        await rig.ask("UpdateEventSourceMapping", UUID=second, FunctionName="g")
        await rig.settled()
        assert [each.name for each in rig.plant.functions()] == ["g"]


@pytest.mark.semantics("ESM-31", "ESM-52")
async def test_a_deletion_is_tried_until_it_is_done_after_a_crash_too(world: World) -> None:
    world.positions_fail = 3
    async with running(world) as rig:
        uuid = await rig.create(**KINESIS)
        await rig.settled()
        await rig.ask("DeleteEventSourceMapping", UUID=uuid)
        await anyio.sleep(0.5)
        assert await rig.state(uuid) == "Deleting"
        assert "cannot be deleted yet" in rig.stderr.getvalue()
    assert await world.positions.kept()
    async with running(world) as rig:
        assert rig.plant.mappings() == ()
        await rig.settled()
        assert not rig.plane.all
        assert not await world.positions.kept()
    async with running(world) as rig:
        assert not rig.plane.all


# --- functions --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("ESM-51", "ESM-53")
async def test_a_mapping_waits_for_a_function_that_is_gone(world: World) -> None:
    async with running(world) as rig:
        uuid = await rig.create(**SQS)
        await rig.settled()
        del world.timeouts["f"]
        rig.following.function_changed("f")
        world.queue.send("one")
        await anyio.sleep(10)
        assert await rig.state(uuid) == "Enabled"
        missing = Reason(ReasonCode.FUNCTION_MISSING, f"{uuid}: function f does not exist; waiting for it")
        assert rig.plant.readiness().reasons == (missing,)
        assert rig.plant.mappings()[0].state == "waiting"
        assert len(world.queue.messages) == 1
        assert IdleWatch(rig.plant.watched, world.clock).reasons() == (
            f"{uuid} is waiting: function f does not exist; waiting for it",
        )
    async with running(world) as rig:  # a restart finds it so
        await anyio.sleep(1)
        assert (await rig.state(uuid), rig.plant.mappings()[0].state) == ("Enabled", "waiting")
        world.timeouts["f"] = 3.0
        rig.following.function_changed("f")
        await anyio.sleep(5)
        assert rig.account.counts[uuid].delivered == 1
        assert rig.plant.readiness().polling


@pytest.mark.semantics("ESM-53")
async def test_a_mapping_is_opened_again_when_its_function_has_another_time_limit(world: World) -> None:
    async with running(world) as rig:
        uuid = await rig.create(**SQS)
        await rig.settled()
        rig.following.function_changed("f")
        await anyio.sleep(1)
        assert len(rig.made) == 1  # nothing that matters to it has changed
        world.timeouts["f"] = 9.0
        rig.following.function_changed("f")
        rig.following.function_changed("g")
        await anyio.sleep(10)
        work = rig.plant.work(uuid)
        assert (len(rig.made), work.facts.deadline if work else None) == (2, 9.0)


@pytest.mark.semantics("ESM-07")
@pytest.mark.parametrize("printed", MISLEADING)
async def test_what_a_function_prints_is_not_blamed_on_the_brokers(world: World, printed: str) -> None:
    world.printed = printed
    async with running(world) as rig:
        uuid = await rig.create(**KAFKA)
        await rig.settled()
        answer = await rig.ask("GetEventSourceMapping", UUID=uuid)
        assert answer["LastProcessingResult"] == "No records processed"
        assert answer["StateTransitionReason"] == "USER_INITIATED"
        (view,) = rig.plant.mappings()
        assert view.reason == no_start(f"function f: {printed}")
        assert rig.plant.readiness().reasons == (no_start(f"{uuid}: function f: {printed}"),)


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_a_fault_of_ours_in_one_mapping_leaves_the_others_alone(world: World) -> None:
    world.broken.add(QUEUE)
    async with running(world) as rig:
        broken, other = await rig.create(**SQS), await rig.create(**KINESIS)
        await rig.settled()
        assert (await rig.state(broken), await rig.state(other)) == ("Enabled", "Enabled")
        reasons = {view.name: view.reason for view in rig.plant.mappings()}
        assert "please report it" in str(reasons[broken])
        assert reasons[other] is None
        await rig.ask("DeleteEventSourceMapping", UUID=broken)
        await rig.settled()
        assert list(rig.plane.all) == [other]


@pytest.mark.semantics("FILTER-52")
async def test_a_filter_that_can_match_nothing_is_told_when_it_is_made_and_when_it_is_changed(world: World) -> None:
    nothing, something = ({"Filters": [{"Pattern": f'{{"{key}": {{"type": ["x"]}}}}'}]} for key in ("data", "body"))
    async with running(world) as rig:
        uuid = await rig.create(**SQS, FilterCriteria=nothing)
        await rig.settled()
        assert rig.stderr.getvalue().count("filter 1 can match nothing") == 1
        for criteria, told in ((something, 1), (nothing, 2)):
            await rig.ask("UpdateEventSourceMapping", UUID=uuid, FilterCriteria=criteria)
            await rig.settled()
            assert rig.stderr.getvalue().count("filter 1 can match nothing") == told


async def test_tags_that_come_while_a_mapping_is_made_hold_up_nothing(world: World) -> None:
    async with running(world) as rig:
        uuid = await rig.create(**SQS, Tags={"a": "1"})
        await rig.calls.tag(uuid, lambda before: {**before, "b": "2"})
        await rig.settled()
        assert rig.calls.tags(uuid) == {"a": "1", "b": "2"}
        assert (await rig.state(uuid), len(rig.made)) == ("Enabled", 1)


async def test_two_that_create_the_same_at_once_make_one(world: World) -> None:
    refused: list[ApiError] = []

    async def create() -> None:
        try:
            await rig.create(**SQS)
        except ApiError as error:
            refused.append(error)

    async with running(world) as rig:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(create)
            tasks.start_soon(create)
        assert [error.code for error in refused] == ["ResourceConflictException"]
        assert len(rig.plane.all) == 1


@pytest.mark.parametrize("request_", [SQS, KINESIS])
async def test_a_restart_takes_all_in_before_it_runs(world: World, request_: dict[str, Any]) -> None:
    async with running(world) as rig:
        uuid = await rig.create(**request_)
    async with running(world) as rig:
        assert await rig.state(uuid) == "Enabled"
        assert [work.mapping for work in rig.plant.works] == [uuid]
