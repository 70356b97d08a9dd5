"""Scalars without quotes and values of variables, where text is wanted: the text, to the letter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.config.settings import Settings
from support.configs import QUEUE, loaded, problems, write
from support.counts import count

SPELLINGS = [
    *("1.10", "1234e10", "2.20", "0.0", "-0", "1e5", "1E+5", "12345678901234567890123", "-1.50"),
    *("007", "0o17", "0x1F", "1_000", "22:22", "2024-01-01", "2024-01-01T00:00:00Z", "000000000000", "+1", ".5", "1."),
    *(
        "true",
        "True",
        "TRUE",
        "false",
        "null",
        "Null",
        "~",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
        ".inf",
        ".nan",
        "=",
        "<<",
    ),
]


def environment(file: Path, environ: dict[str, str] | None = None) -> object:
    return loaded(file, environ=environ).functions["f"].model_dump()["environment"]


@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.semantics("CONFIG-45")
def test_a_value_of_yaml_without_quotes_is_text_as_it_is_written(tmp_path: Path, text: str) -> None:
    body = f"functions:\n  f:\n    command: [x, {text}]\n    environment:\n      V: {text}\n"
    made = loaded(write(tmp_path, body)).functions["f"].model_dump()
    assert (made["command"], made["environment"]) == (["x", text], {"V": text})


@pytest.mark.parametrize("text", SPELLINGS)
@pytest.mark.semantics("CONFIG-45")
def test_a_variable_is_text_as_it_is_set(tmp_path: Path, text: str) -> None:
    body = """
    aws:
      profile: ${X}
      session_token: ${X:-1.0}
    functions:
      f:
        command: [x]
        environment:
          QUOTED: "${X}"
          PART: a${X}
          WHOLE: ${X}
    """
    made = loaded(write(tmp_path, body), environ={"X": text})
    assert made.functions["f"].model_dump()["environment"] == {"QUOTED": text, "PART": f"a{text}", "WHOLE": text}
    assert made.settings.aws.arguments() | {"profile": text, "session_token": text} == made.settings.aws.arguments()
    as_json = write(tmp_path, json.dumps({"aws": {"profile": "${X}"}}), "a.json")
    assert loaded(as_json, environ={"X": text}).settings.aws.profile == text


@pytest.mark.parametrize("text", ["1.10", "1234e10", "-0", "1E+5", "12345678901234567890123", "true", "false", "null"])
@pytest.mark.semantics("CONFIG-45")
def test_a_value_of_json_is_text_as_it_is_written(tmp_path: Path, text: str) -> None:
    body = '{"functions": {"f": {"command": ["x"], "environment": {"V": %s, "W": "%s"}}}}' % (text, text)  # noqa: UP031
    assert environment(write(tmp_path, body, "a.json")) == {"V": text, "W": text}


@pytest.mark.semantics("CONFIG-45")
def test_values_that_no_document_wrote_are_no_text(tmp_path: Path) -> None:
    found = problems(write(tmp_path, "functions: {f: {command: [x], environment: {V: , W: [1], X: {a: 1}}}}"))
    assert [problem.partition("environment.")[2] for problem in found] == [
        "V: must be text, not nothing",
        "W: must be text, not a list",
        "X: must be text, not a mapping",
    ]


TYPES = f"""
aws:
  access_key_id: ${{AK}}
  account: 012345678901
functions:
  f:
    command: [x]
    timeout: ${{N}}
  g:
    external: ${{YES}}
mappings:
  m:
    source: {QUEUE}
    function: f
    enabled: ${{NO}}
    batch_size: ${{N}}
    tags: {{a: 1.10, 2: 0x2}}
    filter_criteria:
      filters:
        - pattern:
            body:
              n: [1.10, "${{N}}", true]
              m:
                - ${{N}}
"""


@pytest.mark.semantics("CONFIG-45", "CONFIG-04")
def test_a_variable_is_what_its_field_takes(tmp_path: Path) -> None:
    environ = {"AK": "111111111111", "N": "7", "NO": "false", "YES": "true"}
    made = loaded(write(tmp_path, TYPES), environ=environ)
    assert (made.settings.aws.access_key_id, made.settings.aws.account) == ("111111111111", "012345678901")
    mapping = made.mappings["m"]
    assert (mapping.enabled, mapping.batch_size, mapping.tags) == (False, 7, {"a": "1.10", "2": "0x2"})
    assert mapping.patterns == ({"body": {"n": [1.1, "7", True], "m": [7]}},)
    assert (made.functions["f"].timeout, made.functions["g"].model_dump()["external"]) == (7, True)


@pytest.mark.semantics("CONFIG-45")
def test_names_that_look_like_numbers(tmp_path: Path) -> None:
    text = f"""
    functions: {{007: {{http: "http://x"}}, 1e3: {{http: "http://x"}}}}
    mappings:
      1.10: {{source: {QUEUE}, function: 007}}
      b: {{source: {QUEUE}, function: 1e3}}
    """
    made = loaded(write(tmp_path, text))
    assert (list(made.functions), list(made.mappings)) == (["007", "1e3"], ["1.10", "b"])
    assert [mapping.function for mapping in made.mappings.values()] == ["007", "1e3"]


@pytest.mark.semantics("CONFIG-45")
def test_the_variables_of_a_function_as_aws_writes_them(tmp_path: Path) -> None:
    body = "functions:\n  f:\n    command: [x]\n    Environment:\n      Variables:\n        V: 1.10\n"
    assert environment(write(tmp_path, body)) == {"V": "1.10"}
    found = problems(write(tmp_path, body.replace("1.10", "[1]")))
    assert found == ["headrace.yaml:6: functions.f.Environment.V: must be text, not a list"]


def settings_of(directory: Path, environ: dict[str, str]) -> Settings:
    return loaded(write(directory, "x-a: 1"), environ=environ).settings


@pytest.mark.semantics("CONFIG-45")
def test_settings_in_variables(tmp_path: Path) -> None:
    for account in ("012345678901", "111122223333"):
        assert settings_of(tmp_path, {"HEADRACE_AWS__ACCOUNT": account}).aws.account == account
        assert settings_of(tmp_path, {"HEADRACE_AWS__ACCESS_KEY_ID": account}).aws.access_key_id == account
        assert settings_of(tmp_path, {"HEADRACE_AWS": f'{{"profile": {account.lstrip("0")}}}'}).aws.profile == (
            account.lstrip("0")
        )
    keys = settings_of(tmp_path, {"HEADRACE_API__ACCESS_KEYS": '{"LOCAL": 1.10}'})
    assert keys.api.secrets() == {"LOCAL": "1.10"}
    assert settings_of(tmp_path, {"HEADRACE_API__HOSTS": "[1.10, true]"}).api.hosts == ["1.10", "true"]
    both = {"HEADRACE_AWS": '{"profile": 1.10, "region": "r"}', "HEADRACE_AWS__REGION": "000"}
    assert (settings_of(tmp_path, both).aws.profile, settings_of(tmp_path, both).aws.region) == ("1.10", "000")
    twice = problems(write(tmp_path, "x-a: 1"), environ={"HEADRACE_AWS": '{"region": "a", "region": "b"}'})
    assert twice == ["HEADRACE_AWS: the key 'region' is given twice; the first time in line 1"]


@pytest.mark.semantics("CONFIG-45")
def test_what_is_printed_of_a_wrong_value_is_what_was_written(tmp_path: Path) -> None:
    found = problems(write(tmp_path, "aws: {account: 1.10}\nfunctions: {f: {runtime: python, handler: '', code: .}}"))
    assert found == [
        "headrace.yaml:1: aws.account: is not an account: '1.10' (it must be 12 digits, e.g. 000000000000)",
        "headrace.yaml:2: functions.f.handler: must not be empty",
    ]


@settings(max_examples=count(100, 3_000), deadline=None)
@given(text=st.text(alphabet="0123456789.eE+-_xotruefalsn~", min_size=1, max_size=8))
def test_any_word_that_yaml_takes_without_quotes(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    body = json.dumps({"functions": {"f": {"command": ["x"], "environment": {"V": "@"}}}}).replace('"@"', text)
    if not text.startswith("-") or text.strip("-"):
        assert environment(write(tmp_path_factory.mktemp("d"), body)) == {"V": text}
