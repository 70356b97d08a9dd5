"""A connection that remembers heads gives the same requests as one that has seen none, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dispatch.invokers.local.http1 import Connection, RuntimeRequest
from support.counts import count

LIMIT = 40
HEADERS = (
    b"",
    b"Host: h\r\n",
    b"Host: h\r\nX-Two: 2\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
)
Seen = tuple[str, str, dict[str, str], bytes, int]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method, path = draw(st.sampled_from([(b"GET", b"/next"), (b"POST", b"/1/response"), (b"POST", b"/2?x")]))
    headers, body = (
        draw(st.sampled_from(HEADERS)),
        draw(st.sampled_from([b"", b"ok", b"GET /next HTTP/1.1\r\n\r\n", b"x" * (LIMIT + 1)])),
    )
    if draw(st.booleans()):
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return b"%b %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n%b" % (method, path, headers, chunks)
    length = b"Content-Length: %d\r\n" % len(body) if body or draw(st.booleans()) else b""
    return b"%b %b HTTP/1.1\r\n%b%b\r\n%b" % (method, path, headers, length, body)


def served(pieces: list[bytes]) -> list[Seen]:
    """What one connection makes of these bytes, when each request is answered at once."""
    seen: list[Seen] = []

    def take(request: RuntimeRequest) -> None:
        seen.append((request.method, request.path, request.headers, request.body, request.size))
        request.answer(202, b"")

    connection = Connection(LIMIT, take, lambda request: None, set())
    for piece in pieces:
        connection.data_received(piece)
    return seen


@settings(max_examples=count(200, 10_000), deadline=None)
@given(st.lists(requests(), min_size=1, max_size=3), st.data())
def test_remembered_heads_change_nothing(kinds: list[bytes], data: st.DataObject) -> None:
    sent = [each for each in data.draw(st.lists(st.sampled_from(kinds), max_size=9)) for _ in range(2)]
    pieces = [piece for request in sent for piece in cut(request, data.draw(st.integers(0, len(request))))]
    assert served(pieces) == [each for request in sent for each in served([request])]


def cut(request: bytes, at: int) -> list[bytes]:
    return [piece for piece in (request[:at], request[at:]) if piece]
