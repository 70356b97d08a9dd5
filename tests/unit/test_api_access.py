"""Who may call, with the signatures that botocore makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from headrace.service.api.core import signatures
from headrace.service.api.core.access import ApiAccess
from headrace.service.api.core.signatures import Head
from headrace.service.api.wire.refusals import form_of
from headrace.service.control.refusals import ApiError

LOOPBACK, OUTSIDE = "127.0.0.1", "10.0.0.7"
SECRETS = {"LOCAL": "a secret"}
PATH = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aorders"


def now(later: float = 0.0) -> float:
    """The real time, moved."""
    return datetime.now(UTC).timestamp() + later


def head(method: str = "GET", target: str = "/", headers: Mapping[str, str] | None = None) -> Head:
    parts = urlsplit(target)
    named = {name.lower(): [value] for name, value in (headers or {"Host": "127.0.0.1:9470"}).items()}
    return Head(method, parts.path, parts.query, named)


def signed(
    method: str = "POST",
    target: str = PATH,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    secret: str = "a secret",
    key: str = "LOCAL",
    token: str | None = None,
    service: str = "lambda",
    presigned: bool = False,
) -> Head:
    request = AWSRequest(method=method, url=f"http://10.0.0.7:9470{target}", data=body, headers=dict(headers or {}))
    credentials = Credentials(key, secret, token)
    auth = SigV4QueryAuth(credentials, service, "eu-west-1", 60) if presigned else None
    (auth or SigV4Auth(credentials, service, "eu-west-1")).add_auth(request)
    sent = request.prepare()
    parts = urlsplit(sent.url)
    named = {name.lower(): [text(value)] for name, value in sent.headers.items()}
    return Head(method, parts.path, parts.query, {"host": ["10.0.0.7:9470"], **named})


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def admit(request: Head, body: bytes = b"", **options: Any) -> None:
    access = ApiAccess(
        options.get("address", OUTSIDE),
        options.get("hosts", ()),
        options.get("secrets", SECRETS),
        options.get("functions", ""),
    )
    steady = options.get("steady")
    moment = None if steady is None else now(steady)
    access.check_body(access.admit(request, now(options.get("later", 0)), moment), request, body)


def refused(request: Head, body: bytes = b"", **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        admit(request, body, **options)
    assert form_of(caught.value).status == 403
    return caught.value


# --- on the loopback -------------------------------------------------------------------------------------------------


@pytest.mark.semantics("API-10")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "127.0.0.1:9470"},
        {"Host": "localhost:9470"},
        {"Host": "LOCALHOST"},
        {"Host": "lambda.localhost:9470"},
        {"Host": "[::1]:9470"},
        {"Host": "headrace:9470"},
        {"Host": "localhost:9470", "Origin": "http://localhost:3000"},
        {"Host": "localhost:9470", "Authorization": "AWS4-HMAC-SHA256 Credential=anybody"},
    ],
)
def test_this_machine_needs_no_signature(headers: dict[str, str]) -> None:
    admit(head(headers=headers), address=LOOPBACK, hosts=["Headrace:9470", ""])


@pytest.mark.semantics("API-11")
@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Host": "evil.example:9470"}, "Host (evil.example:9470)"),
        ({"Host": "127.0.0.1.evil.example"}, "Host (127.0.0.1.evil.example)"),
        ({"Host": "localhost.evil.example"}, "Host (localhost.evil.example)"),
        ({"Host": "evil.example@x:[::1"}, "Host"),
        ({"Host": ""}, "Host"),
        ({"Accept": "*/*"}, "Host (missing)"),
        ({"Host": "localhost", "Origin": "https://evil.example"}, "Origin (https://evil.example)"),
        ({"Host": "localhost", "Origin": "http://localhost.evil.example:9470"}, "Origin"),
        ({"Host": "localhost", "Origin": "null"}, "Origin (null)"),
        ({"Host": "localhost", "Origin": "http://user@evil.example:80#@localhost"}, "Origin"),
    ],
)
def test_what_a_web_page_may_have_sent_is_refused(headers: dict[str, str], told: str) -> None:
    error = refused(head(headers=headers), address=LOOPBACK)
    assert error.code == "AccessDeniedException"
    assert told in str(error.message)
    assert "api.hosts" in str(error.message)


@pytest.mark.semantics("API-11")
def test_two_hosts_are_none() -> None:
    refused(Head("GET", "/", "", {"host": ["localhost", "evil.example"]}), address=LOOPBACK)


@pytest.mark.semantics("API-INVOKE-20")
@pytest.mark.parametrize("key", ["test", "111122223333"])
@pytest.mark.parametrize("secrets", [SECRETS, {}], ids=["with keys", "without"])
def test_functions_sign_with_a_secret_of_their_own(key: str, secrets: dict[str, str]) -> None:
    given: dict[str, Any] = {"functions": "s3cr3t", "secrets": secrets}
    admit(signed(body=b"{}", key=key, secret="s3cr3t"), b"{}", **given)
    assert refused(signed(key=key, secret="wrong"), **given).code == "InvalidSignatureException"
    assert refused(signed(body=b"{}", key=key, secret="s3cr3t"), b"[]", **given).code == "InvalidSignatureException"
    closed = "UnrecognizedClientException" if secrets else "AccessDeniedException"
    assert refused(signed(key="other", secret="s3cr3t"), **given).code == closed
    assert refused(signed(key=key, secret=""), secrets=secrets).code == closed


@pytest.mark.semantics("API-INVOKE-20", "API-13")
def test_a_key_that_was_configured_is_no_functions() -> None:
    given: dict[str, Any] = {"functions": "s3cr3t", "secrets": {"TEST": "a secret"}}
    admit(signed(key="test"), **given)
    assert refused(signed(key="test", secret="s3cr3t"), **given).code == "InvalidSignatureException"


# --- elsewhere -------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("API-12")
@pytest.mark.parametrize("token", [None, "a-session-token"])
@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize(
    ("method", "target", "body", "headers"),
    [
        ("GET", "/2015-03-31/functions?MaxItems=5&Marker=a%20b%2F%2B", b"", {}),
        ("GET", PATH, b"", {}),
        ("POST", "/2015-03-31/functions/", b'{"a": 1}', {"Content-Type": "application/json"}),
        ("POST", f"{PATH}/invocations?Qualifier=%24LATEST", b"\x00\xff", {"X-Amz-Client-Context": "  a   b "}),
        ("DELETE", "/2017-03-31/tags/a%2Fb?tagKeys=b&tagKeys=a&tagKeys=%C3%A9", b"", {}),
    ],
)
def test_what_botocore_signs_is_admitted(
    method: str, target: str, body: bytes, headers: dict[str, str], presigned: bool, token: str | None
) -> None:
    if presigned:  # botocore presigns no body
        body = b""
    request = signed(method, target, body, headers, presigned=presigned, token=token)
    admit(request, body)
    error = refused(request, body + b"x")
    assert error.code == "InvalidSignatureException"


@pytest.mark.semantics("API-12")
def test_a_digest_in_the_headers_lets_the_signature_be_checked_before_the_body() -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    request = signed(body=b"abc", headers={"X-Amz-Content-SHA256": digest})
    admit(request, b"abc")
    assert "x-amz-content-sha256" in str(refused(request, b"abd").message)
    with pytest.raises(ApiError, match="does not match the signature"):
        ApiAccess(OUTSIDE, (), SECRETS).admit(replace(request, method="PUT"), now())


@pytest.mark.semantics("API-12")
@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, method="DELETE"),
        lambda request: replace(request, path=request.path + "x"),
        lambda request: replace(request, query=request.query + "&Qualifier=1"),
        lambda request: replace(request, headers={**request.headers, "host": ["10.0.0.8:9470"]}),
    ],
)
def test_what_was_changed_on_the_way_is_refused(change: Any, presigned: bool) -> None:
    request = signed(presigned=presigned)
    admit(request)
    assert refused(change(request)).code == "InvalidSignatureException"


@pytest.mark.semantics("API-12")
def test_a_request_whose_moment_is_none_is_refused() -> None:
    request = signed()
    (moment,) = request.headers["x-amz-date"]
    changed = {**request.headers, "x-amz-date": [f"{moment[:8]} at noon"]}
    refusal = refused(replace(request, headers=changed))
    assert refusal.code == "IncompleteSignatureException"
    assert refusal.message == f"Date must be in ISO-8601 'basic format'. Got '{moment[:8]} at noon'."


@pytest.mark.semantics("API-12")
@pytest.mark.parametrize(
    ("options", "later", "code", "told"),
    [
        ({"secret": "another"}, 0, "InvalidSignatureException", "does not match the signature you provided"),
        ({"key": "OTHER"}, 0, "UnrecognizedClientException", "security token included in the request is invalid"),
        ({"service": "sqs"}, 0, "InvalidSignatureException", "scoped to correct service: 'lambda'"),
        ({}, 310, "InvalidSignatureException", "Signature expired: "),
        ({}, -310, "InvalidSignatureException", "Signature not yet current: "),
        ({"presigned": True}, 70, "InvalidSignatureException", "Signature expired: "),
        ({"presigned": True}, -310, "InvalidSignatureException", "Signature not yet current: "),
    ],
)
def test_who_cannot_be_admitted(options: dict[str, Any], later: int, code: str, told: str) -> None:
    error = refused(signed(**options), later=later)
    assert error.code == code
    assert told in str(error.message)
    assert form_of(error).type is None


@pytest.mark.semantics("API-12")
@pytest.mark.parametrize(
    ("unsigned", "code", "told"),
    [
        (head(), "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (head(headers={"Authorization": "Basic YTpi"}), "IncompleteSignatureException", "AWS4-HMAC-SHA256"),
        (
            head(headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a"}),
            "IncompleteSignatureException",
            (
                "Authorization header requires 'SignedHeaders' parameter. "
                "Authorization header requires 'Signature' parameter. "
                "Authorization header requires existence of an 'X-Amz-Date' header."
            ),
        ),
        (head(target="/?X-Amz-Algorithm=AWS4-HMAC-SHA256"), "IncompleteSignatureException", "X-Amz-Credential"),
        (head(target="/?X-Amz-Signature=1"), "IncompleteSignatureException", "X-Amz-Algorithm"),
    ],
)
def test_who_does_not_sign(unsigned: Head, code: str, told: str) -> None:
    error = refused(unsigned)
    assert error.code == code
    assert told in str(error.message)


@pytest.mark.semantics("API-12")
def test_a_signature_is_good_for_five_minutes() -> None:
    admit(signed(), later=290)
    admit(signed(), later=-290)
    admit(signed(presigned=True), later=50)


@pytest.mark.semantics("API-12")
@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Expires=0",
        "X-Amz-Expires=604801",
        "X-Amz-Expires=-1",
        "X-Amz-Expires=%D9%A3",
        "X-Amz-Date=yesterday",
        "X-Amz-Credential=LOCAL/20260101",
        "X-Amz-Signature=",
    ],
)
def test_no_presigned_request_is_valid_for_ever(query: str) -> None:
    request = signed(presigned=True)
    refused(replace(request, query=f"{request.query}&{query}"))


@pytest.mark.semantics("API-12")
def test_the_headers_that_matter_must_be_signed() -> None:
    request = signed()
    added = replace(request, headers={**request.headers, "x-amz-invocation-type": ["Event"]})
    assert "not signed: x-amz-invocation-type" in str(refused(added).message)
    gone = replace(request, headers={name: value for name, value in request.headers.items() if name != "host"})
    assert "missing from the request: host" in str(refused(gone).message)
    (authorization,) = request.headers["authorization"]
    loose = authorization.replace("host;", "")
    unsigned = replace(request, headers={**request.headers, "authorization": [loose]})
    assert "'Host' must be" in str(refused(unsigned).message)


@pytest.mark.semantics("API-12")
@pytest.mark.parametrize(
    ("given", "put", "told"),
    [
        ("/eu-west-1/lambda", "x/eu-west-1/lambda", "Date in Credential scope does not match"),
        ("/aws4_request", "/aws9_request", "valid terminator: 'aws4_request'"),
        ("/lambda/", "/lambda/more/", "Credential must be"),
    ],
)
def test_the_scope_must_be_of_a_form(given: str, put: str, told: str) -> None:
    request = signed()
    (authorization,) = request.headers["authorization"]
    changed = {**request.headers, "authorization": [authorization.replace(given, put)]}
    assert told in str(refused(replace(request, headers=changed)).message)


@pytest.mark.semantics("API-13")
def test_without_keys_the_api_is_closed_elsewhere() -> None:
    error = refused(signed(), secrets={})
    assert error.code == "AccessDeniedException"
    assert "api.access_keys" in str(error.message)


@pytest.mark.semantics("API-12")
def test_the_key_id_may_be_spelled_in_either_case() -> None:
    admit(signed(key="local"))


def test_dots_and_empty_segments_are_signed_as_botocore_does() -> None:
    for target in ("/a/../b/", "/a//b", "/./a", "/", "/a/%2E%2E/b", "/a/~b-c_d.e"):
        admit(signed("GET", target))


def test_the_longest_a_presigned_request_may_live_is_a_week() -> None:
    assert timedelta(seconds=signatures.LONGEST) == timedelta(days=7)


@pytest.mark.semantics("API-24")
@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize("step", [7200, -7200, 600])
def test_a_signature_is_good_by_the_clock_with_or_without_a_step(step: int, presigned: bool) -> None:
    request = signed(presigned=presigned)
    admit(request, later=step, steady=0)
    admit(request, later=0, steady=step)
    error = refused(request, later=step, steady=step)
    assert refused(request, later=step, steady=-step * 2).message == error.message
