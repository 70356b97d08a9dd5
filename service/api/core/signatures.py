"""Signature Version 4: the claim of a request, and its verification. Pure; the time is an argument.

    claim = claimed(head)                       what its Authorization header, or its query string, says
    verify_claim(claim, head, secrets, now)     all that can be said before the body was read
    verify_body(claim, head, secrets, body)     the rest

The signed path is the path as sent, encoded once more, as for every service except S3.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from ...control.refusals import ApiError
from ..wire import refusals

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=5)
LONGEST = 604_800
"""Seconds that a presigned request may be valid."""
SERVICE = "lambda"
_FORM = "%Y%m%dT%H%M%SZ"
_NEEDED = ("Credential", "SignedHeaders", "Signature")


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body, as it was sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, Sequence[str]]
    """By lower-case name, every value."""

    def one(self, name: str) -> str:
        return next(iter(self.headers.get(name, ())), "")


@dataclass(frozen=True, slots=True)
class Claim:
    key_id: str
    """In upper case, as the settings have it."""
    scope: tuple[str, ...]
    """Date, region, service, `aws4_request`."""
    signed: tuple[str, ...]
    """Names of the signed headers."""
    signature: str
    moment: str
    """The time of the signature, as text of the request."""
    presigned: bool
    seconds: int
    """How long a presigned request is valid."""


def claimed(head: Head) -> Claim:
    """The request's claim. Raises ApiError when there is none, or it is incomplete."""
    parameters = dict(_pairs(head.query))
    if "X-Amz-Algorithm" in parameters or "X-Amz-Signature" in parameters:
        return _presigned(parameters)
    authorization = head.one("authorization")
    if not authorization:
        raise refusals.unauthorized("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Authorization header requires the algorithm {ALGORITHM}.")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    missing = [f"Authorization header requires '{name}' parameter." for name in _NEEDED if not parts.get(name)]
    moment = head.one("x-amz-date")
    if not moment:
        missing.append("Authorization header requires existence of an 'X-Amz-Date' header.")
    if missing:
        raise _incomplete(" ".join(missing))
    return _claim(parts, moment, presigned=False, seconds=0)


def _presigned(parameters: Mapping[str, str]) -> Claim:
    if parameters.get("X-Amz-Algorithm") != ALGORITHM:
        raise _incomplete(f"AWS query-string parameters must include 'X-Amz-Algorithm' {ALGORITHM}.")
    needed = (*_NEEDED, "Date", "Expires")
    missing = [
        f"AWS query-string parameters must include 'X-Amz-{name}'."
        for name in needed
        if not parameters.get(f"X-Amz-{name}")
    ]
    seconds = parameters.get("X-Amz-Expires", "")
    if missing:
        raise _incomplete(" ".join(missing))
    if not re.fullmatch(r"\d{1,6}", seconds, re.ASCII) or not 0 < int(seconds) <= LONGEST:
        raise _incomplete(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST}.")
    parts = {name: parameters[f"X-Amz-{name}"] for name in _NEEDED}
    return _claim(parts, parameters["X-Amz-Date"], presigned=True, seconds=int(seconds))


def _claim(parts: Mapping[str, str], moment: str, *, presigned: bool, seconds: int) -> Claim:
    key_id, *scope = parts["Credential"].split("/")
    if len(scope) != 4:
        raise _incomplete("Credential must be KEY/DATE/REGION/SERVICE/aws4_request.")
    names = tuple(name.lower() for name in parts["SignedHeaders"].split(";"))
    return Claim(key_id.upper(), tuple(scope), names, parts["Signature"], moment, presigned, seconds)


def _incomplete(message: str) -> ApiError:
    return refusals.unauthorized("IncompleteSignatureException", message)


def _invalid(message: str) -> ApiError:
    return refusals.unauthorized("InvalidSignatureException", message)


# --- before the body -------------------------------------------------------------------------------------------------


def verify_claim(claim: Claim, head: Head, secrets: Mapping[str, str], clocks: Sequence[datetime]) -> None:
    """Checks key, scope, time and, where a header has the body's hash, the signature. The time must be good by one of
    the clocks; a refusal names the first. Raises ApiError."""
    if claim.key_id not in secrets:
        message = "The security token included in the request is invalid."
        raise refusals.unauthorized("UnrecognizedClientException", message)
    _verify_scope(claim)
    _verify_time(claim, clocks)
    _verify_headers(claim, head)
    digest = _told_digest(claim, head)
    if digest is not None:
        _verify_signature(claim, head, secrets, digest)


def _verify_scope(claim: Claim) -> None:
    date, _, service, end = claim.scope
    if service != SERVICE:
        raise _invalid(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if end != "aws4_request":
        raise _invalid("Credential should be scoped with a valid terminator: 'aws4_request'.")
    if date != claim.moment[:8]:
        raise _invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")


def _verify_time(claim: Claim, clocks: Sequence[datetime]) -> None:
    try:
        signed = datetime.strptime(claim.moment, _FORM).replace(tzinfo=UTC)
    except ValueError as fault:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{claim.moment[:40]}'.") from fault
    refused = [_untimely(claim, signed, now) for now in clocks]
    if refused[0] is not None and all(refused):
        raise refused[0]


def _untimely(claim: Claim, signed: datetime, now: datetime) -> ApiError | None:
    at = now.strftime(_FORM)
    if signed > now + SKEW:
        latest = (now + SKEW).strftime(_FORM)
        return _invalid(f"Signature not yet current: {claim.moment} is still later than {latest} ({at} + 5 min.)")
    if claim.presigned:
        ends = signed + timedelta(seconds=claim.seconds)
        if ends < now:
            return _invalid(f"Signature expired: {ends.strftime(_FORM)} is now earlier than {at}")
    elif signed < now - SKEW:
        earliest = (now - SKEW).strftime(_FORM)
        return _invalid(f"Signature expired: {claim.moment} is now earlier than {earliest} ({at} - 5 min.)")
    return None


def _verify_headers(claim: Claim, head: Head) -> None:
    """The headers that decide the effect of a request must be signed: the host, and every header of AWS."""
    loose = {name for name in head.headers if name.startswith("x-amz-")} - set(claim.signed)
    missing = [name for name in claim.signed if name not in head.headers]
    if "host" not in claim.signed:
        raise _invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    if loose:
        raise _invalid(f"There were headers present in the request which were not signed: {', '.join(sorted(loose))}")
    if missing:
        raise _invalid(f"Signed headers are missing from the request: {', '.join(missing)}")


def _told_digest(claim: Claim, head: Head) -> str | None:
    digest = head.one("x-amz-content-sha256")
    return digest if re.fullmatch("[0-9a-f]{64}", digest) else None


# --- with the body ---------------------------------------------------------------------------------------------------


def verify_body(claim: Claim, head: Head, secrets: Mapping[str, str], body: bytes) -> None:
    """Raises ApiError when the body is not the signed body."""
    digest = hashlib.sha256(body).hexdigest()
    told = _told_digest(claim, head)
    if told is None:
        _verify_signature(claim, head, secrets, digest)
    elif not hmac.compare_digest(told, digest):
        raise _invalid("The provided 'x-amz-content-sha256' header does not match what was computed.")


def _verify_signature(claim: Claim, head: Head, secrets: Mapping[str, str], digest: str) -> None:
    wanted = signature(claim, head, secrets[claim.key_id], digest)
    if not hmac.compare_digest(wanted.encode(), claim.signature.encode()):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        )


def signature(claim: Claim, head: Head, secret: str, digest: str) -> str:
    """The expected signature for a body with that SHA-256."""
    request = hashlib.sha256(_canonical(claim, head, digest).encode("utf-8", "surrogateescape")).hexdigest()
    text = "\n".join((ALGORITHM, claim.moment, "/".join(claim.scope), request))
    key = f"AWS4{secret}".encode()
    for part in claim.scope:
        key = _hmac(key, part)
    return _hmac(key, text).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256")


def _canonical(claim: Claim, head: Head, digest: str) -> str:
    headers = "".join(f"{name}:{_joined(head.headers[name])}\n" for name in claim.signed)
    pairs = [(_quoted(name), _quoted(value)) for name, value in _pairs(head.query) if name != "X-Amz-Signature"]
    query = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    parts = (head.method, quote(_straight(head.path), safe="/~"), query, headers, ";".join(claim.signed), digest)
    return "\n".join(parts)


def _joined(values: Sequence[str]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~", errors="surrogateescape")


def _pairs(query: str) -> list[tuple[str, str]]:
    """A plus sign stays a plus sign here: signers encode blanks as %20."""
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(_unquoted(name), _unquoted(value)) for name, _, value in parts]


def _unquoted(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _straight(path: str) -> str:
    """Without `.`, `..` and empty segments; a slash at the end stays."""
    straight: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del straight[-1:]
        elif segment not in ("", "."):
            straight.append(segment)
    end = "/" if path.endswith("/") and straight else ""
    return "/" + "/".join(straight) + end
