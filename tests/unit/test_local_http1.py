"""The HTTP server of the Runtime API, fed by hand: what reaches the session, and that nothing grows without bound."""

from __future__ import annotations

import asyncio

import pytest

from headrace.dispatch.invokers.local.http1 import AHEAD, CONNECTIONS, HEAD_LIMIT, Connection, RuntimeRequest

LIMIT = 100
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.wrote = asyncio.Event()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)
        self.wrote.set()

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Client:
    def __init__(self, alive: set[Connection] | None = None) -> None:
        self.requests: list[RuntimeRequest] = []
        self.left: list[RuntimeRequest] = []
        self.wire = Wire()
        alive = set() if alive is None else alive
        self.connection = Connection(LIMIT, self.requests.append, self.left.append, alive)
        self.connection.connection_made(self.wire)

    def send(self, data: bytes) -> None:
        self.connection.data_received(data)


def post(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"POST /p HTTP/1.1", b"Host: h", *headers, b"Content-Length: %d" % len(body), b"", body])


def test_a_request_does_not_depend_on_how_the_bytes_are_cut() -> None:
    client = Client()
    for byte in post(b'{"a": 1}', b"X-One: 1") + post(b"second"):
        client.send(bytes([byte]))
        if client.requests and not client.requests[-1].answered:
            client.requests[-1].answer(202, b"ok")
    first, second = client.requests
    assert (first.method, first.path, first.body, first.headers["x-one"]) == ("POST", "/p", b'{"a": 1}', "1")
    assert second.body == b"second"
    assert "x-one" not in second.headers
    assert client.wire.sent.count(b"HTTP/1.1 202 Accepted") == 2


def test_a_chunked_body_is_put_together_and_its_trailers_are_headers() -> None:
    client = Client()
    client.send(
        b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-After: yes\r\n\r\n"
    )
    assert (client.requests[0].body, client.requests[0].headers["x-after"]) == (b"abcde", "yes")


def test_a_body_over_the_limit_is_counted_and_not_kept() -> None:
    client = Client()
    client.send(post(b"x" * 10_000))
    assert (client.requests[0].body, client.requests[0].size) == (b"", 10_000)
    assert client.requests[0].truncated_here
    client.requests[0].answer(413, b"")
    client.send(post(b"small"))
    assert client.requests[1].body == b"small"


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
def test_a_head_without_end_is_refused(start: bytes) -> None:
    client = Client()
    client.send(start)
    line = b"X: y\r\n" * 1000 if start.endswith(b"\n") else b"y" * 6000
    for _ in range(HEAD_LIMIT // 6000 + 2):
        client.send(line)
    assert client.wire.closed
    assert client.requests == []


def test_trailers_without_end_are_refused() -> None:
    client = Client()
    client.send(b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: ")
    for _ in range(HEAD_LIMIT // 6000 + 2):
        client.send(b"y" * 6000)
    assert client.wire.closed


def test_many_small_chunks_are_not_taken_for_a_head() -> None:
    client = Client()
    client.send(b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(HEAD_LIMIT // 60 + 10):
        client.send(b"1\r\nx\r\n" * 10)
    assert not client.wire.closed


def test_answers_stand_in_the_order_of_the_requests() -> None:
    client = Client()
    client.send(GET + post(b"2") + post(b"3"))
    assert len(client.requests) == 1
    client.requests[0].answer(200, b"one")
    client.requests[1].answer(200, b"two")
    client.requests[2].answer(200, b"three")
    assert [part.partition(b"\r\n\r\n")[2] for part in client.wire.sent.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"one",
        b"two",
        b"three",
    ]


def test_a_client_that_sends_ahead_without_end_is_cut_off() -> None:
    client = Client()
    client.send(GET * (AHEAD + 2))
    assert client.wire.closed


def test_connections_are_counted() -> None:
    alive: set[Connection] = set()
    clients = [Client(alive) for _ in range(CONNECTIONS + 1)]
    assert [client.wire.closed for client in clients] == [False] * CONNECTIONS + [True]


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
def test_a_client_that_wants_no_more_is_closed_after_its_answer(head: bytes) -> None:
    client = Client()
    client.send(head)
    client.requests[0].answer(200, b"pong")
    assert client.wire.sent.endswith(b"\r\nConnection: close\r\n\r\npong")
    assert client.wire.closed


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    client = Client()
    client.send(b"POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert client.wire.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"ok")
    assert client.requests[0].body == b"ok"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_client_that_offers_another_protocol_is_served_with_this_one(size: int) -> None:
    """Java's own client offers HTTP/2 with every request, those with a body included."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c"
    chunked = b"POST /c HTTP/1.1\r\n" + offer + b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    sent = b"GET /a HTTP/1.1\r\nHost: h\r\n" + offer + b"\r\n\r\n" + post(b"body", offer) + chunked + post(b"plain")
    client = Client()
    for start in range(0, len(sent), size):
        client.send(sent[start : start + size])
    for number in range(4):
        client.requests[number].answer(202, b"ok")
    assert [(each.path, each.body) for each in client.requests] == [
        ("/a", b""),
        ("/p", b"body"),
        ("/c", b"abc"),
        ("/p", b"plain"),
    ]
    assert not client.wire.closed


@pytest.mark.semantics("FN-28")
def test_a_body_that_ends_too_early_is_known_as_such() -> None:
    client = Client()
    client.send(b"POST /p HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
    assert client.connection.eof_received()
    assert client.requests[0].incomplete
    client.requests[0].answer(400, b"{}")
    assert client.wire.closed


def test_what_is_not_http_is_refused() -> None:
    client = Client()
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    assert client.wire.sent.startswith(b"HTTP/1.1 400")
    assert client.wire.closed


def test_an_open_request_is_known_when_its_client_leaves() -> None:
    client = Client()
    client.send(GET)
    client.connection.connection_lost(None)
    assert client.left == client.requests
    client.requests[0].answer(200, b"too late")
    assert client.wire.sent == b""


def test_a_header_cannot_start_another_one() -> None:
    client = Client()
    client.send(GET)
    client.requests[0].answer(200, b"", {"X-Context": '{"a":\r\nEvil: 1}'})
    assert b"\r\nEvil" not in client.wire.sent


@pytest.mark.semantics("FN-28")
def test_a_body_that_ends_too_early_after_one_like_it_is_known_as_such() -> None:
    client = Client()
    client.send(post(b"whole"))
    client.requests[0].answer(202, b"")
    client.send(post(b"whole")[:-1])
    assert client.connection.eof_received()
    assert client.requests[1].incomplete
    assert client.requests[1].body == b"whol"


async def test_an_answer_waits_a_moment_for_the_answer_to_the_request_behind_it() -> None:
    client = Client()
    for request in (post(b"1"), GET):  # from now on their heads are known
        client.send(request)
        client.requests[-1].answer(202, b"")
    client.wire.sent = b""
    client.connection._on_request = lambda request: request.answer(202, b"posted") if request.body else None
    client.send(post(b"2") + GET)
    assert client.wire.sent == b""
    client.connection._open.answer(200, b"event")  # type: ignore[union-attr]
    assert client.wire.sent.count(b"posted") == client.wire.sent.count(b"event") == 1
    client.wire.sent = b""
    client.wire.wrote.clear()
    client.send(post(b"3") + GET)
    await asyncio.wait_for(client.wire.wrote.wait(), 30)
    assert client.wire.sent.endswith(b"posted")
