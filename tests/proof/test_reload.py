"""The configuration is edited a hundred times under load, at random, and read again each time: no record is lost, and
what a stream has comes in its order."""

from __future__ import annotations

import base64
import copy
import json
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.counts import count
from support.servers.running import Server
from support.streams import Streams

EDITS = count(20, 100)
TOKEN = "X-Headrace-Token"

Config = dict[str, Any]


@dataclass
class Sources:
    """Queues and streams, and all that was sent to each."""

    streams: Streams
    sent: dict[str, list[str]] = field(default_factory=dict)
    """By ARN."""
    _senders: dict[str, Callable[[str], object]] = field(default_factory=dict)

    def queue(self) -> str:
        name = self.streams.queues.create(VisibilityTimeout="2")
        return self._added(self.streams.queues.arn(name), lambda data: self.streams.queues.send(name, data))

    def stream(self) -> str:
        name = self.streams.create()
        return self._added(self.streams.arn(name), lambda data: self.streams.put(name, data))

    def _added(self, arn: str, send: Callable[[str], object]) -> str:
        self.sent[arn], self._senders[arn] = [], send
        return arn

    @contextmanager
    def load(self) -> Iterator[None]:
        """Records come, one after the other, to every source in turn, as long as the block runs."""
        over = threading.Event()

        def produce() -> None:
            number = 0
            while not over.wait(0.02):
                arn = list(self.sent)[number % len(self.sent)]
                self._senders[arn](f"{number}")
                self.sent[arn].append(f"{number}")
                number += 1

        producer = threading.Thread(target=produce)
        producer.start()
        try:
            yield
        finally:
            over.set()
            producer.join()


class Taken:
    """What functions took, by source."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.by_source: dict[str, list[str]] = {}

    def __call__(self, event: dict[str, Any]) -> object:
        time.sleep(self._chance.random() * 0.2)
        if self._chance.random() < 0.05:
            raise ValueError("now and then it fails")
        for record in event["Records"]:
            arn = record.get("eventSourceARN")
            data = record["body"] if "body" in record else json.loads(base64.b64decode(record["kinesis"]["data"]))
            self.by_source.setdefault(arn, []).append(data)
        return {}

    def first(self, arn: str) -> list[str]:
        """In the order in which each was taken first."""
        return list(dict.fromkeys(self.by_source.get(arn, ())))


class Editor:
    """A file that somebody edits, one random thing at a time."""

    def __init__(self, file: Path, whole: Config, chance: random.Random) -> None:
        self._file = file
        self.whole = whole
        self._now = copy.deepcopy(whole)
        self._chance = chance
        self._names = 0

    def edit(self) -> None:
        name = self._chance.choice(list(self._now["mappings"]) or [""])
        edits = [self._add_all, self._break]
        if name:
            edits += [self._resize, self._remove, self._rename, self._switch, self._send_elsewhere, self._tune]
        self._chance.choice(edits)(name)

    def _resize(self, name: str) -> None:
        self._now["mappings"][name]["batch_size"] = self._chance.randint(1, 10)
        self.write()

    def _remove(self, name: str) -> None:
        del self._now["mappings"][name]
        self.write()

    def _rename(self, name: str) -> None:
        self._names += 1
        self._now["mappings"][f"renamed-{self._names}"] = self._now["mappings"].pop(name)
        self.write()

    def _switch(self, name: str) -> None:
        self._now["mappings"][name]["enabled"] = self._chance.random() < 0.5
        self.write()

    def _send_elsewhere(self, name: str) -> None:
        self._now["mappings"][name]["function"] = self._chance.choice(["f", "g"])
        self.write()

    def _tune(self, name: str) -> None:
        function = self._now["functions"][self._now["mappings"][name]["function"]]
        function["concurrency"] = self._chance.randint(1, 5)
        self.write()

    def _add_all(self, name: str) -> None:
        self._now = copy.deepcopy(self.whole)
        self.write()

    def _break(self, name: str) -> None:
        self._file.write_text(json.dumps(self._now)[: self._chance.randint(0, 200)])

    def write(self) -> None:
        fresh = self._file.with_name("new")
        fresh.write_text(json.dumps(self._now))
        fresh.rename(self._file)

    def restore(self) -> None:
        self._add_all("")


def reload(daemon: daemons.Daemon, chance: random.Random) -> None:
    """By a signal, or by the API; several may come before one is done."""
    if chance.random() < 0.5:
        daemon.signal(signal.SIGHUP)
        time.sleep(chance.random() * 0.3)
        return
    token = json.loads(daemon.get("/v1/token")[1])["token"]
    request = urllib.request.Request(f"{daemon.url}/v1/reload", method="POST", data=b"", headers={TOKEN: token})
    try:
        urllib.request.urlopen(request, timeout=daemons.PATIENCE).close()
    except urllib.error.HTTPError as refusal:
        assert refusal.code == 400, refusal.read()  # noqa: PT017 - a broken file is refused, and nothing else
        refusal.close()


@pytest.mark.semantics("RELOAD-01", "RELOAD-03", "RELOAD-04", "RELOAD-06")
@pytest.mark.parametrize("seed", range(count(1, 3)))
def test_random_edits_under_load_lose_nothing(seed: int, ministack: Server, tmp_path: Path) -> None:
    chance = random.Random(seed)
    sources, taken = Sources(Streams(ministack.endpoint_url)), Taken(chance)
    arns = [*(sources.queue() for _ in range(3)), *(sources.stream() for _ in range(3))]
    with daemons.function(taken) as one, daemons.function(taken) as other:
        mappings = {
            f"m{number}": {
                "source": arn,
                "function": chance.choice(["f", "g"]),
                "uuid": f"00000000-0000-4000-8000-{number:0>12}",
                **({"starting_position": "TRIM_HORIZON"} if ":kinesis:" in arn else {}),
            }
            for number, arn in enumerate(arns)
        }
        functions = {name: {"http": each.url, "timeout": 60} for name, each in (("f", one), ("g", other))}
        file = daemons.write_config(tmp_path, ministack.endpoint_url, "", mappings, functions=functions)
        editor = Editor(file, json.loads(file.read_text()), chance)
        with daemons.running(str(file), cwd=tmp_path) as daemon:
            daemon.ready()
            with sources.load():
                for _ in range(EDITS):
                    editor.edit()
                    reload(daemon, chance)
            editor.restore()
            daemon.signal(signal.SIGHUP)
            daemon.wait_until(lambda: all(set(taken.first(arn)) >= set(sources.sent[arn]) for arn in arns))
            assert daemon.logged("fault") == []
            daemon.wait_until(lambda: {each["state"] for each in daemon.status()["mappings"]} == {"polling"})
            assert daemon.stop() == 0
    for arn in arns:
        assert len(sources.sent[arn]) >= EDITS / 10
        if ":kinesis:" in arn:
            assert taken.first(arn) == sources.sent[arn]
    sources.streams.close()
