"""Events out of payloads: the same elements and envelopes that mappings send."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.kinds.by_hand import event_by_hand, mapping_by_hand
from headrace.dispatch.kinds.profile import DispatchKind, UnfitSample
from headrace.dispatch.kinds.table import KINDS
from headrace.service.cli.main import main
from support.configs import write

NAMED = {str(each.kind): each for each in KINDS}
UNIQUES = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
MOMENT = 1657720080.123


def made(kind: DispatchKind, *texts: str, mapping: EventSourceMapping | None = None) -> Any:
    return json.loads(event_by_hand(kind, mapping or mapping_by_hand(kind), texts, MOMENT, UNIQUES[: len(texts)]))


@pytest.mark.semantics("EVT-01")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.kind))
def test_each_kind_has_an_event_of_its_form_with_a_record_for_each_payload(kind: DispatchKind) -> None:
    event = made(kind, '{"id": "1"}', '{"id": "2"}')
    records = kind.unpack(event)
    assert records is not None
    assert len(records) == 2
    names = [kind.called(record) for record in records]
    assert None not in names
    assert len(set(map(str, names))) == 2
    if kind.data(records[0]) is not None:
        data = kind.data(records[1])
        assert json.loads(data if isinstance(data, str | bytes) else "") == {"id": "2"}


@pytest.mark.semantics("EVT-01")
def test_the_payload_of_each_kind() -> None:
    text = "Grüße"
    assert made(NAMED["sqs"], text)["Records"][0]["body"] == text
    assert made(NAMED["sqs-fifo"], text)["Records"][0]["attributes"]["MessageGroupId"] == "by-hand"
    (record,) = made(NAMED["kinesis"], text)["Records"]
    assert base64.b64decode(record["kinesis"]["data"]).decode() == text
    assert record["kinesis"]["approximateArrivalTimestamp"] == 1657720080.123
    (records,) = made(NAMED["kafka"], text)["records"].values()
    assert base64.b64decode(records[0]["value"]).decode() == text


@pytest.mark.semantics("EVT-02")
@pytest.mark.parametrize(
    ("text", "keys", "image"),
    [
        ('{"id": "7", "n": 1.5}', {"id": {"S": "7"}}, {"id": {"S": "7"}, "n": {"N": "1.5"}}),
        ('{"pk": 7, "id2": true}', {"pk": {"N": "7"}}, {"pk": {"N": "7"}, "id2": {"BOOL": True}}),
        ('{"a": {"S": "x"}, "id": {"N": "1"}}', {"id": {"N": "1"}}, {"a": {"S": "x"}, "id": {"N": "1"}}),
        (
            '{"id": "1", "m": {"l": [null, "x"]}}',
            {"id": {"S": "1"}},
            {"id": {"S": "1"}, "m": {"M": {"l": {"L": [{"NULL": True}, {"S": "x"}]}}}},
        ),
        ('{"id": "1", "m": {"S": "x", "N": "1"}}', {"id": {"S": "1"}}, None),
    ],
)
def test_an_item_of_dynamodb_may_be_plain_json_or_typed(text: str, keys: object, image: object) -> None:
    change = made(NAMED["dynamodb"], text)["Records"][0]["dynamodb"]
    assert change["Keys"] == keys
    assert image is None or change["NewImage"] == image


@pytest.mark.parametrize("text", ["no json", "[]", "{}", "7"])
def test_what_is_no_item_is_refused(text: str) -> None:
    with pytest.raises(UnfitSample):
        made(NAMED["dynamodb"], text)


@pytest.mark.semantics("EVT-03")
def test_a_mapping_gives_its_source_and_its_envelope() -> None:
    mapping = EventSourceMapping(
        name="m",
        source="arn:aws:kinesis:eu-west-1:000000000000:stream/clicks",
        function="f",
        starting_position="LATEST",
        tumbling_window_in_seconds=60,
    )
    event = made(NAMED["kinesis"], "x", mapping=mapping)
    assert event["Records"][0]["eventSourceARN"] == mapping.source
    assert event["Records"][0]["awsRegion"] == "eu-west-1"
    assert event["window"] == {"start": "2022-07-13T13:48:00Z", "end": "2022-07-13T13:49:00Z"}
    assert event["shardId"] == "shardId-000000000000"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.semantics("EVT-01")
def test_the_verb(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = said(capsys, "event", "sqs")
    assert (code, json.loads(out)["Records"][0]["body"]) == (0, '{"id": "1"}')
    file = write(tmp_path, "from a file", "body.txt")
    code, out, _ = said(capsys, "event", "sqs", "--body", "one", "--body", f"@{file}")
    assert [each["body"] for each in json.loads(out)["Records"]] == ["one", "from a file"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("event", "sqz"), "there is no kind of event 'sqz'; did you mean 'sqs'?"),
        (("event", "rabbit"), "there are sqs, sqs-fifo, kinesis, dynamodb, kafka"),
        (("event", "dynamodb", "--body", "x"), "a body does not fit a record of dynamodb: it is no JSON"),
        (("event", "sqs", "--body", "@/no/such/file"), "cannot read /no/such/file"),
        (("invoke", "f", "--body", "x"), "--body is the payload of a record: name its kind with --event"),
        (("invoke", "f", "{}", "--event", "sqs"), "give a PAYLOAD or --event, not both"),
    ],
)
def test_what_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, text: str
) -> None:
    write(tmp_path, "functions: {f: {command: [cat]}}")
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, *arguments)
    assert code == 2
    assert text in err
