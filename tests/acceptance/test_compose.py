"""docker-compose.yml and the Dockerfile, without an engine: against the Compose schema, and as plain processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from support import containers
from support.servers.running import free_port

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PATIENCE = 60
"""Seconds after which something that does not happen has not happened."""


def schema() -> Any:
    place = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return json.loads(place.read_text())


def test_the_file_is_a_compose_file() -> None:
    jsonschema.Draft202012Validator(schema()).validate(COMPOSE)


def test_the_schema_would_refuse_a_wrong_one() -> None:
    wrong = {"services": {"headrace": {"comand": ["run"]}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft202012Validator(schema()).validate(wrong)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_locked_down_and_refers_to_what_is_there(name: str) -> None:
    service = SERVICES[name]
    assert service["build"]["target"] in containers.stages(DOCKERFILE)
    assert service["read_only"] is True
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    for volume in service.get("volumes", ()):
        origin, _, options = volume.partition(":")
        if origin.startswith("./"):
            assert (ROOT / origin).is_dir()
            assert options.endswith(":ro")
        else:
            assert origin in COMPOSE["volumes"]
    # The image's own check asks a daemon: `up --wait` waits for ever for a service that inherits it and runs none.
    assert "test" in service["healthcheck"]
    for other in service.get("depends_on", ()):
        assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}, which has no check"


@pytest.mark.parametrize("stage", containers.stages(DOCKERFILE).values(), ids=lambda stage: stage.name)
def test_what_is_copied_is_in_the_build_context(stage: containers.Stage) -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for each in stage.instructions:
        if each.word == "COPY" and "from" not in each.flags:
            for source in each.argv[:-1]:
                assert (ROOT / source).exists()
                assert Path(source).parts[0] in kept, f".dockerignore leaves out {source}"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> containers.Builder:
    """The images that the services need, built as the Dockerfile says."""
    builder = containers.Builder(ROOT, DOCKERFILE, tmp_path_factory.mktemp("images"))
    for service in SERVICES.values():
        builder.build(service["build"]["target"])
    return builder


def test_the_image_is_small_minded(images: containers.Builder) -> None:
    image = images.build("headrace")
    user, _, group = image.user.partition(":")
    assert user.isdigit()
    assert user != "0"
    assert group == "0"
    for directory in ("/etc/headrace", "/var/lib/headrace"):
        assert image.place(directory).stat().st_mode & 0o070 == 0o070, f"{directory} is not writable for group 0"
    assert image.volumes == ["/var/lib/headrace"]
    assert image.health == ["headrace", "status", "--check"]
    assert image.health == SERVICES["headrace"]["healthcheck"]["test"][1:]


@dataclass(frozen=True, slots=True)
class Network:
    """The containers' ports on this machine."""

    ports: dict[str, int]

    @classmethod
    def free(cls, *names: str) -> Network:
        return cls({name: free_port() for name in names})

    def mapped(self, text: str) -> str:
        for service in SERVICES:
            text = re.sub(rf"//{service}\b", "//127.0.0.1", text)
        text = text.replace("0.0.0.0", "127.0.0.1")
        return re.sub(r"\b(4566|9470)\b", lambda match: str(self.ports[match[1]]), text)


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the file, as it would run in its container."""

    name: str
    image: containers.Image
    network: Network
    output: Path

    @property
    def wanted(self) -> Any:
        return SERVICES[self.name]

    @property
    def environment(self) -> dict[str, str]:
        given = self.image.environment | self.wanted.get("environment", {})
        return self.image.variables({name: self.network.mapped(value) for name, value in given.items()})

    def argv(self, words: list[str]) -> list[str]:
        """The words with mapped paths, the program looked up on the image's own PATH."""
        words = [self.mapped(self.network.mapped(word)) for word in words]
        places = [Path(place, words[0]) for place in self.environment["PATH"].split(":")]
        program = next(place for place in places if place.is_file())
        return [str(program), *words[1:]]

    def mapped(self, text: str) -> str:
        """Paths of the container as paths of this machine: those of mounts, then those of the image."""
        mounts = {}
        for number, volume in enumerate(self.wanted.get("volumes", ())):
            origin, target, *_ = volume.split(":")
            if origin.startswith("./"):
                mounts[f"<mount {number}>"] = str(ROOT / origin)
                text = re.sub(rf"(?<![\w./-]){target}(?=/|$)", f"<mount {number}>", text)
        text = self.image.mapped(text)
        for mark, path in mounts.items():
            text = text.replace(mark, path)
        return text

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        own = [] if "entrypoint" in self.wanted else self.image.command  # an entrypoint clears the image's command
        words = self.wanted.get("entrypoint", self.image.entrypoint) + self.wanted.get("command", own)
        with self.output.open("wb") as output:
            process = subprocess.Popen(
                self.argv(words),
                cwd=self.image.place("."),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def healthy(self) -> bool:
        kind, *words = self.wanted["healthcheck"]["test"]
        assert kind == "CMD"
        check = subprocess.run(
            self.argv(words), env=self.environment, capture_output=True, timeout=PATIENCE, check=False
        )
        return check.returncode == 0

    def wait_for_health(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + PATIENCE
        while not self.healthy():
            assert process.poll() is None, f"{self.name} ended: {self.output.read_text()}"
            assert time.monotonic() < until, f"{self.name} is not healthy: {self.output.read_text()}"
            time.sleep(0.2)


def counted(network: Network, metric: str) -> float:
    url = f"http://127.0.0.1:{network.ports['9470']}/metrics"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric + "{"))


def files(image: containers.Image) -> set[Path]:
    """What no process of a read-only container may add to."""
    return {path for path in (image.root / "opt").resolve().rglob("*") if path.is_file()}


def test_the_services_work_together(images: containers.Builder, tmp_path: Path) -> None:
    network = Network.free("4566", "9470")
    emulator, headrace, producer = (
        Service(name, images.build(SERVICES[name]["build"]["target"]), network, tmp_path / f"{name}.log")
        for name in ("emulator", "headrace", "producer")
    )
    before = files(headrace.image)
    with emulator.running() as server, headrace_beside(emulator, server, headrace) as daemon, producer.running():
        until = time.monotonic() + PATIENCE
        while counted(network, "headrace_records_delivered_total") < 2 or not counted(
            network, "headrace_records_filtered_total"
        ):
            assert time.monotonic() < until, f"{headrace.output.read_text()}{producer.output.read_text()}"
            time.sleep(0.2)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(10) == 0, headrace.output.read_text()
        assert not headrace.healthy()
    assert "order 1: " in headrace.output.read_text()
    assert files(headrace.image) == before


@contextmanager
def headrace_beside(
    emulator: Service, server: subprocess.Popen[bytes], headrace: Service
) -> Iterator[subprocess.Popen[bytes]]:
    """Headrace, started when the emulator is healthy, and healthy itself."""
    emulator.wait_for_health(server)
    assert not headrace.healthy()
    with headrace.running() as daemon:
        headrace.wait_for_health(daemon)
        yield daemon
