"""The lean client: its requests against botocore's own, and what becomes of every answer that a server can give."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiobotocore.credentials import AioRefreshableCredentials
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError
from hypothesis import given
from hypothesis import strategies as st

from headrace.config.clients import faults
from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clients.lean.client import LeanClient, invocation_target
from headrace.config.clients.lean.connection import HEAD_MOST
from headrace.config.clients.lean.core.requests import RequestWriter
from headrace.config.clients.lean.core.signing import Signer, SigningKeys
from headrace.config.errors import SourceError, SourceMissing, SourceRefused, SourceUnavailable
from support.certificates import Authority
from support.hostile_http import Script, answer, half_closed, reset, sending, serving, silent

STAMP = "20260131T235959Z"
SHORT = 0.3
"""Seconds that stand for the many that a silent server is given."""


# --- requests ---------------------------------------------------------------------------------------------------------


@given(
    path=st.sampled_from(
        ["/", invocation_target("orders", None), invocation_target("arn:aws:lambda:x:1:function:é f", "a~b$")]
    ),
    prefix=st.sampled_from(["", "/base/path", "/with%20space"]),
    body=st.binary(max_size=50),
    token=st.none() | st.text("abc/+=", min_size=1),
    secret=st.text("abcXYZ/+0", min_size=1),
    day=st.sampled_from(["20260131", "20251231"]),
)
def test_a_signature_is_the_one_that_botocore_makes(
    path: str, prefix: str, body: bytes, token: str | None, secret: str, day: str
) -> None:
    stamp = f"{day}T010203Z"
    writer = RequestWriter.to(f"http://localhost:4566{prefix}", "agent", Signer("sqs", "eu-west-1"))
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ReceiveMessage"}
    sent = writer.post(path, headers, body, SigningKeys("AKID", secret, token), stamp)
    head, _, rest = sent.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    told = dict(line.split(": ", 1) for line in lines)
    assert rest == body
    assert told["Content-Length"] == str(len(body))
    method, target, version = first.split(" ")
    assert (method, version) == ("POST", "HTTP/1.1")
    request = AWSRequest("POST", f"http://localhost:4566{target}", headers, body)
    request.context["timestamp"] = stamp
    auth = SigV4Auth(Credentials("AKID", secret, token), "sqs", "eu-west-1")
    request.headers["X-Amz-Date"] = stamp
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["Host"] = "localhost:4566"
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    assert told["Authorization"].endswith(f"Signature={signature}")


def test_the_days_key_follows_secret_and_day() -> None:
    signer = Signer("sqs", "us-east-1")

    def signed(secret: str, stamp: str) -> str:
        return signer.authorization(SigningKeys("A", secret), "POST", "/", {"host": "h"}, b"", stamp)

    first = signed("one", STAMP)
    assert signed("two", STAMP) != first
    assert signed("one", "20260201T000000Z") != first
    assert signed("one", STAMP) == first


def test_a_header_that_would_be_two_is_refused() -> None:
    writer = RequestWriter.to("http://h", "agent", Signer("lambda", "us-east-1"))
    for value in ("a\r\nX: y", "a\nb", "a\rb"):
        with pytest.raises(ValueError, match="end of a line"):
            writer.post("/", {"X-Amzn-Trace-Id": value}, b"", SigningKeys("A", "s"), STAMP)


@pytest.mark.parametrize(
    ("endpoint", "host", "path"),
    [
        ("http://localhost:4566", "localhost:4566", ""),
        ("https://sqs.example:443/", "sqs.example", ""),
        ("http://[::1]:9324/base/", "[::1]:9324", "/base"),
        ("http://user@host:80", "host", ""),
    ],
)
def test_the_host_is_as_clients_write_it(endpoint: str, host: str, path: str) -> None:
    writer = RequestWriter.to(endpoint, "agent", Signer("sqs", "us-east-1"))
    assert (writer.host, writer.path) == (host, path)


# --- answers ----------------------------------------------------------------------------------------------------------


def message(body: str = "hello", **more: object) -> dict[str, object]:
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return {"MessageId": "m", "ReceiptHandle": "r", "Body": body, "MD5OfBody": digest, **more}


def refusal(status: int, code: str, *headers: str) -> bytes:
    return answer(json.dumps({"__type": f"com.amazonaws#{code}", "message": "no"}), f"{status} X", *headers)


@asynccontextmanager
async def client(port: int, service: str = "sqs", **settings: Any) -> AsyncIterator[LeanClient]:
    given: dict[str, Any] = {
        "read_timeout": SHORT,
        "connect_timeout": 2.0,
        "endpoint_url": f"http://127.0.0.1:{port}",
    } | settings
    async with Clients(AwsSettings(region="us-east-1", **given)) as clients:
        made = await clients.get(service)
        assert isinstance(made, LeanClient)
        yield made


async def received(lean: LeanClient) -> Any:
    return await lean.receive_message(QueueUrl="http://q/1/orders", MaxNumberOfMessages=10)


WHOLE = json.dumps({"Messages": [message()]})
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(WHOLE), WHOLE.encode())

GOOD: dict[str, Script] = {
    "at once": sending(answer(WHOLE)),
    "byte by byte": sending(*(bytes([each]) for each in answer(WHOLE))),
    "chunked": sending(CHUNKED),
    "chunked byte by byte": sending(*(bytes([each]) for each in CHUNKED)),
    "HTTP/1.0 until its end": sending(b"HTTP/1.0 200 OK\r\n\r\n" + WHOLE.encode(), close=True),
    "HTTP/1.1 until its end": sending(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + WHOLE.encode(), close=True),
    "100 Continue before": sending(b"HTTP/1.1 100 Continue\r\n\r\n", answer(WHOLE)),
    "102 and 103 before": sending(b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n" + answer(WHOLE)),
    "closed after it": sending(answer(WHOLE, "200 OK", "Connection: close"), close=True),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_whole_answer_is_taken_however_it_comes(name: str) -> None:
    async with serving(GOOD[name]) as port, client(port) as lean:
        for _ in range(3):
            assert (await received(lean))["Messages"] == [message()]
        assert lean.connections <= 1


LEGACY = "AWS.SimpleQueueService.NonExistentQueue"
BAD: dict[str, tuple[Script, type[SourceError], str]] = {
    "truncated": (sending(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", close=True), SourceUnavailable, "closed"),
    "truncated chunk": (sending(CHUNKED[:-20], close=True), SourceUnavailable, "closed"),
    "no answer": (sending(close=True), SourceUnavailable, "closed"),
    "half a head": (sending(b"HTTP/1.1 200 OK\r\nContent-", close=True), SourceUnavailable, "closed"),
    "silent": (silent, SourceUnavailable, "timeout"),
    "reset": (reset, SourceUnavailable, "closed"),
    "half-closed": (half_closed, SourceUnavailable, "closed"),
    "garbage": (sending(b"\x00\xff\x16\x03garbage\r\n\r\n"), SourceUnavailable, "HTTP"),
    "another protocol": (sending(b"SSH-2.0-OpenSSH_9.2\r\n"), SourceUnavailable, "HTTP"),
    "headers without end": (sending(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (HEAD_MOST + 1)), SourceUnavailable, "headers"),
    "a length that is none": (sending(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), SourceUnavailable, "HTTP"),
    "a chunk without a size": (
        sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), SourceUnavailable, "HTTP"
    ),
    "less than its length, HTTP/1.0": (
        sending(b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n{", close=True), SourceUnavailable, "closed"
    ),
    "100 Continue and nothing": (sending(b"HTTP/1.1 100 Continue\r\n\r\n"), SourceUnavailable, "timeout"),
    "another protocol offered": (
        sending(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
        SourceUnavailable,
        "HTTP",
    ),
    "two lengths": (
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"), SourceUnavailable, "HTTP"
    ),
    "a page": (sending(answer("<html>hello</html>")), SourceUnavailable, "ResponseParserError"),
    "a list": (sending(answer("[]")), SourceUnavailable, "ResponseParserError"),
    "null": (sending(answer("null")), SourceUnavailable, "ResponseParserError"),
    "a number": (sending(answer("7")), SourceUnavailable, "ResponseParserError"),
    "messages that are none": (sending(answer('{"Messages": "x"}')), SourceUnavailable, "Messages is no list"),
    "a message that is none": (sending(answer('{"Messages": [7]}')), SourceUnavailable, "Messages is no list"),
    "a body that is none": (sending(answer('{"Messages": [{"Body": 7}]}')), SourceUnavailable, "no text"),
    "attributes that are none": (
        sending(answer(json.dumps({"Messages": [message(Attributes=[])]}))), SourceUnavailable, "no object"
    ),
    "a damaged body": (
        sending(answer(json.dumps({"Messages": [message(MD5OfBody="0" * 32)]}))), SourceUnavailable, "ChecksumError"
    ),
    "a page that says 500": (sending(answer("<html>", "500 X")), SourceUnavailable, "500"),
    "a page that says 404": (sending(answer("<html>", "404 X")), SourceMissing, "404"),
    "501": (sending(answer("", "501 X")), SourceRefused, "501"),
    "no such queue": (
        sending(refusal(400, "QueueDoesNotExist", f"x-amzn-query-error: {LEGACY};Sender")),
        SourceMissing,
        "NonExistentQueue",
    ),
    "throttled": (sending(refusal(400, "ThrottlingException")), SourceUnavailable, "ThrottlingException"),
    "expired credentials": (sending(refusal(403, "ExpiredTokenException")), SourceRefused, "renew them"),
    "an expired signature": (sending(refusal(403, "SignatureDoesNotMatch")), SourceRefused, "DoesNotMatch"),
    "clock skew": (sending(refusal(403, "RequestTimeTooSkewed")), SourceRefused, "clock is wrong"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_hostile_server_ends_in_the_right_error_and_leaks_no_connection(name: str) -> None:
    script, kind, said = BAD[name]
    async with serving(script) as port, client(port) as lean:
        for _ in range(2):  # the second call finds no connection that the first one spoilt
            with anyio.fail_after(30), pytest.raises(kind, match=f"(?i){said}"), faults.translating("receive"):
                await received(lean)
        assert lean.connections <= 1


STRICTER = {
    "a page", "a list", "null", "a number", "messages that are none", "a message that is none", "a body that is none",
    "attributes that are none", "a damaged body", "two lengths", "headers without end", "another protocol offered",
    "100 Continue and nothing",
}  # fmt: skip
"""What botocore's own client lets through, and its caller falls over."""


@pytest.mark.parametrize("name", sorted(BAD.keys() - STRICTER))
async def test_botocore_judges_the_same_answer_alike(name: str) -> None:
    script, kind, _ = BAD[name]
    async with serving(script) as port:
        given = AwsSettings(region="us-east-1", endpoint_url=f"http://127.0.0.1:{port}", read_timeout=SHORT, lean=False)
        async with Clients(given) as clients:
            general = await clients.get("sqs")
            with anyio.fail_after(30), pytest.raises(kind), faults.translating("receive"):
                await general.receive_message(QueueUrl="http://q/1/orders")


@pytest.mark.parametrize(
    ("call", "body", "said"),
    [
        ("describe_stream_summary", '{"StreamDescriptionSummary": "x"}', "StreamDescriptionSummary is no object"),
        ("list_shards", '{"Shards": "x"}', "Shards is no list"),
        ("list_shards", '{"Shards": ["x"]}', "Shards is no list"),
        ("list_shards", '{"Shards": [{"SequenceNumberRange": "x"}]}', "SequenceNumberRange is no object"),
    ],
)
async def test_a_listing_that_is_none_is_passing(call: str, body: str, said: str) -> None:
    async with serving(sending(answer(body))) as port, client(port, "kinesis") as lean:
        with pytest.raises(SourceUnavailable, match=said), faults.translating("list"):
            await getattr(lean, call)(StreamName="orders")


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from headrace.config.clients.lean import client as module

    monkeypatch.setattr(module, "REPLY_MOST", 100)
    async with serving(sending(answer(json.dumps({"Messages": [message("x" * 200)]})))) as port, client(port) as lean:
        with pytest.raises(SourceUnavailable, match="larger than 100 bytes"), faults.translating("receive"):
            await received(lean)
        assert lean.connections == 0


async def test_what_is_null_is_not_there() -> None:
    reply = {"Messages": [message("null", Attributes={"SentTimestamp": "1", "X": None}, MessageAttributes=None)]}
    async with serving(sending(answer(json.dumps(reply)))) as port, client(port) as lean:
        assert (await received(lean))["Messages"] == [message("null", Attributes={"SentTimestamp": "1"})]


async def test_a_connection_on_which_nobody_asked_is_not_used_again() -> None:
    async with serving(sending(answer(WHOLE) + answer(json.dumps({"Messages": []})))) as port, client(port) as lean:
        for _ in range(3):
            assert (await received(lean))["Messages"] == [message()]


async def test_a_call_that_is_cancelled_closes_its_connection() -> None:
    async with serving(silent) as port, client(port, read_timeout=600.0) as lean:
        with anyio.move_on_after(0.05):
            await received(lean)
        assert lean.connections == 0


async def test_nobody_who_listens_is_told_and_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with client(port) as lean:
        with pytest.raises(Exception, match="Could not connect") as raised:
            await received(lean)
        assert faults.unsent(raised.value)
        with pytest.raises(SourceUnavailable, match="is it running"), faults.translating("receive"):
            await received(lean)


async def test_a_name_that_is_unknown_is_told_and_nothing_was_sent() -> None:
    async with client(1, endpoint_url="http://no-such-host.invalid:4566") as lean:
        with pytest.raises(Exception, match="Could not connect") as raised:
            await received(lean)
        assert faults.unsent(raised.value)


async def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority("tests")
    pair = authority.pair("server", hosts=("127.0.0.1",))
    for name, text in (("ca", authority.certificate), ("server", pair.certificate + pair.private_key)):
        (tmp_path / f"{name}.pem").write_text(text)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    async with serving(sending(answer(WHOLE)), context) as port:
        async with client(port, endpoint_url=f"https://127.0.0.1:{port}") as lean:
            with pytest.raises(Exception, match="SSL") as raised:
                await received(lean)
            assert faults.unsent(raised.value)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        async with client(port, endpoint_url=f"https://127.0.0.1:{port}") as lean:
            assert (await received(lean))["Messages"] == [message()]


# --- where it stands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["sqs", "kinesis", "dynamodbstreams", "lambda"])
async def test_the_hot_services_go_the_short_way_and_the_rest_of_their_calls_the_long_one(service: str) -> None:
    async with client(1, service) as lean:
        assert lean.meta.service_model.service_name == service
        assert callable(lean.can_paginate)


async def test_a_proxy_takes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with Clients(AwsSettings(region="us-east-1", endpoint_url="http://emulator.example:4566")) as clients:
        assert not isinstance(await clients.get("sqs"), LeanClient)
    monkeypatch.setenv("NO_PROXY", "emulator.example")
    async with Clients(AwsSettings(region="us-east-1", endpoint_url="http://emulator.example:4566")) as clients:
        assert isinstance(await clients.get("sqs"), LeanClient)


async def test_keys_are_asked_for_at_each_call() -> None:
    seen: list[bytes] = []
    keys = {"access_key_id": "ONE", "secret_access_key": "s"}
    async with serving(sending(answer(WHOLE)), seen=seen) as port, client(port, **keys) as lean:
        await received(lean)
        lean._request_signer._credentials.access_key = "TWO"
        lean._request_signer._credentials.token = "fresh"
        await received(lean)
    assert [b"Credential=ONE/" in seen[0], b"Credential=TWO/" in seen[1]] == [True, True]
    assert b"X-Amz-Security-Token: fresh\r\n" in seen[1]


def expired(refresh: Callable[[], Awaitable[dict[str, str]]]) -> AioRefreshableCredentials:
    """Those of a role, whose time is over."""
    over = datetime.now(UTC) - timedelta(minutes=1)
    return AioRefreshableCredentials("ONE", "s", "old", over, refresh, "a-role")


async def test_keys_that_expired_are_renewed_before_the_call() -> None:
    asked: list[str] = []

    async def renew() -> dict[str, str]:
        asked.append("renewed")
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return {"access_key": "TWO", "secret_key": "s", "token": "new", "expiry_time": later}

    seen: list[bytes] = []
    async with serving(sending(answer(WHOLE)), seen=seen) as port, client(port) as lean:
        lean._request_signer._credentials = expired(renew)
        for _ in range(2):
            await received(lean)
    assert asked == ["renewed"]
    assert all(b"Credential=TWO/" in each and b"X-Amz-Security-Token: new\r\n" in each for each in seen)


async def test_keys_that_nobody_renews_are_told_and_nothing_is_sent() -> None:
    async def refuse() -> dict[str, str]:
        raise CredentialRetrievalError(provider="a-role", error_msg="the role is gone")

    seen: list[bytes] = []
    async with serving(sending(answer(WHOLE)), seen=seen) as port, client(port) as lean:
        lean._request_signer._credentials = expired(refuse)
        with pytest.raises(SourceError, match="the role is gone"), faults.translating("receive"):
            await received(lean)
        assert lean.connections == 0
    assert seen == []
