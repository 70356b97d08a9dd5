"""What came of a mapping so far, in AWS's words: out of the events of its records, and out of what it waits for. Pure.

`LastProcessingResult` follows the last record that was decided: a mapping can say OK while its failure destination
fills. The codes and sentences of Kafka are read from our own words for what brokers say
(`config/clients/kafka/faults.py`); a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....dispatch.core.model import FailedItems, Succeeded
from ....dispatch.core.observer import Event, Filtered, Invoked

OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"


def after(event: Event) -> tuple[str, str] | None:
    """The mapping and its new result, if the event says one. What the function answered, if only that it did not take
    some records, is a call that worked."""
    match event:
        case Invoked(mapping=mapping, outcome=Succeeded() | FailedItems()):
            return mapping, OK
        case Invoked(mapping=mapping):
            return mapping, CALL_FAILED
        case Filtered(mapping=mapping):
            return mapping, OK
        case _:
            return None


# --- Kafka ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a Kafka mapping from its work."""

    code: str
    """As `StateTransitionReason` has it."""
    result: str = ""
    """As `LastProcessingResult` has it; empty where AWS has no words for it."""


_AUTHN, _AUTHZ = "EVENT_SOURCE_AUTHN_ERROR", "EVENT_SOURCE_AUTHZ_ERROR"

_SASL = Trouble(_AUTHN, "PROBLEM: SASL authentication failed")
_NOT_ALLOWED = Trouble(_AUTHZ, "PROBLEM: Cluster failed to authorize Lambda")
_STRANGER = Trouble(_AUTHN, "PROBLEM: Server failed to authenticate Lambda")
_DISTRUSTED = Trouble(_AUTHN, "PROBLEM: Lambda failed to authenticate server")
_BAD_KEY = Trouble(_AUTHN, "PROBLEM: Provided certificate or private key is invalid")
_BAD_SECRET = Trouble("ESM_CONFIG_NOT_VALID")

_TROUBLES: tuple[tuple[str, Trouble], ...] = (
    ("the brokers refuse the login", _SASL),
    ("the listener does not know", _SASL),
    ("the listener has no login", _SASL),
    ("does not prove that it knows the password", _SASL),
    (": not allowed", _NOT_ALLOWED),
    ("the brokers want a client certificate", _STRANGER),
    ("do not accept the client certificate", _STRANGER),
    ("the brokers' certificate", _DISTRUSTED),
    ("the client's certificate cannot be used", _BAD_KEY),
    ("the certificate of the brokers' authority", _BAD_KEY),
    ("should have a secret", _BAD_SECRET),
    ("the secret ", _BAD_SECRET),
    ("there is no function", Trouble("FUNCTION_CONFIG_NOT_VALID")),
)


def trouble_of(reason: str) -> Trouble | None:
    """What AWS calls the reason for which a Kafka mapping waits; None when it has no name for it."""
    return next((trouble for words, trouble in _TROUBLES if words in reason), None)
