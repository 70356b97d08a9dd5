"""Translates aiokafka's exceptions into our own. No other module does.

A failed start says only that there was no way to bootstrap: why, the client logs and keeps to itself. So the brokers
are looked at once more (`explain`), with a single connection each, whose errors say what is wrong.

What aiokafka and OpenSSL say in words alone is read here, and nowhere else.
"""

from __future__ import annotations

import re
import ssl
from asyncio import IncompleteReadError
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from socket import gaierror
from typing import Any

import anyio

from ... import descriptors
from ...core.stop_budget import IN_PASSING
from ...errors import SourceError, SourceMissing, SourceRefused, SourceUnavailable
from ...reasons import ReasonCode

LOOK = 5.0
"""Seconds that a broker has to answer when it is looked at."""
TLS_RECORDS = {0x1503, 0x1603}
"""First bytes of what a TLS server says: an alert, a handshake. aiokafka takes them for a length."""


@dataclass(frozen=True, slots=True)
class FaultVerdict:
    """What an error means."""

    kind: type[SourceError]
    text: str
    code: ReasonCode | None = None
    """None: the usual one of its kind."""

    def error(self, what: str) -> SourceError:
        return self.kind(f"{what}: {self.text}", self.code)


def translate(error: Exception, what: str) -> SourceError:
    """What a failed call means. `what` says what was tried, in words that a user understands."""
    if isinstance(error, SourceError):
        return error
    return _said(error, {}).error(what)


def partition_of(error: Exception) -> int | None:
    """The number of the partition that a failed fetch tells of; None where it names none."""
    number = re.search(r"partition=(\d+)", str(error))
    return int(number[1]) if number else None


async def explain(error: Exception, what: str, servers: Sequence[str], login: Mapping[str, Any]) -> SourceError:
    """The same for a client that did not reach the brokers; they are looked at, where the error does not say why.

    `login` has the settings of a connection (`KafkaConnection.login`).
    """
    if isinstance(error, SourceError):
        return error
    verdict = (
        _judged(error, login)
        or await _looked_at(servers, login)
        or FaultVerdict(SourceUnavailable, f"{_detail(error)}; but now the brokers answer")
    )
    return verdict.error(what)


async def look(what: str, servers: Sequence[str], login: Mapping[str, Any]) -> SourceError | None:
    """Why the brokers cannot be worked with now; None when they can. For clients that keep it to themselves: one that
    is started tries again without end, and says nothing."""
    verdict = await _looked_at(servers, login)
    return verdict.error(what) if verdict else None


# --- a look at the brokers ------------------------------------------------------------------------------------------


async def _looked_at(servers: Sequence[str], login: Mapping[str, Any]) -> FaultVerdict | None:
    """Why none of these brokers can be used; None when one can. A refusal is reported before a failure that may
    pass."""
    found: list[FaultVerdict | None] = []

    async def look(server: str) -> None:
        found.append(await _look(server, login))

    async with anyio.create_task_group() as group:
        for server in servers:
            group.start_soon(look, server)
    verdicts = [verdict for verdict in found if verdict is not None]
    if len(verdicts) < len(servers):
        return None
    return next((each for each in verdicts if each.kind is SourceRefused), verdicts[0] if verdicts else None)


async def _look(server: str, login: Mapping[str, Any]) -> FaultVerdict | None:
    """What is wrong with one server, and with the addresses that it gives for the others."""
    from aiokafka.conn import get_ip_port_afi

    host, port, _ = get_ip_port_afi(server)
    try:
        brokers = await _brokers(host, port, login)
    except Exception as error:
        return _said(error, login)
    for _, name, at, *_ in brokers:
        try:
            await _brokers(name, at, login)
        except Exception as error:
            said = _said(error, login)
            where = f"the brokers give the address {name}:{at} (their advertised.listeners)"
            return replace(said, text=f"{where}, but the connection to it fails: {said.text}")
    return None


async def _brokers(host: str, port: int, login: Mapping[str, Any]) -> Sequence[Any]:
    """The brokers that one server names: id, host, port."""
    from aiokafka.conn import create_conn
    from aiokafka.protocol.metadata import MetadataRequest

    connection = None
    try:
        with anyio.fail_after(LOOK):
            connection = await create_conn(host, port, client_id="headrace", **login)
            answer = await connection.send(MetadataRequest([]))
            return list(answer.brokers)
    finally:
        closed = connection.close() if connection is not None else None
        if closed is not None:
            with anyio.move_on_after(IN_PASSING, shield=True):
                await closed


def _said(error: Exception, login: Mapping[str, Any]) -> FaultVerdict:
    return _judged(error, login) or FaultVerdict(SourceUnavailable, _detail(error))


# --- what an error means --------------------------------------------------------------------------------------------


def _judged(error: BaseException, login: Mapping[str, Any]) -> FaultVerdict | None:
    """What an error, or one that it comes from, is known to mean."""
    if descriptors.spent(error):
        return FaultVerdict(SourceUnavailable, descriptors.advice())
    for each in _causes(error):
        if verdict := _of_ours(each) or _of_login(each, login) or _of_topic(each) or _of_tls(each):
            return verdict
    for each in _causes(error):
        if verdict := _of_network(each, login):
            return verdict
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Only what it says that it comes from: what was being handled meanwhile may be an older failure."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def _of_ours(error: BaseException) -> FaultVerdict | None:
    """A token that was not had."""
    return FaultVerdict(type(error), str(error), error.reason.code) if isinstance(error, SourceError) else None


def _of_login(error: BaseException, login: Mapping[str, Any]) -> FaultVerdict | None:
    from aiokafka import errors

    mechanism = login.get("sasl_mechanism")
    if isinstance(error, errors.SaslAuthenticationFailed | errors.AuthenticationFailedError):
        check = "the token and its issuer" if mechanism == "OAUTHBEARER" else "user name, password and mechanism"
        return _login(f"the brokers refuse the login ({_words(error)}); check {check}")
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        which = f"the mechanism {mechanism}" if mechanism else "this SASL mechanism"
        return _login(f"the listener does not know {which}; use another kind of login, or another port")
    if isinstance(error, errors.IllegalSaslStateError):
        what = "the listener has no login, and one is configured"
        return _login(f"{what}; use the port of a SASL listener, or remove the login")
    if isinstance(error, ValueError) and "signature" in str(error):  # SCRAM: the server does not know the password
        return _login("the server does not prove that it knows the password; is it the right one?")
    return None


def _login(text: str) -> FaultVerdict:
    return FaultVerdict(SourceRefused, text, ReasonCode.LOGIN_REFUSED)


def _of_topic(error: BaseException) -> FaultVerdict | None:
    from aiokafka import errors

    subjects = {
        errors.TopicAuthorizationFailedError: "the topic (Read and Describe; Write for a destination)",
        errors.GroupAuthorizationFailedError: "the consumer group (Read)",
        errors.ClusterAuthorizationFailedError: "the cluster",
        errors.TransactionalIdAuthorizationFailed: "the transactional id",
    }
    for kind, subject in subjects.items():
        if isinstance(error, kind):
            said = f": {_words(error)}" if error.args else ""
            text = f"not allowed{said}; give this user the rights on {subject}"
            return FaultVerdict(SourceRefused, text, ReasonCode.RIGHTS_REFUSED)
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return FaultVerdict(SourceMissing, "the topic does not exist")
    if isinstance(error, errors.MessageSizeTooLargeError | errors.RecordListTooLargeError):
        advice = "raise max.message.bytes of the topic, or message.max.bytes of the brokers"
        return FaultVerdict(SourceRefused, f"a message is too large ({_words(error)}); {advice}")
    return None


_CERTIFICATES = {
    10: "the brokers' certificate has expired; renew it, or check this machine's clock",
    9: "the brokers' certificate is not valid yet; check this machine's clock",
    62: "the brokers' certificate is for another host name; use a name that it has, or make one with this name",
    64: "the brokers' certificate is not for this IP address; use a name that it has, or make one with this address",
}
_UNKNOWN_AUTHORITY = (
    "this machine does not trust the authority of the brokers' certificate; give it as SERVER_ROOT_CA_CERTIFICATE"
)
_ALERTS = {
    "WRONG_VERSION_NUMBER": "the port does not speak TLS; use another port, or the protocol without SSL",
}
_CUT_OFF = "UNEXPECTED_EOF_WHILE_READING"
_NO_CERTIFICATE = ("BAD_CERTIFICATE", "CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE")
_STRANGER = ("CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "CERTIFICATE_EXPIRED", "CERTIFICATE_REVOKED")


def _of_tls(error: BaseException) -> FaultVerdict | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"{_CERTIFICATES.get(error.verify_code, _UNKNOWN_AUTHORITY)} ({error.verify_message})"
        return FaultVerdict(SourceRefused, text, ReasonCode.BROKERS_NOT_TRUSTED)
    if isinstance(error, IncompleteReadError) and (error.expected or 0) >> 16 in TLS_RECORDS:
        text = "the port speaks TLS, but the protocol is without TLS; say SSL or SASL_SSL, or use another port"
        return FaultVerdict(SourceRefused, text)
    if not isinstance(error, ssl.SSLError):
        return None
    alert = error.reason or ""  # OpenSSL's name for it, of which the beginning depends on the version of TLS
    if alert.endswith(_NO_CERTIFICATE):
        what = "the brokers require a client certificate that they trust"
        return _client(f"{what}; give CLIENT_CERTIFICATE_TLS_AUTH ({alert})")
    if alert.endswith(_STRANGER):
        what = "the brokers do not accept the client certificate"
        return _client(f"{what}; is it expired, or signed by an authority that they do not trust? ({alert})")
    if isinstance(error, ssl.SSLEOFError) or alert == _CUT_OFF:
        return FaultVerdict(SourceUnavailable, "the TLS handshake was cut off; does the port speak TLS?")
    return FaultVerdict(SourceRefused, _ALERTS.get(alert, f"TLS failed: {alert}"))


def _client(text: str) -> FaultVerdict:
    return FaultVerdict(SourceRefused, text, ReasonCode.CLIENT_NOT_TRUSTED)


def _of_network(error: BaseException, login: Mapping[str, Any]) -> FaultVerdict | None:
    if isinstance(error, gaierror):
        return FaultVerdict(SourceUnavailable, f"the host name is not known ({error.strerror}); is it right?")
    if isinstance(error, ConnectionRefusedError):
        return FaultVerdict(SourceUnavailable, "no server listens there; is the broker running, and is the port right?")
    if isinstance(error, TimeoutError):
        return FaultVerdict(SourceUnavailable, "no answer in time; is the broker running, and is the port right?")
    if isinstance(error, IncompleteReadError | ConnectionResetError | BrokenPipeError):
        protocol = login.get("security_protocol", "")
        ask = "does the port speak TLS?" if protocol.endswith("SSL") else "does the port want a login, or TLS?"
        return FaultVerdict(SourceUnavailable, f"the broker closed the connection at once; {ask}")
    return None


def _words(error: BaseException) -> str:
    """What the broker said, without what aiokafka puts around it."""
    said = error.args[0] if error.args and isinstance(error.args[0], str) else ""
    return said.strip() or type(error).__name__


def _detail(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if type(error).__name__ in text else f"{type(error).__name__}: {text}"
