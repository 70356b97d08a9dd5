"""Stored positions, from the command line: listed, moved, removed; and what is said of those that nobody uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from headrace.config.mapping import EventSourceMapping, derive_uuid
from headrace.dispatch.core.model import Lane, OpenWindow, Position, Window
from headrace.pollers.checkpoints.store import Checkpoint, CheckpointStore, Finished, Kept, Key, Start, StartKind
from headrace.service.cli import main as cli
from headrace.service.wiring.exits import Exit
from headrace.service.wiring.positions import open_positions, unused_line, without_mapping
from headrace.service.wiring.state import StateDirectory

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
OTHER = "arn:aws:kinesis:us-east-1:000000000000:stream/other"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/T"
ORDERS = derive_uuid("000000000000", "us-east-1", "orders")
GONE = "00000000-0000-4000-8000-000000000001"
NOTHING = Start(StartKind.TRIM_HORIZON)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a configuration of two streams and a table, and its state beside it."""
    mappings = {
        "orders": {"source": STREAM, "function": "f", "starting_position": "LATEST"},
        "others": {"source": OTHER, "function": "f", "starting_position": "LATEST"},
        "table": {"source": TABLE, "function": "f", "starting_position": "LATEST"},
        "queue": {"source": "arn:aws:sqs:us-east-1:000000000000:orders", "function": "f"},
    }
    aws = {"endpoint_url": "http://localhost:1/", "region": "us-east-1"}
    config = {
        "aws": aws,
        "listen": "127.0.0.1:3",
        "functions": {"f": {"http": "http://localhost:1/"}},
        "mappings": mappings,
    }
    (tmp_path / "headrace.json").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def store(project: Path, positions: Mapping[tuple[str, str], Mapping[str, Checkpoint]]) -> None:
    """Positions by mapping and source, as a daemon would leave them."""

    async def write() -> None:
        (project / ".headrace").mkdir(exist_ok=True)
        kept = await open_positions(project / ".headrace")
        for (mapping, source), lanes in positions.items():
            await _write(kept, mapping, source, lanes)
        await kept.aclose()

    anyio.run(write)


async def _write(kept: CheckpointStore, mapping: str, source: str, lanes: Mapping[str, Checkpoint]) -> None:
    starts = {shard: lane.place if isinstance(lane.place, Start) else NOTHING for shard, lane in lanes.items()}
    await kept.begin(mapping, source, 1.0, starts)
    for shard, lane in lanes.items():
        key = Key(mapping, Lane(source, shard))
        held = await kept.acquire(key)
        await kept.commit(key, held.token, lane)


def at(number: int) -> dict[str, Checkpoint]:
    return {"shard-1": Checkpoint(Position.parse(str(number)))}


def headrace(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["positions", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def rows(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The table without its head, and without blanks."""
    code, out, _ = headrace(capsys)
    assert code == Exit.OK
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()[1:]]


# --- list -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-26")
def test_every_shard_is_listed_with_its_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = OpenWindow(Window(1_700_000_040, 1_700_000_100), b"{}")
    lanes = {
        "shard-1": Checkpoint(Position(7, 3, "0007")),
        "shard-2": Checkpoint(Position.parse("9"), window),
        "shard-3": Checkpoint(Start(StartKind.LATEST, 1_700_000_000.0)),
        "shard-4": Checkpoint(Finished(Position.parse("12"))),
        "shard-5": Checkpoint(NOTHING),
    }
    store(project, {(ORDERS, STREAM): lanes, (GONE, STREAM): at(5)})
    assert rows(capsys) == [
        [GONE, "no", STREAM, "shard-1", "after 5"],
        ["orders", "yes", STREAM, "shard-1", "after 0007.3"],
        ["orders", "yes", STREAM, "shard-2", "after 9, window of 2023-11-14T22:14:00Z"],
        ["orders", "yes", STREAM, "shard-3", "starts at LATEST 2023-11-14T22:13:20Z"],
        ["orders", "yes", STREAM, "shard-4", "finished after 12"],
        ["orders", "yes", STREAM, "shard-5", "starts at TRIM_HORIZON"],
    ]


@pytest.mark.semantics("CLI-26")
def test_the_list_is_there_for_programs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = OpenWindow(Window(60, 120), b'{"secret": 1}')
    store(project, {(ORDERS, STREAM): {"shard-1": Checkpoint(Position(7, 3, "0007"), window)}})
    code, out, _ = headrace(capsys, "--output", "json")
    assert code == Exit.OK
    place = {"place": "position", "sequence_number": "0007", "sub_sequence_number": 3}
    shards = [{"shard": "shard-1", **place, "window": {"start": 60, "end": 120}}]
    about = {"mapping": "orders", "mapping_uuid": ORDERS, "source": STREAM, "used": True}
    assert json.loads(out) == [{**about, "shards": shards}]


@pytest.mark.semantics("STEER-14")
def test_a_topic_whose_brokers_are_away_is_told_and_hides_no_stream(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((project / "headrace.json").read_text())
    own = {"endpoints": {"kafka_bootstrap_servers": ["127.0.0.1:1"]}}
    topic = {"self_managed_event_source": own, "topics": ["t"], "function": "f", "starting_position": "LATEST"}
    config["mappings"]["notices"] = topic
    (project / "headrace.json").write_text(json.dumps(config))
    for stored in (0, 1):
        code, out, err = headrace(capsys, "--output", "json")
        assert (code, len(json.loads(out))) == (Exit.OK, stored)
        assert "notices: " in err
        assert "127.0.0.1:1" in err
        store(project, {(ORDERS, STREAM): at(7)})


def test_where_nothing_was_stored_nothing_is_listed_and_nothing_is_made(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows(capsys) == []
    assert headrace(capsys, "--output", "json")[1] == "[]\n"
    assert not (project / ".headrace").exists()


@pytest.mark.semantics("CLI-26", "STEER-14")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no daemon answers at http://127.0.0.1:3/v1/mappings"),
        (("remove", "--yes", "orders"), "no daemon answers at http://127.0.0.1:3/v1/token"),
        (("set", "--yes", "orders", "LATEST"), "no daemon answers at http://127.0.0.1:3/v1/token"),
        (("skip", "--yes", "orders", "s", "--url", "http://127.0.0.1:2"), "no daemon answers at http://127.0.0.1:2/"),
        (("move", "orders", STREAM, GONE), "another daemon (pid "),
    ],
)
def test_what_a_running_daemon_uses_it_is_asked_for(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    store(project, {(ORDERS, STREAM): at(1)})
    daemon = StateDirectory.open(project / ".headrace")
    code, out, err = headrace(capsys, *arguments)
    daemon.close()
    assert (code, out) == (Exit.FAILURE, "")
    assert said in err
    assert rows(capsys) == [["orders", "yes", STREAM, "shard-1", "after 1"]]


def test_a_state_directory_can_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(project, {(ORDERS, STREAM): at(1)})
    (project / ".headrace").rename(project / "kept")
    assert rows(capsys) == []
    assert "after 1" in headrace(capsys, "--state", "kept")[1]
    assert headrace(capsys, "remove", "--yes", "--state", "kept", "orders")[0] == Exit.OK


@pytest.mark.semantics("CLI-27")
def test_a_damaged_file_is_refused_and_left_as_it_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".headrace").mkdir()
    (project / ".headrace" / "checkpoints.db").write_bytes(b"not ours")
    code, _, err = headrace(capsys)
    assert code == Exit.CONFIG
    assert "the stored positions are damaged" in err
    assert (project / ".headrace" / "checkpoints.db").read_bytes() == b"not ours"


# --- move and remove ------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-26")
def test_positions_of_a_mapping_that_was_renamed_are_given_to_the_new_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(project, {(GONE, STREAM): at(5)})
    code, out, _ = headrace(capsys, "move", GONE, STREAM, "orders")
    assert (code, out) == (Exit.OK, f"moved 1 position in {STREAM} from {GONE} to orders\n")
    assert rows(capsys) == [["orders", "yes", STREAM, "shard-1", "after 5"]]


@pytest.mark.semantics("CLI-26")
def test_positions_are_not_given_to_a_mapping_that_has_some(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(project, {(GONE, STREAM): at(5), (ORDERS, STREAM): at(9)})
    code, _, err = headrace(capsys, "move", GONE, STREAM, "orders")
    assert code == Exit.FAILURE
    assert f"headrace positions remove orders {STREAM}" in err
    assert headrace(capsys, "remove", "-y", "orders", STREAM)[0] == Exit.OK
    assert headrace(capsys, "move", GONE, STREAM, "orders")[0] == Exit.OK
    assert rows(capsys) == [["orders", "yes", STREAM, "shard-1", "after 5"]]


@pytest.mark.semantics("CLI-26")
def test_positions_are_forgotten_by_source_or_all_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    streams = [f"{TABLE}/stream/{label}" for label in ("one", "two", "three")]
    store(project, {(GONE, stream): at(5) for stream in streams})
    assert headrace(capsys, "remove", "--yes", GONE, streams[0])[1] == f"removed 1 position of {GONE}\n"
    assert [row[2] for row in rows(capsys)] == [streams[2], streams[1]]
    assert headrace(capsys, "remove", "--yes", GONE.upper())[1] == f"removed 2 positions of {GONE.upper()}\n"
    assert rows(capsys) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("remove", "--yes", "order"),
            Exit.USAGE,
            "there is no mapping 'order'; there are orders, others, table, queue",
        ),
        (("move", GONE, STREAM, "new"), Exit.USAGE, "there is no mapping 'new'"),
        (("move", GONE, STREAM, "others"), Exit.USAGE, f"mapping others reads {OTHER}"),
        (("move", GONE, OTHER, "others"), Exit.FAILURE, f"no positions of {GONE} are stored in {OTHER}"),
        (("remove", "--yes", "orders"), Exit.FAILURE, f"no positions of {ORDERS} are stored"),
        (
            ("remove", GONE),
            Exit.USAGE,
            "begins again at its starting position. (no daemon uses the state directory) Say",
        ),
        (("set", "orders", "LATEST"), Exit.USAGE, "Say so with --yes: there is no terminal to ask"),
        (("set", "--yes", "orders", "yesterday"), Exit.USAGE, "'yesterday' is no place to go on: write TRIM_HORIZON"),
        (("set", "--yes", GONE, "LATEST"), Exit.USAGE, f"there is no mapping {GONE}"),
        (("set", "--yes", "queue", "LATEST"), Exit.FAILURE, "reads a queue, which has no positions"),
        (("remove", "--yes", "queue"), Exit.FAILURE, "reads a queue, which has no positions"),
        (("skip", "--yes", "orders", "shard-1"), Exit.FAILURE, "only a running one can give up on a record"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: Exit, said: str
) -> None:
    store(project, {(GONE, STREAM): at(5)})
    got, out, err = headrace(capsys, *arguments)
    assert (got, out) == (code, "")
    assert said in err
    assert rows(capsys) == [[GONE, "no", STREAM, "shard-1", "after 5"]]


def test_where_nothing_was_stored_nothing_can_be_changed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = headrace(capsys, "remove", "--yes", "orders")
    assert code == Exit.FAILURE
    assert "no positions are stored in" in err


@pytest.mark.semantics("STEER-14")
@pytest.mark.parametrize(
    ("answer", "code"), [("y", Exit.OK), ("YES", Exit.OK), ("", Exit.FAILURE), ("no", Exit.FAILURE)]
)
def test_somebody_is_asked_before_anything_is_removed(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: str, code: Exit
) -> None:
    store(project, {(GONE, STREAM): at(5)})
    asked: list[str] = []

    def answers(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("builtins.input", answers)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    got, out, _ = headrace(capsys, "remove", GONE)
    assert (got, "nothing was changed" in out) == (code, code == Exit.FAILURE)
    assert asked[0].startswith(f"{GONE} forgets its positions")
    assert len(rows(capsys)) == (0 if code == Exit.OK else 1)


def test_a_daemon_on_any_free_port_is_to_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "headrace.json"
    file.write_text(file.read_text().replace("127.0.0.1:3", "127.0.0.1:0"))
    daemon = StateDirectory.open(project / ".headrace")
    code, _, err = headrace(capsys)
    daemon.close()
    assert (code, "name its address with --url" in err) == (Exit.FAILURE, True)


# --- whose they are -------------------------------------------------------------------------------------------------


def mapping(source: str, uuid: str = ORDERS, **more: object) -> EventSourceMapping:
    return EventSourceMapping.model_validate({"name": "m", "source": source, "function": "f", "uuid": uuid, **more})


@pytest.mark.parametrize(
    ("own", "source", "expected"),
    [
        (STREAM, STREAM, True),
        (STREAM, OTHER, False),
        (STREAM, f"{STREAM}2", False),
        (f"{STREAM}/consumer/c:1", STREAM, True),
        (f"{STREAM}2/consumer/c:1", STREAM, False),
        (TABLE, f"{TABLE}/stream/1", True),
        (TABLE, f"{TABLE}2/stream/1", False),
        (f"{TABLE}/stream/1", f"{TABLE}/stream/2", False),
    ],
)
def test_which_streams_a_mapping_keeps_positions_of(own: str, source: str, expected: bool) -> None:
    made = mapping(own)
    assert made.profile.positions_in(made, source) is expected


@pytest.mark.semantics("CLI-28")
def test_what_no_mapping_uses() -> None:
    kept = [Kept(ORDERS, STREAM, 1), Kept(ORDERS, OTHER, 1), Kept(GONE, STREAM, 2)]
    assert without_mapping(kept, [mapping(STREAM)]) == [kept[1], kept[2]]
    assert without_mapping(kept, [mapping(STREAM, enabled=False)]) == [kept[1], kept[2]]
    assert without_mapping(kept, []) == kept


@pytest.mark.semantics("CLI-28")
def test_one_line_tells_of_all_of_them() -> None:
    line = unused_line([Kept(GONE, f"{STREAM}{number}", 1) for number in range(5)])
    assert f"{STREAM}0 for {GONE}" in line
    assert f"{STREAM}3" not in line
    assert "and 2 more; " in line
    assert "headrace positions move MAPPING SOURCE TO" in line
    assert "\n" not in line
