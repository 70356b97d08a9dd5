"""The networks of functions: as EC2 knows them, where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from botocore.exceptions import EndpointConnectionError

from headrace.config.errors import ConfigError, Problem
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.networks import Networks
from support.function_api import function_api
from support.scripted_client import ScriptedClient, refused

VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
SUBNETS = {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-9"}]}
GROUPS = {"SecurityGroups": [{"GroupId": "sg-1"}]}


class OnlyEc2:
    def __init__(self, **answers: Any) -> None:
        self.client = ScriptedClient(**{name: [answer] for name, answer in answers.items()})

    async def get(self, service: str) -> Any:
        assert service == "ec2"
        return self.client


@pytest.mark.semantics("FUNC-48")
async def test_the_vpc_is_that_of_the_subnets(tmp_path: Path) -> None:
    ec2 = OnlyEc2(describe_subnets=SUBNETS, describe_security_groups=GROUPS)
    async with function_api(tmp_path, clients=ec2) as api:
        created = await api.create(VpcConfig=VPC)
        assert created["VpcConfig"] == {**VPC, "VpcId": "vpc-9", "Ipv6AllowedForDualStack": False}
        await api("UpdateFunctionConfiguration", FunctionName="orders", VpcConfig={"SubnetIds": []})
        shown = await api("GetFunctionConfiguration", FunctionName="orders")
        assert shown["VpcConfig"]["VpcId"] == ""
        changed = await api("UpdateFunctionConfiguration", FunctionName="orders", VpcConfig=VPC)
        assert changed["VpcConfig"]["VpcId"] == "vpc-9"
    assert ec2.client.asked["describe_subnets"] == [{"SubnetIds": ["subnet-1"]}] * 2


@pytest.mark.semantics("FUNC-48")
@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (
            {"describe_subnets": {"Subnets": []}},
            (
                "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: "
                "The subnet ID 'subnet-1' does not exist"
            ),
        ),
        (
            {"describe_subnets": refused("InvalidSubnetID.NotFound")},
            (
                "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: "
                "The subnet ID 'subnet-1' does not exist"
            ),
        ),
        (
            {"describe_subnets": SUBNETS, "describe_security_groups": refused("InvalidGroup.NotFound")},
            (
                "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. "
                "EC2 Error Message: The security group 'sg-1' does not exist"
            ),
        ),
    ],
)
async def test_what_ec2_does_not_have_is_refused_in_its_words(answers: dict[str, Any], text: str) -> None:
    with pytest.raises(ApiError) as found:
        await Networks(OnlyEc2(**answers)).placed({"VpcConfig": VPC})
    assert (found.value.code, found.value.message) == ("InvalidParameterValueException", text)


@pytest.mark.semantics("FUNC-48")
@pytest.mark.parametrize(
    "fault",
    [
        refused("InvalidAction"),
        refused("UnauthorizedOperation", 403),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
        ConfigError([Problem("ec2 has no endpoint")]),
    ],
)
async def test_without_an_ec2_that_answers_every_network_is_taken(fault: Exception) -> None:
    placed = await Networks(OnlyEc2(describe_subnets=fault)).placed({"VpcConfig": VPC})
    assert placed == {"VpcConfig": {**VPC, "VpcId": ""}}


async def test_an_ec2_that_is_silent_holds_up_nobody_for_long() -> None:
    class Silent:
        async def get(self, service: str) -> Any:
            await anyio.sleep_forever()

    assert (await Networks(Silent(), look=0.01).placed({"VpcConfig": VPC}))["VpcConfig"]["VpcId"] == ""


async def test_who_names_no_subnet_is_not_looked_up() -> None:
    networks = Networks(OnlyEc2())
    requests: list[dict[str, Any]] = [{}, {"VpcConfig": {}}, {"VpcConfig": {"SubnetIds": []}}]
    for request in requests:
        assert await networks.placed(request) is request
