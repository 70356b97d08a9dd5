"""A client with the methods of aiobotocore's, whose hot calls go the short way and all others through aiobotocore.

The aiobotocore client behind it makes the decisions: endpoint, region, credentials and
their refreshing. Failures are raised as that client raises them, so `config.clients.faults` judges them alike. `lean`
says for which clients it can stand: those whose calls are JSON in signed requests that no proxy takes.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from ...addresses import host_and_port
from ...core.skew import SigningTime
from .connection import AnswerTooLarge, ConnectionCut, ExchangeFailed, ExchangeTimedOut, WireAnswer
from .core.requests import RequestWriter
from .core.signing import Signer, SigningKeys
from .pool import ConnectionPool, ConnectionTimedOut, NotConnected, TlsRefused

JSON_CALLS: Mapping[str, Mapping[str, str]] = {
    "sqs": {
        "receive_message": "ReceiveMessage",
        "delete_message_batch": "DeleteMessageBatch",
        "change_message_visibility_batch": "ChangeMessageVisibilityBatch",
        "get_queue_attributes": "GetQueueAttributes",
    },
    "kinesis": {
        "get_records": "GetRecords",
        "describe_stream_summary": "DescribeStreamSummary",
        "list_shards": "ListShards",
    },
    "dynamodbstreams": {"get_records": "GetRecords"},
}
"""The hot calls by service: the method, and the operation that it calls."""
SERVICES = frozenset({*JSON_CALLS, "lambda"})
REPLY_MOST = 64 * 1024 * 1024
"""Bytes of a reply: several times what the services send at most."""


class LeanClient:
    """Stands before `client`; made by `lean`."""

    def __init__(
        self,
        client: Any,
        writer: RequestWriter,
        pool: ConnectionPool,
        signing_time: SigningTime,
        patience: float | None,
        name: str,
    ) -> None:
        """`patience`: seconds without a byte after which a call failed; None for any. `name`: botocore's of the
        service."""
        self._client = client
        self._writer = writer
        self._pool = pool
        self._signing_time = signing_time
        self._patience = patience
        self._endpoint = str(client.meta.endpoint_url)
        self._stamp = (0, "")
        model = client.meta.service_model
        self._head = {"Content-Type": f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}"}
        if model.metadata.get("awsQueryCompatible") is not None:
            self._head["x-amzn-query-mode"] = "true"
        prefix = model.metadata.get("targetPrefix")
        for method, operation in JSON_CALLS.get(name, {}).items():
            setattr(self, method, self._call(operation, {**self._head, "X-Amz-Target": f"{prefix}.{operation}"}))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _call(self, operation: str, headers: Mapping[str, str]) -> Callable[..., Any]:
        check = _CHECKS.get(operation)

        async def call(**parameters: Any) -> dict[str, Any]:
            try:
                answer = await self._answer("/", headers, orjson.dumps(parameters), REPLY_MOST, operation)
            except AnswerTooLarge as large:
                raise self._as_the_client(large) from large
            reply = _object(answer.body)
            if check is not None:
                check(reply)
            reply["ResponseMetadata"] = _metadata(answer)
            return reply

        return call

    @property
    def connections(self) -> int:
        """Those that are open."""
        return self._pool.connections

    def close(self) -> None:
        """End every connection. The general client is its maker's to close."""
        self._pool.close()

    async def post(self, target: str, headers: Mapping[str, str], body: bytes, limit: int) -> WireAnswer:
        """A signed request of a REST API, and its answer when that is a success. Raises what the client raises, and
        AnswerTooLarge with the answer's head for a body of more than `limit` bytes."""
        return await self._answer(target, headers, body, limit, "Invoke")

    async def _answer(
        self, target: str, headers: Mapping[str, str], body: bytes, limit: int, operation: str
    ) -> WireAnswer:
        """The answer when it is a success; a second one where the first refused the time of the signature."""
        answer = await self._sent(target, headers, body, limit)
        if answer.status < 300:
            return answer
        refusal = await self._refusal(answer, operation)
        if not self._signing_time.refused(_code(refusal), answer.headers):
            raise refusal
        answer = await self._sent(target, headers, body, limit)
        if answer.status >= 300:
            raise await self._refusal(answer, operation)
        return answer

    async def _sent(self, target: str, headers: Mapping[str, str], body: bytes, limit: int) -> WireAnswer:
        keys = await self._keys()
        request = self._writer.post(target, headers, body, keys, self._now())
        try:
            return await self._pool.exchange(request, limit, self._patience)
        except AnswerTooLarge:
            raise
        except (NotConnected, ExchangeFailed) as error:
            raise self._as_the_client(error) from error

    async def _keys(self) -> SigningKeys:
        found = await self._client._request_signer._credentials.get_frozen_credentials()
        return SigningKeys(found.access_key, found.secret_key, found.token)

    def _now(self) -> str:
        seconds = int(self._signing_time())
        if seconds != self._stamp[0]:
            self._stamp = (seconds, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds)))
        return self._stamp[1]

    def _as_the_client(self, error: NotConnected | ExchangeFailed) -> Exception:
        from botocore import exceptions

        kind: Callable[..., Exception] = exceptions.HTTPClientError
        match error:
            case ConnectionTimedOut():
                kind = exceptions.ConnectTimeoutError
            case TlsRefused():
                kind = exceptions.SSLError
            case NotConnected():
                kind = exceptions.EndpointConnectionError
            case ExchangeTimedOut():
                kind = exceptions.ReadTimeoutError
            case ConnectionCut():
                kind = exceptions.ConnectionClosedError
        return kind(endpoint_url=self._endpoint, error=error)

    async def _refusal(self, answer: WireAnswer, operation: str) -> Exception:
        """The refusal as the general client reads it."""
        model = self._client.meta.service_model
        parser = self._client._endpoint._response_parser_factory.create_parser(model.protocol)
        response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
        parsed = await parser.parse(response, model.operation_model(operation).output_shape)
        code = parsed.get("Error", {}).get("Code")
        if (shape := model.shape_for_error_code(code)) is not None:
            parsed |= await parser.parse(response, shape)  # the fields that the error has besides
        parsed.setdefault("ResponseMetadata", {}).update(_metadata(answer))
        refusal: Exception = self._client.exceptions.from_code(code)(parsed, operation)
        return refusal


async def lean(
    client: Any,
    service: str,
    signing_time: SigningTime,
    *,
    verify: str | bool,
    connect_timeout: float,
    patience: float | None,
    keep_alive: float,
) -> LeanClient | None:
    """A client before `client`, botocore's of `service`; None where it cannot stand for it. Times are in seconds."""
    endpoint = str(client.meta.endpoint_url)
    if service not in SERVICES or not _speaks_signed_json(client) or _by_proxy(client, endpoint):
        return None
    parts = urlsplit(endpoint)
    _, port = host_and_port(parts)
    pool = ConnectionPool(
        parts.hostname or "",
        port,
        tls=_tls(verify) if parts.scheme == "https" else None,
        connect_timeout=connect_timeout,
        keep_alive=keep_alive,
    )
    signer = Signer(client._request_signer.signing_name, client._request_signer.region_name)
    writer = RequestWriter.to(endpoint, client.meta.config.user_agent, signer)
    return LeanClient(client, writer, pool, signing_time, patience, service)


def _speaks_signed_json(client: Any) -> bool:
    return client.meta.service_model.protocol in ("json", "rest-json") and client.meta.config.signature_version == "v4"


def _by_proxy(client: Any, endpoint: str) -> bool:
    """Whether calls go through a proxy. A client that is told its proxies, or that there are none, has them there."""
    from urllib.request import getproxies, proxy_bypass

    told = client.meta.config.proxies
    parts = urlsplit(endpoint)
    found = getproxies() if told is None else told
    return bool(found.get(parts.scheme)) and not (told is None and proxy_bypass(parts.hostname or ""))


def _tls(verify: str | bool) -> ssl.SSLContext:
    from botocore.httpsession import get_cert_path

    context = ssl.create_default_context(cafile=get_cert_path(verify) if verify else None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


# --- replies ----------------------------------------------------------------------------------------------------------


def _object(body: bytes) -> dict[str, Any]:
    """A reply. What is null in it is not there, as botocore has it."""
    try:
        reply = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise _unreadable(str(error)) from error
    if not isinstance(reply, dict):
        raise _unreadable(f"it is a {type(reply).__name__}, not an object")
    return without_nulls(reply) if b"null" in body else reply


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _code(refusal: Exception) -> str:
    response: Mapping[str, Any] = getattr(refusal, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _metadata(answer: WireAnswer) -> dict[str, Any]:
    headers = answer.headers
    return {
        "HTTPStatusCode": answer.status,
        "HTTPHeaders": headers,
        "RequestId": headers.get("x-amzn-requestid") or headers.get("x-amz-request-id", ""),
    }


def _check_messages(reply: Mapping[str, Any]) -> None:
    """That a receive's messages are messages, and came as they were sent."""
    _check_lists(reply, "Messages")
    for each in reply.get("Messages", ()):
        body, told = each.get("Body"), each.get("MD5OfBody")
        if not isinstance(body, str) or not isinstance(each.get("Attributes", {}), dict):
            raise _unreadable("a message has no text for a body, or no object for attributes")
        if told and hashlib.md5(body.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest() != told:
            from botocore.exceptions import ChecksumError

            raise ChecksumError(checksum_type="md5", expected_checksum=told, actual_checksum="another")


def _check_entries(reply: Mapping[str, Any]) -> None:
    _check_lists(reply, "Successful", "Failed")


def _check_records(reply: Mapping[str, Any]) -> None:
    _check_lists(reply, "Records", "ChildShards")
    if not isinstance(reply.get("NextShardIterator", ""), str):
        raise _unreadable("NextShardIterator is no text")
    if not isinstance(reply.get("MillisBehindLatest", 0), (int, float)):
        raise _unreadable("MillisBehindLatest is no number")


def _check_summary(reply: Mapping[str, Any]) -> None:
    if not isinstance(reply.get("StreamDescriptionSummary", {}), dict):
        raise _unreadable("StreamDescriptionSummary is no object")


def _check_shards(reply: Mapping[str, Any]) -> None:
    if not isinstance(reply.get("NextToken", ""), str):
        raise _unreadable("NextToken is no text")
    _check_lists(reply, "Shards")
    if not all(isinstance(each.get("SequenceNumberRange", {}), dict) for each in reply.get("Shards", ())):
        raise _unreadable("SequenceNumberRange is no object")


def _check_attributes(reply: Mapping[str, Any]) -> None:
    found = reply.get("Attributes", {})
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise _unreadable("Attributes is no object of texts")


def _check_lists(reply: Mapping[str, Any], *names: str) -> None:
    """That what is there under these names is a list of objects."""
    for name in names:
        found = reply.get(name, ())
        if not isinstance(found, (list, tuple)) or not all(isinstance(each, dict) for each in found):
            raise _unreadable(f"{name} is no list of objects")


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "ReceiveMessage": _check_messages,
    "DeleteMessageBatch": _check_entries,
    "ChangeMessageVisibilityBatch": _check_entries,
    "GetQueueAttributes": _check_attributes,
    "GetRecords": _check_records,
    "DescribeStreamSummary": _check_summary,
    "ListShards": _check_shards,
}


def _unreadable(what: str) -> Exception:
    from botocore.parsers import ResponseParserError

    failure: Exception = ResponseParserError(f"the reply does not have the form of the service's replies: {what}")
    return failure


def invocation_target(function: str, qualifier: str | None) -> str:
    """Where an invocation is posted: the path and the query, percent-encoded."""
    query = f"?Qualifier={quote(qualifier, safe='-_.~')}" if qualifier else ""
    return f"/2015-03-31/functions/{quote(function, safe='-_.~')}/invocations{query}"
