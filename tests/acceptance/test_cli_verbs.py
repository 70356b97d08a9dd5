"""The verbs of the command line as a user types them: what is printed where, and the exit codes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import jsonschema
import pytest

from headrace.dispatch.invokers.local.isolation import supported
from support import daemons
from support.daemons import headrace
from support.servers.running import Server

QUEUE = f"arn:aws:sqs:us-east-1:{daemons.ACCOUNT}:orders"
EMULATOR = "http://127.0.0.1:9"
HTTP = "http://127.0.0.1:9/2015-03-31/functions/function/invocations"

HANDLER = """
import os, sys

def handler(event, context):
    print("it was said")
    if event.get("fail"):
        raise ValueError("at your request")
    if event.get("exit"):
        os._exit(3)
    return {"stage": os.environ["STAGE"], "secret": os.environ.get("HEADRACE_TEST_SECRET"), "event": event}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a configuration of one local function."""
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "app.py").write_text(HANDLER)
    (tmp_path / "headrace.yaml").write_text(
        f"""
aws: {{endpoint_url: "{EMULATOR}", region: us-east-1}}
functions:
  hello: {{runtime: python, handler: app.handler, code: ./functions, timeout: 10, environment: {{STAGE: dev}}}}
  broken: {{runtime: python, handler: nothing.handler, code: ./functions}}
mappings:
  orders:
    source: "{QUEUE}"
    function: hello
    filter_criteria: {{filters: [{{pattern: {{body: {{type: [created]}}}}}}]}}
"""
    )
    return tmp_path


def clean(text: str) -> bool:
    return "Traceback" not in text


# --- check ----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-17")
def test_check_says_what_a_good_configuration_holds(project: Path) -> None:
    done = headrace("check", cwd=project)
    (warning,) = done.stderr.splitlines()
    assert (done.returncode, "functions.broken.handler: names a module, but there is no" in warning) == (0, True)
    assert QUEUE in done.stdout
    assert EMULATOR in done.stdout


def of_streams(directory: Path, code: Path) -> None:
    """A configuration of a stream with a failure destination, each of its services at a place of its own."""
    config = {
        "aws": {"region": "us-east-1", "endpoint_urls": {"kinesis": "http://127.0.0.1:7", "s3": "http://127.0.0.1:8"}},
        "functions": {"f": {"runtime": "python", "handler": "app.handler", "code": str(code)}},
        "mappings": {
            "m": {
                "source": f"arn:aws:kinesis:us-east-1:{daemons.ACCOUNT}:stream/s",
                "function": "f",
                "starting_position": "LATEST",
                "destination_config": {"on_failure": {"destination": "arn:aws:s3:::failures"}},
            }
        },
    }
    (directory / "headrace.json").write_text(json.dumps(config))


@pytest.mark.semantics("CLI-17")
def test_check_says_where_each_service_is(tmp_path: Path) -> None:
    of_streams(tmp_path, tmp_path)
    (tmp_path / "app.py").touch()
    done = headrace("check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "kinesis at http://127.0.0.1:7\ns3 at http://127.0.0.1:8\n" in done.stdout
    shown = json.loads(headrace("check", "--output", "json", cwd=tmp_path).stdout)
    assert shown["endpoints"] == {"kinesis": "http://127.0.0.1:7", "s3": "http://127.0.0.1:8"}


def test_a_function_is_told_where_its_stream_is(tmp_path: Path) -> None:
    of_streams(tmp_path, tmp_path)
    handler = "import os\n\ndef handler(event, context):\n    return os.environ['AWS_ENDPOINT_URL']\n"
    (tmp_path / "app.py").write_text(handler)
    assert json.loads(headrace("invoke", "f", cwd=tmp_path).stdout) == "http://127.0.0.1:7"


@pytest.mark.semantics("CLI-17", "CLI-42")
def test_check_tells_what_is_likely_to_be_a_slip(tmp_path: Path) -> None:
    of_streams(tmp_path, tmp_path)
    text = (tmp_path / "headrace.json").read_text().replace("us-east-1", "us-esat-1")
    (tmp_path / "headrace.json").write_text(text)
    done = headrace("check", cwd=tmp_path)
    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if "there is no region 'us-esat-1' (similar names: " in line]
    assert [line.partition(": there")[0].rpartition(" ")[2] for line in told] == ["aws.region", "mappings.m"]
    assert all("us-east-1" in line for line in told)
    assert "functions.f.handler: names a module, but there is no app.py in" in done.stderr
    assert "1 mapping and 1 function: no problem found" in done.stdout


@pytest.mark.semantics("FILTER-52", "FILTER-54")
def test_check_tells_of_filters_that_can_match_nothing_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "headrace.yaml").write_text(
        """\
aws: {endpoint_url: "http://127.0.0.1:7", region: us-east-1}
functions: {f: {http: "http://127.0.0.1:8/f"}}
mappings:
  m:
    source: arn:aws:sqs:us-east-1:000000000000:q
    function: f
    filter_criteria:
      filters:
        - pattern: {body: {type: [x]}}
        - pattern:
            body: {n: [3]}
            data:
              type: [x]
        - pattern: '{"body": [3]}'
        - pattern: {body: {n: [3]}, eventSourceARN: [{prefix: arn}]}
""",
        encoding="utf-8",
    )
    done = headrace("check", cwd=tmp_path)
    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if "filters[" in line]
    assert len(told) == 3, done.stderr
    path = "mappings.m.filter_criteria.filters"
    assert f"warning: headrace.yaml:13: {path}[1].pattern.data.type: can match nothing" in told[0]
    assert f"warning: headrace.yaml:14: {path}[2].pattern: can match nothing" in told[1]
    assert f"remark: headrace.yaml:15: {path}[3].pattern: looks at eventSourceARN; AWS's documentation" in told[2]


@pytest.mark.semantics("CLI-44")
def test_check_starts_each_function_once_when_it_is_asked_to(tmp_path: Path) -> None:
    of_streams(tmp_path, tmp_path)
    log = tmp_path / "started"
    (tmp_path / "app.py").write_text(f"open({str(log)!r}, 'a').write('x')\n\ndef handler(event, context):\n    pass\n")
    assert headrace("check", cwd=tmp_path).returncode == 0
    assert not log.exists()
    done = headrace("check", "--start", cwd=tmp_path)
    assert (done.returncode, log.read_text()) == (0, "x"), done.stderr
    assert "function f starts" in done.stdout
    (tmp_path / "app.py").write_text("import no_such_module\n")
    done = headrace("check", "--start", cwd=tmp_path)
    assert done.returncode == 1
    assert "functions.f: cannot start: " in done.stderr
    assert "no_such_module" in done.stderr
    assert "Traceback" not in done.stderr.partition("cannot start")[2]


@pytest.mark.semantics("CLI-17")
def test_check_in_json_masks_secrets(project: Path) -> None:
    env = {"HEADRACE_AWS__SECRET_ACCESS_KEY": "hush-hush"}
    done = headrace("check", "--output", "json", cwd=project, env=env)
    assert done.returncode == 0
    assert json.loads(done.stdout)["mappings"]["orders"]["source"] == QUEUE
    assert "hush-hush" not in done.stdout


@pytest.mark.semantics("CLI-02", "CLI-17")
@pytest.mark.parametrize("verb", ["check", "run"])
def test_every_problem_is_said_at_once_and_nothing_starts(tmp_path: Path, verb: str) -> None:
    (tmp_path / "headrace.yaml").write_text(
        f"""
aws: {{endpoint_url: "{EMULATOR}"}}
functions:
  hello: {{http: "{HTTP}", tiemout: 3}}
mappings:
  one: {{source: "{QUEUE}", function: helo}}
  two: {{source: "arn:aws:sqs:nowhere", function: hello}}
  three:
    source: "{QUEUE}-3"
    function: hello
    filter_criteria: {{filters: [{{pattern: {{body: {{type: created}}}}}}]}}
"""
    )
    done = headrace(verb, cwd=tmp_path)
    assert done.returncode == 78
    assert done.stdout == ""
    assert clean(done.stderr)
    for words in ("did you mean 'timeout'", "did you mean 'hello'", "mappings.two.source", "mappings.three"):
        assert words in done.stderr
    assert all(line.startswith("headrace: ") for line in done.stderr.splitlines())
    assert not (tmp_path / ".headrace").exists()


@pytest.mark.semantics("CLI-03")
@pytest.mark.parametrize("verb", ["check", "run"])
def test_real_aws_is_refused_unless_it_is_meant(tmp_path: Path, verb: str) -> None:
    (tmp_path / "headrace.yaml").write_text(
        f"""
functions: {{f: {{http: "{HTTP}"}}}}
mappings: {{m: {{source: "{QUEUE}", function: f}}}}
"""
    )
    done = headrace(verb, cwd=tmp_path)
    assert done.returncode == 78
    assert "real AWS" in done.stderr
    assert "--real-aws" in done.stderr
    assert headrace("check", "--real-aws", cwd=tmp_path).returncode == 0


@pytest.mark.semantics("CLI-21")
def test_a_daemon_that_would_call_itself_is_refused(tmp_path: Path) -> None:
    config = daemons.write_config(
        tmp_path, EMULATOR, "http://localhost:9470/", {"m": {"source": QUEUE}}, listen="127.0.0.1:9470"
    )
    done = headrace("run", str(config), cwd=tmp_path)
    assert done.returncode == 78
    assert "would call itself" in done.stderr


def test_without_a_configuration_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = headrace("check", cwd=tmp_path)
    assert done.returncode == 78
    assert "headrace init" in done.stderr


# --- invoke ---------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-15")
def test_invoke_prints_the_answer_and_logs_elsewhere(project: Path) -> None:
    done = headrace("invoke", "hello", '{"n": 1}', cwd=project, env={"HEADRACE_TEST_SECRET": "mine"})
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"stage": "dev", "secret": None, "event": {"n": 1}}
    assert "it was said" in done.stderr
    assert "REPORT RequestId" in done.stderr


def test_invoke_gives_the_function_a_tmp_of_its_own() -> None:
    assert supported(), "this machine gives no namespaces; the rest of the suite runs without"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # a /tmp of one's own does not hide it
        project = Path(name)
        (project / "app.py").write_text("import os\n\ndef handler(event, context):\n    return os.listdir('/tmp')\n")
        (project / "headrace.yaml").write_text(
            f"aws: {{endpoint_url: '{EMULATOR}', region: us-east-1}}\n"
            "functions: {f: {runtime: python, handler: app.handler, code: ., isolation: namespace}}\n"
        )
        done = headrace("invoke", "f", cwd=project)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


LOUD = """
import logging

def handler(event, context):
    print("\\x1b]0;mine\\x07 printed\\rover it")
    logging.warning("two\\nlines \\x1b[2J")
    raise ValueError("at\\nyour request")
"""


@pytest.mark.semantics("FN-51")
def test_invoke_on_a_terminal_shows_every_line_and_obeys_none(project: Path) -> None:
    (project / "functions" / "app.py").write_text(LOUD)
    shown = daemons.on_a_terminal("invoke", "hello", cwd=project)
    assert "\x1b" not in shown
    assert "\\x1b]0;mine\\x07 printed\r\nover it\r\n" in shown  # "\r\n" is how a terminal's own newline comes
    assert "\ttwo\r\nlines \\x1b[2J\r\n" in shown
    assert "[ERROR] ValueError: at\r\nyour request\r\nTraceback (most recent call last):\r\n" in shown


@pytest.mark.semantics("CLI-15")
def test_invoke_takes_the_payload_from_a_file_or_stdin(project: Path) -> None:
    (project / "event.json").write_text('{"n": 2}')
    for payload, stdin in (("@event.json", ""), ("-", '{"n": 2}')):
        done = headrace("invoke", "hello", payload, cwd=project, stdin=stdin)
        assert json.loads(done.stdout)["event"] == {"n": 2}


@pytest.mark.semantics("CLI-15")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("hello", '{"fail": true}'), 1, "ValueError: at your request"),
        (("hello", '{"exit": true}'), 1, "exit"),
        (("broken",), 1, "nothing"),
        (("hello", "{"), 2, "not JSON"),
        (("other",), 2, "there are hello, broken"),
        (("hello", "@missing.json"), 2, "missing.json"),
    ],
)
def test_what_goes_wrong_with_an_invocation_is_said(
    project: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = headrace("invoke", *arguments, cwd=project)
    assert done.returncode == code
    last = done.stderr.splitlines()[-1]
    assert last.startswith("headrace: ")
    assert said in last


def test_the_error_of_a_function_is_its_answer(project: Path) -> None:
    done = headrace("invoke", "hello", '{"fail": true}', cwd=project)
    assert json.loads(done.stdout)["errorType"] == "ValueError"


# --- the others -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-14")
def test_filter_test_in_a_project(project: Path) -> None:
    assert headrace("filter", "test", cwd=project, stdin='{"type": "created"}').returncode == 0
    done = headrace("filter", "test", cwd=project, stdin='{"type": "other"}')
    assert done.returncode == 1
    assert done.stdout.startswith("FILTERED\t")


@pytest.mark.semantics("CLI-16")
def test_init_writes_what_check_likes_and_overwrites_nothing(tmp_path: Path) -> None:
    first = headrace("init", "new", cwd=tmp_path)
    assert first.returncode == 0
    new = tmp_path / "new"
    assert headrace("check", cwd=new).returncode == 0
    event = json.dumps({"Records": [{"messageId": "1", "body": "hello"}]})
    assert json.loads(headrace("invoke", "hello", event, cwd=new).stdout) == {"batchItemFailures": []}
    (new / "headrace.yaml").write_text("mine")
    again = headrace("init", "new", cwd=tmp_path)
    assert again.returncode == 2
    assert "headrace.yaml" in again.stderr
    assert (new / "headrace.yaml").read_text() == "mine"


@pytest.mark.semantics("CLI-23")
def test_the_schema_takes_the_configuration(project: Path) -> None:
    schema = json.loads(headrace("schema", cwd=project).stdout)
    jsonschema.validate(
        {"functions": {"f": {"http": HTTP}}, "mappings": {"m": {"source": QUEUE, "function": "f"}}}, schema
    )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"mapings": {}}, schema)


@pytest.mark.semantics("CLI-18")
def test_status_shows_and_checks_a_running_daemon(ministack: Server, tmp_path: Path) -> None:
    queues = daemons.Queues(ministack.endpoint_url)
    name = queues.create()
    with daemons.function() as function:
        mappings = {"m": {"source": queues.arn(name)}, "late": {"source": queues.arn(queues.name())}}
        config = daemons.write_config(tmp_path, ministack.endpoint_url, function.url, mappings)
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            listen = {"HEADRACE_LISTEN": daemon.url.removeprefix("http://")}
            shown = headrace("status", cwd=tmp_path, env=listen)
            assert shown.returncode == 0
            assert "polling" in shown.stdout
            found = json.loads(headrace("status", "--url", daemon.url, "--output", "json", cwd=tmp_path).stdout)
            assert [mapping["state"] for mapping in found["mappings"]] == ["polling", "waiting"]
            assert headrace("status", "--check", cwd=tmp_path, env=listen).returncode == 0
            strict = headrace("status", "--check", "--strict", cwd=tmp_path, env=listen)
            assert strict.returncode == 1
            assert "late: " in strict.stderr
    queues.close()
    gone = headrace("status", "--check", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert gone.returncode == 1
    assert "no daemon answers" in gone.stderr
    assert clean(gone.stderr)
