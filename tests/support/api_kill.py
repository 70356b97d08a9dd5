"""A daemon with its Lambda API that is killed, a client that notes what was answered, and how the two are compared.

The client makes one call at a time. A call that was answered happened; one that was cut off happened or did not, as a
whole: what is there afterwards is one of two things.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from support.eventually import eventually
from support.marked import marked

TESTS = Path(__file__).resolve().parents[1]
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambda"
OURS = "python{}.{}".format(*sys.version_info[:2])
KEEPER = "keeper"
"""The function that is there all the time and writes down what it gets."""
NAMES = ("one", "two", "three")
ALIASES = ("live", "next")
LAYER = f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:layer"
SOURCE = """
import os
def handler(event, context):
    with open(os.environ["JOURNAL"], "a") as journal:
        for each in [record["body"] for record in event.get("Records", ())] or [event["id"]]:
            journal.write(each + "\\n")
# {number}
"""


class Died(Exception):
    """The daemon was gone before it had answered."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is to be seen of a function."""

    sha: str
    description: str
    versions: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapped:
    """What is to be seen of a mapping."""

    batch: int
    uuid: str = ""
    """Empty where its creation was not answered."""


@dataclass
class Expected:
    """One of these is there, None for nothing."""

    may: tuple[Any, ...] = (None,)

    @property
    def one(self) -> Any:
        (only,) = self.may
        return only


def client(service: str, endpoint: str) -> Any:
    plain = Config(retries={"total_max_attempts": 1}, read_timeout=60)
    return boto3.client(
        service,
        "us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=plain,
    )


def zipped(number: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(zipfile.ZipInfo("app.py"), SOURCE.replace("{number}", str(number)))
    return buffer.getvalue()


@dataclass
class Bench:
    """What stays when the daemon is gone: the emulator, the files, and what the client knows."""

    endpoint: str
    directory: Path
    random: random.Random
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    functions: dict[str, Expected] = field(default_factory=lambda: {name: Expected() for name in NAMES})
    mappings: dict[str, Expected] = field(default_factory=dict)
    """By queue."""
    layer: Expected = field(default_factory=lambda: Expected(((),)))
    """The numbers of its versions, ascending."""
    next_number: int = 1
    contents: dict[str, str] = field(default_factory=dict)
    """Hashes of what the layer's versions hold, by their ARNs."""
    accepted: list[str] = field(default_factory=list)
    """Events that were answered with 202."""
    calls: int = 0

    def __post_init__(self) -> None:
        self.sqs = client("sqs", self.endpoint)
        for _ in range(3):
            name = f"q-{uuid.uuid4().hex[:8]}"
            self.sqs.create_queue(QueueName=name)
            self.mappings[f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"] = Expected()
        config = {
            "aws": {"endpoint_url": self.endpoint, "region": "us-east-1"},
            "listen": "127.0.0.1:0",
            "state": str(self.state),
            "function_logs": "off",
        }
        self.config.write_text(json.dumps(config))

    @property
    def config(self) -> Path:
        return self.directory / "headrace.json"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def log(self) -> str:
        path = self.directory / "daemon.log"
        return "\n".join(path.read_text().splitlines()[-30:]) if path.exists() else ""

    # --- lives ------------------------------------------------------------------------------------------------------

    @contextmanager
    def life(self, kill_at: str = "") -> Iterator[subprocess.Popen[str]]:
        """A daemon that serves; dead at the end of the block."""
        with (self.directory / "daemon.log").open("ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "support.api_kill_daemon", "run", str(self.config)],
                env={**os.environ, "KILL_AT": kill_at, "PYTHONPATH": str(TESTS)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert daemon.stdout is not None
            with daemon.stdout:
                line = next((each for each in daemon.stdout if each.startswith("Listening on ")), "")
                assert line or kill_at, self.log
                self.lambda_ = client("lambda", line.split()[-1]) if line else None  # killed as it started
                yield daemon
        finally:
            daemon.kill()
            daemon.wait()

    def workers(self) -> list[int]:
        """Processes of functions."""
        return marked(self.mark)

    def taken(self) -> set[str]:
        path = self.directory / "journal"
        return set(path.read_text().split()) if path.exists() else set()

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(self, operation: str, **parameters: Any) -> Any:
        """Raises Died, and ClientError as it is."""
        self.calls += 1
        if self.lambda_ is None:
            raise Died(operation)
        try:
            return getattr(self.lambda_, operation)(**parameters)
        except (HTTPClientError, NoConnection) as error:
            raise Died(operation) from error

    def found(self, operation: str, **parameters: Any) -> Any:
        """None where there is no such thing."""
        try:
            return self.call(operation, **parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None

    def begin(self) -> None:
        """The function that is there all the time."""
        variables = {"JOURNAL": str(self.directory / "journal"), "MARK": self.mark}
        self.call("create_function", **self._new(KEEPER, 0), Environment={"Variables": variables})
        self._settled(KEEPER)

    def _new(self, name: str, number: int) -> dict[str, Any]:
        code = {"ZipFile": zipped(number)}
        return {"FunctionName": name, "Role": ROLE, "Runtime": OURS, "Handler": "app.handler", "Code": code}

    def _settled(self, name: str) -> Any:
        """Its configuration, as soon as nothing is under way."""
        found: dict[str, Any] = {}

        def settled() -> bool:
            found.update(self.call("get_function_configuration", FunctionName=name))
            return (found["State"], found.get("LastUpdateStatus")) == ("Active", "Successful")

        eventually(settled, f"{name} is settled")
        return found

    def step(self) -> None:
        """One call that changes something. Raises Died."""
        kinds = [self._change_function, self._change_mapping, self._send_event, self._change_layer]
        self.random.choices(kinds, [6, 3, 3, 2])[0]()

    def _send_event(self) -> None:
        one = uuid.uuid4().hex
        self.call("invoke", FunctionName=KEEPER, InvocationType="Event", Payload=json.dumps({"id": one}))
        self.accepted.append(one)

    def _change(self, expected: Expected, after: Any, call: Callable[[], Any], learn: Callable[[Any], Any]) -> None:
        """It was this, and is that once the call is answered; `learn` takes the answer for what it tells."""
        before = expected.one
        expected.may = (before, after)
        expected.may = (learn(call()),)

    def _change_function(self) -> None:
        name = self.random.choice(NAMES)
        expected, number = self.functions[name], self.random.randrange(1_000_000)
        shape: Shape | None = expected.one
        if shape is None:
            after = Shape("", "")
            parameters = self._new(name, number)
            return self._change(
                expected,
                replace(after, sha=_sha(zipped(number))),
                lambda: self.call("create_function", **parameters),
                lambda answer: replace(after, sha=answer["CodeSha256"]),
            )
        self._settled(name)
        kind = self.random.choice(["code", "configuration", "publish", "alias", "layers", "delete"])
        getattr(self, f"_{kind}")(name, expected, shape, number)
        return None

    def _code(self, name: str, expected: Expected, shape: Shape, number: int) -> None:
        after = replace(shape, sha=_sha(zipped(number)))
        self._change(
            expected,
            after,
            lambda: self.call("update_function_code", FunctionName=name, ZipFile=zipped(number)),
            lambda answer: replace(after, sha=answer["CodeSha256"]),
        )

    def _configuration(self, name: str, expected: Expected, shape: Shape, number: int) -> None:
        text = f"number {number}"
        self._change(
            expected,
            replace(shape, description=text),
            lambda: self.call("update_function_configuration", FunctionName=name, Description=text),
            lambda answer: replace(shape, description=answer["Description"]),
        )

    def _publish(self, name: str, expected: Expected, shape: Shape, number: int) -> None:
        """Each with a description of its own, so that it is another configuration."""
        self._configuration(name, expected, shape, number)
        self._settled(name)
        shape = expected.one
        following = str(max(map(int, shape.versions), default=0) + 1)
        after = replace(shape, versions=(*shape.versions, following))
        self._change(
            expected,
            after,
            lambda: self.call("publish_version", FunctionName=name),
            lambda answer: replace(after, versions=(*shape.versions, answer["Version"])),
        )

    def _alias(self, name: str, expected: Expected, shape: Shape, number: int) -> None:
        if not shape.versions:
            return
        alias, version, aliases = self.random.choice(ALIASES), self.random.choice(shape.versions), dict(shape.aliases)
        operation = "update_alias" if alias in aliases else "create_alias"
        after = replace(shape, aliases=tuple(sorted({**aliases, alias: version}.items())))
        self._change(
            expected,
            after,
            lambda: self.call(operation, FunctionName=name, Name=alias, FunctionVersion=version),
            lambda answer: after,
        )

    def _layers(self, name: str, expected: Expected, shape: Shape, number: int) -> None:
        """A version of the layer, or none."""
        numbers = self.layer.one
        layers = (f"{LAYER}:{self.random.choice(numbers)}",) if numbers and self.random.random() < 0.8 else ()
        after = replace(shape, layers=layers)
        update = partial(self.call, "update_function_configuration", FunctionName=name, Layers=list(layers))
        self._change(expected, after, update, lambda answer: replace(shape, layers=_layers_of(answer)))

    def _change_layer(self) -> None:
        numbers, content, name = self.layer.one, zipped(self.random.randrange(1_000_000)), {"LayerName": LAYER}
        if numbers and (len(numbers) > 20 or self.random.random() < 0.4):
            gone = self.random.choice(numbers)
            after = tuple(each for each in numbers if each != gone)
            delete = partial(self.call, "delete_layer_version", **name, VersionNumber=gone)
            return self._change(self.layer, after, delete, lambda answer: after)
        after = (*numbers, self.next_number)
        self.contents[f"{LAYER}:{self.next_number}"] = hashlib.sha256(content).hexdigest()
        publish = partial(self.call, "publish_layer_version", **name, Content={"ZipFile": content})
        self._change(self.layer, after, publish, lambda answer: (*numbers, answer["Version"]))
        self.next_number += 1
        return None

    def _delete(self, name: str, expected: Expected, shape: Shape, number: int) -> None:
        self._change(expected, None, lambda: self.call("delete_function", FunctionName=name), lambda answer: None)

    def _change_mapping(self) -> None:
        queue = self.random.choice(sorted(self.mappings))
        expected, batch = self.mappings[queue], self.random.randint(1, 10)
        mapped: Mapped | None = expected.one
        if mapped is None:
            self._change(
                expected,
                Mapped(batch),
                lambda: self.call(
                    "create_event_source_mapping", FunctionName=KEEPER, EventSourceArn=queue, BatchSize=batch
                ),
                lambda answer: Mapped(answer["BatchSize"], answer["UUID"]),
            )
            return
        which = mapped.uuid
        eventually(lambda: self.call("get_event_source_mapping", UUID=which)["State"] == "Enabled", "it is enabled")
        if self.random.random() < 0.5:
            self._change(
                expected,
                replace(mapped, batch=batch),
                lambda: self.call("update_event_source_mapping", UUID=which, BatchSize=batch),
                lambda answer: replace(mapped, batch=answer["BatchSize"]),
            )
        else:
            self._change(
                expected,
                None,
                lambda: self.call("delete_event_source_mapping", UUID=which),
                lambda answer: None,
            )
            eventually(lambda: self.found("get_event_source_mapping", UUID=which) is None, "it is gone")

    # --- what is there ----------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """What is there is what was answered; from here on it is known again. Raises Died."""
        for name, expected in self.functions.items():
            found = self._shape(name)
            assert found in expected.may, f"{name} is {found}, and may be {expected.may}\n{self.log}"
            expected.may = (found,)
        names = {each["FunctionName"] for each in self.call("list_functions")["Functions"]}
        assert names == {KEEPER, *(name for name, each in self.functions.items() if each.one)}
        versions = self.call("list_layer_versions", LayerName=LAYER)["LayerVersions"]
        numbers = tuple(sorted(each["Version"] for each in versions))
        assert numbers in self.layer.may, f"the layer has {numbers}, and may have {self.layer.may}\n{self.log}"
        self.layer.may, self.next_number = (numbers,), max(self.next_number, *(each + 1 for each in numbers), 1)
        for queue, expected in self.mappings.items():
            eventually(partial(self._is_done, queue), "its mapping is done")
            found_mapping = self._mapping(queue)
            may = {each and (each.batch, each.uuid or None) for each in expected.may}
            seen = found_mapping and (found_mapping.batch, found_mapping.uuid)
            assert seen in may or (seen and (seen[0], None) in may), f"{queue} has {seen}, and may have {may}"
            expected.may = (found_mapping,)

    def _shape(self, name: str) -> Shape | None:
        if self.found("get_function", FunctionName=name) is None:
            return None
        about = self._settled(name)
        versions = self.call("list_versions_by_function", FunctionName=name)["Versions"]
        aliases = self.call("list_aliases", FunctionName=name)["Aliases"]
        return Shape(
            about["CodeSha256"],
            about["Description"],
            tuple(each["Version"] for each in versions if each["Version"] != "$LATEST"),
            tuple(sorted((each["Name"], each["FunctionVersion"]) for each in aliases)),
            _layers_of(about),
        )

    def _listed(self, queue: str) -> list[Any]:
        found: list[Any] = self.call("list_event_source_mappings", EventSourceArn=queue)["EventSourceMappings"]
        return found

    def _is_done(self, queue: str) -> bool:
        return all(each["State"] in ("Enabled", "Disabled") for each in self._listed(queue))

    def _mapping(self, queue: str) -> Mapped | None:
        found = self._listed(queue)
        assert len(found) < 2, found
        return Mapped(found[0]["BatchSize"], found[0]["UUID"]) if found else None

    # --- what is left over ------------------------------------------------------------------------------------------

    def code(self) -> set[str]:
        """The hashes of the packages of all versions, of functions and of the layer."""
        every = self.call("list_functions", FunctionVersion="ALL")["Functions"]
        layers = {f"{LAYER}:{number}" for number in self.layer.one}.union(*map(_layers_of, every))
        return {base64.b64decode(each["CodeSha256"]).hex() for each in every} | {self.contents[arn] for arn in layers}

    def left_over(self, code: set[str]) -> list[str]:
        """Files below the state directory that are nobody's, of a daemon that ended. Half of anything is one."""
        packages = {path.name.removesuffix(".zip") for path in (self.state / "code").iterdir()} - {".boot"}
        temporary = [
            *self.state.glob("functions/tmp/*"),
            *(each for each in self.state.rglob("*") if ".new" in each.name),
        ]
        return sorted([*(packages - code), *map(str, temporary)])


def _layers_of(configuration: Any) -> tuple[str, ...]:
    return tuple(each["Arn"] for each in configuration.get("Layers", ()))


def _sha(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
