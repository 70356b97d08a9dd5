"""Files to a configuration: formats, places, variables, merging, references, patterns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.config.errors import ConfigError
from headrace.config.kinds import sqs
from headrace.config.kinds.profile import SourceKind
from headrace.config.loader import find_default, load
from support.configs import FIFO, FUNCTION, QUEUE, loaded, problems, with_mapping, write

YAML = f"""\
# a comment
functions:
  f:
    http: "http://localhost:9000/invoke"
mappings:
  m:
    source: {QUEUE}
    function: f
    filter_criteria:
      filters:
        - pattern:
            body:
              type: [created, 3]
    scaling_config: {{maximum_concurrency: 2}}
"""
JSON = json.dumps(
    {
        "functions": {"f": FUNCTION},
        "mappings": {
            "m": {
                "source": QUEUE,
                "function": "f",
                "filter_criteria": {"filters": [{"pattern": {"body": {"type": ["created", 3]}}}]},
                "scaling_config": {"maximum_concurrency": 2},
            }
        },
    },
    indent=1,
)


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    made = [loaded(write(tmp_path, text, name)) for text, name in ((YAML, "a.yaml"), (JSON, "b.json"))]
    assert made[0].mappings == made[1].mappings
    assert made[0].functions == made[1].functions
    assert made[0].mappings["m"].patterns == ({"body": {"type": ["created", 3]}},)


BROKEN_YAML = f"""\
functions:
  f: {{htp: "http://x"}}

mappings:
  m:
    source: {QUEUE}
    batch_siz: 3
    scaling_config:
      maximum_concurrency: 1
"""
BROKEN_JSON = f"""\
{{"functions":
  {{"f": {{"htp": "http://x"}}}},

"mappings":
  {{"m": {{
    "source": "{QUEUE}",
    "batch_siz": 3,
    "scaling_config": {{
      "maximum_concurrency": 1}}}}}}}}
"""


@pytest.mark.parametrize(("name", "text"), [("a.yaml", BROKEN_YAML), ("a.json", BROKEN_JSON)])
@pytest.mark.semantics("CONFIG-02", "CONFIG-03")
def test_every_problem_at_once_with_its_line_in_every_format(tmp_path: Path, name: str, text: str) -> None:
    assert problems(write(tmp_path, text, name)) == [
        f"{name}:2: functions.f.htp: unknown key (did you mean 'http'?)",
        f"{name}:5: mappings.m: 'function' is missing",
        f"{name}:7: mappings.m.batch_siz: unknown key (did you mean 'batch_size'?)",
        f"{name}:9: mappings.m.scaling_config.maximum_concurrency: must be at least 2, not 1",
    ]


def test_problems_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = problems(write(tmp_path, "mappings: {m: 1}\nfunctions: {f: 1}\nlistn: 1\nlog: {level: x}\n"))
    assert [line.partition(": ")[0] for line in found] == [f"headrace.yaml:{number}" for number in (1, 2, 3, 4)]


BROKEN = [
    ("a.yaml", "a: 1\nb: [\n", "a.yaml:2: cannot be read as YAML: did not find expected node content"),
    ("a.yaml", "functions:\n\tf: 1\n", "a.yaml:2: cannot be read as YAML: found character that cannot start any"),
    ("a.yaml", "a: b: c\n", "a.yaml:1: cannot be read as YAML: mapping values are not allowed in this context (put"),
    ("a.yaml", "a: `x`\n", "(put the text in quotes)"),
    ("a.yaml", "a: {b: ${X}}\n", "(inside { } and [ ] put ${…} in quotes)"),
    ("a.yaml", "a: 1\n---\nb: 1\n", "a.yaml:2: holds several documents"),
    ("a.yaml", "a: !Ref x\n", "a.yaml:1: the YAML tag !Ref is not understood"),
    ("a.yaml", "a: !!python/object/apply:os.system [x]\n", "a.yaml:1: the YAML tag !!python/object/apply:os.system"),
    ("a.yaml", "a: *b\n", "a.yaml:1: the alias *b has no anchor before it"),
    ("a.yaml", "a: &a [*a]\n", "a.yaml:1: the alias *a has no anchor before it"),
    ("a.yaml", "? [a]\n: 1\n", "a.yaml:1: has a key that is not text"),
    ("a.yaml", "a: {<<: 3}\n", "a.yaml:1: merges (<<) something that is not a mapping"),
    ("a.yaml", "- a\n", "a.yaml:1: must be a mapping with keys such as 'functions' and 'mappings'"),
    ("a.yaml", "", "a.yaml: is empty"),
    ("a.yaml", "# nothing\n", "a.yaml: is empty"),
    ("a.yaml", "\x00", "a.yaml:1: cannot be read as YAML: control characters are not allowed"),
    ("a.json", "", "a.json: is empty"),
    ("a.json", "null", "a.json: is empty"),
    ("a.json", '{"a": 1,\n}', "(remove the comma before the bracket)"),
    ("a.json", '{"a": 1\n"b": 2}', "a.json:2: cannot be read as JSON: expecting ',' delimiter, found '\"'"),
    (
        "a.json",
        "{\n// x\n}",
        "a.json:2: cannot be read as JSON: expecting property name enclosed in double quotes, found '/'",
    ),
    (
        "a.json",
        '{"a": 1 # x\n}',
        "a.json:1: cannot be read as JSON: expecting ',' delimiter, found '#' (JSON has no comments)",
    ),
    ("a.json", '{"a" 1}', "a.json:1: cannot be read as JSON: expecting ':' delimiter, found '1'"),
    ("a.json", '{"a": [1 2]}', "a.json:1: cannot be read as JSON: expecting ',' delimiter, found '2'"),
    ("a.json", '{"a": nil}', "a.json:1: cannot be read as JSON: expecting value, found 'nil'"),
    (
        "a.json",
        "{'a': 1}",
        'a.json:1: cannot be read as JSON: expecting property name enclosed in double quotes, found "\'"',
    ),
    ("a.json", '{"a":', "a.json:1: cannot be read as JSON: expecting value, and the file ends"),
    ("a.json", '{"a": "x', "a.json:1: cannot be read as JSON: unterminated string"),
    ("a.json", '{"a": "\t"}', "a.json:1: cannot be read as JSON: invalid control character"),
    ("a.json", '{"a": 01}', "a.json:1: cannot be read as JSON: expecting ',' delimiter, found '1'"),
    ("a.json", '{\n"a": NaN}', "a.json:2: cannot be read as JSON: NaN is not a JSON value"),
    ("a.json", '{"a": -Infinity}', "a.json:1: cannot be read as JSON: -Infinity is not a JSON value"),
    ("a.json", '{\n"a": "\\ud800"}', "a.json:2: cannot be read as JSON: text has half of a surrogate pair"),
    ("a.json", "{} {}", "a.json:1: cannot be read as JSON: extra data, found '{'"),
    ("a.toml", "a = 1", "a.toml: is TOML, which Headrace does not read (write it as YAML or JSON)"),
]


@pytest.mark.parametrize(("name", "text", "expected"), BROKEN)
@pytest.mark.semantics("CONFIG-27")
def test_files_that_cannot_be_read(tmp_path: Path, name: str, text: str, expected: str) -> None:
    found = problems(write(tmp_path, text, name))
    assert len(found) == 1
    assert expected in found[0]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n" for before, after in zip("abcdefg", "bcdefgh", strict=True)
)
HOSTILE = [
    ("a.yaml", BOMB, "holds more than 200000 values, aliases counted each time"),
    ("a.yaml", "[" * 100_000, "is nested deeper than 64 levels"),
    (
        "a.yaml",
        "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40,
        "is nested deeper than 64 levels",
    ),
    ("a.json", "[" * 100_000, "is nested deeper than 64 levels"),
    ("a.json", "[" * 65 + "]" * 65, "is nested deeper than 64 levels"),
    ("a.json", "[" + "1," * 200_001 + "1]", "holds more than 200000 values"),
    ("a.yaml", "#" * (10 * 1024 * 1024 + 1), "is larger than 10 MB"),
]


@pytest.mark.parametrize(("name", "text", "expected"), HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.semantics("CONFIG-27")
def test_hostile_files_are_bounded(tmp_path: Path, name: str, text: str, expected: str) -> None:
    found = problems(write(tmp_path, text, name))
    assert len(found) == 1
    assert expected in found[0]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: 1\nb: \xff\xfe")
    assert problems(file) == ["a.yaml:2: is not UTF-8 text: byte 0xff at offset 8"]
    file.write_bytes(b"\xef\xbb\xbf" + YAML.encode())
    assert problems(file) == []


@pytest.mark.semantics("CONFIG-07")
def test_a_key_that_is_given_twice_is_a_problem_beside_all_others(tmp_path: Path) -> None:
    text = "functions: {f: {http: x, http: y}}\nmappings:\n  m: {function: f}\n  m: {}\n"
    assert problems(write(tmp_path, text)) == [
        "headrace.yaml:1: functions.f: the key 'http' is given twice; the first time in line 1 (remove one)",
        "headrace.yaml:1: functions.f.http: is not a URL: 'x' (it must begin with http:// or https://)",
        "headrace.yaml:3: mappings.m.source: Unrecognized event source. (give an ARN of a queue, stream or cluster)",
        "headrace.yaml:4: mappings: the key 'm' is given twice; the first time in line 3 (remove one)",
    ]
    found = problems(write(tmp_path, '{"log": {"level": "info",\n"level": "info"}}', "a.json"))
    assert found == ["a.json:2: log: the key 'level' is given twice; the first time in line 1 (remove one)"]


def test_repeated_keys_inside_a_pattern_given_as_text_are_left_to_the_patterns(tmp_path: Path) -> None:
    criteria = {"filters": [{"pattern": '{"a":[1],"a":[2]}'}]}
    assert problems(with_mapping(tmp_path, filter_criteria=criteria)) == []


def test_what_json_allows_and_yaml_does_not_is_read(tmp_path: Path) -> None:
    long = "k" * 2000
    text = '{"functions": {"f": {"command": ["x"], "environment":\t{"A": "\\ud83d\\ude00\u2028\x7f\\/", "%s": "v"}}}}'
    made = loaded(write(tmp_path, text % long, "a.json")).functions["f"].model_dump()["environment"]
    assert made == {"A": "\U0001f600\u2028\x7f/", long: "v"}


@pytest.mark.semantics("CONFIG-08")
def test_values_without_quotes_mean_what_they_mean_in_json(tmp_path: Path) -> None:
    text = f"""
    functions: {{f: {{command: [no, on, 22:22, 2024-01-01, 0o17, 0x1F, 1_000, .inf, "3", !!str 4, 1e3x]}}}}
    mappings: {{m: {{source: {QUEUE}, function: f, filter_criteria: {{filters: [{{pattern: {{
      a: [true, FALSE, 1, -2.5, 1e3, null, ~, "true", yes]}}}}]}}}}}}
    """
    config = loaded(write(tmp_path, text))
    command = config.functions["f"].model_dump()["command"]
    assert command == ["no", "on", "22:22", "2024-01-01", "0o17", "0x1F", "1_000", ".inf", "3", "4", "1e3x"]
    assert config.mappings["m"].patterns == ({"a": [True, False, 1, -2.5, 1000.0, None, None, "true", "yes"]},)


def test_anchors_aliases_and_merge_keys(tmp_path: Path) -> None:
    text = f"""
    x-defaults: &defaults {{function: f, batch_size: 5}}
    functions: {{f: {{http: "http://x"}}}}
    mappings:
      a: {{<<: *defaults, source: {QUEUE}}}
      b: {{source: {FIFO}, batch_size: 7, <<: [*defaults, {{enabled: false}}]}}
    """
    mappings = loaded(write(tmp_path, text)).mappings
    assert [(made.batch_size, made.enabled) for made in mappings.values()] == [(5, True), (7, False)]


# --- variables ------------------------------------------------------------------------------------------------------


def environment(directory: Path, value: str, environ: dict[str, str], quote: str = '"') -> object:
    file = write(directory, f"functions: {{f: {{command: [x], environment: {{V: {quote}{value}{quote}}}}}}}")
    return loaded(file, environ=environ).functions["f"].model_dump()["environment"]["V"]


@pytest.mark.parametrize(
    ("value", "environ", "meant"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A}", {"A": ""}, ""),
        ("${A}-${B}", {"A": "x", "B": "y"}, "x-y"),
        ("${A:-d e}", {}, "d e"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-}", {}, ""),
        ("$$", {}, "$"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$A $", {"A": "x"}, "$A $"),
        ("${A}", {"A": "${B}", "B": "no"}, "${B}"),
    ],
)
@pytest.mark.semantics("CONFIG-04")
def test_variables(tmp_path: Path, value: str, environ: dict[str, str], meant: str) -> None:
    assert environment(tmp_path, value, environ) == meant


@pytest.mark.semantics("CONFIG-04")
def test_a_variable_without_quotes_is_read_as_if_it_stood_there(tmp_path: Path) -> None:
    file = write(
        tmp_path, YAML.replace("    function: f\n", "    function: f\n    enabled: ${ON}\n    batch_size: ${N:-7}\n")
    )
    made = loaded(file, environ={"ON": "false"}).mappings["m"]
    assert (made.enabled, made.batch_size) == (False, 7)
    file = write(tmp_path, YAML.replace("type: [created, 3]", "type:\n              - ${N}\n              - '${N}'"))
    assert loaded(file, environ={"N": "3"}).mappings["m"].patterns == ({"body": {"type": [3, "3"]}},)
    in_json = with_mapping(tmp_path, batch_size="${N:-8}", enabled="${ON}")
    made = loaded(in_json, environ={"ON": "false"}).mappings["m"]
    assert (made.enabled, made.batch_size) == (False, 8)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("${A}", "the variable A is not set (set it, or give a default: ${A:-…})"),
        ("${A", "cannot read the variable '${A'"),
        ("${A-b}", "cannot read the variable '${A-b}'"),
        ("${}", "cannot read the variable '${}'"),
        ("${A:-${B}}", "cannot read the variable '${A:-${B}'"),
    ],
)
@pytest.mark.semantics("CONFIG-04")
def test_a_variable_that_cannot_be_filled_is_the_only_problem_there(tmp_path: Path, value: str, what: str) -> None:
    found = problems(with_mapping(tmp_path, batch_size=value))
    assert len(found) == 1
    assert f"mappings.m.batch_size: {what}" in found[0]


def test_a_setting_left_empty_by_a_variable_is_not_given(tmp_path: Path) -> None:
    config = loaded(write(tmp_path, "aws: {endpoint_url: '${URL:-}', region: eu-west-1}\nlog: {level: '${L:-}'}"))
    assert (config.settings.aws.endpoint_url, config.settings.log.level) == (None, "info")


@pytest.mark.semantics("CONFIG-05")
def test_a_variable_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    assert environment(tmp_path, "${A}", {"A_FILE": str(tmp_path / "secret")}) == "from a file"
    assert environment(tmp_path, "${A}", {"A": "itself", "A_FILE": str(tmp_path / "gone")}) == "itself"
    found = problems(with_mapping(tmp_path, uuid="${A}"), environ={"A_FILE": str(tmp_path / "gone")})
    assert len(found) == 1
    assert "A_FILE names the file gone, which cannot be read: No such file or directory" in found[0]


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CONFIG-06")
def test_the_files_of_a_directory_are_one_configuration(tmp_path: Path) -> None:
    write(tmp_path, "functions: {f: {http: 'http://x'}}\naws: {region: eu-west-1}", "10-functions.yaml")
    write(tmp_path, f"mappings: {{m: {{source: {QUEUE}, function: f}}}}\naws: {{profile: p}}", "20-mappings.yml")
    write(tmp_path, "not read", "README.md")
    write(tmp_path, "[", ".hidden.yaml")
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", "[", "sub.yaml")
    config = loaded(tmp_path)
    assert (list(config.functions), list(config.mappings)) == (["f"], ["m"])
    assert (config.settings.aws.region, config.settings.aws.profile) == ("eu-west-1", "p")


@pytest.mark.semantics("CONFIG-06")
def test_what_is_defined_in_two_files_names_both(tmp_path: Path) -> None:
    write(tmp_path, "functions: {f: {http: 'http://x'}}\nlog: {level: info}\nlisten: 1", "a.yaml")
    write(tmp_path, '{"functions": {"f":\n{"http": "http://x"}}, "log": {"level": "info"}, "listen": 1}', "b.json")
    assert problems(tmp_path) == [
        "b.json:1: functions.f: is defined twice; the first time at a.yaml:1 (rename or remove one)",
        "b.json:2: log.level: is defined twice; the first time at a.yaml:2 (rename or remove one)",
        "b.json:2: listen: is defined twice; the first time at a.yaml:3 (rename or remove one)",
    ]


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        load([tmp_path / "empty", tmp_path / "gone.yaml", "a\0b"], environ={})
    assert [problem.what for problem in caught.value.problems][:2] == [
        "holds no .yaml, .yml or .json file",
        "there is no such file or directory",
    ]
    assert "cannot be read" in caught.value.problems[2].what


@pytest.mark.semantics("CONFIG-29")
def test_the_default_file(tmp_path: Path) -> None:
    assert find_default(tmp_path) is None
    file = write(tmp_path, "", "headrace.json")
    assert find_default(tmp_path) == file
    write(tmp_path, "", "headrace.yml")
    with pytest.raises(ConfigError, match=r"headrace\.yml and headrace\.json are both in this directory"):
        find_default(tmp_path)


def test_the_top_of_the_file(tmp_path: Path) -> None:
    text = "$schema: x\nx-mine: {a: 1}\nmapings: {}\nfunctions:\nmappings: []\n"
    assert problems(write(tmp_path, text)) == [
        "headrace.yaml:3: mapings: unknown key (did you mean 'mappings'?)",
        "headrace.yaml:5: mappings: must be a mapping of names to values",
    ]
    assert "nothing to do" in loaded(write(tmp_path, "log: {level: info}")).warnings[0].what


# --- references -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CONFIG-19")
def test_a_function_that_is_not_defined(tmp_path: Path) -> None:
    text = f"""
    functions: {{orders: {{http: "http://x"}}, broken: {{http: 3}}}}
    mappings:
      a: {{source: {QUEUE}, function: ordrs}}
      b: {{source: {QUEUE}, function: zzz}}
      c: {{source: {QUEUE}, function: broken}}
      d: {{source: {QUEUE}, function: "arn:aws:lambda:us-east-1:000000000000:function:orders"}}
    """
    assert problems(write(tmp_path, text)) == [
        "headrace.yaml:2: functions.broken.http: is not a URL: '3' (it must begin with http:// or https://)",
        "headrace.yaml:4: mappings.a.function: there is no function 'ordrs' (did you mean 'orders'?)",
        "headrace.yaml:5: mappings.b.function: there is no function 'zzz' (defined are orders, broken)",
    ]


@pytest.mark.semantics("CONFIG-18")
def test_a_source_goes_to_a_function_once(tmp_path: Path) -> None:
    text = f"""
    functions: {{f: {{http: "http://x"}}, g: {{http: "http://x"}}}}
    mappings:
      a: {{source: {QUEUE}, function: f}}
      b: {{source: {QUEUE}, function: g}}
      c:
        function: "000000000000:function:f"
        EventSourceArn: {QUEUE}
    """
    found = problems(write(tmp_path, text))
    assert len(found) == 1
    assert found[0].startswith(
        f'headrace.yaml:8: mappings.c.EventSourceArn: An event source mapping with SQS arn (" {QUEUE}'
    )
    assert found[0].endswith("(the other is 'a')")


def test_an_identity_is_given_once(tmp_path: Path) -> None:
    key = "00000000-0000-4000-8000-00000000000a"
    text = f"""
    functions: {{f: {{http: "http://x"}}}}
    mappings:
      a: {{source: {QUEUE}, function: f, uuid: {key}}}
      b: {{source: {FIFO}, function: f, UUID: {key.upper()}}}
    """
    found = problems(write(tmp_path, text))
    assert found == ["headrace.yaml:5: mappings.b.UUID: has the UUID of the mapping 'a' (remove it, or give another)"]


@dataclass(frozen=True, slots=True)
class Fault:
    path: str
    what: str
    hint: str = ""


def refuse(kind: SourceKind, patterns: Sequence[object]) -> list[Fault]:
    """A checker of patterns that dislikes all of them."""
    assert kind is sqs.STANDARD
    assert len(patterns) == 1
    return [Fault('$.body["a b"][1]', "no good", "write another")]


@pytest.mark.semantics("CONFIG-30")
def test_faults_in_patterns_are_placed_inside_them(tmp_path: Path) -> None:
    text = f"""
    functions: {{f: {{http: "http://x"}}}}
    mappings:
      m:
        source: {QUEUE}
        function: f
        FilterCriteria:
          Filters:
            - Pattern: '{{}}'
            - Pattern:
                body:
                  "a b":
                    - 1
                    - 2
    """
    assert problems(write(tmp_path, text), check_patterns=refuse) == [
        'headrace.yaml:9: mappings.m.FilterCriteria.Filters[0].Pattern: no good (at $.body["a b"][1]) (write another)',
        'headrace.yaml:14: mappings.m.FilterCriteria.Filters[1].Pattern.body["a b"][1]: no good (write another)',
    ]


def test_what_would_be_printed_cannot_command_a_terminal(tmp_path: Path) -> None:
    found = problems(write(tmp_path, '{"\\u001b[31m": 1, "log": {"level": "\\u001b[2J"}}', "a.json"))
    assert "\x1b" not in "".join(found)
