"""The command line: what is understood, what is refused, and that nothing heavy is imported for it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.config.errors import ConfigError, Problem
from headrace.dispatch.kinds.table import FILTERS
from headrace.dispatch.kinds.trials import NoRecord, candidates_of
from headrace.service.cli import faults
from headrace.service.cli import main as cli
from headrace.service.cli.verbs import configs
from headrace.service.cli.verbs.asking import url_of
from headrace.service.cli.verbs.configs import flags_of
from headrace.service.cli.verbs.tables import table
from headrace.service.wiring.exits import Exit, UsageError

HEAVY = ("pydantic", "aiobotocore", "botocore", "aiohttp", "structlog", "anyio", "yaml", "orjson", "prometheus_client")


@pytest.mark.semantics("CLI-22")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import sys
from headrace.service.cli import main as cli
try:
    cli.main({arguments!r})
except SystemExit as end:
    assert end.code == 0, end.code
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "headrace" in done.stdout


@pytest.mark.parametrize(
    ("argv", "flags"),
    [
        (["run"], {}),
        (["run", "--until-idle"], {"until_idle": "true"}),
        (["run", "--until-idle", "a.yaml"], {"until_idle": "true"}),
        (["run", "--until-idle", "30", "a.yaml"], {"until_idle": "30"}),
        (["run", "--until-idle=1.5"], {"until_idle": "1.5"}),
        (["run", "--dry-run", "--fail-on-discard"], {"dry_run": True, "fail_on_discard": True}),
        (
            ["run", "--real-aws", "--region", "r", "--profile", "p"],
            {"aws.real": True, "aws.region": "r", "aws.profile": "p"},
        ),
        (
            ["run", "--endpoint-url", "u", "--listen", "l", "--state", "s"],
            {"aws.endpoint_url": "u", "listen": "l", "state": "s"},
        ),
        (["run", "--log-level", "debug", "--log-format", "json"], {"log.level": "debug", "log.format": "json"}),
        (["run", "--stop-timeout", "3"], {"stop_timeout": "3"}),
        (["run", "--adopt"], {"api.adopt": True}),
    ],
)
def test_flags_become_settings(argv: list[str], flags: dict[str, object]) -> None:
    given = {path: value for path, value in flags_of(cli.parse(argv)).items() if value is not None}
    assert given == flags


@pytest.mark.parametrize(
    ("argv", "config"),
    [
        (["run", "a", "b"], ["a", "b"]),
        (["run", "a", "--state", "s", "b"], ["a", "b"]),
        (["run", "--until-idle", "a"], ["a"]),
        (["check", "--region", "r", "a"], ["a"]),
    ],
)
def test_configurations_may_stand_before_and_after_options(argv: list[str], config: list[str]) -> None:
    assert cli.parse(argv).config == config


def test_operands_may_follow_options() -> None:
    assert cli.parse(["invoke", "f", "--config", "c", "[1]"]).payload == "[1]"
    assert cli.parse(["invoke", "f", "[1]", "--config", "c"]).payload == "[1]"
    assert cli.parse(["filter", "test", "--pattern", "{}", "file"]).record == "file"


@pytest.mark.semantics("CLI-50")
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "c.json", "--fail-on-discard"], "--until-idle, and it is not given"),
        (["run", "c.json", "--output", "json"], "a dry run"),
        (["status", "--watch", "--check"], "leave out --check"),
        (["status", "--watch", "--strict"], "leave out --check, --strict"),
        (["status", "--watch", "--output", "json"], "--output"),
        (["status", "m", "--check"], "leave out MAPPING"),
        (["status", "--check", "--output", "json"], "--output"),
        (["tap", "--lines", "0"], "at least 1"),
        (["filter", "test", "--mapping", "m", "--source", "kinesis", "--config", "c.json", "c.json"], "--pattern"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    mapping = {"source": "arn:aws:sqs:us-east-1:000000000000:q", "function": "f"}
    config = {
        "aws": {"endpoint_url": "http://127.0.0.1:9", "region": "us-east-1"},
        "functions": {"f": {"http": "http://127.0.0.1:9/"}},
        "mappings": {"m": mapping},
    }
    (tmp_path / "c.json").write_text(json.dumps(config))
    assert cli.main(argv) == Exit.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["bogus"],
        ["run", "--bogus"],
        ["filter"],
        ["invoke"],
        ["invoke", "f", "{}", "more"],
        ["invoke", "f", "{}", "--config", "c", "more"],
        ["schema", "more"],
        ["run", "--output", "xml"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    assert end.value.code == Exit.USAGE
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("no such thing"), Exit.USAGE, "headrace: no such thing\n"),
        (ConfigError([Problem("one"), Problem("two")]), Exit.CONFIG, "headrace: one\nheadrace: two\n"),
    ],
)
def test_errors_of_the_user_are_lines_and_a_code(
    error: Exception, code: Exit, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli._say(error) == code
    assert capsys.readouterr().err == text


def test_a_fault_of_ours_is_said_without_a_trace_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOG_LEVEL", "HEADRACE_LOG__LEVEL", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    group = ExceptionGroup("tasks", [ValueError("one"), ExceptionGroup("more", [KeyError("two")])])
    lines = faults.describe(group)
    assert lines[:2] == ["internal error: ValueError: one", "internal error: KeyError: 'two'"]
    assert "please report" in lines[2]
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert any("ValueError: one" in line for line in faults.describe(group)[2:])


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("", "http://127.0.0.1:9470"),
        ("127.0.0.1:80", "http://127.0.0.1:80"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("[::]:9000", "http://[::1]:9000"),
        ("9000", "http://127.0.0.1:9000"),
    ],
)
def test_where_the_daemon_is_asked(listen: str, url: str) -> None:
    assert url_of(listen) == url


def test_tables_are_as_wide_as_they_must_be() -> None:
    assert table(("A", "LONG"), [("value", 1), ("x", "")]) == "A      LONG\nvalue  1\nx"


# --- filter test ----------------------------------------------------------------------------------------------------


SQS = {"messageId": "id-1", "body": '{"type":"created"}', "eventSource": "aws:sqs"}
PATTERN = json.dumps({"body": {"type": ["created"]}})


def tried(
    text: str, *more: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code = cli.main(["filter", "test", *more])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.semantics("CLI-14")
@pytest.mark.parametrize(
    ("text", "more", "code", "said"),
    [
        ('{"type":"created"}', (), 0, ["KEPT\tthe body"]),
        ('{"type":"other"}', (), 1, ["FILTERED\tthe body"]),
        ("plain text", (), 1, ["FILTERED\tthe body"]),
        (json.dumps(SQS), (), 0, ["KEPT\tid-1"]),
        (json.dumps(SQS), ("--body",), 1, ["FILTERED\tthe body"]),
        (
            json.dumps({"Records": [SQS, {**SQS, "messageId": "id-2", "body": "x"}]}),
            (),
            1,
            ["KEPT\tid-1", "FILTERED\tid-2"],
        ),
    ],
)
def test_the_verdict_on_a_body_a_record_and_an_event(
    text: str,
    more: tuple[str, ...],
    code: int,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    got, out, _ = tried(text, "--pattern", PATTERN, *more, monkeypatch=monkeypatch, capsys=capsys)
    assert got == code
    assert [line for line in out.splitlines() if not line.startswith(" ")] == said


@pytest.mark.semantics("CLI-14")
def test_the_verdict_says_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = tried('{"type":"x"}', "--pattern", PATTERN, "--output", "json", monkeypatch=monkeypatch, capsys=capsys)
    (verdict,) = json.loads(out)
    assert verdict["kept"] is False
    assert verdict["filters"][0]["path"] == "body.type"


@pytest.mark.semantics("CLI-14")
def test_the_filters_of_a_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "headrace.json"
    mapping = {
        "source": "arn:aws:sqs:us-east-1:000000000000:orders",
        "function": "f",
        "filter_criteria": {
            "filters": [{"pattern": {"body": {"type": ["created"]}}}, {"pattern": {"body": {"n": [1]}}}]
        },
    }
    config.write_text(json.dumps({"functions": {"f": {"http": "http://localhost:1/"}}, "mappings": {"m": mapping}}))
    more = ("--config", str(config), "--mapping", "m")
    code, out, _ = tried('{"n":1}', *more, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0
    assert [line.split(":")[:2] for line in out.splitlines()[1:]] == [["  filter 0", " no"], ["  filter 1", " yes"]]
    code, _, err = tried("{}", *more[:2], "--mapping", "other", monkeypatch=monkeypatch, capsys=capsys)
    assert (code, err) == (2, "headrace: there is no mapping 'other'; there are m\n")


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--pattern", '{"body": {"type": "created"}}'), 78, "pattern"),
        (("--pattern", "{"), 78, "pattern"),
        (("--pattern", "{}", "--mapping", "m"), 2, "not both"),
        (("--pattern", PATTERN, "/no/such/file"), 2, "/no/such/file"),
    ],
)
def test_what_cannot_be_tried_is_said(
    more: tuple[str, ...],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    got, _, err = tried("{}", *more, monkeypatch=monkeypatch, capsys=capsys)
    assert got == code
    assert said in err


@pytest.mark.parametrize(
    ("kind", "record", "name", "data"),
    [
        ("kinesis", {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "7", "data": "aGk="}}, "7", b"hi"),
        ("kafka", {"records": {"t-0": [{"offset": 3, "value": "aGk="}]}}, "3", b"hi"),
        ("dynamodb", {"eventSource": "aws:dynamodb", "eventID": "e"}, "e", None),
    ],
)
def test_records_of_other_sources(kind: str, record: object, name: str, data: bytes | None) -> None:
    (one,) = candidates_of(json.dumps(record), FILTERS[kind], as_body=False)
    assert (one.name, one.data) == (name, data)


def test_the_system_directory_counts_once_it_holds_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(configs, "SYSTEM", tmp_path / "etc")
    assert configs.default() == []
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "notes.txt").touch()
    assert configs.default() == []
    (tmp_path / "etc" / "mappings.yaml").touch()
    assert configs.default() == [tmp_path / "etc"]


@pytest.mark.semantics("CLI-45")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_every_verb_and_its_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("run", "explain", "--until-idle", "--payload", "move"):
        assert word in script


@pytest.mark.semantics("CLI-45")
@pytest.mark.needs("bash")
@pytest.mark.parametrize(
    ("typed", "words"), [(["headrace", "pa"], ["pause"]), (["headrace", "tap", "--fa"], ["--fate"])]
)
def test_bash_completes(typed: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["completion", "bash"])
    script = capsys.readouterr().out
    ask = f"COMP_WORDS=({' '.join(typed)}); COMP_CWORD={len(typed) - 1}; _headrace; echo ${{COMPREPLY[@]}}"
    found = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
    assert found.stdout.split() == words


@pytest.mark.semantics("STEER-14")
@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["set", "m", "LATEST"], {"mapping": "m", "lane": "", "to": "LATEST", "yes": False}),
        (["set", "m", "shard-1", "495"], {"mapping": "m", "lane": "shard-1", "to": "495"}),
        (
            ["set", "m", "shard-1", "495", "--yes", "--url", "http://h:1"],
            {"to": "495", "yes": True, "url": "http://h:1"},
        ),
        (["skip", "m", "orders-0", "--record", "orders-0@7"], {"lane": "orders-0", "record": "orders-0@7"}),
        (
            ["remove", "m", "-y", "--state", "s"],
            {"mapping": "m", "source": None, "yes": True, "state": "s", "url": None},
        ),
        ([], {"positions_verb": None, "url": None}),
    ],
)
def test_the_verbs_of_positions_take_what_they_need(arguments: list[str], given: dict[str, object]) -> None:
    parsed = vars(cli.parse(["positions", *arguments]))
    assert {name: parsed[name] for name in given} == given


@pytest.mark.semantics("RELOAD-02")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--dry-run"], "a dry run ends with what it began with"), ([], "no configuration was named")],
)
def test_what_cannot_be_watched_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if arguments:
        (tmp_path / "headrace.yaml").write_text("functions: {f: {http: 'http://localhost:1/'}}\n")
    assert cli.main(["run", "--watch", *arguments]) == Exit.USAGE
    assert f"--watch has nothing to watch: {why}" in capsys.readouterr().err


def test_a_record_whose_data_are_not_base64_is_none() -> None:
    record = {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "7", "data": "%"}}
    with pytest.raises(NoRecord, match="not base64"):
        candidates_of(json.dumps(record), FILTERS["kinesis"], as_body=False)
