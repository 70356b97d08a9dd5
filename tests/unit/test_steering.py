"""`/v1`: what is shown, and who may pull a lever."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import orjson
import pytest
from anyio import to_thread

from headrace.config.errors import HeadraceError
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import DELIVERED, FILTERED, Attempt, Failure, FunctionFailed, Lane, Record, Settlement
from headrace.dispatch.core.pages import Records
from headrace.service.api import filter_trials
from headrace.service.cli.verbs import explain, positions_asked
from headrace.service.cli.verbs.asking import ask, pull
from headrace.service.cli.verbs.explain import record_of
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.core.tap import TapLines
from headrace.service.telemetry.function_lines import FUNCTIONS, LAST, LinesOfFunctions
from headrace.service.telemetry.sight import Sight
from headrace.service.wiring.exits import UsageError
from support.steering_desk import TOKEN, Desk, desk

SHARD = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-0")


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


@pytest.mark.semantics("SEE-30")
async def test_with_payloads_a_record_is_explained_by_what_each_filter_says_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sight = Sight(lambda: Instant(100.0, 1000.0), payloads=True)
    queue = Lane("arn:aws:sqs:us-east-1:000000000000:orders")
    item = {"messageId": "7", "body": '{"type": "bill"}', "eventSource": "aws:sqs"}
    refused = Records.of([Record(queue, "7", item, 0.0)])
    async with desk(sight=sight) as found:
        found.shown.names = ("orders", "bills")
        for name in found.shown.names:
            sight.observe(seen.Filtered(name, refused))
            sight.observe(seen.Settled(name, (Settlement(refused, FILTERED),)))
        orders, bills = (await found.get("/v1/explain?id=7"))[1]["mappings"]
        assert orders["record"] == bills["record"] == item
        (said,) = orders["filters"]
        assert (said["matched"], said["path"]) == (False, "body.type")
        assert '"bill"' in said["reason"]
        assert bills["filters"] == []  # its mapping is gone
        assert await to_thread.run_sync(explained, found.url, "7") == 0
        assert f"filter 0: no: {said['reason']}" in capsys.readouterr().out


@pytest.mark.semantics("SEE-30")
def test_of_a_record_whose_data_are_something_else_by_now_no_filter_says_anything() -> None:
    stream = EventSourceMapping(
        name="s",
        source=SHARD.source,
        function="f",
        starting_position="LATEST",
        filter_criteria={"filters": [{"pattern": '{"data": {"type": ["order"]}}'}]},
    )
    item = {"eventSource": "aws:kinesis", "eventID": "s:7", "kinesis": {"data": {"decoded": "by a schema"}}}
    assert filter_trials.of_mapping(stream, json.dumps(item).encode()) == []


def explained(url: str, record: str) -> int:
    return explain.run(Namespace(url=url, record=record, mapping="orders", output="table"), ())


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
            for name in ("limit", "ids"):
                assert (await found.get(f"/v1/mappings/uuid/journal?{name}={limit}"))[0] == 400


@pytest.mark.semantics("STEER-33")
@pytest.mark.parametrize(
    ("query", "whats"),
    [
        ("search=VALUEERROR", ["invoked"]),
        ("search=shardid-0", ["delivered", "invoked"]),
        ("search=request-1", ["invoked"]),
        ("search=9", ["delivered"]),
        ("search=9&failed=1", []),
        ("failed=1", ["invoked"]),
        ("search=nothing", []),
    ],
)
async def test_the_journal_is_searched_by_any_text(query: str, whats: list[str]) -> None:
    async with desk() as found:
        told(found.sight)
        entries = (await found.get(f"/v1/mappings/uuid/journal?{query}&ids=2"))[1]["entries"]
        assert sorted(each["what"] for each in entries) == whats
        assert all(len(each["ids"]) == min(2, each["records"]) for each in entries)


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


@pytest.mark.semantics("STEER-10", "STEER-12")
async def test_positions_are_seen_by_all_and_moved_with_the_token() -> None:
    async with desk() as found:
        where = "/v1/mappings/uuid/positions"
        assert (await found.get(where))[1]["positions"][0]["shard"] == "s"
        assert (await found.get("/v1/mappings/x/positions"))[0] == 404
        body = b'{"lane": "s", "to": "LATEST"}'
        assert (await found.post(f"{where}/set", data=body))[0] == 403
        token = await found.token()
        code, answer = await found.post(f"{where}/set", token, body)
        assert (code, answer["in_flight"][0]["first"]) == (200, "7")
        assert (await found.post(f"{where}/skip", token, b'{"lane": "s", "record": "7"}'))[0] == 200
        assert (await found.post(f"{where}/remove", token))[0] == 200
        assert found.moves.made == [
            ("put", "a b/c", "s", "LATEST"),
            ("skip", "a b/c", "s", "7"),
            ("remove", "a b/c"),
        ]
        for wrong in (b"{", b"[]", b'{"lane": 7}', b'{"shard": "s"}'):
            assert (await found.post(f"{where}/set", token, wrong))[0] == 400
        assert (await found.post(f"{where}/explode", token))[0] == 404
        assert len(found.moves.made) == 3


@pytest.mark.semantics("RELOAD-02", "RELOAD-06")
async def test_a_reload_is_a_lever_and_says_what_changed_or_why_nothing_did() -> None:
    async with desk() as found:
        assert (await found.post("/v1/reload"))[0] == 403
        token = await found.token()
        code, answer = await found.post("/v1/reload", token)
        assert (code, found.reloads.times) == (200, 1)
        assert answer["mappings"] == {"added": ["new"], "removed": [], "changed": [], "kept": 1}
        assert answer["text"] == "mappings 1 added, 1 kept; functions none"
        found.reloads.refused = "line 3 is wrong"
        code, answer = await found.post("/v1/reload", token)
        assert (code, answer["error"]) == (400, "line 3 is wrong")
        assert (await found.get("/status"))[1]["configuration"]["trouble"] == "line 3 is wrong"


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


@pytest.mark.semantics("STEER-34")
async def test_what_a_foreign_page_only_embeds_is_refused_and_a_link_to_the_page_is_not() -> None:
    """An image, a script or a frame sends no Origin; what browsers send of themselves tells them."""
    opened = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    framed = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    embedded = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    async with desk() as found:
        for more in ({}, opened, framed, embedded):
            for path in ("/v1/token", "/v1/mappings", "/v1/tap", "/v1/logs?follow=1"):
                assert (await found.get(path, {"Sec-Fetch-Site": "cross-site", **more}))[0] == 403, (path, more)
            async with found.session.get("/", headers={"Sec-Fetch-Site": "cross-site", **more}) as answer:
                assert answer.status == (200 if more is opened else 403), more
        for site in ("same-origin", "none"):
            assert (await found.get("/v1/token", {"Sec-Fetch-Site": site}))[0] == 200


@pytest.mark.semantics("STEER-32")
async def test_the_daemon_as_a_whole_is_told_in_little() -> None:
    async with desk() as found:
        told = (await found.get("/v1/daemon"))[1]
        assert told.pop("since") > 0
        assert told.pop("version")
        assert told.pop("configuration") == (await found.get("/status"))[1]["configuration"]
        assert told == {"ready": True, "polling": True, "reasons": [], "levers": ["pause", "resume", "retry", "skip"]}


@pytest.mark.semantics("STEER-30")
async def test_histories_of_those_that_are_named() -> None:
    async with desk() as found:
        told(found.sight)
        answer = (await found.get("/v1/history?mapping=a%20b/c&mapping=x&points=60"))[1]
        assert answer["step"] == 60.0
        assert list(answer["mappings"]) == ["a b/c"]
        assert answer["mappings"]["a b/c"]["delivered"] == []
        names = "&".join(f"mapping={number}" for number in range(201))
        for query in ("", "?points=5", f"?{names}", "?mapping=x&points=361", "?mapping=x&points=0"):
            assert (await found.get(f"/v1/history{query}"))[0] == 400


@pytest.mark.semantics("STEER-31")
@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (
            {"mapping": "orders", "record": {"messageId": "1", "body": '{"type": "order"}', "eventSource": "aws:sqs"}},
            [True],
        ),
        ({"mapping": "orders", "record": '{"type": "other"}', "as_body": True}, [False]),
        ({"mapping": "orders", "patterns": [], "record": "x"}, [True]),
        ({"mapping": "orders"}, []),
        ({"source": "kafka", "patterns": ['{"value": ["x"]}'], "record": "x"}, [True]),
    ],
)
async def test_a_filter_is_tried(asked: dict[str, Any], kept: list[bool]) -> None:
    async with desk() as found:
        code, answer = await found.post("/v1/filter", await found.token(), json.dumps(asked).encode())
        assert (code, [trial["kept"] for trial in answer["trials"]]) == (200, kept)


@pytest.mark.semantics("STEER-31")
async def test_a_filter_that_is_tried_is_explained() -> None:
    async with desk() as found:
        token = await found.token()

        async def tried(**asked: object) -> tuple[int, Any]:
            return await found.post("/v1/filter", token, json.dumps(asked).encode())

        answer = (await tried(mapping="orders", record='{"type": "x"}'))[1]
        assert answer["patterns"] == [{"body": {"type": ["order"]}}]
        ((filtered,),) = [trial["filters"] for trial in answer["trials"]]
        assert (filtered["matched"], filtered["path"], '"x"' in filtered["reason"]) == (False, "body.type", True)
        answer = (await tried(source="sqs", patterns=[{"body": [{"prefix": 3}]}], record="x"))[1]
        assert (answer["trials"], answer["problems"][0]["path"]) == ([], "[0].body[0].prefix")
        answer = (await tried(source="sqs", patterns=["{"], record="x"))[1]
        assert answer["problems"]
        answer = (await tried(source="dynamodb", patterns=[{"eventName": ["insert"]}]))[1]
        assert answer["notes"][0]["fatal"]
        assert (await tried(mapping="x"))[0] == 404
        for asked in (
            {},
            {"source": "x"},
            {"source": "sqs", "patterns": "x"},
            {"source": "sqs", "patterns": ["{}"] * 11},
        ):
            assert (await tried(**asked))[0] == 400
        assert (await tried(source="kinesis", record={"eventSource": "aws:kinesis"}))[0] == 400
        assert (await found.post("/v1/filter", token, b"["))[0] == 400
        assert (await found.post("/v1/filter", token, b"[]"))[0] == 400
        assert (await found.post("/v1/filter", {}, b"{}"))[0] == 403
        assert (await tried(source="sqs", record="x" * 900_000))[0] == 200
        assert (await tried(source="sqs", record="x" * 1_000_000))[0] == 400


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


@pytest.mark.semantics("STEER-14")
async def test_a_mapping_whose_source_is_away_hides_no_other_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    async with desk() as found:
        url = str(found.session._base_url).rstrip("/")
        listing = Namespace(positions_verb=None, output="table")
        await to_thread.run_sync(positions_asked.run, url, listing)
        assert "a b/c" in capsys.readouterr().out
        found.moves.away = "the brokers are away"
        await to_thread.run_sync(positions_asked.run, url, listing)
        said = capsys.readouterr()
        assert "a b/c: the brokers are away" in said.err
        assert said.out.splitlines()[0].startswith("MAPPING")
        move = Namespace(positions_verb="set", mapping="uuid", lane="s", to="LATEST")
        await to_thread.run_sync(positions_asked.run, url, move)
        assert capsys.readouterr().out.startswith("a b/c goes on there; 1 record in flight ended first")
        with pytest.raises(UsageError, match="name no SOURCE"):
            await to_thread.run_sync(positions_asked.run, url, Namespace(positions_verb="remove", source="arn"))
