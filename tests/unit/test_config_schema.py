"""The generated documents are what the models say, and the schema agrees with the loader."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel

from headrace.config import complaints, schema
from headrace.config.kinds.support import honoured_table
from headrace.config.settings import Settings
from support.configs import QUEUE, problems, write

VALIDATOR = jsonschema.Draft202012Validator(schema.json_schema())


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.json_schema())


def test_the_committed_documents_are_fresh() -> None:
    assert schema.stale(schema.DOCS) == []


def test_stale_documents_are_named(tmp_path: Path) -> None:
    (tmp_path / "configuration.md").write_text("old")
    assert schema.stale(tmp_path) == ["headrace.schema.json", "configuration.md"]


def test_every_field_is_described() -> None:
    page = schema.documents()["configuration.md"]
    for model in schema.models(schema.Document):
        written = model.model_json_schema(by_alias=False).get("properties", {})
        assert [name for name in written if f"`{name}`" not in page] == []
    assert honoured_table() in page


def test_every_section_has_a_part_with_the_docstring_of_each_field() -> None:
    page = schema.documents()["configuration.md"]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            part = page.partition(f"\n### `{name}`\n")[2].partition("\n#")[0]
            members = field.annotation.model_fields
            rows = {row.split("|")[1].strip(" `"): row for row in part.splitlines() if row.startswith("| `")}
            assert list(rows) == list(members)
            undescribed = [key for key, member in members.items() if not (member.description or "").strip()]
            assert undescribed == []
            told = {key: " ".join((member.description or "").split()) for key, member in members.items()}
            assert [key for key, text in told.items() if text not in rows[key]] == []


FUNCTIONS = {"f": {"http": "http://x"}}
SAME: list[dict[str, object]] = [
    {"mappings": {"m": {"source": QUEUE, "function": "f"}}},
    {"mappings": {"m": {"EventSourceArn": QUEUE, "FunctionName": "f", "BatchSize": 3}}},
    {"mappings": {"m": {"source": QUEUE, "function": "f", "filter_criteria": {"Filters": [{"Pattern": {"a": [1]}}]}}}},
    {"mappings": {"m": {"source": QUEUE, "function": "f", "batch_size": "${N:-3}", "enabled": "${E:-true}"}}},
    {"mappings": {"m": {"source": QUEUE}}},
    {"mappings": {"m": {"source": QUEUE, "function": "f", "batch_size": 0}}},
    {"mappings": {"m": {"source": QUEUE, "function": "f", "BatchSize": "x"}}},
    {"mappings": {"m": {"source": QUEUE, "function": "f", "batch_siz": 1}}},
    {"mappings": {"m": {"source": QUEUE, "function": "f", "ScalingConfig": {"MaximumConcurrency": 1}}}},
    {"functions": {"g": {"command": ["x"], "Timeout": 3, "environment": {"A": 1}}}},
    {"functions": {"g": {"command": ["x", 1.5, True], "handler": 3, "environment": {"A": True}}}},
    {"functions": {"g": {"command": ["x"], "handler": ["x"]}}},
    {"functions": {"g": {"command": ["x"], "environment": {"A": ["x"]}}}},
    {"aws": {"access_key_id": 111111111111, "profile": True}},
    {"mappings": {"m": {"source": QUEUE, "function": "f", "tags": {"a": 1}}}},
    {"functions": {"g": {"command": ["x"], "timeout": 901}}},
    {"functions": {"g": {"command": ["x"], "http": "http://x"}}},
    {"functions": {"g": {"external": True}}},
    {"functions": {"g": {"external": False}}},
    {"functions": {"g": {}}},
    {"functions": {"g": {"invoke": {"function_name": "x", "qualifier": "live"}}}},
    {"aws": {"endpoint_url": "${URL:-http://x}", "account": "000000000000"}, "until_idle": True, "listen": 9470},
    {"aws": {"endpoint_ur": "x"}},
    {"log": {"level": "loud"}},
    {"x-mine": [1], "$schema": "y"},
    {"mine": 1},
]


@pytest.mark.parametrize("document", SAME, ids=range(len(SAME)))
@pytest.mark.semantics("CONFIG-28")
def test_schema_and_loader_agree(tmp_path: Path, document: dict[str, object]) -> None:
    whole = {"functions": FUNCTIONS, **document}
    found = problems(write(tmp_path, json.dumps(whole), "a.json"))
    assert VALIDATOR.is_valid(whole) == (found == [])


def test_every_form_of_a_text_is_told_in_words() -> None:
    forms = set(re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema.Document.model_json_schema())))
    assert {json.loads(form) for form in forms} <= complaints.FORMS.keys()
    assert len(forms) > 10


def test_the_command_compares(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main(["--check"]) == 0
    assert capsys.readouterr().err == ""
