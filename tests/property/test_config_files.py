"""Whatever stands in a file: a configuration or a ConfigError, never anything else."""

from __future__ import annotations

import json
import tempfile
from math import inf
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from headrace.config import read_json, read_yaml
from headrace.config.function import KINDS
from headrace.config.mapping import EventSourceMapping
from headrace.config.nodes import Node, plain, scalar
from headrace.config.settings import Api, Aws, Destinations, LogSettings, Settings
from support.configs import problems
from support.counts import count

MANY = settings(max_examples=count(200, 10_000), deadline=None)
FILES = settings(max_examples=count(200, 3_000), deadline=None)
ENDINGS = st.sampled_from([".yaml", ".json", ""])

MODELS: list[type[BaseModel]] = [EventSourceMapping, Settings, Aws, Api, LogSettings, Destinations, *KINDS.values()]
NAMES = sorted({name for model in MODELS for name in model.model_fields})
ALIASES = sorted({field.alias for model in MODELS for field in model.model_fields.values() if field.alias})
KEYS = st.sampled_from(NAMES + ALIASES) | st.text(max_size=5)
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
TEXTS = st.sampled_from([QUEUE, "f", "m", "${X}", "${X:-1}", "$$", "${", "http://x", "python", "a.b", ".", "~x", "\0"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
PARTS = st.dictionaries(st.sampled_from(["f", "m", "", "a b"]), st.dictionaries(KEYS, VALUES, max_size=5) | VALUES)
DOCUMENTS = st.dictionaries(st.sampled_from(["functions", "mappings", "aws", "log", "x-a"]) | KEYS, PARTS | VALUES)


def survives(data: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / f"headrace{ending}"
        file.write_bytes(data)
        found = problems(file, environ={"X": "3"})
        assert all(found)
        "".join(found).encode()


@pytest.mark.semantics("CONFIG-27")
@FILES
@given(data=st.binary(max_size=200), ending=ENDINGS)
@example(data=b"\xef\xbb\xbf", ending=".yaml")
@example(data=b"\xff\xfea\x00", ending=".yaml")
def test_any_bytes(data: bytes, ending: str) -> None:
    survives(data, ending)


@pytest.mark.semantics("CONFIG-27")
@FILES
@given(
    text=st.text(alphabet="abf:{}[]\"'\n\t -#&*!|>%@`?,.=0123456789e+~<$\\u\0\r", max_size=80),
    ending=ENDINGS,
)
@example(text="a: &a [*a]\n", ending=".yaml")
@example(text='"' + "\\" + 'ud800"', ending=".json")
def test_any_text_of_the_formats_own_signs(text: str, ending: str) -> None:
    survives(text.encode(), ending)


@pytest.mark.semantics("CONFIG-27")
@FILES
@given(document=DOCUMENTS)
@example(document={"mappings": {"m": {"[key]": 1}}})
def test_any_document_in_our_words(document: dict[str, object]) -> None:
    survives(json.dumps(document).encode(), ".json")
    survives(json.dumps(document).encode(), ".yaml")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=15,
)


@MANY
@given(value=st.dictionaries(st.text(max_size=4), JSON_VALUES), indent=st.none() | st.integers(0, 2))
def test_json_is_read_as_the_standard_library_reads_it(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    node, repeated = read_json.read(text, "f")
    assert repeated == []
    assert isinstance(node, Node)
    assert plain(node) == json.loads(text)


WORDS = st.text(alphabet="abc-_", min_size=1, max_size=4)


@MANY
@given(text=st.text(alphabet="-+.0123456789eE_xo", max_size=6))
def test_a_number_without_quotes_is_a_number_of_json(text: str) -> None:
    try:
        meant = json.loads(text)
    except ValueError:
        meant = text or None
    assert scalar(text) == (text if meant in (inf, -inf) else meant)


@MANY
@given(value=st.dictionaries(WORDS, JSON_VALUES, min_size=1))
@example(value={"a": {"<<": None}})
def test_json_with_ascii_escapes_is_yaml(value: dict[str, object]) -> None:
    text = json.dumps(value)
    if "\\ud" in text:  # half of a surrogate pair is an error of its own
        return
    node, _ = read_yaml.read(text, "f")
    assert node is not None
    assert plain(node) == value
