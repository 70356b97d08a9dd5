"""The time of signatures: that of the service, where it refuses ours. Every call of ours, in every protocol."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web

from headrace.config.clients import faults
from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.core.skew import ALLOWED, SigningTime, lead_after
from headrace.config.errors import SourceRefused

HOUR = 3600.0
NOW = 1_800_000_000.0


# --- what a refusal says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "date", "lead", "after"),
    [
        ("RequestTimeTooSkewed", formatdate(NOW + 2 * HOUR, usegmt=True), 0.0, 2 * HOUR),
        ("InvalidSignatureException", formatdate(NOW - 2 * HOUR, usegmt=True), 0.0, -2 * HOUR),
        ("SignatureDoesNotMatch", formatdate(NOW, usegmt=True), 2 * HOUR, 0.0),  # our clock was set right
        ("SignatureDoesNotMatch", formatdate(NOW + ALLOWED - 1, usegmt=True), 0.0, None),  # a wrong key
        ("SignatureDoesNotMatch", formatdate(NOW + 2 * HOUR, usegmt=True), 2 * HOUR, None),
        ("AccessDenied", formatdate(NOW + 2 * HOUR, usegmt=True), 0.0, None),
        ("RequestTimeTooSkewed", "", 0.0, None),
        ("RequestTimeTooSkewed", "half past ten", 0.0, None),
        ("RequestTimeTooSkewed", "Sun, 99 Foo 99999 99:99:99 GMT", 0.0, None),
    ],
)
def test_a_refusal_tells_the_services_time(code: str, date: str, lead: float, after: float | None) -> None:
    assert lead_after(code, date, NOW, lead) == after


def test_the_time_is_this_machines_until_a_service_refuses_it() -> None:
    wall = NOW
    at = SigningTime(lambda: wall)
    assert at() == NOW
    assert at.refused("RequestTimeTooSkewed", {"date": formatdate(NOW + HOUR, usegmt=True)})
    assert at() == NOW + HOUR
    assert not at.refused("RequestTimeTooSkewed", {"date": formatdate(NOW + HOUR, usegmt=True)})  # another reason
    wall += HOUR  # the machine's clock is set right
    assert at.refused("RequestTimeTooSkewed", {"date": formatdate(NOW + HOUR, usegmt=True)})
    assert at() == NOW + HOUR


# --- a service whose clock is another one -----------------------------------------------------------------------------


Answer = Callable[[], web.Response]


class Service:
    """A service whose clock is `ahead` of this machine's; it accepts a call whose signature is of its own time, unless
    it accepts none."""

    def __init__(self, ahead: float, refuse: Answer, accept: Answer | None) -> None:
        self._ahead = ahead
        self._refuse = refuse
        self._accept = accept
        self.port = 0
        self.verdicts: list[bool] = []
        """Whether each call was accepted."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        stamp = request.headers["X-Amz-Date"]
        assert f"/{stamp[:8]}/" in request.headers["Authorization"]
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        told = time.time() + self._ahead
        accept = self._accept if abs(signed - told) < ALLOWED else None
        self.verdicts.append(accept is not None)
        answer = (accept or self._refuse)()
        answer.headers["Date"] = formatdate(told, usegmt=True)
        return answer

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()


def in_json(code: str) -> Answer:
    return lambda: web.json_response({"__type": code, "message": "Signature expired"}, status=403)


def in_xml(code: str) -> Answer:
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>expired</Message></Error></ErrorResponse>"
    return lambda: web.Response(text=body, status=403, content_type="text/xml")


def of_s3() -> web.Response:
    body = "<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>"
    return web.Response(text=body, status=403, content_type="application/xml")


def empty() -> web.Response:
    return web.json_response({})


def published() -> web.Response:
    body = "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>"
    return web.Response(text=body, content_type="text/xml")


Call = Callable[[Any], Awaitable[Any]]
CALLS: dict[str, tuple[str, Call, Answer, Answer]] = {
    "a hot call": ("sqs", lambda c: c.receive_message(QueueUrl="http://q/1/o"), in_json("RequestExpired"), empty),
    "a hot call of streams": (
        "kinesis",
        lambda c: c.get_records(ShardIterator="i"),
        in_json("InvalidSignatureException"),
        empty,
    ),
    "another call": ("kinesis", lambda c: c.list_streams(), in_json("InvalidSignatureException"), empty),
    "a call in XML": ("sns", lambda c: c.publish(TopicArn="t", Message="m"), in_xml("RequestExpired"), published),
    "a call of S3": ("s3", lambda c: c.put_object(Bucket="b", Key="k", Body=b"x"), of_s3, web.Response),
    "a call of REST": ("lambda", lambda c: c.list_functions(), in_json("InvalidSignatureException"), empty),
}


def clients(port: object, *, lean: bool) -> Clients:
    return Clients(AwsSettings(region="us-east-1", endpoint_url=f"http://127.0.0.1:{port}", lean=lean))


@pytest.mark.anyio
@pytest.mark.semantics("CONFIG-47")
@pytest.mark.parametrize("ahead", [2 * HOUR, -2 * HOUR])
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "general"])
@pytest.mark.parametrize("case", CALLS)
async def test_a_call_is_signed_with_the_services_time_once_that_is_known(case: str, lean: bool, ahead: float) -> None:
    name, call, refuse, accept = CALLS[case]
    service = Service(ahead, refuse, accept)
    async with service.served(), clients(service.port, lean=lean) as made:
        client = await made.get(name)
        await call(client)
        assert service.verdicts == [False, True]
        await call(client)
        assert service.verdicts == [False, True, True]


@pytest.mark.anyio
@pytest.mark.semantics("CONFIG-47")
@pytest.mark.parametrize(("ahead", "calls"), [(0.0, 1), (2 * HOUR, 2)])
@pytest.mark.parametrize("lean", [True, False], ids=["lean", "general"])
async def test_a_wrong_key_is_refused_whatever_the_time(lean: bool, ahead: float, calls: int) -> None:
    service = Service(ahead, in_json("InvalidSignatureException"), None)
    async with service.served(), clients(service.port, lean=lean) as made:
        client = await made.get("sqs")
        with pytest.raises(SourceRefused), faults.translating("receive"):
            await client.receive_message(QueueUrl="http://q/1/o")
    assert len(service.verdicts) == calls
