"""What a mapping's last result is, and what AWS calls the troubles of a Kafka mapping."""

from __future__ import annotations

import ssl

import orjson
import pytest
from aiokafka import errors

from headrace.config.clients.kafka.faults import translate
from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.mapping import EventSourceMapping
from headrace.config.reasons import Reason, ReasonCode
from headrace.dispatch.core.model import (
    Attempt,
    FailedItems,
    Failure,
    FunctionFailed,
    Lane,
    Outcome,
    Record,
    Succeeded,
    Throttled,
    Unreachable,
)
from headrace.dispatch.core.observer import Fetched, Filtered, Invoked
from headrace.dispatch.invokers.core import answers
from headrace.pollers.schemas.confluent import ConfluentRegistry, RestAccess
from headrace.service.control.mappings import results
from headrace.service.control.mappings.answers import MappingProgress
from headrace.service.running.progress import Progresses
from support.mapping_requests import KAFKA, KINESIS, SQS, created
from support.reasons import MISLEADING, no_start

ATTEMPT = Attempt("r", 0.0, 1.0)
RECORD = Record(Lane("s"), "1", {}, 0.0)


def invoked(outcome: Outcome) -> Invoked:
    return Invoked("m", "f", (RECORD,), outcome, 1.0)


@pytest.mark.semantics("ESM-07")
def test_the_last_result_follows_the_last_record() -> None:
    progresses = Progresses()
    mapping = EventSourceMapping.model_validate(
        {"name": "m", "source": KINESIS["EventSourceArn"], "function": "f", "starting_position": "LATEST"}
    )
    seen = []
    for each in (
        Fetched("m", (), 1.0),
        Filtered("m", (RECORD,)),
        invoked(FunctionFailed(ATTEMPT, Failure.ERROR, "no")),
        Fetched("m", (), 1.0),
        invoked(FailedItems(ATTEMPT, frozenset({"1"}))),
        invoked(Throttled(ATTEMPT)),
        invoked(Succeeded(ATTEMPT)),
        invoked(Unreachable(ATTEMPT, no_start("no"))),
    ):
        progresses.observe(each)
        seen.append(progresses.of(mapping).result)
    failed = "PROBLEM: Function call failed"
    assert seen == ["", "OK", failed, failed, "OK", failed, "OK", failed]
    progresses.forget("m")
    assert progresses.of(mapping) == MappingProgress()


AUTHN, AUTHZ = "EVENT_SOURCE_AUTHN_ERROR", "EVENT_SOURCE_AUTHZ_ERROR"


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED")
    error.verify_code, error.verify_message = 10, "certificate has expired"
    return error


@pytest.mark.semantics("ESM-07")
@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (errors.SaslAuthenticationFailed("no"), AUTHN, "SASL authentication failed"),
        (errors.UnsupportedSaslMechanismError(), AUTHN, "SASL authentication failed"),
        (errors.IllegalSaslStateError(), AUTHN, "SASL authentication failed"),
        (ValueError("Server sent wrong signature!"), AUTHN, "SASL authentication failed"),
        (errors.TopicAuthorizationFailedError({"x"}), AUTHZ, "Cluster failed to authorize Lambda"),
        (errors.GroupAuthorizationFailedError("g"), AUTHZ, "Cluster failed to authorize Lambda"),
        (errors.ClusterAuthorizationFailedError(), AUTHZ, "Cluster failed to authorize Lambda"),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), AUTHN, "Server failed to authenticate Lambda"),
        (tls("TLSV1_ALERT_UNKNOWN_CA"), AUTHN, "Server failed to authenticate Lambda"),
        (untrusted(), AUTHN, "Lambda failed to authenticate server"),
        (
            SourceRefused("the client's certificate cannot be used: no", ReasonCode.CERTIFICATE_UNUSABLE),
            AUTHN,
            "Provided certificate or private key is invalid",
        ),
    ],
)
def test_what_aws_calls_the_troubles_of_brokers(error: Exception, code: str, text: str) -> None:
    found = results.trouble_of(translate(error, "read topic orders").reason.code)
    assert found == results.Trouble(code, f"PROBLEM: {text}")


OF_BROKERS = {
    ReasonCode.LOGIN_REFUSED,
    ReasonCode.RIGHTS_REFUSED,
    ReasonCode.CLIENT_NOT_TRUSTED,
    ReasonCode.BROKERS_NOT_TRUSTED,
    ReasonCode.CERTIFICATE_UNUSABLE,
}


@pytest.mark.semantics("ESM-07")
@pytest.mark.parametrize("code", ReasonCode)
def test_brokers_are_blamed_for_what_they_refuse_and_for_nothing_else(code: ReasonCode) -> None:
    trouble = results.trouble_of(code)
    assert bool(trouble and trouble.result) == (code in OF_BROKERS)


@pytest.mark.semantics("ESM-07")
@pytest.mark.parametrize("printed", MISLEADING)
def test_what_a_function_said_elsewhere_is_not_blamed_on_the_brokers(printed: str) -> None:
    body = orjson.dumps({"errorType": "Runtime.ImportModuleError", "errorMessage": printed})
    reply = answers.failed(ATTEMPT, body)
    assert isinstance(reply, Unreachable)
    assert reply.down
    progresses = Progresses()
    progresses.look_at(lambda name: reply.cause.of("function f"))
    assert progresses.of(created(KAFKA).config) == MappingProgress()


async def test_a_registry_whose_certificate_cannot_be_used_is_no_trouble_of_the_brokers() -> None:
    async def access() -> RestAccess:
        raise SourceRefused("the client's certificate cannot be used: no", ReasonCode.CERTIFICATE_UNUSABLE)

    with pytest.raises(SourceRefused, match="schema registry https://r cannot be called: the client's") as caught:
        await ConfluentRegistry("https://r", access).schema("1")
    assert results.trouble_of(caught.value.reason.code) == results.Trouble("ESM_CONFIG_NOT_VALID")


@pytest.mark.parametrize("text", MISLEADING)
def test_a_registry_is_not_the_brokers(text: str) -> None:
    for kind in (SourceUnavailable, SourceMissing, SourceRefused):
        assert results.trouble_of(kind(f"schema registry r answers: {text}").reason.code) is None


@pytest.mark.semantics("ESM-07")
def test_troubles_are_those_of_an_enabled_topic_that_waits() -> None:
    progresses = Progresses()
    progresses.look_at(lambda name: Reason(ReasonCode.LOGIN_REFUSED, "no"))
    topic = created(KAFKA).config
    assert progresses.of(topic) == MappingProgress("PROBLEM: SASL authentication failed", AUTHN)
    assert progresses.of(topic.model_copy(update={"enabled": False})) == MappingProgress()
    assert progresses.of(created(KINESIS).config) == MappingProgress()
    assert progresses.of(created(SQS).config) == MappingProgress()
    progresses.look_at(lambda name: Reason(ReasonCode.FUNCTION_MISSING, "function f does not exist; waiting for it"))
    assert progresses.of(topic) == MappingProgress("", "FUNCTION_CONFIG_NOT_VALID")
    progresses.look_at(lambda name: Reason(ReasonCode.UNAVAILABLE, "no server listens there; is the broker running?"))
    assert progresses.of(topic) == MappingProgress()
