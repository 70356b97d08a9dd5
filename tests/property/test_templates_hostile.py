"""Templates in which anything may stand anywhere: whatever comes, there is a configuration or a list of problems."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from headrace.config.errors import ConfigError
from headrace.config.nodes import plain
from headrace.service.templates.reading import read_document
from support import counts, template_cases

ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        7,
        -1,
        1.5,
        "",
        "x",
        "${A.B}",
        "arn:aws:sqs:us-east-1:000000000000:q",
        "arn:aws:kinesis:::",
        [],
        {},
        [[]],
    ),
    *({"Ref": "X"}, {"Ref": ["X"]}, {"Fn::GetAtt": "A"}, {"Fn::GetAtt": ["Queue", "Arn"]}, {"Fn::Sub": [1]}),
    *(
        {"Fn::If": ["C"]},
        {"Fn::Join": []},
        {"Fn::Select": [0, {"Ref": "X"}]},
        {"Fn::Transform": None},
        {"a": {"b": []}},
    ),
    *("{{resolve:ssm:x}}", "../../..", "\x00", "a" * 300, {"Type": "AWS::SQS::Queue"}, {"Type": ["AWS::SQS::Queue"]}),
)
FILES = [
    (case, str(file.relative_to(template_cases.ROOT / case)))
    for case in template_cases.cases()
    for file in sorted((template_cases.ROOT / case).rglob("*"))
    if file.suffix in (".yaml", ".json") and ".zip.d" not in str(file)
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from places(each, (*path, key))


def changed(document: Any, chance: random.Random) -> Any:
    """The document with something else at one to three places, or without what stands there."""
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        *outer, last = chance.choice([path for path in places(document) if path])
        holder = document
        for key in outer:
            holder = holder[key]
        if chance.random() < 0.2:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(chance.choice(ODD))
        if not document:
            break
    return document


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_cases.copied(tmp_path_factory.mktemp("hostile"))


@pytest.mark.semantics("TPL-02", "TPL-25")
@pytest.mark.parametrize(("case", "name"), FILES, ids=str)
def test_whatever_stands_in_a_template(case: str, name: str, templates: Path) -> None:
    directory = templates / case
    file = directory / name
    original = file.read_text()
    try:
        document = plain(read_document(file)[0])
    except ConfigError:
        return
    paths, command = template_cases.paths_of(directory), template_cases.command_of(directory)
    chance = random.Random(f"{case}/{name}")
    try:
        for _ in range(counts.count(4, 400)):
            file.write_text(json.dumps(changed(document, chance)))
            with suppress(ConfigError):  # and nothing else
                assert template_cases.loaded(directory, command, templates=paths).report
    finally:
        file.write_text(original)
