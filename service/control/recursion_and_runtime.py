"""Settings of recursion and of runtime updates: accepted and shown, without effect here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .model import Answer, Decision, Function, asked, existing
from .names import Named, unqualified
from .refusals import invalid_parameter


def put_recursion(function: Function | None, named: Named, loop: str) -> Decision:
    unqualified(named)
    return replace(existing(function, named), recursion=loop), {"RecursiveLoop": loop}


def recursion(function: Function | None, named: Named) -> Answer:
    unqualified(named)
    return {"RecursiveLoop": existing(function, named).recursion}


def put_runtime(function: Function | None, named: Named, request: Mapping[str, Any]) -> Decision:
    function, version = asked(function, named)
    if (request["UpdateRuntimeOn"] == "Manual") is not ("RuntimeVersionArn" in request):
        raise invalid_parameter("RuntimeVersionArn is needed when UpdateRuntimeOn is Manual, and only then.")
    kept = {key: request[key] for key in ("UpdateRuntimeOn", "RuntimeVersionArn") if key in request}
    after = replace(function, runtime_management={**function.runtime_management, version.number: kept})
    return after, {**kept, "FunctionArn": named.qualified}


def runtime(function: Function | None, named: Named) -> Answer:
    function, version = asked(function, named)
    kept = function.runtime_management.get(version.number, {"UpdateRuntimeOn": "Auto"})
    return {**kept, "FunctionArn": named.qualified}
