"""Translates the AWS client's exceptions into our own. No other module does.

There are three results: temporary (SourceUnavailable), does not exist (SourceMissing), needs a change by the user
(SourceRefused). Classes are told apart by name, along the inheritance line, because importing botocore costs start-up
time; a test walks botocore's classes and proves that each has its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import descriptors
from ..core.web_pages import has_page, without_page
from ..errors import BugError, SourceError, SourceMissing, SourceRefused, SourceUnavailable
from ..reasons import ReasonCode

# --- by class -------------------------------------------------------------------------------------------------------

UNAVAILABLE_CLASSES = frozenset(
    {
        "ConnectionError",  # refused, unknown host, TLS, proxy, connect timeout
        "HTTPClientError",  # closed connection, read timeout, broken body
        "IncompleteReadError",
        "ChecksumError",  # a body that was damaged on its way
        "FlexibleChecksumError",
        "AwsChunkedWrapperError",
        "EventStreamError",
        "ResponseParserError",  # a proxy's page, or a server that is just starting
        "CredentialRetrievalError",  # another service hands them out
        "MetadataRetrievalError",
        "TokenRetrievalError",
        "CapacityNotAvailableError",
        "WaiterError",
        "ClientError",  # aiohttp's own; botocore's is judged by its code, before this table
        "TimeoutError",
        "OSError",
    }
)

REFUSED_CLASSES = frozenset(
    {
        # our identity
        "NoCredentialsError",
        "NoAuthTokenError",
        "PartialCredentialsError",
        "UnknownCredentialError",
        "UnknownTokenProviderError",
        "RefreshWithMFAUnsupportedError",
        "SSOError",
        "LoginError",
        # the user's configuration
        "ProfileNotFound",
        "ConfigParseError",
        "ConfigNotFound",
        "InvalidConfigError",
        "InvalidProxiesConfigError",
        "InvalidDefaultsMode",
        "InvalidRetryConfigurationError",
        "InvalidEndpointConfigurationError",
        "InvalidEndpointDiscoveryConfigurationError",
        "InvalidChecksumConfigError",
        "InvalidS3AddressingStyleError",
        "InvalidS3UsEast1RegionalEndpointConfigError",
        "InvalidSTSRegionalEndpointsConfigError",
        "InvalidIMDSEndpointError",
        "InvalidIMDSEndpointModeError",
        "BaseEndpointResolverError",  # no region, unknown endpoint
        "EndpointProviderError",
        "UnknownRegionError",
        "ServiceNotInRegionError",
        "InvalidDNSNameError",
        "InvalidHostLabelError",
        "UnsupportedS3ArnError",
        "UnsupportedS3ControlArnError",
        "UnsupportedS3ConfigurationError",
        "UnsupportedS3AccesspointConfigurationError",
        "UnsupportedS3ControlConfigurationError",
        "UnsupportedOutpostResourceError",
        # the content of the call
        "ParamValidationError",
        "ValidationError",
        "MissingParametersError",
        "PaginationError",
        "UnseekableStreamError",
        # the abilities of this installation
        "DataNotFoundError",
        "ApiVersionNotFoundError",
        "MissingDependencyException",
        "MD5UnavailableError",
        "UnknownSignatureVersionError",
        "UnsupportedSignatureVersionError",
        "UnknownServiceStyle",
        "UnsupportedServiceProtocolsError",
        "OperationNotPageableError",
        "UnknownClientMethodError",
        "WaiterConfigError",
        "InvalidExpressionError",
        "StubResponseError",
        "UndefinedModelAttributeError",
    }
)

UNSENT_CLASSES = frozenset(
    {
        "ClientConnectorError",  # aiohttp: refused, unknown host, TLS
        "NotConnected",  # of the lean client: the same
        "ConnectionTimeoutError",
        "ConnectTimeoutError",
        "ProxyConnectionError",
        "ClientHttpProxyError",
        "SSLError",
        "gaierror",
        "InvalidURL",
    }
)

# --- by error code --------------------------------------------------------------------------------------------------

MISSING_CODES = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "NotFound",
        "NotFoundException",
        "NoSuchBucket",
        "NoSuchKey",
        "TableNotFoundException",
    }
)

PASSING_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "BandwidthLimitExceeded",
        "SlowDown",
        "OverLimit",  # SQS: too many messages in flight
        "KMSThrottlingException",
        "KmsThrottled",
        "PriorRequestNotComplete",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceInUseException",  # a stream or table that is being made
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "QueueDeletedRecently",
    }
)

HINTS = {
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
    "ExpiredToken": "the credentials have expired: renew them",
    "ExpiredTokenException": "the credentials have expired: renew them",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "InvalidSignatureException": "check the secret access key and this machine's clock",
    "UnrecognizedClientException": "check the access key",
    "InvalidClientTokenId": "check the access key",
    "SSLError": "name the server's certificate authority in AWS_CA_BUNDLE, or use http://",
    "ResponseParserError": "is the endpoint the address of an AWS-like API?",
    "EndpointConnectionError": "is it running, and is the endpoint right?",
}


def translate(exc: Exception, what: str = "", reason_code: ReasonCode | None = None) -> SourceError:
    """The exception of ours that stands for `exc`; `what` says what was being done, e.g. `receive from orders`.
    `reason_code` is for calls of which it is known what their failure means, whatever its kind.

    A SourceError comes back as it is. Raises BugError for what no AWS client raises.
    """
    if isinstance(exc, SourceError):
        return exc
    if descriptors.spent(exc):
        return SourceUnavailable(f"{what}: {descriptors.advice()}" if what else descriptors.advice())
    kind = _kind(exc)
    if kind is None:
        raise BugError(f"{what or 'a call'}: {type(exc).__name__} is not a fault of the AWS client: {exc}") from exc
    return kind(_text(exc, what), reason_code)


@contextmanager
def translating(what: str, reason_code: ReasonCode | None = None) -> Iterator[None]:
    """Raise the translation of what the AWS client raises inside, as `translate`. What is not the client's passes
    through."""
    try:
        yield
    except Exception as exc:
        if isinstance(exc, SourceError) or not foreign(exc):
            raise
        raise translate(exc, what, reason_code) from exc


def foreign(exc: BaseException) -> bool:
    """Whether `exc` is something that an AWS client (or the HTTP client under it) raises."""
    return isinstance(exc, Exception) and _kind(exc) is not None


def unsent(exc: BaseException) -> bool:
    """Whether the request surely never left: no connection, or nothing to sign it with."""
    names = {ancestor.__name__ for ancestor in type(exc).__mro__}
    if names & (UNSENT_CLASSES | REFUSED_CLASSES):
        return True
    # botocore has one class for a refused connection and for one that broke later; what it wraps tells them apart.
    inner = getattr(exc, "kwargs", {}).get("error")
    return isinstance(inner, BaseException) and inner is not exc and unsent(inner)


def code(exc: BaseException) -> str:
    """AWS's error code (`ExpiredIteratorException`); empty when `exc` carries none."""
    return str(_error(exc).get("Code") or "")


def status(exc: BaseException) -> int | None:
    """HTTP status of the refusal; None when there was no answer."""
    found = metadata(exc).get("HTTPStatusCode")
    return found if isinstance(found, int) else None


def metadata(exc: BaseException) -> dict[str, Any]:
    """`ResponseMetadata` of the refusal: `RequestId`, `HTTPStatusCode`, `HTTPHeaders` (lower case); empty for none."""
    found = _response(exc).get("ResponseMetadata")
    return found if isinstance(found, dict) else {}


def _kind(exc: Exception) -> type[SourceError] | None:
    if isinstance(getattr(exc, "response", None), dict):
        return _kind_of_answer(code(exc), status(exc))
    names = {ancestor.__name__ for ancestor in type(exc).__mro__}
    if names & REFUSED_CLASSES:
        return SourceRefused
    return SourceUnavailable if names & UNAVAILABLE_CLASSES else None


def _kind_of_answer(error: str, http: int | None) -> type[SourceError]:
    if error in MISSING_CODES:
        return SourceMissing
    if error in PASSING_CODES or http in (408, 409, 429):
        return SourceUnavailable
    if http == 501:  # an emulator that has no such operation will not grow one
        return SourceRefused
    if http is None or http >= 500:
        return SourceUnavailable
    return SourceMissing if http == 404 else SourceRefused


def _text(exc: Exception, what: str) -> str:
    message = str(_error(exc).get("Message") or exc or type(exc).__name__)
    subject = f"{what}: " if what else ""
    name = code(exc) or type(exc).__name__
    hint = HINTS.get("ResponseParserError" if has_page(message) else name)
    return " ".join(f"{subject}{name}: {without_page(message)}{f' ({hint})' if hint else ''}".split())


def _response(exc: BaseException) -> dict[str, Any]:
    response = getattr(exc, "response", None)
    return response if isinstance(response, dict) else {}


def _error(exc: BaseException) -> dict[str, Any]:
    error = _response(exc).get("Error")
    return error if isinstance(error, dict) else {}
