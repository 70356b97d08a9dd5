"""A user's files are read in one way everywhere, and what is said to a terminal can be written to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clients.kafka.secrets import Secrets
from headrace.config.errors import SourceRefused
from headrace.config.user_text import NotText, text_of
from support.configs import loaded, problems, write

BOM = b"\xef\xbb\xbf"
UTF16 = ["utf-16", "utf-16-le", "utf-16-be", "utf-32"]


def test_text_is_utf8_with_or_without_a_mark() -> None:
    assert text_of(BOM + "ä\ufeff".encode()) == text_of("ä\ufeff".encode()) == "ä\ufeff"
    assert text_of(BOM) == text_of(b"") == ""
    assert text_of(b"\0") == "\0"


@pytest.mark.parametrize("encoding", UTF16)
@pytest.mark.semantics("CLI-40")
def test_another_encoding_is_named(encoding: str) -> None:
    with pytest.raises(NotText, match=rf"is {encoding[:6].upper()} text: save it as UTF-8"):
        text_of('{"a": 1}'.encode(encoding))


def test_bytes_that_are_no_text_are_placed() -> None:
    with pytest.raises(NotText, match="is not UTF-8 text: byte 0xff at offset 3") as caught:
        text_of(b"ab\n\xff")
    assert caught.value.offset == 3


@pytest.mark.semantics("CLI-40", "CONFIG-05")
def test_files_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "headrace.yaml"
    file.write_bytes(BOM + b"aws: {profile: '${P}'}")
    secret = tmp_path / "secret"
    secret.write_bytes(BOM + b"s3cret\r\n")
    assert loaded(file, environ={"P_FILE": str(secret)}).settings.aws.profile == "s3cret"
    file.write_bytes("aws: {}".encode("utf-16"))
    assert problems(file) == ["headrace.yaml: is UTF-16 text: save it as UTF-8"]
    secret.write_bytes("s3cret".encode("utf-16"))
    found = problems(write(tmp_path, "x-a: 1"), environ={"HEADRACE_AWS__PROFILE_FILE": str(secret)})
    assert found == [
        "HEADRACE_AWS__PROFILE_FILE names the file secret, which cannot be read: it is UTF-16 text: save it as UTF-8"
    ]


@pytest.mark.semantics("CLI-40")
async def test_files_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "login").write_bytes(BOM + b'{"username": "u", "password": "p"}')
    (tmp_path / "ca").write_bytes(BOM + b"-----BEGIN CERTIFICATE-----")
    (tmp_path / "wide").write_bytes("hunter2".encode("utf-16"))
    async with Clients(AwsSettings(endpoint_url="http://127.0.0.1:1", region="us-east-1")) as clients:
        secrets = Secrets(clients, tmp_path, {})
        assert (await secrets.credentials("file:login")).username == "u"
        assert await secrets.authority("file:ca") == "-----BEGIN CERTIFICATE-----"
        with pytest.raises(SourceRefused, match="is UTF-16 text: save it as UTF-8") as caught:
            await secrets.text("file:wide")
    assert "hunter2" not in str(caught.value)


Done = subprocess.CompletedProcess[bytes]


def headrace(*arguments: str | bytes, stdin: bytes = b"", environ: Mapping[str, str] = MappingProxyType({})) -> Done:
    command = [sys.executable, "-m", "headrace.service.cli.main", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env={**os.environ, **environ}, check=False)


def filter_test(*arguments: str, stdin: bytes = b"", environ: Mapping[str, str] = MappingProxyType({})) -> Done:
    return headrace("filter", "test", *arguments, stdin=stdin, environ=environ)


PATTERN = '{"body": {"type": ["x"]}}'
EVENT = b'{"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": "{\\"type\\": \\"x\\"}"}]}'


@pytest.mark.semantics("CLI-40")
def test_files_of_filters_and_events(tmp_path: Path) -> None:
    (tmp_path / "event").write_bytes(BOM + EVENT)
    (tmp_path / "pattern").write_bytes(BOM + PATTERN.encode())
    done = filter_test(str(tmp_path / "event"), "--pattern", f"@{tmp_path / 'pattern'}")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, b"KEPT\t1")
    piped = filter_test("--pattern", PATTERN, stdin=BOM + EVENT)
    assert (piped.returncode, piped.stdout) == (0, done.stdout)
    body = filter_test("--pattern", '{"body": ["x"]}', "--body", stdin=BOM + b"x\n")
    assert body.returncode == 0, body
    (tmp_path / "event").write_bytes(EVENT.decode().encode("utf-16"))
    wide = filter_test(str(tmp_path / "event"), "--pattern", PATTERN)
    assert (wide.returncode, b"event is UTF-16 text: save it as UTF-8" in wide.stderr) == (2, True), wide


@pytest.mark.semantics("CLI-40")
def test_files_of_payloads(tmp_path: Path) -> None:
    program = "import sys,json; print(json.load(sys.stdin))"
    write(tmp_path, f"functions: {{f: {{command: [{json.dumps(sys.executable)}, -c, {json.dumps(program)}]}}}}")
    (tmp_path / "wide").write_bytes(b'{"a": 1}'.decode().encode("utf-16"))
    config = str(tmp_path / "headrace.yaml")
    wide = headrace("invoke", "f", f"@{tmp_path / 'wide'}", "--config", config)
    assert (wide.returncode, b"wide is UTF-16 text: save it as UTF-8" in wide.stderr) == (2, True), wide
    half = headrace("invoke", "f", b'"\xff"', "--config", config)
    assert (half.returncode, half.stderr) == (2, b"headrace: the payload is not UTF-8 text: byte 0xff at offset 1\n")


TERMINALS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("terminal", TERMINALS, ids=lambda each: "-".join(each.values()))
@pytest.mark.semantics("CLI-41")
def test_a_terminal_that_does_not_know_every_character(tmp_path: Path, terminal: dict[str, str]) -> None:
    wanted = json.dumps({"body": {"name": ["ü€\U0001f600"]}})
    record = '{"name": "ü€\U0001f600"}'.encode()
    table = filter_test("--pattern", wanted, "--pattern", '{"body": {"€": ["x"]}}', stdin=record, environ=terminal)
    assert (table.returncode, table.stderr) == (0, b""), table
    assert b"\\u20ac is missing" in table.stdout
    asked = filter_test("--pattern", '{"body": {"€": ["ü"]}}', "--output", "json", stdin=record, environ=terminal)
    assert (asked.returncode, asked.stderr) == (1, b""), asked
    (verdict,) = json.loads(asked.stdout.decode("latin-1"))
    assert verdict["filters"][0]["path"] == "body.€"
    wrong = headrace("check", str(write(tmp_path, '"€": 1')), environ=terminal)
    assert (wrong.returncode, b"\\u20ac: unknown key" in wrong.stderr) == (78, True), wrong
