"""The scripts' client on the AWS CLI, as a person would type its commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from botocore import xform_name

from ..servers.fetched import fetched, run
from .clients import CREDENTIALS, REGION, Data, Refused

LOCK = Path(__file__).parent / "aws_cli_package" / "requirements.lock"
SESSION = Path(__file__).parent / "aws_cli_session.py"
ERROR = re.compile(
    r"An error occurred \((?P<code>[\w.]+)\) when calling the \w+ operation(?: \(.*?\))?: (?P<message>.*)", re.DOTALL
)


def packages() -> Path:
    """A directory with the AWS CLI and what it needs."""

    def install(directory: Path) -> Path:
        target = directory / "packages"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        run("pip", [*pip, "--target", str(target), "--require-hashes", "--requirement", str(LOCK)], "the AWS CLI")
        return target

    return fetched(LOCK, install)


def once(command: str) -> None:
    """Run a command of a page, as it stands there. Raises where it fails."""
    program, *words = shlex.split(command)
    assert program == "aws"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(packages()),
        "AWS_DEFAULT_REGION": REGION,
        **CREDENTIALS,
    }
    subprocess.run([sys.executable, "-m", "awscli", *words], env=environment, check=True, capture_output=True)


class AwsCli:
    def __init__(self, headrace: str, emulator: str) -> None:
        self._urls = {"lambda": headrace}
        self._emulator = emulator
        self._files = tempfile.TemporaryDirectory(prefix="aws-cli-")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": self._files.name,
            "PYTHONPATH": str(packages()),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "1",
            **CREDENTIALS,
        }
        self._session = subprocess.Popen(
            [sys.executable, str(SESSION)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, service: str, operation: str, **parameters: Any) -> Data:
        answer = Path(self._files.name, "answer")
        words = [service, _dashed(operation), *self._options(parameters)]
        if operation == "Invoke":
            words.append(str(answer))
        code, out, err = self._run(words, self._urls.get(service, self._emulator))
        if code:
            raise _refused(err)
        output: Data = json.loads(out) if out.strip() else {}
        if operation == "Invoke":
            output["Payload"] = answer.read_text()
        return output

    def _run(self, words: list[str], url: str) -> tuple[int, str, str]:
        """Code, standard output, standard error."""
        assert self._session.stdin is not None
        assert self._session.stdout is not None
        self._session.stdin.write(json.dumps(["--endpoint-url", url, "--output", "json", *words]) + "\n")
        self._session.stdin.flush()
        code, out, err = json.loads(self._session.stdout.readline())
        return code, out, err

    def _options(self, parameters: Data) -> list[str]:
        words: list[str] = []
        for name, value in parameters.items():
            words += self._option(name, value)
        return words

    def _option(self, name: str, value: Any) -> list[str]:
        option = f"--{_dashed(name)}"
        match value:
            case {"ZipFile": bytes() as archive}:
                return self._option("ZipFile", archive)
            case bytes():
                file = Path(self._files.name, name)
                file.write_bytes(value)
                return [option, f"fileb://{file}"]
            case bool():
                return [option if value else f"--no-{_dashed(name)}"]
            case dict() | list():
                return [option, json.dumps(value)]
            case _:
                return [option, str(value)]

    def close(self) -> None:
        with self._session:
            self._session.terminate()
        self._files.cleanup()


def _dashed(name: str) -> str:
    return str(xform_name(name, "-"))


def _refused(said: str) -> Exception:
    found = ERROR.search(said)
    return Refused(found["code"], found["message"].strip()) if found else AssertionError(said)
