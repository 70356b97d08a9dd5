"""The networks of functions, as the endpoint's EC2 knows them. Functions run in this machine's network nevertheless: a
network is looked up only to show it, and a missing network is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio

from ....config.clients import faults
from ....config.errors import ConfigError
from ..refusals import ApiError, invalid_parameter

LOOK = 5.0
"""Seconds after which a network counts as unknown because EC2 does not answer."""

Request = Mapping[str, Any]


class Ec2Clients(Protocol):
    """Provides the client for EC2."""

    async def get(self, service: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of network resource: its EC2 call, and the error for a missing one."""

    call: str
    """The name of the call in EC2's API."""
    method: str
    parameter: str
    answer: str
    member: str
    code: str
    missing: str
    """The text, with the id in place of `{id}`."""


_SUBNETS = _Kind(
    "DescribeSubnets",
    "describe_subnets",
    "SubnetIds",
    "Subnets",
    "SubnetId",
    "InvalidSubnetID.NotFound",
    "The subnet ID '{id}' does not exist",
)
_GROUPS = _Kind(
    "DescribeSecurityGroups",
    "describe_security_groups",
    "GroupIds",
    "SecurityGroups",
    "GroupId",
    "InvalidGroup.NotFound",
    "The security group '{id}' does not exist",
)


class Networks:
    def __init__(self, clients: Ec2Clients, look: float = LOOK) -> None:
        """`look`: maximum seconds for EC2's answer."""
        self._clients = clients
        self._look = look

    async def placed(self, request: Request) -> Request:
        """The request with the VPC of its subnets, where it names some and EC2 knows them. Raises ApiError for what EC2
        does not have."""
        given = request.get("VpcConfig", {})
        subnets, groups = given.get("SubnetIds", []), given.get("SecurityGroupIds", [])
        if not subnets:
            return request
        vpc = ""
        with anyio.move_on_after(self._look):
            found = await self._found(_SUBNETS, subnets)
            vpc = str(found[0].get("VpcId", "")) if found else ""
            if vpc and groups:
                await self._found(_GROUPS, groups)
        return {**request, "VpcConfig": {**given, "VpcId": vpc}}

    async def _found(self, kind: _Kind, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """The descriptions that EC2 has of them, in their order; none where EC2 cannot be asked. Raises ApiError for
        one that is not there."""
        try:
            client = await self._clients.get("ec2")
            answer = await getattr(client, kind.method)(**{kind.parameter: list(ids)})
        except ConfigError:  # there is no EC2, or it would be real AWS, which is not allowed
            return []
        except Exception as error:
            if not faults.foreign(error):
                raise
            if not faults.code(error).startswith(kind.code.partition(".")[0]):
                return []
            for each in ids if len(ids) > 1 else ():  # not every server names the missing one
                await self._found(kind, [each])
            raise _refused(kind, ids[0]) from error
        known = {each.get(kind.member): each for each in answer.get(kind.answer) or ()}
        if missing := [each for each in ids if each not in known]:
            raise _refused(kind, missing[0])
        return [known[each] for each in ids]


def _refused(kind: _Kind, missing: str) -> ApiError:
    """The error in AWS's words; emulators use their own words."""
    message = kind.missing.format(id=missing)
    return invalid_parameter(
        f"Error occurred while {kind.call}. EC2 Error Code: {kind.code}. EC2 Error Message: {message}"
    )
