"""Whatever calls come about mappings: only ApiErrors refuse them, states are legal, a restart changes nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from headrace.service.control.mappings import as_documents, checks, decisions
from headrace.service.control.mappings.answers import shown
from headrace.service.control.mappings.model import Mapped, MappingState, SourceLook, settled
from headrace.service.control.refusals import ApiError
from support.counts import count
from support.function_api import check
from support.mapping_requests import DYNAMODB, FIFO, GROUND, HERE, KAFKA, KINESIS, MSK, NOW, QUEUE, SQS, moment

ARNS = [QUEUE, FIFO, "arn:aws:sqs:us-east-1:000000000000:dead", "kafka://dead", "kafka://orders", ""]
PATTERNS = ['{"body":["a"]}', '{"data":{"n":[{"numeric":[">",1]}]}}', "{", "null", "[]", "7", ""]

members: dict[str, st.SearchStrategy[Any]] = {
    "Enabled": st.booleans(),
    "BatchSize": st.sampled_from([1, 10, 11, 10_000]),
    "MaximumBatchingWindowInSeconds": st.sampled_from([0, 1, 300]),
    "ParallelizationFactor": st.integers(1, 10),
    "DestinationConfig": st.fixed_dictionaries(
        {},
        optional={
            name: st.fixed_dictionaries({}, optional={"Destination": st.sampled_from(ARNS)})
            for name in ("OnFailure", "OnSuccess")
        },
    ),
    "MaximumRecordAgeInSeconds": st.sampled_from([-1, 0, 59, 60, 604_800]),
    "BisectBatchOnFunctionError": st.booleans(),
    "MaximumRetryAttempts": st.integers(-1, 3),
    "TumblingWindowInSeconds": st.sampled_from([0, 30]),
    "FunctionResponseTypes": st.sampled_from([[], ["ReportBatchItemFailures"]]),
    "ScalingConfig": st.sampled_from([{}, {"MaximumConcurrency": 2}]),
    "FilterCriteria": st.sampled_from([{}])
    | st.fixed_dictionaries(
        {"Filters": st.lists(st.sampled_from([{"Pattern": each} for each in PATTERNS]), max_size=6)}
    ),
    "KMSKeyArn": st.sampled_from(["", "arn:aws:kms:us-east-1:000000000000:key/k"]),
    "MetricsConfig": st.sampled_from([{}, {"Metrics": []}, {"Metrics": ["EventCount"]}]),
    "ProvisionedPollerConfig": st.fixed_dictionaries(
        {},
        optional={
            "MinimumPollers": st.integers(1, 3),
            "MaximumPollers": st.integers(1, 3),
            "PollerGroupName": st.sampled_from(["", "g"]),
        },
    ),
    "SourceAccessConfigurations": st.sampled_from(
        [[], [{"Type": "VPC_SUBNET", "URI": "subnet:s"}], [{"Type": "BASIC_AUTH", "URI": "env:X"}]]
    ),
    "SelfManagedKafkaEventSourceConfig": st.sampled_from([{}, {"ConsumerGroupId": "g"}, {"SchemaRegistryConfig": {}}]),
    "AmazonManagedKafkaEventSourceConfig": st.sampled_from([{}, {"ConsumerGroupId": "g"}]),
    "FunctionName": st.sampled_from(["f", "g", "f:1", "f:$LATEST", "nobody", "f:9"]),
}
only_created: dict[str, st.SearchStrategy[Any]] = {
    "StartingPosition": st.sampled_from(["LATEST", "TRIM_HORIZON", "AT_TIMESTAMP"]),
    "StartingPositionTimestamp": st.sampled_from([0.0, NOW, NOW + 1]),
    "Topics": st.sampled_from([["orders"], ["others"]]),
    "Tags": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
}
few = st.lists(st.sampled_from(sorted(members)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: members[name] for name in names})
)
extra = st.lists(st.sampled_from(sorted(only_created)), max_size=1).flatmap(
    lambda names: st.fixed_dictionaries({name: only_created[name] for name in names})
)
bases = st.sampled_from([SQS, SQS | {"EventSourceArn": FIFO}, KINESIS, DYNAMODB, KAFKA, MSK, {"FunctionName": "f"}])
creations = bases | st.tuples(bases, few, extra).map(lambda parts: parts[0] | parts[1] | parts[2])
harmless = st.fixed_dictionaries({}, optional={"Enabled": members["Enabled"], "BatchSize": st.sampled_from([1, 2])})
sights = st.sampled_from(
    [
        SourceLook(),
        SourceLook(),
        SourceLook(),
        SourceLook(missing=True),
        SourceLook(visibility=1.0),
        SourceLook(code="Denied"),
    ]
)
steps = st.one_of(
    st.tuples(st.just("create"), creations, sights),
    st.tuples(st.just("create"), creations, sights),
    st.tuples(st.just("update"), few, sights, st.integers(0, 7)),
    st.tuples(st.just("update"), harmless, st.just(SourceLook()), st.integers(0, 6)),
    st.tuples(st.just("delete"), st.integers(0, 7)),
    st.tuples(st.just("tag"), only_created["Tags"], st.integers(0, 7)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("restart")),
)

NEXT = {
    MappingState.CREATING: {MappingState.ENABLED},
    MappingState.ENABLING: {MappingState.ENABLED},
    MappingState.DISABLING: {MappingState.DISABLED},
    MappingState.UPDATING: {MappingState.ENABLED, MappingState.DISABLED},
    MappingState.ENABLED: {MappingState.UPDATING, MappingState.DISABLING, MappingState.DELETING},
    MappingState.DISABLED: {MappingState.UPDATING, MappingState.ENABLING, MappingState.DELETING},
    MappingState.DELETING: set[MappingState](),
}


class Run:
    """All mappings, and what the store has of them."""

    def __init__(self) -> None:
        self.mappings: dict[str, Mapped] = {}
        self.documents: dict[str, str] = {}
        self.calls = 0

    def do(self, step: tuple[Any, ...]) -> None:
        before = dict(self.mappings)
        try:
            self._do(step)
        except ApiError as error:
            event(f"{step[0]} refused: {error.code}")
            assert self.mappings == before
        else:
            event(f"{step[0]} done")

    def _do(self, step: tuple[Any, ...]) -> None:
        self.calls += 1
        now = moment(str(self.calls), NOW + self.calls)
        match step:
            case ("create", request, seen):
                self.keep(decisions.create(self.mappings, request, seen, now, GROUND))
            case ("update", request, seen, which):
                request = {"UUID": self.uuid(which), **request}
                self.keep(decisions.update(self.mappings, request, seen, now, GROUND))
            case ("delete", which):
                self.keep(decisions.delete(self.mappings, self.uuid(which), GROUND))
            case ("tag", tags, which):
                self.keep(decisions.tag(self.mappings, self.uuid(which), lambda before: tags, GROUND))
            case ("settle",):
                for uuid in tuple(self.mappings):
                    self.settle(uuid)
            case _:
                self.restart()

    def uuid(self, which: int) -> str:
        known = sorted(self.mappings)
        return known[which % len(known)] if known and which < 7 else "00000000-0000-4000-8000-000000000000"

    def keep(self, mapped: Mapped) -> None:
        before = self.mappings.get(mapped.uuid)
        if before is None:
            assert mapped.state in (MappingState.CREATING, MappingState.DISABLED)
        elif mapped.state is not before.state:
            assert mapped.state in NEXT[before.state]
        self.mappings[mapped.uuid] = mapped
        self.documents[mapped.uuid] = json.dumps(as_documents.document(mapped))

    def settle(self, uuid: str) -> None:
        mapped = self.mappings[uuid]
        after = settled(mapped)
        if after is None:
            del self.mappings[uuid], self.documents[uuid]
        else:
            assert after.state is mapped.state or after.state in NEXT[mapped.state]
            self.mappings[uuid] = after

    def restart(self) -> None:
        read = {uuid: as_documents.read(json.loads(text)) for uuid, text in self.documents.items()}
        assert read.keys() == self.mappings.keys()
        for uuid, mapped in read.items():
            expected = settled(self.mappings[uuid]) or self.mappings[uuid]
            assert mapped == expected
            assert shown(mapped, HERE) == shown(expected, HERE)
        self.mappings = read

    def look(self) -> None:
        for mapped in self.mappings.values():
            check("GetEventSourceMapping", shown(mapped, HERE))
            others = {uuid: other for uuid, other in self.mappings.items() if uuid != mapped.uuid}
            checks.refuse_duplicate(mapped.config, others)
            checks.refuse_fields(mapped.config, NOW + self.calls, GROUND.shortest_age)


@settings(max_examples=count(150, 3000))
@given(st.lists(steps, min_size=8, max_size=30))
def test_whatever_is_asked_of_mappings(calls: list[tuple[Any, ...]]) -> None:
    run = Run()
    for step in calls:
        run.do(step)
        run.look()
    run.restart()


@settings(max_examples=count(300, 5000))
@given(creations, few)
def test_saying_again_what_a_mapping_is_changes_nothing(request: dict[str, Any], more: dict[str, Any]) -> None:
    """An answer's members, as far as an update takes them, are an update that leaves everything as it is."""
    try:
        mapped = settled(decisions.create({}, request | more, SourceLook(), moment(), GROUND))
    except ApiError:
        return
    assert mapped is not None
    event("made")
    answer = shown(mapped, HERE)
    again = {name: answer[name] for name in members if name in answer}
    after = decisions.update({mapped.uuid: mapped}, {"UUID": mapped.uuid, **again}, SourceLook(), moment(), GROUND)
    differing = {"State", "LastModified"}
    assert {name: value for name, value in shown(after, HERE).items() if name not in differing} == {
        name: value for name, value in answer.items() if name not in differing
    }
