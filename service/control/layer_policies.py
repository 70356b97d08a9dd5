"""Resource policies of the versions of layers: stored and shown, not enforced. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import policies
from .layers import Layer, LayerDecision, LayerVersion, NamedLayer
from .model import Answer, Moment, ResourcePolicy
from .refusals import no_such_resource, precondition_failed

Request = Mapping[str, Any]


def add(layer: Layer | None, named: NamedLayer, request: Request, moment: Moment) -> LayerDecision:
    layer, version = _existing(layer, named)
    statement = _statement(named, request)
    before = version.policy.statements if version.policy else ()
    _expect(request, version)
    policies.expect_new(statement["Sid"], before)
    policy = ResourcePolicy((*before, statement), moment.id())
    policies.expect_short(policy)
    return _with(layer, replace(version, policy=policy)), {
        "Statement": policies.compact(statement),
        "RevisionId": policy.revision,
    }


def remove(layer: Layer | None, named: NamedLayer, request: Request, moment: Moment) -> LayerDecision:
    """Removing the last statement removes the policy."""
    layer, version = _existing(layer, named)
    policy = _policy(version)
    left = policies.without(policy, request["StatementId"])
    _expect(request, version)
    return _with(layer, replace(version, policy=ResourcePolicy(left, moment.id()) if left else None)), {}


def get(layer: Layer | None, named: NamedLayer) -> Answer:
    policy = _policy(_existing(layer, named)[1])
    return {"Policy": policies.text(policy), "RevisionId": policy.revision}


def _existing(layer: Layer | None, named: NamedLayer) -> tuple[Layer, LayerVersion]:
    version = layer.version(named.number) if layer else None
    if layer is None or version is None:
        raise no_such_resource(f"Layer version {named.version_arn} does not exist.")
    return layer, version


def _policy(version: LayerVersion) -> ResourcePolicy:
    if version.policy is None:
        raise no_such_resource("No policy is associated with the given resource.")
    return version.policy


def _expect(request: Request, version: LayerVersion) -> None:
    actual = version.policy.revision if version.policy else None
    if request.get("RevisionId") not in (None, actual):
        raise precondition_failed(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetLayerPolicy API to retrieve the latest Revision Id"
        )


def _with(layer: Layer, version: LayerVersion) -> Layer:
    return replace(layer, versions=tuple(version if each.number == version.number else each for each in layer.versions))


def _statement(named: NamedLayer, request: Request) -> Mapping[str, Any]:
    statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": policies.principal(request["Principal"]),
        "Action": request["Action"],
        "Resource": named.version_arn,
    }
    if "OrganizationId" in request:
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": request["OrganizationId"]}}
    return statement
