"""What a mapping's last result is, and what AWS calls the troubles of a Kafka mapping."""

from __future__ import annotations

import ssl

import pytest
from aiokafka import errors

from headrace.config.clients.kafka.faults import translate
from headrace.config.errors import SourceRefused
from headrace.config.mapping import EventSourceMapping
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
from headrace.service.control.mappings import results
from headrace.service.control.mappings.answers import MappingProgress
from headrace.service.running.progress import Progresses
from support.mapping_requests import KAFKA, KINESIS, SQS, created

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
        invoked(Unreachable(ATTEMPT, "no")),
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
            SourceRefused("the client's certificate cannot be used: no"),
            AUTHN,
            "Provided certificate or private key is invalid",
        ),
    ],
)
def test_what_aws_calls_the_troubles_of_brokers(error: Exception, code: str, text: str) -> None:
    found = results.trouble_of(str(translate(error, "read topic orders")))
    assert found == results.Trouble(code, f"PROBLEM: {text}")


@pytest.mark.semantics("ESM-07")
def test_troubles_are_those_of_an_enabled_topic_that_waits() -> None:
    progresses = Progresses()
    progresses.look_at(lambda name: "read topic orders: the brokers refuse the login (no); check it")
    topic = created(KAFKA).config
    assert progresses.of(topic) == MappingProgress("PROBLEM: SASL authentication failed", AUTHN)
    assert progresses.of(topic.model_copy(update={"enabled": False})) == MappingProgress()
    assert progresses.of(created(KINESIS).config) == MappingProgress()
    assert progresses.of(created(SQS).config) == MappingProgress()
    progresses.look_at(lambda name: "there is no function f; it is waited for")
    assert progresses.of(topic) == MappingProgress("", "FUNCTION_CONFIG_NOT_VALID")
    progresses.look_at(lambda name: "read topic orders: nobody listens there; is the broker running?")
    assert progresses.of(topic) == MappingProgress()
