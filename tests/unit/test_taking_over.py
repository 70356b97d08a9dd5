"""What becomes of a mapping that an emulator has, as values; and the follower over an emulator that is a value too."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.reasons import Reason, ReasonCode
from headrace.service.control.mappings import taking_over
from headrace.service.control.mappings.decisions import DecisionContext
from headrace.service.control.mappings.model import FoundFunction, Mapped, MappingState
from headrace.service.control.mappings.taking_over import (
    End,
    GiveBack,
    Hold,
    LeaveThere,
    Look,
    Note,
    Nothing,
    SwitchOff,
    decide,
)
from headrace.service.control.model import Moment
from headrace.service.control.store.document_store import FILE, Documents
from headrace.service.control.store.mapping_plane import MappingPlane
from headrace.service.running.emulator_follower import STUBBORN, EmulatorFollower
from headrace.service.telemetry.log import Log
from support.mapping_requests import HERE, QUEUE, STREAM

TWO = "22222222-2222-4222-8222-222222222222"
ONE = "11111111-1111-4111-8111-111111111111"
GROUND = DecisionContext(HERE, lambda name, qualifier: FoundFunction(None) if name == "f" else None)
NOW = Moment(1_700_000_000.0, "1")


def shown(state: str = "Enabled", **more: Any) -> dict[str, Any]:
    return {"UUID": ONE, "EventSourceArn": QUEUE, "FunctionArn": HERE.arn("f"), "State": state, "BatchSize": 5, **more}


def of_stream(state: str = "Enabled") -> dict[str, Any]:
    return shown(state, EventSourceArn=STREAM, StartingPosition="LATEST")


def want(seen: Mapping[str, Any], kept: Mapped | None = None, others: Mapping[str, Mapped] | None = None) -> Any:
    return taking_over.wanted(seen, kept, others or {}, NOW, GROUND, lambda config: "")


def kept(seen: Mapping[str, Any]) -> Mapped:
    found = want(seen)
    assert isinstance(found, Mapped)
    return found


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_settings_are_those_that_somebody_gave() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    seen = shown(
        MaximumBatchingWindowInSeconds=0,
        FunctionResponseTypes=[],
        DestinationConfig={"OnSuccess": {}, "OnFailure": {}},
        FilterCriteria={"Filters": [{"Pattern": "{}"}]},
        StartingPositionTimestamp=moment,
        LastModified=moment,
    )
    assert taking_over.settings_of(seen) == {
        "EventSourceArn": QUEUE,
        "BatchSize": 5,
        "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
        "StartingPositionTimestamp": moment.timestamp(),
    }


def test_a_fingerprint_follows_the_settings_and_not_the_state() -> None:
    assert taking_over.fingerprint(shown()) == taking_over.fingerprint(shown("Disabled", LastModified=1))
    assert taking_over.fingerprint(shown()) != taking_over.fingerprint(shown(BatchSize=6))
    assert taking_over.fingerprint(shown()) != taking_over.fingerprint({**shown(), "FunctionArn": HERE.arn("g")})


@pytest.mark.semantics("TAKE-02")
def test_a_mapping_is_wanted_with_its_settings_uuid_and_alias() -> None:
    found = kept({**shown(), "FunctionArn": HERE.arn("f") + ":live"})
    assert (found.uuid, found.config.batch_size, found.config.function) == (ONE, 5, HERE.arn("f") + ":live")
    assert found.origin == "emulator"


@pytest.mark.semantics("TAKE-14")
@pytest.mark.parametrize(
    "seen",
    [
        {**shown(), "FunctionArn": HERE.arn("unknown")},
        shown(BatchSize=20_000),
        shown(EventSourceArn="arn:aws:mq:us-east-1:000000000000:broker:b", Queues=["q"]),
        shown(Weird="yes"),
        shown(BisectBatchOnFunctionError=True),
    ],
)
def test_what_cannot_be_run_here_has_a_reason(seen: dict[str, Any]) -> None:
    found = want(seen)
    assert isinstance(found, Reason)
    assert found.code is ReasonCode.NOT_TAKEN_OVER
    assert "stays the emulator's" in found.text


@pytest.mark.semantics("TAKE-14")
def test_a_mapping_that_is_there_already_keeps_the_emulators_away() -> None:
    other = replace(kept(shown()), config=kept(shown()).config.model_copy(update={"uuid": "other"}), taken="")
    assert isinstance(want(shown(), others={"other": other}), Reason)


def test_a_starting_position_of_a_queue_is_not_taken_for_a_setting() -> None:
    assert kept(shown(StartingPosition="LATEST")).config.starting_position is None


@pytest.mark.semantics("TAKE-15")
def test_an_emulator_that_goes_on_delivering_keeps_its_mapping() -> None:
    found = taking_over.wanted(shown(), None, {}, NOW, GROUND, lambda config: "moto")
    assert isinstance(found, Reason)
    assert "moto goes on delivering" in found.text


@pytest.mark.semantics("TAKE-07")
def test_what_was_changed_here_holds_until_another_one_is_shown_and_a_pause_longer() -> None:
    before = kept(shown())
    changed = replace(before, config=before.config.model_copy(update={"batch_size": 9, "enabled": False}))
    assert want(shown("Disabled"), changed) is changed
    after = want(shown("Disabled", BatchSize=6), changed)
    assert (after.config.batch_size, after.config.enabled) == (6, False)


# --- decisions --------------------------------------------------------------------------------------------------------

M, S = kept(shown()), kept(of_stream())
OTHER = kept(shown(BatchSize=6))
NO = taking_over.not_ours("no")


@pytest.mark.parametrize(
    ("look", "wanted", "action"),
    [
        (Look(None), None, Nothing()),
        (Look(shown()), M, Note(M)),
        (Look(shown("Disabled")), None, Nothing()),
        (Look(shown("Disabled")), M, Nothing()),
        (Look(shown()), NO, LeaveThere(NO)),
        (Look(shown(), noted=M), M, SwitchOff(M)),
        (Look(shown("Disabling"), noted=M), M, Nothing()),
        (Look(shown("Disabled"), noted=M), M, Hold(M, first=True)),
        (Look(None, noted=M), None, End(M)),
        (Look(shown(), noted=M), NO, GiveBack(M, NO)),
        (Look(shown("Disabled"), runs=M), M, Nothing()),
        (Look(shown(), runs=M), M, SwitchOff(M)),
        (Look(shown("Disabled"), runs=M), OTHER, Hold(OTHER, first=False)),
        (Look(shown("Disabled"), runs=M), NO, GiveBack(M, NO)),
        (Look(None, runs=M), None, End(M)),
        (Look(shown("Deleting"), runs=M), M, End(M)),
        (Look(None, runs=replace(M, state=MappingState.DELETING)), None, Nothing()),
        (Look(of_stream(), noted=S), S, Hold(S, first=True)),
        (Look(of_stream(), runs=S), S, Nothing()),
        (Look(of_stream(), runs=S, polls=True), S, SwitchOff(S)),
    ],
)
def test_the_next_step(look: Look, wanted: Mapped | Reason | None, action: taking_over.Action) -> None:
    assert decide(look, wanted) == action


def test_what_cannot_be_switched_off_is_given_back() -> None:
    found = decide(Look(shown(), noted=M, stubborn=True), M)
    assert isinstance(found, GiveBack)
    assert "still is enabled" in found.reason.text


# --- the follower -----------------------------------------------------------------------------------------------------


class PaperEmulator:
    """Mappings as values. `fails` lists the calls that are not answered."""

    def __init__(self, *mappings: dict[str, Any]) -> None:
        self.mappings = {each["UUID"]: each for each in mappings}
        self.fails: set[str] = set()
        self.dies_after = ""
        self.refuses = ""
        self.deaf = False
        self.calls: list[str] = []

    def _asked(self, call: str) -> None:
        self.calls.append(call)
        if call in self.fails:
            raise SourceUnavailable(f"{call}: gone away")

    async def all(self) -> dict[str, Any]:
        self._asked("list")
        return {uuid: dict(each) for uuid, each in self.mappings.items()}

    async def get(self, uuid: str) -> dict[str, Any] | None:
        self._asked("get")
        return dict(self.mappings[uuid]) if uuid in self.mappings else None

    async def switch(self, uuid: str, *, on: bool) -> None:
        self._asked("on" if on else "off")
        if uuid == self.refuses:
            raise SourceRefused("access denied")
        if uuid not in self.mappings:
            raise SourceMissing("no such mapping")
        if not self.deaf:
            self.mappings[uuid]["State"] = "Enabled" if on else "Disabled"
        if self.dies_after == self.calls[-1]:
            self.fails = {"list", "get", "on", "off"}


@asynccontextmanager
async def following(path: Path, there: PaperEmulator) -> AsyncIterator[tuple[EmulatorFollower, MappingPlane, Any]]:
    documents = await Documents.open(path / FILE)
    try:
        plane = MappingPlane(documents, {}, GROUND, LoopClock(NOW.now))
        plane.take_up()
        said = io.StringIO()

        async def prepare(seen: Mapping[str, Any]) -> Reason | None:
            return None

        yield EmulatorFollower(there, plane, prepare, Log(said), interval=1.0), plane, said
    finally:
        await documents.aclose()


@pytest.mark.semantics("TAKE-01", "TAKE-10")
async def test_a_mapping_is_remembered_before_it_is_off_and_taken_up_after_a_crash(tmp_path: Path) -> None:
    there = PaperEmulator(shown())
    there.fails = {"off"}
    async with following(tmp_path, there) as (follower, plane, _):
        assert follower.coming() is not None
        await follower.look()
        assert (set(plane.noted), set(plane.taken), there.mappings[ONE]["State"]) == ({ONE}, set(), "Enabled")
        reason = follower.coming()
        assert reason is not None
        assert "gone away" in reason.text
    there.fails = set()
    async with following(tmp_path, there) as (follower, plane, _):
        assert plane.left_off == [ONE]
        await follower.look()
        assert (set(plane.noted), set(plane.taken), there.mappings[ONE]["State"]) == (set(), {ONE}, "Disabled")
        assert follower.coming() is None
    async with following(tmp_path, there) as (_, plane, _):
        assert plane.taken[ONE].config.batch_size == 5


@pytest.mark.semantics("TAKE-16")
async def test_an_emulator_that_goes_away_after_the_switch_leaves_nothing_forgotten(tmp_path: Path) -> None:
    there = PaperEmulator(shown())
    async with following(tmp_path, there) as (follower, plane, _):
        there.dies_after = "off"
        await follower.look()
        assert there.mappings[ONE]["State"] == "Disabled"
        assert plane.left_off == [ONE]
        await follower.give_back()
        assert plane.left_off == [ONE]
        there.fails, there.dies_after = set(), ""
        await follower.give_back()
        assert (plane.left_off, there.mappings[ONE]["State"]) == ([], "Enabled")


@pytest.mark.semantics("TAKE-16")
async def test_what_is_refused_for_one_mapping_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    there = PaperEmulator(shown(), shown(UUID=TWO, BatchSize=6, EventSourceArn=f"{QUEUE}-2"))
    there.refuses = ONE
    async with following(tmp_path, there) as (follower, plane, said):
        await follower.look()
        assert (set(plane.taken), set(plane.noted)) == ({TWO}, {ONE})
        assert "access denied" in said.getvalue()
        there.refuses = ""
        await follower.look()
        assert set(plane.taken) == {ONE, TWO}


@pytest.mark.semantics("TAKE-06")
async def test_a_mapping_that_is_gone_there_is_not_switched_on_again(tmp_path: Path) -> None:
    there = PaperEmulator(shown())
    async with following(tmp_path, there) as (follower, plane, _):
        await follower.look()
        there.mappings.clear()
        await follower.look()
        assert plane.taken[ONE].state is MappingState.DELETING
        await follower.give_back()
        assert plane.left_off == []


@pytest.mark.semantics("TAKE-14")
async def test_a_mapping_that_becomes_what_cannot_be_run_here_is_given_back(tmp_path: Path) -> None:
    there = PaperEmulator(shown())
    async with following(tmp_path, there) as (follower, plane, said):
        await follower.look()
        there.mappings[ONE] = shown("Disabled", BatchSize=20_000)
        await follower.look()
        assert there.mappings[ONE]["State"] == "Enabled"
        assert plane.taken[ONE].state is MappingState.DELETING
        assert "not_taken_over" in said.getvalue()


@pytest.mark.semantics("TAKE-20")
async def test_a_mapping_that_stays_on_is_given_up_after_some_tries_until_it_changes(tmp_path: Path) -> None:
    there = PaperEmulator(shown())
    there.deaf = True
    async with following(tmp_path, there) as (follower, plane, said):
        for _ in range(STUBBORN + 3):
            await follower.look()
        assert there.calls.count("off") == STUBBORN
        assert (plane.left_off, plane.taken) == ([], {})
        assert said.getvalue().count("still was enabled") == 1
        there.deaf = False
        there.mappings[ONE]["BatchSize"] = 6
        await follower.look()
        assert plane.taken[ONE].config.batch_size == 6
