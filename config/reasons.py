"""Why something is not as it should be: a code for decisions, a text for readers. A leaf:
imports nothing of ours.

    where it arises ──► Reason(code, text) ──► status, /readyz, log lines, answers of the API

A reason is made where it arises, and goes unchanged to where it is shown. A decision uses the code alone: a text may
quote what a function printed or what a foreign server said, and a test looks for code that reads one
(`tests/unit/test_repository_reasons.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class ReasonCode(Enum):
    """Every kind of reason, as it is shown beside the texts."""

    UNAVAILABLE = "unavailable"
    MISSING = "missing"
    REFUSED = "refused"
    DAMAGED = "damaged"
    LOGIN_REFUSED = "brokers_refuse_login"
    RIGHTS_REFUSED = "brokers_refuse_rights"
    CLIENT_NOT_TRUSTED = "brokers_refuse_certificate"
    BROKERS_NOT_TRUSTED = "brokers_not_trusted"
    CERTIFICATE_UNUSABLE = "certificate_unusable"
    SECRET_UNUSABLE = "secret_unusable"  # noqa: S105 - a code
    FUNCTION_MISSING = "function_missing"
    FUNCTION_PENDING = "function_pending"
    FUNCTION_CANNOT_START = "function_cannot_start"
    FUNCTION_UNREACHABLE = "function_unreachable"
    FUNCTION_REFUSED = "function_refused"
    FUNCTION_THROTTLED = "function_throttled"
    FUNCTION_FAILING = "function_failing"
    PENDING = "pending"
    DISABLED = "disabled"
    PAUSED = "paused"
    MISCONFIGURED = "misconfigured"
    NOT_TAKEN_OVER = "not_taken_over"
    NOT_RESOLVED = "template_not_resolved"
    NOT_TAKEN = "template_not_taken"
    CODE_MISSING = "code_missing"
    STATE_UNAVAILABLE = "state_unavailable"
    STOPPING = "stopping"
    FAULT = "fault"


MEANINGS: Mapping[ReasonCode, str] = {
    ReasonCode.UNAVAILABLE: "a source, destination, registry or log endpoint is not available; Headrace tries again",
    ReasonCode.MISSING: "a source or destination does not exist; the mapping waits for it",
    ReasonCode.REFUSED: "a source, destination, registry or log endpoint refuses; the user must change something",
    ReasonCode.DAMAGED: "records of a partition cannot be read",
    ReasonCode.LOGIN_REFUSED: "the brokers refuse user name, password, token or mechanism",
    ReasonCode.RIGHTS_REFUSED: "the user lacks permissions on the topic, the group or the cluster",
    ReasonCode.CLIENT_NOT_TRUSTED: "the brokers require a client certificate, or another one",
    ReasonCode.BROKERS_NOT_TRUSTED: "the brokers' certificate is not trusted",
    ReasonCode.CERTIFICATE_UNUSABLE: "a certificate or key of the mapping is not usable",
    ReasonCode.SECRET_UNUSABLE: "a secret of the mapping cannot be read, or lacks a required member",
    ReasonCode.FUNCTION_MISSING: "the function, version or alias does not exist",
    ReasonCode.FUNCTION_PENDING: "the function has not started yet, or is being created",
    ReasonCode.FUNCTION_CANNOT_START: "the function's init fails, or nothing on this machine can run it",
    ReasonCode.FUNCTION_UNREACHABLE: "no server answers at the function's address",
    ReasonCode.FUNCTION_REFUSED: "the remote endpoint refuses to invoke the function",
    ReasonCode.FUNCTION_THROTTLED: "the function's reserved concurrency is 0",
    ReasonCode.FUNCTION_FAILING: "the function fails for every batch, or for one that holds up what is behind it",
    ReasonCode.PENDING: "the state is not known yet",
    ReasonCode.DISABLED: "the mapping is not enabled",
    ReasonCode.PAUSED: "somebody paused the mapping",
    ReasonCode.MISCONFIGURED: "the configuration does not allow it",
    ReasonCode.NOT_TAKEN_OVER: "a mapping of the emulator stays the emulator's, or its mappings are not known yet",
    ReasonCode.NOT_RESOLVED: "a value of a template is known only to a deployment, or to who gives a parameter",
    ReasonCode.NOT_TAKEN: "a template asks for something that Headrace does not do",
    ReasonCode.CODE_MISSING: "the code or a layer of a template's function is not on this machine",
    ReasonCode.STATE_UNAVAILABLE: "the state directory cannot be read or written at the moment",
    ReasonCode.STOPPING: "the daemon is stopping",
    ReasonCode.FAULT: "a fault in Headrace",
}
"""What each code says, for docs/logs-and-metrics.md, which is generated from it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. As text, it is its text."""

    code: ReasonCode
    text: str
    """What is wrong and what to do, in one line, for people."""

    def __str__(self) -> str:
        return self.text

    def of(self, subject: str) -> Reason:
        """The same reason with its subject: `subject: text`."""
        return Reason(self.code, f"{subject}: {self.text}")


def fault_of_ours(error: BaseException) -> Reason:
    """Something stopped because of a fault in Headrace."""
    return Reason(ReasonCode.FAULT, f"stopped by a fault in Headrace ({error!r}); please report it")
