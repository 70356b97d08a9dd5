"""What is another one in a configuration that was read again, and when files are read again."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import pytest

from headrace.config.function import HttpFunction
from headrace.config.mapping import EventSourceMapping
from headrace.config.settings import SECTIONS, Settings
from headrace.service.running.core.config_changes import Defined, PartChanges, compare
from headrace.service.running.core.file_changes import FileChanges

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"


def mapping(name: str, uuid: str = "", **fields: Any) -> EventSourceMapping:
    same = uuid or str(ord(name))
    given = {"name": name, "uuid": f"00000000-0000-4000-8000-{same:0>12}", "source": QUEUE, "function": "f"}
    return EventSourceMapping.model_validate(given | fields)


def function(name: str, port: int = 1) -> HttpFunction:
    return HttpFunction.model_validate({"name": name, "http": f"http://localhost:{port}/"})


def defined(
    *mappings: EventSourceMapping, functions: tuple[HttpFunction, ...] = (), directory: str = "/", **settings: Any
) -> Defined:
    given = Settings(**settings)
    return Defined(
        {name: getattr(given, name) for name in SECTIONS},
        {each.name: each for each in functions},
        {each.name: each for each in mappings},
        lambda mapping: PurePath(directory),
    )


@pytest.mark.semantics("RELOAD-01")
def test_only_what_is_another_one_counts_as_changed() -> None:
    before = defined(mapping("a"), mapping("b"), mapping("c"))
    after = defined(mapping("d"), mapping("b", batch_size=7), mapping("a"))
    found = compare(before, after)
    assert found.mappings == PartChanges(added=("d",), removed=("c",), changed=("b",), kept=("a",))
    assert found.any
    assert found.text == "mappings 1 added, 1 removed, 1 changed, 1 kept; functions none"
    assert not compare(before, before).any


@pytest.mark.semantics("RELOAD-01")
def test_a_mapping_follows_its_function_and_the_directory_of_its_file() -> None:
    before = defined(mapping("a"), mapping("b", function="g"), functions=(function("f"), function("g")))
    after = defined(mapping("a"), mapping("b", function="g"), functions=(function("f", 2), function("g")))
    found = compare(before, after)
    assert found.functions == PartChanges(changed=("f",), kept=("g",))
    assert (found.mappings.changed, found.mappings.kept) == (("a",), ("b",))
    assert compare(before, defined(mapping("a"), directory="/other")).mappings.changed == ("a",)


@pytest.mark.semantics("RELOAD-04")
def test_a_mapping_is_the_same_one_as_long_as_its_uuid_is() -> None:
    found = compare(defined(mapping("a", "1"), mapping("b")), defined(mapping("z", "1"), mapping("c")))
    assert found.renamed == (("a", "z"),)
    assert found.mappings == PartChanges(added=("c",), removed=("b",), changed=("z",))
    assert found.as_plain()["renamed"] == [{"from": "a", "to": "z"}]
    assert found.text.endswith("; renamed a to z")


@pytest.mark.semantics("RELOAD-05")
def test_what_takes_a_restart_is_named() -> None:
    found = compare(defined(), defined(listen="127.0.0.1:1", state="elsewhere"))
    assert (found.settings, found.any, found.refused) == (("listen", "state"), False, False)
    assert compare(defined(), defined(aws={"region": "eu-west-1"})).refused


@pytest.mark.parametrize(
    ("looks", "read"),
    [
        ("aaa", [False, False, False]),
        ("bb", [False, True]),
        ("bbb", [False, True, False]),
        ("bcc", [False, False, True]),
        ("ba", [False, False]),
        ("bbaa", [False, True, False, True]),
    ],
)
@pytest.mark.semantics("RELOAD-02")
def test_files_are_read_once_they_look_the_same_twice(looks: str, read: list[bool]) -> None:
    files = FileChanges("a")
    assert [files.look(each) for each in looks] == read


@pytest.mark.semantics("RELOAD-02")
def test_files_that_somebody_had_read_are_not_read_again() -> None:
    files = FileChanges("a")
    assert not files.look("b")
    files.took("b")
    assert not files.look("b")
    assert [files.look("c"), files.look("c")] == [False, True]
