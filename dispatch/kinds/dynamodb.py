"""Changes of DynamoDB tables. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import floor

from ...config.kinds import dynamodb
from ...config.mapping import EventSourceMapping
from ..core.events import Fields, base64_text, fields_of, seconds
from ..core.model import Lane, Position, Record
from ..patterns.arrays import content_without, passes
from ..patterns.formats import FilterRules
from ..patterns.reach import (
    GIVEN_TEXT,
    NUMBER,
    TEXT,
    LeafType,
    NamedShape,
    RecordShape,
    Unmet,
    leaf,
    one_of,
)
from ..patterns.tree import Branch
from .fragments import BatchInfo, region_of, sequence_number, shard_envelope, shard_policy, shard_slots
from .profile import DispatchKind, Item, Sample, UnfitSample

_TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})
_CHANGE = ("Keys", "NewImage", "OldImage")


def dynamodb_item(record: Fields, *, arn: str, region: str) -> dict[str, object]:
    """The element of one record of a DynamoDB stream's GetRecords."""
    item: dict[str, object] = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": record.get("eventVersion", "1.1"),
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": _change(fields_of(record["dynamodb"])),
    }
    identity = fields_of(record.get("userIdentity"))
    if identity:  # a deletion by time to live
        item["userIdentity"] = {"principalId": identity.get("PrincipalId"), "type": identity.get("Type")}
    return item | {"eventSourceARN": arn}


def _change(change: Fields) -> dict[str, object]:
    created = change.get("ApproximateCreationDateTime")
    out: dict[str, object] = {}
    if created is not None:
        out["ApproximateCreationDateTime"] = float(floor(seconds(created)))
    for member in _CHANGE:
        if member in change:
            image = fields_of(change[member])
            out[member] = {name: _attribute_value(value) for name, value in image.items()}
    for member in ("SequenceNumber", "SizeBytes", "StreamViewType"):
        if member in change:
            out[member] = change[member]
    return out


def _attribute_value(value: object) -> object:
    """A DynamoDB value, its binaries as base64 text. As deep as DynamoDB allows: 32 levels."""
    if isinstance(value, Mapping):
        return {name: _attribute_value(member) for name, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_attribute_value(member) for member in value]
    return base64_text(value) if isinstance(value, (bytes, bytearray)) else value


def dynamodb_key(record: Fields) -> str:
    """The item's primary key as text, the same for the same item whatever the order of its attributes."""
    keys = fields_of(fields_of(record["dynamodb"]).get("Keys"))
    return json.dumps(_attribute_value(keys), sort_keys=True, separators=(",", ":"))


def _sample(sample: Sample, mapping: EventSourceMapping) -> Record:
    """The change that a new item makes."""
    image = image_of(sample.text)
    number = sequence_number(sample)
    change: Fields = {
        "ApproximateCreationDateTime": sample.moment,
        "Keys": key_of(image),
        "NewImage": image,
        "SequenceNumber": number,
        "SizeBytes": len(sample.text.encode()),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    raw = {"eventID": sample.unique.replace("-", ""), "eventName": "INSERT", "dynamodb": change}
    item = dynamodb_item(raw, arn=mapping.source, region=region_of(mapping))
    lane = Lane(mapping.source, "shardId-00000000000000000000-00000000")
    return Record(lane, number, item, sample.moment, Position.parse(number))


def key_of(image: Fields) -> dict[str, object]:
    """The key of an item whose table nobody knows: `id`, or else its first attribute."""
    key = "id" if "id" in image else next(iter(image))
    return {key: image[key]}


def image_of(text: str) -> dict[str, object]:
    """An item in DynamoDB's form, of JSON in that form or in plain form. Raises UnfitSample."""
    try:
        item = json.loads(text)
    except ValueError as error:
        raise UnfitSample(f"it is no JSON: {error}") from error
    if not isinstance(item, dict) or not item:
        raise UnfitSample('it must be the new item, a JSON object with its key: {"id": "7"}')
    return item if all(map(_is_typed, item.values())) else {name: _typed(value) for name, value in item.items()}


def _is_typed(value: object) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _TYPES


def _typed(value: object) -> dict[str, object]:
    """A plain value of JSON in DynamoDB's form."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": json.dumps(value)}
        case list():
            return {"L": [_typed(each) for each in value]}
        case dict():
            return {"M": {name: _typed(each) for name, each in value.items()}}
        case _:
            return {"S": str(value)}


def dynamodb_relived(item: Item, source: str) -> Record:
    """A record out of its element of an event, which does not name its shard: all of a document are of one."""
    change = item["dynamodb"]
    number = str(change["SequenceNumber"])
    return Record(
        lane=Lane(source),
        id=number,
        item=item,
        arrived=float(change.get("ApproximateCreationDateTime", 0.0)),
        position=Position.parse(number),
        key=dynamodb_key(item),
    )


BATCH_INFO = BatchInfo("DDBStreamBatchInfo", "seconds")

_NO_TYPE = "names no type"
_TYPE_HINT = 'a value has its type around it: {"status": {"S": ["paid"]}}'
SHAPE: RecordShape = {
    "eventID": GIVEN_TEXT,
    "eventName": one_of("INSERT", "MODIFY", "REMOVE", always=True),
    "eventVersion": GIVEN_TEXT,
    "eventSource": one_of("aws:dynamodb", always=True),
    "awsRegion": GIVEN_TEXT,
    "eventSourceARN": GIVEN_TEXT,
    "dynamodb": {
        "ApproximateCreationDateTime": NUMBER,
        "Keys": NamedShape({"S": TEXT, "N": TEXT, "B": TEXT}, _NO_TYPE, _TYPE_HINT),
        **{
            image: NamedShape(
                {
                    **dict.fromkeys(("S", "N", "B", "SS", "NS", "BS"), TEXT),
                    **dict.fromkeys(("BOOL", "NULL"), leaf(LeafType.BOOLEAN)),
                },
                _NO_TYPE,
                _TYPE_HINT,
            )
            for image in ("NewImage", "OldImage")
        },
        "SequenceNumber": TEXT,
        "SizeBytes": NUMBER,
        "StreamViewType": one_of("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"),
    },
    "userIdentity": {
        "principalId": leaf(LeafType.TEXT, LeafType.NULL),
        "type": leaf(LeafType.TEXT, LeafType.NULL),
    },
}
_IMAGES = {"INSERT": "OldImage", "REMOVE": "NewImage"}
"""The image that is missing for each eventName: no old image of a new item, no new image of a removed one."""


def _impossible(branch: Branch) -> Unmet | None:
    """Why the pattern can never match: it needs an image that changes with its eventNames lack."""
    if (names := branch.get("eventName")) is None:
        return None
    lacking = [_IMAGES.get(name) for name in ("INSERT", "MODIFY", "REMOVE") if passes(names, name)]
    needed = [path for path, rule in branch.items() if path.startswith("dynamodb.") and not content_without(rule)]
    wanted = {path.split(".")[1]: path for path in needed}
    if not lacking or any(image not in wanted for image in lacking):
        return None
    image = str(lacking[0])
    return Unmet(wanted[image], f"the changes of this eventName have no {image}")


STREAM = DispatchKind(
    kind=dynamodb.STREAM,
    messaging_system="aws_dynamodb",
    policy=shard_policy,
    envelope=shard_envelope,
    slots=shard_slots,
    filters=FilterRules("dynamodb", "dynamodb", only_json=True, apart=False),
    shape=SHAPE,
    impossible=_impossible,
    data=lambda item: None,
    sample=_sample,
    sampled={
        "source": "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000",
        "starting_position": "LATEST",
    },
    relived=dynamodb_relived,
    called=lambda item: item.get("eventID"),
    documents=BATCH_INFO.documents,
    origins=BATCH_INFO.origins,
)
