"""The last result of a mapping, in AWS's words, from the events of its records and from the reason why it waits. Pure.

`LastProcessingResult` follows the last record that was decided: a mapping can say OK while its failure destination
fills. AWS's codes and sentences for Kafka follow from the code of the reason, which says what the brokers refused
(`config/clients/kafka/faults.py`): the output of a function cannot imitate it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ....config.reasons import ReasonCode
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
    """A problem that keeps a Kafka mapping from working."""

    code: str
    """The text of `StateTransitionReason`."""
    result: str = ""
    """The text of `LastProcessingResult`; empty where AWS has none."""


_AUTHN, _AUTHZ = "EVENT_SOURCE_AUTHN_ERROR", "EVENT_SOURCE_AUTHZ_ERROR"

_TROUBLES: Mapping[ReasonCode, Trouble] = {
    ReasonCode.LOGIN_REFUSED: Trouble(_AUTHN, "PROBLEM: SASL authentication failed"),
    ReasonCode.RIGHTS_REFUSED: Trouble(_AUTHZ, "PROBLEM: Cluster failed to authorize Lambda"),
    ReasonCode.CLIENT_NOT_TRUSTED: Trouble(_AUTHN, "PROBLEM: Server failed to authenticate Lambda"),
    ReasonCode.BROKERS_NOT_TRUSTED: Trouble(_AUTHN, "PROBLEM: Lambda failed to authenticate server"),
    ReasonCode.CERTIFICATE_UNUSABLE: Trouble(_AUTHN, "PROBLEM: Provided certificate or private key is invalid"),
    ReasonCode.SECRET_UNUSABLE: Trouble("ESM_CONFIG_NOT_VALID"),
    ReasonCode.FUNCTION_MISSING: Trouble("FUNCTION_CONFIG_NOT_VALID"),
}


def trouble_of(code: ReasonCode) -> Trouble | None:
    """AWS's name for the reason why a Kafka mapping waits; None when AWS has none."""
    return _TROUBLES.get(code)
