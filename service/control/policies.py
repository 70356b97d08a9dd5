"""Resource policies of functions, versions and aliases: stored and shown, not enforced. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .catalogue import LATEST
from .model import Answer, Decision, Function, Moment, ResourcePolicy, missing_qualifier, not_found
from .names import Named
from .refusals import conflict, invalid_parameter, no_such_resource, policy_too_long, precondition_failed

SIZE_MAX = 20_480
"""Maximum bytes of a policy."""

_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)")
_IDENTITY = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts)::(\d{12}|aws|cloudfront):\S+")

CONDITIONS = (
    ("StringEquals", "AWS:SourceAccount", "SourceAccount"),
    ("StringEquals", "lambda:FunctionUrlAuthType", "FunctionUrlAuthType"),
    ("StringEquals", "aws:PrincipalOrgID", "PrincipalOrgID"),
    ("StringEquals", "lambda:EventSourceToken", "EventSourceToken"),
    ("Bool", "lambda:InvokedViaFunctionUrl", "InvokedViaFunctionUrl"),
    ("ArnLike", "AWS:SourceArn", "SourceArn"),
)
"""Operator, key, and the member of the request that is compared with."""


def add(function: Function | None, named: Named, request: Mapping[str, Any], moment: Moment) -> Decision:
    if named.qualifier == LATEST:
        raise invalid_parameter("We currently do not support adding policies for $LATEST.")
    if function is None:
        raise not_found(named.arn)
    if function.resolve(named.qualifier) is None:
        raise missing_qualifier(named)
    statement = _statement(named, request)
    policy = function.policies.get(named.qualifier)
    _expect(request, policy.revision if policy else _revision(function, named.qualifier))
    before = policy.statements if policy else ()
    expect_new(statement["Sid"], before)
    changed = _with(function, named.qualifier, ResourcePolicy((*before, statement), moment.id()))
    return changed, {"Statement": compact(statement)}


def remove(function: Function | None, named: Named, request: Mapping[str, Any], moment: Moment) -> Decision:
    """Removing the last statement removes the policy."""
    function, policy = to_remove_from(function, named)
    left = without(policy, request["StatementId"])
    _expect(request, policy.revision)
    return _with(function, named.qualifier, ResourcePolicy(left, moment.id())), {}


def to_remove_from(function: Function | None, named: Named) -> tuple[Function, ResourcePolicy]:
    """The policy from which a statement is removed. Raises ApiError."""
    if function is None:
        raise no_such_resource(f"No policy found for: {named.arn}")
    if function.resolve(named.qualifier) is None:
        raise missing_qualifier(named)
    policy = function.policies.get(named.qualifier)
    if policy is None:
        raise no_such_resource("No policy is associated with the given resource.")
    return function, policy


def get(function: Function | None, named: Named) -> Answer:
    policy = function.policies.get(named.qualifier) if function else None
    if policy is None:
        raise no_such_resource()
    return {"Policy": text(policy), "RevisionId": policy.revision}


def _with(function: Function, qualifier: str, policy: ResourcePolicy) -> Function:
    expect_short(policy)
    others = {key: each for key, each in function.policies.items() if key != qualifier}
    return replace(function, policies={**others, qualifier: policy} if policy.statements else others)


def _revision(function: Function, qualifier: str) -> str:
    """The revision of a resource without a policy is the resource's own revision."""
    alias = function.aliases.get(qualifier)
    version = function.version(qualifier)
    return alias.revision if alias else version.revision if version else ""


def _expect(request: Mapping[str, Any], actual: str) -> None:
    if request.get("RevisionId") not in (None, actual):
        raise precondition_failed(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetPolicy API to retrieve the latest Revision Id"
        )


# --- what policies of layers have too ---------------------------------------------------------------------------------


def expect_new(sid: str, statements: Sequence[Mapping[str, Any]]) -> None:
    """Raises ApiError for an id that a statement has already."""
    if any(each["Sid"] == sid for each in statements):
        raise conflict(
            f"The statement id ({sid}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )


def without(policy: ResourcePolicy, sid: str) -> tuple[Mapping[str, Any], ...]:
    """The statements but this one. Raises ApiError when it is not there."""
    left = tuple(each for each in policy.statements if each["Sid"] != sid)
    if len(left) == len(policy.statements):
        raise no_such_resource(f"Statement {sid} is not found in resource policy.")
    return left


def expect_short(policy: ResourcePolicy) -> None:
    """Raises ApiError for a policy that is too long."""
    size = len(text(policy).encode("utf-8", "surrogatepass"))
    if size > SIZE_MAX:
        raise policy_too_long(f"The final policy size ({size}) is bigger than the limit ({SIZE_MAX}).")


# --- statements -------------------------------------------------------------------------------------------------------


def _statement(named: Named, request: Mapping[str, Any]) -> Mapping[str, Any]:
    statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": principal(request["Principal"]),
        "Action": request["Action"],
        "Resource": named.qualified,
    }
    conditions: dict[str, dict[str, Any]] = {}
    for operator, key, member in CONDITIONS:
        if member in request:
            conditions.setdefault(operator, {})[key] = _condition(request[member])
    return {**statement, "Condition": conditions} if conditions else statement


def _condition(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def principal(text: str) -> str | Mapping[str, str]:
    """The principal in the form of a statement. Raises ApiError."""
    if text == "*":
        return "*"
    if re.fullmatch(r"\d{12}", text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _IDENTITY.fullmatch(text):
        return {"AWS": text}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    raise invalid_parameter("The provided principal was invalid. Please check the principal and try again.")


def text(policy: ResourcePolicy) -> str:
    """The policy as the JSON that AWS shows."""
    return compact({"Version": "2012-10-17", "Id": "default", "Statement": list(policy.statements)})


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
