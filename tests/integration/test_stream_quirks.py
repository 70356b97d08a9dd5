"""AWS's behaviour, compared with every stream server that tests use; each difference is a row of docs/emulators.md.

Our own stub is among them, and has no rows: it is held to AWS's answers, or, where AWS says nothing, to what a poller
would wish for. A row's test asserts the difference itself, so that it fails, and the row goes, once an emulator has
mended it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import dynamodb_probes as dynamodb
from support import kinesis_probes as kinesis
from support import stream_stub
from support.servers.running import Server
from support.stream_lab import Lab, Probe, asked, lab

ROWS = Path(__file__).resolve().parents[2] / "docs" / "emulators.md"


@dataclass(frozen=True, slots=True)
class Quirk:
    """Row of docs/emulators.md, and what its server answers instead. The row's name says which server."""

    row: str
    answer: object

    @property
    def server(self) -> str:
        return self.row.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Question:
    ask: Probe
    aws: object
    quirks: tuple[Quirk, ...] = field(default=())

    def expected(self, server: str) -> object:
        return next((quirk.answer for quirk in self.quirks if quirk.server == server), self.aws)

    def __str__(self) -> str:
        return self.ask.__name__


MISSING, INVALID, FAILED = "ResourceNotFoundException", "InvalidArgumentException", "500"
PARENT_GONE = Quirk("ministack-kinesis-02", MISSING)
NEVER_ENDS = "moto-kinesis-03"

KINESIS = [
    # listings
    Question(
        kinesis.shard_fields,
        aws=(["HashKeyRange", "SequenceNumberRange", "ShardId"], ["shardId-000000000000", "shardId-000000000001"]),
    ),
    Question(kinesis.hash_ranges, aws=True),
    Question(
        kinesis.listing_in_pages,
        aws=(["00", "01"], ["02"], False),
        quirks=(
            Quirk("ministack-kinesis-01", MISSING),
            Quirk("moto-kinesis-01", "InvalidToken"),
            Quirk("kinesalite-kinesis-01", ["00", "01", "02"]),
        ),
    ),
    Question(
        kinesis.listing_after_a_shard,
        aws=["01", "02"],
        quirks=(Quirk("moto-kinesis-02", ["00", "01", "02"]),),
    ),
    Question(
        kinesis.described_in_pages,
        aws=(["00"], True, ["01"], False),
        quirks=(
            Quirk("moto-kinesis-02", (["00"], True, ["00", "01"], False)),
            Quirk("kinesalite-kinesis-01", (["00", "01"], False, ["00", "01"], False)),
        ),
    ),
    Question(kinesis.summary, aws=("ACTIVE", 24, 2, True)),
    Question(kinesis.creation_in_whole_seconds, aws=True, quirks=(Quirk("moto-kinesis-07", False),)),
    Question(kinesis.by_arn_alone, aws="a", quirks=(Quirk("kinesalite-kinesis-02", INVALID),)),
    Question(kinesis.date_of_a_reply, aws=True),
    # records
    Question(
        kinesis.record_fields,
        aws=(["ApproximateArrivalTimestamp", "Data", "PartitionKey", "SequenceNumber"], "k"),
    ),
    Question(
        kinesis.sequence_numbers,
        aws=({56}, True, 4),
        quirks=(Quirk("ministack-kinesis-03", ({30}, True, 4)), Quirk("moto-kinesis-08", ({1}, True, 4))),
    ),
    Question(kinesis.from_the_horizon, aws="a b c"),
    Question(kinesis.from_the_latest, aws="b"),
    Question(kinesis.from_a_number, aws=("b c", "c")),
    Question(kinesis.from_a_number_without_zeros, aws="b", quirks=(Quirk("ministack-kinesis-03", ""),)),
    Question(kinesis.from_the_shards_start, aws="a b"),
    Question(kinesis.from_a_time, aws="b c"),
    Question(kinesis.from_a_time_after_all, aws="b", quirks=(Quirk("kinesalite-kinesis-03", "no answer"),)),
    Question(kinesis.from_long_ago, aws="a"),
    Question(
        kinesis.from_the_future,
        aws=INVALID,
        quirks=(Quirk("ministack-kinesis-04", "accepted"), Quirk("moto-kinesis-09", "accepted")),
    ),
    Question(
        kinesis.in_pages,
        aws=(["a b", "c"], True, 0),
        quirks=(Quirk("kinesalite-kinesis-04", (["a b", "c"], False, 0)),),
    ),
    Question(kinesis.an_empty_open_shard, aws=("", 0, "a")),
    Question(kinesis.an_iterator_used_twice, aws=["a", "a"]),
    Question(kinesis.arrival_in_milliseconds, aws=(True, True)),
    # resharding
    Question(
        kinesis.lineage_of_a_split,
        aws=[("00", "", True), ("01", "00", False), ("02", "00", False)],
        quirks=(Quirk("ministack-kinesis-02", [("01", "00", False), ("02", "00", False)]),),
    ),
    Question(kinesis.lineage_of_a_merge, aws=("00", "01")),
    Question(
        kinesis.open_shards_alone,
        aws=["01", "02"],
        quirks=(
            Quirk("moto-kinesis-06", ["00", "01", "02"]),
            Quirk("kinesalite-kinesis-05", ["00", "01", "02"]),
        ),
    ),
    Question(kinesis.open_shards_counted, aws=2, quirks=(Quirk("moto-kinesis-06", 1),)),
    Question(
        kinesis.numbers_of_children,
        aws=True,
        quirks=(Quirk("ministack-kinesis-02", None), Quirk("moto-kinesis-05", False)),
    ),
    Question(kinesis.records_of_a_closed_shard, aws="a b", quirks=(PARENT_GONE,)),
    Question(
        kinesis.records_after_a_split,
        aws=["", "", "a"],
        quirks=(Quirk("ministack-kinesis-02", ["", "a"]), Quirk("moto-kinesis-04", ["a", "", ""])),
    ),
    Question(kinesis.end_of_a_closed_shard, aws=("a b", True), quirks=(PARENT_GONE, Quirk(NEVER_ENDS, ("a b", False)))),
    Question(kinesis.end_after_the_last_record, aws=("", True), quirks=(PARENT_GONE, Quirk(NEVER_ENDS, ("", False)))),
    Question(kinesis.end_from_the_latest, aws=("", True), quirks=(PARENT_GONE, Quirk(NEVER_ENDS, ("", False)))),
    Question(
        kinesis.children_told_at_the_end,
        aws=[("01", ["shardId-000000000000"]), ("02", ["shardId-000000000000"])],
        quirks=(PARENT_GONE, Quirk(NEVER_ENDS, []), Quirk("kinesalite-kinesis-06", [])),
    ),
    # refusals
    Question(
        kinesis.a_missing_stream,
        aws=[MISSING] * 4,
        quirks=(Quirk("kinesalite-kinesis-02", [MISSING, INVALID, MISSING, MISSING]),),
    ),
    Question(kinesis.a_missing_shard, aws=MISSING),
    Question(
        kinesis.token_and_name,
        aws=INVALID,
        quirks=(
            Quirk("ministack-kinesis-01", "accepted"),
            Quirk("moto-kinesis-01", "accepted"),
            Quirk("kinesalite-kinesis-01", "no token"),
        ),
    ),
    Question(
        kinesis.a_bad_iterator,
        aws=INVALID,
        quirks=(Quirk("ministack-kinesis-05", "ExpiredIteratorException"), Quirk("moto-kinesis-10", FAILED)),
    ),
    Question(
        kinesis.a_number_of_another_shard,
        aws=INVALID,
        quirks=(Quirk("ministack-kinesis-06", "accepted"), Quirk("moto-kinesis-11", "accepted")),
    ),
    Question(
        kinesis.a_number_of_a_former_stream,
        aws=INVALID,
        quirks=(
            Quirk("ministack-kinesis-06", "accepted"),
            Quirk("moto-kinesis-11", "accepted"),
            Quirk("kinesalite-kinesis-07", "accepted"),
        ),
    ),
    Question(kinesis.creation_of_a_stream_made_anew, aws=True),
    # fan-out
    Question(
        kinesis.subscription,
        aws=("a b", True),
        quirks=(Quirk("moto-kinesis-12", FAILED), Quirk("kinesalite-kinesis-06", "UnknownOperationException")),
    ),
]

LEFT = ("DISABLED", [True], "a", True)

RECORD = ["ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber", "SizeBytes", "StreamViewType"]

DYNAMODB = [
    Question(dynamodb.description, aws=(True, True, "ENABLED", "NEW_AND_OLD_IMAGES")),
    Question(dynamodb.streams_of_a_table, aws=([True], True)),
    Question(
        dynamodb.regions,
        aws=("us-east-1", "us-east-1"),
        quirks=(Quirk("dynamodb_local-dynamodb-01", ("ddblocal", "ddblocal")),),
    ),
    Question(dynamodb.shards_after_the_last, aws=(0, False), quirks=(Quirk("moto-dynamodb-01", (1, False)),)),
    # records
    Question(
        dynamodb.record_fields,
        aws=("1.1", "aws:dynamodb", RECORD, True),
        quirks=(Quirk("moto-dynamodb-02", ("1.0", "aws:dynamodb", RECORD, False)),),
    ),
    Question(
        dynamodb.kinds_of_change,
        aws=[("INSERT", "", "1"), ("MODIFY", "1", "2"), ("REMOVE", "2", "")],
        quirks=(
            Quirk(
                "moto-dynamodb-03",
                [("INSERT", "", "1"), ("MODIFY", "1", "2"), ("MODIFY", "2", "2"), ("REMOVE", "2", "")],
            ),
        ),
    ),
    Question(dynamodb.times_in_minutes, aws=False, quirks=(Quirk("dynamodb_local-dynamodb-04", True),)),
    Question(dynamodb.keys_only, aws=({"id": {"S": "a"}}, False, "KEYS_ONLY")),
    Question(dynamodb.sequence_numbers, aws=(True, True, False)),
    Question(
        dynamodb.from_a_number_without_zeros,
        aws="b",
        quirks=(Quirk("ministack-dynamodb-01", "TrimmedDataAccessException"),),
    ),
    Question(dynamodb.places, aws=["d", "b c d", "c d"]),
    Question(dynamodb.from_an_empty_latest, aws="a"),
    Question(
        dynamodb.from_long_ago,
        aws="a",
        quirks=(
            Quirk("ministack-dynamodb-02", "ValidationException"),
            Quirk("moto-dynamodb-04", FAILED),
            Quirk("dynamodb_local-dynamodb-02", "ValidationException"),
        ),
    ),
    Question(dynamodb.in_pages, aws=("a b", "c", True)),
    # ends
    Question(dynamodb.a_disabled_stream, aws=LEFT, quirks=(Quirk("moto-dynamodb-05", FAILED),)),
    Question(dynamodb.the_stream_of_a_deleted_table, aws=LEFT, quirks=(Quirk("moto-dynamodb-05", MISSING),)),
    Question(dynamodb.a_table_made_anew, aws=True),
    # refusals
    Question(dynamodb.a_missing_stream, aws=MISSING),
    Question(dynamodb.a_missing_shard, aws=MISSING, quirks=(Quirk("moto-dynamodb-06", FAILED),)),
    Question(dynamodb.a_bad_iterator, aws="ValidationException", quirks=(Quirk("moto-dynamodb-06", FAILED),)),
    Question(
        dynamodb.a_number_of_no_shard,
        aws=["ValidationException"] * 2,
        quirks=(
            Quirk("ministack-dynamodb-03", ["TrimmedDataAccessException"] * 2),
            Quirk("moto-dynamodb-07", ["accepted"] * 2),
            Quirk("dynamodb_local-dynamodb-03", ["InternalFailure"] * 2),
        ),
    ),
]


Asked = tuple[str, Lab]


@asynccontextmanager
async def lab_of(request: pytest.FixtureRequest) -> AsyncIterator[Asked]:
    if request.param == "stub":
        async with stream_stub.serve() as stub:
            stub.limits = None  # nobody polls as fast as these questions are asked
            async with lab(stub.url) as asking:
                yield "stub", asking
    else:
        server: Server = request.getfixturevalue(request.param)
        async with lab(server.endpoint_url) as asking:
            yield request.param, asking


NODE = pytest.param("kinesalite", marks=pytest.mark.needs("node", "npm"))
JAVA = pytest.param("dynamodb_local", marks=pytest.mark.needs("java", "maven"))


@pytest.fixture(scope="module", params=["stub", NODE, "ministack", "moto"])
async def kinesis_server(request: pytest.FixtureRequest) -> AsyncIterator[Asked]:
    async with lab_of(request) as server:
        yield server


@pytest.fixture(scope="module", params=["stub", JAVA, "ministack", "moto"])
async def dynamodb_server(request: pytest.FixtureRequest) -> AsyncIterator[Asked]:
    async with lab_of(request) as server:
        yield server


@pytest.mark.parametrize("question", KINESIS, ids=str)
async def test_kinesis(kinesis_server: Asked, question: Question) -> None:
    server, asking = kinesis_server
    assert await asked(question.ask, asking) == question.expected(server)


@pytest.mark.parametrize("question", DYNAMODB, ids=str)
async def test_dynamodb(dynamodb_server: Asked, question: Question) -> None:
    server, asking = dynamodb_server
    assert await asked(question.ask, asking) == question.expected(server)


def test_every_row_is_tested_and_every_quirk_has_a_row() -> None:
    rows = re.findall(r"^\| (\w+-(?:kinesis|dynamodb)-\d+) \| (\w+) \|", ROWS.read_text(), re.MULTILINE)
    quirks = {(quirk.row, quirk.server) for question in KINESIS + DYNAMODB for quirk in question.quirks}
    assert sorted(rows) == sorted(quirks)
