"""docker-compose.yml and the image on a real engine: whichever `DOCKER_HOST` names. Called by `make compose-check`.

Builds, starts and waits, reads what a newcomer would read, kills the daemon, restarts the emulator, stops; then runs
the image without a configuration, and with a state directory of somebody else. Everything is looked at through the
engine, so it may be on another machine. What it made is removed at the end, images excepted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = f"headrace-check-{os.getpid()}"
PATIENCE = 120.0
"""Seconds after which something that does not happen has not happened."""

# Where a network of the engine's own reaches no registry, the host's does.
OVERRIDE = {"services": {name: {"build": {"network": "host"}} for name in ("emulator", "headrace", "producer")}}

READ = """
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9470" + sys.argv[1], timeout=10).read().decode())
"""
DEPLOYED = """
import sys, boto3, botocore
lambdas = boto3.client(
    "lambda", endpoint_url="http://127.0.0.1:9470", aws_access_key_id="test", aws_secret_access_key=sys.argv[1]
)
try:
    print(*(each["EventSourceArn"] for each in lambdas.list_event_source_mappings()["EventSourceMappings"]))
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""


class Failed(Exception):
    """A step did not show what it is there to show."""


def docker(*words: str, patience: float = 900.0) -> subprocess.CompletedProcess[str]:
    """What an engine's command says; its standard output, with the errors behind it."""
    return subprocess.run(
        ["docker", *words], cwd=ROOT, text=True, timeout=patience, check=False, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def said(*words: str) -> str:
    """The output of a command that must succeed."""
    done = docker(*words)
    if done.returncode:
        raise Failed(f"docker {' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


class Stack:
    """The services of docker-compose.yml under a project name of their own."""

    def __init__(self, override: Path) -> None:
        self._words = ("compose", "-p", PROJECT, "-f", "docker-compose.yml", "-f", str(override))

    def __call__(self, *words: str) -> str:
        return said(*self._words, *words)

    def inside(self, code: str, *arguments: str) -> str:
        """What Python prints in the daemon's container."""
        return self("exec", "-T", "headrace", "python", "-c", code, *arguments).strip()

    def count(self, metric: str) -> int:
        lines = self.inside(READ, "/metrics").splitlines()
        return int(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric + "{")))

    def container(self, service: str) -> str:
        return self("ps", "--all", "--quiet", service).strip()

    def state(self, service: str, field: str) -> str:
        return said("inspect", "--format", "{{." + field + "}}", self.container(service)).strip()

    def wait_for_more(self) -> int:
        """Until two more orders were delivered; how many there are then."""
        before = self.count("headrace_records_delivered_total")
        until(lambda: self.count("headrace_records_delivered_total") >= before + 2, "no order is delivered", self.logs)
        return self.count("headrace_records_delivered_total")

    def logs(self) -> str:
        return self("logs", "--no-color", "--tail", "40")


def until(shown: Callable[[], bool], what: str, evidence: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not shown():
        if time.monotonic() > end:
            raise Failed(f"{what}:\n{evidence()}")
        time.sleep(0.5)


def expect(holds: bool, what: str, evidence: str) -> None:
    if not holds:
        raise Failed(f"{what}:\n{evidence[-3000:]}")


# --- what is shown ----------------------------------------------------------------------------------------------------


def it_starts_and_waits(stack: Stack) -> str:
    stack("build")
    stack("up", "--detach", "--wait", "--wait-timeout", str(int(PATIENCE)))
    return f"{stack.wait_for_more()} orders delivered"


def functions_lines_can_be_read(stack: Stack) -> str:
    line = next((line for line in stack("logs", "--no-color", "headrace").splitlines() if "order 1: " in line), "")
    expect(bool(line) and "{" not in line, "no line of the first order that people can read", stack.logs())
    return line.strip()


def the_api_wants_a_key(stack: Stack) -> str:
    signed, wrong = stack.inside(DEPLOYED, "test"), stack.inside(DEPLOYED, "wrong")
    expect(signed.endswith(":orders"), "a signed call does not list the mapping", signed)
    expect(wrong == "InvalidSignatureException", "a call with a wrong key is not refused", wrong)
    return f"signed: {signed}; with a wrong key: {wrong}"


def a_killed_daemon_goes_on(stack: Stack) -> str:
    stack("kill", "--signal", "SIGKILL", "headrace")
    stack("up", "--detach", "--wait", "--wait-timeout", str(int(PATIENCE)))
    return f"{stack.wait_for_more()} orders delivered since"


def an_emulator_that_restarts_stops_nobody(stack: Stack) -> str:
    stack("restart", "emulator")
    delivered = stack.wait_for_more()
    restarts = stack.state("producer", "RestartCount")
    expect(restarts == "0", "the producer ended", stack.logs())
    return f"{delivered} orders delivered since the daemon's start; the producer runs on"


def it_stops_in_time(stack: Stack) -> str:
    stack("stop", "headrace")
    code = stack.state("headrace", "State.ExitCode")
    expect(code == "0", f"it ended with {code}, as one that was killed does", stack.logs())
    return "exit code 0"


def the_image_runs_without_a_configuration(stack: Stack) -> str:
    name = f"{PROJECT}-alone"
    said("run", "--detach", "--name", name, f"{PROJECT}-headrace")
    try:
        healthy = ("inspect", "--format", "{{.State.Health.Status}}", name)
        until(lambda: said(*healthy).strip() == "healthy", "it is not healthy", lambda: said("logs", name))
        return "healthy"
    finally:
        docker("rm", "--force", "--volumes", name)


def a_directory_of_somebody_else_is_told(stack: Stack) -> str:
    place = ("--tmpfs", "/var/lib/headrace:uid=4711,gid=4711,mode=0700")
    done = docker("run", "--rm", *place, f"{PROJECT}-headrace", "run", "--endpoint-url", "http://127.0.0.1:4566")
    expect(done.returncode == 1 and "--user 4711:4711" in done.stdout, f"it ended with {done.returncode}", done.stdout)
    return done.stdout.strip().splitlines()[-1]


STEPS = (
    it_starts_and_waits,
    functions_lines_can_be_read,
    the_api_wants_a_key,
    a_killed_daemon_goes_on,
    an_emulator_that_restarts_stops_nobody,
    it_stops_in_time,
    the_image_runs_without_a_configuration,
    a_directory_of_somebody_else_is_told,
)


def main() -> int:
    try:
        engine = docker("version", "--format", "{{.Server.Version}}", patience=30)
    except FileNotFoundError:
        return nothing_to_try_on("there is no docker command")
    if engine.returncode:
        return nothing_to_try_on(engine.stdout.strip().splitlines()[-1])
    print(f"engine {engine.stdout.strip()}")
    with tempfile.TemporaryDirectory() as directory:
        override = Path(directory) / "override.json"
        override.write_text(json.dumps(OVERRIDE))
        stack = Stack(override)
        try:
            for number, step in enumerate(STEPS, start=1):
                print(f"{number}. {step.__name__.replace('_', ' ')}", end=": ", flush=True)
                print(step(stack), flush=True)
        except Failed as failed:
            print(f"FAILED\n{failed}")
            return 1
        finally:
            stack("down", "--volumes", "--remove-orphans")
    print(f"{len(STEPS)} passed, 0 failed")
    return 0


def nothing_to_try_on(why: str) -> int:
    print(f"nothing was tried, for no Docker engine answers: {why}", file=sys.stderr)
    print("start one, or name one with DOCKER_HOST, then run make compose-check again", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
