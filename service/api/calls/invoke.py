"""Invoke and InvokeAsync: the checks, in AWS's order, and the form of the answer.

    qualifiers agree -> ours -> not in a circle -> JSON -> exists -> can be invoked -> there is room -> run, or queued

Bodies that are too large never come this far. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NoReturn, assert_never

import anyio.to_thread
import orjson

from ....config.durable.faults import StoreUnavailable
from ....dispatch.core.model import FunctionFailed, Reply, Returned, Throttled, Unreachable
from ....dispatch.invokers.base import MOST_HOPS, Invocation
from ....dispatch.invokers.core.answers import failed_function
from ....dispatch.invokers.tracing import new_trace
from ...async_invoke.protocols import Accepts
from ...control.catalogue import LATEST
from ...control.names import Home, Named
from ...control.refusals import ApiError, conflict, no_such_resource, service
from ...running.invocations import Invocations
from ...telemetry.tails import Tails
from ..wire import refusals
from ..wire.call import Answer, Call, Serve
from . import naming

CONTEXT_MAX = 3583
"""Bytes of a client context as it is sent, in base64."""
LARGE = 256 * 1024
"""Bytes of an event above which it is parsed in a thread."""
NOTHING = b"{}"
"""The event of an invocation that has none."""
UNHANDLED = "Unhandled"


class InvokeCalls:
    """The group."""

    def __init__(self, here: Home, invocations: Invocations, queue: Accepts, tails: Tails) -> None:
        self._here = here
        self._invocations = invocations
        self._queue = queue
        self._tails = tails

    def calls(self) -> Mapping[str, Serve]:
        return {"Invoke": self.invoke, "InvokeAsync": self.invoke_async}

    async def invoke(self, call: Call) -> Answer:
        asked = call.parameters
        kind = asked.get("InvocationType", "RequestResponse")
        context = "" if kind == "Event" else _client_context(asked.get("ClientContext", ""))
        named, event = await self._checked(call, asked.get("Payload") or NOTHING)
        if kind == "DryRun":
            return Answer({"StatusCode": 204}, 204)
        if kind == "Event":
            await self._queued(call, named, event)
            return Answer({"StatusCode": 202}, 202)
        return await self._answered(call, named, event, context)

    async def invoke_async(self, call: Call) -> Answer:
        """Deprecated, and the same as Invoke with the type Event."""
        named, event = await self._checked(call, call.parameters.get("InvokeArgs") or NOTHING)
        await self._queued(call, named, event)
        return Answer({"Status": 202}, 202)

    # --- checks -----------------------------------------------------------------------------------------------------

    async def _checked(self, call: Call, event: bytes) -> tuple[Named, bytes]:
        named = naming.named(call, self._here)
        if call.hops >= MOST_HOPS:
            raise _in_a_circle(call.hops)
        await _expect_json(event)
        self._expect_ready(named)
        return named, event

    def _expect_ready(self, named: Named) -> None:
        found = self._invocations.find(named.name, named.qualifier)
        if found is None:
            raise no_such_resource(f"Function not found: {named.explicit}")
        if found.state != "Active":
            raise conflict(
                "The operation cannot be performed at this time. "
                f"The function is currently in the following state: {found.state}"
            )

    # --- each kind --------------------------------------------------------------------------------------------------

    async def _queued(self, call: Call, named: Named, event: bytes) -> None:
        """Returns once the event is durable: from then on it will be delivered, even after a crash."""
        if not self._queue.has_room(len(event)):
            raise refusals.too_many("CallerRateLimitExceeded", retry_after=1)
        try:
            await self._queue.accept(named.name, named.qualifier, call.request_id, event, call.hops)
        except StoreUnavailable as error:
            raise service(str(error)) from error

    async def _answered(self, call: Call, named: Named, event: bytes, context: str) -> Answer:
        trace = new_trace()
        invocation = Invocation(
            event,
            call.request_id,
            trace=trace,
            client_context=context,
            invoked_arn=named.qualified,
            hops=call.hops,
        )
        with self._tails.of(call.request_id) as tail:
            reply = await self._invocations.invoke(named.name, named.qualifier, invocation)
        output = self._output(named, reply)
        if call.parameters.get("LogType") == "Tail":
            output["LogResult"] = base64.b64encode(tail.text).decode()
        return Answer(output, 200, {"X-Amzn-Trace-Id": trace})

    def _output(self, named: Named, reply: Reply) -> dict[str, Any]:
        match reply:
            case Returned(attempt=attempt, body=body):
                return _ran(attempt.executed_version, body)
            case FunctionFailed(attempt=attempt, body=body):
                return {**_ran(attempt.executed_version, body), "FunctionError": attempt.function_error or UNHANDLED}
            case Throttled(reason=reason, after=after):
                word = reason or refusals.NO_ROOM
                raise refusals.too_many(word, retry_after=None if after is None else int(after))
            case Unreachable(attempt=attempt) if failed_function(reply):
                return {**_ran(attempt.executed_version, _init_error(reply)), "FunctionError": UNHANDLED}
            case Unreachable():
                self._expect_ready(named)  # the function may have been deleted or changed since the lookup
                raise _not_reached(reply)
            case _:
                assert_never(reply)


def _ran(version: str | None, body: bytes) -> dict[str, Any]:
    return {"StatusCode": 200, "ExecutedVersion": version or LATEST, "Payload": body}


def _init_error(reply: Unreachable) -> bytes:
    """The runtime's own error; without one, the reason why there is none."""
    if reply.body:
        return reply.body
    text = f"RequestId: {reply.attempt.request_id} Error: {reply.cause}"
    return orjson.dumps({"errorType": "Runtime.Unavailable", "errorMessage": text})


def _not_reached(reply: Unreachable) -> ApiError:
    """The failure of a remote function, of which we know no details."""
    if reply.attempt.status == 404:
        return no_such_resource(reply.cause.text)
    return refusals.not_reached(reply.cause.text)


def _in_a_circle(hops: int) -> ApiError:
    text = (
        f"This invocation was forwarded by {hops} daemons, which looks like a circle: "
        "correct the endpoints of the functions that are invoked elsewhere"
    )
    return refusals.circle(text)


# --- what was sent ----------------------------------------------------------------------------------------------------


def _client_context(sent: str) -> str:
    """The JSON text of a client context. Raises ApiError."""
    if len(sent) > CONTEXT_MAX:
        raise refusals.unreadable_request(f"Client context must be no more than {CONTEXT_MAX} bytes.")
    if not sent:
        return ""
    try:
        context = base64.b64decode(sent, validate=True)
        if isinstance(orjson.loads(context), dict):
            return context.decode()
    except ValueError:
        pass
    raise refusals.unreadable_request("Client context must be a valid Base64-encoded JSON object.")


async def _expect_json(event: bytes) -> None:
    """Checks that the event is JSON; its bytes are passed on unchanged. Raises ApiError."""
    fault = await anyio.to_thread.run_sync(_fault_of, event) if len(event) > LARGE else _fault_of(event)
    if fault:
        raise refusals.unreadable_event(fault)


def _fault_of(event: bytes) -> str:
    """The error of the JSON text; empty when it is valid."""
    try:
        orjson.loads(event)
        return ""
    except orjson.JSONDecodeError:
        pass
    try:
        json.loads(event.decode(), parse_constant=_no_constant)  # accepts a lone surrogate, which is JSON too
    except UnicodeDecodeError as error:
        return f"Invalid UTF-8 byte 0x{event[error.start]:02x}\n at [byte offset: {error.start}]"
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"Unrecognized token '{word}'")
