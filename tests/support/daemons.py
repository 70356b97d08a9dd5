"""The daemon as a process: what it prints, what it logs, what it answers; and a function over HTTP for it to invoke.

`HEADRACE_TREE=1` runs the working tree's code and not the wheel's: quicker while one works on it.
"""

from __future__ import annotations

import json
import os
import pty
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions

from support import wheel
from support.children import child
from support.servers import ministack

GUARD = wheel.ROOT / "tests" / "support" / "servers" / "guard.py"
PATIENCE = 60.0
"""Seconds after which a test gives up waiting for something that never comes. Not a limit on anything."""
ACCOUNT = "000000000000"


def command() -> list[str]:
    if os.environ.get("HEADRACE_TREE"):
        return [sys.executable, "-m", "headrace.service.cli.main"]
    return [str(wheel.installed() / "headrace")]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in wheel.clean().items() if not name.startswith("HEADRACE_")}
    return kept | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} | more


def headrace(
    *arguments: str, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One run of the command line to its end."""
    return subprocess.run(
        [*command(), *arguments],
        cwd=cwd,
        env=environment(**(env or {})),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def on_a_terminal(*arguments: str, cwd: Path) -> str:
    """All that one run of the command line writes to a terminal, until it ends."""
    ours, theirs = pty.openpty()
    with child([*command(), *arguments], cwd=cwd, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        written = b""
        with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:  # Linux: an error says that all left it
            while read := terminal.read(65536):
                written += read
    return written.decode()


class Daemon:
    """A daemon that runs in the background."""

    def __init__(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*command(), "run", *arguments],
            cwd=cwd,
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._said: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: Any, lines: list[str]) -> None:
        with pipe:
            for line in pipe:
                lines.append(line.rstrip("\n"))
                self._said.put(None)
        self._said.put(None)

    # --- what it says -----------------------------------------------------------------------------------------------

    def wait_until(self, found: Callable[[], bool]) -> None:
        """Look again whenever it says something, and now and then in between."""
        end = time.monotonic() + PATIENCE
        while not found():
            with suppress(queue.Empty):
                self._said.get(timeout=0.1)
            ended = self.process.poll() is not None and not self._alive()
            if (ended or time.monotonic() > end) and not found():
                raise AssertionError(f"it {'ended' if ended else 'never came'}\n{self.everything}")

    def _alive(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    def ready(self) -> Daemon:
        self.wait_until(lambda: "Ready." in self.stdout)
        return self

    @property
    def everything(self) -> str:
        return "\n".join(["--- stdout", *self.stdout, "--- stderr", *self.stderr])

    def logged(self, action: str, **fields: object) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in tuple(self.stderr) if line.startswith("{")]
        wanted = {"action": action, **fields}
        return [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]

    def wait_logged(self, action: str, **fields: object) -> dict[str, Any]:
        self.wait_until(lambda: bool(self.logged(action, **fields)))
        return self.logged(action, **fields)[0]

    @property
    def processor_time(self) -> float:
        """Seconds that it has used, without its children's."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- what it answers --------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        self.wait_until(lambda: any(line.startswith("Listening on ") for line in self.stdout))
        return next(line for line in self.stdout if line.startswith("Listening on ")).removeprefix("Listening on ")

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/status")[1])
        return found

    # --- its end ----------------------------------------------------------------------------------------------------

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        try:
            code = self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end\n{self.everything}") from None
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def stop(self) -> int:
        self.signal()
        return self.wait()


@contextmanager
def running(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """A daemon for as long as the block runs."""
    daemon = Daemon(*arguments, cwd=cwd, env=env)
    try:
        yield daemon
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.wait()


# --- a function -----------------------------------------------------------------------------------------------------

Handler = Callable[[dict[str, Any]], object]


@dataclass
class Function:
    """A function behind a Runtime Interface Emulator's URL: a callable in this process."""

    handler: Handler
    events: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of each invocation, as they were written."""
    port: int = 0
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released when an invocation begins."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"

    @property
    def bodies(self) -> list[str]:
        return [record["body"] for event in self.events for record in event["Records"]]

    def answer(self, raw: bytes) -> bytes:
        event = json.loads(raw)
        self.events.append(event)
        self.begun.release()
        try:
            return json.dumps(self.handler(event)).encode()
        except Exception as error:
            return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}).encode()

    def wait_begun(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE), "it was never invoked"


@contextmanager
def function(handler: Handler = lambda event: {}) -> Iterator[Function]:
    """A function that is there for as long as the block runs."""
    served = Function(handler)

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            served.headers.append(dict(self.headers))
            body = served.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """It is not said who asked."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A daemon that was killed in the middle of an invocation is what some tests are about."""

    with Server(("127.0.0.1", 0), Answer) as server:
        served.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()


# --- queues ---------------------------------------------------------------------------------------------------------


class Queues:
    """Queues of an emulator, made when a test needs them."""

    def __init__(self, endpoint_url: str, region: str = "us-east-1") -> None:
        self.endpoint_url = endpoint_url
        self._region = region
        self.client = boto3.client(
            "sqs",
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def name(self) -> str:
        return f"q-{uuid.uuid4().hex[:12]}"

    def arn(self, name: str) -> str:
        return f"arn:aws:sqs:{self._region}:{ACCOUNT}:{name}"

    def create(self, name: str = "", **attributes: str) -> str:
        """A queue; its name."""
        name = name or self.name()
        self.client.create_queue(QueueName=name, Attributes=attributes)
        return name

    def url(self, name: str) -> str:
        url: str = self.client.get_queue_url(QueueName=name)["QueueUrl"]
        return url

    def send(self, name: str, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url(name), MessageBody=body)

    def depth(self, name: str) -> tuple[int, int]:
        """Messages that are to be had, and those that are lent."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url(name), AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def close(self) -> None:
        self.client.close()


@contextmanager
def emulator_at(port: int) -> Iterator[Queues]:
    """MiniStack on a port that was chosen before, for as long as the block runs."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory,
        subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *ministack.PROGRAM.command(port)],
            env={**os.environ, **ministack.PROGRAM.environment(port), "TMPDIR": directory},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ),  # closes its standard input at the end, which ends it
    ):
        queues = Queues(f"http://127.0.0.1:{port}")
        try:
            _wait_answer(queues)
            yield queues
        finally:
            queues.close()


def _wait_answer(queues: Queues) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(botocore.exceptions.BotoCoreError):
            queues.client.list_queues()
            return
        time.sleep(0.05)
    raise AssertionError("the emulator did not answer")


def write_config(
    directory: Path, endpoint_url: str, function_url: str, mappings: Mapping[str, Mapping[str, object]], **more: object
) -> Path:
    """A configuration of one HTTP function `f` and these mappings, on any free port, with its state beside it."""
    config = {
        "aws": {"endpoint_url": endpoint_url, "region": "us-east-1"},
        "listen": "127.0.0.1:0",
        "functions": {"f": {"http": function_url, "timeout": 60}},
        "mappings": {name: {"function": "f", **mapping} for name, mapping in mappings.items()},
        **more,
    }
    file = directory / "headrace.json"
    file.write_text(json.dumps(config))
    return file
