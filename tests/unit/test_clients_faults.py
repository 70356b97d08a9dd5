"""Every exception of the AWS client becomes one of ours."""

from __future__ import annotations

import aiohttp
import botocore.exceptions
import botocore.parsers
import pytest
from botocore.exceptions import ClientError

from headrace.config.clients import faults
from headrace.config.errors import BugError, SourceError, SourceMissing, SourceRefused, SourceUnavailable

ROOTS = {"BotoCoreError", "Exception", "BaseException", "object"}


def botocore_classes() -> list[type[BaseException]]:
    found = [value for value in vars(botocore.exceptions).values() if isinstance(value, type)]
    ours = [each for each in found if issubclass(each, BaseException) and each.__module__ == "botocore.exceptions"]
    return [each for each in ours if not issubclass(each, Warning) and each.__name__ not in ROOTS]


def test_there_are_classes_to_prove() -> None:
    assert len(botocore_classes()) > 80


@pytest.mark.parametrize("raised", botocore_classes(), ids=lambda each: each.__name__)
def test_no_class_of_botocore_is_unmapped(raised: type[BaseException]) -> None:
    names = {each.__name__ for each in raised.__mro__} - ROOTS
    assert names & (faults.UNAVAILABLE_CLASSES | faults.REFUSED_CLASSES)
    exc = raised.__new__(raised)
    assert isinstance(exc, Exception)
    Exception.__init__(exc, "said by botocore")
    assert isinstance(faults.translate(exc, "receive"), SourceError)


@pytest.mark.parametrize("name", sorted(faults.REFUSED_CLASSES))
def test_each_row_of_what_is_refused_names_a_class_that_exists(name: str) -> None:
    assert hasattr(botocore.exceptions, name)


@pytest.mark.parametrize(
    ("exc", "expected", "text"),
    [
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://x:1"), SourceUnavailable, "is it running"),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="http://x:1"), SourceUnavailable, "Read timeout"),
        (
            botocore.exceptions.SSLError(endpoint_url="https://x", error="self signed"),
            SourceUnavailable,
            "AWS_CA_BUNDLE",
        ),
        (botocore.exceptions.NoCredentialsError(), SourceRefused, "AWS_ACCESS_KEY_ID"),
        (botocore.exceptions.ParamValidationError(report="bad name"), SourceRefused, "bad name"),
        (botocore.parsers.ResponseParserError("<html>"), SourceUnavailable, "AWS-like API"),
        (
            botocore.parsers.ResponseParserError("Unable to parse response, invalid XML received:\nb'<HTML><p>hi'"),
            SourceUnavailable,
            "ResponseParserError: Unable to parse response, invalid XML received: a web page (is the endpoint the",
        ),
        (
            ClientError({"Error": {"Code": "404", "Message": "<!DOCTYPE html><html>hi"}}, "GetQueueUrl"),
            SourceUnavailable,
            "404: a web page (is the endpoint the address of an AWS-like API?)",
        ),
        (aiohttp.ClientPayloadError("cut"), SourceUnavailable, "cut"),
        (aiohttp.ServerDisconnectedError(), SourceUnavailable, "disconnected"),
        (TimeoutError(), SourceUnavailable, "TimeoutError"),
        (ConnectionResetError("reset"), SourceUnavailable, "reset"),
    ],
)
def test_by_class(exc: Exception, expected: type[SourceError], text: str) -> None:
    found = faults.translate(exc, "receive from orders")
    assert type(found) is expected
    assert str(found).startswith("receive from orders: ")
    assert text in str(found)
    assert "\n" not in str(found)


def refusal(code: str, status: int | None, message: str = "said by the service") -> ClientError:
    metadata = {} if status is None else {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "Operation")


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", 400, SourceMissing),
        ("QueueDoesNotExist", 400, SourceMissing),
        ("ResourceNotFoundException", 400, SourceMissing),
        ("SomethingNew", 404, SourceMissing),
        ("404", 404, SourceMissing),
        ("ProvisionedThroughputExceededException", 400, SourceUnavailable),
        ("ThrottlingException", 400, SourceUnavailable),
        ("OverLimit", 403, SourceUnavailable),
        ("TooManyRequestsException", 429, SourceUnavailable),
        ("SomethingNew", 429, SourceUnavailable),
        ("InternalFailure", 500, SourceUnavailable),
        ("ServiceUnavailable", 503, SourceUnavailable),
        ("", None, SourceUnavailable),
        ("AccessDeniedException", 400, SourceRefused),
        ("AccessDenied", 403, SourceRefused),
        ("ExpiredToken", 403, SourceRefused),
        ("InvalidSignatureException", 403, SourceRefused),
        ("ValidationException", 400, SourceRefused),
        ("NotImplemented", 501, SourceRefused),
    ],
)
def test_by_code(code: str, status: int | None, expected: type[SourceError]) -> None:
    exc = refusal(code, status)
    assert type(faults.translate(exc)) is expected
    assert faults.code(exc) == code
    assert faults.status(exc) == status
    assert "said by the service" in str(faults.translate(exc))


def test_what_is_ours_already_stays() -> None:
    ours = SourceMissing("gone")
    assert faults.translate(ours) is ours
    with pytest.raises(SourceMissing) as caught, faults.translating("again"):
        raise ours
    assert caught.value is ours


def test_translating_keeps_the_cause() -> None:
    with pytest.raises(SourceMissing) as caught, faults.translating("receive"):
        raise refusal("QueueDoesNotExist", 400)
    assert faults.code(caught.value.__cause__ or caught.value) == "QueueDoesNotExist"


def test_what_is_not_the_clients_is_not_touched() -> None:
    with pytest.raises(KeyError), faults.translating("receive"):
        raise KeyError("ours")
    with pytest.raises(BugError, match="KeyError is not a fault"):
        faults.translate(KeyError("ours"), "receive")
    assert faults.code(KeyError()) == ""
    assert faults.status(KeyError()) is None
