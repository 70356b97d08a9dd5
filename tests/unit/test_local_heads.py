"""Which heads of requests are known the second time, and what they then mean."""

from __future__ import annotations

import pytest

from headrace.dispatch.invokers.local.core.heads import LONGEST, MOST, KnownHeads, SeenRequest

LIMIT = 100
HEAD = b" HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n"
HEADERS = {"host": "h", "content-length": "2"}


def learned(data: bytes, headers: dict[str, str], size: int) -> KnownHeads:
    heads = KnownHeads(LIMIT)
    heads.learn(data, headers, size)
    return heads


def test_a_head_is_known_for_every_path() -> None:
    heads = learned(b"POST /a/1/response" + HEAD + b"ok", HEADERS, 2)
    start = len(b"POST /a/22/response" + HEAD)
    assert heads.read(b"POST /a/22/response" + HEAD) == SeenRequest("POST", "/a/22/response", HEADERS, start, start + 2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST /a",
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n",
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n",
        b"POST /a HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\n\r\n",
        b"PUT /a" + HEAD,
        b"POST /a?b" + HEAD,
        b"POST /a b" + HEAD,
        b"POST /\xff" + HEAD,
        b"POST a" + HEAD,
        b"\r\nPOST /a" + HEAD,
    ],
)
def test_another_head_is_not_known(data: bytes) -> None:
    assert learned(b"POST /a" + HEAD, HEADERS, 2).read(data) is None


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ({"transfer-encoding": "chunked"}, 2),
        ({"expect": "100-continue"}, 2),
        ({"upgrade": "h2c"}, 2),
        ({}, 1),
        ({"content-length": "+2"}, 2),
        ({"content-length": "200"}, 200),
    ],
)
def test_a_head_that_leaves_a_choice_is_not_learned(more: dict[str, str], size: int) -> None:
    assert learned(b"POST /a" + HEAD, {**HEADERS, **more}, size).read(b"POST /a" + HEAD) is None


def test_a_long_head_is_not_learned() -> None:
    data = b"GET /a HTTP/1.1\r\nX: " + b"y" * LONGEST + b"\r\n\r\n"
    assert learned(data, {"x": "y" * LONGEST}, 0).read(data) is None


def test_what_is_remembered_has_a_bound() -> None:
    heads = KnownHeads(LIMIT)
    requests = [b"GET /a HTTP/1.1\r\nX: %d\r\n\r\n" % number for number in range(MOST + 1)]
    for number, request in enumerate(requests):
        heads.learn(request, {"x": str(number)}, 0)
    assert [heads.read(request) is not None for request in requests] == [False] * MOST + [True]


def test_a_request_without_a_body_is_known_as_a_whole_and_their_number_has_a_bound() -> None:
    head = b" HTTP/1.1\r\nHost: h\r\n\r\n"
    heads = learned(b"GET /a" + head, {"host": "h"}, 0)
    for number in range(MOST + 2):
        request = b"GET /%d%b" % (number, head)
        expected = SeenRequest("GET", f"/{number}", {"host": "h"}, len(request), len(request))
        assert heads.read(request) == heads.read(request) == expected
        assert heads.read(request + b"GET") == expected
    assert len(heads._whole) == MOST
