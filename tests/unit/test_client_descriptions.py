"""What botocore has read, made small: it decides as before."""

from __future__ import annotations

import copy

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel, Shape
from botocore.regions import EndpointResolver

from headrace.config.clients import session
from headrace.config.clients.descriptions import Packed, drop_documentation, pack_endpoints

REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "aws-global", "nowhere-1", None)


def endpoint(resolver: EndpointResolver, service: str, region: str | None) -> object:
    try:
        return resolver.construct_endpoint(service, region)
    except Exception as error:
        return type(error)


def test_endpoints_that_are_packed_are_the_same_endpoints() -> None:
    as_read = create_loader().load_data("endpoints")
    packed = copy.deepcopy(as_read)
    pack_endpoints(packed)
    pack_endpoints(packed)  # once is enough
    plain, small = EndpointResolver(as_read), EndpointResolver(packed)
    services = {service for partition in as_read["partitions"] for service in partition["services"]}
    for service in [*sorted(services)[::7], "s3", "sqs", "sts", "streams.dynamodb", "no-such-service"]:
        for region in REGIONS:
            assert endpoint(small, service, region) == endpoint(plain, service, region), (service, region)
        assert small.get_available_endpoints(service) == plain.get_available_endpoints(service)


def test_a_packed_value_is_a_copy_and_can_be_replaced() -> None:
    packed = Packed({"a": {"b": [1]}})
    packed["a"]["b"].append(2)
    assert packed["a"] == {"b": [1]}
    packed["a"] = 3
    assert (packed["a"], packed.get("a"), packed.get("c"), packed.get("c", 4), list(packed)) == (3, 3, None, 4, ["a"])


def test_documentation_is_emptied_and_a_member_of_that_name_stays() -> None:
    model = {
        "documentation": "text",
        "shapes": {"Function": {"members": {"documentation": {"shape": "String", "documentation": "text"}}}},
        "list": [{"documentation": "text", "type": "string"}, 1],
    }
    drop_documentation(model)
    assert model == {
        "documentation": "",
        "shapes": {"Function": {"members": {"documentation": {"shape": "String", "documentation": ""}}}},
        "list": [{"documentation": "", "type": "string"}, 1],
    }


@pytest.mark.parametrize("service", ["s3", "sqs", "lambda", "dynamodbstreams"])
def test_models_that_were_loaded_are_small_and_say_the_same(service: str) -> None:
    opened = session.open_session(None)
    session.load_models(opened, service)
    session.load_models(opened, service)
    loader = opened.get_component("data_loader")
    assert isinstance(loader.load_data("endpoints")["partitions"][0]["services"], Packed)
    found = loader.load_service_model(service, "service-2", api_version=None)  # as it is asked for by a client's maker
    plain = create_loader().load_service_model(service, "service-2")
    drop_documentation(plain)
    assert isinstance(found["shapes"], Packed)
    assert {**found, "shapes": dict(found["shapes"].items()), "operations": dict(found["operations"].items())} == plain
    assert found["shapes"].values() == list(plain["shapes"].values())
    ours, theirs = ServiceModel(found), ServiceModel(plain)
    assert ours.client_context_parameters == theirs.client_context_parameters
    assert ours.operation_names == theirs.operation_names
    for name in ours.operation_names[::5]:
        for one, other in zip(shapes(ours, name), shapes(theirs, name), strict=True):
            assert (one and described(one)) == (other and described(other))


def shapes(model: ServiceModel, operation: str) -> list[Shape | None]:
    found = model.operation_model(operation)
    return [found.input_shape, found.output_shape, *found.error_shapes]


def described(shape: Shape) -> object:
    members = {name: each.type_name for name, each in shape.members.items()} if shape.type_name == "structure" else {}
    return shape.name, shape.type_name, shape.metadata, shape.serialization, members
