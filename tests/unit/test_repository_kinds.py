"""A kind of source has one place in each layer, and nobody else branches on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from headrace.config.kinds import table as config_table
from headrace.dispatch.kinds import table as dispatch_table
from headrace.pollers.kinds import table as poller_table
from support import ci

ROOT = Path(__file__).parents[2]


house = ci.script("house")


def branches(root: Path) -> list[str]:
    """What `.ci/house.py` says of branches on the kind in this tree."""
    return list(house.branches_on_the_kind(house.House.read(root)))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The tables of the kinds, and nothing that uses them."""
    for layer in ("config", "dispatch", "pollers"):
        shutil.copytree(ROOT / layer / "kinds", tmp_path / layer / "kinds")
    return tmp_path


def test_the_tables_of_the_layers_have_the_same_kinds_in_the_same_order() -> None:
    assert [each.kind for each in dispatch_table.KINDS] == list(config_table.KINDS)
    assert [each.kind for each in poller_table.KINDS] == list(config_table.KINDS)
    assert len({kind.name for kind in config_table.KINDS}) == len(config_table.KINDS)


def test_kinds_that_share_filters_read_their_records_alike() -> None:
    for kind in dispatch_table.KINDS:
        named = dispatch_table.FILTERS[kind.filters.name]
        assert (kind.filters, kind.data, kind.called) == (named.filters, named.data, named.called)


BRANCHES = [
    ('if str(mapping.kind) == "kafka":\n    pass', "compares with 'kafka'"),
    ('if mapping.kind.name in ("sqs", "sqs-fifo"):\n    pass', "compares with 'sqs-fifo'"),
    ('if ":sqs:" in mapping.source:\n    pass', "compares with ':sqs:'"),
    ('if mapping.source.startswith("arn:aws:kinesis:"):\n    pass', "looks for 'arn:aws:kinesis:'"),
    ('if "/consumer/" in mapping.source:\n    pass', "compares with '/consumer/'"),
    ('table = source.partition("/stream/")[0]', "looks for '/stream/'"),
    ('match arn.service:\n    case "dynamodb":\n        pass', "matches 'dynamodb'"),
    ('NAMES = {"sqs": "messageId", "other": ""}', "has a dict with the key 'sqs'"),
    ('CHOICES = ("sqs", "kinesis")', "lists 'sqs', 'kinesis'"),
    ('REST = TABLE["kafka"]', "looks up 'kafka'"),
    ('if mapping.kind is named("kafka"):\n    pass', "looks for 'kafka'"),
    ("if mapping.kind is KINDS[0]:\n    pass", "takes a kind out of a table by its place"),
    ("if mapping.kind.is_queue:\n    pass", "asks is_queue"),
    ("if arn.is_fifo:\n    pass", "asks is_fifo"),
    ("if mapping.kind is SourceKind.KAFKA:\n    pass", "names SourceKind.KAFKA"),
    ('if mapping.profile.noun == "queue":\n    pass', "compares the noun of a kind"),
    ("if mapping.profile.name == other:\n    pass", "compares the name of a kind"),
    ("if mapping.profile is other.profile:\n    pass", "compares the profile of a kind"),
    ("match mapping.profile.name:\n    case _:\n        pass", "matches the name of a kind"),
    ("from ...config.kinds import kafka", "imports config.kinds.kafka"),
    ("from ...config.kinds.sqs import STANDARD", "imports config.kinds.sqs.STANDARD"),
    ("from ...dispatch.kinds.kafka import TOPIC", "imports dispatch.kinds.kafka.TOPIC"),
    ("from ...pollers.sqs.source import SqsSource", "imports pollers.sqs.source.SqsSource"),
]


@pytest.mark.parametrize(("code", "what"), BRANCHES, ids=[what for _, what in BRANCHES])
def test_a_branch_on_the_kind_is_found(tree: Path, code: str, what: str) -> None:
    planted = tree / "service" / "wiring" / "one.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(f"def f() -> None:\n    import json\n\n\n{code}\n")
    found = branches(tree)
    line = min(int(fault.split(" ")[0].rpartition(":")[2]) for fault in found)
    assert f"service/wiring/one.py:{line} branches on the kind of source: it {what}" in found
    assert line in (5, 6)


FACTS = [
    "if mapping.kind is None:\n    pass",
    "if mapping.profile.has_visibility:\n    pass",
    "from ...config.kinds.table import KINDS",
    "from ...config.kinds.profile import SourceKind",
    'client = get("sqs")',
    'if fate.kind == "list":\n    pass',
    'print(f"the {mapping.profile.noun} is gone")',
    'field = Field(examples=[{"sqs": "http://localhost:9324"}])',
]


@pytest.mark.parametrize("code", FACTS)
def test_who_asks_for_a_fact_is_left_alone(tree: Path, code: str) -> None:
    planted = tree / "service" / "wiring" / "one.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(f"{code}\n")
    assert branches(tree) == []


@pytest.mark.parametrize(
    "place",
    ["config/kinds/kafka.py", "dispatch/kinds/kafka.py", "pollers/kafka/source.py", "dispatch/destinations/a.py"],
)
def test_a_kind_may_say_in_its_own_places_what_it_is(tree: Path, place: str) -> None:
    (tree / place).parent.mkdir(parents=True, exist_ok=True)
    with (tree / place).open("a") as file:
        file.write('\nif service == "kafka":\n    pass\n')
    assert branches(tree) == []
