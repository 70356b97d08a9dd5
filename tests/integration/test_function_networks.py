"""The networks of functions, beside the EC2 of real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.service.control.refusals import ApiError
from support.function_api import function_api
from support.servers.running import Server

NO_SUBNET, NO_GROUP = "subnet-0123456789abcdef0", "sg-0123456789abcdef0"


@pytest.fixture(params=["moto", "ministack"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.mark.semantics("FUNC-48")
async def test_a_network_is_that_of_the_server_s_ec2(server: Server, tmp_path: Path) -> None:
    async with (
        Clients(AwsSettings(endpoint_url=server.endpoint_url, region="us-east-1")) as clients,
        function_api(tmp_path, clients=clients) as api,
    ):
        ec2 = await clients.get("ec2")
        vpc = (await ec2.create_vpc(CidrBlock="10.9.0.0/16"))["Vpc"]["VpcId"]
        subnet = (await ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24"))["Subnet"]["SubnetId"]
        group = (await ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc))["GroupId"]
        created = await api.create(VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]})
        assert created["VpcConfig"]["VpcId"] == vpc
        for wrong, text in (
            (
                {"SubnetIds": [subnet, NO_SUBNET], "SecurityGroupIds": [group]},
                f"subnet ID '{NO_SUBNET}' does not exist",
            ),
            ({"SubnetIds": [subnet], "SecurityGroupIds": [NO_GROUP]}, f"security group '{NO_GROUP}' does not exist"),
        ):
            with pytest.raises(ApiError, match=text):
                await api("UpdateFunctionConfiguration", FunctionName="orders", VpcConfig=wrong)
