"""`/v1`: what is shown, and who may pull a lever."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from anyio import to_thread

from headrace.config.clock import SystemClock
from headrace.config.durable.faults import StoreUnavailable
from headrace.config.errors import HeadraceError
from headrace.config.settings import Address
from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import DELIVERED, FILTERED, Attempt, Failure, FunctionFailed, Lane, Record, Settlement
from headrace.dispatch.core.pages import Records
from headrace.service.api.core.access import ApiAccess
from headrace.service.api.server import address_of, bind, serving
from headrace.service.api.steering import Outlook, Steering
from headrace.service.cli.verbs.asking import ask, pull
from headrace.service.cli.verbs.explain import record_of
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.core.tap import TapLines
from headrace.service.telemetry.function_lines import FUNCTIONS, LAST, LinesOfFunctions
from headrace.service.telemetry.sight import Sight
from headrace.service.telemetry.taps import Taps
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness

SHARD = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-0")
TOKEN = "X-Headrace-Token"


class Shown:
    def readiness(self) -> Readiness:
        return Readiness(ready=True, polling=True)

    def mappings(self) -> tuple[MappingView, ...]:
        return (MappingView("a b/c", "uuid", "arn", "kinesis", "f", "polling", None, 1, {}),)

    def functions(self) -> tuple[FunctionView, ...]:
        return (FunctionView("f", "a function", up=True, cause=None, in_flight=0, limit=None),)


@dataclass
class Levers:
    pulled: list[tuple[str, str]] = field(default_factory=list)
    full: bool = False

    async def pause(self, name: str) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.pulled.append(("pause", name))

    async def resume(self, name: str) -> None:
        self.pulled.append(("resume", name))

    async def retry(self, name: str) -> None:
        self.pulled.append(("retry", name))


@dataclass
class Desk:
    """A daemon's /v1, as a client sees it."""

    session: aiohttp.ClientSession
    sight: Sight
    levers: Levers
    taps: Taps
    lines: LinesOfFunctions

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        async with self.session.get(path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, headers: Mapping[str, str] | None = None, data: bytes = b"") -> tuple[int, Any]:
        async with self.session.post(path, headers=headers, data=data) as answer:
            return answer.status, await answer.json()

    async def token(self) -> dict[str, str]:
        return {TOKEN: (await self.get("/v1/token"))[1]["token"]}


@asynccontextmanager
async def desk(host: str = "127.0.0.1", keys: Mapping[str, str] | None = None) -> AsyncIterator[Desk]:
    """`host`: where it believes to listen. `keys`: secrets by id."""

    async def no_metrics() -> bytes:
        return b""

    sight, levers = Sight(lambda: Instant(100.0, 1000.0)), Levers()
    taps, lines = Taps(lambda: 1000.0), LinesOfFunctions(lambda: 1000.0)
    steering = Steering(Shown(), Outlook(sight, taps, lines), levers, ApiAccess(host, (), keys or {}), SystemClock())
    listener = bind(Address("127.0.0.1", 0))
    try:
        async with (
            serving(listener, Shown(), no_metrics, steering=steering),
            aiohttp.ClientSession(f"http://{address_of(listener)}") as session,
        ):
            yield Desk(session, sight, levers, taps, lines)
    finally:
        listener.close()


def told(sight: Sight) -> None:
    batch = Records.of(Record(SHARD, str(number), {}, 0.0) for number in range(3))
    error = FunctionFailed(Attempt("request-1", 0.0, 1.0), Failure.ERROR, "ValueError: no")
    sight.observe(seen.Invoked("a b/c", "f", batch, error, 0.25))
    sight.observe(seen.Retrying("a b/c", batch, 1, 8.0))
    sight.observe(seen.Settled("a b/c", (Settlement(Records.of([Record(SHARD, "9", {}, 0.0)]), DELIVERED),)))


@pytest.mark.semantics("STEER-01")
async def test_mappings_and_functions_are_those_of_the_status() -> None:
    async with desk() as found:
        status = (await found.get("/status"))[1]
        assert (await found.get("/v1/mappings"))[1]["mappings"] == status["mappings"]
        assert (await found.get("/v1/functions"))[1]["functions"] == status["functions"]
        for name in ("a%20b%2Fc", "uuid"):
            assert await found.get(f"/v1/mappings/{name}") == (200, status["mappings"][0])
        code, refusal = await found.get("/v1/mappings/x")
        assert (code, refusal["code"]) == (404, "ResourceNotFoundException")


@pytest.mark.semantics("SEE-04")
async def test_a_record_is_explained_with_attempts_errors_and_what_comes_next() -> None:
    async with desk() as found:
        told(found.sight)
        (known,) = (await found.get("/v1/explain?id=0"))[1]["mappings"]
        (entry,) = known["life"]
        assert (entry["what"], entry["detail"], entry["error"]) == ("invoked", "error", "ValueError: no")
        assert (entry["request_id"], entry["records"], entry["seconds"]) == ("request-1", 3, 0.25)
        assert known["retrying"][0]["next_in"] == 8.0
        (known,) = (await found.get("/v1/explain?id=9&mapping=a%20b/c"))[1]["mappings"]
        assert [each["what"] for each in known["life"]] == ["delivered"]
        assert (await found.get("/v1/explain?id=9&mapping=other"))[1]["mappings"] == []
        assert (await found.get("/v1/explain"))[0] == 400


@pytest.mark.semantics("SEE-04")
async def test_the_journal_is_bounded_in_an_answer_and_can_be_searched() -> None:
    async with desk() as found:
        assert (await found.get("/v1/mappings/uuid/journal"))[1]["entries"] == []
        told(found.sight)
        entries = (await found.get("/v1/mappings/uuid/journal"))[1]["entries"]
        assert sorted(each["what"] for each in entries) == ["delivered", "invoked"]
        (entry,) = (await found.get("/v1/mappings/uuid/journal?fate=delivered&id=9&limit=1"))[1]["entries"]
        assert entry["ids"] == ["9"]
        for limit in ("0", "1001", "x"):
            assert (await found.get(f"/v1/mappings/uuid/journal?limit={limit}"))[0] == 400


@pytest.mark.semantics("STEER-02")
async def test_a_lever_wants_the_token() -> None:
    async with desk() as found:
        token = await found.token()
        for headers in ({}, {TOKEN: "x"}, {TOKEN: "é"}):
            code, refusal = await found.post("/v1/mappings/uuid/pause", headers)
            assert (code, TOKEN in refusal["error"]) == (403, True)
        assert found.levers.pulled == []
        assert (await found.post("/v1/mappings/uuid/pause", token))[0] == 200
        assert (await found.post("/v1/mappings/a%20b%2Fc/resume", token))[0] == 200
        assert found.levers.pulled == [("pause", "a b/c"), ("resume", "a b/c")]
        assert (await found.post("/v1/mappings/x/pause", token))[0] == 404
        assert (await found.post("/v1/mappings/uuid/explode", token))[0] == 404
        assert (await found.post("/v1/mappings/uuid/pause", token, b"x" * 100_000))[0] == 400
        found.levers.full = True
        code, refusal = await found.post("/v1/mappings/uuid/pause", token)
        assert (code, refusal["error"]) == (500, "the disk is full")


@pytest.mark.semantics("STEER-02")
@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
async def test_a_foreign_page_gets_no_token_sees_nothing_and_pulls_nothing(headers: dict[str, str]) -> None:
    """A form or a script of its own sends its Origin; a name of its own that leads here is in Host."""
    async with desk() as found:
        token = await found.token()
        for path in ("/v1/token", "/v1/mappings", "/v1/explain?id=1"):
            code, refusal = await found.get(path, headers)
            assert (code, refusal["code"]) == (403, "AccessDeniedException")
        assert (await found.post("/v1/mappings/uuid/pause", {**token, **headers}))[0] == 403
        assert found.levers.pulled == []
        async with found.session.get("/v1/token") as answer:  # nor does any answer let another origin read it
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.semantics("STEER-02")
async def test_beyond_this_machine_everything_is_closed_without_keys() -> None:
    async with desk("0.0.0.0") as found:
        for path in ("/v1/token", "/v1/mappings"):
            code, refusal = await found.get(path)
            assert (code, "api.access_keys" in refusal["error"]) == (403, True)
        assert (await found.get("/status"))[0] == 200


@pytest.mark.semantics("STEER-02")
async def test_beyond_this_machine_verbs_sign_with_the_keys_of_their_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk("0.0.0.0", {"KEYID": "secret"}) as found:
        url = str(found.session._base_url).rstrip("/")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEYID")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(HeadraceError, match="signature"):
            await to_thread.run_sync(pull, url, "/v1/mappings/uuid/pause")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert (await to_thread.run_sync(pull, url, "/v1/mappings/uuid/pause"))["name"] == "a b/c"
        assert found.levers.pulled == [("pause", "a b/c")]
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(HeadraceError):
            await to_thread.run_sync(ask, url, "/v1/mappings")


async def test_what_is_no_daemon_is_told() -> None:
    async with desk() as found:
        url = str(found.session._base_url).rstrip("/")
        with pytest.raises(HeadraceError, match="is not a Headrace daemon"):
            await to_thread.run_sync(ask, url, "/metrics")
        with pytest.raises(HeadraceError, match="is not an address of a daemon"):
            await to_thread.run_sync(ask, "localhost", "/v1/mappings")


@pytest.mark.parametrize(
    ("given", "record"), [("orders/0/15", "orders-0@15"), ("a/b/1/2", "a/b-1@2"), ("4956", "4956"), ("a/b", "a/b")]
)
def test_a_record_of_a_topic_can_be_named_by_its_place(given: str, record: str) -> None:
    assert record_of(given) == record


def passing(found: Desk, count: int, data: str = "x", mapping: str = "m") -> None:
    batch = Records.of(Record(SHARD, str(number), {"data": data}, 0.0) for number in range(count))
    found.taps.observe(seen.Settled(mapping, (Settlement(batch, DELIVERED), Settlement(batch[:1], FILTERED))))


@pytest.mark.semantics("SEE-05")
async def test_records_are_seen_as_they_pass() -> None:
    async with desk() as found:
        wish = "mapping=m&fate=delivered&where=y&payload=1"
        async with found.session.get(f"/v1/tap?{wish}") as answer:
            assert answer.headers["Content-Type"].startswith("application/x-ndjson")
            passing(found, 1, "x")
            passing(found, 1, "y", "other")
            passing(found, 1, "y")
            line = json.loads(await answer.content.readline())
        assert line == {
            "at": 1000.0,
            "mapping": "m",
            "fate": "delivered",
            "reason": "",
            "id": "0",
            "lane": "shardId-0",
            "record": {"data": "y"},
        }
        async with found.session.get("/v1/tap", headers={"Origin": "https://evil.example"}) as answer:
            assert answer.status == 403


@pytest.mark.semantics("SEE-05")
async def test_who_does_not_read_misses_lines_is_told_and_holds_up_nobody() -> None:
    async with desk() as found, found.session.get("/v1/tap?fate=delivered") as answer:
        for _ in range(10):
            passing(found, 1000)  # returns although nobody reads: nothing of it waits
        lines, missed = 0, 0
        while lines + missed < 10_000:
            line = json.loads(await answer.content.readline())
            missed += line.get("missed", 0)
            lines += "missed" not in line
        assert (lines, missed) == (2000, 8000)
        passing(found, 1)
        assert json.loads(await answer.content.readline())["id"] == "0"


@pytest.mark.semantics("SEE-05")
def test_what_waits_for_a_reader_is_bounded_in_bytes_too() -> None:
    lines = TapLines(most_lines=10, most_bytes=100)
    for _ in range(3):
        lines.put(b"x" * 40)
    assert lines.full
    assert lines.take() == ([b"x" * 40] * 2, 1)
    lines.put(b"y")
    assert lines.take() == ([b"y"], 0)


@pytest.mark.semantics("SEE-06")
async def test_the_last_lines_of_a_function_are_there_and_those_that_come() -> None:
    async with desk() as found:

        def prints(function: str, line: str, stream: str = "stdout") -> None:
            found.lines.observe(seen.FunctionLog(function, "request-1", line, stream))

        for number in range(LAST + 1):
            prints("f", f"line {number}\n")
        prints("f", "REPORT", "platform")
        prints("g", "of another")
        async with found.session.get("/v1/logs?function=f") as answer:
            lines = [json.loads(line)["line"] async for line in answer.content]
        assert (len(lines), set(lines)) == (LAST, {f"line {number}" for number in range(1, LAST + 1)})
        async with found.session.get("/v1/logs?function=f&platform=1&follow=1") as answer:
            first = [json.loads(await answer.content.readline())["line"] for _ in range(LAST + 1)]
            assert "REPORT" in first
            prints("g", "of another")
            prints("f", "new")
            line = json.loads(await answer.content.readline())
        assert line == {"at": 1000.0, "function": "f", "request_id": "request-1", "stream": "stdout", "line": "new"}
        async with found.session.get("/v1/logs") as answer:
            functions = {json.loads(line)["function"] async for line in answer.content}
        assert functions == {"f", "g"}
        for number in range(FUNCTIONS + 1):
            prints(f"f{number}", "x")
        async with found.session.get("/v1/logs?function=g") as answer:
            assert await answer.read() == b""


@pytest.mark.semantics("SEE-32")
def test_who_follows_lines_and_does_not_read_is_told_how_many_were_missed() -> None:
    lines = LinesOfFunctions(lambda: 1.0)
    with lines.open("f", platform=False) as reading:
        for number in range(5000):
            lines.observe(seen.FunctionLog("f", "request", str(number), "stdout"))
        taken = [orjson.loads(line) for line in reading.take().splitlines()]
        assert taken[-1] == {"missed": 3000}
        assert [each["line"] for each in taken[:-1]] == list(map(str, range(2000)))
        lines.observe(seen.FunctionLog("f", "request", "next", "stdout"))
        assert [orjson.loads(line)["line"] for line in reading.take().splitlines()] == ["next"]
